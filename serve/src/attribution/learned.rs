//! What the champion of the model `attribution` says of a journey.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwapOption;
use domain::{attribution::parts, click::Device};
use models::{
    journeys::{FILE, Names},
    registry::{Manifest, ModelName, Registry, Version},
    session::{Run, ScoreError},
    tensor::{Element, Tensor, Values},
};
use tokio::{sync::oneshot, task::spawn_blocking, time::timeout};

use super::{Divided, Journey, PATIENCE, Travelled};
use crate::host::Host;

/// The model that divides.
static NAME: LazyLock<ModelName> = LazyLock::new(|| "attribution".parse().expect("it is a name"));
/// Where the graph has no touch.
const NONE: i64 = -1;

/// The names of the version that was asked last.
#[derive(Debug, Default)]
pub struct Learned(ArcSwapOption<Known>);

/// What the numbers of a version stand for.
#[derive(Debug)]
struct Known {
    version: Version,
    by: By,
    channels: HashMap<String, i64>,
    campaigns: HashMap<String, i64>,
    devices: HashMap<String, i64>,
}

/// What channels are.
#[derive(Clone, Copy, Debug)]
enum By {
    Affiliate,
    Campaign,
    Source,
}

impl Known {
    fn read(registry: &Registry, manifest: &Manifest) -> Result<Self, String> {
        if !manifest.files.contains_key(FILE) {
            return Err(format!("it has no {FILE}: train it again with this release"));
        }
        let bytes = registry.read(manifest, FILE).map_err(|error| error.to_string())?;
        let names = Names::read(&bytes)?;
        let by = match names.by.as_str() {
            "affiliate" => By::Affiliate,
            "campaign" => By::Campaign,
            "channel" => By::Source,
            other => {
                return Err(format!(
                    "{FILE} says that channels are of {other}, which this release does not know"
                ));
            }
        };
        let numbered = |names: Vec<String>| names.into_iter().zip(0..).collect();
        Ok(Self {
            version: manifest.version,
            by,
            channels: numbered(names.channels),
            campaigns: numbered(names.campaigns),
            devices: numbered(names.devices),
        })
    }

    /// The number of a touch's channel; one beyond those that are known where it is not.
    fn channel(&self, journey: &Journey<'_>, touch: &Travelled) -> i64 {
        let name = match self.by {
            By::Affiliate => touch.affiliate.to_string(),
            By::Campaign => journey.campaign.to_string(),
            By::Source if touch.source.is_empty() => "(no source)".to_owned(),
            By::Source => touch.source.clone(),
        };
        self.channels.get(&name).copied().unwrap_or(i64::from(u32::MAX))
    }

    fn device(&self, device: Device) -> i64 {
        let named = Some(device.name()).filter(|_| device != Device::Unknown);
        named.and_then(|name| self.devices.get(name)).copied().unwrap_or(NONE)
    }

    /// The inputs of the graph, in the order of its signature; of a journey that is too long, its latest touches.
    fn tensors(&self, manifest: &Manifest, journey: &Journey<'_>) -> Result<Vec<Tensor>, String> {
        let inputs = &manifest.about.signature.inputs;
        let tensor = |port: &models::registry::manifest::Port| {
            let places = port.shape.get(1).copied().flatten();
            let row = |of: &dyn Fn(&Travelled) -> i64| -> Vec<i64> {
                let told = latest(journey.touches, places.unwrap_or(1)).iter().map(of);
                told.chain(std::iter::repeat(NONE)).take(places.unwrap_or(1)).collect()
            };
            let values = match (port.name.as_str(), port.element) {
                ("channel", Element::Int64) => Values::Int64(row(&|touch| self.channel(journey, touch))),
                ("device", Element::Int64) => Values::Int64(row(&|touch| self.device(touch.device))),
                ("campaign", Element::Int64) => {
                    let known = self.campaigns.get(&journey.campaign.to_string());
                    Values::Int64(vec![known.copied().unwrap_or(NONE)])
                }
                ("age", Element::Float64) => {
                    let age = |touch: &Travelled| (journey.converted_at - touch.at).as_seconds_f64().max(0.0);
                    let told = latest(journey.touches, places.unwrap_or(1)).iter().map(age);
                    Values::Float64(told.chain(std::iter::repeat(0.0)).take(places.unwrap_or(1)).collect())
                }
                (other, _) => return Err(format!("it takes {other}, which this release does not know")),
            };
            let shape = [1].into_iter().chain(places).collect();
            Tensor::new(shape, values).map_err(|error| error.to_string())
        };
        inputs.iter().map(tensor).collect()
    }
}

fn latest(touches: &[Travelled], places: usize) -> &[Travelled] {
    &touches[touches.len().saturating_sub(places)..]
}

impl Learned {
    /// Asks the champion. Nothing where there is no such model.
    ///
    /// # Errors
    /// With a sentence, where there is one that cannot be asked.
    pub async fn divide(&self, host: &Arc<Host>, journey: &Journey<'_>) -> Result<Option<Divided>, String> {
        let Some(held) = host.model(&NAME) else { return host.fault().map_or(Ok(None), Err) };
        if held.champion.version().is_none() && held.champion.refusal().is_none() {
            return Ok(None);
        }
        let refused = |error: ScoreError| held.champion.refusal().unwrap_or_else(|| error.to_string());
        let current = held.champion.current().map_err(refused)?;
        let manifest = Arc::clone(current.manifest());
        let whose = |why: String| format!("version {} of {} is not asked: {why}", manifest.version, *NAME);
        let known = self.known(host, &manifest).await.map_err(whose)?;
        let inputs = known.tensors(&manifest, journey).map_err(whose)?;
        let (tell, told) = oneshot::channel();
        let ask = move |run: Run<'_>| {
            if !tell.is_closed() {
                drop(tell.send(run()));
            }
        };
        current.infer(inputs, ask).map_err(|error| whose(error.to_string()))?;
        let told = timeout(PATIENCE, told).await.map_err(|_| whose("it takes too long".to_owned()))?;
        let outputs = told.map_err(|_| whose("it was put down meanwhile".to_owned()))?;
        let outputs = outputs.map_err(|error| whose(error.to_string()))?;
        let divided = divided(&manifest, &outputs, journey.touches.len());
        divided.map(Some).ok_or_else(|| whose("what it says cannot be read".to_owned()))
    }

    /// The names of a version, read when it is asked for the first time.
    async fn known(&self, host: &Arc<Host>, manifest: &Arc<Manifest>) -> Result<Arc<Known>, String> {
        if let Some(known) = self.0.load_full().filter(|known| known.version == manifest.version) {
            return Ok(known);
        }
        let (host, manifest) = (Arc::clone(host), Arc::clone(manifest));
        let read = move || match host.registry() {
            Some(registry) => Known::read(registry, &manifest),
            None => Err("there is no registry any more".to_owned()),
        };
        let known = Arc::new(spawn_blocking(read).await.map_err(|error| error.to_string())??);
        self.0.store(Some(Arc::clone(&known)));
        Ok(known)
    }
}

/// What the graph says, in whole parts per million.
fn divided(manifest: &Manifest, outputs: &[Tensor], touches: usize) -> Option<Divided> {
    let ports = &manifest.about.signature.outputs;
    let by_name: BTreeMap<&str, &Tensor> = ports.iter().map(|port| port.name.as_str()).zip(outputs).collect();
    let numbers = |name: &str| -> Option<Vec<f64>> {
        let values = by_name.get(name)?.values();
        (0..values.len()).map(|place| values.at(place)).collect()
    };
    let (weights, organic) = (numbers("weights")?, numbers("organic")?.first().copied()?);
    let is_by_rule = numbers("by_rule")?.first().is_some_and(|it| *it != 0.0);
    let told = touches.min(weights.len());
    let earlier = std::iter::repeat_n(0.0, touches - told);
    let all: Vec<f64> =
        earlier.chain(weights.into_iter().take(told)).chain([organic]).map(|it| it.max(0.0)).collect();
    if all.iter().any(|it| !it.is_finite()) || all.iter().all(|it| *it <= 0.0) {
        return None;
    }
    let mut touches = parts(&all);
    let nobody = touches.pop()?;
    Some(Divided { version: manifest.version.0, touches, nobody, is_by_rule })
}
