//! What waits of partners who are in a ring now is decided again, with the ring as evidence: once for each ring.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{ConversionId, conversion::ConversionStatus};
use tracking::{
    intake::{Act, Claim, Intake, Judge, Verdict, life},
    store::{begin, conversions::lock, is_passing},
};

use crate::{scoring::Scorer, store::rings, stored};

/// What was taken in longer ago stays as it was decided.
const LOOKING_BACK: TimeDelta = TimeDelta::days(30);
/// How many conversions are read at once.
const PAGE: i64 = 100;
/// Who decides, as histories have it.
const ACTOR: &str = "system";

/// Decides again about conversions that are pending; says how many. A process that does not know the past yet leaves them for
/// the next time.
///
/// # Errors
/// When the database fails; what was decided is kept.
pub async fn decide_again(intake: &Intake, scorer: &Scorer) -> anyhow::Result<u64> {
    if scorer.state().standing().as_of.is_none() {
        return Ok(0);
    }
    let at = intake.clock.now();
    let (mut decided, mut after) = (0, None);
    loop {
        let mut db = intake.pool.acquire().await?;
        let page = rings::undecided(&mut db, at - LOOKING_BACK, after, PAGE).await?;
        drop(db);
        let Some(last) = page.last() else { return Ok(decided) };
        after = Some(*last);
        for id in page {
            match decide_one(intake, scorer, id, at).await {
                Ok(is_decided) => decided += u64::from(is_decided),
                Err(error) if is_of_the_database(&error) => return Err(error),
                // One that cannot be decided must not keep the others waiting.
                Err(error) => tracing::error!(conversion = %id, "{id} is not decided again: {error:#}"),
            }
        }
    }
}

fn is_of_the_database(error: &anyhow::Error) -> bool {
    error.downcast_ref::<sqlx::Error>().is_some_and(is_passing)
}

/// Says whether it was decided: not where it went its way meanwhile.
async fn decide_one(
    intake: &Intake,
    scorer: &Scorer,
    id: ConversionId,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let mut tx = begin(&intake.pool).await?;
    let Some(mut conversion) = lock(&mut tx, id).await? else { return Ok(false) };
    let Some(reported) = stored::conversion(&mut tx, id).await? else { return Ok(false) };
    if conversion.status != ConversionStatus::Pending {
        return Ok(false);
    }
    if let Verdict::Hold { because } = scorer.judge_again(&mut tx, &reported, (ACTOR, at)).await? {
        let act = Act { at, ..Act::now(ACTOR, &intake.clock, &intake.chance) }.noting(&because);
        let hold = Claim { status: ConversionStatus::OnHold, reason: None };
        life::advance(&mut tx, act, &mut conversion, hold, None).await?;
        scorer.is_held(&mut tx, id, at).await?;
    }
    tx.commit().await?;
    Ok(true)
}
