//! What the database stored is in the lake: all of it, once, with both times, whenever the export was cut off.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ClickId, EventId, LinkId,
    click::{Asked, Click, Device, Tags},
    event::{Event, Impression, Kind, Known, Visit},
    signature::{SigningKey, standard},
};
use features::lake::Lake;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;
use tower::ServiceExt;
use tracking::{
    postback_routes,
    redirect::visitor::{Said, Visitors},
    store::{clicks, impressions},
};

use super::{Export, Forget, export};
use crate::{
    api::testing::{Api, secret},
    jobs::{Choices, Workbench, once},
    store::lake::{MEMORY, moment},
};

struct World {
    api: Api,
    folder: TempDir,
    link: LinkId,
    affiliate: String,
    campaign: String,
    advertiser: String,
}

impl World {
    async fn new() -> Self {
        let api = Api::start().await;
        let (affiliate, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let link = json!({"campaign_id": campaign});
        let link = api.made(&format!("/api/v1/affiliates/{affiliate}/links"), link).await;
        let link = link["id"].as_str().unwrap().parse().unwrap();
        let text = |value: &dyn std::fmt::Display| value.to_string();
        let (affiliate, campaign) = (text(&affiliate), text(&campaign));
        let advertiser =
            api.get(&format!("/api/v1/campaigns/{campaign}")).await.body["advertiser_id"].clone();
        let advertiser = advertiser.as_str().unwrap().to_owned();
        Self { api, folder: tempfile::tempdir().unwrap(), link, affiliate, campaign, advertiser }
    }

    fn lake(&self) -> Lake {
        Lake::at(self.folder.path().join("lake"))
    }

    fn click(&self) -> Click {
        let app = &self.api.app;
        let id = ClickId::new(&app.clock, &app.chance);
        Click {
            id,
            occurred_at_us: app.clock.now().timestamp_micros(),
            link: self.link,
            affiliate: self.affiliate.parse().unwrap(),
            campaign: self.campaign.parse().unwrap(),
            advertiser: self.advertiser.parse().unwrap(),
            session: id.uuid().into(),
            tags: Tags {
                subs: std::array::from_fn(|place| if place == 1 { "two".to_owned() } else { String::new() }),
                source: "mail".to_owned(),
                utm: std::array::from_fn(|place| if place == 0 { "news".to_owned() } else { String::new() }),
                ..Tags::default()
            },
            address_hash: app.chance.bytes(),
            network: "2001:db8:1::".parse().unwrap(),
            country: "DE".to_owned(),
            device: Device::Mobile,
            user_agent: "Mozilla/5.0".to_owned(),
            referrer: String::new(),
            asked: Asked::default(),
        }
    }

    fn clicks(&self, count: usize) -> Vec<Click> {
        (0..count).map(|_| self.click()).collect()
    }

    /// As a tracker does it, a second after they happened.
    async fn store(&self, made: &[Click]) {
        self.api.app.clock.advance(TimeDelta::seconds(1));
        let mut tx = self.api.app.begin().await.unwrap();
        clicks::ensure_partition(&mut tx, made[0].id.made_at().unwrap().date_naive()).await.unwrap();
        clicks::insert(&mut tx, made, self.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn now(&self) -> DateTime<Utc> {
        self.api.app.clock.now()
    }

    /// Exports and merges what is stored; says how many events were given.
    async fn export(&self) -> u64 {
        self.settle().await;
        self.export_what_ended().await
    }

    /// Waits until all transactions on the server have ended that began before: other tests use it too, and what ends
    /// later than one of theirs is for the next export.
    async fn settle(&self) {
        let mut db = self.api.app.db.acquire().await.unwrap();
        let mine: i64 = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
            .fetch_one(&mut *db)
            .await
            .unwrap();
        for _ in 0..2_000 {
            if mine < moment(&mut db).await.unwrap().oldest_open {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("a transaction has been open for twenty seconds");
    }

    async fn export_what_ended(&self) -> u64 {
        let bench = self.api.workbench();
        let choices = Choices { lake: Some(self.lake().root().to_owned()), ..bench.choices };
        once(&Export, &Workbench { choices, ..bench }).await.unwrap()
    }

    fn events(&self, kinds: &[Kind]) -> Vec<Known<Event>> {
        self.lake().events(kinds, i64::MIN..i64::MAX).unwrap().map(Result::unwrap).collect()
    }

    /// The ids of the clicks in the lake, in their order.
    fn click_ids(&self) -> Vec<ClickId> {
        let mut ids: Vec<_> = self
            .events(&[Kind::Click])
            .iter()
            .filter_map(
                |known| if let Event::Click(visit) = &known.event { Some(visit.seen.id) } else { None },
            )
            .collect();
        ids.sort_unstable();
        ids
    }

    fn note(&self, table: &str) -> std::path::PathBuf {
        self.lake().root().join(format!("_exports/{table}.json"))
    }
}

fn ids(clicks: &[&[Click]]) -> Vec<ClickId> {
    let mut ids: Vec<_> = clicks.concat().iter().map(|click| click.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clicks_are_in_the_lake_once_as_they_were_with_the_time_when_they_were_stored() {
    let world = World::new().await;
    let first = world.clicks(3);
    world.store(&first).await;
    let stored_at_us = world.now().timestamp_micros();
    world.export().await;
    assert_eq!(world.export().await, 0);
    let second = world.clicks(2);
    world.store(&second).await;
    assert_eq!(world.export().await, 2);
    assert_eq!(world.click_ids(), ids(&[&first, &second]));
    let events = world.events(&[Kind::Click]);
    let known =
        events.iter().find(|known| matches!(&known.event, Event::Click(visit) if visit.seen == first[0]));
    assert_eq!(known.unwrap().known_at_us, stored_at_us);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_an_older_release_stored_is_known_when_it_happened() {
    let world = World::new().await;
    let clicks = world.clicks(1);
    world.store(&clicks).await;
    sqlx::query("UPDATE clicks SET stored_at = NULL").execute(&world.api.app.db).await.unwrap();
    world.export().await;
    assert_eq!(world.events(&[Kind::Click])[0].known_at_us, clicks[0].occurred_at_us);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn impressions_are_in_the_lake_as_they_were_with_and_without_a_visit() {
    let world = World::new().await;
    let app = &world.api.app;
    let mut shown: Vec<Impression> = world
        .clicks(2)
        .into_iter()
        .zip([None, Some(())])
        .map(|(click, visit)| Impression {
            id: EventId::new(&app.clock, &app.chance),
            occurred_at_us: click.occurred_at_us,
            link: click.link,
            affiliate: click.affiliate,
            campaign: click.campaign,
            advertiser: click.advertiser,
            session: visit.map(|()| click.session),
            address_hash: click.address_hash,
            network: click.network,
            country: click.country,
            device: click.device,
            user_agent: click.user_agent,
            referrer: "https://blog.example/".to_owned(),
        })
        .collect();
    shown.sort_unstable_by_key(|one| one.id);
    let mut tx = app.begin().await.unwrap();
    impressions::ensure_partition(&mut tx, shown[0].id.made_at().unwrap().date_naive()).await.unwrap();
    impressions::insert(&mut tx, &shown, world.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.export().await, 2 + 1, "and the plan of the campaign");
    assert_eq!(world.export().await, 0);
    let known_at_us = world.now().timestamp_micros();
    let events = world.events(&[Kind::Impression]);
    let expected: Vec<_> = shown
        .into_iter()
        .map(|seen| Event::Impression(Visit { seen, device_id: String::new() }))
        .map(|event| Known { event, known_at_us })
        .collect();
    assert_eq!(events, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_transaction_that_ends_late_is_not_passed_over() {
    let world = World::new().await;
    let (early, late, other) = (world.clicks(2), world.clicks(2), world.clicks(2));
    world.store(&early).await;
    let mut open = world.api.app.begin().await.unwrap();
    world.settle().await;
    clicks::insert(&mut open, &late, world.now()).await.unwrap();
    world.export_what_ended().await;
    assert_eq!(world.click_ids(), ids(&[&early]));
    open.commit().await.unwrap();
    world.store(&other).await;
    world.export().await;
    assert_eq!(world.click_ids(), ids(&[&early, &late, &other]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clicks_that_come_late_are_found_where_they_belong() {
    let world = World::new().await;
    let long_ago = world.clicks(2);
    world.api.app.clock.advance(TimeDelta::hours(3));
    let now = world.clicks(2);
    world.store(&now).await;
    world.export().await;
    world.api.app.clock.advance(TimeDelta::hours(3));
    let mixed = [long_ago.clone(), world.clicks(1)].concat();
    world.store(&mixed).await;
    assert_eq!(world.export().await, 3, "what lies between is left alone");
    assert_eq!(world.click_ids(), ids(&[&now, &mixed]));
    assert_eq!(world.lake().check(|_| {}).unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_export_that_was_cut_off_anywhere_is_done_again_to_the_same_end() {
    let world = World::new().await;
    let first = world.clicks(2);
    world.store(&first).await;
    world.export().await;
    let before = std::fs::read_to_string(world.note("clicks")).unwrap();
    let second = world.clicks(4);
    world.store(&second).await;
    let all = ids(&[&first, &second]);

    // The batch is in its place and the note is not.
    export(&mut world.api.app.db.acquire().await.unwrap(), &world.lake()).await.unwrap();
    std::fs::write(world.note("clicks"), &before).unwrap();
    world.export().await;
    assert_eq!(world.click_ids(), all);

    // In the middle of the way: what is behind the note is given, what is before it is there.
    let until =
        serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(world.note("clicks")).unwrap());
    let mut half: serde_json::Value = serde_json::from_str(&before).unwrap();
    let after = ids(&[&second])[1].uuid();
    half["under_way"] = json!({"until": until.unwrap()["before"], "after": after.to_string()});
    std::fs::write(world.note("clicks"), half.to_string()).unwrap();
    assert_eq!(world.export().await, 2);
    assert_eq!(world.click_ids(), all);
    assert_eq!(world.export().await, 0);
    assert_eq!(world.lake().check(|_| {}).unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lake_of_another_database_or_of_long_ago_is_filled_anew() {
    let world = World::new().await;
    let clicks = world.clicks(3);
    world.store(&clicks).await;
    world.export().await;
    let now = moment(&mut world.api.app.db.acquire().await.unwrap()).await.unwrap();
    let forgotten = now.oldest_open - MEMORY - 1;
    for note in [
        json!({"database": "another", "before": now.oldest_open, "under_way": null}),
        json!({"database": now.database, "before": now.oldest_open + 1_000, "under_way": null}),
        json!({"database": now.database, "before": forgotten, "under_way": null}),
    ] {
        std::fs::write(world.note("clicks"), note.to_string()).unwrap();
        assert_eq!(world.export().await, 3, "{note}");
        assert_eq!(world.click_ids(), ids(&[&clicks]));
    }
    std::fs::write(world.note("clicks"), "half a no").unwrap();
    let told = export(&mut world.api.app.db.acquire().await.unwrap(), &world.lake()).await.unwrap_err();
    assert!(
        told.to_string().ends_with("_exports/clicks.json: take it away, and everything is taken again"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_batches_of_long_ago_are_forgotten() {
    let world = World::new().await;
    world.store(&world.clicks(1)).await;
    let bench = world.api.workbench();
    assert_eq!(once(&Forget, &bench).await.unwrap(), 0);
    sqlx::query("UPDATE event_batches SET stored_in = stored_in - $1")
        .bind(2 * MEMORY + 1_000_000)
        .execute(&world.api.app.db)
        .await
        .unwrap();
    assert_eq!(once(&Forget, &bench).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_became_of_a_conversion_is_events_with_ids_of_their_own() {
    let world = World::new().await;
    let click = world.clicks(1);
    world.store(&click).await;
    let api = &world.api;
    let report = json!({"advertiser_id": world.advertiser, "click_id": click[0].id.to_string(), "event": "sale",
        "amount": "80.00", "currency": "EUR", "order_id": "N-1"});
    let made = api.made("/api/v1/conversions", report).await;
    let path = format!("/api/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
    world.export().await;
    api.app.clock.advance(TimeDelta::seconds(1));
    api.made(&format!("{path}/approve"), json!({})).await;
    for amount in ["30.00", "50.00"] {
        let reversal = json!({"reason": "refund", "amount": {"value": amount, "currency": "EUR"}});
        api.app.clock.advance(TimeDelta::seconds(1));
        api.made(&format!("{path}/reverse"), reversal).await;
    }
    world.export().await;
    world.export().await;
    let mut events = world.events(&[Kind::Conversion, Kind::StatusChange, Kind::Refund]);
    events.sort_by_key(|known| (known.event.occurred_at_us(), known.event.kind()));
    let told = events.iter().map(|known| match &known.event {
        Event::Conversion(sale) => format!("{} of {}", sale.amount, sale.order_id),
        Event::StatusChange(change) => format!("became {}", change.to),
        Event::Refund(refund) => format!("{} back for {}", refund.amount, refund.reason),
        other => panic!("{other:?}"),
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    80.00 EUR of N-1
    became pending
    became approved
    30.00 EUR back for refund
    became reversed
    50.00 EUR back for refund
    ");
    // Everything again, into another lake: the same ids.
    let again = Lake::at(world.folder.path().join("again"));
    export(&mut api.app.db.acquire().await.unwrap(), &again).await.unwrap();
    again.compact(|_| {}).unwrap();
    let mut again: Vec<_> = again
        .events(&[Kind::Conversion, Kind::StatusChange, Kind::Refund], i64::MIN..i64::MAX)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    again.sort_by_key(|known| (known.event.occurred_at_us(), known.event.kind()));
    assert_eq!(again, events);
}

/// A click of a telephone at this address, as a tracker sees it.
fn seen(world: &World, address: IpAddr) -> Click {
    let visitors = Visitors::new(Vec::new(), None, &secret());
    let said = Said::by([("user-agent", PHONE.as_bytes())]);
    let visitor = visitors.describe(Some(address), &said, visitors.recognize(&Method::GET, &said).unwrap());
    let (address_hash, network, device) = (visitor.address_hash, visitor.network, visitor.device);
    Click { address_hash, network, device, ..world.click() }
}

const PHONE: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                     Mobile Safari/537.36";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whom_a_signed_postback_reports_the_lake_knows_as_its_click() {
    let world = World::new().await;
    let api = &world.api;
    let click = seen(&world, [203, 0, 113, 7].into());
    world.store(std::slice::from_ref(&click)).await;
    let keys = format!("/api/v1/advertisers/{}/signing-keys", world.advertiser);
    let key = api.made(&keys, json!({"algorithm": "hmac_sha256"})).await;
    let key = SigningKey::parse(key["secret"].as_str().unwrap()).unwrap();
    let shop = postback_routes(api.workbench().intake, api.app.customers.clone());
    for (order, email, address) in
        [("N-1", "A.b+tag@gmail.com", "203.0.113.7"), ("N-2", "ab@gmail.com", "203.0.113.8")]
    {
        let body = json!({"click_id": click.id, "amount": "5", "order_id": order, "ip": address, "email": email,
            "device_id": "one machine", "user_agent": PHONE, "country": "DE"});
        let body = body.to_string();
        let signature = standard::sign(&key, order, world.now(), body.as_bytes()).unwrap();
        let request = Request::post(format!("/postback/{}", world.advertiser))
            .header(header::CONTENT_TYPE, "application/json")
            .header(standard::ID_HEADER, order)
            .header(standard::TIMESTAMP_HEADER, world.now().timestamp())
            .header(standard::SIGNATURE_HEADER, signature);
        let answer = shop.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    world.export().await;
    let mut orders: Vec<_> = world
        .events(&[Kind::Conversion])
        .into_iter()
        .map(|known| if let Event::Conversion(order) = known.event { order } else { panic!("{known:?}") })
        .collect();
    orders.sort_by(|one, other| one.order_id.cmp(&other.order_id));
    let [first, second] = &orders[..] else { panic!("{orders:?}") };
    assert_eq!(first.address_hash, Some(click.address_hash));
    assert!(second.address_hash.is_some_and(|hash| hash != click.address_hash));
    assert_eq!([first.network, second.network], [Some(click.network); 2]);
    assert_eq!((first.email_hash, &*first.email_domain), (second.email_hash, "gmail.com"));
    assert!(first.email_hash.is_some() && first.device_id.len() == 32);
    assert_eq!((&first.device_id, first.device), (&second.device_id, Device::Mobile));
    assert_eq!(click.device, Device::Mobile);
    assert_eq!(first.country, "DE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_plan_that_pays_a_part_is_a_rate() {
    let world = World::new().await;
    let plans = format!("/api/v1/campaigns/{}/plans", world.campaign);
    let rate = |rate: &str| json!([{"event": "sale", "terms": {"model": "percentage", "rate": rate}}]);
    world.api.made(&plans, json!({"rules": rate("12.5%"), "affiliate_id": world.affiliate})).await;
    world.export().await;
    let rates: Vec<_> = world
        .events(&[Kind::RateChange])
        .into_iter()
        .map(|known| match known.event {
            Event::RateChange(change) => (change.affiliate.map(|id| id.to_string()), change.rate.ppm),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(rates.contains(&(Some(world.affiliate.clone()), 125_000)), "{rates:?}");
    assert_eq!(world.export().await, 0);
}
