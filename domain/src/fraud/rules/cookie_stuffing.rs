//! A click that no person made.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{evidence::FetchDestination, statistics::real};

pub(super) const RULE: Rule = Rule {
    name: "cookie_stuffing",
    code: Code::CookieStuffing,
    answers: &["R17", "S115", "S125"],
    doc: "The browser asked for the link as a picture, a frame or a script (`Sec-Fetch-Dest`); or one visitor made `clicks` \
          clicks or more within a second, or two of which no person's action led to (`Sec-Fetch-User`).",
    coarse: "the click was not made by a person",
    look_alike: "Somebody who opens several offers of one page in tabs: each is a page of its own that a person asked for, and \
                 fingers take seconds for what a script does at once.",
    weight: 60.0,
    window_seconds: Some(1),
    parameters: &[Parameter {
        name: "clicks",
        default: 3.0,
        unit: Unit::Count,
        least: 2.0,
        most: 100.0,
        doc: "Clicks of one visitor within a second that no hand makes.",
    }],
    needs: &[&["fetch_destination", "journey_clicks_1s"]],
    flags: r#"{"fetch_destination": "image"}"#,
    spares: r#"{"fetch_destination": "document", "fetch_by_user": true, "journey_clicks_1s": 2}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[limit] = case.values else { return None };
    let seen = case.seen;
    let unseen = [FetchDestination::Frame, FetchDestination::Image, FetchDestination::Script];
    if seen.fetch_destination.is_some_and(|destination| unseen.contains(&destination)) {
        return Some(Finding::fact());
    }
    let clicks = real(seen.journey_clicks_1s?);
    let limit = if seen.fetch_by_user == Some(false) { 2.0 } else { limit };
    (limit <= clicks).then(|| Finding::new(clicks, limit))
}
