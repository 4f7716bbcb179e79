//! Where clicks come from and what they bring, on screen and as a file.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::Money;
use serde::Deserialize;

use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        session::Visitor,
        words::{say, tell},
    },
    store::{self, traffic::By},
};

/// Nobody reads more days at once.
const MOST_DAYS: i64 = 400;
/// So many lines stand on a page; the file has all of them.
const MOST_LINES: usize = 200;

/// What is asked for, as the form says it.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    by: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// The same, read.
struct Wanted {
    by: By,
    by_name: String,
    from: NaiveDate,
    to: NaiveDate,
    fault: Option<String>,
}

/// What came from one place.
#[derive(Debug, Default)]
struct Row {
    clicks: i64,
    conversions: i64,
    earned: Vec<Money>,
}

struct Line {
    place: String,
    clicks: String,
    conversions: String,
    rate: String,
    earned: String,
}

struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "traffic.html")]
struct Page {
    frame: Frame,
    choices: Vec<Choice>,
    from: String,
    to: String,
    fault: Option<String>,
    by: String,
    lines: Vec<Line>,
    more: Option<String>,
    export: String,
}

impl Asked {
    fn read(&self, visitor: &Visitor, now: DateTime<Utc>) -> Wanted {
        let today = visitor.reader.day(now);
        let month = today.checked_sub_days(Days::new(29)).unwrap_or(today);
        let day = |text: &Option<String>, otherwise| match text.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => text.parse().map_err(|_| tell("traffic-no-day", &[("text", text)])),
            None => Ok(otherwise),
        };
        let span = day(&self.from, month).and_then(|from| Ok((from, day(&self.to, today)?)));
        let span = span.and_then(|(from, to): (NaiveDate, NaiveDate)| match (to - from).num_days() {
            days if days < 0 => Err(say("traffic-backwards")),
            days if MOST_DAYS <= days => Err(say("traffic-too-long")),
            _ => Ok((from, to)),
        });
        let ((from, to), fault) =
            span.map_or_else(|fault| ((month, today), Some(fault)), |span| (span, None));
        let name = self.by.as_deref().unwrap_or("campaign");
        let by = match name {
            "page" => By::Page,
            name => match name.strip_prefix("sub").and_then(|number| number.parse().ok()) {
                Some(number @ 1..=10) => By::Sub(number),
                _ => By::Campaign,
            },
        };
        let by_name = match by {
            By::Campaign => "campaign".to_owned(),
            By::Page => "page".to_owned(),
            By::Sub(number) => format!("sub{number}"),
        };
        Wanted { by, by_name, from, to, fault }
    }
}

fn name_of(by: By) -> String {
    match by {
        By::Campaign => say("traffic-by-campaign"),
        By::Page => say("traffic-by-page"),
        By::Sub(number) => tell("traffic-by-sub", &[("number", &number.to_string())]),
    }
}

async fn rows(pages: &Pages, visitor: &Visitor, wanted: &Wanted) -> Result<Vec<(String, Row)>, Fault> {
    let affiliate = visitor.affiliate()?;
    let span = (visitor.reader.start_of(wanted.from), visitor.reader.end_of(wanted.to));
    let mut db = pages.app.db.acquire().await?;
    let mut rows = BTreeMap::<String, Row>::new();
    for found in store::traffic::from_places(&mut db, affiliate, wanted.by, span).await? {
        let row = rows.entry(found.place).or_default();
        row.clicks += found.clicks;
        row.conversions += found.conversions;
        let currency = found.currency.and_then(|currency| currency.parse().ok());
        row.earned.extend(currency.map(|currency| Money::new(found.minor, currency)));
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| {
        (other.clicks, other.conversions).cmp(&(one.clicks, one.conversions))
    });
    Ok(rows)
}

/// The table.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let wanted = asked.read(&by, pages.app.clock.now());
    let rows = rows(&pages, &by, &wanted).await?;
    let line = |(place, row): &(String, Row)| Line {
        place: if place.is_empty() { say("traffic-none") } else { place.clone() },
        clicks: by.reader.number(row.clicks),
        conversions: by.reader.number(row.conversions),
        rate: of(row.conversions, row.clicks).map_or("–".to_owned(), |rate| by.reader.rate(&rate)),
        earned: amounts(&by.reader, &row.earned, "–"),
    };
    let lines: Vec<_> = rows.iter().take(MOST_LINES).map(line).collect();
    let left = rows.len() - lines.len();
    let choices = [By::Campaign, By::Page].into_iter().chain((1..=10).map(By::Sub)).map(|one| Choice {
        value: match one {
            By::Campaign => "campaign".to_owned(),
            By::Page => "page".to_owned(),
            By::Sub(number) => format!("sub{number}"),
        },
        name: name_of(one),
        is_chosen: one == wanted.by,
    });
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("by", &wanted.by_name);
    query.append_pair("from", &wanted.from.to_string()).append_pair("to", &wanted.to.to_string());
    let page = Page {
        frame: by.frame(Place::Traffic),
        choices: choices.collect(),
        from: wanted.from.to_string(),
        to: wanted.to.to_string(),
        fault: wanted.fault,
        by: name_of(wanted.by),
        lines,
        more: (left != 0).then(|| tell("traffic-more", &[("count", &left.to_string())])),
        export: format!("/my/traffic.csv?{}", query.finish()),
    };
    Ok(rendered(&page))
}

/// How many of the clicks converted, where not more did than there were.
fn of(conversions: i64, clicks: i64) -> Option<domain::Rate> {
    // To the nearest hundredth of a percent.
    let hundredths =
        conversions.checked_mul(20_000)?.checked_add(clicks)?.checked_div(clicks.checked_mul(2)?)?;
    let rounded = hundredths * 100;
    u32::try_from(rounded).ok().filter(|ppm| *ppm <= 1_000_000).map(|ppm| domain::Rate { ppm })
}

/// The file: a line for each place and currency.
pub async fn export(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let wanted = asked.read(&by, pages.app.clock.now());
    let rows = rows(&pages, &by, &wanted).await?;
    let broken = |error: csv::Error| Fault::Failed(crate::api::failure::Failure::Broken(error.into()));
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record([wanted.by_name.as_str(), "clicks", "conversions", "commission", "currency"])
        .map_err(broken)?;
    for (place, row) in rows {
        let counted = (row.clicks.to_string(), row.conversions.to_string());
        let mut write = |clicks: &str, conversions: &str, value: &str, currency: &str| {
            file.write_record([&harmless(&place), clicks, conversions, value, currency]).map_err(broken)
        };
        let mut amounts = row.earned.iter();
        let value = |amount: &Money| domain::money::decimal(amount.minor.into(), amount.currency);
        match amounts.next() {
            Some(amount) => write(&counted.0, &counted.1, &value(amount), amount.currency.code())?,
            None => write(&counted.0, &counted.1, "", "")?,
        }
        // Clicks stand in one line of a place only, so that they sum to what there were.
        amounts.try_for_each(|amount| write("0", "0", &value(amount), amount.currency.code()))?;
    }
    let file = file.into_inner().map_err(|error| broken(error.into_error().into()))?;
    let name = format!("attachment; filename=\"traffic-{}-{}.csv\"", wanted.from, wanted.to);
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, file).into_response())
}

/// A sub-id is whatever a visitor's URL said: spreadsheets must not take it for a formula.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn shares_are_rounded_to_the_nearest_hundredth_of_a_percent() {
        let written = |conversions, clicks| of(conversions, clicks).map(|rate| rate.to_string());
        assert_eq!(written(2, 3).as_deref(), Some("66.67%"));
        assert_eq!(written(6, 14).as_deref(), Some("42.86%"));
        assert_eq!(written(1, 3).as_deref(), Some("33.33%"));
        assert_eq!((written(5, 5).as_deref(), written(0, 9).as_deref()), (Some("100%"), Some("0%")));
        assert_eq!((written(1, 0), written(3, 2)), (None, None));
    }
}
