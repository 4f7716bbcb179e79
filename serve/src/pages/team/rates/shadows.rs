//! What shadows decided about rates, and what that would have come to.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::TimeDelta;

use super::lines::Shadow;
use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        session::Visitor,
    },
    store::rate_shadows::{compared, results},
};

/// Over so many days shadows are looked at.
const DAYS: i64 = 30;

#[derive(Template)]
#[template(path = "rate_shadows.html")]
struct Page {
    frame: Frame,
    shadows: Vec<Shadow>,
}

/// The page. It looks at each conversion of these days, which takes longer than others may wait.
pub async fn show(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    by.must_be_team()?;
    let since = pages.app.clock.now() - TimeDelta::days(DAYS);
    let mut db = pages.app.db.acquire().await?;
    let (results, compared) = (results(&mut db, since).await?, compared(&mut db, since).await?);
    let shadows = results.into_iter().map(|one| Shadow::of(one, &compared, &by.reader)).collect();
    Ok(rendered(&Page { frame: by.frame(Place::Decisions), shadows }))
}
