//! What a report does: once, to the cent, and in whatever order reports and clicks come.

use chrono::TimeDelta;
use domain::signature::Profile;
use serde_json::json;
use tracking::intake::quarantine;

use crate::{
    store::{self, CONVERSIONS, WAITING},
    world::World,
};

#[tokio::test]
async fn a_signed_get_becomes_a_conversion_and_its_commissions() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let reply = world
        .report(&format!("click_id={click}&amount=49.99&order_id=A%261&status=approved&colour=red"))
        .await;
    insta::assert_json_snapshot!(reply.body, { ".conversion_id" => "cnv_…" }, @r#"
    {
      "amount": {
        "currency": "EUR",
        "value": "49.99"
      },
      "conversion_id": "cnv_…",
      "event": "sale",
      "status": "approved"
    }
    "#);
    assert_eq!(reply.told(), "200 approved");
    assert_eq!(world.told(&reply).await, "approved 4999 EUR received>pending>approved");
    assert_eq!(world.lines(&reply).await, "ann 0 payable 500 EUR, boss 1 payable 100 EUR");
    assert_eq!(world.owed(world.ann).await, (0, 500));
    assert_eq!(
        store::announced(&world.database).await,
        "commission.created 2, conversion.approved 1, conversion.created 1"
    );
    world.audit().await;
}

#[tokio::test]
async fn a_post_may_be_json_or_a_form() {
    let world = World::new().await;
    let click = world.click(world.bob_link).await;
    let json =
        json!({ "click_id": click, "amount": "12.30", "order_id": "J", "items": [1, 2.5] }).to_string();
    let reply = world.post("application/json", &json).await;
    assert_eq!(world.told(&reply).await, "pending 1230 EUR received>pending");
    // 0.1 + 0.2 as a float would not be 0.3: digits are read as digits.
    let number = format!(r#"{{"click_id":"{click}","amount":70368744177664.3,"order_id":"N"}}"#);
    let reply = world.post("application/json", &number).await;
    assert_eq!(world.told(&reply).await, "pending 7036874417766430 EUR received>pending");
    let form = format!("clickid={click}&payout=5&txid=T+1&status=pending");
    let reply = world.post("application/x-www-form-urlencoded", &form).await;
    assert_eq!(world.told(&reply).await, "pending 500 EUR received>pending");
    world.audit().await;
}

#[tokio::test]
async fn the_same_message_again_gets_the_same_answer_and_does_nothing() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let uri = world.signed_as("m1", &format!("click_id={click}&amount=10&event=topup"));
    let first = world.get(&uri).await;
    world.report(&format!("click_id={click}&amount=10&event=topup&status=approved")).await;
    world.later(TimeDelta::seconds(60));
    let again = world.get(&uri).await;
    assert_eq!((again.status, &again.body, again.replayed), (first.status, &first.body, true));
    // A sender that tries again later signs anew: the id makes it the same message.
    world.later(TimeDelta::hours(1));
    let signed_anew =
        world.get(&world.signed_as("m1", &format!("click_id={click}&amount=10&event=topup"))).await;
    assert_eq!(signed_anew, again);
    let other = world.get(&world.signed_as("m1", &format!("click_id={click}&amount=11&event=topup"))).await;
    assert_eq!(
        other.told(),
        "422 message_id_reused (This message id belongs to another message): send the same message under its id, \
         or another message under an id of its own"
    );
    assert_eq!(world.count(CONVERSIONS).await, 2);
    world.later(TimeDelta::hours(24));
    let forgotten =
        world.get(&world.signed_as("m1", &format!("click_id={click}&amount=10&event=topup"))).await;
    assert!(!forgotten.replayed);
    assert_eq!(world.count(CONVERSIONS).await, 3);
    world.audit().await;
}

/// Two reports of one event and order: what becomes of them, and how many conversions there are then.
async fn check_duplicates(event: &str, second: &str, expected: &str, conversions: i64) {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let base = format!("click_id={click}&event={event}&order_id=A");
    let first = world.report(&format!("{base}&amount=100")).await;
    world.later(TimeDelta::seconds(1));
    let reply = world.report(&format!("{base}&{second}")).await;
    let told = format!("{}: {} [{}]", reply.told(), world.told(&reply).await, world.lines(&reply).await);
    assert_eq!(told, expected);
    assert_eq!(world.count(CONVERSIONS).await, conversions);
    assert_eq!(first.conversion() == reply.conversion(), conversions == 1);
    world.audit().await;
}

#[tokio::test]
async fn a_second_report_is_ignored_by_default() {
    let expected = "200 again pending: pending 10000 EUR received>pending \
                    [ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR]";
    check_duplicates("sale", "amount=150", expected, 1).await;
}

#[tokio::test]
async fn a_second_report_may_be_another_conversion() {
    let expected =
        "200 pending: pending 15000 EUR received>pending [ann 0 accrued 1500 EUR, boss 1 accrued 300 EUR]";
    check_duplicates("topup", "amount=150", expected, 2).await;
}

#[tokio::test]
async fn a_second_report_may_replace_the_amount() {
    let expected = "200 pending: pending 15000 EUR received>pending>pending \
                    [ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR, \
                    ann 0 accrued -1000 EUR, boss 1 accrued -200 EUR, \
                    ann 0 accrued 1500 EUR, boss 1 accrued 300 EUR]";
    check_duplicates("booking", "amount=150", expected, 1).await;
    let expected = "200 again pending: pending 10000 EUR received>pending \
                    [ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR]";
    check_duplicates("booking", "amount=100", expected, 1).await;
    let expected = "200 approved: approved 15000 EUR received>pending>pending>approved \
                    [ann 0 payable 1000 EUR, boss 1 payable 200 EUR, \
                    ann 0 payable -1000 EUR, boss 1 payable -200 EUR, \
                    ann 0 payable 1500 EUR, boss 1 payable 300 EUR]";
    check_duplicates("booking", "amount=150&status=approved", expected, 1).await;
}

#[tokio::test]
async fn a_second_report_may_add_to_the_amount() {
    let expected = "200 pending: pending 15000 EUR received>pending>pending \
                    [ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR, \
                    ann 0 accrued -1000 EUR, boss 1 accrued -200 EUR, \
                    ann 0 accrued 1500 EUR, boss 1 accrued 300 EUR]";
    check_duplicates("basket", "amount=50", expected, 1).await;
    // With a new state it is an update, not an addition.
    let expected = "200 approved: approved 10000 EUR received>pending>approved \
                    [ann 0 payable 1000 EUR, boss 1 payable 200 EUR]";
    check_duplicates("basket", "amount=100&status=approved", expected, 1).await;
}

#[tokio::test]
async fn without_an_order_the_transaction_of_the_click_tells_reports_apart() {
    let world = World::new().await;
    let (one, other) = (world.click(world.ann_link).await, world.click(world.ann_link).await);
    for (parameters, conversions) in [
        (format!("click_id={one}&amount=1&txid=T1"), 1),
        (format!("click_id={one}&amount=1&txid=T1"), 1),
        (format!("click_id={one}&amount=1&txid=T2"), 2),
        (format!("click_id={other}&amount=1&txid=T1"), 3),
        (format!("click_id={other}&amount=1&txid=T1&event=lead"), 4),
        (format!("click_id={other}&amount=1"), 5),
        (format!("click_id={other}&amount=2"), 5),
    ] {
        world.report(&parameters).await;
        assert_eq!(world.count(CONVERSIONS).await, conversions, "{parameters}");
    }
    world.audit().await;
}

#[tokio::test]
async fn a_conversion_moves_by_later_reports_and_its_money_with_it() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let mut told = Vec::new();
    for second in [
        "amount=100",
        "status=approved&amount=999",
        "status=approved",
        "status=reversed&amount=25&reason=refund",
        "status=rejected",
        "status=reversed&amount=75.01",
        "status=refunded",
        "status=reversed",
    ] {
        world.later(TimeDelta::seconds(1));
        // Once the order is known, its event and number are enough.
        let click = if second == "amount=100" { format!("click_id={click}&") } else { String::new() };
        let reply = world.report(&format!("{click}event=sale&order_id=A&{second}")).await;
        told.push(format!("{second} → {}, ann has {:?}", reply.told(), world.owed(world.ann).await));
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    amount=100 → 200 pending, ann has (1000, 0)
    status=approved&amount=999 → 200 approved, ann has (0, 1000)
    status=approved → 200 again approved, ann has (0, 1000)
    status=reversed&amount=25&reason=refund → 200 reversed, ann has (0, 750)
    status=rejected → 409 illegal_move (The conversion cannot move there): this conversion is reversed and cannot become rejected, ann has (0, 750)
    status=reversed&amount=75.01 → 422 invalid_postback (The postback has fields that cannot be accepted); /amount only 75.00 EUR of the order is left to be reversed, ann has (0, 750)
    status=refunded → 200 reversed, ann has (0, 0)
    status=reversed → 200 again reversed, ann has (0, 0)
    ");
    let reply = world.report("event=sale&order_id=A").await;
    insta::assert_snapshot!(world.told(&reply).await, @"reversed refund 10000 EUR 10000 received>pending>approved>reversed>reversed");
    insta::assert_snapshot!(world.lines(&reply).await, @"ann 0 payable 1000 EUR, boss 1 payable 200 EUR, ann 0 payable -250 EUR, boss 1 payable -50 EUR, ann 0 payable -750 EUR, boss 1 payable -150 EUR");
    insta::assert_snapshot!(store::announced(&world.database).await, @"commission.adjusted 4, commission.created 2, conversion.approved 1, conversion.created 1, conversion.reversed 2");
    world.audit().await;
}

#[tokio::test]
async fn a_rejection_takes_everything_back_and_is_final() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    world.report(&format!("click_id={click}&amount=100&order_id=A")).await;
    let reply = world.report(&format!("click_id={click}&order_id=A&status=rejected&reason=fraud")).await;
    assert_eq!(world.told(&reply).await, "rejected fraud 10000 EUR received>pending>rejected");
    assert_eq!(world.owed(world.ann).await, (0, 0));
    let again = world.report(&format!("click_id={click}&order_id=A&status=approved")).await;
    assert_eq!(
        again.told(),
        "409 illegal_move (The conversion cannot move there): this conversion is rejected and cannot become approved"
    );
    let reply = world.report(&format!("click_id={click}&order_id=B&status=rejected")).await;
    assert_eq!(world.told(&reply).await, "rejected other 0 EUR received>rejected");
    world.audit().await;
}

#[tokio::test]
async fn a_postback_before_its_click_waits_for_it() {
    let world = World::new().await;
    let (click, session) = (world.new_click_id(), world.new_session());
    let first = world.report(&format!("click_id={click}&amount=100&order_id=A")).await;
    assert_eq!(first.told(), "202 quarantined");
    world.report(&format!("click_id={click}&order_id=A&status=approved")).await;
    world.report(&format!("click_id={click}&order_id=A&amount=100&event=unheard-of")).await;
    assert_eq!((world.count(WAITING).await, world.count(CONVERSIONS).await), (3, 0));
    assert_eq!(quarantine::retry(&world.intake, &[click]).await.unwrap(), 0);
    world.later(TimeDelta::seconds(5));
    world.arrive(click, session, world.ann_link).await;
    assert_eq!(quarantine::retry(&world.intake, &[click]).await.unwrap(), 2);
    assert_eq!(quarantine::retry(&world.intake, &[click]).await.unwrap(), 0);
    let failure = "SELECT count(*) FROM quarantine WHERE failure = 'event is not one of the campaign''s: \
                   sale, lead, booking, basket, topup, deposit'";
    assert_eq!((world.count(WAITING).await, world.count(failure).await), (0, 1));
    assert_eq!(world.owed(world.ann).await, (0, 1_000));
    let reply = world.report("event=sale&order_id=A").await;
    assert_eq!(world.told(&reply).await, "approved 10000 EUR received>pending>approved");
    world.audit().await;
}

#[tokio::test]
async fn a_sweep_finds_what_came_together_with_its_click_and_gives_up_what_never_will() {
    let world = World::new().await;
    let (click, session, never) = (world.new_click_id(), world.new_session(), world.new_click_id());
    for id in [click, never] {
        world.report(&format!("click_id={id}&amount=100&order_id={id}")).await;
    }
    world.report(&format!("session_id={session}&amount=7&order_id=S")).await;
    world.arrive(click, session, world.bob_link).await;
    assert_eq!(quarantine::sweep(&world.intake).await.unwrap(), 2);
    assert_eq!((world.count(WAITING).await, world.count(CONVERSIONS).await), (1, 2));
    world.later(TimeDelta::days(31));
    assert_eq!(quarantine::sweep(&world.intake).await.unwrap(), 0);
    assert_eq!(world.count(WAITING).await, 0);
    world.audit().await;
}

#[tokio::test]
async fn a_session_stands_for_its_latest_click_in_the_window() {
    let world = World::new().await;
    let session = world.new_session();
    world.arrive(world.new_click_id(), session, world.ann_link).await;
    world.later(TimeDelta::days(1));
    world.arrive(world.new_click_id(), session, world.bob_link).await;
    let reply = world.report(&format!("session_id={session}&amount=100&order_id=A")).await;
    assert_eq!(world.lines(&reply).await, "bob 0 accrued 1000 EUR");
    // The conversion happened before Bob's click, and an hour after Ann's.
    let earlier = world.now().timestamp() - 82_800;
    let reply = world.report(&format!("session_id={session}&amount=100&order_id=B&ts={earlier}")).await;
    assert_eq!(world.lines(&reply).await, "ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR");
    // A session whose click arrives late waits like a click.
    let late = world.new_session();
    assert_eq!(
        world.report(&format!("session_id={late}&amount=1&order_id=C")).await.told(),
        "202 quarantined"
    );
    let click = world.new_click_id();
    world.arrive(click, late, world.bob_link).await;
    assert_eq!(quarantine::retry(&world.intake, &[click]).await.unwrap(), 1);
    world.audit().await;
}

#[tokio::test]
async fn a_campaigns_rule_divides_credit_and_money_among_all_clicks() {
    for (rule, expected) in [
        ("first_click", "ann 0 accrued 1001 EUR, boss 1 accrued 200 EUR"),
        ("linear", "ann 0 accrued 501 EUR, bob 0 accrued 500 EUR, boss 1 accrued 100 EUR"),
        ("time_decay", "ann 0 accrued 334 EUR, bob 0 accrued 667 EUR, boss 1 accrued 67 EUR"),
        ("u_shaped", "ann 0 accrued 501 EUR, bob 0 accrued 500 EUR, boss 1 accrued 100 EUR"),
    ] {
        let world = World::new().await;
        world.seed().divide_by(world.campaign, rule).await;
        let session = world.new_session();
        world.arrive(world.new_click_id(), session, world.ann_link).await;
        world.later(TimeDelta::days(7));
        world.arrive(world.new_click_id(), session, world.bob_link).await;
        let reply =
            world.report(&format!("session_id={session}&amount=100.05&order_id=A&status=approved")).await;
        let lines = world.lines(&reply).await.replace("payable", "accrued");
        let mut lines: Vec<&str> = lines.split(", ").collect();
        lines.sort_unstable();
        assert_eq!(lines.join(", "), expected, "{rule}");
        world.later(TimeDelta::days(1));
        world.report("event=sale&order_id=A&status=refunded&amount=100.05").await;
        for affiliate in [world.ann, world.bob, world.boss] {
            assert_eq!(world.owed(affiliate).await, (0, 0), "{rule}: a refund takes back what was credited");
        }
        world.audit().await;
    }
}

#[tokio::test]
async fn a_coupon_without_a_click_credits_whose_code_it_is() {
    let world = World::new().await;
    world.seed().coupon(world.advertiser, "SAVE10", world.bob_link).await;
    let reply = world.report("coupon=save10&amount=100&order_id=A").await;
    assert_eq!(world.lines(&reply).await, "bob 0 accrued 1000 EUR");
    let click = world.click(world.ann_link).await;
    let reply = world.report(&format!("click_id={click}&coupon=SAVE10&amount=100&order_id=B")).await;
    assert_eq!(world.lines(&reply).await, "ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR");
    insta::assert_snapshot!(world.report("coupon=SAVE10&amount=100").await.told(), @"422 invalid_postback (The postback has fields that cannot be accepted); /order_id or external_id is needed with a promo code, to tell two orders apart");
    insta::assert_snapshot!(world.report("coupon=SAVE11&amount=100&order_id=C").await.told(), @"422 invalid_postback (The postback has fields that cannot be accepted); /coupon is not a promo code of this advertiser");
    world.audit().await;
}

#[tokio::test]
async fn a_click_outside_the_window_is_recorded_and_earns_nothing() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    world.later(TimeDelta::days(30));
    let reply = world.report(&format!("click_id={click}&amount=100&order_id=A")).await;
    assert_eq!(world.lines(&reply).await, "ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR");
    world.later(TimeDelta::seconds(1));
    let reply = world.report(&format!("click_id={click}&amount=100&order_id=B")).await;
    assert_eq!((reply.told(), world.lines(&reply).await), ("200 pending".to_owned(), String::new()));
    assert_eq!(
        store::notes(&world.database, reply.conversion()).await,
        "nobody is credited: there was no click within the window"
    );
    world.audit().await;
}

#[tokio::test]
async fn who_may_not_earn_does_not_and_nobody_else_gets_it() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let booked = world.report(&format!("click_id={click}&event=booking&amount=100&order_id=A")).await;
    store::set_affiliate_status(&world.database, world.boss, "suspended").await;
    let reply = world.report(&format!("click_id={click}&amount=100&order_id=B")).await;
    assert_eq!(world.lines(&reply).await, "ann 0 accrued 1000 EUR");
    store::set_affiliate_status(&world.database, world.ann, "suspended").await;
    let reply = world.report(&format!("click_id={click}&amount=100&order_id=C")).await;
    assert_eq!(world.lines(&reply).await, "");
    let note = "the affiliate who is credited is not approved";
    assert_eq!(store::notes(&world.database, reply.conversion()).await, note);
    // What was earned before the suspension follows its order's amount.
    world.report(&format!("click_id={click}&event=booking&amount=200&order_id=A")).await;
    assert_eq!(world.told(&booked).await, "pending 20000 EUR received>pending>pending");
    assert_eq!((world.owed(world.ann).await, world.owed(world.boss).await), ((3_000, 0), (400, 0)));
    world.audit().await;
}

#[tokio::test]
async fn an_override_holds_for_its_affiliate_alone() {
    let world = World::new().await;
    let plan = domain::PlanId::new(&world.intake.clock, &world.intake.chance);
    let double = json!([{ "terms": { "model": "percentage", "rate": "20%" } }]);
    world.seed().plan(plan, world.campaign, Some(world.bob), double).await;
    let (ann, bob) = (world.click(world.ann_link).await, world.click(world.bob_link).await);
    let reply = world.report(&format!("click_id={bob}&amount=100&order_id=A")).await;
    assert_eq!(world.lines(&reply).await, "bob 0 accrued 2000 EUR");
    let reply = world.report(&format!("click_id={ann}&amount=100&order_id=B")).await;
    assert_eq!(world.lines(&reply).await, "ann 0 accrued 1000 EUR, boss 1 accrued 200 EUR");
}

#[tokio::test]
async fn an_event_below_its_minimum_earns_nothing() {
    let world = World::new().await;
    let click = world.click(world.bob_link).await;
    for (amount, lines) in [("49.99", ""), ("50", "bob 0 accrued 500 EUR"), ("99&currency=USD", "")] {
        let order = &amount[..2];
        let reply =
            world.report(&format!("click_id={click}&event=deposit&amount={amount}&order_id={order}")).await;
        assert_eq!(world.lines(&reply).await, lines, "{amount}");
    }
    let reply = world.report(&format!("click_id={click}&event=lead&order_id=A")).await;
    assert_eq!(world.lines(&reply).await, "bob 0 accrued 500 EUR");
    let reply =
        world.report(&format!("click_id={click}&event=sale&amount=1000&currency=JPY&order_id=B")).await;
    assert_eq!(world.lines(&reply).await, "bob 0 accrued 100 JPY");
    world.audit().await;
}

#[tokio::test]
async fn reports_at_the_same_moment_make_one_conversion() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let same_message = world.signed(&format!("click_id={click}&amount=100&order_id=A"));
    let uris: Vec<_> = (0..12)
        .map(|number| match number % 3 {
            0 => same_message.clone(),
            1 => world.signed(&format!("click_id={click}&amount=100&order_id=A")),
            _ => world.signed(&format!("click_id={click}&amount=50&event=basket&order_id=A")),
        })
        .collect();
    let replies = futures_util::future::join_all(uris.iter().map(|uri| world.get(uri))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(replies.iter().filter(|reply| !reply.replayed).count(), 1 + 4);
    assert_eq!(world.count(CONVERSIONS).await, 2);
    assert_eq!(world.owed(world.ann).await, (1_000 + 4 * 500, 0));
    world.audit().await;
}

#[tokio::test]
async fn an_advertisers_own_names_are_understood() {
    let world =
        World::of(Profile::Standard, json!({ "ref": "click_id", "total": "amount", "nr": "order_id" })).await;
    let click = world.click(world.bob_link).await;
    let reply = world.report(&format!("ref={click}&total=80&nr=A&cid=theirs")).await;
    assert_eq!(world.told(&reply).await, "pending 8000 EUR received>pending");
    let reply = world.report(&format!("ref={click}&total=eighty&nr=B")).await;
    insta::assert_snapshot!(reply.told(), @r#"422 invalid_postback (The postback has fields that cannot be accepted); /total "eighty" is not a decimal amount such as 49.99"#);
}

#[tokio::test]
async fn a_trace_says_how_a_commission_came_about() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    world.report(&format!("click_id={click}&amount=49.99&order_id=A&status=approved")).await;
    world.later(TimeDelta::seconds(1));
    world.report("event=sale&order_id=A&status=refunded&amount=20").await;
    let texts: Vec<String> = store::traces(&world.database, world.ann).await;
    let texts: Vec<_> = texts.into_iter().map(|text| text.replace(&click.to_string(), "clk_…")).collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
    The sale is worth 49.99 EUR.
    The first tier pays 10% of 49.99 EUR: 5.00 EUR.
    100% of the credit: last_click gives it for click clk_… of 2026-02-01 12:00:00 UTC. The line is 5.00 EUR.
    The line it corrects was 5.00 EUR.
    The conversion was reversed (refund). -2.00 EUR is taken back.
    ");
}

#[tokio::test]
async fn the_largest_amount_is_counted_and_more_is_refused() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let largest = format!("click_id={click}&event=basket&amount=92233720368547758.07&order_id=A");
    let reply = world.report(&format!("{largest}&status=approved")).await;
    assert_eq!(
        world.lines(&reply).await,
        "ann 0 payable 922337203685477581 EUR, boss 1 payable 184467440737095516 EUR"
    );
    let more = world.report(&format!("click_id={click}&event=basket&amount=0.01&order_id=A")).await;
    assert_eq!(more.status, 422);
    let reply = world.report("event=basket&order_id=A&status=refunded&amount=92233720368547758.06").await;
    assert_eq!(reply.told(), "200 reversed");
    assert_eq!(world.owed(world.ann).await, (0, 0));
    world.audit().await;
}
