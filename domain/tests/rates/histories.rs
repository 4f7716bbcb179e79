//! Random histories of a partner's rate: month after month with whatever evidence comes, and what must hold each time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Money, Rate,
    commission::dynamic::{
        Churn, ChurnAction, Contract, Direction, Evidence, Exploring, Pending, Policy, RateDecision,
        RateFlag, RateMode, Standing,
    },
};
use rand::{Rng, RngExt};

/// What one history came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub decisions: u64,
    pub changes: u64,
    pub explored: u64,
}

fn rate(ppm: u32) -> Rate {
    Rate { ppm }
}

fn up_to(chance: &mut impl Rng, ppm: u32) -> Rate {
    rate(chance.random_range(0..=ppm))
}

pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_769_947_200, 0).expect("a time of our days")
}

pub fn policy(chance: &mut impl Rng) -> Policy {
    let dead_band = up_to(chance, 20_000);
    let then = match chance.random_range(0..3) {
        0 => ChurnAction::Flag,
        1 => ChurnAction::Lower(up_to(chance, 1_000_000)),
        _ => ChurnAction::Verify(30),
    };
    let exploring = match chance.random_range(0..2) {
        0 => Exploring::NEVER,
        _ => Exploring {
            width: rate(dead_band.ppm + chance.random_range(1..20_000)),
            share: up_to(chance, 1_000_000),
        },
    };
    Policy {
        version: "policy-1".to_owned(),
        target: up_to(chance, 1_000_000),
        best_share: up_to(chance, 1_000_000),
        grain: rate(chance.random_range(1..=5_000)),
        dead_band,
        reversal_band: rate(dead_band.ppm + chance.random_range(0..20_000)),
        calm_days: chance.random_range(0..100),
        quality_weight: up_to(chance, 1_000_000),
        churn: Churn { from_ppm: 2_000_000, then },
        exploring,
        mode: RateMode::Live,
    }
}

pub fn contract(chance: &mut impl Rng) -> Contract {
    let (one, other) = (up_to(chance, 400_000), up_to(chance, 400_000));
    Contract {
        floor: one.min(other),
        cap: one.max(other),
        step: up_to(chance, 80_000),
        period_days: chance.random_range(0..60),
        notice_days: chance.random_range(0..60),
        exploring: up_to(chance, 40_000),
    }
}

pub fn evidence(chance: &mut impl Rng) -> Evidence {
    let eur = |minor: i64| Money::new(minor, "EUR".parse().expect("a currency"));
    let value = chance.random_range(-1_000..60_000);
    let elasticity = chance.random_range(-1.0..3.0);
    Evidence {
        model_version: "ltv-1".to_owned(),
        value: eur(value),
        value_lower: eur(value - chance.random_range(0..20_000)),
        base: eur(chance.random_range(1..20_000)),
        conversions: chance.random_range(0.0..500.0),
        churn_ratio: chance.random_range(0.0..4.0),
        fraud_risk: chance.random_range(0.0..=1.0),
        quality: chance.random_range(0.0..=1.0),
        elasticity: (0.0 <= elasticity).then_some(elasticity),
    }
}

/// What the expected conversions cost in minor units, the number of them growing with the rate's power of the elasticity,
/// which is known to a millionth.
fn cost(standing: &Standing, evidence: &Evidence, next: Rate) -> f64 {
    let present = f64::from(standing.rate.ppm);
    let elasticity = evidence.elasticity.filter(|_| present != 0.0).unwrap_or(0.0);
    let elasticity = (elasticity * 1e6).round() / 1e6;
    let more = (f64::from(next.ppm) / present).powf(elasticity);
    let more = if elasticity == 0.0 { 1.0 } else { more };
    evidence.conversions * more * evidence.base.minor as f64 * f64::from(next.ppm) / 1e6
}

/// One partner for `periods` months.
///
/// # Errors
/// With the first thing that should hold and did not.
pub fn check(periods: u32, chance: &mut impl Rng) -> Result<Tally, String> {
    let (policy, contract) = (policy(chance), contract(chance));
    let mut standing = Standing::new(contract, up_to(chance, 400_000));
    let (mut now, mut tally) = (noon(), Tally::default());
    for _ in 0..periods {
        now += TimeDelta::hours(chance.random_range(1..1_500));
        standing = standing.at(now);
        let budget = chance.random_range(-500_000..1_000_000);
        let evidence = evidence(chance);
        standing.budget_left = (0 <= budget).then(|| Money::new(budget, evidence.base.currency));
        let draw = chance.random_range(0..1_000_000);
        let moment = Moment { policy: &policy, standing: &standing, evidence: &evidence, draw, now };
        let decision = moment.decide(&evidence)?;
        moment.check(&decision, chance).map_err(|wrong| format!("{wrong}: {decision:?} of {moment:?}"))?;
        tally.decisions += 1;
        tally.changes += u64::from(decision.change_ppm() != 0);
        tally.explored += u64::from(1 < decision.choices.len());
        standing = standing.after(&decision);
    }
    Ok(tally)
}

#[derive(Debug)]
struct Moment<'a> {
    policy: &'a Policy,
    standing: &'a Standing,
    evidence: &'a Evidence,
    draw: u32,
    now: DateTime<Utc>,
}

type Checked = Result<(), String>;

fn holds(what: &str, holds: bool) -> Checked {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl Moment<'_> {
    fn decide(&self, evidence: &Evidence) -> Result<RateDecision, String> {
        self.policy.decide(self.standing, evidence, self.draw, self.now).map_err(|error| error.to_string())
    }

    fn check(&self, decision: &RateDecision, chance: &mut impl Rng) -> Checked {
        let sum: i64 = decision.parts.iter().map(|part| part.ppm).sum();
        holds("reasons sum to the change", sum == decision.change_ppm())?;
        holds("no reason is idle", decision.parts.iter().all(|part| part.ppm != 0))?;
        holds("the same arguments decide the same", self.decide(self.evidence)? == *decision)?;
        self.standing.admit(decision, self.now).map_err(|refusal| refusal.to_string())?;
        self.check_time(decision)?;
        self.check_approval(decision)?;
        if self.standing.pending.is_none() {
            self.check_bounds(decision)?;
            self.check_bands(decision)?;
            self.check_budget(decision)?;
        }
        self.check_direction(decision, chance)
    }

    fn check_time(&self, decision: &RateDecision) -> Checked {
        let Contract { notice_days, period_days, .. } = self.standing.contract;
        if let Some(Pending { rate, final_after_days, .. }) = self.standing.pending {
            let stays = decision.next == rate && decision.final_after_days == final_after_days;
            return holds(
                "nothing changes while a change is pending",
                stays && decision.effective_at.is_none(),
            );
        }
        let Some(effective_at) = decision.effective_at else {
            return holds("a change has a date", decision.next == self.standing.rate);
        };
        let noticed = self.now + TimeDelta::days(notice_days.into()) <= effective_at;
        let period = TimeDelta::days(period_days.into());
        let apart = self.standing.changed.is_none_or(|(changed, _)| changed + period <= effective_at);
        holds("a change is announced", noticed)?;
        holds("changes are a period apart", apart)
    }

    /// The same decision in the shadow may be approved up to weeks later while nothing else has changed, and keeps notice and
    /// period of then.
    fn check_approval(&self, decision: &RateDecision) -> Checked {
        if self.standing.pending.is_some() {
            return Ok(());
        }
        let later = self.now + TimeDelta::hours((self.draw % 1_000).into());
        let shadow = RateDecision { mode: RateMode::Shadow, ..decision.clone() };
        let live = self.standing.taken_up(&shadow, later).map_err(|refusal| refusal.to_string())?;
        let approved = Moment { now: later, ..*self };
        approved.check_time(&live)?;
        let is_earlier = live.effective_at < shadow.effective_at;
        let (decided_at, effective_at) = (shadow.decided_at, shadow.effective_at);
        let same = RateDecision { mode: RateMode::Shadow, decided_at, effective_at, ..live } == shadow;
        holds("an approval changes nothing but the date, and that to no earlier one", same && !is_earlier)
    }

    fn check_bounds(&self, decision: &RateDecision) -> Checked {
        let Contract { floor, cap, step, exploring, .. } = self.standing.contract;
        let (next, present) = (decision.next, self.standing.rate);
        holds("floor and cap", floor <= next && next <= cap)?;
        if floor <= present && present <= cap {
            holds("the longest step", next.ppm.abs_diff(present.ppm) <= step.ppm)?;
        }
        let trial = decision.parts.iter().find(|part| part.reason.name() == "exploration");
        let trial = trial.map_or(0, |part| part.ppm.unsigned_abs());
        let agreed = exploring.min(self.policy.exploring.width);
        holds("exploration is inside what was agreed", trial <= agreed.ppm.into())?;
        let total: u32 = decision.choices.iter().map(|choice| choice.propensity_ppm).sum();
        let chosen = decision.choices.iter().any(|choice| choice.rate == next && 0 < choice.propensity_ppm);
        holds("what was chosen had a probability", chosen && total == 1_000_000)
    }

    fn check_bands(&self, decision: &RateDecision) -> Checked {
        let (next, present, policy) = (decision.next, self.standing.rate, self.policy);
        let Contract { floor, cap, .. } = self.standing.contract;
        let is_costly = |left: Money| (left.minor as f64) < cost(self.standing, self.evidence, present);
        let forced = present != present.clamp(floor, cap) || self.standing.budget_left.is_some_and(is_costly);
        if next == present || forced {
            return Ok(());
        }
        let moved = next.ppm.abs_diff(present.ppm);
        holds("no change is smaller than the dead band", policy.dead_band.ppm <= moved)?;
        let Some((changed, last)) = self.standing.changed else { return Ok(()) };
        let direction = if present < next { Direction::Up } else { Direction::Down };
        let calm = self.now <= changed + TimeDelta::days(policy.calm_days.into());
        let is_back = calm && direction != last;
        holds("a change back is wide", !is_back || policy.reversal_band.ppm <= moved)
    }

    fn check_budget(&self, decision: &RateDecision) -> Checked {
        let Some(left) = self.standing.budget_left else { return Ok(()) };
        let Contract { floor, cap, step, .. } = self.standing.contract;
        let lowest = rate(self.standing.rate.ppm.saturating_sub(step.ppm)).clamp(floor, cap);
        let fits =
            cost(self.standing, self.evidence, decision.next) <= left.minor as f64 * (1.0 + 1e-9) + 1e-6;
        let told = decision.flags.contains(&RateFlag::Budget) && decision.next == lowest;
        holds("the budget holds, or the lowest rate is paid and a person is told", fits || told)
    }

    fn check_direction(&self, decision: &RateDecision, chance: &mut impl Rng) -> Checked {
        let mut better = self.evidence.clone();
        let room = better.value.minor - better.value_lower.minor;
        better.value_lower.minor += chance.random_range(0..=room);
        holds("more value never lowers the rate", decision.next <= self.decide(&better)?.next)?;
        let mut riskier = self.evidence.clone();
        riskier.fraud_risk = chance.random_range(riskier.fraud_risk..=1.0);
        holds("more risk never raises the rate", self.decide(&riskier)?.next <= decision.next)
    }
}
