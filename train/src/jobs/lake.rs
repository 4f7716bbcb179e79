//! The event lake as jobs read it: each event once.

use std::{collections::HashSet, path::Path};

use anyhow::{Result, ensure};
use domain::{
    Money,
    conversion::ConversionStatus,
    event::{Event, Kind},
};
use features::{
    entity::event_id,
    lake::{Lake, Told},
};

/// The lake at an address, where there is one.
pub(super) fn open(address: &Path) -> Result<Lake> {
    let lake = Lake::open(address)?;
    ensure!(lake.exists()?, "there is no event lake in {}", address.display());
    Ok(lake)
}

/// An amount in whole units of its currency.
pub(super) fn amount(money: Money) -> f64 {
    money.minor as f64 / libm::pow(10.0, f64::from(money.currency.places()))
}

/// Tells each event of a kind once.
pub(super) fn each(
    lake: &Lake,
    kind: Kind,
    columns: &[&'static str],
    range: &std::ops::Range<i64>,
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

/// The conversions that have come to nothing.
pub(super) fn rejected(lake: &Lake) -> Result<HashSet<u128>> {
    let mut rejected = HashSet::new();
    each(lake, Kind::StatusChange, &["conversion_id", "status"], &(i64::MIN..i64::MAX), |event| {
        let Event::StatusChange(change) = event else { return };
        let id = change.conversion.uuid().as_u128();
        if matches!(change.to, ConversionStatus::Rejected | ConversionStatus::Reversed) {
            rejected.insert(id);
        } else {
            rejected.remove(&id);
        }
    })?;
    Ok(rejected)
}
