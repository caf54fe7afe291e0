//! Keys and certificates that are made on the spot and trusted by nobody but the demo and the tests.
//!
//! Whatever the programs of this crate make is [`DemoKey::marked`]: the sidecar knows it and refuses it outside of
//! development. A test leaves the mark out where its key stands in for a real provider's.
#![expect(
    clippy::expect_used,
    reason = "a machine without randomness can run neither demo nor tests; nothing here comes from outside"
)]

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RsaKeyPair,
};
use grindvakt::crypto::trusted::DEMO_MARK;
use rustls_pki_types::PrivatePkcs8KeyDer;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode as _, Reader as _, SliceReader};

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: what nearly every identity provider signs with.
    #[default]
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaSha512,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
}

impl Algorithm {
    /// The identifier that XML Signature uses.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaP256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        }
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// The public half of a key, in numbers.
pub(crate) enum Public {
    /// Modulus and exponent, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The coordinates of a point on P-256.
    P256 { x: Vec<u8>, y: Vec<u8> },
}

/// A private key with a self-signed certificate.
pub struct DemoKey {
    pair: Pair,
    algorithm: Algorithm,
    pkcs8: Vec<u8>,
    common_name: String,
    certificate: Vec<u8>,
    marked: bool,
}

impl DemoKey {
    /// A new RSA key of 2048 bits. Takes about a tenth of a second: tests share one where they can.
    pub fn rsa(common_name: &str) -> Self {
        Self::from_rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("RSA key"), common_name)
    }

    /// A new RSA key of 4096 bits, the size of the federation operators' keys.
    pub fn rsa_4096(common_name: &str) -> Self {
        Self::from_rsa(RsaKeyPair::generate(KeySize::Rsa4096).expect("RSA key"), common_name)
    }

    fn from_rsa(pair: RsaKeyPair, common_name: &str) -> Self {
        let pkcs8: Vec<u8> = {
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
            der.as_ref().to_vec()
        };
        Self::with_certificate(Pair::Rsa(pair), Algorithm::RsaSha256, pkcs8, common_name)
    }

    /// A new P-256 key.
    pub fn p256(common_name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("P-256 key");
        let pkcs8 = pair.to_pkcs8v1().expect("PKCS#8").as_ref().to_vec();
        Self::with_certificate(Pair::P256(pair), Algorithm::EcdsaP256, pkcs8, common_name)
    }

    fn with_certificate(pair: Pair, algorithm: Algorithm, pkcs8: Vec<u8>, common_name: &str) -> Self {
        let certificate = self_signed(&pkcs8, common_name, None);
        Self { pair, algorithm, pkcs8, common_name: common_name.to_owned(), certificate, marked: false }
    }

    /// The same key, signing by another algorithm of its type. A P-256 key stays with its one algorithm.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        if matches!(self.pair, Pair::Rsa(_)) && algorithm != Algorithm::EcdsaP256 {
            self.algorithm = algorithm;
        }
        self
    }

    /// The same key in a certificate that says what it is: a demo's. Its name in a key set says it too.
    #[must_use]
    pub fn marked(mut self) -> Self {
        self.marked = true;
        self.certificate = self_signed(&self.pkcs8, &self.common_name, Some(DEMO_MARK));
        self
    }

    /// Whether it says that it is a demo's.
    pub(crate) const fn is_marked(&self) -> bool {
        self.marked
    }

    /// The algorithm that [`Self::sign`] uses.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate's base64, without line breaks: what stands in `ds:X509Certificate`.
    pub fn certificate_base64(&self) -> String {
        base64_simd::STANDARD.encode_to_string(&self.certificate)
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The private key and its certificate as PEM: a key file of the sidecar's configuration.
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8) + &self.certificate_pem()
    }

    /// The public half.
    pub(crate) fn public(&self) -> Public {
        match &self.pair {
            Pair::Rsa(pair) => {
                // RSAPublicKey (RFC 8017, A.1.1).
                let mut reader = SliceReader::new(pair.public_key().as_ref()).expect("a short text");
                let numbers = reader.sequence(|inside| {
                    let (n, e) = (UintRef::decode(inside)?, UintRef::decode(inside)?);
                    Ok::<_, x509_cert::der::Error>((n.as_bytes().to_vec(), e.as_bytes().to_vec()))
                });
                let (n, e) = numbers.expect("a key that was just made");
                Public::Rsa { n, e }
            }
            Pair::P256(pair) => {
                // 04 || x || y (SEC 1, 2.3.3).
                let (x, y) = pair.public_key().as_ref().get(1..).unwrap_or_default().split_at(32);
                Public::P256 { x: x.to_vec(), y: y.to_vec() }
            }
        }
    }

    /// Signs `message`; ECDSA as r and s side by side, the form that XML Signature uses.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding = match self.algorithm {
                    Algorithm::RsaSha384 => &RSA_PKCS1_SHA384,
                    Algorithm::RsaSha512 => &RSA_PKCS1_SHA512,
                    Algorithm::RsaSha256 | Algorithm::EcdsaP256 => &RSA_PKCS1_SHA256,
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut out).expect("an RSA signature");
                out
            }
            Pair::P256(pair) => pair.sign(&random, message).expect("an ECDSA signature").as_ref().to_vec(),
        }
    }
}

fn self_signed(pkcs8: &[u8], common_name: &str, organisation: Option<&str>) -> Vec<u8> {
    let key = rcgen::KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).expect("a key that was just made");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(rcgen::DnType::OrganizationName, organisation);
    }
    params.self_signed(&key).expect("a self-signed certificate").der().to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = base64_simd::STANDARD.encode_to_string(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (at, c) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

/// A fresh XML ID: a letter or underscore first, then 32 hexadecimal digits (SAML Core 1.3.4: at least 128 bits).
pub fn new_id() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    bytes.iter().fold(String::from("_"), |mut id, b| {
        id.push_str(&format!("{b:02x}"));
        id
    })
}
