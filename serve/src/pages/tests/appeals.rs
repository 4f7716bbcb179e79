//! A partner answers about what is held or was turned down, by a form of its own page.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use super::fraud::{held, live, page_of_case};
use crate::pages::role::Role;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partner_answers_by_a_form_once_and_the_case_shows_it() {
    let (world, site) = live().await;
    let id = held(&world, "A1").await;
    let (page, appeal) = (format!("/my/conversions/{id}"), format!("/my/conversions/{id}/appeal"));
    let payload = "<script>alert(1)</script>\r\nIt is our newsletter of May.";
    let answer =
        [("evidence", payload), ("links", "https://ana.example/may\r\n\r\nhttps://ana.example/june")];
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(world.affiliate)).await;
    let early = hers.get(&page).await.text;
    assert!(early.contains("people look at it") && !early.contains("name=\"evidence\""), "{early}");
    assert_eq!(
        hers.fill("/my", &appeal, &answer).await.status,
        StatusCode::NOT_FOUND,
        "nor can it be answered"
    );
    world.api.app.clock.advance(TimeDelta::days(2));
    hers.sign_in("ana@partner.example", crate::pages::testing::PASSWORD).await;
    let shown = hers.get(&page).await.text;
    let sentence = "The clicks or conversions form a pattern that visitors do not usually make.";
    assert!(shown.contains(sentence) && shown.contains("name=\"evidence\""), "{shown}");
    assert!(!shown.contains("too soon"), "which rule it was is not told: {shown}");
    let holds = hers.get("/my/holds").await.text;
    assert!(holds.contains(sentence) && holds.contains("You can answer once"), "{holds}");
    let wrong = hers.fill(&page, &appeal, &[("evidence", "ours"), ("links", "javascript:alert(1)")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains(">ours</textarea>") && wrong.text.contains(">javascript:alert(1)</textarea>"),
        "{}",
        wrong.text
    );
    let links = (0..11).map(|page| format!("https://ana.example/{page}")).collect::<Vec<_>>().join("\n");
    let many = hers.fill(&page, &appeal, &[("evidence", "ours"), ("links", &links)]).await;
    assert!(many.text.contains("At most 10 pages are taken"), "{}", many.text);
    let answered = hers.fill(&page, &appeal, &answer).await;
    assert_eq!(answered.header("location"), format!("{page}?done=answered"), "{}", answered.text);
    let after = hers.get(&page).await.text;
    assert!(after.contains("It is decided by 2026-02-10") && !after.contains("name=\"evidence\""), "{after}");
    let twice = hers.fill("/my", &appeal, &answer).await;
    assert!(twice.text.contains("was answered before"), "{}", twice.text);
    // Nobody else is told that there is anything.
    let bo = world.api.affiliate("Bo").await;
    let mut his = site.signed_in("bo@partner.example", Role::Affiliate, Some(bo)).await;
    assert_eq!(his.fill("/my", &appeal, &answer).await.status, StatusCode::NOT_FOUND);
    assert!(!his.get("/my/holds").await.text.contains(&id));
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    assert!(fay.get("/team/cases").await.text.contains("appeal"));
    let case = page_of_case(&world).await;
    let shown = fay.get(&case).await.text;
    for part in [
        "&#60;script&#62;alert(1)&#60;/script&#62;\nIt is our newsletter of May.",
        "<a href=\"https://ana.example/june\" rel=\"noopener noreferrer nofollow\"",
        "waits, due 2026-02-10",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("<script>alert"), "{shown}");
    let fields = [("act", "approve"), ("revision", "2")];
    assert_eq!(fay.fill(&case, &case, &fields).await.status, StatusCode::SEE_OTHER);
    assert!(hers.get("/my/holds").await.text.contains("You have answered, and were right"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_turned_down_is_answered_for_a_month_and_no_longer() {
    let (world, site) = live().await;
    let id = held(&world, "A1").await;
    let case = page_of_case(&world).await;
    let decision = json!({"revision": 1, "outcome": "reject", "reason": "fraud"});
    world.api.made(&format!("/api/v1{}/decide", case.trim_start_matches("/team")), decision).await;
    world.api.app.clock.advance(TimeDelta::days(2));
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(world.affiliate)).await;
    let page = format!("/my/conversions/{id}");
    let shown = hers.get(&page).await.text;
    assert!(shown.contains("Until 2026-03-03") && shown.contains("name=\"evidence\""), "{shown}");
    world.api.app.clock.advance(TimeDelta::days(29));
    hers.sign_in("ana@partner.example", crate::pages::testing::PASSWORD).await;
    let shown = hers.get(&page).await.text;
    assert!(shown.contains("It can be answered no more") && !shown.contains("name=\"evidence\""), "{shown}");
    let late = hers.fill("/my", &format!("{page}/appeal"), &[("evidence", "late")]).await;
    assert!(late.text.contains("can be answered no more"), "{}", late.text);
}
