//! The directory in memory follows the database.

use super::world::{World, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn changes_are_served_without_a_restart() {
    let world = World::new().await;
    assert_eq!(world.answer("/c/new").await.status(), 404);
    sqlx::query(
        "INSERT INTO links (id, code, affiliate_id, campaign_id, created_at)
         VALUES ('01946000-0000-7000-8000-000000000020', 'new', '01946000-0000-7000-8000-000000000002',
                 '01946000-0000-7000-8000-000000000004', 'epoch')",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    becomes(&world, "/c/new", 302).await;
    for (change, status) in [
        ("UPDATE campaigns SET status = 'paused' WHERE name = 'active'", 404),
        ("UPDATE campaigns SET status = 'active' WHERE name = 'active'", 302),
        ("UPDATE affiliates SET status = 'suspended'", 404),
        ("UPDATE affiliates SET status = 'approved'", 302),
        (
            "INSERT INTO affiliate_campaigns (affiliate_id, campaign_id, status, joined_at)
             SELECT affiliate_id, campaign_id, 'rejected', 'epoch' FROM links WHERE code = 'new'",
            404,
        ),
    ] {
        sqlx::query(change).execute(world.database.pool()).await.unwrap();
        becomes(&world, "/c/new", status).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_whose_page_is_not_allowed_any_more_is_not_served() {
    let world = World::new().await;
    assert_eq!(world.answer("/c/shoes").await.status(), 302);
    sqlx::query("UPDATE campaigns SET allowed_hosts = '{}'").execute(world.database.pool()).await.unwrap();
    becomes(&world, "/c/shoes", 404).await;
    assert_eq!(world.answer("/c/spring").await.status(), 302);
}

async fn becomes(world: &World, path: &str, status: u16) {
    eventually(&format!("{path} is answered {status}"), async || {
        world.answer(path).await.status().as_u16() == status
    })
    .await;
}
