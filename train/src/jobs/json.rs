//! A file of JSON that people write; what is wrong in it is told with its line, in words that say how to mend it.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use serde::de::DeserializeOwned;
use serde_json::{Error, error::Category};

/// What Rust calls things, and what people do.
const WORDS: [(&str, &str); 16] = [
    ("missing field ", "nothing is said of "),
    ("unknown field ", "there is no field "),
    ("unknown variant ", "there is no "),
    ("duplicate field ", "two values are said of "),
    ("invalid type: ", "found "),
    ("invalid value: ", "found "),
    ("invalid length ", "found as many as "),
    ("floating point ", "the number "),
    ("integer ", "the number "),
    ("string ", "the text "),
    ("boolean ", "the word "),
    ("a map", "{…}"),
    ("map", "{…}"),
    ("a sequence", "[…]"),
    ("sequence", "[…]"),
    ("null", "nothing"),
];
/// Of types.
const TYPES: [(&str, &str); 9] = [
    ("expected f64", "expected a number"),
    ("expected u8", "expected a whole number"),
    ("expected u16", "expected a whole number up to 65535"),
    ("expected u32", "expected a whole number from zero up"),
    ("expected u64", "expected a whole number from zero up"),
    ("expected i64", "expected a whole number"),
    ("expected a string", "expected a text in quotes"),
    ("expected a sequence", "expected a list […]"),
    ("expected struct ", "expected {…} for "),
];

/// Reads it; `what` it should be is said with what is wrong, and `example` where one is.
pub(super) fn read<T: DeserializeOwned>(path: &Path, what: &str, example: &str) -> Result<T> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    let read = serde_json::from_str(&text);
    read.map_err(|error| anyhow!("{name} is no {what}: {}; {example}", sentence(&error)))
}

fn sentence(error: &Error) -> String {
    let line = error.line();
    match error.classify() {
        Category::Eof => "it ends before its last bracket is closed".to_owned(),
        Category::Syntax | Category::Io => format!(
            "line {line} is no JSON at its character {}, where a quote, comma, colon or bracket is missing or one too many",
            error.column()
        ),
        Category::Data => {
            let told = error.to_string();
            let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
            format!("{} in line {line}", in_words(told).replace('`', "\""))
        }
    }
}

fn in_words(told: &str) -> String {
    let mut told = told.to_owned();
    for (rust, words) in TYPES {
        told = told.replace(rust, words);
    }
    let mut words = String::new();
    // Only what comes first, and what it found: names of fields are somebody's own.
    for (rust, said) in WORDS {
        if let Some(rest) = told.strip_prefix(rust) {
            words.push_str(said);
            told = rest.to_owned();
        }
    }
    words + &told
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        #[expect(dead_code, reason = "only read")]
        days: u16,
    }

    fn check(text: &str, says: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("named.json");
        fs::write(&path, text).unwrap();
        let told = read::<BTreeMap<String, Named>>(&path, "list", "see the manual").unwrap_err().to_string();
        assert!(told.contains(says) && told.ends_with("; see the manual"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        check("{\"a\": {}}", "nothing is said of \"days\" in line 1");
        check("{\"a\":\n {\"dyas\": 1}}", "there is no field \"dyas\", expected \"days\" in line 2");
        check("{\"a\": {\"days\": \"x\"}}", "found the text \"x\", expected a whole number up to 65535");
        check("{\"a\": {\"days\": 1.5}}", "found the number \"1.5\", expected a whole number");
        check("{\"a\": 7}", "found the number \"7\", expected {…} for Named");
        check("{\"a\": {\"days\": 1}", "it ends before its last bracket is closed");
        check("{\"a\" {\"days\": 1}}", "line 1 is no JSON at its character 6");
    }
}
