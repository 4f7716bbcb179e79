//! What a campaign gives its partners to advertise with: banners, texts and letters, to add and to retire.

use std::{fmt::Display, str::FromStr};

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use bytes::Bytes;
use domain::{CampaignId, MaterialId, material::MaterialKind};
use serde::Deserialize;

use crate::{
    api::materials::{self, Draft},
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        materials::{Preview, kind_name, preview},
        role::Role,
        session::{Nothing, Posted, Visitor},
        upload::{Filled, Uploaded},
        words::{say, tell},
    },
    store::{self, materials::Wanted},
};

struct Line {
    id: String,
    name: String,
    kind: String,
    text: String,
    picture: Option<Preview>,
    made: String,
}

struct Choice {
    name: &'static str,
    label: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "team_materials.html")]
struct Page {
    frame: Frame,
    id: String,
    campaign: String,
    count: String,
    lines: Vec<Line>,
    kinds: Vec<Choice>,
    filled: Filled,
    faults: Vec<String>,
    may_decide: bool,
}

impl Page {
    /// What was filled in.
    fn said(&self, name: &str) -> &str {
        self.filled.get(name).map_or("", String::as_str)
    }
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    done: Option<String>,
}

/// The materials of a campaign that are in use.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let id: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut page = page(&pages, &by, id, (Filled::new(), Vec::new())).await?;
    let done = match asked.done.as_deref() {
        Some("added") => Some(say("material-added")),
        Some("retired") => Some(say("material-retired")),
        _ => None,
    };
    page.frame = page.frame.done(done);
    Ok(rendered(&page))
}

async fn page(
    pages: &Pages,
    by: &Visitor,
    id: CampaignId,
    (filled, faults): (Filled, Vec<String>),
) -> Result<Page, Fault> {
    let mut db = pages.app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, None).await?.ok_or(Fault::NotFound)?;
    let wanted = Wanted { campaign: Some(id), ..Wanted::default() };
    let found = store::materials::list(&mut db, &wanted, i64::MAX).await?;
    let lines = found.into_iter().map(|one| Line {
        picture: preview(&one),
        id: one.id.to_string(),
        kind: kind_name(one.kind),
        made: by.reader.time(&one.created_at),
        name: one.name,
        text: one.text,
    });
    let lines: Vec<_> = lines.collect();
    let kinds = MaterialKind::ALL.iter().map(|kind| Choice {
        name: kind.name(),
        label: kind_name(*kind),
        is_chosen: filled.get("kind").is_some_and(|chosen| chosen == kind.name()),
    });
    Ok(Page {
        frame: by.frame(Place::Matches),
        id: id.to_string(),
        campaign: campaign.name,
        count: tell("materials-count", &[("count", &lines.len().to_string())]),
        lines,
        kinds: kinds.collect(),
        filled,
        faults,
        may_decide: by.user.role.leads_partners(),
    })
}

/// Adds a material, or says what to fill in otherwise.
pub async fn add(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    uploaded: Uploaded,
) -> Result<Response, Fault> {
    let Uploaded { by, filled, file } = uploaded;
    by.must(Role::leads_partners)?;
    let campaign: CampaignId = id.parse().map_err(|_| Fault::NotFound)?;
    let faults = match draft(&filled, file) {
        Err(faults) => faults,
        Ok(draft) => {
            let mut tx = pages.app.begin().await?;
            match materials::make(&pages.app, &mut tx, campaign, draft).await {
                Ok(made) => {
                    let id = made.id.to_string();
                    store::audit::note(&mut tx, &by.deed(&pages, "material.added", (&id, &made.name)))
                        .await?;
                    tx.commit().await?;
                    let next = format!("/team/campaigns/{campaign}/materials?done=added");
                    return Ok(Redirect::to(&next).into_response());
                }
                Err(failure) => match sentences(&failure) {
                    Some(told) => told.iter().map(|(field, detail)| fault(field, detail)).collect(),
                    None => return Err(failure.into()),
                },
            }
        }
    };
    let page = page(&pages, &by, campaign, (filled, faults)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, rendered(&page)).into_response())
}

/// What the API would take, or what does not fit.
fn draft(filled: &Filled, file: Option<Bytes>) -> Result<Draft, Vec<String>> {
    let mut faults = Vec::new();
    let kind = parsed(filled, "kind", &mut faults);
    let name = parsed(filled, "name", &mut faults);
    let text = parsed(filled, "text", &mut faults);
    match (kind, name, text) {
        (Some(kind), Some(name), Some(text)) => Ok(Draft { kind, name, text, image: file.map(Vec::from) }),
        _ => Err(faults),
    }
}

fn parsed<T: FromStr<Err: Display>>(filled: &Filled, field: &str, faults: &mut Vec<String>) -> Option<T> {
    let read = filled.get(field).map_or("", String::as_str).parse::<T>();
    read.map_err(|error| faults.push(fault(&format!("/{field}"), &error.to_string()))).ok()
}

fn fault(field: &str, detail: &str) -> String {
    let field = match field.split('/').nth(1).unwrap_or_default() {
        "" => return detail.to_owned(),
        "kind" => say("material-kind"),
        "name" => say("material-name"),
        "text" => say("material-text"),
        "image" => say("material-image"),
        other => other.to_owned(),
    };
    tell("form-fault", &[("field", &field), ("detail", detail)])
}

/// Takes a material out of all lists.
pub async fn retire(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Nothing>,
) -> Result<Response, Fault> {
    let Posted { by, .. } = posted;
    by.must(Role::leads_partners)?;
    let id: MaterialId = id.parse().map_err(|_| Fault::NotFound)?;
    let mut tx = pages.app.begin().await?;
    let gone = materials::no_more(&pages.app, &mut tx, id).await?;
    store::audit::note(&mut tx, &by.deed(&pages, "material.retired", (&id.to_string(), &gone.name))).await?;
    tx.commit().await?;
    let next = format!("/team/campaigns/{}/materials?done=retired", gone.campaign_id);
    Ok(Redirect::to(&next).into_response())
}
