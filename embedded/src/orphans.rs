//! Servers that outlived whoever started them.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// What ends an orphan, with the patience for each: first politely, so that its next start needs no recovery.
const STEPS: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(15)), (Signal::QUIT, Duration::from_secs(5))];
/// How long processes that were killed may take to be gone.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Ends every process that still serves `data`. The caller holds the lock of the place, so whoever is found there
/// has lost its parent. On success nobody has the data open and a `postmaster.pid` in it means nothing.
pub(crate) fn end_in(data: &Path) -> io::Result<()> {
    for (signal, patience) in STEPS {
        // Only the first server process is told: it ends its own children, in the right order. Children that
        // have lost it do no good by anything they could still do.
        let Some(first) = living_in(data).into_iter().find(|pid| Some(pid.as_raw_pid()) == postmaster(data))
        else {
            break;
        };
        tell(first, signal)?;
        if are_gone_within(patience, data) {
            return Ok(());
        }
    }
    living_in(data).into_iter().try_for_each(|pid| tell(pid, Signal::KILL))?;
    if are_gone_within(LAST_PATIENCE, data) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("an old server in {} does not end", data.display()),
    ))
}

fn are_gone_within(patience: Duration, data: &Path) -> bool {
    let deadline = Instant::now() + patience;
    while !living_in(data).is_empty() {
        if deadline < Instant::now() {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

/// The processes whose working directory is `data`: every process of a server changes into it.
fn living_in(data: &Path) -> Vec<Pid> {
    let Ok(data) = data.canonicalize() else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(io::Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .filter_map(Pid::from_raw)
        .collect()
}

/// The process named by `postmaster.pid`.
pub(crate) fn postmaster(data: &Path) -> Option<i32> {
    fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

fn tell(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        told => Ok(told?),
    }
}
