//! The doctor's word can be relied on: it succeeds where training works and explains where it does not.

use std::process::{Command, Output};

fn doctor(onnx_runtime: Option<&str>) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary-train"));
    command.arg("doctor");
    if let Some(path) = onnx_runtime {
        command.env("ORT_DYLIB_PATH", path);
    }
    let output = command.output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
#[cfg(feature = "torch")]
fn both_libraries_work_on_a_machine_with_native_libraries() {
    let (output, text) = doctor(None);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("ONNX Runtime  works"), "{text}");
    assert!(text.contains("the slope of x² + 3x at 2 is 7"), "{text}");
}

#[test]
fn a_missing_library_fails_the_examination_and_is_explained() {
    let (output, text) = doctor(Some("/nowhere/libonnxruntime.so"));
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("`cargo xtask native onnxruntime` brings it"), "{text}");
}
