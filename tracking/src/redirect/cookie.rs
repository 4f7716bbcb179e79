//! The first-party cookie: which visit this is and which click came last, signed so that nobody makes one up.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{ClickId, SessionId};
use subtle::ConstantTimeEq;

use crate::secret::{Key, Secret};

/// How much of the signature the cookie carries: 128 bits cannot be guessed.
const SIGNATURE: usize = 16;

const SECONDS_A_DAY: u32 = 24 * 60 * 60;

/// What a visitor's browser keeps for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// The visit, for as long as the cookie lives.
    pub session: SessionId,
    /// The last click that was counted.
    pub click: ClickId,
}

/// Makes and reads the cookie of one installation.
#[derive(Debug, Clone)]
pub struct Cookies {
    name: String,
    key: Key,
}

/// A text that browsers do not take as a cookie's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a cookie name: use letters, digits, `_` and `-`")]
pub struct NameError(pub String);

impl Cookies {
    /// A cookie of that name, signed with a key from the installation's secret.
    ///
    /// # Errors
    /// When the name is not one.
    pub fn new(name: &str, secret: &Secret) -> Result<Self, NameError> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        if name.is_empty() || 64 < name.len() || !name.chars().all(is_plain) {
            return Err(NameError(name.chars().take(64).collect()));
        }
        Ok(Self { name: name.to_owned(), key: secret.key("cookie/1") })
    }

    /// The value of a `Set-Cookie` header.
    pub fn write(&self, visit: Visit, days: u16) -> String {
        let mut cookie = String::with_capacity(self.name.len() + 192);
        cookie.push_str(&self.name);
        cookie.push('=');
        let begin = cookie.len();
        // Writing into a string cannot fail.
        let _ = write!(cookie, "{}.{}", visit.session, visit.click);
        let signature = self.sign(&cookie[begin..]);
        cookie.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut cookie);
        let seconds = u32::from(days) * SECONDS_A_DAY;
        let _ = write!(cookie, "; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age={seconds}");
        cookie
    }

    /// The visit in the values of `Cookie` headers; none when there is none or somebody changed it.
    pub fn read<'a>(&self, mut headers: impl Iterator<Item = &'a str>) -> Option<Visit> {
        headers.find_map(|header| {
            let mut cookies = header.split(';').filter_map(|cookie| cookie.trim().split_once('='));
            cookies.find_map(|(name, value)| if name == self.name { self.verify(value) } else { None })
        })
    }

    fn verify(&self, value: &str) -> Option<Visit> {
        let (signed, signature) = value.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !bool::from(signature.ct_eq(&self.sign(signed))) {
            return None;
        }
        let (session, click) = signed.split_once('.')?;
        Some(Visit { session: session.parse().ok()?, click: click.parse().ok()? })
    }

    fn sign(&self, signed: &str) -> [u8; SIGNATURE] {
        let whole = self.key.authenticate(&[self.name.as_bytes(), b"=", signed.as_bytes()]);
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&whole[..SIGNATURE]);
        signature
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn visit() -> Visit {
        let session = uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad96").into();
        Visit { session, click: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad91").into() }
    }

    fn cookies() -> Cookies {
        Cookies::new("affiliate_id", &Secret::new(&"s".repeat(32)).unwrap()).unwrap()
    }

    #[test]
    fn a_cookie_has_every_guard() {
        insta::assert_snapshot!(cookies().write(visit(), 30), @"affiliate_id=ses_01J0B3V1MMEEDTX9CPDGKFHBCP.clk_01J0B3V1MMEEDTX9CPDGKFHBCH.ow6jpdxi06ecIrd8H7HNpw; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000");
    }

    #[test]
    fn a_cookie_comes_back_among_others() {
        let written = cookies().write(visit(), 30);
        let pair = written.split(';').next().unwrap();
        let header = format!("theme=dark; {pair}; lang=de");
        assert_eq!(cookies().read(["x=1", &*header].into_iter()), Some(visit()));
        assert_eq!(cookies().read(["affiliate_id=made.up.AAAA"].into_iter()), None);
    }

    #[test]
    fn a_signature_belongs_to_one_name_and_one_secret() {
        let value = cookies().write(visit(), 30).split([';', '=']).nth(1).unwrap().to_owned();
        assert!(cookies().verify(&value).is_some());
        let other_name = Cookies::new("other", &Secret::new(&"s".repeat(32)).unwrap()).unwrap();
        assert_eq!(other_name.verify(&value), None);
        let other_secret = Cookies::new("affiliate_id", &Secret::new(&"t".repeat(32)).unwrap()).unwrap();
        assert_eq!(other_secret.verify(&value), None);
    }

    #[test]
    fn a_name_that_could_break_the_header_is_refused() {
        for name in ["", "a b", "a;b", "a=b", "é"] {
            assert!(Cookies::new(name, &Secret::new(&"s".repeat(32)).unwrap()).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_cookie_is_no_cookie(at: prop::sample::Index, letter in "[A-Za-z0-9_.-]") {
            let value = cookies().write(visit(), 30).split([';', '=']).nth(1).unwrap().to_owned();
            let at = at.index(value.len());
            let changed = format!("{}{letter}{}", &value[..at], &value[at + 1..]);
            prop_assume!(changed != value);
            prop_assert_eq!(cookies().verify(&changed), None);
        }

        #[test]
        fn no_header_makes_it_panic(header: String) {
            let _ = cookies().read([&*header].into_iter());
        }
    }
}
