//! Who the partners are, and what is known of each beside what it won.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Result, bail, ensure};
use models::fingerprint::Fingerprint;

use super::Listed;
use crate::{anomaly::matrix::Values, jobs::table::Table};

const PARTNER: &str = "partner_id";
const SOURCE: &str = "source";
const CLICKS: &str = "clicks";
const COST: &str = "cost";
pub(super) const FIELDS: &[&str] = &[PARTNER, SOURCE, CLICKS, COST];
/// Beyond this a number may have been another whole one.
const COUNTS_MOST: f64 = 9e15;

/// What a profile says of one thing.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::jobs::partner) enum Trait {
    Number(f64),
    Word(String),
}

/// Partners, by name.
pub(in crate::jobs::partner) struct Roster {
    columns: BTreeMap<String, String>,
    drop: Vec<String>,
    /// Columns that were there to be dropped.
    dropped: BTreeSet<String>,
    /// Fields that had another name.
    pub(super) renamed: BTreeSet<String>,
    pub(super) partners: BTreeMap<String, Listed>,
    pub(super) has_clicks: bool,
    pub(super) notes: Vec<String>,
    pub(super) sources: Vec<(String, Fingerprint)>,
}

impl Roster {
    pub(super) fn new(columns: BTreeMap<String, String>, drop: Vec<String>) -> Self {
        Self {
            columns,
            drop,
            dropped: BTreeSet::new(),
            renamed: BTreeSet::new(),
            partners: BTreeMap::new(),
            has_clicks: false,
            notes: Vec::new(),
            sources: Vec::new(),
        }
    }

    pub(super) fn is_listed(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Adds a file's partners.
    pub(super) fn read(&mut self, path: &Path) -> Result<()> {
        let table = Table::read_one_of(path, &self.columns)?;
        self.renamed.extend(table.renamed_fields().map(str::to_owned));
        let names = table.names_of(PARTNER)?;
        let sources = table.has(SOURCE).then(|| table.texts(SOURCE)).transpose()?;
        let (clicks, costs) = (table.numbers(CLICKS)?, table.numbers(COST)?);
        self.has_clicks |= clicks.is_some();
        let profile = self.profile(&table)?;
        let mut here = BTreeSet::new();
        for (row, name) in names.into_iter().enumerate() {
            let mut listed = Listed { name: name.clone(), ..Listed::default() };
            let source = sources.as_ref().and_then(|sources| sources.get(row)).map(str::trim);
            listed.source = source.filter(|source| !source.is_empty()).map(str::to_owned);
            let count = clicks.as_ref().and_then(|clicks| clicks.at(row)).unwrap_or(0.0);
            ensure!(
                count.fract().abs() <= 0.0 && count <= COUNTS_MOST,
                "{}: {count} is no number of clicks",
                table.place(row, CLICKS)
            );
            listed.clicks = count as u64;
            listed.cost = costs.as_ref().and_then(|costs| costs.at(row));
            for (column, values) in &profile {
                listed.profile.extend(said(values, row).map(|it| (column.clone(), it)));
            }
            if let Some(infinite) =
                listed.profile.iter().find_map(|(column, it)| is_infinite(it).then_some(column))
            {
                bail!("{}: is no finite number", table.place(row, infinite));
            }
            let place = || table.place(row, PARTNER);
            ensure!(here.insert(name.clone()), "{}: a second row of this partner", place());
            if let (Some(_), Some((first, _))) =
                (self.partners.insert(name.clone(), listed), self.sources.first())
            {
                bail!(
                    "{}: {name} is a partner already, by {first}: take the row out of one of the files",
                    place()
                );
            }
        }
        self.sources.push((table.source().to_owned(), table.data));
        Ok(())
    }

    /// The columns that are no fields and were not to be dropped.
    fn profile(&mut self, table: &Table) -> Result<Vec<(String, Values)>> {
        let mut profile = Vec::new();
        for (name, values) in table.others(FIELDS)? {
            if self.drop.contains(&name) {
                self.dropped.insert(name);
            } else {
                profile.push((name, values));
            }
        }
        Ok(profile)
    }

    pub(super) fn check_drops(&self) -> Result<()> {
        let missing = self.drop.iter().find(|name| !self.dropped.contains(*name));
        missing.map_or(Ok(()), |name| {
            Err(anyhow::anyhow!("no file of partners has a column {name:?} that --drop could leave out"))
        })
    }

    /// The partner of this name, also if no file has it.
    pub(super) fn partner(&mut self, name: &str) -> &mut Listed {
        let listed = || Listed { name: name.to_owned(), ..Listed::default() };
        self.partners.entry(name.to_owned()).or_insert_with(listed)
    }
}

fn said(values: &Values, row: usize) -> Option<Trait> {
    match values {
        Values::Numbers(numbers) => Some(numbers[row]).filter(|it| !it.is_nan()).map(Trait::Number),
        Values::Categories(words) => {
            let word = words[row].as_deref().map(str::trim).filter(|word| !word.is_empty());
            word.map(|word| Trait::Word(word.to_owned()))
        }
    }
}

fn is_infinite(it: &Trait) -> bool {
    matches!(it, Trait::Number(number) if number.is_infinite())
}
