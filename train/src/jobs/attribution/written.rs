//! What the job writes: credit as CSV, JSON and Parquet, and the report.

use anyhow::Result;
use chrono::{DateTime, Utc};
use domain::attribution::Credit;
use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, ParquetCompression, ParquetWriter, Series};
use serde_json::{Map, Value, json};

use super::{
    Attribution, Said, Told,
    bootstrap::LEVEL,
    input::NOBODY,
    learned::{self, Lesson},
    model::word,
    pages,
    paths::Paths,
};
use crate::{anomaly::metrics::Estimate, jobs::folder::Folder};

/// Writes them; the report is also returned.
pub(super) fn write(folder: &Folder, said: &Said, asked: &Attribution) -> Result<String> {
    let paths = Paths::of(&said.input.journeys, said.input.timed);
    folder.put("credit.csv", &csv(said)?)?;
    folder.put("credit.json", &serde_json::to_vec_pretty(&json(said, asked))?)?;
    folder.put("credit.parquet", &parquet(said)?)?;
    if let Some(lesson) = &said.lesson {
        folder.put("shares.parquet", &learned::parquet(lesson, &said.input, &said.channels)?)?;
    }
    let report = pages::report(said, &paths, asked).render()?;
    folder.put("report.html", report.as_bytes())?;
    Ok(report)
}

/// The channels of a model with their names and credit.
fn rows<'a>(said: &'a Said, told: &'a Told) -> impl Iterator<Item = (usize, &'a str, Credit)> {
    let credit = |channel: usize| told.credit.get(channel).copied().unwrap_or_default();
    said.channels
        .names()
        .iter()
        .enumerate()
        .map(move |(channel, name)| (channel, name.as_str(), credit(channel)))
}

/// A number whose text is one of a real number also where it is whole, so that readers who go by the first rows are not wrong.
fn real(number: f64) -> String {
    format!("{number:?}")
}

fn csv(said: &Said) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["model", "channel", "conversions", "value"])?;
    for told in &said.told {
        for (_, name, credit) in rows(said, told) {
            let numbers = [credit.conversions, credit.value].map(real);
            writer.write_record([&told.model.name(), name, &numbers[0], &numbers[1]])?;
        }
        if let Some(organic) = told.organic {
            let numbers = [organic.conversions, organic.value].map(real);
            writer.write_record([told.model.name().as_str(), NOBODY, &numbers[0], &numbers[1]])?;
        }
    }
    Ok(writer.into_inner()?)
}

/// Between which values a channel's credit lies, by samples of journeys or of orders.
pub(super) fn interval(told: &Told, channel: usize) -> Option<[Credit; 2]> {
    if let Some(sampled) = &told.sampled {
        return sampled.credit.get(channel).map(|interval| [interval.low, interval.high]);
    }
    let (margin, credit) = (*told.margin.as_ref()?.get(channel)?, told.credit.get(channel).copied()?);
    let (mut low, mut high) = (credit, credit);
    low += margin * -1.0;
    high += margin;
    Some([low, high])
}

fn json(said: &Said, asked: &Attribution) -> Value {
    let models: Map<String, Value> = said
        .told
        .iter()
        .map(|told| {
            let channels: Map<String, Value> = rows(said, told)
                .map(|(channel, name, credit)| {
                    let mut of = json!({"conversions": credit.conversions, "value": credit.value});
                    if let Some([low, high]) = interval(told, channel) {
                        of["conversions_interval"] = json!([low.conversions, high.conversions]);
                        of["value_interval"] = json!([low.value, high.value]);
                    }
                    if let Some(removal) = told.removal.as_ref().and_then(|it| it.get(channel)) {
                        of["removal_effect"] = json!(removal);
                    }
                    (name.to_owned(), of)
                })
                .collect();
            let mut of = json!({"channels": channels, "sampled": told.margin.is_some()});
            if let Some(organic) = told.organic {
                of["organic"] = json!({"conversions": organic.conversions, "value": organic.value});
            }
            (told.model.name(), of)
        })
        .collect();
    let settings = &asked.settings;
    json!({
        "source": said.input.source,
        "data": said.input.data,
        "rows": said.input.journeys.len(),
        "conversions": said.total.conversions,
        "value": said.total.value,
        "nulls": said.nulls,
        "models": models,
        "decide_by": {"model": said.decide_by.0.name(), "why": said.decide_by.1},
        "notes": said.input.notes,
        "learned": said.lesson.as_ref().map(of_lesson),
        "interval_level": LEVEL,
        "settings": {
            "order": settings.order,
            "definition": word(settings.definition),
            "shapley": word(settings.shapley),
            "half_life_days": settings.half_life,
            "bootstrap": settings.bootstrap,
            "timing": word(settings.learn.timing),
            "organic_share": settings.learn.organic_share,
        },
        "seed": asked.run.seed,
    })
}

/// How well what comes was foretold, and what the model was told.
fn of_lesson(lesson: &Lesson) -> Value {
    let number = |it: Estimate| json!({"value": it.value, "interval": [it.low, it.high]});
    let held_out = lesson.held_out.as_ref().map(|it| {
        let told: Map<String, Value> = it
            .told
            .iter()
            .map(|told| {
                let measures = json!({"roc_auc": number(told.roc_auc), "log_loss": number(told.log_loss)});
                (told.by.to_owned(), measures)
            })
            .collect();
        json!({
            "from": DateTime::<Utc>::from_timestamp_micros(it.from_us),
            "journeys": it.journeys,
            "conversions": it.conversions,
            "foretold": told,
        })
    });
    json!({"held_out": held_out, "conversions": lesson.learned().conversions})
}

fn parquet(said: &Said) -> Result<Vec<u8>> {
    let mut names: [Vec<String>; 2] = Default::default();
    let mut numbers: [Vec<f64>; 2] = Default::default();
    let mut bounds: [Vec<Option<f64>>; 4] = Default::default();
    for told in &said.told {
        for (channel, name, credit) in rows(said, told) {
            names[0].push(told.model.name());
            names[1].push(name.to_owned());
            numbers[0].push(credit.conversions);
            numbers[1].push(credit.value);
            let interval = interval(told, channel);
            bounds[0].push(interval.map(|it| it[0].conversions));
            bounds[1].push(interval.map(|it| it[1].conversions));
            bounds[2].push(interval.map(|it| it[0].value));
            bounds[3].push(interval.map(|it| it[1].value));
        }
        if let Some(organic) = told.organic {
            names[0].push(told.model.name());
            names[1].push(NOBODY.to_owned());
            numbers[0].push(organic.conversions);
            numbers[1].push(organic.value);
            bounds.iter_mut().for_each(|bounds| bounds.push(None));
        }
    }
    let height = names[0].len();
    let mut columns: Vec<Column> = Vec::new();
    for (name, texts) in ["model", "channel"].into_iter().zip(names) {
        columns.push(Series::new(name.into(), texts).into_column());
    }
    for (name, numbers) in ["conversions", "value"].into_iter().zip(numbers) {
        columns.push(Series::new(name.into(), numbers).into_column());
    }
    let named = ["conversions_low", "conversions_high", "value_low", "value_high"];
    for (name, bounds) in named.into_iter().zip(bounds) {
        columns.push(Series::new(name.into(), bounds).into_column());
    }
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None));
    writer.finish(&mut DataFrame::new(height, columns)?)?;
    Ok(bytes)
}
