//! A click by what is no person's browser.

use super::{Case, Code, Finding, Parameter, Rule, Unit};

pub(super) const RULE: Rule = Rule {
    name: "automated_agent",
    code: Code::AutomatedAgent,
    answers: &["R12"],
    doc: "The user agent is empty, or names a browser without a window or a library that fetches pages; or the click was a \
          HEAD request; or, with `hints_part` of the weight, the client hints name another browser than the user agent.",
    coarse: "the click was not made by a person's browser",
    look_alike: "An old browser that sends no client hints: what was not sent does not disagree.",
    weight: 40.0,
    window_seconds: None,
    parameters: &[Parameter {
        name: "hints_part",
        default: 0.6,
        unit: Unit::Share,
        least: 0.05,
        most: 1.0,
        doc: "What client hints that disagree are worth of the weight.",
    }],
    needs: &[&["user_agent", "head_request", "client_hints_match"]],
    flags: r#"{"user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36"}"#,
    spares: r#"{"user_agent": "Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0", "head_request": false}"#,
    check,
};

/// Parts of the user agents that these programs send unless told otherwise, in lower case, from their documentation.
const MACHINES: [&str; 22] = [
    "headlesschrome",
    "phantomjs",
    "slimerjs",
    "electron/",
    "puppeteer",
    "playwright",
    "selenium",
    "curl/",
    "wget/",
    "python-requests",
    "python-urllib",
    "python-httpx",
    "aiohttp/",
    "scrapy/",
    "go-http-client",
    "java/",
    "apache-httpclient",
    "libwww-perl",
    "node-fetch",
    "axios/",
    "guzzlehttp",
    "postmanruntime",
];

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[hints_part] = case.values else { return None };
    let seen = case.seen;
    let is_machine = seen.user_agent.as_deref().is_some_and(is_machine);
    if is_machine || seen.head_request == Some(true) {
        return Some(Finding::fact());
    }
    (seen.client_hints_match == Some(false)).then(|| Finding::fact().weaker(hints_part))
}

fn is_machine(agent: &str) -> bool {
    let agent = agent.trim().to_ascii_lowercase();
    agent.is_empty() || MACHINES.iter().any(|machine| agent.contains(machine))
}
