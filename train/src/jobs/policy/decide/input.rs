//! A table of partners: what is known and predicted of each, and what it agreed to.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail, ensure};
use domain::{
    Currency, Money, Rate,
    attribution::Channels,
    commission::dynamic::{Contract, Evidence},
};
use polars::prelude::StringChunked;

use crate::{
    jobs::{
        policy::{PolicyJob, rule::Rule},
        table::{Numbers, Table},
    },
    policy::evidence::minor,
};

/// Every column that may have another name.
pub(in crate::jobs::policy) const FIELDS: &[&str] = &[
    PARTNER,
    "currency",
    "value",
    "value_lower",
    "base",
    CONVERSIONS,
    EXPECTED,
    "churn_ratio",
    "fraud_risk",
    "quality",
    "elasticity",
    "model_version",
    "rate",
    "floor",
    "cap",
    "step",
    "exploring",
    "period_days",
    "notice_days",
    "budget_left",
];
const PARTNER: &str = "partner_id";
/// How many are expected until the next decision.
const CONVERSIONS: &str = "conversions";
/// What `tributary-train partner` calls that: its `conversions` are those that came so far.
const EXPECTED: &str = "expected_conversions";
/// Those of contracts.
const CONTRACT: [&str; 6] = ["floor", "cap", "step", "exploring", "period_days", "notice_days"];

/// What `tributary-train partner` calls the value of a customer and its lower bound; they are taken where the file has no others.
const WORTHS: [&str; 2] = ["value_per_conversion", "value_per_conversion_lower"];

/// A row.
pub(super) struct Partner {
    pub(super) name: String,
    pub(super) evidence: Evidence,
    pub(super) contract: Contract,
    /// What the file, or the command, says that it is paid.
    pub(super) rate: Option<Rate>,
    pub(super) budget_left: Option<Money>,
    /// Where it is in the file, for a message.
    pub(super) place: String,
    /// The same of all that its row says together.
    pub(super) row: String,
    /// Where its contract is said.
    pub(super) terms: String,
}

/// All rows.
pub(super) struct Partners {
    pub(super) all: Vec<Partner>,
    pub(super) source: String,
    /// Where what came so far may have been taken for what is expected.
    pub(super) note: Option<String>,
}

impl Partners {
    pub(super) fn read(path: &Path, job: &PolicyJob, rule: &Rule) -> Result<Self> {
        let table = Table::read(path, &job.column.iter().cloned().collect::<BTreeMap<_, _>>())?;
        let mut names = Channels::default();
        let numbers = table.numbered(PARTNER, &mut names)?;
        let mut first: BTreeMap<u32, usize> = BTreeMap::new();
        for (row, number) in numbers.iter().enumerate() {
            if let Some(first) = first.insert(*number, row) {
                let other = table.place(first, PARTNER);
                bail!("{}: is the partner of {other}; give each one row", table.place(row, PARTNER));
            }
        }
        let columns = Columns::of(&table, job, rule)?;
        let name = |number: &u32| names.names()[*number as usize].clone();
        let read = |(row, number)| columns.partner(row, name(number));
        let mut all: Vec<Partner> = numbers.iter().enumerate().map(read).collect::<Result<_>>()?;
        // The order of rows makes no difference to anybody.
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { all, source: table.source().to_owned(), note: columns.note() })
    }
}

/// The columns of the table, with what stands where they say nothing.
struct Columns<'a> {
    table: &'a Table,
    job: &'a PolicyJob,
    contract: Contract,
    dead_band: Rate,
    model_version: String,
    versions: Option<StringChunked>,
    currencies: Option<StringChunked>,
    amounts: [Vec<f64>; 3],
    numbers: BTreeMap<&'static str, Numbers>,
    rates: BTreeMap<&'static str, Vec<Option<Rate>>>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table, job: &'a PolicyJob, rule: &Rule) -> Result<Self> {
        let texts = |field: &str| table.has(field).then(|| table.texts(field)).transpose();
        let worth = |field: &'static str, other: &'static str| {
            let is_other = table.name(field) == field && !table.has(field) && table.has(other);
            table.amounts(if is_other { other } else { field })
        };
        let (value, lower) = (worth("value", WORTHS[0])?, worth("value_lower", WORTHS[1])?);
        let base = match job.decide.base {
            Some(base) if !table.has("base") => vec![base; table.rows()],
            _ => {
                table.amounts("base").context("say --base AMOUNT if all partners have the same mean order")?
            }
        };
        let mut columns = Self {
            table,
            job,
            contract: rule.contract,
            dead_band: rule.policy.dead_band,
            model_version: match &job.decide.model_version {
                Some(name) => name.clone(),
                None => table.data.to_string().chars().take(12).collect(),
            },
            versions: texts("model_version")?,
            currencies: texts("currency")?,
            amounts: [value, lower, base],
            numbers: BTreeMap::new(),
            rates: BTreeMap::new(),
        };
        for field in FIELDS {
            if ["rate", "floor", "cap", "step", "exploring"].contains(field) {
                columns.rates.extend(table.rates(field)?.map(|rates| (*field, rates)));
            } else if !["value", "value_lower", "base", PARTNER, "currency", "model_version"].contains(field)
            {
                columns.numbers.extend(table.numbers(field)?.map(|numbers| (*field, numbers)));
            }
        }
        // Who names a column of conversions means that one.
        if table.name(CONVERSIONS) != CONVERSIONS && table.name(EXPECTED) == EXPECTED {
            columns.numbers.remove(EXPECTED);
        }
        ensure!(
            columns.numbers.contains_key(CONVERSIONS) || columns.numbers.contains_key(EXPECTED),
            "{} has no column {:?} or {:?}, which tells how many are expected until the next decision; it has {}",
            table.source(),
            table.name(EXPECTED),
            table.name(CONVERSIONS),
            table.names()
        );
        Ok(columns)
    }

    /// How many conversions are expected of a row, and whether that is its own column's word.
    fn conversions(&self, row: usize) -> Option<(f64, bool)> {
        let said = |field: &str| self.numbers.get(field).and_then(|numbers| numbers.at(row));
        said(EXPECTED).map(|count| (count, true)).or_else(|| said(CONVERSIONS).map(|count| (count, false)))
    }

    /// A sentence where a column that nobody named is taken for what is expected.
    fn note(&self) -> Option<String> {
        let is_taken = |row: &usize| self.conversions(*row).is_some_and(|(count, own)| !own && 0.0 < count);
        let taken = (0..self.table.rows()).filter(is_taken).count();
        (0 < taken && self.table.name(CONVERSIONS) == CONVERSIONS).then(|| {
            format!(
                "the column {CONVERSIONS} of {} is taken for how many are expected of {taken} partners until the next decision, \
                 which budgets and costs rest on; where it tells of those that came so far, add a column {EXPECTED}",
                self.table.source()
            )
        })
    }

    fn partner(&self, row: usize, name: String) -> Result<Partner> {
        let currency = self.currency(row)?;
        let said = |field: &str| self.number(row, field);
        let money = |amount: f64| Money::new(minor(amount, currency), currency);
        let [value, lower, base] = &self.amounts;
        let version = self.versions.as_ref().and_then(|versions| versions.get(row));
        let evidence = Evidence {
            model_version: version.map_or_else(|| self.model_version.clone(), str::to_owned),
            value: money(value[row]),
            value_lower: money(lower[row]),
            base: money(base[row]),
            conversions: self.conversions(row).map(|(count, _)| count).with_context(|| {
                let field = if self.numbers.contains_key(EXPECTED) { EXPECTED } else { CONVERSIONS };
                format!("{}: says nothing", self.table.place(row, field))
            })?,
            churn_ratio: said("churn_ratio").unwrap_or(1.0),
            fraud_risk: said("fraud_risk").unwrap_or(0.0),
            quality: said("quality").unwrap_or(0.5),
            elasticity: said("elasticity"),
        };
        let own = CONTRACT.iter().filter(|field| self.table.has(field)).map(|field| self.table.name(field));
        let own: Vec<&str> = own.collect();
        let line = self.table.line(row);
        Ok(Partner {
            terms: if own.is_empty() {
                format!("the contract of {name}, which is the policy file's")
            } else {
                format!("{line}, the contract of {name}, of which columns {} tell", own.join(", "))
            },
            row: format!("{line}, partner {name}"),
            name,
            evidence,
            contract: self.contract(row)?,
            rate: self.rate(row, "rate").or(self.job.decide.rate),
            budget_left: said("budget_left").map(money),
            place: self.table.place(row, PARTNER),
        })
    }

    /// What a partner agreed to: what its row does not say is the policy file's.
    fn contract(&self, row: usize) -> Result<Contract> {
        let rate = |field: &str| self.rate(row, field);
        let days = |field: &str, usual: u16| match self.number(row, field) {
            None => Ok(usual),
            Some(days) => whole_days(days)
                .with_context(|| format!("{}: {days} is no number of days", self.table.place(row, field))),
        };
        let usual = self.contract;
        let contract = Contract {
            floor: rate("floor").unwrap_or(usual.floor),
            cap: rate("cap").unwrap_or(usual.cap),
            step: rate("step").unwrap_or(usual.step),
            exploring: rate("exploring").unwrap_or(usual.exploring),
            period_days: days("period_days", usual.period_days)?,
            notice_days: days("notice_days", usual.notice_days)?,
        };
        ensure!(
            self.dead_band <= contract.step,
            "{}: a step of {} is below the policy's dead_band of {}, so that the rate would never move; give a longer step or \
             a narrower band",
            self.table.place(row, "step"),
            contract.step,
            self.dead_band
        );
        ensure!(
            0 < contract.notice_days,
            "{}: a rate is announced before it holds; give at least 1 day of notice",
            self.table.place(row, "notice_days")
        );
        Ok(contract)
    }

    fn rate(&self, row: usize, field: &str) -> Option<Rate> {
        self.rates.get(field).and_then(|rates| rates[row])
    }

    fn number(&self, row: usize, field: &str) -> Option<f64> {
        self.numbers.get(field).and_then(|numbers| numbers.at(row))
    }

    fn currency(&self, row: usize) -> Result<Currency> {
        let text = self.currencies.as_ref().and_then(|texts| texts.get(row)).map(str::trim);
        match text.filter(|text| !text.is_empty()) {
            Some(text) => text.parse().with_context(|| self.table.place(row, "currency")),
            None => self.job.currency.with_context(|| {
                format!(
                    "{}: says no currency; give it there, or say --currency EUR",
                    self.table.place(row, "currency")
                )
            }),
        }
    }
}

/// A whole number of days.
fn whole_days(days: f64) -> Option<u16> {
    (days.fract().abs() <= 0.0 && days <= f64::from(u16::MAX)).then_some(days as u16)
}
