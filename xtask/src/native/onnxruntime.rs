//! ONNX Runtime: one library, taken from its wheel.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    Component,
    pins::ONNXRUNTIME,
    wheel::{Unpacked, download},
};
use crate::workspace;

pub(super) const COMPONENT: Component = Component {
    name: "onnxruntime",
    doc: "runs models",
    made_from: || format!("onnxruntime {}", ONNXRUNTIME.version),
    instead: |_| {
        let path = workspace::set_by_user("ORT_DYLIB_PATH")?;
        Some(format!("is not needed: ORT_DYLIB_PATH names {}", path.to_string_lossy()))
    },
    bring,
    mend: "check the network, or set ORT_DYLIB_PATH to an installed libonnxruntime.so",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    download(&[&ONNXRUNTIME], downloads)?;
    Unpacked { wheel: &ONNXRUNTIME, from: downloads, to }.members(target)?;
    Ok(())
}

fn target(member: &str) -> Option<PathBuf> {
    let file = member.strip_prefix("onnxruntime/")?;
    if file == format!("capi/libonnxruntime.so.{}", ONNXRUNTIME.version) {
        return Some("libonnxruntime.so".into());
    }
    ["LICENSE", "ThirdPartyNotices.txt"].contains(&file).then(|| file.into())
}
