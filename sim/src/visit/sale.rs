//! The events of a visit, put together from who makes it, where, and through which link.

use domain::{
    SessionId,
    click::{Asked, Click, Tags},
    event::{Event, Impression, Visit},
};
use uuid::Uuid;

use super::{
    person::{Person, Whereabouts},
    script::Referral,
};
use crate::{
    dice::mixed,
    rhythm::COUNTRIES,
    world::{World, affiliate::Source},
};

/// A click through this link.
pub(crate) fn click(
    world: &World,
    (id, at_us): (Uuid, i64),
    link: u32,
    person: &Person,
    (here, session, referral): (&Whereabouts, SessionId, Referral),
) -> Event {
    let (place, affiliate) = (world.link(link), world.affiliate_of(link));
    let campaign = world.campaign_of(link);
    let mut tags = Tags::default();
    tags.subs[0].clone_from(&place.sub1);
    if affiliate.source == Source::Email && referral == Referral::Page {
        // A newsletter's links name the subscriber, who is the same on every machine.
        tags.uid = format!("{:016x}", mixed(person.bits() ^ mixed(u64::from(place.affiliate))));
    }
    if referral == Referral::BrandSearch {
        tags.utm[0].push_str("search");
        tags.utm[3].push_str("brand");
    }
    let refers = affiliate.source.traffic().refers;
    Event::Click(Visit {
        seen: Click {
            id: id.into(),
            occurred_at_us: at_us,
            link: place.id,
            affiliate: place.affiliate_id,
            campaign: place.campaign_id,
            advertiser: campaign.advertiser_id,
            session,
            tags,
            address_hash: here.address.hash,
            network: here.address.network,
            country: COUNTRIES[here.country].code.to_owned(),
            device: here.handset.kind,
            user_agent: here.handset.agent.to_owned(),
            referrer: match referral {
                Referral::Page if refers => place.page.clone(),
                Referral::Page | Referral::Hidden => String::new(),
                Referral::Elsewhere(page) => page.to_owned(),
                Referral::BrandSearch => "https://search.example/".to_owned(),
            },
            asked: Asked::default(),
        },
        device_id: device_id(campaign.takes_fingerprints, here),
    })
}

/// An impression of this link's advertisement.
pub(crate) fn impression(
    world: &World,
    (id, at_us): (Uuid, i64),
    link: u32,
    (here, session): (&Whereabouts, Option<SessionId>),
) -> Event {
    let (place, campaign) = (world.link(link), world.campaign_of(link));
    Event::Impression(Visit {
        seen: Impression {
            id: id.into(),
            occurred_at_us: at_us,
            link: place.id,
            affiliate: place.affiliate_id,
            campaign: place.campaign_id,
            advertiser: campaign.advertiser_id,
            session,
            address_hash: here.address.hash,
            network: here.address.network,
            country: COUNTRIES[here.country].code.to_owned(),
            device: here.handset.kind,
            user_agent: here.handset.agent.to_owned(),
            referrer: place.page.clone(),
        },
        device_id: device_id(campaign.takes_fingerprints, here),
    })
}

fn device_id(taken: bool, here: &Whereabouts) -> String {
    if taken { here.handset.fingerprint() } else { String::new() }
}
