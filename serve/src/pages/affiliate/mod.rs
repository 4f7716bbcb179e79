//! An affiliate's pages: what is its own, and nothing of anybody else's.

mod balance;
pub mod campaigns;
mod connections;
pub mod conversions;
mod days;
mod holds;
mod links;
mod materials;
mod overview;
mod postbacks;
mod rates;
mod traffic;

use axum::{
    Router,
    routing::{get, post},
};

use super::{Pages, live};

pub use self::days::{PastDays, Trend, Whose, trend};

/// The pages of affiliates.
pub fn routes() -> Router<Pages> {
    Router::new()
        .route("/my", get(overview::show))
        .route(live::PATH, get(live::today))
        .route("/my/traffic", get(traffic::show))
        .route("/my/traffic.csv", get(traffic::export))
        .route("/my/conversions", get(conversions::list))
        .route("/my/conversions/{id}", get(conversions::one))
        .route("/my/conversions/{id}/appeal", post(holds::appeal))
        .route("/my/holds", get(holds::list))
        .route("/my/rates", get(rates::list))
        .route("/my/rates/{id}", get(rates::one))
        .route("/my/balance", get(balance::show))
        .route("/my/links", get(links::list).post(links::make))
        .route("/my/links/{id}", get(links::one))
        .route("/my/links/{id}/qr.svg", get(links::qr))
        .route("/my/connections", get(connections::show))
        .route("/my/connections/keys", post(connections::make_key))
        .route("/my/connections/keys/{id}/revoke", post(connections::revoke_key))
        .route("/my/connections/postbacks", post(connections::make_postback))
        .route("/my/postbacks/{id}", get(postbacks::show))
        .route("/my/postbacks/{id}/test", post(postbacks::test))
        .route("/my/postbacks/{id}/remove", post(postbacks::remove))
        .route("/my/campaigns", get(campaigns::show))
        .route("/my/campaigns/{id}/materials", get(materials::show))
        .route("/my/campaigns/{id}/join", post(campaigns::join))
        .route("/my/campaigns/{id}/dismiss", post(campaigns::dismiss))
}
