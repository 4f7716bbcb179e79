//! Commissions that are final only when the customer has stayed become payable when the time is over.

use domain::conversion::ConversionStatus;

use super::{Act, Intake, settlement};
use crate::store::{
    self, conversions,
    customer_stays::{self, Stay},
};

/// How many stays are looked up at once.
const BATCH: i64 = 500;
/// The actor of what happens because time has passed.
const SYSTEM: &str = "system";

/// Makes payable what waited for customers who have stayed by now; says of how many conversions. Of one that was reversed
/// in part the rest becomes payable, of one that was reversed whole nothing.
///
/// # Errors
/// When the database fails; calling it again is safe.
pub async fn verify(intake: &Intake) -> Result<usize, sqlx::Error> {
    let now = intake.clock.now();
    let (mut after, mut verified) = (None, 0);
    loop {
        let stays = customer_stays::over(&mut *intake.pool.acquire().await?, now, after, BATCH).await?;
        let Some(last) = stays.last() else { return Ok(verified) };
        after = Some(*last);
        for stay in stays {
            match verify_one(intake, stay).await {
                Ok(is_verified) => verified += usize::from(is_verified),
                Err(error) if store::is_passing(&error) => return Err(error),
                // Those behind it would wait for ever.
                Err(error) => {
                    let conversion = stay.conversion;
                    tracing::error!(%conversion, %error, "commissions of {conversion} stay accrued: {error}");
                }
            }
        }
    }
}

async fn verify_one(intake: &Intake, stay: Stay) -> Result<bool, sqlx::Error> {
    let mut tx = store::begin(&intake.pool).await?;
    let conversion = conversions::lock(&mut tx, stay.conversion).await?;
    let act = Act::now(SYSTEM, &intake.clock, &intake.chance);
    let is_left = conversion.filter(|conversion| match conversion.status {
        ConversionStatus::Approved => true,
        ConversionStatus::Reversed => conversion.reversed.minor < conversion.amount.minor,
        ConversionStatus::Received
        | ConversionStatus::Pending
        | ConversionStatus::OnHold
        | ConversionStatus::Rejected => false,
    });
    if let Some(conversion) = &is_left {
        settlement::verify(&mut tx, act, conversion, stay.until).await?;
    }
    customer_stays::forget(&mut tx, stay).await?;
    tx.commit().await?;
    Ok(is_left.is_some())
}
