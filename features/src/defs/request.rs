//! What a conversion says by itself, or together with the click that led to it.

use crate::{
    definition::{Computed, Definition},
    entity::Entity,
    fact::Fact,
};

pub(super) fn all() -> Vec<Definition> {
    Fact::ALL.iter().map(|fact| feature(*fact)).collect()
}

fn feature(fact: Fact) -> Definition {
    Definition {
        name: fact.name().to_owned(),
        entity: Entity::Conversion,
        computed: Computed::Request(fact),
        owner: "fraud",
        doc: fact.doc().to_owned(),
    }
}
