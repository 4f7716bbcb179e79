//! Random histories of reports, repeats, replays and crashes come out as a small model says, to the cent.

use std::{cell::Cell, sync::Arc};

use chrono::{DateTime, TimeDelta};
use domain::{ClickId, conversion::ConversionStatus, signature::Profile};
use embedded::TestDatabase;
use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use tracking::intake::quarantine;

use crate::{
    cancellation::cut_off,
    model::{Event, Model, Report, Told},
    store,
    world::{Reply, World},
};

const HISTORIES: u32 = 100;

#[derive(Debug, Clone)]
enum Step {
    /// A report under a message id of its own; cut off after so many polls and then sent again, if given.
    Report(Report, Option<u32>),
    /// An earlier message once more.
    Replay(Index),
    /// The late click arrives.
    Arrive,
}

fn report() -> impl Strategy<Value = Report> {
    let amounts = prop_oneof![Just(0), Just(4_999), 1..20_000_i64, Just(10_000)];
    let statuses = [
        ConversionStatus::Pending,
        ConversionStatus::Approved,
        ConversionStatus::Rejected,
        ConversionStatus::OnHold,
        ConversionStatus::Reversed,
    ];
    let orders = prop_oneof![3 => (0..2_u8).prop_map(Some), 1 => Just(None)];
    (
        0..3_usize,
        select(Event::ALL.as_slice()),
        orders,
        option::of(amounts),
        option::of(select(statuses.to_vec())),
    )
        .prop_map(|(click, event, order, amount, status)| Report { click, event, order, amount, status })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (report(), prop_oneof![2 => Just(None), 1 => (0..40_u32).prop_map(Some)])
            .prop_map(|(report, crash)| Step::Report(report, crash)),
        2 => any::<Index>().prop_map(Step::Replay),
        1 => Just(Step::Arrive),
    ]
}

/// The world beside its model, and the messages that were answered.
struct Run {
    world: World,
    model: Model,
    clicks: [ClickId; 3],
    late_click_is_here: bool,
    answered: Vec<(String, Reply)>,
    crashes: u32,
}

impl Run {
    async fn new(database: Arc<TestDatabase>, seed: u64) -> Self {
        let start = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
        let world = World::inside(database, start, seed, Profile::Standard, json!({})).await;
        let clicks =
            [world.click(world.ann_link).await, world.click(world.bob_link).await, world.new_click_id()];
        Self {
            world,
            model: Model::default(),
            clicks,
            late_click_is_here: false,
            answered: Vec::new(),
            crashes: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Report(report, crash) => self.report(report, *crash).await,
            Step::Replay(which) if !self.answered.is_empty() => self.replay(*which).await,
            Step::Replay(_) => {}
            Step::Arrive if !self.late_click_is_here => self.late_click_arrives().await,
            Step::Arrive => {}
        }
    }

    async fn report(&mut self, report: &Report, crash: Option<u32>) {
        // No two reports come at the same moment, so that one of an order is its latest.
        self.world.later(TimeDelta::milliseconds(1));
        let uri = self.world.signed(&parameters(report, &self.clicks));
        let expected: Told = self.model.report(report);
        if let Some(polls) = crash {
            // Whether it was taken in is known only by sending it again.
            let answer = cut_off(polls, self.world.get(&uri)).await;
            self.crashes += u32::from(answer.is_none());
        }
        let reply = self.world.get(&uri).await;
        let is_known = crash.is_none();
        let told = (reply.status, if is_known { reply.replayed } else { expected.1 });
        assert_eq!(told, expected, "{report:?}: {reply:?}");
        if reply.status < 300 {
            self.answered.push((uri, reply));
        }
    }

    async fn replay(&mut self, which: Index) {
        let (uri, first) = which.get(&self.answered);
        let again = self.world.get(uri).await;
        assert_eq!(again, Reply { replayed: true, ..first.clone() });
    }

    async fn late_click_arrives(&mut self) {
        self.late_click_is_here = true;
        self.model.late_click_arrives();
        self.world.arrive(self.clicks[2], self.world.new_session(), self.world.ann_link).await;
        quarantine::retry(&self.world.intake, &self.clicks).await.unwrap();
    }

    async fn compare(&self) {
        let world = &self.world;
        assert_eq!(store::all_told(&world.database, world.advertiser).await, self.model.told());
        let owed = [world.owed(world.boss).await, world.owed(world.ann).await, world.owed(world.bob).await];
        assert_eq!(owed, self.model.owed());
        world.audit().await;
    }
}

fn parameters(report: &Report, clicks: &[ClickId]) -> String {
    let mut parameters = format!("click_id={}&event={}", clicks[report.click], report.event.name());
    if let Some(order) = report.order {
        parameters += &format!("&order_id={order}");
    }
    if let Some(cents) = report.amount {
        parameters += &format!("&amount={}.{:02}", cents / 100, cents % 100);
    }
    if let Some(status) = report.status {
        parameters += &format!("&status={status}");
    }
    parameters
}

#[test]
fn any_history_comes_out_as_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let database = Arc::new(runtime.block_on(embedded::test_database(&tracking::MIGRATOR)));
    let (seeds, crashes) = (Cell::new(100), Cell::new(0));
    let config =
        Config { cases: HISTORIES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let run = TestRunner::new(config).run(&vec(step(), 1..40), |steps| {
        seeds.set(seeds.get() + 1);
        runtime.block_on(async {
            let mut run = Run::new(database.clone(), seeds.get()).await;
            for step in &steps {
                run.take(step).await;
            }
            run.compare().await;
            crashes.set(crashes.get() + run.crashes);
        });
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    // How many of the requests that were to be cut off are answered before depends on how soon the database answers.
    assert!(HISTORIES / 4 < crashes.get(), "only {} crashes in {HISTORIES} histories", crashes.get());
}
