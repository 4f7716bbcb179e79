//! What was announced, and who of the partners wants to be told of it, with all that there is to say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, Currency, EventId, LinkId, PartnerPostbackId,
    campaign::EventKind,
    click::Device,
    conversion::{ConversionStatus, ReversalReason},
};
use sqlx::{PgConnection, types::Uuid};

use super::columns::{Column, Nullable};

/// Something that was announced and that nobody was told of yet.
#[derive(Debug)]
pub struct Announced {
    /// Where it stands.
    pub position: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What was announced of conversions and not passed on yet, oldest first.
pub async fn announced(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Announced>> {
    sqlx::query_as!(
        Announced,
        r#"
        SELECT position, id AS "id: Column<EventId>", type AS kind, subject, created_at
        FROM outbox
        WHERE passed_on_at IS NULL
          AND type IN ('conversion.created', 'conversion.approved', 'conversion.rejected', 'conversion.reversed')
        ORDER BY position
        LIMIT $1
        "#,
        limit
    )
    .fetch_all(db)
    .await
}

/// Notes that it is kept who is going to be told of these.
pub async fn passed_on(tx: &mut PgConnection, positions: &[i64], at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE outbox SET passed_on_at = $2 WHERE position = ANY ($1)", positions, at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Something that an address is told of, with all that its macros may ask for.
#[derive(Debug)]
pub struct News {
    /// Which address.
    pub postback_id: PartnerPostbackId,
    /// The address, with macros.
    pub url: String,
    /// What happened, by its id.
    pub event_id: EventId,
    /// What happened.
    pub kind: String,
    /// When.
    pub happened_at: DateTime<Utc>,
    /// To which conversion.
    pub conversion_id: ConversionId,
    /// Whose address it is.
    pub affiliate_id: AffiliateId,
    /// Of which campaign the conversion is.
    pub campaign_id: CampaignId,
    /// What that is called.
    pub campaign_name: String,
    /// What the visitor did.
    pub event: String,
    /// Which kind of event that is.
    pub event_kind: EventKind,
    /// The conversion's state.
    pub status: ConversionStatus,
    /// Why it is that.
    pub reason: Option<ReversalReason>,
    /// What the order came to, in minor units.
    pub amount_minor: i64,
    /// What of it was taken back.
    pub reversed_minor: i64,
    /// The order's currency.
    pub currency: Currency,
    /// The promo code of the order.
    pub coupon: Option<String>,
    /// When it was bought.
    pub occurred_at: DateTime<Utc>,
    /// The partner's part of the credit, in parts per million.
    pub share_ppm: i64,
    /// The model that divided it.
    pub model: String,
    /// What the partner earns, in minor units; none where there is no line.
    pub payout_minor: Option<i64>,
    /// In which currency.
    pub payout_currency: Option<Currency>,
    /// The partner's click.
    pub click_id: Option<ClickId>,
    /// The partner's link.
    pub link_id: LinkId,
    /// The link's code.
    pub link_code: String,
}

/// Events of conversions, column by column.
#[derive(Debug, Default)]
pub struct Events<'a> {
    /// Their ids.
    pub ids: Vec<Uuid>,
    /// What happened.
    pub kinds: Vec<&'a str>,
    /// To which conversions.
    pub conversions: Vec<Uuid>,
    /// When.
    pub moments: Vec<DateTime<Utc>>,
}

/// Who wants to be told of these events, with what there is to say; nobody removes an address of them meanwhile.
pub async fn news(db: &mut PgConnection, events: &Events<'_>) -> sqlx::Result<Vec<News>> {
    sqlx::query_as!(
        News,
        r#"
        SELECT partner_postbacks.id AS "postback_id: Column<PartnerPostbackId>", partner_postbacks.url,
               event.id AS "event_id!: Column<EventId>", event.kind AS "kind!", event.happened_at AS "happened_at!",
               conversions.id AS "conversion_id: Column<ConversionId>",
               partner_postbacks.affiliate_id AS "affiliate_id: Column<AffiliateId>",
               conversions.campaign_id AS "campaign_id: Column<CampaignId>", campaigns.name AS campaign_name,
               conversions.event, conversions.event_kind AS "event_kind: Column<EventKind>",
               conversions.status AS "status: Column<ConversionStatus>",
               conversions.reason AS "reason!: Nullable<ReversalReason>", conversions.amount_minor, conversions.reversed_minor,
               conversions.currency AS "currency: Column<Currency>", conversions.coupon, conversions.occurred_at,
               credit.share_ppm AS "share_ppm!", credit.model AS "model!",
               earned.amount_minor AS "payout_minor?", earned.currency AS "payout_currency!: Nullable<Currency>",
               credit.click_id AS "click_id!: Nullable<ClickId>", credit.link_id AS "link_id!: Column<LinkId>",
               links.code AS link_code
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) AS event (id, kind, conversion_id, happened_at)
        JOIN conversions ON conversions.id = event.conversion_id
        JOIN campaigns ON campaigns.id = conversions.campaign_id
        JOIN LATERAL (
            SELECT affiliate_id, sum(share_ppm) AS share_ppm, min(model) AS model,
                   (array_agg(click_id ORDER BY position DESC))[1] AS click_id,
                   (array_agg(link_id ORDER BY position DESC))[1] AS link_id
            FROM conversion_shares
            WHERE conversion_id = conversions.id
            GROUP BY affiliate_id
        ) AS credit ON true
        JOIN partner_postbacks ON partner_postbacks.affiliate_id = credit.affiliate_id
            AND partner_postbacks.removed_at IS NULL
            AND partner_postbacks.stopped_at IS NULL
            AND partner_postbacks.created_at <= event.happened_at
            AND event.kind = ANY (partner_postbacks.events)
            AND (partner_postbacks.campaign_id IS NULL OR partner_postbacks.campaign_id = conversions.campaign_id)
        JOIN links ON links.id = credit.link_id
        LEFT JOIN LATERAL (
            SELECT sum(commissions.amount_minor)::bigint AS amount_minor, min(commissions.currency) AS currency
            FROM commissions
            WHERE commissions.conversion_id = conversions.id AND commissions.affiliate_id = credit.affiliate_id
        ) AS earned ON true
        ORDER BY event.happened_at, event.id
        FOR SHARE OF partner_postbacks
        "#,
        &events.ids,
        &events.kinds as &[&str],
        &events.conversions,
        &events.moments
    )
    .fetch_all(db)
    .await
}

/// A click, as far as partners are told of it.
#[derive(Debug)]
pub struct Clicked {
    /// Which.
    pub id: ClickId,
    /// When it was clicked.
    pub occurred_at: DateTime<Utc>,
    /// The click's id in the partner's own system.
    pub external_click_id: String,
    /// Its sub-ids, by position.
    pub subs: Vec<String>,
    /// Its campaign tags, by position.
    pub utm: Vec<String>,
    /// Its source.
    pub source: String,
    /// Its user id.
    pub uid: String,
    /// Its country.
    pub country: String,
    /// Its device.
    pub device: Device,
}

/// Those of these clicks that are kept.
pub async fn clicks(db: &mut PgConnection, ids: Vec<ClickId>) -> sqlx::Result<BTreeMap<ClickId, Clicked>> {
    let ids: Vec<Uuid> = ids.into_iter().map(ClickId::uuid).collect();
    // The bounds say which days are looked at, before any of them is.
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(BTreeMap::new());
    };
    let clicks = sqlx::query_as!(
        Clicked,
        r#"
        SELECT id AS "id: Column<ClickId>", occurred_at, external_click_id, subs, utm, source, uid, country,
               device AS "device: Column<Device>"
        FROM clicks
        WHERE id = ANY ($1) AND $2 <= id AND id <= $3
        "#,
        &ids,
        *first,
        *last
    )
    .fetch_all(db)
    .await?;
    Ok(clicks.into_iter().map(|click| (click.id, click)).collect())
}
