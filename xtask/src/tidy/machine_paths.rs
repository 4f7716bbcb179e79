//! The repository works on every machine because it knows none.

use super::{Check, Finding, tree::Tree};

/// Where people and build machines keep their things; written apart so that this file does not find itself.
const ROOTS: [&str; 4] =
    [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/"), concat!("/", "Users/")];

pub(super) const CHECK: Check =
    Check { name: "machine-paths", doc: "No file names a place that exists on one machine only.", findings };

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts("") {
        for (index, line) in text.lines().enumerate() {
            if let Some(root) = ROOTS.iter().find(|root| names_place(line, root)) {
                let wrong = format!("a path below {root} exists on one machine only");
                let mend = "write it relative to the workspace, or ask the environment";
                found.push(Finding { path: path.to_owned(), line: index + 1, wrong, mend });
            }
        }
    }
    found
}

/// A root counts where a path begins, not in the middle of one or of an address on the web.
fn names_place(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|it| !it.is_alphanumeric() && !['.', '_', '-', '}', '~'].contains(&it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: usize) {
        let line = line.replace("ROOT", "root");
        assert_eq!(findings(&Tree::made_up(&[("notes.toml", &line)])).len(), expected, "{line}");
    }

    #[test]
    fn a_place_on_a_machine_is_found() {
        check("path = \"/ROOT/tributary\"", 1);
        check("/ROOT/tributary", 1);
        check("see file:///ROOT/tributary", 1);
    }

    #[test]
    fn a_part_of_another_path_or_address_is_not() {
        check("https://shop.example/ROOT/page and ./ROOT/x and src/ROOT/mod.rs", 0);
    }
}
