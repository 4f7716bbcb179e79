//! What is on hold or was turned down, why as far as it is told, and the answer that a partner may give once.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, ConversionId, conversion::ConversionStatus, fraud::cases::AppealOutcome};
use serde::Deserialize;
use sqlx::PgConnection;

use super::conversions;
use crate::{
    api::{
        appeals::{self as api, HeldConversion, LINKS_MAX},
        failure::Failure,
        text::{self, Prose},
    },
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{self, appeals::Wanted},
};

/// So many stand on a page.
const SHOWN: usize = 50;

struct Line {
    id: String,
    order: String,
    campaign: String,
    status: String,
    look: &'static str,
    reason: &'static str,
    answer: String,
    is_asked: bool,
}

#[derive(Template)]
#[template(path = "holds.html")]
struct ListPage {
    frame: Frame,
    lines: Vec<Line>,
    older: Option<String>,
}

/// From where the list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    after: Option<String>,
}

/// What is on hold or was turned down, the newest first.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(after): Query<After>,
) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let after = after.after.map(|id| id.parse()).transpose().map_err(|_| Fault::NotFound)?;
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let wanted = Wanted { conversion: None, affiliate: Some(affiliate), after };
    let mut found = api::listed(&mut db, &wanted, now, i64::try_from(SHOWN + 1).unwrap_or(i64::MAX)).await?;
    let has_more = SHOWN < found.len();
    found.truncate(SHOWN);
    let older =
        found.last().filter(|_| has_more).map(|last| format!("/my/holds?after={}", last.conversion_id));
    let campaigns: Vec<_> = found.iter().map(|one| one.campaign_id.uuid()).collect();
    let campaigns = store::recommendations::campaigns(&mut db, Some(&campaigns)).await?;
    let lines = found.into_iter().map(|one| {
        let campaign = campaigns.iter().find(|card| card.id == one.campaign_id);
        let (status, look) = conversions::status(one.status);
        Line {
            id: one.conversion_id.to_string(),
            order: one.order_id.clone().unwrap_or_else(|| one.conversion_id.to_string()),
            campaign: campaign.map(|card| card.name.clone()).unwrap_or_default(),
            status,
            look,
            reason: one.reason,
            answer: state(&one, &by, now),
            is_asked: one.question.is_some() && one.appeal.is_none(),
        }
    });
    Ok(rendered(&ListPage { frame: by.frame(Place::Holds), lines: lines.collect(), older }))
}

/// Where an answer stands, in words.
fn state(held: &HeldConversion, by: &Visitor, now: DateTime<Utc>) -> String {
    let Some(appeal) = &held.appeal else {
        return if is_open(held, now) { say("appeal-possible") } else { say("appeal-over") };
    };
    match appeal.outcome {
        None => tell("appeal-waits", &[("until", &by.reader.time(&appeal.due_at))]),
        Some(AppealOutcome::Granted) => say("appeal-granted"),
        Some(AppealOutcome::Declined) => say("appeal-declined"),
    }
}

/// Whether it may be answered now.
fn is_open(held: &HeldConversion, now: DateTime<Utc>) -> bool {
    let is_in_time = match held.status {
        ConversionStatus::OnHold => true,
        ConversionStatus::Rejected => held.answer_until.is_none_or(|until| now < until),
        _ => false,
    };
    held.appeal.is_none() && is_in_time
}

/// What is told of a conversion that is on hold or was turned down, and the form to answer it.
pub struct Told {
    pub id: String,
    pub reason: &'static str,
    pub question: Option<String>,
    pub state: String,
    pub is_open: bool,
    pub until: Option<String>,
    pub evidence: String,
    pub links: Vec<String>,
    pub faults: Vec<String>,
    /// The links as they were typed, one on each line.
    pub typed: String,
}

/// An answer that was not taken.
pub struct Refused {
    faults: Vec<String>,
    evidence: String,
    links: String,
}

/// What is told of one conversion, if anything is told of it yet.
pub async fn told(
    db: &mut PgConnection,
    by: &Visitor,
    (id, affiliate, now): (ConversionId, AffiliateId, DateTime<Utc>),
    refused: Option<Refused>,
) -> Result<Option<Told>, Fault> {
    let wanted = Wanted { conversion: Some(id), affiliate: Some(affiliate), after: None };
    let Some(held) = api::listed(db, &wanted, now, 1).await?.pop() else { return Ok(None) };
    let (state, is_open) = (state(&held, by, now), is_open(&held, now));
    let (evidence, links) = held.appeal.map(|appeal| (appeal.evidence, appeal.links)).unwrap_or_default();
    let refused = refused.unwrap_or(Refused { faults: Vec::new(), evidence, links: String::new() });
    Ok(Some(Told {
        id: id.to_string(),
        reason: held.reason,
        question: held.question,
        state,
        is_open,
        until: held.answer_until.map(|at| by.reader.time(&at)),
        evidence: refused.evidence,
        links,
        faults: refused.faults,
        typed: refused.links,
    }))
}

/// An answer, as its form has it.
#[derive(Debug, Deserialize)]
pub struct Answer {
    #[serde(default)]
    evidence: String,
    #[serde(default)]
    links: String,
}

/// What was filled in, checked as the API checks it, or what is wrong with it.
fn checked(evidence: &str, links: &str) -> Result<(Prose, Vec<text::Page>), Vec<String>> {
    let fault = |field: String, detail: String| tell("form-fault", &[("field", &field), ("detail", &detail)]);
    let mut faults = Vec::new();
    let evidence = evidence.parse::<Prose>();
    if let Err(error) = &evidence {
        faults.push(fault(say("appeal-evidence"), error.to_string()));
    }
    let mut read = Vec::new();
    for link in links.lines().map(str::trim).filter(|link| !link.is_empty()) {
        match link.parse::<text::Page>() {
            Ok(link) => read.push(link),
            Err(error) => faults.push(fault(tell("appeal-link", &[("link", link)]), error.to_string())),
        }
    }
    match evidence {
        Ok(evidence) if faults.is_empty() => Ok((evidence, read)),
        _ => Err(faults),
    }
}

/// Takes the answer to a hold or a rejection.
pub async fn appeal(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    posted: Posted<Answer>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    let affiliate = by.affiliate()?;
    let id: ConversionId = id.parse().map_err(|_| Fault::NotFound)?;
    let (evidence, links) = (form.evidence.replace("\r\n", "\n"), form.links);
    let mut tx = pages.app.begin().await?;
    let faults = match checked(&evidence, &links) {
        Err(faults) => faults,
        Ok(answer) => match api::take(&mut tx, (id, affiliate), answer, pages.app.clock.now()).await {
            Ok(()) => {
                let subject = id.to_string();
                store::audit::note(&mut tx, &by.deed(&pages, "conversion.appealed", (&subject, ""))).await?;
                tx.commit().await?;
                return Ok(Redirect::to(&format!("/my/conversions/{id}?done=answered")).into_response());
            }
            Err(failure) => refusals(failure)?,
        },
    };
    tx.rollback().await?;
    let refused = Refused { faults, evidence, links };
    let page = conversions::page(&pages, &by, (id, None), Some(refused)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn refusals(failure: Failure) -> Result<Vec<String>, Fault> {
    let told = sentences(&failure);
    match (Fault::from(failure), told) {
        (Fault::Failed(_), Some(told)) => Ok(told
            .into_iter()
            .map(|(field, detail)| {
                if field == "/links" {
                    tell("appeal-links-many", &[("most", &LINKS_MAX.to_string())])
                } else {
                    detail
                }
            })
            .collect()),
        (fault, _) => Err(fault),
    }
}
