//! Each conversion's division among its touches in whole parts per million: what a commission is divided by.

use anyhow::Result;
use domain::attribution::{Channels, parts};
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParquetCompression, ParquetWriter, Series, TimeUnit,
    TimeZone,
};

use super::{
    super::input::{Input, NOBODY},
    Lesson,
};

#[derive(Default)]
struct Columns {
    conversion: Vec<String>,
    place: Vec<Option<u32>>,
    channel: Vec<String>,
    touched_us: Vec<Option<i64>>,
    ppm: Vec<u32>,
    rule: Vec<Option<&'static str>>,
}

/// A row for each touch of a conversion, oldest first, and one for what is organic; the parts of a conversion sum to a
/// million.
pub(in super::super) fn parquet(lesson: &Lesson, input: &Input, channels: &Channels) -> Result<Vec<u8>> {
    let Some(watched) = &input.watched else { return frame(Columns::default()) };
    let mut columns = Columns::default();
    let ends = input.journeys.all().iter().scan(0, |end, counted| {
        *end += counted.journey.touches.len();
        Some(*end)
    });
    let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
    for (row, name) in watched.conversions() {
        let Some(counted) = input.journeys.slice(*row..row + 1).iter().next() else { continue };
        let touches = counted.journey.touches;
        let shares = lesson.shares(lesson.learned(), *row, touches.len());
        let weights: Vec<f64> =
            shares.touches.iter().chain([&shares.organic]).map(|it| it.max(0.0)).collect();
        let touched_us = &watched.touched_us()[starts[*row]..][..touches.len()];
        for (place, part) in parts(&weights).into_iter().enumerate() {
            let channel = touches.get(place);
            columns.conversion.push(name.clone());
            columns.place.push(channel.map(|_| place as u32 + 1));
            let named = channel.map_or(NOBODY, |channel| &channels.names()[*channel as usize]);
            columns.channel.push(named.to_owned());
            columns.touched_us.push(touched_us.get(place).copied());
            columns.ppm.push(part);
            columns.rule.push(shares.rule);
        }
    }
    frame(columns)
}

fn frame(columns: Columns) -> Result<Vec<u8>> {
    let height = columns.ppm.len();
    let instants = Series::new("touched_at".into(), columns.touched_us);
    let instants = instants.cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)))?;
    let columns: Vec<Column> = [
        Series::new("conversion".into(), columns.conversion),
        Series::new("place".into(), columns.place),
        Series::new("channel".into(), columns.channel),
        instants,
        Series::new("ppm".into(), columns.ppm),
        Series::new("rule".into(), columns.rule),
    ]
    .into_iter()
    .map(IntoColumn::into_column)
    .collect();
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None));
    writer.finish(&mut DataFrame::new(height, columns)?)?;
    Ok(bytes)
}
