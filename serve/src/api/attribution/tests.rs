//! What is said of the credit for a conversion, under each model, and to whom.

mod compared;

use std::{collections::BTreeMap, path::Path};

use chrono::{DateTime, TimeDelta};
use domain::{
    AffiliateId, ClickId, SessionId,
    click::{Asked, Click, Device, Tags},
};
use models::{
    fingerprint::Fingerprint,
    graph::{
        Dim, ElementType, Graph, Metadata, TensorType,
        attribution::{AdditiveHazard, Rule, Touches},
    },
    journeys::{FILE, FORMAT, Names},
    registry::{
        Alias, Decision, Force, Promotion, Publication, Registry, Version,
        manifest::{About, ParityVector, Port, Signature, Training},
    },
    schema::FeatureSchema,
    tensor::{Element, Tensor, Values},
};
use serde_json::{Value, json};
use tracking::store::clicks;

use crate::{
    api::testing::{Answer, Api, readable},
    host::Host,
    pages::{role::Role, testing::Site},
};

/// A campaign that two partners and a third one's visitors see.
struct World {
    api: Api,
    campaign: String,
    partners: Vec<(AffiliateId, String)>,
    session: SessionId,
}

impl World {
    async fn new() -> Self {
        let api = Api::start().await;
        let campaign = api.campaign().await;
        let mut partners = Vec::new();
        for name in ["Ana", "Ben"] {
            let affiliate = api.affiliate(name).await;
            let path = format!("/api/v1/affiliates/{affiliate}/links");
            let link = api.made(&path, json!({"campaign_id": campaign})).await;
            partners.push((affiliate, link["id"].as_str().unwrap().to_owned()));
        }
        let session = SessionId::new(&api.app.clock, &api.app.chance);
        Self { api, campaign, partners, session }
    }

    /// A click on a partner's link by the same visitor; so many hours later it is now.
    async fn click(&self, partner: usize, hours: i64) -> ClickId {
        let app = &self.api.app;
        let path = format!("/api/v1/campaigns/{}", self.campaign);
        let advertiser = self.api.get(&path).await.body["advertiser_id"].as_str().unwrap().parse().unwrap();
        let (affiliate, link) = &self.partners[partner];
        let id = ClickId::new(&app.clock, &app.chance);
        let click = Click {
            id,
            occurred_at_us: app.clock.now().timestamp_micros(),
            link: link.parse().unwrap(),
            affiliate: *affiliate,
            campaign: self.campaign.parse().unwrap(),
            advertiser,
            session: self.session,
            tags: Tags::default(),
            address_hash: [7; 16],
            network: "198.51.100.0".parse().unwrap(),
            country: "DE".to_owned(),
            device: Device::Mobile,
            user_agent: "Firefox".to_owned(),
            referrer: String::new(),
            asked: Asked::default(),
        };
        let mut tx = app.begin().await.unwrap();
        clicks::ensure_partition(&mut tx, id.made_at().unwrap().date_naive()).await.unwrap();
        clicks::insert(&mut tx, &[click], app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        app.clock.advance(TimeDelta::hours(hours));
        id
    }

    async fn sale(&self, click: ClickId) -> String {
        let sale = json!({"click_id": click, "amount": "100.00", "order_id": click.to_string()});
        let made = self.api.made("/api/v1/conversions", sale).await;
        made["conversion_id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, asked: Value) -> Answer {
        self.api.post("/api/v1/attribute", asked).await
    }

    /// The same world by a key.
    fn by(&self, key: &str) -> Self {
        let mut api = self.api.again(self.api.app.clone());
        key.clone_into(&mut api.key);
        Self { api, campaign: self.campaign.clone(), partners: self.partners.clone(), session: self.session }
    }

    async fn told(&self, asked: Value) -> Value {
        let answer = self.ask(asked).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}

fn model<'a>(told: &'a Value, name: &str) -> &'a Value {
    let mut models = told["models"].as_array().unwrap().iter();
    models.find(|model| model["model"] == name).unwrap_or_else(|| panic!("no {name} in {told}"))
}

/// The touches' parts and money, and what the model would pay, in lines.
fn shown(model: &Value) -> String {
    let text = |value: &Value| value.to_string().replace('"', "");
    let money = |money: &Value| format!("{} {}", text(&money["value"]), text(&money["currency"]));
    let mut lines = Vec::new();
    for share in model["shares"].as_array().unwrap() {
        let (touch, part) = (text(&share["touch"]), text(&share["share"]));
        lines.push(format!("touch {touch}: {part}, {}", money(&share["value"])));
    }
    if let Some(nobody) = model["nobody"].as_object() {
        lines.push(format!("nobody: {}, {}", text(&nobody["share"]), money(&nobody["value"])));
    }
    let earned: Vec<String> =
        model["commissions"].as_array().unwrap().iter().map(|line| money(&line["amount"])).collect();
    lines.push(format!("pays {}", earned.join(" and ")));
    lines.join("\n")
}

#[tokio::test]
async fn each_rule_says_who_would_have_had_how_much_to_the_cent() {
    let world = World::new().await;
    world.click(0, 48).await;
    world.click(1, 24).await;
    let last = world.click(0, 1).await;
    let conversion = world.sale(last).await;
    let told = world.told(json!({"conversion_id": conversion})).await;
    insta::assert_snapshot!(shown(model(&told, "last_click")), @r#"
    touch 3: 100%, 100.00 EUR
    pays 5.00 EUR
    "#);
    insta::assert_snapshot!(shown(model(&told, "linear")), @r#"
    touch 1: 33.3334%, 33.34 EUR
    touch 2: 33.3333%, 33.33 EUR
    touch 3: 33.3333%, 33.33 EUR
    pays 3.33 EUR and 1.67 EUR
    "#);
    insta::assert_snapshot!(shown(model(&told, "u_shaped")), @r#"
    touch 1: 40%, 40.00 EUR
    touch 2: 20%, 20.00 EUR
    touch 3: 40%, 40.00 EUR
    pays 4.00 EUR and 1.00 EUR
    "#);
    insta::assert_snapshot!(shown(model(&told, "time_decay")), @r#"
    touch 1: 28.0512%, 28.05 EUR
    touch 2: 34.1947%, 34.20 EUR
    touch 3: 37.7541%, 37.75 EUR
    pays 3.29 EUR and 1.71 EUR
    "#);
    let in_force: Vec<&Value> =
        told["models"].as_array().unwrap().iter().filter(|model| model["in_force"] == true).collect();
    assert_eq!(in_force.len(), 1, "{told}");
    assert_eq!((&in_force[0]["model"], &told["rule"]), (&json!("last_click"), &json!("last_click")));
    // What is paid is what the model in force pays.
    let paid = world.api.get(&format!("/api/v1/commissions?conversion_id={conversion}")).await.body;
    assert_eq!(paid["data"][0]["amount"], in_force[0]["commissions"][0]["amount"], "{paid}");
    assert_eq!(told["recorded"][0]["share"], "100%", "{told}");
    let touches = serde_json::to_string_pretty(&told["touches"]).unwrap();
    insta::assert_snapshot!(readable(&touches), @r#"
    [
      {
        "affiliate_id": "aff_1",
        "at": "2026-02-01T12:00:00.009Z",
        "click_id": "clk_2",
        "link_id": "lnk_3",
        "seconds_before": 262800,
        "touch": 1
      },
      {
        "affiliate_id": "aff_4",
        "at": "2026-02-03T12:00:00.010Z",
        "click_id": "clk_5",
        "link_id": "lnk_6",
        "seconds_before": 90000,
        "touch": 2
      },
      {
        "affiliate_id": "aff_1",
        "at": "2026-02-04T12:00:00.011Z",
        "click_id": "clk_7",
        "link_id": "lnk_3",
        "seconds_before": 3600,
        "touch": 3
      }
    ]
    "#);
}

#[tokio::test]
async fn what_is_told_is_divided_like_what_is_stored() {
    let world = World::new().await;
    let first = world.click(0, 48).await;
    let second = world.click(1, 24).await;
    let conversion = world.sale(second).await;
    let stored = world.told(json!({"conversion_id": conversion})).await;
    let at = &stored["converted_at"];
    let asked = json!({
        "campaign_id": world.campaign,
        "amount": {"value": "100.00", "currency": "EUR"},
        "converted_at": at,
        "touches": [{"click_id": second}, {"click_id": first}],
    });
    let told = world.told(asked).await;
    assert_eq!((&told["models"], &told["touches"]), (&stored["models"], &stored["touches"]));
    let link = &world.partners[1].1;
    let asked = json!({
        "campaign_id": world.campaign,
        "amount": {"value": "10.01", "currency": "EUR"},
        "converted_at": "2026-01-20T12:00:00Z",
        "touches": [{"link_id": link, "at": "2026-01-19T12:00:00Z"}, {"link_id": link, "at": "2025-01-19T12:00:00Z"}],
    });
    let told = world.told(asked).await;
    assert_eq!(told["touches"].as_array().unwrap().len(), 1, "one was a year before: {told}");
    insta::assert_snapshot!(shown(model(&told, "linear")), @r#"
    touch 1: 100%, 10.01 EUR
    pays 0.50 EUR
    "#);
}

#[tokio::test]
async fn what_cannot_be_divided_is_refused_and_says_why() {
    let world = World::new().await;
    let click = world.click(0, 1).await;
    let conversion = world.sale(click).await;
    let other = world.api.campaign().await;
    let amount = json!({"value": "1.00", "currency": "EUR"});
    let at = "2026-02-01T12:00:00Z";
    for (asked, pointer, detail) in [
        (json!({}), "/campaign_id", "unless conversion_id names"),
        (
            json!({"conversion_id": conversion, "amount": amount}),
            "/amount",
            "is known of a stored conversion",
        ),
        (
            json!({"campaign_id": other, "amount": amount, "converted_at": at, "touches": [{"click_id": click}]}),
            "/touches/0/click_id",
            "is no click of the campaign",
        ),
        (
            json!({"campaign_id": other, "amount": amount, "converted_at": at, "touches": [{"at": at}]}),
            "/touches/0/click_id",
            "a link_id and at",
        ),
        (
            json!({"campaign_id": other, "amount": amount, "converted_at": at, "touches": [], "event": "zz"}),
            "/event",
            "the campaign pays for",
        ),
    ] {
        let answer = world.ask(asked.clone()).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status.as_u16(), &error["pointer"]),
            (422, &json!(pointer)),
            "{asked}: {}",
            answer.body
        );
        assert!(error["detail"].as_str().unwrap().contains(detail), "{asked}: {error}");
    }
    // Nobody is credited where there was no touch, and that is no error.
    let asked = json!({"campaign_id": other, "amount": amount, "converted_at": at, "touches": []});
    let told = world.told(asked).await;
    assert!(model(&told, "linear")["nothing_because"].as_str().unwrap().contains("no click"), "{told}");
}

#[tokio::test]
async fn an_affiliate_sees_its_own_part_and_nobody_elses_name() {
    let world = World::new().await;
    let campaign = format!("/api/v1/campaigns/{}", world.campaign);
    let patched = world.api.patch(&campaign, json!({"attribution": "linear"})).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    world.click(0, 48).await;
    let last = world.click(1, 24).await;
    let conversion = world.sale(last).await;
    let (ana, ben) = (world.partners[0].0, world.partners[1].0);
    let key = world.api.new_key(&["conversions:read"], Some(ana)).await;
    let answer = world.by(&key).ask(json!({"conversion_id": conversion})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.body.to_string();
    assert!(told.contains(&ana.to_string()) && !told.contains(&ben.to_string()), "{told}");
    assert!(!told.contains(&world.partners[1].1), "the other's link: {told}");
    insta::assert_snapshot!(shown(model(&answer.body, "linear")), @r#"
    touch 1: 50%, 50.00 EUR
    touch 2: 50%, 50.00 EUR
    pays 2.50 EUR
    "#);
    let asked = json!({"campaign_id": world.campaign, "amount": {"value": "1.00", "currency": "EUR"}});
    let refused = world.by(&key).ask(asked).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    // Of a conversion that it has no credit for there is nothing.
    let stranger = world.api.affiliate("Cleo").await;
    let key = world.api.new_key(&["conversions:read"], Some(stranger)).await;
    let answer = world.by(&key).ask(json!({"conversion_id": conversion})).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
}

#[tokio::test]
async fn a_partners_page_says_what_each_model_would_have_given_it() {
    let world = World::new().await;
    let (ana, ben) = (world.partners[0].0, world.partners[1].0);
    let site = Site::over(&world.api);
    world.click(0, 48).await;
    world.click(1, 24).await;
    let last = world.click(0, 1).await;
    let page = format!("/my/conversions/{}", world.sale(last).await);
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let shown = hers.get(&page).await.text;
    let row = |name: &str| {
        let row = shown.split_once(&format!("<th scope=\"row\">{name}")).unwrap().1;
        row.split_once("</tr>").unwrap().0.to_owned()
    };
    let last_click = row("last_click");
    assert!(last_click.contains("in force") && last_click.contains("5.00\u{a0}EUR"), "{last_click}");
    let linear = row("linear");
    assert!(linear.contains("66.6667%") && linear.contains("3.33\u{a0}EUR"), "{linear}");
    assert!(!linear.contains("in force"), "{linear}");
    assert!(
        !shown.contains(&ben.to_string()) && !shown.contains(">Ben") && !shown.contains("1.67"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_model_that_has_learned_says_what_was_nobodys() {
    let world = World::new().await;
    world.click(0, 48).await;
    let last = world.click(1, 24).await;
    let conversion = world.sale(last).await;
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &world);
    let world = World { api: world.api.with_models(folder.path()), ..world };
    let told = world.told(json!({"conversion_id": conversion})).await;
    let learned = model(&told, "learned");
    assert_eq!((&learned["version"], &learned["in_force"]), (&json!(1), &json!(false)), "{told}");
    // Ana's clicks do three times what Ben's do, and half as much as that happens without anybody.
    insta::assert_snapshot!(shown(learned), @r#"
    touch 1: 50%, 50.00 EUR
    touch 2: 16.6667%, 16.67 EUR
    nobody: 33.3333%, 33.33 EUR
    pays 3.75 EUR and 1.25 EUR
    "#);
    assert_eq!(told["degraded"], json!([]), "{told}");
}

/// A champion that knows the world's partners.
fn publish(folder: &Path, world: &World) {
    let hazard = AdditiveHazard {
        organic: vec![2.0, 2.0],
        effect: vec![1.0, 1.0],
        later: vec![1.0, 1.0],
        repeat: vec![1.0],
        factors: Vec::new(),
        channel: vec![3.0, 1.0, 0.0],
        decay_per_day: None,
        nothing: 1e-9,
        rule: Rule::LastClick,
    };
    let mut graph = Graph::new("attribution");
    let numbers = TensorType::rows(ElementType::I64, 3);
    let channel = graph.input("channel", numbers, "").unwrap();
    let age = graph.input("age", TensorType::rows(ElementType::F64, 3), "").unwrap();
    let campaign = graph.input("campaign", TensorType::new(ElementType::I64, &[Dim::Batch]), "").unwrap();
    let credit = hazard.add(&mut graph, &Touches { channel, age, campaign, factors: Vec::new() }).unwrap();
    let by_rule = graph.cast(&credit.by_rule, ElementType::I64).unwrap();
    graph.output("weights", &credit.weights, "").unwrap();
    graph.output("organic", &credit.organic, "").unwrap();
    graph.output("by_rule", &by_rule, "").unwrap();
    let port = |name: &str, element, width: Option<usize>| Port {
        name: name.to_owned(),
        element,
        shape: [None].into_iter().chain(width.map(Some)).collect(),
        columns: (1..=width.unwrap_or(1)).map(|place| format!("{name}_{place}")).collect(),
    };
    let tensor = |shape: &[usize], values| Tensor::new(shape.to_vec(), values).unwrap();
    let parity = ParityVector {
        inputs: BTreeMap::from([
            ("channel".to_owned(), tensor(&[1, 3], Values::Int64(vec![0, 1, -1]))),
            ("age".to_owned(), tensor(&[1, 3], Values::Float64(vec![9.0, 5.0, 0.0]))),
            ("campaign".to_owned(), tensor(&[1], Values::Int64(vec![0]))),
        ]),
        outputs: BTreeMap::from([
            ("weights".to_owned(), tensor(&[1, 3], Values::Float64(vec![0.5, 1.0 / 6.0, 0.0]))),
            ("organic".to_owned(), tensor(&[1, 1], Values::Float64(vec![1.0 / 3.0]))),
            ("by_rule".to_owned(), tensor(&[1, 1], Values::Int64(vec![0]))),
        ]),
        tolerance: 1e-9,
    };
    let inputs = vec![
        port("channel", Element::Int64, Some(3)),
        port("age", Element::Float64, Some(3)),
        port("campaign", Element::Int64, None),
    ];
    let columns: Vec<String> = inputs.iter().flat_map(|port| port.columns.clone()).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let about = About {
        family: "additive_hazard".to_owned(),
        job: "attribution".to_owned(),
        features: FeatureSchema::of_columns("journey", &columns),
        signature: Signature {
            inputs,
            outputs: vec![
                port("weights", Element::Float64, Some(3)),
                port("organic", Element::Float64, Some(1)),
                port("by_rule", Element::Int64, Some(1)),
            ],
        },
        training: Training { from: at(0), to: at(1), rows: 1, data: Fingerprint::of(b"none") },
        seed: 1,
        metrics: Vec::new(),
        gates: Vec::new(),
        calibration: None,
        thresholds: Vec::new(),
        parity: vec![parity],
        commit: "0123abc".to_owned(),
        licence: "Apache-2.0".to_owned(),
        created_at: at(1_769_000_000),
    };
    let names = Names {
        format: FORMAT,
        by: "affiliate".to_owned(),
        channels: world.partners.iter().map(|(id, _)| id.to_string()).collect(),
        campaigns: vec![world.campaign.clone()],
        devices: Vec::new(),
    };
    let model = "attribution".parse().unwrap();
    let publication = Publication {
        about,
        model: graph.finish(&Metadata::default()).unwrap(),
        report: String::new(),
        files: BTreeMap::from([(FILE.to_owned(), serde_json::to_vec(&names).unwrap())]),
    };
    let registry = Registry::in_folder(folder);
    registry.publish(&model, &publication).unwrap();
    let decision = Decision { by: "ana".to_owned(), why: "first".to_owned(), at: at(0) };
    let promotion =
        Promotion { model, version: Version(1), alias: Alias::Champion, decision, force: Force::No };
    let host = Host::open(folder).unwrap();
    registry.promote(&promotion, host.runtime().unwrap()).unwrap();
}
