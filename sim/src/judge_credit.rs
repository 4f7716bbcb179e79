//! What a division of credit is worth: held against who really caused the conversions that were divided.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{judge_table::Table, sink::TRUTH};

/// What nobody is called in files of credit.
const ORGANIC: &str = "(organic)";
/// Parts of a conversion.
const WHOLE: f64 = 1e6;

/// What models said of conversions, and where the truth of their world is.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder that the world was written to, with its `truth/`.
    pub world: PathBuf,
    /// The folder that the attribution job wrote for affiliates (`--by affiliate`), with the model that learns among those
    /// that were asked: `shares.parquet` says which conversions were divided, `credit.csv` what each model said.
    pub credit: PathBuf,
}

/// How far models are from the truth of one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// How many conversions were divided.
    pub conversions: u64,
    /// Which share of them nobody caused.
    pub organic: f64,
    /// Each model, in the order of the file.
    pub models: Vec<Misplaced>,
    /// Of the model that learns, the mean share that is misplaced in a single conversion.
    pub in_one: f64,
}

/// How far one model is from the truth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Misplaced {
    /// Its name.
    pub model: String,
    /// The share of all credit that is with an affiliate, or with nobody, who did not earn it: half of the sum of what is
    /// off, either way.
    pub share: f64,
    /// The same when only affiliates are compared and each model's credit is scaled to what they caused: what is left of
    /// the error of a model that knows nothing of organic conversions. None where nobody was credited, or nobody was to be.
    pub among_affiliates: Option<f64>,
    /// By how much its share of nobody is too high.
    pub organic: f64,
}

/// Holds credit against the truth.
///
/// # Errors
/// When a file cannot be read or lacks a column, or the credit is of another world.
pub fn judge(case: &Case) -> Result<Judgement> {
    let said = said(&case.credit.join("shares.parquet"))?;
    let truth = Truth::read(&case.world, &said)?;
    let all = said.len() as f64;
    let models = credit(&case.credit.join("credit.csv"))?;
    let mut channels = models.iter().flat_map(|(_, credit)| credit.keys()).filter(|name| *name != ORGANIC);
    ensure!(
        channels.any(|name| truth.of.contains_key(name)),
        "no channel of {} is an affiliate of that world: divide credit with --by affiliate",
        case.credit.display()
    );
    let models = models.into_iter().map(|(model, credit)| truth.misplaced(model, &credit, all)).collect();
    let in_one = said.iter().map(|(conversion, shares)| truth.misplaced_in(conversion, shares)).sum::<f64>();
    Ok(Judgement {
        conversions: said.len() as u64,
        organic: truth.of.get(ORGANIC).copied().unwrap_or(0.0) / all,
        models,
        in_one: in_one / all,
    })
}

/// By affiliate, or by the name of nobody.
type Shares = BTreeMap<String, f64>;

struct Truth {
    /// Of all conversions together.
    of: Shares,
    /// Of each.
    by_conversion: BTreeMap<String, Shares>,
}

impl Truth {
    /// The truth of these conversions.
    fn read(world: &Path, asked: &BTreeMap<String, Shares>) -> Result<Self> {
        let folder = world.join(TRUTH);
        let mut by_conversion: BTreeMap<String, Shares> = BTreeMap::new();
        let credits = Table::read(&folder.join("credits.parquet"))?;
        let names = credits.texts("conversion")?;
        let (organic, real) = (credits.numbers("organic_ppm")?, credits.flags("real")?);
        for ((name, organic), is_real) in names.iter().zip(organic.iter()).zip(real) {
            let Some(name) = name.filter(|name| asked.contains_key(*name)) else { continue };
            // An order that is invented has nobody who could be credited.
            let part = if is_real { organic.unwrap_or(0) as f64 / WHOLE } else { 1.0 };
            by_conversion.entry(name.to_owned()).or_default().insert(ORGANIC.to_owned(), part);
        }
        let visits = Table::read(&folder.join("credit_visits.parquet"))?;
        let (names, whose) = (visits.texts("conversion")?, visits.texts("affiliate")?);
        let parts = visits.numbers("ppm")?;
        for ((name, affiliate), part) in names.iter().zip(whose.iter()).zip(parts.iter()) {
            let (Some(name), Some(affiliate)) = (name, affiliate) else { continue };
            if let Some(shares) = by_conversion.get_mut(name) {
                *shares.entry(affiliate.to_owned()).or_default() += part.unwrap_or(0) as f64 / WHOLE;
            }
        }
        let stranger = asked.keys().find(|name| !by_conversion.contains_key(*name));
        ensure!(
            stranger.is_none(),
            "{} knows nothing of {}: is that credit of that world?",
            folder.display(),
            stranger.map_or("", String::as_str)
        );
        let mut of = Shares::new();
        for (who, part) in by_conversion.values().flatten() {
            *of.entry(who.clone()).or_default() += part;
        }
        Ok(Self { of, by_conversion })
    }

    fn misplaced(&self, model: String, credit: &Shares, all: f64) -> Misplaced {
        let organic = |shares: &Shares| shares.get(ORGANIC).copied().unwrap_or(0.0);
        let affiliates = |shares: &Shares| -> Shares {
            shares.iter().filter(|(who, _)| *who != ORGANIC).map(|(who, part)| (who.clone(), *part)).collect()
        };
        let (truly, said) = (affiliates(&self.of), affiliates(credit));
        let (caused, given) = (truly.values().sum::<f64>(), said.values().sum::<f64>());
        let scaled = said.iter().map(|(who, part)| (who.clone(), part * caused / given)).collect();
        Misplaced {
            model,
            share: apart(&self.of, credit) / all,
            among_affiliates: (0.0 < caused && 0.0 < given).then(|| apart(&truly, &scaled) / caused),
            organic: (organic(credit) - organic(&self.of)) / all,
        }
    }

    fn misplaced_in(&self, conversion: &str, shares: &Shares) -> f64 {
        self.by_conversion.get(conversion).map_or(0.0, |truth| apart(truth, shares))
    }
}

/// Half of what two divisions are apart.
fn apart(one: &Shares, other: &Shares) -> f64 {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let at = |shares: &Shares, name: &String| shares.get(name).copied().unwrap_or(0.0);
    names.into_iter().map(|name| (at(one, name) - at(other, name)).abs()).sum::<f64>() / 2.0
}

/// What the model that learns says of each conversion.
fn said(path: &Path) -> Result<BTreeMap<String, Shares>> {
    let table = Table::read(path)?;
    let (names, whose, parts) = (table.texts("conversion")?, table.texts("channel")?, table.numbers("ppm")?);
    let mut said: BTreeMap<String, Shares> = BTreeMap::new();
    for ((name, channel), part) in names.iter().zip(whose.iter()).zip(parts.iter()) {
        let (Some(name), Some(channel)) = (name, channel) else { continue };
        let part = part.unwrap_or(0) as f64 / WHOLE;
        *said.entry(name.to_owned()).or_default().entry(channel.to_owned()).or_default() += part;
    }
    ensure!(!said.is_empty(), "{} divides no conversion", path.display());
    Ok(said)
}

/// What each model says of all conversions together, in the order of the file.
fn credit(path: &Path) -> Result<Vec<(String, Shares)>> {
    let cannot = || format!("cannot read the credit in {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(cannot)?;
    let mut models: Vec<(String, Shares)> = Vec::new();
    for row in reader.deserialize() {
        let (model, channel, conversions, _): (String, String, f64, f64) = row.with_context(cannot)?;
        if models.last().is_none_or(|(last, _)| *last != model) {
            models.push((model, Shares::new()));
        }
        if let Some((_, shares)) = models.last_mut() {
            *shares.entry(channel).or_default() += conversions;
        }
    }
    Ok(models)
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} conversions, of which nobody caused {:.1} %; in a single one the model that learns misplaces {:.1} %",
            self.conversions,
            100.0 * self.organic,
            100.0 * self.in_one
        )?;
        writeln!(
            f,
            "{:16} {:>10} {:>17} {:>14}",
            "model", "misplaced", "among affiliates", "organic, points"
        )?;
        for it in &self.models {
            writeln!(
                f,
                "{:16} {:>8.1} % {:>17} {:>+15.1}",
                it.model,
                100.0 * it.share,
                it.among_affiliates.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share)),
                100.0 * it.organic
            )?;
        }
        Ok(())
    }
}
