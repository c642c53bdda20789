// SPDX-License-Identifier: Apache-2.0
//! A private key and the certificates that say whose it is.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error};

use crate::{Pem, TlsError, PROVIDER};

/// The certificates and the key that belongs to the first of them.
pub(crate) fn identity(key: Pem<'_>, chain: Pem<'_>) -> Result<CertifiedKey, TlsError> {
    let certificates = certificates(chain)?;
    let signing_key = PROVIDER.key_provider.load_private_key(private_key(key)?).map_err(|_| {
        TlsError(format!(
            "{} is of no kind that is supported: RSA of 2048 bits or more, ECDSA on P-256 or \
             P-384, Ed25519",
            key.name
        ))
    })?;
    // A certificate has its public key in it as it is. That is all that is looked at: certificates
    // of version 1, which the parser does not take, are as good for a server as others.
    let is_of_key =
        signing_key.public_key().is_none_or(|public| contains(&certificates[0], &public));
    if !is_of_key {
        let fault = match ParsedCertificate::try_from(&certificates[0]) {
            Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => {
                format!("what {} has in PEM is no certificate", chain.name)
            }
            _ => format!("{} is not the key of the first certificate in {}", key.name, chain.name),
        };
        return Err(TlsError(fault));
    }
    Ok(CertifiedKey::new(certificates, signing_key))
}

/// The certificates in a text, of which there is one at least.
pub(crate) fn certificates(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem.text)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(pem, &error))?;
    if found.is_empty() {
        return Err(missing(pem, "certificate", "CERTIFICATE"));
    }
    Ok(found)
}

fn private_key(pem: Pem<'_>) -> Result<PrivateKeyDer<'static>, TlsError> {
    if contains(pem.text, b"ENCRYPTED") {
        let message = format!(
            "{} is encrypted, and there is nobody to ask for its password; decrypt it: \
             openssl pkey -in KEY -out NEW",
            pem.name
        );
        return Err(TlsError(message));
    }
    PrivateKeyDer::from_pem_slice(pem.text).map_err(|error| match error {
        pem::Error::NoItemsFound => missing(pem, "private key", "PRIVATE KEY"),
        error => broken(pem, &error),
    })
}

fn missing(pem: Pem<'_>, what: &str, label: &str) -> TlsError {
    let name = pem.name;
    TlsError(if pem.text.is_empty() {
        format!("{name} is missing or empty")
    } else {
        format!("{name} has no {what} in PEM, which begins with -----BEGIN {label}-----")
    })
}

fn broken(pem: Pem<'_>, error: &pem::Error) -> TlsError {
    let fault = match error {
        pem::Error::MissingSectionEnd { .. } => {
            "its last line, which begins with -----END, is missing"
        }
        pem::Error::IllegalSectionStart { .. } => "its first line is not -----BEGIN ...-----",
        _ => "what is between its first and last line is no base64",
    };
    TlsError(format!("{} is no PEM: {fault}", pem.name))
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}
