//! What is written to the log: events, behind a byte that says in which version.

use std::net::IpAddr;

use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, LinkId, SessionId,
    click::{Asked, Click, Device, SUB_IDS, UTM},
    event::Impression,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The first version, in which clicks are written.
const CLICKS: u8 = 1;
/// The version that brought impressions: a release that does not know them refuses them by it.
const IMPRESSIONS: u8 = 2;
/// The version that brought how a browser asked, beside the click; clicks that tell nothing of it are written as before.
const ASKED: u8 = 3;
/// The newest version that this release reads.
const NEWEST: u8 = ASKED;

/// Something that happened and must not be forgotten.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events are clicks, and a box each would cost more than room"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A visitor followed a link.
    Click(Click),
    /// A visitor was shown an advertisement.
    Impression(Impression),
}

/// An event as it is written. A variant's place in the list is part of the format: new ones come last, none is taken away.
#[derive(Serialize, Deserialize)]
enum Written<C, I> {
    Click(C),
    Impression(I),
    Asked(C, Asked),
}

/// A click whose texts are still where the request left them: the hot path writes it without copying them first.
/// Field by field what [`Click`] is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BorrowedClick<'a> {
    /// See [`Click::id`].
    pub id: ClickId,
    /// See [`Click::occurred_at_us`].
    pub occurred_at_us: i64,
    /// See [`Click::link`].
    pub link: LinkId,
    /// See [`Click::affiliate`].
    pub affiliate: AffiliateId,
    /// See [`Click::campaign`].
    pub campaign: CampaignId,
    /// See [`Click::advertiser`].
    pub advertiser: AdvertiserId,
    /// See [`Click::session`].
    pub session: SessionId,
    /// See [`Click::tags`].
    pub tags: BorrowedTags<'a>,
    /// See [`Click::address_hash`].
    pub address_hash: [u8; 16],
    /// See [`Click::network`].
    pub network: IpAddr,
    /// See [`Click::country`].
    pub country: &'a str,
    /// See [`Click::device`].
    pub device: Device,
    /// See [`Click::user_agent`].
    pub user_agent: &'a str,
    /// See [`Click::referrer`].
    pub referrer: &'a str,
    /// See [`Click::asked`].
    #[serde(skip)]
    pub asked: Asked,
}

/// What [`domain::click::Tags`] is, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BorrowedTags<'a> {
    /// `sub1` to `sub10`, by position; absent ones are empty.
    pub subs: [&'a str; SUB_IDS],
    /// Where the affiliate says the click comes from.
    pub source: &'a str,
    /// The affiliate's own id of the visitor.
    pub uid: &'a str,
    /// The affiliate's own id of the click.
    pub external_click_id: &'a str,
    /// The five UTM parameters.
    pub utm: [&'a str; UTM.len()],
}

impl BorrowedClick<'_> {
    /// Puts the bytes of the event behind `bytes`; the same as [`Event::encode`] makes of the same click.
    ///
    /// # Panics
    /// Never: every event has a form in bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        write_click(self, self.asked, bytes);
    }
}

/// A click, owned or borrowed, as the oldest release that can tell all of it would write it.
fn write_click<C: Serialize>(click: C, asked: Asked, bytes: &mut Vec<u8>) {
    let (version, written) = if asked == Asked::default() {
        (CLICKS, Written::Click(click))
    } else {
        (ASKED, Written::Asked(click, asked))
    };
    write::<C, ()>(version, &written, bytes);
}

fn write<C: Serialize, I: Serialize>(version: u8, written: &Written<C, I>, bytes: &mut Vec<u8>) {
    bytes.push(version);
    postcard::to_io(written, bytes).expect(ENCODES);
}

/// Why an event can be encoded without fail.
const ENCODES: &str = "an event is made of texts and numbers, which always encode";

/// Why a record of the log is not an event that can be read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The record has no bytes.
    #[error("the record is empty")]
    Empty,
    /// A newer release wrote it.
    #[error("the event has version {0}, and this release reads versions up to {NEWEST}")]
    Newer(u8),
    /// The bytes are no event of that version.
    #[error("the event cannot be decoded: {0}")]
    Malformed(#[from] postcard::Error),
}

impl Event {
    /// The event as bytes.
    ///
    /// # Panics
    /// Never: every event has a form in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        self.encode_into(&mut bytes);
        bytes
    }

    /// Puts the event's bytes behind `bytes`.
    ///
    /// # Panics
    /// Never: every event has a form in bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Click(click) => write_click(click, click.asked, bytes),
            Self::Impression(impression) => {
                write::<(), _>(IMPRESSIONS, &Written::Impression(impression), bytes);
            }
        }
    }

    /// What tells it from all others.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Click(click) => click.id.uuid(),
            Self::Impression(impression) => impression.id.uuid(),
        }
    }

    /// The event that the bytes hold.
    ///
    /// # Errors
    /// When a newer release wrote them, or they are no event.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        match bytes.split_first() {
            None => Err(EventError::Empty),
            Some((&(CLICKS..=NEWEST), body)) => Ok(match postcard::from_bytes(body)? {
                Written::Click(click) => Self::Click(click),
                Written::Impression(impression) => Self::Impression(impression),
                Written::Asked(click, asked) => Self::Click(Click { asked, ..click }),
            }),
            Some((version, _)) => Err(EventError::Newer(*version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        click::{Device, Tags},
        fraud::evidence::FetchDestination,
    };
    use proptest::prelude::*;

    use super::*;

    /// Written by the first release; never changes.
    const FIXTURE: &[u8] = include_bytes!("fixtures/event_v1.postcard");

    fn click() -> Click {
        let tags = Tags {
            subs: std::array::from_fn(|position| format!("sub {}", position + 1)),
            source: "newsletter".into(),
            uid: "reader-7".into(),
            external_click_id: "ext-9".into(),
            utm: ["a", "b", "c", "d", "é"].map(str::to_owned),
        };
        Click {
            id: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad91").into(),
            occurred_at_us: 1_769_947_200_123_456,
            link: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad92").into(),
            affiliate: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad93").into(),
            campaign: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad94").into(),
            advertiser: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad95").into(),
            session: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad96").into(),
            tags,
            address_hash: [7; 16],
            network: [203, 0, 113, 0].into(),
            country: "DE".into(),
            device: Device::Tablet,
            user_agent: "Mozilla/5.0".into(),
            referrer: "https://blog.example/post".into(),
            asked: Asked::default(),
        }
    }

    #[test]
    fn version_1_stays_readable_and_is_what_is_written() {
        let event = Event::Click(click());
        assert_eq!(event.encode(), FIXTURE);
        assert_eq!(Event::decode(FIXTURE).unwrap(), event);
    }

    #[test]
    fn an_impression_comes_back_and_an_older_release_is_told_that_it_is_newer() {
        let Click { occurred_at_us, link, affiliate, campaign, advertiser, address_hash, network, .. } =
            click();
        let event = Event::Impression(Impression {
            id: uuid::uuid!("0190163d-8694-739b-aea5-966c26f8ad97").into(),
            occurred_at_us,
            link,
            affiliate,
            campaign,
            advertiser,
            session: None,
            address_hash,
            network,
            country: "DE".into(),
            device: Device::Mobile,
            user_agent: "Mozilla/5.0".into(),
            referrer: String::new(),
        });
        let bytes = event.encode();
        assert_eq!(bytes[0], 2);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }

    #[test]
    fn a_borrowed_click_is_written_like_its_own() {
        let click = click();
        let tags = &click.tags;
        let borrowed = BorrowedClick {
            id: click.id,
            occurred_at_us: click.occurred_at_us,
            link: click.link,
            affiliate: click.affiliate,
            campaign: click.campaign,
            advertiser: click.advertiser,
            session: click.session,
            tags: BorrowedTags {
                subs: std::array::from_fn(|position| &*tags.subs[position]),
                source: &tags.source,
                uid: &tags.uid,
                external_click_id: &tags.external_click_id,
                utm: std::array::from_fn(|position| &*tags.utm[position]),
            },
            address_hash: click.address_hash,
            network: click.network,
            country: &click.country,
            device: click.device,
            user_agent: &click.user_agent,
            referrer: &click.referrer,
            asked: click.asked,
        };
        let mut bytes = b"before".to_vec();
        borrowed.encode_into(&mut bytes);
        assert_eq!(bytes, [b"before", FIXTURE].concat());
        let asked = Asked { by_user: Some(false), ..click.asked };
        let mut bytes = Vec::new();
        BorrowedClick { asked, ..borrowed }.encode_into(&mut bytes);
        assert_eq!(bytes, Event::Click(Click { asked, ..click }).encode());
    }

    #[test]
    fn version_3_stays_readable_and_tells_how_a_browser_asked() {
        let asked = Asked {
            destination: Some(FetchDestination::Image),
            by_user: Some(false),
            hints_match: Some(true),
        };
        let event = Event::Click(Click { asked, ..click() });
        // Version, variant, the click of the first version, and behind it what is there of the three, each with its value.
        let bytes = [&[3, 2], &FIXTURE[2..], &[1, 2, 1, 0, 1, 1]].concat();
        assert_eq!(event.encode(), bytes);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }

    #[test]
    fn a_newer_event_is_refused_and_named() {
        let error = Event::decode(&[9, 0]).unwrap_err();
        insta::assert_snapshot!(error, @"the event has version 9, and this release reads versions up to 3");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Event::decode(&bytes);
        }
    }
}
