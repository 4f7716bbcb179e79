//! Pictures of banners, as everybody's pages show them, and what pages of ours say of materials.

use axum::{
    extract::{Path, State},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use domain::{MaterialId, material::MaterialKind};
use url::Url;

use super::{Pages, fault::Fault, words::say};
use crate::store::{
    self,
    materials::{Material, image_path},
};

/// A picture that never changes.
const KEPT: &str = "public, max-age=31536000, immutable";
/// Pages of others show it.
const ANYWHERE: (HeaderName, &str) =
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");

/// A banner's picture as a page of ours shows it.
pub struct Preview {
    /// Where it is.
    pub src: String,
    /// How wide it is, in pixels.
    pub width: u16,
    /// How high it is, in pixels.
    pub height: u16,
}

/// The picture of a material that has one.
pub fn preview(material: &Material) -> Option<Preview> {
    let (width, height) = material.width.zip(material.height)?;
    Some(Preview { src: image_path(material.id), width, height })
}

/// Where pages of others find a banner's picture. The address is the operator's: what a request says of its host is
/// anybody's.
pub fn image_url(pages: &Url, id: MaterialId) -> String {
    format!("{}{}", pages.as_str().trim_end_matches('/'), image_path(id))
}

/// What a kind is called.
pub fn kind_name(kind: MaterialKind) -> String {
    match kind {
        MaterialKind::Banner => say("material-kind-banner"),
        MaterialKind::Text => say("material-kind-text"),
        MaterialKind::Mail => say("material-kind-mail"),
    }
}

/// A banner's picture, for everybody, and of a retired one too: pages that show it do not break.
pub async fn image(State(pages): State<Pages>, Path(id): Path<String>) -> Result<Response, Fault> {
    let id: MaterialId = id.parse().map_err(|_| Fault::NotFound)?;
    // Strangers' pages ask for the same few again and again, and are to keep nobody else from the database.
    let read = async {
        let mut db = pages.app.db.acquire().await?;
        store::materials::image(&mut db, id).await?.ok_or(Fault::NotFound)
    };
    let image = pages.pictures.get_or_insert_async(&id, read).await?;
    let headers = [(header::CONTENT_TYPE, image.written_in.name()), (header::CACHE_CONTROL, KEPT), ANYWHERE];
    Ok((headers, image.bytes).into_response())
}
