//! A folder in which the tests of a job run it as a user does; `JOB` of the test says which.

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::JOB;

/// The folder; it goes with the test.
pub struct Place(pub TempDir);

impl Place {
    pub fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    pub fn run(&self, words: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
        command.current_dir(self.0.path()).arg(JOB).args(words.split_whitespace()).output().unwrap()
    }

    /// What a run says that must succeed.
    pub fn told(&self, words: &str) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A run that must fail with these words, and leave nothing behind.
    pub fn check_refused(&self, words: &str, says: &str) {
        let output = self.run(&format!("{words} --out refused"));
        let sentence = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && sentence.contains(says), "{words}: {sentence}");
        assert!(!self.0.path().join("refused").exists());
    }
}
