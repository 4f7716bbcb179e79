//! Profiles as numbers that are like in size: each number beside the mean of partners who won something, each common word a
//! column of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Trait;

/// A word is a column when so many partners who won something say it.
const LEAST: usize = 5;
/// A column of more different words says who somebody is, and not what they are like.
const MOST_WORDS: usize = 30;
/// Of what varies within sources by no more than this nothing can be learned.
const LEAST_VARIANCE: f64 = 1e-6;

/// A partner as far as its profile is concerned.
pub(super) struct Profiled<'a> {
    pub(super) says: &'a BTreeMap<String, Trait>,
    /// The number of its source.
    pub(super) source: usize,
    /// Whether its customers say something of its profile.
    pub(super) won: bool,
}

/// Numbers for each partner.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) names: Vec<String>,
    /// For each partner, as many as there are names; 0 is usual, or unknown.
    pub(super) rows: Vec<Vec<f64>>,
    pub(super) notes: Vec<String>,
}

impl Profile {
    pub(super) fn of(partners: &[Profiled<'_>]) -> Self {
        let mut profile = Self { rows: vec![Vec::new(); partners.len()], ..Self::default() };
        let names: BTreeSet<&String> = partners.iter().flat_map(|partner| partner.says.keys()).collect();
        for name in names {
            let said: Vec<Option<&Trait>> = partners.iter().map(|partner| partner.says.get(name)).collect();
            let is_words = said.iter().flatten().any(|it| matches!(it, Trait::Word(_)));
            if is_words {
                profile.add_words(name, &said, partners);
            } else {
                profile.add(name.clone(), &said.iter().map(|it| number(*it)).collect::<Vec<_>>(), partners);
            }
        }
        profile
    }

    fn add_words(&mut self, name: &str, said: &[Option<&Trait>], partners: &[Profiled<'_>]) {
        let words: Vec<Option<String>> = said.iter().map(|it| it.map(word)).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (word, partner) in words.iter().zip(partners) {
            if let Some(word) = word {
                *counts.entry(word).or_default() += usize::from(partner.won);
            }
        }
        if MOST_WORDS < counts.len() {
            let many = counts.len();
            self.notes.push(format!("{name} says {many} different things, and nothing is learned from it"));
            return;
        }
        for (word, _) in counts.iter().filter(|(_, count)| LEAST <= **count) {
            let is = |it: &Option<String>| it.as_ref().map(|it| f64::from(u8::from(it == word)));
            self.add(format!("{name}={word}"), &words.iter().map(is).collect::<Vec<_>>(), partners);
        }
    }

    /// A column of numbers, as standard deviations from the mean of those who won something. What lies beyond all of them
    /// counts as the last of them, so that nobody is judged by what was never seen.
    fn add(&mut self, name: String, numbers: &[Option<f64>], partners: &[Profiled<'_>]) {
        let won = || numbers.iter().zip(partners).filter(|(_, partner)| partner.won);
        let known: Vec<f64> = won().filter_map(|(number, _)| *number).collect();
        let count = known.len() as f64;
        let mean = known.iter().sum::<f64>() / f64::max(count, 1.0);
        let variance = known.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / f64::max(count, 1.0);
        let scale = if 0.0 < variance { variance.sqrt() } else { 1.0 };
        let (least, most) =
            known.iter().fold((mean, mean), |(least, most), it| (f64::min(least, *it), f64::max(most, *it)));
        let scaled = |it: &Option<f64>| it.map_or(0.0, |it| (it.clamp(least, most) - mean) / scale);
        let scaled: Vec<f64> = numbers.iter().map(scaled).collect();
        if within(&scaled, partners) <= LEAST_VARIANCE {
            self.notes.push(format!("{name} does not vary within sources, and nothing is learned from it"));
            return;
        }
        self.rows.iter_mut().zip(scaled).for_each(|(row, number)| row.push(number));
        self.names.push(name);
    }
}

/// The variance within sources among those who won something.
fn within(scaled: &[f64], partners: &[Profiled<'_>]) -> f64 {
    let mut sources: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (number, partner) in scaled.iter().zip(partners).filter(|(_, partner)| partner.won) {
        sources.entry(partner.source).or_default().push(*number);
    }
    let squares = sources.values().map(|numbers| {
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        numbers.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>()
    });
    let count = sources.values().map(Vec::len).sum::<usize>();
    squares.sum::<f64>() / f64::max(count as f64, 1.0)
}

fn number(it: Option<&Trait>) -> Option<f64> {
    match it {
        Some(Trait::Number(number)) => Some(*number),
        _ => None,
    }
}

fn word(it: &Trait) -> String {
    match it {
        Trait::Number(number) => number.to_string(),
        Trait::Word(word) => word.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled_words_are_counted_and_names_left_out() {
        let says = |place: usize| {
            let mut says = BTreeMap::from([
                ("quality".to_owned(), Trait::Number(place as f64)),
                ("name".to_owned(), Trait::Word(format!("partner {place}"))),
                ("same".to_owned(), Trait::Number(7.0)),
            ]);
            let kind = if place.is_multiple_of(4) { "video" } else { "text" };
            says.insert("kind".to_owned(), Trait::Word(kind.to_owned()));
            says
        };
        let mut all: Vec<_> = (0..40).map(says).collect();
        all.push(BTreeMap::from([("quality".to_owned(), Trait::Number(1e9))]));
        let partners: Vec<Profiled<'_>> = all
            .iter()
            .enumerate()
            .map(|(place, says)| Profiled { says, source: place % 2, won: place < 40 })
            .collect();
        let profile = Profile::of(&partners);
        assert_eq!(profile.names, ["kind=text", "kind=video", "quality"]);
        assert_eq!(profile.notes.len(), 2, "{:?}", profile.notes);
        assert!(profile.rows.iter().all(|row| row.len() == 3));
        // An applicant who says nothing of its kind is usual there, and no better than the best there was.
        assert!(
            profile.rows[40][0].abs() < 1e-12 && (profile.rows[40][2] - profile.rows[39][2]).abs() < 1e-12
        );
        let mean = profile.rows[..40].iter().map(|row| row[2]).sum::<f64>() / 40.0;
        assert!(mean.abs() < 1e-12);
    }
}
