//! What is found out about sources beside features, kept event by event, one way for serving and for jobs. A source is a
//! partner in a campaign.
//!
//! Once a day, as of midnight in UTC, sources of one campaign and kind are compared by the last 28 days: their times from
//! click to conversion, how often their clicks convert, their hours ([`Comparison`]). Whether a source sells more at once
//! than its clicks explain is said of each conversion at its own moment.

mod comparison;
mod counts;

use std::collections::{HashMap, VecDeque};

use domain::{
    AffiliateId, CampaignId,
    campaign::EventKind,
    event::{Conversion, Event, Known},
    fraud::statistics::{
        Excess, RateSpread,
        sources::{Surge, Yield, own_spread},
    },
};
use foldhash::fast::RandomState;

pub use self::comparison::{Compared, Comparison};
use self::counts::{Country, Days, Recent, Slots};
use crate::{
    evidence::Findings,
    field::click_to_conversion_seconds,
    value::real,
    window::{DAY, HOUR, SECOND},
};

/// How far back sources are looked at.
const BACK: i64 = 28 * DAY;
/// The windows of bursts, in seconds.
const WINDOWS: [i64; 3] = [300, 3_600, 86_400];
/// Clicks of so long before a window may have led to its conversions, too.
const LAG: i64 = HOUR;

/// A partner in a campaign.
type Place = (CampaignId, AffiliateId);

/// Sources, and what is known of them.
#[derive(Debug, Default)]
pub struct Sources {
    numbers: HashMap<Place, usize, RandomState>,
    list: Vec<Source>,
    /// What happened in each campaign just now.
    campaigns: HashMap<CampaignId, Recent, RandomState>,
    /// How the rates of a campaign's sources of one kind differ.
    spreads: HashMap<CampaignId, HashMap<String, RateSpread, RandomState>, RandomState>,
    /// The midnight as of which sources were compared last.
    compared_us: Option<i64>,
    /// When the first event became known, and the newest.
    first_us: Option<i64>,
    newest_us: Option<i64>,
    /// How many sources sell something.
    selling: u64,
}

#[derive(Debug)]
struct Source {
    place: Place,
    /// What came of clicks, in the order in which it became known.
    sales: VecDeque<Sale>,
    days: Days,
    recent: Recent,
    /// What the last comparison found.
    found: Findings,
    /// What its clicks had brought a day before: nobody makes a burst usual by going on over midnight.
    own: Yield,
}

#[derive(Clone, Copy, Debug)]
struct Sale {
    known_us: i64,
    /// From its click, as the advertiser tells the time.
    seconds: i64,
    clicked_us: i64,
}

impl Sources {
    /// Takes in what became known, each event once; the order does not matter to a comparison that is made later.
    pub fn observe(&mut self, known: &Known<Event>) {
        let known_us = known.known_at_us;
        if !self.is_of_late(known_us) {
            return;
        }
        match &known.event {
            Event::Click(visit) => {
                let click = &visit.seen;
                let source = self.source((click.campaign, click.affiliate));
                source.days.count(known_us, Country::of(&click.country));
                source.recent.clicks.count(known_us);
                self.campaigns.entry(click.campaign).or_default().clicks.count(known_us);
            }
            Event::Conversion(conversion) => {
                let Some((affiliate, seconds, clicked_us)) = clicked(conversion) else { return };
                let source = self.source((conversion.campaign, affiliate));
                let is_first = source.sales.is_empty();
                let before = source.sales.partition_point(|it| it.known_us <= known_us);
                source.sales.insert(before, Sale { known_us, seconds, clicked_us });
                source.recent.sales.count(known_us);
                self.selling += u64::from(is_first);
                self.campaigns.entry(conversion.campaign).or_default().sales.count(known_us);
            }
            _ => return,
        }
        self.first_us = Some(self.first_us.map_or(known_us, |first_us| first_us.min(known_us)));
    }

    /// Whether a window still reaches what became known at an instant; what none reaches any more is forgotten with each new
    /// day, so that years may be told.
    fn is_of_late(&mut self, known_us: i64) -> bool {
        let newest_us = self.newest_us.unwrap_or(known_us);
        if self.newest_us.is_none_or(|newest_us| newest_us < known_us) {
            self.newest_us = Some(known_us);
            if midnight(newest_us) < midnight(known_us) {
                self.forget(midnight(known_us) - BACK);
            }
        }
        midnight(newest_us) - BACK <= known_us
    }

    /// Whether sources are to be compared, as a midnight has passed since they were.
    #[must_use]
    pub fn is_due(&self, now_us: i64) -> bool {
        self.compared_us.is_none_or(|compared_us| compared_us < midnight(now_us))
    }

    /// What is to be compared as of the last midnight. Partners have kinds: what kind of traffic they send.
    pub fn gather(&mut self, now_us: i64, kind: impl Fn(AffiliateId) -> String) -> Comparison {
        let midnight_us = midnight(now_us);
        self.forget(midnight_us - BACK);
        let gathered = self.list.iter().enumerate();
        let gathered = gathered.map(|(number, source)| source.gathered((number, midnight_us), &kind));
        Comparison::of(gathered.collect(), midnight_us)
    }

    /// Takes in what a comparison found.
    pub fn take(&mut self, compared: Compared) {
        self.compared_us = Some(compared.midnight_us);
        self.spreads = compared.spreads;
        for (number, found, own) in compared.sources {
            (self.list[number].found, self.list[number].own) = (found, own);
        }
        self.selling = self.list.iter().map(|source| u64::from(!source.sales.is_empty())).sum();
    }

    /// Compares sources where that is due.
    pub fn advance(&mut self, now_us: i64, kind: impl Fn(AffiliateId) -> String) {
        if self.is_due(now_us) {
            let comparison = self.gather(now_us, kind);
            self.take(comparison.made());
        }
    }

    /// What is found of the source of a conversion, a partner of this kind, at an instant; `is_told` says whether the
    /// conversion itself was taken in already.
    #[must_use]
    pub fn findings(&self, conversion: &Conversion, kind: &str, (at_us, is_told): (i64, bool)) -> Findings {
        let Some(affiliate) = conversion.affiliate else { return Findings::default() };
        let place = (conversion.campaign, affiliate);
        let source = self.numbers.get(&place).map(|number| &self.list[*number]);
        let found = source.map(|source| source.found).unwrap_or_default();
        let burst_excess = source.zip(clicked(conversion)).and_then(|(source, (.., clicked_us))| {
            let windows = WINDOWS.into_iter().filter(|window| is_led(at_us - clicked_us, *window));
            let excesses =
                windows.filter_map(|window| self.excess(source, kind, (at_us, u64::from(!is_told)), window));
            excesses.min_by(|one, other| one.q.total_cmp(&other.q))
        });
        Findings { burst_excess, ..found }
    }

    /// How many more conversions than is usual a source has in the window that ends at an instant, with `more` that are not
    /// told yet.
    fn excess(&self, source: &Source, kind: &str, (at_us, more): (i64, u64), seconds: i64) -> Option<Excess> {
        let begin_us = at_us - seconds * SECOND;
        let campaign = source.place.0;
        let spread = self.spreads.get(&campaign).and_then(|kinds| kinds.get(kind));
        let spread = own_spread(spread.copied(), source.own)?;
        let led =
            source.sold(begin_us, at_us + 1).filter(|sale| is_led(sale.known_us - sale.clicked_us, seconds));
        let conversions = led.count() as u64 + more;
        let span_us = begin_us - self.first_us?.max(at_us - BACK);
        let windows = real(span_us.into()) / real((seconds * SECOND).into());
        let before = source.sold(at_us - BACK, begin_us).len() as u64;
        let usual = if windows < 1.0 { 0.0 } else { real(before.into()) / windows };
        let clicks = source.recent.clicks.since(begin_us - LAG);
        let all = self.campaigns.get(&campaign)?;
        let others =
            |all: &Slots, own: &Slots, since_us| all.since(since_us).saturating_sub(own.since(since_us));
        let others_sales = others(&all.sales, &source.recent.sales, begin_us);
        let others_clicks = others(&all.clicks, &source.recent.clicks, begin_us - LAG);
        // Where nobody else has clicks, nobody says what happens to all.
        let shared = match others_clicks {
            0 => 0.0,
            _ => real((others_sales * clicks).into()) / real(others_clicks.into()),
        };
        let window_seconds = seconds.unsigned_abs();
        let surge = Surge { conversions, clicks, spread, usual, shared, window_seconds };
        Some(surge.excess(WINDOWS.len() as u64 * self.selling))
    }

    fn source(&mut self, place: Place) -> &mut Source {
        let next = self.list.len();
        let number = *self.numbers.entry(place).or_insert(next);
        if number == next {
            self.list.push(Source {
                place,
                sales: VecDeque::new(),
                days: Days::default(),
                recent: Recent::default(),
                found: Findings::default(),
                own: Yield { clicks: 0, conversions: 0 },
            });
        }
        &mut self.list[number]
    }

    /// Forgets what no window reaches any more.
    fn forget(&mut self, before_us: i64) {
        let recent_us = before_us + BACK - DAY - LAG;
        for source in &mut self.list {
            while source.sales.pop_front_if(|sale| sale.known_us < before_us).is_some() {}
            source.days.forget(before_us);
            source.recent.forget(recent_us);
        }
        self.campaigns.values_mut().for_each(|recent| recent.forget(recent_us));
    }
}

impl Source {
    /// What became known from an instant on and before another.
    fn sold(&self, begin_us: i64, end_us: i64) -> impl ExactSizeIterator<Item = &Sale> {
        let before = self.sales.partition_point(|sale| sale.known_us < begin_us);
        let until = self.sales.partition_point(|sale| sale.known_us < end_us);
        self.sales.range(before..until.max(before))
    }

    fn gathered(
        &self,
        (number, midnight_us): (usize, i64),
        kind: &impl Fn(AffiliateId) -> String,
    ) -> comparison::Gathered {
        let begin_us = midnight_us - BACK;
        comparison::Gathered {
            number,
            place: self.place,
            kind: kind(self.place.1),
            times: self.sold(begin_us, midnight_us).map(|sale| sale.seconds).collect(),
            hours: self.days.hours(begin_us, midnight_us),
            before: Yield {
                clicks: self.days.clicks(begin_us, midnight_us - DAY),
                conversions: self.sold(begin_us, midnight_us - DAY).len() as u64,
            },
        }
    }
}

/// Whether a conversion that became known so long after its click is one of the clicks within a window or shortly before: what
/// an advertiser reports once a night is not.
fn is_led(lag_us: i64, window_seconds: i64) -> bool {
    lag_us <= window_seconds * SECOND + LAG
}

/// The last one in UTC, by an instant.
fn midnight(now_us: i64) -> i64 {
    now_us.div_euclid(DAY) * DAY
}

/// Whose conversion it is, how many seconds after its click, and when that was; none where it says nothing of clicks. Whoever
/// reads a code aloud sells without clicks, and a renewal follows from the order before it.
fn clicked(conversion: &Conversion) -> Option<(AffiliateId, i64, i64)> {
    let affiliate = conversion.affiliate.filter(|_| conversion.kind != EventKind::Recurring)?;
    let clicked_us = conversion.click?.made_at()?.timestamp_micros();
    Some((affiliate, click_to_conversion_seconds(conversion)?, clicked_us))
}
