//! What an operator wants to know of a TLS certificate. Nothing here decides: rustls verifies servers.

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;

use crate::base::UnixTime;

/// The longest name that is told.
const NAME_BYTES: usize = 200;

/// Who issued a certificate (DER), as RFC 4514 writes names: an inspecting proxy is known by it. None for what is no
/// certificate.
///
/// The name is the issuer's own choice: control characters are taken out of it and its length is bounded.
pub fn issuer(certificate: &[u8]) -> Option<String> {
    let certificate = CertificateInner::<Raw>::from_der(certificate).ok()?;
    let name = certificate.tbs_certificate().issuer().to_string();
    let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
    name.truncate(name.floor_char_boundary(NAME_BYTES));
    Some(name)
}

/// When a certificate (DER) ends, by its own word. None for what is no certificate.
pub fn not_after(certificate: &[u8]) -> Option<UnixTime> {
    let certificate = CertificateInner::<Raw>::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Some(UnixTime::from_secs(i64::try_from(end.as_secs()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_issuer() {
        assert_eq!(issuer(b""), None);
        assert_eq!(issuer(b"-----BEGIN CERTIFICATE-----"), None);
        assert_eq!(not_after(b"-----BEGIN CERTIFICATE-----"), None);
    }
}
