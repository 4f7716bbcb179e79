//! Passwords: Argon2id hashes, made and checked on threads that may be blocked, a few at a time.

use std::sync::{Arc, LazyLock};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use domain::Chance;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
};

/// So many passwords are hashed at once; each takes 19 MiB and some 20 ms.
const AT_ONCE: usize = 4;
/// A password has at least so many characters (NIST SP 800-63B-4 asks for 15 where it is the only factor; one-time links
/// and throttling stand beside it here).
pub const SHORTEST: usize = 12;
/// Longer ones are refused before they are hashed.
pub const LONGEST: usize = 256;

/// The parameters that OWASP's Password Storage Cheat Sheet recommends: 19 MiB, two passes, one lane.
static ARGON: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19_456, 2, 1, None).expect("these parameters are allowed");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// What a password is checked against when there is no such account, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody's", [0; 16]));

static HASHING: Semaphore = Semaphore::const_new(AT_ONCE);

/// The hash of a password, in PHC form, as the database keeps it.
pub async fn hashed(password: String, chance: &Chance) -> String {
    let _one: Option<SemaphorePermit<'_>> = HASHING.acquire().await.ok();
    let salt = chance.bytes();
    spawn_blocking(move || hash(&password, salt)).await.expect("hashing does not panic")
}

fn hash(password: &str, salt: [u8; 16]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    ARGON
        .hash_password(password.as_bytes(), &salt)
        .expect("a password of this length can be hashed")
        .to_string()
}

/// Whether this is the password that the hash was made from; it takes as long when there is no hash.
pub async fn is_right(password: String, kept: Option<String>) -> bool {
    let _one: Option<SemaphorePermit<'_>> = HASHING.acquire().await.ok();
    let password: Arc<str> = password.into();
    let checked = spawn_blocking(move || {
        let is_kept = kept.is_some();
        let kept = kept.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&kept)
            .is_ok_and(|kept| ARGON.verify_password(password.as_bytes(), &kept).is_ok());
        is_kept && matches
    });
    checked.await.unwrap_or(false)
}
