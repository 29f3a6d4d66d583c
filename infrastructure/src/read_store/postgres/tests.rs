//! What is peculiar to PostgreSQL, as far as it needs no server. What does is in `tests/it/postgres.rs`.

use bytes::BytesMut;
use domain::Timestamp;
use tokio_postgres::types::{FromSql as _, ToSql as _, Type};
use uuid::Uuid;

use super::{
    super::{RawValue, Value, canonical_json},
    row::Read,
    value::{Param, check},
    *,
};

fn url(text: &str) -> Result<PostgresUrl, String> {
    text.parse().map_err(|error: PostgresUrlError| error.to_string())
}

#[test]
fn nothing_shows_a_password() {
    let address =
        url("postgres://shop:s3cr%40t@db.example:5433/shop?options=-c%20search_path%3Dx").expect("an address");
    let options = PostgresReadStoreOptions::new(address.clone());
    for shown in [format!("{address}"), format!("{address:?}"), format!("{options:?}")] {
        assert!(shown.contains("postgres://shop@db.example:5433/shop"), "{shown}");
        assert!(!shown.contains("s3cr"), "{shown}");
    }
}

#[test]
fn a_wrong_address_is_told_without_it() {
    for (text, says) in [
        ("s3cret", "it must begin with postgres://"),
        ("host=db user=me password=s3cret", "it must begin with postgres://"),
        ("postgres://me:s3cret@db", "it names no database"),
        ("postgres://me:s3cret@db/", "it names no database"),
        ("postgres://db/shop", "it names no user"),
        ("postgres:///shop?user=me", "it names no host"),
        ("postgres://me:s3cret@db:port/shop", "invalid value for option `port`"),
        ("postgres://me:s3cret@db/shop?s3cret", "it cannot be read as an address"),
        ("postgres://me:s3cret@db/shop?port=s3cret", "invalid value for option `port`"),
        ("postgres://me:s3cret@db/shop?sslmode=allow", "sslmode must be disable, prefer, require or verify-full"),
        ("postgres://me:s3cret@db/shop?nonsense=s3cret", "unknown option `nonsense`"),
        ("postgres://me:s3cret@db/shop?sslrootcert=%zz", "a parameter has a % without two hexadecimal digits"),
    ] {
        assert_eq!(url(text), Err(says.to_owned()), "{text}");
    }
}

#[test]
fn everything_but_this_machine_is_encrypted() {
    for (text, mode) in [
        ("postgres://me@localhost/shop", PostgresTls::Disable),
        ("postgres://me@127.0.0.2/shop", PostgresTls::Disable),
        ("postgres://me@[::1]/shop", PostgresTls::Disable),
        ("postgres://me@%2Frun%2Fpostgresql/shop", PostgresTls::Disable),
        ("postgres://me@db.example/shop", PostgresTls::Require),
        ("postgres://me@10.0.0.1/shop", PostgresTls::Require),
        ("postgres://me@localhost,db.example/shop", PostgresTls::Require),
        ("postgres://me@localhost/shop?hostaddr=10.0.0.1", PostgresTls::Require),
        ("postgres://me@db.example/shop?sslmode=disable", PostgresTls::Disable),
        ("postgres://me@db.example/shop?sslmode=prefer", PostgresTls::Prefer),
        ("postgres://me@localhost/shop?sslmode=verify-full", PostgresTls::Require),
    ] {
        assert_eq!(PostgresReadStoreOptions::new(url(text).expect(text)).tls(), mode, "{text}");
    }
}

#[test]
fn the_file_of_the_option_goes_before_the_one_of_the_address() {
    let address = url("postgres://me@db/shop?sslrootcert=%2Fa%20b.pem&application_name=x").expect("an address");
    let options = PostgresReadStoreOptions::new(address);
    assert_eq!(options.root_certificate(), Some(std::path::Path::new("/a b.pem")));
    let options = PostgresReadStoreOptions { root_certificate: Some("other.pem".into()), ..options };
    assert_eq!(options.root_certificate(), Some(std::path::Path::new("other.pem")));
}

#[test]
fn a_file_without_certificates_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let outcome = tls::connector(Some(file.path())).map(|_| ());
    assert!(
        matches!(&outcome, Err(PostgresOpenError::Tls(says)) if says.contains("it holds no certificate")),
        "{outcome:?}"
    );
    assert!(tls::connector(Some(std::path::Path::new("/nowhere.pem"))).is_err());
}

#[test]
fn json_has_one_form() {
    for (json, form) in [
        (
            r#" { "bb" : 1 , "a" : [ 1 , { "d" : null , "c" : true } ] , "B" : "x" } "#,
            r#"{"B":"x","a":[1,{"c":true,"d":null}],"bb":1}"#,
        ),
        (r#"{"a": -1.50, "b": 12345678901234567890123}"#, r#"{"a":-1.50,"b":12345678901234567890123}"#),
        (r#""\u00fc \/ \n \u0001""#, "\"\u{fc} / \\n \\u0001\""),
        ("[]", "[]"),
        ("{ }", "{}"),
        (" null ", "null"),
    ] {
        assert_eq!(canonical_json(json).expect("JSON"), form);
        assert_eq!(canonical_json(form).expect("JSON"), form);
    }
}

fn there_and_back(value: &Value, kind: &Type) -> Option<RawValue> {
    check(std::slice::from_ref(kind), std::slice::from_ref(value)).expect("it fits");
    let mut bytes = BytesMut::new();
    Param(value).to_sql(kind, &mut bytes).expect("it can be written");
    Read::from_sql(kind, &bytes).expect("it can be read").0
}

#[test]
fn integers_go_as_every_type_of_number() {
    for number in [0, 1, -1, 9_999, 10_000, -10_000, 10_001, 100_000_000, 1 << 40, i64::MAX, i64::MIN] {
        for kind in [Type::INT8, Type::NUMERIC] {
            assert_eq!(there_and_back(&Value::Int(number), &kind), Some(RawValue::Int(number)), "{kind}");
        }
    }
    assert_eq!(there_and_back(&Value::Int(-7), &Type::INT4), Some(RawValue::Int(-7)));
    assert_eq!(there_and_back(&Value::Int(-7), &Type::INT2), Some(RawValue::Int(-7)));
    assert_eq!(there_and_back(&Value::Int(1), &Type::BOOL), Some(RawValue::Int(1)));
}

#[test]
fn a_number_that_no_integer_is_has_no_value() {
    // Fields: count, weight, sign, digits after the point; then the digits of ten thousand.
    for fields in [
        &[1_u16, 0xffff, 0, 1, 5_000][..],
        &[2, 0, 0, 1, 1, 5_000],
        &[0, 0, 0xc000, 0],
        &[1, 5, 0, 0, 1],
        &[1, 4, 0, 0, 9_999],
    ] {
        let raw: Vec<u8> = fields.iter().flat_map(|field| field.to_be_bytes()).collect();
        assert_eq!(Read::from_sql(&Type::NUMERIC, &raw).expect("a number").0, None, "{fields:?}");
    }
    // 7.0
    let raw: Vec<u8> = [1_u16, 0, 0, 1, 7].iter().flat_map(|field| field.to_be_bytes()).collect();
    assert_eq!(Read::from_sql(&Type::NUMERIC, &raw).expect("a number").0, Some(RawValue::Int(7)));
    assert_eq!(Read::from_sql(&Type::FLOAT8, &0.5_f64.to_be_bytes()).expect("a number").0, None);
    assert_eq!(Read::from_sql(&Type::TIMESTAMPTZ, &i64::MAX.to_be_bytes()).expect("infinity").0, None);
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let refusal = |types: &[Type], values: &[Value]| match check(types, values) {
        Err(ReadStoreError::Refused(says)) => says,
        other => panic!("it was not refused: {other:?}"),
    };
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(refusal(&[Type::INT8], &[]), "0 values for a statement of 1");
    assert_eq!(refusal(&[Type::INT8], &[text("s3cret")]), "$1 is text, where PostgreSQL wants int8");
    assert_eq!(
        refusal(&[Type::INT8, Type::INT4], &[Value::Null, Value::Int(1 << 31)]),
        "$2 is an integer, where PostgreSQL wants int4"
    );
    assert_eq!(refusal(&[Type::TEXT], &[Value::Uuid(Uuid::nil())]), "$1 is a uuid, where PostgreSQL wants text");
    let early = Timestamp::MIN_UTC;
    assert_eq!(refusal(&[Type::DATE], &[Value::Timestamp(early)]), "$1 is a timestamp, where PostgreSQL wants date");
    let nul = "a text holds the character U+0000, which PostgreSQL cannot store";
    assert_eq!(refusal(&[Type::TEXT], &[text("a\0b")]), nul);
    assert_eq!(refusal(&[Type::JSONB], &[Value::Json("\"a\0b\"".to_owned())]), nul);
}
