//! The manual of rules is made from their list.

use std::fmt::Write;

use domain::fraud::{Evidence, RULES, Rule, RuleSet, evidence::Origin, rules::Parameter};

/// Renews docs/fraud-rules.md with `RENEW=1`, and otherwise holds it against the list.
#[test]
fn the_manual_lists_every_rule_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fraud-rules.md");
    let expected = manual();
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/fraud-rules.md is not what the rules say; renew it with\nRENEW=1 cargo test -p domain --test fraud manual"
    );
}

/// What the manual shows as settings is settings, and does what it says.
#[test]
fn the_settings_of_the_manual_are_read_and_obeyed() {
    let json = HEAD.split("```").nth(1).and_then(|block| block.strip_prefix("json")).expect("an example");
    let rules: RuleSet = serde_json::from_str(json).expect("settings that can be read");
    let seen = Evidence { click_to_conversion_seconds: Some(9), ..Evidence::default() };
    let weights = |campaign: &str| -> Vec<f64> {
        let campaign = campaign.parse().expect("an id");
        rules.flags(&seen, campaign, chrono::DateTime::UNIX_EPOCH).map(|flag| flag.weight).collect()
    };
    assert!(weights("cmp_01K0P24CVXE2EAFNNYRQNG5M90").is_empty());
    assert_eq!(weights("cmp_01K0P24CVXE2EAFNNYRQNG5M91"), [50.0]);
    assert_eq!(rules.version(), 4);
}

/// Evidence is read from features one to one: what is said to be defined is, and what is wanted is not yet.
#[test]
fn evidence_names_features_as_they_are_defined() {
    let features = include_str!("../../../docs/features.md");
    let is_defined = |name: &str| features.lines().any(|line| line.starts_with(&format!("| `{name}` |")));
    for field in Evidence::FIELDS {
        match field.origin {
            Origin::Feature(name) => assert!(is_defined(name), "no feature {name} for {}", field.name),
            Origin::Wanted(name) => {
                assert!(!is_defined(name), "{name} is defined: make {} a feature", field.name);
            }
            _ => {}
        }
    }
}

const HEAD: &str = "# Rules of fraud

Every rule there is, made from [the list](../domain/src/fraud/rules/mod.rs) by
`RENEW=1 cargo test -p domain --test fraud manual`.

A rule looks at one conversion: its click, its report, and what features and jobs counted. It flags with a weight in points
and turns nobody away; the weights, models and rings together make one score, and a person decides about what is held. What
is not known is no evidence: a rule that lacks a field says nothing, and says which field it lacks. For each rule there is
somebody honest who looks the same; the examples are run as tests, and the second is not flagged.

Settings are JSON: a version, what the program changes (`rules`), what a campaign changes of that (`campaigns`), and `lists`
whose entries have a reason and mostly an end. What is out of bounds is refused, with the rule, the parameter and the bounds.

```json
{
  \"version\": 4,
  \"rules\": { \"quick_conversion\": { \"weight\": 50, \"parameters\": { \"limit\": 15 } }, \"flat_hours\": { \"on\": false } },
  \"campaigns\": { \"cmp_01K0P24CVXE2EAFNNYRQNG5M90\": { \"quick_conversion\": { \"parameters\": { \"limit\": 8 } } } },
  \"lists\": [{ \"list\": \"brand_terms\", \"value\": \"Nordlicht\", \"reason\": \"the shop's name\" }]
}
```

Lists: `blocked_addresses`, `data_centres` and `exempt_networks` hold networks of at most /24 (IPv6: /48), because no more is
kept of an address, and the first of them keyed hashes too; `blocked_referrers`, `tolerated_referrers`, `disposable_domains` and
`lasting_domains` hold hosts; `brand_terms` words; `shared_devices` devices by their keyed hash.

The class of an address comes from a table that the operator keeps, CSV with the columns `network` and `class` (a line such as
`203.0.112.0/20,data_centre`; networks as narrow as those of lists at most, and of several that hold an address the narrowest
counts). What rules see of a conversion is put together in one place ([evidence](../features/src/evidence.rs)), for serving and for
jobs: the address is the click's, and the device the conversion's, else the click's.

Where defaults come from: limits that were asked for (S111 to S118), thresholds that Adjust, AppsFlyer, Everflow, Opticks,
Voluum, 24metrics and Integr8 publish, and a prototype of the simulator. They are where to begin, not truths.
";

const TAIL: &str = "
## One score

The weights of flags become log-odds by a scale, models and rings bring log-odds of their own, and all of it is summed with
what is known before anything was said ([score](../domain/src/fraud/score/mod.rs)). Log-odds are whole millionths, so that the
parts sum to the score exactly and a decision that is made again is the same to the bit. What is shown is the probability, from
0 to 100. Where people have judged at least twenty guilty and twenty honest conversions, the scale is calibrated by a line
(Platt 1999), which leaves parts additive; before that it is a guess, and says so by its version 0. A detector without labels
counts by what its p-value is evidence of at most (Sellke, Bayarri and Berger 2001).

A conversion is held when a look is expected to cost less than letting it pass, and when no bound stands against it
([policy](../domain/src/fraud/score/policy.rs)): of each segment's honest conversions at most two in a hundred are held, on
average and with nine chances in ten given the calibration window (split conformal, Vovk 2012); the same for each affiliate
with a hundred vouched conversions; and nobody's honest conversions of late were held more often than that. The decision says
which of these decided. It is `approve` or `hold`, and never more.

## Rings

Affiliates who share a payout account or a mailbox are joined, unless an agency has declared them. Customers' devices and
addresses join two affiliates when they share more than chance explains, all of them or those that both see again and again:
how many strangers share follows from how many each has, with affiliates of one trade sharing more
([graph](../domain/src/fraud/graph/mod.rs)). Things with more than twelve affiliates are hubs and join nobody. A group in which
at least half of the pairs are joined is a ring; a looser one is parted (Blondel et al. 2008) and cut down to its dense part
(Charikar 2000). For each pair there is the evidence: «same payout account, 2 devices shared».
";

fn manual() -> String {
    let mut page = HEAD.to_owned();
    for rule in RULES {
        write_rule(&mut page, rule).expect("a text takes what is written");
    }
    page.push_str("\n## Where evidence comes from\n\n| field | says | read from |\n| --- | --- | --- |\n");
    for field in Evidence::FIELDS {
        let origin = match field.origin {
            Origin::Feature(name) => format!("feature `{name}`"),
            Origin::Wanted(name) => format!("feature `{name}`, which is not defined yet"),
            Origin::Request(what) => format!("request: {what}"),
            Origin::Record(what) => format!("records: {what}"),
            Origin::Job(what) => format!("job: `{what}`"),
        };
        writeln!(page, "| `{}` | {} | {origin} |", field.name, field.doc.trim())
            .expect("a text takes what is written");
    }
    page.push_str(TAIL);
    page
}

fn write_rule(page: &mut String, rule: &Rule) -> std::fmt::Result {
    write!(page, "\n## {}\n\n{}\n\n", rule.name, rule.doc)?;
    let window = rule.window_seconds.map_or("one moment".to_owned(), |seconds| format!("{seconds} s"));
    let answers = rule.answers.join(", ");
    writeln!(
        page,
        "- Code `{}`, weight {} points, over {window}; answers {answers}.",
        rule.code, rule.weight
    )?;
    writeln!(page, "- The partner reads: {}.", rule.coarse)?;
    writeln!(page, "- Honest look-alike: {}", rule.look_alike)?;
    let group = |group: &&[&str]| group.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" or ");
    let needs: Vec<String> = rule.needs.iter().map(group).collect();
    writeln!(page, "- Needs {}.", needs.join("; "))?;
    writeln!(page, "- Flags `{}`; spares `{}`.", one_line(rule.flags), one_line(rule.spares))?;
    if rule.parameters.is_empty() {
        return Ok(());
    }
    page.push_str("\n| parameter | default | unit | bounds | means |\n| --- | ---: | --- | --- | --- |\n");
    for Parameter { name, default, unit, least, most, doc } in rule.parameters {
        writeln!(page, "| `{name}` | {default} | {unit} | {least} to {most} | {doc} |")?;
    }
    Ok(())
}

/// JSON as one writes it in a line.
fn one_line(json: &str) -> String {
    json.split_whitespace().collect::<Vec<_>>().join(" ")
}
