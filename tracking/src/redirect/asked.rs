//! How a browser came to ask for a link, by headers that only browsers send: Fetch Metadata (W3C) and User-Agent Client
//! Hints (WICG); and whether it asks ahead. No page can set them, and a program that makes them up has to make up all of them.

use domain::{click::Asked, fraud::evidence::FetchDestination};

/// By these headers browsers say that nobody has asked for the page yet.
pub(super) const PREFETCH_HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// Those headers, as they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking<'a> {
    destination: Option<&'a [u8]>,
    mode: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    brands: Option<&'a [u8]>,
    mobile: Option<&'a [u8]>,
    platform: Option<&'a [u8]>,
}

impl<'a> Asking<'a> {
    /// Keeps the header if it is one of those; the first of each counts.
    pub fn hear(&mut self, name: &str, value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let place = match name.len() {
            9 if is("sec-ch-ua") => &mut self.brands,
            14 if is("sec-fetch-dest") => &mut self.destination,
            14 if is("sec-fetch-mode") => &mut self.mode,
            14 if is("sec-fetch-user") => &mut self.user,
            16 if is("sec-ch-ua-mobile") => &mut self.mobile,
            18 if is("sec-ch-ua-platform") => &mut self.platform,
            _ => return,
        };
        *place = place.or(Some(value));
    }

    /// What they say together, of a browser that names itself so.
    pub fn told(&self, user_agent: &str) -> Asked {
        // The header that a person's action led to a navigation is left out where none did.
        let by_user = self.user.map(|user| user == b"?1");
        Asked {
            destination: self.destination.map(destination),
            by_user: by_user.or_else(|| (self.mode? == b"navigate").then_some(false)),
            hints_match: self.hints_match(user_agent),
        }
    }

    /// Whether all hints that can be compared agree; none where no brands are told, as by every browser but Chromium's kin.
    fn hints_match(&self, user_agent: &str) -> Option<bool> {
        let brands = str::from_utf8(self.brands?).ok()?;
        let is_mobile = self.mobile.is_none_or(|hint| (hint == b"?1") == user_agent.contains("Mobile"));
        let platform = self.platform.and_then(|platform| str::from_utf8(platform).ok());
        let platform = platform.and_then(|platform| tokens(platform.trim_matches(['"', ' '])));
        let is_platform = platform.is_none_or(|tokens| tokens.iter().any(|token| user_agent.contains(token)));
        let hinted = after(brands, "\"Chromium\";v=\"");
        let named = after(user_agent, "Chrome/");
        let is_version = named.is_some() && hinted.is_none_or(|hinted| Some(hinted) == named);
        Some(is_mobile && is_platform && is_version)
    }
}

/// Whether one of [`PREFETCH_HEADERS`] says so.
pub(super) fn announces_prefetch(value: &[u8]) -> bool {
    str::from_utf8(value).unwrap_or_default().split([',', ';']).any(|purpose| {
        ["prefetch", "prerender", "preview"].contains(&purpose.trim().to_ascii_lowercase().as_str())
    })
}

/// The whole number behind a mark.
fn after(text: &str, mark: &str) -> Option<u32> {
    let (_, rest) = text.split_once(mark)?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// What a user agent names a platform by; none of a platform that goes by other names.
fn tokens(platform: &str) -> Option<&'static [&'static str]> {
    match platform {
        "Android" => Some(&["Android"]),
        "Chrome OS" | "Chromium OS" => Some(&["CrOS"]),
        "Linux" => Some(&["Linux"]),
        "macOS" => Some(&["Mac OS X", "Macintosh"]),
        "Windows" => Some(&["Windows"]),
        _ => None,
    }
}

fn destination(value: &[u8]) -> FetchDestination {
    match value {
        b"document" => FetchDestination::Document,
        b"embed" | b"fencedframe" | b"frame" | b"iframe" | b"object" => FetchDestination::Frame,
        b"image" => FetchDestination::Image,
        b"empty" | b"script" | b"serviceworker" | b"sharedworker" | b"style" | b"worker" => {
            FetchDestination::Script
        }
        _ => FetchDestination::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 \
                           Safari/537.36";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    fn told(headers: &[(&str, &'static str)], user_agent: &str) -> Asked {
        let mut asking = Asking::default();
        for (name, value) in headers {
            asking.hear(name, value.as_bytes());
        }
        asking.told(user_agent)
    }

    #[test]
    fn a_person_who_follows_a_link_asks_for_a_page() {
        let headers =
            [("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("sec-fetch-user", "?1")];
        let asked = told(&headers, FIREFOX);
        assert_eq!((asked.destination, asked.by_user), (Some(FetchDestination::Document), Some(true)));
        assert_eq!(told(&headers[..2], FIREFOX).by_user, Some(false), "a script went there by itself");
    }

    #[test]
    fn a_picture_a_frame_and_a_call_are_no_pages() {
        let of = |value| told(&[("sec-fetch-dest", value), ("sec-fetch-mode", "no-cors")], FIREFOX);
        for (value, destination) in [
            ("image", FetchDestination::Image),
            ("iframe", FetchDestination::Frame),
            ("empty", FetchDestination::Script),
            ("video", FetchDestination::Other),
        ] {
            assert_eq!(of(value), Asked { destination: Some(destination), ..Asked::default() });
        }
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        assert_eq!(told(&[("accept", "text/html")], WINDOWS), Asked::default());
    }

    #[track_caller]
    fn check_hints(brands: &'static str, mobile: &'static str, platform: &'static str, agrees: bool) {
        let headers = [("sec-ch-ua", brands), ("sec-ch-ua-mobile", mobile), ("sec-ch-ua-platform", platform)];
        assert_eq!(told(&headers, WINDOWS).hints_match, Some(agrees), "{headers:?}");
    }

    #[test]
    fn hints_are_held_against_the_user_agent() {
        let chrome = r#""Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24""#;
        check_hints(chrome, "?0", r#""Windows""#, true);
        check_hints(chrome, "?0", r#""Fuchsia""#, true);
        check_hints(chrome, "?1", r#""Windows""#, false);
        check_hints(chrome, "?0", r#""Linux""#, false);
        check_hints(r#""Chromium";v="109", "Not_A Brand";v="24""#, "?0", r#""Windows""#, false);
        check_hints("", "?0", r#""Windows""#, true);
        let headers = [("sec-ch-ua", chrome)];
        assert_eq!(told(&headers, FIREFOX).hints_match, Some(false), "Firefox sends no hints");
    }
}
