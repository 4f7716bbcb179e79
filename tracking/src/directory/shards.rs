//! A map in many parts: a copy shares all of them with the original, but for those that are changed afterwards.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::Arc,
};

// Visitors only look keys up, and those who make them are known: no protection against chosen keys is paid for.
use foldhash::fast::RandomState;

/// Few enough to copy all their addresses in microseconds, and enough that each part of millions stays small.
const PARTS: usize = 1_024;

/// A map whose copy is cheap.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V> {
    hasher: RandomState,
    parts: Vec<Arc<HashMap<K, V, RandomState>>>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self { hasher: RandomState::default(), parts: (0..PARTS).map(|_| Arc::default()).collect() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts[self.part_of(key)].get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        let part = self.part_of(&key);
        Arc::make_mut(&mut self.parts[part]).insert(key, value);
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let part = self.part_of(key);
        // A part is not copied for nothing.
        self.parts[part].get(key)?;
        Arc::make_mut(&mut self.parts[part]).remove(key)
    }

    /// The value of a key, made where there is none, to be changed.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let part = self.part_of(&key);
        Arc::make_mut(&mut self.parts[part]).entry(key).or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    fn part_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_changed_alone() {
        let mut one = Shards::default();
        (0..5_000).for_each(|key| one.insert(key, key));
        let mut other = one.clone();
        other.insert(7, 0);
        other.remove(&8);
        *other.entry(5_000) += 1;
        assert_eq!((one.get(&7), one.get(&8), one.get(&5_000), one.len()), (Some(&7), Some(&8), None, 5_000));
        assert_eq!(
            (other.get(&7), other.get(&8), other.get(&5_000), other.len()),
            (Some(&0), None, Some(&1), 5_000)
        );
    }
}
