//! What a campaign gives its partners to advertise with: banners, texts and letters.

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    CampaignId, MaterialId,
    material::{LINK, MaterialKind, Picture},
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::{Name, Wording},
};
use crate::{
    app::App,
    store::{
        self,
        materials::{Material, Wanted, image_path},
    },
};

/// So many materials of one campaign are in use at once.
const IN_USE_MAX: i64 = 100;
/// A picture and a text of the longest kind fit, as JSON and as a form.
pub(crate) const TAKEN_LIMIT: usize = 768 * 1024;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .layer(DefaultBodyLimit::max(TAKEN_LIMIT))
        .routes(routes!(retire))
}

/// Something for partners to advertise a campaign with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMaterial {
    /// What it is.
    kind: MaterialKind,
    /// What it is called.
    name: Name,
    /// What partners copy; `{link}` in it becomes the partner's own link, and stands in it once at least. Of a banner what
    /// it says to those who do not see it.
    text: Wording,
    /// A banner's picture in base64: PNG, JPEG, GIF or WebP, at most 300 KiB and 4096 pixels wide and high. Nothing else
    /// has one.
    image: Option<String>,
}

/// The same, from a request or a form.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: MaterialKind,
    pub(crate) name: Name,
    pub(crate) text: Wording,
    pub(crate) image: Option<Vec<u8>>,
}

impl NewMaterial {
    fn read(self) -> Result<Draft, Failure> {
        let image = self.image.map(|image| STANDARD.decode(image)).transpose();
        let image = image.map_err(|_| Failure::unprocessable("/image", "it must be base64"))?;
        Ok(Draft { kind: self.kind, name: self.name, text: self.text, image })
    }
}

impl Draft {
    /// What its picture is, if it must have one.
    fn picture(&self) -> Result<Option<Picture>, Failure> {
        match (self.kind, &self.image) {
            (MaterialKind::Banner, Some(image)) => {
                let read = Picture::read(image).map_err(|error| Failure::unprocessable("/image", error));
                read.map(Some)
            }
            (MaterialKind::Banner, None) => Err(Failure::unprocessable("/image", "a banner needs a picture")),
            (_, Some(_)) => Err(Failure::unprocessable("/image", "only a banner has a picture")),
            (_, None) if self.text.as_str().contains(LINK) => Ok(None),
            (_, None) => {
                let detail = "it must hold {link} where the partner's link is to stand";
                Err(Failure::unprocessable("/text", detail))
            }
        }
    }
}

/// Give the partners of a campaign something to advertise with: a banner, a text or a letter.
#[utoipa::path(post, path = "/campaigns/{id}/materials", tag = "materials", params(("id" = CampaignId, Path)),
    request_body = NewMaterial,
    responses((status = 201, description = "The material, without its picture's bytes.", body = Material)),
    security(("key" = ["campaigns:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<CampaignId>,
    once: Once<NewMaterial>,
) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    let material = make(&app, &mut effect, id, new.read()?).await?;
    effect.answer(StatusCode::CREATED, &material).await
}

/// Adds a material to a campaign, or says what does not fit.
pub(crate) async fn make(
    app: &App,
    tx: &mut PgConnection,
    campaign: CampaignId,
    draft: Draft,
) -> Result<Material, Failure> {
    // One at a time, so that no campaign has more than there may be.
    store::campaigns::lock(tx, campaign).await?.ok_or_else(|| Failure::not_found(campaign))?;
    let picture = draft.picture()?;
    if IN_USE_MAX <= store::materials::in_use(tx, campaign).await? {
        let detail = format!("{campaign} has {IN_USE_MAX} materials already; retire one first");
        return Err(Failure::conflict("too_many_materials", detail));
    }
    let id = MaterialId::new(&app.clock, &app.chance);
    let material = Material {
        id,
        campaign_id: campaign,
        kind: draft.kind,
        name: draft.name.into(),
        text: draft.text.into(),
        image_url: picture.map(|_| image_path(id)),
        image_type: picture.map(|picture| picture.written_in),
        width: picture.map(|picture| picture.width),
        height: picture.map(|picture| picture.height),
        created_at: app.clock.now(),
    };
    store::materials::insert(tx, &material, draft.image.as_deref()).await?;
    Ok(material)
}

/// List what a campaign gives its partners to advertise with. An affiliate's own key sees campaigns that it may see.
#[utoipa::path(get, path = "/campaigns/{id}/materials", tag = "materials", params(("id" = CampaignId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Material>)),
    security(("key" = ["campaigns:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    listing: Listing<Unfiltered, MaterialId>,
) -> Result<Json<Page<Material>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::campaigns::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let wanted = Wanted { campaign: Some(id), after: listing.after, ..Wanted::default() };
    let found = store::materials::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(found, |one| one.id)))
}

/// Retire a material: partners find it no more, and those who show its picture go on showing it.
#[utoipa::path(delete, path = "/materials/{id}", tag = "materials", params(("id" = MaterialId, Path)),
    responses((status = 200, description = "The material as it was.", body = Material)),
    security(("key" = ["campaigns:write"])))]
async fn retire(app: State<App>, Id(id): Id<MaterialId>) -> Result<Json<Material>, Failure> {
    let mut tx = app.begin().await?;
    let material = no_more(&app, &mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(material))
}

/// Takes a material that is in use out of all lists.
pub(crate) async fn no_more(app: &App, tx: &mut PgConnection, id: MaterialId) -> Result<Material, Failure> {
    let wanted = Wanted { id: Some(id), ..Wanted::default() };
    let found = store::materials::list(tx, &wanted, 1).await?.pop();
    let material = found.ok_or_else(|| Failure::not_found(id))?;
    if !store::materials::retire(tx, id, app.clock.now()).await? {
        return Err(Failure::not_found(id));
    }
    Ok(material)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::{Value, json};

    use crate::{api::testing::Api, pages::testing::banner};

    #[tokio::test]
    async fn a_material_is_added_listed_and_retired() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/campaigns/{campaign}/materials");
        let new = json!({"kind": "banner", "name": "Leaderboard", "text": "Spring", "image": STANDARD.encode(banner())});
        let made = api.post(&path, new).await;
        assert_eq!(made.status, 201, "{made}");
        let id = made.body["id"].as_str().unwrap().to_owned();
        assert_eq!(made.body["image_url"], format!("/materials/{id}"));
        let size = ["image_type", "width", "height"].map(|field| made.body[field].clone());
        assert_eq!(size, [json!("image/png"), json!(1), json!(1)]);
        assert!(made.body.get("image").is_none());
        let text = json!({"kind": "text", "name": "Short", "text": "Look: {link}"});
        assert_eq!(api.made(&path, text).await["image_url"], Value::Null);
        let hers = api.new_key(&["campaigns:read"], Some(ana)).await;
        assert_eq!(api.get_as(&hers, &path).await.column("name"), ["Short", "Leaderboard"]);
        let gone = format!("/api/v1/materials/{id}");
        assert_eq!(
            (api.delete(&gone).await.status.as_u16(), api.delete(&gone).await.status.as_u16()),
            (200, 404)
        );
        assert_eq!(api.get(&path).await.column("name"), ["Short"]);
        api.made(&format!("/api/v1/campaigns/{campaign}/pause"), json!({})).await;
        assert_eq!(api.get_as(&hers, &path).await.status, 404, "it takes no part in what is not open");
    }

    #[tokio::test]
    async fn what_nobody_can_use_is_refused() {
        let api = Api::start().await;
        let path = format!("/api/v1/campaigns/{}/materials", api.campaign().await);
        let check = async |change: Value| {
            let mut new = json!({"kind": "banner", "name": "Leaderboard", "text": "Spring"});
            new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            api.post(&path, new).await.problem()
        };
        let file = |bytes: &[u8]| json!({"image": STANDARD.encode(bytes)});
        insta::assert_snapshot!(check(json!({})).await, @"422 unprocessable:  [/image: a banner needs a picture]");
        insta::assert_snapshot!(check(json!({"image": "%"})).await, @"422 unprocessable:  [/image: it must be base64]");
        insta::assert_snapshot!(check(file(b"<svg xmlns='http://www.w3.org/2000/svg'/>")).await, @"422 unprocessable:  [/image: it must be a picture: PNG, JPEG, GIF or WebP]");
        insta::assert_snapshot!(check(file(&[0; 300 * 1024 + 1])).await, @"422 unprocessable:  [/image: it must be at most 300 KiB]");
        insta::assert_snapshot!(check(json!({"kind": "mail"})).await, @"422 unprocessable:  [/text: it must hold {link} where the partner's link is to stand]");
        let picture = json!({"kind": "text", "text": "{link}", "image": STANDARD.encode(banner())});
        insta::assert_snapshot!(check(picture).await, @"422 unprocessable:  [/image: only a banner has a picture]");
        insta::assert_snapshot!(check(json!({"image": "A".repeat(900 * 1024)})).await, @"413 too_large:");
    }

    #[tokio::test]
    async fn a_campaign_has_only_so_many_materials_at_once() {
        let api = Api::start().await;
        let path = format!("/api/v1/campaigns/{}/materials", api.campaign().await);
        let text = json!({"kind": "text", "name": "Short", "text": "{link}"});
        for _ in 0..100 {
            api.made(&path, text.clone()).await;
        }
        insta::assert_snapshot!(api.post(&path, text).await.problem(), @"409 too_many_materials: cmp_1 has 100 materials already; retire one first");
    }
}
