//! What the worker would have found out about sources, as of each day, and of bursts as of every five minutes, by what was
//! known by then. A source is a partner in a campaign.

use std::collections::{BTreeMap, HashMap, VecDeque};

use domain::{
    AffiliateId, CampaignId,
    fraud::statistics::{
        Excess,
        sources::{Surge, Yield, bursts, conversion_rates, expected_hours, flat_hours, time_shapes},
    },
};
use features::{
    evidence::Findings,
    window::{DAY, HOUR, SECOND},
};
use foldhash::fast::RandomState;

/// How far back sources are looked at.
const BACK: i64 = 28 * DAY;
const BACK_SECONDS: u64 = 28 * 86_400;
/// How often bursts are looked for.
const OFTEN: i64 = 300 * SECOND;
/// The windows of bursts, in seconds.
const WINDOWS: [u64; 3] = [300, 3_600, 86_400];

/// Sources, and what is known of them.
#[derive(Default)]
pub(super) struct Sources {
    numbers: HashMap<(CampaignId, AffiliateId), usize, RandomState>,
    list: Vec<Source>,
    countries: HashMap<String, u32, RandomState>,
    clicks: VecDeque<Click>,
    /// How often the clicks of each campaign convert.
    rates: BTreeMap<CampaignId, f64>,
    /// When something is looked at next; none before the first event.
    next_day_us: Option<i64>,
    next_often_us: i64,
}

struct Source {
    campaign: CampaignId,
    /// What kind of traffic: only sources of one kind are compared.
    kind: String,
    /// Conversions that became known, and their seconds from click to conversion, if they have a click.
    sales: VecDeque<(i64, Option<i64>)>,
    clicks: u64,
    /// When clicks of the last 24 hours became known.
    recent: VecDeque<i64>,
    findings: Findings,
}

#[derive(Clone, Copy)]
struct Click {
    known_us: i64,
    source: usize,
    country: u32,
    hour: u8,
}

impl Sources {
    /// Lets time pass.
    pub(super) fn advance(&mut self, now_us: i64) {
        let Some(mut day_us) = self.next_day_us else {
            self.next_day_us = Some((now_us.div_euclid(DAY) + 1) * DAY);
            self.next_often_us = (now_us.div_euclid(OFTEN) + 1) * OFTEN;
            return;
        };
        while day_us <= now_us {
            self.look_at_all(day_us);
            day_us += DAY;
        }
        self.next_day_us = Some(day_us);
        if self.next_often_us <= now_us {
            let latest = now_us.div_euclid(OFTEN) * OFTEN;
            self.look_for_bursts(latest);
            self.next_often_us = latest + OFTEN;
        }
    }

    /// A click became known.
    pub(super) fn click(&mut self, known_us: i64, of: (CampaignId, AffiliateId), kind: &str, country: &str) {
        let source = self.number(of, kind);
        let next = self.countries.len() as u32;
        let country = match self.countries.get(country) {
            Some(number) => *number,
            None => *self.countries.entry(country.to_owned()).or_insert(next),
        };
        let hour = (known_us.rem_euclid(DAY) / HOUR) as u8;
        self.clicks.push_back(Click { known_us, source, country, hour });
        self.list[source].clicks += 1;
        self.list[source].recent.push_back(known_us);
    }

    /// A conversion became known.
    pub(super) fn sale(
        &mut self,
        known_us: i64,
        of: (CampaignId, AffiliateId),
        kind: &str,
        seconds: Option<i64>,
    ) {
        let source = self.number(of, kind);
        self.list[source].sales.push_back((known_us, seconds));
    }

    /// What is known of a source now.
    pub(super) fn findings(&self, of: (CampaignId, AffiliateId)) -> Findings {
        self.numbers.get(&of).map(|source| self.list[*source].findings).unwrap_or_default()
    }

    fn number(&mut self, of: (CampaignId, AffiliateId), kind: &str) -> usize {
        let next = self.list.len();
        let number = *self.numbers.entry(of).or_insert(next);
        if number == next {
            self.list.push(Source {
                campaign: of.0,
                kind: kind.to_owned(),
                sales: VecDeque::new(),
                clicks: 0,
                recent: VecDeque::new(),
                findings: Findings::default(),
            });
        }
        number
    }

    /// Once a day: shapes of times, rates and hours of all sources.
    fn look_at_all(&mut self, now_us: i64) {
        let begin_us = now_us - BACK;
        while let Some(gone) = self.clicks.pop_front_if(|click| click.known_us < begin_us) {
            self.list[gone.source].clicks -= 1;
        }
        for source in &mut self.list {
            while source.sales.pop_front_if(|(known_us, _)| *known_us < begin_us).is_some() {}
            while source.recent.pop_front_if(|known_us| *known_us < now_us - DAY).is_some() {}
        }
        self.count_rates();
        let mut alike: BTreeMap<(CampaignId, String), Vec<usize>> = BTreeMap::new();
        for (number, source) in self.list.iter().enumerate() {
            alike.entry((source.campaign, source.kind.clone())).or_default().push(number);
        }
        for of in alike.into_values() {
            self.compare(&of);
        }
        self.compare_hours();
    }

    fn count_rates(&mut self) {
        let mut counts: BTreeMap<CampaignId, (u64, u64)> = BTreeMap::new();
        for source in &self.list {
            let (clicks, sales) = counts.entry(source.campaign).or_default();
            *clicks += source.clicks;
            *sales += source.sales.len() as u64;
        }
        let rate = |(clicks, sales): (u64, u64)| sales as f64 / clicks.max(1) as f64;
        self.rates = counts.into_iter().map(|(campaign, it)| (campaign, rate(it))).collect();
    }

    /// Sources of one campaign and kind.
    fn compare(&mut self, of: &[usize]) {
        let times: Vec<Vec<i64>> = of
            .iter()
            .map(|it| self.list[*it].sales.iter().filter_map(|(_, seconds)| *seconds).collect())
            .collect();
        let yields: Vec<Yield> = of
            .iter()
            .zip(&times)
            .map(|(it, times)| Yield { clicks: self.list[*it].clicks, conversions: times.len() as u64 })
            .collect();
        let shapes = time_shapes(&times.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let excesses = conversion_rates(&yields, BACK_SECONDS);
        for ((source, shape), excess) in of.iter().zip(shapes).zip(excesses) {
            let findings = &mut self.list[*source].findings;
            (findings.time_shape, findings.rate_excess) = (shape, excess);
        }
    }

    fn compare_hours(&mut self) {
        let mut own: Vec<([u64; 24], BTreeMap<u32, u64>)> = vec![Default::default(); self.list.len()];
        let mut campaigns: BTreeMap<(CampaignId, u32), [u64; 24]> = BTreeMap::new();
        for click in &self.clicks {
            let (hours, countries) = &mut own[click.source];
            hours[usize::from(click.hour)] += 1;
            *countries.entry(click.country).or_default() += 1;
            let all = campaigns.entry((self.list[click.source].campaign, click.country)).or_default();
            all[usize::from(click.hour)] += 1;
        }
        let with_hours = self.list.iter().zip(&own).map(|(source, (hours, countries))| {
            let of = |(country, clicks): (&u32, &u64)| (*clicks, campaigns[&(source.campaign, *country)]);
            (*hours, expected_hours(&countries.iter().map(of).collect::<Vec<_>>()))
        });
        let found = flat_hours(&with_hours.collect::<Vec<_>>(), BACK_SECONDS);
        for (source, excess) in self.list.iter_mut().zip(found) {
            source.findings.hour_excess = excess;
        }
    }

    /// Bursts of those who sold something just now.
    fn look_for_bursts(&mut self, now_us: i64) {
        let sold =
            |source: &Source| source.sales.back().is_some_and(|(known_us, _)| now_us - OFTEN <= *known_us);
        let of: Vec<usize> = (0..self.list.len()).filter(|it| sold(&self.list[*it])).collect();
        let surges = of.iter().flat_map(|source| WINDOWS.map(|seconds| self.surge(*source, now_us, seconds)));
        let found = bursts(&surges.collect::<Vec<_>>());
        for (source, found) in of.iter().zip(found.chunks(WINDOWS.len())) {
            let clearest = |one: &&Excess, other: &&Excess| one.q.total_cmp(&other.q);
            self.list[*source].findings.burst_excess = found.iter().flatten().min_by(clearest).copied();
        }
    }

    fn surge(&self, source: usize, now_us: i64, window_seconds: u64) -> Surge {
        let source = &self.list[source];
        let begin_us = now_us - window_seconds as i64 * SECOND;
        let before = source.sales.partition_point(|(known_us, _)| *known_us < begin_us);
        let until = source.sales.partition_point(|(known_us, _)| *known_us < now_us);
        let clicks = source.recent.len() - source.recent.partition_point(|known_us| *known_us < begin_us);
        let windows = BACK_SECONDS as f64 / window_seconds as f64;
        Surge {
            conversions: (until - before) as u64,
            clicks: clicks as u64,
            conversion_rate: self.rates.get(&source.campaign).copied().unwrap_or_default(),
            usual: before as f64 / windows,
            window_seconds,
        }
    }
}
