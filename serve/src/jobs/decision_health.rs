//! Whether decisions about fraud keep what was promised is looked at every hour, and what begins or ceases to be broken is
//! announced.

use std::time::Duration;

use domain::EventId;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;
use tracking::store::{begin, outbox};

use super::{Job, Workbench};
use crate::{
    meters::SCORES,
    scoring::{health::DecisionHealth, settings::InForce},
    store::{decisions, fraud},
};

/// The model that it is about.
const MODEL: &str = "fraud";
/// Of how many days decisions are looked at.
const DAYS: u16 = 7;

/// Looks at them.
pub struct Look;

impl Job for Look {
    fn name(&self) -> &'static str {
        "decision_health"
    }

    fn doc(&self) -> &'static str {
        "Holds the decisions about fraud of the last 7 days against what was promised, and announces what begins or ceases to be broken."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        look(bench).boxed()
    }
}

/// Says how many bounds have changed.
async fn look(bench: &Workbench) -> anyhow::Result<u64> {
    let intake = &bench.intake;
    let at = intake.clock.now();
    let mut tx = begin(&intake.pool).await?;
    let newest = fraud::newest_settings(&mut tx, 0).await?;
    let in_force = match newest {
        Some(newest) => InForce::check(newest.settings.0, u32::try_from(newest.version)?)?,
        None => InForce::defaults(),
    };
    let health = DecisionHealth::read(&mut tx, &in_force, (at, DAYS)).await?;
    let mut changed = 0;
    for bound in &health.bounds {
        let now = (bound.is_crossed, bound.words.as_str());
        if !decisions::note_bound(&mut tx, (MODEL, bound.bound), now, at).await? {
            continue;
        }
        let kind = if bound.is_crossed { "model.crossed" } else { "model.kept" };
        let payload = json!({"model": MODEL, "bound": bound.bound, "words": bound.words});
        let announcement = outbox::Announcement { kind, subject: MODEL.to_owned(), payload };
        let id = EventId::new(&intake.clock, &intake.chance);
        outbox::insert(&mut tx, id, &announcement, at).await?;
        changed += 1;
    }
    tx.commit().await?;
    SCORES.crossed(health.bounds.iter().filter(|bound| bound.is_crossed).count() as u64);
    Ok(changed)
}
