//! An affiliate's keys and postbacks.

use axum::http::StatusCode;
use domain::AffiliateId;

use crate::{
    jobs::{
        once,
        partner_postbacks::{PassOn, Tell},
    },
    pages::{
        role::Role,
        testing::{Browser, Site},
    },
    postbacks::testing::PartnerTracker,
};

async fn of_affiliate<'a>(site: &'a Site, name: &str) -> (AffiliateId, Browser<'a>) {
    let id = site.api.affiliate(name).await;
    let email = format!("{}@partner.example", name.to_lowercase());
    (id, site.signed_in(&email, Role::Affiliate, Some(id)).await)
}

#[tokio::test]
async fn a_key_of_ones_own_is_shown_once_works_and_is_revoked() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let (_, mut his) = of_affiliate(&site, "Ben").await;
    let filled =
        [("name", "Tracker <b>"), ("days", "30"), ("scope.links:read", "1"), ("scope.affiliates:write", "1")];
    let made = hers.fill("/my/connections", "/my/connections/keys", &filled).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let key = made.text.split("<code class=\"wrap\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let shown = hers.get("/my/connections").await.text;
    assert!(
        !shown.contains(&key) && shown.contains("Tracker &#60;b&#62;") && shown.contains("links:read"),
        "{shown}"
    );
    let links = format!("/api/v1/affiliates/{ana}/links");
    assert_eq!(site.api.get_as(&key, &links).await.status, 200);
    assert_eq!(
        site.api.get_as(&key, &format!("/api/v1/affiliates/{ana}")).await.status,
        403,
        "only what was ticked"
    );
    let id = shown.split("/my/connections/keys/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let revoke = format!("/my/connections/keys/{id}/revoke");
    assert_eq!(his.fill("/my/connections", &revoke, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(hers.fill("/my/connections", &revoke, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.api.get_as(&key, &links).await.status, 401);
    let wrong =
        hers.fill("/my/connections", "/my/connections/keys", &[("name", "x"), ("days", "many")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("tick at least one") && wrong.text.contains("1 to 3,650, or nothing"),
        "{}",
        wrong.text
    );
}

#[tokio::test]
async fn an_address_is_entered_tried_and_told_what_happens() {
    let site = Site::start().await;
    let tracker = PartnerTracker::start([200, 503]).await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let (_, mut his) = of_affiliate(&site, "Ben").await;
    let campaign = site.api.campaign().await;
    let wrong = [("url", "https://t.example/?a={nothing}"), ("event.conversion.created", "1")];
    let wrong = hers.fill("/my/connections", "/my/connections/postbacks", &wrong).await;
    assert!(wrong.text.contains("{nothing} is no macro: expected one of event_id"), "{}", wrong.text);
    let address = tracker.address("is={type}&p={payout}");
    let filled = [("url", address.as_str()), ("event.conversion.created", "1"), ("signed", "1")];
    let made = hers.fill("/my/connections", "/my/connections/postbacks", &filled).await;
    let page = made.header("location").to_owned();
    let (page, _) = page.split_once('?').unwrap();
    assert_eq!(his.get(page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        his.fill("/my/connections", &format!("{page}/remove"), &[]).await.status,
        StatusCode::NOT_FOUND
    );
    let tried = hers.fill(page, &format!("{page}/test"), &[]).await;
    assert_eq!(tried.status, StatusCode::SEE_OTHER, "{}", tried.text);
    assert_eq!(
        (tracker.heard("p"), tracker.heard("is")),
        (vec!["10.00".to_owned()], vec!["conversion.created".to_owned()])
    );
    assert!(hers.get(page).await.text.contains("delivered"));
    site.api.sale(ana, &campaign, "A1").await;
    once(&PassOn, &site.api.workbench()).await.unwrap();
    once(&Tell, &site.api.workbench()).await.unwrap();
    let shown = hers.get(page).await.text;
    assert!(shown.contains("it answered with the status 503") && shown.contains("whsec_"), "{shown}");
    assert_eq!(tracker.heard("p"), ["10.00", "5.00"]);
    hers.fill(page, &format!("{page}/remove"), &[]).await;
    assert_eq!(hers.get(page).await.status, StatusCode::NOT_FOUND);
    let done = site.audit().await;
    assert!(
        done.ends_with(&["postback.created", "postback.tried", "postback.removed"].map(ToOwned::to_owned)),
        "{done:?}"
    );
}
