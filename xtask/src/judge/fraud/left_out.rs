//! What is found of a scheme that no label knows: reviewers have never heard of it, and take it for honest.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Labels, Options, Programs, Worlds};
use crate::external;

/// The kind of world in which schemes are left out.
const WORLD: &str = "usual";
/// The schemes that lead to conversions.
const SCHEMES: [&str; 9] = [
    "cookie_stuffing",
    "click_injection",
    "click_flooding",
    "self_referral",
    "referral_ring",
    "lead_fraud",
    "brand_bidding",
    "replayed_postback",
    "conversion_spike",
];

/// What `tributary-sim judge --json` says.
#[derive(Deserialize)]
struct Judgement {
    shares: Vec<Share>,
    honest: Share,
}

#[derive(Deserialize)]
struct Share {
    pattern: String,
    events: u64,
    flagged: u64,
    interval: Option<(f64, f64)>,
}

impl Share {
    fn told(&self) -> String {
        let share = self.flagged as f64 / self.events.max(1) as f64;
        let interval = self.interval.map(|(low, high)| format!(" ({low:.3} to {high:.3})"));
        format!("{share:.3}{}", interval.unwrap_or_default())
    }
}

/// One line for each scheme: without labels, with labels of all other schemes, and the honest that it costs.
pub(super) fn section(programs: &Programs, worlds: &Worlds, options: &Options) -> Result<String> {
    let (_, flags) =
        worlds.worlds.iter().find(|(name, _)| name == WORLD).context("the usual world is gone")?;
    let mut told = format!(
        "## Schemes that no label knows\n\n`tributary-sim {} --days {} --unknown SCHEME`: reviewers have not heard of the \
         scheme, look at it as at anything honest, and take it for that.\n\n\
         | unknown scheme | events | found without labels | found with labels of the others | honest flagged then |\n\
         |---|---:|---|---|---|\n",
        flags.join(" "),
        worlds.days
    );
    for scheme in SCHEMES {
        let [without, with] = judged(programs, worlds, (flags, scheme), options)
            .with_context(|| format!("with {scheme} unknown"))?;
        let of = |judgement: &Judgement| {
            let share = judgement.shares.iter().find(|share| share.pattern == scheme);
            share.map_or_else(|| (0, "–".to_owned()), |share| (share.events, share.told()))
        };
        let ((events, before), (_, after)) = (of(&without), of(&with));
        told.push_str(&format!("| {scheme} | {events} | {before} | {after} | {} |\n", with.honest.told()));
    }
    told.push('\n');
    Ok(told)
}

fn judged(
    programs: &Programs,
    worlds: &Worlds,
    (flags, scheme): (&[String], &str),
    options: &Options,
) -> Result<[Judgement; 2]> {
    let folder = tempfile::tempdir()?;
    let flags = [flags, &["--unknown".to_owned(), scheme.to_owned()]].concat();
    let said = [Labels::Unseen, Labels::Reviewed];
    let mut judges = said.map(|_| programs.judgement());
    for seed in &worlds.seeds {
        let place = folder.path().join(seed);
        programs.world(seed, worlds.days, &flags, &place)?;
        fs::remove_dir_all(place.join("lake"))?;
        for (labels, judge) in said.into_iter().zip(&mut judges) {
            programs.learn(seed, (&options.model, options.false_positive_rate), &place, labels)?;
            judge.arg("--world").arg(place.join("world"));
            judge.arg("--scores").arg(place.join(labels.folder()).join("scores.csv"));
        }
    }
    let mut said = judges.into_iter().map(|mut judge| -> Result<Judgement> {
        Ok(serde_json::from_str(&external::read(judge.arg("--json"))?)?)
    });
    let mut next = || said.next().context("there are two")?;
    Ok([next()?, next()?])
}
