//! TLS to a store: ring's provider named explicitly, the configured roots or the system's.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::settings::StoreTls;
use super::{FaultKind, StoreFault};

/// Reads the roots anew: a certificate that has been renewed needs no restart.
pub(super) fn connector(tls: &StoreTls) -> Result<TlsConnector, StoreFault> {
    let fault = |detail: String| StoreFault::new(FaultKind::Tls, detail);
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            let refused = |detail: &dyn std::fmt::Display| fault(format!("{}: {detail}", path.display()));
            let bytes = std::fs::read(path).map_err(|e| refused(&e))?;
            for der in CertificateDer::pem_slice_iter(&bytes) {
                let der = der.map_err(|e| refused(&format_args!("not PEM: {e:?}")))?;
                roots.add(der).map_err(|e| refused(&e))?;
            }
            if roots.is_empty() {
                return Err(refused(&"holds no certificate in PEM"));
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            if roots.is_empty() {
                return Err(fault("the system has no roots; name a `tls_ca`".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fault(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
