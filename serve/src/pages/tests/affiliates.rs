//! An affiliate's pages.

use axum::http::StatusCode;
use domain::{AffiliateId, click::Tags};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::pages::{
    role::Role,
    testing::{Browser, Site},
};

async fn of_affiliate<'a>(site: &'a Site, name: &str) -> (AffiliateId, Browser<'a>) {
    let id = site.api.affiliate(name).await;
    let email = format!("{}@partner.example", name.to_lowercase());
    (id, site.signed_in(&email, Role::Affiliate, Some(id)).await)
}

#[tokio::test]
async fn a_day_is_counted_and_told_by_campaign_and_as_a_file() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    site.api.click(ana, &campaign).await;
    site.api.sale(ana, &campaign, "A1").await;
    let shown = hers.get("/my").await;
    let values = ["clicks", "conversions", "earned"].map(|name| shown.value(name));
    assert_eq!(values, ["2", "1", "5.00\u{a0}EUR"], "{}", shown.text);
    let traffic = hers.get("/my/traffic").await.text;
    assert!(traffic.contains("Spring") && traffic.contains("50%"), "{traffic}");
    let file = hers.get("/my/traffic.csv?by=page&from=2026-02-01&to=2026-02-01").await;
    insta::assert_snapshot!(file.text, @r#"
    "page","clicks","conversions","commission","currency"
    "https://shop.example/",2,1,5.00,"EUR"
    "#);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let backwards = hers.get("/my/traffic.csv?from=2026-02-02&to=2026-02-01").await;
    assert_eq!(backwards.status, StatusCode::UNPROCESSABLE_ENTITY, "no file of other days");
    let before = hers.get("/my/traffic.csv?from=2026-01-01&to=2026-01-31").await;
    insta::assert_snapshot!(before.text, @r#""campaign","clicks","conversions","commission","currency""#);
    let wrong = hers.get("/my/traffic?from=yesterday").await;
    assert!(wrong.text.contains("“yesterday” is not a day"), "{}", wrong.text);
}

#[tokio::test]
async fn a_click_that_is_stored_rises_on_an_open_page() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    let answer = hers.open("/my/live").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut told = answer.into_body().into_data_stream();
    let mut next = async || -> Value {
        let event = String::from_utf8(told.next().await.unwrap().unwrap().into()).unwrap();
        serde_json::from_str(event.strip_prefix("data: ").unwrap_or(&event).trim()).unwrap()
    };
    assert_eq!(next().await, json!({"clicks": "0", "conversions": "0", "earned": "0"}));
    let db = &site.api.app.db;
    site.api.sale(ana, &campaign, "A1").await;
    site.pages.live.tick(db).await.unwrap();
    let risen = next().await;
    assert_eq!(risen, json!({"clicks": "1", "conversions": "1", "earned": "5.00\u{a0}EUR"}));
    assert_eq!(hers.get("/my").await.value("clicks"), "1");
}

#[tokio::test]
async fn a_page_that_is_left_open_does_not_keep_its_session() {
    let site = Site::start().await;
    let (_, mut hers) = of_affiliate(&site, "Ana").await;
    for _ in 0..2 {
        assert_eq!(hers.open("/my/live").await.status(), StatusCode::OK);
        site.api.app.clock.advance(chrono::TimeDelta::hours(7));
    }
    assert_eq!(hers.open("/my/live").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_conversion_says_how_credit_was_shared_and_money_computed() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    let sale = site.api.sale(ana, &campaign, "A1").await;
    assert!(hers.get("/my/conversions").await.text.contains(&sale));
    let page = hers.get(&format!("/my/conversions/{sale}")).await;
    for part in ["5% of 100.00 EUR is 5.00 EUR.", "last_click", "100%", "It becomes payable when"] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let balance = hers.get("/my/balance").await.text;
    let figure = |what: &str| {
        let after = balance.split_once(&format!("<dt>{what}</dt><dd>")).unwrap().1;
        after.split('<').next().unwrap().to_owned()
    };
    assert_eq!([figure("Accrued"), figure("Payable")], ["5.00\u{a0}EUR", "0.00\u{a0}EUR"]);
    site.api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
    assert!(hers.get("/my/balance").await.text.contains("<dt>Payable</dt><dd>5.00\u{a0}EUR"));
    let rates = hers.get(&format!("/my/rates/{campaign}")).await.text;
    for part in ["5%", "People agreed on 5%", "it does not move by itself"] {
        assert!(rates.contains(part), "{part}: {rates}");
    }
}

#[tokio::test]
async fn what_is_held_is_shown_apart_and_without_its_evidence() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    let sale = site.api.sale(ana, &campaign, "A1").await;
    site.api.made(&format!("/api/v1/conversions/{sale}/hold"), json!({})).await;
    let balance = hers.get("/my/balance").await.text;
    assert!(balance.contains("<dt>On hold</dt><dd>5.00\u{a0}EUR"), "{balance}");
    assert!(balance.contains("<dt>Accrued</dt><dd>0.00\u{a0}EUR"), "{balance}");
    let page = hers.get(&format!("/my/conversions/{sale}")).await.text;
    // Who held it, and why in detail, is the team's.
    assert!(page.contains("people look at it") && !page.contains("key_"), "{page}");
}

#[tokio::test]
async fn a_link_is_built_leads_only_where_it_may_and_is_printed() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    let join = format!("/my/campaigns/{campaign}/join");
    assert_eq!(hers.fill("/my/campaigns", &join, &[]).await.status, StatusCode::SEE_OTHER);
    let fields = [
        ("campaign", campaign.as_str()),
        ("landing_url", "https://shop.example/tents"),
        ("code", "spring"),
        ("utm_source", "mail"),
        ("sub1", "<b>\"bold\"</b>"),
        ("sub2", ""),
    ];
    let made = hers.fill("/my/links", "/my/links", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let (path, _) = made.header("location").split_once('?').unwrap();
    let page = hers.get(path).await.text;
    for part in [
        "https://go.example/c/spring",
        "https://shop.example/tents",
        "utm_source",
        "&#60;b&#62;&#34;bold&#34;",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let picture = hers.get(&format!("{path}/qr.svg")).await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.text.contains("<svg"));
    let listed = site.api.get(&format!("/api/v1/affiliates/{ana}/links")).await;
    assert_eq!(
        listed.body["data"][0]["custom_params"],
        json!({"sub1": "<b>\"bold\"</b>", "utm_source": "mail"})
    );
    let astray = [("campaign", campaign.as_str()), ("landing_url", "https://evil.example/"), ("code", "a/b")];
    let refused = hers.fill("/my/links", "/my/links", &astray).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.text.contains("Short code: it must be")
            && refused.text.contains("value=\"https://evil.example/\"")
    );
    let refused = hers.fill("/my/links", "/my/links", &astray[..2]).await;
    assert!(refused.text.contains("on one of its allowed hosts"), "{}", refused.text);
    assert_eq!(site.audit().await, ["session.begun", "campaign.joined", "link.created"]);
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let site = Site::start().await;
    let (ana, _) = of_affiliate(&site, "Ana").await;
    let (_, mut his) = of_affiliate(&site, "Bob").await;
    let campaign = site.api.campaign().await;
    let sale = site.api.sale(ana, &campaign, "A1").await;
    let link = site.api.get(&format!("/api/v1/affiliates/{ana}/links")).await.column("id")[0].to_owned();
    for path in [
        format!("/my/conversions/{sale}"),
        format!("/my/links/{link}"),
        format!("/my/links/{link}/qr.svg"),
        format!("/team/partners/{ana}"),
        "/my/conversions/cnv_01JH0000000000000000000000".to_owned(),
        "/my/links/nonsense".to_owned(),
        "/my/rates/cmp_01JH0000000000000000000000".to_owned(),
    ] {
        let shown = his.get(&path).await;
        assert_eq!(shown.status, StatusCode::NOT_FOUND, "{path}: {}", shown.text);
    }
    let mine = ["/my", "/my/conversions", "/my/links", "/my/balance", "/my/traffic.csv"];
    for path in mine {
        let shown = his.get(path).await.text;
        assert!(!shown.contains(&sale) && !shown.contains(&link) && !shown.contains("5.00"), "{path}");
    }
    let no_join = his.fill("/my/links", "/my/campaigns/cmp_01JH0000000000000000000000/join", &[]).await;
    assert_eq!(no_join.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sub_id_is_text_on_a_page_and_no_formula_in_a_file() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    let mut tags = Tags::default();
    tags.subs[0] = "=cmd|' /C calc'!A0".to_owned();
    tags.subs[1] = "<script>alert(1)</script>".to_owned();
    site.api.tagged_click(ana, &campaign, tags).await;
    let file = hers.get("/my/traffic.csv?by=sub1").await.text;
    assert!(file.contains("\n\"'=cmd|' /C calc'!A0\",1,0,\"\",\"\"\n"), "{file}");
    let page = hers.get("/my/traffic?by=sub2").await.text;
    assert!(
        page.contains("&#60;script&#62;alert(1)&#60;/script&#62;") && !page.contains("<script>"),
        "{page}"
    );
}

#[tokio::test]
async fn numbers_and_days_are_the_readers_own() {
    let site = Site::start().await;
    let (ana, mut hers) = of_affiliate(&site, "Ana").await;
    let campaign = site.api.campaign().await;
    site.api.sale(ana, &campaign, "A1").await;
    let wrong = [("locale", "klingon"), ("zone", "Mars/Base")];
    let refused = hers.fill("/settings", "/settings/preferences", &wrong).await;
    assert!(refused.text.contains("“klingon”") && refused.text.contains("“Mars/Base”"), "{}", refused.text);
    let german = [("locale", "de"), ("zone", "Europe/Berlin")];
    assert_eq!(hers.fill("/settings", "/settings/preferences", &german).await.status, StatusCode::SEE_OTHER);
    let shown = hers.get("/my/conversions").await.text;
    assert!(shown.contains("2026-02-01 13:00") && shown.contains("5,00\u{a0}EUR"), "{shown}");
}
