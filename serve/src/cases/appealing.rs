//! A partner answers once about a conversion that was held or turned down, and somebody decides about it by a deadline.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, ConversionId,
    conversion::ConversionStatus,
    fraud::cases::{Actor, ActorKind, CaseSettings, CaseState},
};
use serde_json::json;
use sqlx::PgConnection;
use tracking::store::conversions::lock;

use crate::store::{
    appeals::{self, Told, Wanted},
    case_events::{self, NewEvent},
    cases,
};

/// A partner answers at most so often in a day.
pub const MOST_A_DAY: i64 = 20;
/// For so long after a conversion was turned down its partner may answer.
pub const OPEN_FOR: TimeDelta = TimeDelta::days(30);
const A_DAY: TimeDelta = TimeDelta::days(1);

/// What a partner answers.
#[derive(Debug)]
pub struct Answer {
    /// About which conversion.
    pub conversion: ConversionId,
    /// Who answers.
    pub affiliate: AffiliateId,
    /// In words.
    pub evidence: String,
    /// Pages that show it.
    pub links: Vec<String>,
}

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppealRefusal {
    /// There is nothing to answer, or not yet, or it is not this partner's.
    #[error("{0} has no hold or rejection to be answered, or this key may not see it")]
    Nothing(ConversionId),
    /// It was answered before.
    #[error("{0} was answered before, and is answered once")]
    Answered(ConversionId),
    /// It is decided, and too long ago or not against the partner.
    #[error("{0} can be answered no more")]
    Over(ConversionId),
    /// The partner has answered as often as it may in a day.
    #[error("{MOST_A_DAY} answers are taken in a day: try again later")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// When a conversion was held whose hold is told of at a moment, at the latest: partners hear of holds in batches, at
/// midnight UTC, and of none before it is a day old. Trying what is held thus takes days.
#[must_use]
pub fn told_until(now: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    midnight - A_DAY
}

/// Takes an answer, and gives it its deadline.
///
/// # Errors
/// When there is nothing to be answered, or it was before.
pub async fn answer(db: &mut PgConnection, new: &Answer, now: DateTime<Utc>) -> Result<(), AppealRefusal> {
    let id = new.conversion;
    // Nobody makes others wait for what is not theirs: it is looked for before it is locked, and again after.
    told(db, new, now).await?;
    let conversion = lock(db, id).await?.ok_or(AppealRefusal::Nothing(id))?;
    let told = told(db, new, now).await?;
    if told.made_at.is_some() {
        return Err(AppealRefusal::Answered(id));
    }
    let is_held = conversion.status == ConversionStatus::OnHold;
    let is_rejected = conversion.status == ConversionStatus::Rejected;
    let is_open = is_held || is_rejected && told.left_at.is_none_or(|left| now < left + OPEN_FOR);
    if !is_open {
        return Err(AppealRefusal::Over(id));
    }
    if MOST_A_DAY <= appeals::made_since(db, new.affiliate, now - A_DAY).await? {
        return Err(AppealRefusal::TooMany);
    }
    let settings = cases::settings(db).await?.map_or_else(CaseSettings::default, |stored| stored.settings.0);
    let due_at = settings.appeal_due(now);
    cases::lock(db, &[told.case_id.uuid()]).await?;
    let stored = appeals::NewAppeal {
        conversion: id,
        case: told.case_id,
        affiliate: new.affiliate,
        evidence: &new.evidence,
        links: &new.links,
        made_at: now,
        due_at,
    };
    appeals::insert(db, &stored).await?;
    appeals::reopen(db, told.case_id, due_at).await?;
    let actor = Actor { kind: ActorKind::Affiliate, id: new.affiliate.to_string(), name: String::new() };
    let detail = json!({"conversion_id": id, "links": new.links, "due_at": due_at});
    let event = NewEvent { kind: "appealed", actor: &actor, note: &new.evidence, detail, at: now };
    case_events::append(db, told.case_id, &event).await?;
    let state = cases::find(db, told.case_id).await?.map(|case| (case.state, case.assignee.is_some()));
    if let Some((CaseState::Waiting, is_assigned)) = state {
        let next = if is_assigned { CaseState::InReview } else { CaseState::Open };
        case_events::put(db, told.case_id, next).await?;
    }
    Ok(())
}

/// What the partner is told of the conversion.
async fn told(db: &mut PgConnection, new: &Answer, now: DateTime<Utc>) -> Result<Told, AppealRefusal> {
    let (conversion, affiliate) = (Some(new.conversion), Some(new.affiliate));
    let wanted = Wanted { conversion, affiliate, after: None };
    let told = appeals::list(db, &wanted, told_until(now), 1).await?.pop();
    told.ok_or(AppealRefusal::Nothing(new.conversion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_told_of_at_the_first_midnight_after_it_is_a_day_old() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        for (now, until) in [
            ("2026-02-03T00:00:00Z", "2026-02-02T00:00:00Z"),
            ("2026-02-03T23:59:59Z", "2026-02-02T00:00:00Z"),
            ("2026-02-04T00:00:00Z", "2026-02-03T00:00:00Z"),
        ] {
            assert_eq!(told_until(at(now)), at(until), "{now}");
        }
    }
}
