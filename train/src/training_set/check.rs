//! A day is held against the profile of a training set.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use features::{
    definition::Computed,
    fact::Fact,
    offline::{
        Source,
        profile::{Drift, Profile, Verdict},
        training::{Order, TrainingSet, read_profile},
        view::ViewFile,
    },
    set::FeatureSet,
    window::DAY,
};

use super::{Bar, Place, instant, set};

/// Computes the same features for the rows of one day and compares them with a training set's profile.
///
/// For each feature: the population stability index over the profile's bins (from 0.1 on it shifted, from 0.25 on it
/// moved, and never for less than chance would do), the difference of the missing shares (0.05 and 0.2), and the share of
/// values outside the profile's range (0.01 and 0.05).
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The profile: FILE.parquet.profile.json, beside the training set
    #[arg(long, value_name = "FILE")]
    profile: PathBuf,

    #[command(flatten)]
    place: Place,

    /// The first instant of the day, usually a date
    #[arg(long, value_name = "DAY", value_parser = instant)]
    day: i64,

    /// How many days
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=3_650))]
    days: i64,

    /// The rows; those of the profile when not given
    #[arg(long, value_name = "FILE|events")]
    labels: Option<Source>,

    /// The tables that the training set was made with, as they were given then
    #[arg(long = "view", value_name = "FILE[,key=COLUMN+COLUMN][,ttl=30d]")]
    views: Vec<ViewFile>,

    /// Say all features, not only those that shifted or moved
    #[arg(long)]
    all: bool,

    /// One line of JSON for each feature instead of a table
    #[arg(long)]
    json: bool,

    /// End with a failure when a feature moved
    #[arg(long)]
    fail: bool,
}

impl Check {
    /// Says what moved, and whether that is all right.
    pub(super) fn run(self) -> Result<bool> {
        let profile = read_profile(&self.profile)?;
        let made = self.make(&profile)?;
        let mut drifts = Vec::new();
        for feature in &profile.features {
            if made.frame.get_column_index(&feature.name).is_none() {
                bail!("{} came from {}: give that with --view as well", feature.name, feature.source);
            }
            if !self.decides(set(&profile.set)?, &feature.name) {
                drifts.push(feature.drift(&made.frame)?);
            }
        }
        drifts.sort_by(|one, other| other.verdict.cmp(&one.verdict).then(other.psi.total_cmp(&one.psi)));
        let shown = drifts.iter().filter(|drift| self.all || Verdict::Stable < drift.verdict);
        if self.json {
            for drift in shown {
                println!("{}", serde_json::to_string(drift)?);
            }
        } else {
            print!("{}", table(&profile, made.frame.height(), &drifts, self.all));
        }
        let has_moved = drifts.iter().any(|drift| drift.verdict == Verdict::Moved);
        Ok(!(self.fail && has_moved))
    }

    /// Whether the choice of days alone decides what a feature says: a Friday is all Friday, which is no news.
    fn decides(&self, set: &FeatureSet, name: &str) -> bool {
        let is_weekday = Computed::Request(Fact::DayOfWeek);
        let is_it = set.features.iter().any(|feature| feature.name == name && feature.computed == is_weekday);
        is_it && self.days % 7 != 0
    }

    /// The same features for the rows of the day.
    fn make(&self, profile: &Profile) -> Result<TrainingSet> {
        let set = set(&profile.set)?;
        let fingerprint: String = set.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
        if fingerprint != profile.fingerprint {
            bail!(
                "{} was defined otherwise when {} was made: make the training set anew",
                profile.set,
                self.profile.display()
            );
        }
        let of_profile =
            || profile.labels.parse::<Source>().ok().filter(|it| matches!(it, Source::Events(_)));
        let labels = self.labels.clone().or_else(of_profile);
        let labels = labels.with_context(|| {
            format!("the rows came from {}: name a file with those of the day (--labels)", profile.labels)
        })?;
        let to = self.day.saturating_add(self.days * DAY);
        let order = Order { set, labels, range_us: self.day..to, views: self.views.clone(), verdicts: false };
        let bar = Bar::new();
        Ok(TrainingSet::make(&self.place.open()?, &order, |stage| bar.show(stage))?)
    }
}

/// What moved, as lines of columns.
fn table(profile: &Profile, rows: usize, drifts: &[Drift], all: bool) -> String {
    let many = |verdict| drifts.iter().filter(|drift| drift.verdict == verdict).count();
    let mut text = format!(
        "{} of {} features moved and {} shifted, in {rows} rows, since {} ({} rows from {} to {})\n",
        many(Verdict::Moved),
        drifts.len(),
        many(Verdict::Shifted),
        profile.set,
        profile.rows,
        profile.from,
        profile.to
    );
    let shown: Vec<&Drift> = drifts.iter().filter(|it| all || Verdict::Stable < it.verdict).collect();
    if shown.is_empty() {
        return text;
    }
    let wide = shown.iter().map(|drift| drift.name.len()).max().unwrap_or_default();
    text += &format!(
        "{:8} {:wide$} {:>6} {:>10} {:>8} {:>12} {:>12}  {}\n",
        "verdict", "feature", "PSI", "missing", "outside", "mean before", "mean now", "made of"
    );
    let mean = |mean: Option<f64>| mean.map_or("–".to_owned(), |mean| format!("{mean:.4}"));
    for drift in shown {
        text += &format!(
            "{:8} {:wide$} {:>6.3} {:>+8.1} % {:>6.1} % {:>12} {:>12}  {}\n",
            drift.verdict.name(),
            drift.name,
            drift.psi,
            100.0 * (drift.missing_now - drift.missing_before),
            100.0 * drift.outside_share,
            mean(drift.mean_before),
            mean(drift.mean_now),
            drift.source
        );
        drift.because.iter().for_each(|because| text += &format!("{:8} {because}\n", ""));
    }
    text
}
