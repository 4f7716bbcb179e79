//! What partners advertise campaigns with: banners, texts and letters.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, MaterialId,
    material::{MaterialKind, PictureType},
    state::NameError,
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// Something that partners advertise a campaign with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Material {
    /// Its id; clicks that it brought carry it as their `utm_content`.
    pub id: MaterialId,
    /// Which campaign it advertises.
    pub campaign_id: CampaignId,
    /// What it is.
    pub kind: MaterialKind,
    /// What it is called.
    pub name: String,
    /// What is copied, with `{link}` in it; of a banner what it says to those who do not see it.
    #[schema(example = "Spring is here: {link}")]
    pub text: String,
    /// Where everybody reads a banner's picture, below the address of the pages.
    #[schema(example = "/materials/mat_01JH0000000000000000000000")]
    pub image_url: Option<String>,
    /// What a banner's picture is written in.
    pub image_type: Option<PictureType>,
    /// How wide a banner is, in pixels.
    pub width: Option<u16>,
    /// How high a banner is, in pixels.
    pub height: Option<u16>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Which materials are looked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<MaterialId>,
    /// Only this campaign's.
    pub campaign: Option<CampaignId>,
    /// Only what comes after it in the list.
    pub after: Option<MaterialId>,
}

/// A picture as it is sent; cheap to clone.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is written in.
    pub written_in: PictureType,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A material by the name that people know it by.
#[derive(Debug)]
pub struct Named {
    /// Which.
    pub id: MaterialId,
    /// Its name.
    pub name: String,
}

/// Where a banner's picture is read, below the address of the pages.
pub fn image_path(id: MaterialId) -> String {
    format!("/materials/{id}")
}

/// Materials in use, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<Material>> {
    let mut found = sqlx::query_as!(
        Material,
        r#"
        SELECT id AS "id: Column<MaterialId>", campaign_id AS "campaign_id: Column<CampaignId>",
               kind AS "kind: Column<MaterialKind>", name, text, NULL AS image_url,
               image_type AS "image_type!: Nullable<PictureType>", width AS "width!: Nullable<u16>",
               height AS "height!: Nullable<u16>", created_at
        FROM materials
        WHERE retired_at IS NULL
          AND ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR campaign_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        wanted.id.map(MaterialId::uuid),
        wanted.campaign.map(CampaignId::uuid),
        wanted.after.map(MaterialId::uuid),
        limit
    )
    .fetch_all(db)
    .await?;
    // The database keeps ids as numbers; how they are printed is ours.
    for material in &mut found {
        material.image_url = material.image_type.map(|_| image_path(material.id));
    }
    Ok(found)
}

/// How many materials of a campaign are in use.
pub async fn in_use(db: &mut PgConnection, campaign: CampaignId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM materials WHERE campaign_id = $1 AND retired_at IS NULL"#,
        campaign.uuid()
    )
    .fetch_one(db)
    .await
}

/// Adds a material, with a picture's bytes where it is a banner.
pub async fn insert(tx: &mut PgConnection, new: &Material, image: Option<&[u8]>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO materials (id, campaign_id, kind, name, text, image, image_type, width, height, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ",
        new.id.uuid(),
        new.campaign_id.uuid(),
        new.kind.name(),
        new.name,
        new.text,
        image,
        new.image_type.map(PictureType::name),
        new.width.map(i32::from),
        new.height.map(i32::from),
        new.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes a material out of all lists, unless it was taken out before; its picture stays for those who show it.
pub async fn retire(tx: &mut PgConnection, id: MaterialId, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let retired = sqlx::query!(
        "UPDATE materials SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL",
        id.uuid(),
        at
    );
    Ok(retired.execute(tx).await?.rows_affected() == 1)
}

/// A banner's picture, of a retired one too.
pub async fn image(db: &mut PgConnection, id: MaterialId) -> sqlx::Result<Option<Image>> {
    let image = sqlx::query!(
        r#"SELECT image_type AS "written_in!", image AS "bytes!" FROM materials WHERE id = $1 AND image IS NOT NULL"#,
        id.uuid()
    );
    let Some(image) = image.fetch_optional(db).await? else { return Ok(None) };
    let written_in =
        image.written_in.parse().map_err(|error: NameError| sqlx::Error::Decode(error.into()))?;
    Ok(Some(Image { written_in, bytes: image.bytes.into() }))
}

/// The materials of campaigns that an affiliate has a link into, retired ones too.
pub async fn of_affiliate(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Vec<Named>> {
    sqlx::query_as!(
        Named,
        r#"
        SELECT id AS "id: Column<MaterialId>", name
        FROM materials
        WHERE EXISTS (SELECT FROM links WHERE links.campaign_id = materials.campaign_id AND links.affiliate_id = $1)
        "#,
        affiliate.uuid()
    )
    .fetch_all(db)
    .await
}
