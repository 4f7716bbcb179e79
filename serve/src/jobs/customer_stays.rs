//! Commissions that are final only when the customer has stayed become payable when the time is over.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tracking::intake::retention::verify;

use super::{Job, Workbench};

/// Makes payable what waited for customers who have stayed.
pub struct Verify;

impl Job for Verify {
    fn name(&self) -> &'static str {
        "customer_stays"
    }

    fn doc(&self) -> &'static str {
        "Makes commissions payable that were to be final only when the customer has stayed, and whose customers have."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move { Ok(u64::try_from(verify(intake).await?).unwrap_or(u64::MAX)) }.boxed()
    }
}
