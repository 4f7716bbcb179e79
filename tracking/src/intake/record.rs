//! A conversion that is reported for the first time: credited, settled, and moved to where it is said to stand.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    ClickId, ConversionId, Money, attribution::TouchPath, campaign::QualifyingEvent, click::Device,
    conversion::ConversionStatus, event,
};
use sqlx::PgConnection;

use super::{
    AcceptError, Accepted, Act, Outcome, Report, Reported, Verdict,
    credit::{self, Earnings, Sold, Terms},
    life,
    origin::Origin,
    postback::Claim,
    settlement,
};
use crate::store::{
    conversions::{Conversion, Particulars, Share, Stop},
    plans::Campaign,
    touches::{Labels, Step},
};

/// Stores the conversion, who shares the credit, and everything that follows from it.
pub(super) async fn take_in(
    db: &mut PgConnection,
    act: Act<'_>,
    report: &Report,
    origin: Origin,
    (campaign, event): (&Campaign, &QualifyingEvent),
    duplicate_key: Option<String>,
) -> Result<Accepted, AcceptError> {
    let amount = report.postback.money(campaign.currency);
    let amount = amount.map_err(|error| AcceptError::field("amount", error.to_string()))?;
    let amount = amount.unwrap_or(Money::zero(report.postback.currency.unwrap_or(campaign.currency)));
    let mut conversion = Conversion {
        id: ConversionId::new(act.clock, act.chance),
        advertiser: report.advertiser,
        campaign: campaign.id,
        event: event.name.clone(),
        kind: event.kind,
        status: ConversionStatus::Received,
        reason: None,
        amount,
        reversed: Money::zero(amount.currency),
        occurred_at: report.converted_at(),
        received_at: report.received_at,
    };
    let (shares, steps) = share(db, origin, campaign, conversion.occurred_at).await?;
    let journey = steps.as_ref().map(|steps| steps.iter().map(Stop::from).collect());
    let particulars = particulars(report, origin, (&shares, journey), duplicate_key);
    let labels = labels(steps.unwrap_or_default());
    let waits = waits(report.postback.status);
    let (lines, why_not) = match waits {
        true => earnings(db, &conversion, event, &shares).await?,
        false => Earnings::default(),
    };
    let note = waits.then_some(why_not.unwrap_or_default());
    let created = life::begin(db, act, &mut conversion, &particulars, (&shares, &labels), note).await?;
    let reported = Reported { actor: act.actor, at: act.at, passing: &report.postback.passing };
    let verdict = match act.judge {
        Some(judge) => {
            let judged = judge.judge(db, &event_of(&conversion, &particulars), reported).await;
            judged.map_err(AcceptError::of_judging)?
        }
        None => Verdict::Pass,
    };
    settlement::accrue(db, act, &conversion, &lines, created).await?;
    if let Some(claim) = next_move(report.postback.status, &verdict) {
        let note = match &verdict {
            Verdict::Hold { because } if claim.status == ConversionStatus::OnHold => because,
            _ => "",
        };
        life::advance(db, act.noting(note), &mut conversion, claim, None).await?;
    }
    if let (Some(judge), Verdict::Hold { .. }) = (act.judge, &verdict)
        && conversion.status == ConversionStatus::OnHold
    {
        judge.is_held(db, conversion.id, act.at).await?;
    }
    Ok(Accepted { to_count: particulars.link, ..Accepted::of(&conversion, Outcome::Recorded) })
}

/// Whether a conversion waits before it is approved or held; one that is turned down at once is never credited.
fn waits(claim: Option<Claim>) -> bool {
    !claim
        .is_some_and(|claim| matches!(claim.status, ConversionStatus::Rejected | ConversionStatus::Reversed))
}

/// Where a conversion goes from there. What a person has to look at first is held, whatever the report says of its approval.
fn next_move(claim: Option<Claim>, verdict: &Verdict) -> Option<Claim> {
    let hold = Claim { status: ConversionStatus::OnHold, reason: None };
    match claim.map_or(ConversionStatus::Pending, |claim| claim.status) {
        ConversionStatus::Pending | ConversionStatus::Approved if *verdict != Verdict::Pass => Some(hold),
        ConversionStatus::Pending => None,
        _ => claim,
    }
}

/// Who earns what with it, by the plans that hold.
async fn earnings(
    db: &mut PgConnection,
    conversion: &Conversion,
    event: &QualifyingEvent,
    shares: &[Share],
) -> Result<Earnings, sqlx::Error> {
    let sold = Sold::from(conversion);
    let credited = shares.iter().map(|share| share.affiliate);
    let terms = Terms::of(db, (sold, Some(event)), credited, &[]).await?;
    Ok(terms.settle(sold, shares))
}

/// The conversion as an event.
fn event_of(conversion: &Conversion, particulars: &Particulars) -> event::Conversion {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let customer = &particulars.customer;
    event::Conversion {
        id: conversion.id,
        occurred_at_us: conversion.occurred_at.timestamp_micros(),
        campaign: conversion.campaign,
        advertiser: conversion.advertiser,
        name: conversion.event.clone(),
        kind: conversion.kind,
        amount: conversion.amount,
        click: particulars.click,
        session: particulars.session,
        link: particulars.link,
        affiliate: particulars.affiliate,
        order_id: text(&particulars.order_id),
        customer: text(&particulars.customer_id),
        coupon: text(&particulars.coupon),
        address_hash: customer.address_hash.map(|hash| hash.0),
        network: customer.network,
        country: text(&particulars.country),
        device: customer.device.unwrap_or(Device::Unknown),
        device_id: customer.device_hash.map_or_else(String::new, |hash| hash.to_string()),
        email_hash: customer.email_hash.map(|hash| hash.0),
        email_domain: text(&customer.email_domain),
        account_hash: customer.account_hash.map(|hash| hash.0),
        checks: customer.checks(),
    }
}

/// Who gets how much of the credit, by the clicks that the session made up to the one that was reported; and those clicks, where
/// one was.
async fn share(
    db: &mut PgConnection,
    origin: Origin,
    campaign: &Campaign,
    converted_at: DateTime<Utc>,
) -> Result<(Vec<Share>, Option<Vec<Step>>), sqlx::Error> {
    let window = campaign.window;
    let (path, steps) = match origin {
        Origin::Click(click) => {
            let (path, steps) = credit::path_of(db, &click, window, converted_at).await?;
            (path, Some(steps))
        }
        Origin::Coupon(coupon) => (coupon.path(window, converted_at), None),
        Origin::Missing | Origin::Unnamed => {
            (TouchPath::within(window.length(), converted_at, Vec::new()), None)
        }
    };
    Ok((credit::divide(campaign.attribution.rule(), &path), steps))
}

/// What the links of clicks carried.
fn labels(steps: Vec<Step>) -> BTreeMap<ClickId, Labels> {
    steps.into_iter().map(|step| (step.click, step.labels)).collect()
}

fn particulars(
    report: &Report,
    origin: Origin,
    (shares, journey): (&[Share], Option<Vec<Stop>>),
    duplicate_key: Option<String>,
) -> Particulars {
    let postback = report.postback.clone();
    let click = match origin {
        Origin::Click(click) => Some(click),
        Origin::Coupon(_) | Origin::Missing | Origin::Unnamed => None,
    };
    let largest = shares.iter().max_by_key(|share| share.ppm);
    Particulars {
        click: click.map(|click| click.id),
        session: click.map(|click| click.session),
        link: largest.map(|share| share.link),
        affiliate: largest.map(|share| share.affiliate),
        order_id: postback.order_id,
        external_id: postback.external_id,
        customer_id: postback.customer_id,
        coupon: postback.coupon,
        country: postback.country,
        customer: postback.customer,
        metadata: postback.metadata,
        duplicate_key,
        journey,
    }
}
