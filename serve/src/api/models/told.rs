//! What is said of models: what serves, how good versions were, and every move.

use chrono::{DateTime, Utc};
use models::registry::{Entry, ModelName, Move, manifest::Metric};
use serde::Serialize;
use utoipa::ToSchema;

use super::Name;

/// What an alias of a model names, and what serves for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Served {
    /// The version that the registry names.
    pub named: Option<u32>,
    /// The version that this process serves.
    pub serves: Option<u32>,
    /// Why the version that is named does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A model of the registry.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// Its name.
    #[schema(value_type = Name)]
    pub name: ModelName,
    /// The version whose answers count.
    pub champion: Served,
    /// The version that answers in its shadow, to be compared.
    pub challenger: Served,
}

/// A model with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeModel {
    #[serde(flatten)]
    pub model: Model,
    /// Its versions, the newest first.
    pub versions: Vec<OneVersion>,
    /// Every move of an alias, the newest first.
    pub history: Vec<Moved>,
}

/// A version of a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneVersion {
    /// Its number.
    pub version: u32,
    /// Its family of graphs.
    pub family: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// The features it takes, in order.
    pub features: Vec<String>,
    /// How good it was when it was made.
    pub metrics: Vec<Measured>,
    /// What is wrong with its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

/// One number of a model's quality.
#[derive(Debug, Serialize, ToSchema)]
pub struct Measured {
    /// Its name, such as `roc_auc`.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The lower end of its interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// How sure the interval is, such as 0.95.
    pub level: Option<f64>,
}

/// A move of an alias.
#[derive(Debug, Serialize, ToSchema)]
pub struct Moved {
    /// `champion` or `challenger`.
    pub alias: String,
    /// From which version.
    pub from: Option<u32>,
    /// To which version; null when it was taken away.
    pub to: Option<u32>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who moved it.
    pub by: String,
    /// And why.
    pub why: String,
    /// What would have spoken against it, each in a sentence, when it was forced.
    pub overridden: Vec<String>,
}

impl From<Entry> for OneVersion {
    fn from(entry: Entry) -> Self {
        let version = entry.version.0;
        match entry.manifest {
            Ok(manifest) => Self {
                version,
                family: Some(manifest.about.family),
                created_at: Some(manifest.about.created_at),
                features: manifest.about.features.names,
                metrics: manifest.about.metrics.into_iter().map(Measured::from).collect(),
                damaged: None,
            },
            Err(error) => Self {
                version,
                family: None,
                created_at: None,
                features: Vec::new(),
                metrics: Vec::new(),
                damaged: Some(error.to_string()),
            },
        }
    }
}

impl From<Metric> for Measured {
    fn from(metric: Metric) -> Self {
        let Metric { name, value, interval } = metric;
        let (low, high) = (interval.map(|it| it.low), interval.map(|it| it.high));
        Self { name, value, low, high, level: interval.map(|it| it.level) }
    }
}

impl From<&Move> for Moved {
    fn from(step: &Move) -> Self {
        Self {
            alias: step.alias.to_string(),
            from: step.from.map(|it| it.0),
            to: step.to.map(|it| it.0),
            at: step.at,
            by: step.by.clone(),
            why: step.why.clone(),
            overridden: step.overridden.clone(),
        }
    }
}
