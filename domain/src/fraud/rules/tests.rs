//! Every rule flags what it is for, spares its honest look-alike, and says nothing where it knows nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fraud::lists::{Entry, ListKind};

const NOON: DateTime<Utc> = DateTime::from_timestamp(1_769_947_200, 0).unwrap();

fn lists() -> Lists {
    let entries = [
        (ListKind::BlockedAddresses, "203.0.113.0/24"),
        (ListKind::BlockedReferrers, "stuffed.example"),
        (ListKind::DataCentres, "198.51.100.0/24"),
        (ListKind::ExemptNetworks, "198.18.9.0/24"),
        (ListKind::DisposableDomains, "minutes.example"),
        (ListKind::LastingDomains, "aliases.example"),
        (ListKind::ToleratedReferrers, "social.example"),
        (ListKind::BrandTerms, "Nordlicht"),
        (ListKind::SharedDevices, "kiosk"),
    ];
    let entry = |(list, value): (ListKind, &str)| Entry {
        list,
        value: value.to_owned(),
        reason: "for tests".to_owned(),
        expires_at: None,
    };
    Lists::try_from(entries.map(entry).to_vec()).unwrap()
}

fn judge(rule: &Rule, seen: &Evidence) -> Option<Flag> {
    let case = Case { seen, values: &rule.defaults(), lists: &lists(), at: NOON };
    rule.judge(&case, rule.weight, 7)
}

fn evidence(json: &str) -> Evidence {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// The flag's weight under the defaults; zero for none.
fn check(code: Code, json: &str, weight: f64) {
    let found = judge(code.rule(), &evidence(json)).map_or(0.0, |flag| flag.weight);
    assert!((found - weight).abs() < 1e-9, "{code} weighs {found}, not {weight}, of {json}");
}

#[test]
fn every_rule_flags_its_example_and_spares_its_look_alike() {
    for rule in RULES {
        let flag = judge(rule, &evidence(rule.flags)).unwrap_or_else(|| panic!("{} flags", rule.name));
        assert_eq!((flag.code, flag.version), (rule.code, 7));
        assert!(0.0 < flag.weight && flag.weight <= rule.weight, "{}", rule.name);
        assert_eq!(judge(rule, &evidence(rule.spares)), None, "{} spares", rule.name);
    }
}

#[test]
fn a_rule_without_what_it_needs_says_what_is_missing_and_nothing_else() {
    for rule in RULES {
        assert_eq!(judge(rule, &Evidence::default()), None, "{}", rule.name);
        let example = evidence(rule.flags);
        assert_eq!(rule.missing(&example).count(), 0, "{}", rule.name);
        for group in rule.needs {
            let mut seen = example.clone();
            group.iter().for_each(|field| seen.forget(field));
            assert_eq!(judge(rule, &seen), None, "{} without {group:?}", rule.name);
            assert_eq!(rule.missing(&seen).collect::<Vec<_>>(), [group[0]], "{}", rule.name);
        }
        assert!(rule.needs.iter().copied().flatten().all(|field| example.knows(field).is_some()));
    }
}

#[test]
fn the_list_is_in_order() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    let codes: BTreeSet<_> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!((names.len(), codes.len()), (RULES.len(), RULES.len()));
    assert_eq!(codes.len(), Code::ALL.len());
    for rule in RULES {
        assert_eq!(rule.code.rule().name, rule.name);
        for text in [rule.doc, rule.look_alike] {
            assert!(text.ends_with('.') && 20 < text.len() && !text.contains("  "), "{}", rule.name);
        }
        assert!(!rule.coarse.is_empty() && !rule.coarse.contains(|it: char| it.is_ascii_digit()));
        assert!(0.0 < rule.weight && rule.weight <= 100.0, "{}", rule.name);
        for parameter in rule.parameters {
            let Parameter { name, default, least, most, unit, doc } = *parameter;
            assert!(least <= default && default <= most && doc.ends_with('.'), "{} of {}", name, rule.name);
            assert!(!unit.is_whole() || default.fract().abs() < 1e-12, "{} of {}", name, rule.name);
            assert!(rule.doc.contains(&format!("`{name}`")), "{name} of {}", rule.name);
        }
    }
}

#[test]
fn everything_that_was_asked_for_has_a_rule() {
    let answers: BTreeSet<_> = RULES.iter().flat_map(|rule| rule.answers).copied().collect();
    let asked = (1..=22).map(|rule| format!("R{rule:02}"));
    // S120 is the score, which no rule is.
    let schemes = (111..=129).filter(|item| *item != 120).map(|item| format!("S{item}"));
    for item in asked.chain(schemes) {
        assert!(answers.contains(item.as_str()), "no rule answers {item}");
    }
    let codes = [
        "rate_limit_exceeded",
        "high_ip_velocity",
        "disposable_email",
        "self_referral",
        "multiple_conversions_same_device",
        "cross_affiliate_fingerprint",
        "validation_failed",
    ];
    for code in codes {
        assert!(code.parse::<Code>().unwrap().rule().answers.contains(&"S129"), "{code}");
    }
}

#[test]
fn ten_clicks_an_hour_are_counted_for_each_device() {
    let of = |class, clicks: u32, visits: u32, agents: u32| {
        format!(
            r#"{{"address_class": "{class}", "ip_clicks_1h": {clicks}, "ip_journeys_1h": {visits}, "ip_user_agents_1h": {agents}}}"#
        )
    };
    check(Code::RateLimitExceeded, &of("residential", 10, 1, 1), 0.0);
    check(Code::RateLimitExceeded, &of("residential", 11, 1, 1), 20.0);
    check(Code::RateLimitExceeded, &of("residential", 20, 2, 2), 0.0);
    // Cookies that are thrown away hide a machine behind a carrier's address, and nowhere else.
    check(Code::RateLimitExceeded, &of("mobile", 60, 60, 1), 0.0);
    check(Code::RateLimitExceeded, &of("data_centre", 60, 60, 1), 20.0);
    check(Code::RateLimitExceeded, &of("mobile", 60, 2, 1), 20.0);
}

#[test]
fn conversions_of_an_address_are_held_against_its_clicks() {
    let of = |class, conversions: u32, clicks: u32| {
        format!(
            r#"{{"address_class": "{class}", "ip_conversions_24h": {conversions}, "ip_clicks_24h": {clicks}, "campaign_conversion_rate_7d": 0.03}}"#
        )
    };
    check(Code::HighIpVelocity, &of("residential", 4, 4), 0.0);
    check(Code::HighIpVelocity, &of("residential", 5, 5), 30.0);
    check(Code::HighIpVelocity, &of("residential", 5, 60), 0.0);
    check(Code::HighIpVelocity, &of("campus", 9, 20), 0.0);
    check(Code::HighIpVelocity, &of("campus", 15, 20), 30.0);
}

#[test]
fn a_household_shares_an_address_and_no_identity() {
    let of = |mail, account, device, address| {
        format!(
            r#"{{"email_hash": "{mail:032x}", "affiliate_email_hashes": ["{:032x}", "{:032x}"],
            "customer_account_hash": "{account:032x}", "affiliate_account_hash": "{:032x}",
            "device_id": "d{device}", "affiliate_device_ids": ["d9"],
            "address_hash": "{address:032x}", "affiliate_address_hashes": ["{:032x}"]}}"#,
            8, 9, 9, 9
        )
    };
    check(Code::SelfReferral, &of(1, 1, 1, 9), 0.0);
    check(Code::SelfReferral, &of(1, 1, 9, 1), 0.0);
    check(Code::SelfReferral, &of(1, 1, 9, 9), 60.0);
    check(Code::SelfReferral, &of(9, 1, 1, 1), 100.0);
    check(Code::SelfReferral, &of(8, 1, 1, 1), 100.0);
    check(Code::SelfReferral, &of(1, 9, 1, 1), 100.0);
}

#[test]
fn several_partners_on_one_device_count_only_with_another_signal() {
    let code = Code::CrossAffiliateFingerprint;
    check(code, r#"{"device_affiliates_24h": 9}"#, 0.0);
    check(code, r#"{"device_affiliates_24h": 9, "device_seconds_between_affiliates_24h": 3}"#, 0.0);
    check(code, r#"{"device_affiliates_24h": 2, "device_seconds_between_affiliates_24h": 2}"#, 30.0);
    check(code, r#"{"device_affiliates_24h": 1, "device_seconds_between_affiliates_24h": 0}"#, 0.0);
    check(code, r#"{"device_affiliates_24h": 2, "payout_account_affiliates": 2}"#, 30.0);
    check(
        code,
        r#"{"device_affiliates_24h": 2, "payout_account_affiliates": 2, "declared_agency": true}"#,
        0.0,
    );
    check(
        code,
        r#"{"device_affiliates_24h": 2, "referrer_host": "forum.example", "affiliate_sites": ["blog.example"]}"#,
        30.0,
    );
}

#[test]
fn time_to_conversion_has_an_end_on_both_sides() {
    for (seconds, quick, backwards) in
        [(0, 70.0, 0.0), (9, 70.0, 0.0), (10, 0.0, 0.0), (-1, 0.0, 0.0), (-120, 0.0, 0.0), (-121, 0.0, 25.0)]
    {
        let json = format!(r#"{{"click_to_conversion_seconds": {seconds}}}"#);
        check(Code::QuickConversion, &json, quick);
        check(Code::ClockDisagreement, &json, backwards);
    }
    let json =
        |seconds| format!(r#"{{"click_to_conversion_seconds": {seconds}, "customer_orders_365d": 1}}"#);
    check(Code::QuickConversion, &json(9), 70.0);
    check(Code::ClockDisagreement, &json(i64::MIN), 25.0);
    check(Code::QuickConversion, &json(i64::MAX), 0.0);
}

#[test]
fn a_click_is_a_partners_own_from_below_its_sites_and_where_links_are_passed_on() {
    let of = |host| format!(r#"{{"referrer_host": "{host}", "affiliate_sites": ["www.Blog.example"]}}"#);
    for host in
        ["blog.example", "m.blog.example", "www.blog.example:443", "social.example", "l.social.example"]
    {
        check(Code::ReferrerMismatch, &of(host), 0.0);
    }
    check(Code::ReferrerMismatch, &of("otherblog.example"), 20.0);
    check(Code::ReferrerMismatch, r#"{"referrer_host": "forum.example", "affiliate_sites": []}"#, 0.0);
    check(Code::ReferrerMismatch, r#"{"referrer_host": "", "affiliate_referrer_share_90d": 0.97}"#, 8.0);
}

#[test]
fn lists_add_to_what_is_known_and_take_from_it() {
    check(Code::AnonymousNetwork, r#"{"address_class": "corporate", "network": "198.51.100.0"}"#, 35.0);
    check(Code::AnonymousNetwork, r#"{"address_class": "vpn", "network": "198.18.9.0"}"#, 0.0);
    check(Code::DisposableEmail, r#"{"email_domain": "a.minutes.example"}"#, 40.0);
    check(Code::Listed, r#"{"referrer_host": "www.stuffed.example"}"#, 60.0);
    check(
        Code::MultipleConversionsSameDevice,
        r#"{"device_id": "kiosk", "device_conversions_24h": 6, "device_credited_affiliates_24h": 1}"#,
        0.0,
    );
}

#[test]
fn two_links_at_once_are_a_scripts_unless_a_person_asked() {
    let of = |seconds: u32, by_user: &str| {
        format!(r#"{{"journey_seconds_between_links_30d": {seconds}, "fetch_by_user": {by_user}}}"#)
    };
    check(Code::CookieStuffing, &of(0, "null"), 48.0);
    check(Code::CookieStuffing, &of(0, "false"), 60.0);
    check(Code::CookieStuffing, &of(0, "true"), 0.0);
    check(Code::CookieStuffing, &of(1, "false"), 0.0);
}

#[test]
fn a_search_for_the_name_needs_a_licence() {
    let of = |host, terms| {
        format!(r#"{{"licensed_search": false, "referrer_host": "{host}", "search_terms": "{terms}"}}"#)
    };
    check(Code::BrandBidding, &of("www.google.co.uk", "nordlicht tents"), 45.0);
    check(Code::BrandBidding, &of("www.google.co.uk", "tents"), 0.0);
    check(Code::BrandBidding, &of("search.example", ""), 22.5);
    check(Code::BrandBidding, &of("google-tips.example", "nordlicht"), 0.0);
}

#[test]
fn a_flat_flood_of_clicks_is_not_a_banner() {
    let of = |clicks: u32, conversions: u32, median: u32| {
        format!(
            r#"{{"affiliate_clicks_7d": {clicks}, "affiliate_conversions_7d": {conversions}, "affiliate_slow_conversion_share_7d": 0.6,
            "affiliate_click_to_conversion_median_7d": {median}, "affiliate_click_to_conversion_p90_7d": 1000000}}"#
        )
    };
    check(Code::ClickFlooding, &of(3_000, 6, 400_000), 80.0);
    check(Code::ClickFlooding, &of(2_999, 5, 400_000), 0.0);
    check(Code::ClickFlooding, &of(3_000, 7, 400_000), 0.0);
    check(Code::ClickFlooding, &of(3_000, 6, 399_999), 0.0);
}

proptest! {
    #[test]
    fn no_evidence_makes_a_rule_panic_or_weigh_more_than_it_may(
        counts in proptest::collection::vec(any::<u64>(), 20),
        reals in proptest::collection::vec(proptest::num::f64::ANY, 8),
        seconds in any::<i64>(),
    ) {
        let [clicks, conversions, visits, agents] = [counts[0], counts[1], counts[2], counts[3]].map(Some);
        let seen = Evidence {
            address_class: Some(crate::fraud::evidence::AddressClass::ALL[usize::try_from(counts[4] % 9).unwrap()]),
            ip_clicks_1h: clicks,
            ip_clicks_24h: clicks,
            ip_conversions_24h: conversions.map(|it| it % 5_000),
            ip_journeys_24h: visits,
            ip_user_agents_24h: agents,
            ip_affiliates_24h: Some(counts[5] % 3),
            device_conversions_24h: Some(counts[6]),
            device_credited_affiliates_90d: Some(counts[7] % 3),
            click_to_conversion_seconds: Some(seconds),
            affiliate_clicks_7d: Some(counts[8]),
            affiliate_conversions_7d: Some(counts[9] % 5_000),
            affiliate_quick_conversion_share_7d: Some(reals[0]),
            campaign_quick_conversion_share_7d: Some(reals[1]),
            affiliate_slow_conversion_share_7d: Some(reals[2]),
            affiliate_click_to_conversion_median_7d: Some(reals[3]),
            affiliate_click_to_conversion_p90_7d: Some(reals[4]),
            campaign_conversion_rate_7d: Some(reals[5]),
            ..Evidence::default()
        };
        for rule in RULES {
            if let Some(flag) = judge(rule, &seen) {
                prop_assert!(0.0 < flag.weight && flag.weight <= rule.weight);
            }
        }
    }
}
