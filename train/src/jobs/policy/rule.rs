//! The policy file: by which rule rates are decided, what partners agreed to if nothing else is said, and how cautious evidence
//! is.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use domain::commission::dynamic::{Contract, Policy};
use serde::{Deserialize, Serialize};

use crate::policy::evidence::Caution;

/// What a policy file says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) policy: Policy,
    pub(super) contract: Contract,
    #[serde(default)]
    pub(super) caution: Caution,
}

impl Rule {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
        let rule: Self = serde_json::from_str(&text).with_context(|| format!("{name} is no policy"))?;
        rule.policy.check().with_context(|| format!("the policy of {name} cannot be meant"))?;
        rule.contract.check().with_context(|| format!("the contract of {name} cannot be kept"))?;
        rule.caution.check().with_context(|| format!("the policy of {name} cannot be meant"))?;
        Ok(rule)
    }
}
