//! Reports that come twice, late or out of order: none is counted twice, none is taken for a mistake.

use chrono::TimeDelta;
use tracking::{intake::quarantine, store::is_passing};

use crate::{
    store::{self, CONVERSIONS, WAITING},
    world::World,
};

/// What is answered to one report after another of the event and order `A`, a second apart.
async fn told(event: &str, reports: &[&str]) -> (World, String) {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let mut told = Vec::new();
    for (position, report) in reports.iter().enumerate() {
        world.later(TimeDelta::seconds(1));
        let click = if position == 0 { format!("click_id={click}&") } else { String::new() };
        let reply = world.report(&format!("{click}event={event}&order_id=A&{report}")).await;
        told.push(reply.told().chars().take_while(|sign| *sign != '(').collect::<String>().trim().to_owned());
    }
    world.audit().await;
    (world, told.join(", "))
}

#[tokio::test]
async fn a_postback_ends_a_hold_only_by_turning_down() {
    let reports =
        ["amount=9", "status=on_hold", "amount=9", "status=pending", "status=approved", "status=rejected"];
    let (_, told) = told("sale", &reports).await;
    let expected =
        "200 pending, 200 on_hold, 200 again on_hold, 200 again on_hold, 200 again on_hold, 200 rejected";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_report_of_a_state_that_has_passed_is_a_repeat() {
    let reports = ["amount=9", "status=approved", "status=pending&amount=9"];
    assert_eq!(told("basket", &reports).await.1, "200 pending, 200 approved, 200 again approved");
    let reports = ["status=approved&amount=9", "status=reversed&amount=4", "status=approved&amount=9"];
    assert_eq!(told("basket", &reports).await.1, "200 approved, 200 reversed, 200 again reversed");
    let reports = ["amount=9", "status=rejected", "status=pending", "status=rejected&amount=9"];
    let expected = "200 pending, 200 rejected, 200 again rejected, 200 again rejected";
    assert_eq!(told("booking", &reports).await.1, expected);
}

#[tokio::test]
async fn a_move_that_was_never_made_and_is_not_legal_is_refused() {
    let reports = ["amount=9", "status=approved", "status=rejected", "status=on_hold"];
    let expected = "200 pending, 200 approved, 409 illegal_move, 409 illegal_move";
    assert_eq!(told("sale", &reports).await.1, expected);
    let expected = "200 pending, 200 rejected, 409 illegal_move";
    assert_eq!(told("sale", &["amount=9", "status=rejected", "status=approved"]).await.1, expected);
}

#[tokio::test]
async fn how_an_order_goes_on_moves_its_latest_conversion_where_every_report_is_one() {
    let reports = ["amount=100", "status=approved", "status=reversed&amount=25"];
    let (world, told) = told("topup", &reports).await;
    assert_eq!(told, "200 pending, 200 approved, 200 reversed");
    assert_eq!((world.count(CONVERSIONS).await, world.owed(world.ann).await), (1, (0, 750)));
    let click = world.click(world.bob_link).await;
    world.report(&format!("click_id={click}&event=topup&order_id=A&amount=10")).await;
    world.report(&format!("click_id={click}&event=topup&order_id=A&status=approved")).await;
    assert_eq!((world.count(CONVERSIONS).await, world.owed(world.bob).await), (2, (0, 100)));
    for status in ["rejected", "reversed"] {
        let reply = world.report(&format!("click_id={click}&event=topup&order_id=B&status={status}")).await;
        assert_eq!(reply.body["errors"][0]["pointer"], "/status", "{reply:?}");
    }
    assert_eq!(world.count(CONVERSIONS).await, 2);
}

#[tokio::test]
async fn a_transaction_is_counted_once_where_every_report_is_a_conversion() {
    let world = World::new().await;
    let click = world.click(world.bob_link).await;
    let base = format!("click_id={click}&event=topup&order_id=A&amount=10");
    for (rest, conversions) in [("T1", 1), ("T1", 1), ("T2&status=approved", 2), ("T1&status=approved", 2)] {
        let reply = world.report(&format!("{base}&external_id={rest}")).await;
        assert_eq!((reply.status, world.count(CONVERSIONS).await), (200, conversions), "{rest}");
    }
    let reply = world.report("event=topup&external_id=T2&status=refunded").await;
    assert_eq!(reply.told(), "200 reversed");
    assert_eq!(world.owed(world.bob).await, (0, 100));
    world.audit().await;
}

#[tokio::test]
async fn who_earned_at_first_earns_when_the_amount_changes() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    world.report(&format!("click_id={click}&event=booking&amount=100&order_id=A")).await;
    store::set_parent(&world.database, world.ann, world.bob).await;
    for amount in ["0", "200"] {
        world.report(&format!("event=booking&amount={amount}&order_id=A")).await;
    }
    assert_eq!((world.owed(world.boss).await, world.owed(world.bob).await), ((400, 0), (0, 0)));
    world.audit().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_nobody() {
    let world = World::new().await;
    let (broken, click) = (world.new_click_id(), world.new_click_id());
    for id in [broken, click] {
        world.report(&format!("click_id={id}&amount=100&order_id={id}")).await;
    }
    store::break_first_waiting(&world.database).await;
    for id in [broken, click] {
        world.arrive(id, world.new_session(), world.bob_link).await;
    }
    assert_eq!(quarantine::sweep(&world.intake).await.unwrap(), 1);
    assert_eq!((world.count(WAITING).await, world.count(CONVERSIONS).await), (0, 1));
}

#[tokio::test]
async fn an_error_that_passes_is_told_from_one_that_stays() {
    let world = World::new().await;
    let mut connection = world.database.acquire().await.unwrap();
    for (code, passes) in
        [("55P03", true), ("40P01", true), ("57014", true), ("23505", false), ("55000", false)]
    {
        let error = store::raise(&mut connection, code).await;
        assert_eq!(is_passing(&error), passes, "{code}");
    }
}
