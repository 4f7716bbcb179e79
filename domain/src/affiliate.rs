//! Affiliates apply, are approved, and may be suspended; only an approved one earns.

use crate::state::{StateError, moves, names};

names! {
    /// Where an affiliate stands with the program.
    AffiliateStatus: "affiliate status" {
        /// Applied and waits for a decision.
        Pending = "pending",
        /// Takes part: links count and commissions accrue.
        Approved = "approved",
        /// Shut out for now: links redirect to the fallback and nothing accrues.
        Suspended = "suspended",
        /// Turned down; may be reconsidered.
        Rejected = "rejected",
    }
}

moves! { AffiliateStatus, "affiliate":
    Pending => [Approved, Rejected],
    Approved => [Suspended],
    Suspended => [Approved, Rejected],
    Rejected => [Approved],
}

impl AffiliateStatus {
    /// Takes a suspended affiliate back; who was never let in is approved instead.
    ///
    /// # Errors
    /// When the affiliate is not suspended.
    pub fn reinstated(self) -> Result<Self, StateError> {
        if self != Self::Suspended {
            return Err(StateError { thing: "affiliate", from: self.name(), to: "reinstated" });
        }
        self.to(Self::Approved)
    }
}

names! {
    /// How an affiliate is paid.
    PayoutMethod: "payout method" {
        /// PayPal payouts.
        Paypal = "paypal",
        /// Wise transfers.
        Wise = "wise",
        /// Bank transfer.
        Bank = "bank",
        /// Stripe Connect.
        Stripe = "stripe",
    }
}

names! {
    /// How much a partner brings for what it costs.
    Tier: "tier" {
        /// Below the program's usual.
        Bronze = "bronze",
        /// The program's usual and more.
        Silver = "silver",
        /// Well above it.
        Gold = "gold",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: AffiliateStatus, to: AffiliateStatus, legal: bool) {
        assert_eq!(from.to(to).is_ok(), legal, "{from} to {to}");
    }

    #[test]
    fn a_suspended_affiliate_can_come_back() {
        check(AffiliateStatus::Suspended, AffiliateStatus::Approved, true);
    }

    #[test]
    fn an_approved_affiliate_is_never_pending_again() {
        check(AffiliateStatus::Approved, AffiliateStatus::Pending, false);
    }

    #[test]
    fn only_a_suspended_affiliate_is_reinstated() {
        assert_eq!(AffiliateStatus::Suspended.reinstated(), Ok(AffiliateStatus::Approved));
        assert!(AffiliateStatus::Pending.reinstated().is_err());
    }

    #[test]
    fn names_are_published_as_they_are_written() {
        let schema = serde_json::to_value(<AffiliateStatus as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::json!(["pending", "approved", "suspended", "rejected"]));
        assert_eq!(schema["description"], "Where an affiliate stands with the program.");
    }

    #[test]
    fn an_illegal_move_is_told_in_a_sentence() {
        let error = AffiliateStatus::Pending.to(AffiliateStatus::Suspended).unwrap_err();
        insta::assert_snapshot!(error, @"this affiliate is pending and cannot become suspended");
    }
}
