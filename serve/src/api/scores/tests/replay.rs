//! The log of decisions in the lake: everything that was decided is there, and is decided again to the bit.

use std::path::Path;

use chrono::TimeDelta;
use domain::event::{Decided, Decision, Event, Kind, Known};
use features::lake::Lake;
use serde_json::{Value, json};

use super::{BROWSER, health};
use crate::scoring::replay::{Replayed, replay};

fn decisions(lake: &Lake) -> Vec<Decision> {
    let events = lake.events(&[Kind::Decision], i64::MIN..i64::MAX).unwrap();
    events
        .map(|known| match known.unwrap().event {
            Event::Decision(decision) => decision,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The same lake with other decisions.
fn altered(lake: &Lake, folder: &Path, name: &str, alter: impl Fn(&mut Decision)) -> Replayed {
    let copy = Lake::at(folder.join(name));
    let mut batch = copy.batch();
    for known in lake.events(Kind::ALL, i64::MIN..i64::MAX).unwrap() {
        let mut known: Known<Event> = known.unwrap();
        if let Event::Decision(decision) = &mut known.event {
            alter(decision);
        }
        batch.push(&known).unwrap();
    }
    batch.finish().unwrap();
    copy.compact(|_| {}).unwrap();
    replay(&copy, |_| {}).unwrap()
}

fn changed(decision: &mut Decision, change: impl Fn(&mut Value)) {
    let mut record = serde_json::from_str(&decision.record).unwrap();
    change(&mut record);
    decision.record = record.to_string();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_decision_is_in_the_lake_and_is_made_again_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = health::world(&folder.path().join("registry")).await;
    world.api.campaign().await;
    for (order, seconds) in [3, 4_000, 90_000, 60].into_iter().enumerate() {
        if order == 2 {
            world.go_live(0).await;
        }
        let click = world.click("192.0.2.0", BROWSER, seconds).await;
        world.catch_up().await;
        if order == 3 {
            world.ask_for_later(click).await;
        }
        world.sale(click, &format!("A{order}")).await;
    }
    // The database's clock, by which it is said up to when features count, goes before that of a test.
    world.api.app.clock.advance(TimeDelta::seconds(3));
    let click = world.click("192.0.2.0", BROWSER, 60).await;
    let asked = json!({"conversions": [{"report": {"click_id": click}}]});
    assert_eq!(world.api.post("/api/v1/score/conversions", asked).await.status, 200);
    let lists = format!("/api/v1/affiliates/{}/recommendations", world.affiliate);
    assert_eq!(world.api.get(&lists).await.status, 200);
    let lake = world.lake(folder.path(), (Kind::Decision, 7)).await;
    let logged = decisions(&lake);
    let of = |decided| logged.iter().filter(move |one| one.decided == decided);
    assert_eq!((of(Decided::Score).count(), of(Decided::Settings).count()), (5, 1));
    let list = of(Decided::List).next().unwrap();
    let record: Value = serde_json::from_str(&list.record).unwrap();
    assert_eq!((record["holds"].as_str(), list.affiliate), (Some("campaigns"), Some(world.affiliate)));
    assert_eq!(
        record["places"].as_array().unwrap().len(),
        1,
        "the campaign that the partner does not run yet"
    );
    let told: Vec<_> = of(Decided::Score).map(|one| (&*one.verdict, &*one.mode, &*one.version)).collect();
    assert_eq!(told.iter().filter(|(_, mode, version)| (*mode, *version) == ("live", "1")).count(), 3);
    assert_eq!(told.iter().filter(|(_, mode, version)| (*mode, *version) == ("shadow", "0")).count(), 2);

    let replayed = replay(&lake, |_| {}).unwrap();
    assert_eq!((replayed.decisions, replayed.different), (5, 0), "{:?}", replayed.findings);
    assert_eq!(
        (replayed.compared, replayed.mismatches, replayed.not_compared),
        (4, 0, 1),
        "{replayed}: {:?}",
        replayed.findings
    );
    assert!(4 * 80 < replayed.values, "rules and the model each have their features: {replayed}");
    let counted: Vec<_> = of(Decided::Score).filter(|one| one.record.contains("\"counted_at\"")).collect();
    assert_eq!(counted.len(), 1, "somebody had asked for a later instant");
    let elsewhen = altered(&lake, folder.path(), "elsewhen", |decision| {
        if decision.decided == Decided::Score {
            changed(decision, |record| _ = record.as_object_mut().unwrap().remove("counted_at"));
        }
    });
    assert!(0 < elsewhen.mismatches, "{elsewhen}");

    let otherwise = altered(&lake, folder.path(), "otherwise", |decision| {
        if decision.decided == Decided::Score && decision.mode == "live" {
            changed(decision, |record| record["segment"] = json!("sale/none"));
            changed(decision, |record| record["score"]["log_odds"] = json!(7));
        }
    });
    assert_eq!((otherwise.different, otherwise.mismatches), (3, 0), "{:?}", otherwise.findings);
    let invented = altered(&lake, folder.path(), "invented", |decision| {
        if decision.decided == Decided::Score && decision.conversion.is_some() {
            changed(decision, |record| record["evidence"]["affiliate_conversions_7d"] = json!(99));
        }
    });
    assert_eq!(invented.mismatches, 4, "{:?}", invented.findings);
    assert!(invented.findings.iter().any(|it| it.starts_with("affiliate_conversions_7d of cnv_")));
    let older = altered(&lake, folder.path(), "older", |decision| {
        if decision.decided == Decided::Score {
            changed(decision, |record| _ = record.as_object_mut().unwrap().remove("definitions"));
        }
    });
    assert_eq!((older.different, older.compared, older.mismatches, older.not_compared), (0, 0, 0, 5));
    let lost = altered(&lake, folder.path(), "lost", |decision| {
        if decision.decided == Decided::Score && decision.version == "1" {
            decision.version = "9".to_owned();
        }
    });
    assert_eq!(lost.different, 3);
    assert!(lost.findings[0].ends_with("was made by settings 9 that are not there"), "{:?}", lost.findings);
}
