//! What changed about links is kept only for as long as a tracker may still ask for it.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tracking::store::directory::forget_changes;

use super::{Job, Workbench};

/// Forgets changes that every tracker has taken in, or will load everything instead.
pub struct Forget;

impl Job for Forget {
    fn name(&self) -> &'static str {
        "directory_changes_purge"
    }

    fn doc(&self) -> &'static str {
        "Forgets which links changed after a million transactions: trackers ask within seconds."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async { Ok(forget_changes(&mut *bench.intake.pool.acquire().await?).await?) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::testing::Api, jobs::once};

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn only_what_changed_long_ago_is_forgotten() {
        let api = Api::start().await;
        api.affiliate("Ana").await;
        let bench = api.workbench();
        sqlx::query("INSERT INTO directory_changes (changed_in, kind, id) SELECT changed_in - 2000001, kind, id FROM directory_changes LIMIT 1")
            .execute(&api.app.db)
            .await
            .unwrap();
        assert_eq!(once(&Forget, &bench).await.unwrap(), 1);
        assert_eq!(once(&Forget, &bench).await.unwrap(), 0);
    }
}
