//! Events of a lake as jobs read them.

use std::{collections::HashSet, ops::Range, path::Path};

use anyhow::{Result, ensure};
use domain::event::{Event, Kind};
use features::{
    entity::event_id,
    lake::{Lake, Told},
};

/// The lake at an address; one that is not there is refused.
pub(super) fn open(address: &Path) -> Result<Lake> {
    let lake = Lake::open(address)?;
    ensure!(lake.exists()?, "there is no event lake in {}", address.display());
    Ok(lake)
}

/// Tells each event of a kind once, with at least these columns of it.
pub(super) fn each(
    lake: &Lake,
    kind: Kind,
    columns: &[&'static str],
    range: &Range<i64>,
    mut tell: impl FnMut(&Event),
) -> Result<()> {
    let told = Told { kind, occurred_us: range.clone(), columns: columns.iter().copied().collect() };
    let mut replay = lake.replay(vec![told], i64::MIN..i64::MAX)?;
    let mut seen = HashSet::new();
    while let Some(block) = replay.next_block()? {
        for known in block.iter().flatten() {
            if seen.insert(event_id(&known.event)) {
                tell(&known.event);
            }
        }
    }
    Ok(())
}
