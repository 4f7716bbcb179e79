//! What journeys look like: their lengths, how long they take, where they lead, and which are the most frequent.

use std::collections::HashMap;

use domain::attribution::Journeys;

/// Rows that paths and steps are counted of; a picture of a million is a picture of all.
const MOST: usize = 1_000_000;
const DAY_S: f64 = 86_400.0;

/// One path, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) channels: Vec<u32>,
    pub(super) conversions: f64,
    pub(super) nulls: f64,
}

/// From where to where, and how often; None is the beginning, or an end.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) from: Option<u32>,
    pub(super) to: To,
    pub(super) count: f64,
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum To {
    Channel(u32),
    Conversion,
    Nothing,
}

/// What there is to see.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// Of how many rows all that is.
    pub(super) rows: usize,
    /// The most frequent that converted, most frequent first.
    pub(super) top: Vec<Path>,
    /// By number of touches: conversions, and other ends.
    pub(super) lengths: Vec<(f64, f64)>,
    /// Conversions by whole days from the first touch.
    pub(super) days: Vec<f64>,
    /// Every step that was made, most frequent first.
    pub(super) steps: Vec<Step>,
}

impl Paths {
    pub(super) fn of(journeys: &Journeys, timed: bool) -> Self {
        let rows = journeys.len().min(MOST);
        let mut paths = Self { rows, ..Self::default() };
        let mut by_path: HashMap<&[u32], (f64, f64)> = HashMap::new();
        let mut by_step: HashMap<(Option<u32>, To), f64> = HashMap::new();
        let chunk = journeys.slice(0..rows);
        let all: Vec<_> = chunk.iter().collect();
        for row in &all {
            let touches = row.journey.touches;
            let both = by_path.entry(touches).or_default();
            both.0 += row.conversions;
            both.1 += row.nulls;
            let length = touches.len().min(30);
            paths.lengths.resize(paths.lengths.len().max(length + 1), (0.0, 0.0));
            paths.lengths[length].0 += row.conversions;
            paths.lengths[length].1 += row.nulls;
            if let (true, Some(first)) = (timed, row.journey.seconds_before.first()) {
                let day = ((f64::from(*first) / DAY_S) as usize).min(90);
                paths.days.resize(paths.days.len().max(day + 1), 0.0);
                paths.days[day] += row.conversions;
            }
            let mut from = None;
            for channel in touches {
                *by_step.entry((from, To::Channel(*channel))).or_default() += row.conversions + row.nulls;
                from = Some(*channel);
            }
            *by_step.entry((from, To::Conversion)).or_default() += row.conversions;
            *by_step.entry((from, To::Nothing)).or_default() += row.nulls;
        }
        paths.top = by_path
            .into_iter()
            .filter(|(_, (conversions, _))| 0.0 < *conversions)
            .map(|(channels, (conversions, nulls))| Path { channels: channels.to_vec(), conversions, nulls })
            .collect();
        paths.top.sort_by(|one, other| {
            other.conversions.total_cmp(&one.conversions).then_with(|| one.channels.cmp(&other.channels))
        });
        paths.top.truncate(25);
        paths.steps = by_step.into_iter().map(|((from, to), count)| Step { from, to, count }).collect();
        let key = |step: &Step| (step.from, step.to);
        paths
            .steps
            .sort_by(|one, other| other.count.total_cmp(&one.count).then_with(|| key(one).cmp(&key(other))));
        paths
    }
}
