//! A conversion is received, waits, is decided, and may be reversed; every move is kept.

use crate::state::{StateError, moves, names};

names! {
    /// Where a conversion is in its life («Decided» in the checklist, S208).
    ConversionStatus: "conversion status" {
        /// Recorded, not yet looked at.
        Received = "received",
        /// Credited; its commissions have accrued and wait for approval.
        Pending = "pending",
        /// Confirmed; its commissions are payable.
        Approved = "approved",
        /// Turned down; its commissions were taken back.
        Rejected = "rejected",
        /// Waits for a person to look at it.
        OnHold = "on_hold",
        /// Taken back after approval, in part or whole; what is left may be taken back too.
        Reversed = "reversed",
    }
}

moves! { ConversionStatus, "conversion":
    Received => [Pending, Rejected],
    Pending => [Approved, Rejected, OnHold],
    OnHold => [Pending, Approved, Rejected],
    Approved => [Reversed],
    Rejected => [],
    Reversed => [Reversed],
}

impl ConversionStatus {
    /// Back to waiting, where a partner's answer showed a rejection to be wrong. Nothing else leads out of one, no report
    /// and no other request.
    ///
    /// # Errors
    /// When it is not rejected.
    pub fn reinstated(self) -> Result<Self, StateError> {
        let (thing, from, to) = ("conversion", self.name(), Self::Pending.name());
        if self == Self::Rejected { Ok(Self::Pending) } else { Err(StateError { thing, from, to }) }
    }
}

names! {
    /// Why a conversion was rejected or reversed.
    ReversalReason: "reversal reason" {
        /// The customer got the money back.
        Refund = "refund",
        /// The card's holder took the money back.
        Chargeback = "chargeback",
        /// The same order was already counted.
        Duplicate = "duplicate",
        /// Found to be fraudulent.
        Fraud = "fraud",
        /// Against the program's terms.
        Terms = "terms",
        /// Recorded by mistake.
        TrackingError = "tracking_error",
        /// Made for a test.
        Test = "test",
        /// Something else; the note says what.
        Other = "other",
    }
}

names! {
    /// Where a line of commission is in its life.
    CommissionStatus: "commission status" {
        /// Earned, waits for the conversion's approval.
        Accrued = "accrued",
        /// Confirmed, waits for payout.
        Payable = "payable",
        /// Paid out.
        Paid = "paid",
    }
}

names! {
    /// What a line of commission that has accrued waits for.
    CommissionWait: "commission wait" {
        /// The conversion's approval.
        Approval = "approval",
        /// The customer, who has to stay until the commission is final.
        Customer = "customer",
    }
}

moves! { CommissionStatus, "commission":
    Accrued => [Payable],
    Payable => [Paid],
    Paid => [],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_conversion_moves_no_more() {
        assert!(ConversionStatus::ALL.iter().all(|to| ConversionStatus::Rejected.to(*to).is_err()));
    }

    #[test]
    fn only_a_rejected_conversion_is_reinstated() {
        for from in ConversionStatus::ALL {
            let expected = (*from == ConversionStatus::Rejected).then_some(ConversionStatus::Pending);
            assert_eq!(from.reinstated().ok(), expected, "{from}");
        }
    }

    #[test]
    fn every_conversion_status_but_received_can_be_reached() {
        for status in ConversionStatus::ALL {
            let reached = ConversionStatus::ALL.iter().any(|from| from.next().contains(status));
            assert_eq!(reached, *status != ConversionStatus::Received, "{status}");
        }
    }

    #[test]
    fn names_survive_print_and_parse() {
        for status in ConversionStatus::ALL {
            assert_eq!(status.name().parse(), Ok(*status));
        }
        let error = "paid".parse::<ConversionStatus>().unwrap_err();
        insta::assert_snapshot!(error, @r#""paid" is not a conversion status: expected one of received, pending, approved, rejected, on_hold, reversed"#);
    }
}
