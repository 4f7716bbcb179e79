//! Conversions are scored where they come in and where somebody asks, with reasons that sum, and are held where that is in
//! force.

mod asked;
mod external;
mod health;
mod replay;
mod together;

use std::{path::Path, time::Duration};

use chrono::TimeDelta;
use domain::{
    AffiliateId, Chance, ClickId,
    click::{Asked, Click, Device, Tags},
    event::{Event, Kind, Known},
    fraud::Networks,
};
use features::{
    defs::ALL,
    evidence::{self, Records},
    fact::Request,
    lake::Lake,
    online::{Bounds, State},
    sources::Sources,
};
use serde_json::{Value, json};
use tokio::time::sleep;
use tracking::store::clicks;

use crate::{
    api::testing::{Api, NETWORKS, readable},
    host::Host,
    jobs::{Choices, Workbench, lake::Export, once},
    scoring::{Scorer, clicked},
    store::lake::moment,
};

/// A shop, its campaign, and a partner.
pub struct World {
    pub api: Api,
    pub campaign: String,
    pub affiliate: AffiliateId,
    link: String,
}

impl World {
    pub async fn new() -> Self {
        let api = Api::start().await;
        let (affiliate, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let link = api
            .made(&format!("/api/v1/affiliates/{affiliate}/links"), json!({"campaign_id": campaign}))
            .await;
        let link = link["id"].as_str().unwrap().to_owned();
        Self { api, campaign, affiliate, link }
    }

    fn scorer(&self) -> &Scorer {
        &self.api.app.scorer
    }

    /// A click from a network, stored as a tracker does it; so many seconds later it is now.
    pub async fn click(&self, network: &str, agent: &str, seconds: i64) -> ClickId {
        self.asked_click((network, agent), Asked::default(), seconds).await
    }

    /// The same, of a browser that says how it came to ask.
    async fn asked_click(&self, (network, agent): (&str, &str), asked: Asked, seconds: i64) -> ClickId {
        let app = &self.api.app;
        let path = format!("/api/v1/campaigns/{}", self.campaign);
        let advertiser = self.api.get(&path).await.body["advertiser_id"].as_str().unwrap().parse().unwrap();
        let id = ClickId::new(&app.clock, &app.chance);
        let click = Click {
            id,
            occurred_at_us: app.clock.now().timestamp_micros(),
            link: self.link.parse().unwrap(),
            affiliate: self.affiliate,
            campaign: self.campaign.parse().unwrap(),
            advertiser,
            session: id.uuid().into(),
            tags: Tags::default(),
            address_hash: [7; 16],
            network: network.parse().unwrap(),
            country: "DE".to_owned(),
            device: Device::Desktop,
            user_agent: agent.to_owned(),
            referrer: "https://blog.example/".to_owned(),
            asked,
        };
        let mut tx = app.begin().await.unwrap();
        clicks::ensure_partition(&mut tx, id.made_at().unwrap().date_naive()).await.unwrap();
        clicks::insert(&mut tx, &[click], app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        app.clock.advance(chrono::TimeDelta::seconds(seconds));
        id
    }

    /// Waits until the state knows everything that is stored: transactions of other tests on the server go before.
    pub async fn catch_up(&self) {
        let state = self.scorer().state();
        let mut db = self.api.app.db.acquire().await.unwrap();
        let mine: i64 = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
            .fetch_one(&mut *db)
            .await
            .unwrap();
        for _ in 0..2_000 {
            let has_ended = mine < moment(&mut db).await.unwrap().oldest_open;
            state.catch_up(&mut db).await.unwrap();
            if has_ended && state.standing().as_of.is_some() && state.standing().waiting == 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("a transaction has been open for twenty seconds");
    }

    pub async fn sale(&self, click: ClickId, order: &str) -> Value {
        let sale = json!({"click_id": click, "amount": "100.00", "order_id": order});
        let made = self.api.made("/api/v1/conversions", sale).await;
        let id = made["conversion_id"].as_str().unwrap().to_owned();
        self.api.get(&format!("/api/v1/conversions/{id}")).await.body
    }

    /// Asks what rules say of a click two seconds from now, as others may do whose clocks go before.
    pub async fn ask_for_later(&self, click: ClickId) {
        let app = &self.api.app;
        let mut db = app.db.acquire().await.unwrap();
        let visit = clicked(&mut db, click).await.unwrap().unwrap();
        let (scorer, later) = (self.scorer(), app.clock.now() + TimeDelta::seconds(2));
        scorer.judge_click(&mut db, &visit, (later, &scorer.in_force())).await.unwrap();
    }

    /// What is registered of the partner.
    fn records(&self) -> Records {
        let (mailbox, _) = self.api.app.customers.mail("Ana@partner.example").unwrap();
        Records { affiliate_email_hashes: Some(vec![mailbox]), ..Records::default() }
    }

    async fn score_of(&self, conversion: &Value) -> Value {
        let id = conversion["id"].as_str().unwrap();
        let listed = self.api.get(&format!("/api/v1/scores?conversion_id={id}")).await;
        let id = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
        self.api.get(&format!("/api/v1/scores/{id}")).await.body
    }

    /// What is in a lake that has so many conversions, in the order in which it became known.
    async fn exported(&self, folder: &Path, conversions: usize) -> Vec<Known<Event>> {
        let lake = self.lake(folder, (Kind::Conversion, conversions)).await;
        let kinds = [Kind::Click, Kind::Conversion, Kind::StatusChange];
        let events = lake.events(&kinds, i64::MIN..i64::MAX).unwrap().map(Result::unwrap);
        let mut events: Vec<Known<Event>> = events.collect();
        events.sort_by_key(|known| known.known_at_us);
        events
    }

    /// A lake with everything that is stored, which has so many events of a kind.
    async fn lake(&self, folder: &Path, (kind, count): (Kind, usize)) -> Lake {
        let lake = Lake::at(folder.join("lake"));
        let bench = self.api.workbench();
        let choices = Choices { lake: Some(lake.root().to_owned()), ..bench.choices };
        let bench = Workbench { choices, ..bench };
        for _ in 0..2_000 {
            once(&Export, &bench).await.unwrap();
            if lake.events(&[kind], i64::MIN..i64::MAX).unwrap().count() == count {
                return lake;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("a transaction has been open for twenty seconds");
    }

    pub async fn go_live(&self, replaces: i64) {
        let settings =
            json!({"mode": "live", "policy": policy(0), "costs": {"loss": 100, "harm": 1, "review": 1}});
        let new = json!({"replaces": replaces, "settings": settings, "note": "go live"});
        self.api.made("/api/v1/fraud/settings", new).await;
    }
}

fn policy(threshold: i64) -> Value {
    let limits = json!({"rate": 0.02, "affiliate_rate": 0.02, "affiliate_least": 100, "confidence": 0.9});
    json!({"version": 1, "limits": limits, "threshold": threshold, "segments": {}, "affiliates": {}})
}

const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conversion_that_came_too_soon_from_a_server_is_held_where_decisions_are_live() {
    let world = World::new().await;
    world.catch_up().await;
    let noted = world.sale(world.click("198.51.100.0", "curl/8.5.0", 2).await, "A1").await;
    assert_eq!(noted["status"], "pending", "in the shadow nothing is held");
    world.go_live(0).await;
    let held = world.sale(world.click("198.51.100.0", "curl/8.5.0", 2).await, "A2").await;
    assert_eq!(held["status"], "on_hold");
    let spared = world.sale(world.click("192.0.2.0", BROWSER, 600).await, "A3").await;
    assert_eq!(spared["status"], "pending");
    let score = world.score_of(&held).await;
    assert_eq!((score["decision"].as_str(), score["mode"].as_str()), (Some("hold"), Some("live")));
    let noted = world.score_of(&noted).await;
    assert_eq!((noted["decision"].as_str(), noted["mode"].as_str()), (Some("hold"), Some("shadow")));
    // Reasons and base sum to the score.
    let parts: f64 =
        score["reasons"].as_array().unwrap().iter().map(|one| one["log_odds"].as_f64().unwrap()).sum();
    let (base, sum) = (score["base"].as_f64().unwrap(), score["log_odds"].as_f64().unwrap());
    assert!((base + parts - sum).abs() < 1e-9, "{base} + {parts} is not {sum}");
    let words: Vec<&str> =
        score["reasons"].as_array().unwrap().iter().map(|one| one["words"].as_str().unwrap()).collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    The conversion came too soon after its click: 2, and the limit is 10.
    The click was not made by a person's browser.
    The click came from a network where people hide or are none.
    "#);
    // What was held is approved by a person, and its commission is payable then.
    let id = held["id"].as_str().unwrap();
    world.api.made(&format!("/api/v1/conversions/{id}/approve"), json!({})).await;
    let earned = world.api.get(&format!("/api/v1/commissions?conversion_id={id}")).await;
    assert_eq!(earned.column("status"), ["payable"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conversion_that_cannot_be_decided_about_is_taken_in() {
    let world = World::new().await;
    world.go_live(0).await;
    let click = world.click("198.51.100.0", "curl/8.5.0", 2).await;
    let lose = sqlx::query("ALTER TABLE fraud_scores RENAME TO lost_scores");
    lose.execute(&world.api.app.db).await.unwrap();
    let sale = json!({"click_id": click, "amount": "100.00", "order_id": "A1"});
    for outcome in ["recorded", "repeated"] {
        let made = world.api.made("/api/v1/conversions", sale.clone()).await;
        assert_eq!((&made["outcome"], &made["status"]), (&json!(outcome), &json!("pending")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_old_decision_is_made_again_to_the_bit_under_the_settings_of_its_time() {
    let world = World::new().await;
    world.catch_up().await;
    let before = world.sale(world.click("198.51.100.0", BROWSER, 4).await, "A1").await;
    world.go_live(0).await;
    let rules = json!({"version": 0, "rules": {"quick_conversion": {"weight": 5}}});
    let settings = json!({"mode": "shadow", "policy": policy(500_000), "rules": rules});
    world.api.made("/api/v1/fraud/settings", json!({"replaces": 1, "settings": settings})).await;
    let after = world.sale(world.click("198.51.100.0", BROWSER, 4).await, "A2").await;
    for (conversion, version) in [(&before, 0), (&after, 2)] {
        let score = world.score_of(conversion).await;
        assert_eq!(score["is_reproduced"], true);
        assert_eq!(score["settings_version"], version);
    }
    let odds = |score: Value| score["log_odds"].as_f64().unwrap();
    assert!(odds(world.score_of(&after).await) < odds(world.score_of(&before).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_judged_counts_with_what_happened_before_and_what_is_only_asked_about_does_not() {
    let world = World::new().await;
    for order in 0..3 {
        world.sale(world.click("192.0.2.0", BROWSER, 60).await, &format!("A{order}")).await;
    }
    world.catch_up().await;
    let click = world.click("192.0.2.0", BROWSER, 60).await;
    let asked = json!({"conversions": [{"report": {"click_id": click, "amount": "10.00"}}]});
    for _ in 0..2 {
        let answer = world.api.post("/api/v1/score/conversions", asked.clone()).await;
        let id = answer.body["scores"][0]["id"].as_str().unwrap().to_owned();
        let detail = world.api.get(&format!("/api/v1/scores/{id}")).await.body;
        let evidence = &detail["record"]["evidence"];
        assert_eq!(evidence["affiliate_conversions_7d"], 4, "three, and the one that is judged");
        assert_eq!(evidence["ip_clicks_1h"], 3, "the fourth click is known to the next look");
        assert_eq!(detail["conversion_id"], Value::Null);
    }
    let listed = world.api.get("/api/v1/conversions").await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 3, "nothing was taken in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_features_rules_decide_by_the_request_alone_and_say_so() {
    let world = World::new().await;
    let sale = world.sale(world.click("198.51.100.0", "curl/8.5.0", 2).await, "A1").await;
    let score = world.score_of(&sale).await;
    assert_eq!(score["degraded"], json!(["the feature state is being filled from what is stored"]));
    let codes: Vec<&str> =
        score["reasons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["quick_conversion", "automated_agent", "anonymous_network"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_score_is_shown_whole() {
    let world = World::new().await;
    world.catch_up().await;
    let click = world.click("192.0.2.0", BROWSER, 5).await;
    let asked = json!({"conversions": [{"report": {"click_id": click}}]});
    let answer = world.api.post("/api/v1/score/conversions", asked).await;
    let mut score = answer.body["scores"][0].clone();
    let as_of = score.as_object_mut().unwrap().remove("features_as_of");
    assert!(as_of.is_some_and(|as_of| as_of.is_string()));
    insta::assert_snapshot!(readable(&score.to_string()), @r#"{"affiliate_id":"aff_1","at":"2026-02-01T12:00:05.006Z","base":-4.0,"bound":"none","campaign_id":"cmp_2","conversion_id":null,"decision":"hold","degraded":[],"features":[],"id":"scr_3","log_odds":0.34,"mode":"shadow","probability":0.5841905229354073,"reasons":[{"code":"quick_conversion","flag":{"code":"quick_conversion","counts":{"limit":10.0,"seen":5.0},"version":0,"weight":70.0},"log_odds":4.34,"model_version":null,"words":"The conversion came too soon after its click: 5, and the limit is 10."}],"score":58,"settings_version":0,"threshold":0.5}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partner_who_orders_under_its_own_mailbox_is_known_however_it_is_written() {
    let world = World::new().await;
    let click = world.click("192.0.2.0", BROWSER, 600).await;
    for (email, codes) in
        [("ana+spring@partner.example", vec!["self_referral"]), ("bob@partner.example", vec![])]
    {
        let report = json!({"click_id": click, "email": email});
        let asked = json!({"conversions": [{"report": report}]});
        let answer = world.api.post("/api/v1/score/conversions", asked).await.body;
        let reasons = answer["scores"][0]["reasons"].as_array().unwrap();
        let found: Vec<&str> = reasons.iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert_eq!(found, codes, "{email}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_scored_is_named() {
    let world = World::new().await;
    let click = world.click("192.0.2.0", BROWSER, 5).await;
    let unknown = "cnv_01JH0000000000000000000000";
    let mut problems = Vec::new();
    for one in [
        json!({}),
        json!({"conversion_id": unknown}),
        json!({"conversion_id": unknown, "report": {"coupon": "SPRING"}}),
        json!({"report": {"coupon": "SPRING"}}),
        json!({"report": {"click_id": "clk_01JH0000000000000000000000"}}),
        json!({"report": {"click_id": click, "event": "refill"}}),
        json!({"report": {"click_id": click, "ip": "home", "amount": "ten"}}),
        json!({"report": {"click_id": click}, "campaign_id": "cmp_01JH0000000000000000000000"}),
    ] {
        let answer = world.api.post("/api/v1/score/conversions", json!({"conversions": [one]})).await;
        problems.push(answer.problem());
    }
    problems.push(world.api.post("/api/v1/score/conversions", json!({"conversions": []})).await.problem());
    insta::assert_snapshot!(problems.join("\n"), @r#"
    422 unprocessable:  [/conversions/0: name a conversion_id, or give the report of a conversion]
    422 unprocessable:  [/conversions/0/conversion_id: no such conversion]
    422 unprocessable:  [/conversions/0/conversion_id: a conversion that is stored is scored as it is: say nothing else of it]
    422 unprocessable:  [/conversions/0/report/coupon: a promo code alone is not scored: name the affiliate_id whose it is]
    422 unprocessable:  [/conversions/0/report/click_id: no such click is stored]
    422 unprocessable:  [/conversions/0/report/event: is not one of the campaign's]
    422 unprocessable:  [/conversions/0/report/ip: must be the customer's IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7] [/conversions/0/report/amount: "ten" is not a decimal amount such as 49.99]
    422 unprocessable:  [/conversions/0/report/click_id: is a click of another campaign]
    422 unprocessable:  [/conversions: there are 0; send 1 to 1000 at once]
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_known_is_found_again_in_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let mut scored = Vec::new();
    for (order, seconds) in [3, 4_000, 90_000, 60].into_iter().enumerate() {
        let network = if order == 1 { "203.0.113.0" } else { "192.0.2.0" };
        let click = world.click(network, BROWSER, seconds).await;
        world.catch_up().await;
        let sale = world.sale(click, &format!("A{order}")).await;
        scored.push(world.score_of(&sale).await);
    }
    let events = world.exported(folder.path(), scored.len()).await;
    let click_of = |id: Option<ClickId>| {
        events.iter().find_map(|known| match &known.event {
            Event::Click(visit) if Some(visit.seen.id) == id => Some(visit),
            _ => None,
        })
    };
    for score in scored {
        let (mut state, mut values) = (State::new(&ALL, Bounds::default()), Vec::new());
        let prepared = state.prepare(evidence::set()).unwrap();
        let judged = events.iter().find(|known| match &known.event {
            Event::Conversion(conversion) => conversion.id.to_string() == score["conversion_id"],
            _ => false,
        });
        let judged = judged.expect("what was judged is in the lake");
        let earlier = events.iter().filter(|known| known.known_at_us < judged.known_at_us);
        earlier.for_each(|known| _ = state.observe(known));
        let Event::Conversion(conversion) = &judged.event else { unreachable!("it is one") };
        let request = Request { event: &judged.event, click: click_of(conversion.click) };
        let keys = evidence::keys(&request);
        state.vector_if_told(&prepared, &keys, &request, judged.known_at_us, &mut values);
        let mut sources = Sources::default();
        let earlier = events.iter().filter(|known| known.known_at_us < judged.known_at_us);
        earlier.for_each(|known| sources.observe(known));
        let findings = sources.findings(conversion, "", (judged.known_at_us, false));
        let networks = Networks::read(NETWORKS).unwrap();
        let found = evidence::gather(&values, &request, &world.records(), &findings, &networks).unwrap();
        assert_eq!(serde_json::to_value(found).unwrap(), score["record"]["evidence"]);
        assert_eq!(score["is_reproduced"], true);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn settings_change_by_versions_and_only_to_what_can_be_meant() {
    let world = World::new().await;
    let mut problems = Vec::new();
    for (replaces, settings) in [
        (1, json!({})),
        (0, json!({"rules": {"version": 0, "rules": {"quick_conversion": {"parameters": {"limit": -4}}}}})),
        (0, json!({"rules": {"version": 0, "rules": {"slow_conversion": {"on": false}}}})),
        (0, json!({"policy": policy(i64::MAX)})),
        (0, json!({"costs": {"loss": 0, "harm": 1, "review": 1}})),
    ] {
        let new = json!({"replaces": replaces, "settings": settings});
        problems.push(world.api.post("/api/v1/fraud/settings", new).await.problem());
    }
    insta::assert_snapshot!(problems.join("\n"), @r#"
    409 stale_settings: version 0 is in force and not 1: read it, and make the change to that
    422 unprocessable:  [/settings: in the program's settings: limit of the rule quick_conversion is -4 seconds; it has to be from 1 to 120]
    422 unprocessable:  [/settings: in the program's settings: there is no rule "slow_conversion"; there are click_rate, address_conversions, disposable_mail, self_referral, device_conversions, device_affiliates, quick_conversion, clock_disagreement, zero_engagement, referrer, anonymous_network, country_mismatch, automated_agent, duplicate_order, unsigned_report, click_flooding, click_injection, cookie_stuffing, idle_clicks, brand_bidding, click_farm, payout_account, validation, listed, conversion_times, conversion_rate, flat_hours, conversion_burst, rejections]
    422 unprocessable:  [/settings: a threshold is 9223372036854775807 millionths of log-odds; it has to be from -30000000 to 30000000]
    422 unprocessable:  [/settings: loss, harm and review are from 0 to 1000000000000, and fraud costs something: loss is at least 1]
    "#);
    assert_eq!(world.api.get("/api/v1/fraud/settings").await.body["version"], 0);
    world.go_live(0).await;
    let now = world.api.get("/api/v1/fraud/settings").await.body;
    assert_eq!((now["version"].as_i64(), now["settings"]["mode"].as_str()), (Some(1), Some("live")));
    // Another process hears of it.
    let other = Scorer::new(
        Host::nowhere().into(),
        Networks::default(),
        world.api.app.customers.clone(),
        Chance::seeded(4),
    );
    other.refresh(&mut world.api.app.db.acquire().await.unwrap()).await.unwrap();
    assert_eq!(other.in_force(), world.scorer().in_force());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_preview_says_whom_a_change_would_have_flagged_and_what_became_of_them() {
    let world = World::new().await;
    let honest = world.sale(world.click("192.0.2.0", BROWSER, 12).await, "A1").await;
    let quick = world.sale(world.click("192.0.2.0", BROWSER, 4).await, "A2").await;
    for (conversion, what) in [(&honest, "approve"), (&quick, "reject")] {
        let id = conversion["id"].as_str().unwrap();
        world.api.made(&format!("/api/v1/conversions/{id}/{what}"), json!({})).await;
    }
    let preview = async |limit: u32| {
        let rules = json!({"version": 0, "rules": {"quick_conversion": {"parameters": {"limit": limit}}}});
        let asked = json!({"settings": {"rules": rules}});
        world.api.post("/api/v1/fraud/settings/preview", asked).await.body["words"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    insta::assert_snapshot!([preview(15).await, preview(10).await, preview(3).await].join("\n"), @r#"
    Of 2 conversions of the last 30 days this change would have flagged 1 more, 1 of them later approved, and spared 0, 0 of them later rejected or reversed.
    Of 2 conversions of the last 30 days this change would have flagged 0 more, 0 of them later approved, and spared 0, 0 of them later rejected or reversed.
    Of 2 conversions of the last 30 days this change would have flagged 0 more, 0 of them later approved, and spared 1, 1 of them later rejected or reversed.
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partners_own_key_sees_no_scores() {
    let world = World::new().await;
    for scope in ["fraud:read", "fraud:score", "fraud:write"] {
        let refused = scope.parse::<crate::scope::Scope>().unwrap();
        assert!(!refused.is_open_to_affiliates(), "{scope}");
    }
    let key = world.api.new_key(&["conversions:read"], Some(world.affiliate)).await;
    assert_eq!(world.api.get_as(&key, "/api/v1/scores").await.status, 403);
}
