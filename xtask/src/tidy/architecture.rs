//! The map stays short enough to be read.

use super::{Check, Finding, tree::Tree};

const MAP: &str = "docs/ARCHITECTURE.md";
const LINES: usize = 130;

pub(super) const CHECK: Check = Check {
    name: "architecture",
    doc: "docs/ARCHITECTURE.md has at most 130 lines: a map that is read at one sitting.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let map = tree.texts(MAP).find(|(path, _)| *path == MAP);
    let too_long = map.map(|(_, text)| text.lines().count()).filter(|lines| LINES < *lines);
    let finding = |lines| Finding {
        path: MAP.to_owned(),
        line: LINES + 1,
        wrong: format!("the map has {lines} lines, more than {LINES}"),
        mend: "say it shorter, or say it in the module it is about",
    };
    too_long.map(finding).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_may_have_a_hundred_and_thirty_lines() {
        assert_eq!(findings(&Tree::made_up(&[(MAP, &"a\n".repeat(130))])), []);
        assert_eq!(findings(&Tree::made_up(&[(MAP, &"a\n".repeat(131))])).len(), 1);
        assert_eq!(findings(&Tree::made_up(&[("docs/OTHER.md", &"a\n".repeat(500))])), []);
    }
}
