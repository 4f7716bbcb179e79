//! The policy file: by which rule rates are decided, what partners agreed to if nothing else is said, and how cautious evidence
//! is.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use domain::commission::dynamic::{Contract, Policy};
use serde::{Deserialize, Serialize};

use crate::{jobs::json, policy::evidence::Caution};

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
        let rule: Self = json::read(path, "policy", "docs/policy.json is one")?;
        rule.policy.check().with_context(|| format!("the policy of {name} cannot be meant"))?;
        rule.contract.check().with_context(|| format!("the contract of {name} cannot be kept"))?;
        let (step, band) = (rule.contract.step, rule.policy.dead_band);
        ensure!(
            band <= step,
            "{name}: the contract's step of {step} is below the policy's dead_band of {band}, so that no rate would ever move; give a \
             longer step or a narrower band"
        );
        ensure!(
            0 < rule.contract.notice_days,
            "{name}: the contract's notice_days is 0; a rate is announced before it holds: give at least 1"
        );
        rule.caution.check().with_context(|| format!("the policy of {name} cannot be meant"))?;
        Ok(rule)
    }
}
