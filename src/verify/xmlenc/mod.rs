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

/// Opens `encrypted`, an EncryptedAssertion. `signed` is what a verified signature around it covers: without one, only
/// ciphers that notice every change are opened. `recipient` is our entityID. Returns the plaintext of the element.
///
/// # Errors
/// `encryption_algorithm` and `encryption_oaep_hashes` for what the message says of itself, `assertion_undecryptable` for
/// everything else.
pub fn open(
    encrypted: Element<'_>,
    signed: Option<SignedElement<'_>>,
    recipient: &str,
    keys: &dyn UnwrapKey,
) -> Result<Secret<Vec<u8>>, Reject> {
    let parts = Parts::of(encrypted, recipient)?;
    let vouched = signed.is_some_and(|signed| signed.covers(encrypted));
    if !vouched && !parts.algorithm.is_authenticated() {
        let detail = "AES-CBC without a signature around it: only AES-GCM is opened then";
        return Err(Reject::new(Reason::EncryptionAlgorithm, detail));
    }
    let found = parts.keys.iter().find_map(|(transport, wrapped)| keys.unwrap_key(transport, wrapped));
    let bytes = parts.algorithm.key_bytes();
    let failed = || {
        let detail = "no decryption key of ours opens it, or it was changed on its way";
        Reject::new(Reason::AssertionUndecryptable, detail)
    };
    match found.filter(|key| key.expose().len() == bytes) {
        Some(key) => parts.algorithm.open(key.expose(), parts.content).ok_or_else(failed),
        None => {
            // The content is worked through all the same: the time must not tell which of the two steps failed.
            let _ = parts.algorithm.open(&vec![0; bytes], parts.content);
            Err(failed())
        }
    }
}
