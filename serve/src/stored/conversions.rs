//! Conversions: each move of one is a change of its status, the first is the conversion itself, and one that takes money
//! back is a refund.

use std::{fmt, str::FromStr};

use domain::{
    EventId,
    click::Device,
    conversion::{ConversionStatus, ReversalReason},
    event::{Checks, Conversion, Event, Known, Refund, StatusChange},
    money::Money,
};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, types::Uuid};

use super::{Taker, passage::Passage};
use crate::store::lake::{MoveKey, StoredMove, all_moves, moves, new_moves};

/// How many moves are read and given at once.
const PAGE: i64 = 10_000;

/// Gives what became of conversions.
pub(super) async fn give(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let mut passage = Passage::begin(db, taker, "conversions").await?;
    loop {
        let after = passage.after()?.unwrap_or(MoveKey { conversion: Uuid::nil(), position: -1 });
        let keys = match passage.transactions() {
            Some(transactions) => new_moves(db, transactions, after, PAGE).await?,
            None => all_moves(db, after, PAGE).await?,
        };
        let Some(last) = keys.last() else { break };
        let events = moves(db, &keys).await?.iter().flat_map(events).collect();
        passage.give(events, last.to_string()).await?;
        if (keys.len() as i64) < PAGE {
            break;
        }
    }
    passage.end().await
}

fn events(moved: &StoredMove) -> Vec<Known<Event>> {
    let is_first = moved.position == 0;
    let mut events = Vec::new();
    if is_first {
        let known_at_us = moved.received_at.timestamp_micros();
        events.push(Known { event: Event::Conversion(conversion(moved)), known_at_us });
    }
    let known_at_us = moved.moved_at.timestamp_micros();
    let is_beginning = is_first && moved.to_status == ConversionStatus::Received;
    if moved.from_status != Some(moved.to_status) && !is_beginning {
        events.push(Known { event: Event::StatusChange(status_change(moved)), known_at_us });
    }
    if let Some(minor) = moved.taken_back_minor.filter(|minor| 0 < *minor) {
        let amount = Money::new(minor, moved.amount.currency);
        events.push(Known { event: Event::Refund(refund(moved, amount)), known_at_us });
    }
    events
}

/// The conversion as it was reported.
pub(super) fn conversion(moved: &StoredMove) -> Conversion {
    Conversion {
        id: moved.id,
        occurred_at_us: moved.occurred_at.timestamp_micros(),
        campaign: moved.campaign_id,
        advertiser: moved.advertiser_id,
        name: moved.event.clone(),
        kind: moved.event_kind,
        amount: moved.amount,
        click: moved.click_id,
        session: moved.session_id,
        link: moved.link_id,
        affiliate: moved.affiliate_id,
        order_id: moved.order_id.clone().unwrap_or_default(),
        customer: moved.customer_id.clone().unwrap_or_default(),
        coupon: moved.coupon.clone().unwrap_or_default(),
        address_hash: moved.address_hash.map(|hash| hash.0),
        network: moved.network,
        country: moved.country.clone().unwrap_or_default(),
        device: moved.device.unwrap_or(Device::Unknown),
        device_id: moved.device_hash.map_or_else(String::new, |hash| hash.to_string()),
        email_hash: moved.email_hash.map(|hash| hash.0),
        email_domain: moved.email_domain.clone().unwrap_or_default(),
        account_hash: moved.account_hash.map(|hash| hash.0),
        checks: Checks {
            time_on_site_seconds: moved.time_on_site_seconds.map(i32::cast_unsigned),
            email: moved.email_check,
            captcha: moved.captcha_check,
        },
    }
}

fn status_change(moved: &StoredMove) -> StatusChange {
    StatusChange {
        id: id_of("status change", moved),
        occurred_at_us: moved.moved_at.timestamp_micros(),
        conversion: moved.id,
        campaign: moved.campaign_id,
        affiliate: moved.affiliate_id,
        to: moved.to_status,
        reason: moved.reason,
    }
}

fn refund(moved: &StoredMove, amount: Money) -> Refund {
    Refund {
        id: id_of("refund", moved),
        occurred_at_us: moved.moved_at.timestamp_micros(),
        conversion: moved.id,
        campaign: moved.campaign_id,
        advertiser: moved.advertiser_id,
        affiliate: moved.affiliate_id,
        customer: moved.customer_id.clone().unwrap_or_default(),
        amount,
        reason: moved.reason.unwrap_or(ReversalReason::Other),
    }
}

/// A move has no id of its own: its conversion and its position make one that is always the same (UUID version 8).
fn id_of(kind: &str, moved: &StoredMove) -> EventId {
    let mut hash = Sha256::new_with_prefix(kind);
    hash.update(moved.id.uuid().as_bytes());
    hash.update(moved.position.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().into()
}

impl fmt::Display for MoveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.conversion, self.position)
    }
}

impl FromStr for MoveKey {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (conversion, position) = text.split_once('/').ok_or(())?;
        Ok(Self { conversion: conversion.parse().map_err(drop)?, position: position.parse().map_err(drop)? })
    }
}
