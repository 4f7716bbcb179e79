//! What was learned becomes a version in the registry, once its own file says what it should.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use domain::Clock;
use models::registry::{
    ModelName, Publication, Registry,
    manifest::{About, Training},
};

use super::{Evaluation, Export, Job, Order, Work};

/// The code that trained it: a release, or the commit that a build was told.
const COMMIT: &str = match option_env!("TRIBUTARY_COMMIT") {
    Some(commit) => commit,
    None => concat!("v", env!("CARGO_PKG_VERSION")),
};

/// Publishes a version, and says which.
pub(super) fn publish<J: Job>(
    order: &Order<J>,
    work: &Work<'_, J::Settings>,
    evaluation: &Evaluation,
    export: Export,
    (report, clock): (String, &Clock),
) -> Result<String> {
    let name = match &order.name {
        Some(name) => name.clone(),
        None => J::NAME.parse::<ModelName>().context("a job's name is a model's name")?,
    };
    let gates = J::gates(evaluation);
    let about = About {
        family: export.family,
        job: J::NAME.to_owned(),
        features: work.input.schema.clone(),
        signature: export.signature,
        training: training(work, clock),
        seed: order.run.seed,
        metrics: evaluation.metrics.clone(),
        gates,
        calibration: evaluation.calibration.clone(),
        thresholds: evaluation.thresholds.clone(),
        parity: export.parity,
        commit: COMMIT.to_owned(),
        licence: env!("CARGO_PKG_LICENSE").to_owned(),
        created_at: clock.now(),
    };
    let registry = Registry::at(&order.registry)?;
    let version = registry.publish(&name, &Publication { about, model: export.onnx, report })?;
    Ok(format!(
        "{name} version {version} is in {registry}; `tributary-train models promote {name} {version} --registry {registry} \
         --by … --why …` makes it champion",
        registry = order.registry.display()
    ))
}

/// The time and the data of what it learned from; without times the moment of training stands for it.
fn training<S>(work: &Work<'_, S>, clock: &Clock) -> Training {
    let times = work.input.times_us.as_deref();
    let of_fit = || work.split.fit.iter().filter_map(|row| times.and_then(|times| times.get(*row)));
    let moment = |at_us: i64| DateTime::<Utc>::from_timestamp_micros(at_us);
    let from = of_fit().min().and_then(|at_us| moment(*at_us));
    let to = of_fit().max().and_then(|at_us| moment(at_us.saturating_add(1)));
    let now = clock.now();
    Training {
        from: from.unwrap_or(now - chrono::TimeDelta::microseconds(1)),
        to: to.unwrap_or(now),
        rows: work.split.fit.len() as u64,
        data: work.input.data,
    }
}
