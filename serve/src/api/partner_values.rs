//! What partners are worth: taken up from the training job, and asked for.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, Currency, affiliate::Tier};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Uuid;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{body::Body, failure::Failure, gate::Caller, once::Once};
use crate::{
    app::App,
    store::{
        outbox::announce,
        partner_values::{self, Expected, PartnerValue},
    },
};

/// How many partners may come at once.
const TAKEN_MAX: usize = 10_000;
/// So much room each of them has.
const TAKEN_LIMIT: usize = TAKEN_MAX * 4 * 1024;
/// How many bytes reasons may have, and each of the things that a tier gives.
const TEXT_MAX: usize = 1_500;
/// How many things a tier gives at most.
const GIVES_MAX: usize = 20;
/// No amount, and no return, is larger.
const MOST: f64 = 1e15;
/// So far from one may chances sum that were written with few digits.
const ROUNDING: f64 = 1e-3;
/// How many partners may be asked about at once.
const ASKED_MAX: usize = 1_000;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(take_values))
        .layer(DefaultBodyLimit::max(TAKEN_LIMIT))
        .routes(routes!(score_affiliates))
}

/// What one partner is worth, as the job says it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartnerValue {
    /// Which partner.
    affiliate_id: AffiliateId,
    /// What it is worth.
    value: PartnerValue,
}

/// The file `values.json` of `tributary-train partner`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartnerValues {
    /// What amounts are in.
    currency: Currency,
    /// Each partner once.
    #[schema(min_items = 1, max_items = 10000)]
    partners: Vec<NewPartnerValue>,
}

/// What was taken up.
#[derive(Debug, Serialize, ToSchema)]
pub struct TakenPartnerValues {
    /// Of how many partners.
    partners: usize,
    /// How many of them are in another tier than before.
    moved: usize,
    /// From when this counts.
    recorded_at: DateTime<Utc>,
}

/// Partners that are asked about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AffiliatesToScore {
    /// Which.
    #[schema(min_items = 1, max_items = 1000)]
    affiliates: Vec<AffiliateId>,
}

/// What partners are worth, in the order in which they were asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoredAffiliates {
    /// One for each.
    scores: Vec<AffiliateScore>,
}

/// What a partner is worth, and which tier that is.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffiliateScore {
    /// Which partner.
    affiliate_id: AffiliateId,
    /// What was said last; null where nothing was.
    value: Option<PartnerValue>,
    /// What amounts are in.
    currency: Option<Currency>,
    /// The tier that was said before; null where nothing was.
    tier_before: Option<Tier>,
    /// When it was said.
    recorded_at: Option<DateTime<Utc>>,
    /// What could not be asked, each in a sentence.
    degraded: Vec<String>,
}

/// Take up what a training job says that partners are worth: of all of them, or of none. It counts from now on; what was said before is kept.
/// A partner whose tier is another is announced.
#[utoipa::path(post, path = "/partner-values", tag = "affiliates", request_body = NewPartnerValues,
    responses((status = 201, description = "Taken up.", body = TakenPartnerValues)),
    security(("key" = ["affiliates:write"])))]
async fn take_values(app: State<App>, once: Once<NewPartnerValues>) -> Result<Response, Failure> {
    let Once { by, body: NewPartnerValues { currency, partners }, mut effect } = once;
    if !(1..=TAKEN_MAX).contains(&partners.len()) {
        let detail = format!("there are {}; send 1 to {TAKEN_MAX} at once", partners.len());
        return Err(Failure::unprocessable("/partners", detail));
    }
    let ids: Vec<Uuid> = partners.iter().map(|one| one.affiliate_id.uuid()).collect();
    partner_values::lock(&mut effect).await?;
    let known: BTreeSet<Uuid> = partner_values::known(&mut effect, &ids).await?.into_iter().collect();
    let mut seen = BTreeSet::new();
    for (place, one) in partners.iter().enumerate() {
        let wrong =
            |field: &str, why: &str| Err(Failure::unprocessable(format!("/partners/{place}{field}"), why));
        if !known.contains(&one.affiliate_id.uuid()) {
            return wrong("/affiliate_id", "no such affiliate");
        }
        if !seen.insert(one.affiliate_id) {
            return wrong("/affiliate_id", "is there twice");
        }
        if let Some(field) = misfit(&one.value) {
            return wrong(
                field,
                "an interval does not hold what is expected, a number is out of bounds, chances do not sum to 1, or a text is too long or has control characters",
            );
        }
    }
    let before = partner_values::latest(&mut effect, &ids).await?;
    let before: BTreeMap<AffiliateId, Tier> =
        before.into_iter().map(|latest| (latest.affiliate_id, latest.said.0.tier)).collect();
    let values: Vec<(AffiliateId, PartnerValue)> =
        partners.into_iter().map(|one| (one.affiliate_id, one.value)).collect();
    let recorded_at = app.clock.now();
    partner_values::insert(&mut effect, &values, (currency, &by.key.to_string(), recorded_at)).await?;
    let mut moved = 0;
    for (id, value) in &values {
        let Some(from) = before.get(id).filter(|from| **from != value.tier) else { continue };
        moved += 1;
        let told = json!({"from": from, "to": value.tier, "gives": value.gives});
        announce(&mut effect, &app, "affiliate.moved", *id, &told).await?;
    }
    let taken = TakenPartnerValues { partners: values.len(), moved, recorded_at };
    effect.answer(StatusCode::CREATED, &taken).await
}

/// The first field whose numbers cannot be.
fn misfit(value: &PartnerValue) -> Option<&'static str> {
    let is_wrong = |it: &Expected| {
        let is_ordered = 0.0 <= it.lower && it.lower <= it.expected && it.expected <= it.upper;
        !(is_ordered && it.upper <= MOST)
    };
    let intervals = [
        ("/value/value_per_conversion", Some(&value.value_per_conversion)),
        ("/value/value_per_click", value.value_per_click.as_ref()),
        ("/value/expected_return", Some(&value.expected_return)),
    ];
    let interval = intervals.into_iter().find_map(|(field, it)| it.is_some_and(is_wrong).then_some(field));
    let chances = [value.chances.bronze, value.chances.silver, value.chances.gold];
    let is_sum = (chances.iter().sum::<f64>() - 1.0).abs() < ROUNDING;
    let is_odd = !is_sum || chances.iter().any(|chance| !(0.0..=1.0).contains(chance));
    let is_outside = |number: f64| !(0.0..=MOST).contains(&number);
    let is_text = |text: &str| text.len() <= TEXT_MAX && !text.contains(char::is_control);
    let is_list = value.gives.len() <= GIVES_MAX && value.gives.iter().all(|one| is_text(one));
    interval
        .or_else(|| is_odd.then_some("/value/chances"))
        .or_else(|| is_outside(value.cost_per_conversion).then_some("/value/cost_per_conversion"))
        .or_else(|| value.churn_ratio.is_some_and(is_outside).then_some("/value/churn_ratio"))
        .or_else(|| (!is_text(&value.reasons)).then_some("/value/reasons"))
        .or_else(|| (!is_list).then_some("/value/gives"))
}

/// Say what affiliates are worth, which tier that is and why, as the training job said it last. Nothing is kept.
#[utoipa::path(post, path = "/score/affiliates", tag = "affiliates", request_body = AffiliatesToScore,
    responses((status = 200, description = "What they are worth.", body = ScoredAffiliates)),
    security(("key" = ["affiliates:read"])))]
async fn score_affiliates(
    app: State<App>,
    by: Caller,
    Body(AffiliatesToScore { affiliates }): Body<AffiliatesToScore>,
) -> Result<Json<ScoredAffiliates>, Failure> {
    by.must_be_operator()?;
    if !(1..=ASKED_MAX).contains(&affiliates.len()) {
        let detail = format!("there are {}; send 1 to {ASKED_MAX} at once", affiliates.len());
        return Err(Failure::unprocessable("/affiliates", detail));
    }
    let ids: Vec<Uuid> = affiliates.iter().map(|id| id.uuid()).collect();
    let mut db = app.db.acquire().await?;
    let known: BTreeSet<Uuid> = partner_values::known(&mut db, &ids).await?.into_iter().collect();
    if let Some(place) = ids.iter().position(|id| !known.contains(id)) {
        return Err(Failure::unprocessable(format!("/affiliates/{place}"), "no such affiliate"));
    }
    let latest = partner_values::latest(&mut db, &ids).await?;
    let latest: BTreeMap<_, _> = latest.into_iter().map(|one| (one.affiliate_id, one)).collect();
    let score = |affiliate_id: AffiliateId| {
        let said = latest.get(&affiliate_id);
        let nothing =
            "nobody has said yet what this partner is worth: send what `tributary-train partner` writes";
        AffiliateScore {
            affiliate_id,
            value: said.map(|one| one.said.0.clone()),
            currency: said.map(|one| one.currency),
            tier_before: said.and_then(|one| one.tier_before),
            recorded_at: said.map(|one| one.recorded_at),
            degraded: if said.is_some() { Vec::new() } else { vec![nothing.to_owned()] },
        }
    };
    Ok(Json(ScoredAffiliates { scores: affiliates.into_iter().map(score).collect() }))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::AffiliateId;
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    fn worth(id: AffiliateId, tier: &str, value: f64) -> Value {
        let of = |middle: f64| json!({"expected": middle, "lower": middle * 0.5, "upper": middle * 2.0});
        let value = json!({"tier": tier, "chances": {"bronze": 0.1, "silver": 0.2, "gold": 0.7},
               "basis": "customers", "conversions": 12, "value_per_conversion": of(value),
               "cost_per_conversion": 5.0, "expected_return": of(value / 5.0),
               "reasons": "its own customers spend more", "gives": ["early access"]});
        json!({"affiliate_id": id, "value": value})
    }

    #[tokio::test]
    async fn what_a_job_says_is_what_is_answered_until_it_says_otherwise() {
        let api = Api::start().await;
        let (ana, bo) = (api.affiliate("Ana").await, api.affiliate("Bo").await);
        let asked = json!({ "affiliates": [bo, ana] });
        let nothing = api.post("/api/v1/score/affiliates", asked.clone()).await;
        insta::assert_snapshot!(nothing.body["scores"][0]["degraded"][0], @r#""nobody has said yet what this partner is worth: send what `tributary-train partner` writes""#);
        let taken = async |partners: Vec<Value>| {
            api.app.clock.advance(TimeDelta::days(1));
            api.made("/api/v1/partner-values", json!({"currency": "EUR", "partners": partners})).await
        };
        let first = taken(vec![worth(ana, "silver", 20.0), worth(bo, "bronze", 4.0)]).await;
        assert_eq!((&first["partners"], &first["moved"]), (&json!(2), &json!(0)));
        let second = taken(vec![worth(ana, "gold", 30.0)]).await;
        assert_eq!(second["moved"], 1);
        let scores = api.post("/api/v1/score/affiliates", asked).await;
        let (of_bo, of_ana) = (&scores.body["scores"][0], &scores.body["scores"][1]);
        assert_eq!((&of_bo["value"]["tier"], &of_bo["tier_before"]), (&json!("bronze"), &json!(null)));
        assert_eq!((&of_ana["value"]["tier"], &of_ana["tier_before"]), (&json!("gold"), &json!("silver")));
        assert_eq!(of_ana["value"]["value_per_conversion"]["expected"], 30.0);
        assert_eq!((&of_ana["currency"], &of_ana["degraded"]), (&json!("EUR"), &json!([])));
        assert_eq!(api.announced().await.last().map(String::as_str), Some("affiliate.moved"));
    }

    #[tokio::test]
    async fn nothing_is_taken_up_of_a_file_with_one_partner_that_cannot_be() {
        let api = Api::start().await;
        let ana = api.affiliate("Ana").await;
        let check = async |partners: Vec<Value>| {
            let sent = json!({"currency": "EUR", "partners": partners});
            api.post("/api/v1/partner-values", sent).await.problem()
        };
        let right = worth(ana, "gold", 30.0);
        let mut inverted = worth(ana, "gold", 30.0);
        inverted["value"]["expected_return"]["lower"] = json!(900.0);
        let mut unknown = right.clone();
        unknown["affiliate_id"] = json!("aff_01JH0000000000000000000000");
        insta::assert_snapshot!(check(vec![right.clone(), unknown]).await, @"422 unprocessable:  [/partners/1/affiliate_id: no such affiliate]");
        insta::assert_snapshot!(check(vec![right.clone(), right.clone()]).await, @"422 unprocessable:  [/partners/1/affiliate_id: is there twice]");
        insta::assert_snapshot!(check(vec![inverted]).await, @"422 unprocessable:  [/partners/0/value/expected_return: an interval does not hold what is expected, a number is out of bounds, chances do not sum to 1, or a text is too long or has control characters]");
        let mut improbable = worth(ana, "gold", 30.0);
        improbable["value"]["chances"]["gold"] = json!(0.9);
        insta::assert_snapshot!(check(vec![improbable]).await, @"422 unprocessable:  [/partners/0/value/chances: an interval does not hold what is expected, a number is out of bounds, chances do not sum to 1, or a text is too long or has control characters]");
        let mut endless = worth(ana, "gold", 30.0);
        endless["value"]["cost_per_conversion"] = json!(f64::MAX);
        assert!(check(vec![endless]).await.contains("/partners/0/value/cost_per_conversion: "));
        insta::assert_snapshot!(check(vec![]).await, @"422 unprocessable:  [/partners: there are 0; send 1 to 10000 at once]");
        let asked = json!({ "affiliates": [ana] });
        let scores = api.post("/api/v1/score/affiliates", asked).await;
        assert_eq!(scores.body["scores"][0]["value"], json!(null));
    }
}
