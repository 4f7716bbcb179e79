//! Where a conversion came from: the click it names, its session's latest click, or a promo code.

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, ClickId};
use sqlx::PgConnection;

use super::{AcceptError, Postback};
use crate::store::{
    conversions,
    plans::{self, Campaign},
    touches::{self, Coupon, Led, SeenClick},
};

/// What a report leads back to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// A click that we have.
    Click(SeenClick),
    /// A promo code, which counts as a click at the moment of the conversion.
    Coupon(Coupon),
    /// A click or session is named that we do not have, or not yet.
    Missing,
    /// Nothing is named; the report can only be about a conversion that we have.
    Unnamed,
}

/// The origin of a report, and the campaign that it is about as far as that can be told.
#[derive(Debug)]
pub(super) struct Source {
    pub origin: Origin,
    pub campaign: Option<Campaign>,
}

impl From<Led> for Source {
    fn from(led: Led) -> Self {
        Self { origin: Origin::Click(led.click), campaign: led.campaign }
    }
}

/// A click goes before a session, and both before a coupon: the more is known, the better.
pub(super) async fn find(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    postback: &Postback,
    converted_at: DateTime<Utc>,
) -> Result<Source, AcceptError> {
    if let Some(id) = postback.click_id {
        return clicked(db, advertiser, id).await;
    }
    if let Some(session) = postback.session_id {
        let latest = touches::latest_of_session(db, advertiser, session, converted_at).await?;
        return Ok(latest.map_or(Source { origin: Origin::Missing, campaign: None }, Source::from));
    }
    if let Some(code) = &postback.coupon {
        let (coupon, campaign) = touches::coupon(db, advertiser, code)
            .await?
            .ok_or_else(|| AcceptError::field("coupon", "is not a promo code of this advertiser"))?;
        return Ok(Source { origin: Origin::Coupon(coupon), campaign: Some(campaign) });
    }
    Ok(Source { origin: Origin::Unnamed, campaign: None })
}

/// The click of that id; of one that we do not have, only the campaign may be known.
async fn clicked(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    id: ClickId,
) -> Result<Source, AcceptError> {
    if let Some(led) = touches::led(db, id).await? {
        if led.click.advertiser != advertiser {
            return Err(AcceptError::field("click_id", "is not a click of this advertiser"));
        }
        return Ok(led.into());
    }
    let campaign = match conversions::campaign_of_click(db, advertiser, id).await? {
        Some(campaign) => plans::campaign(db, campaign).await?,
        None => None,
    };
    Ok(Source { origin: Origin::Missing, campaign })
}

/// What makes a second report a duplicate even where every report is a conversion of its own: its transaction.
pub(super) fn transaction_key(postback: &Postback, event: &str) -> Option<String> {
    postback.external_id.as_ref().map(|transaction| format!("transaction/{event}/{transaction}"))
}

/// What makes a second report of the same thing a duplicate: the event of an order; else the event and the
/// transaction (or that there is none) of the click, session or code that was named. None when nothing tells two
/// reports apart.
pub(super) fn duplicate_key(postback: &Postback, event: &str, origin: Origin) -> Option<String> {
    if let Some(order) = &postback.order_id {
        return Some(format!("order/{event}/{order}"));
    }
    let transaction = postback.external_id.as_deref();
    if let Some(click) = postback.click_id {
        return Some(format!("click/{click}/{event}/{}", transaction.unwrap_or_default()));
    }
    if let Some(session) = postback.session_id {
        return Some(format!("session/{session}/{event}/{}", transaction.unwrap_or_default()));
    }
    match (origin, transaction) {
        (Origin::Coupon(coupon), Some(transaction)) => {
            Some(format!("coupon/{}/{event}/{transaction}", coupon.link))
        }
        _ => None,
    }
}
