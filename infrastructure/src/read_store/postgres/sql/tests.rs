//! Texts as the server gets them.

use super::*;

#[test]
fn columns_of_text_get_the_order_of_bytes() {
    let sql =
        r#"CREATE TABLE t (id UUID, body TEXT NOT NULL, text text, "a TEXT b" Text DEFAULT 'a TEXT b', n BIGINT)"#;
    let expected = r#"CREATE TABLE t (id UUID, body TEXT COLLATE "C" NOT NULL, text text COLLATE "C", "a TEXT b" Text COLLATE "C" DEFAULT 'a TEXT b', n BIGINT)"#;
    assert_eq!(with_byte_order(sql), expected);
    assert_eq!(
        with_byte_order("ALTER TABLE t ADD COLUMN form TEXT NOT NULL DEFAULT ''"),
        "ALTER TABLE t ADD COLUMN form TEXT COLLATE \"C\" NOT NULL DEFAULT ''"
    );
}

#[test]
fn text_that_is_no_type_of_a_column_is_left_alone() {
    for sql in [
        "CREATE TABLE t (body TEXT COLLATE \"en-x-icu\")",
        "CREATE TABLE t (id UUID CHECK (CAST(id AS TEXT) <> 'it''s a TEXT'))",
        "CREATE TABLE t (id UUID CHECK (id::text <> ''))",
        "CREATE TABLE t (id BIGINT -- body TEXT\n)",
        "CREATE TABLE t (id BIGINT /* body TEXT */)",
        "CREATE INDEX i ON t (text, textual)",
        "DROP TABLE IF EXISTS t",
        "ALTER TABLE t DROP COLUMN text",
    ] {
        assert_eq!(with_byte_order(sql), sql);
    }
}

#[test]
fn only_what_writes_is_a_statement_of_a_transaction() {
    for sql in [
        "insert into t VALUES (1)",
        " UPDATE t SET n = 1",
        "-- why\nDELETE FROM t",
        "WITH a AS (SELECT 1) DELETE FROM t",
    ] {
        assert_eq!(kind(sql), Ok(Kind::Change), "{sql}");
    }
    for sql in ["CREATE TABLE t (n BIGINT)", "drop table t", "/* why */ ALTER TABLE t ADD COLUMN n BIGINT"] {
        assert_eq!(kind(sql), Ok(Kind::Define), "{sql}");
    }
    for sql in
        ["COMMIT", "rollback", "BEGIN", "SAVEPOINT s", "SELECT 1", "SET a = 1", "", "'INSERT'", "\"INSERT\"", "no SQL"]
    {
        assert!(kind(sql).is_err(), "{sql}");
    }
}

fn of_arrays(sql: &str, types: &[&str]) -> Option<String> {
    let types: Vec<String> = types.iter().map(|kind| (*kind).to_owned()).collect();
    Insert::parse(sql).map(|insert| insert.of_arrays(&types))
}

#[test]
fn an_insert_of_many_rows_goes_over_arrays() {
    let sql = "INSERT INTO t (id, n, body) VALUES ($2, $1, $3) ON CONFLICT (id) DO UPDATE SET n = excluded.n + t.n";
    assert_eq!(
        of_arrays(sql, &["int8[]", "uuid[]", "text[]"]).as_deref(),
        Some(
            "INSERT INTO t (id, n, body) SELECT v.c1, v.c0, v.c2 \
             FROM unnest($1::int8[], $2::uuid[], $3::text[]) AS v (c0, c1, c2) \
             ON CONFLICT (id) DO UPDATE SET n = excluded.n + t.n"
        )
    );
    assert_eq!(
        of_arrays("INSERT INTO t (id) VALUES ($1)", &["uuid[]"]).as_deref(),
        Some("INSERT INTO t (id) SELECT v.c0 FROM unnest($1::uuid[]) AS v (c0) ")
    );
}

#[test]
fn an_insert_of_another_form_goes_row_by_row() {
    for sql in [
        "INSERT INTO t (id, n) VALUES ($1, 7)",
        "INSERT INTO t (id, n) VALUES ($1, $2 + 1)",
        "INSERT INTO t (id, n) VALUES ($1, $2), ($3, $4)",
        "INSERT INTO t VALUES ($1, $2)",
        "INSERT INTO t (id, n) VALUES ($1)",
        "INSERT INTO t (id) SELECT id FROM u WHERE id = $1",
        "INSERT INTO t (id) VALUES ($1) RETURNING id",
        "INSERT INTO t (id) VALUES ($1) ON CONFLICT DO NOTHING",
        "INSERT INTO t (id) VALUES ($1) ON CONFLICT (other) DO NOTHING",
        "INSERT INTO t (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = $2",
        "UPDATE t SET n = $1",
        "DELETE FROM t WHERE id = $1",
        "",
    ] {
        assert_eq!(Insert::parse(sql), None, "{sql}");
    }
}

#[test]
fn rows_with_the_same_key_do_not_go_together() {
    let insert = Insert::parse("INSERT INTO t (a, b, n) VALUES ($3, $2, $1) ON CONFLICT (b, a) DO NOTHING");
    let row = [Value::Int(1), Value::Int(2), Value::Int(3)];
    assert_eq!(insert.expect("it is of the form").key(&row), Some(vec![&row[1], &row[2]]));
}
