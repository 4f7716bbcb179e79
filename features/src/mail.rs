//! Which providers of e-mail give addresses to anybody, and which of them for a moment only.

use std::{collections::HashSet, sync::LazyLock};

use foldhash::fast::RandomState;

/// Providers that throw addresses away, as the crate `mailchecker` (MIT) keeps them: some 56,000 domains.
static DISPOSABLE: LazyLock<HashSet<&'static str, RandomState>> =
    LazyLock::new(|| mailchecker::blacklist().into_iter().collect());

/// The larger providers that give lasting addresses to anybody without a fee, by the names before their country's
/// ending; gathered from the providers' own pages.
const FREE_IN_MANY_COUNTRIES: [&str; 8] =
    ["aol", "gmx", "hotmail", "live", "outlook", "windowslive", "yahoo", "yandex"];

/// The others, by their whole domain.
const FREE: [&str; 77] = [
    "126.com",
    "139.com",
    "163.com",
    "189.cn",
    "abv.bg",
    "aliyun.com",
    "arcor.de",
    "att.net",
    "bigpond.com",
    "bk.ru",
    "bol.com.br",
    "btinternet.com",
    "centrum.cz",
    "comcast.net",
    "daum.net",
    "duck.com",
    "email.cz",
    "email.de",
    "fastmail.com",
    "fastmail.fm",
    "foxmail.com",
    "free.fr",
    "freemail.hu",
    "freenet.de",
    "gmail.com",
    "googlemail.com",
    "hanmail.net",
    "hey.com",
    "hushmail.com",
    "icloud.com",
    "ig.com.br",
    "inbox.lv",
    "inbox.ru",
    "interia.pl",
    "internode.on.net",
    "laposte.net",
    "libero.it",
    "list.ru",
    "mac.com",
    "mail.com",
    "mail.de",
    "mail.ee",
    "mail.ru",
    "mailbox.org",
    "mailfence.com",
    "me.com",
    "msn.com",
    "naver.com",
    "netscape.net",
    "o2.pl",
    "onet.pl",
    "op.pl",
    "orange.fr",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "rediffmail.com",
    "rocketmail.com",
    "sapo.pt",
    "seznam.cz",
    "sina.com",
    "sohu.com",
    "t-online.de",
    "tuta.com",
    "tuta.io",
    "tutanota.com",
    "uol.com.br",
    "virgilio.it",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "yeah.net",
    "ymail.com",
];

/// Whether a domain gives lasting addresses to anybody without a fee. `domain` is in lower case.
#[must_use]
pub fn is_free(domain: &str) -> bool {
    let domain = domain.trim_end_matches('.');
    FREE.binary_search(&domain).is_ok() || is_national(domain)
}

/// `yahoo.fr`, `yahoo.co.uk` and `yahoo.com.br`, but not `yahoo.shop.example`.
fn is_national(domain: &str) -> bool {
    let Some((provider, ending)) = domain.split_once('.') else { return false };
    let country = ending.strip_prefix("co.").or_else(|| ending.strip_prefix("com.")).unwrap_or(ending);
    let is_ending = matches!(ending, "com" | "net") || (country.len() == 2 && country.is_ascii());
    is_ending && !country.contains('.') && FREE_IN_MANY_COUNTRIES.contains(&provider)
}

/// Whether a domain, or one that it lies below, hands out addresses for a moment. `domain` is in lower case.
#[must_use]
pub fn is_disposable(domain: &str) -> bool {
    let mut rest = domain.trim_end_matches('.');
    loop {
        if DISPOSABLE.contains(rest) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, above)) if above.contains('.') => rest = above,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_so_that_it_can_be_searched() {
        assert!(FREE.is_sorted());
        assert!(FREE.iter().all(|domain| is_free(domain)));
    }

    fn check(domain: &str, free: bool, disposable: bool) {
        assert_eq!((is_free(domain), is_disposable(domain)), (free, disposable), "{domain}");
    }

    #[test]
    fn large_providers_are_free_in_every_country() {
        for domain in
            ["gmail.com", "yahoo.com", "yahoo.co.uk", "yahoo.com.br", "hotmail.fr", "gmx.net", "gmx.de"]
        {
            check(domain, true, false);
        }
    }

    #[test]
    fn throw_away_addresses_are_known_below_their_domain_too() {
        check("mailinator.com", false, true);
        check("box.mailinator.com", false, true);
        check("guerrillamail.com", false, true);
    }

    #[test]
    fn everybody_else_is_neither() {
        for domain in ["nordlicht.example", "yahoo.shop.example", "notgmail.company", "com", "", ".", "gmail"]
        {
            check(domain, false, false);
        }
    }
}
