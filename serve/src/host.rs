//! The models that a registry names, held ready: champion and challenger of each, swapped while requests run.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use models::{
    Runtime,
    registry::{AddressError, Alias, ModelName, Registry, Version},
    session::{PollError, Polled, Serving, Settings},
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::matching::{MODEL, Served};

/// How often the registry is looked at.
const POLLING: Duration = Duration::from_secs(1);

/// Everything that is held.
type All = BTreeMap<ModelName, Arc<Held>>;

/// One model, held for whoever brings what it takes.
#[derive(Debug)]
pub struct Held {
    /// Whose answers count.
    pub champion: Serving,
    /// Who is in its shadow.
    pub challenger: Serving,
}

/// What holds the models of a registry. Nothing is loaded before the first look, and whatever the registry holds, the
/// service starts: decisions are then made without models.
pub struct Host {
    registry: Option<Registry>,
    /// ONNX Runtime, or why there is none.
    runtime: Result<Runtime, String>,
    held: ArcSwap<All>,
    has_looked: AtomicBool,
    /// What the champion of `match` carries beside its graph.
    matches: Served,
    /// Held by whoever looks, so that nobody holds a model twice.
    looking: Mutex<()>,
    /// What is wrong, each in a sentence: of the registry under no name, of models under theirs.
    faults: Mutex<BTreeMap<Option<(ModelName, Alias)>, String>>,
}

impl Host {
    /// Without a registry no model is held.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::of(None, Err("no registry is given".to_owned()))
    }

    /// Holds what this registry, a folder or `s3://BUCKET/FOLDER`, names, in the ONNX Runtime that `ORT_DYLIB_PATH` names.
    ///
    /// # Errors
    /// When it is no address of a registry.
    pub fn open(address: &Path) -> Result<Self, AddressError> {
        let library = env::var_os("ORT_DYLIB_PATH");
        let library = library.map_or_else(|| PathBuf::from("libonnxruntime.so"), PathBuf::from);
        let runtime = Runtime::open(&library).map_err(|error| error.to_string());
        Ok(Self::of(Some(Registry::at(address)?), runtime))
    }

    fn of(registry: Option<Registry>, runtime: Result<Runtime, String>) -> Self {
        let faults = match (&registry, &runtime) {
            (Some(_), Err(fault)) => BTreeMap::from([(None, fault.clone())]),
            _ => BTreeMap::new(),
        };
        let has_looked = AtomicBool::new(registry.is_none());
        let (held, matches) = (ArcSwap::default(), Served::default());
        let (looking, faults) = (Mutex::default(), Mutex::new(faults));
        Self { registry, runtime, held, has_looked, matches, looking, faults }
    }

    /// The registry, if there is one.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    /// What models run in.
    ///
    /// # Errors
    /// With a sentence that says why there is nothing.
    pub fn runtime(&self) -> Result<&Runtime, &str> {
        self.runtime.as_ref().map_err(String::as_str)
    }

    /// Whether the registry was looked at: before, a model that is not held may yet be.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.has_looked.load(Ordering::Acquire)
    }

    /// A model that is held, whether or not a version of it serves.
    #[must_use]
    pub fn model(&self, name: &ModelName) -> Option<Arc<Held>> {
        self.held.load().get(name).cloned()
    }

    /// The version of `match` that lists are made by.
    #[must_use]
    pub fn matches(&self) -> &Served {
        &self.matches
    }

    /// What is wrong now, each in a sentence.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.known_faults().values().cloned().chain(self.matches.fault()).collect()
    }

    /// What is wrong with the registry or the runtime, so that no model can be known.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.known_faults().get(&None).cloned()
    }

    /// Looks at one model, so that what was moved holds here at once.
    pub fn look_at(&self, model: &ModelName) {
        if self.model(model).is_none() {
            self.find();
        }
        if let Some(held) = self.model(model) {
            self.poll((model, Alias::Champion), &held.champion);
            self.poll((model, Alias::Challenger), &held.challenger);
        }
    }

    /// Looks at the registry once, loads what is new and swaps it in. It reads files and may take as long as a model
    /// takes to prove itself; it is for a thread that may be blocked.
    pub fn look(&self) {
        self.find();
        for (name, held) in self.held.load().iter() {
            self.poll((name, Alias::Champion), &held.champion);
            self.poll((name, Alias::Challenger), &held.challenger);
        }
        self.has_looked.store(true, Ordering::Release);
    }

    /// Looks which models there are.
    fn find(&self) {
        let (Some(registry), Ok(runtime)) = (&self.registry, &self.runtime) else { return };
        let _one = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        match registry.models() {
            Ok(names) => {
                self.note(None, None);
                self.hold(names, registry, runtime);
            }
            Err(error) => self.note(None, Some(error.to_string())),
        }
    }

    /// Holds what is there for the first time. What is held stays: a folder that is gone is no order to stop serving.
    fn hold(&self, names: Vec<ModelName>, registry: &Registry, runtime: &Runtime) {
        let held = self.held.load();
        let new: Vec<_> = names.into_iter().filter(|name| !held.contains_key(name)).collect();
        if new.is_empty() {
            return;
        }
        let mut all = All::clone(&held);
        all.extend(new.into_iter().map(|name| {
            let serving = |alias| {
                let (runtime, registry) = (runtime.clone(), registry.clone());
                Serving::new(runtime, registry, (name.clone(), alias), None, Settings::default())
            };
            let held = Held { champion: serving(Alias::Champion), challenger: serving(Alias::Challenger) };
            (name, Arc::new(held))
        }));
        self.held.store(Arc::new(all));
    }

    fn poll(&self, (model, alias): (&ModelName, Alias), serving: &Serving) {
        let whose = || Some((model.clone(), alias));
        match serving.poll() {
            Ok(polled) => {
                let refused = serving.refusal().map(|why| format!("{alias} of {model}: {why}"));
                self.note(whose(), refused);
                match polled {
                    Polled::Unchanged => {}
                    Polled::Swapped { from, to } => {
                        let from = from.map_or("nothing".to_owned(), |from| Version::to_string(&from));
                        tracing::info!(%model, %alias, from, %to, "a model was swapped in");
                    }
                    Polled::Withdrawn { from } => {
                        tracing::info!(%model, %alias, %from, "a model was withdrawn");
                    }
                }
            }
            Err(PollError::Refused { cause, .. }) => {
                self.note(whose(), Some(format!("{alias} of {model}: {cause}")));
            }
            Err(error) => self.note(whose(), Some(format!("{alias} of {model}: {error}"))),
        }
        if let Some(registry) =
            self.registry.as_ref().filter(|_| alias == Alias::Champion && model.to_string() == MODEL)
        {
            self.matches.follow(registry, serving);
        }
    }

    /// Keeps what is wrong, and says it in the log when it is new.
    fn note(&self, whose: Option<(ModelName, Alias)>, fault: Option<String>) {
        let mut faults = self.known_faults();
        let Some(fault) = fault else {
            faults.remove(&whose);
            return;
        };
        if faults.get(&whose) != Some(&fault) {
            tracing::warn!("{fault}");
            faults.insert(whose, fault);
        }
    }

    fn known_faults(&self) -> MutexGuard<'_, BTreeMap<Option<(ModelName, Alias)>, String>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the registry again and again.
pub async fn follow(host: Arc<Host>) {
    if host.registry().is_none() {
        return;
    }
    loop {
        let looking = Arc::clone(&host);
        if spawn_blocking(move || looking.look()).await.is_err() {
            tracing::error!("looking at the registry of models ended in a panic");
        }
        sleep(POLLING).await;
    }
}
