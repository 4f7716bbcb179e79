//! Whatever happens in the database, and in whatever order it is committed: following it leads to the same directory
//! as loading it.

use domain::Chance;
use embedded::{TestDatabase, test_database};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{begin, directory};
use crate::directory::{Changes, Directory, Seen};

const SEED: u64 = 20_264;
const STEPS: u64 = 400;
/// So few that changes meet each other.
const THINGS: u64 = 4;
const LINKS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn following_any_history_is_like_loading_its_end() {
    let database = test_database(&crate::MIGRATOR).await;
    seed(&database).await;
    let chance = Chance::seeded(SEED);
    let mut followed = load(&database).await;
    let mut late = None;
    let (mut changes, mut met) = (0, 0);
    for step in 0..STEPS {
        // Now and then a transaction is left open, and ends after others that began later.
        if late.is_none() && chance.below(4) == 0 {
            let mut tx = begin(database.pool()).await.unwrap();
            late = Some((attempt(&mut tx, &chance).await, tx, step + 1 + chance.below(5)));
        } else {
            let mut tx = begin(database.pool()).await.unwrap();
            met += u64::from(!attempt(&mut tx, &chance).await);
            tx.commit().await.unwrap();
        }
        if let Some((_, tx, _)) = late.take_if(|(_, _, ends)| *ends <= step) {
            tx.commit().await.unwrap();
        }
        if chance.below(3) == 0 {
            followed = follow(&database, &followed).await;
            changes += 1;
            let loaded = load(&database).await;
            assert_eq!(followed.shown(), loaded.shown(), "after step {step} of seed {SEED}");
        }
    }
    assert!(100 < changes && met < STEPS / 2, "{changes} comparisons, {met} changes that could not be made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_taken_in_once_is_not_taken_in_again_while_another_transaction_is_open() {
    let database = test_database(&crate::MIGRATOR).await;
    seed(&database).await;
    let mut open = begin(database.pool()).await.unwrap();
    sqlx::query("UPDATE campaigns SET status = 'paused' WHERE name = '0'").execute(&mut *open).await.unwrap();
    let before = load(&database).await;
    sqlx::query("UPDATE campaigns SET status = 'paused' WHERE name = '1'")
        .execute(database.pool())
        .await
        .unwrap();
    let first = asked(&database, before.seen_up_to().unwrap()).await.unwrap();
    assert_eq!(first.campaigns, [id(3, 1).into()]);
    assert!(asked(&database, &first.seen).await.unwrap().is_empty());
    open.commit().await.unwrap();
    let last = asked(&database, &first.seen).await.unwrap();
    assert_eq!(last.campaigns, [id(3, 0).into()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_moment_that_is_too_long_ago_or_of_another_database_is_not_followed() {
    let database = test_database(&crate::MIGRATOR).await;
    let now = load(&database).await.seen_up_to().unwrap().oldest_open;
    for moment in [now + 1_000_000, now - 1_000_000] {
        let seen = Seen { oldest_open: moment, included: Vec::new() };
        assert!(asked(&database, &seen).await.is_none(), "{moment} at {now}");
    }
}

async fn load(database: &TestDatabase) -> Directory {
    let mut tx = begin(database.pool()).await.unwrap();
    let (contents, seen) = directory::load(&mut tx).await.unwrap();
    Directory::new(&contents).seen(seen)
}

async fn asked(database: &TestDatabase, since: &Seen) -> Option<Changes> {
    let mut tx = begin(database.pool()).await.unwrap();
    directory::changes(&mut tx, since).await.unwrap()
}

async fn follow(database: &TestDatabase, directory: &Directory) -> Directory {
    let changes = asked(database, directory.seen_up_to().unwrap()).await.unwrap();
    directory.changed(&changes)
}

fn id(kind: u64, number: u64) -> Uuid {
    Uuid::from_u128(0x0194_6000_0000_7000_8000_0000_0000_0000 + u128::from(kind * 256 + number))
}

async fn seed(database: &TestDatabase) {
    for number in 0..THINGS {
        let (advertiser, affiliate, campaign) = (id(1, number), id(2, number), id(3, number));
        let sql = format!(
            "INSERT INTO advertisers (id, name, created_at) VALUES ('{advertiser}', '{number}', 'epoch');
             INSERT INTO affiliates (id, name, email, status, created_at, updated_at)
             VALUES ('{affiliate}', '{number}', '{number}@x.example', 'approved', 'epoch', 'epoch');
             INSERT INTO campaigns
                 (id, advertiser_id, name, currency, landing_url, allowed_hosts, events, created_at, updated_at)
             VALUES ('{campaign}', '{advertiser}', '{number}', 'EUR', 'https://shop.example/', '{{shop.example}}',
                     '[]', 'epoch', 'epoch')"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(database.pool()).await.unwrap();
    }
}

/// Makes a change in a savepoint of its own; false when another open transaction or a constraint is in the way.
async fn attempt(tx: &mut PgConnection, chance: &Chance) -> bool {
    let change = format!("SET LOCAL lock_timeout = '10ms'; {}", change(chance));
    sqlx::raw_sql("SAVEPOINT change").execute(&mut *tx).await.unwrap();
    let made = sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut *tx).await.is_ok();
    let end = if made { "RELEASE SAVEPOINT change" } else { "ROLLBACK TO SAVEPOINT change" };
    sqlx::raw_sql(end).execute(tx).await.unwrap();
    made
}

fn change(chance: &Chance) -> String {
    let one_of = |names: &[&'static str]| names[chance.below(names.len() as u64) as usize];
    let link = id(4, chance.below(LINKS));
    let (advertiser, affiliate) = (id(1, chance.below(THINGS)), id(2, chance.below(THINGS)));
    let (campaign, number) = (id(3, chance.below(THINGS)), chance.below(LINKS));
    let page = one_of(&[
        "NULL",
        "'https://shop.example/a'",
        "'https://m.shop.example/b'",
        "'https://evil.example/'",
    ]);
    match chance.below(12) {
        0..=3 => format!(
            "INSERT INTO links (id, code, affiliate_id, campaign_id, landing_url, created_at)
             VALUES ('{link}', 'c{number}', '{affiliate}', '{campaign}', {page}, 'epoch')"
        ),
        4 => format!("DELETE FROM links WHERE id = '{link}'"),
        5 => format!(
            "UPDATE links SET landing_url = {page}, custom_params = '{{\"sub1\": \"{number}\"}}' WHERE id = '{link}'"
        ),
        6 => {
            // Two links change codes with each other, if there are two.
            let other = id(4, number);
            format!(
                "CREATE TEMPORARY TABLE codes ON COMMIT DROP AS
                 SELECT id, code FROM links WHERE id IN ('{link}', '{other}');
                 UPDATE links SET code = 'old' || code WHERE id IN (SELECT id FROM codes);
                 UPDATE links SET code = codes.code FROM codes WHERE links.id <> codes.id
                     AND links.id IN ('{link}', '{other}') AND (SELECT count(*) FROM codes) = 2;
                 UPDATE links SET code = substr(links.code, 4) WHERE links.code LIKE 'old%';
                 DROP TABLE codes"
            )
        }
        7 => format!(
            "UPDATE campaigns SET allowed_hosts = '{}' WHERE id = '{campaign}'",
            one_of(&["{}", "{shop.example}", "{*.shop.example}"])
        ),
        8 => format!(
            "UPDATE campaigns SET status = '{}', landing_url = '{}' WHERE id = '{campaign}'",
            one_of(&["active", "paused", "ended"]),
            one_of(&["https://shop.example/", "javascript:x"])
        ),
        9 => format!(
            "UPDATE affiliates SET status = '{}' WHERE id = '{affiliate}'",
            one_of(&["approved", "suspended"])
        ),
        10 => format!(
            "INSERT INTO affiliate_campaigns (affiliate_id, campaign_id, status, joined_at)
             VALUES ('{affiliate}', '{campaign}', 'approved', 'epoch')
             ON CONFLICT (affiliate_id, campaign_id) DO UPDATE SET status = '{}'",
            one_of(&["approved", "rejected"])
        ),
        _ => format!("UPDATE advertisers SET click_param = 'p{number}' WHERE id = '{advertiser}'"),
    }
}
