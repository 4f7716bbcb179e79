//! Every decision about a rate, newest first: what was decided live, and what shadows would have decided.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use domain::commission::dynamic::RateMode;
use serde::Deserialize;

use super::{Names, called, place};
use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        session::Visitor,
        words::say,
    },
    store::{self, rate_decisions::Wanted},
};

/// How many stand on a page.
const SHOWN: i64 = 100;

/// From where the list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    after: Option<String>,
}

struct Line {
    at: String,
    affiliate: String,
    affiliate_name: String,
    campaign_name: String,
    from: String,
    to: String,
    why: String,
    flags: Vec<String>,
    mode: String,
    is_shadow: bool,
    effective: Option<String>,
    policy: String,
}

#[derive(Template)]
#[template(path = "decisions.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
    older: Option<String>,
}

/// The decisions.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let after = asked.after.map(|id| id.parse()).transpose().map_err(|_| Fault::NotFound)?;
    let mut db = pages.app.db.acquire().await?;
    let wanted = Wanted { after, ..Wanted::default() };
    let mut found = store::rate_decisions::list(&mut db, &wanted, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let has_more = shown < found.len();
    found.truncate(shown);
    let older =
        found.last().filter(|_| has_more).map(|last| format!("/team/rates/decisions?after={}", last.id));
    let places: Vec<_> = found.iter().map(place).collect();
    let names = Names::of(&mut db, &places).await?;
    let lines = found.into_iter().map(|one| {
        let is_shadow = one.decision.mode == RateMode::Shadow;
        Line {
            at: by.reader.time(&one.decision.decided_at),
            affiliate: one.affiliate_id.to_string(),
            affiliate_name: names.partner(one.affiliate_id),
            campaign_name: names.campaign(one.campaign_id),
            from: by.reader.rate(&one.decision.previous),
            to: by.reader.rate(&one.decision.next),
            why: one.decision.words(),
            flags: one.decision.flags.iter().map(|flag| called(*flag)).collect(),
            mode: if is_shadow { say("decision-shadow") } else { say("decision-live") },
            is_shadow,
            effective: one.decision.effective_at.map(|at| by.reader.time(&at)),
            policy: one.decision.policy_version,
        }
    });
    Ok(rendered(&Page { frame: by.frame(Place::Decisions), lines: lines.collect(), older }))
}
