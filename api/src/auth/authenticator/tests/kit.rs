//! An issuer with a key of each kind, and the authenticators that trust it.

use std::{collections::BTreeMap, path::PathBuf};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use infrastructure::clock::ManualClock;
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::{Value, json};

use super::*;

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const LEEWAY: u64 = 30;
pub(super) const SECRET: &str = "a shared secret that is long enough";

type Keys = BTreeMap<&'static str, (Algorithm, EncodingKey)>;

/// Claims of a token that is good for an hour.
pub(super) fn claims() -> Value {
    json!({"iss": "https://id.test/", "aud": "millrace", "sub": "alice", "role": "customer", "exp": NOW + 3600})
}

pub(super) struct Shop {
    pub(super) clock: ManualClock,
    /// Trusts the keys `ed`, `rsa` and `ec`.
    pub(super) by_jwks: Authenticator,
    /// Trusts the key `secret`.
    pub(super) by_secret: Authenticator,
    keys: Keys,
    directory: tempfile::TempDir,
}

impl Shop {
    pub(super) fn open() -> Self {
        let ed = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let keys = BTreeMap::from([
            ("ed", (Algorithm::EdDSA, EncodingKey::from_ed_der(ed.as_ref()))),
            ("ec", (Algorithm::ES256, EncodingKey::from_ec_der(ec.as_ref()))),
            ("rsa", (Algorithm::RS256, rsa_key())),
            ("secret", (Algorithm::HS256, EncodingKey::from_secret(SECRET.as_bytes()))),
        ]);
        let clock = ManualClock::at(timestamp(NOW).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::new(SECRET.to_owned());
        let by_secret = Authenticator::with_hs256_secret(&secret, issuer(), Arc::new(clock.clone())).unwrap();
        let jwks = directory.path().join("all.json");
        std::fs::write(&jwks, set(&keys, &["ed", "rsa", "ec"])).unwrap();
        let by_jwks = Authenticator::with_key_file(KeyFile::Jwks(jwks), issuer(), Arc::new(clock.clone())).unwrap();
        Self { clock, by_jwks, by_secret, keys, directory }
    }

    /// A token with these claims, signed with the key of this name, which is also its id.
    pub(super) fn sign(&self, key: &str, claims: &Value) -> String {
        let (algorithm, signing) = &self.keys[key];
        let header = Header { kid: Some(key.to_owned()), ..Header::new(*algorithm) };
        jsonwebtoken::encode(&header, claims, signing).unwrap()
    }

    pub(super) fn sign_without_key_id(&self, key: &str, claims: &Value) -> String {
        let (algorithm, signing) = &self.keys[key];
        jsonwebtoken::encode(&Header::new(*algorithm), claims, signing).unwrap()
    }

    /// A token with any header and claims at all, rightly signed with the key of this name.
    pub(super) fn sign_raw(&self, key: &str, header: &Value, claims: &[u8]) -> String {
        let (algorithm, signing) = &self.keys[key];
        let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        let message = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), signing, *algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A file with the public halves of these keys; always the same file.
    pub(super) fn key_set_file(&self, names: &[&str]) -> PathBuf {
        let path = self.directory.path().join("some.json");
        std::fs::write(&path, self.key_set(names)).unwrap();
        path
    }

    pub(super) fn key_set(&self, names: &[&str]) -> String {
        set(&self.keys, names)
    }

    pub(super) fn public_key(&self, name: &str) -> Jwk {
        public(&self.keys, name)
    }

    /// Trusts these keys.
    pub(super) fn authenticator_for(&self, names: &[&str]) -> Authenticator {
        let file = KeyFile::Jwks(self.key_set_file(names));
        Authenticator::with_key_file(file, issuer(), Arc::new(self.clock.clone())).unwrap()
    }
}

pub(super) fn issuer() -> Issuer {
    Issuer {
        issuer: "https://id.test/".to_owned(),
        audience: "millrace".to_owned(),
        leeway: TimeDelta::seconds(LEEWAY.cast_signed()),
    }
}

fn rsa_key() -> EncodingKey {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines(der.as_ref()));
    EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap()
}

/// Base64 in lines of 64, as PEM asks for.
fn lines(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

fn set(keys: &Keys, names: &[&str]) -> String {
    json!({"keys": names.iter().map(|name| public(keys, name)).collect::<Vec<_>>()}).to_string()
}

fn public(keys: &Keys, name: &str) -> Jwk {
    let (algorithm, key) = &keys[name];
    let mut jwk = Jwk::from_encoding_key(key, *algorithm).unwrap();
    jwk.common.key_id = Some(name.to_owned());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk
}
