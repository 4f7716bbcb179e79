//! What a person wants to see of a lake first: what it holds, and what features say of the partner whom reviewers found
//! out most often.

use std::{collections::BTreeMap, fmt::Write, ops::Range};

use anyhow::{Context, Result};
use domain::{
    AffiliateId,
    event::{Event, Kind, Verdict},
};
use features::{
    defs::ALL,
    entity::Keys,
    lake::Lake,
    online::{Bounds, State},
    set::FeatureSet,
    value::Value,
};

/// What is looked at of a partner.
const SHOWN: [&str; 8] = [
    "affiliate_clicks_24h",
    "affiliate_clicks_7d",
    "affiliate_conversions_90d",
    "affiliate_fraud_rate",
    "affiliate_rejection_rate_90d",
    "affiliate_refund_share_90d",
    "affiliate_address_entropy_24h",
    "affiliate_click_to_conversion_median_90d",
];

/// Days, events and bytes of each table, as a table for the terminal.
///
/// # Errors
/// When a file of the lake cannot be read.
pub fn tables(lake: &Lake) -> Result<String> {
    let mut text =
        format!("{:<16}{:>12}{:>8}{:>12}{:>14}\n", "events", "count", "files", "KiB", "bytes each");
    for table in lake.summary()? {
        let each = table.bytes.checked_div(table.events).unwrap_or(0);
        let (kib, name) = (table.bytes.div_ceil(1_024), table.kind.name());
        writeln!(text, "{name:<16}{:>12}{:>8}{kib:>12}{each:>14}", table.events, table.partitions)?;
    }
    Ok(text)
}

/// Reads a lake in the order in which its events became known, as a server that starts again does, and says what features
/// know of the partner with the most conversions that reviewers found fraudulent. None when they found none.
///
/// # Errors
/// When a file of the lake cannot be read.
pub fn most_suspicious(lake: &Lake) -> Result<Option<String>> {
    const ALWAYS: Range<i64> = i64::MIN..i64::MAX;
    let kinds = [Kind::Click, Kind::Conversion, Kind::Refund, Kind::StatusChange, Kind::Review];
    let set = FeatureSet::new("glance", 1, &SHOWN, &ALL).context("a feature that is shown has gone")?;
    let mut state = State::new(&set.features, Bounds::default());
    let mut found_out: BTreeMap<AffiliateId, (u64, Keys)> = BTreeMap::new();
    let mut last_us = i64::MIN;
    for known in lake.events(&kinds, ALWAYS)? {
        let known = known?;
        state.observe(&known);
        last_us = last_us.max(known.known_at_us);
        if let Event::Review(review) = &known.event
            && let Some(affiliate) = review.affiliate.filter(|_| review.verdict == Verdict::Fraud)
        {
            found_out.entry(affiliate).or_insert((0, Keys::of(&known.event))).0 += 1;
        }
    }
    let most = found_out.iter().max_by_key(|(_, (count, _))| *count);
    let Some((affiliate, (count, keys))) = most else { return Ok(None) };
    let (prepared, mut values) = (state.prepare(&set)?, Vec::new());
    state.vector(&prepared, keys, None, last_us, &mut values);
    let mut text = format!("{affiliate}: {count} conversions found fraudulent by reviewers\n");
    for (feature, value) in set.features.iter().zip(values) {
        writeln!(text, "  {:<42}{:>14}", feature.name, shown(value))?;
    }
    Ok(Some(text))
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Whole(whole) => whole.to_string(),
        Value::Real(real) => format!("{real:.3}"),
    }
}
