//! `tributary-train partner`: what partners are worth by what they won, which tier they belong to, and why.

mod foreseen;
mod habits;
mod input;
mod judged;
mod learned;
mod pages;
mod perks;
mod placed;
mod profile;
mod prospects;
mod written;

use anyhow::{Result, ensure};
use chrono::NaiveDate;
use clap::Args;
use domain::Clock;

pub(super) use self::placed::strangers;
use self::{
    input::{Input, PartnerArgs},
    judged::Judged,
    learned::{Learned, learn},
    placed::{Placed, TierArgs},
};
use super::{run::RunArgs, table::day_of};
use crate::watch::Watch;

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Partner {
    #[command(flatten)]
    input: PartnerArgs,
    #[command(flatten)]
    tiers: TierArgs,
    /// Judge what would have been expected at the end of this day by what came after it; what is written knows everything
    #[arg(long, value_name = "DATE", conflicts_with = "predictions")]
    calibration_end: Option<NaiveDate>,
    #[command(flatten)]
    run: RunArgs,
}

/// All that is said.
struct Said {
    input: Input,
    learned: Learned,
    placed: Placed,
    judged: Option<Judged>,
    /// Places of partners, the best first.
    ranking: Vec<usize>,
}

impl Partner {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self, clock: &Clock) -> Result<String> {
        let (folder, stopped) = self.run.begin()?;
        let watch = Watch::new(5, stopped);
        watch.step("reading partners and what they won")?;
        let input = self.input.read(clock)?;
        watch.done();
        watch.step("learning")?;
        let learned = learn(&input, None)?;
        watch.done();
        watch.step("placing")?;
        let placed = Placed::of(&input, &learned, &self.tiers)?;
        watch.done();
        watch.step("judging")?;
        let judged = self.calibration_end.map(|end| self.judge(&input, end)).transpose()?;
        watch.done();
        watch.step("writing files")?;
        let said = Said { ranking: ranking(&input, &learned), input, learned, placed, judged };
        written::write(&folder, &said, self)?;
        folder.keep()?;
        watch.done();
        Ok(format!(
            "{}\npartners, tiers, measures and the report are in {}",
            pages::summary(&said),
            self.run.out.display()
        ))
    }

    fn judge(&self, input: &Input, end: NaiveDate) -> Result<Judged> {
        ensure!(
            input.last_day.is_some(),
            "--calibration-end judges by what came later, and no conversion has a date: say --column date=NAME"
        );
        judged::judge(input, day_of(end))
    }
}

/// By the return that is expected; by name where that is equal.
fn ranking(input: &Input, learned: &Learned) -> Vec<usize> {
    let mut ranking: Vec<usize> = (0..learned.standings.len()).collect();
    ranking.sort_by(|one, other| {
        let expected = |place: &usize| learned.standings[*place].returns.expected();
        let name = |place: &usize| &input.partners[*place].name;
        expected(other).total_cmp(&expected(one)).then_with(|| name(one).cmp(name(other)))
    });
    ranking
}
