//! What is held for a person to look at: what costs less to look at than to let pass, and never more of the honest than
//! was promised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LogOdds, Score};
use crate::{
    fraud::statistics::{beta_lower, real},
    id::AffiliateId,
    state::names,
};

/// How many of the honest may be held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The share of honest conversions that may be held in each segment; above 0 and below 1.
    pub rate: f64,
    /// The same for each affiliate who has enough conversions to tell.
    pub affiliate_rate: f64,
    /// How many vouched conversions are enough.
    pub affiliate_least: u32,
    /// How sure the bounds have to hold, given the conversions that they were made from; from 0.5 to below 1.
    pub confidence: f64,
}

impl Limits {
    /// Two in a hundred of every segment and of every affiliate, with nine chances in ten.
    pub const USUAL: Self = Self { rate: 0.02, affiliate_rate: 0.02, affiliate_least: 100, confidence: 0.9 };
}

names! {
    /// What is known about a conversion that calibrates.
    Standing: "standing" {
        /// Approved, and nothing came up since.
        Vouched = "vouched",
        /// Nobody looked at it.
        Unreviewed = "unreviewed",
        /// Found to be fraud.
        Guilty = "guilty",
    }
}

/// A conversion of the calibration window, which nothing was learned from.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated<'a> {
    /// Its score.
    pub log_odds: LogOdds,
    /// Its segment: what is alike in risk and in who complains, such as the campaign's kind and the device's type.
    pub segment: &'a str,
    /// Whose it was.
    pub affiliate: AffiliateId,
    /// What is known about it.
    pub standing: Standing,
}

/// From which scores on conversions are held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Told with every decision.
    pub version: u32,
    /// What was promised.
    pub limits: Limits,
    /// A score above it is held, where the segment has no threshold of its own.
    pub threshold: LogOdds,
    /// Thresholds of segments.
    pub segments: BTreeMap<String, LogOdds>,
    /// Thresholds of affiliates for whom their segments' would hold too many of the honest.
    pub affiliates: BTreeMap<AffiliateId, LogOdds>,
}

/// A policy that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A share that is none.
    #[error("{what} is {found}; it has to be from {least} to below 1")]
    Limit {
        /// Which limit.
        what: &'static str,
        /// What it was.
        found: f64,
        /// The least that it may be.
        least: f64,
    },
    /// Nothing that a bound could be promised from.
    #[error(
        "{rows} conversions that nobody found guilty cannot hold a rate of {rate}; give at least {needed}, or promise less"
    )]
    Few {
        /// How many there were.
        rows: usize,
        /// The rate.
        rate: f64,
        /// How many it takes.
        needed: u64,
    },
}

/// What a mistake costs, in minor units of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// What is lost when fraud is approved: the commission, at least.
    pub loss: i64,
    /// What is lost when somebody honest is held: the partner's patience.
    pub harm: i64,
    /// What a person's look costs.
    pub review: i64,
}

/// What became of an affiliate's honest conversions of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How many were found honest, held or not.
    pub honest: u64,
    /// How many of them had been held.
    pub held: u64,
}

/// Whose conversion is decided on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject<'a> {
    /// Its segment.
    pub segment: &'a str,
    /// Whose it is.
    pub affiliate: AffiliateId,
    /// What became of their honest conversions of late, where that is counted.
    pub record: Option<Record>,
}

names! {
    /// What is done with a conversion.
    Verdict: "verdict of a score" {
        /// It goes its way.
        Approve = "approve",
        /// A person looks at it first.
        Hold = "hold",
    }
}

names! {
    /// What kept a conversion from being held, or that nothing did.
    Bound: "bound of a decision" {
        /// Nothing: it is held.
        None = "none",
        /// Letting it pass is expected to cost less.
        Cost = "cost",
        /// Too many honest conversions of the segment have such a score.
        Segment = "segment",
        /// Too many honest conversions of the affiliate have such a score.
        Affiliate = "affiliate",
        /// Too many honest conversions of the affiliate were held of late.
        Record = "record",
    }
}

/// What was decided, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// What is done.
    pub verdict: Verdict,
    /// What decided.
    pub bound: Bound,
    /// The score above which it could have been held.
    pub threshold: LogOdds,
    /// By which policy.
    pub policy_version: u32,
}

impl Policy {
    /// Takes thresholds from the scores of a calibration window.
    ///
    /// A segment's threshold is the lowest above which a further honest conversion's score lies with a probability of at
    /// most the rate, on average (split conformal prediction, Papadopoulos et al. 2002) and, with the confidence, given
    /// this very window: the rate is then distributed as Beta(k + 1, n − k) for k scores above (Vovk 2012). Guilty
    /// conversions are left out; those that nobody looked at count as honest, and make thresholds higher where they are
    /// not. A segment that is too small has the threshold of all, or its own highest score if that is higher.
    ///
    /// An affiliate's own threshold is made of vouched conversions only: if nobody's look counted as honest, a fraudster
    /// could raise it by fraud alone.
    ///
    /// # Errors
    /// When a limit is out of bounds, or all rows together are too few for the rate.
    pub fn fit(version: u32, rows: &[Calibrated<'_>], limits: Limits) -> Result<Self, PolicyError> {
        limits.check()?;
        let honest: Vec<&Calibrated<'_>> =
            rows.iter().filter(|row| row.standing != Standing::Guilty).collect();
        let scores = |rows: &mut dyn Iterator<Item = &Calibrated<'_>>| {
            let mut scores: Vec<LogOdds> = rows.map(|row| row.log_odds).collect();
            scores.sort_unstable();
            scores
        };
        let all = scores(&mut honest.iter().copied());
        let threshold = lowest(&all, limits.rate, limits.confidence).ok_or_else(|| {
            let needed =
                (1_u64..).find(|n| certain(0, *n, limits.rate, limits.confidence)).unwrap_or(u64::MAX);
            PolicyError::Few { rows: all.len(), rate: limits.rate, needed }
        })?;
        let mut segments = BTreeMap::new();
        for (segment, rows) in grouped(&honest, |row| row.segment) {
            let own = scores(&mut rows.into_iter());
            let best = own.last().copied().unwrap_or(threshold);
            let lowest = lowest(&own, limits.rate, limits.confidence);
            segments.insert(segment.to_owned(), lowest.unwrap_or_else(|| threshold.max(best)));
        }
        let mut policy = Self { version, limits, threshold, segments, affiliates: BTreeMap::new() };
        let vouched: Vec<&Calibrated<'_>> =
            honest.iter().copied().filter(|row| row.standing == Standing::Vouched).collect();
        for (affiliate, rows) in grouped(&vouched, |row| row.affiliate) {
            // Of whom nothing lies above the segments' thresholds, nothing honest is held as it is.
            let above = rows.iter().any(|row| policy.segment(row.segment) < row.log_odds);
            let own = scores(&mut rows.into_iter());
            if !above || real(own.len() as u64) < f64::from(limits.affiliate_least) {
                continue;
            }
            let bound = lowest(&own, limits.affiliate_rate, limits.confidence).or(own.last().copied());
            policy.affiliates.extend(bound.map(|bound| (affiliate, bound)));
        }
        Ok(policy)
    }

    fn segment(&self, segment: &str) -> LogOdds {
        self.segments.get(segment).copied().unwrap_or(self.threshold)
    }

    /// Decides about one conversion. It is held when that is expected to cost less than letting it pass, and no bound
    /// stands against it.
    #[must_use]
    pub fn decide(&self, score: &Score, subject: &Subject<'_>, costs: Costs) -> Decision {
        let segment = self.segment(subject.segment);
        let affiliate = self.affiliates.get(&subject.affiliate).copied().unwrap_or(segment);
        let bound = match () {
            () if !costs.favour_a_look(score.probability()) => Bound::Cost,
            () if score.log_odds <= segment => Bound::Segment,
            () if score.log_odds <= affiliate => Bound::Affiliate,
            () if subject.record.is_some_and(|record| self.is_spent(record)) => Bound::Record,
            () => Bound::None,
        };
        let verdict = if bound == Bound::None { Verdict::Hold } else { Verdict::Approve };
        Decision { verdict, bound, threshold: segment.max(affiliate), policy_version: self.version }
    }

    /// Whether one more honest conversion that is held would be more than was promised. The first is always allowed.
    fn is_spent(&self, record: Record) -> bool {
        let allowed = self.limits.affiliate_rate * (real(record.honest) + 1.0);
        allowed.max(1.0) < real(record.held) + 1.0
    }
}

impl Costs {
    /// Whether letting it pass is expected to cost more than a look.
    fn favour_a_look(self, probability: f64) -> bool {
        let [loss, harm, review] = [self.loss, self.harm, self.review].map(|minor| minor as f64);
        review + (1.0 - probability) * harm < probability * loss
    }
}

impl Limits {
    /// Whether they can be promised.
    ///
    /// # Errors
    /// The first that is out of bounds.
    pub fn check(self) -> Result<(), PolicyError> {
        let limits = [
            ("the rate", self.rate, 1e-6),
            ("the rate for an affiliate", self.affiliate_rate, 1e-6),
            ("the confidence", self.confidence, 0.5),
        ];
        let wrong = limits.into_iter().find(|(_, found, least)| !(*least..1.0).contains(found));
        wrong.map_or(Ok(()), |(what, found, least)| Err(PolicyError::Limit { what, found, least }))
    }
}

/// The lowest of the sorted scores above which few enough of the honest lie; none when there are too few scores.
fn lowest(sorted: &[LogOdds], rate: f64, confidence: f64) -> Option<LogOdds> {
    let n = sorted.len() as u64;
    // What is certain of k is certain of fewer, so that a search by halves finds the largest.
    let (mut above, mut beyond) = (0, n);
    if n == 0 || !certain(0, n, rate, confidence) {
        return None;
    }
    while above + 1 < beyond {
        let middle = u64::midpoint(above, beyond);
        if certain(middle, n, rate, confidence) { above = middle } else { beyond = middle }
    }
    let place = usize::try_from(n - 1 - above).ok()?;
    sorted.get(place).copied()
}

/// Whether a threshold with `above` of `n` honest scores above it holds the rate, on average and with the confidence.
fn certain(above: u64, n: u64, rate: f64, confidence: f64) -> bool {
    above < n
        && real(above + 1) <= rate * real(n + 1)
        && confidence <= beta_lower(real(above + 1), real(n - above), rate)
}

fn grouped<'a, 'b, K: Ord>(
    rows: &[&'a Calibrated<'b>],
    key: impl Fn(&'a Calibrated<'b>) -> K,
) -> BTreeMap<K, Vec<&'a Calibrated<'b>>> {
    let mut groups: BTreeMap<K, Vec<&'a Calibrated<'b>>> = BTreeMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
