//! What champion and challenger of the model `fraud` say of a vector of its features.

use std::{cmp::Ordering, sync::LazyLock, time::Duration};

use domain::fraud::{LogOdds, score::ModelEvidence};
use features::{defs::sets::SETS, set::FeatureSet, value::Value};
use models::{
    fingerprint::Fingerprint,
    fraud::Opinion,
    registry::{Alias, ModelName},
    session::{Answer, ScoreError},
};
use tokio::{sync::oneshot, time::timeout};

use super::{Because, Consulted, MODEL_SET};
use crate::host::Host;

/// The model that decides.
static NAME: LazyLock<ModelName> = LazyLock::new(|| "fraud".parse().expect("it is a name"));
/// A transaction is open while the model is asked: so long it may take.
const PATIENCE: Duration = Duration::from_millis(200);
/// So many features are named.
const NAMED: usize = 3;

/// What a version says: as evidence, and with what it was given.
pub(super) type Said = (ModelEvidence, Consulted);

/// Asks champion or challenger. Nothing where there is no such model; why not, where there is one that cannot be asked.
pub(super) async fn consult(
    host: &Host,
    alias: Alias,
    vector: &[Value],
    base: LogOdds,
) -> Result<Option<Said>, String> {
    let Some(held) = host.model(&NAME) else { return host.fault().map_or(Ok(None), Err) };
    let serving = match alias {
        Alias::Champion => &held.champion,
        Alias::Challenger => &held.challenger,
    };
    if serving.version().is_none() && serving.refusal().is_none() {
        return Ok(None);
    }
    let refused = |error: ScoreError| serving.refusal().unwrap_or_else(|| error.to_string());
    let current = serving.current().map_err(refused)?;
    let schema = &current.manifest().about.features;
    let set = set();
    if schema.set != MODEL_SET || schema.fingerprint != Fingerprint(set.fingerprint()) {
        return Err(format!(
            "version {} of {} takes {} as it was defined when it was trained, and {MODEL_SET} is served: train a \
             version on what is served",
            current.manifest().version,
            *NAME,
            schema.set
        ));
    }
    let row: Vec<f64> = vector.iter().map(|value| value.as_f64()).collect();
    let (tell, told) = oneshot::channel();
    serving.submit(row, move |answer| drop(tell.send(answer))).map_err(refused)?;
    let told = timeout(PATIENCE, told).await.map_err(|_| format!("the model {} takes too long", *NAME))?;
    let answer = told.map_err(|_| format!("the model {} was put down while it was asked", *NAME))?;
    let answer = answer.map_err(refused)?;
    let found = found(&answer, base)
        .ok_or_else(|| format!("version {} of {} says nothing that can be read", answer.version(), *NAME))?;
    Ok(Some((found, consulted(&answer, set, vector))))
}

/// What the model is given, in order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    set().features.iter().map(|feature| feature.name.as_str())
}

/// What the model is given, as it is served.
pub(super) fn set() -> &'static FeatureSet {
    static SET: LazyLock<&'static FeatureSet> = LazyLock::new(|| {
        let set = SETS.iter().find(|set| set.full_name() == MODEL_SET);
        set.expect("models of fraud take a set that there is")
    });
    *SET
}

fn found(answer: &Answer, base: LogOdds) -> Option<ModelEvidence> {
    let opinion = Opinion::of(answer)?;
    let log_odds = opinion.evidence(base).ok()?;
    Some(ModelEvidence { model: opinion.model, log_odds, version: answer.version().to_string() })
}

fn consulted(answer: &Answer, set: &FeatureSet, vector: &[Value]) -> Consulted {
    let values: Vec<Option<f64>> = vector.iter().map(|value| Some(value.as_f64())).map(known).collect();
    let credits = answer.numbers("reasons").unwrap_or_default();
    let mut because: Vec<Because> = set
        .features
        .iter()
        .zip(&values)
        .zip(&credits)
        .filter(|(_, credit)| 0.0 < **credit)
        .map(|((feature, value), credit)| Because {
            feature: feature.name.clone(),
            value: *value,
            credit: *credit,
        })
        .collect();
    because.sort_by(|one, other| other.credit.partial_cmp(&one.credit).unwrap_or(Ordering::Equal));
    because.truncate(NAMED);
    Consulted { set: MODEL_SET.to_owned(), values, because }
}

fn known(number: Option<f64>) -> Option<f64> {
    number.filter(|number| !number.is_nan())
}
