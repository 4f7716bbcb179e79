//! `cargo xtask tidy` checks what no compiler checks: the habits that keep this house readable.
//!
//! A check is one file below `tidy/` and one line in [`CHECKS`].

mod architecture;
mod attributes;
mod comparisons;
mod edges;
mod heads;
mod length;
mod links;
mod machine_paths;
mod names;
mod size;
mod source;
mod sql;
mod tree;

use std::fmt;

use anyhow::{Result, bail};
use clap::Args;

use tree::Tree;

/// One thing that must hold of the whole tree.
struct Check {
    name: &'static str,
    /// What must hold, as a full sentence.
    doc: &'static str,
    findings: fn(&Tree) -> Vec<Finding>,
}

/// Every check, quick ones and common mistakes first.
const CHECKS: [Check; 11] = [
    heads::CHECK,
    names::CHECK,
    attributes::CHECK,
    comparisons::CHECK,
    length::CHECK,
    sql::CHECK,
    edges::CHECK,
    links::CHECK,
    architecture::CHECK,
    size::CHECK,
    machine_paths::CHECK,
];

/// A place where something does not hold.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    wrong: String,
    mend: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, wrong, mend } = self;
        write!(f, "{path}:{line}: {wrong}; {mend}")
    }
}

/// How to check.
#[derive(Args, Default)]
pub struct Options {
    /// Only say what is checked
    #[arg(long)]
    list: bool,
}

/// Checks the files that git tracks or would track, and prints a line for each finding.
pub fn run(options: &Options) -> Result<()> {
    if options.list {
        for check in &CHECKS {
            println!("{:13} {}", check.name, check.doc);
        }
        return Ok(());
    }
    let tree = Tree::of_this_workspace()?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| (check.findings)(&tree)).collect();
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} to mend; `cargo xtask tidy --list` says what is checked and why", counted(findings.len()));
    }
    println!("{} files hold to {} checks", tree.files.len(), CHECKS.len());
    Ok(())
}

fn counted(findings: usize) -> String {
    if findings == 1 { "there is 1 place".to_owned() } else { format!("there are {findings} places") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_check_says_what_must_hold() {
        let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        for check in &CHECKS {
            assert!(check.doc.ends_with('.') && 20 < check.doc.len(), "{}", check.name);
        }
    }

    #[test]
    fn no_check_minds_an_empty_tree() {
        for check in &CHECKS {
            assert_eq!((check.findings)(&Tree::default()), [], "{}", check.name);
        }
    }

    #[test]
    fn a_finding_is_one_line_that_an_editor_can_follow() {
        let finding =
            Finding { path: "a/b.rs".into(), line: 7, wrong: "it is odd".into(), mend: "make it even" };
        assert_eq!(finding.to_string(), "a/b.rs:7: it is odd; make it even");
    }
}
