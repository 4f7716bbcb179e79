//! Days whose clicks a tracker of an earlier release stored are counted again, so that pages show all of them.

use std::time::Duration;

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::PgPool;
use tracking::store::{begin, is_passing};

use super::{Job, Workbench};
use crate::store::jobs::{count_clicks_again, is_counted_apart};

/// So many days are looked at, today among them: an upgrade takes less.
const DAYS: u64 = 3;

/// Counts them again.
pub struct CountAgain;

impl Job for CountAgain {
    fn name(&self) -> &'static str {
        "click_counters"
    }

    fn doc(&self) -> &'static str {
        "Counts the clicks of a day again, of the last 3, where a tracker of an earlier release counted them only in part."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        count_again(bench).boxed()
    }
}

/// Says how many days were counted again.
async fn count_again(bench: &Workbench) -> anyhow::Result<u64> {
    let today = bench.intake.clock.now().date_naive();
    let mut counted = 0;
    for day in (0..DAYS).filter_map(|before| today.checked_sub_days(Days::new(before))) {
        match count_if_apart(&bench.intake.pool, day).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(%day, "the clicks of {day} were counted again, by hour, day and what came with them");
                counted += 1;
            }
            Err(error) if is_passing(&error) => {
                tracing::warn!(%day, %error, "the clicks of {day} are counted again at another time: {error}");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(counted)
}

/// Counts one day again where its counters differ; says whether they did. Trackers wait for no more than one day at a time.
async fn count_if_apart(pool: &PgPool, day: NaiveDate) -> sqlx::Result<bool> {
    let begins = day.and_time(NaiveTime::MIN).and_utc();
    let mut tx = begin(pool).await?;
    let is_apart = is_counted_apart(&mut tx, day, (begins, begins + TimeDelta::days(1))).await?;
    if is_apart {
        count_clicks_again(&mut tx, day).await?;
    }
    tx.commit().await?;
    Ok(is_apart)
}

#[cfg(test)]
mod tests {
    use domain::{AffiliateId, click::Tags};

    use super::*;
    use crate::{
        api::testing::Api,
        jobs::once,
        pages::{role::Role, testing::Site},
        store::jobs::{drop_click_day, forget_page_counters, unlike_links},
    };

    /// A click that came with this sub-id.
    async fn click(api: &Api, (affiliate, campaign): (AffiliateId, &str), sub: &str) {
        let mut tags = Tags::default();
        sub.clone_into(&mut tags.subs[0]);
        api.tagged_click(affiliate, campaign, tags).await;
    }

    /// Leaves the counters as a tracker of an earlier release does; says of how many links they disagree then.
    async fn forget(api: &Api) -> i64 {
        let mut db = api.app.db.acquire().await.unwrap();
        forget_page_counters(&mut db).await.unwrap();
        unlike_links(&mut db).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_an_earlier_release_stored_is_counted_once_more_and_then_shown() {
        let site = Site::start().await;
        let api = &site.api;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        click(api, (ana, &campaign), "shelf").await;
        api.app.clock.advance(TimeDelta::days(2));
        click(api, (ana, &campaign), "shelf").await;
        assert_eq!(forget(api).await, 2);
        // From here on trackers of both releases store clicks of one day.
        click(api, (ana, &campaign), "mail").await;
        let bench = api.workbench();
        assert_eq!(once(&CountAgain, &bench).await.unwrap(), 2);
        assert_eq!(once(&CountAgain, &bench).await.unwrap(), 0);
        let mut db = api.app.db.acquire().await.unwrap();
        assert_eq!(unlike_links(&mut db).await.unwrap(), 0);
        drop(db);
        let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
        for (by, lines) in [
            ("campaign", "Spring,3,0,,\n"),
            ("sub1", "shelf,2,0,,\nmail,1,0,,\n"),
            // Whatever came without it is what is left of the affiliate's own hours.
            ("sub2", ",3,0,,\n"),
        ] {
            let file = hers.get(&format!("/my/traffic.csv?by={by}")).await.text.replace('"', "");
            assert_eq!(file, format!("{by},clicks,conversions,commission,currency\n{lines}"));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn older_days_and_dropped_ones_are_left_alone() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let bench = api.workbench();
        click(&api, (ana, &campaign), "shelf").await;
        api.app.clock.advance(TimeDelta::days(3));
        assert_eq!(forget(&api).await, 1);
        assert_eq!(once(&CountAgain, &bench).await.unwrap(), 0, "it is too old");
        click(&api, (ana, &campaign), "shelf").await;
        let day = api.app.clock.now().date_naive();
        api.app.clock.advance(TimeDelta::days(2));
        let mut db = api.app.db.acquire().await.unwrap();
        drop_click_day(&mut db, day, api.app.clock.now()).await.unwrap();
        drop(db);
        assert_eq!(forget(&api).await, 2);
        assert_eq!(once(&CountAgain, &bench).await.unwrap(), 0, "nobody can count it");
    }
}
