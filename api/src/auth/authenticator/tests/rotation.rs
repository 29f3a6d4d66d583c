//! Key files: which keys count, and what happens when the file changes.

use serde_json::{Value, json};

use super::{
    kit::{SECRET, Shop, claims, issuer},
    *,
};

fn load(shop: &Shop, jwks: &Value) -> Result<Authenticator, KeyError> {
    let path = shop.key_set_file(&[]);
    std::fs::write(&path, jwks.to_string()).unwrap();
    Authenticator::with_key_file(KeyFile::Jwks(path), issuer(), Arc::new(shop.clock.clone()))
}

fn jwk(shop: &Shop, name: &str, change: &[(&str, Value)]) -> Value {
    let mut jwk = serde_json::to_value(shop.public_key(name)).unwrap();
    for (member, value) in change {
        jwk[*member] = value.clone();
    }
    jwk
}

#[test]
fn keys_for_anything_but_accepted_signatures_are_left_out() {
    let shop = Shop::open();
    for (what, key) in [
        ("encryption", jwk(&shop, "rsa", &[("use", json!("enc"))])),
        ("no verification", jwk(&shop, "rsa", &[("key_ops", json!(["encrypt"]))])),
        ("another algorithm", jwk(&shop, "rsa", &[("alg", json!("RS512"))])),
        ("an algorithm of another family", jwk(&shop, "rsa", &[("alg", json!("HS256"))])),
        ("another curve", jwk(&shop, "ec", &[("crv", json!("P-384")), ("alg", json!("ES384"))])),
        ("a curve nobody knows", jwk(&shop, "ec", &[("crv", json!("secp256k1"))])),
        ("a type nobody knows", json!({"kty": "AKP", "kid": "rsa", "pub": "AAAA"})),
        ("a shared secret", json!({"kty": "oct", "kid": "rsa", "k": "AAAA", "alg": "HS256"})),
        ("not base64", jwk(&shop, "rsa", &[("n", json!("!!!"))])),
    ] {
        assert!(matches!(load(&shop, &json!({"keys": [key]})), Err(KeyError::NoUsableKey)), "{what}");
        let beside = load(&shop, &json!({"keys": [key, jwk(&shop, "ed", &[])]})).expect(what);
        assert!(beside.authenticate(&shop.sign("ed", &claims())).is_ok(), "{what}");
        assert!(beside.authenticate(&shop.sign("rsa", &claims())).is_err(), "{what}");
    }
}

#[test]
fn a_key_that_does_not_say_what_it_is_for_is_used_by_its_type() {
    let shop = Shop::open();
    let mut key = jwk(&shop, "rsa", &[]);
    key.as_object_mut().unwrap().retain(|member, _| !matches!(member.as_str(), "use" | "alg"));
    assert!(load(&shop, &json!({"keys": [key]})).unwrap().authenticate(&shop.sign("rsa", &claims())).is_ok());
}

#[test]
fn two_keys_with_one_id_are_refused() {
    let shop = Shop::open();
    let twin = jwk(&shop, "ec", &[("kid", json!("ed"))]);
    let error = load(&shop, &json!({"keys": [jwk(&shop, "ed", &[]), twin]})).unwrap_err();
    assert_eq!(error.to_string(), "the key set has more than one key with the id `ed`");
}

#[test]
fn a_file_that_is_not_there_or_not_a_key_set_is_refused() {
    let shop = Shop::open();
    let missing = KeyFile::Jwks("/nonexistent/jwks.json".into());
    let error = Authenticator::with_key_file(missing, issuer(), Arc::new(shop.clock.clone())).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the keys in `/nonexistent/jwks.json`");
    for wrong in [json!({}), json!(1), json!({"keys": {}}), json!("")] {
        assert!(matches!(load(&shop, &wrong), Err(KeyError::NotAKeySet(_))), "{wrong}");
    }
}

#[test]
fn a_short_secret_is_refused_and_a_newline_does_not_make_it_longer() {
    let shop = Shop::open();
    let path = shop.key_set_file(&[]);
    let load = |content: &str| {
        std::fs::write(&path, content).unwrap();
        Authenticator::with_key_file(KeyFile::Hs256Secret(path.clone()), issuer(), Arc::new(shop.clock.clone()))
    };
    let error = load(&format!("{}\n", "s".repeat(31))).unwrap_err();
    assert!(matches!(error, KeyError::SecretTooShort { bytes: 31 }), "{error}");
    for ending in ["", "\n", "\r\n"] {
        let authenticator = load(&format!("{SECRET}{ending}")).unwrap();
        assert!(authenticator.authenticate(&shop.sign("secret", &claims())).is_ok(), "{ending:?}");
    }
    let secret = Secret::new("short".to_owned());
    assert!(Authenticator::with_hs256_secret(&secret, issuer(), Arc::new(shop.clock)).is_err());
}

#[test]
fn a_key_that_leaves_the_file_takes_its_tokens_with_it() {
    let shop = Shop::open();
    let authenticator = shop.authenticator_for(&["ed"]);
    let (old, new) = (shop.sign("ed", &claims()), shop.sign("ec", &claims()));
    assert!(authenticator.authenticate(&old).is_ok());
    assert!(authenticator.authenticate(&new).is_err());
    assert!(!authenticator.reload().unwrap());

    shop.key_set_file(&["ed", "ec"]);
    assert!(authenticator.reload().unwrap());
    assert!(authenticator.authenticate(&old).is_ok());
    assert!(authenticator.authenticate(&new).is_ok());

    shop.key_set_file(&["ec"]);
    assert!(authenticator.reload().unwrap());
    assert!(matches!(authenticator.authenticate(&old), Err(AuthError::UnknownKey)));
    assert!(authenticator.authenticate(&new).is_ok());
}

#[test]
fn a_broken_file_leaves_the_keys_as_they_are() {
    let shop = Shop::open();
    let authenticator = shop.authenticator_for(&["ed"]);
    std::fs::write(shop.key_set_file(&[]), "{").unwrap();
    assert!(authenticator.reload().is_err());
    assert!(authenticator.authenticate(&shop.sign("ed", &claims())).is_ok());
}
