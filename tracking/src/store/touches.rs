//! What came before a conversion: the click, the other clicks of its session, the coupon.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, LinkId, MaterialId, SessionId,
    attribution::{CLOCK_TOLERANCE, Touch, TouchPath},
    campaign::{QualifyingEvent, WindowDays},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::plans::{Campaign, CampaignRow};

/// More clicks than one person makes on one campaign; what came before them is left out of the path.
pub const PATH_LIMIT: i64 = 200;
/// No campaign looks further back, so older partitions need not be searched.
const LONGEST_WINDOW: TimeDelta = TimeDelta::days(91);

/// The part of a stored click that attribution looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenClick {
    /// Which click.
    pub id: ClickId,
    /// Whose campaign it led to.
    pub advertiser: AdvertiserId,
    /// The campaign it led to.
    pub campaign: CampaignId,
    /// The visit it belongs to.
    pub session: SessionId,
}

struct ClickRow {
    id: Uuid,
    advertiser_id: Uuid,
    campaign_id: Uuid,
    session_id: Uuid,
}

impl From<ClickRow> for SeenClick {
    fn from(row: ClickRow) -> Self {
        Self {
            id: row.id.into(),
            advertiser: row.advertiser_id.into(),
            campaign: row.campaign_id.into(),
            session: row.session_id.into(),
        }
    }
}

/// The click of that id, if it has arrived.
pub async fn click(db: &mut PgConnection, id: ClickId) -> Result<Option<SeenClick>, sqlx::Error> {
    let row = sqlx::query_as!(
        ClickRow,
        "SELECT id, advertiser_id, campaign_id, session_id FROM clicks WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(SeenClick::from))
}

/// A click, and the campaign that it led to.
#[derive(Debug, Clone)]
pub struct Led {
    /// The click.
    pub click: SeenClick,
    /// None when there is no such campaign.
    pub campaign: Option<Campaign>,
}

/// A click as it is read together with its campaign.
struct LedRow {
    id: Uuid,
    advertiser_id: Uuid,
    campaign_id: Uuid,
    session_id: Uuid,
    owner_id: Option<Uuid>,
    currency: Option<String>,
    events: Option<Json<Vec<QualifyingEvent>>>,
    window_days: Option<i32>,
    attribution: Option<String>,
}

impl LedRow {
    /// Its campaign, if there is one.
    fn campaign(self) -> Option<CampaignRow> {
        Some(CampaignRow {
            id: self.campaign_id,
            advertiser_id: self.owner_id?,
            currency: self.currency?,
            events: self.events?,
            window_days: self.window_days?,
            attribution: self.attribution?,
        })
    }
}

impl TryFrom<LedRow> for Led {
    type Error = sqlx::Error;

    fn try_from(row: LedRow) -> Result<Self, sqlx::Error> {
        let LedRow { id, advertiser_id, campaign_id, session_id, .. } = row;
        let click = SeenClick::from(ClickRow { id, advertiser_id, campaign_id, session_id });
        Ok(Self { click, campaign: row.campaign().map(Campaign::try_from).transpose()? })
    }
}

/// The click of that id, if it has arrived, with its campaign.
pub async fn led(db: &mut PgConnection, id: ClickId) -> Result<Option<Led>, sqlx::Error> {
    let row = sqlx::query_as!(
        LedRow,
        r#"SELECT clicks.id AS "id!", clicks.advertiser_id AS "advertiser_id!", clicks.campaign_id AS "campaign_id!",
                  clicks.session_id AS "session_id!", campaigns.advertiser_id AS "owner_id?",
                  campaigns.currency AS "currency?", campaigns.events AS "events?: Json<Vec<QualifyingEvent>>",
                  campaigns.window_days AS "window_days?", campaigns.attribution AS "attribution?"
           FROM clicks
           LEFT JOIN campaigns ON campaigns.id = clicks.campaign_id
           WHERE clicks.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Led::try_from).transpose()
}

/// The latest click of a session on any of the advertiser's campaigns, within that campaign's own window
/// before the conversion.
pub async fn latest_of_session(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    session: SessionId,
    converted_at: DateTime<Utc>,
) -> Result<Option<Led>, sqlx::Error> {
    let row = sqlx::query_as!(
        LedRow,
        r#"SELECT clicks.id, clicks.advertiser_id, clicks.campaign_id, clicks.session_id,
                  campaigns.advertiser_id AS "owner_id?", campaigns.currency AS "currency?",
                  campaigns.events AS "events?: Json<Vec<QualifyingEvent>>",
                  campaigns.window_days AS "window_days?", campaigns.attribution AS "attribution?"
           FROM clicks
           JOIN campaigns ON campaigns.id = clicks.campaign_id
           WHERE clicks.session_id = $1
             AND clicks.advertiser_id = $2
             AND $3 <= clicks.id
             AND clicks.occurred_at <= $4
             AND $5::timestamptz - make_interval(days => campaigns.window_days) <= clicks.occurred_at
           ORDER BY clicks.id DESC
           LIMIT 1"#,
        session.uuid(),
        advertiser.uuid(),
        ClickId::floor(converted_at - LONGEST_WINDOW).uuid(),
        converted_at + CLOCK_TOLERANCE,
        converted_at,
    )
    .fetch_optional(db)
    .await?;
    row.map(Led::try_from).transpose()
}

/// What the link of a click carried: a partner's names for where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// The sub-ids, up to the last that says something.
    pub subs: Vec<String>,
    /// The material that `utm_content` names, if it does.
    pub material: Option<String>,
}

impl Labels {
    /// Visitors may write anything: only what is written as the id of a material names one.
    fn new(subs: Vec<String>, content: Option<String>) -> Self {
        Self { subs, material: content.filter(|content| MaterialId::is_printed(content)) }
    }
}

/// A click on the way to a conversion.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which click.
    pub click: ClickId,
    /// On which link.
    pub link: LinkId,
    /// Whose link it is.
    pub affiliate: AffiliateId,
    /// When.
    pub at: DateTime<Utc>,
    /// What its link carried.
    pub labels: Labels,
    /// What the affiliate says of where it comes from.
    pub source: String,
    /// What the visitor clicked on, by its name: a later release may know others.
    pub device: String,
}

impl Step {
    /// The click as attribution looks at it.
    #[must_use]
    pub fn touch(&self) -> Touch {
        Touch { click: Some(self.click), link: self.link, affiliate: self.affiliate, at: self.at }
    }
}

/// The clicks of one session on one campaign since a moment, up to and including the given one, oldest first. The moment's
/// smallest id is made here: the database would plan its own function anew for each report.
pub async fn path(
    db: &mut PgConnection,
    last: &SeenClick,
    since: DateTime<Utc>,
) -> Result<Vec<Step>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, link_id, affiliate_id, occurred_at, subs, utm[5] AS content, source, device
         FROM clicks
         WHERE session_id = $1
           AND campaign_id = $2
           AND id <= $3
           AND $4 <= id
         ORDER BY id DESC
         LIMIT $5",
        last.session.uuid(),
        last.campaign.uuid(),
        last.id.uuid(),
        ClickId::floor(since).uuid(),
        PATH_LIMIT,
    )
    .fetch_all(db)
    .await?;
    let steps = rows.into_iter().rev().map(|row| Step {
        click: row.id.into(),
        link: row.link_id.into(),
        affiliate: row.affiliate_id.into(),
        at: row.occurred_at,
        labels: Labels::new(row.subs, row.content),
        source: row.source,
        device: row.device,
    });
    Ok(steps.collect())
}

/// Whose promo code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coupon {
    /// The link that the code stands in for.
    pub link: LinkId,
    /// Whose link it is.
    pub affiliate: AffiliateId,
    /// The campaign of that link.
    pub campaign: CampaignId,
}

impl Coupon {
    /// A coupon is a touch at the moment of the conversion, and the only one.
    #[must_use]
    pub fn path(&self, window: WindowDays, converted_at: DateTime<Utc>) -> TouchPath {
        let touch = Touch { click: None, link: self.link, affiliate: self.affiliate, at: converted_at };
        TouchPath::within(window.length(), converted_at, vec![touch])
    }
}

/// The promo code of an advertiser, with its campaign; `code` is in upper case.
pub async fn coupon(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    code: &str,
) -> Result<Option<(Coupon, Campaign)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT links.id, links.affiliate_id, links.campaign_id, campaigns.advertiser_id AS owner_id,
                  campaigns.currency, campaigns.events AS "events: Json<Vec<QualifyingEvent>>",
                  campaigns.window_days, campaigns.attribution
           FROM coupons
           JOIN links ON links.id = coupons.link_id
           JOIN campaigns ON campaigns.id = links.campaign_id
           WHERE coupons.advertiser_id = $1
             AND coupons.code = $2"#,
        advertiser.uuid(),
        code,
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let coupon =
        Coupon { link: row.id.into(), affiliate: row.affiliate_id.into(), campaign: row.campaign_id.into() };
    let campaign = CampaignRow {
        id: row.campaign_id,
        advertiser_id: row.owner_id,
        currency: row.currency,
        events: row.events,
        window_days: row.window_days,
        attribution: row.attribution,
    };
    Ok(Some((coupon, Campaign::try_from(campaign)?)))
}
