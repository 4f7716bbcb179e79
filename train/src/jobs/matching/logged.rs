//! What the lists would have brought, by a log of what was shown with known chances.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{
    Matching, Way,
    input::{ITEM, PROPENSITY, USER, VALUE, of_file},
    rules::Rules,
};
use crate::{
    jobs::table::Table,
    matching::off_policy::{Logged, estimate},
    policy::Judgement,
};

/// What was shown.
#[derive(Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// A file of places that showed an item: user, item, propensity, the chance that the place showed it, and value, what came of
    /// it; tells what a place of the lists would have brought
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// What the log says of the lists.
pub(super) struct Would {
    pub(super) source: String,
    pub(super) rows: usize,
    /// Rows of users who get no list, such as newcomers of the service of whom nothing else is told.
    pub(super) left_out: usize,
    /// What a place brought.
    pub(super) brought: f64,
    /// By each estimator, or why it says nothing.
    pub(super) said: Result<Vec<Judgement>, String>,
}

impl Matching {
    /// Judges lists that were learned without the pairs of the log, and of which all pairs may be part that rules allow.
    pub(super) fn would(&self, way: &Way, rules: &Rules) -> Result<Option<Would>> {
        let Some(path) = &self.log.log else { return Ok(None) };
        let fields = of_file(&self.input.column, &[USER, ITEM, PROPENSITY, VALUE]);
        let table = Table::read(path, &fields)?;
        let log = read(&table, way)?;
        let pairs: BTreeSet<(u32, u32)> = log.iter().map(|row| (row.user, row.item)).collect();
        let known = &way.market.seen.interactions;
        let others = known.select(|_, row| !pairs.contains(&(row.user, row.item)));
        ensure!(
            !others.is_empty(),
            "{}: all interactions are of pairs of the log, so that nothing is left to learn lists from",
            table.source()
        );
        let learned = way.market.seen.with(others)?;
        let k = self.k.min(known.items());
        let fitted = way.judged[way.chosen].model.fit(&learned, k, self.run.seed)?;
        // Also what users have: lists without it would have the more in common with the log, the more of it there is.
        let open = |user: usize| rules.open_to(user, known.items());
        let (best, _) = self.places.best(&*fitted.scorer, &open, &way.market, k);
        let chances = |user: u32| self.places.chances(&best[user as usize], &open(user as usize));
        Ok(Some(Would {
            source: table.source().to_owned(),
            rows: log.len(),
            left_out: table.rows() - log.len(),
            brought: log.iter().map(|row| row.value).sum::<f64>() / log.len() as f64,
            said: estimate(&log, chances).map_err(|error| error.to_string()),
        }))
    }
}

/// The rows of users who get a list, in an order of their own. An item that no list can hold has a number behind those that can:
/// the lists would have shown it with no chance, and what others showed of it counts all the same.
fn read(table: &Table, way: &Way) -> Result<Vec<Logged>> {
    let numbers = |names: &[String]| -> BTreeMap<String, u32> { names.iter().cloned().zip(0..).collect() };
    let (users, mut items) = (numbers(&way.market.users), numbers(&way.market.items));
    let users: Vec<Option<u32>> = table.names_of(USER)?.iter().map(|name| users.get(name).copied()).collect();
    let names = table.names_of(ITEM)?.into_iter();
    let items: Vec<u32> = names
        .map(|name| {
            let next = u32::try_from(items.len()).context("there are too many items")?;
            Ok(*items.entry(name).or_insert(next))
        })
        .collect::<Result<_>>()?;
    ensure!(
        users.iter().any(Option::is_some),
        "{}: no row is of a user who gets a list; --users has to name the side whose lists it is of",
        table.source()
    );
    let (propensities, values) = (table.amounts(PROPENSITY)?, table.amounts(VALUE)?);
    let wrong = propensities.iter().position(|it| !(0.0 < *it && *it <= 1.0));
    if let Some(row) = wrong {
        anyhow::bail!(
            "{}: {} is no chance of something that happened: above 0 and up to 1",
            table.place(row, PROPENSITY),
            propensities[row]
        );
    }
    let row = |row: usize| {
        Some(Logged {
            user: users[row]?,
            item: items[row],
            propensity: propensities[row],
            value: values[row],
        })
    };
    let mut log: Vec<Logged> = (0..table.rows()).filter_map(row).collect();
    log.sort_by(|one, other| {
        (one.user, one.item)
            .cmp(&(other.user, other.item))
            .then(one.propensity.total_cmp(&other.propensity))
            .then(one.value.total_cmp(&other.value))
    });
    Ok(log)
}
