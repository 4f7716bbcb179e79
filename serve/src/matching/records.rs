//! Lists without a model: what affiliates alike have brought to a campaign, by the counters of links.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{joined::affiliate_words, known::Known};
use crate::store::recommendations::{AffiliateCard, Earned};

/// After so many minutes counters are read anew.
const FRESH_MINUTES: i64 = 1;
/// So many clicks count as much as what is usual.
const USUAL_CLICKS: f64 = 100.0;

/// Clicks, and the conversions that came of them.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    affiliates: u32,
    clicks: f64,
    conversions: f64,
}

impl Count {
    fn add(&mut self, earned: &Earned) {
        self.affiliates += 1;
        self.clicks += earned.clicks as f64;
        self.conversions += earned.conversions as f64;
    }

    fn join(self, other: Self) -> Self {
        Self {
            affiliates: self.affiliates + other.affiliates,
            clicks: self.clicks + other.clicks,
            conversions: self.conversions + other.conversions,
        }
    }

    /// Conversions for a click, drawn towards what is usual.
    fn rate(self, usual: f64) -> f64 {
        (self.conversions + USUAL_CLICKS * usual) / (self.clicks + USUAL_CLICKS)
    }
}

/// What is told of an affiliate.
type Words = BTreeSet<(&'static str, String)>;

fn words(card: &AffiliateCard) -> Words {
    let told = affiliate_words(card).into_iter().filter(|(name, _)| *name != "source");
    told.map(|(name, word)| (name, word.to_owned())).collect()
}

/// What all links have come to.
#[derive(Debug)]
pub struct Records {
    read_at: DateTime<Utc>,
    all: Count,
    /// By the places of affiliates.
    affiliates: HashMap<usize, Count>,
    /// By the places of campaigns: of all, and of affiliates of whom the same is told.
    campaigns: HashMap<usize, (Count, BTreeMap<Words, Count>)>,
}

/// How an affiliate and a campaign go together by the records.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Conversions for a click that are to be expected.
    pub score: f64,
    /// Why, in words and numbers.
    pub why: String,
}

impl Records {
    /// Puts counters together.
    #[must_use]
    pub fn new(earned: &[Earned], known: &Known, now: DateTime<Utc>) -> Self {
        let mut records = Self {
            read_at: now,
            all: Count::default(),
            affiliates: HashMap::new(),
            campaigns: HashMap::new(),
        };
        for row in earned {
            let places = (known.affiliate(row.affiliate_id), known.campaign(row.campaign_id));
            let (Some(affiliate), Some(campaign)) = places else { continue };
            records.all.add(row);
            records.affiliates.entry(affiliate).or_default().add(row);
            let (all, alike) = records.campaigns.entry(campaign).or_default();
            all.add(row);
            alike.entry(words(&known.affiliates()[affiliate])).or_default().add(row);
        }
        records
    }

    /// Whether they need not be read anew.
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        now < self.read_at + TimeDelta::minutes(FRESH_MINUTES)
    }

    /// How they go together.
    #[must_use]
    pub fn fit(&self, known: &Known, (affiliate, campaign): (usize, usize)) -> Fit {
        let usual = self.all.conversions / self.all.clicks.max(1.0);
        let own = self.affiliates.get(&affiliate).copied().unwrap_or_default();
        let nothing = (Count::default(), BTreeMap::new());
        let (all, groups) = self.campaigns.get(&campaign).unwrap_or(&nothing);
        let mine = words(&known.affiliates()[affiliate]);
        let mut shared = Words::new();
        let mut alike = Count::default();
        for (words, count) in groups.iter().filter(|(words, _)| !words.is_disjoint(&mine)) {
            alike = alike.join(*count);
            shared.extend(words.intersection(&mine).cloned());
        }
        let there = all.rate(usual);
        let among_alike = alike.rate(there);
        let lift = if 0.0 < usual { own.rate(usual) / usual } else { 1.0 };
        let thousand = |rate: f64| format!("{:.1}", 1_000.0 * rate);
        let mut why = Vec::new();
        if 0 < alike.affiliates {
            let shared = shared.iter().map(|(name, word)| format!("{name}={word}")).collect::<Vec<_>>();
            why.push(format!(
                "{} in common with {} of the campaign's {} affiliates, who bring {} conversions for 1,000 clicks",
                shared.join(", "),
                alike.affiliates,
                all.affiliates,
                thousand(alike.conversions / alike.clicks.max(1.0))
            ));
        }
        if 0 < all.affiliates {
            let brings = thousand(all.conversions / all.clicks.max(1.0));
            why.push(match all.affiliates {
                1 => format!("the campaign's only affiliate brings {brings} conversions for 1,000 clicks"),
                count => {
                    format!("the campaign's {count} affiliates bring {brings} conversions for 1,000 clicks")
                }
            });
        } else {
            why.push("nobody has brought clicks to the campaign yet".to_owned());
        }
        if 0 < own.affiliates {
            let brings = own.conversions / own.clicks.max(1.0);
            why.push(format!("the affiliate brings {} elsewhere", thousand(brings)));
        }
        Fit { score: among_alike * lift, why: why.join("; ") }
    }
}
