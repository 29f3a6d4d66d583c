//! Why the event store cannot be opened, and what to set.

use super::super::StoreError;

/// Why the EventStoreDB adapter did not open. No variant holds user name and password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The connection string is for something else.
    #[error(
        "the event store's connection string has the scheme {found}: write esdb://HOST:2113, or esdb+discover:// for a \
         name that leads to all nodes of a cluster"
    )]
    Scheme {
        /// The scheme it has.
        found: String,
    },
    /// The connection string is broken.
    #[error("the event store's connection string cannot be read: {0}")]
    Unparsable(String),
    /// It asks for another node than the leader.
    #[error("the event store's connection string asks for other nodes than the leader: leave nodePreference out")]
    NodePreference,
    /// The host's name leads nowhere.
    #[error("the event store's host {host} is not found: check the name in the connection string, and the DNS")]
    HostNotFound {
        /// The name.
        host: String,
    },
    /// Nobody listens there.
    #[error("the event store at {address} refuses connections: is the server running, and is that its port?")]
    Refused {
        /// Host and port.
        address: String,
    },
    /// Nobody answers there.
    #[error("the event store at {address} is not reached: {why}; check address and firewall")]
    NoAnswer {
        /// Host and port.
        address: String,
        /// What the network says.
        why: String,
    },
    /// The server speaks TLS, and this process would not.
    #[error("the event store at {address} wants TLS: remove tls=false from the connection string")]
    TlsWanted {
        /// Host and port.
        address: String,
    },
    /// The server does not speak TLS, and this process would.
    #[error(
        "the event store at {address} does not speak TLS: give it a certificate, or write tls=false into the \
         connection string where the network is safe"
    )]
    TlsUnknown {
        /// Host and port.
        address: String,
    },
    /// The server's certificate is not trusted.
    #[error(
        "the certificate of the event store at {address} is not trusted: {why}; name the file of its authority with \
         tlsCAFile in the connection string"
    )]
    CertificateNotTrusted {
        /// Host and port.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file of authorities, or of the client's certificate, is not usable.
    #[error("the event store's certificate file {path} cannot be used: {why}")]
    CertificateFile {
        /// Which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server wants to know who asks.
    #[error("the event store wants a user: set user and password")]
    UserWanted,
    /// User and password are wrong.
    #[error("the event store does not accept user and password: check both")]
    WrongCredentials,
    /// The user may not read the whole log.
    #[error(
        "the event store's user may not read $all: make it a member of $admins, or give it the right to read $all in \
         the server's default access list"
    )]
    NotPermitted,
    /// Nodes were found, but none that answers as it should.
    #[error("the event store does not answer as it should: {0}")]
    NotReady(StoreError),
}
