//! Commissions: a plan's terms turn a sale and its shares of credit into lines of money, each with its trace.
//!
//! To add a model: a file here with its terms and what they earn, a variant in [`Terms`], a scenario in `scenarios.rs`.

pub mod dynamic;
mod flat;
mod percentage;
mod reversal;
#[cfg(test)]
mod scenarios;
mod timeline;
mod trace;
mod two_tier;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use dynamic::Dynamic;
pub use flat::Flat;
pub use percentage::Percentage;
pub use reversal::take_back;
pub use timeline::{PaidRate, Timeline, Version};
pub use trace::{Step, Trace};
pub use two_tier::{Reward, TwoTier};

use crate::{
    campaign::{EventKind, QualifyingEvent},
    id::{AffiliateId, PlanId},
    money::Money,
};

/// What the engine knows of a conversion when it computes who earns what.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    /// The event's name, as the campaign's list has it.
    pub event: &'a str,
    /// What kind of thing it was.
    pub kind: EventKind,
    /// The order's amount; zero for a lead without one.
    pub amount: Money,
}

/// An affiliate above the one who brought the visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upline {
    /// Who.
    pub affiliate: AffiliateId,
    /// Whether it may earn now; the share of one who may not is not handed on.
    pub earns: bool,
}

/// One credited affiliate: its part of the credit, the plan that holds for it, and who stands above it.
#[derive(Clone, Debug)]
pub struct Credit<'a> {
    /// Who brought the visitor.
    pub affiliate: AffiliateId,
    /// Parts per million of the credit.
    pub share_ppm: u32,
    /// Why it has this share, in words.
    pub because: String,
    /// The terms that hold for it.
    pub plan: &'a Plan,
    /// Everybody above it, nearest first.
    pub upline: Vec<Upline>,
}

/// What somebody earns by one model for the whole credit, before it is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earning {
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    pub level: usize,
    /// How much.
    pub amount: Money,
    /// How it came about.
    pub steps: Vec<Step>,
}

/// A way to pay for a conversion.
pub trait CommissionModel {
    /// The name by which plans choose it.
    const NAME: &'static str;
    /// One sentence for the manual and for the affiliate.
    const DOC: &'static str;

    /// What each level earns for the whole credit; levels that earn nothing are left out.
    fn earn(&self, sale: &Sale<'_>, upline: &[Upline]) -> Vec<Earning>;

    /// Refuses terms that make no sense, such as a negative amount.
    ///
    /// # Errors
    /// With a sentence that says what to change.
    fn check(&self) -> Result<(), TermsError>;
}

/// Terms that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A negative commission.
    #[error("a commission of {0} is negative; commissions are what an affiliate earns")]
    Negative(Money),
    /// A rate above the whole order.
    #[error("a rate of {0} is more than the whole order")]
    AboveWhole(crate::money::Rate),
    /// A dynamic rate with a record of another decision.
    #[error("the rate of {0} is not what its decision says; take the terms as the decision gives them")]
    NotDecided(crate::money::Rate),
    /// A plan without a rule pays nothing for anything.
    #[error("a plan needs at least one rule")]
    NoRules,
    /// The campaign has no such event.
    #[error("the campaign has no event {0:?}")]
    UnknownEvent(String),
    /// Two rules for the same event: the second would never be used.
    #[error("the event {0:?} has two rules; keep one")]
    TwoRules(String),
}

macro_rules! terms {
    ($($(#[$doc:meta])+ $model:ident,)+) => {
        /// The terms of one rule: a model and its figures.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(tag = "model", rename_all = "snake_case")]
        pub enum Terms { $($(#[$doc])+ $model($model),)+ }

        impl Terms {
            /// Every model: its name and its sentence for the manual.
            pub const MODELS: &'static [(&'static str, &'static str)] = &[$(($model::NAME, $model::DOC)),+];

            fn name(&self) -> &'static str {
                match self { $(Self::$model(_) => $model::NAME),+ }
            }

            fn earn(&self, sale: &Sale<'_>, upline: &[Upline]) -> Vec<Earning> {
                match self { $(Self::$model(terms) => terms.earn(sale, upline)),+ }
            }

            fn check(&self) -> Result<(), TermsError> {
                match self { $(Self::$model(terms) => terms.check()),+ }
            }
        }
    };
}

terms! {
    /// The same amount for each conversion.
    Flat,
    /// A part of the order's amount.
    Percentage,
    /// A reward for the affiliate and another for the one above it.
    TwoTier,
    /// A part of the order's amount that follows what the partner's customers are worth.
    Dynamic,
}

impl Terms {
    /// For how many days the customer has to stay before what is earned is final; none if it is final when approved.
    #[must_use]
    pub fn final_after_days(&self) -> Option<u16> {
        match self {
            Self::Dynamic(Dynamic { decision: Some(decision), .. }) => decision.final_after_days,
            Self::Flat(_) | Self::Percentage(_) | Self::TwoTier(_) | Self::Dynamic(_) => None,
        }
    }
}

/// One rule of a plan: which event, and what it pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The event's name; absent for every event that no other rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_.-]{1,64}$")]
    pub event: Option<String>,
    /// What it pays.
    pub terms: Terms,
}

/// One version of the terms by which a campaign pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Which plan.
    pub id: PlanId,
    /// Its version within its campaign (or within one affiliate's override).
    pub version: u32,
    /// What it pays for; the first rule that names the event holds.
    pub rules: Vec<Rule>,
}

/// Checks the rules of a plan before it is stored.
///
/// # Errors
/// When there is no rule, two for one event, or terms that make no sense.
pub fn check_rules(rules: &[Rule]) -> Result<(), TermsError> {
    if rules.is_empty() {
        return Err(TermsError::NoRules);
    }
    for (position, rule) in rules.iter().enumerate() {
        if rules[..position].iter().any(|earlier| earlier.event == rule.event) {
            return Err(TermsError::TwoRules(rule.event.clone().unwrap_or_else(|| "any".to_owned())));
        }
        rule.terms.check()?;
    }
    Ok(())
}

/// Checks the rules of a plan for a campaign that pays for `events`.
///
/// # Errors
/// As [`check_rules`], and when a rule names an event that the campaign does not have.
pub fn check_rules_for(rules: &[Rule], events: &[QualifyingEvent]) -> Result<(), TermsError> {
    check_rules(rules)?;
    let names_none = |event: &&String| events.iter().all(|known| known.name != **event);
    let unknown = rules.iter().filter_map(|rule| rule.event.as_ref()).find(names_none);
    unknown.map_or(Ok(()), |event| Err(TermsError::UnknownEvent(event.chars().take(80).collect())))
}

impl Plan {
    fn rule_for(&self, event: &str) -> Option<&Rule> {
        let named = self.rules.iter().find(|rule| rule.event.as_deref() == Some(event));
        named.or_else(|| self.rules.iter().find(|rule| rule.event.is_none()))
    }
}

/// One line of commission, ready to be stored and posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who earns it.
    pub affiliate: AffiliateId,
    /// 0 for who brought the visitor, 1 for the affiliate above, and so on.
    pub level: usize,
    /// How much; never zero, never negative.
    pub amount: Money,
    /// By which plan.
    pub plan: PlanId,
    /// For how many days the customer has to stay before it is final (S75); none if it is final when approved.
    pub final_after_days: Option<u16>,
    /// How it came about.
    pub trace: Trace,
}

/// Who earns what from one conversion. Each credited affiliate's plan is applied to the whole sale and
/// the result is shared by largest remainder, so that under one plan the lines sum exactly to what a
/// single affiliate would have earned. Lines of zero are left out.
#[must_use]
pub fn settle(sale: &Sale<'_>, credits: &[Credit<'_>]) -> Vec<Line> {
    let weights: Vec<u64> = credits.iter().map(|credit| u64::from(credit.share_ppm)).collect();
    let lines = credits.iter().enumerate().flat_map(|(position, credit)| {
        let rule = credit.plan.rule_for(sale.event);
        let earnings = rule.map(|rule| rule.terms.earn(sale, &credit.upline)).unwrap_or_default();
        let terms = rule.map(|rule| &rule.terms);
        let weights = &weights;
        earnings.into_iter().map(move |earning| line(sale, credit, terms, earning, weights, position))
    });
    lines.filter(|line| 0 < line.amount.minor).collect()
}

fn line(
    sale: &Sale<'_>,
    credit: &Credit<'_>,
    terms: Option<&Terms>,
    earning: Earning,
    weights: &[u64],
    position: usize,
) -> Line {
    let amount = earning.amount.split(weights)[position];
    let affiliate = match earning.level {
        0 => credit.affiliate,
        level => credit.upline[level - 1].affiliate,
    };
    let mut steps = vec![Step::base(sale)];
    steps.extend(earning.steps);
    steps.push(Step::shared(credit, amount));
    let model = terms.map_or("", Terms::name);
    let trace = Trace::new(credit.plan, model, sale.amount, credit.share_ppm, steps, amount);
    let final_after_days = terms.and_then(Terms::final_after_days);
    Line { affiliate, level: earning.level, amount, plan: credit.plan.id, final_after_days, trace }
}
