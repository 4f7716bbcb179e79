//! Everybody as a version knows them: by what it learned, or, who came later, by what the records say.

use std::{collections::HashMap, sync::Arc};

use domain::{affiliate::AffiliateStatus, campaign::CampaignStatus};
use models::{
    best::Eligible,
    matching::{Part, Party},
};

use super::{known::Known, served::ServedVersion};
use crate::store::recommendations::{AffiliateCard, CampaignCard};

/// A version and everybody, at their places.
#[derive(Debug)]
pub struct Joined {
    /// The version.
    pub version: Arc<ServedVersion>,
    known: Arc<Known>,
    affiliates: Side,
    campaigns: Side,
}

/// Affiliates or campaigns.
#[derive(Debug)]
pub struct Side {
    /// As the version knows them, at their places.
    pub parties: Vec<Arc<Party>>,
    /// Who may be recommended at all.
    pub open: Eligible,
    /// Where those are that the version has numbers for.
    pub places: HashMap<u32, u32>,
}

impl Side {
    fn new(parties: Vec<Arc<Party>>, is_open: impl Fn(usize) -> bool) -> Self {
        let mut open = Eligible::none(parties.len());
        (0..parties.len()).filter(|place| is_open(*place)).for_each(|place| open.insert(place));
        let number = |(place, party): (u32, &Arc<Party>)| Some((party.number()?, place));
        let places = (0..).zip(&parties).filter_map(number).collect();
        Self { parties, open, places }
    }
}

impl Joined {
    /// Joins them; who has not changed since `before` is taken from there.
    #[must_use]
    pub fn new(version: &Arc<ServedVersion>, known: &Arc<Known>, before: Option<&Self>) -> Self {
        let before = before.filter(|before| Arc::ptr_eq(&before.version, version));
        let ranker = &version.ranker;
        let party = |part: Part, id: &dyn ToString, words: &[(&str, &str)]| {
            let known = ranker.known(part, &id.to_string());
            known.cloned().unwrap_or_else(|| Arc::new(ranker.stranger(part, words)))
        };
        let of_affiliate = |place: usize, card: &Arc<AffiliateCard>| {
            let same = before.and_then(|it| kept(&it.affiliates, it.known.affiliates(), (place, card)));
            same.unwrap_or_else(|| party(version.affiliates, &card.id, &affiliate_words(card)))
        };
        let of_campaign = |place: usize, card: &Arc<CampaignCard>| {
            let same = before.and_then(|it| kept(&it.campaigns, it.known.campaigns(), (place, card)));
            same.unwrap_or_else(|| {
                let (advertiser, currency) = (card.advertiser_id.to_string(), card.currency.code());
                let words = [("advertiser", advertiser.as_str()), ("currency", currency)];
                party(other(version.affiliates), &card.id, &words)
            })
        };
        let (affiliates, campaigns) = (known.affiliates(), known.campaigns());
        let of_affiliates = affiliates.iter().enumerate().map(|it| of_affiliate(it.0, it.1)).collect();
        let of_campaigns = campaigns.iter().enumerate().map(|it| of_campaign(it.0, it.1)).collect();
        Self {
            version: Arc::clone(version),
            known: Arc::clone(known),
            affiliates: Side::new(of_affiliates, |place| {
                affiliates[place].status == AffiliateStatus::Approved
            }),
            campaigns: Side::new(of_campaigns, |place| campaigns[place].status == CampaignStatus::Active),
        }
    }

    /// Whether it is of these.
    pub fn is_of(&self, version: &Arc<ServedVersion>, known: &Arc<Known>) -> bool {
        Arc::ptr_eq(&self.version, version) && Arc::ptr_eq(&self.known, known)
    }

    /// Affiliates, or campaigns.
    pub fn side(&self, are_campaigns: bool) -> &Side {
        if are_campaigns { &self.campaigns } else { &self.affiliates }
    }
}

fn kept<T>(side: &Side, cards: &[Arc<T>], (place, card): (usize, &Arc<T>)) -> Option<Arc<Party>> {
    cards.get(place).filter(|before| Arc::ptr_eq(before, card)).map(|_| Arc::clone(&side.parties[place]))
}

/// The other side.
pub fn other(part: Part) -> Part {
    match part {
        Part::User => Part::Item,
        Part::Item => Part::User,
    }
}

/// What the records tell of an affiliate, under the names that training has for it.
pub fn affiliate_words(card: &AffiliateCard) -> Vec<(&'static str, &str)> {
    let told = [
        ("country", &card.country),
        ("source", &card.traffic_source),
        ("traffic_source", &card.traffic_source),
        ("content_type", &card.content_type),
    ];
    told.into_iter().filter_map(|(name, word)| Some((name, word.as_deref()?))).collect()
}
