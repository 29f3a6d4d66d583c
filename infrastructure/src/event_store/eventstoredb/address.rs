//! The connection string, taken apart.
//!
//! It is the string that all clients of the server understand, with the same names and nearly the same defaults. What
//! is not understood is an error, so that nobody relies on it.
//!
//! **Invariant:** no error of this file repeats a part of the string that could hold a password.

use std::{fmt, path::PathBuf, time::Duration};

use super::{open_error::OpenError, options::User, settings::Search};

/// The port of a node that names none.
const DEFAULT_PORT: u16 = 2113;
const SCHEMES: [&str; 4] = ["esdb", "kurrentdb", "kurrent", "kdb"];
const DISCOVER: &str = "+discover";
/// What is understood. The default deadline changes nothing: every call has a limit of ours.
const PARAMETERS: [&str; 13] = [
    "maxdiscoverattempts",
    "discoveryinterval",
    "gossiptimeout",
    "tls",
    "tlsverifycert",
    "nodepreference",
    "keepaliveinterval",
    "keepalivetimeout",
    "defaultdeadline",
    "connectionname",
    "usercertfile",
    "userkeyfile",
    "tlscafile",
];
/// How a search is done where the string says nothing: how often all nodes are asked, with which pause, and how long
/// each may take, both in milliseconds.
const SEARCH: (u32, u32, u32) = (3, 100, 2_000);
/// How often a connection in use is tried, and how long the answer may take, in milliseconds, if nothing longer is said.
const KEEP_ALIVE: u64 = 10_000;

/// One node, or one name that leads to nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Its name or IP address; an IPv6 address stands in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Node {
    /// A node as another one tells of it.
    pub(super) fn told(host: &str, port: u16) -> Self {
        let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
        Self { host, port }
    }

    /// Its name or IP address, without brackets.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// Where the server is: everything in a connection string but who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// As written, with its way of discovery.
    scheme: String,
    pub(super) nodes: Vec<Node>,
    pub(super) tls: bool,
    pub(super) verifies_certificates: bool,
    /// Names in lower case, in the order of the string; values decoded.
    parameters: Vec<(String, String)>,
}

impl Address {
    /// Takes a connection string apart.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<User>), OpenError> {
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| unparsable("it has no scheme: write esdb://HOST:2113"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.strip_suffix(DISCOVER).unwrap_or(&scheme)) {
            // Whoever forgets the scheme may have a password before the first `://`.
            let is_word = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && scheme.len() <= 20;
            return Err(OpenError::Scheme { found: if is_word { scheme } else { "something else".to_owned() } });
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if tail.contains('@') {
            return Err(unparsable(
                "there is an @ behind the hosts; a / ? # or @ in a user name, a password or a parameter must be \
                 percent-encoded",
            ));
        }
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(parse_user(user)?), hosts),
            None => (None, authority),
        };
        let nodes: Vec<_> = hosts.split(',').map(parse_node).collect::<Result<_, _>>()?;
        let query = tail.trim_start_matches('/');
        let parameters = match query.strip_prefix('?') {
            Some(query) => query.split('&').filter(|pair| !pair.is_empty()).map(parse_parameter).collect(),
            None if query.is_empty() => Ok(Vec::new()),
            None => Err(unparsable("there is a path behind the hosts")),
        }?;
        let mut address = Self { scheme, nodes, tls: true, verifies_certificates: true, parameters };
        address.tls = address.flag("tls")?;
        address.verifies_certificates = address.flag("tlsverifycert")?;
        address.check()?;
        Ok((address, user))
    }

    fn check(&self) -> Result<(), OpenError> {
        if self.scheme.ends_with(DISCOVER) && self.nodes.len() > 1 {
            return Err(unparsable("with +discover there is one host, whose name leads to all nodes"));
        }
        for number in ["maxdiscoverattempts", "discoveryinterval", "gossiptimeout"] {
            if self.parameter(number).is_some_and(|value| value.parse::<u32>().is_err()) {
                return Err(unparsable(&format!("{number} is no number")));
            }
        }
        for number in ["keepaliveinterval", "keepalivetimeout"] {
            if self.parameter(number).is_some_and(|value| !value.parse::<i32>().is_ok_and(|millis| millis >= -1)) {
                return Err(unparsable(&format!("{number} is no number of milliseconds; -1 turns it off")));
            }
        }
        // What is promised about positions holds on the leader only.
        match self.parameter("nodepreference") {
            Some(preference) if !preference.eq_ignore_ascii_case("leader") => Err(OpenError::NodePreference),
            Some(_) | None => Ok(()),
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A switch that is on unless told otherwise.
    fn flag(&self, name: &str) -> Result<bool, OpenError> {
        match self.parameter(name) {
            None => Ok(true),
            Some(value) => value.parse().map_err(|_| unparsable(&format!("{name} is neither true nor false"))),
        }
    }

    /// The file of authorities that the string names.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        self.parameter("tlscafile").map(PathBuf::from)
    }

    /// Whether the nodes are asked who leads. A single one is the server itself.
    pub(super) fn is_cluster(&self) -> bool {
        self.scheme.ends_with(DISCOVER) || self.nodes.len() > 1
    }

    /// How the leader is looked for.
    pub(super) fn search(&self) -> Search {
        let number = |name, default| self.parameter(name).and_then(|value| value.parse().ok()).unwrap_or(default);
        let (attempts, pause, timeout) = SEARCH;
        Search {
            attempts: number("maxdiscoverattempts", attempts).max(1),
            pause: Duration::from_millis(number("discoveryinterval", pause).into()),
            timeout: Duration::from_millis(number("gossiptimeout", timeout).into()),
        }
    }

    /// How often a connection in use is tried, and how long the answer may take; none if it never is.
    pub(super) fn keep_alive(&self) -> Option<(Duration, Duration)> {
        let millis = |name| {
            let told = self.parameter(name).map_or(Some(KEEP_ALIVE), |value| value.parse().ok());
            told.map(|millis| Duration::from_millis(millis.max(KEEP_ALIVE)))
        };
        millis("keepaliveinterval").zip(millis("keepalivetimeout"))
    }

    /// What the server is told that this connection is called.
    pub(super) fn connection_name(&self) -> Option<&str> {
        self.parameter("connectionname")
    }

    /// The files of this client's own certificate and of its key.
    pub(super) fn certificate(&self) -> Option<(PathBuf, PathBuf)> {
        self.parameter("usercertfile").map(PathBuf::from).zip(self.parameter("userkeyfile").map(PathBuf::from))
    }
}

fn unparsable(why: &str) -> OpenError {
    OpenError::Unparsable(why.to_owned())
}

fn parse_user(text: &str) -> Result<User, OpenError> {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |text| decode(text).ok_or_else(|| unparsable("user name or password is not properly percent-encoded"));
    Ok(User { name: decode(name)?, password: decode(password)? })
}

fn parse_node(text: &str) -> Result<Node, OpenError> {
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text[after_address..].rfind(':') {
        Some(colon) => text.split_at(after_address + colon),
        None => (text, ""),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_ipv6 = host.starts_with('[') && host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok();
    if host.is_empty() || !(is_ipv6 || host.chars().all(is_name)) {
        return Err(unparsable("a host is missing, or is no name and no IP address"));
    }
    let port = match port.strip_prefix(':') {
        None => DEFAULT_PORT,
        Some(port) => port.parse().map_err(|_| unparsable("a port is no number up to 65535"))?,
    };
    Ok(Node { host: host.to_owned(), port })
}

fn parse_parameter(pair: &str) -> Result<(String, String), OpenError> {
    let (name, value) = pair.split_once('=').ok_or_else(|| unparsable("a parameter has no value"))?;
    let name = name.to_ascii_lowercase();
    if !PARAMETERS.contains(&name.as_str()) {
        return Err(unparsable(&format!("it has a parameter that is none of {}", PARAMETERS.join(", "))));
    }
    let value = decode(value).ok_or_else(|| unparsable("a parameter is not properly percent-encoded"))?;
    Ok((name, value))
}

/// The text without percent-encoding; none if that is broken.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
