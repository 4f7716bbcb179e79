//! Paths that are counted together: a row says which channels were touched in which order, how often that ended in a
//! conversion and how often in none, and what the conversions were worth.

use anyhow::{Context, Result};
use domain::attribution::{Channels, Journeys, journeys::Row};

use super::Input;
use crate::jobs::table::{Numbers, Table};

pub(super) const FIELDS: &[&str] = &["path", "conversions", "value", "nulls"];

/// Reads them.
pub(super) fn read(table: &Table, separator: &str, mut channels: Channels) -> Result<Input> {
    let paths = table.texts("path")?;
    let (conversions, value, nulls) =
        (table.numbers("conversions")?, table.numbers("value")?, table.numbers("nulls")?);
    // A file without counts has a row for each conversion.
    let (conversions_if_unsaid, is_counted) = if conversions.is_some() { (0.0, true) } else { (1.0, false) };
    let mut journeys = Journeys::with_capacity(table.rows(), 3 * table.rows());
    let (mut touches, mut empty) = (Vec::new(), 0_usize);
    for (row, path) in paths.iter().enumerate() {
        touches.clear();
        let named = path.unwrap_or_default().split(separator).map(str::trim).filter(|name| !name.is_empty());
        touches.extend(named.map(|name| channels.number(name)));
        if touches.is_empty() {
            empty += 1;
            continue;
        }
        let of = |numbers: &Option<Numbers>| numbers.as_ref().and_then(|it| it.at(row));
        let journey = Row {
            touches: &touches,
            conversions: of(&conversions).unwrap_or(conversions_if_unsaid),
            value: of(&value).unwrap_or(0.0),
            nulls: of(&nulls).unwrap_or(0.0),
            ..Row::default()
        };
        journeys.push(journey).with_context(|| table.place(row, "path"))?;
    }
    let mut notes = Vec::new();
    if !is_counted {
        notes.push("there is no column conversions: each row counts as one".to_owned());
    }
    if nulls.is_none() {
        notes.push(
            "there is no column nulls: all paths count as converted, which Markov chains learn little from"
                .to_owned(),
        );
    }
    if 0 < empty {
        notes.push(format!("{empty} rows name no channel and are left out"));
    }
    let source = table.source().to_owned();
    Ok(Input { journeys, channels, timed: false, watched: None, notes, data: table.data, source })
}
