//! Who does something, and when: the same for everything that one request causes.

use chrono::{DateTime, Utc};
use domain::{Chance, Clock};

use super::Judge;

/// What every effect of one request has in common.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// Who, as the history has it: "postback", "key_…", "system".
    pub actor: &'a str,
    /// When, for every row that is written.
    pub at: DateTime<Utc>,
    /// For new ids.
    pub clock: &'a Clock,
    /// For new ids.
    pub chance: &'a Chance,
    /// Whether it is what somebody reports of a conversion, and not what a person decided about it.
    pub is_report: bool,
    /// What else the history of conversions is to say.
    pub note: &'a str,
    /// Who looks at new conversions, if anybody does.
    pub judge: Option<&'a dyn Judge>,
}

impl<'a> Act<'a> {
    /// The actor of everything that an advertiser's postback causes.
    pub const POSTBACK: &'static str = "postback";

    /// Something that `actor` does now.
    pub fn now(actor: &'a str, clock: &'a Clock, chance: &'a Chance) -> Self {
        Self { actor, at: clock.now(), clock, chance, is_report: false, note: "", judge: None }
    }

    /// The same, with something for the history of conversions to say.
    #[must_use]
    pub fn noting(self, note: &'a str) -> Self {
        Self { note, ..self }
    }

    /// The same as a report, before the eyes of whoever looks at new conversions.
    #[must_use]
    pub fn report_before(self, judge: Option<&'a dyn Judge>) -> Self {
        Self { is_report: true, judge, ..self }
    }

    /// The same with nobody to look at new conversions, because that failed: no report is refused for it.
    #[must_use]
    pub(super) fn undecided(self) -> Self {
        Self { judge: None, ..self }
    }
}
