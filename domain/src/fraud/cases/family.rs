//! What a partner is told of why its conversion was held: true, the same for every rule of a family, and nothing more.

use crate::{
    fraud::{rules::Code, score::Model},
    state::names,
};

names! {
    /// What kind of thing was found.
    Family: "family of reasons" {
        /// Clicks or conversions in a pattern that people do not make.
        Traffic = "traffic",
        /// The visit came from where it should not.
        Origin = "origin",
        /// The customer, the partner and others are connected.
        Identity = "identity",
        /// The report or its order does not pass checks.
        Report = "report",
        /// A comparison with other conversions, or a person's own look.
        Check = "check",
    }
}

impl Family {
    /// The family of a reason's code: a rule's, a model's, or [`super::BY_HAND`].
    #[must_use]
    pub fn of(reason: &str) -> Self {
        if let Ok(code) = reason.parse::<Code>() {
            return Self::of_rule(code);
        }
        match reason.parse::<Model>() {
            Ok(Model::Ring) => Self::Identity,
            _ => Self::Check,
        }
    }

    fn of_rule(code: Code) -> Self {
        match code {
            Code::RateLimitExceeded
            | Code::HighIpVelocity
            | Code::QuickConversion
            | Code::ZeroEngagement
            | Code::AutomatedAgent
            | Code::ClickFlooding
            | Code::ClickInjection
            | Code::CookieStuffing
            | Code::IdleClicks
            | Code::ClickFarm
            | Code::ConversionTimes
            | Code::ConversionRateOutlier
            | Code::FlatHours
            | Code::ConversionBurst => Self::Traffic,
            Code::ReferrerMismatch
            | Code::AnonymousNetwork
            | Code::CountryMismatch
            | Code::BrandBidding
            | Code::Listed => Self::Origin,
            Code::SelfReferral
            | Code::MultipleConversionsSameDevice
            | Code::CrossAffiliateFingerprint
            | Code::SharedPayoutAccount => Self::Identity,
            Code::DisposableEmail
            | Code::ClockDisagreement
            | Code::DuplicateOrder
            | Code::UnsignedReport
            | Code::ValidationFailed
            | Code::RejectionFeedback => Self::Report,
        }
    }

    /// The sentence that the partner reads.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Traffic => "The clicks or conversions form a pattern that visitors do not usually make.",
            Self::Origin => "The visit does not come from where visits of this partner are expected.",
            Self::Identity => "The customer, the partner or other partners seem to be connected.",
            Self::Report => "The order or what was reported of it did not pass a check.",
            Self::Check => "The conversion is unlike others of the campaign and is checked by a person.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sentences_are_few_and_none_holds_a_number_or_the_name_of_a_rule() {
        let sentences: BTreeSet<&str> = Family::ALL.iter().map(|family| family.sentence()).collect();
        assert_eq!(sentences.len(), Family::ALL.len());
        for sentence in sentences {
            assert!(sentence.ends_with('.') && !sentence.chars().any(|letter| letter.is_ascii_digit()));
            assert!(Code::ALL.iter().all(|code| !sentence.contains(code.name())), "{sentence}");
        }
    }

    #[test]
    fn every_family_has_more_than_one_reason_so_that_none_is_told_by_its_sentence() {
        let codes =
            Code::ALL.iter().map(|code| code.name()).chain(Model::ALL.iter().map(|model| model.name()));
        let reasons: Vec<&str> = codes.chain([super::super::BY_HAND]).collect();
        for family in Family::ALL {
            let members = reasons.iter().filter(|reason| Family::of(reason) == *family).count();
            assert!(1 < members, "{family} has {members}");
        }
        assert_eq!(Family::of("anything else"), Family::Check);
    }
}
