//! Where clicks come from and what they bring, on screen and as a file.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use domain::Money;
use serde::Deserialize;

use crate::{
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        live::amounts,
        session::Visitor,
        sheet::{harmless, saved},
        span::Span,
        words::{say, tell},
    },
    store::{self, traffic::By},
};

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
    span: Span,
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
        let span = Span::read((self.from.as_deref(), self.to.as_deref()), &visitor.reader, now);
        let name = self.by.as_deref().unwrap_or("campaign");
        let by = match name {
            "page" => By::Page,
            "material" => By::Material,
            name => match name.strip_prefix("sub").and_then(|number| number.parse().ok()) {
                Some(number @ 1..=10) => By::Sub(number),
                _ => By::Campaign,
            },
        };
        Wanted { by, by_name: asked_as(by), span }
    }
}

/// How the form asks for it.
fn asked_as(by: By) -> String {
    match by {
        By::Campaign => "campaign".to_owned(),
        By::Page => "page".to_owned(),
        By::Material => "material".to_owned(),
        By::Sub(number) => format!("sub{number}"),
    }
}

fn name_of(by: By) -> String {
    match by {
        By::Campaign => say("traffic-by-campaign"),
        By::Page => say("traffic-by-page"),
        By::Material => say("traffic-by-material"),
        By::Sub(number) => tell("traffic-by-sub", &[("number", &number.to_string())]),
    }
}

async fn rows(pages: &Pages, visitor: &Visitor, wanted: &Wanted) -> Result<Vec<(String, Row)>, Fault> {
    let affiliate = visitor.affiliate()?;
    let span = wanted.span.moments(&visitor.reader);
    let mut db = pages.app.db.acquire().await?;
    let named = match wanted.by {
        By::Material => store::materials::of_affiliate(&mut db, affiliate).await?,
        By::Campaign | By::Page | By::Sub(_) => Vec::new(),
    };
    let names: BTreeMap<_, _> = named.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
    let materials: Vec<_> = names.keys().cloned().collect();
    let places = store::traffic::from_places(&mut db, affiliate, (wanted.by, &materials), span).await?;
    let mut rows = BTreeMap::<String, Row>::new();
    for found in places {
        let place = match names.get(&found.place) {
            Some(name) => format!("{name} ({})", found.place),
            None => found.place,
        };
        let row = rows.entry(place).or_default();
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
    let all = [By::Campaign, By::Page, By::Material].into_iter().chain((1..=10).map(By::Sub));
    let choices =
        all.map(|one| Choice { value: asked_as(one), name: name_of(one), is_chosen: one == wanted.by });
    let page = Page {
        frame: by.frame(Place::Traffic),
        choices: choices.collect(),
        from: wanted.span.from.to_string(),
        to: wanted.span.to.to_string(),
        by: name_of(wanted.by),
        lines,
        more: (left != 0).then(|| tell("traffic-more", &[("count", &left.to_string())])),
        export: format!("/my/traffic.csv?by={}&{}", wanted.by_name, wanted.span.query()),
        fault: wanted.span.fault,
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
    let mut wanted = asked.read(&by, pages.app.clock.now());
    // Whoever keeps a file would not see that it is of other days.
    if let Some(fault) = wanted.span.fault.take() {
        return Err(Fault::Form(fault));
    }
    let rows = rows(&pages, &by, &wanted).await?;
    let head = [wanted.by_name.as_str(), "clicks", "conversions", "commission", "currency"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for (place, row) in rows {
        let line = |(clicks, conversions): (i64, i64), (value, currency): (String, &str)| {
            vec![harmless(&place), clicks.to_string(), conversions.to_string(), value, currency.to_owned()]
        };
        let mut amounts = row.earned.iter().map(|amount| {
            (domain::money::decimal(amount.minor.into(), amount.currency), amount.currency.code())
        });
        lines.push(line((row.clicks, row.conversions), amounts.next().unwrap_or_default()));
        // Clicks stand in one line of a place only, so that they sum to what there were.
        lines.extend(amounts.map(|amount| line((0, 0), amount)));
    }
    saved(&format!("traffic-{}-{}", wanted.span.from, wanted.span.to), &lines)
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
