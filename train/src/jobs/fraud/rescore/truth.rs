//! What really happened, for a judge: nothing is learned from it.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use domain::ConversionId;

use crate::jobs::table::Table;

/// Which pattern conversions belong to.
pub(super) struct Truth(BTreeMap<ConversionId, Pattern>);

/// A pattern, and whether it is fraud.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    pub name: String,
    pub is_fraud: bool,
}

impl Truth {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let table = Table::read(path, &BTreeMap::new())?;
        let [events, kinds, patterns, natures] =
            ["event", "kind", "pattern", "nature"].map(|field| table.names_of(field));
        let rows = events?.into_iter().zip(kinds?).zip(patterns?).zip(natures?).enumerate();
        let mut truth = BTreeMap::new();
        for (row, (((event, kind), name), nature)) in rows {
            if kind != "conversions" {
                continue;
            }
            let is_fraud = match nature.as_str() {
                "fraud" => true,
                "honest" => false,
                other => bail!("{}: {other:?} is neither fraud nor honest", table.place(row, "nature")),
            };
            let id: ConversionId = event.parse().with_context(|| table.place(row, "event"))?;
            // A replay of a conversion of another pattern is fraud.
            let entry = truth.entry(id).or_insert(Pattern { name: name.clone(), is_fraud });
            if is_fraud && !entry.is_fraud {
                *entry = Pattern { name, is_fraud };
            }
        }
        Ok(Self(truth))
    }

    /// The pattern of a conversion; ordinary if none.
    pub(super) fn of(&self, conversion: ConversionId) -> Pattern {
        let ordinary = || Pattern { name: "ordinary".to_owned(), is_fraud: false };
        self.0.get(&conversion).cloned().unwrap_or_else(ordinary)
    }
}
