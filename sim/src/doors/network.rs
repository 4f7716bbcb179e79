//! A world's network, made in a Tributary through its API as a partnership team would.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use client::{Client, Shop};
use domain::{AdvertiserId, AffiliateId, CampaignId, LinkId, campaign::EventKind, signature::SigningKey};
use serde_json::{Value, json};

use super::mail;
use crate::{
    sink::Names,
    world::{World, campaign::Campaign},
};

/// What the world's things are called there.
pub(super) struct Network {
    pub(super) shops: BTreeMap<AdvertiserId, Shop>,
    pub(super) links: BTreeMap<LinkId, Link>,
}

/// A link's URLs.
pub(super) struct Link {
    /// What a visitor follows.
    pub(super) click: String,
    /// The invisible picture beside the advertisement.
    pub(super) impression: String,
}

pub(super) async fn create(world: &World, client: &Client, names: &mut Names) -> Result<Network> {
    let mut shops = BTreeMap::new();
    for advertiser in &world.advertisers {
        let id = id(&client.post("/advertisers", &json!({"name": advertiser.name})).await?)?;
        let keys = format!("/advertisers/{id}/signing-keys");
        let key = client.post(&keys, &json!({"algorithm": "hmac_sha256"})).await?;
        names.put("advertiser", advertiser.id, Some(&id))?;
        let secret = key["secret"].as_str().context("a new signing key shows its secret")?;
        shops.insert(advertiser.id, Shop { advertiser: id, key: SigningKey::parse(secret)? });
    }
    let mut campaigns: BTreeMap<CampaignId, (AdvertiserId, String)> = BTreeMap::new();
    for campaign in &world.campaigns {
        let shop = shops.get(&campaign.advertiser_id).context("a campaign is an advertiser's")?;
        let made = client.post("/campaigns", &body_of(campaign, &shop.advertiser)).await?;
        let id = id(&made)?;
        names.put("campaign", campaign.id, Some(&id))?;
        campaigns.insert(campaign.id, (campaign.advertiser_id, id));
    }
    let affiliates = affiliates(world, client, names).await?;
    let mut links = BTreeMap::new();
    for link in &world.links {
        let (advertiser, campaign) = campaigns.get(&link.campaign_id).context("a link has its campaign")?;
        let affiliate = affiliates.get(&link.affiliate_id).context("a link has its affiliate")?;
        let made =
            client.post(&format!("/affiliates/{affiliate}/links"), &json!({"campaign_id": campaign})).await?;
        names.put("link", link.id, Some(&id(&made)?))?;
        let url = |field: &str| {
            Ok::<_, anyhow::Error>(made[field].as_str().context("a link has its URLs")?.to_owned())
        };
        links.insert(link.id, Link { click: url("url")?, impression: url("impression_url")? });
        if !link.coupon.is_empty() {
            let shop = shops.get(advertiser).context("a campaign is an advertiser's")?;
            let coupon = json!({"code": link.coupon, "link_id": id(&made)?});
            client.post(&format!("/advertisers/{}/coupons", shop.advertiser), &coupon).await?;
        }
    }
    // Trackers hear of links in the order in which they were made.
    if let Some(last) = world.links.last().and_then(|link| links.get(&link.id)) {
        client.wait_for_link(&last.click).await?;
    }
    Ok(Network { shops, links })
}

async fn affiliates(
    world: &World,
    client: &Client,
    names: &mut Names,
) -> Result<BTreeMap<AffiliateId, String>> {
    let mut affiliates: BTreeMap<AffiliateId, String> = BTreeMap::new();
    let mut mailboxes = BTreeSet::new();
    for affiliate in &world.affiliates {
        let parent = affiliate.parent.and_then(|parent| affiliates.get(&parent));
        // The one under which they order themselves, if they do; nobody has that of another affiliate.
        let own = mail(affiliate.email_hash, affiliate.email_domain);
        let other = || format!("{}@partners.example", affiliate.name.to_lowercase().replace(' ', "-"));
        let email = if mailboxes.insert(own.clone()) { own } else { other() };
        let body = json!({"name": affiliate.name, "email": email, "parent_id": parent});
        let id = id(&client.post("/affiliates", &body).await?)?;
        client.post(&format!("/affiliates/{id}/approve"), &json!({})).await?;
        names.put("affiliate", affiliate.id, Some(&id))?;
        affiliates.insert(affiliate.id, id);
    }
    Ok(affiliates)
}

fn body_of(campaign: &Campaign, advertiser: &str) -> Value {
    let kind = campaign.vertical.kind.name();
    let again = EventKind::Recurring.name();
    let ppm = campaign.rate.ppm;
    let rate = format!("{}.{:04}%", ppm / 10_000, ppm % 10_000);
    let pays = |event: &str| json!({"event": event, "terms": {"model": "percentage", "rate": rate}});
    json!({
        "advertiser_id": advertiser,
        "name": campaign.name,
        "currency": campaign.currency().code(),
        "landing_url": "https://shop.example/",
        "allowed_hosts": ["shop.example"],
        "events": [{"name": kind, "kind": kind}, {"name": again, "kind": again}],
        "window_days": campaign.window_days,
        "rules": [pays(kind), pays(again)],
    })
}

fn id(thing: &Value) -> Result<String> {
    Ok(thing["id"].as_str().with_context(|| format!("an answer without an id: {thing}"))?.to_owned())
}
