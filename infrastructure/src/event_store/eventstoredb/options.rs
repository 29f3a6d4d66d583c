//! How to reach the server, and how long to try. The password is in here and never comes out.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{
    address::Address,
    open_error::OpenError,
    settings::{self, Security, Settings},
};

/// How the EventStoreDB adapter connects and how patient it is.
///
/// The fields with times have defaults that suit a cluster in one data centre.
#[derive(Clone)]
pub struct EventStoreDbOptions {
    address: Address,
    user: Option<User>,
    ca_file: Option<PathBuf>,
    /// How long one call to the server may take.
    pub call_timeout: Duration,
    /// How long an append is tried until its outcome is given up as unknown.
    pub append_budget: Duration,
    /// How long a failed read is tried again.
    pub read_budget: Duration,
    /// The pause after a failed try: the first, and the longest.
    pub retry_pauses: (Duration, Duration),
    /// How long opening may take, the search for a node included.
    pub open_deadline: Duration,
    /// How often the head of the log is asked for, as a safety net under the subscription.
    pub poll_interval: Duration,
    /// How long the subscription may keep silent about an event that the poll has seen.
    pub silence_max: Duration,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl EventStoreDbOptions {
    /// Options for the server at this connection string: `esdb://host:2113`, `esdb://a:2113,b:2113,c:2113` for the
    /// nodes of a cluster, `esdb+discover://cluster.example:2113` for a name that leads to all of them. The schemes
    /// `kurrentdb`, `kurrent` and `kdb` mean the same. User and password may stand before an `@`, percent-encoded.
    /// Connections use TLS unless it says `?tls=false`.
    pub fn try_new(connection_string: &str) -> Result<Self, OpenError> {
        let (address, user) = Address::parse(connection_string)?;
        Ok(Self {
            ca_file: address.ca_file(),
            address,
            user,
            call_timeout: Duration::from_secs(5),
            append_budget: Duration::from_secs(10),
            read_budget: Duration::from_secs(10),
            retry_pauses: (Duration::from_millis(50), Duration::from_secs(2)),
            open_deadline: Duration::from_secs(15),
            poll_interval: Duration::from_millis(500),
            silence_max: Duration::from_secs(5),
        })
    }

    /// The same with this user, instead of the one in the connection string.
    #[must_use]
    pub fn with_user(self, name: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some(User { name: name.into(), password: password.into() }), ..self }
    }

    /// The same, trusting the certificates of the authorities in this PEM file instead of the system's.
    #[must_use]
    pub fn with_ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// Whether connections use TLS.
    pub const fn uses_tls(&self) -> bool {
        self.address.tls
    }

    /// Whether every node is on this machine.
    pub fn is_local(&self) -> bool {
        self.address.nodes.iter().all(|node| {
            let host = node.bare_host();
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        })
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn ca_file(&self) -> Option<&PathBuf> {
        self.ca_file.as_ref()
    }

    pub(super) fn user_name(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.name.as_str())
    }

    /// How clients connect.
    pub(super) fn settings(&self) -> Arc<Settings> {
        let Self { address, user, ca_file, call_timeout, .. } = self;
        let security = Security {
            ca_file: ca_file.clone(),
            verifies_certificates: address.verifies_certificates,
            certificate: address.certificate(),
        };
        Arc::new(Settings {
            seeds: address.nodes.clone(),
            is_cluster: address.is_cluster(),
            security: address.tls.then_some(security),
            keep_alive: address.keep_alive(),
            search: address.search(),
            metadata: settings::metadata(user.as_ref(), address.connection_name()),
            call_timeout: *call_timeout,
        })
    }
}

impl fmt::Debug for EventStoreDbOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventStoreDbOptions")
            .field("address", &self.address)
            .field("has_user", &self.user.is_some())
            .field("ca_file", &self.ca_file)
            .field("call_timeout", &self.call_timeout)
            .field("append_budget", &self.append_budget)
            .field("read_budget", &self.read_budget)
            .field("retry_pauses", &self.retry_pauses)
            .field("open_deadline", &self.open_deadline)
            .field("poll_interval", &self.poll_interval)
            .field("silence_max", &self.silence_max)
            .finish()
    }
}

#[cfg(test)]
mod tests;
