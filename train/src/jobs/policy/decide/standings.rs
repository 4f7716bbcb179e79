//! Where partners stand between two runs, so that bands, notices and periods go on.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use domain::{
    Rate,
    commission::dynamic::{Policy, RateDecision, RateMode, Standing},
};
use serde::{Deserialize, Serialize};

use super::{Partner, Partners};
use crate::jobs::{json, partner::strangers};

/// Of the file's shape.
const FORMAT: u32 = 1;

/// `standings.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standings {
    format: u32,
    /// When they stood so.
    pub(super) at: DateTime<Utc>,
    /// By which policy.
    policy_version: String,
    pub(super) partners: BTreeMap<String, Kept>,
}

/// A partner's standing, and all rates that it had.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    standing: Standing,
    /// From when on which rate holds, earliest first.
    pub(super) path: Vec<(DateTime<Utc>, Rate)>,
}

impl Standings {
    /// Nobody stands anywhere yet.
    pub(super) fn new(at: DateTime<Utc>) -> Self {
        Self { format: FORMAT, at, policy_version: String::new(), partners: BTreeMap::new() }
    }

    pub(super) fn read(path: &Path, at: DateTime<Utc>) -> Result<Self> {
        let name = path.display();
        let read: Self = json::read(path, "list of standings", "standings.json of an earlier run is one")?;
        ensure!(
            read.format == FORMAT,
            "{name} is of format {}, and this release reads {FORMAT}",
            read.format
        );
        ensure!(
            read.at <= at,
            "{name} is of {}, and --at is {at}; what was decided is not decided again: give a later date",
            read.at
        );
        Ok(read)
    }

    /// A sentence where hardly anybody who stands somewhere is among these partners.
    pub(super) fn strangers(&self, path: &Path, partners: &Partners) -> Option<String> {
        let is_there = |name: &String| partners.all.iter().any(|partner| partner.name == *name);
        strangers(path, self.partners.keys().map(is_there))
    }

    /// Where a partner stands at a moment, by its contract as it is now.
    pub(super) fn of(&mut self, partner: &Partner, at: DateTime<Utc>) -> Result<Standing> {
        if let Some(kept) = self.partners.get(&partner.name) {
            return Ok(Standing { contract: partner.contract, ..kept.standing.clone() }.at(at));
        }
        let rate = partner.rate.with_context(|| {
            format!(
                "{}: says no rate, and nobody has decided one before; give a column rate, or say --rate 10%",
                partner.place
            )
        })?;
        let standing = Standing::new(partner.contract, rate);
        let kept = Kept { standing: standing.clone(), path: vec![(at, rate)] };
        self.partners.insert(partner.name.clone(), kept);
        Ok(standing)
    }

    /// Keeps where a partner stands after its decision.
    pub(super) fn keep(&mut self, name: &str, standing: &Standing, decision: &RateDecision) {
        let Some(kept) = self.partners.get_mut(name) else { return };
        kept.standing = standing.clone();
        let is_new = decision.mode == RateMode::Live && decision.change_ppm() != 0;
        kept.path.extend(decision.effective_at.filter(|_| is_new).map(|from| (from, decision.next)));
    }

    pub(super) fn close(&mut self, at: DateTime<Utc>, policy: &Policy) {
        (self.at, self.policy_version) = (at, policy.version.clone());
    }
}
