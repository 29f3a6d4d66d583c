//! Verifies bearer tokens (RFC 7519, with the advice of RFC 8725).
//!
//! Time comes from the clock port, so a token ends exactly when a test says so. Verified tokens are remembered by
//! their hash until they end, because a public-key signature costs a hundred times more than the hash.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use domain::Timestamp;
use infrastructure::clock::Clock;
use jsonwebtoken::{Validation, errors::ErrorKind};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::{
    Claims, DevKey, KeyError, KeyFile, Viewer,
    dev_key::{DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER},
    keys::KeySet,
};
use crate::{
    config::Secret,
    edge::{Authenticate, Unauthenticated},
};

/// Bytes of a token at most.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a token's `sub` at most.
const SUBJECT_BYTES_MAX: usize = 255;
/// How many verified tokens are remembered.
const VERIFIED_TOKENS_MAX: usize = 10_000;

/// Whose tokens are accepted, and how exactly the clocks agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The `iss` that a token must have.
    pub issuer: String,
    /// The `aud` that a token must have, alone or among others.
    pub audience: String,
    /// By how much the issuer's clock and ours may differ.
    pub leeway: chrono::TimeDelta,
}

/// Why a token is refused. For the log: a client reads that of [`Unauthenticated`].
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Longer than any token we accept. Nothing of it was read.
    #[error("the token has {bytes} bytes; at most {TOKEN_BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not three parts of base64url, or a header that is not one. `alg: none` ends here too.
    #[error("the token is malformed")]
    Malformed(#[source] jsonwebtoken::errors::Error),
    /// The header lists extensions that must be understood, and we understand none.
    #[error("the token's header demands extensions")]
    CriticalExtensions,
    /// No key has this id.
    #[error("no key has the id that the token names")]
    UnknownKey,
    /// The token asks for another algorithm than its key is for.
    #[error("the token is signed with {given:?}, but its key is for {expected:?}")]
    WrongAlgorithm {
        /// What the token asks for.
        given: jsonwebtoken::Algorithm,
        /// What the key is for.
        expected: jsonwebtoken::Algorithm,
    },
    /// The signature is not by the key.
    #[error("the token's signature is wrong")]
    WrongSignature,
    /// A claim is missing or of a wrong type, or the role does not exist.
    #[error("the token's claims cannot be read")]
    Claims(#[source] jsonwebtoken::errors::Error),
    /// The subject is empty, too long, or holds control characters.
    #[error("the token's subject is empty, longer than {SUBJECT_BYTES_MAX} bytes or has control characters")]
    UnusableSubject,
    /// Signed for somebody who trusts another issuer.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// Meant for another service.
    #[error("the token is for another audience")]
    WrongAudience,
    /// A time that no calendar has.
    #[error("the token's times are out of range")]
    TimeOutOfRange,
    /// Its time is over.
    #[error("the token ended at {at}")]
    Expired {
        /// When, the leeway included.
        at: Timestamp,
    },
    /// Its time has not come.
    #[error("the token holds from {from} on")]
    NotYetValid {
        /// When, the leeway included.
        from: Timestamp,
    },
}

/// Turns tokens into viewers.
pub struct Authenticator {
    issuer: Issuer,
    file: Option<KeyFile>,
    keys: RwLock<Arc<Keys>>,
    verified: Cache<[u8; 32], Verified>,
    clock: Arc<dyn Clock>,
}

/// The keys of one reading of the file.
struct Keys {
    set: KeySet,
    /// The hash of what they were read from; tokens verified with other keys are not believed any more.
    fingerprint: [u8; 32],
}

/// A token whose signature and claims are in order; only time can still speak against it.
#[derive(Clone)]
struct Verified {
    viewer: Viewer,
    from: Option<Timestamp>,
    fingerprint: [u8; 32],
}

impl Authenticator {
    /// Accepts the tokens of this machine's development key, to the second.
    pub fn development(key: &DevKey, clock: Arc<dyn Clock>) -> Self {
        let issuer = Issuer {
            issuer: DEVELOPMENT_ISSUER.to_owned(),
            audience: DEVELOPMENT_AUDIENCE.to_owned(),
            leeway: chrono::TimeDelta::zero(),
        };
        Self::with_secret(key.secret(), issuer, clock).expect("a development key is long enough")
    }

    /// Accepts HS256 tokens signed with `secret`.
    pub fn with_hs256_secret(secret: &Secret<String>, issuer: Issuer, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        Self::with_secret(secret.expose().as_bytes(), issuer, clock)
    }

    /// Accepts tokens signed with the keys in `file`.
    pub fn with_key_file(file: KeyFile, issuer: Issuer, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        let content = file.read()?;
        let keys = Keys { set: file.parse(&content)?, fingerprint: sha256(&content) };
        Ok(Self::new(keys, Some(file), issuer, clock))
    }

    fn with_secret(secret: &[u8], issuer: Issuer, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        let keys = Keys { set: KeySet::from_secret(secret)?, fingerprint: sha256(secret) };
        Ok(Self::new(keys, None, issuer, clock))
    }

    fn new(keys: Keys, file: Option<KeyFile>, issuer: Issuer, clock: Arc<dyn Clock>) -> Self {
        let verified = Cache::new(VERIFIED_TOKENS_MAX);
        Self { issuer, file, keys: RwLock::new(Arc::new(keys)), verified, clock }
    }

    /// Reads the key file again; from then on only its keys count, also for tokens seen before. True if it had
    /// changed. If it cannot be used, the keys stay as they are.
    pub fn reload(&self) -> Result<bool, KeyError> {
        let Some(file) = &self.file else { return Ok(false) };
        let content = file.read()?;
        let fingerprint = sha256(&content);
        if self.keys().fingerprint == fingerprint {
            return Ok(false);
        }
        let keys = Arc::new(Keys { set: file.parse(&content)?, fingerprint });
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(true)
    }

    /// The viewer that `token` (without `Bearer `) speaks of.
    pub fn authenticate(&self, token: &str) -> Result<Viewer, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::TooLong { bytes: token.len() });
        }
        let keys = self.keys();
        let hash = sha256(token.as_bytes());
        if let Some(verified) = self.verified.get(&hash)
            && verified.fingerprint == keys.fingerprint
        {
            if let Err(error) = self.check_time(&verified) {
                self.verified.remove(&hash);
                return Err(error);
            }
            return Ok(verified.viewer);
        }
        let verified = self.verify(token, &keys)?;
        self.check_time(&verified)?;
        let viewer = verified.viewer.clone();
        self.verified.insert(hash, verified);
        Ok(viewer)
    }

    /// Everything but the time.
    fn verify(&self, token: &str, keys: &Keys) -> Result<Verified, AuthError> {
        let header = jsonwebtoken::decode_header(token).map_err(AuthError::Malformed)?;
        if header.crit.is_some() {
            return Err(AuthError::CriticalExtensions);
        }
        let key = keys.set.find(header.kid.as_deref()).ok_or(AuthError::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(AuthError::WrongAlgorithm { given: header.alg, expected: key.algorithm });
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &signature_only(key.algorithm))
            .map_err(|error| {
                let is_forged = matches!(error.kind(), ErrorKind::InvalidSignature);
                if is_forged { AuthError::WrongSignature } else { AuthError::Claims(error) }
            })?
            .claims;
        self.viewer(claims, keys.fingerprint)
    }

    fn viewer(&self, claims: Claims, fingerprint: [u8; 32]) -> Result<Verified, AuthError> {
        if claims.iss != self.issuer.issuer {
            return Err(AuthError::WrongIssuer);
        }
        if !claims.aud.contains(&self.issuer.audience) {
            return Err(AuthError::WrongAudience);
        }
        let subject = claims.sub;
        if !is_usable_subject(&subject) {
            return Err(AuthError::UnusableSubject);
        }
        // The leeway is added here once, so that whoever closes a socket at `expires_at` and whoever verifies the
        // token a moment before agree.
        let expires_at = timestamp(claims.exp)
            .and_then(|exp| exp.checked_add_signed(self.issuer.leeway))
            .ok_or(AuthError::TimeOutOfRange)?;
        let from = match claims.nbf {
            None => None,
            Some(nbf) => Some(
                timestamp(nbf)
                    .and_then(|nbf| nbf.checked_sub_signed(self.issuer.leeway))
                    .ok_or(AuthError::TimeOutOfRange)?,
            ),
        };
        Ok(Verified { viewer: Viewer { subject, role: claims.role, expires_at }, from, fingerprint })
    }

    fn check_time(&self, verified: &Verified) -> Result<(), AuthError> {
        let now = self.clock.now();
        if now >= verified.viewer.expires_at {
            return Err(AuthError::Expired { at: verified.viewer.expires_at });
        }
        match verified.from {
            Some(from) if now < from => Err(AuthError::NotYetValid { from }),
            Some(_) | None => Ok(()),
        }
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Authenticate for Authenticator {
    fn authenticate(&self, bearer: &str) -> Result<Viewer, Unauthenticated> {
        self.authenticate(bearer).map_err(|error| {
            tracing::info!(error = &error as &dyn std::error::Error, "a token was refused");
            Unauthenticated
        })
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Authenticator")
            .field("issuer", &self.issuer)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Whether a token may speak of `subject`: it stands in logs and in events.
pub fn is_usable_subject(subject: &str) -> bool {
    !subject.is_empty() && subject.len() <= SUBJECT_BYTES_MAX && !subject.chars().any(char::is_control)
}

/// The library checks the signature; [`Claims`] and this file check the claims, against our own clock.
fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn timestamp(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_timestamp(i64::try_from(seconds).ok()?, 0)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
