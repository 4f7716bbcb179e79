//! A browser that is signed in.

use anyhow::{Result, ensure};
use reqwest::{Client, header::COOKIE};

use crate::demo::logins;

/// Somebody who looks at pages.
pub struct Browser {
    http: Client,
    base: String,
    cookie: String,
    address: String,
}

impl Browser {
    /// Signs in from an address.
    pub async fn sign_in(base: &str, (email, password): (&str, &str), address: &str) -> Result<Self> {
        let http = logins::browser_at(Some(address))?;
        let cookie = logins::enter(&http, base, (email, password)).await?;
        Ok(Self { http, base: base.to_owned(), cookie, address: address.to_owned() })
    }

    /// The whole page.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer =
            self.http.get(format!("{}{path}", self.base)).header(COOKIE, &self.cookie).send().await?;
        ensure!(answer.status().is_success(), "{path} was answered with {}", answer.status());
        Ok(answer.text().await?)
    }

    /// What it sends to be known again.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }
}
