//! Thirty days as pictures, with the table behind them.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::{AffiliateId, Currency, Money};
use quick_cache::sync::Cache;
use sqlx::PgConnection;

use crate::{
    pages::{chart::Chart, live::amounts, reader::Reader, words::tell},
    store::{self, dashboard::Spans},
};

/// How many days are shown.
const SHOWN: u64 = 30;
/// So many days of the whole program are kept: a month for readers of each zone.
const PAST_DAYS: usize = 2_000;
/// So long after its end every transaction of a day has ended.
const SETTLED: TimeDelta = TimeDelta::hours(1);
/// A day, when it begins, and when it ends.
type DaySpan = (NaiveDate, DateTime<Utc>, DateTime<Utc>);

/// What happened on a day.
#[derive(Debug)]
pub struct Day {
    /// Which.
    pub day: String,
    /// Clicks.
    pub clicks: String,
    /// Conversions.
    pub conversions: String,
    /// Commissions.
    pub earned: String,
}

/// Thirty days of an affiliate or of the whole program.
#[derive(Debug)]
pub struct Trend {
    /// Each day, newest first.
    pub days: Vec<Day>,
    /// Clicks by day.
    pub clicks: String,
    /// Commissions by day, in the currency with the most of them; none where nothing was earned.
    pub earned: Option<String>,
    /// That currency.
    pub currency: &'static str,
}

/// Of whom days are shown.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Of an affiliate.
    Affiliate(AffiliateId),
    /// Of the whole program, of which days that are over are counted once.
    Program(&'a PastDays),
}

/// What is counted of a day.
#[derive(Clone, Debug)]
struct Counted {
    conversions: i64,
    earned: Vec<Money>,
}

/// Days of the whole program that are over, by when they begin and end. Conversions and commissions are of the day on which they
/// are taken in, and neither is ever taken away, so that such a day stays as it was counted.
#[derive(Debug)]
pub struct PastDays(Cache<(DateTime<Utc>, DateTime<Utc>), Counted>);

impl Default for PastDays {
    fn default() -> Self {
        Self(Cache::new(PAST_DAYS))
    }
}

impl Whose<'_> {
    fn affiliate(self) -> Option<AffiliateId> {
        match self {
            Self::Affiliate(affiliate) => Some(affiliate),
            Self::Program(_) => None,
        }
    }

    fn known(self, (_, begins, ends): DaySpan) -> Option<Counted> {
        match self {
            Self::Affiliate(_) => None,
            Self::Program(PastDays(past)) => past.get(&(begins, ends)),
        }
    }

    fn remember(self, (_, begins, ends): DaySpan, counted: &Counted, now: DateTime<Utc>) {
        if let Self::Program(PastDays(past)) = self
            && ends + SETTLED <= now
        {
            past.insert((begins, ends), counted.clone());
        }
    }

    /// What is counted of each of these days.
    async fn counted(
        self,
        db: &mut PgConnection,
        days: &[DaySpan],
        now: DateTime<Utc>,
    ) -> sqlx::Result<Vec<Counted>> {
        let known: Vec<Option<Counted>> = days.iter().map(|day| self.known(*day)).collect();
        let unknown = days.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(day, _)| *day);
        let unknown = Spans::new(unknown);
        let conversions = store::dashboard::conversions_by_day(db, self.affiliate(), &unknown).await?;
        let earned = store::dashboard::earned_by_day(db, self.affiliate(), &unknown).await?;
        let of = |(day, known): (&DaySpan, Option<Counted>)| {
            known.unwrap_or_else(|| {
                let conversions = conversions.iter().find(|it| it.day == day.0).map_or(0, |it| it.count);
                let earned = earned.iter().filter(|it| it.day == day.0).map(|it| it.amount).collect();
                let counted = Counted { conversions, earned };
                self.remember(*day, &counted, now);
                counted
            })
        };
        Ok(days.iter().zip(known).map(of).collect())
    }
}

/// The last thirty days, today among them.
pub async fn trend(
    db: &mut PgConnection,
    whose: Whose<'_>,
    reader: &Reader,
    now: DateTime<Utc>,
) -> sqlx::Result<Trend> {
    let today = reader.day(now);
    let first = today.checked_sub_days(Days::new(SHOWN - 1)).unwrap_or(today);
    let (span, zone) = ((reader.start_of(first), reader.end_of(today)), reader.zone());
    let clicks = store::traffic::clicks_by_day(db, whose.affiliate(), span, zone).await?;
    let shown = first.iter_days().take_while(|day| *day <= today);
    let shown: Vec<DaySpan> = shown.map(|day| (day, reader.start_of(day), reader.end_of(day))).collect();
    let counted = whose.counted(db, &shown, now).await?;
    let clicks_of = |day| clicks.iter().find(|it| it.day == day).map_or(0, |it| it.count);
    let amounts_of_days: Vec<Money> = counted.iter().flat_map(|it| &it.earned).copied().collect();
    let currency = most_used(&amounts_of_days);
    let (mut days, mut names, mut clicked, mut earnings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((day, ..), of_day) in shown.into_iter().zip(counted) {
        let in_currency = of_day.earned.iter().find(|amount| Some(amount.currency) == currency);
        names.push(day.format("%m-%d").to_string());
        clicked.push(as_float(clicks_of(day)));
        earnings.push(in_currency.map_or(0.0, |amount| as_float(amount.minor).max(0.0)));
        days.push(Day {
            day: day.to_string(),
            clicks: reader.number(clicks_of(day)),
            conversions: reader.number(of_day.conversions),
            earned: amounts(reader, &of_day.earned, "–"),
        });
    }
    days.reverse();
    let whole = |value: f64| reader.number(as_whole(value));
    let label = tell("chart-clicks", &[("count", &whole(clicked.iter().sum()))]);
    let clicks = Chart { label: &label, days: &names, values: &clicked, written: &whole }.svg();
    let earned = currency.map(|currency| {
        let written = |value: f64| reader.money(&Money::new(as_whole(value), currency));
        let label = tell("chart-earned", &[("sum", &written(earnings.iter().sum()))]);
        // A scale has no room for cents where there are hundreds.
        let places = 10_f64.powi(i32::from(currency.places()));
        let whole_only = places <= earnings.iter().copied().fold(0.0, f64::max) / 2.0;
        let scale = |value: f64| {
            let written = written(value);
            let plain = written.split('\u{a0}').next().unwrap_or_default().to_owned();
            if whole_only { reader.number(as_whole(value / places)) } else { plain }
        };
        Chart { label: &label, days: &names, values: &earnings, written: &scale }.svg()
    });
    Ok(Trend { days, clicks, earned, currency: currency.map_or("", Currency::code) })
}

/// The currency of most days; of those with as many, the one that more was earned in.
fn most_used(earned: &[Money]) -> Option<Currency> {
    let mut counted: Vec<(Currency, (usize, i64))> = Vec::new();
    for amount in earned {
        match counted.iter_mut().find(|(known, _)| *known == amount.currency) {
            Some((_, (days, sum))) => (*days, *sum) = (*days + 1, sum.saturating_add(amount.minor)),
            None => counted.push((amount.currency, (1, amount.minor))),
        }
    }
    counted.into_iter().max_by_key(|(_, times)| *times).map(|(currency, _)| currency)
}

/// A picture shows about so much; it is counted with elsewhere.
#[expect(clippy::cast_precision_loss, reason = "a point of a picture has no sixteen digits")]
fn as_float(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a mark of a scale is a whole number already")]
fn as_whole(value: f64) -> i64 {
    value as i64
}
