//! What is going on today, as it happens, and how the last thirty days went.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Trend, Whose, trend};
use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        session::Visitor,
    },
    store,
};

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    status: Option<String>,
    clicks: String,
    conversions: String,
    earned: String,
    as_of: String,
    trend: Trend,
}

/// Today and thirty days.
pub async fn show(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    let (affiliate, now) = (by.affiliate()?, pages.app.clock.now());
    let since = by.reader.start_of(by.reader.day(now));
    let today = pages.live.listen(&pages.app.db, (affiliate, since)).await?.borrow().clone();
    let mut db = pages.app.db.acquire().await?;
    let trend = trend(&mut db, Whose::Affiliate(affiliate), &by.reader, now).await?;
    let known = store::affiliates::find(&mut db, affiliate, Some(affiliate)).await?.ok_or(Fault::NotFound)?;
    let status = super::campaigns::not_earning(known.status);
    let page = Page {
        frame: by.frame(Place::Overview),
        status,
        clicks: by.reader.number(today.clicks),
        conversions: by.reader.number(today.conversions),
        earned: amounts(&by.reader, &today.earned, "0"),
        as_of: by.reader.time(&now),
        trend,
    };
    Ok(rendered(&page))
}
