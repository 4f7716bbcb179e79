//! The policy of rates: what is proposed, approved with notice and told to partners, and what it would have come to.

use axum::http::StatusCode;
use domain::AffiliateId;
use serde_json::json;

use crate::{
    api::rate_decisions::tests::Program,
    pages::{role::Role, testing::Site},
};

const PAGE: &str = "/team/rates";
const SHADOWS: &str = "/team/rates/shadows";
const APPROVE: &str = "/team/rates/approve";

async fn world() -> (Program, Site) {
    let program = Program::new().await;
    let site = Site::over(&program.api);
    (program, site)
}

/// Another partner with a contract.
async fn partner(program: &Program, name: &str) -> AffiliateId {
    let id = program.api.affiliate(name).await;
    program.agree(id).await;
    id
}

/// The box to tick for a decision.
fn tick(id: &str) -> String {
    format!("type=\"checkbox\" name=\"decision\" value=\"{id}\"")
}

#[tokio::test]
async fn what_a_shadow_proposes_is_approved_with_notice_and_told_to_the_partner() {
    let (program, site) = world().await;
    program.api.click(program.ana, &program.campaign).await;
    let shadow = program.in_shadow(program.ana, ("5%", "30")).await;
    program.later(5);
    let mut tom = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let shown = tom.get(PAGE).await.text;
    for part in [
        ">Ana</a>",
        "Spring",
        "5% → 9.9%",
        "+4.9\u{a0}pp",
        "what customers are worth",
        "2026-02-20 12:00",
        "3% to 15%; at most 5\u{a0}pp in 30 days; told 14 days before",
        &tick(&shadow),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let approved = tom.fill(PAGE, APPROVE, &[("decision", &shadow)]).await;
    assert_eq!(approved.header("location"), "/team/rates?done=1", "{}", approved.text);
    let shown = tom.get(approved.header("location")).await.text;
    assert!(
        shown.contains("Approved with notice: 1 rate.") && shown.contains("Nothing is proposed"),
        "{shown}"
    );
    assert!(shown.contains("<td class=\"num\">1</td><td>third-1</td>"), "it is announced: {shown}");
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(program.ana)).await;
    let told = hers.get("/my/rates").await.text;
    assert!(told.contains("9.9% from 2026-02-20 12:00 on"), "{told}");
    let told = hers.get(&format!("/my/rates/{}", program.campaign)).await.text;
    assert!(told.contains("The rate goes from 5% to 9.9%") && told.contains("2026-02-20 12:00"), "{told}");
    let plans = program.api.get(&format!("/api/v1/campaigns/{}/plans", program.campaign)).await;
    let newest = &plans.body["data"][0];
    assert_eq!((&newest["affiliate_id"], &newest["version"]), (&json!(program.ana), &json!(1)));
    let live = program.api.get("/api/v1/rate-decisions?mode=live").await;
    assert!(live.body["data"][0]["actor"].as_str().unwrap().starts_with("usr_"), "{live}");
    let again = tom.fill(PAGE, APPROVE, &[("decision", &shadow)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text.contains("Ana, Spring: it was approved already"), "{}", again.text);
    assert_eq!(program.announced("rate.changed").await, 1);
    assert_eq!(site.audit().await.iter().filter(|action| *action == "rate.approved").count(), 1);
    let decisions = tom.get("/team/rates/decisions").await.text;
    assert!(decisions.contains(">Shadow</span>") && decisions.contains(">Live</span>"), "{decisions}");
}

#[tokio::test]
async fn one_whose_rate_has_moved_keeps_all_out_and_what_was_ticked_is_kept() {
    let (program, site) = world().await;
    let bo = partner(&program, "Bo").await;
    let fine = program.in_shadow(program.ana, ("5%", "30")).await;
    let stale = program.in_shadow(bo, ("5%", "30")).await;
    program.pay(bo, "6%").await;
    let mut tom = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let why = "it was decided for a rate of 5%, and the rate is 6%; decide again";
    let shown = tom.get(PAGE).await.text;
    assert!(shown.contains(&format!("It cannot be approved: {why}")), "{shown}");
    assert!(shown.contains(&tick(&fine)) && !shown.contains(&tick(&stale)), "{shown}");
    let refused = tom.fill(PAGE, APPROVE, &[("decision", &fine), ("decision", &stale)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["Nothing was approved", &format!("Bo, Spring: {why}"), &format!("{} checked", tick(&fine))] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    let none = tom.fill(PAGE, APPROVE, &[]).await;
    assert!(none.text.contains("Tick what is to be approved."), "{}", none.text);
    assert_eq!(tom.fill(PAGE, APPROVE, &[("decision", "nonsense")]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(program.announced("rate.changed").await, 0);
    assert!(program.api.get("/api/v1/rate-decisions?mode=live").await.column("id").is_empty());
    assert!(!site.audit().await.contains(&"rate.approved".to_owned()));
}

#[tokio::test]
async fn all_that_is_shown_is_approved_at_once() {
    let (program, site) = world().await;
    let bo = partner(&program, "Bo").await;
    let shadows =
        [program.in_shadow(program.ana, ("5%", "30")).await, program.in_shadow(bo, ("5%", "30")).await];
    let mut tom = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let shown = tom.get(PAGE).await.text;
    let mut hidden = shadows.iter().map(|id| format!("name=\"shown\" value=\"{id}\""));
    assert!(hidden.all(|field| shown.contains(&field)), "{shown}");
    let fields = [("all", "yes"), ("shown", shadows[0].as_str()), ("shown", &shadows[1])];
    let approved = tom.fill(PAGE, APPROVE, &fields).await;
    assert_eq!(approved.header("location"), "/team/rates?done=2", "{}", approved.text);
    assert_eq!(program.announced("rate.changed").await, 2);
}

#[tokio::test]
async fn who_does_not_lead_partners_sees_what_is_proposed_and_approves_nothing() {
    let (program, site) = world().await;
    let shadow = program.in_shadow(program.ana, ("5%", "30")).await;
    let fields = [("decision", shadow.as_str())];
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let shown = fay.get(PAGE).await.text;
    assert!(
        shown.contains("5% → 9.9%") && !shown.contains(APPROVE) && !shown.contains(&tick(&shadow)),
        "{shown}"
    );
    assert_eq!(fay.fill(PAGE, APPROVE, &fields).await.status, StatusCode::FORBIDDEN);
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(program.ana)).await;
    assert_eq!(hers.fill("/my/rates", APPROVE, &fields).await.status, StatusCode::NOT_FOUND);
    let mut tom = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let forged = tom.post(APPROVE, &[&[("csrf", "x")], &fields[..]].concat()).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert_eq!(program.announced("rate.changed").await, 0);
}

#[tokio::test]
async fn a_shadow_is_shown_beside_what_conversions_earned_while_its_rate_would_have_held() {
    let (program, site) = world().await;
    let sale = async |order: &str| program.api.sale(program.ana, &program.campaign, order).await;
    let bo = partner(&program, "Bo").await;
    program.in_shadow(program.ana, ("5%", "30")).await;
    program.in_shadow(bo, ("5%", "15")).await;
    program.later(13);
    sale("A0").await;
    program.later(2);
    sale("A1").await;
    sale("A2").await;
    let refused = sale("A3").await;
    program.api.made(&format!("/api/v1/conversions/{refused}/reject"), json!({"reason": "terms"})).await;
    program.api.sale(bo, &program.campaign, "B1").await;
    let mut tom = site.signed_in("tom@team.example", Role::Finance, None).await;
    let shown = tom.get(SHADOWS).await.text;
    let counted =
        ["2", "2", "1", "0", "1", "+2.45\u{a0}pp", "0", "0", "2", "10.00\u{a0}EUR", "19.80\u{a0}EUR"];
    let cells: String = counted.iter().map(|cell| format!("<td class=\"num\">{cell}</td>")).collect();
    assert!(shown.contains(&format!("third-1</th>{cells}</tr>")), "{cells}: {shown}");
    program.later(30);
    tom.sign_in("tom@team.example", crate::pages::testing::PASSWORD).await;
    let later = tom.get(SHADOWS).await.text;
    assert!(later.contains("No shadow has decided anything in the last 30 days."), "{later}");
}

#[tokio::test]
async fn the_rates_in_force_are_told_by_campaign() {
    let (program, site) = world().await;
    for (name, rate) in [("Bo", "8%"), ("Cy", "7%")] {
        let partner = partner(&program, name).await;
        program.pay(partner, "6%").await;
        program.pay(partner, rate).await;
    }
    let mut tom = site.signed_in("tom@team.example", Role::Finance, None).await;
    let shown = tom.get(PAGE).await.text;
    let cells: String =
        ["3", "5%", "7%", "8%", "0"].iter().map(|cell| format!("<td class=\"num\">{cell}</td>")).collect();
    assert!(shown.contains(&format!(">Spring</a></th>{cells}<td>–</td>")), "{cells}: {shown}");
    assert!(shown.contains("Nothing is proposed"), "{shown}");
}
