//! Whoever looks at new conversions may fail: no report is refused for that, and nothing of it is left behind.

use chrono::{DateTime, Utc};
use domain::{ConversionId, event::Conversion};
use sqlx::PgConnection;
use tracking::intake::{Judge, Judging, Noting, Reported, quarantine};

use crate::{
    store::{self, CONVERSIONS, MESSAGES, WAITING},
    world::World,
};

/// Asks the database for what it answers with an error.
#[derive(Debug)]
struct Failing {
    code: &'static str,
}

impl Judge for Failing {
    fn judge<'a>(&'a self, db: &'a mut PgConnection, _: &'a Conversion, _: Reported<'a>) -> Judging<'a> {
        Box::pin(async move { Err(store::raise(db, self.code).await) })
    }

    fn is_held<'a>(&'a self, _: &'a mut PgConnection, _: ConversionId, _: DateTime<Utc>) -> Noting<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Cannot read what it asked for.
#[derive(Debug)]
struct Unreadable;

impl Judge for Unreadable {
    fn judge<'a>(&'a self, _: &'a mut PgConnection, _: &'a Conversion, _: Reported<'a>) -> Judging<'a> {
        Box::pin(async { Err(sqlx::Error::RowNotFound) })
    }

    fn is_held<'a>(&'a self, _: &'a mut PgConnection, _: ConversionId, _: DateTime<Utc>) -> Noting<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Reports two orders of one click, each twice.
async fn two_orders(world: &World) -> Vec<String> {
    let click = world.click(world.ann_link).await;
    let mut told = Vec::new();
    for order in ["A", "B"] {
        let uri = world.signed(&format!("click_id={click}&amount=100&order_id={order}"));
        told.push(world.get(&uri).await.told());
        told.push(world.get(&uri).await.told());
    }
    world.audit().await;
    told
}

#[tokio::test]
async fn what_cannot_be_decided_about_is_taken_in_once() {
    for world in [
        World::new().await.judged_by(Failing { code: "22012" }),
        World::new().await.judged_by(Unreadable),
        World::new().await,
    ] {
        let told = two_orders(&world).await;
        assert_eq!(told, ["200 pending", "200 again pending", "200 pending", "200 again pending"]);
        assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (2, 2));
        assert_eq!((world.owed(world.ann).await, world.owed(world.boss).await), ((2_000, 0), (400, 0)));
        let announced = store::announced(&world.database).await;
        assert_eq!(announced, "commission.created 4, conversion.created 2");
    }
}

#[tokio::test]
async fn what_waited_for_its_click_is_taken_in_undecided() {
    let world = World::new().await.judged_by(Failing { code: "22012" });
    let click = world.new_click_id();
    assert_eq!(world.report(&format!("click_id={click}&amount=100")).await.told(), "202 quarantined");
    world.arrive(click, world.new_session(), world.ann_link).await;
    assert_eq!(quarantine::sweep(&world.intake).await.unwrap(), 1);
    assert_eq!((world.count(CONVERSIONS).await, world.count(WAITING).await), (1, 0));
    assert_eq!(world.owed(world.ann).await, (1_000, 0));
    world.audit().await;
}

#[tokio::test]
async fn what_cannot_be_decided_about_now_is_not_taken_in() {
    let world = World::new().await.judged_by(Failing { code: "40001" });
    let click = world.click(world.ann_link).await;
    let reply = world.report(&format!("click_id={click}&amount=100")).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (503, Some("unavailable")));
    assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (0, 0));
}
