//! An advertisement on the advertiser's own name.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{lists::ListKind, search};

pub(super) const RULE: Rule = Rule {
    name: "brand_bidding",
    code: Code::BrandBidding,
    answers: &["R15", "S126"],
    doc: "A partner without a licence for it brings a click from a search engine: by an advertisement (`gclid`, `msclkid`) or \
          a result, for words that hold a brand term of the list; with `unnamed_part` of the weight where the click came \
          from a search engine that does not tell the words.",
    coarse: "the click came from a search for the advertiser's name",
    look_alike: "A licensed search partner, who may close an honest journey with a last click on the name; and any partner who \
                 is found by words that are not the advertiser's name.",
    weight: 45.0,
    window_seconds: None,
    parameters: &[Parameter {
        name: "unnamed_part",
        default: 0.5,
        unit: Unit::Share,
        least: 0.05,
        most: 1.0,
        doc: "What a search engine's click without words is worth of the weight.",
    }],
    needs: &[&["licensed_search"], &["referrer_host", "paid_search_click", "search_terms"]],
    flags: r#"{"licensed_search": false, "paid_search_click": true, "referrer_host": "www.google.com", "search_terms": ""}"#,
    spares: r#"{"licensed_search": true, "paid_search_click": true, "referrer_host": "www.google.com", "search_terms": "nordlicht"}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[unnamed_part] = case.values else { return None };
    let seen = case.seen;
    let found = seen.referrer_host.as_deref().is_some_and(search::is_engine);
    let is_search = found || seen.paid_search_click == Some(true);
    if seen.licensed_search? || !is_search {
        return None;
    }
    let terms = seen.search_terms.as_deref().map(str::trim).filter(|terms| !terms.is_empty());
    match terms {
        Some(terms) => case.lists.words_in(ListKind::BrandTerms, terms, case.at).map(|_| Finding::fact()),
        None => Some(Finding::fact().weaker(unnamed_part)),
    }
}
