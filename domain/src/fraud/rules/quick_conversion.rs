//! A conversion seconds after its click.

use super::{Case, Code, Finding, Parameter, Rule, Unit};

pub(super) const RULE: Rule = Rule {
    name: "quick_conversion",
    code: Code::QuickConversion,
    answers: &["R07", "S114", "S124"],
    doc: "The conversion came less than `limit` seconds after its click; of a customer who has ordered before, less than \
          `limit_returning`. Before its click is another rule's.",
    coarse: "the conversion came too soon after its click",
    look_alike: "A returning customer who pays with one click: 6 to 15 seconds. That somebody has ordered before is known by \
                 the customer's orders, this one among them.",
    weight: 70.0,
    window_seconds: None,
    parameters: &[
        Parameter {
            name: "limit",
            default: 10.0,
            unit: Unit::Seconds,
            least: 1.0,
            most: 120.0,
            doc: "Seconds that a new customer needs at least.",
        },
        Parameter {
            name: "limit_returning",
            default: 2.0,
            unit: Unit::Seconds,
            least: 0.0,
            most: 60.0,
            doc: "Seconds that a returning customer needs at least.",
        },
    ],
    needs: &[&["click_to_conversion_seconds"]],
    flags: r#"{"click_to_conversion_seconds": 4}"#,
    spares: r#"{"click_to_conversion_seconds": 6, "customer_orders_365d": 3}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit, limit_returning] = case.values else { return None };
    let returns = case.seen.customer_orders_365d.is_some_and(|orders| 2 <= orders);
    let limit = if returns { limit_returning } else { limit };
    let seconds = f64::from(i32::try_from(case.seen.click_to_conversion_seconds?).ok()?);
    (0.0 <= seconds && seconds < limit).then(|| Finding::new(seconds, limit))
}
