//! What nobody can guess.

use std::{
    fmt::Write,
    fs::File,
    io::{self, Read},
};

/// Bytes from the system. They are not `domain::Chance` on purpose: nothing here should ever be repeatable.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A password of 32 hexadecimal digits.
pub fn random_hex() -> io::Result<String> {
    Ok(hex(&random::<16>()?))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ() {
        let first = random_hex().expect("a password");
        assert_eq!(first.len(), 32);
        assert_ne!(first, random_hex().expect("a password"));
    }

    #[test]
    fn small_bytes_have_two_digits_too() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
