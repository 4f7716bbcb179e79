//! Recommendations as teams, affiliates and data scientists see them.

mod fixture;
mod others;

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::fixture::{COUNTRIES, World, of_value, of_vectors, serve};
use crate::{
    api::testing::{Answer, Api},
    app::App,
    matching::Matching,
};

/// Affiliates and campaigns in the database, some of them known to a version.
struct Market {
    api: Api,
    folder: TempDir,
    world: World,
}

async fn affiliate(api: &Api, name: &str, country: Option<&str>) -> String {
    let new = json!({"name": name, "email": format!("{name}@partner.example"), "country": country});
    let id = api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
    api.made(&format!("/api/v1/affiliates/{id}/approve"), json!({})).await;
    id
}

async fn campaign(api: &Api, shop: &Value, name: &str) -> String {
    let campaign = json!({
        "advertiser_id": shop["id"], "name": name, "currency": "EUR", "landing_url": "https://shop.example/",
        "rules": [{"terms": {"model": "percentage", "rate": "5%"}}],
    });
    api.made("/api/v1/campaigns", campaign).await["id"].as_str().unwrap().to_owned()
}

impl Market {
    /// Ana and Bo of Germany, Cleo of France; Alps of Germany does well, Beach of France, Castle of Germany; Ana had Castle.
    async fn new() -> Self {
        let api = Api::start().await;
        let shop = api.made("/api/v1/advertisers", json!({"name": "Shop"})).await;
        let mut world = World::default();
        for (name, country) in [("Ana", 0), ("Bo", 0), ("Cleo", 1)] {
            world.affiliates.push((affiliate(&api, name, Some(COUNTRIES[country])).await, country));
        }
        for (name, country, more) in [("Alps", 0, 1.0), ("Beach", 1, 0.0), ("Castle", 0, 0.0)] {
            world.campaigns.push((campaign(&api, &shop, name).await, country, more));
        }
        world.pairs = vec![(0, 2)];
        Self { api, folder: tempfile::tempdir().unwrap(), world }
    }

    async fn served() -> Self {
        let market = Self::new().await;
        serve(market.folder.path(), &of_value(&market.world));
        market.looked()
    }

    fn looked(mut self) -> Self {
        self.api = self.api.with_models(self.folder.path());
        self
    }

    /// The same process with another rate of exploration.
    fn exploring(mut self, rate: f64) -> Self {
        let app = App { matching: Arc::new(Matching::new(rate)), ..self.api.app.clone() };
        self.api = self.api.again(app);
        self
    }

    fn affiliate(&self, place: usize) -> &str {
        &self.world.affiliates[place].0
    }

    fn campaign(&self, place: usize) -> &str {
        &self.world.campaigns[place].0
    }

    async fn for_affiliate(&self, place: usize) -> Answer {
        self.api.get(&for_affiliate(self.affiliate(place))).await
    }

    async fn for_campaign(&self, place: usize) -> Answer {
        self.api.get(&for_campaign(self.campaign(place))).await
    }

    async fn said(&self, kind: &str, (affiliate, campaign): (usize, usize)) -> Answer {
        let said = json!({
            "affiliate_id": self.affiliate(affiliate), "campaign_id": self.campaign(campaign), "kind": kind,
        });
        self.api.post("/api/v1/recommendations/feedback", said).await
    }
}

fn for_affiliate(id: &str) -> String {
    format!("/api/v1/affiliates/{id}/recommendations")
}

fn for_campaign(id: &str) -> String {
    format!("/api/v1/campaigns/{id}/recommendations")
}

/// Who is in the list, with scores.
fn names(answer: &Answer) -> String {
    let rows = answer.body["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let one = |row: &Value| {
        let score = row["score"].as_f64().map_or("-".to_owned(), |it| it.to_string());
        format!("{} {score}", row["name"].as_str().unwrap())
    };
    rows.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn an_affiliate_gets_campaigns_and_a_campaign_affiliates_with_reasons() {
    let market = Market::served().await;
    insta::assert_snapshot!(market.for_affiliate(1).await, @r#"
    200 {
      "affiliate_id": "aff_1",
      "at": "2026-02-01T12:00:00.010Z",
      "basis": "history",
      "basis_words": "by what it has brought so far and what is told of it",
      "because": null,
      "currency": "EUR",
      "data": [
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_3",
          "expected_value": 3.5,
          "explored": false,
          "name": "Alps",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 1,
          "reasons": [
            {
              "adds": 1.0,
              "words": "same country"
            },
            {
              "adds": 0.5,
              "words": "the campaign in general"
            }
          ],
          "score": 3.5,
          "why": "fits country=DE: 2.3 × the mean value per click of all pairs, as the campaign is new (3.500 against 1.500); same country +1.000; the campaign in general +0.500"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_4",
          "expected_value": 3.0,
          "explored": false,
          "name": "Castle",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 2,
          "reasons": [
            {
              "adds": 1.0,
              "words": "same country"
            }
          ],
          "score": 3.0,
          "why": "fits country=DE: 2.4 × the mean value per click of the campaign in 1 pair (3.000 against 1.250); same country +1.000"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_5",
          "expected_value": 1.0,
          "explored": false,
          "name": "Beach",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 3,
          "reasons": [],
          "score": 1.0,
          "why": "0.7 × the mean value per click of all pairs, as the campaign is new (1.000 against 1.500)"
        }
      ],
      "degraded": false,
      "exploring": 0.0,
      "list_id": "rec_6",
      "model": {
        "as_of": "2026-01-31T22:53:20Z",
        "family": "value",
        "name": "match",
        "version": 1
      },
      "unit": "mean value per click"
    }
    "#);
    // Ana had Castle when the version was trained.
    assert_eq!(names(&market.for_affiliate(0).await), "Alps 3.5, Beach 1");
    assert_eq!(names(&market.for_campaign(2).await), "Bo 3, Cleo 1");
    insta::assert_snapshot!(market.for_campaign(0).await, @r#"
    200 {
      "at": "2026-02-01T12:00:00.013Z",
      "basis": "history",
      "basis_words": "by what it has brought so far and what is told of it",
      "because": null,
      "campaign_id": "cmp_1",
      "currency": "EUR",
      "data": [
        {
          "affiliate_id": "aff_2",
          "country": "DE",
          "expected_value": 3.5,
          "explored": false,
          "name": "Ana",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 1,
          "reasons": [
            {
              "adds": 1.0,
              "words": "same country"
            },
            {
              "adds": 0.5,
              "words": "the campaign in general"
            }
          ],
          "score": 3.5,
          "why": "fits country=DE: 2.3 × the mean value per click of all pairs, as the campaign is new (3.500 against 1.500); same country +1.000; the campaign in general +0.500"
        },
        {
          "affiliate_id": "aff_3",
          "country": "DE",
          "expected_value": 3.5,
          "explored": false,
          "name": "Bo",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 2,
          "reasons": [
            {
              "adds": 1.0,
              "words": "same country"
            },
            {
              "adds": 0.5,
              "words": "the campaign in general"
            }
          ],
          "score": 3.5,
          "why": "fits country=DE: 2.3 × the mean value per click of all pairs, as the campaign is new (3.500 against 1.500); same country +1.000; the campaign in general +0.500"
        },
        {
          "affiliate_id": "aff_4",
          "country": "FR",
          "expected_value": 1.5,
          "explored": false,
          "name": "Cleo",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 3,
          "reasons": [
            {
              "adds": 0.5,
              "words": "the campaign in general"
            }
          ],
          "score": 1.5,
          "why": "1.0 × the mean value per click of all pairs, as the campaign is new (1.500 against 1.500); the campaign in general +0.500"
        }
      ],
      "degraded": false,
      "exploring": 0.0,
      "list_id": "rec_5",
      "model": {
        "as_of": "2026-01-31T22:53:20Z",
        "family": "value",
        "name": "match",
        "version": 1
      },
      "unit": "mean value per click"
    }
    "#);
}

#[tokio::test]
async fn who_signed_up_a_moment_ago_gets_a_list_at_once() {
    let market = Market::served().await;
    market.for_affiliate(0).await;
    let api = &market.api;
    let of = async |country: Option<&str>, name: &str| {
        let id = affiliate(api, name, country).await;
        let answer = api.get(&for_affiliate(&id)).await;
        let basis = answer.body["basis"].as_str().unwrap().to_owned();
        format!("{basis}: {}", names(&answer))
    };
    assert_eq!(of(Some("FR"), "Dora").await, "profile: Beach 3, Alps 1.5, Castle 1");
    assert_eq!(of(None, "Emil").await, "popular: Alps 1.5, Beach 1, Castle 1");
    // They are recommended at once as well, and so is a campaign of a moment ago.
    assert_eq!(names(&market.for_campaign(1).await), "Cleo 3, Dora 3, Ana 1, Bo 1, Emil 1");
    let shop = api.made("/api/v1/advertisers", json!({"name": "New"})).await;
    let new = campaign(api, &shop, "Dunes").await;
    let answer = api.get(&for_affiliate(market.affiliate(1))).await;
    assert_eq!(names(&answer), "Alps 3.5, Castle 3, Beach 1, Dunes 1");
    assert_eq!(answer.body["data"][3]["newcomer"], true);
    assert_eq!(names(&api.get(&for_campaign(&new)).await), "Ana 1, Bo 1, Cleo 1, Dora 1, Emil 1");
}

#[tokio::test]
async fn what_is_dismissed_is_in_no_list_from_the_next_request_on_and_may_be_restored() {
    let market = Market::served().await;
    let beside = market.api.beside(crate::api::limits::Limits::new(
        100_000.try_into().unwrap(),
        100_000.try_into().unwrap(),
        &crate::api::testing::secret(),
    ));
    let there = async || names(&beside.get(&for_affiliate(market.affiliate(1))).await);
    assert_eq!(there().await, "Alps 3.5, Castle 3, Beach 1");
    insta::assert_snapshot!(market.said("dismissed", (1, 0)).await, @r#"
    201 {
      "actor": "key_1",
      "affiliate_id": "aff_2",
      "campaign_id": "cmp_3",
      "created_at": "2026-02-01T12:00:00.011Z",
      "id": "rfb_4",
      "kind": "dismissed",
      "list_id": null,
      "note": ""
    }
    "#);
    assert_eq!(there().await, "Castle 3, Beach 1");
    assert_eq!(names(&market.for_affiliate(1).await), "Castle 3, Beach 1");
    assert_eq!(names(&market.for_campaign(0).await), "Ana 3.5, Cleo 1.5");
    for kind in ["shown", "applied", "invited"] {
        assert_eq!(market.said(kind, (1, 0)).await.status, StatusCode::CREATED);
    }
    assert_eq!(there().await, "Castle 3, Beach 1");
    market.said("restored", (1, 0)).await;
    assert_eq!(there().await, "Alps 3.5, Castle 3, Beach 1");
    insta::assert_snapshot!(market.said("liked", (1, 0)).await.problem(), @"422 unprocessable:  [/kind: unknown variant `liked`, expected one of `shown`, `applied`, `invited`, `dismissed`, `restored`]");
}

#[tokio::test]
async fn only_who_may_be_recommended_is_and_nobody_whom_there_is_something_with() {
    let market = Market::served().await;
    let api = &market.api;
    let filtered =
        async |query: &str| names(&api.get(&format!("{}?{query}", for_campaign(market.campaign(0)))).await);
    assert_eq!(filtered("country=FR").await, "Cleo 1.5");
    assert_eq!(filtered("limit=1").await, "Ana 3.5");
    assert_eq!(filtered("traffic_source=mail").await, "");
    let usd = api.get(&format!("{}?currency=USD", for_affiliate(market.affiliate(0)))).await;
    assert_eq!(names(&usd), "");
    let link = json!({"campaign_id": market.campaign(0)});
    api.made(&format!("/api/v1/affiliates/{}/links", market.affiliate(1)), link).await;
    assert_eq!(names(&market.for_affiliate(1).await), "Castle 3, Beach 1");
    assert_eq!(names(&market.for_campaign(0).await), "Ana 3.5, Cleo 1.5");
    api.made(&format!("/api/v1/affiliates/{}/suspend", market.affiliate(0)), json!({})).await;
    assert_eq!(names(&market.for_campaign(0).await), "Cleo 1.5");
    api.made(&format!("/api/v1/campaigns/{}/pause", market.campaign(1)), json!({})).await;
    assert_eq!(names(&market.for_affiliate(1).await), "Castle 3");
    let wrong = api.get(&format!("{}?limit=0", for_campaign(market.campaign(0)))).await;
    insta::assert_snapshot!(wrong.problem(), @"400 malformed_query:  [/limit: it must be a whole number from 1 to 100]");
    let wrong = api.get(&format!("{}?color=red", for_campaign(market.campaign(0)))).await;
    insta::assert_snapshot!(wrong.problem(), @"400 malformed_query:  [/color: unknown field `color`, expected one of `limit`, `country`, `traffic_source`, `content_type`]");
}

#[tokio::test]
async fn a_version_with_vectors_ranks_both_ways_and_places_strangers() {
    let market = Market::new().await;
    serve(market.folder.path(), &of_vectors(&market.world));
    let market = market.looked();
    assert_eq!(names(&market.for_affiliate(1).await), "Alps 2, Castle 1, Beach 0");
    assert_eq!(names(&market.for_campaign(1).await), "Cleo 1, Ana 0, Bo 0");
    let dora = affiliate(&market.api, "Dora", Some("FR")).await;
    let answer = market.api.get(&for_affiliate(&dora)).await;
    assert_eq!(names(&answer), "Alps 1, Beach 1, Castle 0");
    assert_eq!(answer.body["data"][1]["why"], "affiliate country=FR +1.000");
    // Nothing is told of Emil: most had to do with Castle.
    let emil = affiliate(&market.api, "Emil", None).await;
    assert_eq!(names(&market.api.get(&for_affiliate(&emil)).await), "Castle 1, Alps 0, Beach 0");
    // A campaign without a vector is compared by the records.
    let shop = market.api.made("/api/v1/advertisers", json!({"name": "New"})).await;
    let new = campaign(&market.api, &shop, "Dunes").await;
    let answer = market.api.get(&for_campaign(&new)).await;
    insta::assert_snapshot!(answer.body["because"], @r#""match 1 knows nothing that it could compare it by""#);
}

#[tokio::test]
async fn chance_fills_places_at_its_rate_and_says_with_which_chance() {
    let market = Market::served().await.exploring(0.3);
    let (mut explored, mut firsts) = (0, 0);
    let rounds = 400;
    for _ in 0..rounds {
        let answer = market.for_affiliate(1).await;
        let rows = answer.body["data"].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        let mut left: Vec<&str> = vec!["Alps", "Castle", "Beach"];
        for row in rows {
            let name = row["name"].as_str().unwrap();
            // The best that is left has 0.7 and its part of 0.3; each of the others a part.
            let chance = 0.3 / left.len() as f64 + if left[0] == name { 0.7 } else { 0.0 };
            assert!((row["propensity"].as_f64().unwrap() - chance).abs() < 1e-12, "{row}");
            left.retain(|other| *other != name);
            explored += u32::from(row["explored"] == true);
        }
        firsts += u32::from(rows[0]["name"] == "Alps");
    }
    let share = |count: u32, of: u32| f64::from(count) / f64::from(of);
    assert!((share(explored, 3 * rounds) - 0.3).abs() < 0.05, "{explored}");
    assert!((share(firsts, rounds) - 0.8).abs() < 0.07, "{firsts}");
}
