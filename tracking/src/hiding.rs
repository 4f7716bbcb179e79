//! What identifies somebody is kept as a keyed hash: who comes again is known again, and who it was is not told.

use std::net::IpAddr;

use domain::fraud::evidence::KeyedHash;
use sha2::{Digest, Sha256};

use crate::{
    redirect::address::HiddenAddresses,
    secret::{Key, Secret},
};

/// Hides what identifies people, each kind under a key of its own: the same wherever the installation's secret is the
/// same.
#[derive(Debug, Clone)]
pub struct Hiding {
    addresses: HiddenAddresses,
    mailboxes: Key,
    devices: Key,
    accounts: Key,
    messages: Key,
}

impl Hiding {
    /// With the installation's secret.
    pub fn new(secret: &Secret) -> Self {
        Self {
            addresses: HiddenAddresses::new(secret),
            mailboxes: secret.key("email/2"),
            devices: secret.key("device/1"),
            accounts: secret.key("account/1"),
            messages: secret.key("message/1"),
        }
    }

    /// An address, as clicks have it.
    pub fn address(&self, address: IpAddr) -> KeyedHash {
        KeyedHash(self.addresses.hash(address))
    }

    /// A mailbox that [`domain::fraud::mailbox::normalised`] has written.
    pub fn mailbox(&self, mailbox: &str) -> KeyedHash {
        self.mailbox_of(Sha256::digest(mailbox).into())
    }

    /// A mailbox of which only the SHA-256 is told: the same hash as that of the mailbox itself.
    pub fn mailbox_of(&self, digest: [u8; 32]) -> KeyedHash {
        half(self.mailboxes.authenticate(&[&digest]))
    }

    /// A device's own id.
    pub fn device(&self, id: &str) -> KeyedHash {
        half(self.devices.authenticate(&[id.as_bytes()]))
    }

    /// The number or name of an account, written in one way.
    pub fn account(&self, account: &str) -> KeyedHash {
        self.account_of(Sha256::digest(account).into())
    }

    /// An account of which only the SHA-256 is told: the same hash as that of the account itself.
    pub fn account_of(&self, digest: [u8; 32]) -> KeyedHash {
        half(self.accounts.authenticate(&[&digest]))
    }

    /// A whole message, of which the SHA-256 is given. Without a key it would tell whoever guesses all of a message but
    /// an address that the guess is right, and addresses are few.
    pub fn message(&self, digest: &[u8]) -> [u8; 32] {
        self.messages.authenticate(&[digest])
    }
}

fn half(whole: [u8; 32]) -> KeyedHash {
    KeyedHash(std::array::from_fn(|place| whole[place]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(secret: &str) -> Hiding {
        Hiding::new(&secret.repeat(8).parse().unwrap())
    }

    /// Every hash of one text, as if it were of each kind.
    fn hashes(hiding: &Hiding, text: &str) -> [KeyedHash; 3] {
        [hiding.mailbox(text), hiding.device(text), hiding.account(text)]
    }

    #[test]
    fn equal_things_of_one_kind_are_equal_under_one_secret_alone() {
        assert_eq!(hashes(&under("ours"), "ana"), hashes(&under("ours"), "ana"));
        let (ours, theirs) = (hashes(&under("ours"), "ana"), hashes(&under("theirs"), "ana"));
        let others = hashes(&under("ours"), "bo");
        let all: std::collections::BTreeSet<_> =
            [ours, theirs, others].concat().iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 9);
    }

    #[test]
    fn what_was_hashed_before_meets_what_is_hashed_here() {
        let (hiding, digest) = (under("ours"), Sha256::digest("ana@mail.example").into());
        assert_eq!(hiding.mailbox_of(digest), hiding.mailbox("ana@mail.example"));
        assert_eq!(hiding.account_of(digest), hiding.account("ana@mail.example"));
    }

    /// They are in databases and lakes: another way of making them would know nobody again.
    #[test]
    fn hashes_stay_what_they_were() {
        let hiding = under("ours");
        let told = hashes(&hiding, "ana@mail.example").map(|hash| hash.to_string()).join(" ");
        insta::assert_snapshot!(told, @"20ba846a84d3837eeb87a71d15a55467 c2ae6ab68dac788275b8063d43691b56 070692a40203d9a175cf34b84f7fd140");
        insta::assert_snapshot!(hiding.address([203, 0, 113, 7].into()), @"eacf136927eb746b259ef7e1b7d580b5");
    }
}
