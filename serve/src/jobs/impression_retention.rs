//! Impressions are kept for as long as was chosen.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use futures_util::{FutureExt, future::BoxFuture};
use tracking::store::is_passing;

use super::{Job, Workbench};
use crate::store::jobs::{drop_impression_day, impression_days};

/// Drops the days whose time is over.
pub struct DropOld;

impl Job for DropOld {
    fn name(&self) -> &'static str {
        "impression_retention"
    }

    fn doc(&self) -> &'static str {
        "Drops the impressions of days that are older than they are kept; links go on counting them."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async {
            let days = bench.choices.impression_retention_days;
            if days == 0 {
                return Ok(0);
            }
            let now = bench.intake.clock.now();
            let kept_from =
                now.date_naive().checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN);
            let mut db = bench.intake.pool.acquire().await?;
            let mut dropped = 0;
            for day in impression_days(&mut db, kept_from).await? {
                match drop_impression_day(&mut db, day, now).await {
                    Ok(count) => tracing::info!(%day, count, "the {count} impressions of {day} were dropped"),
                    Err(error) if is_passing(&error) => {
                        tracing::warn!(%day, %error, "the impressions of {day} are dropped at another time: {error}");
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
                dropped += 1;
            }
            Ok(dropped)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::{EventId, LinkId, click::Device, event::Impression};
    use serde_json::json;
    use tracking::store::{clicks::DAY_DROPPED, impressions};

    use super::*;
    use crate::{
        api::testing::Api,
        jobs::{Choices, once},
    };

    fn impression(api: &Api, link: LinkId) -> Impression {
        let id = EventId::new(&api.app.clock, &api.app.chance);
        Impression {
            id,
            occurred_at_us: api.app.clock.now().timestamp_micros(),
            link,
            affiliate: id.uuid().into(),
            campaign: id.uuid().into(),
            advertiser: id.uuid().into(),
            session: None,
            address_hash: [7; 16],
            network: [203, 0, 113, 0].into(),
            country: "DE".to_owned(),
            device: Device::Desktop,
            user_agent: String::new(),
            referrer: "https://blog.example/".to_owned(),
        }
    }

    /// As a tracker does it: its day first.
    async fn store(api: &Api, made: &[Impression]) -> sqlx::Result<u64> {
        let mut tx = api.app.begin().await?;
        impressions::ensure_partition(&mut tx, made[0].id.made_at().unwrap().date_naive()).await?;
        let stored = impressions::insert(&mut tx, made, api.app.clock.now()).await?;
        tx.commit().await?;
        Ok(stored)
    }

    async fn drop_old(api: &Api, impression_retention_days: u32) -> u64 {
        let bench = api.workbench();
        let choices = Choices { impression_retention_days, ..bench.choices };
        once(&DropOld, &Workbench { choices, ..bench }).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn old_days_are_dropped_stay_counted_and_never_come_back() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let link =
            api.made(&format!("/api/v1/affiliates/{ana}/links"), json!({"campaign_id": campaign})).await;
        let id = link["id"].as_str().unwrap();
        let old: Vec<Impression> = (0..3).map(|_| impression(&api, id.parse().unwrap())).collect();
        assert_eq!(store(&api, &old).await.unwrap(), 3);
        assert_eq!(store(&api, &old).await.unwrap(), 0, "each is stored once");
        api.app.clock.advance(TimeDelta::days(10));
        store(&api, &[impression(&api, id.parse().unwrap())]).await.unwrap();
        assert_eq!((drop_old(&api, 0).await, drop_old(&api, 10).await), (0, 0), "for ever, and not yet");
        assert_eq!((drop_old(&api, 9).await, drop_old(&api, 9).await), (1, 0));
        let refused = store(&api, &old).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), DAY_DROPPED);
        let audit: (i64, i64, i64) =
            sqlx::query_as("SELECT counted, stored, dropped FROM link_impression_audit")
                .fetch_one(&api.app.db)
                .await
                .unwrap();
        assert_eq!(audit, (4, 1, 3));
        let seen = api.get(&format!("/api/v1/links/{id}")).await.body;
        assert_eq!(seen["impressions"], 4);
        assert!(seen["impression_url"].as_str().unwrap().contains("/i/"));
    }
}
