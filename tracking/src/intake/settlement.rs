//! What a conversion earns becomes lines of commission on balanced movements; what it loses, negative lines.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CommissionId, EventId, Money, TransactionId,
    commission::{Line, Trace, take_back},
    conversion::{CommissionStatus, ConversionStatus},
    ledger::{Account, Movement, TransactionKind},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Act,
    credit::{Earnings, Terms},
};
use crate::store::{
    conversions::{self, Conversion},
    customer_stays,
    ledger::{self, Earned, NewLine, Occasion},
    outbox::{self, Announcement},
};

/// Writes what a newly credited conversion earns, and tells of that after what is said of the conversion itself.
pub(super) async fn accrue(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    lines: &[Line],
    (id, created): (EventId, Announcement),
) -> Result<(), sqlx::Error> {
    let expense = Account::expense(conversion.advertiser);
    let legs = lines.iter().map(|line| (line.amount, expense, Account::accrued(line.affiliate)));
    let movement = Movement::transfers(TransactionKind::Accrue, legs);
    let reference = conversion.id.to_string();
    let Some(transaction) =
        post(db, act, conversion, &movement, reference, "The conversion was credited.").await?
    else {
        return outbox::insert(db, id, &created, act.at).await;
    };
    let new = lines.iter().map(|line| {
        let new = line_of(act, conversion, line, CommissionStatus::Accrued, transaction);
        ("commission.created", new)
    });
    write_lines(db, act, vec![(id, created)], new.collect()).await
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
    let traces: Vec<Trace> =
        losses.iter().map(|(loss, line)| line.trace.correction(why, loss.negated())).collect();
    let corrections = losses.iter().zip(&traces).map(|((loss, line), trace)| {
        let new = correction_of(act, conversion, (line, *loss), trace, transaction);
        ("commission.adjusted", new)
    });
    let created = gains
        .iter()
        .map(|line| ("commission.created", line_of(act, conversion, line, status(line), transaction)));
    let new: Vec<_> = corrections.chain(created).collect();
    write_lines(db, act, Vec::new(), new).await?;
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

fn line_of<'a>(
    act: Act<'_>,
    conversion: &Conversion,
    line: &'a Line,
    status: CommissionStatus,
    transaction: TransactionId,
) -> NewLine<'a> {
    NewLine {
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
    }
}

fn correction_of<'a>(
    act: Act<'_>,
    conversion: &Conversion,
    (line, loss): (&Earned, Money),
    trace: &'a Trace,
    transaction: TransactionId,
) -> NewLine<'a> {
    NewLine {
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
        trace,
        transaction,
        at: act.at,
    }
}

/// Stores lines and announces each as what it is, after what is to be told before.
async fn write_lines(
    db: &mut PgConnection,
    act: Act<'_>,
    mut announcements: Vec<(EventId, Announcement)>,
    all: Vec<(&'static str, NewLine<'_>)>,
) -> Result<(), sqlx::Error> {
    let announcement = |(kind, line): &(&'static str, NewLine<'_>)| {
        (EventId::new(act.clock, act.chance), announcement_of(kind, line))
    };
    announcements.extend(all.iter().map(announcement));
    let lines: Vec<_> = all.into_iter().map(|(_, line)| line).collect();
    ledger::insert_lines(db, &lines, &announcements, act.at).await
}

fn announcement_of(kind: &'static str, line: &NewLine<'_>) -> Announcement {
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
    Announcement { kind, subject: line.id.to_string(), payload }
}

fn level(line: &Line) -> i32 {
    i32::try_from(line.level).unwrap_or(i32::MAX)
}

/// Who earns what, as the credit was divided. Whoever has earned before keeps it.
async fn lines_for(
    db: &mut PgConnection,
    conversion: &Conversion,
    earned: &[Earned],
) -> Result<Earnings, sqlx::Error> {
    let shares = conversions::shares(db, conversion.id).await?;
    let credited = shares.iter().map(|share| share.affiliate);
    let terms = Terms::read(db, conversion.into(), credited, earned).await?;
    Ok(terms.settle(conversion.into(), &shares))
}
