//! Clicks are scored when somebody asks: by rules alone, and without anything being kept.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId,
    event::Event,
    fraud::score::{LogOdds, Part, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BATCH_MAX, ScoreReason};
use crate::{
    api::{body::Body, failure::Failure, gate::Caller},
    app::App,
    store, stored,
};

/// Clicks that are scored together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClicksToScore {
    /// Those that are stored, by their ids.
    #[schema(min_items = 1, max_items = 1000)]
    clicks: Vec<ClickId>,
}

/// What rules say of clicks, in the order in which they were asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoredClicks {
    /// One for each.
    scores: Vec<ClickScore>,
}

/// How probable it is that a click is no honest visit, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClickScore {
    /// Which click.
    click_id: ClickId,
    /// In which campaign.
    campaign_id: CampaignId,
    /// Whose link was clicked.
    affiliate_id: AffiliateId,
    /// The probability of fraud.
    probability: f64,
    /// The same from 0 to 100.
    score: u8,
    /// Log-odds before anything was said.
    base: f64,
    /// What was said, the most telling first; with the base they sum to the score's log-odds.
    reasons: Vec<ScoreReason>,
    /// The score as log-odds.
    log_odds: f64,
    /// As of when the past counts; null where it was not known.
    features_as_of: Option<DateTime<Utc>>,
    /// By which version of the settings; 0 for the defaults.
    settings_version: i64,
    /// What could not be asked, each in a sentence.
    degraded: Vec<String>,
}

/// Score clicks for fraud, by what is known at this moment: rules that need no conversion speak, and nothing is kept or refused.
#[utoipa::path(post, path = "/score/clicks", tag = "fraud", request_body = ClicksToScore,
    responses((status = 200, description = "What rules say.", body = ScoredClicks)),
    security(("key" = ["fraud:score"])))]
pub(super) async fn score_clicks(
    app: State<App>,
    by: Caller,
    Body(ClicksToScore { clicks }): Body<ClicksToScore>,
) -> Result<Json<ScoredClicks>, Failure> {
    by.must_be_operator()?;
    if !(1..=BATCH_MAX).contains(&clicks.len()) {
        let detail = format!("there are {}; send 1 to {BATCH_MAX} at once", clicks.len());
        return Err(Failure::unprocessable("/clicks", detail));
    }
    let (in_force, at) = (app.scorer.in_force(), app.clock.now());
    let mut db = app.db.acquire().await?;
    let mut scores = Vec::with_capacity(clicks.len());
    for (place, id) in clicks.into_iter().enumerate() {
        let unknown = || Failure::unprocessable(format!("/clicks/{place}"), "no such click is stored");
        let click = store::lake::click(&mut db, id).await?.ok_or_else(unknown)?;
        let known = stored::click(click).map_err(Failure::Broken)?;
        let Event::Click(visit) = known.event else { return Err(unknown()) };
        let opinion = app.scorer.judge_click(&mut db, &visit, (at, &in_force)).await?;
        let mut parts = opinion.score.parts.clone();
        parts.sort_by_key(|part| std::cmp::Reverse(part.log_odds));
        let reason = |part: &Part| match part.reason {
            Reason::Rule(code) => {
                Some(ScoreReason::of_rule(code, LogOdds::value(part.log_odds), &opinion.flags))
            }
            // No model is asked about clicks.
            Reason::Model(_) => None,
        };
        scores.push(ClickScore {
            click_id: id,
            campaign_id: visit.seen.campaign,
            affiliate_id: visit.seen.affiliate,
            probability: opinion.score.probability(),
            score: opinion.score.risk(),
            base: opinion.score.base.value(),
            reasons: parts.iter().filter_map(reason).collect(),
            log_odds: LogOdds::value(opinion.score.log_odds),
            features_as_of: opinion.features_as_of,
            settings_version: in_force.version.into(),
            degraded: opinion.degraded,
        });
    }
    Ok(Json(ScoredClicks { scores }))
}
