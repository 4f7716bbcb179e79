//! What a change of rules would have done to the past, before it does anything to the future.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    evidence::Evidence,
    rule_set::RuleSet,
    rules::{Code, Flag},
};
use crate::{
    conversion::ConversionStatus,
    id::{CampaignId, ConversionId},
};

/// A conversion of the past, with what was known when it was judged.
#[derive(Clone, Debug)]
pub struct Past {
    /// Which one.
    pub conversion: ConversionId,
    /// Of which campaign.
    pub campaign: CampaignId,
    /// When it was judged.
    pub at: DateTime<Utc>,
    /// What was known then.
    pub seen: Evidence,
    /// What became of it.
    pub status: ConversionStatus,
}

/// What a change of the rule set does: «over the last 30 days this change would have flagged these 41 conversions, 3 of
/// them later approved».
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// How many conversions were looked at.
    pub looked_at: u64,
    /// Conversions that the rules as they are do not flag and the changed ones do, in the order of the past.
    pub flagged: Vec<ConversionId>,
    /// How many of them were approved later.
    pub flagged_approved: u64,
    /// Conversions that the rules as they are flag and the changed ones do not.
    pub spared: Vec<ConversionId>,
    /// How many of them were rejected or reversed later.
    pub spared_rejected: u64,
    /// For each reason with a difference: how many conversions more have it, and how many fewer.
    pub by_reason: BTreeMap<Code, (u64, u64)>,
}

impl Preview {
    /// Judges the past by the rules as they are and as they would be.
    #[must_use]
    pub fn of(present: &RuleSet, changed: &RuleSet, past: impl IntoIterator<Item = Past>) -> Self {
        let mut preview = Self::default();
        past.into_iter().for_each(|one| preview.add(present, changed, &one));
        preview
    }

    fn add(&mut self, present: &RuleSet, changed: &RuleSet, one: &Past) {
        let codes = |rules: &RuleSet| -> Vec<Code> {
            rules.flags(&one.seen, one.campaign, one.at).map(|flag: Flag| flag.code).collect()
        };
        let (before, after) = (codes(present), codes(changed));
        self.looked_at += 1;
        for code in after.iter().filter(|code| !before.contains(code)) {
            self.by_reason.entry(*code).or_default().0 += 1;
        }
        for code in before.iter().filter(|code| !after.contains(code)) {
            self.by_reason.entry(*code).or_default().1 += 1;
        }
        match (before.is_empty(), after.is_empty()) {
            (true, false) => {
                self.flagged.push(one.conversion);
                self.flagged_approved += u64::from(one.status == ConversionStatus::Approved);
            }
            (false, true) => {
                let lost = matches!(one.status, ConversionStatus::Rejected | ConversionStatus::Reversed);
                self.spared.push(one.conversion);
                self.spared_rejected += u64::from(lost);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Chance, Clock};

    fn rules(limit: u32) -> RuleSet {
        let json = format!(
            r#"{{"version": {limit}, "rules": {{"quick_conversion": {{"parameters": {{"limit": {limit}}}}}}}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    /// Conversions so many seconds after their clicks, every third of them approved and the others rejected.
    fn past() -> Vec<Past> {
        let clock = Clock::standing_at(DateTime::from_timestamp(1_769_947_200, 0).unwrap());
        let chance = Chance::seeded(1);
        let campaign = CampaignId::new(&clock, &chance);
        let one = |seconds: i64| Past {
            conversion: ConversionId::new(&clock, &chance),
            campaign,
            at: clock.now(),
            seen: Evidence { click_to_conversion_seconds: Some(seconds), ..Evidence::default() },
            status: if seconds % 3 == 0 { ConversionStatus::Approved } else { ConversionStatus::Rejected },
        };
        (0..30).map(one).collect()
    }

    #[test]
    fn a_preview_says_whom_a_change_would_have_flagged_and_what_became_of_them() {
        let past = past();
        let wider = Preview::of(&rules(10), &rules(17), past.clone());
        assert_eq!(wider.flagged, past[10..17].iter().map(|it| it.conversion).collect::<Vec<_>>());
        assert_eq!((wider.looked_at, wider.flagged_approved, wider.spared.len()), (30, 2, 0));
        assert_eq!(wider.by_reason, BTreeMap::from([(Code::QuickConversion, (7, 0))]));
        let back = Preview::of(&rules(17), &rules(10), past.clone());
        assert_eq!((back.spared, back.spared_rejected, back.flagged.len()), (wider.flagged, 5, 0));
        assert_eq!(Preview::of(&rules(10), &rules(10), past).by_reason, BTreeMap::new());
    }
}
