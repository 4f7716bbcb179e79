//! What somebody holds: a telephone, a tablet or a computer, and what its browser says of itself.

use domain::click::Device;

use crate::dice::{Dice, mixed};

/// One machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handset {
    /// What makes it this one.
    pub(crate) key: u64,
    /// What kind of machine.
    pub(crate) kind: Device,
    /// What its browser says of itself.
    pub(crate) agent: &'static str,
}

const MOBILE: [&str; 6] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
];

const DESKTOP: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
];

const TABLET: [&str; 2] = [
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36",
];

/// What machines say that nobody sits at, when they do not lie.
const AUTOMATIC: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/49.0.2623.112 Safari/537.36",
    "python-requests/2.32.3",
    "",
];

impl Handset {
    /// The machine of this key.
    pub(crate) fn of(key: u64, kind: Device) -> Self {
        let agents: &[&str] = match kind {
            Device::Mobile => &MOBILE,
            Device::Tablet => &TABLET,
            Device::Desktop | Device::Unknown => &DESKTOP,
        };
        Self { key, kind, agent: Dice::of(mixed(key)).one(agents) }
    }

    /// A machine that nobody sits at and that does not hide it.
    pub(crate) fn automatic(key: u64) -> Self {
        Self { key, kind: Device::Unknown, agent: Dice::of(mixed(key)).one(&AUTOMATIC) }
    }

    /// The keyed hash of its fingerprint.
    pub(crate) fn fingerprint(self) -> String {
        format!("{:016x}", self.key)
    }
}
