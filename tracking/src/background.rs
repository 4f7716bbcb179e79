//! A program serves only while its background works, gives clicks the first place, and ends in time in any case.

use std::{io, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use thread_priority::{
    NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy::Normal,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};

/// How long the background may take to end once it was asked to.
const ENDING_PATIENCE: Duration = Duration::from_secs(10);
const PANICKED: &str = "a background task ended in a panic";

/// A runtime for shipping and other work that can wait while clicks come: the log keeps what is not shipped yet. Its
/// threads run when nobody else wants their core, so cores that clicks use up entirely ship next to nothing.
///
/// Dropped, it ends without waiting for what a disk or a database holds up.
pub struct Background(Option<Runtime>);

impl Background {
    /// Starts its thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new() -> io::Result<Self> {
        let give_way = || {
            // However nice another thread is, once it has a core it keeps it for milliseconds.
            if let Err(error) =
                set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle))
            {
                tracing::warn!(?error, "the background may compete with clicks for a core");
            }
        };
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(1).thread_name("background").on_thread_start(give_way).enable_all();
        Ok(Self(Some(runtime.build()?)))
    }

    /// Has something done there.
    pub fn spawn(&self, tasks: &mut JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            tasks.spawn_on(task, runtime.handle());
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves until the server ends, or until a background task does, which is an error unless the process is ending.
///
/// # Errors
/// When the server fails, or a background task ended too early.
pub async fn serve_beside(
    tasks: &mut JoinSet<()>,
    is_ending: impl Fn() -> bool,
    serve: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut serve = pin!(serve);
    loop {
        tokio::select! {
            served = &mut serve => return served,
            Some(ended) = tasks.join_next() => {
                ended.context(PANICKED)?;
                ensure!(is_ending(), "a background task ended while requests were served");
            }
        }
    }
}

/// Waits until every background task has ended, but not for ever.
///
/// # Errors
/// When a task ended in a panic, or does not end.
pub async fn end(tasks: JoinSet<()>) -> anyhow::Result<()> {
    end_within(ENDING_PATIENCE, tasks).await
}

async fn end_within(patience: Duration, mut tasks: JoinSet<()>) -> anyhow::Result<()> {
    let ending = async {
        while let Some(ended) = tasks.join_next().await {
            ended.context(PANICKED)?;
        }
        Ok(())
    };
    timeout(patience, ending).await.context("a background task does not end")?
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn beside(task: impl Future<Output = ()> + Send + 'static) -> String {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        let served = timeout(Duration::from_secs(5), serve_beside(&mut tasks, || false, pending())).await;
        format!("{:#}", served.unwrap().unwrap_err())
    }

    #[tokio::test]
    async fn a_server_does_not_go_on_without_its_background() {
        assert_eq!(beside(async {}).await, "a background task ended while requests were served");
        let told = beside(async { panic!("a reason") }).await;
        assert!(told.starts_with("a background task ended in a panic: "), "{told}");
    }

    #[tokio::test]
    async fn a_background_may_end_before_the_server_once_both_were_asked_to() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async {});
        let serve = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(())
        };
        serve_beside(&mut tasks, || true, serve).await.unwrap();
        end(tasks).await.unwrap();
    }

    #[tokio::test]
    async fn a_background_that_does_not_end_is_not_waited_for_for_ever() {
        let mut tasks = JoinSet::new();
        tasks.spawn(pending());
        let ended = end_within(Duration::from_millis(10), tasks).await;
        assert_eq!(ended.unwrap_err().to_string(), "a background task does not end");
    }
}
