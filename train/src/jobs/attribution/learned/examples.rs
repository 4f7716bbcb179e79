//! Journeys as the model learns from them.

use anyhow::{Context, Result};
use domain::attribution::Journeys;

use super::super::input::Watched;
use crate::attribution::{Examples, Factor, Journey, Touch};

/// The name of the only factor.
const DEVICE: &str = "device";

/// Examples, and where each row of the journeys is among them.
pub(super) struct Rows {
    pub(super) examples: Examples,
    /// None for rows that nothing can be learned from.
    pub(super) places: Vec<Option<u32>>,
}

/// What is seen of journeys.
#[derive(Clone, Copy, Debug)]
enum Seen {
    All,
    /// Those that began before this instant, as one saw them at it.
    Until(i64),
    /// Those that began then or later.
    From(i64),
}

impl Rows {
    /// All journeys.
    pub(super) fn all(journeys: &Journeys, watched: &Watched) -> Result<Self> {
        Self::seen(journeys, watched, Seen::All)
    }

    /// What was known of them at an instant, and those that began since.
    pub(super) fn parted(journeys: &Journeys, watched: &Watched, at_us: i64) -> Result<[Self; 2]> {
        Ok([
            Self::seen(journeys, watched, Seen::Until(at_us))?,
            Self::seen(journeys, watched, Seen::From(at_us))?,
        ])
    }

    fn seen(journeys: &Journeys, watched: &Watched, seen: Seen) -> Result<Self> {
        let devices = watched.device_names().len();
        // A factor that is the same everywhere says nothing.
        let factors =
            if 1 < devices { vec![Factor { name: DEVICE.to_owned(), values: devices }] } else { Vec::new() };
        let is_told = !factors.is_empty();
        let mut examples = Examples::new(journeys.channels(), watched.campaign_names().len(), factors);
        let mut places = vec![None; journeys.len()];
        let (mut touches, mut first) = (Vec::new(), 0);
        for (row, (counted, watch)) in journeys.all().iter().zip(watched.rows()).enumerate() {
            let (channels, before) = (counted.journey.touches, counted.journey.seconds_before);
            let devices = &watched.devices()[first..first + channels.len()];
            first += channels.len();
            let is_seen = match seen {
                Seen::All => true,
                Seen::Until(at_us) => watch.began_us < at_us,
                Seen::From(at_us) => at_us <= watch.began_us,
            };
            if watch.is_coupon || !is_seen {
                continue;
            }
            let end_s = f64::from(before.first().copied().unwrap_or(0));
            let converted_s = Some(end_s).filter(|_| 0.0 < counted.conversions);
            let seen_s = match seen {
                Seen::Until(at_us) => ((at_us - watch.began_us) / 1_000_000) as f64,
                _ => f64::INFINITY,
            };
            touches.clear();
            touches.extend(
                channels
                    .iter()
                    .zip(before)
                    .map(|(channel, before)| Touch { channel: *channel, at_s: end_s - f64::from(*before) })
                    .filter(|touch| touch.at_s <= seen_s),
            );
            let journey = Journey {
                campaign: watch.campaign,
                touches: &touches,
                categories: if is_told { &devices[..touches.len()] } else { &[] },
                until_s: f64::min(end_s + f64::from(watch.watched_s), seen_s),
                converted_s: converted_s.filter(|at_s| *at_s <= seen_s),
            };
            places[row] = Some(u32::try_from(examples.len()).context("more than four billion journeys")?);
            examples.push(journey).context("a journey makes no sense to learn from")?;
        }
        Ok(Self { examples, places })
    }
}
