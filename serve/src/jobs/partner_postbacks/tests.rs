//! Addresses are told each thing that happens, at least once, and again where they do not answer.

use domain::{
    AffiliateId,
    signature::{
        LiveKey, SigningKey,
        canonical::{Query, verify},
    },
};
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::{api::testing::Api, jobs::once, postbacks::testing::PartnerTracker};

const ALL: [&str; 4] =
    ["conversion.created", "conversion.approved", "conversion.rejected", "conversion.reversed"];

async fn enter(api: &Api, affiliate: AffiliateId, url: &str, events: &[&str]) -> Value {
    let new = json!({"url": url, "events": events, "signed": true});
    api.made(&format!("/api/v1/affiliates/{affiliate}/postbacks"), new).await
}

/// What was announced is passed on, and what is due is told.
async fn tell_what_is_due(api: &Api) -> u64 {
    let bench = api.workbench();
    once(&PassOn, &bench).await.unwrap();
    once(&Tell, &bench).await.unwrap()
}

async fn deliveries(api: &Api, postback: &Value) -> Vec<Value> {
    let id = postback["id"].as_str().unwrap();
    let listed = api.get(&format!("/api/v1/postbacks/{id}/deliveries")).await;
    listed.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_thing_that_happens_to_ones_conversions_is_told_once() {
    let (api, tracker) = (Api::start().await, PartnerTracker::start([]).await);
    let (ana, ben) = (api.affiliate("Ana").await, api.affiliate("Ben").await);
    let campaign = api.campaign().await;
    let before = api.sale(ana, &campaign, "A0").await;
    let address = tracker.address(
        "is={type}&of={conversion_id}&p={payout}&w={attribution_weight}&n={sub1|default:none}&st={status}",
    );
    let entered = enter(&api, ana, &address, &ALL).await;
    let sale = api.sale(ana, &campaign, "A1").await;
    api.sale(ben, &campaign, "B1").await;
    while tell_what_is_due(&api).await != 0 {}
    assert_eq!(tracker.heard("is"), ["conversion.created"]);
    assert_eq!(tracker.heard("of"), [sale.as_str()]);
    assert_eq!((tracker.heard("p"), tracker.heard("w")), (vec!["5.00".to_owned()], vec!["1".to_owned()]));
    assert_eq!(tracker.heard("n"), ["none"]);
    api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
    api.made(&format!("/api/v1/conversions/{before}/reject"), json!({"reason": "terms"})).await;
    while tell_what_is_due(&api).await != 0 {}
    // They are told at once, in any order.
    let mut later: Vec<_> = tracker.heard("is").into_iter().zip(tracker.heard("st")).skip(1).collect();
    later.sort_unstable();
    let expected = [("conversion.approved", "approved"), ("conversion.rejected", "rejected")];
    assert_eq!(later, expected.map(|(is, status)| (is.to_owned(), status.to_owned())));
    let told = deliveries(&api, &entered).await;
    assert!(told.iter().all(|one| one["state"] == "delivered" && one["attempts"] == 1), "{told:?}");
    let key: SigningKey = SigningKey::parse(entered["secret"].as_str().unwrap()).unwrap();
    let key = LiveKey { kid: String::new(), key: key.verifying_key() };
    for asked in tracker.asked() {
        let url = Url::parse(&format!("http://127.0.0.1{asked}")).unwrap();
        let query = Query::parse(url.query().unwrap()).unwrap();
        verify(std::slice::from_ref(&key), url.path(), &query, api.app.clock.now()).unwrap();
    }
}

#[tokio::test]
async fn what_is_not_answered_is_told_again_until_it_is() {
    let (api, tracker) = (Api::start().await, PartnerTracker::start([500, 302, 429]).await);
    let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
    let entered = enter(&api, ana, &tracker.address("of={event_id}"), &["conversion.created"]).await;
    api.sale(ana, &campaign, "A1").await;
    let told_after = async |wait: TimeDelta| {
        api.app.clock.advance(wait);
        let told = tell_what_is_due(&api).await;
        let delivery = deliveries(&api, &entered).await.remove(0);
        (told, delivery["status"].as_i64(), delivery["state"].as_str().unwrap().to_owned())
    };
    let waiting = "waiting".to_owned();
    assert_eq!(told_after(TimeDelta::zero()).await, (1, Some(500), waiting.clone()));
    assert_eq!(told_after(TimeDelta::seconds(4)).await, (0, Some(500), waiting.clone()));
    assert_eq!(told_after(TimeDelta::seconds(2)).await, (1, Some(302), waiting.clone()));
    assert_eq!(told_after(TimeDelta::minutes(6)).await, (1, Some(429), waiting.clone()));
    assert_eq!(told_after(TimeDelta::minutes(50)).await, (0, Some(429), waiting), "it asked for an hour");
    assert_eq!(told_after(TimeDelta::minutes(11)).await, (1, Some(200), "delivered".to_owned()));
    assert_eq!(tracker.asked().len(), 4, "a redirect is followed nowhere");
    for same in ["of", "wid"] {
        let told = tracker.heard(same);
        assert!(told.iter().all(|id| !id.is_empty() && *id == told[0]), "{told:?}");
    }
}

#[tokio::test]
async fn an_address_that_hangs_keeps_no_other_waiting() {
    let (api, quick) = (Api::start().await, PartnerTracker::start([]).await);
    let hanging = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = format!("http://{}/in?of={{event_id}}", hanging.local_addr().unwrap());
    let (ana, ben, campaign) = (api.affiliate("Ana").await, api.affiliate("Ben").await, api.campaign().await);
    enter(&api, ana, &slow, &ALL).await;
    enter(&api, ben, &quick.address("of={event_id}"), &ALL).await;
    for order in 0..12 {
        api.sale(ana, &campaign, &format!("A{order}")).await;
        api.sale(ben, &campaign, &format!("B{order}")).await;
    }
    let bench = api.workbench();
    once(&PassOn, &bench).await.unwrap();
    let telling = async {
        let mut told = 0;
        while told < 24 {
            told += once(&Tell, &bench).await.unwrap();
        }
    };
    let hanging_up = async {
        while quick.asked().len() < 12 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(hanging);
    };
    let both = async { tokio::join!(telling, hanging_up) };
    // An address has fifteen seconds to answer: before these are over, all others were told.
    timeout(Duration::from_secs(60), both).await.expect("all are told in the end");
    assert_eq!(quick.asked().len(), 12);
}

#[tokio::test]
async fn an_address_that_answers_410_is_told_nothing_more() {
    let (api, tracker) = (Api::start().await, PartnerTracker::start([410]).await);
    let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
    let entered = enter(&api, ana, &tracker.address("of={event_id}"), &ALL).await;
    let sale = api.sale(ana, &campaign, "A1").await;
    while tell_what_is_due(&api).await != 0 {}
    api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
    while tell_what_is_due(&api).await != 0 {}
    assert_eq!(tracker.asked().len(), 1);
    let listed = api.get(&format!("/api/v1/affiliates/{ana}/postbacks")).await;
    assert!(listed.body["data"][0]["stopped_at"].is_string(), "{listed}");
    assert_eq!(deliveries(&api, &entered).await[0]["state"], "failed");
}

#[tokio::test]
async fn what_a_worker_took_and_did_not_finish_is_told_by_another() {
    let (api, tracker) = (Api::start().await, PartnerTracker::start([]).await);
    let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
    enter(&api, ana, &tracker.address("of={event_id}"), &ALL).await;
    api.sale(ana, &campaign, "A1").await;
    let (db, now) = (&api.app.db, api.app.clock.now());
    pass_on(db, now, &api.app.chance).await.unwrap();
    let taken = take(&api.workbench(), &BTreeMap::new(), AT_ONCE).await.unwrap();
    assert_eq!((taken.len(), tell_what_is_due(&api).await), (1, 0));
    api.app.clock.advance(LEASE);
    assert_eq!(tell_what_is_due(&api).await, 1);
    assert_eq!(tracker.asked().len(), 1);
}

#[tokio::test]
async fn deliveries_are_forgotten_after_thirty_days() {
    let (api, tracker) = (Api::start().await, PartnerTracker::start([]).await);
    let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
    let entered = enter(&api, ana, &tracker.address("of={event_id}"), &ALL).await;
    api.sale(ana, &campaign, "A1").await;
    while tell_what_is_due(&api).await != 0 {}
    assert_eq!(once(&Forget, &api.workbench()).await.unwrap(), 0);
    api.app.clock.advance(SHOWN + TimeDelta::seconds(1));
    assert_eq!(once(&Forget, &api.workbench()).await.unwrap(), 1);
    assert_eq!(deliveries(&api, &entered).await, Vec::<Value>::new());
}
