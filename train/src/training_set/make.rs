//! A training set is made.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use features::{
    offline::{
        Source,
        training::{Order, TrainingSet, profile_of, refuse_existing},
        view::ViewFile,
    },
    set::FeatureSet,
};

use super::{Bar, Place, instant, set};

/// Makes a training set: for each row of labels the values of a feature set as they were known at the row's instant.
///
/// The output is Parquet: `at`, whom the row is about, what its labels say besides, and a column for each feature. A
/// value is missing where nothing was known. Beside it a profile is written, against which `features check` holds a
/// later day.
///
/// What is required is still optional to the parser, because `features check` comes without.
#[derive(Debug, Args)]
pub(super) struct Make {
    /// Which feature set, such as fraud_v1; docs/features.md lists them
    #[arg(long, required = true, value_name = "NAME", value_parser = set)]
    set: Option<&'static FeatureSet>,

    /// Folder, or s3://BUCKET/FOLDER, of the event lake
    #[arg(long, required = true, env = "TRIBUTARY_LAKE", value_name = "LAKE")]
    lake: Option<PathBuf>,

    /// The rows: `events` for each conversion when it became known, `events:clicks` (or another kind) for those, or a CSV
    /// or Parquet file with a column `at` and at least one of conversion_id, click_id, session_id, address_hash,
    /// device_id, affiliate_id, campaign_id, advertiser_id with customer_id; its other columns are carried over
    #[arg(long, default_value = "events", value_name = "FILE|events")]
    labels: Source,

    /// Only rows dated from then on: a day, or an instant such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<i64>,

    /// Only rows dated before then
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<i64>,

    /// A table of your own whose values are joined as they were known: CSV or Parquet with occurred_at (or at), known_at
    /// where that is later, the columns that rows are matched by, and values; ttl is how old a value may be. May be given
    /// again
    #[arg(long = "view", value_name = "FILE[,key=COLUMN+COLUMN][,ttl=30d]")]
    views: Vec<ViewFile>,

    /// Tell what reviewers found about each conversion, and when that became known, in the columns fraud (1, 0, or
    /// nothing where nobody looked) and fraud_known_at
    #[arg(long)]
    verdicts: bool,

    /// Where to write the training set; the profile goes beside it, with .profile.json behind its name
    #[arg(long, required = true, value_name = "FILE.parquet")]
    out: Option<PathBuf>,
}

impl Make {
    pub(super) fn run(self) -> Result<()> {
        let missing = "say which set (--set) of which lake (--lake) goes where (--out); --help says more";
        let (set, out) = (self.set.context(missing)?, self.out.context(missing)?);
        let place = Place { lake: self.lake.context(missing)? };
        refuse_existing(&out)?;
        let (from, to) = (self.from.unwrap_or(i64::MIN), self.to.unwrap_or(i64::MAX));
        if to <= from {
            bail!("there is no time between --from and --to");
        }
        let history = place.open()?;
        let order = Order {
            set,
            labels: self.labels,
            range_us: from..to,
            views: self.views,
            verdicts: self.verdicts,
        };
        let bar = Bar::new();
        let mut made = TrainingSet::make(&history, &order, |stage| bar.show(stage))?;
        drop(bar);
        let command: Vec<String> = std::env::args().collect();
        made.write(&out, &command.join(" "))?;
        println!(
            "{} rows of {} ({} columns) are in {}, and what they look like in {}",
            made.frame.height(),
            order.set.full_name(),
            made.frame.width(),
            out.display(),
            profile_of(&out).display()
        );
        if 0 < made.unknown {
            println!("{} of the events that the labels name are not in the lake", made.unknown);
        }
        if 0 < made.early {
            println!(
                "{} rows are dated before their event was known: what it says itself is missing",
                made.early
            );
        }
        Ok(())
    }
}
