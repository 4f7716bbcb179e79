//! From evidence to the next rate, step by step, inside bounds that nothing passes.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ChurnAction, Direction, Evidence, EvidenceError, Exploring, Policy, PolicyError, RateChoice,
    RateDecision, RateFlag, RatePart, RateReason, Standing, StandingError, evidence::Scores,
};
use crate::money::Rate;

const WHOLE: i64 = Rate::ONE.ppm as i64;

/// Rates are computed up to this, so that sums of parts stay small: a thousand times the order.
const MOST_PPM: i64 = 1_000 * WHOLE;

/// Why no rate was decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RateError {
    /// The operator's rule cannot be meant.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The partner cannot stand so.
    #[error(transparent)]
    Standing(#[from] StandingError),
    /// What is said of the partner cannot be.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Not a throw of this die.
    #[error("chance threw {0}; give a number below 1000000, such as `Chance::below(1_000_000)`")]
    Draw(u32),
}

impl Policy {
    /// The partner's next rate, decided at `now`. The same arguments give the same decision. `draw` is chance, a number
    /// below 1,000,000; it decides only where policy and contract both agree to explore.
    ///
    /// The rate is the target's part of the lower bound of a customer's value, as a rate on the mean order; less what is
    /// probably fraud; more or less by quality; and never above the rate beyond which more conversions no longer pay for
    /// themselves: with elasticity ε conversions grow as the rate's power ε, and the profit `rate^ε · (value − rate · order)`
    /// is greatest at `value / order · ε / (1 + ε)` (the monopsony markdown, Robinson 1933). A higher lower bound never lowers
    /// the rate, and a higher risk of fraud never raises it.
    ///
    /// # Errors
    /// When an argument cannot be meant; the sentence says which and how to mend it.
    pub fn decide(
        &self,
        standing: &Standing,
        evidence: &Evidence,
        draw: u32,
        now: DateTime<Utc>,
    ) -> Result<RateDecision, RateError> {
        self.check()?;
        let standing = standing.clone().at(now);
        standing.check(now)?;
        let scores = Scores::read(evidence, standing.budget_left)?;
        if Rate::ONE.ppm <= draw {
            return Err(RateError::Draw(draw));
        }
        let previous = standing.pending.map_or(standing.rate, |pending| pending.rate);
        let churns = i64::from(self.churn.from_ppm) <= scores.churn_ppm;
        let mut flags = if churns { vec![RateFlag::Churn] } else { Vec::new() };
        let mut path = Path { at: previous.ppm.into(), parts: Vec::new() };
        let wanted = self.wanted(&scores, churns, &mut path);
        let (final_after_days, choices) = if let Some(pending) = standing.pending {
            path.to(RateReason::Notice, previous.ppm.into());
            (pending.final_after_days, sure(previous))
        } else {
            let bounds = Bounds::of(self, &standing, &scores, now);
            bounds.flag(&mut flags);
            let settled = bounds.tell(wanted, &mut path);
            let (explored, choices) = self.explore(&standing, &bounds, settled, draw);
            path.to(RateReason::Exploration, explored);
            (self.churn.then.verifies(churns), choices)
        };
        let next = admitted(path.at);
        let held = standing.pending.map_or(standing.final_after_days, |pending| pending.final_after_days);
        let changes = (previous, held) != (next, final_after_days);
        Ok(RateDecision {
            format: 1,
            previous,
            next,
            parts: path.parts,
            flags,
            final_after_days,
            policy_version: self.version.clone(),
            model_version: evidence.model_version.clone(),
            decided_at: now,
            effective_at: changes.then(|| standing.effective_at(now)),
            mode: self.mode,
            choices,
        })
    }

    /// The rate that the evidence speaks for, before any bound.
    fn wanted(&self, scores: &Scores, churns: bool, path: &mut Path) -> i64 {
        let affordable = |value: i64| {
            let rate = i128::from(value) * i128::from(self.target.ppm) / i128::from(scores.base);
            i64::try_from(rate).unwrap_or(MOST_PPM).min(MOST_PPM)
        };
        path.to(RateReason::Value, affordable(scores.value));
        path.to(RateReason::Uncertainty, affordable(scores.value_lower));
        path.to(RateReason::FraudRisk, part(path.at, WHOLE - scores.fraud_ppm));
        let better = (2 * scores.quality_ppm - WHOLE) * i64::from(self.quality_weight.ppm) / WHOLE;
        path.to(RateReason::Quality, part(path.at, WHOLE + better));
        path.to(RateReason::Elasticity, part(path.at, self.worth_paying(scores)));
        path.to(RateReason::Churn, part(path.at, self.churn.then.leaves(churns)));
        path.to(RateReason::Rounding, path.at - path.at % i64::from(self.grain.ppm));
        path.at
    }

    /// Which part of the target's rate pays for itself: ε / (1 + ε) of the value, or the part of that which the policy
    /// pays, if that is less than the target.
    fn worth_paying(&self, scores: &Scores) -> i64 {
        let (Some(elasticity), target) = (scores.elasticity_ppm, i64::from(self.target.ppm)) else {
            return WHOLE;
        };
        let best = WHOLE * elasticity / (WHOLE + elasticity);
        let of_value = best * i64::from(self.best_share.ppm) / WHOLE;
        if target <= of_value { WHOLE } else { WHOLE * of_value / target }
    }

    /// The rate after chance, and among which rates chance chose.
    fn explore(
        &self,
        standing: &Standing,
        bounds: &Bounds,
        settled: i64,
        draw: u32,
    ) -> (i64, Vec<RateChoice>) {
        let Exploring { width, share } = self.exploring;
        let width = i64::from(Rate::min(width, standing.contract.exploring).ppm);
        if width == 0 {
            return (settled, sure(admitted(settled)));
        }
        let (down, up) = (share.ppm / 2, share.ppm - share.ppm / 2);
        let arms = [(settled - width, down), (settled, Rate::ONE.ppm - share.ppm), (settled + width, up)];
        let arms = arms.map(|(rate, probability)| (bounds.tried(rate, settled), probability));
        let mut choices: Vec<RateChoice> = Vec::new();
        for (rate, propensity_ppm) in arms.into_iter().filter(|(_, probability)| 0 < *probability) {
            let rate = admitted(rate);
            // Bounds may lead several arms to one rate; what is chosen is the rate. Arms come lowest first.
            match choices.last_mut().filter(|last| last.rate == rate) {
                Some(same) => same.propensity_ppm += propensity_ppm,
                None => choices.push(RateChoice { rate, propensity_ppm }),
            }
        }
        let chosen = match draw {
            draw if draw < down => arms[0].0,
            draw if draw < Rate::ONE.ppm - up => arms[1].0,
            _ => arms[2].0,
        };
        (chosen, choices)
    }
}

/// What is left to no chance.
fn sure(rate: Rate) -> Vec<RateChoice> {
    vec![RateChoice { rate, propensity_ppm: Rate::ONE.ppm }]
}

fn admitted(ppm: i64) -> Rate {
    Rate { ppm: u32::try_from(ppm).expect("bounds keep a rate between none and the whole") }
}

impl ChurnAction {
    /// Which part of the rate it leaves, in parts per million.
    fn leaves(self, churns: bool) -> i64 {
        match self {
            Self::Lower(left) if churns => left.ppm.into(),
            Self::Lower(_) | Self::Flag | Self::Verify(_) => WHOLE,
        }
    }

    /// For how many days customers have to stay.
    fn verifies(self, churns: bool) -> Option<u16> {
        match self {
            Self::Verify(days) if churns => Some(days),
            Self::Lower(_) | Self::Flag | Self::Verify(_) => None,
        }
    }
}

fn part(rate: i64, ppm: i64) -> i64 {
    let product = i128::from(rate) * i128::from(ppm) / i128::from(WHOLE);
    i64::try_from(product).unwrap_or(MOST_PPM).clamp(0, MOST_PPM)
}

/// The rate on its way from the previous to the next, and what moved it.
struct Path {
    at: i64,
    parts: Vec<RatePart>,
}

impl Path {
    fn to(&mut self, reason: RateReason, rate: i64) {
        if rate != self.at {
            self.parts.push(RatePart { reason, ppm: rate - self.at });
            self.at = rate;
        }
    }
}

/// Between which rates the next may lie, in parts per million, and which changes are too small to make.
struct Bounds {
    previous: i64,
    floor: i64,
    cap: i64,
    step: i64,
    /// The lowest and the highest that contract and budget admit.
    low: i64,
    high: i64,
    /// The rate that holds if nothing moves it: the previous one, or the next to it that is admitted.
    still: i64,
    /// Smaller changes than these are not made.
    band_down: i64,
    band_up: i64,
    is_short: bool,
}

impl Bounds {
    fn of(policy: &Policy, standing: &Standing, scores: &Scores, now: DateTime<Utc>) -> Self {
        let contract = standing.contract;
        let [previous, floor, cap, step] =
            [standing.rate, contract.floor, contract.cap, contract.step].map(|rate| i64::from(rate.ppm));
        let low = (previous - step).clamp(floor, cap);
        let reachable = (previous + step).clamp(floor, cap);
        let cost = Cost { scores, previous };
        let high = match standing.budget_left {
            None => reachable,
            Some(left) => cost.highest_within(left.minor, low, reachable),
        };
        let calm = now - TimeDelta::days(policy.calm_days.into());
        let last = standing.changed.filter(|(changed, _)| calm <= *changed).map(|(_, direction)| direction);
        let band = |back: Direction| {
            let band = if last == Some(back) { policy.reversal_band } else { policy.dead_band };
            i64::from(band.ppm)
        };
        Self {
            previous,
            floor,
            cap,
            step,
            low,
            high,
            still: previous.clamp(low, high),
            band_down: band(Direction::Up),
            band_up: band(Direction::Down),
            is_short: standing.budget_left.is_some_and(|left| (left.minor as f64) < cost.at(low)),
        }
    }

    /// The rate nearest to `rate` that the bounds admit; a rate that is hardly another is none.
    fn settled(&self, rate: i64) -> i64 {
        let admitted = rate.clamp(self.low, self.high);
        if self.is_small(admitted) { self.still } else { admitted }
    }

    /// The admitted rate between `settled`, which is admitted, and `rate` that is nearest to `rate`.
    fn tried(&self, rate: i64, settled: i64) -> i64 {
        let admitted = rate.clamp(self.low, self.high);
        match settled.cmp(&self.still) {
            _ if !self.is_small(admitted) => admitted,
            Ordering::Less => self.still - self.band_down,
            Ordering::Equal => self.still,
            Ordering::Greater => self.still + self.band_up,
        }
    }

    fn is_small(&self, rate: i64) -> bool {
        self.still - self.band_down < rate && rate < self.still + self.band_up
    }

    /// As [`Bounds::settled`], telling which bound did what.
    fn tell(&self, wanted: i64, path: &mut Path) -> i64 {
        path.to(RateReason::Step, wanted.clamp(self.previous - self.step, self.previous + self.step));
        path.to(RateReason::Floor, path.at.max(self.floor));
        path.to(RateReason::Cap, path.at.min(self.cap));
        path.to(RateReason::Budget, path.at.min(self.high));
        path.to(RateReason::Hysteresis, self.settled(wanted));
        path.at
    }

    fn flag(&self, flags: &mut Vec<RateFlag>) {
        if self.is_short {
            flags.push(RateFlag::Budget);
        }
        if self.previous != self.previous.clamp(self.floor, self.cap) {
            flags.push(RateFlag::Contract);
        }
    }
}

/// What the expected conversions cost at a rate, in minor units.
struct Cost<'a> {
    scores: &'a Scores,
    previous: i64,
}

impl Cost<'_> {
    fn at(&self, rate: i64) -> f64 {
        let Scores { conversions, base, elasticity_ppm, .. } = *self.scores;
        let moves = match elasticity_ppm {
            Some(elasticity) if 0 < self.previous => {
                libm::pow(rate as f64 / self.previous as f64, elasticity as f64 / WHOLE as f64)
            }
            _ => 1.0,
        };
        conversions * moves * base as f64 * rate as f64 / WHOLE as f64
    }

    /// The highest rate from `low` to `high` that costs at most `budget`; `low` if there is none.
    fn highest_within(&self, budget: i64, low: i64, high: i64) -> i64 {
        let fits = |rate: i64| self.at(rate) <= budget as f64;
        if fits(high) {
            return high;
        }
        let (mut within, mut beyond) = (low, high);
        while within + 1 < beyond {
            let middle = i64::midpoint(within, beyond);
            if fits(middle) {
                within = middle;
            } else {
                beyond = middle;
            }
        }
        within
    }
}
