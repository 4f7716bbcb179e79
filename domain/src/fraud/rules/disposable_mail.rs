//! A customer whose e-mail address exists for minutes.

use super::{Case, Code, Finding, Rule};
use crate::fraud::lists::ListKind;

pub(super) const RULE: Rule = Rule {
    name: "disposable_mail",
    code: Code::DisposableEmail,
    answers: &["R03", "S116", "S129"],
    doc: "The customer's e-mail address is with a provider of throw-away addresses: one that the feature knows (the crate \
          mailchecker, MIT, some 56,000 domains) or the program's list `disposable_domains`.",
    coarse: "an e-mail address that is thrown away",
    look_alike: "A provider of lasting aliases that somebody took for one of throw-away addresses: the list \
                 `lasting_domains` says so. Six in a thousand honest customers do use throw-away addresses, which is why \
                 the rule alone holds nothing.",
    weight: 40.0,
    window_seconds: None,
    parameters: &[],
    needs: &[&["email_domain_disposable", "email_domain"]],
    flags: r#"{"email_domain": "box.mailinator.com", "email_domain_disposable": true}"#,
    spares: r#"{"email_domain": "aliases.example", "email_domain_disposable": true}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let listed = |list| {
        case.seen.email_domain.as_deref().is_some_and(|domain| case.lists.has_host(list, domain, case.at))
    };
    let known = case.seen.email_domain_disposable.unwrap_or(false);
    let is_disposable = !listed(ListKind::LastingDomains) && (known || listed(ListKind::DisposableDomains));
    is_disposable.then(Finding::fact)
}
