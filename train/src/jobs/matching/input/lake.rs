//! Affiliates and campaigns of the event lake: what a click of each pair brought, and where clicks come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Result, bail, ensure};
use domain::{
    AffiliateId, CampaignId, Currency, Money,
    attribution::Channels,
    click::Click,
    event::{Conversion, Event, Kind},
    id::AdvertiserId,
};
use features::lake::Lake;

use super::{Begun, Columns, Interaction, Users};
use crate::{
    anomaly::matrix::Values,
    jobs::lake::{Fates, Rates, amount, each, open},
};

const ALWAYS: std::ops::Range<i64> = i64::MIN..i64::MAX;
const HOUR_US: i64 = 3_600_000_000;

/// What clicks say of both sides, and the part of the clicks from which on a word is one of somebody's. Parts of the day, in
/// UTC, are a quarter each by themselves.
const FACTS: [(&str, f64); 4] = [("country", 0.1), ("device", 0.1), ("source", 0.1), ("hours", 0.3)];
const PARTS_OF_DAY: [&str; 4] = ["night", "morning", "afternoon", "evening"];

/// An affiliate in a campaign.
#[derive(Default)]
struct Pair {
    clicks: u64,
    first_us: Option<i64>,
    margin: f64,
    /// How many clicks had each word of each fact.
    words: BTreeMap<(usize, u32), u64>,
}

/// What a lake tells of pairs.
#[derive(Default)]
struct Told {
    pairs: BTreeMap<(AffiliateId, CampaignId), Pair>,
    words: [Channels; FACTS.len()],
    advertisers: BTreeMap<CampaignId, AdvertiserId>,
    orders: usize,
    currencies: BTreeSet<Currency>,
    of_nobody: usize,
    unpriced: usize,
}

/// Reads them. A pair's value is the margin of its clicks: what was left of the orders that the affiliate was credited with in
/// the campaign, less commission where the lake has its rate, over the clicks, of which an order by a coupon is one.
pub(super) fn read(address: &Path, users: Users, wanted: Option<Currency>) -> Result<Begun> {
    let lake = open(address)?;
    let mut told = Told::default();
    let columns = ["affiliate_id", "campaign_id", "advertiser_id", "country", "device", "source"];
    each(&lake, Kind::Click, &columns, &ALWAYS, |known| {
        if let Event::Click(visit) = &known.event {
            told.click(&visit.seen);
        }
    })?;
    told.orders(&lake, wanted)?;
    let source = address.display().to_string();
    ensure!(!told.pairs.is_empty(), "{source} has no click and no order of an affiliate");
    if wanted.is_none() && 1 < told.currencies.len() {
        let codes: Vec<&str> = told.currencies.iter().map(|it| it.code()).collect();
        bail!("{source} has amounts in {}: say which with --currency", codes.join(", "));
    }
    ensure!(
        0 < told.orders,
        "{source} has no order that an affiliate is credited with{}",
        wanted.map_or_else(String::new, |it| format!(" in {}", it.code()))
    );
    let currency = wanted.or(told.currencies.first().copied());
    Ok(told.begun(source, users, currency))
}

impl Told {
    fn click(&mut self, click: &Click) {
        let at_us = click.occurred_at_us;
        let part_of_day = (at_us.div_euclid(HOUR_US).rem_euclid(24) / 6) as usize;
        let texts = [&click.country, click.device.name(), &click.tags.source, PARTS_OF_DAY[part_of_day]];
        self.advertisers.insert(click.campaign, click.advertiser);
        let pair = self.pairs.entry((click.affiliate, click.campaign)).or_default();
        pair.clicks += 1;
        pair.first_us = Some(pair.first_us.map_or(at_us, |first| first.min(at_us)));
        for (fact, text) in texts.into_iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let word = self.words[fact].number(text);
            *pair.words.entry((fact, word)).or_default() += 1;
        }
    }

    fn orders(&mut self, lake: &Lake, wanted: Option<Currency>) -> Result<()> {
        let (rates, fates) = (Rates::read(lake)?, Fates::read(lake)?);
        let columns =
            ["affiliate_id", "campaign_id", "advertiser_id", "amount_minor", "currency", "click_id"];
        let mut margins: BTreeMap<(AffiliateId, CampaignId), BTreeMap<u128, f64>> = BTreeMap::new();
        each(lake, Kind::Conversion, &columns, &ALWAYS, |known| {
            let Event::Conversion(order) = &known.event else { return };
            self.currencies.insert(order.amount.currency);
            if wanted.is_none_or(|wanted| wanted == order.amount.currency)
                && let Some(pair) = self.order(order)
            {
                let left = fates.left(order.id.uuid().as_u128(), order.amount.minor, i64::MAX);
                let left = amount(Money { minor: left.unwrap_or(0), ..order.amount });
                let rate = rates.at(order.campaign, order.affiliate, order.occurred_at_us);
                self.unpriced += usize::from(rate.is_none());
                let kept = 1.0 - rate.map_or(0.0, |rate| f64::from(rate.ppm) / 1e6);
                margins.entry(pair).or_default().insert(order.id.uuid().as_u128(), kept * left);
            }
        })?;
        // Added up in the order of their ids, so that the order of knowing makes no difference.
        for (pair, margins) in margins {
            self.pairs.entry(pair).or_default().margin = margins.values().sum();
        }
        Ok(())
    }

    /// Whose order it is, if anybody's.
    fn order(&mut self, order: &Conversion) -> Option<(AffiliateId, CampaignId)> {
        let Some(affiliate) = order.affiliate else {
            self.of_nobody += 1;
            return None;
        };
        self.orders += 1;
        self.advertisers.insert(order.campaign, order.advertiser);
        if order.click.is_none() {
            let pair = self.pairs.entry((affiliate, order.campaign)).or_default();
            pair.clicks += 1;
            let at_us = order.occurred_at_us;
            pair.first_us = Some(pair.first_us.map_or(at_us, |first| first.min(at_us)));
        }
        Some((affiliate, order.campaign))
    }

    fn begun(self, source: String, users: Users, currency: Option<Currency>) -> Begun {
        let affiliates: BTreeSet<AffiliateId> = self.pairs.keys().map(|(affiliate, _)| *affiliate).collect();
        let campaigns: BTreeSet<CampaignId> = self.pairs.keys().map(|(_, campaign)| *campaign).collect();
        let affiliates: Vec<AffiliateId> = affiliates.into_iter().collect();
        let campaigns: Vec<CampaignId> = campaigns.into_iter().collect();
        let (mut of_affiliates, mut of_campaigns) =
            (vec![Counts::default(); affiliates.len()], vec![Counts::default(); campaigns.len()]);
        let mut rows = Vec::with_capacity(self.pairs.len());
        for ((affiliate, campaign), pair) in &self.pairs {
            let affiliate = affiliates.partition_point(|it| it < affiliate);
            let campaign = campaigns.partition_point(|it| it < campaign);
            of_affiliates[affiliate].add(pair);
            of_campaigns[campaign].add(pair);
            let (user, item) = match users {
                Users::Affiliates => (affiliate, campaign),
                Users::Campaigns => (campaign, affiliate),
            };
            // An order whose click is not in the lake has had one.
            let clicks = pair.clicks.max(1);
            let value = pair.margin / clicks as f64;
            let ts_us = pair.first_us.unwrap_or_default();
            let row = Interaction { user: user as u32, item: item as u32, value, ts_us };
            rows.push((row, u32::try_from(clicks).unwrap_or(u32::MAX)));
        }
        let told = [
            (self.of_nobody, "orders were credited to nobody, and are left out"),
            (self.unpriced, "orders have no known rate, and no commission is taken from them"),
        ];
        let notes =
            told.iter().filter(|(count, _)| 0 < *count).map(|(count, what)| format!("{count} {what}"));
        let notes = notes.collect();
        let affiliate_facts = self.facts(&of_affiliates);
        let mut campaign_facts = self.facts(&of_campaigns);
        let advertiser = |campaign: &CampaignId| self.advertisers.get(campaign).map(ToString::to_string);
        campaign_facts
            .push(("advertiser".to_owned(), Values::Categories(campaigns.iter().map(advertiser).collect())));
        let names_of_affiliates = named(affiliates.iter().map(ToString::to_string));
        let names_of_campaigns = named(campaigns.iter().map(ToString::to_string));
        let (mut names, mut facts, mut called) = (
            [names_of_affiliates, names_of_campaigns],
            [affiliate_facts, campaign_facts],
            ["affiliate", "campaign"],
        );
        if users == Users::Campaigns {
            names.reverse();
            facts.reverse();
            called.reverse();
        }
        let [users, items] = names;
        Begun { users, items, rows, facts, called, currency, is_timed: true, source, notes }
    }

    /// The words that many enough of somebody's clicks have.
    fn facts(&self, all: &[Counts]) -> Columns {
        let column = |(fact, (name, least)): (usize, &(&str, f64))| {
            let of = |counts: &Counts| {
                let of_fact = counts.words.range((fact, 0)..=(fact, u32::MAX));
                let total: u64 = of_fact.clone().map(|(_, count)| count).sum();
                let many = of_fact.filter(|(_, count)| least * total as f64 <= **count as f64);
                let mut words: Vec<String> =
                    many.map(|((_, word), _)| one_word(&self.words[fact].names()[*word as usize])).collect();
                words.sort_unstable();
                Some(words.join("|")).filter(|words| !words.is_empty())
            };
            ((*name).to_owned(), Values::Categories(all.iter().map(of).collect()))
        };
        FACTS.iter().enumerate().map(column).collect()
    }
}

/// How many clicks of somebody had each word of each fact.
#[derive(Clone, Default)]
struct Counts {
    words: BTreeMap<(usize, u32), u64>,
}

impl Counts {
    fn add(&mut self, pair: &Pair) {
        pair.words.iter().for_each(|(word, count)| *self.words.entry(*word).or_default() += count);
    }
}

/// A text that is not parted into words.
fn one_word(text: &str) -> String {
    text.replace(['|', ';', ',', ' '], "_")
}

fn named(names: impl Iterator<Item = String>) -> Channels {
    Channels::from(names.collect::<Vec<_>>())
}
