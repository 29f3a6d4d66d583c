//! PostgreSQL when it is not as it should be: refusing, gone, back again, full, read-only, slow.

use std::{sync::Arc, time::Duration};

use infrastructure::read_store::{
    Cost, PostgresOpenError, PostgresReadStore, PostgresReadStoreOptions, Query, ReadStore, ReadStoreError, Statement,
    Value,
};
use tests::{
    postgres::{Durability, PostgresSchema, PostgresServer, options, run, with},
    proxy::{Fault, FaultKind, Proxy},
};

/// As long as a test waits for what must come. Far more than it takes.
const LONG: Duration = Duration::from_secs(60);

fn query(sql: &str, cost: Cost) -> Query {
    Query { sql: sql.into(), params: vec![], cost }
}

fn once(sql: &str, params: Vec<Value>) -> Vec<Statement> {
    vec![Statement::once(sql, params)]
}

async fn number(store: &PostgresReadStore, sql: &str) -> Result<i64, ReadStoreError> {
    store.query(query(sql, Cost::Point)).await?[0].int(0)
}

async fn private_server() -> PostgresServer {
    let starting = tokio::task::spawn_blocking(|| PostgresServer::start(Durability::None));
    starting.await.expect("a server")
}

/// A store on a table `t` with one row.
async fn store(options: &PostgresReadStoreOptions) -> PostgresReadStore {
    let store = PostgresReadStore::open(options).await.expect("a store");
    let statements = vec![
        Statement::once("CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY, body TEXT)", vec![]),
        Statement::once("INSERT INTO t (id, body) VALUES (1, 'one') ON CONFLICT (id) DO NOTHING", vec![]),
    ];
    store.transaction(statements).await.expect("a table");
    store
}

async fn open_error(options: &PostgresReadStoreOptions) -> PostgresOpenError {
    PostgresReadStore::open(options).await.expect_err("it is not fit for a store")
}

fn refusal(outcome: Result<(), ReadStoreError>) -> String {
    match outcome {
        Err(ReadStoreError::Refused(says)) => says,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, ReadStoreError>) -> String {
    match outcome {
        Err(ReadStoreError::Unavailable(says)) => says,
        other => panic!("it was available: {other:?}"),
    }
}

/// Waits until the store answers again, and says how it failed before.
async fn recovered(store: &PostgresReadStore) {
    let back = async {
        loop {
            let written = store.transaction(once("UPDATE t SET body = body WHERE id = 1", vec![])).await;
            let read =
                (number(store, "SELECT count(*) FROM t").await, store.query(query("SELECT 1", Cost::Scan)).await);
            match (written, read) {
                (Ok(()), (Ok(1), Ok(_))) => return,
                (Err(ReadStoreError::Unavailable(_)), _)
                | (_, (Err(ReadStoreError::Unavailable(_)), _) | (_, Err(ReadStoreError::Unavailable(_)))) => {}
                other => panic!("it fails in another way: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, back).await.expect("it recovers by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_says_what_is_wrong_with_the_address() {
    let server = private_server().await;
    run(&server.url(), "CREATE ROLE secured; CREATE ROLE shop LOGIN PASSWORD 'right' IN ROLE secured").await;
    let url = |password: &str| server.url_of(&format!("shop:{password}"), "postgres");
    PostgresReadStore::open(&options(&with(&url("right"), "options=-c%20search_path%3Dpg_temp")))
        .await
        .expect_err("nothing lasting can be made there");

    let error = open_error(&options(&url("s3cret"))).await;
    assert!(matches!(error, PostgresOpenError::Login(_)), "{error:?}");
    assert!(error.to_string().contains("check user and password") && !error.to_string().contains("s3cret"), "{error}");

    let error = open_error(&options(&server.url_of("millrace", "nowhere"))).await;
    assert!(matches!(error, PostgresOpenError::Database), "{error:?}");

    let error = open_error(&options(&with(&server.url(), "options=-c%20search_path%3Dnowhere"))).await;
    assert!(matches!(&error, PostgresOpenError::Schema(says) if says.contains("CREATE SCHEMA")), "{error:?}");

    run(&server.url(), "CREATE SCHEMA closed; GRANT USAGE ON SCHEMA closed TO shop").await;
    let error = open_error(&options(&with(&url("right"), "options=-c%20search_path%3Dclosed"))).await;
    assert!(matches!(&error, PostgresOpenError::Schema(says) if says.contains("GRANT CREATE")), "{error:?}");

    run(&server.url(), "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'")
        .await;
    let error = open_error(&options(&server.url_of("millrace", "latin"))).await;
    assert!(matches!(&error, PostgresOpenError::Encoding(encoding) if encoding == "LATIN1"), "{error:?}");

    let error = open_error(&options(&with(&server.url(), "sslmode=require"))).await;
    assert!(matches!(error, PostgresOpenError::Tls(_)), "the server has no certificate: {error:?}");

    let server_url = server.url();
    tokio::task::block_in_place(|| server.stop());
    let error = open_error(&options(&server_url)).await;
    assert!(matches!(error, PostgresOpenError::Unreachable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_told_at_start_and_later() {
    let server = private_server().await;
    let options = options(&server.url());
    let store = store(&options).await;
    run(&server.url(), "ALTER DATABASE postgres SET default_transaction_read_only = on").await;
    let error = open_error(&options).await;
    assert!(matches!(error, PostgresOpenError::ReadOnly(_)), "{error:?}");

    // Connections that the store has already know nothing of it, so they are ended.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace' \
               AND pid <> pg_backend_pid()";
    run(&server.url(), end).await;
    let says = unavailable(store.transaction(once("UPDATE t SET body = 'two'", vec![])).await);
    assert!(says.contains("read-only"), "{says}");
    assert_eq!(number(&store, "SELECT count(*) FROM t").await, Ok(1), "it can be read");

    let writing = with(&server.url(), "options=-c%20default_transaction_read_only%3Doff");
    run(&writing, "ALTER DATABASE postgres SET default_transaction_read_only = off").await;
    run(&server.url(), end).await;
    recovered(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_starts_is_used_again() {
    let server = private_server().await;
    let store = store(&options(&server.url())).await;
    let mut nudges = store.nudges();
    for is_crash in [false, true] {
        // Every kind of connection is open and idle.
        recovered(&store).await;
        nudges.borrow_and_update();
        tokio::task::block_in_place(|| if is_crash { server.crash() } else { server.stop() });
        unavailable(store.transaction(once("UPDATE t SET body = 'lost'", vec![])).await);
        unavailable(number(&store, "SELECT count(*) FROM t").await);
        tokio::task::block_in_place(|| server.start_again());
        recovered(&store).await;
        let heard = tokio::time::timeout(LONG, nudges.changed()).await;
        heard.expect("whatever was missed is made up for").expect("the store is open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_connections_of_the_pools_cost_nobody_an_error() {
    let schema = PostgresSchema::new().await;
    let store = Arc::new(store(&schema.options()).await);
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dead {}'",
        schema.name()
    );
    let named = options(&with(schema.url(), &format!("application_name=dead%20{}", schema.name())));
    let named = Arc::new(PostgresReadStore::open(&named).await.expect("a store"));
    for _ in 0..5 {
        // Fill the pools.
        let filled = (0..6).map(|_| number(&named, "SELECT count(*) FROM t"));
        assert!(futures_util::future::join_all(filled).await.iter().all(|found| *found == Ok(1)));
        let written = (0..4).map(|_| named.transaction(once("UPDATE t SET body = body", vec![])));
        assert!(futures_util::future::join_all(written).await.iter().all(Result::is_ok));
        schema.run(&end).await;
        assert_eq!(number(&named, "SELECT count(*) FROM t").await, Ok(1));
        assert_eq!(named.query(query("SELECT id FROM t", Cost::Scan)).await.map(|rows| rows.len()), Ok(1));
        assert_eq!(named.transaction(once("UPDATE t SET body = body", vec![])).await, Ok(()));
    }
    drop(store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_ear_is_cut_off_hears_again() {
    let schema = PostgresSchema::new().await;
    let (one, other) = (schema.open().await, schema.open().await);
    let mut nudges = other.nudges();
    for _ in 0..3 {
        nudges.borrow_and_update();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN millrace\\_%' \
                   AND query LIKE '%' || (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
                   AND pid <> pg_backend_pid()";
        // Of the store that only listens, the server shows that it does.
        let killed = async {
            while schema.run(end).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, killed).await.expect("its connection is found");
        let told = async {
            // The first may be that it is connected again.
            for _ in 0..2 {
                nudges.borrow_and_update();
                loop {
                    one.nudge();
                    if tokio::time::timeout(Duration::from_millis(100), nudges.changed()).await.is_ok() {
                        break;
                    }
                }
            }
        };
        tokio::time::timeout(LONG, told).await.expect("it hears again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_connections_left_says_what_to_do() {
    let server = private_server().await;
    run(&server.url(), "CREATE ROLE narrow LOGIN CONNECTION LIMIT 4; GRANT ALL ON SCHEMA public TO narrow").await;
    let options = options(&server.url_of("narrow", "postgres"));
    let first = store(&options).await;
    let queries = (0..3).map(|_| first.query(query("SELECT pg_sleep(1)::text", Cost::Scan)));
    let outcomes = futures_util::future::join_all(queries).await;
    let says = outcomes.into_iter().find_map(Result::err).map(|error| unavailable::<()>(Err(error)));
    assert!(says.as_ref().is_some_and(|says| says.contains("max_connections")), "{says:?}");
    let error = open_error(&options).await;
    drop(first);
    assert!(matches!(error, PostgresOpenError::NotReady(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_cut_short() {
    let schema = PostgresSchema::new().await;
    let short = Duration::from_millis(300);
    let options = PostgresReadStoreOptions { point_timeout: short, write_timeout: short, ..schema.options() };
    let store = store(&options).await;
    let says = unavailable(store.query(query("SELECT pg_sleep(30)::text", Cost::Point)).await);
    assert!(says.contains("took too long"), "{says}");
    let slow = once("UPDATE t SET body = pg_sleep(30)::text", vec![]);
    let says = unavailable(store.transaction(slow).await);
    assert!(says.contains("took too long"), "{says}");
    // A scan may take longer.
    let scan = store.query(query("SELECT pg_sleep(0.6)::text", Cost::Scan)).await;
    assert_eq!(scan.map(|rows| rows.len()), Ok(1));
    assert_eq!(number(&store, "SELECT count(*) FROM t").await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_of_scans_keeps_a_point_query_waiting() {
    let schema = PostgresSchema::new().await;
    let store = store(&schema.options()).await;
    let scans = (0..12).map(|_| store.query(query("SELECT pg_sleep(30)::text", Cost::Scan)));
    let scans = futures_util::future::join_all(scans);
    let points = async {
        for _ in 0..20 {
            assert_eq!(number(&store, "SELECT count(*) FROM t").await, Ok(1));
        }
        store.transaction(once("UPDATE t SET body = 'two'", vec![])).await
    };
    tokio::select! {
        _ = scans => panic!("they sleep"),
        outcome = tokio::time::timeout(LONG, points) => assert_eq!(outcome.expect("in time"), Ok(())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut options = options(&format!("postgres://me:s3cret@127.0.0.1:{port}/shop"));
    options.connect_timeout = Duration::from_millis(300);
    let error = tokio::time::timeout(LONG, open_error(&options)).await.expect("in time");
    assert!(matches!(error, PostgresOpenError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?} {options:?}").contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_waited_for_and_then_goes_on() {
    let server = private_server().await;
    let store = Arc::new(store(&options(&server.url())).await);
    recovered(&store).await;
    server.freeze(true);
    let waiting = number(&store, "SELECT count(*) FROM t");
    let outcome = tokio::time::timeout(Duration::from_millis(300), waiting).await;
    server.freeze(false);
    assert!(outcome.is_err(), "it answered: {outcome:?}");
    recovered(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_lost_on_the_way_are_replaced() {
    let schema = PostgresSchema::new().await;
    let proxy = Proxy::to(schema.url()).await;
    let options = PostgresReadStoreOptions {
        point_timeout: Duration::from_secs(1),
        point_connections: 2,
        ..options(&proxy.url(schema.url()))
    };
    let store = store(&options).await;
    let both = || futures_util::future::join(ask(&store), ask(&store));
    assert_eq!(both().await, (Ok(1), Ok(1)));
    proxy.inject(Fault::Lose).await;
    let says = unavailable(tokio::time::timeout(LONG, ask(&store)).await.expect("in time"));
    assert!(says.contains("does not answer"), "{says}");
    assert_eq!(both().await, (Ok(1), Ok(1)), "the other one was as dead");

    // Nor are they kept by callers that have less patience.
    proxy.inject(Fault::Lose).await;
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_millis(1_100), ask(&store)).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(both().await, (Ok(1), Ok(1)));
    assert!(proxy.hits(FaultKind::Lose) >= 4);
    assert!(proxy.hits(FaultKind::Lose) >= 4);
}

async fn ask(store: &PostgresReadStore) -> Result<i64, ReadStoreError> {
    number(store, "SELECT count(*) FROM t").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_whose_caller_leaves_keeps_no_lock() {
    let schema = PostgresSchema::new().await;
    let store = store(&schema.options()).await;
    for _ in 0..10 {
        let rows = (0..2_000).map(|_| vec![Value::Text("left".to_owned())]).collect();
        let long = store.transaction(vec![Statement::each("UPDATE t SET body = $1 WHERE id = 1", rows)]);
        drop(tokio::time::timeout(Duration::from_millis(3), long).await);
        let after = store.transaction(once("UPDATE t SET body = 'here' WHERE id = 1", vec![]));
        assert_eq!(tokio::time::timeout(LONG, after).await.expect("no lock is left"), Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_resolved_by_doing_it_again() {
    let schema = PostgresSchema::new().await;
    let store = Arc::new(store(&schema.options()).await);
    store.transaction(once("INSERT INTO t (id, body) VALUES (2, 'two')", vec![])).await.expect("a row");
    let update = |id: i64| {
        // Slow, so that each has its first row before it wants the second.
        let sql = "UPDATE t SET body = id::text || pg_sleep(0.05)::text WHERE id = $1";
        Statement::once(sql, vec![Value::Int(id)])
    };
    let (one, other) = (vec![update(1), update(2)], vec![update(2), update(1)]);
    let outcomes = tokio::join!(store.transaction(one), store.transaction(other));
    assert_eq!(outcomes, (Ok(()), Ok(())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_survive_a_change_of_their_tables() {
    let schema = PostgresSchema::new().await;
    let store = store(&schema.options()).await;
    let select = || store.query(query("SELECT * FROM t", Cost::Point));
    let insert =
        |id, body| store.transaction(once("INSERT INTO t (id, body) VALUES ($1, $2)", vec![Value::Int(id), body]));
    // Known to every connection.
    let found = futures_util::future::join_all((0..8).map(|_| select())).await;
    assert!(found.iter().all(|rows| rows.as_ref().is_ok_and(|rows| rows[0].0.len() == 2)), "{found:?}");
    insert(5, Value::Text("five".to_owned())).await.expect("a row");

    schema.run("ALTER TABLE t ADD COLUMN more BIGINT").await;
    let found = futures_util::future::join_all((0..8).map(|_| select())).await;
    assert!(found.iter().all(|rows| rows.as_ref().is_ok_and(|rows| rows[0].0.len() == 3)), "{found:?}");

    schema.run("DROP TABLE t; CREATE TABLE t (id BIGINT, body BIGINT)").await;
    assert_eq!(select().await, Ok(vec![]));
    assert_eq!(insert(1, Value::Int(7)).await, Ok(()), "the second value is of another type now");
    assert_eq!(select().await.map(|rows| rows[0].int(1)), Ok(Ok(7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_show_neither_values_nor_statements() {
    let schema = PostgresSchema::new().await;
    let store = store(&schema.options()).await;
    let secret = || Value::Text("somebody's s3cret".to_owned());
    let insert = "INSERT INTO t (id, body) VALUES ($1, $2)";
    let twice = vec![Statement::each(insert, vec![vec![Value::Int(7), secret()], vec![Value::Int(7), secret()]])];
    let says = refusal(store.transaction(twice).await);
    assert_eq!(says, "it is there already, constraint t_pkey, table t (23505)");
    for sql in
        ["INSERT INTO t (id, body) VALUES ($1::text::int8, $1)", "INSERT INTO t (id, body) VALUES (1, $1) s3cret"]
    {
        let says = refusal(store.transaction(once(sql, vec![secret()])).await);
        assert!(!says.contains("s3cret"), "{says}");
    }
    let says = refusal(store.transaction(once(insert, vec![Value::Int(8), Value::Text("a\0".to_owned())])).await);
    assert!(says.contains("U+0000"), "{says}");
    store.transaction(once("CREATE TABLE d (doc JSONB)", vec![])).await.expect("a table");
    let escaped = Value::Json("\"\\u0000\"".to_owned());
    let says = refusal(store.transaction(once("INSERT INTO d (doc) VALUES ($1)", vec![escaped])).await);
    assert!(says.contains("U+0000"), "{says}");
    let says = store.query(query("SELECT 's3cret' FROM nowhere", Cost::Point)).await;
    assert_eq!(says, Err(ReadStoreError::Refused("relation \"nowhere\" does not exist (42P01)".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_neither_a_query_nor_a_statement_is_refused() {
    let schema = PostgresSchema::new().await;
    let store = store(&schema.options()).await;
    for sql in ["DELETE FROM t", "INSERT INTO t (id) VALUES (2) RETURNING id", "BEGIN", "SET jit = on"] {
        for cost in [Cost::Point, Cost::Scan] {
            let outcome = store.query(query(sql, cost)).await;
            assert_eq!(outcome, Err(ReadStoreError::Refused("a query must only read".to_owned())), "{sql}");
        }
    }
    for sql in ["COMMIT", "ROLLBACK", "SAVEPOINT s", "SELECT 1", "DELETE FROM t; DELETE FROM t", "DROP TABLE t; COMMIT"]
    {
        let statements = [once("UPDATE t SET body = 'two'", vec![]), once(sql, vec![])].concat();
        refusal(store.transaction(statements).await);
    }
    let found = store.query(query("SELECT body FROM t", Cost::Point)).await;
    assert_eq!(found.map(|rows| rows[0].text(0).map(str::to_owned)), Ok(Ok("one".to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_store_leaves_no_connection() {
    let schema = PostgresSchema::new().await;
    let name = format!("gone_{}", schema.name());
    let named = options(&with(schema.url(), &format!("application_name={name}")));
    let store = store(&named).await;
    store.query(query("SELECT 1", Cost::Scan)).await.expect("a row");
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    assert_ne!(schema.run(&count).await, ["0"]);
    drop(store);
    let gone = async {
        while schema.run(&count).await != ["0"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("every connection is closed");
}
