//! A change of how fraud is decided: made from the version in force, seen on the past, and written with why.

use sqlx::{PgConnection, Postgres, Transaction};

use super::why;
use crate::{
    api::{
        failure::Failure,
        fraud_settings::{self as api, FraudSettingsVersion, NewFraudSettings, SettingsPreview},
        text::Note,
    },
    app::App,
    pages::{
        Pages,
        fault::{Fault, sentences},
        reader::Reader,
        session::Visitor,
        words::{say, tell},
    },
    scoring::settings::{FraudSettings, InForce},
    store,
};

/// How many conversions a reason gains and loses.
pub struct Moved {
    pub why: String,
    pub more: String,
    pub fewer: String,
}

/// What a change would have done.
pub struct Foreseen {
    pub words: String,
    pub moved: Vec<Moved>,
    pub flagged: Vec<String>,
    pub spared: Vec<String>,
}

/// What stood against a change, and which version is in force.
pub type Refused = (Vec<String>, i32);

/// The settings in force, where they are those that a change was made from.
pub async fn newest(
    db: &mut PgConnection,
    replaces: i32,
) -> Result<Result<(i32, FraudSettings), Refused>, Fault> {
    let FraudSettingsVersion { version, settings, note, .. } = api::newest(db).await?;
    if version != replaces {
        let told = tell("rule-stale", &[("version", &version.to_string()), ("note", &note)]);
        return Ok(Err((vec![told], version)));
    }
    Ok(Ok((version, settings)))
}

/// What settings would have done, or what is wrong with them.
pub async fn preview(
    db: &mut PgConnection,
    app: &App,
    settings: &FraudSettings,
    reader: &Reader,
) -> Result<Result<Foreseen, Vec<String>>, Fault> {
    match api::foreseen(db, app, settings).await {
        Ok(preview) => Ok(Ok(foreseen(preview, reader))),
        Err(failure) => told(failure).map(Err),
    }
}

/// Writes settings with why, and what was done into the audit log; what is in force once that is committed.
pub async fn save(
    pages: &Pages,
    db: &mut PgConnection,
    by: &Visitor,
    (replaces, settings, note): (i32, FraudSettings, &str),
    (action, subject): (&'static str, &str),
) -> Result<Result<InForce, Vec<String>>, Fault> {
    let note: Note = match note.parse() {
        Ok(note) => note,
        Err(error) => {
            let told = [("field", &*say("rule-note")), ("detail", &format!("{error}"))];
            return Ok(Err(vec![tell("form-fault", &told)]));
        }
    };
    let new = NewFraudSettings { replaces, settings, note: Some(note) };
    let (written, in_force) = match api::write(db, new, by.actor(), pages.app.clock.now()).await {
        Ok(written) => written,
        Err(failure) => return told(failure).map(Err),
    };
    store::audit::note(db, &by.deed(pages, action, (subject, &written.version.to_string()))).await?;
    Ok(Ok(in_force))
}

/// Commits what was written, and decides by it here at once.
pub async fn commit(
    pages: &Pages,
    tx: Transaction<'static, Postgres>,
    in_force: InForce,
) -> Result<(), Fault> {
    tx.commit().await?;
    pages.app.scorer.put_in_force(in_force);
    Ok(())
}

/// What a refusal says, or the failure itself.
fn told(failure: Failure) -> Result<Vec<String>, Fault> {
    match sentences(&failure) {
        Some(told) => Ok(told.into_iter().map(|(_, detail)| detail).collect()),
        None => Err(failure.into()),
    }
}

fn foreseen(preview: SettingsPreview, reader: &Reader) -> Foreseen {
    let number = |count: u64| reader.number(i64::try_from(count).unwrap_or(i64::MAX));
    let many = |count: usize| reader.number(i64::try_from(count).unwrap_or(i64::MAX));
    let values = [
        ("looked", number(preview.looked_at)),
        ("flagged", many(preview.flagged)),
        ("approved", number(preview.flagged_approved)),
        ("spared", many(preview.spared)),
        ("rejected", number(preview.spared_rejected)),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let moved = preview.by_reason.iter().map(|(code, (more, fewer))| Moved {
        why: why(code),
        more: number(*more),
        fewer: number(*fewer),
    });
    Foreseen {
        words: tell("rule-foreseen", &values),
        moved: moved.collect(),
        flagged: preview.flagged_conversions.iter().map(ToString::to_string).collect(),
        spared: preview.spared_conversions.iter().map(ToString::to_string).collect(),
    }
}
