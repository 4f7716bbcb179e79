//! The feature store. Each group of figures is one file below `features/`, and one line in [`run`].

mod lake;
mod online;
mod training;

use anyhow::Result;
use clap::Args;

use super::figure::Report;

/// What is measured, and how often
#[derive(Args)]
pub struct Options {
    /// Measure these groups only, online, lake or training; may be repeated
    #[arg(long, value_name = "GROUP", value_parser = ["online", "lake", "training"])]
    only: Vec<String>,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
    #[command(flatten)]
    online: online::Size,
    #[command(flatten)]
    training: training::Size,
}

impl Options {
    /// Whether it is what was promised that is measured, and all of it.
    pub fn is_complete(&self) -> bool {
        self.only.is_empty() && self.training.is_complete()
    }

    fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == group)
    }
}

/// Measures every group and puts their figures behind one another.
pub fn run(options: &Options) -> Result<Report> {
    let mut all = Report::default();
    let mut add = |Report { figures, promises, notes }: Report| {
        all.figures.extend(figures);
        all.promises.extend(promises);
        all.notes.extend(notes);
    };
    if options.wants("online") {
        add(online::run(&options.online, options.repetitions)?);
    }
    if options.wants("lake") {
        add(lake::run(options.repetitions)?);
    }
    if options.wants("training") {
        add(training::run(&options.training, options.repetitions)?);
    }
    Ok(all)
}
