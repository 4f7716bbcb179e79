//! Detectors that were fitted, the one that is published, and how its scores are read.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::{Choice, Settings};
#[cfg(feature = "torch")]
use crate::anomaly::autoencoder::{self, Autoencoder, Device};
use crate::{
    anomaly::{
        Detector, DetectorError,
        calibrate::Calibration,
        conformal::Threshold,
        ecod::Ecod,
        ensemble::Ensemble,
        extended::ExtendedForest,
        forest::{self, IsolationForest},
        hbos::{Bins, Hbos},
        matrix::Matrix,
    },
    jobs::Work,
};

/// A detector whose insides an export can see.
pub(super) enum Kind {
    /// By questions about features.
    Forest(IsolationForest),
    /// By questions about directions.
    Extended(ExtendedForest),
    /// By tails.
    Ecod(Ecod),
    /// By histograms.
    Hbos(Hbos),
    /// By what does not go together.
    #[cfg(feature = "torch")]
    Autoencoder(Autoencoder),
}

/// The same, shared between whoever scores and whoever exports.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Arc<Kind>);

impl Shared {
    fn detector(&self) -> &dyn Detector {
        match &*self.0 {
            Kind::Forest(it) => it,
            Kind::Extended(it) => it,
            Kind::Ecod(it) => it,
            Kind::Hbos(it) => it,
            #[cfg(feature = "torch")]
            Kind::Autoencoder(it) => it,
        }
    }
}

impl Shared {
    /// Whether it calculates in single precision.
    pub(super) fn is_network(&self) -> bool {
        #[cfg(feature = "torch")]
        return matches!(&*self.0, Kind::Autoencoder(_));
        #[cfg(not(feature = "torch"))]
        false
    }

    /// What each feature adds to the strangeness of a row, as the graph says it: forests in units of log₂ of the score.
    fn reasons(&self, row: &[f64]) -> Vec<f64> {
        let unit = match &*self.0 {
            Kind::Forest(forest) => forest.average_path(),
            Kind::Extended(forest) => forest.average_path(),
            _ => 1.0,
        };
        let unit = if 0.0 < unit { unit } else { 1.0 };
        self.blame(row).into_iter().map(|blame| blame / unit).collect()
    }
}

impl Detector for Shared {
    fn name(&self) -> &'static str {
        self.detector().name()
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        self.detector().scores(table)
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.detector().blame(row)
    }
}

/// What the job has learned.
pub struct Fitted {
    /// All rows, categories as codes.
    pub(super) table: Matrix,
    /// Every detector that was fitted.
    pub(super) members: Vec<Shared>,
    /// Those that are published as one; none when a single one is.
    pub(super) ensemble: Option<Ensemble>,
    /// What the published one scores all rows.
    pub(super) scores: Vec<f64>,
    /// What each member scores them, in their order.
    pub(super) each: Vec<Vec<f64>>,
    /// How its scores become probabilities, or places in an order.
    pub(super) calibration: Calibration,
    /// From which score on a row is flagged.
    pub(super) threshold: Threshold,
}

impl Fitted {
    /// Learns from the rows that are for that, without their labels, and then calibrates on the others.
    ///
    /// # Errors
    /// When a detector cannot be fitted, or too few rows are left to calibrate on.
    pub(super) fn fit(work: &Work<'_, Settings>) -> Result<Self> {
        let (input, split, settings) = (work.input, work.split, work.settings);
        // Which categories there are is learned, too: what the past did not have is unknown.
        let past = input.features.iter().map(|(name, values)| (name.clone(), values.select(&split.fit)));
        let learned_from = Matrix::learn(&past.collect::<Vec<_>>())?;
        let table = Matrix::like(learned_from.columns(), &input.features)?;
        let mut members = Vec::new();
        for choice in settings.model.members() {
            work.watch.step(format!("fitting {}", choice.name()))?;
            members.push(Shared(Arc::new(fit_one(choice, &learned_from, work)?)));
            work.watch.done();
        }
        work.watch.step("scoring rows")?;
        let each: Vec<Vec<f64>> =
            members.iter().map(|member| member.scores(&table)).collect::<Result<_, DetectorError>>()?;
        let together = Choice::Ensemble.members().len();
        let ensemble = settings
            .model
            .is_several()
            .then(|| {
                let boxed =
                    members.iter().take(together).cloned().map(|it| Box::new(it) as Box<dyn Detector>);
                let of_past = |scores: &Vec<f64>| split.fit.iter().map(|row| scores[*row]).collect();
                let past: Vec<Vec<f64>> = each.iter().take(together).map(of_past).collect();
                Ensemble::scaled_by(boxed.collect(), &past)
            })
            .transpose()?;
        let scores = match &ensemble {
            Some(ensemble) => ensemble.combine(&each[..together]),
            None => each.first().cloned().context("a model was chosen")?,
        };
        let calibration = calibration(work, &scores)?;
        let threshold = threshold(work, &scores)?;
        work.watch.done();
        Ok(Self { table, members, ensemble, scores, each, calibration, threshold })
    }

    /// What each feature adds to the strangeness of a row, as the published graph says it.
    pub(super) fn reasons(&self, row: &[f64]) -> Vec<f64> {
        match &self.ensemble {
            Some(ensemble) => ensemble.blame(row),
            None => self.members[0].reasons(row),
        }
    }

    /// The one that is published.
    pub(super) fn published(&self) -> &dyn Detector {
        match &self.ensemble {
            Some(ensemble) => ensemble,
            None => &self.members[0],
        }
    }
}

fn fit_one(choice: Choice, table: &Matrix, work: &Work<'_, Settings>) -> Result<Kind> {
    let settings = work.settings;
    let grown =
        forest::Settings { trees: settings.trees, sample_size: settings.sample_size, seed: work.seed };
    Ok(match choice {
        Choice::Iforest => Kind::Forest(IsolationForest::fit(table, &grown)?),
        Choice::Eiforest => Kind::Extended(ExtendedForest::fit(table, &grown)?),
        Choice::Ecod => Kind::Ecod(Ecod::fit(table)?),
        Choice::Hbos => Kind::Hbos(Hbos::fit(table, Bins::CubeRoot)?),
        #[cfg(feature = "torch")]
        Choice::Autoencoder => {
            let device = if settings.gpu { Device::GpuIfAny } else { Device::Cpu };
            let settings =
                autoencoder::Settings { seed: work.seed, device, ..autoencoder::Settings::default() };
            Kind::Autoencoder(Autoencoder::fit(table, &settings)?)
        }
        #[cfg(not(feature = "torch"))]
        Choice::Autoencoder => {
            bail!("this build has no libtorch: build with the feature `torch`, or name another --model")
        }
        Choice::Ensemble | Choice::All => bail!("{} is no detector of its own", choice.name()),
    })
}

/// From judged rows where there are enough of both kinds, or else by rank.
fn calibration(work: &Work<'_, Settings>, scores: &[f64]) -> Result<Calibration> {
    let rows = &work.split.calibrate;
    let judged: Vec<(f64, bool)> = work.input.labels.as_ref().map_or_else(Vec::new, |labels| {
        rows.iter().filter_map(|row| Some((scores[*row], labels[*row]?))).collect()
    });
    let (of_judged, labels): (Vec<f64>, Vec<bool>) = judged.into_iter().unzip();
    let found = labels.iter().filter(|label| **label).count();
    if 0 < found && found < labels.len() {
        return Ok(Calibration::from_labels(&of_judged, &labels)?);
    }
    let of_rows: Vec<f64> = rows.iter().map(|row| scores[*row]).collect();
    Ok(Calibration::from_scores(&of_rows))
}

/// From rows that nobody found guilty.
fn threshold(work: &Work<'_, Settings>, scores: &[f64]) -> Result<Threshold> {
    let is_guilty = |row: usize| work.input.labels.as_ref().is_some_and(|labels| labels[row] == Some(true));
    let window: Vec<f64> =
        work.split.calibrate.iter().filter(|row| !is_guilty(**row)).map(|row| scores[*row]).collect();
    let rate = work.settings.false_positive_rate;
    Threshold::fit(&window, rate)
        .context("no threshold can be found: give more rows, or raise --false-positive-rate")
}
