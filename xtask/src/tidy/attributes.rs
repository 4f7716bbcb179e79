//! A lint is never switched off without saying why.

use super::{Check, Finding, source::code_only, tree::Tree};

pub(super) const CHECK: Check = Check {
    name: "attributes",
    doc: "No lint is silenced by `allow`: `expect` says why and complains when it is no longer needed.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts(".rs") {
        for (index, line) in code_only(text).lines().enumerate() {
            if line.contains("#[allow(") || line.contains("#![allow(") {
                let (wrong, mend) =
                    ("a lint is silenced by `allow`", "write `#[expect(the_lint, reason = \"…\")]`");
                found.push(Finding { path: path.to_owned(), line: index + 1, wrong: wrong.to_owned(), mend });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[usize]) {
        let found = findings(&Tree::made_up(&[("domain/src/money.rs", text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn allow_is_found_outside_and_inside() {
        check("#![allow(dead_code)]\nfn a() {}\n    #[allow(unused)]\n", &[1, 3]);
    }

    #[test]
    fn expect_and_words_about_allow_are_not() {
        check("#[expect(dead_code, reason = \"x\")]\n// #[allow(dead_code)]\nlet a = \"#[allow(\";\n", &[]);
    }
}
