//! How well what comes is foretold: the model learns once more from what was known at an instant, and says of journeys that
//! began since whether they convert after their last touch.

use anyhow::Result;
use domain::attribution::Journeys;

use super::{Watched, examples::Rows};
use crate::{
    anomaly::metrics::{Estimate, Ranked, Reliability, reliability},
    attribution::{Examples, Fitted, Journey, Settings, fit},
};

/// The share of the journeys, the latest, that judge.
const LATEST: f64 = 0.2;
/// How many bins a curve of calibration has.
const BINS: usize = 10;
/// Below so many conversions, or other ends, nothing is judged.
const ENOUGH: usize = 20;
/// Probabilities are kept this far from certainty, so that one surprise is not infinite.
const SURE: f64 = 1e-12;

/// How well something foretold which journeys convert.
#[derive(Clone, Debug)]
pub(in super::super) struct Foretold {
    /// What foretold it.
    pub(in super::super) by: &'static str,
    pub(in super::super) roc_auc: Estimate,
    /// The mean surprise, in nats.
    pub(in super::super) log_loss: Estimate,
    pub(in super::super) reliability: Vec<Reliability>,
}

/// Of journeys that began in the last fifth of the time.
#[derive(Clone, Debug)]
pub(in super::super) struct HeldOut {
    /// Since when, in microseconds since the Unix epoch.
    pub(in super::super) from_us: i64,
    pub(in super::super) journeys: usize,
    pub(in super::super) conversions: usize,
    /// The model first, then what it is compared with.
    pub(in super::super) told: Vec<Foretold>,
}

impl HeldOut {
    /// None where too few of the latest journeys converted, or did not.
    pub(super) fn judge(journeys: &Journeys, watched: &Watched, settings: &Settings) -> Result<Option<Self>> {
        let mut began: Vec<i64> = watched.rows().iter().map(|watch| watch.began_us).collect();
        began.sort_unstable();
        let Some(from_us) = began.get((began.len() as f64 * (1.0 - LATEST)) as usize).copied() else {
            return Ok(None);
        };
        let [before, since] = Rows::parted(journeys, watched, from_us)?;
        let came: Vec<bool> = each(&since.examples).map(|journey| journey.converted_s.is_some()).collect();
        let conversions = came.iter().filter(|came| **came).count();
        if conversions < ENOUGH || came.len() - conversions < ENOUGH {
            return Ok(None);
        }
        // From the beginning, so that nothing that is judged had a say in how strongly parameters are drawn.
        let Ok(Fitted { learned, .. }) = fit(settings, &before.examples) else { return Ok(None) };
        let said = |journey: &Journey<'_>| learned.probability(journey, journey.until_s - journey.last_s());
        let rates = Rates::of(&before.examples);
        let told = [
            told("learned", each(&since.examples).map(|journey| said(&journey)).collect(), &came)?,
            told(
                "the rate of its last channel",
                each(&since.examples).map(|it| rates.of_last(&it)).collect(),
                &came,
            )?,
            told("the rate of all", vec![rates.all; came.len()], &came)?,
        ];
        Ok(Some(Self { from_us, journeys: came.len(), conversions, told: told.into() }))
    }
}

/// Journeys with a touch.
fn each(examples: &Examples) -> impl Iterator<Item = Journey<'_>> {
    (0..examples.len()).map(|row| examples.journey(row)).filter(|journey| !journey.touches.is_empty())
}

/// How often journeys converted.
struct Rates {
    all: f64,
    /// By the channel of the last touch, as if one journey of each had been as all are.
    last: Vec<f64>,
}

impl Rates {
    fn of(examples: &Examples) -> Self {
        let mut counts = vec![(0.0, 0.0); examples.channels()];
        let (mut conversions, mut journeys) = (0.0, 0.0);
        for journey in each(examples) {
            let came = f64::from(u8::from(journey.converted_s.is_some()));
            conversions += came;
            journeys += 1.0;
            if let Some(touch) = journey.touches.last() {
                let count = &mut counts[touch.channel as usize];
                *count = (count.0 + came, count.1 + 1.0);
            }
        }
        let all = conversions / f64::max(journeys, 1.0);
        Self { all, last: counts.iter().map(|(came, count)| (came + all) / (count + 1.0)).collect() }
    }

    fn of_last(&self, journey: &Journey<'_>) -> f64 {
        journey.touches.last().map_or(self.all, |touch| self.last[touch.channel as usize])
    }
}

fn told(by: &'static str, said: Vec<f64>, came: &[bool]) -> Result<Foretold> {
    let ranking = Ranked::new(&said, came)?;
    let surprise = |(said, came): (&f64, &bool)| -> f64 {
        let given = if *came { *said } else { 1.0 - said };
        -libm::log(given.clamp(SURE, 1.0))
    };
    let surprises: Vec<f64> = said.iter().zip(came).map(surprise).collect();
    Ok(Foretold {
        by,
        roc_auc: ranking.roc_auc_interval(),
        log_loss: mean(&surprises),
        reliability: reliability(&said, came, BINS)?,
    })
}

/// A mean with its interval by the central limit theorem.
fn mean(numbers: &[f64]) -> Estimate {
    let count = numbers.len() as f64;
    let value = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - value) * (number - value)).sum();
    let reach = 1.96 * (squares / (count * (count - 1.0))).sqrt();
    Estimate { value, low: value - reach, high: value + reach }
}
