//! Lists as affiliates themselves see them, without a version, and what teams and data scientists ask besides.

use axum::http::StatusCode;
use chrono::TimeDelta;
use domain::AffiliateId;
use serde_json::json;

use super::{
    Market,
    fixture::{of_value, serve},
    for_affiliate, for_campaign, names,
};
use crate::{
    api::testing::readable,
    pages::{
        role::Role,
        testing::{Browser, Site},
    },
};

#[tokio::test]
async fn an_affiliates_own_key_sees_its_own_list_without_what_clicks_are_worth() {
    let market = Market::served().await;
    let api = &market.api;
    let bo: AffiliateId = market.affiliate(1).parse().unwrap();
    let key = api.new_key(&["matches:read"], Some(bo)).await;
    insta::assert_snapshot!(api.get_as(&key, &for_affiliate(market.affiliate(1))).await, @r#"
    200 {
      "affiliate_id": "aff_1",
      "at": "2026-02-01T12:00:00.010Z",
      "basis": "history",
      "basis_words": "by what it has brought so far and what is told of it",
      "because": null,
      "currency": null,
      "data": [
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_3",
          "expected_value": null,
          "explored": false,
          "name": "Alps",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 1,
          "reasons": [
            {
              "adds": null,
              "words": "same country"
            },
            {
              "adds": null,
              "words": "the campaign in general"
            }
          ],
          "score": null,
          "why": "because of same country, the campaign in general"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_4",
          "expected_value": null,
          "explored": false,
          "name": "Castle",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 2,
          "reasons": [
            {
              "adds": null,
              "words": "same country"
            }
          ],
          "score": null,
          "why": "because of same country"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_5",
          "expected_value": null,
          "explored": false,
          "name": "Beach",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 3,
          "reasons": [],
          "score": null,
          "why": "nothing sets it apart"
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
      "unit": null
    }
    "#);
    let others = api.get_as(&key, &for_affiliate(market.affiliate(0))).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    for path in [
        for_campaign(market.campaign(0)),
        format!("/api/v1/campaigns/{}/lookalikes", market.campaign(0)),
        "/api/v1/coverage-gaps".to_owned(),
        "/api/v1/recommendations/log".to_owned(),
    ] {
        assert_eq!(api.get_as(&key, &path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let unknown = api.get(&for_affiliate("aff_01JH0000000000000000000000")).await;
    insta::assert_snapshot!(unknown.problem(), @"404 not_found: aff_1 does not exist, or this key may not see it");
}

#[tokio::test]
async fn without_a_version_the_records_say_what_they_know_and_why() {
    let market = Market::new().await;
    let api = &market.api;
    // Ana of Germany brought two sales to Castle, Cleo of France a click.
    let ana: AffiliateId = market.affiliate(0).parse().unwrap();
    api.sale(ana, market.campaign(2), "A").await;
    api.sale(ana, market.campaign(2), "B").await;
    api.click(market.affiliate(2).parse().unwrap(), market.campaign(1)).await;
    sqlx::query("UPDATE links SET clicks = 40").execute(&api.app.db).await.unwrap();
    let answer = market.for_affiliate(1).await;
    insta::assert_snapshot!(answer, @r#"
    200 {
      "affiliate_id": "aff_1",
      "at": "2026-02-01T12:00:00.015Z",
      "basis": "records",
      "basis_words": "by the counters of links, and what affiliates have in common",
      "because": "this service has no registry of models: start it with --registry",
      "currency": null,
      "data": [
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_3",
          "expected_value": null,
          "explored": false,
          "name": "Castle",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 1,
          "reasons": [],
          "score": 0.02242798353909465,
          "why": "country=DE in common with 1 of the campaign's 1 affiliates, who bring 25.0 conversions for 1,000 clicks; the campaign's only affiliate brings 25.0 conversions for 1,000 clicks"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_4",
          "expected_value": null,
          "explored": false,
          "name": "Alps",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 2,
          "reasons": [],
          "score": 0.016666666666666666,
          "why": "nobody has brought clicks to the campaign yet"
        },
        {
          "advertiser_id": "adv_2",
          "campaign_id": "cmp_5",
          "expected_value": null,
          "explored": false,
          "name": "Beach",
          "newcomer": false,
          "propensity": 1.0,
          "rank": 3,
          "reasons": [],
          "score": 0.011904761904761908,
          "why": "the campaign's only affiliate brings 0.0 conversions for 1,000 clicks"
        }
      ],
      "degraded": true,
      "exploring": 0.0,
      "list_id": "rec_6",
      "model": null,
      "unit": "conversions per click"
    }
    "#);
    let market = market.looked();
    let because = market.for_affiliate(1).await.body["because"].clone();
    insta::assert_snapshot!(because, @r#""no version of match is champion: promote one with tributary-train models promote""#);
    let mut bare = of_value(&market.world);
    bare.files.clear();
    serve(market.folder.path(), &bare);
    let market = market.looked();
    let because = market.for_affiliate(1).await.body["because"].clone();
    insta::assert_snapshot!(because, @r#""match 1 makes no lists: it has no matches.json: train it again with this release""#);
    assert_eq!(market.api.app.models.faults(), [because.as_str().unwrap()]);
}

#[tokio::test]
async fn tables_that_do_not_say_what_the_graph_says_make_no_lists() {
    let market = Market::new().await;
    let mut wrong = market.world.clone();
    wrong.campaigns[0].2 = 0.0;
    let mut publication = of_value(&market.world);
    publication.files = of_value(&wrong).files;
    serve(market.folder.path(), &publication);
    let market = market.looked();
    let because = market.for_affiliate(1).await.body["because"].clone();
    insta::assert_snapshot!(because, @r#""match 1 makes no lists: matches.json is not what its graph is: it does not say what the graph says""#);
    // The next version holds, and serves at once.
    serve(market.folder.path(), &of_value(&market.world));
    market.api.app.models.look();
    assert_eq!(names(&market.for_affiliate(1).await), "Alps 3.5, Castle 3, Beach 1");
}

#[tokio::test]
async fn lists_are_logged_with_what_came_of_them() {
    let market = Market::served().await;
    let api = &market.api;
    market.for_affiliate(1).await;
    market.for_campaign(1).await;
    market.said("applied", (1, 0)).await;
    let bo: AffiliateId = market.affiliate(1).parse().unwrap();
    api.sale(bo, market.campaign(0), "A").await;
    api.app.clock.advance(TimeDelta::days(40));
    // What comes after so long did not come of the list.
    api.sale(bo, market.campaign(0), "B").await;
    let log = api.get("/api/v1/recommendations/log?from=2026-01-31&to=2026-02-02").await;
    insta::assert_snapshot!(readable(&log.text), @r#"
    user,item,propensity,value,list_id,served_at,rank,score,explored,model,version,feedback,conversions,currency
    aff_1,cmp_2,1,95.00,rec_3,2026-02-01T12:00:00.010Z,1,3.5,0,match,1,applied,1,EUR
    aff_1,cmp_4,1,0.00,rec_3,2026-02-01T12:00:00.010Z,2,3,0,match,1,,0,EUR
    aff_1,cmp_5,1,0.00,rec_3,2026-02-01T12:00:00.010Z,3,1,0,match,1,,0,EUR
    "#);
    let log = api.get("/api/v1/recommendations/log?from=2026-01-31&holds=affiliates").await;
    assert_eq!(log.text.lines().count(), 4);
    let log = api.get("/api/v1/recommendations/log").await;
    assert_eq!(log.text.lines().count(), 1);
    let wrong = api.get("/api/v1/recommendations/log?days=0").await;
    insta::assert_snapshot!(wrong.problem(), @"400 malformed_query:  [/days: it must be a whole number from 1 to 365]");
}

#[tokio::test]
async fn teams_see_who_is_like_the_best_and_where_affiliates_are_missing() {
    let market = Market::served().await;
    let path = format!("/api/v1/campaigns/{}/lookalikes", market.campaign(0));
    insta::assert_snapshot!(market.api.get(&path).await, @r#"
    200 {
      "as_of": "2026-01-31T22:53:20Z",
      "because": null,
      "campaign_id": "cmp_1",
      "data": [
        {
          "affiliate_id": "aff_2",
          "like": [
            "Ana"
          ],
          "likeness": 0.75,
          "name": "Bo",
          "why": "both country=DE +0.500"
        }
      ],
      "model": {
        "as_of": "2026-01-31T22:53:20Z",
        "family": "value",
        "name": "match",
        "version": 1
      }
    }
    "#);
    market.said("dismissed", (1, 0)).await;
    assert_eq!(market.api.get(&path).await.body["data"], json!([]));
    insta::assert_snapshot!(market.api.get("/api/v1/coverage-gaps").await, @r#"
    200 {
      "as_of": "2026-01-31T22:53:20Z",
      "because": null,
      "data": [
        {
          "affiliates": 1,
          "campaigns": 3,
          "expected_value": 1.25,
          "missing": 2,
          "recruit": [
            {
              "adds": 0.5,
              "words": "device=mobile"
            }
          ],
          "segment": [
            {
              "column": "country",
              "word": "FR"
            }
          ]
        }
      ],
      "model": {
        "as_of": "2026-01-31T22:53:20Z",
        "family": "value",
        "name": "match",
        "version": 1
      }
    }
    "#);
    let market = Market::new().await;
    let gaps = market.api.get("/api/v1/coverage-gaps").await;
    assert_eq!(gaps.body["because"], "this service has no registry of models: start it with --registry");
}

#[tokio::test]
async fn a_team_sees_on_pages_who_is_like_the_best_and_where_partners_are_missing() {
    let market = Market::served().await;
    let site = Site::over(&market.api);
    let mut ours = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let all = ours.get("/team/campaigns").await.text;
    assert!(all.contains("country: FR") && all.contains("device=mobile"), "{all}");
    let page = format!("/team/campaigns/{}", market.campaign(0));
    let alike = async |ours: &mut Browser<'_>| {
        let text = ours.get(&page).await.text;
        text.split_once("Like its best partners").map(|(_, alike)| alike.to_owned()).unwrap_or_default()
    };
    let shown = alike(&mut ours).await;
    assert!(
        shown.contains(">Bo</a>") && shown.contains("75% alike") && shown.contains("Like Ana."),
        "{shown}"
    );
    let bo = market.affiliate(1).to_owned();
    let dismiss = [("affiliate", bo.as_str()), ("kind", "dismissed")];
    assert_eq!(ours.fill(&page, &format!("{page}/say"), &dismiss).await.status, StatusCode::SEE_OTHER);
    let shown = alike(&mut ours).await;
    assert!(shown.contains("Nobody who is free") && !shown.contains(">Bo</a>"), "{shown}");
}
