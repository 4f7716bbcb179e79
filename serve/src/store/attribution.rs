//! What clicks and links say when somebody asks how credit would be divided, of one conversion or of many at once.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, LinkId, Money,
    attribution::{CLOCK_TOLERANCE, Touch},
    click::Device,
};
use sqlx::{
    PgConnection,
    types::{Json, Uuid},
};
use tracking::store::{conversions::Stop, touches::PATH_LIMIT};

use super::columns::{Column, Nullable};

/// A click, as far as credit looks at it.
#[derive(Clone, Debug)]
pub struct Clicked {
    /// Which.
    pub id: ClickId,
    /// On which link.
    pub link_id: LinkId,
    /// Whose link it is.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What the affiliate says of where it comes from.
    pub source: String,
    /// What the visitor clicked on.
    pub device: Device,
}

/// These clicks, as far as they are kept.
pub async fn clicks(db: &mut PgConnection, ids: &[ClickId]) -> sqlx::Result<Vec<Clicked>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Clicked,
        r#"
        SELECT id, link_id, affiliate_id, campaign_id, occurred_at, source, device AS "device: Column<Device>"
        FROM clicks
        WHERE id = ANY ($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await
}

/// Whose a link is.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The link.
    pub id: LinkId,
    /// Whose it is.
    pub affiliate_id: AffiliateId,
    /// In which campaign.
    pub campaign_id: CampaignId,
}

/// Whose these links are.
pub async fn links(db: &mut PgConnection, ids: &[LinkId]) -> sqlx::Result<Vec<Owned>> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(Owned, "SELECT id, affiliate_id, campaign_id FROM links WHERE id = ANY ($1)", &ids)
        .fetch_all(db)
        .await
}

/// A conversion that counts when models are compared: it is pending, approved or on hold.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Which.
    pub id: ConversionId,
    /// The click that brought it; none where a coupon did, or nobody.
    pub click_id: Option<ClickId>,
    /// What is left of its amount after what was taken back.
    pub value: Money,
    /// When the customer converted.
    pub occurred_at: DateTime<Utc>,
    /// The clicks before it, as they are kept with it; none of them once the first is not kept any more.
    pub journey: Option<Json<Vec<Stop>>>,
}

impl Counted {
    /// The clicks that are kept with it, if there are any.
    fn kept(&self, campaign_id: CampaignId) -> Option<Vec<Clicked>> {
        let clicked = |stop: &Stop| Clicked {
            id: stop.click.into(),
            link_id: stop.link.into(),
            affiliate_id: stop.affiliate.into(),
            campaign_id,
            occurred_at: stop.at,
            source: stop.source.clone(),
            device: stop.device.parse().unwrap_or(Device::Unknown),
        };
        let journey = self.journey.as_ref().filter(|journey| !journey.is_empty())?;
        Some(journey.iter().map(clicked).collect())
    }
}

/// The conversions of a campaign that count, of those who converted from a moment on and before another; those taken in
/// last come first. None is taken in before its customer converts, so that no older ones are looked at.
pub async fn counted(
    db: &mut PgConnection,
    campaign: CampaignId,
    (from, before): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as!(
        Counted,
        r#"
        SELECT id, click_id AS "click_id!: Nullable<ClickId>",
               (amount_minor - reversed_minor, currency) AS "value!: Column<Money>", occurred_at,
               journey AS "journey: Json<Vec<Stop>>"
        FROM conversions
        WHERE campaign_id = $1
          AND status IN ('pending', 'approved', 'on_hold')
          AND $2 <= id
          AND $3 <= occurred_at
          AND occurred_at < $4
        ORDER BY id DESC
        LIMIT $5
        "#,
        campaign.uuid(),
        ConversionId::floor(from - CLOCK_TOLERANCE).uuid(),
        from,
        before,
        most
    )
    .fetch_all(db)
    .await
}

/// A click that led to a conversion.
struct Step {
    conversion_id: ConversionId,
    id: ClickId,
    link_id: LinkId,
    affiliate_id: AffiliateId,
    campaign_id: CampaignId,
    occurred_at: DateTime<Utc>,
    source: String,
    device: Device,
}

/// The clicks that led to conversions as they are kept with each. An earlier release kept none: of what that took in, the clicks of
/// its click's visit on its campaign within the window before it, up to its click, as many as are looked at when it is taken in.
/// One statement for all of these; nothing of those whose click is not kept.
pub async fn journeys(
    db: &mut PgConnection,
    (campaign, counted): (CampaignId, &[Counted]),
    window: TimeDelta,
) -> sqlx::Result<BTreeMap<ConversionId, Vec<Clicked>>> {
    let mut journeys: BTreeMap<ConversionId, Vec<Clicked>> =
        counted.iter().filter_map(|one| Some((one.id, one.kept(campaign)?))).collect();
    let clicked = counted.iter().filter(|one| one.journey.is_none());
    let clicked = clicked.filter_map(|one| Some((one, one.click_id?.uuid())));
    let since = |one: &Counted| ClickId::floor(one.occurred_at - window).uuid();
    let asked: Vec<(Uuid, Uuid, Uuid)> =
        clicked.map(|(one, click)| (one.id.uuid(), click, since(one))).collect();
    let ids: Vec<Uuid> = asked.iter().map(|(id, _, _)| *id).collect();
    let clicks: Vec<Uuid> = asked.iter().map(|(_, click, _)| *click).collect();
    let floors: Vec<Uuid> = asked.iter().map(|(_, _, floor)| *floor).collect();
    // The bounds of all together say which days are looked at, before any of them is.
    let (Some(first), Some(last)) = (floors.iter().min(), clicks.iter().max()) else {
        return Ok(journeys);
    };
    let steps = sqlx::query_as!(
        Step,
        r#"
        SELECT asked.conversion_id AS "conversion_id!", touch.id AS "id!", touch.link_id AS "link_id!",
               touch.affiliate_id AS "affiliate_id!", touch.campaign_id AS "campaign_id!",
               touch.occurred_at AS "occurred_at!", touch.source AS "source!", touch.device AS "device!: Column<Device>"
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS asked (conversion_id, click_id, since)
        JOIN clicks AS brought ON brought.id = asked.click_id
        CROSS JOIN LATERAL (
            SELECT clicks.id, clicks.link_id, clicks.affiliate_id, clicks.campaign_id, clicks.occurred_at, clicks.source,
                   clicks.device
            FROM clicks
            WHERE clicks.session_id = brought.session_id
              AND clicks.campaign_id = brought.campaign_id
              AND clicks.id <= brought.id
              AND asked.since <= clicks.id
              AND $4 <= clicks.id
              AND clicks.id <= $5
            ORDER BY clicks.id DESC
            LIMIT $6
        ) AS touch
        WHERE $4 <= brought.id
          AND brought.id <= $5
        "#,
        &ids,
        &clicks,
        &floors,
        *first,
        *last,
        PATH_LIMIT
    )
    .fetch_all(db)
    .await?;
    for Step { conversion_id, id, link_id, affiliate_id, campaign_id, occurred_at, source, device } in steps {
        let clicked = Clicked { id, link_id, affiliate_id, campaign_id, occurred_at, source, device };
        journeys.entry(conversion_id).or_default().push(clicked);
    }
    Ok(journeys)
}

/// The touches that were credited when these conversions were taken in: all that is known where no click is kept. A coupon
/// touched when the customer converted.
pub async fn credited(
    db: &mut PgConnection,
    conversions: &[ConversionId],
) -> sqlx::Result<BTreeMap<ConversionId, Vec<Touch>>> {
    let ids: Vec<Uuid> = conversions.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT shares.conversion_id, shares.click_id, shares.link_id, shares.affiliate_id,
               COALESCE(shares.touched_at, conversions.occurred_at) AS "touched_at!"
        FROM conversion_shares AS shares
        JOIN conversions ON conversions.id = shares.conversion_id
        WHERE shares.conversion_id = ANY ($1)
        ORDER BY shares.conversion_id, shares.position
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let mut touches = BTreeMap::<ConversionId, Vec<Touch>>::new();
    for row in rows {
        touches.entry(row.conversion_id.into()).or_default().push(Touch {
            click: row.click_id.map(ClickId::from),
            link: row.link_id.into(),
            affiliate: row.affiliate_id.into(),
            at: row.touched_at,
        });
    }
    Ok(touches)
}

/// Forgets which journeys are kept with conversions, as if an earlier release had taken them in.
#[cfg(test)]
pub async fn forget_journeys(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("UPDATE conversions SET journey = NULL").execute(db).await?;
    Ok(())
}

/// Loses all clicks.
#[cfg(test)]
pub async fn forget_clicks(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM clicks").execute(db).await?;
    Ok(())
}
