//! SEON's Fraud API, version 2: a score from 0 to 100 by points of the rules that are set at SEON.
//!
//! By its reference (docs.seon.io/api-reference/fraud-api, as of 2026): a POST of JSON with the key in `X-API-KEY`, all fields
//! of which are optional and whose modules are switched by `config`; the answer has `success`, `error` with a `code`, and
//! `data` with `fraud_score`, `state` (APPROVE, REVIEW or DECLINE) and `applied_rules`. Errors may come with the status 200.

use serde::Deserialize;
use serde_json::{Value, json};

use super::provider::{Opinion, Provider, Question, Unread, word};

pub(super) const PROVIDER: Provider = Provider {
    name: "seon",
    version: "seon-v2",
    key_header: "x-api-key",
    calibration: &[(0.0, 0.0), (10.0, 0.5), (20.0, 1.0), (50.0, 1.5), (100.0, 2.0)],
    ask,
    read,
};

/// No score of any scheme of points comes near it.
const MOST: f64 = 10_000.0;
/// So many of its rules are named.
const NAMED: usize = 5;

fn ask(question: &Question) -> Value {
    let Question { reference, address, email, email_domain, device, country, affiliate } = question;
    let mut asked = json!({
        "config": {
            "ip_api": address.is_some(), "email_api": email.is_some(), "phone_api": false, "aml_api": false,
            "device_fingerprinting": false,
        },
        "transaction_id": reference, "ip": address, "email": email, "email_domain": email_domain,
        "device_id": device, "user_country": country, "affiliate_id": affiliate,
    });
    if let Some(fields) = asked.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    asked
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: Option<Value>,
}

#[derive(Deserialize)]
struct Data {
    fraud_score: Option<f64>,
    state: Option<String>,
    #[serde(default)]
    applied_rules: Option<Vec<Applied>>,
}

#[derive(Deserialize)]
struct Applied {
    #[serde(default)]
    name: Option<String>,
}

fn read(answer: &[u8]) -> Result<Opinion, Unread> {
    let Answer { success, error, data } = serde_json::from_slice(answer).map_err(|_| Unread::Shape)?;
    if !success {
        // The message beside the code may repeat what was sent.
        let code = error.and_then(|error| error.code).map(|code| code.to_string()).unwrap_or_default();
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        return Err(Unread::Refused(if code.is_empty() { "unknown".to_owned() } else { code }));
    }
    let Data { fraud_score, state, applied_rules } = data.ok_or(Unread::Shape)?;
    let score = fraud_score.filter(|score| (-MOST..=MOST).contains(score)).ok_or(Unread::Score)?;
    let names = applied_rules.into_iter().flatten().filter_map(|rule| rule.name);
    Ok(Opinion {
        score,
        verdict: state.map(|state| word(&state)),
        because: names.take(NAMED).map(|name| word(&name)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expected: Result<(f64, &str), Unread>) {
        let found = read(answer.as_bytes());
        let found = found.map(|it| (it.score, format!("{:?} {}", it.verdict, it.because.join(", "))));
        assert_eq!(found, expected.map(|(score, words)| (score, words.to_owned())), "{answer}");
    }

    #[test]
    fn answers_are_read_as_they_are_documented() {
        check(
            r#"{"success": true, "error": {}, "data": {"id": "a", "state": "REVIEW", "fraud_score": 17.5, "applied_rules": [
                {"id": "P106", "name": "Customer is using a datacenter ISP", "operation": "+", "score": 10.0}], "ip_details": {}}}"#,
            Ok((17.5, r#"Some("REVIEW") Customer is using a datacenter ISP"#)),
        );
        check(r#"{"success": true, "data": {"fraud_score": 0}}"#, Ok((0.0, "None ")));
        let refusal =
            r#"{"success": false, "error": {"code": "2002", "message": "ana@mail.example"}, "data": {}}"#;
        check(refusal, Err(Unread::Refused("2002".to_owned())));
        check(r#"{"success": false}"#, Err(Unread::Refused("unknown".to_owned())));
        check(r#"{"success": true, "data": {"fraud_score": 1e9}}"#, Err(Unread::Score));
        check(r#"{"success": true, "data": {"state": "APPROVE"}}"#, Err(Unread::Score));
        check(r#"{"success": true}"#, Err(Unread::Shape));
        check("<html>", Err(Unread::Shape));
    }

    #[test]
    fn what_is_kept_of_its_words_is_short_and_printed() {
        let rules: Vec<Value> = (0..9).map(|_| json!({"name": "a\u{0}".repeat(200)})).collect();
        let answer = json!({"success": true, "data": {"fraud_score": 1, "applied_rules": rules}});
        let because = read(answer.to_string().as_bytes()).unwrap().because;
        assert_eq!(because, vec!["a".repeat(80); 5]);
    }

    #[test]
    fn only_what_is_known_is_sent() {
        let question = Question {
            reference: "cnv_1".to_owned(),
            address: Some("203.0.113.0".parse().unwrap()),
            email_domain: Some("mail.example".to_owned()),
            ..Question::default()
        };
        insta::assert_snapshot!(ask(&question), @r#"{"config":{"aml_api":false,"device_fingerprinting":false,"email_api":false,"ip_api":true,"phone_api":false},"email_domain":"mail.example","ip":"203.0.113.0","transaction_id":"cnv_1"}"#);
    }
}
