//! What people say of pairs that were recommended. A dismissed pair is in no list any more from the next request on, in
//! whichever process, until it is restored.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{AffiliateId, CampaignId, RecommendationFeedbackId, RecommendationId};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{failure::Failure, once::Once, text::Note},
    app::App,
    store::{
        self,
        recommendations::{FeedbackKind, RecommendationFeedback},
    },
};

/// The routes of this resource.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(say))
}

/// Something to be said of a pair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecommendationFeedback {
    /// The affiliate of the pair.
    affiliate_id: AffiliateId,
    /// The campaign of the pair.
    campaign_id: CampaignId,
    /// What.
    kind: FeedbackKind,
    /// The list that it is about, if it is about one.
    list_id: Option<RecommendationId>,
    /// What else there is to say for the record.
    note: Option<Note>,
}

/// Say what became of a recommended pair: it was shown, applied for, or invited; it is dismissed, and in no list from the next
/// request on; or it is restored. An affiliate's own key speaks of its own pairs, and does not invite.
#[utoipa::path(post, path = "/recommendations/feedback", tag = "recommendations", operation_id = "say",
    request_body = NewRecommendationFeedback,
    responses((status = 201, description = "It is noted.", body = RecommendationFeedback)),
    security(("key" = ["matches:write"])))]
async fn say(app: State<App>, once: Once<NewRecommendationFeedback>) -> Result<Response, Failure> {
    let Once { by, body, mut effect } = once;
    let unknown = |pointer, id: &dyn std::fmt::Display| {
        Failure::unprocessable(pointer, format!("{id} does not exist, or this key may not see it"))
    };
    let affiliate = store::affiliates::find(&mut effect, body.affiliate_id, by.affiliate).await?;
    affiliate.ok_or_else(|| unknown("/affiliate_id", &body.affiliate_id))?;
    let campaign = store::campaigns::find(&mut effect, body.campaign_id, by.affiliate).await?;
    campaign.ok_or_else(|| unknown("/campaign_id", &body.campaign_id))?;
    if body.kind == FeedbackKind::Invited && by.affiliate.is_some() {
        return Err(Failure::unprocessable("/kind", "an affiliate applies, and is invited by others"));
    }
    if body.kind == FeedbackKind::Restored && by.affiliate.is_some() {
        let dismissed = (body.affiliate_id, body.campaign_id);
        let by_whom = store::recommendations::dismissed_by(&mut effect, dismissed).await?;
        if by_whom.is_some_and(|whom| whom != by.key.to_string()) {
            return Err(Failure::unprocessable("/kind", "it is restored by who has dismissed it"));
        }
    }
    let said = RecommendationFeedback {
        id: RecommendationFeedbackId::new(&app.clock, &app.chance),
        affiliate_id: body.affiliate_id,
        campaign_id: body.campaign_id,
        kind: body.kind,
        list_id: body.list_id,
        note: body.note.map(String::from).unwrap_or_default(),
        actor: by.key.to_string(),
        created_at: app.clock.now(),
    };
    store::recommendations::say(&mut effect, &said).await?;
    effect.answer(StatusCode::CREATED, &said).await
}
