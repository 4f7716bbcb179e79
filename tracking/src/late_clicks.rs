//! Postbacks that came before their click are taken in as soon as the click is stored.

use std::{sync::Arc, time::Duration};

use domain::ClickId;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use crate::{
    intake::{Intake, quarantine},
    patience::Patience,
    stream::Shipped,
};

/// How often everything that waits is looked at, for what no click announces.
const SWEEPING: Duration = Duration::from_secs(60);

/// Follows the clicks of [`Tracker::shipped`](crate::Tracker::shipped) until there will be no more.
pub async fn follow(intake: &Intake, mut shipped: Receiver<Arc<[Shipped]>>) {
    let mut patience = Patience::default();
    // What was announced while nobody listened is found by looking at everything.
    let mut looks_at_everything = true;
    loop {
        let looked = if looks_at_everything {
            quarantine::sweep(intake).await
        } else {
            match timeout(SWEEPING, shipped.recv()).await {
                Ok(Ok(clicks)) => retry(intake, &clicks).await,
                Ok(Err(RecvError::Closed)) => return,
                Ok(Err(RecvError::Lagged(_))) | Err(_) => quarantine::sweep(intake).await,
            }
        };
        looks_at_everything = looked.is_err();
        match looked {
            Ok(_) => patience.restore(),
            Err(error) => {
                tracing::warn!(%error, "postbacks in quarantine wait until the database answers");
                patience.wait().await;
            }
        }
    }
}

async fn retry(intake: &Intake, clicks: &[Shipped]) -> Result<usize, sqlx::Error> {
    let clicks: Vec<ClickId> = clicks.iter().map(|one| one.click).collect();
    quarantine::retry(intake, &clicks).await
}
