//! Everything that is known to have let strangers in somewhere, tried here.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{
    kit::{NOW, SECRET, Shop, claims},
    *,
};

/// The good claims with one changed; removed if the new value is none.
fn with(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims();
    let object = claims.as_object_mut().unwrap();
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    claims
}

fn good() -> Vec<u8> {
    claims().to_string().into_bytes()
}

#[track_caller]
fn refuse(shop: &Shop, what: &str, token: &str) {
    for (who, authenticator) in [("key set", &shop.by_jwks), ("secret", &shop.by_secret)] {
        // Twice, because the second time a wrongly remembered token would be let in.
        for _ in 0..2 {
            if let Ok(viewer) = authenticator.authenticate(token) {
                panic!("{what} was let in by the {who} as {viewer:?}");
            }
        }
    }
}

#[test]
fn a_claim_that_is_missing_or_of_another_type_is_refused() {
    let shop = Shop::open();
    let cases = [
        ("no exp", with("exp", None)),
        ("no iss", with("iss", None)),
        ("no aud", with("aud", None)),
        ("no sub", with("sub", None)),
        ("no role", with("role", None)),
        ("exp as text", with("exp", Some(json!((NOW + 3600).to_string())))),
        ("exp as fraction", with("exp", Some(json!(1_900_000_000.5)))),
        ("exp as null", with("exp", Some(Value::Null))),
        ("exp as list", with("exp", Some(json!([NOW + 3600])))),
        ("exp below zero", with("exp", Some(json!(-1)))),
        ("exp beyond 64 bits", with("exp", Some(json!(1e300)))),
        ("nbf as text", with("nbf", Some(json!("0")))),
        ("iat as text", with("iat", Some(json!("yesterday")))),
        ("iss as list", with("iss", Some(json!(["https://id.test/"])))),
        ("aud as number", with("aud", Some(json!(1)))),
        ("aud as object", with("aud", Some(json!({"millrace": true})))),
        ("aud with a number", with("aud", Some(json!(["millrace", 1])))),
        ("sub as number", with("sub", Some(json!(7)))),
        ("unknown role", with("role", Some(json!("admin")))),
        ("role in capitals", with("role", Some(json!("OPERATOR")))),
        ("two roles", with("role", Some(json!(["customer", "operator"])))),
        ("role as null", with("role", Some(Value::Null))),
        ("no claims at all", json!({})),
        ("claims as list", json!([])),
        ("claims as null", Value::Null),
    ];
    for (what, claims) in cases {
        for (key, by) in [("ed", &shop.by_jwks), ("secret", &shop.by_secret)] {
            let token = shop.sign(key, &claims);
            refuse(&shop, what, &token);
            let error = by.authenticate(&token).unwrap_err();
            assert!(matches!(error, AuthError::Claims(_)), "{what}: {error}");
        }
    }
}

#[test]
fn a_claim_that_is_not_ours_or_not_of_this_time_is_refused() {
    let shop = Shop::open();
    let long = "a".repeat(SUBJECT_BYTES_MAX + 1);
    let cases = [
        ("exp beyond the calendar", with("exp", Some(json!(u64::MAX)))),
        ("exp just beyond the calendar", with("exp", Some(json!(i64::MAX)))),
        ("expired", with("exp", Some(json!(NOW - 31)))),
        ("expired just now", with("exp", Some(json!(NOW - 30)))),
        ("expired in 1970", with("exp", Some(json!(0)))),
        ("nbf to come", with("nbf", Some(json!(NOW + 31)))),
        ("nbf beyond the calendar", with("nbf", Some(json!(u64::MAX)))),
        ("another iss", with("iss", Some(json!("https://evil.test/")))),
        ("iss that only begins right", with("iss", Some(json!("https://id.test/evil")))),
        ("empty iss", with("iss", Some(json!("")))),
        ("another aud", with("aud", Some(json!("other")))),
        ("others as aud", with("aud", Some(json!(["other", "MILLRACE"])))),
        ("nobody as aud", with("aud", Some(json!([])))),
        ("empty sub", with("sub", Some(json!("")))),
        ("long sub", with("sub", Some(json!(long)))),
        ("sub with a line break", with("sub", Some(json!("alice\noperator")))),
        ("sub with an escape", with("sub", Some(json!("\u{1b}[31malice")))),
    ];
    for (what, claims) in cases {
        for key in ["ed", "secret"] {
            refuse(&shop, what, &shop.sign(key, &claims));
        }
    }
}

#[test]
fn a_claim_that_is_said_twice_is_refused() {
    let shop = Shop::open();
    let twice = claims().to_string().replacen('{', "{\"role\":\"operator\",", 1);
    let header = json!({"alg": "EdDSA", "kid": "ed"});
    assert!(shop.by_jwks.authenticate(&shop.sign_raw("ed", &header, &good())).is_ok());
    refuse(&shop, "a second role", &shop.sign_raw("ed", &header, twice.as_bytes()));
}

#[test]
fn claims_that_are_not_json_are_refused() {
    let shop = Shop::open();
    let header = json!({"alg": "EdDSA", "kid": "ed"});
    for garbage in [&b""[..], b"{", b"\xff\xfe", b"null null"] {
        refuse(&shop, "garbage", &shop.sign_raw("ed", &header, garbage));
    }
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(2_500), "]".repeat(2_500));
    let token = shop.sign_raw("ed", &header, nested.as_bytes());
    assert!(token.len() <= TOKEN_BYTES_MAX);
    refuse(&shop, "deep nesting", &token);
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let shop = Shop::open();
    let body = BASE64_URL_SAFE_NO_PAD.encode(claims().to_string());
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        for kid in [json!("ed"), Value::Null] {
            let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": kid}).to_string());
            refuse(&shop, "alg none", &format!("{header}.{body}."));
            refuse(&shop, "alg none with a signature", &format!("{header}.{body}.AAAA"));
        }
    }
    for (algorithm, key) in [("EdDSA", "ed"), ("RS256", "rsa"), ("ES256", "ec"), ("HS256", "secret")] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": key}).to_string());
        refuse(&shop, "empty signature", &format!("{header}.{body}."));
        let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
        refuse(&shop, "signature of zeros", &format!("{header}.{body}.{zeros}"));
    }
    let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"kid": "ed"}).to_string());
    refuse(&shop, "no alg", &format!("{header}.{body}.AAAA"));
}

#[test]
fn a_public_key_is_not_a_shared_secret() {
    let shop = Shop::open();
    for name in ["ed", "rsa", "ec"] {
        let jwk = serde_json::to_value(shop.public_key(name)).unwrap();
        let part = jwk.get("n").or_else(|| jwk.get("x")).and_then(Value::as_str).unwrap();
        let raw = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        for secret in [part.as_bytes(), &raw, jwk.to_string().as_bytes(), shop.key_set(&[name]).as_bytes(), b""] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let header = Header { kid: Some(name.to_owned()), ..Header::new(algorithm) };
                let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
                refuse(&shop, "a public key as secret", &token);
            }
        }
    }
}

#[test]
fn a_key_is_used_with_its_own_algorithm_only() {
    let shop = Shop::open();
    for algorithm in ["HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS512", "ES256", "ES384", "EdDSA"] {
        let token = shop.sign_raw("rsa", &json!({"alg": algorithm, "kid": "rsa"}), &good());
        refuse(&shop, algorithm, &token);
        let error = shop.by_jwks.authenticate(&token).unwrap_err();
        assert!(matches!(error, AuthError::WrongAlgorithm { .. }), "{algorithm}: {error}");
    }
    let longer =
        jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(SECRET.as_bytes()));
    refuse(&shop, "the right secret with another hash", &longer.unwrap());
}

#[test]
fn a_key_id_is_looked_up_and_never_followed() {
    let shop = Shop::open();
    let long = "k".repeat(1_000);
    for id in
        ["", "unknown", "ED", "ed ", "../../../dev/null", "/etc/passwd", "ed' OR '1'='1", "http://evil.test/", &long]
    {
        let token = shop.sign_raw("ed", &json!({"alg": "EdDSA", "kid": id}), &good());
        refuse(&shop, id, &token);
        assert!(matches!(shop.by_jwks.authenticate(&token), Err(AuthError::UnknownKey)), "{id}");
    }
    for id in [json!(1), json!(["ed"]), json!({"ed": true})] {
        refuse(&shop, "odd id", &shop.sign_raw("ed", &json!({"alg": "EdDSA", "kid": id}), &good()));
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let (shop, stranger) = (Shop::open(), Shop::open());
    let jwk = serde_json::to_value(stranger.public_key("ed")).unwrap();
    for header in [
        json!({"alg": "EdDSA", "kid": "ed", "jwk": jwk}),
        json!({"alg": "EdDSA", "kid": "ed", "jku": "https://evil.test/jwks.json"}),
        json!({"alg": "EdDSA", "kid": "ed", "x5u": "https://evil.test/cert.pem"}),
    ] {
        let token = stranger.sign_raw("ed", &header, &good());
        assert!(stranger.by_jwks.authenticate(&token).is_ok(), "the token itself is in order: {header}");
        refuse(&shop, "a key of its own", &token);
    }
}

#[test]
fn a_stranger_with_the_same_names_is_refused() {
    let (shop, stranger) = (Shop::open(), Shop::open());
    for key in ["ed", "rsa", "ec"] {
        let token = stranger.sign(key, &claims());
        assert!(matches!(shop.by_jwks.authenticate(&token), Err(AuthError::WrongSignature)), "{key}");
    }
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &EncodingKey::from_secret(b"another")).unwrap();
    assert!(matches!(shop.by_secret.authenticate(&token), Err(AuthError::WrongSignature)));
}

#[test]
fn a_signature_of_one_token_does_not_fit_another() {
    let shop = Shop::open();
    let mine = shop.sign("ed", &claims());
    let (_, signature) = mine.rsplit_once('.').unwrap();
    let other = shop.sign("ed", &with("role", Some(json!("operator"))));
    let (message, _) = other.rsplit_once('.').unwrap();
    refuse(&shop, "a mixed token", &format!("{message}.{signature}"));
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    let shop = Shop::open();
    let header = json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false});
    refuse(&shop, "a critical extension", &shop.sign_raw("ed", &header, &good()));
}

#[test]
fn what_is_not_a_token_is_refused() {
    let shop = Shop::open();
    let token = shop.sign("ed", &claims());
    let five_parts = format!("{token}.AAAA.AAAA");
    let padded = format!("{token}==");
    let spaced = format!(" {token}");
    let prefixed = format!("Bearer {token}");
    for text in
        ["", ".", "..", "...", "a.b.c", "null", "{}", "\0", "🦀.🦀.🦀", &five_parts, &padded, &spaced, &prefixed]
    {
        refuse(&shop, "not a token", text);
    }
}

#[test]
fn a_token_over_the_limit_is_refused_unread() {
    let shop = Shop::open();
    let of = |padding: usize| shop.sign("ed", &with("padding", Some(json!("p".repeat(padding)))));
    let fits = (0..200).map(|less| of(6_100 - less)).find(|token| token.len() <= TOKEN_BYTES_MAX).unwrap();
    assert!(fits.len() > TOKEN_BYTES_MAX - 3, "{}", fits.len());
    assert!(shop.by_jwks.authenticate(&fits).is_ok());
    let error = shop.by_jwks.authenticate(&of(6_100)).unwrap_err();
    assert!(matches!(error, AuthError::TooLong { .. }), "{error}");
    assert!(matches!(shop.by_jwks.authenticate(&"x".repeat(1 << 20)), Err(AuthError::TooLong { .. })));
}
