// SPDX-License-Identifier: Apache-2.0
//! Whose certificates are believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_name, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::identity::certificates;
use crate::{Pem, TlsError, PROVIDER};

/// Certificates that are believed, and what they vouch for.
pub(crate) struct Trust {
    named: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl Trust {
    /// In the certificates of a text.
    pub(crate) fn of(pem: Pem<'_>) -> Result<Self, TlsError> {
        let named = certificates(pem)?;
        let mut roots = RootCertStore::empty();
        for certificate in &named {
            roots.add(certificate.clone()).map_err(|_| {
                TlsError(format!("{} has a certificate that cannot be read", pem.name))
            })?;
        }
        Ok(Self { named, roots: Arc::new(roots) })
    }

    /// In whom this machine trusts.
    pub(crate) fn of_system() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read is no reason to do without the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(TlsError(
                "this machine has no list of authorities to trust; add it (the package \
                 ca-certificates), or name the file of one: ca_file"
                    .to_owned(),
            ));
        }
        Ok(Self { named: Vec::new(), roots: Arc::new(roots) })
    }

    pub(crate) fn in_servers(self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let roots = WebPkiServerVerifier::builder_with_provider(self.roots, PROVIDER.clone());
        let roots = roots.build().map_err(|error| unbuilt(&error))?;
        Ok(Arc::new(OrNamed { named: self.named, roots }))
    }

    pub(crate) fn in_clients(self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let roots = WebPkiClientVerifier::builder_with_provider(self.roots, PROVIDER.clone());
        let roots = roots.build().map_err(|error| unbuilt(&error))?;
        Ok(Arc::new(OrNamed { named: self.named, roots }))
    }
}

fn unbuilt(error: &VerifierBuilderError) -> TlsError {
    TlsError(format!("TLS cannot be set up: {error}"))
}

/// Believes what `roots` believes, and each certificate that is named itself.
///
/// Certificates that sign themselves are made with the mark of an authority, by openssl at any
/// rate. webpki takes none of those for a server's or a client's own, though it is just the one
/// that was asked for; OpenSSL and gRPC do.
#[derive(Debug)]
struct OrNamed<V: ?Sized> {
    named: Vec<CertificateDer<'static>>,
    roots: Arc<V>,
}

impl<V: ?Sized> OrNamed<V> {
    /// Whether `error`, which is what `roots` said of a certificate, may be passed over.
    fn is_named(&self, certificate: &CertificateDer<'_>, error: &Error) -> bool {
        // Found after the dates were looked at: a certificate that has expired does not get here.
        is_authority(error) && self.named.iter().any(|named| named == certificate)
    }
}

/// Whether a certificate was refused because it is marked as that of an authority.
pub(crate) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else {
        return false;
    };
    matches!(inner.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for OrNamed<WebPkiServerVerifier> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.roots.verify_server_cert(certificate, others, name, ocsp, now) {
            Err(error) if self.is_named(certificate, &error) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

impl ClientCertVerifier for OrNamed<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.roots.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.roots.verify_client_cert(certificate, others, now) {
            Err(error) if self.is_named(certificate, &error) => Ok(ClientCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}
