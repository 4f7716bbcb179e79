//! An order that was told before.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::statistics::real;

pub(super) const RULE: Rule = Rule {
    name: "duplicate_order",
    code: Code::DuplicateOrder,
    answers: &["R13"],
    doc: "Two reports or more, each with a message id of its own, name one order of the advertiser; or, with `twin_part` of \
          the weight, `twins` or more conversions within 24 hours are of one customer, campaign, click and amount.",
    coarse: "the order was reported before",
    look_alike: "A delivery that is repeated because its answer was lost: it has the same message id and is answered as the \
                 first was, without a second conversion. A subscription's renewals are alike, but weeks apart.",
    weight: 100.0,
    window_seconds: Some(86_400),
    parameters: &[
        Parameter {
            name: "twins",
            default: 2.0,
            unit: Unit::Count,
            least: 2.0,
            most: 100.0,
            doc: "Conversions alike in everything, this one among them, from which on they are one.",
        },
        Parameter {
            name: "twin_part",
            default: 0.6,
            unit: Unit::Share,
            least: 0.05,
            most: 1.0,
            doc: "What being alike under another number is worth of the weight.",
        },
    ],
    needs: &[&["order_reports", "twin_conversions_24h"]],
    flags: r#"{"order_reports": 3, "twin_conversions_24h": 3}"#,
    spares: r#"{"order_reports": 1, "twin_conversions_24h": 1}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[twins, twin_part] = case.values else { return None };
    if let Some(reports) = case.seen.order_reports.filter(|reports| 2 <= *reports) {
        return Some(Finding::new(real(reports), 2.0));
    }
    let alike = real(case.seen.twin_conversions_24h?);
    (twins <= alike).then(|| Finding::new(alike, twins).weaker(twin_part))
}
