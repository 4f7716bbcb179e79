//! The ring that a partner is in, as decisions about its conversions take it.

use domain::{
    AffiliateId, RingId,
    fraud::{
        graph::Limits,
        score::{LogOdds, Model, ModelEvidence},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The ring that the partner of a conversion was in when it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RingOfPartner)]
pub struct InRing {
    /// Which.
    pub id: RingId,
    /// Its revision.
    pub revision: i32,
    /// The others in it.
    pub with: Vec<AffiliateId>,
    /// What the partner shares with the closest of them.
    #[schema(example = "same mailbox, 2 devices shared")]
    pub shared: String,
    /// Whether another of them was seen with the customer's device, address or mailbox: who is in a ring may sell honestly, too.
    pub knows_customer: bool,
    /// What that is evidence of, in millionths of log-odds.
    #[schema(value_type = i64)]
    pub log_odds: LogOdds,
}

impl InRing {
    /// As a decision counts it.
    pub(super) fn evidence(&self) -> ModelEvidence {
        ModelEvidence { model: Model::Ring, log_odds: self.log_odds, version: self.id.to_string() }
    }

    /// The same where the customer is anybody's: no more evidence than one pair of the program that is joined wrongly.
    #[must_use]
    pub fn of_a_stranger(self) -> Self {
        let wrongly = Limits::USUAL.anybodys();
        Self { knows_customer: false, log_odds: self.log_odds.min(wrongly), ..self }
    }

    /// The same as the team reads it.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { id, with, shared, knows_customer, .. } = self;
        let others: Vec<String> = with.iter().map(ToString::to_string).collect();
        let customer = if *knows_customer { "one of theirs" } else { "not known to the others" };
        format!(
            "The partner is in the ring {id} with {}: {shared}. The customer is {customer}.",
            others.join(", ")
        )
    }
}

/// Whether evidence is of a version of the registry's model, of which champion and challenger are: what else is known counts
/// beside either of them.
pub(super) const fn is_of_the_registry(model: Model) -> bool {
    !matches!(model, Model::Ring | Model::External)
}

#[cfg(test)]
mod tests {
    use domain::fraud::{Evidence, score::Reason};

    use super::{
        super::{Inputs, settings::InForce},
        *,
    };

    fn said(model: Model, log_odds: i64) -> ModelEvidence {
        ModelEvidence { model, log_odds: LogOdds(log_odds), version: "1".to_owned() }
    }

    /// What counts when another version of the model decides beside these.
    fn check(models: &[ModelEvidence], expected: &[(Model, i64)]) {
        let (evidence, in_force) = (Evidence::default(), InForce::defaults());
        let (campaign, at) = (uuid::Uuid::nil().into(), chrono::DateTime::UNIX_EPOCH);
        let inputs = Inputs { campaign, affiliate: None, segment: "", at, evidence: &evidence, models };
        let shadow = inputs.shadowed(&said(Model::Labels, -700_000), &in_force);
        let parts: Vec<_> = shadow.score.parts.iter().map(|part| (part.reason, part.log_odds.0)).collect();
        let expected: Vec<_> = expected.iter().map(|(model, odds)| (Reason::Model(*model), *odds)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn the_other_version_of_the_model_decides_with_the_ring_too() {
        let labels = (Model::Labels, -700_000);
        check(&[], &[labels]);
        check(&[said(Model::Forest, 900_000)], &[labels]);
        check(
            &[said(Model::Forest, 900_000), said(Model::Ring, 5_000_000)],
            &[labels, (Model::Ring, 5_000_000)],
        );
        check(&[said(Model::Ring, 5_000_000)], &[labels, (Model::Ring, 5_000_000)]);
    }

    #[test]
    fn a_ring_is_read_back_as_it_was_kept() {
        let ring = InRing {
            id: "rng_01JH0000000000000000000000".parse().unwrap(),
            revision: 2,
            with: Vec::new(),
            shared: "same mailbox".to_owned(),
            knows_customer: true,
            log_odds: LogOdds(10_000_000),
        };
        let text = serde_json::to_string(&ring).unwrap();
        insta::assert_snapshot!(text, @r#"{"id":"rng_01JH0000000000000000000000","revision":2,"with":[],"shared":"same mailbox","knows_customer":true,"log_odds":10000000}"#);
        assert_eq!(serde_json::from_str::<InRing>(&text).unwrap(), ring);
        let stranger = ring.of_a_stranger();
        assert!(!stranger.knows_customer && LogOdds::EVEN < stranger.log_odds);
        assert!(stranger.log_odds < LogOdds(1_000_000), "{stranger:?}");
    }
}
