//! Signing in and out.

use axum::http::StatusCode;
use chrono::TimeDelta;

use crate::{
    pages::{
        role::Role,
        sign_in::WINDOW,
        testing::{PASSWORD, Site},
        token::Token,
    },
    store,
};

#[tokio::test]
async fn a_session_is_a_new_secret_in_a_cookie_that_no_script_reads() {
    let site = Site::start().await;
    site.user("tom@team.example", Role::Admin, None).await;
    let mut browser = site.browser();
    let answer = browser.sign_in("Tom@Team.example", PASSWORD).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-tributary="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert_eq!(browser.get("/").await.header("location"), "/team");
    // Signing in again gives another secret, and the one before ends.
    let mut before = site.browser();
    before.take_over(&browser);
    browser.sign_in("tom@team.example", PASSWORD).await;
    assert_ne!(before.cookies(), browser.cookies());
    assert_eq!(before.get("/team").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
    assert_eq!(site.audit().await, ["session.begun", "session.begun"]);
}

#[tokio::test]
async fn on_this_machine_alone_a_cookie_needs_no_tls() {
    let site = Site::at("http://127.0.0.1:8080/").await;
    site.user("tom@team.example", Role::Admin, None).await;
    let answer = site.browser().sign_in("tom@team.example", PASSWORD).await;
    assert!(answer.header("set-cookie").ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(answer.header("strict-transport-security"), "");
    let elsewhere = Site::at("http://partners.example/").await;
    let form = elsewhere.browser().get("/sign-in").await;
    assert!(form.header("set-cookie").contains("; Secure"));
}

#[tokio::test]
async fn who_is_unknown_and_who_is_wrong_are_told_the_same() {
    let site = Site::start().await;
    site.user("tom@team.example", Role::Admin, None).await;
    let mut told = Vec::new();
    for (email, password) in [("tom@team.example", "wrong"), ("nobody@team.example", PASSWORD)] {
        let mut browser = site.browser();
        let answer = browser.sign_in(email, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let token = answer.form_token();
        told.push(answer.text.replace(email, "EMAIL").replace(&token, "TOKEN"));
        assert!(!browser.cookies().contains("__Host-tributary="));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(site.audit().await, ["session.refused", "session.refused"]);
}

#[tokio::test]
async fn what_is_no_text_is_refused_and_nothing_breaks() {
    let site = Site::start().await;
    let refused = site.browser().sign_in("a\0@x.example", PASSWORD).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
    let refused = browser.get("/team/partners?q=%00").await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    let refused = site.api.get("/api/v1/cases?reason=%00").await;
    assert_eq!(refused.problem(), "400 malformed_query:  [/reason: it holds a character that is no text]");
}

#[tokio::test]
async fn who_tries_too_often_waits_even_with_the_right_password_and_another_process() {
    let site = Site::start().await;
    site.user("tom@team.example", Role::Admin, None).await;
    let mut browser = site.browser();
    for _ in 0..10 {
        assert_eq!(browser.sign_in("tom@team.example", "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = browser.sign_in("tom@team.example", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    site.api.app.clock.advance(WINDOW);
    assert_eq!(browser.sign_in("tom@team.example", PASSWORD).await.status, StatusCode::SEE_OTHER);
    // Whoever signed in begins anew.
    for _ in 0..10 {
        assert_eq!(
            site.browser().sign_in("tom@team.example", "wrong").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_left_when_it_is_idle_and_when_it_is_old() {
    let site = Site::start().await;
    let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
    let clock = &site.api.app.clock;
    for _ in 0..15 {
        clock.advance(TimeDelta::hours(11));
        assert_eq!(browser.get("/team").await.status, StatusCode::OK);
    }
    clock.advance(TimeDelta::hours(11));
    assert_eq!(browser.get("/team").await.status, StatusCode::SEE_OTHER, "it is older than a week");
    browser.sign_in("tom@team.example", PASSWORD).await;
    clock.advance(TimeDelta::hours(13));
    assert_eq!(browser.get("/team").await.status, StatusCode::SEE_OTHER, "it was idle");
    browser.sign_in("tom@team.example", PASSWORD).await;
    let mut copy = site.browser();
    copy.take_over(&browser);
    assert_eq!(browser.fill("/team", "/sign-out", &[]).await.header("location"), "/sign-in");
    assert_eq!(copy.get("/team").await.status, StatusCode::SEE_OTHER, "it ended for everybody who has it");
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once() {
    let site = Site::start().await;
    let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
    let mut db = site.api.app.db.acquire().await.unwrap();
    let tom = store::users::find(&mut db, "tom@team.example").await.unwrap().unwrap();
    store::users::disable(&mut db, tom.id, site.api.app.clock.now()).await.unwrap();
    assert_eq!(browser.get("/team").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.sign_in("tom@team.example", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let site = Site::start().await;
    let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
    let mut other = site.signed_in("eve@team.example", Role::Admin, None).await;
    let stolen = other.get("/settings").await.form_token();
    for token in ["", "x", stolen.as_str()] {
        let answer = browser.post("/sign-out", &[("csrf", token)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    // Nor does a browser sign in by somebody else's form.
    let theirs = site.browser().get("/sign-in").await.form_token();
    let fields = [("csrf", theirs.as_str()), ("email", "eve@team.example"), ("password", PASSWORD)];
    assert_eq!(site.browser().post("/sign-in", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_link_signs_in_once_by_its_button_and_not_by_being_looked_at() {
    let site = Site::start().await;
    let user = site.user("tom@team.example", Role::Admin, None).await;
    let app = &site.api.app;
    let new_link = async || {
        let (token, now) = (Token::new(&app.chance), app.clock.now());
        let life = (now, now + TimeDelta::hours(24));
        store::sessions::insert_link(&mut app.db.acquire().await.unwrap(), token.hash(), user, life)
            .await
            .unwrap();
        token.reveal()
    };
    let (link, mut browser) = (new_link().await, site.browser());
    let page = format!("/sign-in/link/{link}");
    for _ in 0..3 {
        assert_eq!(browser.get(&page).await.status, StatusCode::OK);
    }
    assert_eq!(browser.follow(&page).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
    let again = site.browser().follow(&page).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    let late = format!("/sign-in/link/{}", new_link().await);
    app.clock.advance(TimeDelta::hours(24));
    let late = site.browser().follow(&late).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let site = Site::start().await;
    let mut browser = site.signed_in("tom@team.example", Role::Admin, None).await;
    let mut other = site.browser();
    other.sign_in("tom@team.example", PASSWORD).await;
    let new = "another one for tests";
    let mut change = async |current: &str, new: &str, again: &str| {
        let fields = [("current", current), ("new", new), ("again", again)];
        browser.fill("/settings", "/settings/password", &fields).await.status
    };
    assert_eq!(change("wrong", new, new).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, "short", "short").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, new, "another").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, new, new).await, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
    assert_eq!(other.get("/team").await.status, StatusCode::SEE_OTHER);
    assert_eq!(other.sign_in("tom@team.example", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.sign_in("tom@team.example", new).await.status, StatusCode::SEE_OTHER);
}
