//! Partners who share what strangers do not become a ring, what waits of theirs is held and a case, and what is declared, shared
//! by many, or within one business is none.

use chrono::TimeDelta;
use domain::AffiliateId;
use serde_json::{Value, json};
use tracking::hiding::Hiding;

use crate::{
    api::{
        scores::tests::World,
        testing::{Api, readable, secret},
    },
    jobs::{Workbench, once, rings::Find},
    rings,
};

/// Partners with promo codes of their own, among strangers.
pub struct Market {
    pub world: World,
    shop: String,
    orders: std::cell::Cell<u32>,
}

/// Partners whose customers have nothing to do with each other: what they share shows against these.
const STRANGERS: &str = "
    WITH strangers AS (
        INSERT INTO affiliates (id, name, email, created_at, updated_at)
        SELECT gen_random_uuid(), 'Stranger', 'stranger-' || number || '@partner.example', $1, $1
        FROM generate_series(1, 40) AS number
        RETURNING id
    )
    INSERT INTO ring_edges (kind, thing, affiliate_id, is_repeated, last_seen_at)
    SELECT kind, decode(md5(id::text || kind || number), 'hex'), id, false, $1
    FROM strangers, generate_series(1, 6) AS number, unnest(ARRAY['device', 'address']) AS kind
";

impl Market {
    pub async fn new() -> Self {
        let world = World::new().await;
        let now = world.api.app.clock.now();
        sqlx::query(STRANGERS).bind(now).execute(&world.api.app.db).await.unwrap();
        let campaign = world.api.get(&format!("/api/v1/campaigns/{}", world.campaign)).await.body;
        let shop = campaign["advertiser_id"].as_str().unwrap().to_owned();
        Self { world, shop, orders: std::cell::Cell::default() }
    }

    fn api(&self) -> &Api {
        &self.world.api
    }

    /// An affiliate whose promo code is its name.
    pub async fn partner(&self, name: &str) -> AffiliateId {
        let id = self.api().affiliate(name).await;
        self.code(id, name).await;
        id
    }

    async fn code(&self, affiliate: AffiliateId, code: &str) {
        let link = json!({"campaign_id": self.world.campaign});
        let link = self.api().made(&format!("/api/v1/affiliates/{affiliate}/links"), link).await;
        let coupon = json!({"code": code, "link_id": link["id"]});
        self.api().made(&format!("/api/v1/advertisers/{}/coupons", self.shop), coupon).await;
    }

    /// An order by a partner's code; the conversion's id.
    async fn sale(&self, code: &str, device: &str, ip: &str) -> String {
        let order = self.orders.replace(self.orders.get() + 1);
        let sale = json!({"advertiser_id": self.shop, "coupon": code, "amount": "100.00", "device_id": device,
                          "ip": ip, "order_id": format!("order-{order}")});
        self.api().app.clock.advance(TimeDelta::hours(7));
        let made = self.api().made("/api/v1/conversions", sale).await;
        made["conversion_id"].as_str().unwrap().to_owned()
    }

    /// Four orders by each code from the same four homes.
    pub async fn sales(&self, codes: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for home in 0..4 {
            for code in codes {
                ids.push(self.sale(code, &format!("tablet-{home}"), &format!("192.0.2.{home}")).await);
            }
        }
        ids
    }

    async fn conversion(&self, id: &str) -> Value {
        self.api().get(&format!("/api/v1/conversions/{id}")).await.body
    }

    /// The decision about a conversion that was made last.
    async fn score(&self, conversion: &str) -> Value {
        let listed = self.api().get(&format!("/api/v1/scores?conversion_id={conversion}")).await;
        let id = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
        self.api().get(&format!("/api/v1/scores/{id}")).await.body
    }

    async fn rings(&self, query: &str) -> Vec<Value> {
        let listed = self.api().get(&format!("/api/v1/fraud/rings?{query}")).await;
        listed.body["data"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
    }

    pub async fn find(&self) -> u64 {
        self.api().app.clock.advance(TimeDelta::minutes(1));
        once(&Find, &self.api().workbench()).await.unwrap()
    }

    /// What is kept of what partners were seen with, and how many changes there were.
    async fn kept(&self) -> (String, i64) {
        let edges =
            "SELECT string_agg(edge::text, '\n' ORDER BY kind, thing, affiliate_id) FROM ring_edges AS edge";
        let changes = "SELECT changes FROM ring_progress";
        let db = &self.api().app.db;
        let edges = sqlx::query_scalar(edges).fetch_one(db).await.unwrap();
        (edges, sqlx::query_scalar(changes).fetch_one(db).await.unwrap())
    }

    async fn announced(&self) -> Vec<String> {
        let all = self.api().announced().await;
        all.into_iter().filter(|kind| kind.starts_with("ring.")).collect()
    }
}

fn names(ring: &Value) -> Vec<&str> {
    ring["members"].as_array().unwrap().iter().map(|member| member["name"].as_str().unwrap()).collect()
}

fn codes(score: &Value) -> Vec<&str> {
    score["reasons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn partners_who_share_homes_are_a_ring_and_what_waits_of_theirs_is_held() {
    let market = Market::new().await;
    let api = market.api();
    let bo = market.partner("Bo").await;
    market.partner("Cy").await;
    market.partner("Di").await;
    let sales = market.sales(&["Bo", "Cy", "Di"]).await;
    assert_eq!(market.conversion(&sales[0]).await["status"], "pending", "in the shadow nothing is held");
    market.world.go_live(0).await;
    market.world.catch_up().await;
    assert_eq!(market.find().await, 13, "a ring, and twelve conversions are decided again");
    assert_eq!(market.find().await, 0);
    // The ring, with why each pair hangs together.
    let rings = market.rings("state=open").await;
    assert_eq!(rings.len(), 1);
    assert_eq!((names(&rings[0]), rings[0]["density"].as_f64()), (vec!["Bo", "Cy", "Di"], Some(1.0)));
    let words: Vec<&str> =
        rings[0]["links"].as_array().unwrap().iter().map(|link| link["words"].as_str().unwrap()).collect();
    assert_eq!(words, ["4 devices shared, 4 addresses shared"; 3]);
    let id = rings[0]["id"].as_str().unwrap();
    let detail = api.get(&format!("/api/v1/fraud/rings/{id}")).await.body;
    assert_eq!((&detail["pending"], &detail["held"][0]["value"]), (&json!([]), &json!("60.00")), "{detail}");
    assert_eq!(market.announced().await, ["ring.found"]);
    // What waited is held, by whom and why stands in its history, and is a case of each partner.
    for sale in &sales {
        let conversion = market.conversion(sale).await;
        assert_eq!(conversion["status"], "on_hold");
        let last = conversion["history"].as_array().unwrap().last().unwrap().clone();
        let note = last["note"].as_str().unwrap();
        assert_eq!(last["actor"], "system");
        assert!(note.ends_with(&format!("; its partner is in the ring {id}")), "{note}");
    }
    let cases = api.get("/api/v1/cases").await;
    assert_eq!(cases.column("reason"), ["ring"; 3]);
    assert_eq!(detail["cases"].as_array().unwrap().len(), 3);
    let case = api.get(&format!("/api/v1/cases/{}", cases.column("id")[0])).await.body;
    assert_eq!((&case["ring"]["id"], case["ring"]["links"].as_array().unwrap().len()), (&json!(id), 3));
    let why = readable(case["members"][0]["score"]["reasons"][0]["words"].as_str().unwrap());
    insta::assert_snapshot!(why, @"The partner is in the ring rng_1 with aff_2, aff_3: 4 devices shared, 4 addresses shared. The customer is one of theirs.");
    // Somebody whom the others do not know may be an honest customer.
    let stranger = market.sale("Cy", "phone", "192.0.2.77").await;
    assert_eq!(market.conversion(&stranger).await["status"], "pending");
    let score = market.score(&stranger).await;
    assert!(codes(&score).contains(&"ring") && score["is_reproduced"] == true, "{score}");
    // The next one from one of their homes is held when it comes, and decided again to the bit.
    let next = market.sale("Bo", "telephone", "192.0.2.3").await;
    assert_eq!(market.conversion(&next).await["status"], "on_hold");
    let score = market.score(&next).await;
    assert_eq!((codes(&score)[0], score["is_reproduced"].as_bool()), ("ring", Some(true)), "{score}");
    assert_eq!(
        (&score["record"]["ring"]["id"], &score["reasons"][0]["model_version"]),
        (&json!(id), &json!(id))
    );
    assert_eq!(market.score(&sales[0]).await["is_reproduced"], true);
    // A ring is no version of the model.
    let health = api.get("/api/v1/models/fraud/health").await.body;
    assert_eq!(health["decisions"]["versions"], json!({"none": 14}), "{health}");
    // The partner is told that much, and of nobody else.
    api.app.clock.advance(TimeDelta::days(2));
    let own = api.new_key(&["appeals:read", "conversions:read"], Some(bo)).await;
    let told = api.get_as(&own, "/api/v1/appeals").await;
    assert_eq!(told.body["data"].as_array().unwrap().len(), 5);
    let sentence = "The customer, the partner or other partners seem to be connected.";
    assert!(told.column("reason").iter().all(|reason| *reason == sentence), "{told}");
    assert!(!told.text.contains("rng_"), "{told}");
    assert_eq!(api.get_as(&own, "/api/v1/fraud/rings").await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_joins_a_ring_is_in_the_same_one_and_what_is_declared_is_none() {
    let market = Market::new().await;
    let api = market.api();
    for name in ["Bo", "Cy", "Di"] {
        market.partner(name).await;
    }
    market.sales(&["Bo", "Cy", "Di"]).await;
    market.world.catch_up().await;
    let by_itself = Workbench { scorer: None, ..api.workbench() };
    assert_eq!(
        once(&Find, &by_itself).await.unwrap(),
        1,
        "a worker by itself finds rings and decides nothing"
    );
    assert_eq!(market.find().await, 12);
    let ed = market.partner("Ed").await;
    let late = market.sales(&["Ed"]).await;
    assert!(!codes(&market.score(&late[0]).await).contains(&"ring"));
    market.world.catch_up().await;
    assert_eq!(market.find().await, 5, "the ring has changed, and four conversions are decided again");
    let rings = market.rings(&format!("affiliate_id={ed}")).await;
    assert_eq!((names(&rings[0]), &rings[0]["revision"]), (vec!["Bo", "Cy", "Di", "Ed"], &json!(2)));
    assert!(codes(&market.score(&late[0]).await).contains(&"ring"));
    let noted = market.conversion(&late[0]).await;
    assert_eq!(noted["status"], "pending", "in the shadow it is noted and not held");
    let id = rings[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/fraud/rings/{id}");
    let revisions = api.get(&path).await.body["revisions"].take();
    let sizes: Vec<usize> =
        revisions.as_array().unwrap().iter().map(|one| one["affiliates"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [4, 3]);
    // People say that it is one business.
    let note = json!({"note": "A family with four sites; the contract names all of them."});
    let declared = api.made(&format!("{path}/declare"), note.clone()).await;
    assert_eq!(
        (&declared["state"], &declared["dissolved_because"]),
        (&json!("dissolved"), &json!("declared"))
    );
    assert_eq!(market.announced().await, ["ring.found", "ring.changed", "ring.dissolved"]);
    let after = market.sale("Bo", "tablet-0", "192.0.2.0").await;
    assert!(!codes(&market.score(&after).await).contains(&"ring"));
    market.sales(&["Bo", "Cy", "Di", "Ed"]).await;
    assert_eq!(market.find().await, 0, "what they go on sharing joins them no more");
    assert!(market.rings("state=open").await.is_empty());
    assert_eq!(market.rings("state=dissolved").await.len(), 1);
    let twice = api.post(&format!("{path}/declare"), note.clone()).await.problem();
    insta::assert_snapshot!(twice, @"409 illegal_move: rng_1 is dissolved: declare the ring that its members are in now");
    let nobody = "/api/v1/fraud/rings/rng_01JH0000000000000000000000";
    assert_eq!(api.post(&format!("{nobody}/declare"), note).await.status, 404);
    assert_eq!(api.get(nobody).await.status, 404);
    assert_eq!(api.get("/api/v1/fraud/rings?state=gone").await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_office_a_family_above_each_other_and_strangers_are_no_ring() {
    let market = Market::new().await;
    let api = market.api();
    // Subscribers of a mobile network share its addresses, and nothing else.
    for name in ["Bo", "Cy", "Di"] {
        market.partner(name).await;
        for home in 0..4 {
            market.sale(name, &format!("{name}-{home}"), &format!("203.0.113.{home}")).await;
        }
    }
    // Somebody with those whom it recruited.
    let top = market.partner("Top").await;
    for name in ["Low", "Lower"] {
        let new = json!({"name": name, "email": format!("{name}@partner.example"), "parent_id": top});
        let id = api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
        api.made(&format!("/api/v1/affiliates/{id}/approve"), json!({})).await;
        market.code(id.parse().unwrap(), name).await;
    }
    market.sales(&["Top", "Low", "Lower"]).await;
    assert_eq!(market.find().await, 0);
    assert!(market.rings("").await.is_empty());
    // Whoever writes one mailbox in two ways is one.
    api.affiliate("Kim+a").await;
    api.affiliate("Kim+b").await;
    assert_eq!(market.find().await, 1);
    let rings = market.rings("").await;
    assert_eq!(
        (names(&rings[0]), &rings[0]["links"][0]["words"]),
        (vec!["Kim+a", "Kim+b"], &json!("same mailbox"))
    );
    // Neither are two who are paid to one account.
    for name in ["Lee", "Max"] {
        let id = api.affiliate(name).await;
        let account = json!({"payout_account": "DE89 3704 0044 0532 0130 00"});
        assert_eq!(api.patch(&format!("/api/v1/affiliates/{id}"), account).await.status, 200);
    }
    assert_eq!(market.find().await, 1);
    let paid_alike = &market.rings("").await[0];
    assert_eq!(
        (names(paid_alike), &paid_alike["links"][0]["words"]),
        (vec!["Lee", "Max"], &json!("same payout account"))
    );
    // Unless one turns out to work for the other.
    let members = &rings[0]["members"];
    let (one, other) = (members[0]["affiliate_id"].as_str().unwrap(), &members[1]["affiliate_id"]);
    let moved = api.put(&format!("/api/v1/affiliates/{one}/parent"), json!({"parent_id": other})).await;
    assert_eq!(moved.status, 200, "{moved}");
    assert_eq!(market.find().await, 1);
    let apart = market.rings("state=dissolved").await;
    assert_eq!((apart.len(), &apart[0]["dissolved_because"]), (1, &json!("apart")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_too_many_share_joins_nobody_any_more() {
    let market = Market::new().await;
    for name in ["Bo", "Cy"] {
        market.partner(name).await;
    }
    market.sales(&["Bo", "Cy"]).await;
    assert_eq!(market.find().await, 1, "without features nothing is decided again");
    // The tablets turn out to be those of a shop, where everybody orders.
    let crowd = "
        INSERT INTO ring_edges (kind, thing, affiliate_id, is_repeated, last_seen_at)
        SELECT DISTINCT kind, thing, stranger.id, false, last_seen_at
        FROM ring_edges
        JOIN affiliates ON affiliates.id = affiliate_id AND name = 'Bo'
        CROSS JOIN (SELECT id FROM affiliates WHERE name = 'Stranger' ORDER BY id LIMIT 12) AS stranger
        WHERE kind IN ('device', 'address')";
    let db = &market.api().app.db;
    sqlx::query(crowd).execute(db).await.unwrap();
    sqlx::query("UPDATE ring_progress SET changes = changes + 1").execute(db).await.unwrap();
    assert_eq!(market.find().await, 1);
    let rings = market.rings("").await;
    assert_eq!((&rings[0]["state"], &rings[0]["dissolved_because"]), (&json!("dissolved"), &json!("apart")));
    assert_eq!(market.announced().await, ["ring.found", "ring.dissolved"]);
    // What nobody was seen with for ninety days is forgotten.
    market.api().app.clock.advance(TimeDelta::days(91));
    market.find().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM ring_edges WHERE kind <> 'mailbox'")
        .fetch_one(db)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_read_again_says_nothing_and_what_was_cut_off_is_found_the_next_time() {
    let market = Market::new().await;
    for name in ["Bo", "Cy"] {
        market.partner(name).await;
    }
    market.sales(&["Bo", "Cy"]).await;
    let (intake, hiding) = (market.api().workbench().intake, Hiding::new(&secret()));
    let see = || rings::see(&intake.pool, &hiding, intake.clock.now());
    see().await.unwrap();
    let before = market.kept().await;
    assert!(before.0.contains("device") && before.1 != 0, "{before:?}");
    see().await.unwrap();
    assert_eq!(market.kept().await, before);
    // All of it again, as after a crash before anything was noted.
    sqlx::query("UPDATE ring_progress SET scores_until = NULL, affiliates_whole_at = NULL")
        .execute(&intake.pool)
        .await
        .unwrap();
    see().await.unwrap();
    assert_eq!(market.kept().await, before);
    // Nobody has looked for rings yet: whoever read was cut off before.
    assert!(market.rings("").await.is_empty());
    assert_eq!(rings::find(&intake).await.unwrap(), 1);
    assert_eq!(rings::find(&intake).await.unwrap(), 0);
    // A decision that was asked for about the same conversion is no second sighting, another conversion is.
    let is_repeated = async || -> Vec<bool> {
        let repeated = "SELECT is_repeated FROM ring_edges JOIN affiliates ON affiliates.id = affiliate_id
                        WHERE name = 'Bo' AND kind = 'device' ORDER BY last_seen_at, thing";
        sqlx::query_scalar(repeated).fetch_all(&intake.pool).await.unwrap()
    };
    assert_eq!(is_repeated().await, [false; 4]);
    let sale = market.sale("Bo", "tablet-9", "192.0.2.9").await;
    let asked = json!({"conversions": [{"conversion_id": sale}]});
    market.api().made("/api/v1/score/conversions", asked).await;
    see().await.unwrap();
    assert_eq!(is_repeated().await, [false; 5]);
    market.sale("Bo", "tablet-9", "192.0.2.9").await;
    see().await.unwrap();
    assert_eq!(is_repeated().await, [false, false, false, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_people_let_go_stays_so_when_the_same_are_another_ring() {
    let market = Market::new().await;
    let api = market.api();
    for name in ["Bo", "Cy"] {
        market.partner(name).await;
    }
    let sales = market.sales(&["Bo", "Cy"]).await;
    market.world.go_live(0).await;
    market.world.catch_up().await;
    assert_eq!(market.find().await, 9, "a ring, and eight conversions are decided again");
    for id in api.get("/api/v1/cases").await.column("id") {
        let revision = api.get(&format!("/api/v1/cases/{id}")).await.body["revision"].clone();
        let release = json!({"revision": revision, "outcome": "release", "note": "They are neighbours."});
        api.made(&format!("/api/v1/cases/{id}/decide"), release).await;
    }
    // They hang together no more, and then again.
    for parted in [
        "DELETE FROM ring_members",
        "UPDATE rings SET dissolved_at = now(), dissolved_because = 'apart'",
        "UPDATE ring_progress SET changes = changes + 1",
    ] {
        sqlx::query(parted).execute(&api.app.db).await.unwrap();
    }
    assert_eq!(market.find().await, 1, "another ring, and nothing is decided again");
    for sale in &sales {
        assert_eq!(market.conversion(sale).await["status"], "pending");
    }
}
