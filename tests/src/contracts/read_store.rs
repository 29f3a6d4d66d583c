//! The contract of a read store: the promises of `ReadStore`, by number, and the SQL that projections rely on.
//!
//! Each case gets an empty store. Promise 5 is about restarts and has a suite of its own.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use infrastructure::read_store::{Cost, Query, ReadStore, ReadStoreError, Row, Statement, Value};
use uuid::Uuid;

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! read_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            read_store, $adapter => $factory, [
                promise_1_a_transaction_is_all_or_nothing,
                a_failing_row_takes_all_rows_with_it,
                a_table_of_a_failed_transaction_does_not_exist,
                promise_2_an_unmet_guard_rolls_everything_back,
                a_guard_counts_each_row_of_a_statement,
                promise_3_a_query_sees_every_transaction_that_returned,
                readers_beside_a_writer_see_whole_transactions_only,
                promise_4_values_come_back_as_they_went_in,
                json_comes_back_as_the_same_document,
                canonical_json_comes_back_as_the_same_text,
                many_rows_come_back_as_they_went_in,
                sums_and_counts_are_integers,
                a_limit_may_be_a_value,
                promise_6_text_compares_and_sorts_by_its_bytes,
                promise_7_a_nudge_is_heard,
                nothing_comes_back_as_nothing,
                placeholders_may_stand_in_any_order,
                a_placeholder_may_stand_twice,
                placeholders_may_have_two_digits,
                a_dollar_in_a_literal_is_no_placeholder,
                an_upsert_inserts_or_updates,
                a_statement_for_no_rows_does_nothing,
                a_wrong_query_is_refused,
                transactions_that_come_at_once_all_happen,
                tables_come_and_go,
            ]
        }
    };
}
pub use crate::read_store_cases as cases;

/// What the cases take.
pub type Store = Arc<dyn ReadStore>;

const INSERT: &str = "INSERT INTO counters (id, n) VALUES ($1, $2)";
const SELECT: &str = "SELECT id, n FROM counters ORDER BY id";

fn counter(id: i64, n: i64) -> Vec<Value> {
    vec![Value::Int(id), Value::Int(n)]
}

/// A new counter that stands at `n`.
pub(super) fn insert(id: i64, n: i64) -> Statement {
    Statement::once(INSERT, counter(id, n))
}

async fn run(store: &dyn ReadStore, sql: &str, params: Vec<Value>) {
    store.transaction(vec![Statement::once(sql, params)]).await.expect("the statement is right");
}

/// The table that most cases use.
pub(super) async fn create_counters(store: &dyn ReadStore) {
    run(store, "CREATE TABLE counters (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)", vec![]).await;
}

async fn rows(store: &dyn ReadStore, sql: &str, params: Vec<Value>) -> Vec<Row> {
    let point = Query { sql: sql.into(), params: params.clone(), cost: Cost::Point };
    let scan = Query { sql: sql.into(), params, cost: Cost::Scan };
    let found = store.query(point).await.expect("the query is right");
    assert_eq!(store.query(scan).await.as_ref(), Ok(&found), "the cost changes nothing but where a query runs");
    found
}

/// Every counter, by its id.
pub(super) async fn counters(store: &dyn ReadStore) -> Vec<(i64, i64)> {
    pairs(&rows(store, SELECT, vec![]).await)
}

fn pairs(rows: &[Row]) -> Vec<(i64, i64)> {
    rows.iter().map(|row| (row.int(0).expect("an id"), row.int(1).expect("a number"))).collect()
}

fn micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("a moment")
}

/// Promise 1: the statement in the middle fails, and neither those before nor those after it happen.
pub async fn promise_1_a_transaction_is_all_or_nothing(store: Store) {
    create_counters(&*store).await;
    run(&*store, INSERT, counter(1, 10)).await;
    for wrong in ["INSERT INTO counters (id, n) VALUES (1, 0)", "INSERT INTO nowhere (id) VALUES (1)", "no SQL"] {
        let outcome = store.transaction(vec![insert(2, 20), Statement::once(wrong, vec![]), insert(3, 30)]).await;
        assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{wrong}: {outcome:?}");
        assert_eq!(counters(&*store).await, [(1, 10)], "{wrong}");
    }
    store.transaction(vec![insert(2, 20), insert(3, 30)]).await.expect("the store goes on");
    assert_eq!(counters(&*store).await, [(1, 10), (2, 20), (3, 30)]);
}

/// Promise 1, within one statement: a row in the middle fails, and no row of it stays.
pub async fn a_failing_row_takes_all_rows_with_it(store: Store) {
    create_counters(&*store).await;
    let rows = vec![counter(1, 1), counter(2, 2), counter(1, 3), counter(4, 4)];
    let outcome = store.transaction(vec![Statement::each(INSERT, rows)]).await;
    assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{outcome:?}");
    assert_eq!(counters(&*store).await, []);
}

/// Promise 1, for tables: making one is part of the transaction.
pub async fn a_table_of_a_failed_transaction_does_not_exist(store: Store) {
    let table = Statement::once("CREATE TABLE lost (id BIGINT)", vec![]);
    let outcome = store.transaction(vec![table.clone(), Statement::once("no SQL", vec![])]).await;
    assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{outcome:?}");
    store.transaction(vec![table]).await.expect("it can be made now");
}

/// Promise 2: a guard that is not met rolls back everything, before and after it.
pub async fn promise_2_an_unmet_guard_rolls_everything_back(store: Store) {
    create_counters(&*store).await;
    store.transaction(vec![insert(1, 10), insert(2, 20)]).await.expect("rows");
    for (sql, expected, changed) in [
        ("UPDATE counters SET n = 0 WHERE id = 9", 1, 0),
        ("UPDATE counters SET n = 0 WHERE id < 3", 1, 2),
        ("DELETE FROM counters WHERE id = 1", 0, 1),
        ("INSERT INTO counters (id, n) VALUES (1, 0) ON CONFLICT (id) DO NOTHING", 1, 0),
    ] {
        let guarded = Statement::once(sql, vec![]).must_change(expected);
        let outcome = store.transaction(vec![insert(3, 30), guarded, insert(4, 40)]).await;
        assert_eq!(outcome, Err(ReadStoreError::Guard { expected, changed }), "{sql}");
        assert_eq!(counters(&*store).await, [(1, 10), (2, 20)], "{sql}");
    }
}

/// Promise 2, row by row: the guard counts for each run, not for their sum.
pub async fn a_guard_counts_each_row_of_a_statement(store: Store) {
    create_counters(&*store).await;
    store.transaction(vec![insert(1, 10), insert(2, 20)]).await.expect("rows");
    let update = "UPDATE counters SET n = $2 WHERE id = $1";
    let met = Statement::each(update, vec![counter(1, 11), counter(2, 21)]).must_change(1);
    store.transaction(vec![met]).await.expect("each changes one row");
    let unmet = Statement::each(update, vec![counter(1, 12), counter(9, 0)]).must_change(1);
    let outcome = store.transaction(vec![unmet]).await;
    assert_eq!(outcome, Err(ReadStoreError::Guard { expected: 1, changed: 0 }));
    assert_eq!(counters(&*store).await, [(1, 11), (2, 21)]);
}

/// Promise 3: whatever returned is seen, on every connection that a query may get.
pub async fn promise_3_a_query_sees_every_transaction_that_returned(store: Store) {
    create_counters(&*store).await;
    run(&*store, INSERT, counter(1, 0)).await;
    for n in 1..=200 {
        run(&*store, "UPDATE counters SET n = $1", vec![Value::Int(n)]).await;
        let queries = (0..6).map(|turn| {
            let cost = if turn % 2 == 0 { Cost::Point } else { Cost::Scan };
            store.query(Query { sql: SELECT.into(), params: vec![], cost })
        });
        for found in futures_util::future::join_all(queries).await {
            assert_eq!(pairs(&found.expect("rows")), [(1, n)]);
        }
    }
}

/// Promise 3: readers beside a writer see whole transactions only, and never go back in time.
pub async fn readers_beside_a_writer_see_whole_transactions_only(store: Store) {
    const COUNTERS: i64 = 50;
    const TRANSACTIONS: i64 = 300;
    create_counters(&*store).await;
    let rows = (0..COUNTERS).map(|id| counter(id, 0)).collect();
    store.transaction(vec![Statement::each(INSERT, rows)]).await.expect("rows");

    let writer = async {
        for n in 1..=TRANSACTIONS {
            let rows = (0..COUNTERS).map(|id| counter(id, n)).collect();
            let update = Statement::each("UPDATE counters SET n = $2 WHERE id = $1", rows).must_change(1);
            store.transaction(vec![update]).await.expect("an update");
        }
    };
    let reader = |cost| {
        let store = &store;
        async move {
            let mut last = 0;
            while last < TRANSACTIONS {
                let found = store.query(Query { sql: SELECT.into(), params: vec![], cost }).await.expect("rows");
                let found = pairs(&found);
                let now = found[0].1;
                assert!(now >= last, "{now} after {last}");
                assert!(found.iter().all(|(_, n)| *n == now), "a part of a transaction: {found:?}");
                last = now;
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::join!(writer, reader(Cost::Point), reader(Cost::Scan), reader(Cost::Scan));
}

/// Promise 4: every kind of value, at its limits.
pub async fn promise_4_values_come_back_as_they_went_in(store: Store) {
    let table = "CREATE TABLE kinds (n BIGINT NOT NULL PRIMARY KEY, id UUID, number BIGINT, body TEXT, at TIMESTAMPTZ)";
    run(&*store, table, vec![]).await;
    let ids = [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0190_1234_5678_7abc_8def_0123_4567_89ab)];
    let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
    let texts =
        ["", " ", "007", "1e5", "'\"; --", "$1", "Grüße, 世界 🦀", "e\u{301}", "a\nb\tc\\", &"x".repeat(100_000)];
    // Before 1970, before 1900, the last microsecond before and the first at the epoch, and far ahead.
    let moments = [-1, 0, 1, -2_208_988_800_000_001, 1_767_323_045_123_456, 253_402_300_799_999_999];

    for n in 0..texts.len() {
        let key = Value::Int(i64::try_from(n).expect("a small number"));
        let (id, number) = (ids[n % ids.len()], numbers[n % numbers.len()]);
        let (text, moment) = (texts[n], micros(moments[n % moments.len()]));
        let values = vec![
            key.clone(),
            Value::Uuid(id),
            Value::Int(number),
            Value::Text(text.to_owned()),
            Value::Timestamp(moment),
        ];
        run(&*store, "INSERT INTO kinds (n, id, number, body, at) VALUES ($1, $2, $3, $4, $5)", values).await;
        let found = rows(&*store, "SELECT id, number, body, at FROM kinds WHERE n = $1", vec![key]).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].uuid(0), Ok(id));
        assert_eq!(found[0].int(1), Ok(number));
        assert_eq!(found[0].text(2), Ok(text));
        assert_eq!(found[0].timestamp(3), Ok(moment));
    }
}

/// Promise 4, for JSON: the same document, though spaces and the order of keys may differ.
pub async fn json_comes_back_as_the_same_document(store: Store) {
    run(&*store, "CREATE TABLE documents (n BIGINT NOT NULL PRIMARY KEY, body JSONB)", vec![]).await;
    let documents = [
        r#"{"b":[1,2.5,-300.25,null,true],"a":{"ü":"世界 🦀","empty":""}}"#,
        "[]",
        "{}",
        "null",
        "true",
        r#""only a text, even \"1\"""#,
        "7",
        "-12.5",
        "9223372036854775807",
    ];
    for (n, document) in (0..).zip(documents) {
        let values = vec![Value::Int(n), Value::Json(document.to_owned())];
        run(&*store, "INSERT INTO documents (n, body) VALUES ($1, $2)", values).await;
        let found = rows(&*store, "SELECT body FROM documents WHERE n = $1", vec![Value::Int(n)]).await;
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(json(found[0].json(0).expect("a document")), json(document));
    }
}

/// Keys sorted by their bytes and no white space: whoever writes that may compare the text.
pub async fn canonical_json_comes_back_as_the_same_text(store: Store) {
    run(&*store, "CREATE TABLE documents (n BIGINT NOT NULL PRIMARY KEY, body JSONB)", vec![]).await;
    let documents = [
        r#"{"B":1,"a":[{"long key":null,"z":{}}],"bb":"\"\\\n\u0001/ü🦀","c":-12.50}"#,
        "[[],[true,false],\"a, b: c\"]",
        "-9223372036854775808",
        "12345678901234567890.123456789",
    ];
    for (n, document) in (0..).zip(documents) {
        let values = vec![Value::Int(n), Value::Json(document.to_owned())];
        run(&*store, "INSERT INTO documents (n, body) VALUES ($1, $2)", values).await;
        let found = rows(&*store, "SELECT body FROM documents WHERE n = $1", vec![Value::Int(n)]).await;
        assert_eq!(found[0].json(0), Ok(document));
    }
}

/// Promise 4, for many rows of one statement, which an engine may write together.
pub async fn many_rows_come_back_as_they_went_in(store: Store) {
    const ROWS: i64 = 1_300;
    let table = "CREATE TABLE kinds (id UUID NOT NULL, n BIGINT, body TEXT, at TIMESTAMPTZ, doc JSONB, \
                 PRIMARY KEY (id, body))";
    run(&*store, table, vec![]).await;
    let row = |n: i64| {
        let id = u128::try_from(n / 2).expect("a small number");
        let optional = |value: Value| if n % 3 == 0 { Value::Null } else { value };
        vec![
            Value::Timestamp(micros(n - 7)),
            Value::Uuid(Uuid::from_u128(id)),
            optional(Value::Int(-n)),
            optional(Value::Json(format!("[{n}]"))),
            Value::Text(format!("body\u{e9} {}", n % 2)),
        ]
    };
    // The columns stand in another order than the values.
    let sql = "INSERT INTO kinds (n, body, at, id, doc) VALUES ($3, $5, $1, $2, $4) \
               ON CONFLICT (body, id) DO UPDATE SET n = excluded.n, at = excluded.at";
    let mut all: Vec<Vec<Value>> = (0..ROWS).map(row).collect();
    // One that is there already, and one that comes twice in the same statement.
    let twice = [Value::Timestamp(micros(0)), Value::Uuid(Uuid::from_u128(0)), Value::Int(77)];
    all.push([&twice[..], &[Value::Json("[0]".to_owned()), Value::Text("body\u{e9} 0".to_owned())]].concat());
    store.transaction(vec![Statement::each(sql, all)]).await.expect("rows");

    let found = rows(&*store, "SELECT n, body, at, doc FROM kinds ORDER BY id, body", vec![]).await;
    assert_eq!(found.len(), usize::try_from(ROWS).expect("a small number"));
    assert_eq!((found[0].int(0), found[0].timestamp(2)), (Ok(77), Ok(micros(0))), "the last one wins");
    for (n, found) in (0..).zip(&found).skip(1) {
        assert_eq!(found.text(1), Ok(format!("body\u{e9} {}", n % 2).as_str()));
        assert_eq!(found.timestamp(2), Ok(micros(n - 7)));
        if n % 3 == 0 {
            assert!(found.is_null(0) && found.is_null(3), "{found:?}");
        } else {
            assert_eq!((found.int(0), found.json(3)), (Ok(-n), Ok(format!("[{n}]").as_str())));
        }
    }
}

/// What an engine computes from integers is an integer.
pub async fn sums_and_counts_are_integers(store: Store) {
    create_counters(&*store).await;
    store.transaction(vec![insert(1, i64::MAX - 1), insert(2, 1), insert(3, -20_000)]).await.expect("rows");
    let sql = "SELECT sum(n), count(*), min(n), coalesce(sum(n), 0), 7 FROM counters WHERE id <= $1";
    let found = rows(&*store, sql, vec![Value::Int(2)]).await;
    let numbers: Vec<_> = (0..5).map(|column| found[0].int(column)).collect();
    assert_eq!(numbers, [Ok(i64::MAX), Ok(2), Ok(1), Ok(i64::MAX), Ok(7)]);
    let sql = "SELECT sum(n) FROM counters WHERE id = $1 OR id = $2";
    let sum = async |one, other| rows(&*store, sql, vec![Value::Int(one), Value::Int(other)]).await;
    assert_eq!(sum(3, 3).await[0].int(0), Ok(-20_000));
    assert_eq!(sum(3, 2).await[0].int(0), Ok(-19_999));
    assert!(sum(9, 9).await[0].is_null(0), "the sum of nothing");
    let sql = "SELECT id FROM counters GROUP BY id, n HAVING sum(n) = $1";
    assert_eq!(rows(&*store, sql, vec![Value::Int(-20_000)]).await[0].int(0), Ok(3));
}

/// How many rows are wanted may be a value.
pub async fn a_limit_may_be_a_value(store: Store) {
    create_counters(&*store).await;
    store.transaction((1..=5).map(|id| insert(id, id)).collect()).await.expect("rows");
    let sql = "SELECT id, n FROM counters ORDER BY id LIMIT $1 OFFSET $2";
    assert_eq!(pairs(&rows(&*store, sql, vec![Value::Int(2), Value::Int(1)]).await), [(2, 2), (3, 3)]);
}

/// Promise 6: an index, an order and a comparison go by the bytes of a text, whatever language its database speaks.
pub async fn promise_6_text_compares_and_sorts_by_its_bytes(store: Store) {
    // Their order in most languages is another one.
    const SORTED: [&str; 9] = ["", "B", "Z", "_", "a", "a b", "aB", "\u{e4}", "\u{1f980}"];
    let table = "CREATE TABLE words (id BIGINT NOT NULL PRIMARY KEY, word TEXT NOT NULL, \"text\" text)";
    run(&*store, table, vec![]).await;
    run(&*store, "ALTER TABLE words ADD COLUMN other TEXT NOT NULL DEFAULT 'TEXT'", vec![]).await;
    run(&*store, "CREATE INDEX words_by_word ON words (word, id)", vec![]).await;
    let row = |(id, word): (i64, &&str)| {
        let word = Value::Text((*word).to_owned());
        vec![Value::Int(id), word.clone(), word.clone(), word]
    };
    let insert = "INSERT INTO words (id, word, \"text\", other) VALUES ($1, $2, $3, $4)";
    // Every second one first.
    let (even, odd): (Vec<_>, Vec<_>) = (0..).zip(&SORTED).partition(|(id, _)| id % 2 == 0);
    let mixed = odd.into_iter().chain(even).map(row).collect();
    store.transaction(vec![Statement::each(insert, mixed)]).await.expect("rows");

    for column in ["word", "\"text\"", "other"] {
        let found = rows(&*store, &format!("SELECT {column} FROM words ORDER BY {column}"), vec![]).await;
        let found: Vec<_> = found.iter().map(|row| row.text(0).expect("a word")).collect();
        assert_eq!(found, SORTED, "{column}");
        let mut after = (Value::Text(String::new()), Value::Int(-1));
        for (id, word) in (0..).zip(SORTED) {
            let sql =
                format!("SELECT {column}, id FROM words WHERE ({column}, id) > ($1, $2) ORDER BY {column}, id LIMIT 1");
            let found = rows(&*store, &sql, vec![after.0, after.1]).await;
            assert_eq!((found[0].text(0), found[0].int(1)), (Ok(word), Ok(id)), "{column}");
            after = (Value::Text(word.to_owned()), Value::Int(id));
        }
    }
}

/// Promise 7, within one process.
pub async fn promise_7_a_nudge_is_heard(store: Store) {
    let mut nudges = store.nudges();
    for _ in 0..3 {
        nudges.borrow_and_update();
        store.nudge();
        tokio::time::timeout(Duration::from_secs(30), nudges.changed()).await.expect("in time").expect("it is open");
    }
}

/// Promise 4, for nothing: every column of every kind may hold it, and it is not zero nor empty.
pub async fn nothing_comes_back_as_nothing(store: Store) {
    run(&*store, "CREATE TABLE empty (id UUID, n BIGINT, body TEXT, at TIMESTAMPTZ, doc JSONB)", vec![]).await;
    let sql = "INSERT INTO empty (id, n, body, at, doc) VALUES ($1, $2, $3, $4, $5)";
    run(&*store, sql, vec![Value::Null; 5]).await;
    let found = rows(&*store, "SELECT id, n, body, at, doc FROM empty", vec![]).await;
    assert!((0..5).all(|column| found[0].is_null(column)), "{found:?}");
    assert_eq!(found[0].optional_text(2), Ok(None));
    assert!(found[0].uuid(0).is_err() && found[0].int(1).is_err() && found[0].text(2).is_err(), "{found:?}");
    assert!(found[0].timestamp(3).is_err() && found[0].json(4).is_err(), "{found:?}");
    assert!(!found[0].is_null(5), "a column that is not there does not hold nothing either");
}

/// Placeholders go by their number, not by where they stand.
pub async fn placeholders_may_stand_in_any_order(store: Store) {
    create_counters(&*store).await;
    run(&*store, "INSERT INTO counters (n, id) VALUES ($2, $1)", counter(1, 10)).await;
    run(&*store, "UPDATE counters SET n = n + $2 WHERE id = $1", counter(1, 5)).await;
    let found = rows(&*store, "SELECT id, n FROM counters WHERE n = $2 AND id = $1", counter(1, 15)).await;
    assert_eq!(pairs(&found), [(1, 15)]);
}

/// A placeholder that stands twice has one value.
pub async fn a_placeholder_may_stand_twice(store: Store) {
    create_counters(&*store).await;
    store.transaction(vec![insert(1, 1), insert(2, 1), insert(3, 2)]).await.expect("rows");
    let sql = "SELECT id, n FROM counters WHERE (id = $2 OR n = $2) AND id <> $1 AND n <> $1 ORDER BY id";
    let found = rows(&*store, sql, vec![Value::Int(3), Value::Int(2)]).await;
    assert_eq!(pairs(&found), [(2, 1)]);
}

/// Ten placeholders and more: `$1` is not the start of `$10`.
pub async fn placeholders_may_have_two_digits(store: Store) {
    create_counters(&*store).await;
    store.transaction((1..=12).map(|id| insert(id, id)).collect()).await.expect("rows");
    let sql = "SELECT id, n FROM counters WHERE id IN ($12, $11, $10, $9, $8, $7, $6, $5, $4, $3, $2) \
               AND id <> $1 ORDER BY id";
    let params = [10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(Value::Int).to_vec();
    let found = pairs(&rows(&*store, sql, params).await);
    assert_eq!(found, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11].map(|id| (id, id)));
}

/// A dollar sign in a literal is text.
pub async fn a_dollar_in_a_literal_is_no_placeholder(store: Store) {
    run(&*store, "CREATE TABLE prices (id BIGINT NOT NULL PRIMARY KEY, label TEXT NOT NULL)", vec![]).await;
    run(&*store, "INSERT INTO prices (label, id) VALUES ('it''s $2', $1)", vec![Value::Int(1)]).await;
    let sql = "SELECT label FROM prices WHERE label = 'it''s $2' AND id = $1";
    let found = rows(&*store, sql, vec![Value::Int(1)]).await;
    assert_eq!(found[0].text(0), Ok("it's $2"));
}

/// An upsert inserts or updates, row by row, and may look at both rows.
pub async fn an_upsert_inserts_or_updates(store: Store) {
    create_counters(&*store).await;
    let upsert = "INSERT INTO counters (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n \
                  WHERE counters.n < excluded.n";
    let rows = vec![counter(1, 1), counter(2, 5), counter(1, 2), counter(2, 4)];
    store.transaction(vec![Statement::each(upsert, rows)]).await.expect("rows");
    assert_eq!(counters(&*store).await, [(1, 2), (2, 5)]);

    let stale = Statement::once(upsert, counter(2, 5)).must_change(1);
    let outcome = store.transaction(vec![stale]).await;
    assert_eq!(outcome, Err(ReadStoreError::Guard { expected: 1, changed: 0 }), "an update that does not happen");
}

/// A statement for no rows does nothing, and so meets any guard.
pub async fn a_statement_for_no_rows_does_nothing(store: Store) {
    create_counters(&*store).await;
    let nothing = Statement::each(INSERT, vec![]).must_change(1);
    store.transaction(vec![insert(1, 10), nothing, insert(2, 20)]).await.expect("nothing fails");
    store.transaction(vec![]).await.expect("a transaction of nothing");
    assert_eq!(counters(&*store).await, [(1, 10), (2, 20)]);
}

/// A query that is wrong is refused and leaves the store as it was.
pub async fn a_wrong_query_is_refused(store: Store) {
    create_counters(&*store).await;
    for cost in [Cost::Point, Cost::Scan] {
        for sql in ["SELECT missing FROM counters", "SELECT id FROM nowhere", "no SQL"] {
            let outcome = store.query(Query { sql: sql.into(), params: vec![], cost }).await;
            assert!(matches!(outcome, Err(ReadStoreError::Refused(_))), "{sql}: {outcome:?}");
        }
    }
    assert_eq!(counters(&*store).await, []);
}

/// Transactions that come at once all happen, each whole.
pub async fn transactions_that_come_at_once_all_happen(store: Store) {
    create_counters(&*store).await;
    store.transaction(vec![insert(1, 0)]).await.expect("a row");
    let more = || Statement::once("UPDATE counters SET n = n + 1 WHERE id = 1", vec![]).must_change(1);
    let transactions = (0..200).map(|turn| {
        // Every tenth fails and must not take its neighbours with it.
        let then = if turn % 10 == 0 { more().must_change(2) } else { more() };
        store.transaction(vec![more(), then])
    });
    let outcomes = futures_util::future::join_all(transactions).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 180);
    assert_eq!(counters(&*store).await, [(1, 360)]);
}

/// A table may be made, filled, read, and dropped with its index, as a rebuild does with every generation.
pub async fn tables_come_and_go(store: Store) {
    for generation in 0..3 {
        let made = vec![
            Statement::once("CREATE TABLE IF NOT EXISTS generations (id UUID NOT NULL PRIMARY KEY, n BIGINT)", vec![]),
            Statement::once("CREATE INDEX IF NOT EXISTS generations_by_n ON generations (n)", vec![]),
            Statement::once(
                "INSERT INTO generations (id, n) VALUES ($1, $2)",
                vec![Value::Uuid(Uuid::from_u128(1)), Value::Int(generation)],
            ),
        ];
        store.transaction(made).await.expect("a table");
        let found = rows(&*store, "SELECT n FROM generations WHERE n = $1", vec![Value::Int(generation)]).await;
        assert_eq!(found.len(), 1);
        run(&*store, "DROP TABLE IF EXISTS generations", vec![]).await;
        let gone = Query { sql: "SELECT n FROM generations".into(), params: vec![], cost: Cost::Point };
        assert!(matches!(store.query(gone).await, Err(ReadStoreError::Refused(_))));
    }
}
