//! What each model would have given the partners of a campaign, asked by the platform and seen by the team.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{World, publish};
use crate::{
    pages::{role::Role, testing::Site},
    store,
};

impl World {
    async fn compared(&self, query: &str) -> Value {
        let path = format!("/api/v1/campaigns/{}/attribution-comparison{query}", self.campaign);
        let answer = self.api.get(&path).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.body
    }
}

/// Whom a comparison credits by a model: millionths of a conversion and the amount.
fn given(told: &Value, model: &str) -> Vec<String> {
    let place = place(told, model);
    let line = |partner: &Value| {
        let credit = &partner["credits"][place];
        assert_eq!(credit["model"], model, "{told}");
        format!("{} {} {}", partner["name"], credit["conversions_ppm"], amounts(&credit["value"]))
    };
    told["partners"].as_array().unwrap().iter().map(line).collect()
}

fn place(told: &Value, model: &str) -> usize {
    let place = told["models"].as_array().unwrap().iter().position(|one| one["model"] == model);
    place.unwrap_or_else(|| panic!("no {model} in {told}"))
}

fn amounts(amounts: &Value) -> String {
    let written = |amount: &Value| {
        format!("{} {}", amount["value"].as_str().unwrap(), amount["currency"].as_str().unwrap())
    };
    amounts.as_array().unwrap().iter().map(written).collect::<Vec<_>>().join(" + ")
}

fn cents(amount: &Value) -> i64 {
    amount["value"].as_str().unwrap().replace('.', "").parse().unwrap()
}

#[tokio::test]
async fn models_differ_in_whom_they_credit_and_agree_on_how_much() {
    let world = World::new().await;
    world.click(0, 48).await;
    let last = world.click(1, 24).await;
    world.sale(last).await;
    // What another campaign brings is not this one's.
    let other = world.api.campaign().await;
    world.api.sale(world.partners[0].0, &other, "elsewhere").await;
    let told = world.compared("").await;
    assert_eq!((&told["conversions"], &told["has_more"]), (&json!(1), &json!(false)), "{told}");
    assert_eq!((&told["untouched"], &told["incomplete"]), (&json!(0), &json!(0)), "{told}");
    assert_eq!(given(&told, "last_click"), ["\"Ben\" 1000000 100.00 EUR", "\"Ana\" 0 0.00 EUR"]);
    assert_eq!(given(&told, "first_click"), ["\"Ben\" 0 0.00 EUR", "\"Ana\" 1000000 100.00 EUR"]);
    assert_eq!(given(&told, "linear"), ["\"Ben\" 500000 50.00 EUR", "\"Ana\" 500000 50.00 EUR"]);
    for (total, model) in told["totals"].as_array().unwrap().iter().zip(told["models"].as_array().unwrap()) {
        assert_eq!(total["model"], model["model"], "{told}");
        assert_eq!(model["in_force"], json!(model["model"] == "last_click"), "{told}");
        assert_eq!(total["conversions_ppm"], 1_000_000, "{told}");
        assert_eq!(amounts(&total["value"]), "100.00 EUR", "{told}");
    }
    let linear = place(&told, "linear");
    let differences = told["partners"].as_array().unwrap().iter().map(|partner| {
        let credit = &partner["credits"][linear];
        format!("{} {}", credit["difference_ppm"], amounts(&credit["difference"]))
    });
    assert_eq!(differences.collect::<Vec<_>>(), ["-500000 -50.00 EUR", "500000 50.00 EUR"]);
}

#[tokio::test]
async fn many_conversions_are_divided_as_each_of_them_is() {
    let world = World::new().await;
    world.click(0, 48).await;
    let second = world.click(1, 24).await;
    let mut sales = vec![world.sale(second).await];
    let third = world.click(0, 1).await;
    sales.push(world.sale(third).await);
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &world);
    let world = World { api: world.api.with_models(folder.path()), ..world };
    let mut expected = BTreeMap::<(String, Option<String>), i64>::new();
    for sale in &sales {
        let told = world.told(json!({"conversion_id": sale})).await;
        let touches = told["touches"].as_array().unwrap();
        for model in told["models"].as_array().unwrap() {
            let name = model["model"].as_str().unwrap().to_owned();
            for share in model["shares"].as_array().unwrap() {
                let touch = touches.iter().find(|touch| touch["touch"] == share["touch"]).unwrap();
                let whose = touch["affiliate_id"].as_str().map(str::to_owned);
                *expected.entry((name.clone(), whose)).or_default() += cents(&share["value"]);
            }
            if let Some(nobody) = model["nobody"].as_object() {
                *expected.entry((name, None)).or_default() += cents(&nobody["value"]);
            }
        }
    }
    let told = world.compared("").await;
    assert_eq!(told["degraded"], json!([]), "{told}");
    let mut found = BTreeMap::<(String, Option<String>), i64>::new();
    for partner in told["partners"].as_array().unwrap() {
        let whose = partner["affiliate_id"].as_str().map(str::to_owned);
        for credit in partner["credits"].as_array().unwrap() {
            let name = credit["model"].as_str().unwrap().to_owned();
            found.insert((name, whose.clone()), cents(&credit["value"][0]));
        }
    }
    expected.retain(|_, cents| *cents != 0);
    found.retain(|_, cents| *cents != 0);
    assert_eq!(found, expected, "{told}");
    assert!(found.contains_key(&("learned".to_owned(), None)), "some is nobody's: {told}");
    for total in told["totals"].as_array().unwrap() {
        assert_eq!(
            (&total["conversions_ppm"], cents(&total["value"][0])),
            (&json!(2_000_000), 20_000),
            "{told}"
        );
    }
}

#[tokio::test]
async fn the_journey_kept_with_a_conversion_says_what_its_clicks_say_and_goes_with_the_first_of_them() {
    const DAYS: &str = "?from=2026-01-15&to=2026-02-10";
    let world = World::new().await;
    let first_day = world.api.app.clock.now().date_naive();
    world.click(0, 48).await;
    let last = world.click(1, 24).await;
    world.sale(last).await;
    let mut db = world.api.app.db.acquire().await.unwrap();
    let kept = world.compared(DAYS).await;
    store::attribution::forget_journeys(&mut db).await.unwrap();
    assert_eq!(world.compared(DAYS).await, kept, "an earlier release kept none");

    // Of clicks that are kept still, the comparison does not make a journey that never was.
    let half = World::new().await;
    half.click(0, 48).await;
    let last = half.click(1, 24).await;
    half.sale(last).await;
    let mut db = half.api.app.db.acquire().await.unwrap();
    store::jobs::forget_journeys(&mut db, first_day).await.unwrap();
    store::jobs::drop_click_day(&mut db, first_day, half.api.app.clock.now()).await.unwrap();
    let told = half.compared(DAYS).await;
    assert_eq!(told["incomplete"], 1, "{told}");

    let another = World::new().await;
    another.click(0, 48).await;
    let last = another.click(1, 24).await;
    another.sale(last).await;
    let mut db = another.api.app.db.acquire().await.unwrap();
    let kept = another.compared(DAYS).await;
    store::attribution::forget_clicks(&mut db).await.unwrap();
    assert_eq!(another.compared(DAYS).await, kept, "no click is looked at");
    assert_eq!(store::jobs::forget_journeys(&mut db, first_day).await.unwrap(), 1);
    let told = another.compared(DAYS).await;
    assert_eq!(told["incomplete"], 1, "{told}");
    assert_eq!(
        given(&told, "linear"),
        ["\"Ben\" 1000000 100.00 EUR"],
        "all that is known is who was credited"
    );
}

#[tokio::test]
async fn only_conversions_that_stand_and_whose_day_it_is_are_compared() {
    let world = World::new().await;
    let click = world.click(0, 1).await;
    let rejected = world.sale(click).await;
    world.api.made(&format!("/api/v1/conversions/{rejected}/reject"), json!({})).await;
    let told = world.compared("").await;
    assert_eq!((&told["conversions"], &told["partners"]), (&json!(0), &json!([])), "{told}");
    let click = world.click(1, 1).await;
    world.sale(click).await;
    let told = world.compared("?from=2026-02-01&to=2026-02-01").await;
    assert_eq!(told["conversions"], 1, "{told}");
    // The visit's earlier click is a touch of this order as well, whatever became of the one before.
    assert_eq!(given(&told, "linear"), ["\"Ben\" 500000 50.00 EUR", "\"Ana\" 500000 50.00 EUR"]);
    let told = world.compared("?from=2026-01-01&to=2026-01-31").await;
    assert_eq!(told["conversions"], 0, "{told}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_and_says_why() {
    let world = World::new().await;
    let path = format!("/api/v1/campaigns/{}/attribution-comparison", world.campaign);
    for (query, problem) in [
        ("?from=2026-02-10&to=2026-02-01", "[/to: the last day is before the first one]"),
        ("?from=2020-01-01&to=2026-02-01", "[/from: at most 400 days are compared at once]"),
        ("?from=soon", "[/from: it must be a day from 1970-01-01 to 9999-12-31"),
        ("?days=30", "unknown field `days`"),
    ] {
        let answer = world.api.get(&format!("{path}{query}")).await;
        let told = answer.problem();
        assert!(told.starts_with("400 malformed_query") && told.contains(problem), "{query}: {told}");
    }
    let unknown = "/api/v1/campaigns/cmp_01JH0000000000000000000000/attribution-comparison";
    assert_eq!(world.api.get(unknown).await.status, 404);
    let key = world.api.new_key(&["conversions:read"], Some(world.partners[0].0)).await;
    assert_eq!(world.api.get_as(&key, &path).await.status, 403);
}

#[tokio::test]
async fn the_team_sees_models_side_by_side_and_keeps_them_as_a_file() {
    let world = World::new().await;
    let ana = world.partners[0].0;
    let renamed = world.api.patch(&format!("/api/v1/affiliates/{ana}"), json!({"name": "=Ana"})).await;
    assert_eq!(renamed.status, 200, "{renamed}");
    let idle = world.api.campaign().await;
    world.click(0, 48).await;
    let last = world.click(1, 24).await;
    world.sale(last).await;
    let site = Site::over(&world.api);
    let mut ours = site.signed_in("tom@team.example", Role::Finance, None).await;
    let empty = ours.get(&format!("/team/campaigns/{idle}/attribution")).await;
    assert!(empty.text.contains("Nothing to divide in this time"), "{}", empty.text);
    let page = format!("/team/campaigns/{}/attribution", world.campaign);
    let shown = ours.get(&page).await.text;
    let row = |name: &str| {
        let row = shown.split_once(&format!(">{name}</a></th>")).unwrap().1;
        row.split_once("</tr>").unwrap().0.to_owned()
    };
    assert!(shown.contains("last_click <span class=\"state open\">in force</span>"), "{shown}");
    assert!(
        row("Ben").contains("−0.5, −50.00\u{a0}EUR") && row("Ben").contains("100.00\u{a0}EUR"),
        "{shown}"
    );
    assert!(
        row("=Ana").contains("+1, +100.00\u{a0}EUR") && row("=Ana").contains("width=\"50.0\""),
        "{shown}"
    );
    let total = shown.split_once("<tfoot>").unwrap().1;
    assert_eq!(total.split("</tfoot>").next().unwrap().matches("100.00\u{a0}EUR").count(), 7, "{shown}");
    let back = ours.get(&format!("/team/campaigns/{}", world.campaign)).await;
    assert!(back.text.contains(&format!("href=\"{page}\"")), "{}", back.text);
    let wrong = ours.get(&format!("{page}?from=2026-02-10&to=2026-02-01")).await;
    assert!(wrong.text.contains("The first day is after the last one"), "{}", wrong.text);

    let file = ours.get(&format!("{page}.csv")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let linear = format!("\"'=Ana\",\"{ana}\",\"linear\",\"false\",0.500000,0.500000,50.00,50.00,\"EUR\"");
    assert!(file.text.lines().any(|line| line == linear), "{}", file.text);
    assert_eq!(file.text.lines().count(), 1 + 2 * 7, "{}", file.text);

    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    for path in [page.clone(), format!("{page}.csv")] {
        assert_eq!(hers.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
