//! The keys that tokens are verified with, each bound to the one algorithm it is for.
//!
//! **Invariant:** a token never chooses its algorithm. It names a key, and the key says how it is to be verified; so
//! a public key cannot be passed off as a shared secret (RFC 8725, section 2.1).

use std::{collections::HashMap, io, path::PathBuf};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse},
};

/// Bytes that a shared secret must have at least (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// A file that keys are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A JSON Web Key Set with public keys: `EdDSA` (Ed25519), RS256, ES256.
    Jwks(PathBuf),
    /// A shared secret for HS256.
    Hs256Secret(PathBuf),
}

/// Why keys cannot be used. Never shows a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the keys in `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not a key set.
    #[error("the key set is not a JSON Web Key Set (RFC 7517)")]
    NotAKeySet(#[source] serde_json::Error),
    /// None of the keys verifies signatures of a kind that is accepted.
    #[error("the key set has no key for EdDSA, RS256 or ES256 signatures")]
    NoUsableKey,
    /// Two keys have the same name, or several keys have none.
    #[error("the key set has more than one key with the id {}", named(.0.as_deref()))]
    AmbiguousKeyId(Option<String>),
    /// The shared secret could be guessed.
    #[error("the HS256 secret has {bytes} bytes; it needs at least {SECRET_BYTES_MIN}")]
    SecretTooShort {
        /// How many it has.
        bytes: usize,
    },
}

/// One key, with the algorithm it is for.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys that are accepted now.
#[derive(Debug)]
pub(super) enum KeySet {
    /// One shared secret. A token's key id says nothing about it.
    Secret(Key),
    /// Public keys by their ids.
    Public(HashMap<Option<String>, Key>),
}

impl KeyFile {
    /// The file's content.
    pub(super) fn read(&self) -> Result<Vec<u8>, KeyError> {
        let (Self::Jwks(path) | Self::Hs256Secret(path)) = self;
        std::fs::read(path).map_err(|source| KeyError::Unreadable { path: path.clone(), source })
    }

    /// The keys in the file's content.
    pub(super) fn parse(&self, content: &[u8]) -> Result<KeySet, KeyError> {
        match self {
            Self::Jwks(_) => KeySet::from_jwks(content),
            Self::Hs256Secret(_) => {
                let secret = content.strip_suffix(b"\n").unwrap_or(content);
                KeySet::from_secret(secret.strip_suffix(b"\r").unwrap_or(secret))
            }
        }
    }
}

impl KeySet {
    /// A shared secret for HS256.
    pub(super) fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::SecretTooShort { bytes: secret.len() });
        }
        Ok(Self::Secret(Key { algorithm: Algorithm::HS256, decoding: DecodingKey::from_secret(secret) }))
    }

    /// The keys of a JSON Web Key Set that verify signatures. Others are left out, as the standard asks for.
    pub(super) fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_slice(json).map_err(KeyError::NotAKeySet)?;
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            let Some(key) = usable(jwk) else { continue };
            let id = jwk.common.key_id.clone();
            if keys.insert(id.clone(), key).is_some() {
                return Err(KeyError::AmbiguousKeyId(id));
            }
        }
        if keys.is_empty() { Err(KeyError::NoUsableKey) } else { Ok(Self::Public(keys)) }
    }

    /// The key that a token names. One that names none is verified with the only key there is.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (self, id) {
            (Self::Secret(key), _) => Some(key),
            (Self::Public(keys), Some(id)) => keys.get(&Some(id.to_owned())),
            (Self::Public(keys), None) if keys.len() == 1 => keys.values().next(),
            (Self::Public(_), None) => None,
        }
    }
}

/// The key, if it verifies signatures of a kind that is accepted, and says nothing that speaks against it.
fn usable(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        // A shared secret has no place in a set of public keys, and other curves are not supported.
        AlgorithmParameters::EllipticCurve(_)
        | AlgorithmParameters::OctetKey(_)
        | AlgorithmParameters::OctetKeyPair(_)
        | AlgorithmParameters::Other(_)
        | _ => return None,
    };
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let for_algorithm = common.key_algorithm.is_none_or(|it| it == algorithm.into());
    if !for_signatures || !for_algorithm {
        return None;
    }
    Some(Key { algorithm, decoding: DecodingKey::from_jwk(jwk).ok()? })
}

fn named(id: Option<&str>) -> String {
    id.map_or_else(|| "(none)".to_owned(), |id| format!("`{}`", id.escape_debug()))
}
