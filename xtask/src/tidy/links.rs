//! What a newcomer clicks on in our documents is there.

use std::{
    collections::BTreeSet,
    path::{Component, Path},
};

use super::{Check, Finding, tree::Tree};

pub(super) const CHECK: Check = Check {
    name: "links",
    doc: "Every relative link in a Markdown document leads to a file or folder of this repository.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let known = places(tree);
    let mut found = Vec::new();
    for (path, text) in tree.texts(".md") {
        for (line, target) in links(text) {
            let leads_somewhere = resolve(path, &target).is_some_and(|place| known.contains(&place));
            if !leads_somewhere {
                let wrong = format!("the link to {target} leads nowhere");
                let mend = "correct the path or remove the link";
                found.push(Finding { path: path.to_owned(), line, wrong, mend });
            }
        }
    }
    found
}

/// Every file and every folder that holds one.
fn places(tree: &Tree) -> BTreeSet<String> {
    let paths = tree.files.iter().map(|file| Path::new(&file.path));
    paths.flat_map(Path::ancestors).map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The relative targets of `[text](target)`, without their fragments, with their lines. Code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second piece between backticks is code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            let relative = targets.filter(|target| !target.contains(':') && !target.starts_with('#'));
            found.extend(relative.map(|target| (index + 1, without_fragment(target).to_owned())));
        }
    }
    found
}

fn without_fragment(target: &str) -> &str {
    target.split('#').next().unwrap_or(target)
}

/// The place a link in `document` means, relative to the workspace; none when it leads out of it.
fn resolve(document: &str, target: &str) -> Option<String> {
    let folder = Path::new(document).parent()?;
    let mut parts: Vec<String> = Vec::new();
    for component in folder.join(target).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let tree = Tree::made_up(&[("README.md", ""), ("docs/guide.md", text), ("domain/src/lib.rs", "")]);
        let found: Vec<String> = findings(&tree).into_iter().map(|finding| finding.wrong).collect();
        let expected: Vec<String> =
            expected.iter().map(|it| format!("the link to {it} leads nowhere")).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn files_and_folders_resolve_from_where_the_document_lies() {
        check("[a](../README.md) [b](../domain) [c](../domain/src/) [d](guide.md#part) [e](../)", &[]);
    }

    #[test]
    fn what_is_missing_or_outside_is_found() {
        check("[a](README.md) and [b](../domain/src/main.rs#L1)", &["README.md", "../domain/src/main.rs"]);
        check("[a](../../elsewhere.md) [b](/etc/passwd)", &["../../elsewhere.md", "/etc/passwd"]);
    }

    #[test]
    fn addresses_anchors_and_code_are_not_followed() {
        check("[a](https://example.com/x) [b](#part) `[c](nowhere)` <x>\n```\n[d](nowhere)\n```\n", &[]);
    }
}
