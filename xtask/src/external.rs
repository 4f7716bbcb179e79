//! Other programs: what we call them with, and what we say when they fail.

use std::{
    io::ErrorKind,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};

/// Runs a program whose output the developer sees; a failure names the exact command.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| not_run(command, &error))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a program silently and returns what it printed; a failure says its last words.
pub fn read(command: &mut Command) -> Result<String> {
    let output = output(command.stdin(Stdio::null()))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), last_words(&output));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no text", line(command)))
}

/// Runs a program silently, whatever it thinks of that.
pub fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| not_run(command, &error))
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    words.join(" ")
}

/// The line that most likely says why: the last one marked as an error, else the last one.
pub fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = if text.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { text };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let explains = |line: &&&str| line.to_lowercase().contains("error") && !line.contains("complete log");
    let marked = lines.iter().rev().find(explains);
    marked.or(lines.last()).map_or_else(|| output.status.to_string(), ToString::to_string)
}

fn not_run(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    if error.kind() == ErrorKind::NotFound {
        return anyhow!("{program} is not installed or not on the PATH; install it and try again");
    }
    anyhow!("{program} could not be run: {error}")
}

fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:,@%+".contains(it);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("tributary");
        command.args(["keys", "create", "--scopes", "*", "--name", "it's me"]);
        assert_eq!(line(&command), r"tributary keys create --scopes '*' --name 'it'\''s me'");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = read(&mut Command::new("no-such-program")).expect_err("there is no such program");
        assert_eq!(
            error.to_string(),
            "no-such-program is not installed or not on the PATH; install it and try again"
        );
    }

    #[test]
    fn a_failure_says_the_line_that_explains_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo looking; echo 'ERROR: no network' >&2; echo bye >&2; exit 3"]);
        let error = read(&mut command).expect_err("the script fails").to_string();
        assert!(error.ends_with("failed: ERROR: no network"), "{error}");
    }
}
