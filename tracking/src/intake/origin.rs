//! Where a conversion came from: the click it names, its session's latest click, or a promo code.

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, CampaignId};
use sqlx::PgConnection;

use super::{AcceptError, Postback};
use crate::store::{
    conversions,
    plans::{self, Campaign},
    touches::{self, Coupon, SeenClick},
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

/// A click goes before a session, and both before a coupon: the more is known, the better.
pub(super) async fn find(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    postback: &Postback,
    converted_at: DateTime<Utc>,
) -> Result<Source, AcceptError> {
    let (origin, campaign) = if let Some(id) = postback.click_id {
        match touches::click(db, id).await? {
            Some(click) if click.advertiser == advertiser => (Origin::Click(click), Some(click.campaign)),
            Some(_) => return Err(AcceptError::field("click_id", "is not a click of this advertiser")),
            None => (Origin::Missing, conversions::campaign_of_click(db, advertiser, id).await?),
        }
    } else if let Some(session) = postback.session_id {
        match touches::latest_of_session(db, advertiser, session, converted_at).await? {
            Some(click) => (Origin::Click(click), Some(click.campaign)),
            None => (Origin::Missing, None),
        }
    } else if let Some(code) = &postback.coupon {
        let coupon = touches::coupon(db, advertiser, code).await?;
        let coupon =
            coupon.ok_or_else(|| AcceptError::field("coupon", "is not a promo code of this advertiser"))?;
        (Origin::Coupon(coupon), Some(coupon.campaign))
    } else {
        (Origin::Unnamed, None)
    };
    Ok(Source { origin, campaign: load(db, campaign).await? })
}

async fn load(db: &mut PgConnection, id: Option<CampaignId>) -> Result<Option<Campaign>, sqlx::Error> {
    match id {
        Some(id) => plans::campaign(db, id).await,
        None => Ok(None),
    }
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
