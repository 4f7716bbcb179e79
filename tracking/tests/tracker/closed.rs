//! Links that take no clicks: the right status or the right page, and never a row.

use reqwest::header;

use super::world::{World, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_fallback_the_status_says_why() {
    let world = World::new().await;
    for (code, status, problem) in [
        ("nobody", 404, "unknown_link"),
        ("mill", 404, "inactive_link"),
        ("paused", 404, "campaign_paused"),
        ("ended", 410, "campaign_ended"),
    ] {
        let answer = world.answer(&format!("/c/{code}")).await;
        assert_eq!(answer.status(), status, "{code}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = answer.text().await.unwrap();
        assert!(body.contains(&format!("\"code\":\"{problem}\"")), "{body}");
    }
    assert_eq!(world.served.tracker.counts().accepted, 0);
    let metrics = world.served.tracker.metrics();
    for reason in ["unknown", "affiliate", "paused", "ended"] {
        assert!(metrics.contains(&format!("uncounted_total{{reason=\"{reason}\"}} 1")), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_person_reads_a_sentence() {
    let world = World::new().await;
    let answer = world.get("/c/ended").header(header::ACCEPT, "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(answer.status(), 410);
    insta::assert_snapshot!(answer.text().await.unwrap(), @r#"<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>This offer has ended</title><h1>This offer has ended.</h1></html>"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn with_a_fallback_every_visitor_is_sent_somewhere() {
    let world =
        World::with(|config| config.fallback_url = Some("https://home.example/".parse().unwrap())).await;
    insta::assert_snapshot!(shown(&world.answer("/c/nobody").await), @r#"
    302 Found
    cache-control: no-store
    content-length: 0
    location: https://home.example/
    referrer-policy: strict-origin-when-cross-origin
    "#);
    for (code, location) in [
        ("mill", "https://home.example/"),
        ("paused", "https://home.example/"),
        ("ended", "https://home.example/"),
        ("over", "https://shop.example/over"),
    ] {
        let answer = world.answer(&format!("/c/{code}")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[header::LOCATION]),
            (302, &location.parse().unwrap())
        );
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
    }
    assert_eq!(world.served.tracker.counts().accepted, 0);
}
