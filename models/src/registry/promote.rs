//! An alias moves to a version that proves itself, or back to where it was; who moved it and why is kept.

use super::{
    Registry,
    alias::{Action, Aliases, Because, Decision},
    gate,
    manifest::About,
    name::{Alias, ModelName, Version},
    read::ReadError,
    storage::{StorageError, Written},
};
use crate::{
    Runtime,
    session::{LoadError, examine},
};

/// What is to become champion or challenger.
#[derive(Clone, Debug)]
pub struct Promotion {
    /// Of which model.
    pub model: ModelName,
    /// Which version.
    pub version: Version,
    /// Which alias.
    pub alias: Alias,
    /// Who decides, when and why.
    pub decision: Decision,
    /// What happens where it is worse than the champion.
    pub force: Force,
}

/// What happens to a version that is worse than the champion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It is refused.
    No,
    /// It becomes champion, and the history keeps what was overridden. Its hashes, signature and parity must hold all the
    /// same.
    Yes,
}

/// Why an alias was not moved. It is where it was.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// Who or why is not said.
    #[error("{model} {version} was not promoted: say who decides and why, the history keeps it")]
    Undecided {
        /// Of which model.
        model: ModelName,
        /// Which version.
        version: Version,
    },
    /// It cannot be loaded.
    #[error(transparent)]
    Unfit(#[from] LoadError),
    /// It is worse than the champion.
    #[error(
        "{model} {version} was not made champion in place of {champion}: {}; train a better one, or force it with a reason",
        failures.join("; ")
    )]
    Worse {
        /// Of which model.
        model: ModelName,
        /// Which version.
        version: Version,
        /// The champion that stays.
        champion: Version,
        /// The gates that it does not pass, each in a sentence.
        failures: Vec<String>,
    },
    /// It has the alias already.
    #[error("{model} {version} is its {alias} already")]
    Already {
        /// Of which model.
        model: ModelName,
        /// Which version.
        version: Version,
        /// Which alias.
        alias: Alias,
    },
    /// There is nothing to go back to.
    #[error("{model} had no {alias} before this one: promote a version instead")]
    NothingBefore {
        /// Of which model.
        model: ModelName,
        /// Which alias.
        alias: Alias,
    },
    /// The registry cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The registry cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Decision {
    fn must_be_said(&self, model: &ModelName, version: Version) -> Result<(), PromoteError> {
        if self.by.trim().is_empty() || self.why.trim().is_empty() {
            return Err(PromoteError::Undecided { model: model.clone(), version });
        }
        Ok(())
    }
}

impl Registry {
    /// Moves an alias to a version whose hashes, signature and parity vectors hold; a champion must pass the gates too.
    /// Returns what the aliases are then.
    ///
    /// # Errors
    /// When the version does not prove itself, or the registry cannot be read or written.
    pub fn promote(&self, promotion: &Promotion, runtime: &Runtime) -> Result<Aliases, PromoteError> {
        let Promotion { model, version, alias, decision, force } = promotion;
        decision.must_be_said(model, *version)?;
        let about = examine(self, runtime, model, *version)?.manifest.about;
        self.move_alias(model, |aliases| {
            if aliases.get(*alias) == Some(*version) {
                return Err(PromoteError::Already { model: model.clone(), version: *version, alias: *alias });
            }
            let rival = aliases.last_champion().filter(|last| *alias == Alias::Champion && last != version);
            let failures = rival.map_or(Vec::new(), |champion| self.failures(model, &about, champion));
            match rival {
                Some(champion) if *force == Force::No && !failures.is_empty() => {
                    Err(PromoteError::Worse { model: model.clone(), version: *version, champion, failures })
                }
                _ => {
                    let because = Because { decision, overridden: &failures };
                    aliases.shift(*alias, Some(*version), Action::Promote, &because);
                    Ok(())
                }
            }
        })
    }

    /// Moves an alias back to where it was, which must still prove itself but need not be better. A challenger that had
    /// none before it is taken away. Returns what the aliases are then.
    ///
    /// # Errors
    /// When there is nothing to go back to, it does not prove itself, or the registry cannot be read or written.
    pub fn rollback(
        &self,
        model: &ModelName,
        alias: Alias,
        decision: &Decision,
        runtime: &Runtime,
    ) -> Result<Aliases, PromoteError> {
        self.versions(model)?;
        self.move_alias(model, |aliases| {
            let nothing = || PromoteError::NothingBefore { model: model.clone(), alias };
            let before = aliases.before(alias);
            let known = aliases.get(alias).or(before).ok_or_else(nothing)?;
            decision.must_be_said(model, known)?;
            match before {
                Some(before) => drop(examine(self, runtime, model, before)?),
                None if alias == Alias::Champion => return Err(nothing()),
                None => {}
            }
            aliases.shift(alias, before, Action::Rollback, &Because { decision, overridden: &[] });
            Ok(())
        })
    }

    /// Takes an alias away: whoever serves it stops within a poll. A later rollback brings it back to where it was.
    /// Returns what the aliases are then.
    ///
    /// # Errors
    /// When nothing has the alias, or the registry cannot be read or written.
    pub fn withdraw(
        &self,
        model: &ModelName,
        alias: Alias,
        decision: &Decision,
    ) -> Result<Aliases, PromoteError> {
        self.versions(model)?;
        self.move_alias(model, |aliases| {
            let nothing = || ReadError::NoAlias { model: model.clone(), alias };
            decision.must_be_said(model, aliases.get(alias).ok_or_else(nothing)?)?;
            aliases.shift(alias, None, Action::Promote, &Because { decision, overridden: &[] });
            Ok(())
        })
    }

    /// Decides on the aliases as they are; whoever finds that another was first decides again.
    fn move_alias(
        &self,
        model: &ModelName,
        decide: impl Fn(&mut Aliases) -> Result<(), PromoteError>,
    ) -> Result<Aliases, PromoteError> {
        loop {
            let (mut aliases, tag) = self.tagged_aliases(model)?;
            decide(&mut aliases)?;
            let text =
                serde_json::to_string_pretty(&aliases).expect("aliases are text and whole numbers") + "\n";
            if self.storage.swap_aliases(model, tag.as_ref(), text.as_bytes())? != Written::Late {
                return Ok(aliases);
            }
        }
    }

    fn failures(&self, model: &ModelName, about: &About, champion: Version) -> Vec<String> {
        match self.manifest(model, champion) {
            Ok(manifest) => gate::failed(about, &manifest.about),
            Err(error) => vec![format!("it cannot be compared with the champion: {error}")],
        }
    }
}
