//! A file of conversions: who won them, and what each brought.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result, bail, ensure};
use domain::{Clock, attribution::Channels};

use super::{PartnerArgs, Told, Won, came_back};
use crate::jobs::table::Table;

const PARTNER: &str = "partner_id";
const VALUE: &str = "value";
const DATE: &str = "date";
const CUSTOMER: &str = "customer_id";
const CAMPAIGN: &str = "campaign";
const AMOUNT: &str = "amount";
const COST: &str = "cost";
pub(super) const FIELDS: &[&str] = &[PARTNER, VALUE, DATE, CUSTOMER, CAMPAIGN, AMOUNT, COST];

/// Reads it. Of a customer with several rows it is told whether they came back; each row is a conversion.
pub(super) fn read(path: &Path, asked: &PartnerArgs, clock: &Clock) -> Result<Told> {
    let table = Table::read_one_of(path, &asked.columns_of(FIELDS))?;
    let (names, values) = (table.names_of(PARTNER)?, table.amounts(VALUE)?);
    let days = table.has(DATE).then(|| table.past_days(DATE, clock)).transpose()?;
    let last_day = days.as_ref().and_then(|days| days.iter().copied().max());
    let mut numbers = Channels::default();
    let campaigns = table.has(CAMPAIGN).then(|| table.numbered(CAMPAIGN, &mut numbers)).transpose()?;
    let (amounts, costs) = (table.numbers(AMOUNT)?, table.numbers(COST)?);
    ensure!(
        asked.rate.is_none() || amounts.is_some(),
        "{} has no column amount that --rate could be a part of: name the amounts of orders with --column amount=NAME, or \
         say --cost-per-conversion",
        table.source()
    );
    check_twice(&table, (&names, &values), days.as_deref())?;
    let returns = match &days {
        Some(days) if table.has(CUSTOMER) => returns(&table, days)?,
        _ => vec![None; table.rows()],
    };
    let below = values.iter().filter(|value| **value < 0.0).count();
    let won = names.into_iter().enumerate().map(|(row, name)| {
        let amount = amounts.as_ref().and_then(|amounts| amounts.at(row));
        let cost = costs.as_ref().and_then(|costs| costs.at(row));
        let won = Won {
            campaign: campaigns.as_ref().map(|campaigns| campaigns[row]),
            day: days.as_ref().map(|days| days[row]),
            value: values[row].max(0.0),
            cost: asked.cost(cost, amount),
            came_back: returns[row],
            turns: Vec::new(),
        };
        (name, won)
    });
    let won = won.collect();
    let notes = (0 < below)
        .then(|| format!("{below} conversions were worth less than nothing, and count as nothing"));
    let notes = notes.into_iter().collect();
    let renamed = table.renamed_fields().map(str::to_owned).collect();
    let sources = vec![(table.source().to_owned(), table.data)];
    Ok(Told { won, last_day, known_after: Some(0), notes, renamed, sources, is_lake: false })
}

/// Refuses a row that says the same as one before it of the same customer and day, which would count twice; without days nothing
/// tells a second purchase from it.
fn check_twice(table: &Table, (names, values): (&[String], &[f64]), days: Option<&[i32]>) -> Result<()> {
    let Some(days) = days.filter(|_| table.has(CUSTOMER)) else { return Ok(()) };
    let customers = table.names_of(CUSTOMER)?;
    let campaigns =
        if table.has(CAMPAIGN) { table.names_if_any(CAMPAIGN)? } else { vec![None; table.rows()] };
    let mut seen = HashMap::new();
    for (row, customer) in customers.iter().enumerate() {
        let says = (customer, &names[row], days[row], &campaigns[row], values[row].to_bits());
        if let Some(first) = seen.insert(says, row) {
            bail!(
                "{}: the conversion of {} is there twice, customer, partner, day, campaign and value; take one of the \
                 rows out",
                table.place(row, CUSTOMER),
                table.place(first, CUSTOMER)
            );
        }
    }
    Ok(())
}

/// Of each row that is its customer's first, whether they came back.
fn returns(table: &Table, days: &[i32]) -> Result<Vec<Option<bool>>> {
    let customers = table.numbered(CUSTOMER, &mut Channels::default())?;
    let last_day = days.iter().copied().max().context("a file has rows")?;
    let mut rows: Vec<usize> = (0..days.len()).collect();
    rows.sort_by_key(|row| (customers[*row], days[*row]));
    let mut returns = vec![None; days.len()];
    for of_customer in rows.chunk_by(|one, other| customers[*one] == customers[*other]) {
        let purchases: Vec<i32> = of_customer.iter().map(|row| days[*row]).collect();
        // Several on the first day: all of them won the customer.
        for row in of_customer.iter().filter(|row| days[**row] == purchases[0]) {
            returns[*row] = came_back(&purchases, last_day);
        }
    }
    Ok(returns)
}
