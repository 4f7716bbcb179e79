//! Every Rust file says first what is true in it.

use super::{Check, Finding, tree::Tree};

pub(super) const CHECK: Check = Check {
    name: "heads",
    doc: "Every Rust file opens with a `//!` sentence that says what is true there.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    tree.texts(".rs").filter_map(|(path, text)| Some(finding(path, wrong(text)?))).collect()
}

fn finding(path: &str, wrong: &str) -> Finding {
    let mend = "open it with `//! What is true here, as one sentence.`";
    Finding { path: path.to_owned(), line: 1, wrong: wrong.to_owned(), mend }
}

fn wrong(text: &str) -> Option<&'static str> {
    let head = text.lines().map_while(|line| line.strip_prefix("//! ")).map(str::trim);
    let paragraph: Vec<&str> = head.take_while(|line| !line.is_empty()).collect();
    let Some(last) = paragraph.last() else { return Some("the file does not open with `//!`") };
    let is_sentence = last.ends_with(['.', '!', '?']) && paragraph.join(" ").contains(' ');
    (!is_sentence).then_some("what opens the file is no sentence")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = findings(&Tree::made_up(&[("domain/src/money.rs", text)]));
        assert_eq!(found.first().map(|finding| finding.wrong.as_str()), expected, "{text:?}");
    }

    #[test]
    fn a_sentence_may_have_several_lines() {
        check("//! Amounts that add up\n//! to the cent.\n//!\n//! More\n\nuse a;\n", None);
    }

    #[test]
    fn a_file_without_a_head_is_found() {
        check("use a;\n", Some("the file does not open with `//!`"));
        check("/// A struct.\nstruct A;\n", Some("the file does not open with `//!`"));
        check("", Some("the file does not open with `//!`"));
    }

    #[test]
    fn a_title_is_no_sentence() {
        check("//! Money\n", Some("what opens the file is no sentence"));
        check("//! x.\n", Some("what opens the file is no sentence"));
    }
}
