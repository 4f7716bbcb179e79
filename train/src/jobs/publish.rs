//! What was learned becomes a version in the registry, once its own file says what it should.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use domain::Clock;
use models::registry::{
    ModelName, Publication, Registry,
    manifest::{About, Training},
};

use super::{Evaluation, Export, Job, Work};

/// The code that trained it: a release, or the commit that a build was told.
pub(super) const COMMIT: &str = match option_env!("TRIBUTARY_COMMIT") {
    Some(commit) => commit,
    None => concat!("v", env!("CARGO_PKG_VERSION")),
};
/// Under which licence what was trained may be used.
pub(super) const LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// Where what was learned is published.
#[derive(Args, Clone, Debug)]
pub struct RegistryArgs {
    /// Folder, or s3://BUCKET/FOLDER, of the registry that the model becomes a version in
    #[arg(long, env = "TRIBUTARY_REGISTRY", value_name = "REGISTRY", default_value = "registry")]
    registry: PathBuf,
    /// What the model is called there [default: the name of the job]
    #[arg(long, value_name = "NAME")]
    name: Option<ModelName>,
    /// Write files only, and no version into the registry
    #[arg(long)]
    no_publish: bool,
}

impl RegistryArgs {
    /// Publishes a version, if that is wanted, and says which; all other files of the run are in `out` by then.
    pub(super) fn publish(&self, publication: &Publication, out: &Path) -> Result<Option<String>> {
        if self.no_publish {
            return Ok(None);
        }
        let told = self.version(publication);
        told.map(Some)
            .with_context(|| format!("all files are in {}, but no version came of them", out.display()))
    }

    fn version(&self, publication: &Publication) -> Result<String> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => publication.about.job.parse::<ModelName>().context("a job's name is a model's name")?,
        };
        let version = Registry::at(&self.registry)?.publish(&name, publication)?;
        Ok(format!(
            "{name} version {version} is in {registry}; `tributary-train models promote {name} {version} --registry {registry} \
             --by … --why …` makes it champion",
            registry = self.registry.display()
        ))
    }
}

/// What a job says of itself as a version.
pub(super) fn publication<J: Job>(
    work: &Work<'_, J::Settings>,
    evaluation: &Evaluation,
    export: Export,
    (report, clock): (String, &Clock),
) -> Publication {
    let about = About {
        family: export.family,
        job: J::NAME.to_owned(),
        features: work.input.schema.clone(),
        signature: export.signature,
        training: training(work, clock),
        seed: work.seed,
        metrics: evaluation.metrics.clone(),
        gates: J::gates(evaluation),
        calibration: evaluation.calibration.clone(),
        thresholds: evaluation.thresholds.clone(),
        parity: export.parity,
        commit: COMMIT.to_owned(),
        licence: LICENCE.to_owned(),
        created_at: clock.now(),
    };
    Publication { about, model: export.onnx, report, files: BTreeMap::new() }
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
