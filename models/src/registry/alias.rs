//! Which version is for what, and everything that ever moved it: who, when, why, from where, to where.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::name::{Alias, Version};

/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// `aliases.json` of a model: an alias and its history change in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases {
    /// Of this file.
    pub format: u32,
    /// The version whose answers count.
    pub champion: Option<Version>,
    /// The version in its shadow.
    pub challenger: Option<Version>,
    /// Every move, the oldest first.
    pub history: Vec<Move>,
}

/// An alias was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which alias.
    pub alias: Alias,
    /// Forwards or back.
    pub action: Action,
    /// Where it was.
    pub from: Option<Version>,
    /// Where it is.
    pub to: Option<Version>,
    /// Since when.
    pub at: DateTime<Utc>,
    /// Who moved it.
    pub by: String,
    /// And why.
    pub why: String,
    /// The gates that were overridden, each in a sentence.
    #[serde(default)]
    pub overridden: Vec<String>,
}

/// Which way an alias was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To a version that was chosen, or away from every version.
    Promote,
    /// To where it was before.
    Rollback,
}

/// Who moves an alias, when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Why; a person will read it.
    pub why: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Aliases {
    /// A model's first: nothing is promoted.
    #[must_use]
    pub fn none() -> Self {
        Self { format: FORMAT, ..Self::default() }
    }

    /// The version of an alias.
    #[must_use]
    pub fn get(&self, alias: Alias) -> Option<Version> {
        match alias {
            Alias::Champion => self.champion,
            Alias::Challenger => self.challenger,
        }
    }

    /// The champion, or the last one where it was withdrawn: what comes after it is compared with it all the same.
    pub(super) fn last_champion(&self) -> Option<Version> {
        let moves = self.history.iter().rev().filter(|step| step.alias == Alias::Champion);
        self.champion.or_else(|| moves.filter_map(|step| step.to).next())
    }

    /// The aliases of a version.
    #[must_use]
    pub fn of(&self, version: Version) -> Vec<Alias> {
        Alias::ALL.into_iter().filter(|alias| self.get(*alias) == Some(version)).collect()
    }

    /// Where an alias was before it came to where it is. Going back twice goes back two moves, not there and back.
    #[must_use]
    pub fn before(&self, alias: Alias) -> Option<Version> {
        let mut way: Vec<Option<Version>> = vec![None];
        for step in self.history.iter().filter(|step| step.alias == alias) {
            match step.action {
                Action::Promote => way.push(step.to),
                Action::Rollback => {
                    way.pop();
                }
            }
        }
        way.pop();
        way.pop().flatten()
    }

    /// Moves an alias and keeps the move. A challenger that becomes champion is no challenger any more.
    pub(super) fn shift(&mut self, alias: Alias, to: Option<Version>, action: Action, because: &Because<'_>) {
        let step = Move {
            alias,
            action,
            from: self.get(alias),
            to,
            at: because.decision.at,
            by: because.decision.by.clone(),
            why: because.decision.why.clone(),
            overridden: because.overridden.to_vec(),
        };
        match alias {
            Alias::Champion => self.champion = to,
            Alias::Challenger => self.challenger = to,
        }
        self.history.push(step);
        if alias == Alias::Champion && to.is_some() && self.challenger == to {
            let nothing = Because { overridden: &[], ..*because };
            self.shift(Alias::Challenger, None, Action::Promote, &nothing);
        }
    }

    /// What the history does not explain, in a sentence.
    pub(super) fn fault(&self) -> Option<String> {
        for alias in Alias::ALL {
            let mut at = None;
            for (place, step) in self.history.iter().enumerate().filter(|(_, step)| step.alias == alias) {
                if step.from != at {
                    return Some(format!(
                        "move {} of its history does not begin where {alias} was",
                        place + 1
                    ));
                }
                at = step.to;
            }
            if at != self.get(alias) {
                return Some(format!("its {alias} is not where its history ends"));
            }
        }
        None
    }
}

/// A decision with the gates that it overrides.
#[derive(Clone, Copy)]
pub(super) struct Because<'a> {
    pub(super) decision: &'a Decision,
    pub(super) overridden: &'a [String],
}
