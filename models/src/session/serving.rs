//! The version that an alias names, served: whoever polls swaps it while requests run, and a version that does not prove
//! itself leaves the old one serving.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use arc_swap::ArcSwapOption;

use super::{
    batch::{Answer, Pool, Run, ScoreError, Settings},
    check::load,
    error::LoadError,
};
use crate::{
    Runtime,
    registry::{Alias, Manifest, ModelName, ReadError, Registry, Version},
    schema::FeatureSchema,
    tensor::Tensor,
};

/// After so many refusals in a row, a version is tried again at every 64th poll.
const MOST_DOUBLINGS: u32 = 6;

/// An alias of a model, served. Nothing in it sleeps or asks for the time: whoever owns it polls when they want news.
pub struct Serving {
    runtime: Runtime,
    registry: Registry,
    model: ModelName,
    alias: Alias,
    offered: Option<FeatureSchema>,
    settings: Settings,
    current: ArcSwapOption<Pool>,
    /// Held while the registry is looked at, which may take long; nobody else waits for it.
    refused: Mutex<Option<Refusal>>,
    /// The same in words, for whoever cannot wait.
    told: ArcSwapOption<String>,
}

/// A version that does not prove itself, so that it is not read anew at every poll.
struct Refusal {
    version: Version,
    /// How long the history was: another move means another try.
    moves: usize,
    times: u32,
    polls_left: u32,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Nothing new, or a version that was refused before and is not due to be tried again.
    Unchanged,
    /// Another version serves.
    Swapped {
        /// The one before.
        from: Option<Version>,
        /// The one now.
        to: Version,
    },
    /// The alias was taken away, and nothing serves.
    Withdrawn {
        /// The one before.
        from: Version,
    },
}

/// Why a poll changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// What the alias names cannot be known.
    #[error("{serving}, and what it should be cannot be known: {cause}", serving = still(*serving))]
    Read {
        /// What serves on.
        serving: Option<Version>,
        /// Why.
        cause: ReadError,
    },
    /// Nothing is known any more of a model that was promoted: that is no decision to withdraw it.
    #[error(
        "version {serving} serves on: the registry has lost the history of {model}; bring its folder back"
    )]
    Gone {
        /// What serves on.
        serving: Version,
        /// Of which model.
        model: ModelName,
    },
    /// The version does not prove itself.
    #[error("{serving}: {cause}", serving = still(*serving))]
    Refused {
        /// What serves on.
        serving: Option<Version>,
        /// Why.
        cause: LoadError,
    },
}

fn still(serving: Option<Version>) -> String {
    serving.map_or("nothing serves".to_owned(), |version| format!("version {version} serves on"))
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version();
        f.debug_struct("Serving")
            .field("model", &self.model)
            .field("alias", &self.alias)
            .field("version", &version)
            .finish()
    }
}

impl Serving {
    /// Serves an alias to somebody who offers vectors of these features, or, without, to whoever brings what the model
    /// takes. Nothing is loaded before the first poll, so that a service starts whatever the registry holds.
    #[must_use]
    pub fn new(
        runtime: Runtime,
        registry: Registry,
        (model, alias): (ModelName, Alias),
        offered: Option<FeatureSchema>,
        settings: Settings,
    ) -> Self {
        let (current, refused, told) = (ArcSwapOption::empty(), Mutex::new(None), ArcSwapOption::empty());
        Self { runtime, registry, model, alias, offered, settings, current, refused, told }
    }

    /// The version that serves.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.current.load().as_ref().map(|pool| pool.manifest.version)
    }

    /// What is known of the version that serves.
    #[must_use]
    pub fn manifest(&self) -> Option<Arc<Manifest>> {
        self.current.load().as_ref().map(|pool| Arc::clone(&pool.manifest))
    }

    /// Why the version that the alias names does not serve; nothing while it does.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.told.load().as_deref().cloned()
    }

    /// Looks which version the alias names, and loads it if it does not serve yet: hash, signature, parity vectors,
    /// warm-up, and only then the swap. Requests run on meanwhile. A version that was refused is tried again after 1, 2,
    /// 4 … 64 polls, or as soon as an alias moves.
    ///
    /// # Errors
    /// When the registry cannot be read or the version does not prove itself. What served before serves on.
    pub fn poll(&self) -> Result<Polled, PollError> {
        // One poll at a time; submitting takes no part in it.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.version();
        let aliases = self.registry.aliases(&self.model);
        let aliases = aliases.map_err(|cause| PollError::Read { serving: from, cause })?;
        if let Some(serving) = from.filter(|_| aliases.history.is_empty()) {
            return Err(PollError::Gone { serving, model: self.model.clone() });
        }
        let named = aliases.get(self.alias);
        if named == from {
            *refused = None;
            self.told.store(None);
            return Ok(Polled::Unchanged);
        }
        let Some(to) = named else {
            *refused = None;
            self.told.store(None);
            self.current.store(None);
            return Ok(from.map_or(Polled::Unchanged, |from| Polled::Withdrawn { from }));
        };
        let moves = aliases.history.len();
        let before = refused.as_mut().filter(|before| before.version == to && before.moves == moves);
        let times = before.as_ref().map_or(0, |before| before.times);
        if let Some(before) = before.filter(|before| 0 < before.polls_left) {
            before.polls_left -= 1;
            return Ok(Polled::Unchanged);
        }
        let loaded = load(&self.registry, &self.runtime, &self.model, to, self.offered.as_ref());
        match loaded.and_then(|loaded| Pool::start(loaded, &self.runtime, &self.settings)) {
            Ok(pool) => {
                self.current.store(Some(Arc::new(pool)));
                *refused = None;
                self.told.store(None);
                Ok(Polled::Swapped { from, to })
            }
            Err(cause) => {
                let polls_left = 1 << times;
                let times = MOST_DOUBLINGS.min(times + 1);
                *refused = Some(Refusal { version: to, moves, times, polls_left });
                self.told.store(Some(Arc::new(cause.to_string())));
                Err(PollError::Refused { serving: from, cause })
            }
        }
    }

    /// Scores a row – the features that are offered, in order – and tells the answer on a worker's thread.
    ///
    /// # Errors
    /// At once, and without telling anything, when nothing serves, the row is too short or too long, or too many wait.
    pub fn submit(
        &self,
        row: Vec<f64>,
        tell: impl FnOnce(Result<Answer, ScoreError>) + Send + 'static,
    ) -> Result<(), ScoreError> {
        self.current()?.0.submit(row, Box::new(tell))
    }

    /// The version that serves now, alive for as long as it is held, whatever is swapped meanwhile.
    ///
    /// # Errors
    /// When nothing serves.
    pub fn current(&self) -> Result<Current, ScoreError> {
        let nothing = || ScoreError::NoModel { model: self.model.clone(), alias: self.alias };
        self.current.load_full().map(Current).ok_or_else(nothing)
    }

    /// Scores a row and waits for the answer; for a thread that may be blocked.
    ///
    /// # Errors
    /// When it cannot be scored.
    pub fn score(&self, row: Vec<f64>) -> Result<Answer, ScoreError> {
        let (tell, told) = mpsc::sync_channel(1);
        self.submit(row, move |answer| drop(tell.send(answer)))?;
        told.recv().unwrap_or_else(|_| Err(ScoreError::Stopped { model: self.model.clone() }))
    }
}

/// One version, held: all that is asked of it is answered by it.
pub struct Current(Arc<Pool>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.manifest.model, self.0.manifest.version)
    }
}

impl Current {
    /// What is known of it.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.0.manifest
    }

    /// Runs it on its inputs, in the order of its signature and as they are; together with those of others where it says of
    /// the rows that it knows the same to the bit whoever else is there. Whoever asks is called with what runs it, on a
    /// worker's thread, or at once on this one for a few rows of a model that is nothing but trees; it does not call that
    /// when nobody waits for the outputs any more.
    ///
    /// # Errors
    /// At once, and without calling anybody, when it takes something else, or too much waits.
    pub fn infer(
        &self,
        inputs: Vec<Tensor>,
        ask: impl FnOnce(Run<'_>) + Send + 'static,
    ) -> Result<(), ScoreError> {
        self.0.infer(inputs, Box::new(ask))
    }
}
