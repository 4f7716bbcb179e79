//! BG/NBD times Gamma-Gamma, with nothing learned on top.

use super::{Candidate, Fit, Model};

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "bgnbd",
    doc: "What BG/NBD expects of purchases times what Gamma-Gamma expects of their amounts.",
    fit: Fit::Alone(|_| Ok(Model::Expectation)),
};
