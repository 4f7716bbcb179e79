//! Which version of the terms holds when: an affiliate's own before the campaign's, each in its latest version of the time.

use chrono::{DateTime, Utc};

use super::{
    Rule, Terms,
    dynamic::{Contract, Direction, Dynamic, Pending, RateDecision, Standing},
};
use crate::{id::PlanId, money::Rate};

/// One version of a plan that may hold for an affiliate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which plan.
    pub id: PlanId,
    /// Whether it is the affiliate's own; else it is the campaign's.
    pub is_own: bool,
    /// Counted from 1, among the affiliate's own or the campaign's.
    pub version: u32,
    /// What it pays for.
    pub rules: Vec<Rule>,
    /// It holds from this moment on.
    pub effective_from: DateTime<Utc>,
}

/// What a version pays of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidRate<'a> {
    /// Which part.
    pub rate: Rate,
    /// How it was decided; none where people agreed on it.
    pub decision: Option<&'a RateDecision>,
    /// Which of the rules says so.
    position: usize,
}

impl PaidRate<'_> {
    /// For how many days customers have to stay before a commission is final; none if they need not.
    #[must_use]
    pub fn final_after_days(&self) -> Option<u16> {
        self.decision.and_then(|decision| decision.final_after_days)
    }
}

impl Version {
    /// The rate that it pays to nobody but the affiliate: by the rule for whatever no other names, or else by the only one that
    /// pays a part of the order. None where there is no such rule, or several.
    #[must_use]
    pub fn rate(&self) -> Option<PaidRate<'_>> {
        let paid =
            |(position, rule)| paid(rule).map(|(rate, decision)| PaidRate { rate, decision, position });
        let rules = || self.rules.iter().enumerate();
        let general = rules().find(|(_, rule)| rule.event.is_none()).and_then(paid);
        let mut named = rules().filter_map(paid);
        let only = named.next().filter(|_| named.next().is_none());
        general.or(only)
    }

    /// The same rules with another rate; none where they pay no rate.
    #[must_use]
    pub fn at_rate(&self, terms: Dynamic) -> Option<Vec<Rule>> {
        let position = self.rate()?.position;
        let mut rules = self.rules.clone();
        rules[position].terms = Terms::Dynamic(terms);
        Some(rules)
    }
}

fn paid(rule: &Rule) -> Option<(Rate, Option<&RateDecision>)> {
    match &rule.terms {
        Terms::Percentage(terms) => Some((terms.rate, None)),
        Terms::Dynamic(terms) => Some((terms.rate, terms.decision.as_ref())),
        Terms::Flat(_) | Terms::TwoTier(_) => None,
    }
}

/// Every version that may hold for one affiliate in one campaign: its own, and the campaign's.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    versions: Vec<Version>,
}

impl Timeline {
    /// The versions in any order.
    #[must_use]
    pub const fn new(versions: Vec<Version>) -> Self {
        Self { versions }
    }

    /// The version that holds at a moment. A sale before the first version has the first: it was made for such sales.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| {
            let holds = version.effective_from <= at;
            let number = i64::from(version.version);
            (version.is_own && holds, !version.is_own, holds, if holds { number } else { -number })
        })
    }

    /// From when on which version holds, oldest first; each until the next does.
    #[must_use]
    pub fn stretches(&self) -> Vec<(DateTime<Utc>, &Version)> {
        let mut moments: Vec<_> = self.versions.iter().map(|version| version.effective_from).collect();
        moments.sort_unstable();
        let mut stretches: Vec<_> =
            moments.into_iter().filter_map(|moment| Some((moment, self.at(moment)?))).collect();
        stretches.dedup_by_key(|(_, version)| version.id);
        stretches
    }

    /// The number of the affiliate's own newest version; 0 when there is none.
    #[must_use]
    pub fn last_own(&self) -> u32 {
        self.versions
            .iter()
            .filter(|version| version.is_own)
            .map(|version| version.version)
            .max()
            .unwrap_or(0)
    }

    /// Where the affiliate stands at a moment, under what it agreed to; none where the plan in force pays it no rate. Terms of
    /// its own that are to come are a change that is announced, even if they do not touch the rate, and so are the campaign's
    /// if they do.
    #[must_use]
    pub fn standing(&self, contract: Contract, now: DateTime<Utc>) -> Option<Standing> {
        let held = self.at(now)?.rate()?;
        let (mut changed, mut pending) = (None, None);
        for pair in self.stretches().windows(2) {
            let [(_, before), (at, after)] = pair else { continue };
            let (before, next) = (before.rate(), after.rate());
            let is_past = *at <= now;
            match (before, next) {
                (Some(before), Some(next)) if is_past && before.rate != next.rate => {
                    let direction = if before.rate < next.rate { Direction::Up } else { Direction::Down };
                    changed = Some((*at, direction));
                }
                _ => {}
            }
            let told = |paid: PaidRate<'_>| (paid.rate, paid.final_after_days());
            if !is_past && pending.is_none() && (after.is_own || next.map(told) != Some(told(held))) {
                let (rate, final_after_days) = told(next.unwrap_or(held));
                pending = Some(Pending { rate, final_after_days, effective_at: *at });
            }
        }
        let final_after_days = held.final_after_days();
        Some(Standing { final_after_days, changed, pending, ..Standing::new(contract, held.rate) })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    /// A version by its owner and number, such as `own 2`, and from which day on it pays how much.
    fn version(name: &str, from: i64, rate: &str) -> Version {
        let (owner, number) = name.split_once(' ').unwrap();
        let rules = format!(r#"[{{"terms": {{"model": "percentage", "rate": "{rate}"}}}}]"#);
        Version {
            id: PlanId::from(Uuid::from_u128(
                u128::from(owner == "own") << 64 | number.parse::<u128>().unwrap(),
            )),
            is_own: owner == "own",
            version: number.parse().unwrap(),
            rules: serde_json::from_str(&rules).unwrap(),
            effective_from: day(from),
        }
    }

    #[track_caller]
    fn check(versions: &[(&str, i64, &str)], expected: &str) {
        let versions = versions.iter().map(|(name, from, rate)| version(name, *from, rate)).collect();
        let timeline = Timeline::new(versions);
        let told: Vec<_> = timeline
            .stretches()
            .into_iter()
            .map(|(at, version)| format!("{}: {}", (at - day(0)).num_days(), version.rate().unwrap().rate))
            .collect();
        assert_eq!(told.join(", "), expected);
    }

    #[test]
    fn an_affiliates_own_terms_hold_before_the_campaigns_from_their_day_on() {
        check(&[("all 1", 0, "10"), ("own 1", 5, "12"), ("all 2", 7, "9")], "0: 10%, 5: 12%");
        check(&[("all 1", 0, "10"), ("all 2", 7, "9"), ("own 1", 9, "12")], "0: 10%, 7: 9%, 9: 12%");
    }

    #[test]
    fn a_later_version_replaces_an_earlier_one_that_was_to_come() {
        check(&[("own 1", 0, "10"), ("own 2", 9, "12"), ("own 3", 5, "11")], "0: 10%, 5: 11%");
    }

    #[test]
    fn a_sale_before_the_first_version_has_the_first() {
        let timeline = Timeline::new(vec![version("all 1", 3, "10"), version("all 2", 5, "12")]);
        assert_eq!(timeline.at(day(1)).map(|version| version.version), Some(1));
        assert_eq!(Timeline::default().at(day(1)), None);
    }

    #[test]
    fn a_standing_tells_the_last_change_and_the_next() {
        let rate = |text: &str| text.parse().unwrap();
        let contract = Contract {
            floor: rate("5"),
            cap: rate("20"),
            step: rate("5"),
            period_days: 30,
            notice_days: 14,
            exploring: rate("0"),
        };
        let versions = [("all 1", 0, "10"), ("own 1", 5, "12"), ("own 2", 9, "12"), ("own 3", 20, "11")];
        let timeline = Timeline::new(versions.map(|(name, from, rate)| version(name, from, rate)).to_vec());
        let at = |now: i64| timeline.standing(contract, day(now)).unwrap();
        assert_eq!((at(4).rate, at(4).changed), (rate("10"), None));
        assert_eq!(
            at(4).pending.map(|pending| (pending.rate, pending.effective_at)),
            Some((rate("12"), day(5)))
        );
        assert_eq!((at(10).rate, at(10).changed), (rate("12"), Some((day(5), Direction::Up))));
        assert_eq!(
            at(25),
            Standing { changed: Some((day(20), Direction::Down)), ..Standing::new(contract, rate("11")) }
        );
    }

    #[test]
    fn a_rate_is_what_one_rule_pays_to_the_affiliate_alone() {
        let check = |rules: &str, expected: Option<&str>| {
            let version = Version { rules: serde_json::from_str(rules).unwrap(), ..version("own 1", 0, "1") };
            assert_eq!(version.rate().map(|paid| paid.rate.to_string()).as_deref(), expected, "{rules}");
        };
        let (lead, sale) = (
            r#"{"event": "lead", "terms": {"model": "percentage", "rate": "3%"}}"#,
            r#"{"event": "sale", "terms": {"model": "percentage", "rate": "8%"}}"#,
        );
        let any = r#"{"terms": {"model": "dynamic", "rate": "10%"}}"#;
        let flat = r#"{"terms": {"model": "flat", "amount": {"value": "5", "currency": "EUR"}}}"#;
        check(&format!("[{lead}, {any}]"), Some("10%"));
        check(&format!("[{sale}, {flat}]"), Some("8%"));
        check(&format!("[{lead}, {sale}]"), None);
        check(&format!("[{flat}]"), None);
    }
}
