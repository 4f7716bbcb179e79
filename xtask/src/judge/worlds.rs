//! The worlds that models are judged in: files of flags for the simulator, which stay as they are.

use anyhow::{Context, Result, bail};

/// What such a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Worlds {
    pub(super) seeds: Vec<String>,
    pub(super) days: u64,
    /// What each is called, and its flags.
    pub(super) worlds: Vec<(String, Vec<String>)>,
}

impl Worlds {
    /// Reads `seeds …`, `days N` and `world NAME FLAGS…`, each on a line of its own; `#` begins a comment.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut worlds = Self { seeds: Vec::new(), days: 0, worlds: Vec::new() };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("seeds") => worlds.seeds = words.collect(),
                Some("days") => worlds.days = words.next().context("days wants a number")?.parse()?,
                Some("world") => {
                    worlds.worlds.push((words.next().context("a world has a name")?, words.collect()));
                }
                _ => bail!("a line begins with neither seeds, days nor world: {line}"),
            }
        }
        Ok(worlds)
    }

    /// Those that were asked for, or all.
    pub(super) fn only(&self, asked: &[String]) -> Result<Vec<&(String, Vec<String>)>> {
        let known: Vec<&str> = self.worlds.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(stranger) = asked.iter().find(|name| !known.contains(&name.as_str())) {
            bail!("there is no world {stranger:?}: expected one of {}", known.join(", "));
        }
        Ok(self.worlds.iter().filter(|(name, _)| asked.is_empty() || asked.contains(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, seeds: usize, worlds: usize) {
        let read = Worlds::read(text).unwrap();
        assert_eq!((read.seeds.len(), read.worlds.len()), (seeds, worlds));
    }

    #[test]
    fn the_worlds_are_read() {
        check(include_str!("fraud/worlds.txt"), 5, 3);
        check(include_str!("rules/worlds.txt"), 5, 3);
        check(include_str!("attribution/worlds.txt"), 3, 5);
        assert!(Worlds::read("wrold x --days 3").is_err());
    }
}
