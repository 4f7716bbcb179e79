//! Every text of the pages stands in one file of Fluent's syntax, so that another language is another file.

use std::{collections::HashMap, sync::LazyLock};

use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement, Variant, VariantKey},
    parser::parse,
};

const ENGLISH: &str = include_str!("en.ftl");

static WORDS: LazyLock<Words> = LazyLock::new(|| Words::read(ENGLISH).expect("a test reads the file"));

/// The texts of one language, by their keys.
#[derive(Debug)]
struct Words(HashMap<&'static str, Pattern<&'static str>>);

impl Words {
    fn read(text: &'static str) -> Result<Self, String> {
        let resource = parse(text).map_err(|(_, errors)| format!("{errors:?}"))?;
        let messages = resource.body.into_iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some((message.id.name, message.value?)),
            _ => None,
        });
        Ok(Self(messages.collect()))
    }
}

/// The text of a key.
#[must_use]
pub fn say(key: &str) -> String {
    tell(key, &[])
}

/// The text of a key with what it leaves open; a key that there is none of stands for itself.
#[must_use]
pub fn tell(key: &str, values: &[(&str, &str)]) -> String {
    let mut told = String::new();
    match WORDS.0.get(key) {
        Some(pattern) => write(pattern, values, &mut told),
        None => told.push_str(key),
    }
    told
}

fn write(pattern: &Pattern<&'static str>, values: &[(&str, &str)], told: &mut String) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => told.push_str(value),
            PatternElement::Placeable { expression } => fill(expression, values, told),
        }
    }
}

fn fill(expression: &Expression<&'static str>, values: &[(&str, &str)], told: &mut String) {
    match expression {
        Expression::Inline(inline) => told.push_str(value(inline, values)),
        Expression::Select { selector, variants } => {
            let given = value(selector, values);
            // English knows one and other; the select of a language with more needs that language's rule here.
            let category = if given == "1" { "one" } else { "other" };
            let named = |variant: &&Variant<&'static str>| match variant.key {
                VariantKey::Identifier { name } => name == given || name == category,
                VariantKey::NumberLiteral { value } => value == given,
            };
            let default = || variants.iter().find(|variant| variant.default);
            if let Some(variant) = variants.iter().find(named).or_else(default) {
                write(&variant.value, values, told);
            }
        }
    }
}

fn value<'a>(inline: &InlineExpression<&'static str>, values: &[(&str, &'a str)]) -> &'a str
where
    'static: 'a,
{
    match inline {
        InlineExpression::StringLiteral { value } | InlineExpression::NumberLiteral { value } => value,
        InlineExpression::VariableReference { id } => {
            values.iter().find(|(name, _)| *name == id.name).map_or("", |(_, value)| value)
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn a_text_is_told_with_its_numbers() {
        assert_eq!(tell("links-count", &[("count", "1")]), "1 link, newest first");
        assert_eq!(tell("links-count", &[("count", "12")]), "12 links, newest first");
    }

    /// Keys are whatever stands between quotation marks behind these calls.
    fn keys_in(text: &str, calls: &[&str]) -> BTreeSet<String> {
        let after = |call: &&str| {
            let behind = text.split(*call).skip(1).collect::<Vec<_>>();
            behind
                .into_iter()
                .filter_map(|rest| rest.split('"').next())
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>()
        };
        calls.iter().flat_map(after).collect()
    }

    fn texts(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: std::path::PathBuf| {
            if path.is_dir() { texts(&path) } else { vec![fs::read_to_string(path).unwrap()] }
        };
        entries.flat_map(read).collect()
    }

    #[test]
    fn every_text_that_is_said_is_there_and_every_text_that_is_there_is_said() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources = [texts(&root.join("templates")), texts(&root.join("src/pages"))].concat();
        let sources: Vec<&String> = sources.iter().filter(|text| **text != ENGLISH).collect();
        let calls = ["say(\"", "tell(\"", "Say(\""];
        let said: BTreeSet<_> =
            sources.iter().flat_map(|text| keys_in(text, &calls)).filter(|key| !key.is_empty()).collect();
        let known: BTreeSet<_> = WORDS.0.keys().map(|key| (*key).to_owned()).collect();
        let missing: Vec<_> = said.difference(&known).collect();
        assert!(missing.is_empty(), "en.ftl has no {missing:?}");
        let written = |key: &&String| sources.iter().any(|text| text.contains(&format!("\"{key}\"")));
        let unsaid: Vec<_> = known.iter().filter(|key| !written(key)).collect();
        assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
    }
}
