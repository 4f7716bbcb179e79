//! Servers die, are cut off and come back, and visitors notice nothing.

use std::time::Duration;

use super::{Account, CLUSTER, is_confirmed, on};
use crate::{
    outage::Visitor,
    world::{World, counted_clicks, eventually},
};

impl World {
    /// Ends the visitor's clicking, and waits until each of the clicks is stored once.
    async fn has_everything_of(&self, visitor: Visitor) {
        visitor.stop().await;
        let tracker = &self.served.tracker;
        eventually("nothing is on its way to the disk", async || tracker.counts().in_flight == 0).await;
        let counts = tracker.counts();
        assert_eq!((counts.durable, counts.refused), (counts.accepted, 0));
        self.stored(counts.accepted as i64).await;
        assert_eq!(counted_clicks(self.database.pool()).await, counts.accepted as i64);
        is_confirmed(tracker, counts.accepted).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn with_one_server_killed_and_another_cut_off_under_load_no_click_is_lost_or_doubled() {
    let mut cluster = CLUSTER.write().await;
    let world = World::with(on(&cluster.url(Account::Harmed as usize))).await;
    let visitor = Visitor::start(&world.served);
    visitor.has_clicked_more(100).await;
    cluster.kill(0).unwrap();
    visitor.has_clicked_more(300).await;
    cluster.restart(0).unwrap();
    cluster.wait_until_ready().unwrap();
    for server in [1, 2] {
        cluster.partition(server);
        // Long enough for the others to choose a leader, and for this one to take what leads nowhere.
        tokio::time::sleep(Duration::from_secs(3)).await;
        visitor.has_clicked_more(300).await;
        cluster.heal(server);
        visitor.has_clicked_more(100).await;
    }
    cluster.freeze(0).unwrap();
    visitor.has_clicked_more(300).await;
    cluster.thaw(0).unwrap();
    cluster.wait_until_ready().unwrap();
    world.has_everything_of(visitor).await;
    world.served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_all_servers_are_away_clicks_are_taken_and_stored_when_they_are_back() {
    let mut cluster = CLUSTER.write().await;
    let world = World::with(on(&cluster.url(Account::AllAway as usize))).await;
    let visitor = Visitor::start(&world.served);
    visitor.has_clicked_more(50).await;
    for server in 0..3 {
        cluster.kill(server).unwrap();
    }
    visitor.has_clicked_more(500).await;
    assert!(world.served.tracker.check_ready().is_ok());
    for server in 0..3 {
        cluster.restart(server).unwrap();
    }
    cluster.wait_until_ready().unwrap();
    visitor.has_clicked_more(50).await;
    world.has_everything_of(visitor).await;
    world.served.stop().await;
}
