//! What is peculiar to SQLite. What every read store promises is tested in
//! `tests/src/contracts/read_store.rs`.

use std::{fs, path::Path};

use futures_util::FutureExt as _;
use rusqlite::Connection;

use super::{
    super::Value,
    connection::{create_private, open_writer},
    *,
};

const CREATE: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, body TEXT)";
const INSERT: &str = "INSERT INTO t (id, body) VALUES ($1, $2)";

fn open(path: &Path) -> SqliteReadStore {
    SqliteReadStore::open(path, SqliteReadStoreOptions::default()).expect("a store")
}

/// A directory with a file in it whose table `t` is empty.
async fn store() -> (tempfile::TempDir, SqliteReadStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir.path().join("read.db"));
    store.transaction(vec![Statement::once(CREATE, vec![])]).await.expect("a table");
    (dir, store)
}

fn insert(id: i64) -> Statement {
    Statement::once(INSERT, vec![Value::Int(id), Value::Text(format!("body {id}"))])
}

fn select(sql: &str, params: Vec<Value>, cost: Cost) -> Query {
    Query { sql: sql.into(), params, cost }
}

async fn count(store: &SqliteReadStore) -> i64 {
    let rows = store.query(select("SELECT count(*) FROM t", vec![], Cost::Point)).await.expect("rows");
    rows[0].int(0).expect("a count")
}

async fn refusal(store: &SqliteReadStore, sql: &str, params: Vec<Value>) -> String {
    match store.query(select(sql, params, Cost::Point)).await {
        Err(ReadStoreError::Refused(message)) => message,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// A writer like the store's on a connection that the test has prepared.
fn writer_on(connection: Connection) -> Writer {
    let copier = Connection::open(connection.path().expect("a file")).expect("a connection");
    writer_with(connection, copier, 1_000)
}

/// A writer whose checkpoints are done by this connection.
fn writer_with(mut connection: Connection, copier: Connection, due: usize) -> Writer {
    let checkpoints = checkpoints(&mut connection, copier, due);
    Writer::start(8, |requests| writer::serve(checkpoints, connection, requests)).expect("a thread")
}

fn checkpoints(connection: &mut Connection, copier: Connection, due: usize) -> Checkpoints {
    let tables = open_tables(Path::new(connection.path().expect("a file"))).expect("a file");
    Checkpoints::start("checkpoint", tables, connection, copier, LogPages { due, max: 65_536 }).expect("a thread")
}

fn writing_connection(dir: &tempfile::TempDir) -> Connection {
    let path = dir.path().join("read.db");
    create_private(&path).expect("a file");
    open_writer(&path, 1024).expect("a connection")
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let (dir, store) = store().await;
    store.transaction(vec![insert(1)]).await.expect("a row");
    let files = fs::read_dir(dir.path()).expect("a directory").map(|entry| entry.expect("an entry").path());
    let modes: Vec<_> = files.map(|file| fs::metadata(&file).expect("a file").permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600; 3], "the table, the log and its index");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let (dir, store) = store().await;
    store.transaction(vec![insert(1)]).await.expect("a row");
    for cost in [Cost::Point, Cost::Scan] {
        store.query(select("SELECT id FROM t", vec![], cost)).await.expect("rows");
    }
    drop(store);
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
}

#[tokio::test]
async fn a_file_of_something_else_is_damaged() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("read.db");
    fs::write(&path, "not a database at all, but longer than a header ".repeat(40)).expect("a file");
    let opened = SqliteReadStore::open(&path, SqliteReadStoreOptions::default());
    assert!(matches!(opened, Err(ReadStoreError::Corrupt(_))), "{opened:?}");
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let opened = SqliteReadStore::open(&dir.path().join("none/read.db"), SqliteReadStoreOptions::default());
    assert!(
        matches!(&opened, Err(ReadStoreError::Unavailable(message)) if message.contains("none/read.db")),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_full_device_is_told_and_survived() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = writing_connection(&dir);
    connection.execute_batch("CREATE TABLE t (id BIGINT, body TEXT); PRAGMA max_page_count = 16").expect("a table");
    let writer = writer_on(connection);
    let large = Statement::once(INSERT, vec![Value::Int(1), Value::Text("x".repeat(200_000))]);
    assert_eq!(writer.transaction(vec![insert(1), large]).await, Err(ReadStoreError::Full));
    assert_eq!(writer.transaction(vec![insert(2)]).await, Ok(()));
    drop(writer);
    assert_eq!(count(&open(&dir.path().join("read.db"))).await, 1);
}

#[tokio::test]
async fn a_busy_file_is_unavailable_until_it_is_free() {
    let (dir, store) = store().await;
    drop(store);
    let connection = writing_connection(&dir);
    connection.busy_timeout(std::time::Duration::ZERO).expect("a timeout");
    let writer = writer_on(connection);

    let other = Connection::open(dir.path().join("read.db")).expect("a connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let blocked = writer.transaction(vec![insert(1)]).await;
    assert!(matches!(blocked, Err(ReadStoreError::Unavailable(_))), "{blocked:?}");
    other.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(writer.transaction(vec![insert(1)]).await, Ok(()));
}

#[tokio::test]
async fn a_writer_that_panics_leaves_nobody_waiting() {
    let writer = Writer::start(1, |mut requests| {
        let _taken = requests.blocking_recv();
        panic!("the test wants it so");
    })
    .expect("a thread");
    // The first is taken, the second waits in the queue, the third waits for room in it.
    let outcomes = tokio::join!(
        writer.transaction(vec![insert(1)]),
        writer.transaction(vec![insert(2)]),
        writer.transaction(vec![insert(3)]),
    );
    for outcome in [outcomes.0, outcomes.1, outcomes.2, writer.transaction(vec![insert(4)]).await] {
        assert!(matches!(outcome, Err(ReadStoreError::Unavailable(_))), "{outcome:?}");
    }
}

/// How many commits are in the log: its frames say how large the file is after them, 0 while the transaction goes on.
fn commits(dir: &tempfile::TempDir) -> usize {
    let log = fs::read(dir.path().join("read.db-wal")).expect("a log");
    log[32..].chunks_exact(24 + 4_096).filter(|frame| frame[4..8] != [0; 4]).count()
}

/// The outcomes of these transactions, which all wait when the writer begins, and how many commits that took.
async fn waiting_together(transactions: Vec<Vec<Statement>>) -> (Vec<Result<(), ReadStoreError>>, Vec<i64>, usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut connection = writing_connection(&dir);
    connection.execute_batch(CREATE).expect("a table");
    let copier = Connection::open(connection.path().expect("a file")).expect("a connection");
    let checkpoints = checkpoints(&mut connection, copier, 1_000);
    let before = commits(&dir);
    let (go, begun) = std::sync::mpsc::channel();
    let writer = Writer::start(8, move |requests| {
        begun.recv().expect("the test goes on");
        writer::serve(checkpoints, connection, requests);
    })
    .expect("a thread");
    let all = futures_util::future::join_all(transactions.into_iter().map(|one| writer.transaction(one)));
    // All are queued before anybody is let go.
    let mut all = Box::pin(all);
    assert!(futures_util::poll!(&mut all).is_pending());
    go.send(()).expect("the writer waits");
    let outcomes = all.await;
    let commits = commits(&dir) - before;
    drop(writer);
    let store = open(&dir.path().join("read.db"));
    let rows = store.query(select("SELECT id FROM t ORDER BY id", vec![], Cost::Point)).await.expect("rows");
    (outcomes, rows.iter().map(|row| row.int(0).expect("an id")).collect(), commits)
}

#[tokio::test]
async fn transactions_that_wait_together_are_one_commit() {
    let (outcomes, ids, commits) = waiting_together((1..=5).map(|id| vec![insert(id)]).collect()).await;
    assert_eq!((outcomes, ids, commits), (vec![Ok(()); 5], vec![1, 2, 3, 4, 5], 1));
}

#[tokio::test]
async fn one_that_fails_takes_nobody_with_it() {
    let twice = vec![insert(7), insert(3)];
    let guarded = vec![insert(8), Statement::once("DELETE FROM t WHERE id = 99", vec![]).must_change(1)];
    let all = vec![vec![insert(1)], vec![insert(3)], twice, guarded, vec![insert(5)]];
    let (outcomes, ids, commits) = waiting_together(all).await;
    assert!(matches!(outcomes[2], Err(ReadStoreError::Refused(_))), "{outcomes:?}");
    assert_eq!(outcomes[3], Err(ReadStoreError::Guard { expected: 1, changed: 0 }));
    assert!([0, 1, 4].into_iter().all(|which| outcomes[which] == Ok(())), "{outcomes:?}");
    assert_eq!((ids, commits), (vec![1, 3, 5], 3), "each by itself");
}

#[tokio::test]
async fn nothing_is_left_of_a_statement_that_fails_after_its_first_rows() {
    let (_dir, store) = store().await;
    store.transaction(vec![insert(5)]).await.expect("a row");
    let number = "SELECT CAST($1 AS BIGINT) AS id UNION ALL SELECT $1 + 1 UNION ALL SELECT $1 + 2";
    let several =
        Statement::once(format!("INSERT INTO t (id, body) SELECT id, '' FROM ({number})"), vec![Value::Int(3)]);
    let moved = Statement::once("UPDATE t SET id = id + 1", vec![]);
    for failing in [vec![several.clone()], vec![insert(6), moved], vec![insert(1), several]] {
        let outcome = store.transaction(failing).await;
        assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{outcome:?}");
        assert_eq!(count(&store).await, 1);
    }
    store.transaction(vec![insert(6)]).await.expect("it goes on");
}

#[tokio::test]
async fn a_large_one_is_committed_alone() {
    let rows = (100..100 + 2_000).map(|id| vec![Value::Int(id), Value::Text("body".to_owned())]).collect();
    let large = vec![Statement::each(INSERT, rows)];
    let all = vec![vec![insert(1)], vec![insert(2)], large, vec![insert(3)], vec![insert(4)]];
    let (outcomes, ids, commits) = waiting_together(all).await;
    assert_eq!((outcomes, ids.len(), commits), (vec![Ok(()); 5], 2_004, 3));
}

#[tokio::test]
async fn a_transaction_whose_caller_leaves_is_finished_before_the_store_closes() {
    let (dir, store) = store().await;
    let rows = (0..50_000).map(|id| vec![Value::Int(id), Value::Text("body".to_owned())]).collect();
    let left = store.transaction(vec![Statement::each(INSERT, rows)]).now_or_never();
    assert_eq!(left, None, "nobody waited for it");
    drop(store);
    assert_eq!(count(&open(&dir.path().join("read.db"))).await, 50_000);
}

#[tokio::test]
async fn more_queries_than_connections_take_turns() {
    let dir = tempfile::tempdir().expect("a directory");
    let few = SqliteReadStoreOptions { point_connections: 0, scan_connections: 0, ..Default::default() };
    let store = Arc::new(SqliteReadStore::open(&dir.path().join("read.db"), few).expect("a store"));
    let sum = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT sum(i) FROM n";
    let queries = (0..40).map(|turn| {
        let cost = if turn % 2 == 0 { Cost::Point } else { Cost::Scan };
        store.query(select(sum, vec![], cost))
    });
    for rows in futures_util::future::join_all(queries).await {
        assert_eq!(rows.expect("rows")[0].int(0), Ok(500_500));
    }
}

#[tokio::test]
async fn no_number_of_scans_keeps_a_point_query_waiting() {
    let (_dir, store) = store().await;
    let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT sum(i) FROM n";
    let scans =
        (0..=SqliteReadStoreOptions::default().scan_connections).map(|_| store.query(select(slow, vec![], Cost::Scan)));
    // They run on, though nobody waits for them.
    assert_eq!(futures_util::future::join_all(scans).now_or_never(), None);
    let point = store.query(select("SELECT id FROM t", vec![], Cost::Point)).now_or_never();
    assert_eq!(point, Some(Ok(vec![])));
}

#[tokio::test]
async fn a_query_that_does_more_than_read_is_refused() {
    let (_dir, store) = store().await;
    for sql in ["DELETE FROM t", "INSERT INTO t (id) VALUES (1) RETURNING id", "BEGIN", "PRAGMA user_version = 7"] {
        assert_eq!(refusal(&store, sql, vec![]).await, "a query must only read", "{sql}");
    }
    store.transaction(vec![insert(1)]).await.expect("a row");
    assert_eq!(count(&store).await, 1, "no connection is left in an old snapshot");
}

#[tokio::test]
async fn a_statement_that_would_end_the_transaction_is_refused() {
    let (_dir, store) = store().await;
    for sql in ["COMMIT", "ROLLBACK", "SAVEPOINT s", "SELECT 1"] {
        let outcome = store.transaction(vec![insert(1), Statement::once(sql, vec![])]).await;
        assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{sql}: {outcome:?}");
    }
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn other_placeholders_than_the_ports_are_refused() {
    let (_dir, store) = store().await;
    for (placeholder, shown) in [("?", "?"), ("?1", "?1"), (":id", ":id"), ("@id", "@id"), ("$id", "$id"), ("$0", "$0")]
    {
        let sql = format!("SELECT body FROM t WHERE id = {placeholder}");
        let message = refusal(&store, &sql, vec![Value::Int(1)]).await;
        assert_eq!(message, format!("a placeholder is written {shown} instead of $1"));
    }
}

#[tokio::test]
async fn a_wrong_number_of_values_is_refused() {
    let (_dir, store) = store().await;
    let sql = "SELECT body FROM t WHERE id = $1";
    assert_eq!(refusal(&store, sql, vec![]).await, "0 values for a statement of 1");
    assert_eq!(refusal(&store, sql, vec![Value::Int(1), Value::Null]).await, "2 values for a statement of 1");
}

#[tokio::test]
async fn messages_show_neither_values_nor_whole_statements() {
    let (_dir, store) = store().await;
    let secret = || Value::Text("somebody's secret".to_owned());
    let twice = Statement::each(INSERT, vec![vec![Value::Int(1), secret()], vec![Value::Int(1), secret()]]);
    let outcome = store.transaction(vec![twice]).await;
    assert_eq!(outcome, Err(ReadStoreError::Refused("UNIQUE constraint failed: t.id".to_owned())));

    let message = refusal(&store, "SELECT 'somebody''s secret' FROM nowhere", vec![]).await;
    assert_eq!(message, "no such table: nowhere");
}

#[tokio::test]
async fn two_statements_in_one_text_are_refused() {
    let (_dir, store) = store().await;
    let both = Statement::once("DELETE FROM t; DELETE FROM t", vec![]);
    let outcome = store.transaction(vec![both]).await;
    assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_number_with_a_fraction_is_no_value_of_the_port() {
    let (_dir, store) = store().await;
    let outcome = store.query(select("SELECT 1, 0.5", vec![], Cost::Point)).await;
    assert_eq!(outcome, Err(ReadStoreError::Column { column: 1, wanted: "an exact value" }));
}

#[tokio::test]
async fn the_log_stays_short_while_somebody_always_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let options =
        SqliteReadStoreOptions { log_pages: LogPages { due: 64, max: 256 }, ..SqliteReadStoreOptions::default() };
    let store = SqliteReadStore::open(&dir.path().join("read.db"), options).expect("a store");
    store.transaction(vec![Statement::once(CREATE, vec![])]).await.expect("a table");
    let mut longest = 0;
    for id in 0..400 {
        let row = vec![Value::Int(id), Value::Text("much ".repeat(8_000))];
        store.transaction(vec![Statement::once(INSERT, row)]).await.expect("a row");
        assert_eq!(count(&store).await, id + 1);
        longest = longest.max(fs::metadata(dir.path().join("read.db-wal")).expect("a log").len());
    }
    assert!(longest < 8_000_000, "of 16 MB, {longest} bytes lay in the log at once");
}

#[tokio::test]
async fn a_table_whose_key_is_of_several_columns_is_kept_in_its_order() {
    let (_dir, store) = store().await;
    let wide = "CREATE TABLE IF NOT EXISTS wide (a BIGINT NOT NULL, b UUID NOT NULL, PRIMARY KEY (a, b))";
    store.transaction(vec![Statement::once(wide, vec![])]).await.expect("a table");
    let tables = "SELECT name FROM pragma_table_list WHERE wr = 1 AND schema = 'main'";
    let rows = store.query(select(tables, vec![], Cost::Point)).await.expect("rows");
    let names: Vec<_> = rows.iter().map(|row| row.text(0).expect("a name")).collect();
    assert_eq!(names, ["wide"], "and `t`, whose key is one number, is as it was");
}

#[tokio::test]
async fn nothing_is_written_after_a_checkpoint_that_failed() {
    let dir = tempfile::tempdir().expect("a directory");
    let connection = writing_connection(&dir);
    let no_database = dir.path().join("letter.txt");
    fs::write(&no_database, "not a database at all, but longer than its header would be: ".repeat(100))
        .expect("a file");
    let writer = writer_with(connection, Connection::open(&no_database).expect("it is opened late"), 1);
    writer.transaction(vec![Statement::once(CREATE, vec![])]).await.expect("it is due after this");
    let mut written = 0;
    let refusal = loop {
        match writer.transaction(vec![insert(written)]).await {
            Ok(()) => written += 1,
            Err(refusal) => break refusal,
        }
    };
    let says = "its writer has stopped: a checkpoint failed: ";
    assert!(matches!(&refusal, ReadStoreError::Unavailable(reason) if reason.starts_with(says)), "{refusal}");
    drop(writer);
    let again = SqliteReadStore::open(&dir.path().join("read.db"), SqliteReadStoreOptions::default()).expect("a store");
    assert_eq!(count(&again).await, written, "what was acknowledged is there");
}
