// SPDX-License-Identifier: Apache-2.0
//! What went wrong between two that speak TLS, in words for whoever can mend it.

use std::io;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::trust::is_authority;

const DAY_S: u64 = 86_400;

/// Why a server did not come to terms with a caller.
pub fn of_caller(error: &io::Error) -> String {
    let Some(cause) = tls_error(error) else { return interrupted("the caller", error) };
    match cause {
        Error::NoCertificatesPresented => {
            "the caller shows no certificate, and client_verify asks for one".to_owned()
        }
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => {
                "the caller's certificate is not from an authority in custom_ca".to_owned()
            }
            fault => format!("the caller's certificate {}", of_certificate(cause, fault)),
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired => {
                format!("the caller does not believe server_cert ({alert:?})")
            }
            alert => format!("the caller breaks off ({alert:?})"),
        },
        Error::InvalidMessage(_) => "the caller speaks no TLS".to_owned(),
        error => error.to_string(),
    }
}

/// `error` of a connection to a server, in other words where TLS is its cause.
pub(crate) fn explained(error: io::Error) -> io::Error {
    match tls_error(&error) {
        Some(cause) => io::Error::new(error.kind(), of_server(cause)),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), interrupted("the server", &error))
        }
        None => error,
    }
}

fn of_server(cause: &Error) -> String {
    match cause {
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => "the server's certificate is not from an authority \
                that is trusted here; name the file of that authority: ca_file"
                .to_owned(),
            CertificateError::Other(_) if is_authority(cause) => {
                "the server's certificate is that \
                of an authority, which is not trusted here; name its file: ca_file"
                    .to_owned()
            }
            fault => format!("the server's certificate {}", of_certificate(cause, fault)),
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server asks for a certificate of the \
                client; name the files of one and of its key: cert_file, key_file"
                .to_owned(),
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError => {
                format!("the server does not believe the client's certificate ({alert:?})")
            }
            AlertDescription::NoApplicationProtocol => "the server speaks another protocol over \
                TLS: grpcs:// is for its gRPC port, https:// for REST"
                .to_owned(),
            // Of TLS 1.2, which has no word of its own for a certificate that is missing.
            AlertDescription::HandshakeFailure => {
                "the server breaks off the handshake; perhaps it \
                asks for a certificate of the client: cert_file, key_file"
                    .to_owned()
            }
            alert => format!("the server breaks off ({alert:?})"),
        },
        Error::InvalidMessage(_) => "the server speaks no TLS there".to_owned(),
        error => format!("TLS: {error}"),
    }
}

/// What is wrong with a certificate, behind "the certificate".
fn of_certificate(cause: &Error, fault: &CertificateError) -> String {
    match fault {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("has expired {}", ago(*not_after, *time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("is not valid yet: it begins {}", ahead(*time, *not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() {
                "no name at all (subjectAltName)".to_owned()
            } else {
                presented.join(", ")
            };
            format!("is for {names}, not for {}", expected.to_str())
        }
        CertificateError::InvalidPurposeContext { required, .. } => {
            format!("is not made for this: {required:?} (extendedKeyUsage)")
        }
        CertificateError::Other(OtherError(inner))
            if matches!(inner.downcast_ref(), Some(webpki::Error::UnsupportedCertVersion)) =>
        {
            "is of X.509 version 1; make one of version 3, by giving it an extension such as \
             subjectAltName"
                .to_owned()
        }
        CertificateError::Other(_) if is_authority(cause) => {
            "is that of an authority (basicConstraints CA:TRUE)".to_owned()
        }
        fault => format!("is refused: {fault}"),
    }
}

fn ago(then: UnixTime, now: UnixTime) -> String {
    format!("{} ago", span(Duration::from_secs(now.as_secs().saturating_sub(then.as_secs()))))
}

fn ahead(now: UnixTime, then: UnixTime) -> String {
    format!("in {}", span(Duration::from_secs(then.as_secs().saturating_sub(now.as_secs()))))
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < DAY_S => format!("{seconds} s"),
        seconds => format!("{} days", seconds / DAY_S),
    }
}

fn interrupted(who: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("{who} hangs up in the middle of TLS"),
        _ => error.to_string(),
    }
}

/// What rustls says is the cause of an error, if it is.
fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;

    use super::*;

    fn said(cause: Error) -> String {
        explained(io::Error::new(io::ErrorKind::InvalidData, cause)).to_string()
    }

    #[test]
    fn a_certificate_for_others_names_them_and_who_was_asked() {
        let expected = ServerName::try_from("models.local").unwrap();
        let named = |presented: &[&str]| {
            said(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected: expected.clone(),
                presented: presented.iter().map(|&name| name.to_owned()).collect(),
            }))
        };
        assert_eq!(
            named(&["a", "b"]),
            "the server's certificate is for a, b, not for models.local"
        );
        assert!(named(&[]).contains("no name at all"));
    }

    #[test]
    fn dates_are_told_by_how_far_they_are_away() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired =
            CertificateError::ExpiredContext { time: at(1_000_060), not_after: at(1_000_000) };
        assert_eq!(
            said(Error::InvalidCertificate(expired)),
            "the server's certificate has expired 60 s ago"
        );
        let early =
            CertificateError::NotValidYetContext { time: at(0), not_before: at(3 * DAY_S + 5) };
        assert!(said(Error::InvalidCertificate(early)).ends_with("it begins in 3 days"));
    }

    #[test]
    fn what_is_not_of_tls_is_passed_on() {
        let error = explained(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer"));
        assert_eq!(error.to_string(), "reset by peer");
    }
}
