//! Rows in Postgres's binary form of COPY, which writes whole pages at once.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, postgres::PgCopyIn};
use uuid::Uuid;

/// Microseconds from the Unix epoch to Postgres's own, the year 2000.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// Begins every binary COPY: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: i16 = -1;
const NULL: i32 = -1;
/// How many bytes are sent at once.
const PART: usize = 256 * 1024;
/// Postgres's number for the type `text`.
const TEXT: i32 = 25;
/// Rows whose ids are no further apart than this are one run: 48 bits of an id are milliseconds, 80 are chance.
const RUN: u128 = 60_000 << 80;

/// Something on a link that has a table of its own.
pub(super) trait Row {
    /// The statement that takes its rows. No checker knows COPY, so its columns and [`Row::write`] must be kept alike;
    /// the last is when it was stored.
    const COPY: &'static str;
    /// How many columns that are.
    const COLUMNS: i16;
    /// What the list of batches calls it.
    const KIND: &'static str;

    /// The row's key.
    fn id(&self) -> Uuid;

    /// The link that counts it.
    fn link(&self) -> Uuid;

    /// Writes the columns but the last, in the order of the statement.
    fn write(&self, rows: &mut Rows);
}

/// Rows in the order of their ids, none of them twice.
pub(super) fn once_each<R: Row>(rows: &[R]) -> Vec<&R> {
    let mut arriving: Vec<&R> = rows.iter().collect();
    arriving.sort_unstable_by_key(|row| row.id());
    arriving.dedup_by_key(|row| row.id());
    arriving
}

/// Links, in one order for all trackers, and how many of the rows each of them counts.
pub(super) fn by_link<R: Row>(rows: &[&R]) -> (Vec<Uuid>, Vec<i64>) {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.link()).or_default() += 1;
    }
    counts.into_iter().unzip()
}

/// Copies rows, which are in the order of their ids, into their partitions, and notes where they are.
pub(super) async fn copy<R: Row>(
    db: &mut PgConnection,
    rows: &[&R],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut copy = db.copy_in_raw(R::COPY).await?;
    match send(&mut copy, rows, now.timestamp_micros()).await {
        Ok(()) => copy.finish().await?,
        Err(error) => return Err(copy.abort("the rows could not be sent").await.err().unwrap_or(error)),
    };
    note_runs(db, rows).await
}

/// Notes between which ids the rows lie: one run for most batches, and more when rows of long ago come along.
async fn note_runs<R: Row>(db: &mut PgConnection, rows: &[&R]) -> Result<(), sqlx::Error> {
    let runs = rows.chunk_by(|one, next| next.id().as_u128() - one.id().as_u128() <= RUN);
    let ends = runs.filter_map(|run| Some((run.first()?.id(), run.last()?.id())));
    let (first, last): (Vec<Uuid>, Vec<Uuid>) = ends.unzip();
    sqlx::query!(
        "INSERT INTO event_batches (kind, first_id, last_id)
         SELECT $1, first_id, last_id
         FROM unnest($2::uuid[], $3::uuid[]) AS runs (first_id, last_id)",
        R::KIND,
        &first,
        &last,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sends rows in parts, so that the database takes in one while the next is written.
async fn send<R: Row>(
    copy: &mut PgCopyIn<&mut PgConnection>,
    rows: &[&R],
    now_us: i64,
) -> Result<(), sqlx::Error> {
    let mut written = Rows(Vec::with_capacity(PART + 8_192));
    written.0.extend_from_slice(HEADER);
    for row in rows {
        written.0.extend_from_slice(&R::COLUMNS.to_be_bytes());
        row.write(&mut written);
        written.moment(now_us);
        if PART <= written.0.len() {
            copy.send(&written.0[..]).await?;
            written.0.clear();
        }
    }
    written.0.extend_from_slice(&END.to_be_bytes());
    copy.send(&written.0[..]).await?;
    Ok(())
}

/// Rows as they are sent.
pub(super) struct Rows(Vec<u8>);

impl Rows {
    pub(super) fn id(&mut self, id: Uuid) {
        self.bytes(id.as_bytes());
    }

    /// An id, or null.
    pub(super) fn id_if_any(&mut self, id: Option<Uuid>) {
        match id {
            Some(id) => self.id(id),
            None => self.0.extend_from_slice(&NULL.to_be_bytes()),
        }
    }

    pub(super) fn text_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.extend_from_slice(&NULL.to_be_bytes()),
        }
    }

    /// Yes or no, or null.
    pub(super) fn yes_or_null(&mut self, is_so: Option<bool>) {
        match is_so {
            Some(is_so) => self.bytes(&[u8::from(is_so)]),
            None => self.0.extend_from_slice(&NULL.to_be_bytes()),
        }
    }

    /// A moment, in microseconds since the Unix epoch.
    pub(super) fn moment(&mut self, at_us: i64) {
        self.bytes(&(at_us - POSTGRES_EPOCH_US).to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// A text array without the empty texts at its end.
    pub(super) fn texts(&mut self, texts: &[String]) {
        let length = texts.iter().rposition(|text| !text.is_empty()).map_or(0, |last| last + 1);
        let texts = &texts[..length];
        let begin = self.0.len();
        self.bytes(&[]);
        let dimensions = i32::from(!texts.is_empty());
        for number in [dimensions, 0, TEXT] {
            self.0.extend_from_slice(&number.to_be_bytes());
        }
        if !texts.is_empty() {
            for number in [length as i32, 1] {
                self.0.extend_from_slice(&number.to_be_bytes());
            }
        }
        for text in texts {
            self.text(text);
        }
        let bytes = (self.0.len() - begin - 4) as i32;
        self.0[begin..begin + 4].copy_from_slice(&bytes.to_be_bytes());
    }

    pub(super) fn network(&mut self, network: IpAddr) {
        const IS_CIDR: u8 = 1;
        match network {
            IpAddr::V4(four) => self.bytes(&[&[2, 24, IS_CIDR, 4][..], &four.octets()].concat()),
            IpAddr::V6(six) => self.bytes(&[&[3, 48, IS_CIDR, 16][..], &six.octets()].concat()),
        }
    }
}
