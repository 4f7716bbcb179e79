//! A file of transactions, and what is known of customers from their first one on.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use domain::{Clock, attribution::Channels};
use models::fingerprint::Fingerprint;

use crate::{
    anomaly::matrix::Values,
    jobs::table::{self, Table, date_of},
    lifetime::Transactions,
};

const CUSTOMER: &str = "customer_id";
const DATE: &str = "date";
const AMOUNT: &str = "amount";
const CURRENCY: &str = "currency";
/// What a transaction may say of where its customer came from; the first one counts.
const ATTRIBUTES: [&str; 2] = ["partner", "campaign"];

/// Customers and their transactions.
pub(super) struct Customers {
    /// By the number that transactions call them.
    pub(super) names: Vec<String>,
    pub(super) transactions: Transactions,
    pub(super) source: String,
    /// What a reader should know of it.
    pub(super) notes: Vec<String>,
    pub(super) data: Fingerprint,
}

impl Customers {
    pub(super) fn read(path: &Path, renamed: &[(String, String)], clock: &Clock) -> Result<Self> {
        let table = Table::read(path, &renamed.iter().cloned().collect::<BTreeMap<_, _>>())?;
        let mut numbers = Channels::default();
        let customers = table.numbered(CUSTOMER, &mut numbers)?;
        let (days, amounts) = (table.past_days(DATE, clock)?, table.amounts(AMOUNT)?);
        if table.has(CURRENCY) {
            let texts = table.texts(CURRENCY)?;
            let codes: BTreeSet<&str> = texts.iter().flatten().collect();
            ensure!(
                codes.len() < 2,
                "{} has amounts in {}, which cannot be added up: keep the rows of one currency",
                table.source(),
                codes.into_iter().collect::<Vec<_>>().join(", ")
            );
        }
        let transactions = Transactions::of_days(&customers, &days, &amounts)
            .with_context(|| table.source().to_owned())?
            .with_attributes(attributes(&table, (&customers, &days), numbers.names().len())?)?;
        ensure!(
            transactions.last_day().is_some(),
            "{}: on every day of every customer more was returned than bought, so that nobody is a customer; purchases are amounts \
             above zero: turn the signs round if they are written the other way",
            table.source()
        );
        let (names, source) = (numbers.names().to_vec(), table.source().to_owned());
        let mut notes = Vec::new();
        let repeated = repeated((&customers, &days), &amounts);
        if 0 < repeated {
            notes.push(format!(
                "{repeated} rows say the same as another one, customer, day and amount, and count as well: is the file there twice?"
            ));
        }
        let returned = (0..transactions.customers()).filter(|it| transactions.of(*it).is_empty()).count();
        if 0 < returned {
            notes.push(format!("{returned} customers only returned something, and are left out"));
        }
        Ok(Self { names, transactions, source, notes, data: table.data })
    }

    /// Says so where nothing is told of the days before the end of calibration.
    pub(super) fn note_silence(&mut self, end: i32) {
        if let Some(last) = self.transactions.last_day().filter(|last| *last < end) {
            let (last, end) = (date_of(last), date_of(end));
            self.notes.push(format!(
                "the last transaction is of {last}: nobody is taken to have bought anything from then to {end}"
            ));
        }
    }
}

/// How many rows say the same as one before them.
fn repeated((customers, days): (&[u32], &[i32]), amounts: &[f64]) -> usize {
    let mut rows: Vec<(u32, i32, u64)> =
        (0..days.len()).map(|row| (customers[row], days[row], amounts[row].to_bits())).collect();
    rows.sort_unstable();
    let all = rows.len();
    rows.dedup();
    all - rows.len()
}

/// What each customer's first transaction says of where they came from.
fn attributes(
    table: &Table,
    (customers, days): (&[u32], &[i32]),
    count: usize,
) -> Result<Vec<(String, Values)>> {
    let mut attributes = Vec::new();
    for name in ATTRIBUTES.into_iter().filter(|name| table.has(name)) {
        let texts = table.texts(name)?;
        let mut first: Vec<Option<(i32, Option<&str>)>> = vec![None; count];
        for ((customer, day), text) in customers.iter().zip(days).zip(texts.iter()) {
            // Of one day, the first by name.
            let (known, told) = (&mut first[*customer as usize], (*day, text));
            if known.is_none_or(|known| told < known) {
                *known = Some(told);
            }
        }
        let said = first.iter().map(|told| told.and_then(|(_, text)| text).map(str::to_owned));
        attributes.push((name, said.collect()));
    }
    Ok(telling(attributes))
}

/// The attributes that differ between customers: one that is the same for all says nothing.
pub(super) fn telling(
    attributes: impl IntoIterator<Item = (&'static str, Vec<Option<String>>)>,
) -> Vec<(String, Values)> {
    let differs = |(_, said): &(&str, Vec<Option<String>>)| said.iter().any(|it| *it != said[0]);
    let column = |(name, said): (&str, _)| (name.to_owned(), Values::Categories(said));
    attributes.into_iter().filter(differs).map(column).collect()
}

pub(super) fn renamed(text: &str) -> Result<(String, String)> {
    table::renamed(text, &[&[CUSTOMER, DATE, AMOUNT][..], &ATTRIBUTES].concat(), "amount=total")
}
