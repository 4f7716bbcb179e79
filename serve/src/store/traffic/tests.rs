//! Counters say what the clicks themselves say, whatever zone a span's days are of.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::{CampaignId, LinkId, MaterialId, click::Tags};
use serde_json::json;

use super::{clicked::one_by_one, *};
use crate::{api::testing::Api, store};

/// Days of Berlin, of New York and of UTC, one that holds no whole day of UTC, a part of one, and one of Kolkata, which begins
/// within an hour.
const SPANS: [(&str, &str); 6] = [
    ("2026-02-01T23:00:00Z", "2026-02-04T23:00:00Z"),
    ("2026-02-02T05:00:00Z", "2026-02-05T05:00:00Z"),
    ("2026-02-02T00:00:00Z", "2026-02-04T00:00:00Z"),
    ("2026-02-02T23:00:00Z", "2026-02-03T23:00:00Z"),
    ("2026-02-03T07:00:00Z", "2026-02-03T19:00:00Z"),
    ("2026-02-02T18:30:00Z", "2026-02-03T18:30:00Z"),
];
const BY: [By; 6] = [By::Campaign, By::Page, By::Sub(1), By::Sub(2), By::Sub(10), By::Material];

/// Four days of clicks, from noon of 2026-02-01 on: on two links of one affiliate, and on one of another.
struct World {
    api: Api,
    affiliate: AffiliateId,
    materials: Vec<String>,
}

fn span((from, before): (&str, &str)) -> (DateTime<Utc>, DateTime<Utc>) {
    (from.parse().unwrap(), before.parse().unwrap())
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, number).unwrap()
}

/// How many clicks came from each place.
fn told(found: Vec<FromPlace>) -> BTreeMap<String, i64> {
    let mut told = BTreeMap::new();
    for one in found {
        *told.entry(one.place).or_insert(0) += one.clicks;
    }
    told
}

/// A link of that affiliate into a campaign of its own.
async fn link(api: &Api, affiliate: AffiliateId, name: &str) -> LinkId {
    let campaign = api.campaign().await;
    sqlx::query("UPDATE campaigns SET name = $2, landing_url = 'https://shop.example/' || $2 WHERE id = $1")
        .bind(campaign.parse::<CampaignId>().unwrap().uuid())
        .bind(name)
        .execute(&api.app.db)
        .await
        .unwrap();
    let link =
        api.made(&format!("/api/v1/affiliates/{affiliate}/links"), json!({"campaign_id": campaign})).await;
    link["id"].as_str().unwrap().parse().unwrap()
}

impl World {
    async fn new() -> Self {
        let api = Api::start().await;
        let (ana, ben) = (api.affiliate("Ana").await, api.affiliate("Ben").await);
        let links = [
            link(&api, ana, "Spring").await,
            link(&api, ana, "Autumn").await,
            link(&api, ben, "Spring").await,
        ];
        let material = || MaterialId::new(&api.app.clock, &api.app.chance).to_string();
        let (shown, foreign) = (material(), material());
        let contents = [shown.clone(), foreign, "spring".to_owned(), String::new(), shown.to_lowercase()];
        let mut db = api.app.db.acquire().await.unwrap();
        for number in 0..90_usize {
            let mut tags = Tags::default();
            ["", "shelf", "mail"][number / 3 % 3].clone_into(&mut tags.subs[0]);
            tags.subs[9] = format!("é{}", number % 4);
            tags.utm[4].clone_from(&contents[number % contents.len()]);
            store::links::click(&mut db, links[number % links.len()], &api.app, tags).await.unwrap();
            api.app.clock.advance(TimeDelta::minutes(67));
        }
        drop(db);
        Self { api, affiliate: ana, materials: vec![shown] }
    }

    /// Where the clicks of a span came from, as pages tell it.
    async fn told(&self, by: By, span: (DateTime<Utc>, DateTime<Utc>)) -> BTreeMap<String, i64> {
        let mut db = self.api.app.db.acquire().await.unwrap();
        told(from_places(&mut db, self.affiliate, (by, &self.materials), span).await.unwrap())
    }

    /// Checks everything that is told of a span against its clicks.
    async fn agree(&self, span: (DateTime<Utc>, DateTime<Utc>)) {
        let affiliate = self.affiliate;
        for by in BY {
            let mut db = self.api.app.db.acquire().await.unwrap();
            let clicks = one_by_one(&mut db, affiliate, (by, &self.materials), span).await.unwrap();
            drop(db);
            let clicks = told(clicks);
            assert_eq!(self.told(by, span).await, clicks, "{by:?} of {span:?}");
            assert!(!clicks.is_empty(), "{by:?} of {span:?}");
        }
        let mut db = self.api.app.db.acquire().await.unwrap();
        let days =
            |found: Vec<OnDay>| found.into_iter().map(|one| (one.day, one.count)).collect::<BTreeMap<_, _>>();
        for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
            let counted = clicks_by_day(&mut db, Some(affiliate), span, zone).await.unwrap();
            let clicks = counted_by_day(&mut db, Some(affiliate), span, zone).await.unwrap();
            assert_eq!(days(counted), days(clicks), "{span:?} in {zone}");
        }
        let ever = (span.0, span.1 + TimeDelta::days(30));
        let clicks = counted_by_day(&mut db, Some(affiliate), ever, "UTC").await.unwrap();
        let since = clicks_since(&mut db, affiliate, span.0).await.unwrap().since;
        assert_eq!(since, clicks.iter().map(|one| one.count).sum::<i64>(), "since {}", span.0);
    }

    /// How many links have counters that disagree.
    async fn unlike(&self) -> i64 {
        store::jobs::unlike_links(&mut self.api.app.db.acquire().await.unwrap()).await.unwrap()
    }

    /// A number that the database says of a day.
    async fn number(&self, query: &'static str, day: NaiveDate) -> i64 {
        sqlx::query_scalar(query).bind(day).fetch_one(&self.api.app.db).await.unwrap()
    }
}

const TAGS: &str = "SELECT count(*) FROM tag_hours WHERE (hour AT TIME ZONE 'UTC')::date = $1";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn counters_say_what_the_clicks_say_and_so_they_do_when_they_are_counted_again() {
    let world = World::new().await;
    for one in SPANS {
        world.agree(span(one)).await;
    }
    let spoil = "UPDATE affiliate_hours SET clicks = 0;
                 DELETE FROM link_days;
                 UPDATE tag_hours SET clicks = clicks + 1;
                 UPDATE link_hours SET clicks = clicks + 7";
    sqlx::raw_sql(spoil).execute(&world.api.app.db).await.unwrap();
    for number in 1..=5 {
        sqlx::query("SELECT recount_click_hours($1)")
            .bind(day(number))
            .execute(&world.api.app.db)
            .await
            .unwrap();
    }
    for one in SPANS {
        world.agree(span(one)).await;
    }
    assert_eq!(world.unlike().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_a_dropped_day_the_clicks_stay_counted_and_what_came_with_them_is_gone() {
    let world = World::new().await;
    let dropped = span(("2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z"));
    let around = span(("2026-02-01T23:00:00Z", "2026-02-04T23:00:00Z"));
    let (campaigns, all) = (world.told(By::Campaign, dropped).await, world.told(By::Page, around).await);
    assert_ne!(world.number(TAGS, day(2)).await, 0);
    let mut db = world.api.app.db.acquire().await.unwrap();
    store::jobs::drop_click_day(&mut db, day(2), world.api.app.clock.now()).await.unwrap();
    drop(db);
    assert_eq!(world.number(TAGS, day(2)).await, 0);
    assert_ne!(world.number(TAGS, day(3)).await, 0);
    assert_eq!(world.unlike().await, 0);
    assert_eq!(world.told(By::Campaign, dropped).await, campaigns);
    assert_eq!(world.told(By::Page, around).await, all);
    let untold = BTreeMap::from([(String::new(), campaigns.values().sum::<i64>())]);
    for by in [By::Sub(10), By::Material] {
        assert_eq!(world.told(by, dropped).await, untold, "{by:?}");
    }
    world.agree(span(("2026-02-03T05:00:00Z", "2026-02-05T05:00:00Z"))).await;
}
