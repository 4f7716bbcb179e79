//! What identifies people is hidden in imported files as trackers hide it: by the installation's secret.

use features::import::Hiding;
use tracking::{hiding, secret::Secret};

/// Hides what files say of people as reports of conversions are hidden.
#[must_use]
pub fn hiding(secret: &Secret) -> Hiding {
    let [addresses, mailboxes, devices] = [(); 3].map(|()| hiding::Hiding::new(secret));
    Hiding {
        address: Box::new(move |address| addresses.address(address).0),
        mailbox: Box::new(move |digest| mailboxes.mailbox_of(digest).0),
        device: Box::new(move |id| devices.device(id).to_string()),
    }
}
