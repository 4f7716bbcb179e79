//! Customers whose value is what they have spent and what it was predicted that they will, and whose first transaction says
//! who won them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use domain::{Clock, attribution::Channels};

use super::{PartnerArgs, Told, Won, came_back};
use crate::jobs::table::{Table, date_of, day_of};

const CUSTOMER: &str = "customer_id";
const DATE: &str = "date";
const AMOUNT: &str = "amount";
const PARTNER: &str = "partner";
const CAMPAIGN: &str = "campaign";
const PREDICTED: &str = "predicted";
pub(super) const FIELDS: &[&str] = &[CUSTOMER, DATE, AMOUNT, PARTNER, CAMPAIGN, PREDICTED];
/// How many days `tributary-train ltv` predicts where nobody says.
const HORIZON_DAYS: i32 = 365;

/// What a customer did until the day of the predictions.
struct Customer {
    /// The row of the first purchase; none of who only returned something.
    bought: Option<usize>,
    /// The number of who won them; none for those who came by themselves.
    partner: Option<u32>,
    campaign: Option<u32>,
    /// In order.
    days: Vec<i32>,
    /// Of the first day.
    amount: f64,
    spent: f64,
}

/// Reads both.
pub(super) fn read(
    (predictions, transactions): (&Path, &Path),
    asked: &PartnerArgs,
    clock: &Clock,
) -> Result<Told> {
    let orders = Table::read_one_of(transactions, &asked.columns_of(FIELDS))?;
    let until = day_of(asked.predicted_on.context("say --predicted-on, the day that predictions are of")?);
    let mut names = Channels::default();
    let (numbers, days) = (orders.numbered(CUSTOMER, &mut names)?, orders.past_days(DATE, clock)?);
    check_day((predictions, &orders), &days, until)?;
    let (customers, partners) = customers(&orders, (&numbers, &days), until)?;
    let predicted = Table::read_one_of(predictions, &asked.columns_of(&[CUSTOMER, PREDICTED]))?;
    let (who, values) = (predicted.names_of(CUSTOMER)?, predicted.amounts(PREDICTED)?);
    let numbers: HashMap<&str, u32> = names.names().iter().map(String::as_str).zip(0..).collect();
    let (mut won, mut nobodys, mut seen) = (Vec::new(), 0_usize, BTreeSet::new());
    for (row, name) in who.iter().enumerate() {
        let place = || predicted.place(row, CUSTOMER);
        let Some(number) = numbers.get(name.as_str()).copied() else {
            bail!("{}: {} has no customer {name}", place(), orders.source());
        };
        ensure!(seen.insert(number), "{}: a second row of this customer", place());
        let Some(customer) = customers.get(&number).filter(|customer| customer.bought.is_some()) else {
            bail!(
                "{}: {name} had bought nothing by {}, so that predictions are of a later day, or of other transactions: say the \
                 --calibration-end of theirs by --predicted-on",
                place(),
                date_of(until)
            );
        };
        let Some(partner) = customer.partner else {
            nobodys += 1;
            continue;
        };
        let it = Won {
            campaign: customer.campaign,
            day: customer.days.first().copied(),
            value: (customer.spent + values[row]).max(0.0),
            cost: asked.cost(None, Some(customer.amount)),
            came_back: came_back(&customer.days, until),
            turns: Vec::new(),
        };
        won.push((partners.names()[partner as usize].clone(), it));
    }
    check_all((&orders, &predicted), (&customers, &seen), until)?;
    let unseen = names.names().len() - seen.len();
    let notes = [(nobodys, "were won by no partner"), (unseen, "had bought nothing by --predicted-on")];
    let notes = notes.iter().filter(|(count, _)| 0 < *count);
    let notes = notes.map(|(count, what)| format!("{count} customers {what} and are left out")).collect();
    let tables = [&orders, &predicted];
    let renamed = tables.iter().flat_map(|table| table.renamed_fields()).map(str::to_owned).collect();
    let sources = tables.map(|table| (table.source().to_owned(), table.data)).to_vec();
    Ok(Told { won, last_day: Some(until), known_after: None, notes, renamed, sources, is_lake: false })
}

/// Refuses a day that predictions of these transactions cannot have been made on.
fn check_day((predictions, orders): (&Path, &Table), days: &[i32], until: i32) -> Result<()> {
    let said = fs::read(predictions.with_file_name("metrics.json")).ok();
    let said: serde_json::Value =
        said.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let end = said["calibration_end"].as_str().filter(|_| said["horizon_days"].is_u64());
    if let Some(end) = end.filter(|end| **end != date_of(until).to_string()) {
        bail!(
            "--predicted-on is {}, and the metrics.json beside {} says that its predictions are of {end}",
            date_of(until),
            predictions.display()
        );
    }
    let horizon = said["horizon_days"].as_i64().and_then(|days| i32::try_from(days).ok());
    let (last, horizon) = (days.iter().copied().max().unwrap_or(until), horizon.unwrap_or(HORIZON_DAYS));
    ensure!(
        until <= last.saturating_add(horizon),
        "--predicted-on is {}, and the last transaction of {} was more than {horizon} days earlier, on {}: predictions of so long \
         a silence are of another file, or of another day",
        date_of(until),
        orders.source(),
        date_of(last)
    );
    Ok(())
}

/// Refuses predictions that leave out who had bought by then.
fn check_all(
    (orders, predicted): (&Table, &Table),
    (customers, seen): (&BTreeMap<u32, Customer>, &BTreeSet<u32>),
    until: i32,
) -> Result<()> {
    let unpredicted = customers.iter().filter(|(number, _)| !seen.contains(number));
    let mut rows: Vec<usize> = unpredicted.filter_map(|(_, customer)| customer.bought).collect();
    rows.sort_unstable();
    let Some(first) = rows.first() else { return Ok(()) };
    bail!(
        "{}: {} had bought by {} and is not in {}, as {} customers are not: say the --calibration-end of these predictions by \
         --predicted-on, or predict all of them",
        orders.place(*first, CUSTOMER),
        orders.names_of(CUSTOMER)?[*first],
        date_of(until),
        predicted.source(),
        rows.len()
    )
}

/// What each customer did until the end of a day, by number, with the names of partners.
fn customers(
    table: &Table,
    (numbers, days): (&[u32], &[i32]),
    until: i32,
) -> Result<(BTreeMap<u32, Customer>, Channels)> {
    let amounts = table.amounts(AMOUNT)?;
    let mut rows: Vec<usize> = (0..table.rows()).filter(|row| days[*row] <= until).collect();
    let told_in = |field: &str, names: &mut Channels| -> Result<Vec<Option<u32>>> {
        let mut said = table.names_if_any(field)?;
        // What is told later is not known yet.
        said.iter_mut().zip(days).filter(|(_, day)| until < **day).for_each(|(said, _)| *said = None);
        Ok(in_order(&said, names))
    };
    let mut partners = Channels::default();
    let won_by = told_in(PARTNER, &mut partners)?;
    let campaigns = if table.has(CAMPAIGN) {
        told_in(CAMPAIGN, &mut Channels::default())?
    } else {
        vec![None; table.rows()]
    };
    // Of several partners on the first day it is the first by name, in whatever order rows come.
    rows.sort_by(|one, other| {
        let key = |row: usize| (numbers[row], days[row], won_by[row].is_none(), won_by[row], campaigns[row]);
        key(*one).cmp(&key(*other)).then(amounts[*one].total_cmp(&amounts[*other]))
    });
    let sum = |rows: &[usize]| rows.iter().map(|row| amounts[*row]).sum::<f64>();
    let of = |rows: &[usize]| {
        let first = rows[0];
        let by_day = || rows.chunk_by(|one, other| days[*one] == days[*other]);
        // As `tributary-train ltv` has it: a day on which more was returned is no purchase.
        let bought = by_day().find(|of_day| 0.0 <= sum(of_day)).map(|of_day| of_day[0]);
        let customer = Customer {
            bought,
            partner: won_by[first],
            campaign: campaigns[first],
            days: rows.iter().map(|row| days[*row]).collect(),
            amount: by_day().next().map_or(0.0, sum),
            spent: sum(rows),
        };
        (numbers[first], customer)
    };
    let all = rows.chunk_by(|one, other| numbers[*one] == numbers[*other]).map(of).collect();
    Ok((all, partners))
}

/// A number for each name, in the order of the names.
fn in_order(said: &[Option<String>], names: &mut Channels) -> Vec<Option<u32>> {
    let distinct: BTreeSet<&str> = said.iter().flatten().map(String::as_str).collect();
    for name in distinct {
        names.number(name);
    }
    said.iter().map(|name| name.as_deref().map(|name| names.number(name))).collect()
}
