//! The replay: every period's rates, decided before it began from what was known by then.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Currency, Rate,
    commission::dynamic::{Contract, Policy, RateDecision, RateError, RateMode, Standing},
};
use models::fingerprint::Fingerprint;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::History;
use crate::{
    partner::WorthError,
    policy::{
        desk::Desk,
        evidence::{Caution, Known, Program, Seen, known},
        fraction,
        simulation::Spend,
    },
};

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rule; also one in the shadow is replayed as if its decisions took effect.
    pub policy: Policy,
    /// What every partner agreed to.
    pub contract: Contract,
    /// How cautious evidence is.
    pub caution: Caution,
    /// The first period that is decided.
    pub from: usize,
    /// How much may be spent; as flat means: as the usual rate is expected to cost.
    pub spend: Spend,
    /// What amounts are in.
    pub currency: Currency,
    /// What chance follows from.
    pub seed: u64,
}

/// Why a policy cannot be replayed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BacktestError {
    /// Too little was known yet.
    #[error("at {at}, when the period from {begin} on was decided, {why}; decide from a later period on")]
    Early {
        /// When it was decided.
        at: DateTime<Utc>,
        /// For which period.
        begin: DateTime<Utc>,
        /// What was missing.
        why: WorthError,
    },
    /// A rate could not be decided.
    #[error("for the period from {begin} on, {why}")]
    Rate {
        /// For which period.
        begin: DateTime<Utc>,
        /// What is wrong.
        why: RateError,
    },
    /// The first period that is decided must follow another.
    #[error("period number {0} is to be decided first, and there is none before it to learn from")]
    First(usize),
}

/// A partner's period as the policy would have had it.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The number of the partner.
    pub partner: usize,
    /// The number of the period.
    pub period: usize,
    /// What was decided before it.
    pub decision: RateDecision,
    /// The rate that holds when the period begins.
    pub rate: Rate,
    /// The rates that could hold then, and how probable each was.
    pub chances: Vec<(Rate, f64)>,
    /// How many conversions a period has at the usual rate, as far as was known.
    pub level: f64,
    /// What a conversion is worth, fraud among them, as far as was known.
    pub worth: f64,
}

/// All periods as the policy would have had them.
#[derive(Clone, Debug)]
pub struct Replay {
    /// By period, and by partner within a period.
    pub decided: Vec<Decided>,
    /// The rate that is usual in the program, as a fraction.
    pub usual: f64,
}

/// Replays a policy. A period is decided as many days before it begins as notice takes; what is known then is what was over or
/// had come by then. A partner's periods are as they were until its first has begun when one is decided;
/// then it stands where it was mostly paid before.
///
/// # Errors
/// When nothing was known yet, or a rate cannot be decided.
pub fn replay(history: &History, plan: &Plan) -> Result<Replay, BacktestError> {
    if plan.from == 0 || history.periods() <= plan.from {
        return Err(BacktestError::First(plan.from));
    }
    let notice = TimeDelta::days(plan.contract.notice_days.into());
    let (usual, conversions, order) = history.usual(history.bounds[plan.from] - notice);
    let program = Program {
        sources: history.source_count,
        rate: usual,
        conversions,
        currency: plan.currency,
        model_version: "worth".to_owned(),
    };
    let policy = Policy { mode: RateMode::Live, ..plan.policy.clone() };
    let mut desk = Desk { policy, standings: Vec::new(), usual };
    let (mut joined, mut decided) = (Vec::new(), Vec::new());
    let mut is_waiting = vec![true; history.partners.len()];
    for period in plan.from..history.periods() {
        let begin = history.bounds[period];
        let now = begin - notice;
        for partner in (0..history.partners.len()).filter(|partner| is_waiting[*partner]) {
            if let Some(rate) = history.usual_rate(partner, now) {
                joined.push(partner);
                desk.standings.push(Standing::new(plan.contract, rate));
            }
        }
        joined.iter().for_each(|partner| is_waiting[*partner] = false);
        let present = desk.rates(now);
        let seen = |(partner, rate): (&usize, Rate)| Seen {
            at_present: fraction(rate) / usual,
            ..history.seen(*partner, now, usual, order)
        };
        let seen: Vec<Seen> = joined.iter().zip(present).map(seen).collect();
        let known = known(&seen, &program, &plan.caution).map_err(|why| BacktestError::Early {
            at: now,
            begin,
            why,
        })?;
        let budget = match plan.spend {
            Spend::Free => None,
            Spend::AsFlat => {
                let flat: f64 = known.iter().map(|known| known.cost(usual, usual)).sum();
                Some(plan.caution.budget * flat)
            }
        };
        let draws: Vec<u32> =
            joined.iter().map(|partner| draw(plan.seed, &history.partners[*partner], now)).collect();
        let decisions =
            desk.decide(&known, budget, &draws, now).map_err(|why| BacktestError::Rate { begin, why })?;
        for (place, decision) in decisions.iter().enumerate() {
            let standing = desk.standings[place].clone().at(now);
            decided.push(Decided::of((joined[place], period), decision, (standing, begin), &known[place]));
        }
        desk.follow(&decisions);
    }
    decided.sort_by_key(|one| (one.period, one.partner));
    Ok(Replay { decided, usual })
}

impl Decided {
    /// What a decision means for a partner's period that begins at `begin`.
    fn of(
        (partner, period): (usize, usize),
        decision: &RateDecision,
        (standing, begin): (Standing, DateTime<Utc>),
        known: &Known,
    ) -> Self {
        let undecided = standing.clone().at(begin).rate;
        let is_in_time = standing.effective_at(decision.decided_at) <= begin;
        let mut chances: Vec<(Rate, f64)> = Vec::new();
        for choice in &decision.choices {
            let takes_effect = is_in_time && choice.rate != decision.previous;
            let rate = if takes_effect { choice.rate } else { undecided };
            let propensity = f64::from(choice.propensity_ppm) / 1e6;
            match chances.iter_mut().find(|(other, _)| *other == rate) {
                Some((_, sum)) => *sum += propensity,
                None => chances.push((rate, propensity)),
            }
        }
        Self {
            partner,
            period,
            decision: decision.clone(),
            rate: standing.after(decision).at(begin).rate,
            chances,
            level: known.level,
            worth: known.worth.expected() * (1.0 - known.evidence.fraud_risk),
        }
    }
}

/// What chance throws for a partner at a moment: a number below 1,000,000 that depends on nothing else.
#[must_use]
pub fn draw(seed: u64, partner: &str, at: DateTime<Utc>) -> u32 {
    let Fingerprint(bytes) =
        Fingerprint::of(format!("{seed} {} {partner}", at.timestamp_micros()).as_bytes());
    Xoshiro256PlusPlus::from_seed(bytes).random_range(0..1_000_000)
}
