//! Cases: people decide about conversions that were held, and everything that they say and do is kept.
//!
//! What is worth most to be looked at comes first ([`Place`]); above a limit two people decide; the partner concerned is
//! told one of a few true sentences ([`Family`]) and may answer once.

mod family;
mod queue;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use family::Family;
pub use queue::{Place, PlaceError, at_par, rank, value};

use crate::{
    Currency, Money,
    conversion::{ConversionStatus, ReversalReason},
    event::Verdict,
    state::{moves, names},
};

/// The reason of a case about conversions that a person held.
pub const BY_HAND: &str = "by_hand";

names! {
    /// Where a case is in its life.
    CaseState: "state of a case" {
        /// Nobody has taken it.
        Open = "open",
        /// Somebody looks at it.
        InReview = "in_review",
        /// The partner was asked and has not answered.
        Waiting = "waiting",
        /// It is decided, or its conversions were decided elsewhere.
        Decided = "decided",
    }
}

moves! { CaseState, "case":
    Open => [InReview, Waiting, Decided],
    InReview => [Open, Waiting, Decided],
    Waiting => [Open, InReview, Decided],
    Decided => [Open],
}

names! {
    /// What is decided about the conversions of a case.
    Outcome: "outcome of a case" {
        /// Nothing is wrong with them: their commissions become payable.
        Approve = "approve",
        /// They are turned down: their commissions are taken back.
        Reject = "reject",
        /// They are held no more, and go on waiting for the advertiser's approval.
        Release = "release",
    }
}

names! {
    /// What became of a partner's answer.
    AppealOutcome: "outcome of an appeal" {
        /// The conversion goes its way.
        Granted = "granted",
        /// It was rejected, or stays so.
        Declined = "declined",
    }
}

names! {
    /// What kind of somebody does something.
    ActorKind: "kind of actor" {
        /// Whoever holds an API key.
        Key = "key",
        /// A person who has signed in.
        User = "user",
        /// A partner, about its own conversions.
        Affiliate = "affiliate",
        /// Nobody: it follows from something else.
        System = "system",
    }
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// Who, as the history has it: `key_…`, `usr_…`, `aff_…`, `postback`.
    pub id: String,
    /// The name at that time.
    pub name: String,
}

impl Actor {
    /// Whoever the history of conversions names.
    #[must_use]
    pub fn of_history(text: &str) -> Self {
        let kind = match text.split_once('_') {
            Some(("key", _)) => ActorKind::Key,
            Some(("usr", _)) => ActorKind::User,
            _ => ActorKind::System,
        };
        Self { kind, id: text.to_owned(), name: String::new() }
    }

    /// Whether both are one, whatever they were called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id
    }
}

/// A decision that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// What is to be decided.
    pub outcome: Outcome,
    /// Why, where it turns down.
    pub reason: Option<ReversalReason>,
    /// In words.
    pub note: String,
    /// Who proposed it, and cannot confirm it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a second person is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} proposed it; somebody else has to confirm it")]
pub struct SamePerson(pub String);

impl Proposal {
    /// Makes sure that whoever confirms it is another.
    ///
    /// # Errors
    /// When it is who proposed it.
    pub fn confirmed_by(&self, second: &Actor) -> Result<(), SamePerson> {
        if self.by.is(second) { Err(SamePerson(self.by.id.clone())) } else { Ok(()) }
    }
}

/// How cases are worked on, as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSettings {
    /// Within how many days a case is to be decided.
    #[schema(minimum = 1, maximum = 365)]
    pub review_days: u16,
    /// Within how many days a partner's answer is to be decided about.
    #[schema(minimum = 1, maximum = 365)]
    pub appeal_days: u16,
    /// Commissions above which two people decide, for each currency; where none is set, one does.
    #[schema(value_type = BTreeMap<String, Money>)]
    pub four_eyes_above: BTreeMap<Currency, Money>,
    /// What a unit of a currency is worth in the queue, in millionths of a unit of the others; a million where none is set.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub par_ppm: BTreeMap<Currency, u32>,
}

impl Default for CaseSettings {
    fn default() -> Self {
        Self { review_days: 3, appeal_days: 7, four_eyes_above: BTreeMap::new(), par_ppm: BTreeMap::new() }
    }
}

/// Settings that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseSettingsError {
    /// No deadline, or one that nobody lives to see.
    #[error("{what} is {found}; it has to be from 1 to 365")]
    Days {
        /// Which.
        what: &'static str,
        /// What it was.
        found: u16,
    },
    /// An amount of another currency, or below nothing.
    #[error("the limit of {0} has to be an amount in {0} of nothing or more")]
    Limit(Currency),
}

impl CaseSettings {
    /// Makes sure that they can be meant.
    ///
    /// # Errors
    /// When a deadline or a limit is none.
    pub fn check(&self) -> Result<(), CaseSettingsError> {
        for (what, found) in [("review_days", self.review_days), ("appeal_days", self.appeal_days)] {
            if !(1..=365).contains(&found) {
                return Err(CaseSettingsError::Days { what, found });
            }
        }
        let unfit = self.four_eyes_above.iter().find(|(of, limit)| limit.currency != **of || limit.minor < 0);
        unfit.map_or(Ok(()), |(currency, _)| Err(CaseSettingsError::Limit(*currency)))
    }

    /// Until when a case is to be decided that is opened at a moment.
    #[must_use]
    pub fn due(&self, opened_at: DateTime<Utc>) -> DateTime<Utc> {
        opened_at + TimeDelta::days(self.review_days.into())
    }

    /// Until when a partner's answer is to be decided about that came at a moment.
    #[must_use]
    pub fn appeal_due(&self, made_at: DateTime<Utc>) -> DateTime<Utc> {
        made_at + TimeDelta::days(self.appeal_days.into())
    }

    /// Whether so much, added up for each currency, is for two people to decide.
    #[must_use]
    pub fn needs_two(&self, stakes: &[Money]) -> bool {
        let above = |stake: &Money| {
            self.four_eyes_above.get(&stake.currency).is_some_and(|limit| limit.minor < stake.minor)
        };
        stakes.iter().any(above)
    }
}

impl Outcome {
    /// Where conversions go with it.
    #[must_use]
    pub const fn status(self) -> ConversionStatus {
        match self {
            Self::Approve => ConversionStatus::Approved,
            Self::Reject => ConversionStatus::Rejected,
            Self::Release => ConversionStatus::Pending,
        }
    }

    /// What it says of a partner's answer.
    #[must_use]
    pub const fn of_appeal(self) -> AppealOutcome {
        match self {
            Self::Approve | Self::Release => AppealOutcome::Granted,
            Self::Reject => AppealOutcome::Declined,
        }
    }

    /// What training learns from it: what was turned down for another reason than fraud, or only let go, says nothing.
    #[must_use]
    pub fn label(self, reason: Option<ReversalReason>) -> Option<Verdict> {
        match self {
            Self::Approve => Some(Verdict::Honest),
            Self::Reject => (reason == Some(ReversalReason::Fraud)).then_some(Verdict::Fraud),
            Self::Release => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euros(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().unwrap())
    }

    #[test]
    fn two_decide_above_the_limit_of_a_currency_and_not_at_it() {
        let mut settings = CaseSettings::default();
        assert!(!settings.needs_two(&[euros(i64::MAX)]), "no limit is set");
        settings.four_eyes_above.insert("EUR".parse().unwrap(), euros(50_000));
        for (minor, two) in [(49_999, false), (50_000, false), (50_001, true)] {
            assert_eq!(settings.needs_two(&[euros(minor)]), two, "{minor}");
        }
        assert!(!settings.needs_two(&[Money::new(60_000, "USD".parse().unwrap())]));
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let said = |settings: &str| {
            let settings: CaseSettings = serde_json::from_str(settings).unwrap();
            settings.check().map_or_else(|error| error.to_string(), |()| "fit".to_owned())
        };
        insta::assert_snapshot!(said("{}"), @"fit");
        insta::assert_snapshot!(said(r#"{"appeal_days": 0}"#), @"appeal_days is 0; it has to be from 1 to 365");
        insta::assert_snapshot!(said(r#"{"four_eyes_above": {"EUR": {"value": "5.00", "currency": "USD"}}}"#), @"the limit of EUR has to be an amount in EUR of nothing or more");
    }

    #[test]
    fn nobody_confirms_what_they_proposed() {
        let actor = |id: &str| Actor { kind: ActorKind::Key, id: id.to_owned(), name: String::new() };
        let (outcome, at) = (Outcome::Reject, DateTime::UNIX_EPOCH);
        let proposal = Proposal { outcome, reason: None, note: String::new(), by: actor("key_1"), at };
        let renamed = Actor { name: "Ana".to_owned(), ..actor("key_1") };
        assert_eq!(proposal.confirmed_by(&renamed), Err(SamePerson("key_1".to_owned())));
        assert_eq!(proposal.confirmed_by(&actor("key_2")), Ok(()));
        assert_eq!(proposal.confirmed_by(&Actor { kind: ActorKind::User, ..renamed }), Ok(()));
    }

    #[test]
    fn only_what_was_found_out_is_learned_from() {
        assert_eq!(Outcome::Approve.label(None), Some(Verdict::Honest));
        assert_eq!(Outcome::Reject.label(Some(ReversalReason::Fraud)), Some(Verdict::Fraud));
        assert_eq!(Outcome::Reject.label(Some(ReversalReason::Terms)), None);
        assert_eq!(Outcome::Release.label(None), None);
    }

    #[test]
    fn a_case_is_decided_from_wherever_it_is_and_opened_again_by_an_answer() {
        for state in CaseState::ALL.iter().filter(|state| **state != CaseState::Decided) {
            assert!(state.to(CaseState::Decided).is_ok(), "{state}");
        }
        assert_eq!(CaseState::Decided.next(), [CaseState::Open]);
    }
}
