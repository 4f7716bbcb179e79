//! The policy of rates: what shadows propose, for people to approve, and what is paid now.

pub(super) mod decisions;
mod lines;
pub(super) mod shadows;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, CampaignId, RateDecisionId, commission::dynamic::RateFlag};
use serde::Deserialize;
use sqlx::{PgConnection, types::Uuid};

use self::lines::{Current, Proposed};
use crate::{
    api::{
        failure::Failure,
        rate_decisions::{self, Proposal},
    },
    pages::{
        Pages,
        fault::{Fault, sentences},
        frame::{Frame, Place, rendered},
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
    store::{self, rate_decisions::RecordedRateDecision},
};

/// So many proposals stand on the page, and can be approved at once.
const SHOWN: usize = 200;
/// So many are looked at at once for those that can be.
const LOOKED_AT: i64 = 1_000;

#[derive(Template)]
#[template(path = "rate_policy.html")]
struct Page {
    frame: Frame,
    faults: Vec<String>,
    proposed: Vec<Proposed>,
    is_cut: bool,
    current: Vec<Current>,
    /// Whether something can be approved, by who looks at it.
    has_form: bool,
}

/// What was done before the page was asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    done: Option<String>,
}

/// The page.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let approved: Option<u32> = asked.done.and_then(|count| count.parse().ok());
    let done = approved.map(|count| tell("approval-done", &[("count", &by.reader.number(count.into()))]));
    page(&pages, &by, done, Refused::default()).await
}

/// What stood against approvals, and which were ticked.
#[derive(Default)]
struct Refused {
    faults: Vec<String>,
    ticked: BTreeSet<RateDecisionId>,
}

async fn page(
    pages: &Pages,
    by: &Visitor,
    done: Option<String>,
    refused: Refused,
) -> Result<Response, Fault> {
    let (mut db, now) = (pages.app.db.acquire().await?, pages.app.clock.now());
    let mut proposals = proposals(&mut db, now).await?;
    let is_cut = SHOWN < proposals.len();
    proposals.truncate(SHOWN);
    let places: Vec<_> = proposals.iter().map(|one| place(&one.shadow)).collect();
    let names = Names::of(&mut db, &places).await?;
    let proposed = proposals.into_iter().map(|one| {
        let is_ticked = refused.ticked.contains(&one.shadow.id);
        Proposed { is_ticked, ..Proposed::of(one, &by.reader, &names) }
    });
    let proposed: Vec<Proposed> = proposed.collect();
    let rates = rate_decisions::current(&mut db, now).await?;
    let campaigns: Vec<_> = rates.iter().map(|one| one.campaign).collect();
    let names = Names::of_campaigns(&mut db, &campaigns).await?;
    let is_possible = proposed.iter().any(|one| one.refused.is_none());
    let status = if refused.faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = Page {
        frame: by.frame(Place::Decisions).done(done),
        faults: refused.faults,
        proposed,
        is_cut,
        current: rates.into_iter().map(|one| Current::of(one, &by.reader, &names)).collect(),
        has_form: by.user.role.leads_partners() && is_possible,
    };
    Ok((status, rendered(&page)).into_response())
}

/// What is proposed, what can be approved first: what cannot be keeps nothing else from the page.
async fn proposals(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<Proposal>> {
    let mut all: Vec<Proposal> = Vec::new();
    loop {
        let after = all.last().map(|one| one.shadow.id);
        let some = rate_decisions::proposals(db, now, (after, LOOKED_AT)).await?;
        let is_last = i64::try_from(some.len()).is_ok_and(|count| count < LOOKED_AT);
        all.extend(some);
        if is_last || SHOWN < all.iter().filter(|one| one.live.is_ok()).count() {
            all.sort_by_key(|one| one.live.is_err());
            return Ok(all);
        }
    }
}

/// The decisions that a form asks for: those that were ticked, or all that stood on the page.
fn chosen(form: &[(String, String)]) -> Result<Vec<RateDecisionId>, Fault> {
    let field = if form.iter().any(|(name, _)| name == "all") { "shown" } else { "decision" };
    let ids = form.iter().filter(|(name, _)| name == field).map(|(_, id)| id.parse::<RateDecisionId>());
    ids.collect::<Result<_, _>>().map_err(|_| Fault::NotFound)
}

/// Approves what was chosen, all of it or nothing, with notice from now on.
pub async fn approve(
    State(pages): State<Pages>,
    posted: Posted<Vec<(String, String)>>,
) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::leads_partners)?;
    let ids = chosen(&form)?;
    if ids.is_empty() {
        let refused = Refused { faults: vec![say("approval-none")], ..Refused::default() };
        return page(&pages, &by, None, refused).await;
    }
    let mut tx = pages.app.begin().await?;
    let approved = match rate_decisions::approved(&mut tx, &pages.app, &ids, &by.actor()).await {
        Ok(approved) => approved,
        Err(failure) => {
            tx.rollback().await?;
            return again(&pages, &by, ids, failure).await;
        }
    };
    for one in &approved {
        let (shadow, live) = (one.shadow_id.to_string(), one.decision_id.to_string());
        store::audit::note(&mut tx, &by.deed(&pages, "rate.approved", (&shadow, &live))).await?;
    }
    tx.commit().await?;
    Ok(Redirect::to(&format!("/team/rates?done={}", approved.len())).into_response())
}

/// The page again, with what stood against each of what was chosen.
async fn again(
    pages: &Pages,
    by: &Visitor,
    ids: Vec<RateDecisionId>,
    failure: Failure,
) -> Result<Response, Fault> {
    let Some(told) = sentences(&failure) else { return Err(failure.into()) };
    let mut db = pages.app.db.acquire().await?;
    let decisions = store::rate_decisions::some(&mut db, &ids).await?;
    let places: Vec<_> = decisions.iter().map(place).collect();
    let names = Names::of(&mut db, &places).await?;
    drop(db);
    let mut faults = vec![say("approval-refused")];
    for (pointer, why) in told {
        // It points at a place in the list that was sent.
        let position = pointer.strip_prefix("/ids/").and_then(|position| position.parse::<usize>().ok());
        let id = position.and_then(|position| ids.get(position));
        let about = decisions.iter().find(|one| Some(&one.id) == id);
        faults.push(match about {
            Some(one) => names.fault(one, &why),
            None => why,
        });
    }
    page(pages, by, None, Refused { faults, ticked: ids.into_iter().collect() }).await
}

/// Whom a decision is about, and where.
fn place(decision: &RecordedRateDecision) -> (AffiliateId, CampaignId) {
    (decision.affiliate_id, decision.campaign_id)
}

/// What partners and campaigns are called.
struct Names {
    partners: BTreeMap<AffiliateId, String>,
    campaigns: BTreeMap<CampaignId, String>,
}

impl Names {
    /// Of whom decisions are about, and where.
    async fn of(db: &mut PgConnection, places: &[(AffiliateId, CampaignId)]) -> sqlx::Result<Self> {
        let partners: Vec<Uuid> = places.iter().map(|(partner, _)| partner.uuid()).collect();
        let campaigns: Vec<CampaignId> = places.iter().map(|(_, campaign)| *campaign).collect();
        let partners = store::rings::names(db, &partners).await?;
        Ok(Self { partners, ..Self::of_campaigns(db, &campaigns).await? })
    }

    /// Of campaigns alone.
    async fn of_campaigns(db: &mut PgConnection, campaigns: &[CampaignId]) -> sqlx::Result<Self> {
        let ids: Vec<Uuid> = campaigns.iter().map(|id| id.uuid()).collect();
        let cards = store::recommendations::campaigns(db, Some(&ids)).await?;
        let campaigns = cards.into_iter().map(|card| (card.id, card.name)).collect();
        Ok(Self { partners: BTreeMap::new(), campaigns })
    }

    /// Why a decision was not approved.
    fn fault(&self, decision: &RecordedRateDecision, why: &str) -> String {
        let (partner, campaign) = (self.partner(decision.affiliate_id), self.campaign(decision.campaign_id));
        let values = [("partner", partner.as_str()), ("campaign", &campaign), ("why", why)];
        tell("approval-refused-one", &values)
    }

    fn partner(&self, id: AffiliateId) -> String {
        self.partners.get(&id).cloned().unwrap_or_default()
    }

    fn campaign(&self, id: CampaignId) -> String {
        self.campaigns.get(&id).cloned().unwrap_or_default()
    }
}

/// What a flag of a decision is called.
fn called(flag: RateFlag) -> String {
    match flag {
        RateFlag::Churn => say("rate-flag-churn"),
        RateFlag::Budget => say("rate-flag-budget"),
        RateFlag::Contract => say("rate-flag-contract"),
    }
}
