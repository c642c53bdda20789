// SPDX-License-Identifier: Apache-2.0
//! Whom a client over TLS believes, and who it is.

use std::fmt;

use slipway_core::{Error, Result};
use slipway_tls::{ClientTls, Pem, Protocol};

use crate::address::{self, Address, Endpoint};

/// The contents of files in PEM, which are called here as the caller calls them.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The authorities to believe; those of this machine where there is none.
    pub ca_file: Option<Vec<u8>>,
    /// The certificates to show to a server that asks for some.
    pub cert_file: Option<Vec<u8>>,
    /// Their key, which may be in `cert_file` as well.
    pub key_file: Option<Vec<u8>>,
}

impl Credentials {
    /// The TLS of a client of `address`, if it is one that wants it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for files that cannot be used, or not with this address.
    pub(crate) fn tls(&self, address: &Address) -> Result<Option<ClientTls>> {
        let (ca, identity) = (pem("ca_file", &self.ca_file), self.identity()?);
        let Endpoint::Tcp { host, .. } = &address.endpoint else { return self.unused(address) };
        if !address.has_tls {
            return self.unused(address);
        }
        let protocol = match address.protocol {
            address::Protocol::Grpc => Protocol::Http2,
            address::Protocol::Rest => Protocol::Http1,
        };
        let tls = ClientTls::new(protocol, host, ca, identity);
        tls.map(Some).map_err(|error| Error::invalid_argument(error.to_string()))
    }

    fn identity(&self) -> Result<Option<(Pem<'_>, Pem<'_>)>> {
        let (key, chain) = (pem("key_file", &self.key_file), pem("cert_file", &self.cert_file));
        match (key, chain) {
            (Some(_), None) => Err(Error::invalid_argument("key_file is given without cert_file")),
            (key, chain) => Ok(chain.map(|chain| (key.unwrap_or(chain), chain))),
        }
    }

    fn unused(&self, address: &Address) -> Result<Option<ClientTls>> {
        if self.ca_file.is_none() && self.cert_file.is_none() {
            return Ok(None);
        }
        Err(Error::invalid_argument(format!(
            "ca_file, cert_file and key_file are for addresses with TLS, grpcs://host:port and \
             https://host:port, and {} has none",
            address.endpoint
        )))
    }
}

fn pem<'a>(name: &'static str, text: &'a Option<Vec<u8>>) -> Option<Pem<'a>> {
    text.as_ref().map(|text| Pem { name, text })
}

impl fmt::Debug for Credentials {
    /// Without what is in the files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}
