//! A lead that did not pass its checks.

use super::{Case, Code, Finding, Rule};
use crate::fraud::evidence::CheckResult;

pub(super) const RULE: Rule = Rule {
    name: "validation",
    code: Code::ValidationFailed,
    answers: &["S123", "S129"],
    doc: "The customer's e-mail address does not exist, or the test for people in the advertiser's form was not passed, as the \
          report says.",
    coarse: "the sign-up did not pass its checks",
    look_alike: "A mail server that asks to come again, or a check that was down: the result is unsure, which is no failure.",
    weight: 60.0,
    window_seconds: None,
    parameters: &[],
    needs: &[&["email_check", "captcha_check"]],
    flags: r#"{"email_check": "failed", "captcha_check": "passed"}"#,
    spares: r#"{"email_check": "unsure", "captcha_check": "passed"}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let checks = [case.seen.email_check, case.seen.captcha_check];
    let failed: u8 = checks.iter().map(|check| u8::from(*check == Some(CheckResult::Failed))).sum();
    (failed != 0).then(|| Finding::new(f64::from(failed), 1.0))
}
