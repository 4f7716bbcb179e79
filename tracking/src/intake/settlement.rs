//! What a conversion earns becomes lines of commission on balanced movements; what it loses, negative lines.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CommissionId, EventId, Money, TransactionId,
    affiliate::AffiliateStatus,
    commission::{Credit, Line, Plan, Sale, Trace, Upline, settle, take_back},
    conversion::{CommissionStatus, ConversionStatus},
    ledger::{Account, Movement, TransactionKind},
};
use serde_json::json;
use sqlx::PgConnection;

use super::Act;
use crate::store::{
    conversions::{self, Conversion, Share},
    customer_stays,
    ledger::{self, Earned, NewLine, Occasion},
    outbox::{self, Announcement},
    plans,
};

/// Writes what a newly credited conversion earns.
pub(super) async fn accrue(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    lines: &[Line],
) -> Result<(), sqlx::Error> {
    let expense = Account::expense(conversion.advertiser);
    let legs = lines.iter().map(|line| (line.amount, expense, Account::accrued(line.affiliate)));
    let movement = Movement::transfers(TransactionKind::Accrue, legs);
    let reference = conversion.id.to_string();
    let Some(transaction) =
        post(db, act, conversion, &movement, reference, "The conversion was credited.").await?
    else {
        return Ok(());
    };
    for line in lines {
        write_line(db, act, conversion, line, CommissionStatus::Accrued, transaction).await?;
    }
    Ok(())
}

/// Moves what waited for approval to what is to be paid; what is final only when the customer has stayed waits on.
pub(super) async fn approve(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
) -> Result<(), sqlx::Error> {
    let reference = conversion.id.to_string();
    pay(db, act, conversion, reference, "The conversion was approved.").await?;
    customer_stays::note(db, conversion.id).await
}

/// Moves what waited for the customer, who has stayed `until` then, to what is to be paid.
pub(super) async fn verify(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let reference = format!("{}@{}", conversion.id, until.timestamp_micros());
    let gains = pay(db, act, conversion, reference, "The customer has stayed as long as was agreed.").await?;
    for (affiliate, amount) in gains.into_iter().filter(|(_, amount)| amount.minor != 0) {
        let payload = json!({
            "conversion_id": conversion.id,
            "campaign_id": conversion.campaign,
            "affiliate_id": affiliate,
            "amount": amount,
            "final_at": until,
        });
        let subject = conversion.id.to_string();
        let announcement = Announcement { kind: "commission.verified", subject, payload };
        outbox::insert(db, EventId::new(act.clock, act.chance), &announcement, act.at).await?;
    }
    Ok(())
}

/// Makes payable what is final; answers what each affiliate gains.
async fn pay(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    reference: String,
    why: &str,
) -> Result<Vec<(AffiliateId, Money)>, sqlx::Error> {
    let gains = ledger::make_payable(db, conversion.id, act.at).await?;
    let legs = gains
        .iter()
        .map(|(affiliate, amount)| (*amount, Account::accrued(*affiliate), Account::payable(*affiliate)));
    let movement = Movement::transfers(TransactionKind::Approve, legs);
    post(db, act, conversion, &movement, reference, why).await?;
    Ok(gains)
}

/// Takes back what is no longer earned, line by line: all of it, or what the reversed part of the order earned.
/// `position` is that of the move in the conversion's history, so that each move takes back once.
pub(super) async fn retract(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    position: i32,
    why: &str,
) -> Result<(), sqlx::Error> {
    let is_partial = conversion.status == ConversionStatus::Reversed;
    let gone = if is_partial { conversion.reversed } else { conversion.amount };
    let due = |line: &Earned| take_back(line.amount, line.taken_back, conversion.amount, gone);
    let losses: Vec<_> = standing(ledger::earned(db, conversion.id).await?)
        .into_iter()
        .map(|line| (due(&line), line))
        .filter(|(loss, _)| 0 < loss.minor)
        .collect();
    correct(db, act, conversion, position, why, losses, Vec::new()).await
}

/// Computes the conversion anew after its amount has changed: the old lines are taken back and new ones written,
/// unless they would be the same.
pub(super) async fn recompute(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    position: i32,
    why: &str,
) -> Result<(), sqlx::Error> {
    let ever = ledger::earned(db, conversion.id).await?;
    let (new, _) = lines_for(db, conversion, &ever).await?;
    let old = standing(ever);
    let left =
        |line: &Earned| (line.affiliate, line.level, line.plan, line.amount.minor - line.taken_back.minor);
    let due = |line: &Line| (line.affiliate, level(line), line.plan, line.amount.minor);
    let stays: BTreeSet<_> = old.iter().map(left).collect();
    if old.len() == new.len() && stays == new.iter().map(due).collect() {
        return Ok(());
    }
    let whole = |line: &Earned| Money::new(line.amount.minor - line.taken_back.minor, line.amount.currency);
    let losses = old.into_iter().map(|line| (whole(&line), line)).collect();
    correct(db, act, conversion, position, why, losses, new).await
}

/// The lines of which something is left.
fn standing(lines: Vec<Earned>) -> Vec<Earned> {
    lines.into_iter().filter(|line| line.taken_back.minor < line.amount.minor).collect()
}

/// One movement that takes back `losses` and writes `gains` in the state that the conversion is in.
async fn correct(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    position: i32,
    why: &str,
    losses: Vec<(Money, Earned)>,
    gains: Vec<Line>,
) -> Result<(), sqlx::Error> {
    let is_approved = conversion.status == ConversionStatus::Approved;
    let status = |line: &Line| match final_at(conversion, line) {
        _ if !is_approved => CommissionStatus::Accrued,
        Some(final_at) if act.at < final_at => CommissionStatus::Accrued,
        _ => CommissionStatus::Payable,
    };
    let expense = Account::expense(conversion.advertiser);
    let back = losses.iter().map(|(loss, line)| (*loss, owed(open(line.status), line.affiliate), expense));
    let forth = gains.iter().map(|line| (line.amount, expense, owed(status(line), line.affiliate)));
    let movement = Movement::transfers(TransactionKind::Correct, back.chain(forth));
    let reference = format!("{}#{position}", conversion.id);
    let Some(transaction) = post(db, act, conversion, &movement, reference, why).await? else {
        return Ok(());
    };
    for (loss, line) in &losses {
        write_correction(db, act, conversion, line, *loss, why, transaction).await?;
    }
    for line in &gains {
        write_line(db, act, conversion, line, status(line), transaction).await?;
    }
    if is_approved {
        customer_stays::note(db, conversion.id).await?;
    }
    Ok(())
}

/// Until when the customer has to stay before a line is final; none when it is final as soon as it is approved.
fn final_at(conversion: &Conversion, line: &Line) -> Option<DateTime<Utc>> {
    line.final_after_days.map(|days| conversion.occurred_at + TimeDelta::days(days.into()))
}

/// What was paid out already is taken back from what is to be paid next.
fn open(status: CommissionStatus) -> CommissionStatus {
    match status {
        CommissionStatus::Accrued => CommissionStatus::Accrued,
        CommissionStatus::Payable | CommissionStatus::Paid => CommissionStatus::Payable,
    }
}

fn owed(status: CommissionStatus, affiliate: AffiliateId) -> Account {
    match open(status) {
        CommissionStatus::Accrued => Account::accrued(affiliate),
        CommissionStatus::Payable | CommissionStatus::Paid => Account::payable(affiliate),
    }
}

async fn post(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    movement: &Movement,
    reference: String,
    description: &str,
) -> Result<Option<TransactionId>, sqlx::Error> {
    if movement.postings().is_empty() {
        return Ok(None);
    }
    let occasion = Occasion { reference, conversion: conversion.id, description, at: act.at };
    ledger::post(db, movement, &occasion, act.clock, act.chance).await.map(Some)
}

async fn write_line(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    line: &Line,
    status: CommissionStatus,
    transaction: TransactionId,
) -> Result<(), sqlx::Error> {
    let new = NewLine {
        id: CommissionId::new(act.clock, act.chance),
        conversion: conversion.id,
        campaign: conversion.campaign,
        affiliate: line.affiliate,
        plan: line.plan,
        level: level(line),
        status,
        amount: line.amount,
        corrects: None,
        final_at: final_at(conversion, line),
        trace: &line.trace,
        transaction,
        at: act.at,
    };
    ledger::insert_line(db, &new).await?;
    announce_line(db, act, "commission.created", &new).await
}

async fn write_correction(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    line: &Earned,
    loss: Money,
    why: &str,
    transaction: TransactionId,
) -> Result<(), sqlx::Error> {
    let trace: Trace = line.trace.correction(why, loss.negated());
    let new = NewLine {
        id: CommissionId::new(act.clock, act.chance),
        conversion: conversion.id,
        campaign: conversion.campaign,
        affiliate: line.affiliate,
        plan: line.plan,
        level: line.level,
        status: open(line.status),
        amount: loss.negated(),
        corrects: Some(line.id),
        final_at: line.final_at,
        trace: &trace,
        transaction,
        at: act.at,
    };
    ledger::insert_line(db, &new).await?;
    announce_line(db, act, "commission.adjusted", &new).await
}

async fn announce_line(
    db: &mut PgConnection,
    act: Act<'_>,
    kind: &'static str,
    line: &NewLine<'_>,
) -> Result<(), sqlx::Error> {
    let payload = json!({
        "id": line.id,
        "conversion_id": line.conversion,
        "campaign_id": line.campaign,
        "affiliate_id": line.affiliate,
        "level": line.level,
        "status": line.status,
        "amount": line.amount,
        "corrects": line.corrects,
        "final_at": line.final_at,
    });
    let announcement = Announcement { kind, subject: line.id.to_string(), payload };
    outbox::insert(db, EventId::new(act.clock, act.chance), &announcement, act.at).await
}

fn level(line: &Line) -> i32 {
    i32::try_from(line.level).unwrap_or(i32::MAX)
}

/// What a conversion earns, line by line, and why somebody or everybody earns nothing, if so.
pub(super) type Earnings = (Vec<Line>, Option<&'static str>);

/// Who earns what by the plans that held when the customer converted. Orders below the event's minimum earn nothing,
/// nor do affiliates who are not approved. Once somebody has earned from it, though, the sale is not a new one:
/// whoever `earned` a level keeps it, even if suspended or moved since, and nobody else comes in.
pub(super) async fn lines_for(
    db: &mut PgConnection,
    conversion: &Conversion,
    earned: &[Earned],
) -> Result<Earnings, sqlx::Error> {
    let Conversion { amount, ref event, kind, .. } = *conversion;
    if !qualifies(db, conversion).await? {
        return Ok((Vec::new(), Some("the amount is below what the event has to reach to earn anything")));
    }
    let shares = conversions::shares(db, conversion.id).await?;
    let mut why_not = shares.is_empty().then_some("nobody is credited: there was no click within the window");
    let mut terms = Vec::new();
    for share in shares {
        let status = plans::affiliate_status(db, share.affiliate).await?;
        let is_entitled = earned.iter().any(|line| line.affiliate == share.affiliate);
        if status != Some(AffiliateStatus::Approved) && !is_entitled {
            why_not = Some("the affiliate who is credited is not approved");
            continue;
        }
        let plan = plans::plan(db, conversion.campaign, share.affiliate, conversion.occurred_at).await?;
        let Some(plan) = plan else {
            why_not = Some("the campaign has no plan that would pay for it");
            continue;
        };
        let upline = match earned {
            [] => plans::upline(db, share.affiliate).await?,
            earned => upline_of(share.affiliate, earned),
        };
        terms.push((share, plan, upline));
    }
    let credits: Vec<_> = terms.iter().map(|(share, plan, upline)| credit(share, plan, upline)).collect();
    Ok((settle(&Sale { event, kind, amount }, &credits), why_not))
}

/// Who stood above the affiliate when the sale was settled, by level. Last click gives all the credit to one touch,
/// so that a level was earned by one affiliate.
fn upline_of(affiliate: AffiliateId, earned: &[Earned]) -> Vec<Upline> {
    let highest = earned.iter().map(|line| line.level).max().unwrap_or(0);
    let above = (1..=highest).map(|level| {
        let line = earned.iter().find(|line| line.level == level);
        line.map_or(Upline { affiliate, earns: false }, |line| Upline {
            affiliate: line.affiliate,
            earns: true,
        })
    });
    above.collect()
}

fn credit<'a>(share: &Share, plan: &'a Plan, upline: &[Upline]) -> Credit<'a> {
    let because = match (share.click, share.touched_at) {
        (Some(click), Some(at)) => {
            format!("{} gives it for click {click} of {}.", share.model, at.format("%F %T UTC"))
        }
        _ => format!("{} gives it for the coupon.", share.model),
    };
    Credit { affiliate: share.affiliate, share_ppm: share.ppm, because, plan, upline: upline.to_vec() }
}

/// Whether the campaign pays for an order of this amount; for an event that it no longer lists it does.
async fn qualifies(db: &mut PgConnection, conversion: &Conversion) -> Result<bool, sqlx::Error> {
    let campaign = plans::campaign(db, conversion.campaign).await?;
    let events = campaign.map(|campaign| campaign.events).unwrap_or_default();
    let event = events.into_iter().find(|event| event.name == conversion.event);
    Ok(event.is_none_or(|event| event.qualifies(conversion.amount)))
}
