//! This workspace on this machine: where it is and how its own cargo is called.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// What `.cargo/config.toml` sets when nobody else does, with the path below the root it sets it to.
const SET_BY_CONFIG: [(&str, Option<&str>); 3] = [
    ("LIBTORCH", Some(".native/libtorch")),
    ("ORT_DYLIB_PATH", Some(".native/onnxruntime/libonnxruntime.so")),
    ("SQLX_OFFLINE", None),
];
/// What cargo tells a program it runs about that program; another cargo started by it must not take it for its own.
const ABOUT_US: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The folder of the workspace.
pub fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where `cargo xtask native` keeps what it brings.
pub fn native() -> PathBuf {
    root().join(".native")
}

/// A cargo that sees the environment a developer's own cargo would see here.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if ABOUT_US.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    for (name, _) in SET_BY_CONFIG {
        if set_by_user(name).is_none() {
            command.env_remove(name);
        }
    }
    command
}

/// The value of a variable that the user set: `cargo xtask` itself runs with what `.cargo/config.toml` sets.
pub fn set_by_user(name: &str) -> Option<OsString> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    let from_config =
        SET_BY_CONFIG.iter().find(|(known, _)| *known == name).is_some_and(|(_, path)| match path {
            Some(path) => Path::new(&value) == root().join(path),
            None => value == "true",
        });
    (!from_config).then_some(value)
}

/// What cargo knows about the members and where it builds, `CARGO_TARGET_DIR` respected.
pub fn metadata() -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().context("cargo cannot read the workspace's manifests")
}
