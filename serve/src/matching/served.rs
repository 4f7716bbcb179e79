//! The version that lists are made by: the champion of `match`, with the tables that it carries beside its graph.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use models::{
    matching::{FILE, Matches, Part, Ranker},
    registry::{Manifest, ModelName, Registry, Version},
    session::Serving,
};

/// What the model is called.
pub const MODEL: &str = "match";
/// How the id of an affiliate begins.
const AFFILIATE: &str = "aff_";

/// A version that is ready.
#[derive(Debug)]
pub struct ServedVersion {
    /// What the model is called.
    pub model: ModelName,
    /// Which of its versions it is.
    pub version: Version,
    /// By which family of models.
    pub family: String,
    /// The first instant that it does not know of.
    pub as_of: DateTime<Utc>,
    /// What ranks.
    pub ranker: Ranker,
    /// On which side affiliates are.
    pub affiliates: Part,
    /// The users that each item had to do with.
    pub users_of: Vec<Vec<u32>>,
}

/// The version that serves, or why none does.
#[derive(Debug, Default)]
pub struct Served {
    version: ArcSwapOption<ServedVersion>,
    /// Why the champion's tables are not used, in a sentence.
    fault: ArcSwapOption<String>,
}

impl Served {
    /// The version that lists are made by.
    ///
    /// # Errors
    /// With a sentence, when there is none.
    pub fn version(&self) -> Result<Arc<ServedVersion>, Option<String>> {
        self.version.load_full().ok_or_else(|| self.fault())
    }

    /// What is wrong with the champion's tables, if anything.
    pub fn fault(&self) -> Option<String> {
        self.fault.load().as_deref().cloned()
    }

    /// Takes over what serves now. A version whose tables do not hold leaves those before it in place.
    pub fn follow(&self, registry: &Registry, serving: &Serving) {
        let Some(manifest) = serving.manifest() else {
            self.version.store(None);
            self.fault.store(None);
            return;
        };
        let is_held = self.version.load().as_ref().is_some_and(|it| it.version == manifest.version);
        let whose = format!("{} {}", manifest.model, manifest.version);
        let is_refused = self.fault().is_some_and(|fault| fault.starts_with(&format!("{whose} ")));
        if is_held || is_refused {
            return;
        }
        match read(registry, &manifest) {
            Ok(version) => {
                self.version.store(Some(Arc::new(version)));
                self.fault.store(None);
            }
            Err(why) => {
                let fault = format!("{whose} makes no lists: {why}");
                tracing::warn!("{fault}");
                self.fault.store(Some(Arc::new(fault)));
            }
        }
    }
}

fn read(registry: &Registry, manifest: &Manifest) -> Result<ServedVersion, String> {
    if !manifest.files.contains_key(FILE) {
        return Err(format!("it has no {FILE}: train it again with this release"));
    }
    let bytes = registry.read(manifest, FILE).map_err(|error| error.to_string())?;
    let matches = Matches::read(&bytes).map_err(|fault| format!("{FILE} does not hold: {fault}"))?;
    let are = |names: &[String]| names.iter().any(|name| name.starts_with(AFFILIATE));
    let affiliates = match (are(&matches.users.names), are(&matches.items.names)) {
        (true, _) => Part::User,
        (false, true) => Part::Item,
        (false, false) => return Err("it knows no affiliate by the ids that they have here".to_owned()),
    };
    let mut users_of = vec![Vec::new(); matches.items.names.len()];
    for (user, items) in (0..).zip(&matches.pairs) {
        items.iter().for_each(|item| users_of[*item as usize].push(user));
    }
    let ranker = Ranker::new(matches);
    ranker
        .prove(&manifest.about.parity)
        .map_err(|fault| format!("{FILE} is not what its graph is: {fault}"))?;
    Ok(ServedVersion {
        model: manifest.model.clone(),
        version: manifest.version,
        family: manifest.about.family.clone(),
        as_of: manifest.about.training.to,
        ranker,
        affiliates,
        users_of,
    })
}
