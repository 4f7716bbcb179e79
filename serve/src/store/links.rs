//! Links with their counters, and the coupons that stand in for clicks.

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, AffiliateId, CampaignId, LinkId};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use url::Url;
use utoipa::ToSchema;

use super::columns::{Column, Params};

/// One affiliate's link into one campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// What follows /c/ in its URL.
    pub code: String,
    /// Where visitors click.
    #[schema(format = Uri, example = "https://go.example/c/spring24")]
    pub url: String,
    /// A picture of one invisible pixel to put beside the advertisement: it counts how often that was shown.
    #[schema(format = Uri, example = "https://go.example/i/spring24")]
    pub impression_url: String,
    /// Whose it is.
    pub affiliate_id: AffiliateId,
    /// What it advertises.
    pub campaign_id: CampaignId,
    /// Where visitors land, unless on the campaign's landing page.
    pub landing_url: Option<String>,
    /// Parameters hung on the landing URL of every click.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub custom_params: Params,
    /// How often its advertisement was shown, as far as the picture told.
    pub impressions: i64,
    /// How many clicks it had.
    pub clicks: i64,
    /// How many conversions it had.
    pub conversions: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Which links are asked for; each absent part means all.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<LinkId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only into this campaign.
    pub campaign: Option<CampaignId>,
    /// Only what this affiliate's own key may see.
    pub seen_by: Option<AffiliateId>,
    /// Only those that come after it in the list.
    pub after: Option<LinkId>,
}

/// A promo code that stands in for a click on a link.
#[derive(Debug, Serialize, ToSchema)]
pub struct Coupon {
    /// Whose shop takes it.
    pub advertiser_id: AdvertiserId,
    /// The code, in capitals.
    pub code: String,
    /// Whose conversion it makes.
    pub link_id: LinkId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Where visitors click on a link of that code.
pub fn tracking_url(tracker: &Url, code: &str) -> String {
    format!("{}/c/{code}", tracker.as_str().trim_end_matches('/'))
}

/// The picture that counts how often a link of that code was shown.
pub fn impression_url(tracker: &Url, code: &str) -> String {
    format!("{}/i/{code}", tracker.as_str().trim_end_matches('/'))
}

/// Adds a link; false when another link has the code.
pub async fn insert(tx: &mut PgConnection, link: &Link) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "
        INSERT INTO links (id, code, affiliate_id, campaign_id, landing_url, custom_params, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT ON CONSTRAINT links_code_once DO NOTHING
        ",
        link.id.uuid(),
        link.code,
        link.affiliate_id.uuid(),
        link.campaign_id.uuid(),
        link.landing_url,
        Json(&link.custom_params) as _,
        link.created_at
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Links, newest first.
pub async fn list(
    db: &mut PgConnection,
    wanted: &Wanted,
    tracker: &Url,
    limit: i64,
) -> sqlx::Result<Vec<Link>> {
    sqlx::query_as!(
        Link,
        r#"
        SELECT id, code, $1 || code AS "url!", $8 || code AS "impression_url!", affiliate_id, campaign_id,
               landing_url, custom_params AS "custom_params: Column<Params>", impressions, clicks, conversions,
               created_at
        FROM links
        WHERE ($2::uuid IS NULL OR id = $2)
          AND ($3::uuid IS NULL OR affiliate_id = $3)
          AND ($4::uuid IS NULL OR campaign_id = $4)
          AND ($5::uuid IS NULL OR affiliate_id = $5)
          AND ($6::uuid IS NULL OR id < $6)
        ORDER BY id DESC
        LIMIT $7
        "#,
        tracking_url(tracker, ""),
        wanted.id.map(LinkId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.campaign.map(CampaignId::uuid),
        wanted.seen_by.map(AffiliateId::uuid),
        wanted.after.map(LinkId::uuid),
        limit,
        impression_url(tracker, ""),
    )
    .fetch_all(db)
    .await
}

/// Whose campaign a link leads into.
pub async fn advertiser(db: &mut PgConnection, link: LinkId) -> sqlx::Result<Option<AdvertiserId>> {
    let advertiser = sqlx::query_scalar!(
        "
        SELECT campaigns.advertiser_id
        FROM links
        JOIN campaigns ON campaigns.id = links.campaign_id
        WHERE links.id = $1
        ",
        link.uuid()
    )
    .fetch_optional(db)
    .await?;
    Ok(advertiser.map(Into::into))
}

/// Adds a coupon.
pub async fn insert_coupon(tx: &mut PgConnection, coupon: &Coupon) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO coupons (advertiser_id, code, link_id, created_at)
        VALUES ($1, $2, $3, $4)
        ",
        coupon.advertiser_id.uuid(),
        coupon.code,
        coupon.link_id.uuid(),
        coupon.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The coupons of an advertiser by their codes; an affiliate's own key sees those of its links.
pub async fn coupons(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    seen_by: Option<AffiliateId>,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Coupon>> {
    sqlx::query_as!(
        Coupon,
        r#"
        SELECT coupons.advertiser_id, coupons.code, coupons.link_id, coupons.created_at
        FROM coupons
        JOIN links ON links.id = coupons.link_id
        WHERE coupons.advertiser_id = $1
          AND ($2::uuid IS NULL OR links.affiliate_id = $2)
          AND ($3::text IS NULL OR $3 < coupons.code)
        ORDER BY coupons.code
        LIMIT $4
        "#,
        advertiser.uuid(),
        seen_by.map(AffiliateId::uuid),
        after,
        limit
    )
    .fetch_all(db)
    .await
}

/// A visitor's click on a link, with these tags, stored by the function that the tracker stores it with.
#[cfg(test)]
pub async fn click(
    db: &mut PgConnection,
    link: LinkId,
    app: &crate::app::App,
    tags: domain::click::Tags,
) -> sqlx::Result<domain::ClickId> {
    let (id, now) = (domain::ClickId::new(&app.clock, &app.chance), app.clock.now());
    let of = sqlx::query!(
        "SELECT links.affiliate_id, links.campaign_id, campaigns.advertiser_id
         FROM links
         JOIN campaigns ON campaigns.id = links.campaign_id
         WHERE links.id = $1",
        link.uuid()
    )
    .fetch_one(&mut *db)
    .await?;
    let click = domain::click::Click {
        id,
        occurred_at_us: now.timestamp_micros(),
        link,
        affiliate: of.affiliate_id.into(),
        campaign: of.campaign_id.into(),
        advertiser: of.advertiser_id.into(),
        session: id.uuid().into(),
        tags,
        address_hash: [0; 16],
        network: std::net::Ipv4Addr::new(192, 0, 2, 0).into(),
        country: String::new(),
        device: domain::click::Device::Desktop,
        user_agent: String::new(),
        referrer: String::new(),
        asked: domain::click::Asked::default(),
    };
    tracking::store::clicks::ensure_partition(db, now.date_naive()).await?;
    tracking::store::clicks::insert(db, &[click], now).await?;
    Ok(id)
}

/// Says with which sub-ids a click came.
#[cfg(test)]
pub async fn set_subs(db: &mut PgConnection, click: domain::ClickId, subs: &[String]) -> sqlx::Result<()> {
    sqlx::query!("UPDATE clicks SET subs = $2 WHERE id = $1", click.uuid(), subs).execute(db).await?;
    Ok(())
}

/// Forgets what is kept with shares of the credit of what the links of their clicks carried.
#[cfg(test)]
pub async fn forget_labels(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("UPDATE conversion_shares SET subs = NULL, material = NULL").execute(db).await?;
    Ok(())
}
