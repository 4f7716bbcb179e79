//! A row for each touch: which journey, when, through which channel, and whether it ended in a conversion.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use domain::attribution::{Channels, Journeys, journeys::Row};

use super::{
    By, Input,
    watched::{Watch, Watched},
};
use crate::jobs::table::Table;

pub(super) const FIELDS: &[&str] = &[
    "journey_id",
    "ts",
    "channel",
    "affiliate",
    "campaign",
    "converted",
    "converted_at",
    "value",
    "lead",
    "device",
];

/// A touch of a journey, by numbers.
#[derive(Clone, Copy)]
struct Touch {
    journey: u32,
    at_us: i64,
    row: u32,
    channel: u32,
}

/// What came of a journey.
#[derive(Clone, Copy, Default)]
struct End {
    /// When it converted, if it did.
    converted_us: Option<i64>,
    value: f64,
}

/// Reads them. A journey converts where one of its rows says so, at that row's instant, or at `converted_at`; what comes
/// later does not count. Its value is what the last of these rows says.
pub(super) fn read(table: &Table, by: By, mut channels: Channels, is_watched: bool) -> Result<Input> {
    ensure!(u32::try_from(table.rows()).is_ok(), "{} has more than four billion rows", table.source());
    let mut ids = Channels::default();
    let mut touches = numbered(table, by, &mut ids, &mut channels)?;
    let ends = ends(table, &touches, ids.names().len())?;
    let leads = table.flags("lead")?;
    let mut told = if is_watched { Some(Seen::of(table, by, &touches, &ends)?) } else { None };
    touches.sort_unstable_by_key(|touch| (touch.journey, touch.at_us, touch.row));
    let mut journeys = Journeys::with_capacity(ids.names().len(), touches.len());
    let (mut late, mut nobodys) = (0_usize, 0_usize);
    for of_journey in touches.chunk_by(|one, other| one.journey == other.journey) {
        let end = ends[of_journey[0].journey as usize];
        let until_us = end.converted_us.unwrap_or(i64::MAX);
        let before = of_journey.partition_point(|touch| touch.at_us <= until_us);
        late += of_journey.len() - before;
        let before = &of_journey[..before];
        let Some(last) = before.last() else {
            nobodys += 1;
            continue;
        };
        let end_us = end.converted_us.unwrap_or(last.at_us);
        let seconds = |touch: &Touch| u32::try_from((end_us - touch.at_us) / 1_000_000).unwrap_or(u32::MAX);
        let is_lead = |touch: &Touch| leads.as_ref().is_some_and(|leads| leads[touch.row as usize]);
        let row = Row {
            touches: &before.iter().map(|touch| touch.channel).collect::<Vec<_>>(),
            seconds_before: &before.iter().map(seconds).collect::<Vec<_>>(),
            lead: before.iter().position(is_lead).map(|place| place as u32),
            conversions: f64::from(u8::from(end.converted_us.is_some())),
            value: if end.converted_us.is_some() { end.value } else { 0.0 },
            nulls: f64::from(u8::from(end.converted_us.is_none())),
        };
        journeys.push(row).with_context(|| table.place(last.row as usize, "journey_id"))?;
        if let Some(told) = &mut told {
            let name = || ids.names()[last.journey as usize].clone();
            told.push(before, end_us, end.converted_us.map(|_| name()));
        }
    }
    let mut notes = Vec::new();
    if 0 < late {
        notes.push(format!("{late} touches came after their journey's conversion and are left out"));
    }
    if 0 < nobodys {
        notes.push(format!("{nobodys} journeys have no touch before their conversion and are left out"));
    }
    Ok(Input {
        journeys,
        channels,
        timed: true,
        watched: told.map(|told| told.watched),
        notes,
        data: table.data,
        source: table.source().to_owned(),
    })
}

/// Each row by the numbers of its journey and channel.
fn numbered(table: &Table, by: By, ids: &mut Channels, channels: &mut Channels) -> Result<Vec<Touch>> {
    let (journeys, players) = (table.numbered("journey_id", ids)?, table.numbered(by.column(), channels)?);
    let at_us = table.instants("ts")?;
    let rows = journeys.into_iter().zip(players).zip(at_us).enumerate();
    Ok(rows
        .map(|(row, ((journey, channel), at_us))| Touch { journey, at_us, row: row as u32, channel })
        .collect())
}

/// What rows say for models that learn.
struct Seen {
    watched: Watched,
    /// Of each row of the table.
    campaigns: Vec<u32>,
    devices: Vec<u32>,
    /// The last instant that the table tells of: until then a conversion would have been seen.
    last_us: i64,
}

impl Seen {
    fn of(table: &Table, by: By, touches: &[Touch], ends: &[End]) -> Result<Self> {
        let mut watched = Watched::default();
        let unknown = || vec![crate::attribution::UNKNOWN; table.rows()];
        let has_campaign = by != By::Campaign && table.has(By::Campaign.column());
        let campaigns = if has_campaign {
            let texts = table.texts(By::Campaign.column())?;
            let distinct: BTreeSet<&str> = texts.iter().flatten().collect();
            for name in distinct {
                watched.campaign(Some(name));
            }
            texts.iter().map(|text| watched.campaign(text)).collect()
        } else {
            unknown()
        };
        let devices = if table.has("device") {
            let texts = table.texts("device")?;
            let distinct: BTreeSet<&str> = texts.iter().flatten().collect();
            for name in distinct {
                watched.device(Some(name));
            }
            texts.iter().map(|text| watched.device(text)).collect()
        } else {
            unknown()
        };
        let instants = touches.iter().map(|touch| touch.at_us);
        let last_us = instants.chain(ends.iter().filter_map(|end| end.converted_us)).max();
        Ok(Self { watched, campaigns, devices, last_us: last_us.unwrap_or_default() })
    }

    /// Appends a journey, whose campaign is that of its last touch.
    fn push(&mut self, touches: &[Touch], end_us: i64, conversion: Option<String>) {
        let (Some(first), Some(last)) = (touches.first(), touches.last()) else { return };
        let watch = Watch {
            began_us: first.at_us,
            watched_s: u32::try_from((self.last_us - end_us).max(0) / 1_000_000).unwrap_or(u32::MAX),
            campaign: self.campaigns[last.row as usize],
            is_coupon: false,
        };
        let touches = touches.iter().map(|touch| (touch.at_us, self.devices[touch.row as usize]));
        self.watched.push(watch, touches, conversion);
    }
}

/// What came of each journey.
fn ends(table: &Table, touches: &[Touch], journeys: usize) -> Result<Vec<End>> {
    let (converted, value) = (table.flags("converted")?, table.numbers("value")?);
    let converted = converted.with_context(|| {
        format!(
            "{} has no column converted, which says 1 where a journey ended in a conversion",
            table.source()
        )
    })?;
    let stated = if table.has("converted_at") { Some(table.instants_if_any("converted_at")?) } else { None };
    let mut ends = vec![End::default(); journeys];
    for touch in touches {
        let (row, end) = (touch.row as usize, &mut ends[touch.journey as usize]);
        let at_us = stated.as_ref().and_then(|stated| stated[row]).unwrap_or(touch.at_us);
        if converted[row] && end.converted_us.is_none_or(|before| before <= at_us) {
            let value = value.as_ref().and_then(|value| value.at(row)).unwrap_or(0.0);
            *end = End { converted_us: Some(at_us), value };
        }
    }
    Ok(ends)
}
