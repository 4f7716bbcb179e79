//! Many customers' journeys as columns: ten million of them fit into a gibibyte and are read from front to back.

use std::{collections::HashMap, ops::Range};

use serde::{Deserialize, Serialize};

/// The names of channels and the numbers that stand for them, counted from 0 in the order of their first use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Channels {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Channels {
    /// The number of the channel of this name; a new one when it has none yet.
    ///
    /// # Panics
    /// After four billion channels.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("there are fewer than four billion channels");
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The names, by number.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl From<Vec<String>> for Channels {
    fn from(names: Vec<String>) -> Self {
        let mut channels = Self::default();
        for name in names {
            channels.number(&name);
        }
        channels
    }
}

impl From<Channels> for Vec<String> {
    fn from(channels: Channels) -> Self {
        channels.names
    }
}

/// One journey as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Journey<'a> {
    /// The channel of each touch, oldest first.
    pub touches: &'a [u32],
    /// How many seconds each touch was before the conversion; empty when times are not known, and all touches then count
    /// as made at once.
    pub seconds_before: &'a [u32],
    /// Whether a channel is direct traffic, by its number; channels beyond the end are not.
    pub direct: &'a [bool],
    /// Which touch made the lead, counted from 0, if one did.
    pub lead: Option<u32>,
}

impl Journey<'_> {
    /// Whether this touch was direct traffic.
    #[must_use]
    pub fn is_direct(&self, touch: usize) -> bool {
        self.direct.get(self.touches[touch] as usize).copied().unwrap_or(false)
    }
}

/// What [`Journeys::push`] takes: one journey, or many alike counted together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row<'a> {
    /// The channel of each touch, oldest first; at least one.
    pub touches: &'a [u32],
    /// Seconds of each touch before the journey's end; empty when times are not known.
    pub seconds_before: &'a [u32],
    /// Which touch made the lead, counted from 0, if one did.
    pub lead: Option<u32>,
    /// How many of these journeys converted.
    pub conversions: f64,
    /// What all of their conversions are worth, in any unit.
    pub value: f64,
    /// How many of these journeys ended without a conversion.
    pub nulls: f64,
}

/// Why a journey is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JourneyError {
    /// There is nobody to credit.
    #[error("a journey needs at least one touch")]
    NoTouch,
    /// A count or a value that is negative or no number.
    #[error("conversions, value and nulls of a journey must be numbers from zero up")]
    NotACount,
    /// Value that no conversion brought.
    #[error("a journey without conversions cannot have a value")]
    ValueWithoutConversion,
    /// Times for some touches only, of this journey or of these journeys.
    #[error("either every touch of every journey has a time or none has")]
    SomeTimes,
    /// The touch that made the lead does not exist.
    #[error("the lead was made by touch {0}, which the journey does not have")]
    NoSuchLead(u32),
}

const NO_LEAD: u32 = u32::MAX;

/// Journeys as columns. In memory: 4 bytes a touch, 4 more with times, 32 a journey, 4 more when leads are known.
#[derive(Clone, Debug)]
pub struct Journeys {
    touches: Vec<u32>,
    seconds_before: Vec<u32>,
    /// Where each journey's touches begin, and the end of the last.
    offsets: Vec<usize>,
    conversions: Vec<f64>,
    value: Vec<f64>,
    nulls: Vec<f64>,
    /// Empty until the first journey that has a lead.
    leads: Vec<u32>,
    direct: Vec<bool>,
    channels: usize,
}

impl Default for Journeys {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl Journeys {
    /// No journeys, with room for some.
    #[must_use]
    pub fn with_capacity(journeys: usize, touches: usize) -> Self {
        let mut offsets = Vec::with_capacity(journeys + 1);
        offsets.push(0);
        Self {
            touches: Vec::with_capacity(touches),
            seconds_before: Vec::new(),
            offsets,
            conversions: Vec::with_capacity(journeys),
            value: Vec::with_capacity(journeys),
            nulls: Vec::with_capacity(journeys),
            leads: Vec::new(),
            direct: Vec::new(),
            channels: 0,
        }
    }

    /// Says that a channel is direct traffic: a visit that nobody sent.
    pub fn mark_direct(&mut self, channel: u32) {
        let channel = channel as usize;
        self.direct.resize(self.direct.len().max(channel + 1), false);
        self.direct[channel] = true;
    }

    /// Appends a journey.
    ///
    /// # Errors
    /// When the row makes no sense by itself, or has times where the earlier ones have none, or the other way round.
    pub fn push(&mut self, row: Row<'_>) -> Result<(), JourneyError> {
        self.check(&row)?;
        if self.is_empty() && !row.seconds_before.is_empty() {
            self.seconds_before.reserve(self.touches.capacity());
        }
        if row.lead.is_some() || !self.leads.is_empty() {
            self.leads.resize(self.len(), NO_LEAD);
            self.leads.push(row.lead.unwrap_or(NO_LEAD));
        }
        let highest = row.touches.iter().copied().max().map_or(0, |channel| channel as usize + 1);
        self.channels = self.channels.max(highest);
        self.touches.extend_from_slice(row.touches);
        self.seconds_before.extend_from_slice(row.seconds_before);
        self.offsets.push(self.touches.len());
        self.conversions.push(row.conversions);
        self.value.push(row.value);
        self.nulls.push(row.nulls);
        Ok(())
    }

    fn check(&self, row: &Row<'_>) -> Result<(), JourneyError> {
        let counts = [row.conversions, row.value, row.nulls];
        let timed = !row.seconds_before.is_empty();
        if row.touches.is_empty() {
            return Err(JourneyError::NoTouch);
        }
        if !counts.iter().all(|count| count.is_finite() && 0.0 <= *count) {
            return Err(JourneyError::NotACount);
        }
        if row.conversions <= 0.0 && 0.0 < row.value {
            return Err(JourneyError::ValueWithoutConversion);
        }
        if (timed && row.seconds_before.len() != row.touches.len())
            || (!self.is_empty() && timed == self.seconds_before.is_empty())
        {
            return Err(JourneyError::SomeTimes);
        }
        match row.lead {
            Some(lead) if row.touches.len() <= lead as usize => Err(JourneyError::NoSuchLead(lead)),
            _ => Ok(()),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.conversions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conversions.is_empty()
    }

    /// One more than the highest number of a channel.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Chunk<'_> {
        self.slice(0..self.len())
    }

    /// Those of a range of rows.
    ///
    /// # Panics
    /// When the range ends behind the last row.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Chunk<'_> {
        assert!(rows.end <= self.len(), "the slice ends behind the last journey");
        Chunk { journeys: self, rows, weights: None }
    }

    /// Consecutive chunks of `rows` journeys each, the last perhaps of fewer; one for each task of a pool of threads.
    pub fn chunks(&self, rows: usize) -> impl Iterator<Item = Chunk<'_>> {
        let rows = rows.max(1);
        (0..self.len()).step_by(rows).map(move |from| self.slice(from..(from + rows).min(self.len())))
    }
}

/// Some consecutive journeys, perhaps with weights.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    journeys: &'a Journeys,
    rows: Range<usize>,
    weights: Option<Weights<'a>>,
}

/// How often journeys count, one number for each of them: those of a row that converted, and those that did not.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// Of conversions and their value.
    pub conversions: &'a [f64],
    /// Of ends without a conversion.
    pub nulls: &'a [f64],
}

impl Weights<'_> {
    /// Of the row at a place.
    fn at(&self, place: usize) -> (f64, f64) {
        (self.conversions[place], self.nulls[place])
    }
}

/// One journey of a chunk and its counts, times its weight.
#[derive(Clone, Copy, Debug)]
pub struct Weighted<'a> {
    /// What happened.
    pub journey: Journey<'a>,
    /// How often it ended in a conversion.
    pub conversions: f64,
    /// What these conversions are worth.
    pub value: f64,
    /// How often it ended without one.
    pub nulls: f64,
}

impl<'a> Chunk<'a> {
    /// The same journeys, each counted by its weights: Poisson weights make a bootstrap sample.
    ///
    /// # Panics
    /// When there are not as many weights as journeys.
    #[must_use]
    pub fn weighted(self, weights: Weights<'a>) -> Self {
        let lengths = [weights.conversions.len(), weights.nulls.len()];
        assert!(lengths == [self.rows.len(); 2], "a chunk needs weights for each of its journeys");
        Self { weights: Some(weights), ..self }
    }

    /// How many rows these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One more than the highest number of a channel, of all the journeys that this is a chunk of.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.journeys.channels
    }

    /// The journeys, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Weighted<'a>> + use<'a> {
        let (journeys, weights) = (self.journeys, self.weights);
        let rows = self.rows.clone().enumerate();
        rows.map(move |(place, row)| journeys.weighted(row, weights.map_or((1.0, 1.0), |it| it.at(place))))
    }

    /// The journeys that converted, in their order.
    pub fn converting(&self) -> impl Iterator<Item = Weighted<'a>> + use<'a> {
        let (journeys, weights) = (self.journeys, self.weights);
        let rows = self.rows.clone().enumerate();
        let counted = rows.map(move |(place, row)| (row, weights.map_or((1.0, 1.0), |it| it.at(place))));
        let converting = counted.filter(|(row, (weight, _))| 0.0 < journeys.conversions[*row] * weight);
        converting.map(|(row, weight)| journeys.weighted(row, weight))
    }
}

impl Journeys {
    fn weighted(&self, row: usize, (of_conversions, of_nulls): (f64, f64)) -> Weighted<'_> {
        Weighted {
            journey: self.journey(row),
            conversions: self.conversions[row] * of_conversions,
            value: self.value[row] * of_conversions,
            nulls: self.nulls[row] * of_nulls,
        }
    }

    fn journey(&self, row: usize) -> Journey<'_> {
        let touches = self.offsets[row]..self.offsets[row + 1];
        let lead = self.leads.get(row).copied().filter(|lead| *lead != NO_LEAD);
        let seconds_before = self.seconds_before.get(touches.clone()).unwrap_or_default();
        Journey { touches: &self.touches[touches], seconds_before, direct: &self.direct, lead }
    }
}

/// Finds the distinct channels of one journey after the other without clearing anything between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinct {
    /// For each channel the last journey that had it.
    seen_in: Vec<u64>,
    journey: u64,
    channels: Vec<u32>,
}

impl Distinct {
    /// The distinct channels of a journey, in the order of their first touch.
    pub(super) fn of(&mut self, touches: &[u32]) -> &[u32] {
        self.journey += 1;
        self.channels.clear();
        for &channel in touches {
            let place = channel as usize;
            if self.seen_in.len() <= place {
                self.seen_in.resize(place + 1, 0);
            }
            if self.seen_in[place] != self.journey {
                self.seen_in[place] = self.journey;
                self.channels.push(channel);
            }
        }
        &self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: Row<'_>, expected: Result<(), JourneyError>) {
        assert_eq!(Journeys::default().push(row), expected);
    }

    #[test]
    fn a_journey_that_makes_no_sense_is_refused() {
        let row = Row { touches: &[1, 0], conversions: 1.0, value: 2.0, ..Row::default() };
        check(row, Ok(()));
        check(Row { touches: &[], ..row }, Err(JourneyError::NoTouch));
        check(Row { nulls: -1.0, ..row }, Err(JourneyError::NotACount));
        check(Row { value: f64::NAN, ..row }, Err(JourneyError::NotACount));
        check(Row { conversions: 0.0, ..row }, Err(JourneyError::ValueWithoutConversion));
        check(Row { seconds_before: &[5], ..row }, Err(JourneyError::SomeTimes));
        check(Row { lead: Some(2), ..row }, Err(JourneyError::NoSuchLead(2)));
    }

    #[test]
    fn times_are_known_for_all_journeys_or_for_none() {
        let mut journeys = Journeys::default();
        let row = Row { touches: &[0], conversions: 1.0, ..Row::default() };
        journeys.push(row).unwrap();
        assert_eq!(journeys.push(Row { seconds_before: &[1], ..row }), Err(JourneyError::SomeTimes));
    }

    #[test]
    fn a_lead_is_remembered_also_after_journeys_without_one() {
        let mut journeys = Journeys::default();
        let row = Row { touches: &[0, 1], nulls: 1.0, ..Row::default() };
        journeys.push(row).unwrap();
        journeys.push(Row { lead: Some(1), ..row }).unwrap();
        journeys.push(row).unwrap();
        let leads: Vec<_> = journeys.all().iter().map(|row| row.journey.lead).collect();
        assert_eq!(leads, [None, Some(1), None]);
    }

    #[test]
    fn channels_keep_their_numbers_when_stored() {
        let mut channels = Channels::default();
        assert_eq!(["email", "search", "email"].map(|name| channels.number(name)), [0, 1, 0]);
        let stored = serde_json::to_string(&channels).unwrap();
        assert_eq!(stored, r#"["email","search"]"#);
        assert_eq!(serde_json::from_str::<Channels>(&stored).unwrap(), channels);
    }
}
