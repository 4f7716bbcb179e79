//! The model that is learned, asked like the others: it learns from the journeys one by one, divides their conversions among
//! touches and what is organic, and is judged on the latest of them, which it has not seen.

mod examples;
mod export;
mod held_out;
mod shares;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use domain::attribution::{Credit, Journeys, Weights};
use rayon::prelude::*;

use self::examples::Rows;
pub(super) use self::{
    export::publication,
    held_out::{Foretold, HeldOut},
    shares::parquet,
};
use super::input::{Input, Watched};
use crate::attribution::{FitError, Fitted, LEARNERS, Learned, Settings, Shares, Timing, fit};

/// Rows whose credit is added up together.
const BLOCK: usize = 1 << 14;

/// What the model that learns is told.
#[derive(Args, Clone, Debug)]
pub struct LearnArgs {
    /// How `learned` reads time
    #[arg(long, value_enum, default_value_t = Reading::Deciding)]
    pub(super) timing: Reading,
    /// For `learned` with --timing deciding: which share of the conversions after touches would have happened without any, best
    /// known from an experiment in which some customers were kept from being touched [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    pub(super) organic_share: Option<f64>,
}

/// How time is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// Touches persuade together, and the customer decides after the last of them.
    Deciding,
    /// Each touch works at once, and what it does fades; what comes late enough is organic.
    Decaying,
}

impl LearnArgs {
    pub(super) fn check(&self) -> Result<()> {
        let Some(share) = self.organic_share else { return Ok(()) };
        ensure!(0.0 < share && share < 1.0, "--organic-share is {share}, and must be above 0 and below 1");
        ensure!(
            self.timing == Reading::Deciding,
            "--timing decaying takes what is organic from the journeys alone: leave --organic-share out"
        );
        Ok(())
    }

    fn settings(&self) -> Settings {
        let timing = match self.timing {
            Reading::Deciding => Timing::Deciding,
            Reading::Decaying => Timing::Decaying,
        };
        let usual = Settings::default();
        Settings { timing, organic_share: self.organic_share.unwrap_or(usual.organic_share), ..usual }
    }
}

/// What was learned, and from what.
pub(super) struct Lesson {
    settings: Settings,
    rows: Rows,
    fitted: Fitted,
    /// How well it foretold what it had not seen; none where the latest journeys do not tell.
    pub(super) held_out: Option<HeldOut>,
}

/// A division of conversions.
#[derive(Clone, Debug, Default)]
pub(super) struct Divided {
    /// By the number of the channel.
    pub(super) credit: Vec<Credit>,
    /// Of nobody.
    pub(super) organic: Credit,
    /// How many conversions the rule divided, as the model had nothing to say of them.
    pub(super) by_rule: f64,
}

impl Lesson {
    /// Learns from journeys.
    ///
    /// # Errors
    /// The outer one when journeys make no sense; the inner one when there are too few to learn from.
    pub(super) fn learn(
        input: &Input,
        watched: &Watched,
        asked: &LearnArgs,
    ) -> Result<Result<Self, FitError>> {
        let settings = asked.settings();
        let rows = Rows::all(&input.journeys, watched)?;
        let fitted = match fit(&settings, &rows.examples) {
            Ok(fitted) => fitted,
            Err(refused) => return Ok(Err(refused)),
        };
        let held_out = HeldOut::judge(&input.journeys, watched, &settings)?;
        Ok(Ok(Self { settings, rows, fitted, held_out }))
    }

    pub(super) fn learned(&self) -> &Learned {
        &self.fitted.learned
    }

    /// One sentence on how it reads time.
    pub(super) fn doc(&self) -> &'static str {
        let learner = LEARNERS.iter().find(|learner| learner.timing == self.learned().timing());
        learner.map_or("", |learner| learner.doc)
    }

    /// What it says of all conversions.
    pub(super) fn credit(&self, journeys: &Journeys) -> Divided {
        self.divide(self.learned(), journeys, None)
    }

    /// What there is to say of conversions that the model had nothing to say of.
    pub(super) fn note(&self, journeys: &Journeys) -> Option<String> {
        let by_rule = self.credit(journeys).by_rule;
        (0.0 < by_rule).then(|| {
            let rule = self.settings.fallback.rule().name();
            format!(
                "{by_rule:.0} conversions were divided by {rule}, as nothing was learned of their channels"
            )
        })
    }

    /// What a sample of the journeys would have taught, and what it says of that sample.
    pub(super) fn again(&self, journeys: &Journeys, weights: Weights<'_>) -> Divided {
        let times = |row: usize| {
            let of_row = weights.conversions[row] + weights.nulls[row];
            of_row.round() as usize
        };
        let drawn = self.rows.places.iter().enumerate().filter_map(|(row, place)| Some((row, (*place)?)));
        let drawn = drawn.flat_map(|(row, place)| std::iter::repeat_n(place, times(row))).collect();
        let learned = self.fitted.again(&self.settings, &self.rows.examples, drawn);
        self.divide(&learned, journeys, Some(weights))
    }

    /// Who gets what of a row, whose touches are `touches` many. The coupon of an order gets all of it.
    fn shares(&self, learned: &Learned, row: usize, touches: usize) -> Shares {
        match self.rows.places[row] {
            Some(place) => learned.credit(&self.rows.examples.journey(place as usize)),
            None => Shares {
                touches: (1..=touches).map(|place| f64::from(u8::from(place == touches))).collect(),
                organic: 0.0,
                rule: None,
            },
        }
    }

    fn divide(&self, learned: &Learned, journeys: &Journeys, weights: Option<Weights<'_>>) -> Divided {
        let begins: Vec<usize> = (0..journeys.len()).step_by(BLOCK).collect();
        let blocks: Vec<Divided> = begins
            .into_par_iter()
            .map(|first| {
                let range = first..(first + BLOCK).min(journeys.len());
                let mut chunk = journeys.slice(range.clone());
                if let Some(Weights { conversions, nulls }) = weights {
                    let (conversions, nulls) = (&conversions[range.clone()], &nulls[range]);
                    chunk = chunk.weighted(Weights { conversions, nulls });
                }
                let mut divided =
                    Divided { credit: vec![Credit::default(); journeys.channels()], ..Divided::default() };
                for (place, row) in chunk.iter().enumerate().filter(|(_, row)| 0.0 < row.conversions) {
                    let shares = self.shares(learned, first + place, row.journey.touches.len());
                    let of_row = Credit { conversions: row.conversions, value: row.value };
                    for (channel, share) in row.journey.touches.iter().zip(&shares.touches) {
                        divided.credit[*channel as usize] += of_row * *share;
                    }
                    divided.organic += of_row * shares.organic;
                    divided.by_rule += shares.rule.map_or(0.0, |_| row.conversions);
                }
                divided
            })
            .collect();
        let mut whole =
            Divided { credit: vec![Credit::default(); journeys.channels()], ..Divided::default() };
        for block in blocks {
            whole.credit.iter_mut().zip(&block.credit).for_each(|(sum, part)| *sum += *part);
            whole.organic += block.organic;
            whole.by_rule += block.by_rule;
        }
        whole
    }
}
