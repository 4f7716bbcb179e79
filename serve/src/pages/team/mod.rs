//! The team's pages: the program, its partners, who suits which campaign, what it is advertised with and who is credited
//! there, rates, what may be fraud, and models.

mod attribution;
mod campaigns;
mod fraud;
mod materials;
mod models;
mod partners;
mod program;
mod rates;

use axum::{
    Router,
    routing::{get, post},
};

use super::Pages;

/// The pages of the team.
pub fn routes() -> Router<Pages> {
    Router::new()
        .merge(fraud::routes())
        .route("/team", get(program::show))
        .route("/team/partners", get(partners::list))
        .route("/team/partners/{id}", get(partners::one))
        .route("/team/campaigns", get(campaigns::list))
        .route("/team/campaigns/{id}", get(campaigns::one))
        .route("/team/campaigns/{id}/say", post(campaigns::say_of_pair))
        .route("/team/campaigns/{id}/attribution", get(attribution::show))
        .route("/team/campaigns/{id}/attribution.csv", get(attribution::export))
        .route("/team/campaigns/{id}/materials", get(materials::show).post(materials::add))
        .route("/team/materials/{id}/retire", post(materials::retire))
        .route("/team/rates", get(rates::show))
        .route("/team/rates/decisions", get(rates::decisions::list))
        .route("/team/rates/shadows", get(rates::shadows::show))
        .route("/team/rates/approve", post(rates::approve))
        .route("/team/models", get(models::list))
        .route("/team/models/{name}", get(models::one))
        .route("/team/models/{name}/promote", post(models::promote))
        .route("/team/models/{name}/rollback", post(models::roll_back))
}
