//! What was reported of one purchase, under whatever numbers.

use super::{CONVERSIONS, HOURS_24, Theme};
use crate::{
    definition::{Aggregate::Count, Definition},
    entity::Entity,
};

const THEME: Theme = Theme { entity: Entity::Purchase, owner: "fraud" };

pub(super) fn all() -> Vec<Definition> {
    THEME.over(
        &[HOURS_24],
        "twin_conversions",
        CONVERSIONS,
        Count,
        "Conversions alike in customer (or else device), offer, click and amount",
    )
}
