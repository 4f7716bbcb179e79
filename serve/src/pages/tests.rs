//! Pages as people use them: signing in, what is one's own, what is nobody else's, and what is live.

mod affiliates;
mod appeals;
mod connections;
mod fraud;
mod links_by_mail;
mod materials;
mod rates;
mod sessions;
mod team;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use tower::ServiceExt;

use super::{
    frame::{ICON_PATH, KEYS_PATH, SCRIPT_PATH, STYLE_PATH},
    guard::{HEADERS, STRICT_TRANSPORT},
    role::Role,
    router,
    testing::{Shown, Site},
};

/// Every page that is read without an id.
const OF_AFFILIATES: [&str; 11] = [
    "/my",
    "/my/traffic",
    "/my/traffic.csv",
    "/my/conversions",
    "/my/holds",
    "/my/rates",
    "/my/balance",
    "/my/links",
    "/my/campaigns",
    "/my/connections",
    "/settings",
];
const OF_TEAM: [&str; 13] = [
    "/team",
    "/team/partners",
    "/team/campaigns",
    "/team/rates",
    "/team/rates/decisions",
    "/team/rates/shadows",
    "/team/cases",
    "/team/rings",
    "/team/rules",
    "/team/rules/quick_conversion",
    "/team/lists",
    "/team/models",
    "/settings",
];
const OF_ALL: [&str; 2] = ["/sign-in", "/sign-in/link/x"];

#[tokio::test]
async fn every_page_has_the_headers_that_keep_others_out() {
    let site = Site::start().await;
    let ana = site.api.affiliate("Ana").await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let mut ours = site.signed_in("tom@team.example", Role::Admin, None).await;
    for (browser, paths) in
        [(&mut hers, [&OF_AFFILIATES[..], &OF_ALL].concat()), (&mut ours, OF_TEAM.to_vec())]
    {
        for path in paths {
            let shown = browser.get(path).await;
            assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
            for (name, value) in HEADERS {
                assert_eq!(shown.header(name.as_str()), value, "{name} of {path}");
            }
            assert_eq!(shown.header("strict-transport-security"), STRICT_TRANSPORT, "{path}");
            assert_eq!(shown.header("cache-control"), "no-store", "{path}");
            // The policy would stop them, and the page would look broken.
            let is_written_in = ["<style", " style=\"", "<script>", " onclick=", "javascript:"];
            assert!(is_written_in.iter().all(|it| !shown.text.contains(it)), "{path}");
        }
    }
    for path in [&STYLE_PATH, &SCRIPT_PATH, &KEYS_PATH, &ICON_PATH].map(|path| path.as_str()) {
        let asset = site.browser().get(path).await;
        assert!(asset.header("cache-control").contains("immutable") && asset.status.is_success(), "{path}");
    }
}

#[tokio::test]
async fn what_is_the_teams_is_nobody_elses_and_nobody_comes_in_unasked() {
    let site = Site::start().await;
    let ana = site.api.affiliate("Ana").await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let mut ours = site.signed_in("tom@team.example", Role::FraudAnalyst, None).await;
    for path in &OF_TEAM[..12] {
        assert_eq!(hers.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in OF_AFFILIATES[..10].iter().chain(&["/my/live"]) {
        assert_eq!(ours.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        let nobody = site.browser().get(path).await;
        assert_eq!(nobody.status, StatusCode::SEE_OTHER, "{path}");
        assert!(nobody.header("location").starts_with("/sign-in?next=%2Fmy"), "{path}");
    }
}

#[tokio::test]
async fn an_address_that_leads_nowhere_or_says_nonsense_is_a_page_for_people() {
    let site = Site::start().await;
    let ana = site.api.affiliate("Ana").await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    for (path, status, says) in [
        ("/nowhere", StatusCode::NOT_FOUND, "There is nothing here"),
        ("/my/", StatusCode::NOT_FOUND, "There is nothing here"),
        (
            "/my/traffic?from=2026-01-01&from=2026-01-02",
            StatusCode::BAD_REQUEST,
            "This address cannot be read",
        ),
        ("/my/campaigns/connect", StatusCode::NOT_FOUND, "There is nothing here"),
    ] {
        let shown = hers.get(path).await;
        assert_eq!(shown.status, status, "{path}");
        assert!(
            shown.text.contains(says) && shown.text.contains("Go to the start"),
            "{path}: {}",
            shown.text
        );
        assert_eq!(shown.header("content-security-policy"), HEADERS[0].1, "{path}");
    }
    let posted = hers.fill("/settings", "/my/traffic", &[]).await;
    assert_eq!((posted.status, posted.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    assert!(posted.text.contains("not taken at this address"), "{}", posted.text);
    // As it is served: beside the API, whose programs are told as everywhere else, whatever they say they take.
    let (api, _) = crate::api::router(site.api.app.clone());
    let served = api.merge(router(site.pages.clone()));
    let ask = async |path: &str, accept: &str| {
        let request = Request::get(path).header("accept", accept).header("x-request-id", "r1");
        Shown::read(served.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
    };
    let (browser, java) = ("text/html,*/*;q=0.8", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2");
    assert!(ask("/nowhere", browser).await.text.starts_with("<!DOCTYPE html>"));
    for (path, accept) in [
        ("/nowhere", "*/*"),
        ("/api/v1/nowhere", java),
        ("/api/v1/nowhere?x=%00", java),
        ("/v2/nowhere", browser),
        ("/postback/nobody/x", java),
    ] {
        let told = ask(path, accept).await;
        assert_eq!(told.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(told.header("strict-transport-security"), "", "{path}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(told.text, @r#"{"type":"urn:tributary:problem:not_found","title":"There is nothing here","status":404,"code":"not_found","detail":"nothing is served at this address","request_id":"r1"}"#);
        }
    }
}
