//! Campaigns that suit an affiliate, with reasons, to join or to dismiss, and those that it takes part in.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    AffiliateId, CampaignId, RecommendationFeedbackId, RecommendationId, affiliate::AffiliateStatus,
};
use serde::Deserialize;

use crate::{
    api::recommendations::{self, CampaignsWanted},
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{
        self,
        recommendations::{FeedbackKind, RecommendationFeedback},
    },
};

struct Suits {
    id: String,
    name: String,
    why: String,
    reasons: Vec<String>,
    is_trial: bool,
}

struct Joined {
    id: String,
    name: String,
    currency: &'static str,
    landing: String,
    is_active: bool,
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct Page {
    frame: Frame,
    status: Option<String>,
    list: String,
    basis: &'static str,
    suits: Vec<Suits>,
    joined: Vec<Joined>,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    joined: Option<String>,
    dismissed: Option<String>,
}

/// Why an affiliate earns nothing now, if so.
pub fn not_earning(status: AffiliateStatus) -> Option<String> {
    match status {
        AffiliateStatus::Approved => None,
        AffiliateStatus::Pending => Some(say("affiliate-pending")),
        AffiliateStatus::Suspended => Some(say("affiliate-suspended")),
        AffiliateStatus::Rejected => Some(say("affiliate-rejected")),
    }
}

/// The list, best first.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let wanted = CampaignsWanted { limit: Some(10), ..CampaignsWanted::default() };
    let list = recommendations::campaigns(&pages.app, affiliate, &wanted, true).await?;
    let mut db = pages.app.db.acquire().await?;
    let known = store::affiliates::find(&mut db, affiliate, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let joined = store::dashboard::joined(&mut db, affiliate).await?;
    let suits = list.data.into_iter().map(|one| Suits {
        id: one.campaign_id.to_string(),
        name: one.name,
        why: one.at.why,
        reasons: one.at.reasons.into_iter().map(|reason| reason.words).collect(),
        is_trial: one.at.explored,
    });
    // Whoever writes a link to this page does not say what it says.
    let named = asked.joined.filter(|name| joined.iter().any(|one| one.name == *name));
    let done = named.map(|name| tell("campaigns-joined", &[("name", &name)]));
    let done = done.or_else(|| asked.dismissed.map(|_| say("campaigns-dismissed")));
    let page = Page {
        frame: by.frame(Place::Campaigns).done(done),
        status: not_earning(known.status),
        list: list.head.list_id.to_string(),
        basis: list.head.basis_words,
        suits: suits.collect(),
        joined: joined
            .into_iter()
            .map(|one| Joined {
                id: one.id.to_string(),
                name: one.name,
                currency: one.currency.code(),
                landing: one.landing_url,
                is_active: one.is_active,
            })
            .collect(),
    };
    Ok(rendered(&page))
}

/// What list a choice was made from.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    list: Option<String>,
}

/// Takes part in a campaign that is open.
pub async fn join(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Chosen>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    let affiliate = by.affiliate()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    let campaign = store::campaigns::find(&mut tx, id, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let status = store::campaigns::join(&mut tx, id, affiliate, pages.app.clock.now()).await?;
    if status != AffiliateStatus::Approved {
        return Err(Fault::Form(tell("campaigns-not-open", &[("name", &campaign.name)])));
    }
    say_of(&pages, &mut tx, &by, (affiliate, id, FeedbackKind::Applied), form.list.as_deref()).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "campaign.joined", (&id.to_string(), ""))).await?;
    tx.commit().await?;
    let name = form_urlencoded::Serializer::new(String::new()).append_pair("joined", &campaign.name).finish();
    Ok(Redirect::to(&format!("/my/campaigns?{name}")).into_response())
}

/// Keeps a campaign out of the lists from now on.
pub async fn dismiss(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Chosen>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    let affiliate = by.affiliate()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    store::campaigns::find(&mut tx, id, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    say_of(&pages, &mut tx, &by, (affiliate, id, FeedbackKind::Dismissed), form.list.as_deref()).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "campaign.dismissed", (&id.to_string(), ""))).await?;
    tx.commit().await?;
    Ok(Redirect::to("/my/campaigns?dismissed=1").into_response())
}

/// Notes what became of a recommended pair, as the API does.
pub async fn say_of(
    pages: &Pages,
    tx: &mut sqlx::PgConnection,
    by: &Visitor,
    (affiliate_id, campaign_id, kind): (AffiliateId, CampaignId, FeedbackKind),
    list: Option<&str>,
) -> Result<(), Fault> {
    let said = RecommendationFeedback {
        id: RecommendationFeedbackId::new(&pages.app.clock, &pages.app.chance),
        affiliate_id,
        campaign_id,
        kind,
        list_id: list.and_then(|list| list.parse::<RecommendationId>().ok()),
        note: String::new(),
        actor: by.actor(),
        created_at: pages.app.clock.now(),
    };
    store::recommendations::say(tx, &said).await?;
    Ok(())
}
