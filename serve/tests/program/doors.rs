//! A simulated world happens to the program: its network is made through the API, its visitors and shops come through
//! the doors, and everything that was answered is there.

use std::{fs::File, time::Duration};

use client::Client;
use domain::Clock;
use polars::prelude::{ParquetReader, SerReader};
use sim::{
    Settings, World,
    doors::{Haste, Notes, Sent, drive},
    sink::{Facts, Names},
};
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use super::Installation;

/// What the database holds: clicks, impressions and conversions, and how many of the former two the links count.
type Held = (i64, i64, i64, i64, i64);

async fn held(db: &mut PgConnection) -> Held {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM clicks), (SELECT count(*) FROM impressions), (SELECT count(*) FROM conversions),
                (SELECT sum(clicks)::bigint FROM links), (SELECT sum(impressions)::bigint FROM links)",
    )
    .fetch_one(db)
    .await
    .unwrap()
}

/// How many conversions have an address, the address of their click, a mailbox, and a machine.
async fn customers(db: &mut PgConnection) -> (i64, i64, i64, i64) {
    sqlx::query_as(
        "SELECT count(conversions.address_hash),
                count(*) FILTER (WHERE conversions.address_hash = clicks.address_hash
                                   AND conversions.network = clicks.network),
                count(email_hash), count(*) FILTER (WHERE conversions.device <> 'unknown')
         FROM conversions
         LEFT JOIN clicks ON clicks.id = conversions.click_id",
    )
    .fetch_one(db)
    .await
    .unwrap()
}

/// What it must come to hold, once everything is shipped and reports that were early were taken up again.
fn expected(sent: &Sent) -> Held {
    let [clicks, impressions, orders] = [sent.clicks, sent.impressions, sent.orders].map(u64::cast_signed);
    (clicks, impressions, orders, clicks, impressions)
}

#[tokio::test]
async fn what_a_world_sends_through_the_doors_is_there() {
    let installation = Installation::new().await;
    let server = installation.serve(&["--all", "--trusted-proxy", "127.0.0.1/32"]).await;
    let url = format!("http://127.0.0.1:{}", installation.port);
    let client = Client::new(&url, &url, installation.key.clone()).unwrap();
    let world =
        World::new(Settings { people: 1_000, impressions_per_click: 0.5, ..Settings::new(7, 40, 25, 900) })
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let notes = Notes {
        truth: vec![Box::new(Facts::create(folder.path()).unwrap())],
        names: Names::create(folder.path()).unwrap(),
    };
    let haste = Haste { speedup: 1e9, most_per_second: 1e6 };
    let sent = drive(&world, &client, &Clock::system(), haste, notes, |_| {}).await.unwrap();
    assert!(300 < sent.clicks && 300 < sent.impressions && 3 < sent.orders && 0 < sent.moves, "{sent}");

    let mut db = PgConnection::connect(&installation.database.url()).await.unwrap();
    for _ in 0..400 {
        if held(&mut db).await == expected(&sent) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(held(&mut db).await, expected(&sent), "{sent}");

    let customers = customers(&mut db).await;
    assert!(0 < customers.0 && 0 < customers.1 && 0 < customers.2 && 0 < customers.3, "{customers:?}");

    let named = names(folder.path(), "click");
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM clicks WHERE id = ANY ($1)")
        .bind(named.iter().map(|id| id.parse::<domain::ClickId>().unwrap().uuid()).collect::<Vec<_>>())
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!((named.len() as i64, known), (sent.clicks.cast_signed(), sent.clicks.cast_signed()));
    assert!(server.end());
}

/// What the things of a kind are called in the installation.
fn names(folder: &std::path::Path, kind: &str) -> Vec<String> {
    let file = File::open(folder.join("network/names.parquet")).unwrap();
    let table = ParquetReader::new(file).finish().unwrap();
    let (kinds, names) = (table.column("kind").unwrap(), table.column("tributary").unwrap());
    let of_kind = kinds.str().unwrap().iter().zip(names.str().unwrap().iter());
    of_kind.filter(|(one, _)| *one == Some(kind)).filter_map(|(_, name)| Some(name?.to_owned())).collect()
}
