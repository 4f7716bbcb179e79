//! How probable fraud is: conversions are scored when somebody asks, and what was decided is shown with its reasons.

mod clicks;
#[cfg(test)]
pub mod tests;

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ConversionId, Money, ScoreId,
    click::{Click, Device},
    event::{Conversion, Visit},
    fraud::{
        Code, Flag,
        score::{Bound, LogOdds, Model, Part, Reason, Verdict},
    },
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracking::intake::Postback;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::{Heard, Once, Undone},
    reports::NewConversion,
};
use crate::{
    app::App,
    scoring::{
        Because, Looked, Record, clicked,
        settings::{InForce, Mode},
    },
    store::{
        self,
        fraud::{KeptScore, NewScore, StoredScore, Wanted},
    },
    stored,
};

/// How many conversions may be scored at once.
const BATCH_MAX: usize = 1_000;
/// No batch of so many comes near this many bytes.
const BATCH_LIMIT: usize = 4 * 1024 * 1024;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(score))
        .routes(routes!(clicks::score_clicks))
        .layer(DefaultBodyLimit::max(BATCH_LIMIT))
        .routes(routes!(list))
        .routes(routes!(one))
}

/// A conversion to be scored: one that is stored, by its id alone; or a report of one, as it would be sent to `/conversions`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversionToScore {
    /// A conversion that is stored.
    conversion_id: Option<ConversionId>,
    /// A report that nothing is taken in of.
    report: Option<NewConversion>,
    /// In which campaign; that of the click when absent.
    campaign_id: Option<CampaignId>,
    /// Who would be credited; whoever's click it is when absent.
    affiliate_id: Option<AffiliateId>,
}

/// Conversions that are scored together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversionsToScore {
    /// Each by itself.
    #[schema(min_items = 1, max_items = 1000)]
    conversions: Vec<ConversionToScore>,
}

/// What was decided about conversions, in the order in which they were asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoredConversions {
    /// One for each.
    scores: Vec<ConversionScore>,
}

/// How probable fraud is, why, and what is done about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionScore {
    /// Its id.
    id: ScoreId,
    /// Of which conversion; null where it was not a stored one.
    conversion_id: Option<ConversionId>,
    /// In which campaign.
    campaign_id: CampaignId,
    /// Who was credited.
    affiliate_id: Option<AffiliateId>,
    /// The probability of fraud.
    pub probability: f64,
    /// The same from 0 to 100.
    score: u8,
    /// What is done: `hold` is for a person to look at.
    #[schema(value_type = String, example = "approve")]
    decision: Verdict,
    /// What kept it from being held; `none` where it is.
    #[schema(value_type = String, example = "segment")]
    bound: Bound,
    /// From which probability on it would be held.
    pub threshold: f64,
    /// Whether the decision holds: in the mode `shadow` it is only noted.
    mode: Mode,
    /// Log-odds before anything was said.
    base: f64,
    /// What was said, the most telling first; with the base they sum to the score's log-odds.
    pub reasons: Vec<ScoreReason>,
    /// The score as log-odds.
    log_odds: f64,
    /// Which features were strange, where a model looked at them.
    pub features: Vec<Because>,
    /// As of when the past counts; null where it was not known.
    features_as_of: Option<DateTime<Utc>>,
    /// By which version of the settings; 0 for the defaults.
    settings_version: i64,
    /// What could not be asked, each in a sentence.
    pub degraded: Vec<String>,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// One reason of a score.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreReason {
    /// The reason's code: a rule's, or the name of a kind of model.
    #[schema(example = "rate_limit_exceeded")]
    code: &'static str,
    /// By how much it moved the log-odds.
    pub log_odds: f64,
    /// The reason as a person reads it.
    pub words: String,
    /// The numbers behind it, where it is a rule's.
    pub flag: Option<Flag>,
    /// The version of the model, where it is a model's, or the ring's id.
    model_version: Option<String>,
}

/// A decision with everything that it was decided by.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreDetail {
    #[serde(flatten)]
    score: ConversionScore,
    /// Who asked: `postback`, or a key.
    asked_by: String,
    /// All that was known, and what followed from it.
    record: Record,
    /// Whether the same follows today, to the bit, from what was known then and the settings of then.
    is_reproduced: bool,
}

/// Which scores to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScoreFilter {
    /// Only of this conversion.
    #[param(required = false, value_type = ConversionId)]
    conversion_id: Option<ConversionId>,
    /// Only of this affiliate's conversions.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only of this campaign's conversions.
    #[param(required = false, value_type = CampaignId)]
    campaign_id: Option<CampaignId>,
    /// Only those with this decision: `approve` or `hold`.
    #[param(required = false, value_type = String)]
    decision: Option<Verdict>,
}

/// Score conversions for fraud: those that are stored by their ids, others by what is known of them. Nothing is held by this;
/// what is said is kept.
#[utoipa::path(post, path = "/score/conversions", tag = "fraud", request_body = ConversionsToScore,
    responses((status = 200, description = "What was decided.", body = ScoredConversions)),
    security(("key" = ["fraud:score"])))]
async fn score(app: State<App>, heard: Heard<ConversionsToScore>) -> Result<Response, Undone> {
    heard.by.must_be_operator()?;
    let many = heard.body.conversions.len();
    if !(1..=BATCH_MAX).contains(&many) {
        let detail = format!("there are {many}; send 1 to {BATCH_MAX} at once");
        return Err(Failure::unprocessable("/conversions", detail).into());
    }
    // What is not to be known again needs no transaction of its own, and shares one with others.
    if !heard.is_named() {
        let actor = heard.by.key.to_string();
        let (scores, decided) = decided(&mut *app.db.acquire().await?, &app, (&heard.body, &actor)).await?;
        app.scorer.log().keep(decided, &app.log_db).await?;
        return Ok(Json(scores).into_response());
    }
    let Once { by, body, mut effect } = heard.begin(&app).await?;
    let (scores, decided) = decided(&mut effect, &app, (&body, &by.key.to_string())).await?;
    store::fraud::insert_all(&mut effect, &decided.iter().collect::<Vec<_>>()).await?;
    Ok(effect.answer(StatusCode::OK, &scores).await?)
}

/// Decides about each; what is said, and what is to be kept of it.
async fn decided(
    db: &mut PgConnection,
    app: &App,
    (asked, actor): (&ConversionsToScore, &str),
) -> Result<(ScoredConversions, Vec<KeptScore>), Failure> {
    let (in_force, at) = (app.scorer.in_force(), app.clock.now());
    let many = asked.conversions.len();
    let (mut scores, mut kept) = (Vec::with_capacity(many), Vec::with_capacity(many));
    for (place, asked) in asked.conversions.iter().enumerate() {
        let within = |failure: Failure| failure.within(&format!("/conversions/{place}"));
        let (id, looked) = asked.find(db, app, at).await.map_err(within)?;
        let record = app.scorer.decide(&looked, &in_force).await;
        let new = NewScore { conversion: id, actor, ..app.scorer.note(&record, &in_force) };
        kept.push(KeptScore::of(&new)?);
        scores.push(ConversionScore::new(new.id, id, in_force.mode, in_force.version.into(), &record));
    }
    Ok((ScoredConversions { scores }, kept))
}

/// List what was decided about conversions.
#[utoipa::path(get, path = "/scores", tag = "fraud", params(Paging, ScoreFilter),
    responses((status = 200, description = "One page.", body = Page<ConversionScore>)),
    security(("key" = ["fraud:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<ScoreFilter, ScoreId>,
) -> Result<Json<Page<ConversionScore>>, Failure> {
    by.must_be_operator()?;
    let filter = &listing.filter;
    let wanted = Wanted {
        id: None,
        conversion: filter.conversion_id,
        affiliate: filter.affiliate_id,
        campaign: filter.campaign_id,
        verdict: filter.decision.map(Verdict::name),
        after: listing.after,
    };
    let scores = store::fraud::list(&mut *app.db.acquire().await?, &wanted, listing.reach()).await?;
    let scores = scores.iter().map(ConversionScore::of).collect();
    Ok(Json(listing.page(scores, |score| score.id)))
}

/// Explain a decision: everything that was known, what followed from it, and whether the same follows today.
#[utoipa::path(get, path = "/scores/{id}", tag = "fraud", params(("id" = ScoreId, Path)),
    responses((status = 200, description = "The decision.", body = ScoreDetail)),
    security(("key" = ["fraud:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<ScoreId>) -> Result<Json<ScoreDetail>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    let wanted = Wanted { id: Some(id), ..Wanted::default() };
    let stored =
        store::fraud::list(&mut db, &wanted, 1).await?.pop().ok_or_else(|| Failure::not_found(id))?;
    let settings = store::fraud::settings_of(&mut db, stored.settings_version).await?;
    let in_force = match settings {
        Some(settings) => {
            let version = u32::try_from(settings.version).unwrap_or_default();
            InForce::check(settings.settings.0, version).ok()
        }
        None => (stored.settings_version == 0).then(InForce::defaults),
    };
    let record = &stored.record.0;
    let is_reproduced = in_force.is_some_and(|in_force| record.again(&in_force) == *record);
    let score = ConversionScore::of(&stored);
    Ok(Json(ScoreDetail { score, asked_by: stored.actor, is_reproduced, record: stored.record.0 }))
}

impl ConversionToScore {
    /// Finds what is meant, with all that decisions look at.
    async fn find(
        &self,
        db: &mut PgConnection,
        app: &App,
        at: DateTime<Utc>,
    ) -> Result<(Option<ConversionId>, Looked), Failure> {
        match (self.conversion_id, &self.report) {
            (Some(id), None) if self.campaign_id.is_none() && self.affiliate_id.is_none() => {
                let conversion = stored::conversion(db, id).await?;
                let unknown = || Failure::unprocessable("/conversion_id", "no such conversion");
                let conversion = conversion.ok_or_else(unknown)?;
                let click = match conversion.click {
                    Some(id) => clicked(db, id).await?,
                    None => None,
                };
                Ok((Some(id), looked(db, app, (conversion, click), (at, true)).await?))
            }
            (Some(_), _) => {
                let detail = "a conversion that is stored is scored as it is: say nothing else of it";
                Err(Failure::unprocessable("/conversion_id", detail))
            }
            (None, Some(report)) => {
                let postback = report.postback(app).map_err(|failure| failure.within("/report"))?;
                let reported = self.as_reported(db, app, postback, at).await?;
                Ok((None, looked(db, app, reported, (at, false)).await?))
            }
            (None, None) => {
                Err(Failure::unprocessable("", "name a conversion_id, or give the report of a conversion"))
            }
        }
    }

    /// A conversion that is not stored, as it would be if its report were taken in.
    async fn as_reported(
        &self,
        db: &mut PgConnection,
        app: &App,
        postback: Postback,
        at: DateTime<Utc>,
    ) -> Result<(Conversion, Option<Visit<Click>>), Failure> {
        let wrong = |place: &str, detail: &str| Failure::unprocessable(place, detail);
        if postback.session_id.is_some() && postback.click_id.is_none() {
            return Err(wrong("/report/session_id", "a visit alone is not scored: name its click_id"));
        }
        if postback.coupon.is_some() && postback.click_id.is_none() && self.affiliate_id.is_none() {
            return Err(wrong(
                "/report/coupon",
                "a promo code alone is not scored: name the affiliate_id whose it is",
            ));
        }
        let click = match postback.click_id {
            Some(id) => {
                let click = clicked(db, id).await?;
                Some(click.ok_or_else(|| wrong("/report/click_id", "no such click is stored"))?)
            }
            None => None,
        };
        let seen = click.as_ref().map(|click| &click.seen);
        let campaign = self.campaign_id.or(seen.map(|click| click.campaign));
        let campaign =
            campaign.ok_or_else(|| wrong("/campaign_id", "it is needed when no click is named"))?;
        if seen.is_some_and(|click| click.campaign != campaign) {
            return Err(wrong("/report/click_id", "is a click of another campaign"));
        }
        let campaign = app.scorer.recent().campaign(db, campaign, app.clock.now()).await?;
        let campaign = campaign.ok_or_else(|| wrong("/campaign_id", "no such campaign"))?;
        if let Some(id) = self.affiliate_id
            && app.scorer.recent().partner(db, id, app.clock.now()).await?.is_none()
        {
            return Err(wrong("/affiliate_id", "no such affiliate"));
        }
        let named = |name: &String| campaign.events.iter().find(|event| event.name == *name);
        let event = postback.event.as_ref().map_or_else(|| campaign.events.first(), named);
        let event = event.ok_or_else(|| wrong("/report/event", "is not one of the campaign's"))?;
        let amount = postback.money(campaign.currency);
        let amount = amount.map_err(|error| wrong("/report/amount", &error.to_string()))?;
        let conversion = Conversion {
            id: ConversionId::new_at(at, &app.chance),
            occurred_at_us: postback.occurred_at.unwrap_or(at).timestamp_micros(),
            campaign: campaign.id,
            advertiser: campaign.advertiser_id,
            name: event.name.clone(),
            kind: event.kind,
            amount: amount.unwrap_or(Money::zero(postback.currency.unwrap_or(campaign.currency))),
            click: postback.click_id,
            session: seen.map(|click| click.session).or(postback.session_id),
            link: seen.map(|click| click.link),
            affiliate: self.affiliate_id.or(seen.map(|click| click.affiliate)),
            order_id: postback.order_id.unwrap_or_default(),
            customer: postback.customer_id.unwrap_or_default(),
            coupon: postback.coupon.unwrap_or_default(),
            country: postback.country.unwrap_or_default(),
            address_hash: postback.customer.address_hash.map(|hash| hash.0),
            network: postback.customer.network,
            device: postback.customer.device.unwrap_or(Device::Unknown),
            device_id: postback.customer.device_hash.map_or_else(String::new, |hash| hash.to_string()),
            email_hash: postback.customer.email_hash.map(|hash| hash.0),
            account_hash: postback.customer.account_hash.map(|hash| hash.0),
            checks: postback.customer.checks(),
            email_domain: postback.customer.email_domain.unwrap_or_default(),
        };
        Ok((conversion, click))
    }
}

/// What decisions look at besides, as it was within the last second.
async fn looked(
    db: &mut PgConnection,
    app: &App,
    (conversion, click): (Conversion, Option<Visit<Click>>),
    (at, is_stored): (DateTime<Utc>, bool),
) -> sqlx::Result<Looked> {
    let partner = match conversion.affiliate {
        Some(affiliate) => app.scorer.recent().partner(db, affiliate, app.clock.now()).await?,
        None => None,
    };
    app.scorer.look_at(db, conversion, (click, partner.as_deref()), (at, is_stored)).await
}

impl ConversionScore {
    /// A decision as it was kept.
    pub(super) fn of(stored: &StoredScore) -> Self {
        let mode = if stored.mode == Mode::Live.name() { Mode::Live } else { Mode::Shadow };
        Self::new(stored.id, stored.conversion_id, mode, stored.settings_version.into(), &stored.record.0)
    }

    fn new(
        id: ScoreId,
        conversion_id: Option<ConversionId>,
        mode: Mode,
        settings_version: i64,
        record: &Record,
    ) -> Self {
        let mut parts = record.score.parts.clone();
        parts.sort_by_key(|part| std::cmp::Reverse(part.log_odds));
        Self {
            id,
            conversion_id,
            campaign_id: record.campaign_id,
            affiliate_id: record.affiliate_id,
            probability: record.score.probability(),
            score: record.score.risk(),
            decision: record.decision.verdict,
            bound: record.decision.bound,
            threshold: record.decision.threshold.probability(),
            mode,
            base: record.score.base.value(),
            reasons: parts.iter().map(|part| ScoreReason::of(*part, record)).collect(),
            log_odds: record.score.log_odds.value(),
            features: record.model.as_ref().map(|model| model.because.clone()).unwrap_or_default(),
            features_as_of: record.features_as_of,
            settings_version,
            degraded: record.degraded.clone(),
            at: record.at,
        }
    }
}

impl ScoreReason {
    /// What a rule said, by what it flagged.
    fn of_rule(code: Code, log_odds: f64, flags: &[Flag]) -> Self {
        let flag = flags.iter().find(|flag| flag.code == code).copied();
        let words = flag.map(|flag| words(&flag)).unwrap_or_default();
        Self { code: code.name(), log_odds, words, flag, model_version: None }
    }

    fn of(part: Part, record: &Record) -> Self {
        let log_odds = LogOdds::value(part.log_odds);
        match part.reason {
            Reason::Rule(code) => Self::of_rule(code, log_odds, &record.flags),
            Reason::Model(model) => {
                let heard = record.external.as_ref().filter(|_| model == Model::External);
                let said = record.models.iter().find(|said| said.model == model);
                let because = record.model.iter().flat_map(|model| &model.because);
                let features: Vec<&str> = because.map(|because| because.feature.as_str()).collect();
                let words = match (&record.ring, heard) {
                    (Some(ring), _) if model == Model::Ring => ring.words(),
                    (_, Some(heard)) => heard.words(),
                    _ if features.is_empty() => {
                        "The model finds nothing strange in the conversion.".to_owned()
                    }
                    _ => format!("The model finds strange: {}.", features.join(", ")),
                };
                let model_version = said.map(|said| said.version.clone());
                Self { code: model.name(), log_odds, words, flag: None, model_version }
            }
        }
    }
}

/// A flag as a person reads it: «Unusually many clicks from one place: 45, and the limit is 10, within 1 hour.»
fn words(flag: &Flag) -> String {
    let rule = flag.code.rule();
    let mut letters = rule.coarse.chars();
    let first = letters.next().map(char::to_uppercase);
    let what: String = first.into_iter().flatten().chain(letters).collect();
    let counts = flag.counts;
    let numbers = match (counts.of, flag.baseline) {
        (Some(of), _) => {
            format!(": {} of {}, and the limit is {}", short(counts.seen), short(of), short(counts.limit))
        }
        (None, Some(usual)) => format!(": {}, where {} is usual", short(counts.seen), short(usual)),
        // Something that is so or not has no numbers.
        (None, None) if short(counts.seen) == "1" && short(counts.limit) == "1" => String::new(),
        (None, None) => format!(": {}, and the limit is {}", short(counts.seen), short(counts.limit)),
    };
    format!("{what}{numbers}.")
}

/// A number with the digits that people read.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
