//! One way through what a table stored since the last: page by page, each taken for good before it is noted.

use std::str::FromStr;

use anyhow::{Context, anyhow};
use domain::event::{Event, Known};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Taker;
use crate::store::lake::{MEMORY, moment};

/// How far the passages through a table came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Which database the numbers are of.
    database: String,
    /// All that transactions before this one stored is taken; none while that is nothing.
    before: Option<i64>,
    /// The way that is not at its end.
    under_way: Option<UnderWay>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct UnderWay {
    /// What transactions from this one on stored is for the next way.
    until: i64,
    /// The last that was taken.
    after: Option<String>,
}

/// One way through a table.
pub(super) struct Passage<'a, T> {
    taker: &'a mut T,
    table: &'static str,
    note: Note,
    until: i64,
    given: u64,
}

impl<'a, T: Taker> Passage<'a, T> {
    /// Takes up the way that was interrupted, or begins the next one.
    pub(super) async fn begin(
        db: &mut PgConnection,
        taker: &'a mut T,
        table: &'static str,
    ) -> anyhow::Result<Self> {
        let now = moment(db).await?;
        let text = taker.note(table)?.unwrap_or_else(|| "{\"database\": \"\"}".to_owned());
        let place = || format!("{}: take it away, and everything is taken again", taker.place(table));
        let mut note: Note = serde_json::from_str(&text).with_context(place)?;
        // A copy of a database counts its transactions anew, and one that has been left alone for long has forgotten.
        let is_of_another =
            note.database != now.database || note.before.is_some_and(|before| now.oldest_open < before);
        let is_forgotten = note.before.is_some_and(|before| before < now.oldest_open - MEMORY);
        if is_of_another || is_forgotten {
            if note.before.is_some() {
                tracing::warn!(
                    table,
                    "everything stored of {table} is taken again: what was taken is of another database, or too long ago"
                );
            }
            note = Note { database: now.database, ..Note::default() };
        }
        let until = note.under_way.as_ref().map_or(now.oldest_open, |way| way.until);
        Ok(Self { taker, table, note, until, given: 0 })
    }

    /// The transactions whose work it is about, from one and until before another; none when it is about everything
    /// that there is.
    pub(super) fn transactions(&self) -> Option<(i64, i64)> {
        self.note.before.map(|before| (before, self.until))
    }

    /// The last that was taken, if the way goes on.
    pub(super) fn after<K: FromStr>(&self) -> anyhow::Result<Option<K>> {
        let after = self.note.under_way.as_ref().and_then(|way| way.after.as_deref());
        let wrong = |text: &str| anyhow!("{} names {text:?}: take it away", self.taker.place(self.table));
        after.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }

    /// Gives a page of events, the last of them made from `after`.
    pub(super) async fn give(&mut self, events: Vec<Known<Event>>, after: String) -> anyhow::Result<()> {
        self.given += events.len() as u64;
        self.taker.take(events).await?;
        self.note.under_way = Some(UnderWay { until: self.until, after: Some(after) });
        self.keep_note().await
    }

    /// Ends the way; says how many events were given.
    pub(super) async fn end(mut self) -> anyhow::Result<u64> {
        let is_news = self.note.before != Some(self.until) || self.note.under_way.is_some();
        self.note = Note { before: Some(self.until), under_way: None, ..self.note };
        if is_news {
            self.keep_note().await?;
        }
        Ok(self.given)
    }

    async fn keep_note(&mut self) -> anyhow::Result<()> {
        self.taker.keep_note(self.table, serde_json::to_string(&self.note)?).await
    }
}
