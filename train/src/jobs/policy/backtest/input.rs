//! A file of what happened, a row for each partner and period.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Rate, attribution::Channels};

use crate::{
    jobs::{
        policy::{PolicyJob, instant},
        table::{Numbers, Table},
    },
    policy::{
        backtest::{History, HistoryError, Row},
        fraction,
    },
};

/// Every column that may have another name.
pub(in crate::jobs::policy) const FIELDS: &[&str] = &[
    PARTNER,
    START,
    "source",
    RATE,
    "propensity",
    "conversions",
    "amount",
    "spend",
    "value",
    "values",
    "fraud",
    "known_at",
    "churn_ratio",
];
const PARTNER: &str = "partner_id";
const START: &str = "period_start";
const RATE: &str = "rate";

/// What happened, and where it was read.
pub(super) struct HistoryFile {
    pub(super) history: History,
    pub(super) source: String,
    pub(super) currency: Currency,
    /// Whether customers' values are told one by one.
    pub(super) is_detailed: bool,
}

impl HistoryFile {
    pub(super) fn read(path: &Path, job: &PolicyJob) -> Result<Self> {
        let table = Table::read(path, &job.column.iter().cloned().collect::<BTreeMap<_, _>>())?;
        let columns = Columns::of(&table, job)?;
        let (mut names, mut sources) = (Channels::default(), Channels::default());
        let partners = table.numbered(PARTNER, &mut names)?;
        let of_rows = match table.has("source") {
            true => table.numbered("source", &mut sources)?,
            false => vec![0; table.rows()],
        };
        let mut of_partners: Vec<Option<u32>> = vec![None; names.names().len()];
        for (row, (partner, source)) in partners.iter().zip(&of_rows).enumerate() {
            let known = of_partners[*partner as usize].get_or_insert(*source);
            ensure!(
                known == source,
                "{}: a partner has one source, and this one has two",
                table.place(row, "source")
            );
        }
        let bounds = bounds(&columns.starts);
        if bounds.len() < 3 {
            bail!("{}: {}", table.source(), HistoryError::Short(1));
        }
        let read = |row: usize| columns.row(row, partners[row] as usize, &bounds);
        let rows: Vec<Row> = (0..table.rows()).map(read).collect::<Result<_>>()?;
        let is_detailed = columns.values.is_some();
        let of_partners = of_partners.into_iter().map(|source| source.map_or(0, |source| source as usize));
        let sources = (of_partners.collect(), sources.names().len().max(1));
        let history = History::new(names.names().to_vec(), sources, bounds, rows);
        let history = history.map_err(|why| match why {
            HistoryError::Twice(first, row) => {
                let other = table.place(first, START);
                anyhow::anyhow!(
                    "{}: is the period of {other}; give each partner's period one row",
                    table.place(row, START)
                )
            }
            short @ HistoryError::Short(_) => anyhow::anyhow!("{}: {short}", table.source()),
        })?;
        let currency = match job.currency {
            Some(currency) => currency,
            None => "EUR".parse().context("a currency")?,
        };
        Ok(Self { history, source: table.source().to_owned(), currency, is_detailed })
    }
}

/// When periods begin, and at last when the last one ends: as long after its beginning as the one before took.
fn bounds(starts: &[DateTime<Utc>]) -> Vec<DateTime<Utc>> {
    let distinct: BTreeSet<DateTime<Utc>> = starts.iter().copied().collect();
    let mut bounds: Vec<DateTime<Utc>> = distinct.into_iter().collect();
    if let [.., before, last] = bounds.as_slice() {
        bounds.push(*last + (*last - *before));
    }
    bounds
}

struct Columns<'a> {
    table: &'a Table,
    starts: Vec<DateTime<Utc>>,
    known: Option<Vec<Option<DateTime<Utc>>>>,
    lag: TimeDelta,
    rates: Vec<Option<Rate>>,
    value: Option<Vec<Option<f64>>>,
    values: Option<Vec<Vec<f64>>>,
    numbers: BTreeMap<&'static str, Numbers>,
    early: Vec<(&'a str, Numbers)>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table, job: &'a PolicyJob) -> Result<Self> {
        let source = table.source();
        let starts = instants(table, START)?.into_iter().enumerate();
        let starts =
            starts.map(|(row, at)| at.with_context(|| format!("{}: says no time", table.place(row, START))));
        let args = &job.backtest_args;
        let known = table.has("known_at").then(|| instants(table, "known_at")).transpose()?;
        if known.is_none() && args.lag_days.is_none() {
            bail!(
                "{source} does not say when a period's values are known: give a column known_at, or say --lag-days 60; what \
                 is not known yet must not be learned from"
            );
        }
        let rates = table.rates(RATE)?;
        let rates =
            rates.with_context(|| format!("{source} has no column {RATE:?}; it has {}", table.names()))?;
        let mut numbers = BTreeMap::new();
        for field in ["propensity", "conversions", "amount", "spend", "fraud", "churn_ratio"] {
            numbers.extend(table.numbers(field)?.map(|column| (field, column)));
        }
        let has = |field: &str| numbers.contains_key(field);
        ensure!(has("conversions"), "{source} has no column \"conversions\"; it has {}", table.names());
        ensure!(
            has("amount") || has("spend"),
            "{source} has neither a column \"amount\", what orders came to, nor \"spend\", what was paid; it has {}",
            table.names()
        );
        let (value, values) = (table.amounts_if_any("value")?, table.lists("values")?);
        ensure!(
            value.is_some() || values.is_some(),
            "{source} has neither a column \"value\", what customers came to be worth, nor \"values\", each customer's; it has {}",
            table.names()
        );
        let mut early = Vec::new();
        for name in &args.early {
            let column = table.numbers(name)?;
            let names = || format!("{source} has no column {name:?} for --early; it has {}", table.names());
            early.push((name.as_str(), column.with_context(names)?));
        }
        Ok(Self {
            table,
            starts: starts.collect::<Result<_>>()?,
            known,
            lag: TimeDelta::days(args.lag_days.unwrap_or(0).into()),
            rates,
            value,
            values,
            numbers,
            early,
        })
    }

    fn row(&self, row: usize, partner: usize, bounds: &[DateTime<Utc>]) -> Result<Row> {
        let place = |field: &str| self.table.place(row, field);
        let said = |field: &str| self.numbers.get(field).and_then(|numbers| numbers.at(row));
        let period = bounds.binary_search(&self.starts[row]).unwrap_or(0);
        let end = bounds[period + 1];
        let rate = self.rates[row].with_context(|| format!("{}: says no rate", place(RATE)))?;
        let propensity = said("propensity");
        if let Some(propensity) = propensity.filter(|propensity| !(0.0 < *propensity && *propensity <= 1.0)) {
            bail!(
                "{}: {propensity} is no probability of what happened; expected above 0 up to 1",
                place("propensity")
            );
        }
        let conversions = said("conversions");
        let conversions = conversions.with_context(|| format!("{}: says nothing", place("conversions")))?;
        let fraud = said("fraud").unwrap_or(0.0);
        ensure!(
            fraud <= conversions,
            "{}: {fraud} of {conversions} conversions cannot be fraud",
            place("fraud")
        );
        let known_at = match &self.known {
            // A row that does not say when is never known.
            Some(known) => known[row].unwrap_or(DateTime::<Utc>::MAX_UTC),
            None => end + self.lag,
        };
        ensure!(
            end <= known_at,
            "{}: is before the period's end on {}; what customers are worth is known after they came",
            place("known_at"),
            end.format("%F")
        );
        let values = self.values.as_ref().map_or_else(Vec::new, |values| values[row].clone());
        let honest = conversions - fraud;
        if honest < values.len() as f64 {
            bail!("{}: has {} values of {honest} honest conversions", place("values"), values.len());
        }
        let value = match &self.value {
            Some(value) => value[row],
            // Honest customers without any value are not worth nothing; they are not known.
            None => Some(values.iter().sum()).filter(|_| !values.is_empty() || honest <= 0.0),
        };
        let early = |(name, numbers): &(&str, Numbers)| {
            numbers.at(row).with_context(|| format!("{}: says nothing", place(name)))
        };
        Ok(Row {
            partner,
            period,
            rate,
            propensity,
            conversions,
            amount: self.amount(row, rate)?,
            value,
            values,
            fraud,
            known_at,
            churn_ratio: said("churn_ratio"),
            early: self.early.iter().map(early).collect::<Result<_>>()?,
        })
    }

    /// What orders came to: as it is told, or as commissions tell.
    fn amount(&self, row: usize, rate: Rate) -> Result<f64> {
        let said = |field: &str| self.numbers.get(field).and_then(|numbers| numbers.at(row));
        if let Some(amount) = said("amount") {
            return Ok(amount);
        }
        let spend = said("spend").with_context(|| {
            format!(
                "{}: says nothing, and so it is not known what orders came to",
                self.table.place(row, "spend")
            )
        })?;
        ensure!(
            0 < rate.ppm,
            "{}: at a rate of zero commissions do not tell what orders came to; give a column amount",
            self.table.place(row, "spend")
        );
        Ok(spend / fraction(rate))
    }
}

fn instants(table: &Table, field: &str) -> Result<Vec<Option<DateTime<Utc>>>> {
    let read = |(row, at_us): (usize, Option<i64>)| {
        let Some(at_us) = at_us else { return Ok(None) };
        instant(at_us)
            .map(Some)
            .with_context(|| format!("{}: is thousands of years away", table.place(row, field)))
    };
    table.instants_if_any(field)?.into_iter().enumerate().map(read).collect()
}
