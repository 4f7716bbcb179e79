//! What is measured does not share a core with what measures it.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Who runs where.
pub struct Cores {
    /// The one core of whatever serves.
    pub server: CpuSet,
    /// Its number.
    pub server_number: usize,
    /// The one core of the load generator.
    pub load: CpuSet,
    /// Where all else runs, the database above all: the cores that are left, or the load's where none is.
    pub rest: CpuSet,
    note: String,
}

impl Cores {
    /// The last of the cores that we may use for the load, the last but one for the server.
    pub fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("the machine does not say which cores we may use")?;
        let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
        let (last, before) = numbers.split_last().context("there is no core that we may use")?;
        let (server, load) = (*before.last().unwrap_or(last), *last);
        let others: Vec<usize> =
            numbers.iter().copied().filter(|&core| core != server && core != load).collect();
        let (rest, note) = match numbers.len() {
            1 => (
                vec![load],
                "This machine has one core: server, load and database share it, and every figure says so.",
            ),
            2 => (
                vec![load],
                "The server has one of two cores to itself; load and database share the other, and the load goes first if it may.",
            ),
            _ => (others, "The server has a core to itself, so has the load; the database has the others."),
        };
        Ok(Self {
            server: set(&[server]),
            server_number: server,
            load: set(&[load]),
            rest: set(&rest),
            note: note.to_owned(),
        })
    }

    /// Keeps this process, and what it starts from now on, off the server's core.
    pub fn leave_the_server_alone(&self) -> Result<()> {
        sched_setaffinity(None, &self.rest).context("this process cannot be moved off the server's core")
    }

    /// Who runs where, as a sentence.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// Does something while this thread may use these cores only; programs that it starts inherit them.
pub fn on<T>(cores: &CpuSet, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = sched_getaffinity(None).context("the machine does not say which cores we may use")?;
    sched_setaffinity(None, cores).context("this thread cannot be moved to another core")?;
    let done = act();
    sched_setaffinity(None, &before).context("this thread cannot be moved back")?;
    done
}

/// The same while something is awaited, on a runtime of this thread alone.
pub async fn on_during<T>(cores: &CpuSet, act: impl Future<Output = Result<T>>) -> Result<T> {
    let before = sched_getaffinity(None).context("the machine does not say which cores we may use")?;
    sched_setaffinity(None, cores).context("this thread cannot be moved to another core")?;
    let done = act.await;
    sched_setaffinity(None, &before).context("this thread cannot be moved back")?;
    done
}

fn set(numbers: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for &number in numbers {
        set.set(number);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_moved_and_moved_back() {
        let cores = Cores::choose().expect("there are cores");
        let before = sched_getaffinity(None).expect("cores");
        let within = on(&cores.server, || Ok(sched_getaffinity(None)?)).expect("moved");
        assert_eq!(within, cores.server);
        assert_eq!(sched_getaffinity(None).expect("cores"), before);
    }

    #[test]
    fn server_and_load_are_apart_where_there_are_two_cores() {
        let allowed = sched_getaffinity(None).expect("cores").count();
        let cores = Cores::choose().expect("there are cores");
        assert_eq!(cores.server == cores.load, allowed == 1);
        assert!(allowed == 1 || cores.rest != cores.server);
    }
}
