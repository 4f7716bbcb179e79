//! The stream that takes clicks into the database, and what happens to its servers.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use embedded::nats::{Cluster, StartError};
use tokio::task::block_in_place;

use super::plan::Dice;

/// How many servers a cluster has: one may be missing.
const SERVERS: usize = 3;
/// The account of this torture.
const ACCOUNT: usize = 0;

/// What takes clicks from a tracker's log into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// Each tracker stores its own clicks.
    Local,
    /// Trackers publish clicks to a NATS cluster, and whichever is free stores them.
    Nats,
}

impl Engine {
    /// As it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Nats => "nats",
        }
    }
}

/// Something happens to a server: one that is well is harmed, and one that was harmed comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mishap {
    /// Which server is harmed, if none is yet.
    server: usize,
    harm: Harm,
    /// How long after the beginning of the round.
    pub at: Duration,
}

/// How a server is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// By SIGKILL.
    Killed,
    /// It is cut off from the others, and trackers still reach it.
    Partitioned,
    /// Its connections stay open, and nobody answers on them.
    Frozen,
    /// By SIGKILL, and its disk is lost.
    Wiped,
}

impl Mishap {
    /// What the seed decides.
    pub(super) fn of(dice: &Dice) -> Self {
        let harm = match dice.below(10) {
            0..=4 => Harm::Killed,
            5..=7 => Harm::Partitioned,
            8 => Harm::Frozen,
            _ => Harm::Wiped,
        };
        Self { server: dice.below(SERVERS as u64) as usize, harm, at: dice.ms(0..200) }
    }
}

/// A running stream.
pub(super) struct Stream(Option<Mutex<Servers>>);

struct Servers {
    cluster: Cluster,
    harmed: Option<(usize, Harm)>,
}

impl Stream {
    /// Starts what the engine needs.
    pub(super) fn start(engine: Engine) -> Result<Self, StartError> {
        match engine {
            Engine::Local => Ok(Self(None)),
            Engine::Nats => {
                let cluster = block_in_place(|| Cluster::start(SERVERS))?;
                Ok(Self(Some(Mutex::new(Servers { cluster, harmed: None }))))
            }
        }
    }

    /// Which one it is.
    pub(super) fn engine(&self) -> Engine {
        if self.0.is_some() { Engine::Nats } else { Engine::Local }
    }

    /// What a tracker is told of it.
    pub(super) fn setting(&self) -> String {
        self.servers().map_or_else(|| "local".to_owned(), |servers| servers.cluster.url(ACCOUNT))
    }

    /// Lets a mishap happen, if there are servers.
    pub(super) fn suffer(&self, mishap: Mishap) -> Result<()> {
        let Some(mut servers) = self.servers() else { return Ok(()) };
        block_in_place(|| match servers.harmed {
            Some(_) => servers.mend(),
            None => servers.suffer(mishap),
        })
    }

    /// Brings back every server, and waits until the cluster is whole.
    pub(super) fn mend(&self) -> Result<()> {
        let Some(mut servers) = self.servers() else { return Ok(()) };
        block_in_place(|| {
            servers.mend()?;
            Ok(servers.cluster.wait_until_ready()?)
        })
    }

    fn servers(&self) -> Option<MutexGuard<'_, Servers>> {
        self.0.as_ref().map(|servers| servers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Servers {
    fn suffer(&mut self, Mishap { server, harm, .. }: Mishap) -> Result<()> {
        self.harmed = Some((server, harm));
        match harm {
            Harm::Killed => self.cluster.kill(server)?,
            Harm::Partitioned => self.cluster.partition(server),
            Harm::Frozen => self.cluster.freeze(server)?,
            Harm::Wiped => self.cluster.wipe(server)?,
        }
        Ok(())
    }

    fn mend(&mut self) -> Result<()> {
        let Some((server, harm)) = self.harmed.take() else { return Ok(()) };
        match harm {
            Harm::Killed | Harm::Wiped => self.cluster.restart(server)?,
            Harm::Partitioned => self.cluster.heal(server),
            Harm::Frozen => self.cluster.thaw(server)?,
        }
        Ok(())
    }
}
