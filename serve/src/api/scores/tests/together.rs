//! Questions that come at the same time are kept together, and each is answered when its decisions are in the database.

use axum::http::{Method, header};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::World;
use crate::{
    scoring::settings::Mode,
    store::fraud::{KeptScore, NewScore},
};

fn asked(world: &World, amount: usize) -> Value {
    let report = json!({"amount": format!("{amount}.00")});
    let conversion =
        json!({"campaign_id": world.campaign, "affiliate_id": world.affiliate, "report": report});
    json!({"conversions": [conversion.clone(), conversion]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_answered_finds_what_was_said() {
    let world = World::new().await;
    let answers = join_all((1..40).map(|amount| {
        let world = &world;
        async move {
            let request = world.api.request(Method::POST, "/api/v1/score/conversions");
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let said = world.api.send(request.body(asked(world, amount).to_string().into()).unwrap()).await;
            for score in said.body["scores"].as_array().unwrap() {
                let id = score["id"].as_str().unwrap();
                let kept = world.api.get(&format!("/api/v1/scores/{id}")).await;
                assert_eq!(kept.body["is_reproduced"], true, "{}", kept.text);
            }
            said.body["scores"].as_array().unwrap().len()
        }
    }))
    .await;
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM fraud_scores").fetch_one(&world.api.app.db).await.unwrap();
    assert_eq!((answers.iter().sum::<usize>(), kept), (78, 78));
    assert!(0 < world.api.app.log_db.size(), "they were written where commits do not wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_takes_nothing_else_along() {
    let world = World::new().await;
    let click = world.click("203.0.113.0", "Mozilla/5.0", 60).await;
    let conversion = world.sale(click, "N-1").await;
    let stored = crate::stored::conversion(
        &mut world.api.app.db.acquire().await.unwrap(),
        conversion["id"].as_str().unwrap().parse().unwrap(),
    )
    .await
    .unwrap()
    .unwrap();
    let (scorer, db) = (&world.api.app.scorer, &world.api.app.db);
    let at = world.api.app.clock.now();
    let looked = scorer.look(&mut db.acquire().await.unwrap(), stored, (at, true)).await.unwrap();
    let in_force = scorer.in_force();
    let record = scorer.decide(&looked, &in_force).await;
    let new = NewScore { mode: Mode::Shadow, actor: "key_1", ..scorer.note(&record, &in_force) };
    let kept = |new: &NewScore<'_>| vec![KeptScore::of(new).unwrap()];
    scorer.log().keep(kept(&new), db).await.unwrap();
    // The same decision again, among others that are new.
    let others: Vec<_> = (0..10).map(|_| scorer.note(&record, &in_force)).collect();
    let all = std::iter::once(&new).chain(&others);
    // All of them wait when the first transaction begins.
    let held = scorer.log().hold().await;
    let all = all.map(|new| {
        tokio::spawn({
            let (log, decisions, db) = (scorer.log().clone(), kept(new), db.clone());
            async move { log.keep(decisions, &db).await }
        })
    });
    let all: Vec<_> = all.collect();
    while scorer.log().waiting() < 11 {
        tokio::task::yield_now().await;
    }
    drop(held);
    scorer.log().write_all(db).await;
    let outcomes: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    let refused: Vec<bool> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(refused, [&[true][..], &[false; 10]].concat());
}
