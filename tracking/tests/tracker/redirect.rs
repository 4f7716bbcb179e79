//! A click is answered with a redirect that carries all it must and nothing else.

use reqwest::header;
use sqlx::Row;

use super::world::{AFFILIATE, CAMPAIGN, World, browser, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_is_redirected_with_its_id_and_a_cookie() {
    let world = World::new().await;
    insta::assert_snapshot!(shown(&world.answer("/c/spring?sub1=top&utm_term=red+shoes").await), @r#"
    302 Found
    cache-control: no-store
    content-length: 0
    location: https://shop.example/spring?utm_source=page&lang=en&sub1=top&utm_term=red+shoes&shop_click=clk_01JHKMXE80FN4TP9SY0XXGN5NY#top
    referrer-policy: strict-origin-when-cross-origin
    set-cookie: affiliate_id=ses_01JHKMXE80F8VR8M25C1HSXHKG.clk_01JHKMXE80FN4TP9SY0XXGN5NY.rPnldIGXuKpmu-XBn1MAZw; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_has_a_page_and_parameters_of_its_own() {
    let world = World::new().await;
    insta::assert_snapshot!(shown(&world.answer("/c/shoes?utm_medium=mail&uid=7").await), @r#"
    302 Found
    cache-control: no-store
    content-length: 0
    location: https://m.shop.example/shoes?sub2=review&utm_medium=mail&v=2&shop_click=clk_01JHKMXE80FN4TP9SY0XXGN5NY
    referrer-policy: strict-origin-when-cross-origin
    set-cookie: affiliate_id=ses_01JHKMXE80F8VR8M25C1HSXHKG.clk_01JHKMXE80FN4TP9SY0XXGN5NY.rPnldIGXuKpmu-XBn1MAZw; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_may_name_the_affiliate_in_the_query() {
    let world = World::new().await;
    let affiliate = domain::AffiliateId::from(AFFILIATE);
    let campaign = domain::CampaignId::from(CAMPAIGN);
    for query in [
        "ref=spring".to_owned(),
        format!("aff_id={affiliate}"),
        format!("partner={affiliate}&campaign={campaign}"),
        format!("a={}", affiliate.to_string().to_lowercase()),
    ] {
        let answer = world.answer(&format!("/c?{query}")).await;
        assert_eq!(answer.status(), 302, "{query}");
        let location = answer.headers()[header::LOCATION].to_str().unwrap();
        assert!(location.starts_with("https://shop.example/spring?"), "{location}");
    }
    assert_eq!(world.answer("/c?ref=nobody").await.status(), 404);
    assert_eq!(world.answer("/c").await.status(), 404);
    let elsewhere = domain::CampaignId::from(AFFILIATE);
    assert_eq!(world.answer(&format!("/c?ref={affiliate}&campaign={elsewhere}")).await.status(), 404);
    assert_eq!(world.answer(&format!("/c?ref={affiliate}&campaign=nonsense")).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_visit_goes_on_while_the_browser_keeps_its_cookie() {
    let world = World::new().await;
    let first = world.answer("/c/spring").await;
    let cookie = first.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let second = world.get("/c/shoes").header(header::COOKIE, &cookie).send().await.unwrap();
    let again = second.headers()[header::SET_COOKIE].to_str().unwrap();
    let session = |cookie: &str| cookie.split('.').next().unwrap().to_owned();
    assert_eq!(session(&cookie), session(again));
    assert_ne!(cookie, again.split(';').next().unwrap(), "the last click is another one");
    let forged = cookie.replace("affiliate_id=ses_0", "affiliate_id=ses_1");
    let third = world.get("/c/spring").header(header::COOKIE, &forged).send().await.unwrap();
    assert_ne!(session(&forged), session(third.headers()[header::SET_COOKIE].to_str().unwrap()));
    world.stored(3).await;
    let sessions: i64 = sqlx::query_scalar("SELECT count(DISTINCT session_id) FROM clicks")
        .fetch_one(world.database.pool())
        .await
        .unwrap();
    assert_eq!(sessions, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_nobody_has_clicked_is_redirected_and_not_counted() {
    let world = World::new().await;
    let head = browser().head(format!("http://{}/c/spring", world.served.address)).send().await.unwrap();
    insta::assert_snapshot!(shown(&head), @r#"
    302 Found
    cache-control: no-store
    content-length: 0
    location: https://shop.example/spring?utm_source=page&lang=en#top
    referrer-policy: strict-origin-when-cross-origin
    "#);
    for (name, value) in [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
        ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ] {
        let answer = world.get("/c/spring").header(name, value).send().await.unwrap();
        assert_eq!(shown(&answer), shown(&head), "{name}: {value}");
    }
    let counts = world.served.tracker.counts();
    assert_eq!(counts.accepted, 0);
    let metrics = world.served.tracker.metrics();
    for line in ["head\"} 1", "prefetch\"} 3", "bot\"} 1"] {
        assert!(metrics.contains(&format!("tributary_uncounted_total{{reason=\"{line}")), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deep_link_leads_to_allowed_hosts_only() {
    let world = World::new().await;
    let answer = world.answer("/c/spring?to=https%3A%2F%2Fm.shop.example%2Fp%3Fid%3D1&sub1=x").await;
    let location = answer.headers()[header::LOCATION].to_str().unwrap();
    assert!(location.starts_with("https://m.shop.example/p?id=1&sub1=x&shop_click=clk_"), "{location}");
    let refused = world.answer("/c/spring?to=https%3A%2F%2Fevil.example%2F").await;
    insta::assert_snapshot!(shown(&refused), @r#"
    400 Bad Request
    cache-control: no-store
    content-length: 217
    content-type: application/problem+json
    "#);
    insta::assert_snapshot!(refused.text().await.unwrap(), @r#"{"type":"urn:tributary:problem:deep_link_refused","title":"The deep link is not allowed","status":400,"code":"deep_link_refused","errors":[{"pointer":"/to","detail":"this campaign allows no deep links to that host"}]}"#);
    assert_eq!(world.served.tracker.counts().accepted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_click_says_is_stored() {
    let world = World::with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    world
        .get("/c/shoes?s1=one&aff_sub3=three&source=mail&uid=u7&clickid=theirs&utm_campaign=c")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.77")
        .header(header::REFERER, "https://blog.example/post")
        .header("Sec-Fetch-Dest", "iframe")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-CH-UA", r#""Chromium";v="140""#)
        .send()
        .await
        .unwrap();
    world.stored(1).await;
    let row = sqlx::query(
        "SELECT format('%s %s %s %s %s %s %s %s %s %s %s %s %s %s %s', subs, source, uid, external_click_id, utm, network,
                       octet_length(address_hash), country, device, user_agent, referrer, occurred_at,
                       fetch_destination, fetch_by_user, client_hints_match)
         FROM clicks",
    )
    .fetch_one(world.database.pool())
    .await
    .unwrap();
    insta::assert_snapshot!(row.get::<String, _>(0), @r#"{one,review,three} mail u7 theirs {"",affiliate,c} 203.0.113.0/24 16  desktop Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0 https://blog.example/post 2025-01-15 00:13:20+00 frame f f"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_no_database_stores_is_taken_off_a_deep_link_and_not_off_the_page() {
    let world = World::new().await;
    let answer = world.answer("/c/spring?to=https://m.shop.example/?sub1=a%2500b").await;
    let location = answer.headers()[header::LOCATION].to_str().unwrap();
    assert!(location.starts_with("https://m.shop.example/?sub1=a%00b&"), "{location}");
    world.answer("/c/spring").await;
    world.stored(2).await;
    let subs: Vec<Vec<String>> = sqlx::query_scalar("SELECT subs FROM clicks ORDER BY subs DESC")
        .fetch_all(world.database.pool())
        .await
        .unwrap();
    assert_eq!(subs[0], ["ab"]);
    assert!(world.served.tracker.metrics().contains("tributary_events_rejected_total 0\n"));
}
