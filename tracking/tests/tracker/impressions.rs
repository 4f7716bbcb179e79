//! An advertisement that was shown is remembered, by the way that clicks take.

use reqwest::header;
use sqlx::Row;
use tracking::{
    event::Event,
    wal::{Settings, Wal},
};

use super::world::{AFFILIATE, Served, World, config, eventually, shown};

async fn impressions(world: &World) -> Option<i64> {
    // The partition comes with the first of them.
    sqlx::query_scalar("SELECT count(*) FROM impressions").fetch_one(world.database.pool()).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_impression_is_a_picture_that_no_cache_keeps_and_no_cookie_comes_with() {
    let world = World::new().await;
    let answer = world.answer("/i/spring").await;
    insta::assert_snapshot!(shown(&answer), @r"
    200 OK
    cache-control: no-store
    content-length: 43
    content-type: image/gif
    cross-origin-resource-policy: cross-origin
    ");
    let picture = answer.bytes().await.unwrap();
    assert_eq!((&picture[..6], picture.last()), (&b"GIF89a"[..], Some(&b';')));
    let by_affiliate = format!("/i?ref={}", domain::AffiliateId::from(AFFILIATE));
    assert_eq!(world.answer(&by_affiliate).await.status(), 200);
    eventually("both are stored", async || impressions(&world).await == Some(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_an_impression_says_is_stored_and_its_link_counts_it() {
    let world = World::with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let click = world.answer("/c/spring").await;
    let cookie = click.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    world
        .get("/i/spring")
        .header("x-forwarded-for", "203.0.113.77")
        .header(header::REFERER, "https://blog.example/post")
        .header(header::COOKIE, cookie)
        .send()
        .await
        .unwrap();
    world.answer("/i/spring").await;
    eventually("both are stored", async || impressions(&world).await == Some(2)).await;
    let rows = sqlx::query(
        "SELECT format('%s %s %s %s %s %s', network, octet_length(address_hash), device, referrer, occurred_at,
                       (SELECT count(*) FROM clicks WHERE clicks.session_id = impressions.session_id))
         FROM impressions
         ORDER BY referrer DESC",
    );
    let rows = rows.fetch_all(world.database.pool()).await.unwrap();
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    203.0.113.0/24 16 desktop https://blog.example/post 2025-01-15 00:13:20+00 1
    127.0.0.0/24 16 desktop  2025-01-15 00:13:20+00 0
    ");
    world.stored(1).await;
    let counted: (i64, i64) = sqlx::query_as("SELECT impressions, clicks FROM links WHERE code = 'spring'")
        .fetch_one(world.database.pool())
        .await
        .unwrap();
    assert_eq!(counted, (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_no_impression_is_answered_and_not_counted() {
    let world = World::new().await;
    let crawler = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let seen = world.get("/i/spring").header(header::USER_AGENT, crawler).send().await.unwrap();
    assert_eq!(seen.status(), 200);
    let ahead = world.get("/i/spring").header("sec-purpose", "prefetch").send().await.unwrap();
    assert_eq!(ahead.status(), 200);
    assert_eq!(world.answer("/i/nobody").await.status(), 404);
    assert_eq!(world.served.tracker.counts().accepted, 0);
    world.answer("/i/spring").await;
    let metrics = world.served.tracker.metrics();
    for line in [
        "tributary_impressions_total 1\n",
        "tributary_events_accepted_total 1\n",
        "tributary_uncounted_total{reason=\"bot\"} 1\n",
        "tributary_visit_answers_total{status=\"200\"} 3\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_impression_that_the_database_never_takes_is_set_aside_and_the_others_are_stored() {
    let world = World::new().await;
    world.answer("/i/spring").await;
    eventually("it is stored", async || impressions(&world).await == Some(1)).await;
    let World { database, folder: _folder, served } = world;
    served.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir_all(&config.data_dir).unwrap();
    let (wal, reader) = Wal::open(&config.data_dir.join("log"), Settings::default()).unwrap();
    let click = super::shipping::click(1, "");
    for number in 0..20_u128 {
        let event = Event::Impression(domain::event::Impression {
            id: uuid::Uuid::from_u128(click.id.uuid().as_u128() + number).into(),
            occurred_at_us: click.occurred_at_us,
            link: click.link,
            affiliate: click.affiliate,
            campaign: click.campaign,
            advertiser: click.advertiser,
            session: None,
            address_hash: click.address_hash,
            network: click.network,
            country: String::new(),
            device: click.device,
            user_agent: if number == 7 { "a\0b".to_owned() } else { String::new() },
            referrer: String::new(),
        });
        wal.append(event.encode()).await.unwrap();
    }
    wal.append(Event::Click(click).encode()).await.unwrap();
    wal.close().await;
    drop((wal, reader));
    let served = Served::start(&config, database.pool().clone(), 2).await;
    eventually("all are done with", async || {
        served.tracker.metrics().contains("tributary_events_shipped_total 21\n")
    })
    .await;
    assert!(served.tracker.metrics().contains("tributary_events_rejected_total 1\n"));
    served.stop().await;
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM impressions), (SELECT count(*) FROM clicks),
                (SELECT count(*) FROM rejected_impressions WHERE sqlstate = '22021')",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(counts, (20, 1, 1));
}
