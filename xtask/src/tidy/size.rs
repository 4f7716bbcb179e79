//! A clone stays small.

use super::{Check, Finding, tree::Tree};

const BYTES: u64 = 1 << 20;

pub(super) const CHECK: Check = Check {
    name: "size",
    doc: "No file of the repository is larger than 1 MiB: a clone is for ever.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let large = tree.files.iter().filter(|file| BYTES < file.bytes);
    let finding = |file: &super::tree::File| Finding {
        path: file.path.clone(),
        line: 1,
        wrong: format!("the file has {} KiB, more than {}", file.bytes >> 10, BYTES >> 10),
        mend: "make it when it is needed, or let `cargo xtask native` bring it",
    };
    large.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mebibyte_is_the_most() {
        let check = |bytes: u64, expected: usize| {
            let mut tree = Tree::made_up(&[("data.bin", "")]);
            tree.files[0].bytes = bytes;
            tree.files[0].text = None;
            assert_eq!(findings(&tree).len(), expected, "{bytes}");
        };
        check(1 << 20, 0);
        check((1 << 20) + 1, 1);
    }
}
