//! A simulated world as a history file, to try a backtest on, and its truth beside it.

use anyhow::Result;
use chrono::{DateTime, TimeDelta};

use super::SimulateArgs;
use crate::{
    jobs::folder::Folder,
    policy::simulation::{MONTH_DAYS, Shape, Tried, Truth, undecided},
};

/// The first month begins at the beginning of 2024.
const BEGIN_S: i64 = 1_704_067_200;
/// Months before those that policies decide in a comparison.
const BEFORE: usize = 6;

/// Writes the world of a seed.
pub(super) fn write(folder: &Folder, args: &SimulateArgs, seed: u64) -> Result<String> {
    let shape = Shape { partners: args.partners_per_world, ..Shape::default() };
    let months = BEFORE + args.months;
    let (truths, tried) = undecided(&shape, months, seed);
    folder.put("history.csv", &history(&shape, &truths, &tried)?)?;
    folder.put("truth.csv", &truth(&truths)?)?;
    Ok(format!("history.csv with {months} months of {} partners, and truth.csv,", truths.len()))
}

fn day(month: usize) -> String {
    let begin = DateTime::from_timestamp(BEGIN_S, 0).unwrap_or_default();
    (begin + TimeDelta::days(month as i64 * MONTH_DAYS)).format("%F").to_string()
}

fn name(partner: usize) -> String {
    format!("p{partner:04}")
}

fn history(shape: &Shape, truths: &[Truth], tried: &[Tried]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head =
        ["partner_id", "period_start", "source", "rate", "propensity", "conversions", "amount", "spend"];
    let tail = ["value", "values", "fraud", "early_buyers", "known_at"];
    writer.write_record(head.into_iter().chain(tail))?;
    for Tried { partner, month, rate, propensity, made } in tried {
        let truth = &truths[*partner];
        let conversions = made.conversions();
        let values: Vec<String> = made.predicted.iter().map(|value| format!("{value:.2}")).collect();
        writer.write_record([
            name(*partner),
            day(*month),
            format!("source{}", truth.source),
            rate.to_string(),
            propensity.to_string(),
            conversions.to_string(),
            format!("{:.2}", shape.order * conversions as f64),
            format!("{:.2}", made.spend),
            format!("{:.2}", made.values.iter().sum::<f64>()),
            values.join(";"),
            made.fraud.to_string(),
            made.values.iter().filter(|value| 0.0 < **value).count().to_string(),
            day(month + 1 + shape.lag),
        ])?;
    }
    Ok(writer.into_inner()?)
}

fn truth(truths: &[Truth]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "partner_id",
        "source",
        "value",
        "conversions",
        "elasticity",
        "fraud",
        "churn_ratio",
    ])?;
    for (partner, truth) in truths.iter().enumerate() {
        let numbers = [truth.value, truth.conversions, truth.elasticity, truth.fraud, truth.churn];
        let names = [name(partner), format!("source{}", truth.source)];
        writer.write_record(names.into_iter().chain(numbers.iter().map(ToString::to_string)))?;
    }
    Ok(writer.into_inner()?)
}
