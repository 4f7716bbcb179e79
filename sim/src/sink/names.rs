//! What the things of a world are called in the Tributary that it happened to: with it, the truth is about what is there.

use std::{fmt::Display, path::Path};

use anyhow::Result;

use super::{
    NETWORK,
    table::{Cell, Plan, Table, Type::Text},
};

const NAMES: Plan =
    Plan { name: "names", columns: &[("kind", Text), ("simulated", Text), ("tributary", Text)] };

/// The table of names, or none where nobody asks for it.
pub struct Names(Option<Table>);

impl Names {
    /// Begins the table in a world's folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        Ok(Self(Some(Table::create(&folder.join(NETWORK), &NAMES)?)))
    }

    /// Keeps none.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// A thing of this kind has this name; none when it was taken in and not told yet.
    pub(crate) fn put(&mut self, kind: &str, simulated: impl Display, tributary: Option<&str>) -> Result<()> {
        let Some(table) = &mut self.0 else { return Ok(()) };
        table.row([Cell::text(kind), Cell::text(simulated), Cell::text_or_null(tributary)])
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Table::finish)
    }
}
