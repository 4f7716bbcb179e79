//! A file of transactions, and what is known of customers from their first one on.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use domain::{Clock, attribution::Channels};

use crate::{
    anomaly::matrix::Values,
    jobs::table::{self, Table},
    lifetime::Transactions,
};

const CUSTOMER: &str = "customer_id";
const DATE: &str = "date";
const AMOUNT: &str = "amount";
/// What a transaction may say of where its customer came from; the first one counts.
const ATTRIBUTES: [&str; 2] = ["partner", "campaign"];

/// Customers and their transactions.
pub(super) struct Customers {
    /// By the number that transactions call them.
    pub(super) names: Vec<String>,
    pub(super) transactions: Transactions,
    pub(super) source: String,
}

impl Customers {
    pub(super) fn read(path: &Path, renamed: &[(String, String)], clock: &Clock) -> Result<Self> {
        let table = Table::read(path, &renamed.iter().cloned().collect::<BTreeMap<_, _>>())?;
        let mut numbers = Channels::default();
        let customers = table.numbered(CUSTOMER, &mut numbers)?;
        let (days, amounts) = (table.past_days(DATE, clock)?, table.amounts(AMOUNT)?);
        let transactions = Transactions::of_days(&customers, &days, &amounts)
            .with_context(|| table.source().to_owned())?
            .with_attributes(attributes(&table, (&customers, &days), numbers.names().len())?)?;
        Ok(Self { names: numbers.names().to_vec(), transactions, source: table.source().to_owned() })
    }
}

/// What each customer's first transaction says of where they came from.
fn attributes(
    table: &Table,
    (customers, days): (&[u32], &[i32]),
    count: usize,
) -> Result<Vec<(String, Values)>> {
    let mut first: Vec<Option<usize>> = vec![None; count];
    for (row, customer) in customers.iter().enumerate() {
        let known = &mut first[*customer as usize];
        if known.is_none_or(|known| days[row] < days[known]) {
            *known = Some(row);
        }
    }
    let mut attributes = Vec::new();
    for name in ATTRIBUTES.into_iter().filter(|name| table.has(name)) {
        let texts = table.texts(name)?;
        let said = first.iter().map(|row| row.and_then(|row| texts.get(row)).map(str::to_owned));
        let said: Vec<Option<String>> = said.collect();
        // A column that is the same everywhere says nothing.
        if said.iter().any(|it| *it != said[0]) {
            attributes.push((name.to_owned(), Values::Categories(said)));
        }
    }
    Ok(attributes)
}

pub(super) fn renamed(text: &str) -> Result<(String, String)> {
    table::renamed(text, &[&[CUSTOMER, DATE, AMOUNT][..], &ATTRIBUTES].concat(), "amount=total")
}
