//! The network itself: who advertises what, who sends visitors, and what is hidden about both.

pub mod affiliate;
pub mod campaign;
pub(crate) mod regulars;

use domain::Money;
use serde::Serialize;

use self::{
    affiliate::{Affiliate, Link, account, effect},
    campaign::{Advertiser, Campaign, REGIONS},
};
use crate::{
    dice::{Dice, Lots, Part, exp, mixed, real, size},
    patterns::{self, Nature, Unit},
    rhythm::{DAY, MINUTE, Rhythm},
    run::Run,
    settings::{Settings, SettingsError},
    till,
    truth::{self, Truth},
    visit::{
        course::game,
        customer::expected_value,
        path::{Path, Touch},
        person::{People, Person},
        told::Telling,
    },
};

/// Whom something is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// People who learn.
    Students,
    /// People who play.
    Gamers,
    /// People at work.
    Professionals,
    /// People with children.
    Families,
    /// People who count every cent.
    Savers,
    /// People with time.
    Seniors,
}

impl Audience {
    pub(crate) const ALL: [Self; 6] =
        [Self::Students, Self::Gamers, Self::Professionals, Self::Families, Self::Savers, Self::Seniors];

    /// How well a message for one audience reaches another (chosen): neighbours in the list are alike.
    pub(crate) fn fits(self, other: Self) -> f64 {
        match (self as usize).abs_diff(other as usize) {
            0 => 1.6,
            1 | 5 => 1.0,
            2 | 4 => 0.7,
            _ => 0.45,
        }
    }
}

/// A network of affiliates in which everything is known; [`World::run`] lets its time pass.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) people: People,
    /// Who sells.
    pub advertisers: Vec<Advertiser>,
    /// What is advertised.
    pub campaigns: Vec<Campaign>,
    /// Who sends visitors.
    pub affiliates: Vec<Affiliate>,
    /// The ways from affiliates to campaigns.
    pub links: Vec<Link>,
    /// By region.
    rhythms: Vec<Rhythm>,
    /// By affiliate: the lots of their links.
    link_lots: Vec<Lots>,
    /// By pattern: how much of it there is.
    pub(crate) intensities: Vec<f64>,
    /// By pattern: who follows it.
    pub(crate) perpetrators: Vec<Vec<u32>>,
    pub(crate) pace: Pace,
}

/// How much happens in an ordinary minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) clicks: f64,
    /// Honest journeys that begin.
    pub(crate) journeys: f64,
    /// Orders at the end of these.
    pub(crate) orders: f64,
}

impl World {
    /// A world as it was asked for.
    ///
    /// # Errors
    /// When that cannot be.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let (seed, founded_us) = (settings.seed, (settings.start_us - 800 * DAY).max(0));
        let people = People::new(seed, settings.people);
        let sellers = u64::from(settings.campaigns).div_ceil(3);
        let advertisers: Vec<_> = (0..sellers).map(|it| Advertiser::made(seed, it, founded_us)).collect();
        let campaign = |it| {
            let own = Campaign::made(seed, it, &advertisers, founded_us);
            Campaign { together: settings.together.unwrap_or(own.together), ..own }
        };
        let campaigns = (0..u64::from(settings.campaigns)).map(campaign).collect();
        let affiliate = |it| Affiliate::made(seed, it, settings.start_us, settings.days, &people);
        let affiliates = (0..u64::from(settings.affiliates)).map(affiliate).collect();
        let intensities = settings.intensities();
        let mut world = Self {
            people,
            advertisers,
            campaigns,
            affiliates,
            links: Vec::new(),
            rhythms: REGIONS.iter().map(|region| Rhythm::of(region)).collect(),
            link_lots: Vec::new(),
            intensities,
            perpetrators: Vec::new(),
            pace: Pace::default(),
            settings,
        };
        world.make_hierarchy();
        world.make_perpetrators();
        world.make_links();
        world.pace = world.expected_pace();
        world.make_budgets();
        Ok(world)
    }

    /// Lets time pass, from the first midnight to the last: what happens is told as it becomes known.
    #[must_use]
    pub fn run(&self) -> Run<'_> {
        Run::new(self, Telling::AsKnown)
    }

    /// The same time, in which what happens is told as it happens, with the moment when it will become known: the order
    /// of a lake's partitions.
    #[must_use]
    pub fn run_as_it_happens(&self) -> Run<'_> {
        Run::new(self, Telling::AsHappening)
    }

    /// What the world was asked to be like.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One in four was recruited by somebody before them in the list, so that nobody stands above themselves.
    fn make_hierarchy(&mut self) {
        for number in 1..self.affiliates.len() {
            let mut dice = self.settings.seed.dice(Part::Group, number as u64);
            if dice.happens(0.25) {
                self.affiliates[number].parent = Some(self.affiliates[dice.index(number)].id);
            }
        }
    }

    /// Each affiliate has one to six campaigns, more often those that fit their audience; who seizes orders has others
    /// besides, so that somebody does in each campaign.
    fn make_links(&mut self) {
        let position = |place: usize| u32::try_from(place).expect("a world has fewer than 2^32 links");
        for number in 0..self.affiliates.len() {
            let affiliate = &mut self.affiliates[number];
            let mut dice = self.settings.seed.dice(Part::Links, !(number as u64));
            let lots =
                Lots::new(self.campaigns.iter().map(|it| squared(affiliate.audience.fits(it.audience))));
            let mut chosen: Vec<usize> = (0..dice.span(1, 7)).map(|_| lots.draw(&mut dice)).collect();
            let seizes = affiliate.scheme.filter(|scheme| patterns::get(*scheme).unit == Unit::Seized);
            let (all, own) = seizes.map_or((1, None), |scheme| {
                let dealt = &self.perpetrators[scheme];
                (dealt.len(), dealt.iter().position(|it| *it as usize == number))
            });
            chosen.extend((0..self.campaigns.len()).filter(|campaign| Some(campaign % all) == own));
            chosen.sort_unstable();
            chosen.dedup();
            for campaign in chosen {
                let ends = (position(number), position(campaign));
                let place = position(self.links.len());
                affiliate.links.push(place);
                self.links.push(Link::made(self.settings.seed, ends, affiliate, &self.campaigns[campaign]));
                let campaign = &mut self.campaigns[campaign];
                campaign.links.push(place);
                if let Some(scheme) = seizes {
                    campaign.seizers.entry(scheme).or_default().push(place);
                }
            }
            let weights = affiliate.links.iter().map(|&link| self.links[link as usize].weight);
            self.link_lots.push(Lots::new(weights));
        }
        for campaign in &mut self.campaigns {
            let weight = |&link: &u32| {
                let affiliate = &self.affiliates[self.links[link as usize].affiliate as usize];
                affiliate.size * affiliate.source.traffic().closes
            };
            campaign.closers = Lots::new(campaign.links.iter().map(weight));
        }
    }

    /// Deals out who follows which scheme: three in two hundred for each, from those who were there at the start.
    fn make_perpetrators(&mut self) {
        let seed = self.settings.seed;
        let mut deck: Vec<u32> = (0..).take(self.affiliates.len()).collect();
        deck.retain(|&it| self.affiliates[it as usize].joined_at_us < self.settings.start_us);
        deck.sort_by_key(|&it| seed.key(Part::Perpetrators, u64::from(it)));
        let usual = self.affiliates.len() * 3 / 200;
        for (number, pattern) in patterns::all().enumerate() {
            let fraud = pattern.nature == Nature::Fraud && 0.0 < self.intensities[number];
            let count = if fraud { usual.max(pattern.accounts).min(deck.len()) } else { 0 };
            let dealt = deck.split_off(deck.len() - count);
            for (place, &it) in dealt.iter().enumerate() {
                self.affiliates[it as usize].scheme = Some(number);
                if 1 < pattern.accounts {
                    // A ring has as many accounts as the scheme needs, and all are paid to one.
                    let ring = (place / pattern.accounts) as u64;
                    self.affiliates[it as usize].ring = Some(ring);
                    self.affiliates[it as usize].account_hash = account(seed, mixed(ring) | 1 << 63);
                }
            }
            self.perpetrators.push(dealt);
        }
    }

    /// Tries twenty thousand journeys to see how many clicks and orders one has.
    fn expected_pace(&self) -> Pace {
        const TRIED: u64 = 20_000;
        let lots = Lots::new(self.affiliates.iter().map(|it| it.size * it.source.traffic().opens));
        let (mut clicks, mut orders) = (0, 0.0);
        for number in 0..TRIED {
            let mut dice = self.settings.seed.dice(Part::Probe, number);
            let link = self.link_by(lots.draw(&mut dice), &mut dice);
            let path = Path::planned(self, link, &mut dice);
            clicks += path.steps().iter().filter(|step| step.touch == Touch::Click).count();
            orders += game(self, self.link(link).campaign, &path, 1.0).probability();
        }
        let honest = 1.0 - patterns::share_of_clicks(&self.intensities);
        let recorded = size(clicks) / real(TRIED) * (1.0 - self.settings.losses.blocker);
        let all = self.settings.clicks_per_minute();
        let journeys = all * honest / recorded.max(1e-9);
        Pace { clicks: all, journeys, orders: journeys * orders / real(TRIED) }
    }

    /// For each link, which share of all journeys begins with it.
    pub(crate) fn link_traffic(&self) -> Vec<f64> {
        let sent = |it: &Affiliate| it.size * it.source.traffic().opens;
        let all: f64 = self.affiliates.iter().map(sent).sum();
        let of = |link: &Link| {
            let affiliate = &self.affiliates[link.affiliate as usize];
            let weights: f64 = affiliate.links.iter().map(|&it| self.link(it).weight).sum();
            sent(affiliate) / all * link.weight / weights
        };
        self.links.iter().map(of).collect()
    }

    /// Each campaign can pay for so many times the commissions that are to be expected in a month, more or less: of
    /// which a log-normal spread of 0.7 (chosen) leaves one in six with too little when the middle is twice as much.
    fn make_budgets(&mut self) {
        let mut shares = vec![0.0; self.campaigns.len()];
        for (link, traffic) in self.links.iter().zip(self.link_traffic()) {
            let organic = self.campaign(link.campaign).vertical.organic;
            shares[link.campaign as usize] += traffic * (link.effect + organic);
        }
        let (all, month) =
            (shares.iter().sum::<f64>().max(1e-300), real((till::MONTH / MINUTE).unsigned_abs()));
        for ((campaign, share), number) in self.campaigns.iter_mut().zip(shares).zip(0..) {
            let mut dice = self.settings.seed.dice(Part::Budgets, number);
            let spends = self.pace.orders * month * share / all * campaign.commission();
            let middle = (spends * self.settings.budgets).max(10_000.0 * self.settings.budgets.min(1.0));
            let budget = Money::new(campaign::cents(dice.log_normal(middle, 0.7)), campaign.currency());
            campaign.monthly_budget = (0.0 < self.settings.budgets).then_some(budget);
        }
    }

    /// When time began: some weeks before the first midnight, unless that is before all time.
    pub(crate) fn began_us(&self) -> i64 {
        (self.settings.start_us - i64::from(self.settings.warm_up_days) * DAY).max(0)
    }

    pub(crate) fn link(&self, link: u32) -> &Link {
        &self.links[link as usize]
    }

    pub(crate) fn campaign(&self, campaign: u32) -> &Campaign {
        &self.campaigns[campaign as usize]
    }

    pub(crate) fn advertiser(&self, advertiser: usize) -> &Advertiser {
        &self.advertisers[advertiser]
    }

    pub(crate) fn campaign_of(&self, link: u32) -> &Campaign {
        self.campaign(self.link(link).campaign)
    }

    pub(crate) fn affiliate_of(&self, link: u32) -> &Affiliate {
        &self.affiliates[self.link(link).affiliate as usize]
    }

    /// One of an affiliate's links.
    pub(crate) fn link_by(&self, affiliate: usize, dice: &mut Dice) -> u32 {
        self.affiliates[affiliate].links[self.link_lots[affiliate].draw(dice)]
    }

    /// How somebody meets what is said through this link.
    pub(crate) fn touch(&self, link: u32, dice: &mut Dice) -> Touch {
        let (traffic, luck) = (self.affiliate_of(link).source.traffic(), dice.unit());
        match luck {
            _ if luck < traffic.views => Touch::Impression,
            _ if luck < traffic.views + traffic.offline => Touch::Offline,
            _ => Touch::Click,
        }
    }

    /// How busy this moment is everywhere, relative to a mean one.
    pub(crate) fn level(&self, at_us: i64) -> f64 {
        self.rhythms[0].level(at_us)
    }

    /// How busy the busiest hour of any region is.
    pub(crate) fn peak(&self) -> f64 {
        self.rhythms.iter().map(Rhythm::peak).fold(0.0, f64::max)
    }

    /// Whether somebody comes who would come at the busiest hour: as likely as a campaign's region is busy now.
    pub(crate) fn comes(&self, campaign: u32, at_us: i64, dice: &mut Dice) -> bool {
        dice.happens(self.rhythms[self.campaign(campaign).region].level(at_us) / self.peak())
    }

    /// Somebody who is about at this moment, in a country where a campaign runs.
    pub(crate) fn visitor(&self, campaign: u32, at_us: i64, dice: &mut Dice) -> Person {
        let region = self.campaign(campaign).region;
        let country = REGIONS[region][self.rhythms[region].country(at_us, dice)];
        self.people.somebody_in(country, dice)
    }

    /// What is hidden about affiliates, campaigns, and how they would go together.
    pub(crate) fn truth(&self) -> impl Iterator<Item = Truth> {
        let affiliates = self.affiliates.iter().map(|it| {
            Truth::Affiliate(truth::Affiliate {
                affiliate: it.id,
                scheme: it.scheme.map(|scheme| patterns::get(scheme).name),
                ring: it.ring,
                quality: it.quality,
                steadiness: it.steadiness,
                size: it.size,
            })
        });
        let campaigns = self.campaigns.iter().map(|it| {
            Truth::Campaign(truth::Campaign {
                campaign: it.id,
                organic: it.vertical.organic,
                together: it.together,
            })
        });
        let pairs = self.affiliates.iter().flat_map(|it| self.campaigns.iter().map(move |to| (it, to)));
        affiliates.chain(campaigns).chain(pairs.map(|(it, to)| Truth::Match(self.matched(it, to))))
    }

    fn matched(&self, affiliate: &Affiliate, campaign: &Campaign) -> truth::Match {
        let caused = effect(affiliate, campaign);
        let converts = caused + campaign.vertical.organic;
        let order = real(campaign.price.minor.unsigned_abs()) * exp(0.125);
        let pays = order * f64::from(campaign.rate.ppm) / 1e6;
        let value = expected_value(campaign, affiliate.worth(campaign));
        truth::Match {
            affiliate: affiliate.id,
            campaign: campaign.id,
            linked: affiliate.links.iter().any(|&link| self.link(link).campaign_id == campaign.id),
            converts,
            caused,
            earns_per_thousand_minor: 1_000.0 * converts * pays,
            brings_per_thousand_minor: 1_000.0 * (caused * value - converts * pays),
        }
    }
}

fn squared(number: f64) -> f64 {
    number * number
}
