//! Sessions that ended, links that are too old and tries to sign in that are long over are forgotten.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{FutureExt, future::BoxFuture};

use super::{Job, Workbench};
use crate::{pages, store::sessions::purge};

/// Forgets what nobody can sign in by any more.
pub struct Forget;

impl Job for Forget {
    fn name(&self) -> &'static str {
        "sign_in_forget"
    }

    fn doc(&self) -> &'static str {
        "Forgets sessions that were idle for too long, sign-in links a week after their end, and tries that are over."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let now = intake.clock.now();
            let mut db = intake.pool.acquire().await?;
            Ok(purge(&mut db, now - TimeDelta::days(7), now - pages::TRIES_COUNTED).await?)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jobs::once,
        pages::{
            role::Role,
            testing::{PASSWORD, Site},
        },
    };

    #[tokio::test]
    async fn what_is_over_is_forgotten_and_who_is_signed_in_stays() {
        let site = Site::start().await;
        let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
        site.browser().sign_in("nobody@team.example", PASSWORD).await;
        let bench = site.api.workbench();
        assert_eq!(once(&Forget, &bench).await.unwrap(), 0);
        site.api.app.clock.advance(TimeDelta::hours(1));
        assert_eq!(once(&Forget, &bench).await.unwrap(), 2, "tries of the account and of its network");
        assert!(browser.get("/team").await.status.is_success());
        site.api.app.clock.advance(TimeDelta::days(8));
        assert_eq!(once(&Forget, &bench).await.unwrap(), 1);
    }
}
