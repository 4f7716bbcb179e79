//! A few hundred forgeries through HTTP: what the domain refuses a hundred thousand times is refused here too.

use axum::{body::Body, http::Request};
use domain::Chance;

use crate::{
    store::{CONVERSIONS, MESSAGES},
    world::World,
};

const ATTEMPTS: u64 = 300;

/// Changes one byte of the path and query to another that a URI may hold.
fn mutate(uri: &str, chance: &Chance) -> String {
    let alphabet = b"abcABC0123456789&=%+._~-?/";
    let mut bytes = uri.as_bytes().to_vec();
    let start = u64::try_from(uri.find('?').unwrap()).unwrap() + 1;
    let position = start + chance.below(u64::try_from(uri.len()).unwrap() - start);
    let replacement = alphabet[usize::try_from(chance.below(26)).unwrap()];
    let position = usize::try_from(position).unwrap();
    match chance.below(3) {
        0 => bytes[position] = replacement,
        1 => bytes.insert(position, replacement),
        _ => drop(bytes.remove(position)),
    }
    String::from_utf8(bytes).unwrap()
}

fn meaning(uri: &str) -> Option<domain::signature::canonical::Query> {
    domain::signature::canonical::Query::parse(uri.split_once('?')?.1).ok()
}

#[tokio::test]
async fn no_forged_get_has_any_effect() {
    let world = World::new().await;
    let chance = Chance::seeded(7);
    let click = world.click(world.ann_link).await;
    let uri = world.signed(&format!("click_id={click}&amount=49.99&order_id=A%26B&status=pending"));
    let mut refused = 0;
    for _ in 0..ATTEMPTS {
        let forged = mutate(&uri, &chance);
        if meaning(&forged) == meaning(&uri) {
            continue;
        }
        let reply = world.get(&forged).await;
        assert!((400..500).contains(&reply.status), "{forged}: {reply:?}");
        refused += 1;
    }
    assert!(ATTEMPTS * 8 / 10 < refused);
    assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (0, 0));
    assert_eq!(world.get(&uri).await.told(), "200 pending");
}

#[tokio::test]
async fn no_forged_post_has_any_effect() {
    let world = World::new().await;
    let chance = Chance::seeded(8);
    let click = world.click(world.ann_link).await;
    let body = format!(r#"{{"click_id":"{click}","amount":"49.99","order_id":"A","status":"pending"}}"#);
    for attempt in 0..ATTEMPTS {
        let (parts, _) = world.post_as("m1", "application/json", &body).into_parts();
        let mut forged = body.clone().into_bytes();
        let position = usize::try_from(chance.below(u64::try_from(forged.len()).unwrap())).unwrap();
        forged[position] ^= 1 << chance.below(8);
        let reply = world.send(Request::from_parts(parts, Body::from(forged))).await;
        assert!((400..500).contains(&reply.status), "{attempt}: {reply:?}");
    }
    assert_eq!((world.count(CONVERSIONS).await, world.count(MESSAGES).await), (0, 0));
    assert_eq!(world.send(world.post_as("m1", "application/json", &body)).await.told(), "200 pending");
}
