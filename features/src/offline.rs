//! What has to hold of the other computation: the values of features at instants, point in time in both times.

use std::sync::Arc;

use crate::{definition::Feature, entity::Keys, fact::Request, value::Value};

/// An instant at which somebody wants to know.
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    /// About whom.
    pub keys: Keys,
    /// What is being judged, for the features of the request.
    pub request: Option<Request<'a>>,
    /// When.
    pub at_us: i64,
}

/// A computation of features over all that happened. The parity test holds each of them against
/// [`State`](crate::online::State).
pub trait PointInTime {
    /// What can go wrong.
    type Error;

    /// The values of features at the instants of probes: for each probe a vector in the order of the features.
    ///
    /// # Errors
    /// When the events cannot be read.
    fn values(&self, features: &[Arc<Feature>], probes: &[Probe<'_>])
    -> Result<Vec<Vec<Value>>, Self::Error>;
}
