//! The models by their names, and the credit that each of them gives.

use anyhow::{Result, bail};
use clap::ValueEnum;
use domain::attribution::{
    Chunk, Credit, FirstClick, Journeys, LastClick, LastNonDirect, Linear, Rule, RuleStatistics, Statistics,
    TimeDecay, UShaped, WShaped, Weights,
    markov::{Chain, Effect, Effects, FirstOrderStatistics, HigherOrderStatistics, PerJourneyStatistics},
    shapley::{
        CoalitionStatistics, Game, OrderedStatistics, SumGameStatistics, exact,
        sampled::{Estimate, SampledGame},
    },
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::attribution::Fallback;

/// Chunks have at least so many journeys, and there are at most so many chunks: each has statistics of its own.
const CHUNK: usize = 1 << 16;
const CHUNKS: usize = 32;
/// From so many channels on, most transitions do not happen, and a chain of order 1 is kept sparse as well.
const DENSE: usize = 1_000;
/// Channels whose effects are computed together.
const LANES: u32 = 8;
/// Pairs of orders that are sampled together.
const PAIRS: u64 = 16;

/// What divides credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Model {
    /// Everything to the first touch.
    First,
    /// Everything to the last touch.
    Last,
    /// Everything to the last touch that is not direct traffic.
    LastNonDirect,
    /// The same to each touch.
    Linear,
    /// Half as much for every half-life of age.
    TimeDecay,
    /// 40 % to the first touch, 40 % to the last, the rest to those between.
    U,
    /// 30 % to the first touch, the one that made the lead, and the last each, the rest to the others.
    W,
    /// What would be lost without a channel, by a Markov chain.
    Markov,
    /// What a channel adds on average, whichever others were there before it.
    Shapley,
    /// What a touch adds to the hazard of a conversion, learned from journeys that converted and that did not.
    Learned,
    /// Each of them.
    All,
}

/// Which game Shapley values are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Players {
    /// Conversions: each journey is divided equally among its channels, exactly, for any number of them.
    Sum,
    /// The conversion rate, which journeys without a conversion lower: exactly up to 20 channels, sampled beyond.
    Rate,
    /// Conversions, place by place: who joins a journey later adds what is still to be added.
    Ordered,
}

/// How removal effects become credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// All conversions among all channels, as in ChannelAttribution.
    Global,
    /// Each journey among its own touches, as in DP6's marketing-attribution-models.
    PerJourney,
}

/// Journeys folded for a model; those of several days are merged.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Folded {
    Rule(RuleStatistics),
    FirstOrder(FirstOrderStatistics),
    HigherOrder(HigherOrderStatistics),
    Sum(SumGameStatistics),
    Ordered(OrderedStatistics),
    Coalitions(CoalitionStatistics),
}

/// Credit, with what a sample leaves open.
pub(super) struct Credited {
    pub(super) credit: Vec<Credit>,
    /// Half the width of 95 % intervals, where credit was sampled.
    pub(super) margin: Option<Vec<Credit>>,
}

/// What a value is called on the command line.
pub(super) fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Model {
    /// The model's name in files and on the command line.
    pub(super) fn name(self) -> String {
        word(self)
    }

    /// The models that one name asks for.
    pub(super) fn each(self) -> Vec<Self> {
        match self {
            Self::All => Self::value_variants().iter().copied().filter(|model| *model != Self::All).collect(),
            one => vec![one],
        }
    }

    /// Statistics of no journeys yet.
    pub(super) fn begin(self, settings: &Settings, channels: usize) -> Result<Folded> {
        let rule = |rule: &'static dyn Rule| Folded::Rule(RuleStatistics::new(rule));
        Ok(match self {
            Self::First => rule(&FirstClick),
            Self::Last => rule(&LastClick),
            Self::LastNonDirect => rule(&LastNonDirect),
            Self::Linear => rule(&Linear),
            Self::TimeDecay if settings.is_usual_half_life() => rule(&TimeDecay::WEEK),
            // Once or twice a run.
            Self::TimeDecay => {
                rule(Box::leak(Box::new(TimeDecay::new("time_decay", settings.half_life_seconds()))))
            }
            Self::U => rule(&UShaped),
            Self::W => rule(&WShaped),
            Self::Markov if settings.order == 1 && channels < DENSE => {
                Folded::FirstOrder(FirstOrderStatistics::default())
            }
            Self::Markov => Folded::HigherOrder(HigherOrderStatistics::new(settings.order)?),
            Self::Shapley => match settings.shapley {
                Players::Sum => Folded::Sum(SumGameStatistics::default()),
                Players::Ordered => Folded::Ordered(OrderedStatistics::default()),
                Players::Rate => Folded::Coalitions(CoalitionStatistics::default()),
            },
            // Asked only where there is too little to learn from.
            Self::Learned => rule(Fallback::default().rule()),
            Self::All => bail!("{} is several models", self.name()),
        })
    }
}

impl Statistics for Folded {
    fn add(&mut self, journeys: &Chunk<'_>) {
        match self {
            Self::Rule(it) => it.add(journeys),
            Self::FirstOrder(it) => it.add(journeys),
            Self::HigherOrder(it) => it.add(journeys),
            Self::Sum(it) => it.add(journeys),
            Self::Ordered(it) => it.add(journeys),
            Self::Coalitions(it) => it.add(journeys),
        }
    }

    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Rule(one), Self::Rule(other)) => one.merge(other),
            (Self::FirstOrder(one), Self::FirstOrder(other)) => one.merge(other),
            (Self::HigherOrder(one), Self::HigherOrder(other)) => one.merge(other),
            (Self::Sum(one), Self::Sum(other)) => one.merge(other),
            (Self::Ordered(one), Self::Ordered(other)) => one.merge(other),
            (Self::Coalitions(one), Self::Coalitions(other)) => one.merge(other),
            _ => panic!("statistics of two models are not to be merged"),
        }
    }
}

impl Folded {
    /// Whether two are of the same model, so that they may be merged.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The removal effects, where these are of a Markov chain.
    pub(super) fn effects(&self) -> Option<Effects> {
        match self {
            Self::FirstOrder(it) => Some(it.effects()),
            Self::HigherOrder(it) => Some(effects(&it.chain(), it.channels())),
            _ => None,
        }
    }

    /// The credit of each channel, by its number.
    pub(super) fn credit(&self, settings: &Settings, seed: u64) -> Credited {
        let credit = match self {
            Self::Rule(it) => it.credit(),
            Self::Sum(it) => it.credit(),
            Self::Ordered(it) => it.credit(),
            Self::Coalitions(it) => match exact::credit(Game::ConversionRate, it) {
                Ok(credit) => credit,
                Err(_) => return sampled(it, settings.samples, seed),
            },
            Self::FirstOrder(_) | Self::HigherOrder(_) => {
                self.effects().map_or_else(Vec::new, |effects| effects.credit())
            }
        };
        Credited { credit, margin: None }
    }
}

/// Folds journeys, several chunks at a time; the same statistics at any number of threads.
pub(super) fn fold<S>(journeys: &Journeys, weights: Option<Weights<'_>>, begin: &S) -> S
where
    S: Statistics + Clone + Send + Sync,
{
    let rows = journeys.len().div_ceil(CHUNKS).max(CHUNK);
    let begins: Vec<usize> = (0..journeys.len()).step_by(rows).collect();
    let parts: Vec<S> = begins
        .into_par_iter()
        .map(|first| {
            let range = first..(first + rows).min(journeys.len());
            let mut chunk = journeys.slice(range.clone());
            if let Some(Weights { conversions, nulls }) = weights {
                chunk = chunk
                    .weighted(Weights { conversions: &conversions[range.clone()], nulls: &nulls[range] });
            }
            let mut part = begin.clone();
            part.add(&chunk);
            part
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_else(|| begin.clone());
    parts.for_each(|part| whole.merge(part));
    whole
}

/// Effects by chunks of channels, several at a time.
fn effects(chain: &Chain, channels: usize) -> Effects {
    let channels = u32::try_from(channels).unwrap_or(u32::MAX);
    let begins: Vec<u32> = (0..channels).step_by(LANES as usize).collect();
    let parts: Vec<Vec<Effect>> = begins
        .into_par_iter()
        .map(|first| chain.effects(first..first.saturating_add(LANES).min(channels)))
        .collect();
    chain.complete(parts.concat())
}

fn sampled(coalitions: &CoalitionStatistics, pairs: u64, seed: u64) -> Credited {
    let game = SampledGame::new(Game::ConversionRate, coalitions);
    let begins: Vec<u64> = (0..pairs).step_by(PAIRS as usize).collect();
    let parts: Vec<_> =
        begins.into_par_iter().map(|first| game.sample(seed, first..(first + PAIRS).min(pairs))).collect();
    let mut parts = parts.into_iter();
    let Some(mut whole) = parts.next() else { return Credited { credit: Vec::new(), margin: None } };
    parts.for_each(|part| whole.merge(&part));
    let estimates = game.estimates(&whole);
    let of = |part: fn(&Estimate) -> Credit| estimates.iter().map(part).collect();
    Credited { credit: of(|it| it.credit), margin: Some(of(|it| it.margin)) }
}

/// The credit that a model gives for journeys.
pub(super) fn credited(
    folded: &Folded,
    (journeys, weights): (&Journeys, Option<Weights<'_>>),
    settings: &Settings,
    seed: u64,
) -> Credited {
    let is_divided = settings.definition == Way::PerJourney;
    match is_divided.then(|| folded.effects()).flatten() {
        Some(effects) => {
            let divided = fold(journeys, weights, &PerJourneyStatistics::new(&effects));
            Credited { credit: divided.credit(), margin: None }
        }
        None => folded.credit(settings, seed),
    }
}
