//! Whether decisions about fraud are still what they were promised to be: what moved since before, how often the honest are
//! held, whether probabilities hold, and what the other model would have done.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    conversion::{ConversionStatus, ReversalReason},
    fraud::score::{Limits, LogOdds, Verdict},
};
use features::offline::profile::{Drift, FeatureProfile, Verdict as Moved};
use serde::Serialize;
use sqlx::PgConnection;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{InForce, model};
use crate::store::decisions::{self, Decided, OfCampaign, Window};

/// Of each window so many decisions are looked at one by one, the newest.
const MOST: i64 = 5_000;
/// What came before is so many times as long as what is now.
const BEFORE: i32 = 4;
/// Fewer say nothing about what is usual.
const ENOUGH: u64 = 100;
/// Which share of decisions may be made without features or model.
const DEGRADED: f64 = 0.01;
/// Standard deviations of 95 % and of 99.9 %, on both sides: what is shown, and what a bound is crossed by.
const SHOWN: f64 = 1.960;
const RARE: f64 = 3.291;
/// The lower ends of the bins of probabilities.
const BINS: [f64; 6] = [0.0, 0.02, 0.1, 0.3, 0.5, 0.8];

/// A share with what it may be, with 95 of 100 chances (Wilson 1927).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct SureShare {
    /// Of how many.
    pub of: u64,
    /// The share; null of nothing.
    pub share: Option<f64>,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl SureShare {
    fn new(found: u64, of: u64) -> Self {
        let (low, high) = wilson(found, of, SHOWN);
        Self { of, share: (of != 0).then(|| found as f64 / of as f64), low, high }
    }
}

/// The score interval of a share (E. B. Wilson, «Probable inference», 1927).
fn wilson(found: u64, of: u64, deviations: f64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share, z2) = (of as f64, found as f64 / of as f64, deviations * deviations);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = deviations / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// What decisions about a campaign's conversions have come to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignDecisions {
    /// Which campaign.
    #[schema(value_type = String)]
    pub campaign_id: domain::CampaignId,
    /// How many conversions were decided about.
    pub decided: i64,
    /// How many were to be held.
    pub held: i64,
    /// How many are approved by now.
    pub approved: i64,
    /// How many are rejected or reversed by now.
    pub turned_down: i64,
}

impl From<&OfCampaign> for CampaignDecisions {
    fn from(of: &OfCampaign) -> Self {
        let OfCampaign { campaign_id, decided, held, approved, turned_down, .. } = *of;
        Self { campaign_id, decided, held, approved, turned_down }
    }
}

/// Something whose values are not what they were.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Movement {
    /// `score`, `model/NAME` of a feature, or `rule/CODE`.
    pub what: String,
    /// Whether it moved so much that what was learned before should not be trusted, or only shifted.
    pub has_moved: bool,
    /// What says so.
    pub because: Vec<String>,
}

/// What probabilities said and what came of it, of conversions that were approved or found to be fraud since.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Matured {
    /// Which share was found to be fraud.
    pub fraud: SureShare,
    /// Which share was expected to be.
    pub expected: Option<f64>,
    /// The same by probability.
    pub bins: Vec<MaturedBin>,
    /// Which share of those that were approved was to be held.
    pub honest_held: SureShare,
    /// Which share of those that were fraud was to be held.
    pub fraud_held: SureShare,
}

/// Conversions of like probability.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MaturedBin {
    /// From which probability on.
    pub from: f64,
    /// What was expected on average; null where there are none.
    pub expected: Option<f64>,
    /// What came of them.
    pub fraud: SureShare,
}

/// Champion and challenger beside each other.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Compared {
    /// Their versions, the champion's first: those of the newest decision that both were asked about.
    pub versions: [String; 2],
    /// About how many of the decisions that were looked at both were asked.
    pub decided: u64,
    /// In how many both said the same.
    pub agreed: u64,
    /// How many the champion alone would hold.
    pub only_champion: u64,
    /// How many the challenger alone would hold.
    pub only_challenger: u64,
    /// Which share of those that were approved since each would have held.
    pub honest_held: [SureShare; 2],
    /// Which share of those that were fraud each would have held.
    pub fraud_held: [SureShare; 2],
}

/// Something that was promised, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DecisionBound {
    /// `honest_held`, `calibration`, `score_drift`, `feature_drift` or `degraded`.
    pub bound: &'static str,
    /// Whether it does not hold, and chance is no excuse.
    pub is_crossed: bool,
    /// The numbers.
    pub words: String,
}

/// How decisions about fraud are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DecisionHealth {
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when.
    pub to: DateTime<Utc>,
    /// What it is held against is older than `from`, down to this moment.
    pub before_from: DateTime<Utc>,
    /// How many conversions were decided about.
    pub decided: i64,
    /// How many were to be held.
    pub held: i64,
    /// How many were decided without something that there should be.
    pub degraded: i64,
    /// By campaigns, those with the most first; a hundred at most.
    pub campaigns: Vec<CampaignDecisions>,
    /// How many decisions were looked at one by one, of those before and of those now: the newest of each.
    pub looked_at: [u64; 2],
    /// How many of those now were made by which version of the model; under `none` those that no model was asked for.
    pub versions: BTreeMap<String, u64>,
    /// What is not what it was: score, features of the model, rules.
    pub movements: Vec<Movement>,
    /// What came of decisions, those before among them.
    pub matured: Matured,
    /// Beside the other one of champion and challenger, where there are both.
    pub compared: Option<Compared>,
    /// What was promised.
    pub bounds: Vec<DecisionBound>,
}

impl DecisionHealth {
    /// How the decisions of the last so many days are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(
        db: &mut PgConnection,
        in_force: &InForce,
        (at, days): (DateTime<Utc>, u16),
    ) -> sqlx::Result<Self> {
        let length = TimeDelta::days(days.into());
        let (now, before): (Window, Window) =
            ((at - length, at), (at - length - length * BEFORE, at - length));
        let campaigns = decisions::by_campaign(db, now).await?;
        let past = decisions::newest(db, before, (MOST, false)).await?;
        let present = decisions::newest(db, now, (MOST, false)).await?;
        let ended = decisions::newest(db, (before.0, at), (MOST, true)).await?;
        let limits = in_force.policy.limits;
        // Ten thousand decisions, each of dozens of numbers.
        let of = move || Self::of((now, before.0), &campaigns, (&past, &present, &ended), limits);
        spawn_blocking(of).await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
    }

    fn of(
        ((from, to), before_from): (Window, DateTime<Utc>),
        campaigns: &[OfCampaign],
        (past, present, ended): (&[Decided], &[Decided], &[Decided]),
        limits: Limits,
    ) -> Self {
        let sum = |of: fn(&OfCampaign) -> i64| campaigns.iter().map(of).sum::<i64>();
        let (decided, degraded) = (sum(|it| it.decided), sum(|it| it.degraded));
        let mut versions = BTreeMap::new();
        for one in present {
            *versions.entry(one.version.clone().unwrap_or_else(|| "none".to_owned())).or_default() += 1;
        }
        let movements = movements(past, present);
        let ended: Vec<&Decided> = ended.iter().collect();
        let matured = matured(&ended);
        let mut bounds = vec![honest_held(&ended, limits), calibration(&ended)];
        bounds.extend(drift(&movements, past.len().min(present.len()) as u64));
        bounds.push(degraded_share(degraded, decided));
        Self {
            from,
            to,
            before_from,
            decided,
            held: sum(|it| it.held),
            degraded,
            campaigns: campaigns.iter().take(100).map(CampaignDecisions::from).collect(),
            looked_at: [past.len() as u64, present.len() as u64],
            versions,
            movements,
            matured,
            compared: compared(present.iter().chain(past), &ended),
            bounds,
        }
    }
}

/// What became of a conversion, as far as it says whether it was fraud: something else may have been wrong with an order that
/// was turned down.
fn is_fraud(one: &Decided) -> Option<bool> {
    match (one.status, one.reason) {
        (ConversionStatus::Approved, _) => Some(false),
        (ConversionStatus::Rejected | ConversionStatus::Reversed, Some(ReversalReason::Fraud)) => Some(true),
        _ => None,
    }
}

fn probability(one: &Decided) -> f64 {
    LogOdds(one.log_odds).probability()
}

fn share(
    all: &[&Decided],
    is_counted: impl Fn(&Decided) -> bool,
    is_found: impl Fn(&Decided) -> bool,
) -> (u64, u64) {
    let counted = all.iter().filter(|one| is_counted(one));
    counted.fold((0, 0), |(found, of), one| (found + u64::from(is_found(one)), of + 1))
}

fn sure((found, of): (u64, u64)) -> SureShare {
    SureShare::new(found, of)
}

fn matured(all: &[&Decided]) -> Matured {
    let is_known = |one: &Decided| is_fraud(one).is_some();
    let found = |one: &Decided| is_fraud(one) == Some(true);
    let bin = |(place, from): (usize, &f64)| {
        let to = BINS.get(place + 1).copied().unwrap_or(f64::INFINITY);
        let is_here = |one: &Decided| is_known(one) && *from <= probability(one) && probability(one) < to;
        MaturedBin { from: *from, expected: expected(all, is_here), fraud: sure(share(all, is_here, found)) }
    };
    Matured {
        fraud: sure(share(all, is_known, found)),
        expected: expected(all, is_known),
        bins: BINS.iter().enumerate().map(bin).collect(),
        honest_held: sure(share(all, |one| is_fraud(one) == Some(false), |one| one.is_held)),
        fraud_held: sure(share(all, found, |one| one.is_held)),
    }
}

/// The mean probability.
fn expected(all: &[&Decided], is_counted: impl Fn(&Decided) -> bool) -> Option<f64> {
    let found: Vec<f64> = all.iter().filter(|one| is_counted(one)).map(|one| probability(one)).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// Champion and challenger of the newest decision that both were asked about, wherever they were.
fn compared<'a>(all: impl Iterator<Item = &'a Decided>, ended: &[&Decided]) -> Option<Compared> {
    let all: Vec<&Decided> = all.collect();
    let pair = all.iter().find_map(|one| versions(one))?;
    let is_theirs = |one: &Decided| versions(one).as_ref() == Some(&pair);
    let (agreed, decided) = share(&all, is_theirs, |one| would(one)[0] == would(one)[1]);
    let held = |is_fraud_wanted: bool, whose: usize| {
        let is_counted = |one: &Decided| is_theirs(one) && is_fraud(one) == Some(is_fraud_wanted);
        sure(share(ended, is_counted, |one| would(one)[whose]))
    };
    Some(Compared {
        decided,
        agreed,
        only_champion: share(&all, is_theirs, |one| would(one) == [true, false]).0,
        only_challenger: share(&all, is_theirs, |one| would(one) == [false, true]).0,
        honest_held: [held(false, 0), held(false, 1)],
        fraud_held: [held(true, 0), held(true, 1)],
        versions: pair,
    })
}

/// The versions of champion and challenger, where both were asked.
fn versions(one: &Decided) -> Option<[String; 2]> {
    let (ours, other) = (one.version.clone()?, one.shadow.as_ref()?.model.version.clone());
    Some(if one.is_canary { [other, ours] } else { [ours, other] })
}

/// Whether champion and challenger would hold it.
fn would(one: &Decided) -> [bool; 2] {
    let other = one.shadow.as_ref().is_some_and(|shadow| shadow.verdict == Verdict::Hold);
    if one.is_canary { [other, one.is_held] } else { [one.is_held, other] }
}

/// What is not what it was: the score, what the model is given, and how often rules flag.
fn movements(past: &[Decided], present: &[Decided]) -> Vec<Movement> {
    if (past.len().min(present.len()) as u64) < ENOUGH {
        return Vec::new();
    }
    let column = |of: &dyn Fn(&Decided) -> Option<f64>, all: &[Decided]| -> (Vec<f64>, usize) {
        let there: Vec<f64> = all.iter().filter_map(of).collect();
        let missing = all.len() - there.len();
        (there, missing)
    };
    let against = |what: String, of: &dyn Fn(&Decided) -> Option<f64>| {
        let ((before, gone), (now, missing)) = (column(of, past), column(of, present));
        moved(what, &FeatureProfile::of("", "", before, gone).compare(&now, missing))
    };
    let score = against("score".to_owned(), &|one| Some(one.log_odds as f64 / 1e6));
    let of_model = |one: &Decided| one.values.is_some();
    let features = model::names().enumerate().filter_map(|(place, name)| {
        // Only what a model was asked about says what its features were.
        let is_asked = past.iter().any(of_model) && present.iter().any(of_model);
        let value = |one: &Decided| one.values.as_ref().and_then(|values| *values.get(place)?);
        is_asked.then(|| against(format!("model/{name}"), &value)).flatten()
    });
    score.into_iter().chain(features).chain(rules(past, present)).collect()
}

fn moved(what: String, drift: &Drift) -> Option<Movement> {
    let has_moved = drift.verdict == Moved::Moved;
    let because = drift.because.clone();
    (drift.verdict != Moved::Stable).then_some(Movement { what, has_moved, because })
}

/// Rules that flag another share than before: more than chance would do, and by a hundredth or more.
fn rules(past: &[Decided], present: &[Decided]) -> Vec<Movement> {
    let flagged = |all: &[Decided], code: &str| {
        let has = |one: &&Decided| one.flags.iter().any(|flag| flag.code.to_string() == code);
        (all.iter().filter(has).count() as u64, all.len() as u64)
    };
    let codes = |all: &[Decided]| -> BTreeSet<String> {
        all.iter().flat_map(|one| one.flags.iter().map(|flag| flag.code.to_string())).collect()
    };
    let all = codes(past).into_iter().chain(codes(present)).collect::<BTreeSet<_>>();
    let movement = |code: String| {
        let (before, now) = (flagged(past, &code), flagged(present, &code));
        let share = |(found, of): (u64, u64)| found as f64 / of as f64;
        let (before, now) =
            ((share(before), wilson(before.0, before.1, RARE)), (share(now), wilson(now.0, now.1, RARE)));
        let is_apart = before.1.1 < now.1.0 || now.1.1 < before.1.0;
        let difference = (now.0 - before.0).abs();
        let because = format!("it flags {:.1} %, not {:.1} %", 100.0 * now.0, 100.0 * before.0);
        let movement =
            Movement { what: format!("rule/{code}"), has_moved: 0.1 <= difference, because: vec![because] };
        (is_apart && 0.01 <= difference).then_some(movement)
    };
    all.into_iter().filter_map(movement).collect()
}

fn honest_held(all: &[&Decided], limits: Limits) -> DecisionBound {
    let (found, of) = share(all, |one| is_fraud(one) == Some(false), |one| one.is_held);
    let percent = 100.0 * limits.rate;
    DecisionBound {
        bound: "honest_held",
        is_crossed: ENOUGH <= of && limits.rate < wilson(found, of, RARE).0,
        words: format!(
            "{found} of {of} conversions that were approved since were to be held; {percent:.1} % may be{}",
            few(of)
        ),
    }
}

/// What else is to be said of so few.
fn few(of: u64) -> &'static str {
    if of < ENOUGH { ", of which there are too few to say" } else { "" }
}

fn calibration(all: &[&Decided]) -> DecisionBound {
    let is_known = |one: &Decided| is_fraud(one).is_some();
    let (found, of) = share(all, is_known, |one| is_fraud(one) == Some(true));
    let expected = expected(all, is_known).unwrap_or_default();
    let (low, high) = wilson(found, of, RARE);
    DecisionBound {
        bound: "calibration",
        is_crossed: ENOUGH <= of && (expected < low || high < expected),
        words: format!(
            "{found} of {of} conversions were found to be fraud; {:.1} were expected{}",
            expected * of as f64,
            few(of)
        ),
    }
}

fn drift(movements: &[Movement], looked_at: u64) -> [DecisionBound; 2] {
    let named = |is_meant: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let moved = movements.iter().filter(|it| it.has_moved && is_meant(&it.what));
        moved.map(|it| it.what.as_str()).collect()
    };
    let bound = |bound: &'static str, found: Vec<&str>, fine: &str| DecisionBound {
        bound,
        is_crossed: !found.is_empty(),
        words: match (found.is_empty(), looked_at < ENOUGH) {
            (false, _) => format!("{} moved since before", found.join(", ")),
            (true, true) => {
                format!("{looked_at} decisions are too few to say; it takes {ENOUGH}, before and now")
            }
            (true, false) => fine.to_owned(),
        },
    };
    [
        bound("score_drift", named(&|what| what == "score"), "scores lie where they lay"),
        bound("feature_drift", named(&|what| what != "score"), "no feature and no rule moved"),
    ]
}

fn degraded_share(degraded: i64, decided: i64) -> DecisionBound {
    let (found, of) = (u64::try_from(degraded).unwrap_or(0), u64::try_from(decided).unwrap_or(0));
    DecisionBound {
        bound: "degraded",
        is_crossed: ENOUGH <= of && DEGRADED < wilson(found, of, RARE).0,
        words: format!("{found} of {of} decisions were made without features or model that there should be"),
    }
}
