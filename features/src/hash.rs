//! Sixty-four well-mixed bits of an id or a text: the same on every machine and in every version.
//!
//! Categories are told apart by these bits, and HyperLogLog counts with them, so that they must never change.

use sha2::{Digest, Sha256};

/// The finaliser of MurmurHash3 (A. Appleby, 2011): every bit of the input moves half of the output's.
#[must_use]
pub fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

/// An id's, or a keyed hash's.
#[must_use]
pub fn of_bits(bits: u128) -> u64 {
    let [high, low] = halves(bits);
    mix(high ^ mix(low.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

/// A text's: eight bytes at a time are folded in by the 128 bits of a product (as foldhash and W. Yi's wyhash do), the
/// last of them filled up with zeros, and the length behind them.
#[must_use]
pub fn of_text(text: &str) -> u64 {
    let (chunks, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let step = |hash: u64, chunk: &[u8; 8]| fold(hash ^ u64::from_le_bytes(*chunk));
    let hash = chunks.iter().chain([&last]).fold(0xcbf2_9ce4_8422_2325, step);
    mix(hash ^ u64::try_from(text.len()).unwrap_or(u64::MAX))
}

/// Both halves of a product, one upon the other.
fn fold(bits: u64) -> u64 {
    let [high, low] = halves(u128::from(bits) * 0xa076_1d64_78bd_642f);
    high ^ low
}

/// 128 bits that tell texts of strangers apart even when somebody chooses them with care: SHA-256, cut.
#[must_use]
pub fn name(parts: &[&[u8]]) -> u128 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part);
    }
    let bytes: [u8; 32] = digest.finalize().into();
    u128::from_be_bytes(std::array::from_fn(|place| bytes[place]))
}

fn halves(bits: u128) -> [u64; 2] {
    let bytes = bits.to_be_bytes();
    let half = |from: usize| u64::from_be_bytes(std::array::from_fn(|place| bytes[from + place]));
    [half(0), half(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_the_first_version() {
        assert_eq!(mix(0), 0);
        assert_eq!(mix(1), 0xb456_bcfc_34c2_cb2c);
        let texts = ["", "\0", "a", "ab", "ba", "abcdefgh", "abcdefgh\0", "abcdefghi", "hgfedcbaabcdefgh"];
        let different: std::collections::HashSet<u64> = texts.into_iter().map(of_text).collect();
        assert_eq!(different.len(), texts.len());
        assert_ne!(of_bits(1), of_bits(1 << 64));
    }

    #[test]
    fn a_name_keeps_its_parts_apart() {
        assert_ne!(name(&[b"a", b"bc"]), name(&[b"ab", b"c"]));
        assert_eq!(name(&[b"a"]), name(&[b"a"]));
    }
}
