//! libtorch: headers and libraries for the CPU, put together from three wheels the way `tch` expects them.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    Component,
    pins::{CUDA_RUNTIME, CUPTI, TORCH},
    wheel::{Unpacked, download},
};
use crate::{external, workspace};

/// What is taken of `torch/lib`; the second line exists in wheels for aarch64 only.
#[rustfmt::skip]
const LIBRARIES: [&str; 10] = [
    "libc10.so", "libgomp.so.1", "libtorch_cpu.so",
    "libarm_compute.so", "libarm_compute_graph.so", "libgfortran.so.5", "libnvpl_blas_core.so.0",
    "libnvpl_blas_lp64_gomp.so.0", "libnvpl_lapack_core.so.0", "libnvpl_lapack_lp64_gomp.so.0",
];
/// What `libtorch_cpu.so` links of CUDA even where there is no GPU.
const CUDA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];

pub(super) const COMPONENT: Component = Component {
    name: "libtorch",
    doc: "trains dense networks",
    made_from: || {
        let [torch, runtime, cupti] =
            [&TORCH, &CUDA_RUNTIME, &CUPTI].map(|it| format!("{} {}", it.project, it.version));
        format!("{torch}\n{runtime}\n{cupti}\n")
    },
    instead: |_| {
        let path = workspace::set_by_user("LIBTORCH")?;
        Some(format!("is not needed: LIBTORCH names {}", path.to_string_lossy()))
    },
    bring,
    mend: "check the network, or set LIBTORCH to an unpacked libtorch 2.13",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    download(&[&TORCH, &CUDA_RUNTIME, &CUPTI], downloads)?;
    Unpacked { wheel: &TORCH, from: downloads, to }.members(torch_target)?;
    for wheel in [&CUDA_RUNTIME, &CUPTI] {
        Unpacked { wheel, from: downloads, to }.members(cuda_target)?;
    }
    let libraries = to.join("lib");
    link_shell(&libraries)?;
    symlink("libgomp.so.1", libraries.join("libgomp.so"))?;
    fs::write(to.join("build-version"), format!("{}\n", TORCH.version))?;
    Ok(())
}

fn torch_target(member: &str) -> Option<PathBuf> {
    let file = member.strip_prefix("torch/")?;
    let wanted = file.starts_with("include/")
        || file.strip_prefix("lib/").is_some_and(|library| LIBRARIES.contains(&library));
    wanted.then(|| file.into())
}

fn cuda_target(member: &str) -> Option<PathBuf> {
    let (_, library) = member.rsplit_once('/')?;
    CUDA_LIBRARIES.contains(&library).then(|| Path::new("lib").join(library))
}

/// `tch` links a `libtorch.so`. The wheel's own drags in the GPU libraries, so an empty one is linked that leads on
/// to the two libraries which hold everything for the CPU.
fn link_shell(libraries: &Path) -> Result<()> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args(["-shared", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", "-o"])
        .arg(libraries.join("libtorch.so"));
    command.arg("-L").arg(libraries).args(["-ltorch_cpu", "-lc10"]);
    external::read(&mut command).context("cannot link libtorch.so")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_torch_only_headers_and_the_libraries_for_the_cpu_are_taken() {
        for (member, expected) in [
            ("torch/include/ATen/ATen.h", Some("include/ATen/ATen.h")),
            ("torch/lib/libtorch_cpu.so", Some("lib/libtorch_cpu.so")),
            ("torch/lib/libtorch_cuda.so", None),
            ("torch/lib/libtorch.so", None),
            ("torch/lib/libshm/socket.h", None),
            ("torch/version.py", None),
        ] {
            assert_eq!(torch_target(member).as_deref(), expected.map(Path::new), "{member}");
        }
    }

    #[test]
    fn of_cuda_only_the_linked_libraries_are_taken() {
        assert_eq!(cuda_target("nvidia/cu13/lib/libcupti.so.13"), Some("lib/libcupti.so.13".into()));
        assert_eq!(cuda_target("nvidia/cu13/lib/libnvperf_host.so"), None);
    }
}
