//! What files tell of users or items, column by column.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use domain::attribution::Channels;

use super::{BUDGET, CAPACITY, COST, of_file};
use crate::{
    anomaly::matrix::Values,
    jobs::table::Table,
    matching::{Profiles, profiles::words},
};

/// Columns with their names, a row for each user or item.
pub(in crate::jobs::matching) type Columns = Vec<(String, Values)>;

/// What a file tells of users or items.
pub(super) struct Features {
    columns: Columns,
    /// The row of each who is told of, by number.
    rows_of: BTreeMap<u32, usize>,
    source: String,
    /// How fields are called in the file, where not by their own names.
    renamed: BTreeMap<String, String>,
}

impl Features {
    pub(super) fn read(
        path: &Path,
        (field, renamed): (&str, &[(String, String)]),
        names: &mut Channels,
    ) -> Result<Self> {
        let table = Table::read(path, &of_file(renamed, &[field]))?;
        let mut rows_of = BTreeMap::new();
        for (row, number) in table.numbered(field, names)?.into_iter().enumerate() {
            if rows_of.insert(number, row).is_some() {
                bail!("{}: {} is told of twice", table.place(row, field), names.names()[number as usize]);
            }
        }
        let columns = table.others(&[field])?;
        ensure!(!columns.is_empty(), "{} has no column but {}", table.source(), table.name(field));
        let renamed = of_file(renamed, &[CAPACITY, BUDGET, COST]);
        Ok(Self { columns, rows_of, source: table.source().to_owned(), renamed })
    }

    /// Of how many it tells.
    pub(super) fn told(&self) -> usize {
        self.rows_of.len()
    }

    /// Takes a column of numbers from zero up out of it: it is no feature any more.
    pub(super) fn amounts(
        &mut self,
        field: &str,
        count: usize,
        names: &[String],
    ) -> Result<Vec<Option<f64>>> {
        let name = self.renamed.get(field).map_or(field, String::as_str);
        let place = self.columns.iter().position(|(column, _)| column == name).with_context(|| {
            format!("{} has no column {name:?}, which --assign needs: say --column {field}=NAME", self.source)
        })?;
        let (name, values) = self.columns.remove(place);
        let Values::Numbers(numbers) = values else {
            bail!("column {name} of {} holds no numbers, and --assign shares out by them", self.source)
        };
        let of = |number: u32| {
            let said = self.rows_of.get(&number).map(|row| numbers[*row]).filter(|it| !it.is_nan());
            let is_amount = said.is_none_or(|it| (0.0..=1e12).contains(&it));
            ensure!(
                is_amount,
                "{}: {name} of {} is {}, and must be a number from 0 to 1e12",
                self.source,
                names[number as usize],
                said.unwrap_or_default()
            );
            Ok(said)
        };
        (0..count as u32).map(of).collect()
    }

    pub(super) fn capacities(&mut self, count: usize, names: &[String]) -> Result<Vec<Option<u32>>> {
        let amounts = self.amounts(CAPACITY, count, names)?;
        let whole = |(number, amount): (usize, Option<f64>)| {
            let Some(amount) = amount else { return Ok(None) };
            ensure!(
                amount.fract() == 0.0 && amount <= f64::from(u32::MAX),
                "{}: the capacity of {} is {amount}, and must be a whole number of items",
                self.source,
                names[number]
            );
            Ok(Some(amount as u32))
        };
        amounts.into_iter().enumerate().map(whole).collect()
    }

    /// What a place costs each item, 1 where nobody says so.
    pub(super) fn costs(&mut self, count: usize, names: &[String]) -> Result<Vec<f64>> {
        let name = self.renamed.get(COST).map_or(COST, String::as_str);
        if !self.renamed.contains_key(COST) && self.columns.iter().all(|(column, _)| column != name) {
            return Ok(vec![1.0; count]);
        }
        let costs = self.amounts(COST, count, names)?;
        let free = costs.iter().position(|cost| cost.is_some_and(|it| it <= 0.0));
        ensure!(
            free.is_none(),
            "{}: the cost of {} is 0, and must be above",
            self.source,
            names[free.unwrap_or_default()]
        );
        Ok(costs.into_iter().map(|cost| cost.unwrap_or(1.0)).collect())
    }

    /// A row for each number; those who are not told of have nothing in it.
    fn aligned(self, count: usize) -> Columns {
        let rows: Vec<Option<usize>> =
            (0..count as u32).map(|number| self.rows_of.get(&number).copied()).collect();
        let aligned = |(name, values): (String, Values)| {
            let values = match values {
                Values::Numbers(numbers) => {
                    Values::Numbers(rows.iter().map(|row| row.map_or(f64::NAN, |row| numbers[row])).collect())
                }
                Values::Categories(texts) => Values::Categories(
                    rows.iter().map(|row| row.and_then(|row| texts[row].clone())).collect(),
                ),
            };
            (name, values)
        };
        self.columns.into_iter().map(aligned).collect()
    }
}

/// What a lake and a file tell, of so many: of whom the file says nothing in a column of words, the lake does.
pub(super) fn joined(facts: Columns, features: Option<Features>, count: usize) -> Columns {
    let mut columns = features.map_or_else(Vec::new, |features| features.aligned(count));
    for (name, mut fact) in facts {
        match &mut fact {
            Values::Numbers(numbers) => numbers.resize(count, f64::NAN),
            Values::Categories(texts) => texts.resize(count, None),
        }
        match (columns.iter_mut().find(|(told, _)| *told == name), fact) {
            (Some((_, Values::Categories(told))), Values::Categories(fact)) => {
                let silent = told.iter_mut().zip(fact).filter(|(told, _)| told.is_none());
                silent.for_each(|(told, fact)| *told = fact);
            }
            (Some(_), _) => {}
            (None, fact) => columns.push((name, fact)),
        }
    }
    columns
}

/// What is known of them as features, where anything is.
pub(super) fn profiles(columns: &Columns) -> Result<Option<Profiles>> {
    if columns.is_empty() {
        return Ok(None);
    }
    Ok(Some(Profiles::from_columns(columns)?))
}

/// The words of each row of a column.
pub(in crate::jobs::matching) fn words_of(values: &Values) -> Vec<BTreeSet<String>> {
    match values {
        Values::Numbers(numbers) => numbers
            .iter()
            .map(|number| Some(number.to_string()).filter(|_| number.is_finite()).into_iter().collect())
            .collect(),
        Values::Categories(texts) => texts
            .iter()
            .map(|text| text.iter().flat_map(|it| words(it)).map(str::to_owned).collect())
            .collect(),
    }
}

/// Adds a column to what a fingerprint is of.
pub(super) fn add((name, values): &(String, Values), bytes: &mut Vec<u8>) {
    bytes.extend(name.as_bytes());
    bytes.push(0);
    match values {
        Values::Numbers(numbers) => numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes())),
        Values::Categories(texts) => texts.iter().for_each(|text| {
            bytes.extend(text.as_deref().unwrap_or_default().as_bytes());
            bytes.push(u8::from(text.is_some()));
        }),
    }
}
