//! What is counted of flags, holds and reviews.

use std::collections::BTreeMap;

use domain::{
    AffiliateId,
    event::Verdict,
    fraud::{
        Code,
        score::{Reason, Verdict as Fate},
    },
};
use serde::Serialize;

use super::{Found, truth::Pattern};
use crate::jobs::lake::amount;

const WEEK_US: i64 = 7 * 86_400_000_000;
/// Of how many honest conversions an affiliate's share of holds is told.
const ENOUGH: u64 = 100;

/// What one rule did.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct OfRule {
    /// Conversions that it flagged, and how many of them are held.
    pub flagged: u64,
    pub held: u64,
    /// What reviewers found of those that it flagged, whenever they looked.
    pub guilty: u64,
    pub honest: u64,
}

/// What happened in a week.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Week {
    pub begin_us: i64,
    pub conversions: u64,
    pub flagged: u64,
    pub held: u64,
    /// The mean of scores, as log-odds.
    pub mean_log_odds: f64,
}

/// A held conversion's place in the queue.
pub(super) struct Place {
    pub row: usize,
    /// What is expected to be lost if it passes: its probability times its commission, in whole units of its currency.
    pub stake: f64,
}

/// How much of something was held, by count and by value.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Caught {
    pub is_fraud: bool,
    pub events: u64,
    pub held: u64,
    pub value: f64,
    pub held_value: f64,
}

/// What a judge says.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Judged {
    pub patterns: BTreeMap<String, Caught>,
    pub fraud: Caught,
    pub honest: Caught,
    /// The affiliate of whose honest conversions, of a hundred or more, the largest share is held.
    pub worst: Option<(AffiliateId, u64, u64)>,
    /// How many affiliates have so many, and of how many more than the promised share is held.
    pub affiliates: u64,
    pub affiliates_beyond: u64,
}

impl Found<'_> {
    /// The rows that are decided by thresholds of before.
    pub(super) fn test(&self) -> std::ops::Range<usize> {
        self.decided.calibrating..self.past.rows.len()
    }

    pub(super) fn is_held(&self, row: usize) -> bool {
        self.decided.decisions[row].verdict == Fate::Hold
    }

    /// What each rule did, calibration included.
    pub(super) fn of_rules(&self) -> BTreeMap<Code, OfRule> {
        let verdicts = self.past.verdicts(i64::MAX);
        let mut of_rules: BTreeMap<Code, OfRule> = BTreeMap::new();
        for (place, row) in self.past.rows.iter().enumerate() {
            for flag in &row.flags {
                let rule = of_rules.entry(flag.code).or_default();
                rule.flagged += 1;
                rule.held += u64::from(self.is_held(place));
                match verdicts.get(&row.conversion) {
                    Some(Verdict::Fraud) => rule.guilty += 1,
                    Some(Verdict::Honest) => rule.honest += 1,
                    None => {}
                }
            }
        }
        of_rules
    }

    pub(super) fn weeks(&self) -> Vec<Week> {
        let mut weeks: BTreeMap<i64, Week> = BTreeMap::new();
        for (place, row) in self.past.rows.iter().enumerate() {
            let begin_us = row.known_us.div_euclid(WEEK_US) * WEEK_US;
            let week = weeks.entry(begin_us).or_insert(Week { begin_us, ..Week::default() });
            week.conversions += 1;
            week.flagged += u64::from(!row.flags.is_empty());
            week.held += u64::from(self.is_held(place));
            week.mean_log_odds += self.decided.scores[place].log_odds.value();
        }
        let mean = |week: Week| Week { mean_log_odds: week.mean_log_odds / week.conversions as f64, ..week };
        weeks.into_values().map(mean).collect()
    }

    /// Held conversions, those with most at stake first.
    pub(super) fn queue(&self) -> Vec<Place> {
        let stake = |row: usize| {
            let it = &self.past.rows[row];
            self.decided.scores[row].probability() * amount(it.commission.unwrap_or(it.amount))
        };
        let held = self.test().filter(|row| self.is_held(*row));
        let mut queue: Vec<Place> = held.map(|row| Place { row, stake: stake(row) }).collect();
        queue.sort_by(|one, other| other.stake.total_cmp(&one.stake).then(one.row.cmp(&other.row)));
        queue
    }

    /// Of how many held conversions the score falls when the first reason is taken away.
    pub(super) fn reasons_that_matter(&self) -> (u64, u64) {
        let mut counts = (0, 0);
        for score in self.test().filter(|row| self.is_held(*row)).map(|row| &self.decided.scores[row]) {
            let Some(first) = score.reasons().first().map(|part| part.reason) else { continue };
            counts.0 += u64::from(score.without(first).log_odds < score.log_odds);
            counts.1 += 1;
        }
        counts
    }

    /// What was held of what really happened, where that is known.
    pub(super) fn judged(&self) -> Option<Judged> {
        let truth = self.truth.as_ref()?;
        let mut judged =
            Judged { fraud: Caught { is_fraud: true, ..Caught::default() }, ..Judged::default() };
        let mut honest: BTreeMap<AffiliateId, (u64, u64)> = BTreeMap::new();
        for place in self.test() {
            let (row, is_held) = (&self.past.rows[place], self.is_held(place));
            let Pattern { name, is_fraud } = truth.of(row.conversion);
            let of_all = if is_fraud { &mut judged.fraud } else { &mut judged.honest };
            let of_pattern = judged.patterns.entry(name).or_insert(Caught { is_fraud, ..Caught::default() });
            for caught in [of_all, of_pattern] {
                caught.add(amount(row.amount), is_held);
            }
            if !is_fraud {
                let own = honest.entry(row.affiliate).or_default();
                own.0 += 1;
                own.1 += u64::from(is_held);
            }
        }
        honest.retain(|_, (events, _)| ENOUGH <= *events);
        let share = |(events, held): (u64, u64)| held as f64 / events as f64;
        let worst = honest.iter().max_by(|one, other| share(*one.1).total_cmp(&share(*other.1)));
        judged.worst = worst.map(|(affiliate, (events, held))| (*affiliate, *events, *held));
        judged.affiliates = honest.len() as u64;
        let rate = self.job.false_positive_rate;
        judged.affiliates_beyond = honest.values().filter(|it| rate < share(**it)).count() as u64;
        Some(judged)
    }
}

impl Caught {
    fn add(&mut self, value: f64, is_held: bool) {
        self.events += 1;
        self.value += value;
        if is_held {
            self.held += 1;
            self.held_value += value;
        }
    }

    /// Which part was held, by count and by value.
    pub(super) fn shares(&self) -> [f64; 2] {
        [self.held as f64 / (self.events as f64).max(1.0), self.held_value / self.value.max(1e-9)]
    }
}

/// A reason, as files call it.
pub(super) fn name(reason: Reason) -> String {
    match reason {
        Reason::Rule(code) => code.to_string(),
        Reason::Model(model) => model.to_string(),
    }
}
