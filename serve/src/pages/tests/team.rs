//! The team's pages.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use crate::pages::{role::Role, testing::Site};

#[tokio::test]
async fn the_program_shows_who_brings_what() {
    let site = Site::start().await;
    let (ana, campaign) = (site.api.affiliate("Ana").await, site.api.campaign().await);
    site.api.sale(ana, &campaign, "A1").await;
    let mut ours = site.signed_in("tom@team.example", Role::Finance, None).await;
    let shown = ours.get("/team").await;
    assert!(shown.text.contains("5.00\u{a0}EUR") && shown.text.contains(">Ana</a>"), "{}", shown.text);
    assert!(ours.get("/team/partners?q=an&status=approved").await.text.contains(">Ana</a>"));
    assert!(!ours.get("/team/partners?q=bob").await.text.contains(">Ana</a>"));
    let one = ours.get(&format!("/team/partners/{ana}")).await;
    assert!(one.text.contains("People agreed on 5%"), "{}", one.text);
}

/// What the table of thirty days says of one.
fn day_of(page: &str, day: &str) -> String {
    let row = page.split("<tr>").find(|row| row.contains(&format!(">{day}<"))).unwrap_or_default();
    let told = row.split('>').map(|part| part.split('<').next().unwrap_or_default().trim());
    told.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_day_that_is_over_stays_as_it_was_counted_and_today_goes_on() {
    let site = Site::start().await;
    let (ana, campaign) = (site.api.affiliate("Ana").await, site.api.campaign().await);
    site.api.sale(ana, &campaign, "A1").await;
    site.api.app.clock.advance(TimeDelta::hours(25));
    let mut ours = site.signed_in("tom@team.example", Role::Finance, None).await;
    let mut shown = ours.get("/team").await.text;
    for (order, of_today) in [("A2", "0 0 –"), ("A3", "1 1 5.00\u{a0}EUR"), ("A4", "2 2 10.00\u{a0}EUR")] {
        assert_eq!(day_of(&shown, "2026-02-01"), "2026-02-01 1 1 5.00\u{a0}EUR");
        assert_eq!(day_of(&shown, "2026-02-02"), format!("2026-02-02 {of_today}"));
        site.api.sale(ana, &campaign, order).await;
        shown = ours.get("/team").await.text;
    }
    // Clicks are counted as they are stored; of the rest, what was counted of a day that is over is not looked at again.
    let clock = &site.api.app.clock;
    clock.advance(TimeDelta::hours(-24));
    site.api.sale(ana, &campaign, "A5").await;
    clock.advance(TimeDelta::hours(24));
    shown = ours.get("/team").await.text;
    assert_eq!(day_of(&shown, "2026-02-01"), "2026-02-01 2 1 5.00\u{a0}EUR");
    clock.advance(TimeDelta::hours(11) + TimeDelta::minutes(30));
    shown = ours.get("/team").await.text;
    assert_eq!(day_of(&shown, "2026-02-02"), "2026-02-02 3 3 15.00\u{a0}EUR");
    // What began before midnight may end a little after it.
    clock.advance(TimeDelta::hours(-1));
    site.api.sale(ana, &campaign, "A6").await;
    clock.advance(TimeDelta::hours(1));
    shown = ours.get("/team").await.text;
    assert_eq!(day_of(&shown, "2026-02-02"), "2026-02-02 4 4 20.00\u{a0}EUR");
}

#[tokio::test]
async fn a_partner_has_the_tier_that_a_job_gave_it_and_why() {
    let site = Site::start().await;
    let ana = site.api.affiliate("Ana").await;
    let mut ours = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let page = format!("/team/partners/{ana}");
    assert!(ours.get(&page).await.text.contains("Nobody has said it yet"));
    let of = |middle: f64| json!({"expected": middle, "lower": middle / 2.0, "upper": middle * 2.0});
    for tier in ["silver", "gold"] {
        let value = json!({"tier": tier, "chances": {"bronze": 0.1, "silver": 0.2, "gold": 0.7}, "basis": "customers",
                           "conversions": 12, "value_per_conversion": of(30.0), "cost_per_conversion": 5.0,
                           "expected_return": of(6.0), "reasons": "its customers come <again>"});
        let partners = json!([{"affiliate_id": ana, "value": value}]);
        site.api.made("/api/v1/partner-values", json!({"currency": "EUR", "partners": partners})).await;
    }
    let shown = ours.get(&page).await.text;
    assert!(
        shown.contains("Gold (before: Silver)")
            && shown.contains("30.00\u{a0}EUR (15.00\u{a0}EUR – 60.00\u{a0}EUR)"),
        "{shown}"
    );
    assert!(shown.contains("its customers come &#60;again&#62;"), "{shown}");
    assert!(ours.get("/team/partners").await.text.contains("<td class=\"spare\">Gold</td>"));
}

#[tokio::test]
async fn a_partner_who_suits_is_invited_or_dismissed_by_those_who_may() {
    let site = Site::start().await;
    let (ana, campaign) = (site.api.affiliate("Ana").await, site.api.campaign().await);
    let bob = site.api.affiliate("Bob").await;
    let page = format!("/team/campaigns/{campaign}");
    let mut analyst = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let shown = analyst.get(&page).await;
    assert!(shown.text.contains(">Ana</a>") && !shown.text.contains("value=\"invited\""), "{}", shown.text);
    let say = format!("{page}/say");
    let (ana_id, bob_id) = (ana.to_string(), bob.to_string());
    let invite = [("affiliate", ana_id.as_str()), ("kind", "invited")];
    assert_eq!(analyst.fill(&page, &say, &invite).await.status, StatusCode::FORBIDDEN);
    let mut manager = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    assert_eq!(manager.fill(&page, &say, &invite).await.status, StatusCode::SEE_OTHER);
    let dismiss = [("affiliate", bob_id.as_str()), ("kind", "dismissed")];
    assert_eq!(manager.fill(&page, &say, &dismiss).await.status, StatusCode::SEE_OTHER);
    let shown = manager.get(&page).await;
    assert!(!shown.text.contains(">Ana</a>") && !shown.text.contains(">Bob</a>"), "{}", shown.text);
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    assert!(hers.get("/my/rates").await.text.contains("Spring"));
    let audit = site.audit().await;
    assert!(audit.contains(&"match.invited".to_owned()) && audit.contains(&"match.dismissed".to_owned()));
}

#[tokio::test]
async fn models_are_moved_by_administrators_alone() {
    let site = Site::start().await;
    let mut manager = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let fields = [("version", "1"), ("why", "it is better")];
    let refused = manager.fill("/team/models", "/team/models/fraud/promote", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let mut admin = site.signed_in("ada@team.example", Role::Admin, None).await;
    let nothing = admin.fill("/team/models", "/team/models/fraud/promote", &fields).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND, "there is no registry: {}", nothing.text);
}

#[tokio::test]
async fn what_partners_write_of_themselves_stays_text() {
    let site = Site::start().await;
    let payload = "<img src=x onerror=alert(1)>\"'";
    let new = json!({"name": payload, "email": "ana@partner.example", "traffic_source": payload});
    let id = site.api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
    let mut ours = site.signed_in("tom@team.example", Role::Admin, None).await;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", payload).finish();
    for path in ["/team".to_owned(), format!("/team/partners?{query}"), format!("/team/partners/{id}")] {
        let shown = ours.get(&path).await;
        assert!(shown.text.contains("&#60;img") && !shown.text.contains("<img"), "{path}: {}", shown.text);
    }
}
