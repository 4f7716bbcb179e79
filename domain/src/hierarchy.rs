//! Affiliates stand below those who recruited them: a forest, kept as the closure of «is above».

use std::collections::{BTreeMap, BTreeSet};

use crate::id::AffiliateId;

/// At most this many levels above an affiliate share in what it earns («Decided», S80).
pub const LEVELS: usize = 5;

/// What a hierarchy cannot be made to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyError {
    /// The new parent is the affiliate itself or somebody below it.
    #[error(
        "affiliate {child} cannot be placed below {parent}, because {parent} is {child} or stands below it"
    )]
    Cycle {
        /// Who was to move.
        child: AffiliateId,
        /// Below whom.
        parent: AffiliateId,
    },
    /// One of the two is not in the hierarchy.
    #[error("affiliate {0} does not exist")]
    Unknown(AffiliateId),
}

/// Refuses a parent from whom `child` is already an ancestor: `upline_of_parent` is the new parent and
/// everybody above it.
///
/// # Errors
/// When the move would close a cycle.
pub fn check_parent(
    child: AffiliateId,
    parent: AffiliateId,
    upline_of_parent: &[AffiliateId],
) -> Result<(), HierarchyError> {
    if child == parent || upline_of_parent.contains(&child) {
        return Err(HierarchyError::Cycle { child, parent });
    }
    Ok(())
}

/// The whole forest in memory, with the closure derived from it: the model that the database's table
/// is tested against, and the tool of jobs that need many uplines at once.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    parents: BTreeMap<AffiliateId, Option<AffiliateId>>,
}

impl Hierarchy {
    /// Adds an affiliate below `parent`, or at the top; known ones keep their place.
    ///
    /// # Errors
    /// When the parent is not in the hierarchy.
    pub fn add(&mut self, id: AffiliateId, parent: Option<AffiliateId>) -> Result<(), HierarchyError> {
        if let Some(unknown) = parent.filter(|parent| !self.parents.contains_key(parent)) {
            return Err(HierarchyError::Unknown(unknown));
        }
        self.parents.entry(id).or_insert(parent);
        Ok(())
    }

    /// Moves `id`, with everybody below it, under `parent` or to the top.
    ///
    /// # Errors
    /// When either is unknown or the move would close a cycle.
    pub fn place(&mut self, id: AffiliateId, parent: Option<AffiliateId>) -> Result<(), HierarchyError> {
        if let Some(parent) = parent {
            if !self.parents.contains_key(&parent) {
                return Err(HierarchyError::Unknown(parent));
            }
            check_parent(id, parent, &self.upline(parent))?;
        }
        *self.parents.get_mut(&id).ok_or(HierarchyError::Unknown(id))? = parent;
        Ok(())
    }

    /// Everybody above `id`, nearest first.
    #[must_use]
    pub fn upline(&self, id: AffiliateId) -> Vec<AffiliateId> {
        let above = |id: &AffiliateId| self.parents.get(id).copied().flatten();
        std::iter::successors(above(&id), above).collect()
    }

    /// The closure: `(ancestor, descendant, depth)` for every pair, each affiliate paired with itself at 0.
    #[must_use]
    pub fn closure(&self) -> BTreeSet<(AffiliateId, AffiliateId, usize)> {
        let pairs = self.parents.keys().flat_map(|id| {
            let above = self.upline(*id).into_iter().enumerate();
            above.map(|(i, ancestor)| (ancestor, *id, i + 1)).chain([(*id, *id, 0)])
        });
        pairs.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(number: u8) -> AffiliateId {
        AffiliateId::from(Uuid::from_u128(u128::from(number)))
    }

    fn chain(length: u8) -> Hierarchy {
        let mut hierarchy = Hierarchy::default();
        for number in 0..length {
            hierarchy.add(id(number), number.checked_sub(1).map(id)).unwrap();
        }
        hierarchy
    }

    #[test]
    fn nobody_can_be_placed_below_themselves() {
        let mut hierarchy = chain(3);
        assert_eq!(
            hierarchy.place(id(0), Some(id(0))),
            Err(HierarchyError::Cycle { child: id(0), parent: id(0) })
        );
        assert_eq!(
            hierarchy.place(id(0), Some(id(2))),
            Err(HierarchyError::Cycle { child: id(0), parent: id(2) })
        );
    }

    #[test]
    fn moving_somebody_moves_everybody_below() {
        let mut hierarchy = chain(4);
        hierarchy.add(id(9), None).unwrap();
        hierarchy.place(id(2), Some(id(9))).unwrap();
        assert_eq!(hierarchy.upline(id(3)), [id(2), id(9)]);
        assert_eq!(hierarchy.upline(id(1)), [id(0)]);
    }

    proptest! {
        #[test]
        fn no_history_of_moves_makes_a_cycle(moves in prop::collection::vec((0..12_u8, prop::option::of(0..12_u8)), 0..60)) {
            let mut hierarchy = chain(12);
            for (child, parent) in moves {
                let _refused_or_placed = hierarchy.place(id(child), parent.map(id));
                for number in 0..12 {
                    let upline = hierarchy.upline(id(number));
                    prop_assert!(upline.len() < 12 && !upline.contains(&id(number)));
                }
            }
        }
    }
}
