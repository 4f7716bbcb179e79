//! Commissions that are final later: they wait for the customer, and a return before that takes them back.

use serde_json::json;

use super::Program;

/// Ana's customers leave, so that her commissions are final after thirty days from 2026-02-15 on; a sale of that day.
async fn a_verified_sale() -> (Program, String) {
    let program = Program::new().await;
    program.take_up(&program.decide("5%", "30", |_, evidence| evidence.churn_ratio = 3.0)).await;
    program.later(14);
    let sale = program.api.sale(program.ana, &program.campaign, "A1").await;
    (program, sale)
}

#[tokio::test]
async fn a_commission_waits_for_the_customer_and_becomes_payable_then() {
    let (program, sale) = a_verified_sale().await;
    insta::assert_snapshot!(program.lines(&sale).await, @"9.90 accrued, waits for approval until 2026-03-17T12:00:00.007Z");
    program.move_to(&sale, "approve", json!({})).await;
    insta::assert_snapshot!(program.lines(&sale).await, @"9.90 accrued, waits for customer until 2026-03-17T12:00:00.007Z");
    program.later(29);
    assert_eq!(program.verified().await, 0);
    assert!(program.lines(&sale).await.contains("accrued, waits for customer"));
    program.later(1);
    assert_eq!((program.verified().await, program.verified().await), (1, 0));
    insta::assert_snapshot!(program.lines(&sale).await, @"9.90 payable, waits for nothing until 2026-03-17T12:00:00.007Z");
    assert_eq!(program.announced("commission.verified").await, 1);
    program.assert_balanced().await;
}

#[tokio::test]
async fn what_is_approved_after_the_customer_has_stayed_is_payable_at_once() {
    let (program, sale) = a_verified_sale().await;
    program.later(30);
    assert_eq!(program.verified().await, 0);
    assert!(program.lines(&sale).await.starts_with("9.90 accrued, waits for approval"));
    program.move_to(&sale, "approve", json!({})).await;
    assert!(program.lines(&sale).await.starts_with("9.90 payable, waits for nothing"));
    program.assert_balanced().await;
}

#[tokio::test]
async fn a_return_before_the_commission_is_final_takes_it_back() {
    let (program, sale) = a_verified_sale().await;
    program.move_to(&sale, "approve", json!({})).await;
    program.later(10);
    let half = json!({"reason": "refund", "amount": {"value": "50.00", "currency": "EUR"}});
    program.move_to(&sale, "reverse", half).await;
    insta::assert_snapshot!(program.lines(&sale).await, @"-4.95 accrued, waits for customer until 2026-03-17T12:00:00.007Z; 9.90 accrued, waits for customer until 2026-03-17T12:00:00.007Z");
    let whole = program.api.sale(program.ana, &program.campaign, "A2").await;
    program.move_to(&whole, "approve", json!({})).await;
    program.move_to(&whole, "reverse", json!({"reason": "refund"})).await;
    program.later(40);
    assert_eq!((program.verified().await, program.verified().await), (1, 0), "of the first one half is left");
    insta::assert_snapshot!(program.lines(&sale).await, @"-4.95 payable, waits for nothing until 2026-03-17T12:00:00.007Z; 9.90 payable, waits for nothing until 2026-03-17T12:00:00.007Z");
    insta::assert_snapshot!(program.lines(&whole).await, @"-9.90 accrued, waits for nothing until 2026-03-27T12:00:00.012Z; 9.90 accrued, waits for nothing until 2026-03-27T12:00:00.012Z");
    let accounts = program.api.get(&format!("/api/v1/ledger/accounts?owner_id={}", program.ana)).await;
    let owed: Vec<_> = accounts.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| {
            format!("{} {}", account["kind"].as_str().unwrap(), account["balance"]["value"].as_str().unwrap())
        })
        .collect();
    insta::assert_snapshot!(owed.join(", "), @"commission_payable -4.95, commission_accrued 0.00");
    program.assert_balanced().await;
}
