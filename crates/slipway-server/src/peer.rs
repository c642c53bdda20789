// SPDX-License-Identifier: Apache-2.0
//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;

/// The caller of a connection, as far as the network knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(IpAddr),
    Unix,
}

impl Peer {
    /// Whether the caller is a process of this machine: over a loopback address or a Unix socket.
    pub(crate) fn is_local(self) -> bool {
        match self {
            // `to_canonical` takes an IPv4 address out of the IPv6 one that it is mapped to.
            Peer::Tcp(ip) => ip.to_canonical().is_loopback(),
            Peer::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(ip) => write!(f, "{}", ip.to_canonical()),
            Peer::Unix => f.write_str("a Unix socket"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_and_unix_sockets_are_local() {
        for ip in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(Peer::Tcp(ip.parse().unwrap()).is_local(), "{ip}");
        }
        assert!(Peer::Unix.is_local());
    }

    #[test]
    fn every_other_address_is_remote() {
        for ip in ["10.0.0.1", "192.168.1.2", "0.0.0.0", "::", "fe80::1", "::ffff:10.0.0.1", "::2"]
        {
            assert!(!Peer::Tcp(ip.parse().unwrap()).is_local(), "{ip}");
        }
        assert_eq!(Peer::Tcp("::ffff:10.0.0.1".parse().unwrap()).to_string(), "10.0.0.1");
    }
}
