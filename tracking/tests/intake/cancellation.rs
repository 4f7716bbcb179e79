//! A request that is cut off at any moment leaves nothing half done.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use sqlx::postgres::PgPoolOptions;

use crate::store::{self, CONVERSIONS, MESSAGES};
use crate::world::World;

/// Drops the future after so many polls, as a crash would: whatever it had begun is left to the database.
pub async fn cut_off<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| match left.checked_sub(1) {
        None => Poll::Ready(None),
        Some(rest) => {
            left = rest;
            future.as_mut().poll(context).map(Some)
        }
    })
    .await
}

#[tokio::test]
async fn a_transaction_cut_off_while_it_begins_is_not_left_open() {
    let database = embedded::test_database(&tracking::MIGRATOR).await;
    let one_connection = PgPoolOptions::new().max_connections(1).connect(&database.url()).await.unwrap();
    for polls in 0..12 {
        drop(cut_off(polls, tracking::store::begin(&one_connection)).await);
        // A statement on its own commits itself, unless somebody left a transaction open around it.
        store::insert_mark(&one_connection).await;
        assert_eq!(store::count(&database, store::MARKS).await, i64::from(polls) + 1);
    }
}

#[tokio::test]
async fn a_postback_cut_off_anywhere_is_taken_in_once_when_it_is_sent_again() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    for polls in 0..200 {
        let uri = world.signed(&format!("click_id={click}&amount=100&order_id={polls}&status=approved"));
        drop(cut_off(polls, world.get(&uri)).await);
        assert_eq!(world.get(&uri).await.told().replace(" again", ""), "200 approved");
        let done = i64::from(polls) + 1;
        assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (done, done));
        assert_eq!(world.owed(world.ann).await, (0, done * 1_000));
    }
    world.audit().await;
}
