//! The files of a workspace and what its crates depend on, read once for all checks.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, Package, PackageId};

use crate::{external, workspace};

/// A workspace as the checks see it.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// The workspace's own crates with what their manifests name.
    pub(super) crates: BTreeMap<String, Vec<Dependency>>,
    /// For every crate, ours or not, the crates it is built with; tests aside.
    pub(super) built_with: BTreeMap<String, Vec<String>>,
}

/// A file that git tracks or would track.
pub(super) struct File {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    pub(super) bytes: u64,
    /// None when it is no text.
    pub(super) text: Option<String>,
}

/// A line of a manifest.
#[derive(Clone)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) only_tests: bool,
}

impl Tree {
    pub(super) fn of_this_workspace() -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(workspace::root());
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]);
        let listed = external::read(&mut git).context("tidy asks git which files belong to the workspace")?;
        let files = listed.split_terminator('\0').filter_map(read).collect();
        let (crates, built_with) = dependencies()?;
        Ok(Self { files, crates, built_with })
    }

    /// The text files whose names end so, with their lines.
    pub(super) fn texts<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let wanted = self.files.iter().filter(move |file| file.path.ends_with(ending));
        wanted.filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    #[cfg(test)]
    pub(super) fn made_up(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            bytes: text.len() as u64,
            text: Some((*text).to_owned()),
        };
        Self { files: files.iter().map(file).collect(), ..Self::default() }
    }
}

/// None for what was deleted but is still tracked, and for what is no file.
fn read(path: &str) -> Option<File> {
    let full = workspace::root().join(path);
    let metadata = fs::symlink_metadata(&full).ok().filter(fs::Metadata::is_file)?;
    let text = fs::read(&full).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Some(File { path: path.to_owned(), bytes: metadata.len(), text })
}

type Manifests = BTreeMap<String, Vec<Dependency>>;
type Builds = BTreeMap<String, Vec<String>>;

fn dependencies() -> Result<(Manifests, Builds)> {
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(workspace::root().join("Cargo.toml")).exec();
    let metadata = metadata.context("cargo cannot read the workspace's manifests")?;
    let crates = metadata.workspace_packages().into_iter().map(manifest).collect();
    let name = |id: &PackageId| metadata[id].name.to_string();
    let mut built_with = Builds::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        let built = node
            .deps
            .iter()
            .filter(|it| it.dep_kinds.iter().any(|it| it.kind != DependencyKind::Development));
        built_with.entry(name(&node.id)).or_default().extend(built.map(|it| name(&it.pkg)));
    }
    Ok((crates, built_with))
}

fn manifest(package: &Package) -> (String, Vec<Dependency>) {
    let dependency = |it: &cargo_metadata::Dependency| Dependency {
        name: it.name.clone(),
        only_tests: it.kind == DependencyKind::Development,
    };
    (package.name.to_string(), package.dependencies.iter().map(dependency).collect())
}
