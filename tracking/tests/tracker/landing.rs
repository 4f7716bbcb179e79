//! An advertiser's page whose visitors come without a redirect tells us of them itself.

use reqwest::header;

use super::world::{World, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_visitor_who_already_landed_is_counted_like_a_click() {
    let world = World::new().await;
    let answer = world
        .get("/landing?ref=spring&sub1=x")
        .header(header::ORIGIN, "https://shop.example")
        .send()
        .await
        .unwrap();
    insta::assert_snapshot!(shown(&answer), @r#"
    204 No Content
    access-control-allow-credentials: true
    access-control-allow-origin: https://shop.example
    access-control-expose-headers: x-click-id
    cache-control: no-store
    set-cookie: affiliate_id=ses_01JHKMXE80F8VR8M25C1HSXHKG.clk_01JHKMXE80FN4TP9SY0XXGN5NY.rPnldIGXuKpmu-XBn1MAZw; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800
    vary: origin
    x-click-id: clk_01JHKMXE80FN4TP9SY0XXGN5NY
    "#);
    world.stored(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_strange_page_may_not_read_the_click() {
    let world = World::new().await;
    let answer =
        world.get("/landing?ref=spring").header(header::ORIGIN, "https://evil.example").send().await.unwrap();
    assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_is_counted_for_a_link_that_takes_no_clicks() {
    let world =
        World::with(|config| config.fallback_url = Some("https://home.example/".parse().unwrap())).await;
    for (query, status) in [("ref=nobody", 404), ("", 404), ("ref=paused", 404), ("ref=ended", 410)] {
        assert_eq!(world.answer(&format!("/landing?{query}")).await.status(), status, "{query}");
    }
    assert_eq!(world.served.tracker.counts().accepted, 0);
}
