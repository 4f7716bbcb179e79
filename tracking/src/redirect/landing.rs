//! Where a visitor lands: the landing page with the click's parameters, each exactly once.

use std::{array, collections::HashSet, fmt::Write};

use domain::{
    ClickId,
    campaign::{AllowedHost, may_lead_to},
    click::{self, SUB_IDS, UTM},
};
use url::{Position, Url};

use super::parameters::{Parameter, Tags, VALUE_LIMIT, clean};
use crate::event::BorrowedTags;

/// The longest deep link that is followed.
const TARGET_LIMIT: usize = 2_048;

/// A landing page, taken apart so that a click only fills in its own parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// Scheme, host and path.
    page: String,
    pairs: Vec<Pair>,
    /// With its `#`; empty when there is none.
    fragment: String,
    /// What the link and the page say about a click that says nothing itself.
    defaults: click::Tags,
    /// The name under which the click id travels, as it stands in a URL.
    click_param: String,
    /// The URL of a click that says nothing itself, up to its id: most clicks are like that.
    plain: String,
}

/// One parameter of the page's query.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    /// As it stands in the URL, so that an advertiser's own spelling survives.
    written: String,
    /// Set when a click may say otherwise.
    parameter: Option<Parameter>,
}

impl Landing {
    /// Takes a page apart. The link's parameters take the place of the page's own; the click's will take theirs.
    pub fn new(page: &Url, link_params: &[(String, String)], click_param: &str) -> Self {
        let mut landing = Self {
            page: page[..Position::AfterPath].to_owned(),
            pairs: Vec::new(),
            fragment: page.fragment().map_or_else(String::new, |fragment| format!("#{fragment}")),
            defaults: click::Tags::default(),
            click_param: form_urlencoded::byte_serialize(click_param.as_bytes()).collect(),
            plain: String::new(),
        };
        let mut written: HashSet<String> = HashSet::from([click_param.to_owned()]);
        for piece in page.query().unwrap_or_default().split('&') {
            let Some((name, value)) = form_urlencoded::parse(piece.as_bytes()).next() else { continue };
            let from_link = link_params.iter().find(|(linked, _)| *linked == name);
            let parameter = passed_on(&name);
            let is_overridable = from_link.is_some() || parameter.is_some();
            // What nobody overrides may come twice: an advertiser may repeat a name of his own.
            if name == click_param || is_overridable && !written.insert(name.into_owned()) {
                continue;
            }
            match from_link {
                Some((name, value)) => landing.push(encode(name, value), parameter, value),
                None => landing.push(piece.to_owned(), parameter, &value),
            }
        }
        for (name, value) in link_params {
            if written.insert(name.clone()) {
                landing.push(encode(name, value), passed_on(name), value);
            }
        }
        let mut plain = String::new();
        let separator = landing.write_pairs(&Tags::default(), &mut plain);
        landing.plain = format!("{plain}{separator}{}=", landing.click_param);
        landing
    }

    fn push(&mut self, written: String, parameter: Option<Parameter>, value: &str) {
        if let Some(place) = parameter.and_then(|parameter| place(&mut self.defaults, parameter)) {
            // Pages and links are written by others too: what is stored is held to what a click may say itself.
            *place = clean(value, VALUE_LIMIT).into_owned();
        }
        self.pairs.push(Pair { written, parameter });
    }

    /// The URL for a click that carries `tags`; without an id for a visit that is not counted.
    pub fn url(&self, tags: &Tags<'_>, click: Option<ClickId>) -> String {
        let mut url = String::with_capacity(self.plain.len() + 256);
        let Some(click) = click else {
            self.write_pairs(tags, &mut url);
            url.push_str(&self.fragment);
            return url;
        };
        if PASSED_ON.iter().any(|parameter| said(tags, *parameter).is_some()) {
            let separator = self.write_pairs(tags, &mut url);
            url.push(separator);
            url.push_str(&self.click_param);
            url.push('=');
        } else {
            url.push_str(&self.plain);
        }
        // Writing into a string cannot fail.
        let _ = write!(url, "{click}");
        url.push_str(&self.fragment);
        url
    }

    /// Writes the page with its parameters, and says what must stand before another one.
    fn write_pairs(&self, tags: &Tags<'_>, url: &mut String) -> char {
        url.push_str(&self.page);
        let mut separator = '?';
        for pair in &self.pairs {
            url.push(separator);
            separator = '&';
            match pair
                .parameter
                .and_then(|parameter| Some((parameter.landing_name()?, said(tags, parameter)?)))
            {
                Some((name, value)) => write_pair(url, name, value),
                None => url.push_str(&pair.written),
            }
        }
        for parameter in PASSED_ON {
            let is_written = || self.pairs.iter().any(|pair| pair.parameter == Some(parameter));
            if let (Some(name), Some(value)) = (parameter.landing_name(), said(tags, parameter))
                && !is_written()
            {
                url.push(separator);
                separator = '&';
                write_pair(url, name, value);
            }
        }
        separator
    }

    /// What is stored about a click: what it says itself, else what the link and the page say.
    pub fn complete<'a>(&'a self, tags: &'a Tags<'_>) -> BorrowedTags<'a> {
        fn first<'a>(said: &'a str, default: &'a str) -> &'a str {
            if said.is_empty() { default } else { said }
        }
        let defaults = &self.defaults;
        BorrowedTags {
            subs: array::from_fn(|position| first(&tags.subs[position], &defaults.subs[position])),
            source: first(&tags.source, &defaults.source),
            uid: &tags.uid,
            external_click_id: &tags.external_click_id,
            utm: array::from_fn(|position| first(&tags.utm[position], &defaults.utm[position])),
        }
    }
}

/// What a click may say on the landing page, in the order in which it is appended.
const PASSED_ON: [Parameter; SUB_IDS + 1 + UTM.len()] = {
    let mut passed_on = [Parameter::Source; SUB_IDS + 1 + UTM.len()];
    let mut position = 0;
    while position < SUB_IDS {
        passed_on[position] = Parameter::Sub(position as u8);
        position += 1;
    }
    position = 0;
    while position < UTM.len() {
        passed_on[SUB_IDS + 1 + position] = Parameter::Utm(position as u8);
        position += 1;
    }
    passed_on
};

/// The parameter that we would pass on under exactly this name; aliases on a landing page are the advertiser's own.
fn passed_on(name: &str) -> Option<Parameter> {
    PASSED_ON.into_iter().find(|parameter| parameter.landing_name() == Some(name))
}

fn said<'a>(tags: &'a Tags<'_>, parameter: Parameter) -> Option<&'a str> {
    let value = match parameter {
        Parameter::Sub(position) => tags.subs.get(usize::from(position))?,
        Parameter::Utm(position) => tags.utm.get(usize::from(position))?,
        Parameter::Source => &tags.source,
        _ => return None,
    };
    (!value.is_empty()).then_some(value)
}

fn place(tags: &mut click::Tags, parameter: Parameter) -> Option<&mut String> {
    match parameter {
        Parameter::Sub(position) => tags.subs.get_mut(usize::from(position)),
        Parameter::Utm(position) => tags.utm.get_mut(usize::from(position)),
        Parameter::Source => Some(&mut tags.source),
        _ => None,
    }
}

fn encode(name: &str, value: &str) -> String {
    let mut pair = String::with_capacity(name.len() + value.len() + 1);
    write_pair(&mut pair, name, value);
    pair
}

fn write_pair(url: &mut String, name: &str, value: &str) {
    url.extend(form_urlencoded::byte_serialize(name.as_bytes()));
    url.push('=');
    url.extend(form_urlencoded::byte_serialize(value.as_bytes()));
}

/// Why a deep link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is not a plain http or https URL.
    #[error("a deep link must be a complete http or https URL of at most {TARGET_LIMIT} characters")]
    NotAUrl,
    /// It hides where it leads.
    #[error("a deep link must not contain a user, backslashes, spaces or control characters")]
    Disguised,
    /// It names a port that is not the landing page's.
    #[error("a deep link must not name a port")]
    Port,
    /// It leads elsewhere.
    #[error("this campaign allows no deep links to that host")]
    Host,
}

/// Checks a deep link against the hosts that its campaign allows, the landing page's own among them.
///
/// A port is accepted only where the landing page has the same host and port.
///
/// # Errors
/// When following it could lead a visitor anywhere else.
pub fn deep_link(target: &str, allowed: &[AllowedHost], landing: &Url) -> Result<Url, TargetError> {
    if TARGET_LIMIT < target.len() {
        return Err(TargetError::NotAUrl);
    }
    // Browsers and parsers disagree about these characters; whoever sends them means no good.
    if target.contains(|letter: char| letter.is_control() || letter.is_whitespace() || letter == '\\') {
        return Err(TargetError::Disguised);
    }
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(TargetError::NotAUrl);
    }
    let url = Url::parse(target).map_err(|_| TargetError::NotAUrl)?;
    let authority = target.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#']).next();
    if authority.is_none_or(|authority| authority.is_empty() || authority.contains('@')) {
        return Err(TargetError::Disguised);
    }
    if !may_lead_to(&url, landing, allowed) {
        return Err(TargetError::Host);
    }
    let is_landing = landing.host_str() == url.host_str() && landing.port() == url.port();
    if url.port().is_some() && !is_landing { Err(TargetError::Port) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::parameters::Parameters, *};

    #[track_caller]
    fn check(page: &str, link_params: &[(&str, &str)], query: &str, url: &str) {
        let params: Vec<_> =
            link_params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let landing = Landing::new(&Url::parse(page).unwrap(), &params, "clickid");
        assert_eq!(landing.url(&Parameters::parse(query).tags, None), url);
    }

    #[test]
    fn a_click_fills_in_what_it_says() {
        check("https://s.example", &[], "", "https://s.example/");
        check("https://s.example/p?a=1#top", &[], "s2=x", "https://s.example/p?a=1&sub2=x#top");
        check("https://s.example/", &[], "sub1=a b&source=é", "https://s.example/?sub1=a+b&source=%C3%A9");
    }

    #[test]
    fn the_click_wins_over_the_link_and_the_link_over_the_page() {
        let page = "https://s.example/?utm_source=page&utm_medium=page&utm_term=page";
        let link = [("utm_medium", "link"), ("utm_term", "link"), ("utm_content", "link")];
        check(
            page,
            &link,
            "utm_term=click&utm_campaign=click",
            "https://s.example/?utm_source=page&utm_medium=link&utm_term=click&utm_content=link&utm_campaign=click",
        );
    }

    #[test]
    fn what_is_overridden_stands_once_and_what_is_not_stays_as_it_is() {
        check(
            "https://s.example/?size=1&utm_source=a&size=2&utm_source=b&x=%7e",
            &[],
            "utm_source=c",
            "https://s.example/?size=1&utm_source=c&size=2&x=%7e",
        );
        check("https://s.example/?clickid=old&sid=own", &[], "sid=x", "https://s.example/?sid=own&sub1=x");
    }

    #[test]
    fn the_click_id_comes_last_and_under_the_advertisers_name() {
        let landing = Landing::new(&Url::parse("https://s.example/?k=v#f").unwrap(), &[], "irclickid");
        let click = uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad91").into();
        insta::assert_snapshot!(landing.url(&Tags::default(), Some(click)), @"https://s.example/?k=v&irclickid=clk_01J0B3V1MMEEDTX9CPDGKFHBCH#f");
    }

    #[test]
    fn a_click_that_says_nothing_is_stored_with_what_link_and_page_say() {
        let params = [("sub1".into(), "link".into()), ("utm_source".into(), "link".into())];
        let page = Url::parse("https://s.example/?utm_source=page&utm_term=page").unwrap();
        let (landing, said) =
            (Landing::new(&page, &params, "clickid"), Parameters::parse("sub1=click&uid=u").tags);
        let tags = landing.complete(&said);
        assert_eq!((tags.subs[0], tags.utm[0], tags.utm[3], tags.uid), ("click", "link", "page", "u"));
    }

    #[test]
    fn what_link_and_page_say_is_stored_as_clean_and_short_as_what_a_click_says() {
        let params = [("sub2".into(), "a\0b".into()), ("source".into(), "é".repeat(VALUE_LIMIT))];
        let page = Url::parse("https://s.example/?sub1=%00&sub3=x%00y&utm_term=%0d%0az").unwrap();
        let (landing, said) = (Landing::new(&page, &params, "clickid"), Tags::default());
        let tags = landing.complete(&said);
        assert_eq!(tags.subs[..3], ["", "ab", "xy"]);
        assert_eq!((tags.utm[3], tags.source.len()), ("z", VALUE_LIMIT));
    }

    fn target(target: &str) -> Result<Url, TargetError> {
        let allowed = ["shop.example", "*.shop.example"].map(|host| AllowedHost::parse(host).unwrap());
        deep_link(target, &allowed, &Url::parse("http://127.0.0.1:8081/").unwrap())
    }

    #[test]
    fn a_deep_link_leads_to_allowed_hosts_only() {
        for good in [
            "https://shop.example",
            "HTTP://shop.example/p?q=1#f",
            "https://de.shop.example/a",
            "http://127.0.0.1:8081/x",
            "https://shop.example:443/",
        ] {
            assert!(target(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("https://evil.example/", TargetError::Host),
            ("https://evilshop.example/", TargetError::Host),
            ("https://shop.example.evil.example/", TargetError::Host),
            ("https://shop.example./", TargetError::Host),
            ("https://shop.example@evil.example/", TargetError::Disguised),
            ("https://evil.example@shop.example/", TargetError::Disguised),
            ("https://@shop.example/", TargetError::Disguised),
            ("https://evil.example\\@shop.example/", TargetError::Disguised),
            ("https:\\\\evil.example", TargetError::Disguised),
            ("https://evil.example\t.shop.example/", TargetError::Disguised),
            ("https://shop.example/\nx", TargetError::Disguised),
            ("//evil.example", TargetError::NotAUrl),
            ("https:evil.example", TargetError::NotAUrl),
            ("https:///evil.example", TargetError::Disguised),
            ("javascript:alert(1)", TargetError::NotAUrl),
            ("ftp://shop.example/", TargetError::NotAUrl),
            ("/path", TargetError::NotAUrl),
            ("https://shop.example:8443/", TargetError::Port),
            ("http://127.0.0.1:8082/", TargetError::Port),
        ] {
            assert_eq!(target(bad), Err(error), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_target_leads_elsewhere(
            scheme in "(https?:|HTTP:|//|https?:/|javascript:|)",
            slashes in r"[/\\]{0,3}",
            user in r"([a-z.]{0,8}[@:%\\#?])?",
            host in r"(shop\.example|evil\.example|[a-z.\-%0-9@\\/]{0,20})",
            rest in r"[:/?#@\\a-z0-9.%]{0,20}",
        ) {
            if let Ok(url) = target(&format!("{scheme}{slashes}{user}{host}{rest}")) {
                let host = url.host_str().unwrap();
                prop_assert!(host == "shop.example" || host.ends_with(".shop.example") || host == "127.0.0.1");
                let landed = Landing::new(&url, &[], "clickid").url(&Tags::default(), None);
                let landed = Url::parse(&landed).unwrap();
                prop_assert_eq!(landed.host_str(), url.host_str());
                prop_assert_eq!(landed.scheme(), url.scheme());
                prop_assert_eq!(landed.username(), "");
            }
        }

        #[test]
        fn every_parameter_stands_at_most_once(page_query in "(utm_source|sub1|clickid|x)=[a-z]{0,3}(&(utm_source|sub1|clickid)=[a-z]{0,3}){0,3}", query in "(utm_source|sub1|s1)=[a-z]{1,3}(&(utm_source|sub1|s1)=[a-z]{1,3}){0,3}") {
            let page = Url::parse(&format!("https://s.example/?{page_query}")).unwrap();
            let landing = Landing::new(&page, &[("sub1".into(), "d".into())], "clickid");
            let click = ClickId::from(uuid::Uuid::nil());
            let url = Url::parse(&landing.url(&Parameters::parse(&query).tags, Some(click))).unwrap();
            for name in ["utm_source", "sub1", "clickid"] {
                prop_assert!(url.query_pairs().filter(|(known, _)| known == name).count() <= 1, "{}", url);
            }
        }
    }
}
