//! What reports say of customers is there when it is asked for, and nowhere in a way that says who they were.

use domain::{
    ConversionId,
    click::Device,
    event::Checks,
    fraud::evidence::{CheckResult, KeyedHash},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tracking::{customer::Customer, hiding::Hiding, intake::quarantine};

use crate::{
    store,
    world::{World, secret},
};

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                     Version/17.5 Mobile/15E148 Safari/604.1";

/// What must be nowhere: the address, the mailbox in every form, the device, the browser and the account.
const SECRETS: [&str; 8] =
    ["203.0.113.7", "A.b", "ab@gmail", "googlemail", "38400000-8cf0", "AppleWebKit", "GYP", "gyp3704"];

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is to be kept of this customer.
fn kept(country: &str) -> String {
    let hiding = Hiding::new(&secret());
    let address = hiding.address([203, 0, 113, 7].into());
    let [device, mailbox, account]: [KeyedHash; 3] =
        [hiding.device("38400000-8cf0"), hiding.mailbox("ab@gmail.com"), hiding.account("gyp3704")];
    format!("{address} 203.0.113.0/24 {country} mobile {device} {mailbox} gmail.com {account}")
}

async fn assert_nobody_is_told(world: &World) {
    let everything = store::everything(world.database.pool()).await;
    assert!(everything.contains("colour"), "what is not about the customer is kept");
    for secret in SECRETS {
        let is_told = everything.contains(secret) || everything.contains(&hex(secret));
        assert!(!is_told, "{secret} is in {everything}");
    }
    let unkeyed = hex(Sha256::digest("ab@gmail.com"));
    assert!(!everything.contains(&unkeyed), "whoever knows an address could look for it");
}

#[tokio::test]
async fn a_customer_is_known_again_by_every_way_of_reporting_and_told_by_none() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let encode =
        |text: &str| text.replace(' ', "%20").replace(';', "%3B").replace('@', "%40").replace('+', "%2B");
    let customer = format!(
        "ip=203.0.113.7&email={}&device_id=38400000-8cf0&user_agent={}&payment_account={}&country=DE&colour=red",
        encode("A.b+tag@gmail.com"),
        encode(PHONE),
        encode("GYP 3704")
    );
    let get = world.report(&format!("click_id={click}&amount=1&order_id=G&{customer}")).await;
    let form = format!("click_id={click}&amount=1&order_id=F&{customer}");
    let form = world.post("application/x-www-form-urlencoded", &form).await;
    let json = json!({"click_id": click, "amount": "1", "order_id": "J", "user_ip": "203.0.113.7:1024",
        "customer_email": " AB@googlemail.com", "idfa": "38400000-8cf0", "idfv": "AppleWebKit", "ua": PHONE,
        "iban": "GYP3704", "geo": "de", "IP": "203.0.113.7", "colour": "red", "customer_id": "ab@gmail.com"});
    let json = world.post("application/json", &json.to_string()).await;
    let hashed = json!({"click_id": click, "amount": "1", "order_id": "H", "ip": "::ffff:203.0.113.7",
        "email_sha256": hex(Sha256::digest("ab@gmail.com")), "email_domain": "GoogleMail.com",
        "device_id": "38400000-8cf0", "user_agent": PHONE,
        "payment_account_hash": hex(Sha256::digest("gyp3704")), "country": "DE"});
    let hashed = world.post("application/json", &hashed.to_string()).await;
    let first = store::read_customer(world.database.pool(), get.conversion()).await;
    assert_eq!((first.device, first.email_domain.as_deref()), (Some(Device::Mobile), Some("gmail.com")));
    for reply in [get, form, json, hashed] {
        assert_eq!(reply.told(), "200 pending");
        assert_eq!(store::read_customer(world.database.pool(), reply.conversion()).await, first);
        assert_eq!(store::customer(world.database.pool(), reply.conversion()).await, kept("DE"));
    }
    assert_nobody_is_told(&world).await;
}

#[tokio::test]
async fn what_the_page_and_the_form_found_out_is_kept_with_the_first_report_and_with_one_that_waits() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let told = world
        .report(&format!(
            "click_id={click}&order_id=A&time_on_site=75.9&email_check=Undeliverable&captcha=true"
        ))
        .await;
    let again = world.report(&format!("click_id={click}&order_id=A&time_on_site=0&captcha=0")).await;
    assert_eq!(told.conversion(), again.conversion());
    let kept = store::read_customer(world.database.pool(), told.conversion()).await.checks();
    let expected = Checks {
        time_on_site_seconds: Some(75),
        email: Some(CheckResult::Failed),
        captcha: Some(CheckResult::Passed),
    };
    assert_eq!(kept, expected);
    // What others mean by these names stays what it was: theirs.
    let report = json!({"click_id": click, "order_id": "D", "captcha": 0.9, "email_status": "subscribed",
        "session_duration": "00:03:10", "captcha_result": true});
    let theirs = world.post("application/json", &report.to_string()).await;
    assert_eq!(theirs.told(), "200 pending");
    assert_eq!(
        store::read_customer(world.database.pool(), theirs.conversion()).await.checks(),
        Checks::default()
    );
    // What is no word, or tells who it was, is not kept.
    let report = json!({"click_id": click, "order_id": "F", "email_check": "\u{0}", "captcha": "203.0.113.9",
        "time_on_site": "x".repeat(20_000)});
    assert_eq!(world.post("application/json", &report.to_string()).await.told(), "200 pending");
    let report =
        json!({"click_id": click, "order_id": "G", "email_status": "ana@mail.example: undeliverable"});
    assert_eq!(world.post("application/json", &report.to_string()).await.told(), "200 pending");
    let kept = "SELECT string_agg(metadata::text, ' ') FROM conversions WHERE order_id IN ('F', 'G')";
    let kept: String = sqlx::query_scalar(kept).fetch_one(world.database.pool()).await.unwrap();
    assert_eq!(kept, "{} {}");
    let report = json!({"click_id": click, "order_id": "E", "captcha": true, "time_on_site": 0});
    let told = world.post("application/json", &report.to_string()).await;
    let kept = store::read_customer(world.database.pool(), told.conversion()).await.checks();
    assert_eq!((kept.captcha, kept.time_on_site_seconds), (Some(CheckResult::Passed), Some(0)));
    let silent = world.report(&format!("click_id={click}&order_id=B")).await;
    let silent = store::read_customer(world.database.pool(), silent.conversion()).await.checks();
    assert_eq!(silent, Checks::default());
    let (later, session) = (world.new_click_id(), world.new_session());
    let report =
        json!({"click_id": later, "order_id": "C", "engagement_seconds": 0, "email_status": "catch_all"});
    let waits = world.post("application/json", &report.to_string()).await;
    assert_eq!(waits.told(), "202 quarantined");
    world.arrive(later, session, world.ann_link).await;
    assert_eq!(quarantine::retry(&world.intake, &[later]).await.unwrap(), 1);
    let taken = world.report("event=sale&order_id=C").await;
    let kept = store::read_customer(world.database.pool(), taken.conversion()).await.checks();
    let expected = Checks { time_on_site_seconds: Some(0), email: Some(CheckResult::Unsure), captcha: None };
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_report_that_waits_keeps_its_customer_and_has_it_afterwards() {
    let world = World::new().await;
    let (click, session) = (world.new_click_id(), world.new_session());
    let report = json!({"click_id": click, "amount": "1", "order_id": "Q", "ip": "203.0.113.7",
        "email": "A.b@gmail.com", "device_id": "38400000-8cf0", "user_agent": PHONE,
        "payment_account": "GYP 3704", "country": "DE", "colour": "red"});
    let request = || world.post_as("q", "application/json", &report.to_string());
    assert_eq!(world.send(request()).await.told(), "202 quarantined");
    assert_nobody_is_told(&world).await;
    world.arrive(click, session, world.ann_link).await;
    assert_eq!(quarantine::retry(&world.intake, &[click]).await.unwrap(), 1);
    let again = world.report("event=sale&order_id=Q").await;
    assert_eq!(store::customer(world.database.pool(), again.conversion()).await, kept("DE"));
    assert_nobody_is_told(&world).await;
}

#[tokio::test]
async fn what_is_wrong_about_a_customer_is_said_and_not_repeated() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let body = json!({"click_id": click, "user_ip": "203.0.113.700", "email": "A.b(at)gmail.com",
        "email_hash": "ab@gmail.com", "gaid": "{gaid}", "payment_account": "GYP\u{7}", "colour": "red"});
    let reply = world.post("application/json", &body.to_string()).await;
    insta::assert_snapshot!(reply.told(), @"422 invalid_postback (The postback has fields that cannot be accepted); /user_ip must be the customer's IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7; /email must be an e-mail address such as ana@mail.example; /email_hash must be the SHA-256 of the normalised e-mail address, as 64 hexadecimal digits; /payment_account must be at most 256 printable characters; /gaid is a placeholder that was not filled in");
    assert_eq!(world.count(store::CONVERSIONS).await, 0);
}

#[tokio::test]
async fn the_release_before_stores_beside_this_one_and_its_messages_are_known_again() {
    let world = World::new().await;
    let click = world.click(world.ann_link).await;
    let reply = world.report(&format!("click_id={click}&amount=1&order_id=A&ip=203.0.113.7")).await;
    let older = ConversionId::new(&world.intake.clock, &world.intake.chance);
    store::insert_as_before(world.database.pool(), older, reply.conversion()).await;
    assert_eq!(store::customer(world.database.pool(), older).await, "");
    assert_eq!(store::read_customer(world.database.pool(), older).await, Customer::default());

    let body = json!({"click_id": click, "amount": "1", "order_id": "B"}).to_string();
    let first = world.send(world.post_as("m", "application/json", &body)).await;
    store::fingerprint_as_before(world.database.pool(), &body).await;
    let again = world.send(world.post_as("m", "application/json", &body)).await;
    assert_eq!((again.replayed, again.body), (true, first.body));
    let other = body.replace('B', "C");
    let other = world.send(world.post_as("m", "application/json", &other)).await;
    assert!(other.told().starts_with("422 message_id_reused"), "{}", other.told());
}
