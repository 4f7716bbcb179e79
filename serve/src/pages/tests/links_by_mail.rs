//! Links that sign in and are asked for in the browser: whom they reach, and what nobody learns from asking.

use std::fs;

use axum::http::StatusCode;
use chrono::TimeDelta;

use crate::{
    mail::testing::MailServer,
    pages::{
        ask_link::LIFE,
        role::Role,
        testing::{PASSWORD, Site},
    },
    store,
};

const TOM: &str = "tom@team.example";

#[tokio::test]
async fn a_link_that_was_asked_for_comes_by_mail_and_signs_in_once() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    let mut browser = site.browser();
    assert!(browser.get("/sign-in").await.text.contains("href=\"/sign-in/link\""));
    let answer = browser.ask_for_link(" Tom@Team.example ").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/sign-in/link?asked=1"));
    let told = browser.get("/sign-in/link?asked=1").await;
    assert!(told.text.contains("We have sent a link if we know that address."), "{}", told.text);

    let letter = server.only();
    assert_eq!((letter.from.as_str(), letter.to.as_str()), ("no-reply@shop.example", TOM));
    let text = letter.read();
    for line in
        ["Subject: Your sign-in link for Tributary", "Auto-Submitted: auto-generated", "MIME-Version: 1.0"]
    {
        assert!(text.lines().any(|written| written == line), "{line}: {text}");
    }
    assert!(text.contains("\nhttps://partners.example/sign-in/link/"), "{text}");
    assert!(text.contains("It works within 30 minutes."), "{text}");

    assert_eq!(browser.follow(&letter.link()).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
    assert_eq!(site.browser().follow(&letter.link()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(site.audit().await, ["link.asked", "session.begun"]);
}

#[tokio::test]
async fn whoever_asks_for_somebodys_link_changes_neither_the_password_nor_a_session() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    let mut hers = site.signed_in(TOM, Role::Admin, None).await;
    site.browser().ask_for_link(TOM).await;
    assert_eq!(hers.get("/team").await.status, StatusCode::OK);
    assert_eq!(site.browser().sign_in(TOM, PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn who_is_unknown_or_disabled_is_told_the_same_and_gets_no_letter() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    let eve = site.user("eve@team.example", Role::Admin, None).await;
    let mut db = site.api.app.db.acquire().await.unwrap();
    store::users::disable(&mut db, eve, site.api.app.clock.now()).await.unwrap();
    drop(db);
    let mut told = Vec::new();
    for email in [TOM, "eve@team.example", "nobody@team.example", "no address"] {
        let answer = site.browser().ask_for_link(email).await;
        told.push((answer.status, answer.header("location").to_owned(), answer.text));
    }
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    assert_eq!(server.only().to, TOM);
    assert_eq!(site.audit().await, ["link.asked"], "what strangers type is not kept");
}

#[tokio::test]
async fn who_asks_too_often_waits_and_keeps_nobody_from_signing_in() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    let mut browser = site.browser();
    for _ in 0..5 {
        assert_eq!(browser.ask_for_link(TOM).await.status, StatusCode::SEE_OTHER);
    }
    let refused = browser.ask_for_link(TOM).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(server.taken().len(), 5);
    assert_eq!(site.browser().sign_in(TOM, PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_link_ends_when_another_is_used_and_after_half_an_hour() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    site.browser().ask_for_link(TOM).await;
    site.browser().ask_for_link(TOM).await;
    let [first, second] = server.taken().try_into().unwrap();
    assert_ne!(first.link(), second.link());
    site.api.app.clock.advance(LIFE - TimeDelta::minutes(1));
    let shown = site.browser().get(&first.link()).await;
    assert!(shown.text.contains(TOM), "whom it signs in: {}", shown.text);
    assert_eq!(site.browser().follow(&first.link()).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.browser().follow(&second.link()).await.status, StatusCode::UNAUTHORIZED);
    site.browser().ask_for_link(TOM).await;
    site.api.app.clock.advance(LIFE);
    let third = server.taken()[2].link();
    assert_eq!(site.browser().follow(&third).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_form_from_elsewhere_asks_for_nothing() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    let theirs = site.browser().get("/sign-in/link").await.form_token();
    for token in ["", "x", theirs.as_str()] {
        let answer = site.browser().post("/sign-in/link", &[("csrf", token), ("email", TOM)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    drop(site.links_brought().await);
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn nobody_can_ask_for_a_link_where_no_mail_leaves() {
    let site = Site::start().await;
    let mut browser = site.browser();
    let form = browser.get("/sign-in").await;
    assert!(!form.text.contains("/sign-in/link"), "{}", form.text);
    assert_eq!(browser.get("/sign-in/link").await.status, StatusCode::NOT_FOUND);
    let fields = [("csrf", form.form_token()), ("email", TOM.to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(browser.post("/sign-in/link", &fields).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_the_operator_wants_that_a_link_is_written_to_the_log() {
    let site = Site::logging("http://127.0.0.1:8080/").await;
    site.user(TOM, Role::Admin, None).await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(log.reopen().unwrap()).with_ansi(false).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let mut browser = site.browser();
    browser.ask_for_link(TOM).await;
    drop(logging);
    let log = fs::read_to_string(log.path()).unwrap();
    let (_, link) = log.split_once("http://127.0.0.1:8080").expect("the link is in the log");
    let link = link.split_whitespace().next().unwrap();
    assert_eq!(browser.follow(link).await.status, StatusCode::SEE_OTHER, "{link}");
    assert_eq!(browser.get("/team").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_puts_a_letter_off_is_asked_again_and_one_that_refuses_is_not() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    server.refuse_next("451 in a while");
    site.browser().ask_for_link(TOM).await;
    let link = server.only().link();
    assert_eq!(site.browser().follow(&link).await.status, StatusCode::SEE_OTHER);

    server.refuse_next("550 never");
    let answer = site.browser().ask_for_link(TOM).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn while_too_many_letters_are_on_their_way_the_answer_is_the_same() {
    let server = MailServer::start().await;
    let site = Site::mailing(&server).await;
    site.user(TOM, Role::Admin, None).await;
    let all_places = site.links_brought().await;
    let fields = [("email", TOM)];
    let answer = site.browser().fill("/sign-in/link", "/sign-in/link", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/sign-in/link?asked=1"));
    drop(all_places);
    drop(site.links_brought().await);
    assert!(server.taken().is_empty());
}
