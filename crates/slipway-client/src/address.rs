// SPDX-License-Identifier: Apache-2.0
//! Addresses: which transport, and where.

use std::fmt;

use slipway_core::{Error, Result};

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Rest,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(String),
}

/// `host:port`, `grpc://host:port`, `http://host:port` or `unix:/path`; with TLS
/// `grpcs://host:port` or `https://host:port`, whose port is 443 unless it is named. IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: Endpoint,
    pub(crate) has_tls: bool,
}

/// Of a TLS address that names none.
const TLS_PORT: u16 = 443;

impl Address {
    /// # Errors
    /// INVALID_ARGUMENT that says what an address looks like.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::read(text).map_err(|fault| {
            Error::invalid_argument(format!(
                "address {text:?}: {fault}; it is host:port or unix:/path for gRPC, \
                 http://host:port for REST, and with TLS grpcs://host:port or https://host:port"
            ))
        })
    }

    fn read(text: &str) -> std::result::Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("the path is missing")
            } else {
                let endpoint = Endpoint::Unix(path.to_owned());
                Ok(Self { protocol: Protocol::Grpc, endpoint, has_tls: false })
            };
        }
        let (scheme, authority) = text.split_once("://").unwrap_or(("grpc", text));
        let (protocol, has_tls) = match scheme {
            "grpc" => (Protocol::Grpc, false),
            "grpcs" => (Protocol::Grpc, true),
            "http" => (Protocol::Rest, false),
            "https" => (Protocol::Rest, true),
            _ => return Err("unknown scheme"),
        };
        let authority = match protocol {
            Protocol::Grpc => authority,
            Protocol::Rest => authority.trim_end_matches('/'),
        };
        // The last colon of an IPv6 address is behind its bracket, or is none of the port's.
        let port_at = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
        let (host, port) = match port_at {
            Some(at) => (&authority[..at], Some(&authority[at + 1..])),
            None => (authority, None),
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or("a bracket is missing")?,
            None if host.contains(':') => return Err("an IPv6 address needs brackets"),
            None => host,
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_name) {
            return Err("the host is none");
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or("the port is none")?,
            None if has_tls => TLS_PORT,
            None => return Err("the port is missing"),
        };
        let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
        Ok(Self { protocol, endpoint, has_tls })
    }
}

impl Endpoint {
    /// What requests name as the host they are for.
    pub(crate) fn authority(&self) -> String {
        match self {
            Endpoint::Tcp { .. } => self.to_string(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(protocol: Protocol, host: &str, port: u16) -> Address {
        let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
        Address { protocol, endpoint, has_tls: false }
    }

    fn tls(protocol: Protocol, host: &str, port: u16) -> Address {
        Address { has_tls: true, ..tcp(protocol, host, port) }
    }

    #[test]
    fn an_address_says_transport_and_place() {
        let grpc = tcp(Protocol::Grpc, "127.0.0.1", 8500);
        assert_eq!(Address::parse("127.0.0.1:8500").unwrap(), grpc);
        assert_eq!(Address::parse("grpc://127.0.0.1:8500").unwrap(), grpc);
        assert_eq!(
            Address::parse("http://models.local:8501/").unwrap(),
            tcp(Protocol::Rest, "models.local", 8501)
        );
        assert_eq!(Address::parse("[::1]:8500").unwrap(), tcp(Protocol::Grpc, "::1", 8500));
        assert_eq!(Address::parse("grpcs://a:1").unwrap(), tls(Protocol::Grpc, "a", 1));
        assert_eq!(Address::parse("https://[::1]:9/").unwrap(), tls(Protocol::Rest, "::1", 9));
        for path in ["unix:/run/s", "unix:///run/s"] {
            let endpoint = Address::parse(path).unwrap().endpoint;
            assert_eq!(endpoint, Endpoint::Unix("/run/s".to_owned()));
        }
    }

    #[test]
    fn a_port_may_be_left_out_where_there_is_tls() {
        assert_eq!(Address::parse("https://a.b/").unwrap(), tls(Protocol::Rest, "a.b", 443));
        assert_eq!(Address::parse("grpcs://[::1]").unwrap(), tls(Protocol::Grpc, "::1", 443));
    }

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in ["[::1]:8500", "localhost:1", "unix:/run/s"] {
            assert_eq!(Address::parse(text).unwrap().endpoint.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_fault() {
        for (text, fault) in [
            ("localhost", "the port is missing"),
            ("localhost:port", "the port is none"),
            ("localhost:0", "the port is none"),
            ("localhost:70000", "the port is none"),
            (":8500", "the host is none"),
            ("http://a/b:1", "the host is none"),
            ("::1:8500", "an IPv6 address needs brackets"),
            ("[::1:8500", "a bracket is missing"),
            ("ftp://a:1", "unknown scheme"),
            ("https://", "the host is none"),
            ("grpcs://a:x", "the port is none"),
            ("http://[::1]", "the port is missing"),
            ("unix:", "the path is missing"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.message.contains(fault), "{text}: {}", error.message);
        }
    }
}
