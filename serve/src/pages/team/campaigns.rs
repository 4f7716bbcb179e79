//! Campaigns, who suits each of them or is like its best partners, to be invited or dismissed, and where partners are missing.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::{AffiliateId, CampaignId, campaign::CampaignStatus};
use serde::Deserialize;

use crate::{
    api::{
        recommendations::{self, AffiliatesWanted, team},
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
/// So many are shown who are like the best ones, and so many segments where some are missing.
const SOME: usize = 10;

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
    gaps: Vec<Gap>,
    no_gaps: Option<String>,
}

/// A segment in which partners are missing.
struct Gap {
    segment: String,
    campaigns: String,
    partners: String,
    missing: String,
    recruit: Vec<String>,
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
    alike: Vec<Alike>,
    no_alike: Option<String>,
    may_decide: bool,
}

/// Somebody like the best partners.
struct Alike {
    id: String,
    name: String,
    likeness: String,
    like: String,
    why: String,
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
    let lines = lines.collect();
    let (gaps, no_gaps) = gaps(&pages, &by);
    Ok(rendered(&ListPage { frame: by.frame(Place::Matches), lines, gaps, no_gaps }))
}

/// Where partners are missing, or why that is not known.
fn gaps(pages: &Pages, by: &Visitor) -> (Vec<Gap>, Option<String>) {
    let found = team::missing(&pages.app, SOME);
    let number = |number: u32| by.reader.number(number.into());
    let gap = |gap: team::CoverageGap| Gap {
        segment: listed(gap.segment.iter().map(|part| format!("{}: {}", part.column, part.word))),
        campaigns: number(gap.campaigns),
        partners: number(gap.affiliates),
        missing: number(gap.missing),
        recruit: gap.recruit.into_iter().map(|recruit| recruit.words).collect(),
    };
    (found.data.into_iter().map(gap).collect(), found.because)
}

fn listed(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
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
    let (alike, no_alike) = alike(&pages, &by, id).await?;
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
        alike,
        no_alike,
        may_decide: by.user.role.leads_partners(),
    };
    Ok(rendered(&page))
}

/// Who is like the best partners of a campaign, or why that is not known.
async fn alike(pages: &Pages, by: &Visitor, id: CampaignId) -> Result<(Vec<Alike>, Option<String>), Fault> {
    let found = team::like_its_best(&pages.app, id, SOME).await?;
    let one = |one: team::Lookalike| Alike {
        id: one.affiliate_id.to_string(),
        name: one.name,
        likeness: tell("alike-share", &[("share", &by.reader.share(one.likeness))]),
        like: tell("alike-like", &[("names", &listed(one.like.into_iter()))]),
        why: one.why,
    };
    Ok((found.data.into_iter().map(one).collect(), found.because))
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
