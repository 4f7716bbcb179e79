//! On what, when and of which commit was measured; nothing by which the machine could be found.

use std::{fs, path::Path, process::Command, thread::available_parallelism};

use anyhow::{Context, Result};
use domain::Clock;

use crate::{external, workspace};

/// What has to be known to judge a figure.
pub struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    file_system: String,
    date: String,
    commit: String,
    build: &'static str,
}

impl Machine {
    /// This machine, now; the disk is the one that holds `folder`.
    pub fn here(folder: &Path, clock: &Clock) -> Result<Self> {
        let processor = first_value(&fs::read_to_string("/proc/cpuinfo")?, "model name");
        let memory = first_value(&fs::read_to_string("/proc/meminfo")?, "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        Ok(Self {
            processor,
            cores: available_parallelism().context("the machine does not say how many cores it has")?.get(),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: version(&fs::read_to_string("/proc/sys/kernel/osrelease")?),
            file_system: external::read(Command::new("stat").args(["-f", "-c", "%T"]).arg(folder))?
                .trim()
                .to_owned(),
            date: clock.now().format("%Y-%m-%d %H:%M UTC").to_string(),
            commit: commit()?,
            build: "built with `--release`, trackers with `--profile tracker`",
        })
    }

    /// The same, when what ran was built for developers.
    pub fn built_for_developers(self) -> Self {
        Self { build: "built for developers", ..self }
    }

    /// As list items.
    pub fn lines(&self) -> [String; 2] {
        let Self { processor, cores, memory_gib, kernel, file_system, date, commit, build } = self;
        [
            format!("{date}, commit {commit}, {build}"),
            format!("{processor}, {cores} cores, {memory_gib} GiB of memory, Linux {kernel}, {file_system}"),
        ]
    }
}

/// The value behind the first line that begins with this name and a colon.
fn first_value(text: &str, name: &str) -> String {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(found, _)| found.trim() == name).map_or("unknown", |(_, value)| value);
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The numbers of a kernel's release; what a vendor hangs on them is left out.
fn version(release: &str) -> String {
    release.trim().chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').collect()
}

/// What is checked out, and whether it is just that.
fn commit() -> Result<String> {
    let git = |arguments: &[&str]| {
        external::read(Command::new("git").current_dir(workspace::root()).args(arguments))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", ".", ":!docs/BENCHMARKS.md"])?;
    let suffix = if changes.trim().is_empty() { "" } else { " with changes" };
    Ok(format!("{}{suffix}", commit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_keeps_its_numbers_only() {
        assert_eq!(version("6.12.5-cloud-amd64\n"), "6.12.5");
    }

    #[test]
    fn the_first_value_counts_and_an_absent_one_is_unknown() {
        let text = "processor\t: 0\nmodel name\t: A  Processor\nmodel name\t: Another\n";
        assert_eq!(first_value(text, "model name"), "A Processor");
        assert_eq!(first_value(text, "vendor"), "unknown");
    }
}
