//! What people found, for training and for whoever audits it; the event lake has the same as reviews.

use axum::{Json, extract::State};
use domain::{ConversionId, EventId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
};
use crate::{
    app::App,
    store::case_labels::{self, CaseLabel},
};

/// The routes of labels.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(labels))
}

/// Which labels to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LabelFilter {
    /// Only of this conversion.
    #[param(required = false, value_type = ConversionId)]
    conversion_id: Option<ConversionId>,
}

/// List what people found of conversions; of several labels of one, the newest counts.
#[utoipa::path(get, path = "/cases/labels", tag = "cases", params(Paging, LabelFilter),
    responses((status = 200, description = "One page.", body = Page<CaseLabel>)),
    security(("key" = ["fraud:read"])))]
async fn labels(
    app: State<App>,
    by: Caller,
    listing: Listing<LabelFilter, EventId>,
) -> Result<Json<Page<CaseLabel>>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    let conversion = listing.filter.conversion_id;
    let labels = case_labels::list(&mut db, conversion, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(labels, |label| label.id)))
}
