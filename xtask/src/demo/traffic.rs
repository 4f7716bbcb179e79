//! The demo's visitors and its shop: clicks, purchases, and everything that goes wrong in between.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use client::{Browser, Client, Message, Shop};
use domain::{Chance, Clock, signature::SigningKey};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::{
    book::{Book, euros, percent_of},
    program::{Pays, Program},
};

const CLICKS: u64 = 300;
/// After so many other visitors somebody buys who thinks about it.
const CONSIDERING: u64 = 30;

/// What visitors click with.
pub const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
];

const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// What was sent, by the demo's own count.
#[derive(Debug, Default)]
pub struct Sent {
    /// Clicks that were redirected with a click id.
    pub clicks: u64,
    /// Visits by crawlers and HEAD requests, redirected but not counted.
    pub uncounted: u64,
    /// Conversions that should exist.
    pub conversions: u64,
    /// Postbacks sent again, which must change nothing.
    pub repeats: u64,
    /// Postbacks with a wrong signature, all refused.
    pub forged: u64,
    /// Reports that came before their click was stored, kept and taken in later.
    pub early: u64,
    /// What each affiliate should have earned.
    pub book: Book,
}

/// One order in the shop.
struct Order {
    number: u64,
    click: Option<String>,
    link: usize,
    cents: i64,
    approved: bool,
}

/// The demo's actors and what they share.
pub struct Scene<'a> {
    /// How they reach Tributary.
    pub client: &'a Client,
    /// What was created for them.
    pub program: &'a Program,
    /// What time it is.
    pub clock: &'a Clock,
    /// What they leave to chance.
    pub chance: &'a Chance,
}

impl Scene<'_> {
    /// Visitors click, some buy, the shop reports, and somebody tries to forge.
    pub async fn play(&self) -> Result<Sent> {
        let mut sent = Sent::default();
        let mut considering = Vec::new();
        for number in 0..CLICKS {
            let link = usize::try_from(self.chance.below(self.program.links.len() as u64))?;
            let click = self.visit(number, link, &mut sent).await?;
            if self.chance.below(8) == 0 {
                let cents = 990 + i64::try_from(self.chance.below(20_000))?;
                let approved = self.chance.below(2) == 0;
                let order = Order { number, click: Some(click), link, cents, approved };
                // Who buys at once is reported before the click has been shipped to the database.
                if number.is_multiple_of(2) {
                    self.buy(&order, &mut sent).await?;
                } else {
                    considering.push(order);
                }
            }
        }
        let (_, link) = self.program.coupon;
        considering.push(Order { number: CLICKS, click: None, link, cents: 4_950, approved: true });
        for order in &considering {
            self.buy(order, &mut sent).await?;
        }
        self.forge(&considering[0], &mut sent).await?;
        Ok(sent)
    }

    /// A visitor every second or so, for as long as somebody watches; every sixth buys, as long after the click as people take.
    pub async fn go_on(&self) -> Result<()> {
        let mut sent = Sent::default();
        let mut considering = VecDeque::new();
        for number in CLICKS + 1.. {
            sleep(Duration::from_millis(500 + self.chance.below(1_000))).await;
            let link = usize::try_from(self.chance.below(self.program.links.len() as u64))?;
            let click = self.visit(number, link, &mut sent).await?;
            if self.chance.below(6) == 0 {
                let cents = 990 + i64::try_from(self.chance.below(20_000))?;
                let order = Order { number, click: Some(click), link, cents, approved: false };
                considering.push_back((number + CONSIDERING, order));
            }
            while considering.front().is_some_and(|(until, _)| *until <= number) {
                let Some((_, order)) = considering.pop_front() else { break };
                self.buy(&order, &mut sent).await?;
            }
        }
        Ok(())
    }

    async fn visit(&self, number: u64, link: usize, sent: &mut Sent) -> Result<String> {
        let url = &self.program.links[link].url;
        let address = format!("203.0.113.{}", 1 + self.chance.below(250));
        let user_agent = BROWSERS[usize::try_from(self.chance.below(BROWSERS.len() as u64))?];
        let tagged = format!("{url}?sub1=v{number}");
        let browser = Browser { user_agent, address: &address, cookie: "" };
        let landing = self.client.click(Method::GET, &tagged, browser).await?;
        let click =
            landing.click_id.with_context(|| format!("a click led to {} without an id", landing.url))?;
        sent.clicks += 1;
        if number.is_multiple_of(30) {
            let crawler = Browser { user_agent: CRAWLER, address: &address, cookie: "" };
            let head = Browser { user_agent, address: &address, cookie: "" };
            let crawled = self.client.click(Method::GET, url, crawler).await?;
            let checked = self.client.click(Method::HEAD, url, head).await?;
            ensure!(
                crawled.click_id.is_none() && checked.click_id.is_none(),
                "a crawler's visit was counted"
            );
            sent.uncounted += 2;
        }
        Ok(click)
    }

    /// The shop reports the order; every fifth report is sent twice as it is, every seventh in new words.
    async fn buy(&self, order: &Order, sent: &mut Sent) -> Result<()> {
        let now = self.clock.now();
        self.report(order, &format!("order-{}", order.number), now, sent).await?;
        sent.conversions += 1;
        self.count(order, &mut sent.book);
        if order.number.is_multiple_of(5) {
            self.report(order, &format!("order-{}", order.number), now, sent).await?;
            sent.repeats += 1;
        }
        if order.number.is_multiple_of(7) {
            self.report(order, &format!("again-{}", order.number), now, sent).await?;
            sent.repeats += 1;
        }
        Ok(())
    }

    async fn report(&self, order: &Order, message: &str, at: DateTime<Utc>, sent: &mut Sent) -> Result<()> {
        let (amount, order_id) = (euros(order.cents), format!("N-{}", order.number));
        let status = if order.approved { "approved" } else { "pending" };
        let message = Message { id: message, at };
        let common = [
            ("event", "sale"),
            ("amount", &amount),
            ("currency", "EUR"),
            ("order_id", &order_id),
            ("status", status),
        ];
        let answer = match &order.click {
            Some(click) => {
                let fields: Vec<_> = common.into_iter().chain([("click_id", click.as_str())]).collect();
                self.client.postback(&self.program.shop, &message, &fields).await?
            }
            None => {
                let mut body = json!({"coupon": self.program.coupon.0});
                for (name, value) in common {
                    body[name] = value.into();
                }
                self.client.postback_json(&self.program.shop, &message, &body).await?
            }
        };
        ensure!(
            answer.status.is_success(),
            "order {order_id} was answered with {}: {}",
            answer.status,
            answer.body
        );
        // A report that overtakes its click is kept and taken in when the click has been stored.
        sent.early += u64::from(answer.status == StatusCode::ACCEPTED && !answer.replayed);
        Ok(())
    }

    /// What the order should earn, by plain arithmetic.
    fn count(&self, order: &Order, book: &mut Book) {
        let link = &self.program.links[order.link];
        let affiliate = &self.program.affiliates[link.affiliate];
        match link.pays {
            Pays::Percent(rate) => book.earn(&affiliate.id, percent_of(order.cents, rate)),
            Pays::TwoTier(first, second) => {
                book.earn(&affiliate.id, percent_of(order.cents, first));
                if let Some(parent) = affiliate.parent {
                    book.earn(&self.program.affiliates[parent].id, percent_of(order.cents, second));
                }
            }
        }
    }

    /// Somebody without the shop's key reports orders of his own.
    async fn forge(&self, order: &Order, sent: &mut Sent) -> Result<()> {
        let key = SigningKey::hmac_from(self.chance.bytes());
        let forger = Shop { advertiser: self.program.shop.advertiser.clone(), key };
        for number in 0..5 {
            let (id, click) = (format!("forged-{number}"), order.click.as_deref().unwrap_or_default());
            let message = Message { id: &id, at: self.clock.now() };
            let fields = [
                ("click_id", click),
                ("event", "sale"),
                ("amount", "9999.00"),
                ("currency", "EUR"),
                ("order_id", &id),
            ];
            let answer = self.client.postback(&forger, &message, &fields).await?;
            ensure!(
                answer.status == StatusCode::FORBIDDEN,
                "a forged postback was answered with {}",
                answer.status
            );
            sent.forged += 1;
        }
        Ok(())
    }
}
