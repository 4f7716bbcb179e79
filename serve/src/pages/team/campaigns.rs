//! Campaigns, and who suits each of them: to be invited or dismissed, with reasons.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{AffiliateId, CampaignId, campaign::CampaignStatus};
use serde::Deserialize;

use crate::{
    api::{
        recommendations::{self, AffiliatesWanted},
        text::{Country, Label},
    },
    pages::{
        Pages,
        affiliate::campaigns::say_of,
        fault::Fault,
        frame::{Frame, Place, rendered},
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{self, campaigns::Wanted, recommendations::FeedbackKind},
};

/// So many stand on a page.
const SHOWN: i64 = 200;
/// So many affiliates are recommended.
const LONGEST: u32 = 20;

struct Line {
    id: String,
    name: String,
    status: String,
    currency: &'static str,
    landing: String,
}

#[derive(Template)]
#[template(path = "team_campaigns.html")]
struct ListPage {
    frame: Frame,
    lines: Vec<Line>,
}

struct Suits {
    id: String,
    name: String,
    country: String,
    score: String,
    why: String,
    reasons: Vec<String>,
    is_trial: bool,
    is_new: bool,
}

#[derive(Template)]
#[template(path = "team_campaign.html")]
struct OnePage {
    frame: Frame,
    id: String,
    name: String,
    list: String,
    basis: &'static str,
    made_by: String,
    unit: Option<String>,
    asked: Asked,
    faults: Vec<String>,
    suits: Vec<Suits>,
    may_decide: bool,
}

/// Which affiliates are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    country: String,
    traffic_source: String,
    content_type: String,
    done: String,
}

impl Asked {
    /// What the API would be asked, and what of it does not fit.
    fn read(&self) -> (AffiliatesWanted, Vec<String>) {
        let mut faults = Vec::new();
        let country = parsed::<Country>(&self.country, (&say("partner-country"), &mut faults));
        let traffic_source = parsed::<Label>(&self.traffic_source, (&say("partner-traffic"), &mut faults));
        let content_type = parsed::<Label>(&self.content_type, (&say("partner-content"), &mut faults));
        (AffiliatesWanted { limit: Some(LONGEST), country, traffic_source, content_type }, faults)
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    (field, faults): (&str, &mut Vec<String>),
) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let read = text.parse();
    read.map_err(|error| {
        faults.push(tell("form-fault", &[("field", field), ("detail", &format!("{error}"))]));
    })
    .ok()
}

/// The campaigns.
pub async fn list(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    by.must_be_team()?;
    let mut db = pages.app.db.acquire().await?;
    let found = store::campaigns::list(&mut db, &Wanted::default(), SHOWN).await?;
    let lines = found.into_iter().map(|one| Line {
        id: one.id.to_string(),
        name: one.name,
        status: match one.status {
            CampaignStatus::Active => say("campaign-active"),
            CampaignStatus::Paused => say("campaign-paused"),
            CampaignStatus::Ended => say("campaign-ended"),
        },
        currency: one.currency.code(),
        landing: one.landing_url,
    });
    Ok(rendered(&ListPage { frame: by.frame(Place::Matches), lines: lines.collect() }))
}

/// Who suits one of them, best first.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let campaign = {
        let mut db = pages.app.db.acquire().await?;
        store::campaigns::find(&mut db, id, None).await?.ok_or(Fault::NotFound)?
    };
    let (wanted, faults) = asked.read();
    let list = recommendations::affiliates(&pages.app, id, &wanted).await?;
    let suits = list.data.into_iter().map(|one| Suits {
        id: one.affiliate_id.to_string(),
        name: one.name,
        country: one.country.unwrap_or_default(),
        score: one.at.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.4}")),
        why: one.at.why,
        reasons: one.at.reasons.into_iter().map(|reason| reason.words).collect(),
        is_trial: one.at.explored,
        is_new: one.at.newcomer,
    });
    let done = match asked.done.as_str() {
        "invited" => Some(say("match-invited")),
        "dismissed" => Some(say("match-dismissed")),
        _ => None,
    };
    let head = list.head;
    let by_model = |model: &recommendations::said::MatchModel| {
        tell("match-by-model", &[("model", &model.name), ("version", &model.version.to_string())])
    };
    let page = OnePage {
        frame: by.frame(Place::Matches).done(done),
        id: id.to_string(),
        name: campaign.name,
        list: head.list_id.to_string(),
        basis: head.basis_words,
        made_by: head.model.as_ref().map_or_else(|| say("match-by-records"), by_model),
        unit: head.unit,
        asked,
        faults,
        suits: suits.collect(),
        may_decide: by.user.role.leads_partners(),
    };
    Ok(rendered(&page))
}

/// What is said of a pair.
#[derive(Debug, Deserialize)]
pub struct Said {
    affiliate: String,
    list: Option<String>,
    kind: String,
}

/// Invites an affiliate, who then takes part, or dismisses the pair; either holds from the next list on.
pub async fn say_of_pair(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Said>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::leads_partners)?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let affiliate: AffiliateId = form.affiliate.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    store::campaigns::find(&mut tx, id, None).await?.ok_or(Fault::NotFound)?;
    store::affiliates::find(&mut tx, affiliate, None).await?.ok_or(Fault::NotFound)?;
    let (kind, action, done) = match form.kind.as_str() {
        "invited" => (FeedbackKind::Invited, "match.invited", "invited"),
        "dismissed" => (FeedbackKind::Dismissed, "match.dismissed", "dismissed"),
        _ => return Err(Fault::Form(say("match-no-kind"))),
    };
    say_of(&pages, &mut tx, &by, (affiliate, id, kind), form.list.as_deref()).await?;
    if kind == FeedbackKind::Invited {
        store::campaigns::join(&mut tx, id, affiliate, pages.app.clock.now()).await?;
    }
    store::audit::note(&mut tx, &by.deed(&pages, action, (&id.to_string(), &affiliate.to_string()))).await?;
    tx.commit().await?;
    Ok(Redirect::to(&format!("/team/campaigns/{id}?done={done}")).into_response())
}
