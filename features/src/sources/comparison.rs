//! Sources of one campaign and kind held against each other, by what was known at a midnight.

use std::collections::{BTreeMap, HashMap};

use domain::{
    AffiliateId, CampaignId,
    fraud::statistics::{
        RateSpread,
        sources::{Yield, conversion_rates, expected_hours, flat_hours, time_shapes},
    },
};
use foldhash::fast::RandomState;

use super::{BACK, counts::Hours};
use crate::{evidence::Findings, window::SECOND};

const BACK_SECONDS: u64 = (BACK / SECOND).unsigned_abs();

/// What is to be compared, taken out of the sources, so that the work of it is done where nobody waits.
#[derive(Debug)]
pub struct Comparison {
    sources: Vec<Gathered>,
    midnight_us: i64,
}

/// A source as it was at midnight.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) number: usize,
    pub(super) place: (CampaignId, AffiliateId),
    pub(super) kind: String,
    /// Seconds from click to conversion.
    pub(super) times: Vec<i64>,
    pub(super) hours: Hours,
    /// What its clicks had brought a day before.
    pub(super) before: Yield,
}

/// What a comparison found.
#[derive(Debug)]
pub struct Compared {
    pub(super) midnight_us: i64,
    pub(super) sources: Vec<(usize, Findings, Yield)>,
    pub(super) spreads: HashMap<CampaignId, HashMap<String, RateSpread, RandomState>, RandomState>,
}

impl Comparison {
    /// In an order of their own, so that the same is found whatever became known first.
    pub(super) fn of(mut sources: Vec<Gathered>, midnight_us: i64) -> Self {
        sources.sort_by(|one, other| {
            (one.place.0, &one.kind, one.place.1).cmp(&(other.place.0, &other.kind, other.place.1))
        });
        Self { sources, midnight_us }
    }

    /// Does it.
    #[must_use]
    pub fn made(self) -> Compared {
        let mut found = vec![Findings::default(); self.sources.len()];
        let yields: Vec<Yield> = self.sources.iter().map(Gathered::yields).collect();
        let mut spreads: HashMap<_, HashMap<_, _, _>, _> = HashMap::default();
        let mut begin = 0;
        for alike in
            self.sources.chunk_by(|one, other| (one.place.0, &one.kind) == (other.place.0, &other.kind))
        {
            let places = begin..begin + alike.len();
            begin = places.end;
            let yields = &yields[places.clone()];
            let times: Vec<&[i64]> = alike.iter().map(|source| source.times.as_slice()).collect();
            let (shapes, rates) = (time_shapes(&times), conversion_rates(yields, BACK_SECONDS));
            for ((found, shape), rate) in found[places].iter_mut().zip(shapes).zip(rates) {
                (found.time_shape, found.rate_excess) = (shape, rate);
            }
            let tried = yields.iter().map(|it| (it.conversions.min(it.clicks), it.clicks));
            if let Some(spread) = RateSpread::of(tried) {
                let kinds: &mut HashMap<_, _, _> = spreads.entry(alike[0].place.0).or_default();
                kinds.insert(alike[0].kind.clone(), spread);
            }
        }
        for (found, excess) in found.iter_mut().zip(flat_hours(&self.hours(), BACK_SECONDS)) {
            found.hour_excess = excess;
        }
        let sources = self.sources.iter().zip(found);
        let sources = sources.map(|(source, found)| (source.number, found, source.before)).collect();
        Compared { midnight_us: self.midnight_us, sources, spreads }
    }

    /// The hours of each source, and those to be expected where its clicks come from.
    fn hours(&self) -> Vec<([u64; 24], [f64; 24])> {
        let mut campaigns: BTreeMap<_, [u64; 24]> = BTreeMap::new();
        for source in &self.sources {
            for (country, hours) in &source.hours {
                let all = campaigns.entry((source.place.0, *country)).or_default();
                all.iter_mut().zip(hours).for_each(|(all, own)| *all += own);
            }
        }
        let of = |source: &Gathered| {
            let mut own = [0; 24];
            let mut countries = Vec::new();
            for (country, hours) in &source.hours {
                own.iter_mut().zip(hours).for_each(|(own, hour)| *own += hour);
                countries.push((hours.iter().sum(), campaigns[&(source.place.0, *country)]));
            }
            (own, expected_hours(&countries))
        };
        self.sources.iter().map(of).collect()
    }
}

impl Gathered {
    fn yields(&self) -> Yield {
        let clicks = self.hours.values().flatten().sum();
        Yield { clicks, conversions: self.times.len() as u64 }
    }
}
