//! A click that no person made.

use super::{Case, Code, Finding, Parameter, Rule, Unit};
use crate::fraud::{evidence::FetchDestination, statistics::real};

pub(super) const RULE: Rule = Rule {
    name: "cookie_stuffing",
    code: Code::CookieStuffing,
    answers: &["R17", "S115", "S125"],
    doc: "The browser asked for the link as a picture, a frame or a script (`Sec-Fetch-Dest`); or the visitor's clicks on two \
          links within 30 days were less than `apart` seconds apart, with `untold_part` of the weight unless the browser \
          says that no person's action led to the click (`Sec-Fetch-User`).",
    coarse: "the click was not made by a person",
    look_alike: "Somebody who opens several offers of one page in tabs: each is a page of its own that a person asked for, and \
                 fingers take seconds for what a script does at once.",
    weight: 60.0,
    window_seconds: Some(30 * 86_400),
    parameters: &[
        Parameter {
            name: "apart",
            default: 1.0,
            unit: Unit::Seconds,
            least: 1.0,
            most: 10.0,
            doc: "Seconds between clicks on two links that no hand falls below.",
        },
        Parameter {
            name: "untold_part",
            default: 0.8,
            unit: Unit::Share,
            least: 0.05,
            most: 1.0,
            doc: "What such clicks are worth of the weight where the browser does not say who made them.",
        },
    ],
    needs: &[&["fetch_destination", "journey_seconds_between_links_30d"]],
    flags: r#"{"fetch_destination": "image"}"#,
    spares: r#"{"fetch_destination": "document", "journey_seconds_between_links_30d": 2}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[apart, untold_part] = case.values else { return None };
    let seen = case.seen;
    let unseen = [FetchDestination::Frame, FetchDestination::Image, FetchDestination::Script];
    if seen.fetch_destination.is_some_and(|destination| unseen.contains(&destination)) {
        return Some(Finding::fact());
    }
    let seconds = real(seen.journey_seconds_between_links_30d?);
    let found = (seconds < apart).then(|| Finding::new(seconds, apart))?;
    match seen.fetch_by_user {
        Some(true) => None,
        Some(false) => Some(found),
        None => Some(found.weaker(untold_part)),
    }
}
