//! An affiliate's links: where they lead, what they counted, and one more.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use domain::{CampaignId, LinkId};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::Deserialize;

use crate::{
    api::{
        links::{self, NewLink},
        text::{ParamName, ParamValue},
    },
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{
        self,
        dashboard::Joined,
        links::{Link, Wanted},
    },
};

/// How many stand on a page.
const SHOWN: i64 = 100;

/// What the builder asks for, empty where nothing was filled in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filled {
    campaign: String,
    landing_url: String,
    code: String,
    utm_source: String,
    utm_medium: String,
    utm_campaign: String,
    sub1: String,
    sub2: String,
    sub3: String,
    sub4: String,
    sub5: String,
}

struct Line {
    id: String,
    code: String,
    url: String,
    campaign: String,
    clicks: String,
    conversions: String,
    made: String,
}

struct Choice {
    id: String,
    name: String,
    hosts: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "links.html")]
struct ListPage {
    frame: Frame,
    count: String,
    lines: Vec<Line>,
    older: Option<String>,
    choices: Vec<Choice>,
    filled: Filled,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "link.html")]
struct OnePage {
    frame: Frame,
    line: Line,
    landing: String,
    params: Vec<(String, String)>,
    impressions: String,
    picture: String,
}

/// From where the list goes on, and what was just made.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    after: Option<String>,
    campaign: Option<String>,
    made: Option<String>,
}

fn line(by: &Visitor, link: Link, joined: &[Joined]) -> Line {
    let campaign = joined.iter().find(|campaign| campaign.id == link.campaign_id);
    Line {
        id: link.id.to_string(),
        code: link.code,
        url: link.url,
        campaign: campaign.map_or_else(|| say("links-left"), |campaign| campaign.name.clone()),
        clicks: by.reader.number(link.clicks),
        conversions: by.reader.number(link.conversions),
        made: by.reader.time(&link.created_at),
    }
}

/// The links, newest first, and the builder.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let filled = Filled { campaign: asked.campaign.clone().unwrap_or_default(), ..Filled::default() };
    let page = page(&pages, &by, &asked, (filled, Vec::new())).await?;
    Ok(rendered(&page))
}

async fn page(
    pages: &Pages,
    by: &Visitor,
    asked: &Asked,
    (filled, faults): (Filled, Vec<String>),
) -> Result<ListPage, Fault> {
    let affiliate = by.affiliate()?;
    let after: Option<LinkId> =
        asked.after.as_deref().map(str::parse).transpose().map_err(|_| Fault::NotFound)?;
    let mut db = pages.app.db.acquire().await?;
    let joined = store::dashboard::joined(&mut db, affiliate).await?;
    let wanted = Wanted { affiliate: Some(affiliate), after, ..Wanted::default() };
    let mut found = store::links::list(&mut db, &wanted, &pages.app.tracker_url, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let has_more = shown < found.len();
    found.truncate(shown);
    let older = found.last().filter(|_| has_more).map(|last| format!("/my/links?after={}", last.id));
    let choices = joined.iter().filter(|campaign| campaign.is_active).map(|campaign| Choice {
        id: campaign.id.to_string(),
        name: campaign.name.clone(),
        hosts: hosts(campaign),
        is_chosen: campaign.id.to_string() == filled.campaign,
    });
    let choices = choices.collect();
    let lines: Vec<_> = found.into_iter().map(|link| line(by, link, &joined)).collect();
    let count = tell("links-count", &[("count", &lines.len().to_string())]);
    Ok(ListPage { frame: by.frame(Place::Links), count, lines, older, choices, filled, faults })
}

/// Where deep links of a campaign may lead.
fn hosts(campaign: &Joined) -> String {
    let landing = url::Url::parse(&campaign.landing_url).ok();
    let landing = landing.as_ref().and_then(|page| page.host_str()).map(ToOwned::to_owned);
    let mut hosts: Vec<_> = landing.into_iter().chain(campaign.allowed_hosts.iter().cloned()).collect();
    hosts.dedup();
    hosts.join(", ")
}

/// Makes a link, or says what to fill in otherwise.
pub async fn make(State(pages): State<Pages>, posted: Posted<Filled>) -> Result<Response, Fault> {
    let Posted { by, form: filled } = posted;
    let affiliate = by.affiliate()?;
    let faults = match filled.read() {
        Err(faults) => faults,
        Ok(new) => {
            let mut tx = pages.app.begin().await?;
            match links::make(&pages.app, &mut tx, (affiliate, Some(affiliate)), new).await {
                Ok(link) => {
                    let id = link.id.to_string();
                    let deed = by.deed(&pages, "link.created", (&id, &link.code));
                    store::audit::note(&mut tx, &deed).await?;
                    tx.commit().await?;
                    return Ok(Redirect::to(&format!("/my/links/{}?made=1", link.id)).into_response());
                }
                Err(failure) => match sentences(&failure) {
                    Some(told) => told.iter().map(|(field, detail)| fault(field, detail)).collect(),
                    None => return Err(failure.into()),
                },
            }
        }
    };
    let page = page(&pages, &by, &Asked::default(), (filled, faults)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response())
}

fn fault(field: &str, detail: &str) -> String {
    let field = match field.split('/').nth(1).unwrap_or_default() {
        "" => return detail.to_owned(),
        "landing_url" => say("link-landing"),
        "code" => say("link-code"),
        "campaign_id" => say("link-campaign"),
        other => other.to_owned(),
    };
    tell("form-fault", &[("field", &field), ("detail", detail)])
}

impl Filled {
    /// What the API would take, or what does not fit.
    fn read(&self) -> Result<NewLink, Vec<String>> {
        let mut faults = Vec::new();
        let campaign = self.campaign.parse::<CampaignId>();
        if campaign.is_err() {
            faults.push(fault("/campaign_id", &say("link-choose")));
        }
        let code = (!self.code.is_empty()).then(|| self.code.parse()).transpose();
        let code = code.map_err(|error| faults.push(fault("/code", &format!("{error}"))));
        let landing = (!self.landing_url.is_empty()).then(|| self.landing_url.trim().parse()).transpose();
        let landing = landing.map_err(|error| faults.push(fault("/landing_url", &format!("{error}"))));
        let mut custom_params = BTreeMap::new();
        for (name, value) in self.params() {
            match (name.parse::<ParamName>(), value.trim().parse::<ParamValue>()) {
                (Ok(name), Ok(value)) => _ = custom_params.insert(name, value),
                (Err(error), _) | (_, Err(error)) => {
                    faults.push(fault(&format!("/{name}"), &error.to_string()));
                }
            }
        }
        match (campaign, code, landing) {
            (Ok(campaign_id), Ok(code), Ok(landing_url)) if faults.is_empty() => {
                Ok(NewLink { campaign_id, code, landing_url, custom_params })
            }
            _ => Err(faults),
        }
    }

    /// The parameters that were filled in.
    fn params(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("utm_source", &self.utm_source),
            ("utm_medium", &self.utm_medium),
            ("utm_campaign", &self.utm_campaign),
            ("sub1", &self.sub1),
            ("sub2", &self.sub2),
            ("sub3", &self.sub3),
            ("sub4", &self.sub4),
            ("sub5", &self.sub5),
        ];
        all.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty())
    }
}

async fn find(pages: &Pages, by: &Visitor, id: &str) -> Result<Link, Fault> {
    let id: LinkId = id.parse().map_err(|_| Fault::NotFound)?;
    let wanted = Wanted { id: Some(id), seen_by: Some(by.affiliate()?), ..Wanted::default() };
    let mut db = pages.app.db.acquire().await?;
    let found = store::links::list(&mut db, &wanted, &pages.app.tracker_url, 1).await?;
    found.into_iter().next().ok_or(Fault::NotFound)
}

/// One link, to copy and to print.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let link = find(&pages, &by, &id).await?;
    let mut db = pages.app.db.acquire().await?;
    let joined = store::dashboard::joined(&mut db, link.affiliate_id).await?;
    let landing = joined.iter().find(|campaign| campaign.id == link.campaign_id);
    let landing = link.landing_url.clone().or_else(|| landing.map(|campaign| campaign.landing_url.clone()));
    let page = OnePage {
        frame: by.frame(Place::Links).done(asked.made.map(|_| say("link-made"))),
        landing: landing.unwrap_or_default(),
        params: link.custom_params.clone().into_iter().collect(),
        impressions: by.reader.number(link.impressions),
        picture: link.impression_url.clone(),
        line: line(&by, link, &joined),
    };
    Ok(rendered(&page))
}

/// A link as a picture for a telephone's camera.
pub async fn qr(State(pages): State<Pages>, by: Visitor, Path(id): Path<String>) -> Result<Response, Fault> {
    let link = find(&pages, &by, &id).await?;
    let broken = |error: qrcode::types::QrError| {
        Fault::Failed(crate::api::failure::Failure::Broken(anyhow::anyhow!(
            "{} has no QR code: {error}",
            link.id
        )))
    };
    let code = QrCode::with_error_correction_level(&link.url, EcLevel::M).map_err(broken)?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}
