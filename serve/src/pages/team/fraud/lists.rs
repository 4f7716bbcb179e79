//! The lists that rules ask, and a change of them: seen on the past before it counts.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::fraud::{Entry, ListKind, Lists};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    Choice,
    change::{self, Foreseen},
    rules::Asked,
    sentence,
};
use crate::{
    api::fraud_settings as api,
    pages::{
        Pages,
        fault::Fault,
        frame::{Frame, Place, rendered},
        reader::Reader,
        role::Role,
        session::{Posted, Visitor},
        words::{say, tell},
    },
};

/// An entry of a list.
pub struct Listed {
    pub kind: &'static str,
    pub list: String,
    pub value: String,
    pub reason: String,
    pub until: String,
}

/// What a list is called.
fn called(list: ListKind) -> String {
    sentence(&list.name().replace('_', " "))
}

/// The last day of an entry, or the moment where it ends within one.
fn until(at: DateTime<Utc>, reader: &Reader) -> String {
    let last = reader.day(at - TimeDelta::microseconds(1));
    if reader.end_of(last) == at { last.to_string() } else { reader.time(&at) }
}

/// The entries of all lists.
pub fn listed(lists: &Lists, reader: &Reader) -> Vec<Listed> {
    let entries = lists.entries().iter();
    let listed = entries.map(|entry| Listed {
        kind: entry.list.name(),
        list: called(entry.list),
        value: entry.value.clone(),
        reason: entry.reason.clone(),
        until: entry.expires_at.map_or_else(|| say("list-for-good"), |at| until(at, reader)),
    });
    listed.collect()
}

/// Whether an entry comes or goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    #[default]
    Add,
    Remove,
}

/// A form of the lists, filled in.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    act: Act,
    list: String,
    value: String,
    reason: String,
    until: String,
    note: String,
    step: String,
    replaces: i32,
}

impl Form {
    /// The lists with the change, or what is wrong with it.
    fn changed(&self, lists: &Lists, (reader, now): (&Reader, DateTime<Utc>)) -> Result<Lists, String> {
        let list: ListKind = self.list.parse().map_err(|_| say("list-which"))?;
        let mut entries = lists.entries().to_vec();
        let count = entries.len();
        match self.act {
            Act::Remove => {
                entries.retain(|entry| entry.list != list || entry.value != self.value);
                if entries.len() == count {
                    return Err(tell("list-gone", &[("value", &self.value)]));
                }
            }
            Act::Add => {
                let day = |text: &str| {
                    text.parse::<NaiveDate>().map_err(|_| tell("traffic-no-day", &[("text", text)]))
                };
                let until = Some(self.until.as_str()).filter(|text| !text.is_empty()).map(day).transpose()?;
                if let Some(day) = until.filter(|day| *day < reader.day(now)) {
                    return Err(tell("list-over", &[("day", &day.to_string())]));
                }
                let expires_at = until.map(|day| reader.end_of(day));
                let (value, reason) = (self.value.trim().to_owned(), self.reason.clone());
                entries.push(Entry { list, value, reason, expires_at });
            }
        }
        Lists::try_from(entries).map_err(|error| error.to_string())
    }
}

#[derive(Template)]
#[template(path = "lists.html")]
struct ListsPage {
    frame: Frame,
    listed: Vec<Listed>,
    kinds: Vec<Choice>,
    form: Form,
    is_removal: bool,
    faults: Vec<String>,
    foreseen: Option<Foreseen>,
    may_change: bool,
}

/// The lists.
pub async fn show(
    State(pages): State<Pages>,
    by: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    by.must_be_team()?;
    let mut db = pages.app.db.acquire().await?;
    let done = (asked.done == "saved").then(|| say("rule-saved"));
    let replaces = api::newest(&mut db).await?.version;
    page(&mut db, &by, Form { replaces, ..Form::default() }, (Vec::new(), None, done)).await
}

async fn page(
    db: &mut PgConnection,
    by: &Visitor,
    form: Form,
    (faults, foreseen, done): (Vec<String>, Option<Foreseen>, Option<String>),
) -> Result<Response, Fault> {
    let settings = api::newest(db).await?.settings;
    let kinds = ListKind::ALL.iter().map(|list| Choice {
        value: list.name().to_owned(),
        name: called(*list),
        is_chosen: list.name() == form.list,
    });
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = ListsPage {
        frame: by.frame(Place::Rules).done(done),
        listed: listed(&settings.rules.lists, &by.reader),
        kinds: kinds.collect(),
        is_removal: form.act == Act::Remove,
        form,
        faults,
        foreseen,
        may_change: by.user.role.reviews_fraud(),
    };
    Ok((status, rendered(&page)).into_response())
}

/// Previews a change of a list, and saves it once that was seen.
pub async fn post(State(pages): State<Pages>, posted: Posted<Form>) -> Result<Response, Fault> {
    let Posted { by, form } = posted;
    by.must(Role::reviews_fraud)?;
    let mut tx = pages.app.begin().await?;
    let mut settings = match change::newest(&mut tx, form.replaces).await? {
        Ok((_, settings)) => settings,
        Err((faults, replaces)) => {
            return page(&mut tx, &by, Form { replaces, ..form }, (faults, None, None)).await;
        }
    };
    settings.rules.lists = match form.changed(&settings.rules.lists, (&by.reader, pages.app.clock.now())) {
        Ok(lists) => lists,
        Err(fault) => return page(&mut tx, &by, form, (vec![fault], None, None)).await,
    };
    if form.step == "save" {
        let (subject, note) = (form.list.clone(), form.note.clone());
        let new = (form.replaces, settings, note.as_str());
        return match change::save(&pages, &mut tx, &by, new, ("list.changed", &subject)).await? {
            Ok(in_force) => {
                change::commit(&pages, tx, in_force).await?;
                Ok(Redirect::to("/team/lists?done=saved").into_response())
            }
            Err(faults) => page(&mut tx, &by, form, (faults, None, None)).await,
        };
    }
    match change::preview(&mut tx, &pages.app, &settings, &by.reader).await? {
        Ok(foreseen) => page(&mut tx, &by, form, (Vec::new(), Some(foreseen), None)).await,
        Err(faults) => page(&mut tx, &by, form, (faults, None, None)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_shows_its_last_day_or_the_moment_within_one() {
        let reader = Reader::new(None, "Europe/Berlin", None);
        let until = |text: &str| until(text.parse().unwrap(), &reader);
        assert_eq!(until("2026-02-28T23:00:00Z"), "2026-02-28");
        assert_eq!(until("2026-02-28T22:59:59Z"), "2026-02-28 23:59");
        assert_eq!(until("2026-03-01T00:00:00Z"), "2026-03-01 01:00");
    }
}
