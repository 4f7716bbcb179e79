//! Partners and what they won: files of one's own, customers whose value was predicted, or the event lake.

mod customers;
mod lake;
mod predicted;
mod roster;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use clap::Args;
use domain::{Clock, Currency, Rate};
use models::fingerprint::Fingerprint;

pub(super) use self::roster::{Roster, Trait};
use crate::jobs::table;

/// What a partner without a source is of.
pub(super) const UNKNOWN_SOURCE: &str = "(unknown)";
/// Within so many days of their first purchase customers come back, or are counted as having left.
pub(super) const RETURN_DAYS: i32 = 90;

/// Which files, or which lake, and what is in them.
#[derive(Args, Clone, Debug)]
pub struct PartnerArgs {
    /// A file with a row for each partner, as CSV or Parquet: partner_id, and perhaps source, clicks, cost; any other column is
    /// its profile
    #[arg(long, value_name = "FILE")]
    pub(super) partners: Option<PathBuf>,
    /// A file of the same columns with those who want to become partners
    #[arg(long, value_name = "FILE")]
    applicants: Option<PathBuf>,
    /// A file with a row for each conversion: partner_id, value, and perhaps date, customer_id, campaign, amount, cost
    #[arg(long, value_name = "FILE", conflicts_with_all = ["predictions", "lake"])]
    customers: Option<PathBuf>,
    /// The predictions.csv of `tributary-train ltv`: a customer is worth what they have spent and what is predicted
    #[arg(long, value_name = "FILE", requires_all = ["transactions", "predicted_on"], conflicts_with = "lake")]
    predictions: Option<PathBuf>,
    /// The transactions that they were made from: the partner of a customer's first one won the customer
    #[arg(long, value_name = "FILE", requires = "predictions", conflicts_with_all = ["customers", "lake"])]
    transactions: Option<PathBuf>,
    /// The day that predictions were made for the time after, `--calibration-end` of `tributary-train ltv`: what customers had
    /// spent until then counts besides
    #[arg(long, value_name = "DATE", requires = "predictions", conflicts_with_all = ["customers", "lake"])]
    predicted_on: Option<NaiveDate>,
    /// Folder, or s3://BUCKET/FOLDER, of the event lake that clicks and conversions are taken from
    #[arg(long, value_name = "LAKE")]
    lake: Option<PathBuf>,
    /// Of a lake: what a customer orders in so many days after a conversion counts for it; later conversions are left out
    #[arg(long, default_value_t = 0, value_name = "DAYS", requires = "lake", conflicts_with_all = ["customers", "predictions"],
        value_parser = clap::value_parser!(u32).range(..=3_650))]
    pub(super) follow_days: u32,
    /// Of a lake: only orders in this currency
    #[arg(long, value_name = "CODE", requires = "lake", conflicts_with_all = ["customers", "predictions"])]
    pub(super) currency: Option<Currency>,
    /// Another name of a column: partner_id=affiliate; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = renamed)]
    column: Vec<(String, String)>,
    /// A column of partners that nothing is learned from; may be repeated
    #[arg(long, value_name = "COLUMN")]
    drop: Vec<String>,
    /// The commission as a part of the order's amount, such as 8%, or 0.08; without it costs are those of the files, or what the
    /// lake's rates say
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) rate: Option<Rate>,
    /// What every conversion cost, where all cost the same
    #[arg(long, value_name = "MONEY", value_parser = money, conflicts_with = "rate")]
    pub(super) cost_per_conversion: Option<f64>,
}

/// A conversion, and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Won {
    /// The number of its campaign; none where all are one.
    pub(super) campaign: Option<u32>,
    pub(super) day: Option<i32>,
    pub(super) value: f64,
    /// The commission.
    pub(super) cost: Option<f64>,
    /// Whether the customer came back in time; none where that is not known, or not yet.
    pub(super) came_back: Option<bool>,
    /// What it was worth by what was known at the end of days on which something became known, in their order; none where that
    /// is not told.
    pub(super) turns: Vec<Turn>,
}

/// What a conversion was worth by what was known at the end of a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) day: i32,
    pub(super) value: f64,
    pub(super) cost: Option<f64>,
}

/// A partner as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) source: Option<String>,
    pub(super) clicks: u64,
    /// Wants to become a partner, so that none of its clicks could convert yet.
    pub(super) applies: bool,
    /// Of a lake, by day and the number of the campaign.
    pub(super) clicked: BTreeMap<(i32, u32), u64>,
    /// What was paid to it in total, where a file says so.
    pub(super) cost: Option<f64>,
    pub(super) profile: BTreeMap<String, Trait>,
    /// In an order that does not depend on that of rows.
    pub(super) won: Vec<Won>,
}

/// All that is known.
pub(super) struct Input {
    /// In the order of their names.
    pub(super) partners: Vec<Listed>,
    pub(super) has_clicks: bool,
    /// The last day that something is told of, where there are days.
    pub(super) last_day: Option<i32>,
    /// After how many days it is known what a conversion brought; none where that was known on one day only.
    pub(super) known_after: Option<i32>,
    pub(super) notes: Vec<String>,
    /// What it was read from.
    pub(super) sources: Vec<(String, Fingerprint)>,
}

/// Conversions as a file or a lake tells of them.
#[derive(Default)]
struct Told {
    /// With the name of who won them.
    won: Vec<(String, Won)>,
    last_day: Option<i32>,
    known_after: Option<i32>,
    notes: Vec<String>,
    /// Fields that had another name.
    renamed: BTreeSet<String>,
    sources: Vec<(String, Fingerprint)>,
    /// Whether a lake told of them, in which several conversions may come of one click, and clicks are forgotten.
    is_lake: bool,
}

impl PartnerArgs {
    /// Reads them.
    pub(super) fn read(&self, clock: &Clock) -> Result<Input> {
        let mut roster = Roster::new(self.columns_of(roster::FIELDS), self.drop.clone());
        self.partners.iter().try_for_each(|path| roster.read(path))?;
        let listed: BTreeSet<String> = roster.partners.keys().cloned().collect();
        self.applicants.iter().try_for_each(|path| roster.read(path))?;
        let applicants = roster.partners.iter_mut().filter(|(name, _)| !listed.contains(*name));
        applicants.for_each(|(_, applicant)| applicant.applies = true);
        roster.check_drops()?;
        let mut told = match (&self.customers, &self.predictions, &self.transactions, &self.lake) {
            (Some(path), ..) => customers::read(path, self, clock)?,
            (None, Some(predictions), Some(transactions), _) => {
                predicted::read((predictions, transactions), self, clock)?
            }
            (None, _, _, Some(address)) => lake::read(address, self, &mut roster)?,
            _ => bail!(
                "say what partners won: --customers FILE, --transactions FILE with --predictions FILE, or --lake LAKE"
            ),
        };
        let seen = roster.partners.values().filter(|partner| !partner.clicked.is_empty());
        let seen: BTreeSet<&String> =
            seen.map(|partner| &partner.name).chain(told.won.iter().map(|(name, _)| name)).collect();
        told.notes.extend(self.partners.as_deref().and_then(|path| apart(path, &listed, &seen)));
        self.input(roster, told)
    }

    fn input(&self, roster: Roster, told: Told) -> Result<Input> {
        let is_known = |field: &String| roster.renamed.contains(field) || told.renamed.contains(field);
        if let Some((field, name)) = self.column.iter().find(|(field, _)| !is_known(field)) {
            bail!("no file has a column {name:?} for the field {field}");
        }
        let (is_listed, has_clicks) = (roster.is_listed(), roster.has_clicks);
        let mut sources = roster.sources;
        sources.extend(told.sources);
        let mut notes = roster.notes;
        notes.extend(told.notes);
        let mut partners = roster.partners;
        let mut strangers = BTreeSet::new();
        for (name, won) in told.won {
            let partner = partners.entry(name).or_insert_with_key(|name| {
                strangers.insert(name.clone());
                Listed { name: name.clone(), ..Listed::default() }
            });
            partner.won.push(won);
        }
        if is_listed && !strangers.is_empty() {
            notes.push(format!(
                "{} partners are in no file of partners, and of the source {UNKNOWN_SOURCE}",
                strangers.len()
            ));
        }
        let mut partners: Vec<Listed> = partners.into_values().collect();
        for partner in &mut partners {
            let most = partner.won.len();
            if told.is_lake {
                partner.clicks = partner.clicks.max(most as u64);
            }
            ensure!(
                !has_clicks || most as u64 <= partner.clicks || !strangers.contains(&partner.name),
                "{} has {most} conversions and is in no file of partners, which tell of clicks: add it there with its clicks, or leave \
                 the column clicks out",
                partner.name
            );
            ensure!(
                !has_clicks || most as u64 <= partner.clicks,
                "{} has {most} conversions and {} clicks: count the clicks of all its conversions, or leave the column clicks out",
                partner.name,
                partner.clicks
            );
            partner.won.sort_by(Won::order);
        }
        let (last_day, known_after) = (told.last_day, told.known_after);
        Ok(Input { partners, has_clicks, last_day, known_after, notes, sources })
    }

    /// What a conversion cost, by what is known of it.
    fn cost(&self, told: Option<f64>, amount: Option<f64>) -> Option<f64> {
        let rated = self.rate.and_then(|rate| Some(f64::from(rate.ppm) / 1e6 * amount?.max(0.0)));
        self.cost_per_conversion.or(rated).or(told)
    }

    /// Those of the other names that are of a file of these fields.
    fn columns_of(&self, fields: &[&str]) -> BTreeMap<String, String> {
        self.column.iter().filter(|(field, _)| fields.contains(&field.as_str())).cloned().collect()
    }
}

impl Won {
    /// The same by what was known at the end of a day; none where nobody knew of it.
    pub(super) fn known_at(&self, until: Option<i32>) -> Option<Self> {
        let Some(until) = until.filter(|_| !self.turns.is_empty()) else { return Some(self.clone()) };
        let turn = self.turns.iter().rev().find(|turn| turn.day <= until)?;
        Some(Self { value: turn.value, cost: turn.cost, ..self.clone() })
    }

    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let rest = |it: &Self| (it.day, it.campaign, it.came_back);
        rest(self)
            .cmp(&rest(other))
            .then(self.value.total_cmp(&other.value))
            .then(self.cost.unwrap_or(0.0).total_cmp(&other.cost.unwrap_or(0.0)))
    }
}

/// A sentence where hardly anybody is both in the file of partners and among those who clicked or won something, who may be
/// fewer: most partners of a program may never sell.
fn apart(path: &Path, listed: &BTreeSet<String>, seen: &BTreeSet<&String>) -> Option<String> {
    let both = listed.iter().filter(|name| seen.contains(name)).count();
    (2 * both < listed.len().min(seen.len())).then(|| {
        format!(
            "of {} partners of {} only {both} are among the {} of whom clicks or conversions are told: is it of another program, \
             or are ids written otherwise?",
            listed.len(),
            path.display(),
            seen.len()
        )
    })
}

/// Whether each purchase that won a customer was followed by another one in time: `purchases` are a customer's days in order,
/// of which the first won them.
fn came_back(purchases: &[i32], last_day: i32) -> Option<bool> {
    let first = *purchases.first()?;
    let again = purchases.iter().any(|day| first < *day && *day <= first.saturating_add(RETURN_DAYS));
    (again || first.saturating_add(RETURN_DAYS) <= last_day).then_some(again)
}

fn renamed(text: &str) -> Result<(String, String)> {
    let known = [roster::FIELDS, customers::FIELDS, predicted::FIELDS].concat();
    table::renamed(text, &known, "partner_id=affiliate")
}

fn rate(text: &str) -> Result<Rate> {
    let rate = crate::rate::rate(text)?;
    ensure!(0 < rate.ppm, "a rate is more than 0%");
    Ok(rate)
}

fn money(text: &str) -> Result<f64> {
    let money: f64 = text.parse().context("expected an amount such as 12.50")?;
    ensure!(0.0 < money && money <= 1e12, "a cost is more than 0");
    Ok(money)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_is_worth_what_was_known_of_it() {
        let turns = [(3, 50.0), (9, 20.0)].map(|(day, value)| Turn { day, value, cost: Some(value / 10.0) });
        let won = Won { day: Some(2), value: 20.0, cost: Some(2.0), turns: turns.to_vec(), ..Won::default() };
        let value = |until: Option<i32>| won.known_at(until).map(|won| (won.value, won.cost));
        assert_eq!(value(Some(2)), None, "it happened, and nobody knew");
        assert_eq!(value(Some(8)), Some((50.0, Some(5.0))));
        assert_eq!((value(Some(9)), value(None)), (Some((20.0, Some(2.0))), Some((20.0, Some(2.0)))));
        let untold = Won { value: 7.0, ..Won::default() };
        assert_eq!(untold.known_at(Some(0)).map(|won| won.value), Some(7.0));
    }
}
