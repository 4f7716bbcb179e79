//! ONNX Runtime opens from where `.cargo/config.toml` says it is, and its absence is explained.

use std::{env, path::Path};

use models::Runtime;

#[test]
fn the_runtime_that_native_brings_opens_and_says_what_it_is() {
    let library = env::var_os("ORT_DYLIB_PATH").expect("cargo sets ORT_DYLIB_PATH from .cargo/config.toml");
    let missing = Runtime::open(Path::new("/nowhere/libonnxruntime.so")).expect_err("there is nothing there");
    let sentence = missing.to_string();
    assert!(sentence.contains("/nowhere/libonnxruntime.so"), "{sentence}");
    assert!(sentence.contains("`cargo xtask native onnxruntime` brings it"), "{sentence}");

    let runtime = Runtime::open(Path::new(&library)).expect("it opens");
    assert_eq!(runtime.library(), Path::new(&library));
    assert!(runtime.version().is_some_and(|version| version.starts_with("1.")), "{:?}", runtime.version());
    assert!(runtime.build().contains("ORT Build Info"), "{}", runtime.build());

    let again = Runtime::open(Path::new("/nowhere/libonnxruntime.so")).expect("it is there already");
    assert_eq!(again.library(), Path::new(&library));
}
