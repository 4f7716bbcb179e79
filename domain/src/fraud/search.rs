//! What a click tells about a search that led to it.

use super::lists::host_of;
use crate::click::{Click, host};

/// Names of search engines, before or among the names of a host; `search` for those that are called so.
const ENGINES: [&str; 12] = [
    "google",
    "bing",
    "duckduckgo",
    "ecosia",
    "yahoo",
    "yandex",
    "baidu",
    "naver",
    "qwant",
    "startpage",
    "seznam",
    "search",
];
/// What engines call the words in the address of their results (Google and Bing `q`, Yahoo `p`, Baidu `wd`, Yandex `text`,
/// Naver and Startpage `query`).
const WORDS: [&str; 5] = ["q", "p", "wd", "text", "query"];
/// What engines hang on the address that an advertisement leads to (Google Ads and Microsoft Advertising help pages).
const PAID: [&str; 4] = ["gclid", "gbraid", "wbraid", "msclkid"];
/// What `utm_medium` says of advertisements of search engines.
const PAID_MEDIA: [&str; 4] = ["cpc", "ppc", "sem", "paidsearch"];
/// The places of these among the UTM parameters.
const MEDIUM: usize = 1;
const TERM: usize = 3;

/// Whether a host is a search engine's: `www.google.co.uk` and `search.example`, but not `google-tips.example`.
#[must_use]
pub fn is_engine(host: &str) -> bool {
    host_of(host).split('.').any(|name| ENGINES.contains(&name))
}

/// Words that were searched for: in the address of a search engine's results, else `utm_term`; none when neither tells.
#[must_use]
pub fn terms(click: &Click) -> Option<String> {
    let is_searched = is_engine(host(&click.referrer));
    let words = is_searched.then(|| parameter(&click.referrer, &WORDS)).flatten();
    words.or_else(|| Some(click.tags.utm[TERM].clone()).filter(|term| !term.is_empty()))
}

/// Whether an advertisement of a search engine led to the click, by the page before it or by `utm_medium`; none when
/// nothing says so, because the landing page's own address is not kept.
#[must_use]
pub fn is_paid(click: &Click) -> Option<bool> {
    let medium = click.tags.utm[MEDIUM].to_lowercase();
    let is_told = PAID_MEDIA.contains(&medium.as_str()) || parameter(&click.referrer, &PAID).is_some();
    is_told.then_some(true)
}

/// The first of these parameters that an address has and that says something.
fn parameter(page: &str, names: &[&str]) -> Option<String> {
    let (_, query) = page.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, value)| names.contains(&&**name) && !value.trim().is_empty());
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, found: Option<&str>) {
        assert_eq!(parameter(page, &WORDS).as_deref(), found, "{page}");
    }

    #[test]
    fn words_stand_in_the_address_of_the_results() {
        check("https://www.google.de/search?hl=de&q=Nordlicht+Zelte#top", Some("Nordlicht Zelte"));
        check("https://search.yahoo.com/search?p=nordlicht%20zelt", Some("nordlicht zelt"));
        check("https://www.google.com/?q=", None);
        check("https://www.google.com/", None);
    }

    #[test]
    fn an_engine_is_known_by_a_whole_name() {
        assert!(["www.google.co.uk", "search.example", "bing.com:443"].into_iter().all(is_engine));
        assert!(!["google-tips.example", "blog.example", ""].into_iter().any(is_engine));
    }
}
