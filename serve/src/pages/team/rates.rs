//! Decisions about rates, newest first: what was decided live, and what shadows would have decided.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use domain::commission::dynamic::RateMode;
use serde::Deserialize;

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
    flags: Vec<&'static str>,
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
    let older = found.last().filter(|_| has_more).map(|last| format!("/team/rates?after={}", last.id));
    let affiliates: Vec<_> = found.iter().map(|one| one.affiliate_id.uuid()).collect();
    let campaigns: Vec<_> = found.iter().map(|one| one.campaign_id.uuid()).collect();
    let affiliates = store::recommendations::affiliates(&mut db, Some(&affiliates)).await?;
    let campaigns = store::recommendations::campaigns(&mut db, Some(&campaigns)).await?;
    let lines = found.into_iter().map(|one| {
        let affiliate = affiliates.iter().find(|card| card.id == one.affiliate_id);
        let campaign = campaigns.iter().find(|card| card.id == one.campaign_id);
        let is_shadow = one.decision.mode == RateMode::Shadow;
        Line {
            at: by.reader.time(&one.decision.decided_at),
            affiliate: one.affiliate_id.to_string(),
            affiliate_name: affiliate.map(|card| card.name.clone()).unwrap_or_default(),
            campaign_name: campaign.map(|card| card.name.clone()).unwrap_or_default(),
            from: by.reader.rate(&one.decision.previous),
            to: by.reader.rate(&one.decision.next),
            why: one.decision.words(),
            flags: one.decision.flags.iter().map(|flag| flag.name()).collect(),
            mode: if is_shadow { say("decision-shadow") } else { say("decision-live") },
            is_shadow,
            effective: one.decision.effective_at.map(|at| by.reader.time(&at)),
            policy: one.decision.policy_version,
        }
    });
    Ok(rendered(&Page { frame: by.frame(Place::Decisions), lines: lines.collect(), older }))
}
