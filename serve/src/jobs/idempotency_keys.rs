//! Answers kept for repeats are forgotten after a day, unless they are about money.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{FutureExt, future::BoxFuture};

use super::{Job, Workbench};
use crate::store::jobs::purge_idempotency_keys;

/// Forgets the answers of POSTs that nobody will repeat any more.
pub struct Purge;

impl Job for Purge {
    fn name(&self) -> &'static str {
        "idempotency_keys_purge"
    }

    fn doc(&self) -> &'static str {
        "Forgets the answers kept for repeated requests after a day; those about money are kept for ever."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let before = intake.clock.now() - TimeDelta::days(1);
            Ok(purge_idempotency_keys(&mut *intake.pool.acquire().await?, before).await?)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::{api::testing::Api, jobs::once};

    #[tokio::test]
    async fn only_old_answers_that_are_not_about_money_are_forgotten() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        api.sale(ana, &campaign, "A1").await;
        api.app.clock.advance(TimeDelta::days(1));
        api.made("/api/v1/advertisers", json!({"name": "Today"})).await;
        let purged = once(&Purge, &api.workbench()).await.unwrap();
        assert_eq!(
            purged, 5,
            "affiliate, approval, advertiser, campaign and link; not the sale, not today's"
        );
    }
}
