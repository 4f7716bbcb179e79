//! Detectors that were fitted, the one that is published, and how its scores are read.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use super::{Choice, SecondStage, Settings};
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
        supervised::{self, Supervised},
        surprise::Surprise,
        two_stages::TwoStages,
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
    /// By likeness to what reviewers found.
    Supervised(Supervised),
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
            Kind::Supervised(it) => it,
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

/// What is published.
pub(super) enum Published {
    /// The only one.
    One(Shared),
    /// Those that learned without labels.
    Ensemble(Ensemble),
    /// The same, and the one that learned from labels.
    TwoStages(TwoStages<Shared>),
}

impl Published {
    /// What scores rows.
    pub(super) fn detector(&self) -> &dyn Detector {
        match self {
            Self::One(it) => it,
            Self::Ensemble(it) => it,
            Self::TwoStages(it) => it,
        }
    }
}

/// Scores of one detector.
pub(super) struct Scored {
    pub(super) name: &'static str,
    /// Those of rows that labels were learned from are by trees that have not seen them.
    pub(super) scores: Vec<f64>,
}

/// What the job has learned.
pub struct Fitted {
    /// All rows, categories as codes.
    pub(super) table: Matrix,
    /// Every detector that was fitted; those of an ensemble come first, and then its second stage.
    pub(super) members: Vec<Shared>,
    /// What is published.
    pub(super) published: Published,
    /// What each detector scores all rows: the members in their order, and then what they make together. The last one is
    /// published.
    pub(super) each: Vec<Scored>,
    /// How its scores become probabilities, or places in an order.
    pub(super) calibration: Calibration,
    /// From which score on a row is flagged.
    pub(super) threshold: Threshold,
    /// How many rows had been found guilty that a second stage learned from; none without one.
    pub(super) learned_guilty: Option<usize>,
}

impl Fitted {
    /// Learns from the rows that are for that, and then calibrates on the others. Only the second stage learns from labels.
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
        let reviewed = Reviewed::of(work)?;
        if let Some(reviewed) = &reviewed {
            work.watch.step("fitting supervised")?;
            let at = if settings.model.is_several() { Choice::Ensemble.members().len() } else { 0 };
            members.insert(at, Shared(Arc::new(Kind::Supervised(reviewed.fit(&table, work)?))));
        }
        work.watch.done();
        work.watch.step("scoring rows")?;
        let mut each = scored(&members, &table, reviewed.as_ref())?;
        let published = published(work, &members, &mut each)?;
        let scores = &each.last().context("a model was chosen")?.scores;
        let calibration = calibration(work, scores)?;
        let threshold = threshold(work, scores)?;
        work.watch.done();
        let learned_guilty = reviewed.map(|reviewed| reviewed.guilty());
        Ok(Self { table, members, published, each, calibration, threshold, learned_guilty })
    }

    /// What the published one scores all rows.
    pub(super) fn scores(&self) -> &[f64] {
        self.each.last().map_or(&[], |it| &it.scores)
    }

    /// The detector that learned from labels, where one did.
    pub(super) fn supervised(&self) -> Option<&Supervised> {
        self.members.iter().find_map(|member| match &*member.0 {
            Kind::Supervised(it) => Some(it),
            _ => None,
        })
    }

    /// What each feature adds to the strangeness of a row, as the published graph says it.
    pub(super) fn reasons(&self, row: &[f64]) -> Vec<f64> {
        match &self.published {
            Published::One(it) => it.reasons(row),
            several => several.detector().blame(row),
        }
    }

    /// What each feature adds to the strangeness of a row of the table, by the scores that it was given.
    pub(super) fn blame(&self, row: usize) -> Vec<f64> {
        let values = self.table.row(row);
        let scores =
            |count: usize| -> Vec<f64> { self.each[..count].iter().map(|it| it.scores[row]).collect() };
        match &self.published {
            Published::One(it) => it.blame(values),
            Published::Ensemble(it) => it.blame_of(values, &scores(it.members().len())),
            Published::TwoStages(it) => {
                let first = it.first.members().len();
                it.blame_of(values, &scores(first), self.each[first].scores[row])
            }
        }
    }
}

/// What each member scores all rows.
fn scored(members: &[Shared], table: &Matrix, reviewed: Option<&Reviewed>) -> Result<Vec<Scored>> {
    let of_member = |member: &Shared| {
        let mut scores = member.scores(table)?;
        if let (Kind::Supervised(supervised), Some(reviewed)) = (&*member.0, reviewed) {
            let unseen = reviewed.rows.iter().zip(&supervised.unseen);
            unseen.for_each(|(row, score)| scores[*row] = *score);
        }
        Ok(Scored { name: member.name(), scores })
    };
    members.iter().map(of_member).collect()
}

/// What is published, and what it scores, which is added to what each member does. An ensemble is on the scale of the rows
/// that it learned from, the second stage on that of those among them that nobody found guilty.
fn published(work: &Work<'_, Settings>, members: &[Shared], each: &mut Vec<Scored>) -> Result<Published> {
    if !work.settings.model.is_several() {
        return Ok(Published::One(members.first().context("a model was chosen")?.clone()));
    }
    let first = Choice::Ensemble.members().len();
    let boxed = members.iter().take(first).map(|member| Box::new(member.clone()) as Box<dyn Detector>);
    let of_first: Vec<Vec<f64>> = each.iter().take(first).map(|it| it.scores.clone()).collect();
    let of_past = |scores: &Vec<f64>| work.split.fit.iter().map(|row| scores[*row]).collect();
    let past: Vec<Vec<f64>> = of_first.iter().map(of_past).collect();
    let ensemble = Ensemble::scaled_by(boxed.collect(), &past)?;
    each.push(Scored { name: ensemble.name(), scores: ensemble.combine(&of_first) });
    let second = members.get(first).filter(|member| matches!(&*member.0, Kind::Supervised(_)));
    let Some(second) = second else { return Ok(Published::Ensemble(ensemble)) };
    let is_guilty = |row: usize| work.input.labels.as_ref().is_some_and(|labels| labels[row] == Some(true));
    let others = work.split.fit.iter().filter(|row| !is_guilty(**row));
    let surprise = Surprise::fit(&others.map(|row| each[first].scores[*row]).collect::<Vec<_>>());
    let stages = TwoStages { first: ensemble, second: second.clone(), surprise };
    let scores = stages.combine(&each[each.len() - 1].scores, &each[first].scores);
    each.push(Scored { name: stages.name(), scores });
    Ok(Published::TwoStages(stages))
}

/// Rows to learn from with what was found of them in time.
struct Reviewed {
    /// In the order of time.
    rows: Vec<usize>,
    labels: Vec<Option<bool>>,
}

impl Reviewed {
    /// The labels of the rows to learn from that were known before the first row that calibrates, where a second stage is
    /// wanted and they are enough.
    fn of(work: &Work<'_, Settings>) -> Result<Option<Self>> {
        let (model, split) = (work.settings.model, work.split);
        let is_asked_for = model == Choice::Supervised;
        let is_second = model.is_several() && work.settings.second_stage == SecondStage::Auto;
        if !is_asked_for && !is_second {
            return Ok(None);
        }
        let times_us = work.input.times_us.as_ref().filter(|_| split.by_time);
        let Some(times_us) = times_us else {
            ensure!(!is_asked_for, "{NEEDS}: name the column that says when a row happened with --time");
            return Ok(None);
        };
        let until_us = split.calibrate.iter().map(|row| times_us[*row]).min().unwrap_or(i64::MAX);
        let Some(labels) = work.input.labels_known_before(until_us) else {
            ensure!(!is_asked_for, "{NEEDS}: name the column that says what was found with --label");
            return Ok(None);
        };
        let mut rows = split.fit.clone();
        rows.sort_by_key(|row| times_us[*row]);
        let reviewed = Self { labels: rows.iter().map(|row| labels[*row]).collect(), rows };
        if Supervised::is_possible(&reviewed.labels) {
            return Ok(Some(reviewed));
        }
        ensure!(
            !is_asked_for,
            "{} of the rows to learn from had been found guilty in time, and a model that learns from labels needs {} of \
             them, and others: give more rows, or name another --model",
            reviewed.guilty(),
            supervised::LEAST
        );
        Ok(None)
    }

    fn guilty(&self) -> usize {
        self.labels.iter().filter(|label| **label == Some(true)).count()
    }

    fn fit(&self, table: &Matrix, work: &Work<'_, Settings>) -> Result<Supervised> {
        let is_wanted = || !work.watch.is_stopped();
        let chance = (work.seed, work.settings.search);
        Ok(Supervised::fit(&table.select(&self.rows), &self.labels, chance, &is_wanted)?)
    }
}

const NEEDS: &str = "a model that learns from labels needs rows that are parted by time";

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
        Choice::Supervised | Choice::Ensemble | Choice::All => {
            bail!("{} is no detector that learns without labels", choice.name())
        }
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
    Threshold::fit(&window, rate).context("no threshold can be found in the rows that calibrate")
}
