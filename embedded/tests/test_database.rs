//! Tests get databases of their own, copied from a template that is made once.

use std::{borrow::Cow, thread, time::Duration};

use embedded::{TestDatabase, test_database};
use sqlx::{
    AssertSqlSafe, Executor, PgPool, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// A set of migrations that no other test and no earlier run has seen, because its one table is named after both.
fn migrator(of: &str) -> Migrator {
    let sql =
        format!("CREATE TABLE sale (amount bigint); COMMENT ON TABLE sale IS '{of} {}'", std::process::id());
    let sql = AssertSqlSafe(sql).into_sql_str();
    let migration = Migration::new(1, Cow::Borrowed("sale"), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![migration])
}

async fn count(database: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(database).await.expect("a number")
}

#[tokio::test]
async fn what_one_test_writes_no_other_sees() {
    let migrator = migrator("isolation");
    let (one, other) = (test_database(&migrator).await, test_database(&migrator).await);
    one.execute("INSERT INTO sale VALUES (5100)").await.expect("a row");
    assert_eq!(count(&one, "SELECT count(*) FROM sale").await, 1);
    assert_eq!(count(&other, "SELECT count(*) FROM sale").await, 0);
}

#[tokio::test]
async fn tests_that_start_together_make_one_template() {
    let before = test_database(&migrator("before")).await;
    let templates = "SELECT count(*) FROM pg_database WHERE datname LIKE 'tributary_test_template_%'";
    let known = count(&before, templates).await;
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| in_a_runtime_of_its_own("together"))).collect();
    let databases: Vec<TestDatabase> =
        threads.into_iter().map(|thread| thread.join().expect("a database")).collect();
    assert!(count(&before, templates).await <= known + 2, "at most ours and that of the test beside us");
    for database in &databases {
        assert_eq!(count(database, "SELECT count(*) FROM _sqlx_migrations").await, 1);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn in_a_runtime_of_its_own(of: &str) -> TestDatabase {
    test_database(&migrator(of)).await
}

#[tokio::test]
async fn a_database_goes_with_its_test() {
    let migrator = migrator("dropping");
    let (kept, dropped) = (test_database(&migrator).await, test_database(&migrator).await);
    let name =
        dropped.url().rsplit_once('/').map(|(_, rest)| rest.split('?').next().unwrap_or(rest).to_owned());
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let is_there = async || -> bool {
        sqlx::query_scalar(exists).bind(&name).fetch_one(&*kept).await.expect("yes or no")
    };
    assert!(is_there().await);
    dropped.execute("SELECT 1").await.expect("it can be used");
    drop(dropped);
    let gone = async {
        while is_there().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok(), "it is dropped by and by");
}

#[tokio::test]
async fn another_process_can_be_told_where_the_database_is() {
    let database = test_database(&migrator("url")).await;
    database.execute("INSERT INTO sale VALUES (1), (2)").await.expect("rows");
    let elsewhere = PgPool::connect(&database.url()).await.expect("the same database");
    assert_eq!(count(&elsewhere, "SELECT count(*) FROM sale").await, 2);
}
