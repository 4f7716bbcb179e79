//! Users who are like each other: by their features, the rarer the more, and by what they had to do with, the less usual the
//! more.
//!
//! Either is a cosine of vectors that weigh what a user has by the logarithm of how rare it is (Spärck Jones 1972), and the
//! likeness of two users is the mean of both, or the one that there is. It is a sum over what both have, which is why it can
//! be told in full.

use super::{Because, Profiles, Reason, Seen};

/// Everybody as a vector of what they have.
#[derive(Clone, Debug)]
pub struct Alike {
    names: Vec<String>,
    /// Of each user features first, and then items.
    rows: Vec<Vec<(u32, f64)>>,
    /// Of each feature and item, who has it.
    having: Vec<Vec<(u32, f64)>>,
}

impl Alike {
    /// Weighs what users have.
    #[must_use]
    pub fn new(seen: &Seen) -> Self {
        let own = had(seen);
        let (names, features) = match &seen.users {
            Some(profiles) => (profiles.names().to_vec(), Some(profiles.scaled())),
            None => (Vec::new(), None),
        };
        // Each part's squares add up to a half where there are two of them.
        let share = if features.is_some() { 0.5_f64.sqrt() } else { 1.0 };
        let row = |user: usize| {
            let of = |profiles: &Profiles, first: u32| {
                profiles.row(user).iter().map(|(at, weight)| (first + at, share * weight)).collect::<Vec<_>>()
            };
            let mut row = features.as_ref().map_or_else(Vec::new, |features| of(features, 0));
            row.extend(of(&own, names.len() as u32));
            row
        };
        let rows: Vec<Vec<(u32, f64)>> = (0..seen.interactions.users()).map(row).collect();
        let mut having = vec![Vec::new(); names.len() + seen.interactions.items()];
        for (user, row) in rows.iter().enumerate() {
            row.iter().for_each(|(at, weight)| having[*at as usize].push((user as u32, *weight)));
        }
        Self { names, rows, having }
    }

    /// How like each user is to some of them, on average; from 0 to 1.
    #[must_use]
    pub fn to(&self, group: &[u32]) -> Vec<f64> {
        let mut like = vec![0.0; self.rows.len()];
        for (at, weight) in self.wanted(group) {
            for (user, own) in &self.having[at as usize] {
                like[*user as usize] += weight * own;
            }
        }
        like
    }

    /// What likeness comes from: features and items that both have. The contributions add up to it.
    #[must_use]
    pub fn reasons(&self, user: usize, group: &[u32]) -> Vec<Reason> {
        let wanted = self.wanted(group);
        let both = self.rows[user].iter().filter_map(|(at, own)| {
            let place = wanted.binary_search_by_key(at, |it| it.0).ok()?;
            let because = match self.names.get(*at as usize) {
                Some(name) => Because::Feature(name.clone()),
                None => Because::Item(*at - self.names.len() as u32),
            };
            Some(Reason { because, contribution: own * wanted[place].1 })
        });
        both.collect()
    }

    /// The mean vector of some users, in order.
    fn wanted(&self, group: &[u32]) -> Vec<(u32, f64)> {
        let mut all: Vec<(u32, f64)> =
            group.iter().flat_map(|user| &self.rows[*user as usize]).copied().collect();
        all.sort_by_key(|(at, _)| *at);
        let sum = |same: &[(u32, f64)]| {
            (same[0].0, same.iter().map(|(_, weight)| weight).sum::<f64>() / group.len() as f64)
        };
        all.chunk_by(|one, other| one.0 == other.0).map(sum).collect()
    }
}

/// What users had to do with, as profiles.
fn had(seen: &Seen) -> Profiles {
    let all = &seen.interactions;
    let of = |user: usize| all.of_user(user).iter().map(|row| (row.item, 1.0)).collect();
    Profiles::from_rows(vec![String::new(); all.items()], (0..all.users()).map(of).collect()).scaled()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        anomaly::matrix::Values,
        matching::{Interaction, Interactions},
    };

    #[test]
    fn likeness_is_the_sum_of_what_both_have_and_whole_with_oneself() {
        let words = ["DE", "DE", "FR", "FR", "DE"].map(|it| Some(it.to_owned())).to_vec();
        let users = Profiles::from_columns(&[("country".to_owned(), Values::Categories(words))]).unwrap();
        let row = |user, item| Interaction { user, item, value: 1.0, ts_us: 0 };
        let rows = vec![row(0, 0), row(0, 1), row(1, 1), row(2, 1), row(2, 2), row(3, 0)];
        let seen = Seen::new(Interactions::new(5, 3, rows).unwrap(), Some(users), None).unwrap();
        let alike = Alike::new(&seen);
        let like = alike.to(&[0]);
        assert!((like[0] - 1.0).abs() < 1e-12, "{like:?}");
        // The country alone; the country and an item; an item that is rarer than the other.
        assert!((like[4] - 0.5).abs() < 1e-12 && like[4] < like[1] && like[2] < like[3], "{like:?}");
        for (user, like) in like.iter().enumerate() {
            let said: f64 = alike.reasons(user, &[0]).iter().map(|it| it.contribution).sum();
            assert!((said - like).abs() < 1e-12);
        }
        let both: f64 = alike.to(&[0, 2])[1];
        assert!((both - (alike.to(&[0])[1] + alike.to(&[2])[1]) / 2.0).abs() < 1e-12);
    }
}
