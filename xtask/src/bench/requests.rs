//! What visitors send: requests of real browsers to many links, the same for the product and for every floor.

use domain::Chance;

use super::program::{self, LINKS};

/// How many different requests are prepared.
pub const REQUESTS: usize = 1_024;
/// The same seed prepares the same requests.
const SEED: u64 = 2026;
/// Stands in for the cookie of a visitor who comes back, where the server gives none: as long as a real one.
const NO_COOKIE: &str =
    "affiliate_id=ses_00000000000000000000000000.clk_00000000000000000000000000.0000000000000000000000";

/// User agents of browsers that are in use; telephones are listed more often, because they come more often.
const USER_AGENTS: [&str; 20] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
    "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
];
const LANGUAGES: [&str; 6] = [
    "en-US,en;q=0.9",
    "de-DE,de;q=0.9,en;q=0.8",
    "fr-FR,fr;q=0.9",
    "es-ES,es;q=0.9",
    "pl-PL,pl;q=0.9",
    "en-GB,en;q=0.8",
];
const SITES: [&str; 8] = [
    "alpine-blog.example",
    "bergwelt.example",
    "camp-and-cook.example",
    "deal-radar.example",
    "everest-videos.example",
    "fernweh.example",
    "m.social.example",
    "news.example",
];
const UTM_SOURCES: [&str; 5] = ["newsletter", "instagram", "youtube", "blog", "podcast"];
const UTM_CAMPAIGNS: [&str; 4] = ["spring_sale", "black-friday", "summer%202026", "tents"];

/// The requests; visitors who come back bring `cookie`, as the server that is asked has given it.
pub fn prepare(cookie: Option<&str>) -> Vec<String> {
    let chance = Chance::seeded(SEED);
    (0..REQUESTS).map(|_| request(&chance, cookie.unwrap_or(NO_COOKIE))).collect()
}

/// One request that is no part of the load, by a visitor who comes for the first time.
pub fn first() -> String {
    request(&Chance::seeded(SEED), "a=b")
}

fn request(chance: &Chance, cookie: &str) -> String {
    let code = program::code(chance.below(u64::from(LINKS)));
    let site = pick(chance, &SITES);
    let mut request = format!(
        "GET /c/{code}{query} HTTP/1.1\r\nHost: go.tributary.example\r\nUser-Agent: {agent}\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
         Accept-Language: {language}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nUpgrade-Insecure-Requests: 1\r\n\
         Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site\r\n\
         X-Forwarded-For: {address}\r\n",
        query = query(chance),
        agent = pick(chance, &USER_AGENTS),
        language = pick(chance, &LANGUAGES),
        // Addresses that are set aside for documents and for measuring.
        address =
            format_args!("198.{}.{}.{}", 18 + chance.below(2), chance.below(256), 1 + chance.below(254)),
    );
    if is_so(chance, 85) {
        request.push_str(&format!(
            "Referer: https://{site}/{}/\r\n",
            pick(chance, &["best-tents", "gear", "2026/11/post"])
        ));
    }
    if is_so(chance, 20) {
        request.push_str(&format!("Cookie: {cookie}\r\n"));
    }
    request.push_str("\r\n");
    request
}

fn query(chance: &Chance) -> String {
    let mut pairs = Vec::new();
    if is_so(chance, 50) {
        pairs.push(format!("sub1=placement-{}", chance.below(40)));
    }
    if is_so(chance, 25) {
        pairs.push(format!("sub2={:016x}", chance.below(u64::MAX)));
    }
    if is_so(chance, 10) {
        pairs.push(format!("clickid={:024x}", chance.below(u64::MAX)));
    }
    if is_so(chance, 30) {
        pairs.push(format!("utm_source={}", pick(chance, &UTM_SOURCES)));
        pairs.push(format!("utm_medium=affiliate&utm_campaign={}", pick(chance, &UTM_CAMPAIGNS)));
    }
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn pick<'a>(chance: &Chance, list: &[&'a str]) -> &'a str {
    list[usize::try_from(chance.below(list.len() as u64)).unwrap_or_default()]
}

fn is_so(chance: &Chance, percent: u64) -> bool {
    chance.below(100) < percent
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requests_are_many_and_always_the_same() {
        let requests = prepare(None);
        assert_eq!(requests, prepare(None));
        let different: BTreeSet<&String> = requests.iter().collect();
        assert!(REQUESTS * 9 / 10 < different.len());
        for agent in USER_AGENTS {
            assert!(requests.iter().any(|request| request.contains(agent)), "{agent}");
        }
    }

    #[test]
    fn a_fifth_of_the_visitors_come_back() {
        let with_cookie =
            prepare(Some("a=1")).iter().filter(|request| request.contains("Cookie: a=1\r\n")).count();
        assert!((150..260).contains(&with_cookie), "{with_cookie}");
    }

    #[test]
    fn every_request_is_whole() {
        for request in prepare(None) {
            assert!(request.starts_with("GET /c/") && request.ends_with("\r\n\r\n"), "{request}");
            assert_eq!(request.matches("\r\n\r\n").count(), 1, "{request}");
        }
    }
}
