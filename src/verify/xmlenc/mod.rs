//! XML Encryption 1.1 as SAML uses it (SAML Core 2.3.4 and 6): one EncryptedData, its key wrapped for each recipient.
//!
//! An algorithm that we do not take is told as such: whoever wrote the message knows it. Of everything that depends on a
//! key there is one error, after the same work: a sender who learns *why* a message did not open can, message by
//! message, learn what is in another one (T30).

mod shape;

use crate::base::Secret;
use crate::crypto::encryption::UnwrapKey;
use crate::verify::dsig::SignedElement;
use crate::verify::xml::Element;
use crate::verify::{Reason, Reject};
use shape::Parts;

/// What was opened.
pub struct Opened {
    /// The plaintext of the element.
    pub text: Secret<Vec<u8>>,
    /// Whether a change in the ciphertext would have been noticed. Where not, what the plaintext looks like must not be
    /// told apart from a plaintext that there is not: whoever may sign a Response could put another provider's
    /// ciphertext into it, bent, and learn byte by byte what it holds.
    pub authenticated: bool,
}

/// The one answer to everything that hangs on a key.
pub fn failed() -> Reject {
    let detail = "no decryption key of ours opens it, or it was changed on its way";
    Reject::new(Reason::AssertionUndecryptable, detail)
}

/// Opens `encrypted`, an EncryptedAssertion. `signed` is what a verified signature around it covers: without one, only
/// ciphers that notice every change are opened. `recipient` is our entityID.
///
/// # Errors
/// `encryption_algorithm` and `encryption_oaep_hashes` for what the message says of itself, `assertion_undecryptable` for
/// everything else.
pub fn open(
    encrypted: Element<'_>,
    signed: Option<SignedElement<'_>>,
    recipient: &str,
    keys: &dyn UnwrapKey,
) -> Result<Opened, Reject> {
    let parts = Parts::of(encrypted, recipient)?;
    let vouched = signed.is_some_and(|signed| signed.covers(encrypted));
    if !vouched && !parts.algorithm.is_authenticated() {
        let detail = "AES-CBC without a signature around it: only AES-GCM is opened then";
        return Err(Reject::new(Reason::EncryptionAlgorithm, detail));
    }
    let found = parts.keys.iter().find_map(|(transport, wrapped)| keys.unwrap_key(transport, wrapped));
    let bytes = parts.algorithm.key_bytes();
    let authenticated = parts.algorithm.is_authenticated();
    match found.filter(|key| key.expose().len() == bytes) {
        Some(key) => {
            let text = parts.algorithm.open(key.expose(), parts.content).ok_or_else(failed)?;
            Ok(Opened { text, authenticated })
        }
        None => {
            // The content is worked through all the same: the time must not tell which of the two steps failed.
            let _ = parts.algorithm.open(&vec![0; bytes], parts.content);
            Err(failed())
        }
    }
}
