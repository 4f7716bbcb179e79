//! Which bucket is meant, and what must be known to be let in.

use std::{collections::BTreeMap, io};

use object_store::{
    Error,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    client::ClientConfigKey,
    path::Path,
};

use crate::connection::{Connector, retries};

/// How an address of a bucket begins.
pub const SCHEME: &str = "s3://";

/// An address that is no folder's path: whatever has `://`, so that a slip of the pen is refused and makes no folder.
#[must_use]
pub fn remote(address: &std::path::Path) -> Option<&str> {
    address.to_str().filter(|address| address.contains("://"))
}

/// Why an address names no bucket that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is none of ours.
    #[error("{0} is no address of a bucket: write s3://BUCKET or s3://BUCKET/FOLDER")]
    Form(String),
    /// A variable is missing or cannot be meant.
    #[error(
        "{address} cannot be used: {source}; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for a store that is not Amazon's, AWS_ENDPOINT_URL"
    )]
    Settings {
        /// What was asked for.
        address: String,
        /// What is wrong.
        source: Error,
    },
    /// The store's own address has another form, or is without TLS and nobody said that it may be.
    #[error(
        "{address} cannot be used: AWS_ENDPOINT_URL is {endpoint}; write https://HOST, or http://HOST:PORT and set AWS_ALLOW_HTTP=true besides"
    )]
    Endpoint {
        /// What was asked for.
        address: String,
        /// What is said of where the store is.
        endpoint: String,
    },
    /// The machine has no thread left.
    #[error("no thread could be started to speak to a bucket: {0}")]
    Thread(io::Error),
}

/// An address in its parts: the bucket, and the folder in it, which may be empty.
pub(crate) fn parsed(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix(SCHEME)?;
    let (name, folder) = rest.split_once('/').unwrap_or((rest, ""));
    let folder = folder.trim_matches('/');
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_good = !name.is_empty() && name.bytes().all(is_name) && Path::parse(folder).is_ok();
    is_good.then_some((name, folder))
}

/// A store as these variables describe it.
pub(crate) fn store(
    address: &str,
    name: &str,
    variables: &BTreeMap<String, String>,
) -> Result<AmazonS3, AddressError> {
    let mut builder = AmazonS3Builder::new();
    // One object at a time is all that every store can take away.
    builder = builder.with_retry(retries()).with_disable_bulk_delete(true).with_http_connector(Connector);
    for (variable, value) in
        variables.iter().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
    {
        // What is of no interest here may be set for others.
        if let Ok(key) = variable.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    let said = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
    let endpoint = said(AmazonS3ConfigKey::S3Endpoint).or_else(|| said(AmazonS3ConfigKey::Endpoint));
    let may_lack_tls = said(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)).as_deref() == Some("true");
    let is_good = |endpoint: &String| {
        endpoint.starts_with("https://") || may_lack_tls && endpoint.starts_with("http://")
    };
    if let Some(endpoint) = endpoint.filter(|endpoint| !is_good(endpoint)) {
        return Err(AddressError::Endpoint { address: address.to_owned(), endpoint });
    }
    let built = builder.with_bucket_name(name).build();
    built.map_err(|source| AddressError::Settings { address: address.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_perhaps_a_folder() {
        for (address, expected) in [
            ("s3://shop", Some(("shop", ""))),
            ("s3://shop/", Some(("shop", ""))),
            ("s3://shop.events-1/lake", Some(("shop.events-1", "lake"))),
            ("s3://shop/events/lake/", Some(("shop", "events/lake"))),
            ("s3://shop/day=1/für später", Some(("shop", "day=1/für später"))),
            ("s3://", None),
            ("s3:///lake", None),
            ("s3://shop/a//b", None),
            ("s3://shop/a/../b", None),
            ("s3://shop/./b", None),
            ("s3://my shop/lake", None),
            ("s3://key:secret@shop/lake", None),
            ("S3://shop/lake", None),
            ("https://shop/lake", None),
            ("shop/lake", None),
            ("", None),
        ] {
            assert_eq!(parsed(address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_missing_or_cannot_be_meant_is_said() {
        let refused = |variables: &[(&str, &str)]| {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            store("s3://shop/lake", "shop", &owned.collect()).expect_err("it cannot be used").to_string()
        };
        let sentence = refused(&[("AWS_ACCESS_KEY_ID", "us")]);
        assert!(sentence.starts_with("s3://shop/lake cannot be used: "), "{sentence}");
        assert!(
            sentence.contains("SecretAccessKey") && sentence.contains("set AWS_ACCESS_KEY_ID"),
            "{sentence}"
        );
        let sentence = refused(&[("AWS_ENDPOINT_URL", "http://store.example:9000")]);
        assert!(sentence.contains("AWS_ALLOW_HTTP=true"), "{sentence}");
        let sentence = refused(&[("AWS_ENDPOINT_URL", "store.example"), ("AWS_ALLOW_HTTP", "true")]);
        assert!(sentence.contains("AWS_ENDPOINT_URL is store.example; write https://HOST"), "{sentence}");
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let variables = [("AWS_ENDPOINT_URL", ""), ("AWS_ACCESS_KEY_ID", ""), ("AWS_ROOM", "none")];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        store("s3://shop", "shop", &owned).expect("it is Amazon's, and the machine's role says who we are");
    }

    proptest! {
        #[test]
        fn an_address_is_read_as_it_is_written(address in "(s3://)?[a-zA-Z0-9./ =:@é%-]{0,24}") {
            if let Some((name, folder)) = parsed(&address) {
                let written = format!("s3://{name}/{folder}");
                prop_assert_eq!(parsed(&written), Some((name, folder)));
                prop_assert!(folder.is_empty() || folder.split('/').all(|part| !["", ".", ".."].contains(&part)));
            }
        }
    }
}
