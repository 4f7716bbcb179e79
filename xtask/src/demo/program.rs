//! The demo's small program: one shop, two campaigns, six affiliates in a hierarchy, seven links.

use anyhow::{Context, Result};
use client::{Client, Shop};
use domain::signature::SigningKey;
use serde_json::{Value, json};

/// What a campaign pays, as the demo's own book counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pays {
    /// A percentage to the affiliate.
    Percent(i64),
    /// A percentage to the affiliate and another to the one above it.
    TwoTier(i64, i64),
}

/// One affiliate's link.
pub struct Link {
    /// Its id.
    pub id: String,
    /// The URL that visitors click.
    pub url: String,
    /// Whose it is: a position in [`Program::affiliates`].
    pub affiliate: usize,
    /// What it pays.
    pub pays: Pays,
}

/// An affiliate of the demo.
pub struct Affiliate {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: &'static str,
    /// Who recruited it: a position before its own.
    pub parent: Option<usize>,
}

/// Everything that was created.
pub struct Program {
    /// The advertiser's back end.
    pub shop: Shop,
    /// The affiliates; parents come first.
    pub affiliates: Vec<Affiliate>,
    /// The links.
    pub links: Vec<Link>,
    /// The first campaign, which pays one rate.
    pub campaign: String,
    /// A promo code and the link it stands for.
    pub coupon: (&'static str, usize),
}

const AFFILIATES: [(&str, Option<usize>); 6] = [
    ("Alpine Blog", None),
    ("Bergwelt Magazine", Some(0)),
    ("Camp & Cook", Some(1)),
    ("Deal Radar", None),
    ("Everest Videos", Some(3)),
    ("Fernweh Newsletter", Some(3)),
];

/// Which affiliate links to which campaign.
const LINKS: [(usize, usize); 7] = [(0, 0), (1, 1), (2, 1), (3, 0), (4, 1), (5, 0), (5, 1)];

/// Creates the program through the API, as a partnership team would.
pub async fn create(client: &Client) -> Result<Program> {
    let advertiser = client.post("/advertisers", &json!({"name": "Nordlicht Outdoor"})).await?;
    let advertiser = id(&advertiser)?;
    let keys = format!("/advertisers/{advertiser}/signing-keys");
    let key = client.post(&keys, &json!({"algorithm": "hmac_sha256"})).await?;
    let secret = key["secret"].as_str().context("a new signing key shows its secret")?.to_owned();
    let campaigns = [
        (campaign(client, &advertiser, "Tents and packs", ten_percent()).await?, Pays::Percent(10)),
        (campaign(client, &advertiser, "Trail shoes", eight_and_two()).await?, Pays::TwoTier(8, 2)),
    ];
    let affiliates = affiliates(client).await?;
    let mut links = Vec::new();
    for (affiliate, campaign) in LINKS {
        let (campaign, pays) = &campaigns[campaign];
        let body = json!({"campaign_id": campaign, "custom_params": {"sub2": "demo"}});
        let link = client.post(&format!("/affiliates/{}/links", affiliates[affiliate].id), &body).await?;
        let url = link["url"].as_str().context("a link has its URL")?.to_owned();
        client.wait_for_link(&url).await?;
        links.push(Link { id: id(&link)?, url, affiliate, pays: *pays });
    }
    let coupon = json!({"code": "FERNWEH10", "link_id": links[5].id});
    client.post(&format!("/advertisers/{advertiser}/coupons"), &coupon).await?;
    let shop = Shop { advertiser, key: SigningKey::parse(&secret)? };
    let [(campaign, _), _] = campaigns;
    Ok(Program { shop, affiliates, links, campaign, coupon: ("FERNWEH10", 5) })
}

async fn campaign(client: &Client, advertiser: &str, name: &str, rules: Value) -> Result<String> {
    let body = json!({
        "advertiser_id": advertiser,
        "name": name,
        "currency": "EUR",
        "landing_url": "https://nordlicht.example/shop?utm_source=partner",
        "allowed_hosts": ["nordlicht.example", "*.nordlicht.example"],
        "events": [{"name": "sale", "kind": "sale"}],
        "window_days": 30,
        "cookie_days": 30,
        "rules": rules,
    });
    id(&client.post("/campaigns", &body).await?)
}

fn ten_percent() -> Value {
    json!([{"event": "sale", "terms": {"model": "percentage", "rate": "10%"}}])
}

fn eight_and_two() -> Value {
    json!([{"event": "sale", "terms": {"model": "two_tier", "first": {"rate": "8%"}, "second": {"rate": "2%"}}}])
}

async fn affiliates(client: &Client) -> Result<Vec<Affiliate>> {
    let mut affiliates = Vec::<Affiliate>::new();
    for (name, parent) in AFFILIATES {
        let parent_id = parent.map(|parent| affiliates[parent].id.clone());
        let email = format!("{}@partners.example", name.split(' ').next().unwrap_or(name).to_lowercase());
        let body = json!({"name": name, "email": email, "parent_id": parent_id, "traffic_source": "content"});
        let id = id(&client.post("/affiliates", &body).await?)?;
        client.post(&format!("/affiliates/{id}/approve"), &json!({})).await?;
        affiliates.push(Affiliate { id, name, parent });
    }
    Ok(affiliates)
}

/// The id of something the API answered with.
pub fn id(thing: &Value) -> Result<String> {
    Ok(thing["id"].as_str().with_context(|| format!("an answer without an id: {thing}"))?.to_owned())
}
