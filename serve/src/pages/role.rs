//! What people may do on the pages.

use std::{fmt, str::FromStr};

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Everything the team may do.
    Admin,
    /// Looks after partners: matches, rates, programs.
    PartnershipManager,
    /// Reviews what may be fraud.
    FraudAnalyst,
    /// Looks after money.
    Finance,
    /// Sees what is of its own affiliate.
    Affiliate,
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of admin, partnership_manager, fraud_analyst, finance and affiliate")]
pub struct RoleError;

impl Role {
    const ALL: [Self; 5] =
        [Self::Admin, Self::PartnershipManager, Self::FraudAnalyst, Self::Finance, Self::Affiliate];

    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::PartnershipManager => "partnership_manager",
            Self::FraudAnalyst => "fraud_analyst",
            Self::Finance => "finance",
            Self::Affiliate => "affiliate",
        }
    }

    /// Whether it decides about partners and what they are offered.
    #[must_use]
    pub const fn leads_partners(self) -> bool {
        matches!(self, Self::Admin | Self::PartnershipManager)
    }

    /// Whether it decides about cases and by which rules there are any.
    #[must_use]
    pub const fn reviews_fraud(self) -> bool {
        matches!(self, Self::Admin | Self::FraudAnalyst)
    }

    /// Whether it decides which models count.
    #[must_use]
    pub const fn moves_models(self) -> bool {
        matches!(self, Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(RoleError)
    }
}
