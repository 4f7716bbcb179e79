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
/// So many journeys are asked about in one run: no more than is run at once anyway, so that others wait little.
const TOGETHER: usize = 256;

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

    /// The inputs of the graph, in the order of its signature, a row for each journey; of one that is too long, its latest
    /// touches.
    fn tensors(&self, manifest: &Manifest, journeys: &[Journey<'_>]) -> Result<Vec<Tensor>, String> {
        let tensor = |port: &models::registry::manifest::Port| {
            let places = port.shape.get(1).copied().flatten();
            let width = places.unwrap_or(1);
            let values = match (port.name.as_str(), port.element) {
                ("channel", Element::Int64) => {
                    let channel =
                        |journey: &Journey<'_>, touch: &Travelled| -> i64 { self.channel(journey, touch) };
                    Values::Int64(padded(journeys, width, NONE, &channel))
                }
                ("device", Element::Int64) => {
                    let device = |_: &Journey<'_>, touch: &Travelled| -> i64 { self.device(touch.device) };
                    Values::Int64(padded(journeys, width, NONE, &device))
                }
                ("campaign", Element::Int64) => {
                    let known = |journey: &Journey<'_>| self.campaigns.get(&journey.campaign.to_string());
                    Values::Int64(
                        journeys.iter().map(|journey| known(journey).copied().unwrap_or(NONE)).collect(),
                    )
                }
                ("age", Element::Float64) => {
                    let age = |journey: &Journey<'_>, touch: &Travelled| -> f64 {
                        (journey.converted_at - touch.at).as_seconds_f64().max(0.0)
                    };
                    Values::Float64(padded(journeys, width, 0.0, &age))
                }
                (other, _) => return Err(format!("it takes {other}, which this release does not know")),
            };
            let shape = [journeys.len()].into_iter().chain(places).collect();
            Tensor::new(shape, values).map_err(|error| error.to_string())
        };
        manifest.about.signature.inputs.iter().map(tensor).collect()
    }
}

/// So many places for each journey: what is known of its touches, the latest where they are too many, and nothing where they
/// are too few.
fn padded<T: Copy>(
    journeys: &[Journey<'_>],
    places: usize,
    nothing: T,
    of: &dyn Fn(&Journey<'_>, &Travelled) -> T,
) -> Vec<T> {
    let mut values = Vec::with_capacity(journeys.len() * places);
    for journey in journeys {
        let told = latest(journey.touches, places);
        values.extend(told.iter().map(|touch| of(journey, touch)));
        values.extend(std::iter::repeat_n(nothing, places - told.len()));
    }
    values
}

fn latest(touches: &[Travelled], places: usize) -> &[Travelled] {
    &touches[touches.len().saturating_sub(places)..]
}

impl Learned {
    /// Asks the champion about one journey. Nothing where there is no such model.
    ///
    /// # Errors
    /// With a sentence, where there is one that cannot be asked.
    pub async fn divide(&self, host: &Arc<Host>, journey: &Journey<'_>) -> Result<Option<Divided>, String> {
        let all = self.divide_all(host, std::slice::from_ref(journey)).await?;
        Ok(all.and_then(|mut all| all.pop()))
    }

    /// Asks the champion about many journeys, some hundred together. Nothing where there is no such model; else what it says of
    /// each, in their order.
    ///
    /// # Errors
    /// With a sentence, where there is one that cannot be asked.
    pub async fn divide_all(
        &self,
        host: &Arc<Host>,
        journeys: &[Journey<'_>],
    ) -> Result<Option<Vec<Divided>>, String> {
        let Some(held) = host.model(&NAME) else { return host.fault().map_or(Ok(None), Err) };
        if held.champion.version().is_none() && held.champion.refusal().is_none() {
            return Ok(None);
        }
        let refused = |error: ScoreError| held.champion.refusal().unwrap_or_else(|| error.to_string());
        let current = held.champion.current().map_err(refused)?;
        let manifest = Arc::clone(current.manifest());
        let whose = |why: String| format!("version {} of {} is not asked: {why}", manifest.version, *NAME);
        let known = self.known(host, &manifest).await.map_err(whose)?;
        let mut all = Vec::with_capacity(journeys.len());
        for some in journeys.chunks(TOGETHER) {
            let inputs = known.tensors(&manifest, some).map_err(whose)?;
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
            let said = divided(&manifest, &outputs, some);
            all.extend(said.ok_or_else(|| whose("what it says cannot be read".to_owned()))?);
        }
        Ok(Some(all))
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

/// What the graph says of each journey, in whole parts per million.
fn divided(manifest: &Manifest, outputs: &[Tensor], journeys: &[Journey<'_>]) -> Option<Vec<Divided>> {
    let ports = &manifest.about.signature.outputs;
    let by_name: BTreeMap<&str, &Tensor> = ports.iter().map(|port| port.name.as_str()).zip(outputs).collect();
    let numbers = |name: &str| -> Option<Vec<f64>> {
        let values = by_name.get(name)?.values();
        (0..values.len()).map(|place| values.at(place)).collect()
    };
    let (weights, organic, by_rule) = (numbers("weights")?, numbers("organic")?, numbers("by_rule")?);
    let width = weights.len().checked_div(journeys.len())?;
    let of_row = |(row, journey): (usize, &Journey<'_>)| {
        let told = journey.touches.len().min(width);
        let weights = weights.get(row * width..row * width + told)?;
        let organic = organic.get(row)?;
        let earlier = std::iter::repeat_n(0.0, journey.touches.len() - told);
        let all: Vec<f64> =
            earlier.chain(weights.iter().copied()).chain([*organic]).map(|it| it.max(0.0)).collect();
        if all.iter().any(|it| !it.is_finite()) || all.iter().all(|it| *it <= 0.0) {
            return None;
        }
        let mut touches = parts(&all);
        let nobody = touches.pop()?;
        let is_by_rule = by_rule.get(row).is_some_and(|it| *it != 0.0);
        Some(Divided { version: manifest.version.0, touches, nobody, is_by_rule })
    };
    journeys.iter().enumerate().map(of_row).collect()
}
