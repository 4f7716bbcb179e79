//! The rules that campaigns may choose from. To add one: a file here, and its lines in this one.

mod first_click;
mod last_click;
mod last_non_direct;
mod linear;
mod statistics;
mod time_decay;
mod u_shaped;
mod w_shaped;

pub use first_click::FirstClick;
pub use last_click::LastClick;
pub use last_non_direct::LastNonDirect;
pub use linear::Linear;
pub use statistics::RuleStatistics;
pub use time_decay::TimeDecay;
pub use u_shaped::UShaped;
pub use w_shaped::WShaped;

use super::Rule;
use crate::state::names;

/// Every rule that campaigns may choose from.
pub static RULES: &[&dyn Rule] =
    &[&LastClick, &FirstClick, &LastNonDirect, &Linear, &TimeDecay::WEEK, &UShaped, &WShaped];

names! {
    /// How a campaign divides credit.
    RuleName: "attribution rule" {
        /// Everything to the last click.
        LastClick = "last_click",
        /// Everything to the first click.
        FirstClick = "first_click",
        /// Everything to the last click that is not direct traffic.
        LastNonDirect = "last_non_direct",
        /// Evenly.
        Linear = "linear",
        /// Half as much for every 7 days of age.
        TimeDecay = "time_decay",
        /// 40 % to the first click, 40 % to the last, the rest to those between.
        UShaped = "u_shaped",
        /// 30 % to the first click, to the one that made the lead, and to the last each, the rest to the others; U-shaped
        /// where no lead is known.
        WShaped = "w_shaped",
    }
}

impl RuleName {
    /// The rule.
    ///
    /// # Panics
    /// Never: a test holds the names against [`RULES`].
    #[must_use]
    pub fn rule(self) -> &'static dyn Rule {
        rule(self.name()).expect("each name is that of a rule")
    }
}

/// The rule of this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static dyn Rule> {
    RULES.iter().find(|rule| rule.name() == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Journey;

    const SECONDS: [u32; 4] = [900_000, 80_000, 9, 0];

    /// The weights of a journey of channels 0, 1, 2, …, of which channel 2 is direct, made to sum to one.
    fn check(rule: &dyn Rule, touches: &[u32], lead: Option<u32>, expected: &[f64]) {
        let direct = [false, false, true];
        let seconds_before = &SECONDS[SECONDS.len() - touches.len()..];
        let mut weights = vec![f64::NAN; touches.len()];
        rule.weigh(&Journey { touches, seconds_before, direct: &direct, lead }, &mut weights);
        let total: f64 = weights.iter().sum();
        assert_eq!(weights.len(), expected.len());
        for (weight, expected) in weights.iter().zip(expected) {
            assert!((weight / total - expected).abs() < 1e-15, "{}: {weights:?}", rule.name());
        }
    }

    #[test]
    fn each_name_is_that_of_a_rule_and_each_rule_has_one() {
        let names: Vec<&str> = RuleName::ALL.iter().map(|name| name.rule().name()).collect();
        assert_eq!(names, RULES.iter().map(|rule| rule.name()).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        for (position, rule) in RULES.iter().enumerate() {
            assert!(RULES[..position].iter().all(|other| other.name() != rule.name()));
            assert!(rule.doc().ends_with('.') && 20 < rule.doc().len());
        }
    }

    #[test]
    fn every_rule_gives_a_single_touch_everything() {
        for rule in RULES {
            check(*rule, &[2], None, &[1.0]);
            check(*rule, &[2], Some(0), &[1.0]);
        }
    }

    #[test]
    fn direct_traffic_at_the_end_is_passed_over() {
        check(&LastNonDirect, &[0, 1, 2, 2], None, &[0.0, 1.0, 0.0, 0.0]);
        check(&LastNonDirect, &[2, 2], None, &[0.0, 1.0]);
        check(&LastClick, &[0, 1, 2, 2], None, &[0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn two_touches_of_a_u_get_half_each() {
        check(&UShaped, &[0, 1], None, &[0.5, 0.5]);
    }

    #[test]
    fn a_w_without_a_lead_is_a_u() {
        check(&WShaped, &[0, 1, 2], None, &[0.4, 0.2, 0.4]);
    }

    #[test]
    fn a_touch_that_is_two_peaks_gets_both_parts() {
        check(&WShaped, &[0, 1, 2, 0], Some(0), &[0.6, 0.05, 0.05, 0.3]);
        check(&WShaped, &[0, 1, 2, 0], Some(3), &[0.3, 0.05, 0.05, 0.6]);
        check(&WShaped, &[0, 1], Some(0), &[2.0 / 3.0, 1.0 / 3.0]);
        check(&WShaped, &[0, 1], Some(1), &[1.0 / 3.0, 2.0 / 3.0]);
    }

    #[test]
    fn the_three_peaks_of_a_w_without_others_share_all() {
        check(&WShaped, &[0, 1, 2], Some(1), &[1.0 / 3.0; 3]);
    }

    #[test]
    fn touches_of_thirty_years_ago_still_have_credit() {
        let journey =
            Journey { touches: &[0, 1], seconds_before: &[946_080_000; 2], direct: &[], lead: None };
        let mut weights = [0.0; 2];
        TimeDecay::WEEK.weigh(&journey, &mut weights);
        assert!(weights.iter().all(|weight| (weight - 1.0).abs() < 1e-15));
    }

    #[test]
    fn stored_statistics_of_an_unknown_rule_are_refused() {
        let stored = serde_json::to_string(&RuleStatistics::new(&Linear)).unwrap();
        assert!(serde_json::from_str::<RuleStatistics>(&stored).is_ok());
        assert!(serde_json::from_str::<RuleStatistics>(&stored.replace("linear", "lunar")).is_err());
    }
}
