//! Who is calling: bearer tokens in, a [`Viewer`] out.
//!
//! **Invariant:** an [`AuthError`] goes to the log only. Every client that is refused reads the same text, whatever
//! was wrong with the token: the edge knows no more than `edge::Unauthenticated`.

mod authenticator;
mod claims;
mod dev_key;
mod keys;
mod viewer;

pub use authenticator::{AuthError, Authenticator, Issuer, TOKEN_BYTES_MAX, is_usable_subject};
pub use claims::{Audience, Claims};
pub use dev_key::{DevKey, DevKeyError};
pub use keys::{KeyError, KeyFile};
pub use viewer::{Role, Viewer};
