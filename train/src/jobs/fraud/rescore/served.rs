//! What a version of a registry says of conversions, asked as a service asks it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use domain::{ConversionId, fraud::Scale};
use features::{defs::sets::SETS, set::FeatureSet, value::Value};
use models::{
    Runtime,
    fingerprint::Fingerprint,
    fraud::Opinion,
    registry::{Alias, ModelName, Registry},
    session::{Serving, Settings},
};

use super::said::Said;
use crate::jobs::{Job, fraud::Fraud};

/// A version that is asked about one conversion after the other.
pub(super) struct Served {
    serving: Serving,
    opinions: Vec<(ConversionId, Opinion)>,
}

impl Served {
    /// What the alias of the model names.
    ///
    /// # Errors
    /// When nothing is there, or it does not prove itself, or takes features as this release does not define them.
    pub(super) fn open(registry: &Path, alias: Alias, runtime: Runtime) -> Result<Self> {
        let name: ModelName = Fraud::NAME.parse().context("a job's name is a model's name")?;
        let at = registry.display();
        let serving =
            Serving::new(runtime, Registry::at(registry)?, (name.clone(), alias), None, Settings::default());
        serving.poll().with_context(|| format!("the {alias} of {name} in {at} cannot be asked"))?;
        let manifest = serving.manifest().with_context(|| {
            format!(
                "{at} has no {alias} of {name}: `tributary-train models promote {name} VERSION --registry {at}` names one"
            )
        })?;
        let takes = &manifest.about.features;
        ensure!(
            takes.set == Fraud::FEATURE_SET && takes.fingerprint == Fingerprint(set().fingerprint()),
            "version {} of {name} takes {} as it was defined when it was trained, which is not {} of this release: train a \
             version on what is computed now",
            manifest.version,
            takes.set,
            Fraud::FEATURE_SET
        );
        Ok(Self { serving, opinions: Vec::new() })
    }

    /// Asks about a conversion, by the values of [`set`].
    ///
    /// # Errors
    /// When the version says nothing that can be read.
    pub(super) fn ask(&mut self, conversion: ConversionId, values: &[Value]) -> Result<()> {
        let answer = self.serving.score(values.iter().map(|value| value.as_f64()).collect())?;
        let opinion = Opinion::of(&answer).context("the version tells neither probability nor rank")?;
        self.opinions.push((conversion, opinion));
        Ok(())
    }

    /// All that it said, as evidence beside the base of the scale that everybody begins with.
    pub(super) fn said(self) -> Result<Option<Said>> {
        let version = self.serving.version().map_or_else(String::new, |version| version.to_string());
        let Some((_, first)) = self.opinions.first().copied() else { return Ok(None) };
        let evidence = |(conversion, opinion): (ConversionId, Opinion)| {
            Ok((conversion, opinion.evidence(Scale::UNCALIBRATED.base)?))
        };
        let log_odds = self.opinions.into_iter().map(evidence).collect::<Result<_>>()?;
        Ok(Some(Said { model: first.model, version, log_odds }))
    }
}

/// The features of a conversion that the model takes.
pub(super) fn set() -> &'static FeatureSet {
    let set = SETS.iter().find(|set| set.full_name() == Fraud::FEATURE_SET);
    set.expect("the job takes a set that there is")
}
