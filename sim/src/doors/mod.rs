//! A world that happens to a running Tributary: its network is made through the API, its visitors follow links, and its
//! shops send signed postbacks. Everything happens now: of the world's two times, what is left is the order in which
//! things become known.

mod network;

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use client::{Answer, Browser, Client, Message};
use domain::{
    AdvertiserId, ClickId, Clock, ConversionId, SessionId,
    click::{Click, Device},
    conversion::{ConversionStatus, ReversalReason},
    event::{Conversion, Event, Impression, Refund, StatusChange},
    money::{Money, decimal},
};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use self::network::Network;
use crate::{
    run::Record,
    sink::{Names, Sink},
    visit::handset::Handset,
    world::World,
};

/// How fast a world happens.
#[derive(Clone, Copy, Debug)]
pub struct Haste {
    /// How many of the world's seconds pass in one of ours.
    pub speedup: f64,
    /// How many requests there are in a second at most.
    pub most_per_second: f64,
}

/// What was sent, and how it was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Clicks that got an id.
    pub clicks: u64,
    /// Advertisements that were shown.
    pub impressions: u64,
    /// Visits that were redirected and not counted, because a machine made them.
    pub uncounted: u64,
    /// Orders that were reported.
    pub orders: u64,
    /// Reports of what became of an order.
    pub moves: u64,
    /// Reports that were sent a second time and changed nothing.
    pub repeats: u64,
    /// Reports that came before their click was stored.
    pub early: u64,
    /// Moves that Tributary did not allow: the order was decided otherwise by then.
    pub refused: u64,
    /// Orders with neither a click nor a coupon, which nobody would be credited for, and what became of them.
    pub untold: u64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} clicks, {} impressions, {} visits by machines, {} orders, {} reports of what became of them; {} reports were repeated, \
             {} came before their click was stored, {} moves were refused, and {} had nobody to be credited",
            self.clicks,
            self.impressions,
            self.uncounted,
            self.orders,
            self.moves,
            self.repeats,
            self.early,
            self.refused,
            self.untold
        )
    }
}

/// Where it is written down what really happened, and what things are called on the other side of the doors.
pub struct Notes {
    /// Takes the truth.
    pub truth: Vec<Box<dyn Sink>>,
    /// Takes the names.
    pub names: Names,
}

/// Makes the world's network and lets the world happen, in the order in which it becomes known; `seen` is called after
/// each event with how far the world has come.
///
/// # Errors
/// When something is refused that should not be, or nobody answers.
pub async fn drive(
    world: &World,
    client: &Client,
    clock: &Clock,
    haste: Haste,
    mut notes: Notes,
    mut seen: impl FnMut(i64),
) -> Result<Sent> {
    let network = network::create(world, client, &mut notes.names).await?;
    let mut visitors = Visitors {
        client,
        clock,
        network,
        clicks: BTreeMap::new(),
        cookies: BTreeMap::new(),
        orders: BTreeMap::new(),
        names: notes.names,
        sent: Sent::default(),
    };
    let (begun, start_us) = (Instant::now(), world.settings().start_us);
    let pause = Duration::from_secs_f64(1.0 / haste.most_per_second.max(1e-3));
    let mut next = begun;
    for record in world.run() {
        let known = match record {
            Record::Event(known) => known,
            Record::Truth(truth) => {
                notes.truth.iter_mut().try_for_each(|sink| sink.truth(&truth))?;
                continue;
            }
        };
        let passed = Duration::from_micros((known.known_at_us - start_us).unsigned_abs());
        let due = begun + passed.div_f64(haste.speedup.max(1e-6));
        let now = Instant::now();
        let at = due.max(next);
        sleep(at.saturating_duration_since(now)).await;
        if visitors.meet(&known.event).await? {
            next = Instant::now().max(at) + pause;
        }
        visitors.forget(known.known_at_us);
        seen(known.known_at_us);
    }
    notes.truth.into_iter().try_for_each(|sink| sink.finish())?;
    visitors.names.finish()?;
    Ok(visitors.sent)
}

/// For how long a click may be named, and an order be moved, in the world's time: longer than any window.
const REMEMBERED_US: i64 = 120 * 86_400_000_000;

/// Everybody outside, and what they remember.
struct Visitors<'a> {
    client: &'a Client,
    clock: &'a Clock,
    network: Network,
    /// The ids that clicks got.
    clicks: BTreeMap<ClickId, String>,
    /// The cookies that browsers keep.
    cookies: BTreeMap<SessionId, String>,
    orders: BTreeMap<ConversionId, Reported>,
    names: Names,
    sent: Sent,
}

/// An order as it was reported.
struct Reported {
    advertiser: AdvertiserId,
    event: &'static str,
    order_id: String,
    currency: &'static str,
    click: Option<String>,
    coupon: String,
}

impl Visitors<'_> {
    /// Does what an event stands for, and says whether that was a request.
    async fn meet(&mut self, event: &Event) -> Result<bool> {
        match event {
            Event::Click(visit) => self.click(&visit.seen).await.map(|()| true),
            Event::Conversion(order) => self.order(order).await,
            Event::StatusChange(change) => self.moved(change).await,
            Event::Refund(refund) => self.refunded(refund).await,
            Event::Impression(visit) => self.impression(&visit.seen).await.map(|()| true),
            // Nobody outside tells of these.
            Event::Review(_) | Event::RateChange(_) | Event::Decision(_) => Ok(false),
        }
    }

    async fn click(&mut self, click: &Click) -> Result<()> {
        if self.clicks.contains_key(&click.id) {
            // A browser does not click twice because a log was read twice.
            return Ok(());
        }
        let link = self.network.links.get(&click.link).context("a click has its link")?;
        let mut url = reqwest::Url::parse(&link.click)?;
        for (name, value) in [
            ("sub1", &click.tags.subs[0]),
            ("uid", &click.tags.uid),
            ("utm_source", &click.tags.utm[0]),
            ("utm_term", &click.tags.utm[3]),
        ] {
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let address = address(click.network, click.address_hash);
        let cookie = self.cookies.get(&click.session).map_or("", String::as_str);
        let browser = Browser { user_agent: &click.user_agent, address: &address, cookie };
        let landing = self.client.click(Method::GET, url.as_str(), browser).await?;
        if let Some(cookie) = landing.cookie {
            self.cookies.insert(click.session, cookie);
        }
        match landing.click_id {
            Some(id) => {
                self.sent.clicks += 1;
                self.names.put("click", click.id, Some(&id))?;
                self.clicks.insert(click.id, id);
            }
            None => self.sent.uncounted += 1,
        }
        Ok(())
    }

    async fn impression(&mut self, shown: &Impression) -> Result<()> {
        let link = self.network.links.get(&shown.link).context("an impression has its link")?;
        let address = address(shown.network, shown.address_hash);
        let cookie = shown.session.and_then(|session| self.cookies.get(&session)).map_or("", String::as_str);
        let browser = Browser { user_agent: &shown.user_agent, address: &address, cookie };
        self.client.show(&link.impression, browser).await?;
        self.sent.impressions += 1;
        Ok(())
    }

    async fn order(&mut self, order: &Conversion) -> Result<bool> {
        let click = order.click.and_then(|click| self.clicks.get(&click)).cloned();
        if click.is_none() && order.coupon.is_empty() {
            self.sent.untold += 1;
            return Ok(false);
        }
        let reported = Reported {
            advertiser: order.advertiser,
            event: order.kind.name(),
            order_id: order.order_id.clone(),
            currency: order.amount.currency.code(),
            click,
            coupon: order.coupon.clone(),
        };
        let amount = amount_of(order.amount);
        let Buyer { address, mail, agent } = Buyer::of(order);
        let fields = [
            ("amount", amount.as_str()),
            ("customer_id", &order.customer),
            ("country", &order.country),
            ("ip", &address),
            ("email", &mail),
            ("device_id", &order.device_id),
            ("user_agent", agent),
        ];
        let answer = self.report(&reported, &order.id.to_string(), &fields).await?;
        ensure!(
            answer.status.is_success(),
            "order {} was answered with {}: {}",
            order.order_id,
            answer.status,
            answer.body
        );
        let told: Value = serde_json::from_str(&answer.body).context("a report is answered with JSON")?;
        if !answer.replayed {
            self.names.put("conversion", order.id, told["conversion_id"].as_str())?;
        }
        self.sent.early += u64::from(answer.status == StatusCode::ACCEPTED && !answer.replayed);
        self.sent.orders += u64::from(!answer.replayed);
        self.orders.insert(order.id, reported);
        Ok(true)
    }

    /// What a shop says of what became of an order; that it waits and that somebody looks at it is our own business.
    async fn moved(&mut self, change: &StatusChange) -> Result<bool> {
        let told = match (change.to, change.reason) {
            (ConversionStatus::Approved, _) => true,
            // A refund says that itself, with how much.
            (ConversionStatus::Rejected, reason) => {
                !matches!(reason, Some(ReversalReason::Refund | ReversalReason::Chargeback))
            }
            _ => false,
        };
        if !told {
            return Ok(false);
        }
        let Some(reported) = self.orders.remove(&change.conversion) else { return Ok(false) };
        let reason = change.reason.map_or("", ReversalReason::name);
        let fields = [("status", change.to.name()), ("reason", reason)];
        self.tell_move(reported, change.conversion, &change.id.to_string(), &fields).await
    }

    async fn refunded(&mut self, refund: &Refund) -> Result<bool> {
        let Some(reported) = self.orders.remove(&refund.conversion) else { return Ok(false) };
        let amount = amount_of(refund.amount);
        let fields = [("status", "reversed"), ("reason", refund.reason.name()), ("amount", amount.as_str())];
        self.tell_move(reported, refund.conversion, &refund.id.to_string(), &fields).await
    }

    async fn tell_move(
        &mut self,
        reported: Reported,
        of: ConversionId,
        message: &str,
        fields: &[(&str, &str)],
    ) -> Result<bool> {
        let answer = self.report(&reported, message, fields).await?;
        self.orders.insert(of, reported);
        match answer.status {
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => self.sent.refused += 1,
            status => {
                ensure!(status.is_success(), "a move was answered with {status}: {}", answer.body);
                self.sent.moves += u64::from(!answer.replayed);
            }
        }
        Ok(true)
    }

    async fn report(&mut self, reported: &Reported, message: &str, more: &[(&str, &str)]) -> Result<Answer> {
        let shop = self.network.shops.get(&reported.advertiser).context("an order is an advertiser's")?;
        let fields = [
            ("event", reported.event),
            ("order_id", &reported.order_id),
            ("currency", reported.currency),
            ("click_id", reported.click.as_deref().unwrap_or_default()),
            ("coupon", if reported.click.is_none() { &reported.coupon } else { "" }),
        ];
        let fields: Vec<_> =
            fields.into_iter().chain(more.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        let message = Message { id: message, at: self.clock.now() };
        let answer = self.client.postback(shop, &message, &fields).await?;
        self.sent.repeats += u64::from(answer.replayed);
        Ok(answer)
    }

    /// Forgets what is too old to be named again.
    fn forget(&mut self, now_us: i64) {
        let old = |id: uuid::Uuid| {
            id.get_timestamp().is_some_and(|at| {
                let (seconds, nanos) = at.to_unix();
                seconds * 1_000_000 + u64::from(nanos / 1_000)
                    < (now_us - REMEMBERED_US).max(0).unsigned_abs()
            })
        };
        while self.clicks.first_key_value().is_some_and(|(id, _)| old(id.uuid())) {
            self.clicks.pop_first();
        }
        while self.cookies.first_key_value().is_some_and(|(id, _)| old(id.uuid())) {
            self.cookies.pop_first();
        }
        while self.orders.first_key_value().is_some_and(|(id, _)| old(id.uuid())) {
            self.orders.pop_first();
        }
    }
}

/// What a shop's back end sees of who buys; what it does not tell is empty.
struct Buyer {
    address: String,
    mail: String,
    agent: &'static str,
}

impl Buyer {
    fn of(order: &Conversion) -> Self {
        let place = order.network.zip(order.address_hash);
        let mailbox = order.email_hash.map(|hash| mail(hash, &order.email_domain));
        let browser = order.id.uuid().as_u64_pair().1;
        let is_seen = order.device != Device::Unknown;
        Self {
            address: place.map_or_else(String::new, |(network, hash)| address(network, hash)),
            mail: mailbox.unwrap_or_default(),
            agent: if is_seen { Handset::of(browser, order.device).agent } else { "" },
        }
    }
}

/// An e-mail address that equal hashes share.
fn mail(hash: [u8; 16], domain: &str) -> String {
    format!("{:032x}@{domain}", u128::from_be_bytes(hash))
}

/// An amount as it is on the wire.
fn amount_of(money: Money) -> String {
    decimal(i128::from(money.minor), money.currency)
}

/// An address of a network that equal hashes share.
fn address(network: IpAddr, hash: [u8; 16]) -> String {
    match network {
        IpAddr::V4(network) => {
            let [first, second, third, _] = network.octets();
            format!("{first}.{second}.{third}.{}", 1 + hash[0] % 254)
        }
        IpAddr::V6(network) => network.to_string(),
    }
}
