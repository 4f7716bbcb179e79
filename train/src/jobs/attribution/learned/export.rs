//! The model as a file: a journey's touches in, each touch's share of its conversion out.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Clock, attribution::Channels};
use models::{
    graph::{Dim, ElementType, Graph, Metadata, TensorType, attribution::Touches},
    journeys::{self, Names},
    registry::{
        Publication,
        gate::{Better, Gate},
        manifest::{About, Interval, Metric, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};

use super::{
    super::input::{By, Input, Watch, Watched},
    Lesson,
};
use crate::{
    anomaly::metrics::Estimate,
    attribution::{Journey, UNKNOWN},
    jobs::publish::{COMMIT, LICENCE},
};

/// The job and, unless it is called otherwise, the model.
const JOB: &str = "attribution";
const FAMILY: &str = "additive_hazard";
/// The most touches that the file takes; of a longer journey, one gives it the latest.
const MOST_PLACES: usize = 64;
/// How many journeys the file is proved by.
const PROVED: usize = 64;
/// How far a share may be off.
const EXACT: f64 = 1e-9;
/// By how many nats of surprise a later version may be worse than the champion.
const TOLERANCE: f64 = 0.01;
/// The confidence of all intervals.
const LEVEL: f64 = 0.95;

/// The file, and all that a version says of itself.
pub(in super::super) fn publication(
    lesson: &Lesson,
    (input, watched, channels): (&Input, &Watched, &Channels),
    (by, seed, report, clock): (By, u64, String, &Clock),
) -> Result<Publication> {
    let places = Places::of(lesson);
    let (signature, names) = places.signature();
    let about = About {
        family: FAMILY.to_owned(),
        job: JOB.to_owned(),
        features: FeatureSchema::of_columns("journey", &names.iter().map(String::as_str).collect::<Vec<_>>()),
        signature,
        training: training(lesson, input, watched, clock),
        seed,
        metrics: metrics(lesson),
        gates: gates(lesson),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![places.parity(lesson)?],
        commit: COMMIT.to_owned(),
        licence: LICENCE.to_owned(),
        created_at: clock.now(),
    };
    let names = Names {
        format: journeys::FORMAT,
        by: by.column().to_owned(),
        channels: channels.names().to_vec(),
        campaigns: watched.campaign_names().to_vec(),
        devices: watched.device_names().to_vec(),
    };
    let files = BTreeMap::from([(journeys::FILE.to_owned(), serde_json::to_vec(&names)?)]);
    Ok(Publication { about, model: places.graph(lesson, watched, channels)?, report, files })
}

/// The shape of the file.
struct Places {
    /// How many touches it takes.
    count: usize,
    has_device: bool,
}

impl Places {
    fn of(lesson: &Lesson) -> Self {
        let examples = &lesson.rows.examples;
        let longest = (0..examples.len()).map(|row| examples.journey(row).touches.len()).max();
        Self { count: longest.unwrap_or(1).clamp(1, MOST_PLACES), has_device: !examples.factors().is_empty() }
    }

    fn graph(&self, lesson: &Lesson, watched: &Watched, channels: &Channels) -> Result<Vec<u8>> {
        let mut graph = Graph::new(JOB);
        let numbers = TensorType::rows(ElementType::I64, self.count);
        let channel = graph.input(
            "channel",
            numbers.clone(),
            "numbers of channels, oldest first; −1 where there is none",
        )?;
        let seconds = TensorType::rows(ElementType::F64, self.count);
        let age = graph.input("age", seconds, "seconds of each touch before the conversion")?;
        let campaign = TensorType::new(ElementType::I64, &[Dim::Batch]);
        let campaign =
            graph.input("campaign", campaign, "number of the campaign; −1 where it is not known")?;
        let mut factors = Vec::new();
        if self.has_device {
            factors.push(graph.input("device", numbers, "numbers of devices; −1 where it is not known")?);
        }
        let table = lesson.learned().table();
        let credit = table.add(&mut graph, &Touches { channel, age, campaign, factors })?;
        let by_rule = graph.cast(&credit.by_rule, ElementType::I64)?;
        graph.output("weights", &credit.weights, "the share of each touch; with organic they sum to one")?;
        graph.output("organic", &credit.organic, "the share of nobody: what would have happened anyway")?;
        graph.output("by_rule", &by_rule, "1 where the model had nothing to say and its rule divided")?;
        let mut properties = table.properties();
        for (key, names) in [
            ("channels", channels.names()),
            ("campaigns", watched.campaign_names()),
            ("devices", watched.device_names()),
        ] {
            properties.insert(key.to_owned(), serde_json::to_string(names)?);
        }
        Ok(graph.finish(&Metadata {
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "who is to be credited with a conversion, by which share of its hazard each touch was; the names that \
                  numbers stand for are in channels, campaigns and devices, counted from 0"
                .to_owned(),
            properties,
        })?)
    }

    /// What goes in and out, and the names of all that goes in.
    fn signature(&self) -> (Signature, Vec<String>) {
        let touches =
            |name: &str| (1..=self.count).map(|place| format!("{name}_{place}")).collect::<Vec<_>>();
        let port = |name: &str, element, width: Option<usize>, columns: Vec<String>| Port {
            name: name.to_owned(),
            element,
            shape: [None].into_iter().chain(width.map(Some)).collect(),
            columns,
        };
        let wide = Some(self.count);
        let mut inputs = vec![
            port("channel", Element::Int64, wide, touches("channel")),
            port("age", Element::Float64, wide, touches("age")),
            port("campaign", Element::Int64, None, vec!["campaign".to_owned()]),
        ];
        if self.has_device {
            inputs.push(port("device", Element::Int64, wide, touches("device")));
        }
        let outputs = vec![
            port("weights", Element::Float64, wide, touches("weight")),
            port("organic", Element::Float64, Some(1), vec!["organic".to_owned()]),
            port("by_rule", Element::Int64, Some(1), vec!["by_rule".to_owned()]),
        ];
        let names = inputs.iter().flat_map(|port| port.columns.clone()).collect();
        (Signature { inputs, outputs }, names)
    }

    /// Journeys from all over the data, one of nobody and one of strangers, with what the trainer says of them.
    fn parity(&self, lesson: &Lesson) -> Result<ParityVector> {
        let examples = &lesson.rows.examples;
        let step = examples.len().div_ceil(PROVED).max(1);
        let mut rows = Proof::new(self);
        for row in (0..examples.len()).step_by(step) {
            rows.push(lesson, &examples.journey(row));
        }
        let factors = usize::from(self.has_device);
        let stranger = [crate::attribution::Touch { channel: UNKNOWN, at_s: 0.0 }];
        let nobody = Journey { campaign: UNKNOWN, ..Journey::default() };
        rows.push(lesson, &nobody);
        rows.push(lesson, &Journey { touches: &stranger, categories: &[UNKNOWN][..factors], ..nobody });
        rows.vector()
    }
}

/// Journeys as the file takes them.
struct Proof<'a> {
    places: &'a Places,
    channel: Vec<i64>,
    age: Vec<f64>,
    campaign: Vec<i64>,
    device: Vec<i64>,
    weights: Vec<f64>,
    organic: Vec<f64>,
    by_rule: Vec<i64>,
}

impl<'a> Proof<'a> {
    fn new(places: &'a Places) -> Self {
        Self {
            places,
            channel: Vec::new(),
            age: Vec::new(),
            campaign: Vec::new(),
            device: Vec::new(),
            weights: Vec::new(),
            organic: Vec::new(),
            by_rule: Vec::new(),
        }
    }

    fn push(&mut self, lesson: &Lesson, journey: &Journey<'_>) {
        let count = journey.touches.len().min(self.places.count);
        let left_out = journey.touches.len() - count;
        let factors = usize::from(self.places.has_device);
        let latest = Journey {
            touches: &journey.touches[left_out..],
            categories: &journey.categories[left_out * factors..],
            ..*journey
        };
        let end_s = latest.converted_s.unwrap_or(latest.until_s);
        let shares = lesson.learned().credit(&latest);
        for place in 0..self.places.count {
            let touch = latest.touches.get(place);
            self.channel.push(touch.map_or(-1, |touch| number(touch.channel, i64::from(UNKNOWN))));
            self.age.push(touch.map_or(0.0, |touch| end_s - touch.at_s));
            self.weights.push(shares.touches.get(place).copied().unwrap_or(0.0));
            if self.places.has_device {
                self.device.push(latest.categories.get(place).map_or(-1, |device| number(*device, -1)));
            }
        }
        self.campaign.push(number(latest.campaign, -1));
        self.organic.push(shares.organic);
        self.by_rule.push(i64::from(shares.rule.is_some()));
    }

    fn vector(self) -> Result<ParityVector> {
        let (rows, wide) = (self.campaign.len(), self.places.count);
        let mut inputs = BTreeMap::from([
            ("channel".to_owned(), Tensor::new(vec![rows, wide], Values::Int64(self.channel))?),
            ("age".to_owned(), Tensor::new(vec![rows, wide], Values::Float64(self.age))?),
            ("campaign".to_owned(), Tensor::new(vec![rows], Values::Int64(self.campaign))?),
        ]);
        if self.places.has_device {
            inputs.insert("device".to_owned(), Tensor::new(vec![rows, wide], Values::Int64(self.device))?);
        }
        let outputs = BTreeMap::from([
            ("weights".to_owned(), Tensor::new(vec![rows, wide], Values::Float64(self.weights))?),
            ("organic".to_owned(), Tensor::new(vec![rows, 1], Values::Float64(self.organic))?),
            ("by_rule".to_owned(), Tensor::new(vec![rows, 1], Values::Int64(self.by_rule))?),
        ]);
        Ok(ParityVector { inputs, outputs, tolerance: EXACT })
    }
}

/// A number as the file takes it.
fn number(number: u32, unknown: i64) -> i64 {
    if number == UNKNOWN { unknown } else { i64::from(number) }
}

fn training(lesson: &Lesson, input: &Input, watched: &Watched, clock: &Clock) -> Training {
    let rows = || {
        watched.rows().iter().zip(&lesson.rows.places).filter_map(|(watch, place)| Some((watch, (*place)?)))
    };
    let until_us = |(watch, place): (&Watch, u32)| {
        let seconds = lesson.rows.examples.journey(place as usize).until_s;
        watch.began_us.saturating_add((seconds * 1e6) as i64)
    };
    let moment = |at_us: i64| DateTime::<Utc>::from_timestamp_micros(at_us);
    let from = rows().map(|(watch, _)| watch.began_us).min().and_then(moment).unwrap_or(clock.now());
    let to = rows().map(until_us).max().and_then(|at_us| moment(at_us.saturating_add(1)));
    Training {
        from,
        to: to.unwrap_or(from + TimeDelta::microseconds(1)),
        rows: lesson.rows.examples.len() as u64,
        data: input.data,
    }
}

fn metrics(lesson: &Lesson) -> Vec<Metric> {
    let Some(told) = lesson.held_out.as_ref().and_then(|held_out| held_out.told.first()) else {
        return Vec::new();
    };
    let metric = |name: &str, Estimate { value, low, high }: Estimate| Metric {
        name: name.to_owned(),
        value,
        interval: Some(Interval { low, high, level: LEVEL }),
    };
    vec![metric("roc_auc", told.roc_auc), metric("log_loss", told.log_loss)]
}

/// A later version may not foretell worse.
fn gates(lesson: &Lesson) -> Vec<Gate> {
    let gate = Gate { metric: "log_loss".to_owned(), better: Better::Lower, tolerance: TOLERANCE };
    lesson.held_out.iter().map(|_| gate.clone()).collect()
}
