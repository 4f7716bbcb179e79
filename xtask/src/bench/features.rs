//! The feature store. Each group of figures is one file below `features/`, and one line in [`run`].

mod online;

use anyhow::Result;
use clap::Args;

use super::figure::Report;

/// What is measured, and how often
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    online: online::Options,
}

/// Measures every group and puts their figures behind one another.
pub fn run(options: &Options) -> Result<Report> {
    let groups = [online::run(&options.online)?];
    let mut all = Report::default();
    for Report { figures, promises, notes } in groups {
        all.figures.extend(figures);
        all.promises.extend(promises);
        all.notes.extend(notes);
    }
    Ok(all)
}
