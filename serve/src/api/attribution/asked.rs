//! Which conversion is meant: one that is stored, or one that is told with its touches.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, LinkId, Money,
    attribution::{Touch, TouchPath},
    campaign::EventKind,
};
use serde::Deserialize;
use sqlx::PgConnection;
use tracking::{
    intake::credit,
    store::{
        conversions,
        plans::{self, Campaign},
        touches,
    },
};
use utoipa::ToSchema;

use super::super::{failure::Failure, gate::Caller, text::EventName};
use crate::store::{self, conversions::Share};

/// No journey has more touches.
const TOUCHES_MAX: usize = 200;

/// A conversion: one that is stored, by its id alone; or one that is told, with its campaign, amount, time and touches.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToAttribute {
    /// A conversion that is stored.
    conversion_id: Option<ConversionId>,
    /// In which campaign.
    campaign_id: Option<CampaignId>,
    /// Which of the campaign's events it is; the first when absent.
    event: Option<EventName>,
    /// What it is worth, in whatever currency it was paid.
    amount: Option<Money>,
    /// When the customer converted.
    converted_at: Option<DateTime<Utc>>,
    /// When the customer became a lead, for the rule that looks at it.
    lead_at: Option<DateTime<Utc>>,
    /// The touches, in any order; those outside of the campaign's window count for nothing.
    #[schema(max_items = 200)]
    touches: Option<Vec<ToldTouch>>,
}

/// A touch: a click that is stored, or a link and when it was clicked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToldTouch {
    /// A click that is stored.
    click_id: Option<ClickId>,
    /// A link of the campaign, where no click is named.
    link_id: Option<LinkId>,
    /// When it was clicked, where no click is named.
    at: Option<DateTime<Utc>>,
}

/// The conversion that is meant.
pub(super) struct Meant {
    pub conversion_id: Option<ConversionId>,
    pub campaign: Campaign,
    pub event: (String, EventKind),
    pub amount: Money,
    pub path: TouchPath,
    /// How the credit was divided when it was taken in.
    pub recorded: Vec<Share>,
    /// Why touches may be missing.
    pub incomplete_because: Option<String>,
}

impl ToAttribute {
    /// Finds it.
    pub(super) async fn find(&self, db: &mut PgConnection, by: &Caller) -> Result<Meant, Failure> {
        let Some(id) = self.conversion_id else { return self.told(db, by).await };
        let others = [
            ("/campaign_id", self.campaign_id.is_some()),
            ("/event", self.event.is_some()),
            ("/amount", self.amount.is_some()),
            ("/converted_at", self.converted_at.is_some()),
            ("/touches", self.touches.is_some()),
        ];
        if let Some((pointer, _)) = others.iter().find(|(_, is_told)| *is_told) {
            let detail = "is known of a stored conversion: send conversion_id without it";
            return Err(Failure::unprocessable(*pointer, detail));
        }
        self.stored(db, id, by.affiliate).await
    }

    /// One that is stored, with the touches that are known of it.
    pub(super) async fn stored(
        &self,
        db: &mut PgConnection,
        id: ConversionId,
        seen_by: Option<AffiliateId>,
    ) -> Result<Meant, Failure> {
        let unknown = || {
            Failure::unprocessable(
                "/conversion_id",
                format!("{id} does not exist, or this key may not see it"),
            )
        };
        store::conversions::find(db, id, seen_by).await?.ok_or_else(unknown)?;
        let conversion = store::conversions::find(db, id, None).await?.ok_or_else(unknown)?;
        let campaign = plans::campaign(db, conversion.campaign_id).await?.ok_or_else(unknown)?;
        let click = match conversion.click_id {
            Some(click) => touches::click(db, click).await?,
            None => None,
        };
        let is_gone = conversion.click_id.is_some() && click.is_none();
        let path = match click {
            Some(click) => credit::path_of(db, &click, campaign.window, conversion.occurred_at).await?.0,
            None => credited(db, id, &campaign, conversion.occurred_at).await?,
        };
        Ok(Meant {
            conversion_id: Some(id),
            event: (conversion.event, conversion.event_kind),
            amount: conversion.amount,
            path: self.with_lead(path),
            recorded: store::conversions::shares(db, id, seen_by).await?,
            incomplete_because: is_gone.then(|| {
                "its clicks are not kept any more: only the touches that were credited are known".to_owned()
            }),
            campaign,
        })
    }

    async fn told(&self, db: &mut PgConnection, by: &Caller) -> Result<Meant, Failure> {
        if by.affiliate.is_some() {
            let detail = "an affiliate's key names a conversion that the affiliate has credit for";
            return Err(Failure::unprocessable("/conversion_id", detail));
        }
        let needed = |pointer: &str| {
            let detail = "is needed, unless conversion_id names a stored conversion";
            Failure::unprocessable(pointer, detail)
        };
        let id = self.campaign_id.ok_or_else(|| needed("/campaign_id"))?;
        let amount = self.amount.ok_or_else(|| needed("/amount"))?;
        let converted_at = self.converted_at.ok_or_else(|| needed("/converted_at"))?;
        let told = self.touches.as_deref().ok_or_else(|| needed("/touches"))?;
        if amount.minor < 0 {
            return Err(Failure::unprocessable("/amount", "a sale is worth nothing less than nothing"));
        }
        if TOUCHES_MAX < told.len() {
            let detail = format!("there are {}; send at most {TOUCHES_MAX}", told.len());
            return Err(Failure::unprocessable("/touches", detail));
        }
        let campaign = plans::campaign(db, id).await?;
        let campaign =
            campaign.ok_or_else(|| Failure::unprocessable("/campaign_id", format!("{id} does not exist")))?;
        let event = self.event(&campaign)?;
        let touches = touched(db, &campaign, told).await?;
        let path = TouchPath::within(campaign.window.length(), converted_at, touches);
        Ok(Meant {
            conversion_id: None,
            event,
            amount,
            path: self.with_lead(path),
            recorded: Vec::new(),
            incomplete_because: None,
            campaign,
        })
    }

    fn with_lead(&self, path: TouchPath) -> TouchPath {
        match self.lead_at {
            Some(lead_at) => path.with_lead(lead_at),
            None => path,
        }
    }

    fn event(&self, campaign: &Campaign) -> Result<(String, EventKind), Failure> {
        let wanted = self.event.as_ref().map(EventName::as_str);
        let found = campaign.events.iter().find(|known| wanted.is_none_or(|wanted| known.name == wanted));
        found.map(|event| (event.name.clone(), event.kind)).ok_or_else(|| {
            let names: Vec<&str> = campaign.events.iter().map(|event| event.name.as_str()).collect();
            Failure::unprocessable("/event", format!("the campaign pays for {}", names.join(", ")))
        })
    }
}

/// The touches that were credited when the conversion was taken in: all that is known where there is no click.
async fn credited(
    db: &mut PgConnection,
    id: ConversionId,
    campaign: &Campaign,
    converted_at: DateTime<Utc>,
) -> sqlx::Result<TouchPath> {
    let shares = conversions::shares(db, id).await?.into_iter();
    let touches = shares.map(|share| Touch {
        click: share.click,
        link: share.link,
        affiliate: share.affiliate,
        at: share.touched_at.unwrap_or(converted_at),
    });
    Ok(TouchPath::within(campaign.window.length(), converted_at, touches.collect()))
}

/// The touches that are told, each looked up.
async fn touched(
    db: &mut PgConnection,
    campaign: &Campaign,
    told: &[ToldTouch],
) -> Result<Vec<Touch>, Failure> {
    let clicks: Vec<ClickId> = told.iter().filter_map(|touch| touch.click_id).collect();
    let links: Vec<LinkId> = told.iter().filter_map(|touch| touch.link_id).collect();
    let clicks = store::attribution::clicks(db, &clicks).await?;
    let links = store::attribution::links(db, &links).await?;
    let touch = |(place, touch): (usize, &ToldTouch)| {
        let wrong =
            |field: &str, detail: String| Failure::unprocessable(format!("/touches/{place}/{field}"), detail);
        let (found, at) = match (touch.click_id, touch.link_id, touch.at) {
            (Some(id), None, None) => {
                let click = clicks.iter().find(|click| click.id == id);
                let click = click.filter(|click| click.campaign_id == campaign.id);
                let click =
                    click.ok_or_else(|| wrong("click_id", format!("{id} is no click of the campaign")))?;
                ((Some(id), click.link_id, click.affiliate_id), click.occurred_at)
            }
            (None, Some(id), Some(at)) => {
                let link = links.iter().find(|link| link.id == id && link.campaign_id == campaign.id);
                let link =
                    link.ok_or_else(|| wrong("link_id", format!("{id} is no link of the campaign")))?;
                ((None, id, link.affiliate_id), at)
            }
            _ => {
                let detail = "a touch is a click_id alone, or a link_id and at".to_owned();
                return Err(wrong("click_id", detail));
            }
        };
        let (click, link, affiliate) = found;
        Ok(Touch { click, link, affiliate, at })
    };
    told.iter().enumerate().map(touch).collect()
}
