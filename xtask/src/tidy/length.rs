//! One idea for each file and each function; tests, which are often lists of data, may be longer.

use super::{
    Check, Finding,
    source::{code_only, is_test, lines_before_tests},
    tree::Tree,
};

const LINES_OF_A_FILE: usize = 500;
const LINES_OF_A_FUNCTION: usize = 60;

pub(super) const CHECK: Check = Check {
    name: "length",
    doc: "A Rust file has at most 500 lines and a function at most 60, tests aside, because one idea for each place reads better.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    tree.texts(".rs")
        .filter(|(path, _)| !is_test(path))
        .flat_map(|(path, text)| in_file(path, text))
        .collect()
}

fn in_file(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if LINES_OF_A_FILE < lines {
        let wrong = format!("the file has {lines} lines, more than {LINES_OF_A_FILE}");
        found.push(Finding {
            path: path.to_owned(),
            line: 1,
            wrong,
            mend: "move one of its ideas to a file of its own",
        });
    }
    let tests = lines_before_tests(text);
    for function in functions(text) {
        if LINES_OF_A_FUNCTION < function.lines && function.line <= tests {
            let Function { name, line, lines } = function;
            let wrong = format!("{name} has {lines} lines, more than {LINES_OF_A_FUNCTION}");
            found.push(Finding {
                path: path.to_owned(),
                line,
                wrong,
                mend: "name its parts and move them out",
            });
        }
    }
    found
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Functions with a body, found by the brace that rustfmt puts under the beginning of the function's first line.
fn functions(text: &str) -> Vec<Function> {
    let code = code_only(text);
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = name_of_function(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = |line: &&str| line.get(..=indent).is_some_and(|it| it.trim_start() == "}");
        let is_whole = line.trim_end().ends_with(['}', ';']);
        // A trait's function may have no body: then its parameters' end, or what it returns, ends with a semicolon.
        let without_body =
            |line: &&str| line.get(..=indent).is_some_and(|it| matches!(it.trim_start(), ")" | "-"));
        let signature = lines.iter().skip(index + 1).find(|line| without_body(line));
        let signature = signature.is_some_and(|end| !line.ends_with('{') && end.ends_with(';'));
        let end = lines.iter().skip(index + 1).position(closing).filter(|_| !is_whole && !signature);
        let lines = end.map_or(1, |end| end + 2);
        found.push(Function { name: name.to_owned(), line: index + 1, lines });
    }
    found
}

fn name_of_function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = ["pub", "const", "async", "unsafe", "extern"];
    let is_item = before
        .split_whitespace()
        .all(|word| qualifiers.iter().any(|it| word.starts_with(it)) || word.ends_with(')'));
    let name = after.split(['(', '<']).next()?;
    (is_item && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(statements: usize) -> String {
        format!(
            "    pub(crate) async fn long(\n        a: A,\n    ) {{\n{}    }}\n",
            "        a();\n".repeat(statements)
        )
    }

    fn check(text: &str, expected: &[usize]) {
        let found = findings(&Tree::made_up(&[("domain/src/money.rs", text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_function_may_have_sixty_lines() {
        check(&format!("impl A {{\n{}}}\n", function(56)), &[]);
        check(&format!("impl A {{\n{}}}\n", function(57)), &[2]);
    }

    #[test]
    fn tests_may_be_longer() {
        check(&format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(90)), &[]);
    }

    #[test]
    fn functions_without_a_body_or_with_a_short_one_end_at_once() {
        let many = "    fn a();\n    fn b() {}\n".repeat(40);
        check(&format!("trait A {{\n{many}}}\n"), &[]);
        let long = format!("    fn a(\n        b: B,\n    ) -> C;\n{}", "    /// D\n".repeat(70));
        check(&format!("trait A {{\n{long}{}}}\n", function(10)), &[]);
        check(&format!("trait A {{\n{}{long}}}\n", function(57)), &[2]);
    }

    #[test]
    fn a_file_may_have_five_hundred_lines() {
        check(&"// a\n".repeat(500), &[]);
        check(&"// a\n".repeat(501), &[1]);
    }
}
