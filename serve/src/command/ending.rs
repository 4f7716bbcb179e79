//! The process ends when it is asked to, after what it has begun.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Becomes true when the process is asked to end (SIGTERM, or Ctrl-C).
pub fn ending() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (end, ending) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending: nothing new is begun");
        end.send_replace(true);
        // Held for ever, so that whoever waits for the end later still learns of it.
        end.closed().await;
    });
    Ok(ending)
}

/// Waits until the process is asked to end.
pub async fn ended(mut ending: watch::Receiver<bool>) {
    // The sender outlives every receiver, so waiting cannot fail.
    let _ = ending.wait_for(|ending| *ending).await;
}
