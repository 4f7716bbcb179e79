//! Clicks are kept for as long as was chosen, and for as long as somebody may still be credited for them.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;
use tracking::store::is_passing;

use super::{Job, Workbench};
use crate::store::jobs::{click_days, drop_click_day, forget_journeys, is_waited_for, longest_look_back};

/// A conversion may be dated into the past, and clocks differ.
const SLACK_DAYS: u32 = 2;

/// Drops the days whose time is over.
pub struct DropOld;

impl Job for DropOld {
    fn name(&self) -> &'static str {
        "click_retention"
    }

    fn doc(&self) -> &'static str {
        "Drops the clicks of days that are older than they are kept; links go on counting them."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async {
            if bench.choices.click_retention_days == 0 {
                return Ok(0);
            }
            let mut db = bench.intake.pool.acquire().await?;
            let kept_from = kept_from(&mut db, bench).await?;
            let mut dropped = 0;
            for day in click_days(&mut db, kept_from).await? {
                if is_waited_for(&mut db, day).await? {
                    tracing::info!(%day, "the clicks of {day} stay until the postbacks that wait for them are decided");
                    continue;
                }
                let forgotten = forget_journeys(&mut db, day).await?;
                tracing::debug!(%day, forgotten, "{forgotten} journeys began on {day} or before it");
                match drop_click_day(&mut db, day, bench.intake.clock.now()).await {
                    Ok(clicks) => tracing::info!(%day, clicks, "the {clicks} clicks of {day} were dropped"),
                    Err(error) if is_passing(&error) => {
                        tracing::warn!(%day, %error, "the clicks of {day} are dropped at another time: {error}");
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

/// The first day whose clicks are kept.
async fn kept_from(db: &mut PgConnection, bench: &Workbench) -> anyhow::Result<NaiveDate> {
    let chosen = bench.choices.click_retention_days;
    let look_back = longest_look_back(db).await?.and_then(|days| u32::try_from(days).ok());
    let needed = look_back.map_or(0, |days| days + SLACK_DAYS);
    if chosen < needed {
        tracing::warn!(
            chosen,
            needed,
            "clicks are kept {needed} days and not {chosen}, as campaigns look back so far"
        );
    }
    let today = bench.intake.clock.now().date_naive();
    Ok(today.checked_sub_days(Days::new(chosen.max(needed).into())).unwrap_or(NaiveDate::MIN))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use domain::{
        ClickId, LinkId,
        click::{Asked, Click, Device, Tags},
    };
    use serde_json::json;
    use tracking::store::clicks;

    use super::*;
    use crate::{
        api::testing::Api,
        jobs::{Choices, once},
    };

    /// An installation with one link, whose campaign looks back so many days.
    struct World {
        api: Api,
        link: LinkId,
    }

    impl World {
        async fn new(look_back: i32) -> Self {
            let api = Api::start().await;
            let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
            let link = json!({"campaign_id": campaign});
            let link = api.made(&format!("/api/v1/affiliates/{ana}/links"), link).await;
            let link = link["id"].as_str().unwrap().parse().unwrap();
            sqlx::query("UPDATE campaigns SET window_days = $1, cookie_days = 1")
                .bind(look_back)
                .execute(&api.app.db)
                .await
                .unwrap();
            Self { api, link }
        }

        /// Stores so many clicks of one visitor, made now, and gives the last.
        async fn clicks(&self, count: usize) -> Click {
            let app = &self.api.app;
            let made: Vec<_> = (0..count).map(|_| self.click(app.clock.now())).collect();
            self.store(&made).await.unwrap();
            made.into_iter().next_back().unwrap()
        }

        fn click(&self, at: DateTime<Utc>) -> Click {
            let app = &self.api.app;
            let id = ClickId::new(&app.clock, &app.chance);
            Click {
                id,
                occurred_at_us: at.timestamp_micros(),
                link: self.link,
                affiliate: id.uuid().into(),
                campaign: id.uuid().into(),
                advertiser: id.uuid().into(),
                session: id.uuid().into(),
                tags: Tags::default(),
                address_hash: [7; 16],
                network: [203, 0, 113, 0].into(),
                country: String::new(),
                device: Device::Desktop,
                user_agent: String::new(),
                referrer: String::new(),
                asked: Asked::default(),
            }
        }

        /// As a tracker does it: its day first.
        async fn store(&self, clicks: &[Click]) -> sqlx::Result<u64> {
            let mut tx = self.api.app.begin().await?;
            clicks::ensure_partition(&mut tx, clicks[0].id.made_at().unwrap().date_naive()).await?;
            let stored = clicks::insert(&mut tx, clicks, self.api.app.clock.now()).await?;
            tx.commit().await?;
            Ok(stored)
        }

        async fn drop_old(&self, click_retention_days: u32) -> u64 {
            let bench = self.api.workbench();
            let choices = Choices { click_retention_days, ..bench.choices };
            let bench = Workbench { choices, ..bench };
            once(&DropOld, &bench).await.unwrap()
        }

        /// What the link has counted, and what of it is stored and was dropped.
        async fn audit(&self) -> (i64, i64, i64) {
            let audit =
                "SELECT counted, stored, dropped, by_hour, by_day FROM link_click_audit WHERE link_id = $1";
            let (counted, stored, dropped, by_hour, by_day): (i64, i64, i64, i64, i64) =
                sqlx::query_as(audit).bind(self.link.uuid()).fetch_one(&self.api.app.db).await.unwrap();
            assert_eq!((by_hour, by_day), (counted, counted));
            (counted, stored, dropped)
        }

        fn pass(&self, days: i64) {
            self.api.app.clock.advance(TimeDelta::days(days));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn old_days_are_dropped_and_stay_counted() {
        let world = World::new(30).await;
        world.clicks(3).await;
        world.pass(1);
        world.clicks(2).await;
        world.pass(39);
        world.clicks(1).await;
        assert_eq!((world.drop_old(0).await, world.drop_old(40).await), (0, 0), "for ever, and not yet");
        assert_eq!(world.drop_old(39).await, 1);
        assert_eq!(world.audit().await, (6, 3, 3));
        world.pass(1);
        assert_eq!((world.drop_old(39).await, world.drop_old(39).await), (1, 0));
        assert_eq!(world.audit().await, (6, 1, 5));
        let days: Vec<i64> = sqlx::query_scalar("SELECT clicks FROM dropped_click_days ORDER BY day")
            .fetch_all(&world.api.app.db)
            .await
            .unwrap();
        assert_eq!(days, [3, 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn clicks_are_kept_for_as_long_as_a_campaign_looks_back() {
        let world = World::new(30).await;
        world.clicks(1).await;
        world.pass(32);
        assert_eq!(world.drop_old(7).await, 0);
        world.pass(1);
        assert_eq!(world.drop_old(7).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_day_stays_while_a_postback_waits_for_one_of_its_clicks_or_sessions() {
        let world = World::new(30).await;
        let click = world.clicks(1).await;
        world.pass(100);
        for (click_id, session_id) in [(Some(click.id.uuid()), None), (None, Some(click.session.uuid()))] {
            sqlx::query(
                "INSERT INTO quarantine (advertiser_id, click_id, session_id, postback, received_at)
                 SELECT id, $1, $2, '{}', 'epoch' FROM advertisers",
            )
            .bind(click_id)
            .bind(session_id)
            .execute(&world.api.app.db)
            .await
            .unwrap();
            assert_eq!(world.drop_old(50).await, 0);
            sqlx::query("UPDATE quarantine SET resolved_at = 'epoch'")
                .execute(&world.api.app.db)
                .await
                .unwrap();
        }
        assert_eq!(world.drop_old(50).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_click_that_comes_for_a_dropped_day_is_refused_with_a_code_of_its_own() {
        let world = World::new(30).await;
        let click = world.clicks(1).await;
        world.pass(100);
        assert_eq!(world.drop_old(50).await, 1);
        let refused = world.store(&[click]).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), clicks::DAY_DROPPED);
        assert_eq!(world.audit().await, (1, 0, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_long_query_puts_the_drop_off_and_nothing_has_happened() {
        let world = World::new(30).await;
        world.clicks(1).await;
        world.pass(100);
        let mut reading = world.api.app.begin().await.unwrap();
        sqlx::query("SELECT count(*) FROM clicks").fetch_one(&mut *reading).await.unwrap();
        assert_eq!(world.drop_old(50).await, 0);
        assert_eq!(world.audit().await, (1, 1, 0));
        reading.rollback().await.unwrap();
        assert_eq!(world.drop_old(50).await, 1);
        assert_eq!(world.audit().await, (1, 0, 1));
    }
}
