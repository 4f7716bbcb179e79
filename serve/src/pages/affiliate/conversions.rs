//! Conversions that an affiliate has credit for, how the credit was shared, and how each commission was computed.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use domain::{
    AffiliateId, ConversionId,
    conversion::{CommissionStatus, CommissionWait, ConversionStatus, ReversalReason},
};
use serde::Deserialize;
use sqlx::PgConnection;

use super::holds::{self, Refused, Told};
use crate::{
    api::attribution::{
        self,
        said::{Attribution, ModelCredit},
    },
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        session::Visitor,
        words::{say, tell},
    },
    store::{self, commissions, conversions::Wanted, links::Link},
};

/// How many stand on a page.
const SHOWN: i64 = 50;
/// No conversion has more lines of one affiliate.
const MOST_LINES: i64 = 200;

struct Line {
    id: String,
    at: String,
    event: String,
    order: String,
    status: String,
    state: &'static str,
    amount: String,
    earned: String,
}

#[derive(Template)]
#[template(path = "conversions.html")]
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

/// What a status is called, and how it looks.
pub fn status(status: ConversionStatus) -> (String, &'static str) {
    match status {
        ConversionStatus::Received => (say("status-received"), "open"),
        ConversionStatus::Pending => (say("status-pending"), "open"),
        ConversionStatus::Approved => (say("status-approved"), "good"),
        ConversionStatus::Rejected => (say("status-rejected"), "bad"),
        ConversionStatus::OnHold => (say("status-on-hold"), "held"),
        ConversionStatus::Reversed => (say("status-reversed"), "bad"),
    }
}

/// Why something was turned down.
pub fn reason(reason: ReversalReason) -> String {
    match reason {
        ReversalReason::Refund => say("reason-refund"),
        ReversalReason::Chargeback => say("reason-chargeback"),
        ReversalReason::Duplicate => say("reason-duplicate"),
        ReversalReason::Fraud => say("reason-fraud"),
        ReversalReason::Terms => say("reason-terms"),
        ReversalReason::TrackingError => say("reason-tracking"),
        ReversalReason::Test => say("reason-test"),
        ReversalReason::Other => say("reason-other"),
    }
}

/// The conversions, newest first.
pub async fn list(
    State(pages): State<Pages>,
    by: Visitor,
    Query(after): Query<After>,
) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let after = after.after.map(|id| id.parse()).transpose().map_err(|_| Fault::NotFound)?;
    let mut db = pages.app.db.acquire().await?;
    let wanted = Wanted { seen_by: Some(affiliate), after, ..Wanted::default() };
    let mut found = store::conversions::list(&mut db, &wanted, SHOWN + 1).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let has_more = shown < found.len();
    found.truncate(shown);
    let older = found.last().filter(|_| has_more).map(|last| format!("/my/conversions?after={}", last.id));
    let ids: Vec<_> = found.iter().map(|one| one.id).collect();
    let earned = store::dashboard::earned_with(&mut db, affiliate, &ids).await?;
    let lines = found.into_iter().map(|one| {
        let (status, state) = status(one.status);
        let of_one =
            earned.iter().filter(|it| it.conversion == one.id).map(|it| it.amount).collect::<Vec<_>>();
        Line {
            id: one.id.to_string(),
            at: by.reader.time(&one.occurred_at),
            event: one.event,
            order: one.order_id.unwrap_or_default(),
            status,
            state,
            amount: by.reader.money(&one.amount),
            earned: amounts(&by.reader, &of_one, "–"),
        }
    });
    Ok(rendered(&ListPage { frame: by.frame(Place::Conversions), lines: lines.collect(), older }))
}

struct Share {
    part: String,
    model: String,
    touched: String,
    link: String,
    code: String,
}

struct Step {
    text: String,
    amount: String,
}

struct Commission {
    id: String,
    amount: String,
    status: String,
    waits: Option<String>,
    level: i32,
    is_correction: bool,
    written: String,
    steps: Vec<Step>,
}

struct Moved {
    at: String,
    to: String,
    reason: Option<String>,
}

#[derive(Template)]
#[template(path = "conversion.html")]
struct OnePage {
    frame: Frame,
    line: Line,
    campaign: String,
    part: String,
    told: Option<Told>,
    is_held: bool,
    shares: Vec<Share>,
    models: Vec<Said>,
    incomplete: Vec<String>,
    commissions: Vec<Commission>,
    moves: Vec<Moved>,
}

/// What a model says of the conversion, as far as it is the affiliate's.
struct Said {
    model: String,
    words: String,
    in_force: bool,
    part: String,
    earned: String,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub struct Done {
    done: Option<String>,
}

/// One conversion: who shares its credit as far as it is the affiliate's, and each commission in words.
pub async fn one(
    State(pages): State<Pages>,
    by: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Done>,
) -> Result<Response, Fault> {
    by.affiliate()?;
    let id: ConversionId = id.parse().map_err(|_| Fault::NotFound)?;
    let done = (asked.done.as_deref() == Some("answered")).then(|| say("appeal-done"));
    page(&pages, &by, (id, done), None).await
}

/// The conversion as it is now; where an answer was refused, with what was typed.
pub async fn page(
    pages: &Pages,
    by: &Visitor,
    (id, done): (ConversionId, Option<String>),
    refused: Option<Refused>,
) -> Result<Response, Fault> {
    let affiliate = by.affiliate()?;
    let mut db = pages.app.db.acquire().await?;
    let found = store::conversions::find(&mut db, id, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let campaign = store::campaigns::find(&mut db, found.campaign_id, None).await?;
    let shares = store::conversions::shares(&mut db, id, Some(affiliate)).await?;
    let moves = store::conversions::history(&mut db, id, Some(affiliate)).await?;
    let wanted = store::links::Wanted { affiliate: Some(affiliate), ..Default::default() };
    let links = store::links::list(&mut db, &wanted, &pages.app.tracker_url, MOST_LINES).await?;
    let computed = computed(&mut db, by, (id, affiliate)).await?;
    let divided = attribution::of_stored(&pages.app, &mut db, id, affiliate).await?;
    let ppm = shares.iter().map(|share| share.share.ppm).sum();
    let shares = shares.into_iter().map(|share| credit(by, share, &links)).collect();
    let (status, state) = status(found.status);
    let all: Vec<_> = store::dashboard::earned_with(&mut db, affiliate, &[id]).await?;
    let earned: Vec<_> = all.iter().map(|it| it.amount).collect();
    let is_held = found.status == ConversionStatus::OnHold;
    let line = Line {
        id: id.to_string(),
        at: by.reader.time(&found.occurred_at),
        event: found.event,
        order: found.order_id.unwrap_or_default(),
        status,
        state,
        amount: by.reader.money(&found.amount),
        earned: amounts(&by.reader, &earned, "–"),
    };
    let moves = moves.into_iter().map(|step| Moved {
        at: by.reader.time(&step.at),
        to: self::status(step.to).0,
        reason: step.reason.map(reason),
    });
    let now = pages.app.clock.now();
    let page = OnePage {
        frame: by.frame(Place::Conversions).done(done),
        told: holds::told(&mut db, by, (id, affiliate, now), refused).await?,
        line,
        campaign: campaign.map(|campaign| campaign.name).unwrap_or_default(),
        part: by.reader.rate(&domain::Rate { ppm }),
        is_held,
        shares,
        models: said(by, &divided),
        incomplete: divided.incomplete_because.into_iter().chain(divided.degraded).collect(),
        commissions: computed,
        moves: moves.collect(),
    };
    Ok(rendered(&page))
}

/// What each model gives the affiliate of a conversion.
fn said(by: &Visitor, divided: &Attribution) -> Vec<Said> {
    let own: Vec<u32> = divided
        .touches
        .iter()
        .filter(|touch| touch.affiliate_id.is_some())
        .map(|touch| touch.touch)
        .collect();
    let of_model = |model: &ModelCredit| {
        let shares = model.shares.iter().filter(|share| own.contains(&share.touch));
        let earned: Vec<_> = model.commissions.iter().map(|line| line.amount).collect();
        Said {
            model: model.model.clone(),
            words: model.words.clone(),
            in_force: model.in_force,
            part: by.reader.rate(&domain::Rate { ppm: shares.map(|share| share.share.ppm).sum() }),
            earned: amounts(&by.reader, &earned, "–"),
        }
    };
    divided.models.iter().map(of_model).collect()
}

/// Each commission for a conversion, and how it came about.
async fn computed(
    db: &mut PgConnection,
    by: &Visitor,
    (id, affiliate): (ConversionId, AffiliateId),
) -> Result<Vec<Commission>, Fault> {
    let wanted = commissions::Wanted {
        seen_by: Some(affiliate),
        conversion: Some(id),
        ..commissions::Wanted::default()
    };
    let mut computed = Vec::new();
    for one in commissions::list(db, &wanted, MOST_LINES).await? {
        let trace = commissions::trace(db, one.id).await?;
        let steps = trace.into_iter().flat_map(|trace| trace.steps);
        let steps =
            steps.map(|step| Step { amount: by.reader.money(&step.amount), text: step.text }).collect();
        computed.push(commission(by, one, steps));
    }
    Ok(computed)
}

fn credit(by: &Visitor, share: store::conversions::Share, links: &[Link]) -> Share {
    let link = links.iter().find(|link| link.id == share.link_id);
    Share {
        part: by.reader.rate(&share.share),
        model: share.model,
        touched: share.touched_at.map_or_else(|| say("share-coupon"), |at| by.reader.time(&at)),
        code: link.map_or_else(|| say("share-link"), |link| link.code.clone()),
        link: share.link_id.to_string(),
    }
}

fn commission(by: &Visitor, one: commissions::Commission, steps: Vec<Step>) -> Commission {
    let until = one.final_at.map(|at| by.reader.time(&at));
    let waits = one.waits_for.map(|wait| match (wait, until) {
        (CommissionWait::Approval, _) => say("waits-approval"),
        (CommissionWait::Customer, Some(until)) => tell("waits-customer", &[("until", &until)]),
        (CommissionWait::Customer, None) => say("waits-customer-stay"),
    });
    Commission {
        id: one.id.to_string(),
        amount: by.reader.money(&one.amount),
        status: match one.status {
            CommissionStatus::Accrued => say("commission-accrued"),
            CommissionStatus::Payable => say("commission-payable"),
            CommissionStatus::Paid => say("commission-paid"),
        },
        waits,
        level: one.level,
        is_correction: one.corrects.is_some(),
        written: by.reader.time(&one.created_at),
        steps,
    }
}
