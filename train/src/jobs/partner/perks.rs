//! What each tier gives: perks in words, such as support and early access, and a bonus on the rate.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::{Context, Result, bail, ensure};
use domain::Rate;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, json};

use super::placed::{name, tier};
use crate::{jobs::json, partner::Tier};

/// More characters are no name of a perk.
const MOST_CHARACTERS: usize = 120;
const EXAMPLE: &str = "expected {\"gold\": {\"perks\": [\"early access to new campaigns\"], \"rate_bonus\": \"2%\"}, \"silver\": {…}}";

/// What all tiers give.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Perks(BTreeMap<Tier, Given>);

/// What a tier gives.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    perks: Vec<String>,
    /// As people write it: 2%, or 0.02.
    #[serde(default)]
    rate_bonus: Option<String>,
    /// The same, in parts per million.
    #[serde(skip)]
    bonus_ppm: u32,
}

/// What a partner gains and loses when it moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Change {
    gains: Vec<String>,
    loses: Vec<String>,
}

/// The file as it is written, a tier that is named twice included.
struct Listed(Vec<(String, Given)>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{…} of tiers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Listed(all))
            }
        }
        from.deserialize_map(Pairs)
    }
}

impl Perks {
    /// Reads a file of them.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let source = path.display();
        let Listed(listed) = json::read(path, "list of what tiers give", EXAMPLE)?;
        let mut perks = Self::default();
        for (word, given) in listed {
            let tier = tier(word.trim()).with_context(|| {
                format!("{source}: there is no tier {word:?}; expected gold, silver or bronze")
            })?;
            let given = given.checked().with_context(|| format!("{source}: what {word} gives"))?;
            let twice = perks.0.insert(tier, given).is_some();
            ensure!(!twice, "{source}: what {} gives is said twice", name(tier));
        }
        let gives = |given: &Given| !given.perks.is_empty() || 0 < given.bonus_ppm;
        ensure!(perks.0.values().any(gives), "{source}: no tier gives anything; {EXAMPLE}");
        for (lower, higher) in [(Tier::Bronze, Tier::Silver), (Tier::Silver, Tier::Gold)] {
            let (less, more) = (perks.bonus_ppm(lower), perks.bonus_ppm(higher));
            ensure!(
                less <= more,
                "{source}: {} has a rate_bonus of {} and {} one of {}; a higher tier cannot be paid less",
                name(lower),
                percent(less),
                name(higher),
                percent(more)
            );
        }
        Ok(perks)
    }

    fn bonus_ppm(&self, tier: Tier) -> u32 {
        self.0.get(&tier).map_or(0, |given| given.bonus_ppm)
    }

    fn named(&self, tier: Tier) -> &[String] {
        self.0.get(&tier).map_or(&[], |given| &given.perks)
    }

    /// All that a tier gives, in words.
    pub(super) fn of(&self, tier: Tier) -> Vec<String> {
        let bonus = Some(self.bonus_ppm(tier)).filter(|ppm| 0 < *ppm);
        let bonus = bonus.map(|ppm| format!("{} on the rate", points(i64::from(ppm))));
        self.named(tier).iter().cloned().chain(bonus).collect()
    }

    /// What a move changes.
    pub(super) fn change(&self, from: Tier, to: Tier) -> Change {
        let missing = |of: Tier, elsewhere: Tier| -> Vec<String> {
            let there = self.named(elsewhere);
            self.named(of).iter().filter(|perk| !there.contains(perk)).cloned().collect()
        };
        let mut change = Change { gains: missing(to, from), loses: missing(from, to) };
        let (before, now) = (i64::from(self.bonus_ppm(from)), i64::from(self.bonus_ppm(to)));
        let words = |ppm: i64| format!("{} on the rate", points(ppm));
        match now - before {
            0 => {}
            more if before < now => change.gains.push(words(more)),
            less => change.loses.push(words(-less)),
        }
        change
    }

    /// What each tier gives, for programs.
    pub(super) fn json(&self) -> Value {
        let of = |tier: Tier| json!({"perks": self.named(tier), "rate_bonus_ppm": self.bonus_ppm(tier)});
        json!({"gold": of(Tier::Gold), "silver": of(Tier::Silver), "bronze": of(Tier::Bronze)})
    }
}

impl Change {
    pub(super) fn json(&self) -> (Value, Value) {
        (json!(self.gains), json!(self.loses))
    }
}

/// In a sentence.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = [("gains", &self.gains), ("loses", &self.loses)];
        let told = told.iter().filter(|(_, perks)| !perks.is_empty());
        let told: Vec<String> = told.map(|(what, perks)| format!("{what} {}", perks.join(", "))).collect();
        f.write_str(&told.join("; "))
    }
}

impl Given {
    fn checked(mut self) -> Result<Self> {
        for (place, perk) in self.perks.iter().enumerate() {
            let characters = perk.chars().count();
            ensure!(
                perk.trim() == perk && !perk.is_empty(),
                "perk {} says nothing, or begins or ends with a space",
                place + 1
            );
            ensure!(
                characters <= MOST_CHARACTERS && !perk.chars().any(|it| it.is_control() || it == ';'),
                "perk {}: say it in one line of at most {MOST_CHARACTERS} characters, without semicolons",
                place + 1
            );
            ensure!(!self.perks[..place].contains(perk), "perk {perk:?} is there twice");
        }
        if let Some(text) = &self.rate_bonus {
            let Ok(Rate { ppm }) = crate::rate::rate(text) else {
                bail!(
                    "rate_bonus is {text:?}: say how much is added to the rate, such as \"2%\", or \"0.02\""
                );
            };
            self.bonus_ppm = ppm;
        }
        Ok(self)
    }
}

fn points(ppm: i64) -> String {
    format!("+{} points", ppm as f64 / 1e4)
}

fn percent(ppm: u32) -> String {
    format!("{}%", f64::from(ppm) / 1e4)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<Perks> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("perks.json");
        fs::write(&path, text).unwrap();
        Perks::read(&path)
    }

    #[test]
    fn a_move_changes_what_differs() {
        let perks = read(
            r#"{"gold": {"perks": ["support", "early access"], "rate_bonus": "2%"},
            "vip": {"perks": ["support"], "rate_bonus": "0.005"}, "bronze": {"perks": ["a course"]}}"#,
        );
        let perks = perks.unwrap();
        assert_eq!(perks.of(Tier::Gold), ["support", "early access", "+2 points on the rate"]);
        let told = |from, to| perks.change(from, to).to_string();
        assert_eq!(told(Tier::Silver, Tier::Gold), "gains early access, +1.5 points on the rate");
        assert_eq!(told(Tier::Gold, Tier::Silver), "loses early access, +1.5 points on the rate");
        assert_eq!(
            told(Tier::Bronze, Tier::Silver),
            "gains support, +0.5 points on the rate; loses a course"
        );
        assert_eq!(told(Tier::Gold, Tier::Gold), "");
    }

    #[test]
    fn what_no_tier_can_give_is_refused() {
        for (text, says) in [
            ("{}", "no tier gives anything"),
            (r#"{"platin": {}}"#, "there is no tier \"platin\""),
            (r#"{"gold": {"perks": ["a"]}, "elite": {"perks": ["b"]}}"#, "what gold gives is said twice"),
            (r#"{"gold": {"perks": ["a"]}, "gold": {}}"#, "what gold gives is said twice"),
            (r#"{"gold": {"perk": ["a"]}}"#, "there is no field \"perk\""),
            (r#"{"gold": {"perks": ["a", "a"]}}"#, "\"a\" is there twice"),
            (r#"{"gold": {"perks": [" "]}}"#, "perk 1 says nothing"),
            (r#"{"gold": {"perks": ["a;b"]}}"#, "without semicolons"),
            (r#"{"gold": {"rate_bonus": "2"}}"#, "rate_bonus is \"2\": say how much is added"),
            (
                r#"{"silver": {"rate_bonus": "3%"}, "gold": {"rate_bonus": "2%"}}"#,
                "a higher tier cannot be paid less",
            ),
            (r#"{"gold": ["a"]}"#, "found the text \"a\", expected a list […]"),
        ] {
            let told = format!("{:#}", read(text).unwrap_err());
            assert!(told.contains(says), "{told}");
        }
    }
}
