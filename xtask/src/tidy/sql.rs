//! SQL has one kind of home.

use super::{
    Check, Finding,
    source::{code_only, is_test, lines_before_tests},
    tree::Tree,
};

/// Ways to run SQL.
const CALLS: [&str; 9] = [
    "query!(",
    "query_as!(",
    "query_scalar!(",
    "query_file!(",
    "query_file_as!(",
    "sqlx::query(",
    "sqlx::query_as(",
    "sqlx::query_scalar(",
    "QueryBuilder",
];
/// How a text that is SQL begins.
const STATEMENTS: [&str; 7] =
    ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "\"COPY ", "\"LISTEN ", "\"WITH "];
/// Crates that are no part of the product: what looks for SQL has to write it down.
const TOOLS: [&str; 1] = ["xtask/"];

pub(super) const CHECK: Check = Check {
    name: "sql",
    doc: "SQL is written only in files named store.rs or in a folder named store, and in tests.",
    findings,
};

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts(".rs").filter(|(path, _)| !may_hold_sql(path)) {
        let code = code_only(text);
        let lines = text.lines().zip(code.lines()).enumerate().take(lines_before_tests(text));
        for (index, (line, code)) in lines {
            let speaks_sql = CALLS.iter().any(|call| code.contains(call))
                || STATEMENTS.iter().any(|statement| line.contains(statement) && !code.trim().is_empty());
            if speaks_sql {
                let mend =
                    "move the query into a function of a file named store.rs or of a folder named store";
                let wrong = "SQL outside a store".to_owned();
                found.push(Finding { path: path.to_owned(), line: index + 1, wrong, mend });
            }
        }
    }
    found
}

fn may_hold_sql(path: &str) -> bool {
    let in_store = path.split('/').any(|part| part == "store" || part == "store.rs");
    in_store || is_test(path) || TOOLS.iter().any(|tool| path.starts_with(tool))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "fn a() {\n    sqlx::query!(\"SELECT 1\");\n}\n";

    fn check(path: &str, text: &str, expected: &[usize]) {
        let found = findings(&Tree::made_up(&[(path, text)]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), expected, "{path}: {text}");
    }

    #[test]
    fn sql_outside_a_store_is_found() {
        check("serve/src/api/links.rs", QUERY, &[2]);
        check("tracking/src/stream/sink.rs", "    db.copy_in_raw(\"COPY clicks FROM STDIN\")\n", &[1]);
    }

    #[test]
    fn stores_tests_and_tools_may_hold_sql() {
        check("serve/src/store.rs", QUERY, &[]);
        check("serve/src/store/links.rs", QUERY, &[]);
        check("serve/tests/links.rs", QUERY, &[]);
        check("xtask/src/tidy/sql.rs", QUERY, &[]);
        check(
            "serve/src/api/links.rs",
            &format!("fn b() {{}}\n#[cfg(test)]\nmod tests {{\n{QUERY}}}\n"),
            &[],
        );
    }

    #[test]
    fn a_comment_about_sql_is_no_sql() {
        check("serve/src/api/links.rs", "// \"SELECT 1\" with query!(\n/// \"UPDATE a\"\n", &[]);
    }
}
