//! Customers whose value is what they have spent and what it was predicted that they will, and whose first transaction says
//! who won them.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Result, bail, ensure};
use domain::{Clock, attribution::Channels};

use super::{PartnerArgs, Told, Won, came_back};
use crate::jobs::table::{Table, day_of};

const CUSTOMER: &str = "customer_id";
const DATE: &str = "date";
const AMOUNT: &str = "amount";
const PARTNER: &str = "partner";
const CAMPAIGN: &str = "campaign";
const PREDICTED: &str = "predicted";
pub(super) const FIELDS: &[&str] = &[CUSTOMER, DATE, AMOUNT, PARTNER, CAMPAIGN, PREDICTED];

/// What a customer did.
struct Customer {
    /// The number of who won them; none for those who came by themselves.
    partner: Option<u32>,
    campaign: Option<u32>,
    /// In order.
    days: Vec<i32>,
    /// Of the first day.
    amount: f64,
    /// Until the day of the predictions.
    spent: f64,
}

/// Reads both.
pub(super) fn read(
    (predictions, transactions): (&Path, &Path),
    asked: &PartnerArgs,
    clock: &Clock,
) -> Result<Told> {
    let orders = Table::read_one_of(transactions, &asked.columns_of(FIELDS))?;
    let mut names = Channels::default();
    let (customers, partners, last_day) = customers(&orders, &mut names, (asked, clock))?;
    let predicted = Table::read_one_of(predictions, &asked.columns_of(&[CUSTOMER, PREDICTED]))?;
    let (who, values) = (predicted.names_of(CUSTOMER)?, predicted.amounts(PREDICTED)?);
    let numbers: HashMap<&str, usize> =
        names.names().iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
    let (mut won, mut nobodys) = (Vec::new(), 0_usize);
    let mut seen = vec![false; customers.len()];
    for (row, name) in who.iter().enumerate() {
        let Some(number) = numbers.get(name.as_str()).copied() else {
            bail!("{}: {} has no customer {name}", predicted.place(row, CUSTOMER), orders.source());
        };
        ensure!(!seen[number], "{}: a second row of this customer", predicted.place(row, CUSTOMER));
        seen[number] = true;
        let customer = &customers[number];
        let Some(partner) = customer.partner else {
            nobodys += 1;
            continue;
        };
        let it = Won {
            campaign: customer.campaign,
            day: customer.days.first().copied(),
            value: (customer.spent + values[row]).max(0.0),
            cost: asked.cost(None, Some(customer.amount)),
            came_back: came_back(&customer.days, last_day),
            turns: Vec::new(),
        };
        won.push((partners.names()[partner as usize].clone(), it));
    }
    let mut notes = Vec::new();
    if 0 < nobodys {
        notes.push(format!("{nobodys} customers were won by no partner and are left out"));
    }
    let unpredicted = seen.iter().filter(|seen| !**seen).count();
    if 0 < unpredicted {
        notes.push(format!("{unpredicted} customers have no prediction and are left out"));
    }
    let tables = [&orders, &predicted];
    let renamed = tables.iter().flat_map(|table| table.renamed_fields()).map(str::to_owned).collect();
    let sources = tables.map(|table| (table.source().to_owned(), table.data)).to_vec();
    Ok(Told { won, last_day: Some(last_day), known_after: None, notes, renamed, sources, is_lake: false })
}

/// What each customer did, by number, with the names of partners and the last day.
fn customers(
    table: &Table,
    names: &mut Channels,
    (asked, clock): (&PartnerArgs, &Clock),
) -> Result<(Vec<Customer>, Channels, i32)> {
    let (numbers, days) = (table.numbered(CUSTOMER, names)?, table.past_days(DATE, clock)?);
    let amounts = table.amounts(AMOUNT)?;
    let mut partners = Channels::default();
    let won_by = in_order(&table.names_if_any(PARTNER)?, &mut partners);
    let campaigns = if table.has(CAMPAIGN) {
        in_order(&table.names_if_any(CAMPAIGN)?, &mut Channels::default())
    } else {
        vec![None; table.rows()]
    };
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    // Of several partners on the first day it is the first by name, in whatever order rows come.
    rows.sort_by(|one, other| {
        let key = |row: usize| (numbers[row], days[row], won_by[row].is_none(), won_by[row], campaigns[row]);
        key(*one).cmp(&key(*other)).then(amounts[*one].total_cmp(&amounts[*other]))
    });
    let predicted_on = asked.predicted_on.map_or(i32::MAX, day_of);
    let of = |rows: &[usize]| {
        let first = rows[0];
        let on_first = rows.iter().filter(|row| days[**row] == days[first]);
        Customer {
            partner: won_by[first],
            campaign: campaigns[first],
            days: rows.iter().map(|row| days[*row]).collect(),
            amount: on_first.map(|row| amounts[*row]).sum(),
            spent: rows.iter().filter(|row| days[**row] <= predicted_on).map(|row| amounts[*row]).sum(),
        }
    };
    let all = rows.chunk_by(|one, other| numbers[*one] == numbers[*other]).map(of).collect();
    Ok((all, partners, days.iter().copied().max().unwrap_or_default()))
}

/// A number for each name, in the order of the names.
fn in_order(said: &[Option<String>], names: &mut Channels) -> Vec<Option<u32>> {
    let distinct: BTreeSet<&str> = said.iter().flatten().map(String::as_str).collect();
    for name in distinct {
        names.number(name);
    }
    said.iter().map(|name| name.as_deref().map(|name| names.number(name))).collect()
}
