//! Countries that do not go together.

use super::{Case, Code, Finding, Parameter, Rule, Unit};

pub(super) const RULE: Rule = Rule {
    name: "country_mismatch",
    code: Code::CountryMismatch,
    answers: &["R11"],
    doc: "The click came from another country than the conversion, on another device; or, with `campaign_part` of the \
          weight, the conversion's country is none that the campaign is for.",
    coarse: "countries do not go together",
    look_alike: "A traveller, two in a hundred customers: click and conversion are in two countries, but on one device.",
    weight: 20.0,
    window_seconds: None,
    parameters: &[Parameter {
        name: "campaign_part",
        default: 0.5,
        unit: Unit::Share,
        least: 0.05,
        most: 1.0,
        doc: "What a country that the campaign is not for is worth of the weight.",
    }],
    needs: &[&["ip_country_match", "country_targeted"]],
    flags: r#"{"ip_country_match": false, "same_device_as_click": false}"#,
    spares: r#"{"ip_country_match": false, "same_device_as_click": true, "country_targeted": true}"#,
    check,
};

fn check(case: &Case<'_>) -> Option<Finding> {
    let &[campaign_part] = case.values else { return None };
    let seen = case.seen;
    // Devices are known only where a campaign takes fingerprints; unknown ones do not excuse.
    if seen.ip_country_match == Some(false) && seen.same_device_as_click != Some(true) {
        return Some(Finding::fact());
    }
    (seen.country_targeted == Some(false)).then(|| Finding::fact().weaker(campaign_part))
}
