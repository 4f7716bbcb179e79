//! What is refused, why, and with which words; never a 500, and never a trace in the database.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use domain::{
    CampaignId,
    signature::{
        Profile, Secret, SigningKey, VerifyingKey,
        canonical::Query,
        legacy::{self, PartsA},
        standard,
    },
};
use serde_json::json;

use crate::{
    store::{self, CONVERSIONS, MESSAGES},
    world::World,
};

#[tokio::test]
async fn what_is_not_signed_by_the_advertiser_now_is_refused() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let signed = world.signed(&format!("click_id={click}&amount=1&order_id=A"));
    let mut told = vec![
        world.get(&format!("{}?click_id={click}", world.path())).await.told(),
        world.get(&signed.replace("amount=1", "amount=2")).await.told(),
        world.get(&format!("{signed}&status=approved")).await.told(),
        world.get(&signed.replace("wts=", "wts=x")).await.told(),
        world.get(&signed.replace("wid=", "wid=.")).await.told(),
        world.get(&signed.replace("wsig=v1", "wsig=v1a")).await.told(),
        world.get("/postback/adv_01JH0000000000000000000000?a=1").await.told(),
        world.get("/postback/somebody?a=1").await.told(),
    ];
    world.later(TimeDelta::seconds(301));
    told.push(world.get(&signed).await.told());
    let ahead = world.signed(&format!("click_id={click}&amount=1&order_id=A"));
    world.later(-TimeDelta::seconds(301));
    told.push(world.get(&ahead).await.told());
    insta::assert_snapshot!(told.join("\n"), @r"
    403 signature_missing (Invalid signature): `wid` is missing
    403 signature_invalid (Invalid signature): the signature does not match the message
    403 signature_invalid (Invalid signature): the signature does not match the message
    400 timestamp_malformed (Malformed timestamp): the timestamp must be whole seconds since 1970 in decimal digits
    400 message_id_malformed (Malformed message id): the message id must be 1 to 128 visible ASCII characters without a full stop
    400 signature_malformed (Invalid signature): the signature cannot be read
    404 unknown_advertiser (Unknown advertiser)
    404 unknown_advertiser (Unknown advertiser)
    403 timestamp_expired (Timestamp expired): the timestamp is 301 s old, 300 s are accepted
    403 timestamp_not_yet (Timestamp in the future): the timestamp is 301 s ahead, 300 s are accepted
    ");
    assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let mut told = Vec::new();
    for parameters in [
        "click_id=abc&payout=1%2C50&cur=EURO&ts=soon",
        "click_id=%7Bclick_id%7D",
        "event=sale&order_id=unknown&status=approved",
        "order_id=A",
        &format!("click_id={click}&event=unheard-of"),
        &format!("click_id={click}&amount=1.001"),
        &format!("click_id={click}&amount=1.001&currency=KWD&order_id=%00"),
        &format!("click_id={click}&status=refunded&order_id=B"),
        &format!("click_id={click}&x=%00"),
        "session_id=1",
    ] {
        told.push(world.report(parameters).await.told());
    }
    for (media_type, body) in [
        ("application/json", "{"),
        ("application/json", "[]"),
        ("application/json", r#"{"amount": 1, "amount": 2}"#),
        ("application/json", r#"{"amount": 1e2, "order_id": {"a": 1}}"#),
        ("application/json", r#"{"note": "\u0000"}"#),
        ("application/json", r#"{"note": "\ud800"}"#),
        ("text/plain", "hello"),
        ("application/x-www-form-urlencoded", "a=%zz"),
        ("application/x-www-form-urlencoded", &"x=".repeat(40_000)),
    ] {
        told.push(world.post(media_type, body).await.told());
    }
    told.push(world.get(&format!("{}?a=%zz", world.path())).await.told());
    told.push(world.get(&format!("{}?a=1&a=1", world.path())).await.told());
    told.push(world.send(Request::head(world.path()).body(Body::empty()).unwrap()).await.told());
    told.push(world.send(Request::put(world.path()).body(Body::empty()).unwrap()).await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    422 invalid_postback (The postback has fields that cannot be accepted); /cur "EURO" is not an ISO 4217 currency code such as EUR or USD; /click_id "abc" is no click id: expected clk_ and 26 characters of Crockford base32; /payout "1,50" is not a decimal amount such as 49.99; /ts must be seconds since 1970 or RFC 3339 such as 2026-02-01T12:00:00Z
    422 invalid_postback (The postback has fields that cannot be accepted); /click_id "{click_id}" is no click id: expected clk_ and 26 characters of Crockford base32
    422 invalid_postback (The postback has fields that cannot be accepted); /click_id or session_id or coupon is needed, unless event and order_id name an order that we have
    422 invalid_postback (The postback has fields that cannot be accepted); /click_id or session_id or coupon is needed, unless event and order_id name an order that we have
    422 invalid_postback (The postback has fields that cannot be accepted); /event is not one of the campaign's: sale, lead, booking, basket, topup, deposit
    422 invalid_postback (The postback has fields that cannot be accepted); /amount "1.001" has more than 2 digits after the point, which is all that EUR has
    422 invalid_postback (The postback has fields that cannot be accepted); /order_id must be at most 128 printable characters
    409 illegal_move (The conversion cannot move there): this conversion is received and cannot become reversed
    422 invalid_postback (The postback has fields that cannot be accepted); /x must not hold the character U+0000
    422 invalid_postback (The postback has fields that cannot be accepted); /session_id "1" is no session id: expected ses_ and 26 characters of Crockford base32
    400 malformed_postback (The postback cannot be read): the body is not a JSON object: EOF while parsing an object at line 1 column 1
    400 malformed_postback (The postback cannot be read): the body is not a JSON object: invalid type: sequence, expected an object at line 1 column 0
    400 malformed_postback (The postback cannot be read): the body is not a JSON object: `amount` is given twice at line 1 column 26
    422 invalid_postback (The postback has fields that cannot be accepted); /order_id must be a text or a number
    422 invalid_postback (The postback has fields that cannot be accepted); /note must not hold the character U+0000
    400 malformed_postback (The postback cannot be read): the body is not a JSON object: unexpected end of hex escape at line 1 column 8
    415 unsupported_media_type (The body's media type is not served): the body must be application/json or application/x-www-form-urlencoded
    400 malformed_postback (The postback cannot be read): `%zz` holds a `%` that is not followed by two hexadecimal digits
    413 too_large (The postback is too large)
    400 malformed_postback (The postback cannot be read): `%zz` holds a `%` that is not followed by two hexadecimal digits
    400 malformed_postback (The postback cannot be read): `a` is given twice
    405 nothing
    405 method_not_allowed (This method is not served here)
    "#);
    assert_eq!(world.count(CONVERSIONS).await, 0);
    world.audit().await;
}

#[tokio::test]
async fn a_refused_report_leaves_nothing_behind_and_may_be_corrected() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let wrong = world.get(&world.signed_as("m1", &format!("click_id={click}&amount=1&event=sales"))).await;
    assert_eq!((wrong.status, world.count(MESSAGES).await), (422, 0));
    let right = world.get(&world.signed_as("m1", &format!("click_id={click}&amount=1&event=sale"))).await;
    assert_eq!((right.status, right.replayed), (200, false));
}

#[tokio::test]
async fn a_click_of_another_advertiser_is_not_credited() {
    let world = World::new().await;
    let stranger = world.new_click_id();
    let other = domain::AdvertiserId::new(&world.intake.clock, &world.intake.chance);
    let session = world.new_session();
    world.seed().click(stranger, session, world.ann_link, (world.ann, world.campaign, other)).await;
    let reply = world.report(&format!("click_id={stranger}&amount=1")).await;
    insta::assert_snapshot!(reply.told(), @"422 invalid_postback (The postback has fields that cannot be accepted); /click_id is not a click of this advertiser");
    let reply = world.report(&format!("session_id={session}&amount=1")).await;
    assert_eq!(reply.told(), "202 quarantined");
}

#[tokio::test]
async fn keys_rotate_without_a_gap() {
    let mut world = World::new().await;
    let click = world.click(world.ann_link).await;
    let old = std::mem::replace(&mut world.key, SigningKey::ed25519_from([9; 32]));
    let reply = world.report(&format!("click_id={click}&amount=1&order_id=A")).await;
    assert_eq!(reply.status, 403);
    world.add_key(&world.key.verifying_key()).await;
    assert_eq!(world.report(&format!("click_id={click}&amount=1&order_id=A")).await.told(), "200 pending");
    let new = std::mem::replace(&mut world.key, old);
    assert_eq!(world.report(&format!("click_id={click}&amount=1&order_id=B")).await.told(), "200 pending");
    store::expire_keys(&world.database, world.now()).await;
    world.add_key(&new.verifying_key()).await;
    assert_eq!(world.report(&format!("click_id={click}&amount=1&order_id=C")).await.status, 403);
    world.key = new;
    assert_eq!(world.report(&format!("click_id={click}&amount=1&order_id=C")).await.told(), "200 pending");
}

fn legacy_secret() -> Secret {
    Secret::from_bytes(b"s3cr3t".to_vec()).unwrap()
}

async fn legacy_world(profile: Profile) -> World {
    let world = World::of(profile, json!({})).await;
    world.add_key(&VerifyingKey::Hmac(legacy_secret())).await;
    world
}

#[tokio::test]
async fn profile_a_is_taken_only_from_advertisers_who_asked_for_it() {
    let world = legacy_world(Profile::LegacyA).await;
    let click = world.click(world.ann_link).await.to_string();
    let timestamp = world.now().timestamp().to_string();
    let hash =
        legacy::sign_a(&legacy_secret(), PartsA { click_id: &click, payout: "50", timestamp: &timestamp });
    let uri = |rest: &str| {
        format!("{}?clickid={click}&payout={rest}&timestamp={timestamp}&hash={hash}", world.path())
    };
    let first = world.get(&uri("50&status=approved")).await;
    assert_eq!(world.told(&first).await, "approved 5000 EUR received>pending>approved");
    assert!(world.get(&uri("50&status=approved")).await.replayed);
    assert_eq!(world.get(&uri("500&status=approved")).await.status, 403);
    // The state is not signed, so a second use of the same hash with another state is no message of its own.
    assert_eq!(world.get(&uri("50&status=refunded")).await.status, 422);
    let json =
        format!(r#"{{"cid":"{click}","sum":"50","timestamp":{timestamp},"hash":"{hash}","tid":"T2"}}"#);
    let post = Request::post(world.path())
        .header("content-type", "application/json")
        .body(Body::from(json))
        .unwrap();
    assert_eq!(world.send(post).await.status, 422);

    let modern = World::new().await;
    modern.add_key(&VerifyingKey::Hmac(legacy_secret())).await;
    let reply = modern.get(&uri("50").replace(&world.path(), &modern.path())).await;
    insta::assert_snapshot!(reply.told(), @"403 signature_missing (Invalid signature): `wid` is missing");
}

#[tokio::test]
async fn profile_b_signs_a_query_or_a_form() {
    let world = legacy_world(Profile::LegacyB).await;
    let click = world.click(world.ann_link).await;
    let timestamp = world.now().timestamp();
    let query = format!("clickid={click}&payout=50&oid=A+1&timestamp={timestamp}");
    let hash = legacy::sign_b(&legacy_secret(), &Query::parse(&query).unwrap());
    let reply = world.get(&format!("{}?hash={hash}&{query}", world.path())).await;
    assert_eq!(reply.told(), "200 pending");
    assert_eq!(world.get(&format!("{}?hash={hash}&{query}&status=approved", world.path())).await.status, 403);
    let form = Request::post(world.path())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("{query}&hash={hash}")))
        .unwrap();
    let reply = world.send(form).await;
    assert_eq!((reply.status, reply.body["code"].as_str()), (422, Some("message_id_reused")));
    // An advertiser who asked for a legacy profile has given up the standard one.
    assert_eq!(world.report(&format!("click_id={click}&amount=1")).await.status, 403);
}

#[tokio::test]
async fn headers_that_are_not_text_are_refused() {
    let world = World::new().await;
    let mut request = world.post_as("m1", "application/json", "{}");
    let not_text = axum::http::HeaderValue::from_bytes(b"v1,\xff").unwrap();
    request.headers_mut().insert(standard::SIGNATURE_HEADER, not_text);
    assert_eq!(world.send(request).await.status, 400);
}

#[tokio::test]
async fn a_click_on_a_campaign_that_there_is_not_is_no_origin() {
    let world = World::new().await;
    let (click, nowhere) = (world.new_click_id(), CampaignId::new(&world.intake.clock, &world.intake.chance));
    let to = (world.ann, nowhere, world.advertiser);
    world.seed().click(click, world.new_session(), world.ann_link, to).await;
    let reply = world.report(&format!("click_id={click}&event=sale&amount=1")).await;
    assert_eq!((reply.status, &reply.body["errors"][0]["pointer"]), (422, &json!("/click_id")));
    assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (0, 0));
}
