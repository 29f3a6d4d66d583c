//! The settings: one typed tree, read from defaults, a TOML file, the environment and the command line, in this order.
//!
//! A key that is not known is refused with the nearest one that is. api/config.default.toml is generated from the
//! declarations below and compared by a test. **Invariant:** the environment is read here and nowhere else.

mod error;
mod load;
mod nearest;
mod otlp;
mod payments;
mod render;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod tree;

pub use error::ConfigError;
#[cfg(debug_assertions)]
pub use load::failpoint;
pub use load::{ConfigFile, Sources, environment, operator_token};
pub use otlp::{Otlp, OtlpTarget};
pub use payments::{PaymentProvider, Payments};
pub use secret::Secret;
pub use tree::{
    Auth, Cluster, Config, DocumentLimits, EventStore, Executor, KeySource, Limits, Log, LogFormat, LogOverrides, Mode,
    OnAccount, Overrides, ProjectionOverrides, Projections, ReadStore, Trust, WebSocketLimits,
};
