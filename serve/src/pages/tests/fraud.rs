//! Whoever looks at what may be fraud: cases, rings and rules, by forms alone.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    api::{rings::tests::Market, scores::tests::World},
    pages::{
        role::Role,
        testing::{Browser, Shown, Site},
    },
    store,
};

/// A world that holds, with its pages.
pub async fn live() -> (World, Site) {
    let world = World::new().await;
    world.go_live(0).await;
    let site = Site::over(&world.api);
    (world, site)
}

/// A server's program that orders two seconds after its click.
pub async fn held(world: &World, order: &str) -> String {
    let click = world.click("198.51.100.0", "curl/8.5.0", 2).await;
    let sale = world.sale(click, order).await;
    assert_eq!(sale["status"], "on_hold");
    sale["id"].as_str().unwrap().to_owned()
}

async fn cases(world: &World) -> Vec<Value> {
    world.api.get("/api/v1/cases").await.body["data"].as_array().unwrap().clone()
}

/// The page of the only case.
pub async fn page_of_case(world: &World) -> String {
    let cases = cases(world).await;
    assert_eq!(cases.len(), 1, "{cases:?}");
    format!("/team/cases/{}", cases[0]["id"].as_str().unwrap())
}

/// Fills in a form of a case as it was seen.
async fn send(browser: &mut Browser<'_>, page: &str, seen: &Shown, fields: &[(&str, &str)]) -> Shown {
    let (csrf, revision) = (seen.form_token(), seen.revision());
    browser.post(page, &[&[("csrf", csrf.as_str()), ("revision", &revision)], fields].concat()).await
}

async fn lines(world: &World, conversion: &str) -> String {
    let listed = world.api.get(&format!("/api/v1/commissions?conversion_id={conversion}")).await;
    let line = |line: &Value| {
        format!("{} {}", line["amount"]["value"].as_str().unwrap(), line["status"].as_str().unwrap())
    };
    let mut lines: Vec<String> = listed.body["data"].as_array().unwrap().iter().map(line).collect();
    lines.reverse();
    lines.join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_analyst_decides_a_case_by_its_form_and_money_and_labels_follow() {
    let (world, site) = live().await;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let queue = fay.get("/team/cases").await.text;
    for part in ["Ana", "The conversion came too soon after its click", "10.00\u{a0}EUR", "due in 2 days"] {
        assert!(queue.contains(part), "{part}: {queue}");
    }
    assert!(fay.get("/team/cases?mine=1").await.text.contains("No case is like that"));
    let page = page_of_case(&world).await;
    let seen = fay.get(&page).await;
    for part in [
        "The conversion came too soon after its click: 2, and the limit is 10.",
        "Whole seconds from the click to the conversion; below zero when clocks disagree</th><td class=\"wrap\">2</td><td>limit 10",
        "Clicked for A1, from https://blog.example/ · desktop DE · curl/8.5.0",
        "Converted: A2, 100.00\u{a0}EUR",
        "Case opened with A1",
        "A2 joined the case",
        "<rect class=\"part\" x=\"50.0\" y=\"0\" width=\"50.0\"",
    ] {
        assert!(seen.text.contains(part), "{part}: {}", seen.text);
    }
    let taken = send(&mut fay, &page, &seen, &[("act", "take")]).await;
    assert!(taken.header("location").ends_with("?done=take"), "{}", taken.text);
    assert!(fay.get("/team/cases?mine=1").await.text.contains("fay@team.example"));
    let seen = fay.get(&page).await;
    let decided = send(&mut fay, &page, &seen, &[("act", "approve"), ("text", "The shop's own test.")]).await;
    assert_eq!(decided.status, StatusCode::SEE_OTHER, "{}", decided.text);
    let after = fay.get(decided.header("location")).await.text;
    assert!(
        after.contains("its commissions are payable") && after.contains("The shop&#39;s own test."),
        "{after}"
    );
    for id in &ids {
        assert_eq!(lines(&world, id).await, "5.00 payable");
    }
    let labels = world.api.get("/api/v1/cases/labels").await;
    assert_eq!(labels.column("verdict"), ["honest", "honest"]);
    assert_eq!(labels.body["data"][0]["actor"]["kind"], "user", "people are told apart as users");
    let audit = site.audit().await;
    assert_eq!(audit, ["session.begun", "case.assigned", "case.decided"]);
    assert!(fay.get("/team/cases").await.text.contains("Nothing waits"));
    let again = send(&mut fay, &page, &seen, &[("act", "reject"), ("reason", "fraud")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text.contains("It is decided already"), "{}", again.text);
    let announced = world.api.announced().await;
    assert_eq!(announced.iter().filter(|kind| *kind == "case.decided").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_happened_meanwhile_is_told_and_what_was_typed_is_not_lost() {
    let (world, site) = live().await;
    let first = held(&world, "A1").await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let page = page_of_case(&world).await;
    let seen = fay.get(&page).await;
    held(&world, "A2").await;
    let why = "A server ordered,\r\nand <b>nobody</b> else.";
    let refused =
        send(&mut fay, &page, &seen, &[("act", "reject"), ("reason", "terms"), ("text", why)]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    for part in [
        "Something happened since you looked",
        "Tributary: A2 joined the case",
        "A server ordered,\nand &#60;b&#62;nobody&#60;/b&#62; else.</textarea>",
        "value=\"terms\" selected",
    ] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    assert_eq!(lines(&world, &first).await, "5.00 accrued");
    // What is shown now may be decided with the form as it is.
    let decided =
        send(&mut fay, &page, &refused, &[("act", "reject"), ("reason", "terms"), ("text", why)]).await;
    assert_eq!(decided.status, StatusCode::SEE_OTHER, "{}", decided.text);
    assert_eq!(lines(&world, &first).await, "5.00 accrued, -5.00 accrued");
    assert!(world.api.get("/api/v1/cases/labels").await.column("id").is_empty(), "terms are not fraud");
    let empty = fay.fill(&page, &page, &[("act", "comment"), ("revision", "9")]).await;
    assert!(empty.text.contains("Note: it must have 1 to 4000 characters"), "{}", empty.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_those_who_review_fraud_decide_and_partners_see_none_of_it() {
    let (world, site) = live().await;
    held(&world, "A1").await;
    let page = page_of_case(&world).await;
    for role in [Role::PartnershipManager, Role::Finance] {
        let mut reader = site.signed_in(&format!("{role}@team.example"), role, None).await;
        let seen = reader.get(&page).await;
        assert!(
            seen.text.contains("You can read this") && !seen.text.contains("name=\"act\""),
            "{}",
            seen.text
        );
        let fields =
            [("act", "approve"), ("revision", "1"), ("note", "x"), ("replaces", "1"), ("outcome", "approve")];
        for path in [
            &page,
            "/team/cases/chosen",
            "/team/cases/decide",
            "/team/rules/quick_conversion",
            "/team/rings/x/declare",
        ] {
            let refused = reader.fill("/team/cases", path, &fields).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(world.affiliate)).await;
    assert_eq!(hers.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        hers.fill("/my", &page, &[("act", "approve"), ("revision", "1")]).await.status,
        StatusCode::NOT_FOUND
    );
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    for nowhere in [
        "/team/cases/cas_01JH0000000000000000000000",
        "/team/cases/x",
        "/team/cases?partner=x",
        "/team/rings/x",
        "/team/rules/x",
        "/team/rules?campaign=cmp_01JH0000000000000000000000",
    ] {
        assert_eq!(fay.get(nowhere).await.status, StatusCode::NOT_FOUND, "{nowhere}");
    }
    assert_eq!(cases(&world).await.len(), 1, "nothing was decided");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_much_hangs_on_it_two_people_decide() {
    let (world, site) = live().await;
    let limit = json!({"four_eyes_above": {"EUR": {"value": "4.99", "currency": "EUR"}}});
    world.api.made("/api/v1/cases/settings", json!({"replaces": 0, "settings": limit})).await;
    let id = held(&world, "A1").await;
    let page = page_of_case(&world).await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let mut gil = site.signed_in("gil@team.example", Role::FraudAnalyst, None).await;
    let seen = fay.get(&page).await;
    let proposed =
        send(&mut fay, &page, &seen, &[("act", "reject"), ("reason", "fraud"), ("text", "A server.")]).await;
    assert!(proposed.header("location").ends_with("?done=proposed"), "{}", proposed.text);
    assert_eq!(lines(&world, &id).await, "5.00 accrued");
    let own = fay.get(&page).await;
    assert!(own.text.contains("You proposed it") && !own.text.contains("value=\"confirm\""), "{}", own.text);
    let refused = send(&mut fay, &page, &own, &[("act", "confirm")]).await;
    assert!(
        refused.status == StatusCode::CONFLICT && refused.text.contains("Somebody else has to confirm it"),
        "{}",
        refused.text
    );
    let seen = gil.get(&page).await;
    assert!(seen.text.contains("Turned down: it was not genuine"), "{}", seen.text);
    let confirmed = send(&mut gil, &page, &seen, &[("act", "confirm"), ("text", "So it is.")]).await;
    assert_eq!(confirmed.status, StatusCode::SEE_OTHER, "{}", confirmed.text);
    assert_eq!(lines(&world, &id).await, "5.00 accrued, -5.00 accrued");
    let labels = world.api.get("/api/v1/cases/labels").await;
    assert_eq!(
        (labels.column("verdict"), &labels.body["data"][0]["actor"]["name"]),
        (vec!["fraud"], &json!("gil@team.example"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_are_decided_at_once_after_their_sums_were_seen_or_none() {
    let (world, site) = live().await;
    let first = held(&world, "A1").await;
    let bo = world.api.affiliate("Bo").await;
    let second = world.api.sale(bo, &world.campaign, "B1").await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let ticked: Vec<String> =
        cases(&world).await.iter().map(|case| format!("case-{}", case["id"].as_str().unwrap())).collect();
    let none = fay.fill("/team/cases", "/team/cases/chosen", &[("outcome", "approve")]).await;
    assert!(none.text.contains("Tick at least one case"), "{}", none.text);
    let fields = [
        (ticked[0].as_str(), "1"),
        (ticked[1].as_str(), "1"),
        ("outcome", "approve"),
        ("reason", "fraud"),
        ("note", "a sale of ours"),
    ];
    let sums = fay.fill("/team/cases", "/team/cases/chosen", &fields).await;
    assert!(sums.text.contains("<dd>10.00\u{a0}EUR</dd>") && sums.text.contains(">Bo</a>"), "{}", sums.text);
    assert_eq!(lines(&world, &first).await, "5.00 accrued", "nothing is done yet");
    let stale = [fields[0], (fields[1].0, "0"), fields[2], fields[4]];
    let refused = fay.fill("/team/cases", "/team/cases/decide", &stale).await;
    assert!(
        refused.text.contains("Nothing was decided") && refused.text.contains("Something happened since"),
        "{}",
        refused.text
    );
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let kept = refused.text.matches(" checked").count();
    assert!(kept == 2 && refused.text.contains("value=\"a sale of ours\""), "{}", refused.text);
    assert_eq!(lines(&world, &first).await, "5.00 accrued");
    let decided = fay.fill("/team/cases", "/team/cases/decide", &fields).await;
    assert_eq!(decided.header("location"), "/team/cases?done=batch", "{}", decided.text);
    assert_eq!(
        (lines(&world, &first).await, lines(&world, &second).await),
        ("5.00 payable".to_owned(), "5.00 payable".to_owned())
    );
    let labels = world.api.get("/api/v1/cases/labels").await;
    assert_eq!(labels.body["data"][0]["weight"], "50%", "people look less at each of many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_reads_on_comes_to_the_neighbours_of_a_case_by_links_and_by_keys() {
    let (world, site) = live().await;
    held(&world, "A1").await;
    let bo = world.api.affiliate("Bo").await;
    world.api.sale(bo, &world.campaign, "B1").await;
    let pages: Vec<String> = cases(&world)
        .await
        .iter()
        .map(|case| format!("/team/cases/{}", case["id"].as_str().unwrap()))
        .collect();
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let (first, last) = (fay.get(&pages[0]).await.text, fay.get(&pages[1]).await.text);
    assert!(
        first.contains(&format!("<a href=\"{}\" data-key=\"j\"", pages[1]))
            && !first.contains("data-key=\"k\""),
        "{first}"
    );
    assert!(
        last.contains(&format!("<a href=\"{}\" data-key=\"k\"", pages[0]))
            && !last.contains("data-key=\"j\""),
        "{last}"
    );
    let alone = fay.get(&format!("{}?reason=by_hand", pages[0])).await.text;
    assert!(!alone.contains("data-key=\"k\""), "{alone}");
    for key in ["a", "r", "l", "n", "?"] {
        assert!(first.contains(&format!("data-key=\"{key}\"")), "{key}");
    }
    let script = fay.get(&crate::pages::frame::KEYS_PATH).await.text;
    assert!(!script.contains("submit"), "no key sends a form");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_others_wrote_stays_text_beside_a_case() {
    let (world, site) = live().await;
    let payload = "<img src=x onerror=alert(1)>\"'";
    let click = world.click("198.51.100.0", payload, 2).await;
    let mut db = world.api.app.db.acquire().await.unwrap();
    store::links::set_subs(&mut db, click, &[payload.to_owned()]).await.unwrap();
    drop(db);
    world.sale(click, payload).await;
    let page = page_of_case(&world).await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    for act in ["comment", "ask"] {
        let seen = fay.get(&page).await;
        assert_eq!(
            send(&mut fay, &page, &seen, &[("act", act), ("text", payload)]).await.status,
            StatusCode::SEE_OTHER
        );
    }
    for path in [page, "/team/cases".to_owned()] {
        let shown = fay.get(&path).await.text;
        assert!(!shown.contains("<img"), "{path}: {shown}");
    }
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(world.affiliate)).await;
    let holds = hers.get("/my/holds").await.text;
    assert!(holds.contains("you were asked") && !holds.contains("<img"), "{holds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rule_is_changed_after_its_effect_on_the_past_was_seen() {
    let world = World::new().await;
    world.catch_up().await;
    let site = Site::over(&world.api);
    let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
    let sale = world.sale(world.click("192.0.2.0", browser, 15).await, "A1").await;
    world.api.made(&format!("/api/v1/conversions/{}/approve", sale["id"].as_str().unwrap()), json!({})).await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let page = "/team/rules/quick_conversion";
    assert!(fay.get("/team/rules").await.text.contains("limit 10 seconds"));
    let change = |limit, step, replaces| {
        [
            ("on", "yes"),
            ("weight", "70"),
            ("limit", limit),
            ("limit_returning", "2"),
            ("step", step),
            ("replaces", replaces),
            ("note", "servers wait longer now"),
        ]
    };
    let seen = fay.fill(page, page, &change("20", "preview", "0")).await;
    assert!(
        seen.text
            .contains("would have flagged 1 more of 1 conversions, 1 of them later approved, and spared 0"),
        "{}",
        seen.text
    );
    assert!(
        seen.text.contains(sale["id"].as_str().unwrap()) && seen.text.contains("value=\"save\""),
        "{}",
        seen.text
    );
    assert_eq!(world.api.get("/api/v1/fraud/settings").await.body["version"], 0, "nothing is saved yet");
    for (limit, told) in
        [("1000", "it has to be from 1 to 120"), ("ten", "“ten” is no number"), ("10", "how it is already")]
    {
        let refused = fay.fill(page, page, &change(limit, "preview", "0")).await;
        assert!(
            refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.text.contains(told),
            "{limit}: {}",
            refused.text
        );
    }
    let saved = fay.fill(page, page, &change("20", "save", "0")).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    let settings = world.api.get("/api/v1/fraud/settings").await.body;
    assert_eq!(
        settings["settings"]["rules"]["rules"],
        json!({"quick_conversion": {"parameters": {"limit": 20.0}}})
    );
    assert_eq!(world.api.app.scorer.in_force().version, 1, "it counts at once");
    let stale = fay.fill(page, page, &change("30", "save", "0")).await;
    assert!(
        stale.text.contains("Version 1 came in force meanwhile (servers wait longer now)")
            && stale.text.contains("value=\"30\"")
            && stale.text.contains("name=\"note\" value=\"servers wait longer now\"")
            && !stale.text.contains("value=\"save\""),
        "{}",
        stale.text
    );
    let campaign = [&change("20", "save", "1")[1..], &[("campaign", world.campaign.as_str())]].concat();
    assert_eq!(fay.fill(page, page, &campaign).await.status, StatusCode::SEE_OTHER);
    let settings = world.api.get("/api/v1/fraud/settings").await.body;
    assert_eq!(
        settings["settings"]["rules"]["campaigns"][&world.campaign],
        json!({"quick_conversion": {"on": false}})
    );
    let rules = fay.get("/team/rules").await.text;
    assert!(
        rules.contains("limit 20 seconds") && rules.contains("fay@team.example: servers wait longer now"),
        "{rules}"
    );
    assert_eq!(site.audit().await, ["session.begun", "rule.changed", "rule.changed"]);
}

#[tokio::test]
async fn a_list_gains_and_loses_an_entry_after_its_effect_was_seen() {
    let site = Site::start().await;
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let add = |value, step| {
        [
            ("act", "add"),
            ("list", "blocked_referrers"),
            ("value", value),
            ("reason", "<b>stuffs</b>"),
            ("until", "2026-03-01"),
            ("step", step),
            ("note", "found in May"),
            ("replaces", "0"),
        ]
    };
    let page = "/team/lists";
    let wrong = fay.fill(page, page, &add("https://forum.example/x", "preview")).await;
    assert!(
        wrong.status == StatusCode::UNPROCESSABLE_ENTITY
            && wrong.text.contains("a host without scheme or path"),
        "{}",
        wrong.text
    );
    let mut over = add("forum.example", "preview");
    over[4] = ("until", "2026-01-31");
    let over = fay.fill(page, page, &over).await;
    assert!(over.text.contains("2026-01-31 is over. Choose today or a later day"), "{}", over.text);
    let mut today = add("forum.example", "preview");
    today[4] = ("until", "2026-02-01");
    assert_eq!(fay.fill(page, page, &today).await.status, StatusCode::OK, "it may end today");
    let seen = fay.fill(page, page, &add("forum.example", "preview")).await;
    assert!(seen.text.contains("would have flagged 0 more of 0 conversions"), "{}", seen.text);
    assert_eq!(fay.fill(page, page, &add("forum.example", "save")).await.status, StatusCode::SEE_OTHER);
    let shown = fay.get("/team/rules").await.text;
    for part in ["forum.example", "&#60;b&#62;stuffs&#60;/b&#62;", "2026-03-01", "found in May"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let remove = [
        ("act", "remove"),
        ("list", "blocked_referrers"),
        ("value", "forum.example"),
        ("step", "save"),
        ("note", "it was sold"),
        ("replaces", "1"),
    ];
    assert_eq!(fay.fill(page, page, &remove).await.status, StatusCode::SEE_OTHER);
    let lists = &site.api.get("/api/v1/fraud/settings").await.body["settings"]["rules"]["lists"];
    assert_eq!(*lists, json!([]));
    let mut tom = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    assert_eq!(tom.fill(page, page, &remove).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_ring_is_drawn_with_a_table_behind_it_and_declared_one_business() {
    let market = Market::new().await;
    for name in ["Bo", "Cy", "Di"] {
        market.partner(name).await;
    }
    market.sales(&["Bo", "Cy", "Di"]).await;
    market.find().await;
    let site = Site::over(&market.world.api);
    let mut fay = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let list = fay.get("/team/rings").await.text;
    assert!(list.contains(">Bo, Cy, Di</a>"), "{list}");
    let (_, after) = list.split_once("<a href=\"/team/rings/rng_").unwrap();
    let page = format!("/team/rings/rng_{}", after.split('"').next().unwrap());
    let shown = fay.get(&page).await.text;
    assert_eq!(shown.matches("<circle").count(), 3, "{shown}");
    assert_eq!(shown.matches("stroke-width").count(), 3, "each pair is joined");
    assert!(shown.contains("Bo – Cy") && shown.contains("4 devices shared"), "{shown}");
    let declare = format!("{page}/declare");
    let empty = fay.fill(&page, &declare, &[]).await;
    assert!(empty.text.contains("Why, for the record: it must have"), "{}", empty.text);
    let declared = fay.fill(&page, &declare, &[("note", "One family with three sites.")]).await;
    assert_eq!(declared.status, StatusCode::SEE_OTHER, "{}", declared.text);
    assert!(fay.get(&page).await.text.contains("One business"));
    let twice = fay.fill("/team/rings", &declare, &[("note", "again")]).await;
    assert!(twice.text.contains("is dissolved"), "{}", twice.text);
    assert!(fay.get("/team/rings").await.text.contains("No rings"));
    assert!(fay.get("/team/rings?state=dissolved").await.text.contains("One business"));
}
