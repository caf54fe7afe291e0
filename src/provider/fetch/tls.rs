//! TLS: ring's provider named explicitly, the system's roots and a configured file, and an error that says who issued
//! the certificate that was refused.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as TlsTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;

use super::error::{FetchError, TlsFault, told};
use crate::base::Clock;
use crate::crypto::certificate::issuer;

/// Why there is no way out by TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSetup {
    /// The configured file cannot be used.
    #[error("[network] ca_file {file}: {detail}")]
    CaFile {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// The library refuses what we ask of it: a mistake of ours.
    #[error("TLS: {0}")]
    Library(String),
}

/// Who may vouch for servers.
pub(super) struct Roots {
    store: RootCertStore,
    /// What of the system's store was not taken, for the log.
    pub(super) warning: Option<String>,
}

impl Roots {
    /// The system's, and those of `ca_file`. Reads files.
    pub(super) fn load(ca_file: Option<&Path>) -> Result<Self, TlsSetup> {
        let mut store = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        let (taken, left) = store.add_parsable_certificates(system.certs);
        let mut warning = system.errors.first().map(|error| format!("the system's roots: {}", told(error)));
        if left > 0 {
            warning.get_or_insert_with(|| format!("{left} of the system's {} roots are not taken", taken + left));
        }
        if let Some(path) = ca_file {
            let refused = |detail: String| TlsSetup::CaFile { file: path.display().to_string(), detail };
            let bytes = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
            let before = store.len();
            for der in CertificateDer::pem_slice_iter(&bytes) {
                let der = der.map_err(|e| refused(told(format_args!("not PEM: {e:?}"))))?;
                store.add(der).map_err(|e| refused(told(e)))?;
            }
            if store.len() == before {
                return Err(refused("holds no certificate in PEM".into()));
            }
        }
        if store.is_empty() {
            warning = Some("no certificate vouches for anyone: https cannot be fetched; see [network] ca_file".into());
        }
        Ok(Self { store, warning })
    }
}

/// The client's side of TLS.
pub(super) fn client(roots: Roots, clock: Arc<dyn Clock>) -> Result<ClientConfig, TlsSetup> {
    let library = |e: &dyn fmt::Display| TlsSetup::Library(told(e));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = if roots.store.is_empty() {
        None
    } else {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.store), Arc::clone(&provider));
        Some(builder.build().map_err(|e| library(&e))?)
    };
    let verifier = Telling { inner, schemes: provider.signature_verification_algorithms.supported_schemes() };
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(ByClock(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|e| library(&e))?
        // The verifier adds words to the library's own verdict and never turns a no into a yes.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Certificates are judged by the same clock as everything else.
struct ByClock(Arc<dyn Clock>);

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<TlsTime> {
        let seconds = u64::try_from(self.0.now().as_secs()).ok()?;
        Some(TlsTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// A certificate that was refused, and who issued it.
#[derive(Debug)]
struct Refused {
    cause: CertificateError,
    issuer: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl std::error::Error for Refused {}

/// The library's verifier, whose refusals name the issuer.
#[derive(Debug)]
struct Telling {
    inner: Option<Arc<WebPkiServerVerifier>>,
    schemes: Vec<SignatureScheme>,
}

impl Telling {
    fn inner(&self) -> Result<&WebPkiServerVerifier, Error> {
        self.inner.as_deref().ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ServerCertVerifier for Telling {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: TlsTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self
            .inner()
            .and_then(|inner| inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now));
        verdict.map_err(|error| match error {
            Error::InvalidCertificate(cause) => {
                let refused = Refused { cause, issuer: issuer(end_entity) };
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// What a failed handshake says.
pub(super) fn fault(host: &str, error: &std::io::Error) -> FetchError {
    let host = host.to_owned();
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(cause)) = tls else {
        return FetchError::Tls { host, fault: TlsFault::Other, detail: told(error), issuer: None };
    };
    let refused = match cause {
        CertificateError::Other(OtherError(inner)) => inner.downcast_ref::<Refused>(),
        _ => None,
    };
    let (cause, issuer) = refused.map_or((cause, None), |refused| (&refused.cause, refused.issuer.clone()));
    FetchError::Tls { host, fault: kind(cause), detail: told(cause), issuer }
}

fn kind(cause: &CertificateError) -> TlsFault {
    match cause {
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
        _ => TlsFault::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_vouches_for_nobody_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        for (path, what) in [
            (dir.path().join("gone.pem"), "No such file"),
            (at("empty.pem", ""), "holds no certificate in PEM"),
            (at("key.pem", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"), "holds no certificate"),
            (at("bad.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"), "invalid"),
        ] {
            let said = Roots::load(Some(&path)).err().unwrap().to_string();
            assert!(said.contains(what) && said.contains("[network] ca_file"), "{said}");
        }
    }
}
