//! What a click's query says, whatever the network that the affiliate comes from calls it.

use std::borrow::Cow;

use domain::click::{SUB_IDS, UTM};

/// The longest value that is kept; longer ones are cut.
pub(super) const VALUE_LIMIT: usize = 256;

/// What one parameter of a click means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// Who sends the visitor: a link's code or an affiliate's id.
    Partner,
    /// Which campaign, where only the affiliate is named.
    Campaign,
    /// Where to go instead of the campaign's landing page.
    Target,
    /// `sub1` to `sub10`, counted from nought.
    Sub(u8),
    /// Where the affiliate says the click comes from.
    Source,
    /// The affiliate's own id of the visitor.
    VisitorId,
    /// The affiliate's own id of the click.
    ExternalClickId,
    /// One of the five UTM parameters, by its place in [`UTM`].
    Utm(u8),
}

/// Names with one meaning; of several for the same meaning, the first one here is ours and wins.
const NAMES: &[(&str, Parameter)] = &[
    ("ref", Parameter::Partner),
    ("aff_id", Parameter::Partner),
    ("partner", Parameter::Partner),
    ("a", Parameter::Partner),
    ("campaign", Parameter::Campaign),
    ("campaign_id", Parameter::Campaign),
    ("to", Parameter::Target),
    ("source", Parameter::Source),
    ("uid", Parameter::VisitorId),
    ("clickid", Parameter::ExternalClickId),
    ("click_id", Parameter::ExternalClickId),
    ("utm_source", Parameter::Utm(0)),
    ("utm_medium", Parameter::Utm(1)),
    ("utm_campaign", Parameter::Utm(2)),
    ("utm_term", Parameter::Utm(3)),
    ("utm_content", Parameter::Utm(4)),
    // What networks call the first of their sub-ids, where they have only one or do not number it.
    ("sid", Parameter::Sub(0)),
];

/// Sub-ids by number; without a number the first one is meant. The first family is ours and wins.
const SUB_FAMILIES: &[&str] = &["sub", "s", "aff_sub", "subid", "sub_id", "clickref", "epi", "u"];

impl Parameter {
    /// The meaning of a parameter's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ranked(name).map(|(parameter, _)| parameter)
    }

    /// The name under which the parameter is passed on to a landing page, if it is.
    pub fn landing_name(self) -> Option<&'static str> {
        const SUBS: [&str; SUB_IDS] =
            ["sub1", "sub2", "sub3", "sub4", "sub5", "sub6", "sub7", "sub8", "sub9", "sub10"];
        match self {
            Self::Sub(position) => SUBS.get(usize::from(position)).copied(),
            Self::Utm(position) => UTM.get(usize::from(position)).copied(),
            Self::Source => Some("source"),
            Self::Partner | Self::Campaign | Self::Target | Self::VisitorId | Self::ExternalClickId => None,
        }
    }

    /// How many meanings there are.
    const PLACES: usize = 6 + SUB_IDS + UTM.len();

    /// Each meaning has a place of its own below [`Self::PLACES`].
    fn place(self) -> usize {
        match self {
            Self::Partner => 0,
            Self::Campaign => 1,
            Self::Target => 2,
            Self::Source => 3,
            Self::VisitorId => 4,
            Self::ExternalClickId => 5,
            Self::Sub(position) => 6 + usize::from(position),
            Self::Utm(position) => 6 + SUB_IDS + usize::from(position),
        }
    }

    /// The meaning, and how our own the name is: nought is the name that wins.
    fn ranked(name: &str) -> Option<(Self, usize)> {
        if let Some(rank) = NAMES.iter().position(|(known, _)| *known == name) {
            return Some((NAMES[rank].1, rank));
        }
        let family = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let rank = SUB_FAMILIES.iter().position(|known| *known == family)?;
        let number = match &name[family.len()..] {
            // A bare `s` or `u` is too short to be meant for us.
            "" if family.len() == 1 => return None,
            "" => 1,
            digits if !digits.starts_with('0') => digits.parse::<usize>().ok()?,
            _ => return None,
        };
        (number <= SUB_IDS).then(|| (Self::Sub(number as u8 - 1), rank))
    }
}

/// A click's query, understood; what needed no decoding still stands in the query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// A link's code or an affiliate's id.
    pub partner: Option<Cow<'a, str>>,
    /// A campaign's id.
    pub campaign: Option<Cow<'a, str>>,
    /// Where to go instead of the landing page; not yet checked.
    pub target: Option<Cow<'a, str>>,
    /// What the affiliate hung on the link.
    pub tags: Tags<'a>,
}

/// What a query says of what [`domain::click::Tags`] keeps; what it does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    /// `sub1` to `sub10`, by position.
    pub subs: [Cow<'a, str>; SUB_IDS],
    /// Where the affiliate says the click comes from.
    pub source: Cow<'a, str>,
    /// The affiliate's own id of the visitor.
    pub uid: Cow<'a, str>,
    /// The affiliate's own id of the click.
    pub external_click_id: Cow<'a, str>,
    /// The five UTM parameters.
    pub utm: [Cow<'a, str>; UTM.len()],
}

impl<'a> Parameters<'a> {
    /// Reads a query; what it does not know it ignores, and of a name that comes twice the first counts.
    pub fn parse(query: &'a str) -> Self {
        let mut parsed = Self::default();
        let mut best = [usize::MAX; Parameter::PLACES];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some((parameter, rank)) = Parameter::ranked(&name).filter(|_| !value.is_empty()) else {
                continue;
            };
            let best = &mut best[parameter.place()];
            if rank < *best {
                *best = rank;
                parsed.set(parameter, value);
            }
        }
        parsed
    }

    fn set(&mut self, parameter: Parameter, value: Cow<'a, str>) {
        let value = match (parameter, value) {
            // As it is: a target that is too long or has control characters is refused, not mended.
            (Parameter::Target, value) => value,
            (_, Cow::Borrowed(value)) => clean(value, VALUE_LIMIT),
            (_, Cow::Owned(value)) => Cow::Owned(clean(&value, VALUE_LIMIT).into_owned()),
        };
        match parameter {
            Parameter::Target => self.target = Some(value),
            Parameter::Partner => self.partner = Some(value),
            Parameter::Campaign => self.campaign = Some(value),
            Parameter::Sub(position) => self.tags.subs[usize::from(position)] = value,
            Parameter::Utm(position) => self.tags.utm[usize::from(position)] = value,
            Parameter::Source => self.tags.source = value,
            Parameter::VisitorId => self.tags.uid = value,
            Parameter::ExternalClickId => self.tags.external_click_id = value,
        }
    }
}

/// A value as it may be stored: without control characters, which databases and headers refuse, and not too long.
pub(crate) fn clean(value: &str, limit: usize) -> Cow<'_, str> {
    let value = &value[..value.floor_char_boundary(limit)];
    // Nearly every value is plain, and bytes are looked at many times faster than letters.
    if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(value);
    }
    if value.contains(char::is_control) {
        return Cow::Owned(value.chars().filter(|letter| !letter.is_control()).collect());
    }
    Cow::Borrowed(value)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(name: &str, parameter: impl Into<Option<Parameter>>) {
        assert_eq!(Parameter::from_name(name), parameter.into(), "{name}");
    }

    #[test]
    fn every_meaning_has_a_place_of_its_own() {
        let named = NAMES.iter().map(|(_, parameter)| *parameter);
        let subs = (0..SUB_IDS).map(|position| Parameter::Sub(position as u8));
        let meanings: HashSet<Parameter> = named.chain(subs).collect();
        let places: HashSet<usize> = meanings.iter().map(|parameter| parameter.place()).collect();
        assert_eq!((meanings.len(), places.len()), (Parameter::PLACES, Parameter::PLACES));
        assert!(places.iter().all(|place| *place < Parameter::PLACES));
    }

    #[test]
    fn every_network_is_understood() {
        for name in ["sub1", "subid", "subid1", "sub_id", "s1", "aff_sub", "sid", "epi", "u1", "clickref"] {
            check(name, Parameter::Sub(0));
        }
        for name in ["sub10", "s10", "aff_sub10", "subid10", "clickref10"] {
            check(name, Parameter::Sub(9));
        }
        check("aff_sub2", Parameter::Sub(1));
        for name in ["ref", "aff_id", "partner", "a"] {
            check(name, Parameter::Partner);
        }
    }

    #[test]
    fn what_only_looks_alike_is_not_meant() {
        for name in ["", "s", "u", "sub0", "sub01", "sub11", "sub999999999999999999999", "SUB1", "subs1", "1"]
        {
            check(name, None);
        }
    }

    #[test]
    fn names_are_unique() {
        for (position, (name, _)) in NAMES.iter().enumerate() {
            assert!(NAMES[..position].iter().all(|(other, _)| other != name), "{name} is listed twice");
        }
    }

    #[test]
    fn our_own_name_wins_over_aliases_and_the_first_over_the_second() {
        let parsed = Parameters::parse("aff_sub=a&s1=b&sub1=c&sub1=d&epi=e");
        assert_eq!(parsed.tags.subs[0], "c");
        let parsed = Parameters::parse("a=two&ref=one&clickid=x&utm_term=%C3%A9+e");
        assert_eq!(parsed.partner.as_deref(), Some("one"));
        assert_eq!(parsed.tags.external_click_id, "x");
        assert_eq!(parsed.tags.utm[3], "é e");
    }

    #[test]
    fn an_empty_value_hides_nothing() {
        assert_eq!(Parameters::parse("sub1=&s1=b").tags.subs[0], "b");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_short_and_printable(value in "[\u{0}-\u{ffff}]{0,400}", name in "(sub3|source|uid|clickid|utm_term)") {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
            let tags = Parameters::parse(&query).tags;
            let kept = [&tags.subs[2], &tags.source, &tags.uid, &tags.external_click_id, &tags.utm[3]];
            for text in kept {
                prop_assert!(text.len() <= VALUE_LIMIT && !text.contains(char::is_control));
            }
        }

        #[test]
        fn no_query_makes_it_panic(query: String) {
            let _ = Parameters::parse(&query);
        }
    }
}
