//! How the program goes: thirty days, what waits, and whom it owes.

use askama::Template;
use axum::{extract::State, response::Response};

use super::partners::{Line, lines};
use crate::{
    pages::{
        Pages,
        affiliate::{Trend, Whose, trend},
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::{amounts, sum},
        session::Visitor,
    },
    store,
};

/// So many partners stand on the overview.
const BEST: i64 = 10;

#[derive(Template)]
#[template(path = "program.html")]
struct Page {
    frame: Frame,
    affiliates: String,
    pending: String,
    campaigns: String,
    held: String,
    owed: String,
    trend: Trend,
    best: Vec<Line>,
}

/// The overview.
pub async fn show(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    by.must_be_team()?;
    let now = pages.app.clock.now();
    let mut db = pages.app.db.acquire().await?;
    let counted = store::program::program(&mut db).await?;
    let trend = trend(&mut db, Whose::Program(&pages.past), &by.reader, now).await?;
    let best = lines(&mut db, &by, (None, None), (now, BEST)).await?;
    let owed: Vec<_> = counted.owed.iter().filter_map(|text| sum(text)).collect();
    let page = Page {
        frame: by.frame(Place::Program),
        affiliates: by.reader.number(counted.affiliates),
        pending: by.reader.number(counted.pending),
        campaigns: by.reader.number(counted.campaigns),
        held: by.reader.number(counted.held),
        owed: amounts(&by.reader, &owed, "0"),
        trend,
        best,
    };
    Ok(rendered(&page))
}
