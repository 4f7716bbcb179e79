//! Addresses that are entered by the API, by whom, and what is refused.

use serde_json::{Value, json};

use crate::{
    api::testing::Api,
    app::App,
    postbacks::courier::{Courier, Reach},
};

#[tokio::test]
async fn an_address_is_entered_listed_and_removed() {
    let api = Api::start().await;
    let ana = api.affiliate("Ana").await;
    let path = format!("/api/v1/affiliates/{ana}/postbacks");
    let new = json!({"url": "https://t.example/in?cid={sub1}", "events": ["conversion.reversed", "conversion.created", "conversion.created"]});
    insta::assert_snapshot!(api.post(&path, new).await, @r#"
    201 {
      "affiliate_id": "aff_1",
      "campaign_id": null,
      "created_at": "2026-02-01T12:00:00.002Z",
      "events": [
        "conversion.created",
        "conversion.reversed"
      ],
      "id": "ppb_2",
      "secret": null,
      "signed": false,
      "stopped_at": null,
      "url": "https://t.example/in?cid={sub1}"
    }
    "#);
    let listed = api.get(&path).await;
    let id = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.delete(&format!("/api/v1/postbacks/{id}")).await.status, 200);
    assert_eq!(api.delete(&format!("/api/v1/postbacks/{id}")).await.status, 404);
    assert_eq!(api.get(&path).await.body["data"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_where_it_is_written() {
    let api = Api::start().await;
    let public =
        App { courier: Courier::new(&crate::api::testing::secret(), Reach::Public), ..api.app.clone() };
    let api = api.again(public);
    let ana = api.affiliate("Ana").await;
    let path = format!("/api/v1/affiliates/{ana}/postbacks");
    let check = async |change: Value| {
        let mut new = json!({"url": "https://t.example/", "events": ["conversion.created"]});
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        api.post(&path, new).await.problem()
    };
    insta::assert_snapshot!(check(json!({"url": "https://{sub1}.example/"})).await, @"422 unprocessable:  [/url: it must begin with https:// or http:// and a host, both without macros, and hold no user name]");
    insta::assert_snapshot!(check(json!({"url": "http://169.254.169.254/"})).await, @"422 unprocessable:  [/url: its host is of no server on the public internet]");
    insta::assert_snapshot!(check(json!({"url": "https://t.example/{sub1|upper}"})).await, @"422 unprocessable:  [/url: {sub1|upper} goes on with neither |raw nor |default:…]");
    insta::assert_snapshot!(check(json!({"url": "https://t.example/?a=1&a=2", "signed": true})).await, @"422 unprocessable:  [/url: it cannot be signed: a parameter is in it twice, or is one of wid, wts, wsig and wkid]");
    insta::assert_snapshot!(check(json!({"events": []})).await, @"422 unprocessable:  [/events: it must name what the address is told of, each once]");
    insta::assert_snapshot!(check(json!({"campaign_id": "cmp_01JH0000000000000000000000"})).await, @"422 unprocessable:  [/campaign_id: no such campaign]");
}

#[tokio::test]
async fn a_partners_key_sees_its_own_addresses_alone() {
    let api = Api::start().await;
    let (ana, ben) = (api.affiliate("Ana").await, api.affiliate("Ben").await);
    let new = json!({"url": "https://t.example/", "events": ["conversion.created"]});
    let made = api.made(&format!("/api/v1/affiliates/{ana}/postbacks"), new).await;
    let id = made["id"].as_str().unwrap();
    let bens = api.new_key(&["postbacks:read", "postbacks:write"], Some(ben)).await;
    let anas = api.new_key(&["postbacks:read"], Some(ana)).await;
    let deliveries = format!("/api/v1/postbacks/{id}/deliveries");
    assert_eq!(api.get_as(&bens, &deliveries).await.status, 404);
    assert_eq!(api.get_as(&bens, &format!("/api/v1/affiliates/{ana}/postbacks")).await.status, 404);
    assert_eq!(api.get_as(&anas, &deliveries).await.status, 200);
}

#[tokio::test]
async fn a_test_is_tried_soon_and_not_too_often() {
    let api = Api::start().await;
    let ana = api.affiliate("Ana").await;
    let new = json!({"url": "https://t.example/?p={payout}", "events": ["conversion.created"]});
    let made = api.made(&format!("/api/v1/affiliates/{ana}/postbacks"), new).await;
    let path = format!("/api/v1/postbacks/{}/test", made["id"].as_str().unwrap());
    let begun = api.post(&path, json!({})).await;
    assert_eq!(
        (begun.status.as_u16(), begun.body["url"].as_str()),
        (202, Some("https://t.example/?p=10.00"))
    );
    for _ in 0..9 {
        assert_eq!(api.post(&path, json!({})).await.status, 202);
    }
    insta::assert_snapshot!(api.post(&path, json!({})).await.problem(), @"409 too_many_tests: aff_1 tried its addresses 10 times in ten minutes; wait a little");
}
