// SPDX-License-Identifier: Apache-2.0
//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;

use slipway_core::{Code, Error, Result};

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

/// Whether a caller may call `method`, which shows or changes what the server loads: a SavedModel is
/// a program.
///
/// # Errors
/// PERMISSION_DENIED that says how to allow it.
pub(crate) fn may_control(method: &str, peer: Option<Peer>, allow_remote: bool) -> Result<()> {
    if allow_remote || peer.is_some_and(Peer::is_local) {
        return Ok(());
    }
    let caller = peer.map_or_else(|| "an unknown peer".to_owned(), |peer| peer.to_string());
    let message = format!(
        "{method} is answered on loopback addresses and Unix sockets only, and this call is from \
         {caller}. Start the server with --allow_remote_reload to answer it from everywhere."
    );
    Err(Error::new(Code::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_caller_is_in_control_only_where_that_is_allowed() {
        let may = |peer, allow_remote| may_control("Reload", peer, allow_remote);
        let remote = Some(Peer::Tcp("10.0.0.1".parse().unwrap()));
        for peer in [remote, None] {
            assert!(may(peer, true).is_ok());
            assert_eq!(may(peer, false).unwrap_err().code, Code::PermissionDenied);
        }
        for peer in [Peer::Unix, Peer::Tcp("::1".parse().unwrap())] {
            assert!(may(Some(peer), false).is_ok());
        }
        let message = may(remote, false).unwrap_err().message;
        assert!(message.contains("from 10.0.0.1. ") && message.contains("--allow_remote_reload"));
    }

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
