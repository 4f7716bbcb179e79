//! Several partners who are paid to one account.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "payout_account",
    code: Code::SharedPayoutAccount,
    answers: &["R16"],
    doc: "More than `limit` partners are paid to the partner's account.",
    coarse: "several partners are paid to one account",
    look_alike: "An agency with sub-accounts, which it has declared.",
    weight: 100.0,
    window_seconds: None,
    parameters: &[Parameter {
        name: "limit",
        default: 1.0,
        unit: Unit::Count,
        least: 1.0,
        most: 100.0,
        doc: "Partners that one account may pay.",
    }],
    needs: &[&["payout_account_affiliates"], &["declared_agency"]],
    flags: r#"{"payout_account_affiliates": 3, "declared_agency": false}"#,
    spares: r#"{"payout_account_affiliates": 12, "declared_agency": true}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit] = case.values else { return None };
    let partners = real(case.seen.payout_account_affiliates?);
    (limit < partners && !case.seen.declared_agency?).then(|| Finding::new(partners, limit))
}
