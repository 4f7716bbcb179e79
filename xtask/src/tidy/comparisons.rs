//! Numbers are compared the way they lie on a line: small ones left.

use super::{Check, Finding, source::code_only, tree::Tree};

pub(super) const CHECK: Check = Check {
    name: "comparisons",
    doc: "Comparisons are written with `<` and `<=` only, so that ranges read from left to right.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts(".rs") {
        for (index, line) in code_only(text).lines().enumerate() {
            // rustfmt puts spaces around an operator and none around the brackets of generics.
            let compares = [" > ", " >= "].iter().any(|operator| format!("{line} ").contains(operator));
            if compares {
                let (wrong, mend) =
                    ("a comparison reads from right to left", "turn it round and write `<` or `<=`");
                found.push(Finding { path: path.to_owned(), line: index + 1, wrong: wrong.to_owned(), mend });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: usize) {
        assert_eq!(findings(&Tree::made_up(&[("domain/src/money.rs", line)])).len(), expected, "{line}");
    }

    #[test]
    fn greater_than_is_found_wherever_it_stands() {
        check("if a > b {", 1);
        check("    >= limit", 1);
        check("assert!(0 <= a && a >= 0);", 1);
    }

    #[test]
    fn arrows_generics_shifts_and_words_are_no_comparisons() {
        check("fn a<T>(b: Vec<Option<T>>) -> T { b >> 2; }", 0);
        check("a => \"a > b\", // a > b", 0);
        check("if a < b && b <= c {", 0);
    }
}
