//! Rust source without its comments and literals, so that a check is not fooled by words.

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// The source with every character of a comment or literal made a space: lines and columns stay.
pub(super) fn code_only(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut inside = Inside::Code;
    let mut index = 0;
    while let Some(rest) = characters.get(index..).filter(|rest| !rest.is_empty()) {
        let (next, length, keep) = step(inside, rest, code.chars().next_back());
        for &character in rest.iter().take(length) {
            code.push(if keep || character == '\n' { character } else { ' ' });
        }
        inside = next;
        index += length;
    }
    code
}

/// What comes next: the state after it, its length, and whether it is code.
fn step(inside: Inside, rest: &[char], before: Option<char>) -> (Inside, usize, bool) {
    let starts = |text: &str| text.chars().eq(rest.iter().copied().take(text.chars().count()));
    match inside {
        Inside::Code => step_in_code(rest, before),
        Inside::LineComment if starts("\n") => (Inside::Code, 1, true),
        Inside::BlockComment(1) if starts("*/") => (Inside::Code, 2, false),
        Inside::BlockComment(depth) if starts("*/") => (Inside::BlockComment(depth - 1), 2, false),
        Inside::BlockComment(depth) if starts("/*") => (Inside::BlockComment(depth + 1), 2, false),
        Inside::Text if starts("\\") => (Inside::Text, 2.min(rest.len()), false),
        Inside::Text if starts("\"") => (Inside::Code, 1, false),
        Inside::RawText(hashes) if starts("\"") && rest.iter().skip(1).take(hashes).all(|it| *it == '#') => {
            (Inside::Code, 1 + hashes, false)
        }
        unchanged => (unchanged, 1, false),
    }
}

fn step_in_code(rest: &[char], before: Option<char>) -> (Inside, usize, bool) {
    let starts = |text: &str| text.chars().eq(rest.iter().copied().take(text.chars().count()));
    if starts("//") {
        return (Inside::LineComment, 2, false);
    }
    if starts("/*") {
        return (Inside::BlockComment(1), 2, false);
    }
    if starts("\"") {
        return (Inside::Text, 1, false);
    }
    let is_word = before.is_some_and(|it| it.is_alphanumeric() || it == '_');
    if starts("r") && (!is_word || before == Some('b')) {
        let hashes = rest.iter().skip(1).take_while(|it| **it == '#').count();
        if rest.get(1 + hashes) == Some(&'"') {
            return (Inside::RawText(hashes), 2 + hashes, false);
        }
    }
    if starts("'") {
        return (Inside::Code, length_of_character(rest).unwrap_or(1), false);
    }
    (Inside::Code, 1, true)
}

/// `'a'` and `'\n'` are literals, `'a` alone is a lifetime.
fn length_of_character(rest: &[char]) -> Option<usize> {
    if rest.get(1) == Some(&'\\') {
        return rest.iter().skip(3).position(|it| *it == '\'').map(|end| end + 4);
    }
    (rest.get(2) == Some(&'\'')).then_some(3)
}

/// Where the tests at the end of a file begin, or its length: what holds for the product need not hold for them.
pub(super) fn lines_before_tests(source: &str) -> usize {
    let tests = source.lines().position(|line| line == "#[cfg(test)]");
    tests.unwrap_or_else(|| source.lines().count())
}

/// Whether a file as a whole is a test, an example or a benchmark.
pub(super) fn is_test(path: &str) -> bool {
    let folders = ["tests", "benches", "examples"];
    path.split('/').any(|part| folders.contains(&part)) || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &str) {
        assert_eq!(code_only(source), expected, "{source}");
    }

    #[test]
    fn comments_are_blanked() {
        check("a // b > c\nd", "a         \nd");
        check("a /* b /* c */ > */ d", "a                   d");
    }

    #[test]
    fn literals_are_blanked() {
        check(r#"a("> \" >", b)"#, &format!("a({:8}, b)", ""));
        check("a(r#\"> \" >\"#, b)", &format!("a({:10}, b)", ""));
        check("a('>', '\\'', '\\u{1F}')", &format!("a({:3}, {:4}, {:8})", "", "", ""));
    }

    #[test]
    fn lifetimes_and_words_that_end_in_r_are_code() {
        check("for<'a> f(&'a x)", "for< a> f(& a x)");
        check("writer\"x\"", "writer   ");
    }

    #[test]
    fn lines_stay_where_they_are() {
        check("a\n\"\n>\n\"\nb", "a\n \n \n \nb");
    }
}
