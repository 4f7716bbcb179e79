//! The journeys to learn from, as columns.

use std::{collections::HashMap, ops::Range};

use super::layout::REPEATS;

/// A category that is not known: it makes no difference.
pub const UNKNOWN: u32 = u32::MAX;

/// Something that is told of each touch and may make a difference: its device, its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name, which becomes the name of an input of the ONNX file.
    pub name: String,
    /// How many values it has, numbered from 0.
    pub values: usize,
}

/// One touch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Touch {
    /// Its channel's number.
    pub channel: u32,
    /// Seconds since the journey's observation began.
    pub at_s: f64,
}

/// One journey.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journey<'a> {
    /// The campaign's number, or [`UNKNOWN`].
    pub campaign: u32,
    /// The touches before the end, oldest first.
    pub touches: &'a [Touch],
    /// The value of each factor for each touch, touch by touch; [`UNKNOWN`] where it is not known.
    pub categories: &'a [u32],
    /// Seconds until which a conversion would have been seen, also of a journey that converted before.
    pub until_s: f64,
    /// Seconds until the conversion, if there was one.
    pub converted_s: Option<f64>,
}

impl Journey<'_> {
    /// When the last touch was, in seconds since the observation began.
    #[must_use]
    pub fn last_s(&self) -> f64 {
        self.touches.last().map_or(0.0, |touch| touch.at_s)
    }

    /// Until when it was at risk of converting.
    pub(super) fn end_s(&self) -> f64 {
        self.converted_s.unwrap_or(self.until_s)
    }
}

/// What happened where nobody was touched: it tells how many convert anyway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Organic {
    /// The campaign's number.
    pub campaign: u32,
    /// Seconds of all customers together who could have converted without a touch.
    pub exposure_s: f64,
    /// How many did.
    pub conversions: f64,
}

/// Why a journey is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExampleError {
    /// Times that are no numbers, touches out of order, or after the end.
    #[error("touches must be in order, from the beginning of the observation to its end or the conversion")]
    Times,
    /// Not one category of each factor for each touch.
    #[error("each touch needs a category of each factor")]
    Categories,
    /// A number beyond the declared ones.
    #[error("a channel, campaign or category has a number beyond the declared ones")]
    Number,
    /// Exposure or conversions below zero.
    #[error("exposure and conversions must be numbers from zero up")]
    Organic,
}

/// Journeys as columns: about 13 bytes a touch, 4 more for each factor, and 28 a journey.
#[derive(Clone, Debug)]
pub struct Examples {
    channels: usize,
    campaigns: usize,
    factors: Vec<Factor>,
    touches: Vec<Touch>,
    categories: Vec<u32>,
    /// How often the channel touched before in the journey, at most [`REPEATS`].
    repeats: Vec<u8>,
    offsets: Vec<usize>,
    campaign: Vec<u32>,
    until_s: Vec<f64>,
    converted_s: Vec<f64>,
    organic: Vec<Organic>,
    conversions: usize,
}

impl Examples {
    /// None yet, of so many channels and campaigns and with these factors.
    #[must_use]
    pub fn new(channels: usize, campaigns: usize, factors: Vec<Factor>) -> Self {
        Self {
            channels,
            campaigns,
            factors,
            touches: Vec::new(),
            categories: Vec::new(),
            repeats: Vec::new(),
            offsets: vec![0],
            campaign: Vec::new(),
            until_s: Vec::new(),
            converted_s: Vec::new(),
            organic: Vec::new(),
            conversions: 0,
        }
    }

    /// Appends a journey, which may have no touch at all.
    ///
    /// # Errors
    /// When its times are out of order, or a number in it is not one of those declared.
    pub fn push(&mut self, journey: Journey<'_>) -> Result<(), ExampleError> {
        self.check(&journey)?;
        self.repeats.extend(repeats(journey.touches));
        self.touches.extend_from_slice(journey.touches);
        self.categories.extend_from_slice(journey.categories);
        self.offsets.push(self.touches.len());
        self.campaign.push(journey.campaign);
        self.until_s.push(journey.until_s);
        self.converted_s.push(journey.converted_s.unwrap_or(f64::NAN));
        self.conversions += usize::from(journey.converted_s.is_some() && !journey.touches.is_empty());
        Ok(())
    }

    /// Adds what happened where nobody was touched.
    ///
    /// # Errors
    /// When it is not counts, or of an unknown campaign.
    pub fn push_organic(&mut self, organic: Organic) -> Result<(), ExampleError> {
        let counts = [organic.exposure_s, organic.conversions];
        if !counts.iter().all(|count| count.is_finite() && 0.0 <= *count) {
            return Err(ExampleError::Organic);
        }
        if !known(organic.campaign, self.campaigns) {
            return Err(ExampleError::Number);
        }
        self.organic.push(organic);
        Ok(())
    }

    fn check(&self, journey: &Journey<'_>) -> Result<(), ExampleError> {
        let end_s = journey.end_s();
        let times = || std::iter::once(0.0).chain(journey.touches.iter().map(|touch| touch.at_s));
        let rising = times().zip(times().skip(1).chain([end_s])).all(|(before, after)| before <= after);
        if !rising || !end_s.is_finite() || !journey.until_s.is_finite() || journey.until_s < end_s {
            return Err(ExampleError::Times);
        }
        if journey.categories.len() != journey.touches.len() * self.factors.len() {
            return Err(ExampleError::Categories);
        }
        let values = self.factors.iter().cycle().zip(journey.categories);
        let numbers = journey.touches.iter().all(|touch| (touch.channel as usize) < self.channels)
            && known(journey.campaign, self.campaigns)
            && values.into_iter().all(|(factor, category)| known(*category, factor.values));
        numbers.then_some(()).ok_or(ExampleError::Number)
    }

    /// How many journeys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.campaign.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.campaign.is_empty()
    }

    /// How many conversions followed a touch.
    #[must_use]
    pub fn conversions(&self) -> usize {
        self.conversions
    }

    /// How many channels were declared.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many campaigns were declared.
    #[must_use]
    pub fn campaigns(&self) -> usize {
        self.campaigns
    }

    /// What is told of each touch.
    #[must_use]
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// What happened where nobody was touched.
    #[must_use]
    pub fn organic(&self) -> &[Organic] {
        &self.organic
    }

    /// The journey of this row.
    #[must_use]
    pub fn journey(&self, row: usize) -> Journey<'_> {
        let touches = self.touches_of(row);
        let categories = touches.start * self.factors.len()..touches.end * self.factors.len();
        Journey {
            campaign: self.campaign[row],
            touches: &self.touches[touches],
            categories: &self.categories[categories],
            until_s: self.until_s[row],
            converted_s: Some(self.converted_s[row]).filter(|at_s| !at_s.is_nan()),
        }
    }

    /// How often each touch's channel touched before, at most [`REPEATS`].
    pub(super) fn repeats(&self, row: usize) -> &[u8] {
        &self.repeats[self.touches_of(row)]
    }

    fn touches_of(&self, row: usize) -> Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }
}

/// For each touch, how many of those before it are of its channel, at most [`REPEATS`].
pub(super) fn repeats(touches: &[Touch]) -> Vec<u8> {
    let mut seen: HashMap<u32, u8> = HashMap::new();
    let mut repeat = |touch: &Touch| {
        let times = seen.entry(touch.channel).or_default();
        let before = *times;
        *times = before.saturating_add(1).min(REPEATS as u8);
        before
    };
    touches.iter().map(&mut repeat).collect()
}

fn known(number: u32, of: usize) -> bool {
    number == UNKNOWN || (number as usize) < of
}
