//! The lists that were served, place by place, with the chance of each and what came of it: `tributary-train match --log`
//! takes it as it is.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use domain::{AffiliateId, CampaignId, Currency, Money};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Query, malformed};
use crate::{
    api::{failure::Failure, gate::Caller, text::Day},
    app::App,
    store::recommendations::{self, LoggedPlace},
};

/// So many places are given at once.
const MOST: i64 = 200_000;
/// What came of a place within so many days counts, unless told.
const DAYS: u16 = 30;
const MOST_DAYS: u16 = 365;

/// The routes of this resource.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log))
}

/// What lists hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Campaigns for affiliates.
    #[default]
    Campaigns,
    /// Affiliates for campaigns.
    Affiliates,
}

/// Which part of the log is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogWanted {
    /// What the lists hold; campaigns, unless told.
    #[param(inline)]
    holds: Option<Holds>,
    /// Lists from this day on; the last thirty days, unless told.
    from: Option<Day>,
    /// Lists up to this day and with it.
    to: Option<Day>,
    /// What came of a place within so many days counts.
    #[param(minimum = 1, maximum = 365, default = 30)]
    days: Option<u16>,
}

/// Show the lists that were served as CSV, a row for each place: `user,item,propensity,value` as `tributary-train match --log`
/// takes them, and beside them `list_id`, `served_at`, `rank`, `score`, `explored`, `model`, `version`, `feedback`,
/// `conversions` and `currency`. The value is what was left of the pair's orders since, less commission.
#[utoipa::path(get, path = "/recommendations/log", tag = "recommendations", operation_id = "log", params(LogWanted),
    responses((status = 200, description = "A row for each place.", body = String, content_type = "text/csv")),
    security(("key" = ["matches:read"])))]
async fn log(app: State<App>, by: Caller, Query(wanted): Query<LogWanted>) -> Result<Response, Failure> {
    by.must_be_operator()?;
    let days = wanted.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(malformed("/days", format!("it must be a whole number from 1 to {MOST_DAYS}")));
    }
    let now = app.clock.now();
    let holds = wanted.holds.unwrap_or_default();
    let asked = recommendations::Asked {
        holds: match holds {
            Holds::Campaigns => "campaigns",
            Holds::Affiliates => "affiliates",
        },
        from: wanted.from.map_or_else(|| now - TimeDelta::days(i64::from(DAYS)), Day::start),
        to: wanted.to.map_or(now + TimeDelta::seconds(1), Day::end),
        days: i32::from(days),
        most: MOST + 1,
    };
    // What this process has served is in it, too.
    app.matching.journal.flush(&app.db).await;
    let places = recommendations::logged(&mut *app.db.acquire().await?, &asked).await?;
    if MOST < places.len() as i64 {
        let detail = format!("these are more than {MOST} places: ask for fewer days");
        return Err(malformed("/from", detail));
    }
    let head = "user,item,propensity,value,list_id,served_at,rank,score,explored,model,version,feedback,conversions,currency\n";
    let rows = places.iter().map(|place| row(place, holds));
    let text = rows.fold(head.to_owned(), |text, row| text + &row);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}

fn row(place: &LoggedPlace, holds: Holds) -> String {
    let affiliate = |id| AffiliateId::from(id).to_string();
    let campaign = |id| CampaignId::from(id).to_string();
    let (user, item) = match holds {
        Holds::Campaigns => (affiliate(place.for_id), campaign(place.id)),
        Holds::Affiliates => (campaign(place.for_id), affiliate(place.id)),
    };
    let currency = place.currency.as_deref().unwrap_or_default();
    let value = currency.parse::<Currency>().map_or_else(
        |_| "0".to_owned(),
        |currency| {
            let said = Money::new(place.value_minor, currency).to_string();
            said.split(' ').next().unwrap_or_default().to_owned()
        },
    );
    let or_nothing = |it: Option<String>| it.unwrap_or_default();
    let cells = [
        user,
        item,
        place.propensity.to_string(),
        value,
        place.list_id.to_string(),
        place.served_at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        place.place.to_string(),
        or_nothing(place.score.map(|it| it.to_string())),
        u8::from(place.explored).to_string(),
        place.model.clone(),
        or_nothing(place.model_version.map(|it| it.to_string())),
        or_nothing(place.feedback.clone()),
        place.conversions.to_string(),
        currency.to_owned(),
    ];
    cells.join(",") + "\n"
}
