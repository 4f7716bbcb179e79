//! What a detector's flags are worth: held against the truth of the worlds that it looked at, pattern by pattern, never as
//! one number.
//!
//! Events of one occurrence (a ring, a campus, an affiliate's orders) stand or fall together, so intervals come from
//! drawing occurrences with replacement (Davison and Hinkley, «Bootstrap methods and their application», 1997, 2.4 and 3.8),
//! not from counting events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use serde::Serialize;

use crate::{
    dice::{Part, Seed},
    patterns::{Nature, descriptions},
    sink::TRUTH,
};

/// How often occurrences are drawn for an interval.
const DRAWS: usize = 2_000;
/// What part of the draws lies within an interval.
const LEVEL: f64 = 0.95;
/// Of how many ordinary events an affiliate's share of false alarms is told at least.
const ENOUGH: u64 = 20;
/// What events of no pattern are called.
const ORDINARY: &str = "ordinary";

/// What a detector said of events, and where the truth of their world is.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder that the world was written to, with its `truth/`.
    pub world: PathBuf,
    /// A CSV file with a line for each event.
    pub scores: PathBuf,
}

/// How the columns of the scores are called.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The event's id.
    pub id: String,
    /// 1 where it was flagged.
    pub flagged: String,
    /// Whose event it is.
    pub affiliate: String,
    /// Only lines that say this in this column count, as column and value; all of them without.
    pub only: Option<(String, String)>,
}

/// Of the events of a pattern, how many were flagged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The pattern, or `ordinary` for events of none.
    pub pattern: String,
    /// Whether that is fraud.
    pub is_fraud: bool,
    /// In how many occurrences; of ordinary events, of how many affiliates, and each that is nobody's for itself.
    pub occurrences: u64,
    /// How many events.
    pub events: u64,
    /// How many of them were flagged.
    pub flagged: u64,
    /// The 95 % interval of the share; none where there are fewer than two occurrences.
    pub interval: Option<(f64, f64)>,
}

/// What the flags are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Patterns in their order, then ordinary events; those that no event belongs to are left out.
    pub shares: Vec<Share>,
    /// All fraud together.
    pub fraud: Share,
    /// All that is honest together.
    pub honest: Share,
    /// The affiliate with the largest share of flagged honest events, of those with twenty or more: who, events, flagged.
    pub worst: Option<(String, u64, u64)>,
}

/// Holds flags against the truth.
///
/// # Errors
/// When a file cannot be read, or lacks a column.
pub fn judge(cases: &[Case], columns: &Columns) -> Result<Judgement> {
    let mut counts = Counts::default();
    for (place, case) in cases.iter().enumerate() {
        let labels = labels(&case.world)?;
        counts.take(place, &case.scores, columns, &labels)?;
    }
    Ok(counts.judgement())
}

/// Which pattern an event belongs to.
struct Label {
    pattern: String,
    is_fraud: bool,
    group: i64,
}

/// The labels of a world by event; of an event that belongs to fraud and to an honest crowd, the fraud's.
fn labels(world: &Path) -> Result<BTreeMap<String, Label>> {
    let path = world.join(TRUTH).join("labels.parquet");
    let cannot = || format!("cannot read the truth in {}", path.display());
    let frame = File::open(&path).with_context(cannot)?;
    let frame = ParquetReader::new(frame).finish().with_context(cannot)?;
    let rows = rows(&frame).with_context(cannot)?;
    let mut labels = BTreeMap::new();
    for (event, label) in rows {
        let known: Option<&Label> = labels.get(&event);
        if known.is_none_or(|known| label.is_fraud && !known.is_fraud) {
            labels.insert(event, label);
        }
    }
    Ok(labels)
}

fn rows(frame: &DataFrame) -> Result<Vec<(String, Label)>> {
    let text = |name: &str| Ok::<_, anyhow::Error>(frame.column(name)?.str()?.clone());
    let (events, patterns, natures) = (text("event")?, text("pattern")?, text("nature")?);
    let groups = frame.column("group")?.i64()?.clone();
    let row = |row: usize| {
        let label = Label {
            pattern: patterns.get(row)?.to_owned(),
            is_fraud: natures.get(row)? == Nature::Fraud.name(),
            group: groups.get(row).unwrap_or_default(),
        };
        Some((events.get(row)?.to_owned(), label))
    };
    Ok((0..frame.height()).filter_map(row).collect())
}

/// An occurrence: of which world, and which one there.
type Occurrence = (usize, String);

/// Events and flagged events of each occurrence.
type Tally = BTreeMap<Occurrence, (u64, u64)>;

#[derive(Default)]
struct Counts {
    by_pattern: BTreeMap<String, Tally>,
    /// Of honest events, by whose they are.
    by_affiliate: Tally,
}

impl Counts {
    fn take(
        &mut self,
        place: usize,
        scores: &Path,
        columns: &Columns,
        labels: &BTreeMap<String, Label>,
    ) -> Result<()> {
        let cannot = || format!("cannot read the scores in {}", scores.display());
        let mut reader = csv::Reader::from_path(scores).with_context(cannot)?;
        let head = reader.headers().with_context(cannot)?.clone();
        let at = |name: &str| place_of(name, &head, scores);
        let (id, flagged, affiliate) = (at(&columns.id)?, at(&columns.flagged)?, at(&columns.affiliate)?);
        let only = columns.only.as_ref().map(|(name, value)| Ok::<_, anyhow::Error>((at(name)?, value)));
        let only = only.transpose()?;
        let (mut taken, mut labelled, mut seen) = (0_u64, false, BTreeSet::new());
        for line in reader.records() {
            let line = line.with_context(cannot)?;
            let cell = |column: usize| line.get(column).unwrap_or_default();
            if only.is_some_and(|(column, value)| cell(column) != value) {
                continue;
            }
            taken += 1;
            let (label, whose) = (labels.get(cell(id)), cell(affiliate).to_owned());
            let is_flagged = yes_or_no(cell(flagged)).with_context(|| {
                let at = line.position().map_or(0, csv::Position::line);
                format!("{} line {at}: {:?} is {:?}", scores.display(), columns.flagged, cell(flagged))
            })?;
            ensure!(
                seen.insert(cell(id).to_owned()),
                "{} says something of {} twice",
                scores.display(),
                cell(id)
            );
            labelled |= label.is_some();
            let (pattern, occurrence) = match label {
                Some(label) => (label.pattern.as_str(), label.group.to_string()),
                // What is nobody's stands for itself.
                None if whose.is_empty() => (ORDINARY, cell(id).to_owned()),
                None => (ORDINARY, whose.clone()),
            };
            add(self.by_pattern.entry(pattern.to_owned()).or_default(), (place, occurrence), is_flagged);
            if label.is_none_or(|label| !label.is_fraud) && !whose.is_empty() {
                add(&mut self.by_affiliate, (place, whose), is_flagged);
            }
        }
        ensure!(0 < taken, "{} has no line that counts", scores.display());
        ensure!(
            labelled || labels.is_empty(),
            "no line of {} names an event of a pattern: are these scores of that world?",
            scores.display()
        );
        Ok(())
    }

    fn judgement(&self) -> Judgement {
        let mut shares = Vec::new();
        let (mut fraud, mut honest) = (Tally::new(), Tally::new());
        for known in descriptions() {
            let Some(tally) = self.by_pattern.get(known.name) else { continue };
            let is_fraud = known.nature == Nature::Fraud;
            shares.push(share(known.name, is_fraud, tally));
            let all = if is_fraud { &mut fraud } else { &mut honest };
            all.extend(
                tally
                    .iter()
                    .map(|((world, group), counts)| ((*world, format!("{} {group}", known.name)), *counts)),
            );
        }
        if let Some(tally) = self.by_pattern.get(ORDINARY) {
            shares.push(share(ORDINARY, false, tally));
            honest.extend(tally.iter().map(|(occurrence, counts)| (occurrence.clone(), *counts)));
        }
        let often = |counts: &(u64, u64)| counts.1 as f64 / counts.0 as f64;
        let worst = self.by_affiliate.iter().filter(|(_, counts)| ENOUGH <= counts.0);
        let worst = worst.max_by(|one, other| often(one.1).total_cmp(&often(other.1)));
        Judgement {
            shares,
            fraud: share("all fraud", true, &fraud),
            honest: share("all honest", false, &honest),
            worst: worst.map(|((_, whose), counts)| (whose.clone(), counts.0, counts.1)),
        }
    }
}

/// Where a column stands.
fn place_of(name: &str, head: &csv::StringRecord, scores: &Path) -> Result<usize> {
    head.iter().position(|column| column == name).with_context(|| {
        let all: Vec<_> = head.iter().take(12).collect();
        format!("{} has no column {name:?}; it has {}", scores.display(), all.join(", "))
    })
}

/// A flag, as programs write them.
fn yes_or_no(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" => Ok(true),
        "0" | "0.0" | "false" => Ok(false),
        _ => bail!("a flag is 1 or 0"),
    }
}

fn add(tally: &mut Tally, occurrence: Occurrence, is_flagged: bool) {
    let (events, flagged) = tally.entry(occurrence).or_default();
    *events += 1;
    *flagged += u64::from(is_flagged);
}

fn share(pattern: &str, is_fraud: bool, tally: &Tally) -> Share {
    let counts: Vec<_> = tally.values().copied().collect();
    let sum = |which: fn(&(u64, u64)) -> u64| counts.iter().map(which).sum::<u64>();
    Share {
        pattern: pattern.to_owned(),
        is_fraud,
        occurrences: counts.len() as u64,
        events: sum(|it| it.0),
        flagged: sum(|it| it.1),
        interval: interval(&counts),
    }
}

/// Between which shares 95 of 100 draws of as many occurrences lie.
fn interval(counts: &[(u64, u64)]) -> Option<(f64, f64)> {
    if counts.len() < 2 {
        return None;
    }
    let mut dice = Seed(0).dice(Part::Probe, counts.len() as u64);
    let mut draw = |_| {
        let (mut events, mut flagged) = (0, 0);
        for _ in counts {
            let drawn = counts[dice.below(counts.len() as u64) as usize];
            events += drawn.0;
            flagged += drawn.1;
        }
        flagged as f64 / events as f64
    };
    let mut shares: Vec<f64> = (0..DRAWS).map(&mut draw).collect();
    shares.sort_by(f64::total_cmp);
    let at = |quantile: f64| shares[((DRAWS - 1) as f64 * quantile).round() as usize];
    Some((at((1.0 - LEVEL) / 2.0), at(f64::midpoint(1.0, LEVEL))))
}

impl Share {
    /// Of its events, which share was flagged.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.events == 0 { f64::NAN } else { self.flagged as f64 / self.events as f64 }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nature = if self.is_fraud { "fraud" } else { "honest" };
        let interval =
            self.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}"));
        write!(
            f,
            "| {} | {nature} | {} | {} | {:.3} | {interval} |",
            self.pattern,
            self.occurrences,
            self.events,
            self.share()
        )
    }
}

/// A table in Markdown.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| pattern | nature | occurrences | events | flagged | 95 % interval |\n|---|---|---:|---:|---:|---|"
        )?;
        for share in self.shares.iter().chain([&self.fraud, &self.honest]) {
            writeln!(f, "{share}")?;
        }
        if let Some((who, events, flagged)) = &self.worst {
            let often = *flagged as f64 / *events as f64;
            writeln!(
                f,
                "\nThe worst affiliate: of {events} honest events of {who}, {flagged} were flagged ({often:.3})."
            )?;
        }
        Ok(())
    }
}
