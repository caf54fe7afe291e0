//! Encrypting to a service, an assertion (XML Encryption 1.1; SAML Core 2.3.4) or a token (RFC 7516): AES-256-GCM, its key
//! by RSA-OAEP.
#![expect(clippy::expect_used, reason = "nothing here comes from outside but a key that was read already")]

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use crate::xml::{Element, element};

/// A service's public key, from the certificate in its metadata. Cheap to clone.
#[derive(Clone)]
pub struct EncryptionKey(Arc<OaepPublicEncryptingKey>);

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    bytes
}

impl EncryptionKey {
    /// From a certificate in DER; none when it holds no RSA key.
    pub fn from_certificate(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let public = certificate.tbs_certificate().subject_public_key_info().to_der().ok()?;
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&public).ok()?).ok()?;
        Some(Self(Arc::new(key)))
    }

    /// The compact JWE of a signed token, by RSA-OAEP-256 and A256GCM (RFC 7516, 5.1).
    pub fn seal_token(&self, token: &str) -> String {
        let base64url = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let header = base64url(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#);
        let (key, nonce) = (random::<32>(), random::<12>());
        let mut text = token.as_bytes().to_vec();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a key of 32 bytes"));
        let tag = cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&header), &mut text)
            .expect("a text of a few kilobytes");
        let mut wrapped = vec![0; self.0.ciphertext_size()];
        let wrapped = self.0.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut wrapped, None).expect("a key of 32 bytes");
        let parts = [base64url(wrapped), base64url(&nonce), base64url(&text), base64url(tag.as_ref())];
        format!("{header}.{}", parts.join("."))
    }

    /// The EncryptedAssertion of `assertion`. Its text is that of a document of its own: every namespace that it uses is
    /// declared in it, so that it reads alike wherever it is opened.
    pub fn seal(&self, assertion: &Element) -> Element {
        let (key, nonce) = (random::<32>(), random::<12>());
        let mut text = assertion.canonical().into_bytes();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a key of 32 bytes"));
        let tag = Nonce::assume_unique_for_key(nonce);
        cipher.seal_in_place_append_tag(tag, Aad::empty(), &mut text).expect("a text of a few kilobytes");
        let content = [nonce.as_slice(), &text].concat();
        let mut wrapped = vec![0; self.0.ciphertext_size()];
        let wrapped = self.0.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None).expect("a key of 32 bytes");

        let method = |uri: &str| element("xenc:EncryptionMethod").attr("Algorithm", uri);
        let value = |bytes: &[u8]| {
            let text = base64_simd::STANDARD.encode_to_string(bytes);
            element("xenc:CipherData").child(element("xenc:CipherValue").text(text))
        };
        // What nearly every provider sends: SHA-1 here is the hash of a mask, and nothing hangs on its collisions.
        let encrypted_key = element("xenc:EncryptedKey")
            .child(method("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"))
            .child(value(wrapped));
        let data = element("xenc:EncryptedData")
            .attr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
            .child(method("http://www.w3.org/2009/xmlenc11#aes256-gcm"))
            .child(element("ds:KeyInfo").child(encrypted_key))
            .child(value(&content));
        element("saml:EncryptedAssertion").child(data)
    }
}
