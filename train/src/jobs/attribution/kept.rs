//! What is remembered of journeys for the next day's run: statistics of each model, which are merged.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use domain::attribution::{Channels, Credit};
use serde::{Deserialize, Serialize};

use super::{
    input::Input,
    model::{Folded, Model},
};
use crate::jobs::folder::Folder;

/// The form of the file.
const VERSION: u32 = 2;
pub(super) const FILE: &str = "statistics.json";

/// All that is remembered.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    /// The names of channels, by the numbers that statistics call them.
    pub(super) channels: Channels,
    /// What the statistics depend on, in words.
    settings: String,
    conversions: f64,
    value: f64,
    nulls: f64,
    models: BTreeMap<String, Folded>,
}

impl Kept {
    /// Of these journeys, and of no model yet.
    pub(super) fn new(input: &Input, settings: String) -> Self {
        let mut kept = Self {
            version: VERSION,
            channels: input.channels.clone(),
            settings,
            conversions: 0.0,
            value: 0.0,
            nulls: 0.0,
            models: BTreeMap::new(),
        };
        for row in input.journeys.all().iter() {
            kept.conversions += row.conversions;
            kept.value += row.value;
            kept.nulls += row.nulls;
        }
        kept
    }

    pub(super) fn keep(&mut self, model: Model, folded: Folded) {
        self.models.insert(model.name(), folded);
    }

    /// Takes the journeys of earlier days in that were counted there.
    pub(super) fn add(&mut self, before: &Self) {
        self.conversions += before.conversions;
        self.value += before.value;
        self.nulls += before.nulls;
    }

    /// Conversions and value, and how many journeys ended in none.
    pub(super) fn totals(&self) -> (Credit, f64) {
        (Credit { conversions: self.conversions, value: self.value }, self.nulls)
    }

    /// What is remembered of a model.
    pub(super) fn like(&self, model: Model) -> Option<&Folded> {
        self.models.get(&model.name())
    }

    /// What is remembered of a model, if it fits what it is to be merged with.
    pub(super) fn of(&self, model: Model, like: &Folded, now: &Self) -> Result<Folded> {
        let name = model.name();
        let kept = self.models.get(&name).with_context(|| {
            let known: Vec<&str> = self.models.keys().map(String::as_str).collect();
            format!("the statistics of earlier days know nothing of {name}, but of {}", known.join(", "))
        })?;
        ensure!(
            kept.is_like(like) && self.settings == now.settings,
            "the statistics of earlier days were made with {}, and these are with {}: ask for the same, or fold those days \
             again",
            self.settings,
            now.settings
        );
        Ok(kept.clone())
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let kept: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} holds no statistics of attribution", path.display()))?;
        ensure!(
            kept.version == VERSION,
            "{} is of version {}, and this release reads {VERSION}",
            path.display(),
            kept.version
        );
        Ok(kept)
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<()> {
        folder.put(FILE, &serde_json::to_vec(self)?)
    }
}
