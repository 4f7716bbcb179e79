//! A module is named after an idea of the trade, never after the fact that it holds things.

use super::{Check, Finding, source::code_only, tree::Tree};

const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];

pub(super) const CHECK: Check = Check {
    name: "names",
    doc: "No module is named utils, helpers, common, misc, manager or the like.",
    findings,
};

const MEND: &str = "name it after the one idea it is about, or move what is in it to where that idea lives";

fn findings(tree: &Tree) -> Vec<Finding> {
    let files = tree.texts(".rs");
    files.flat_map(|(path, text)| in_path(path).into_iter().chain(in_text(path, text))).collect()
}

fn in_path(path: &str) -> Option<Finding> {
    let name = path.trim_end_matches(".rs").split('/').find(|part| EMPTY_NAMES.contains(part))?;
    let wrong = format!("a module named {name} says nothing about what is in it");
    Some(Finding { path: path.to_owned(), line: 1, wrong, mend: MEND })
}

fn in_text(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in code_only(text).lines().enumerate() {
        let Some((before, after)) = line.split_once("mod ") else { continue };
        let name = after.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap_or_default();
        let is_item = before.is_empty() || before.ends_with([' ', ')']);
        // `mod utils;` is found at its file as well, but an inline module has none.
        if is_item && after.contains('{') && EMPTY_NAMES.contains(&name) {
            let wrong = format!("a module named {name} says nothing about what is in it");
            found.push(Finding { path: path.to_owned(), line: index + 1, wrong, mend: MEND });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: usize) {
        assert_eq!(findings(&Tree::made_up(&[(path, text)])).len(), expected, "{path}: {text}");
    }

    #[test]
    fn files_and_folders_are_found() {
        check("domain/src/utils.rs", "", 1);
        check("domain/src/common/money.rs", "", 1);
        check("domain/src/helper/mod.rs", "", 1);
    }

    #[test]
    fn inline_modules_are_found() {
        check("domain/src/money.rs", "pub(crate) mod misc {\n}\n", 1);
        check("domain/src/money.rs", "// mod misc {\n", 0);
    }

    #[test]
    fn names_of_ideas_stay() {
        check("domain/src/commission/commons.rs", "mod rounding {\n}\n", 0);
    }
}
