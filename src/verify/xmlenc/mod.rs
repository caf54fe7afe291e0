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
    let opened = worked_through(found, parts.algorithm.key_bytes(), |key| parts.algorithm.open(key, parts.content));
    let text = opened.ok_or_else(failed)?;
    Ok(Opened { text, authenticated: parts.algorithm.is_authenticated() })
}

/// The content, opened with the key that was found, if it has the right size. Without one the content is worked through all
/// the same, with a key that opens nothing: the time must not tell which of the two steps failed.
fn worked_through(
    found: Option<Secret<Vec<u8>>>,
    bytes: usize,
    open: impl FnOnce(&[u8]) -> Option<Secret<Vec<u8>>>,
) -> Option<Secret<Vec<u8>>> {
    match found.filter(|key| key.expose().len() == bytes) {
        Some(key) => open(key.expose()),
        None => {
            let _ = open(&vec![0; bytes]);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn t30_a_content_is_worked_through_once_whether_its_key_unwraps_or_not() {
        for (what, found, key, opens) in [
            ("a key", Some(vec![7; 32]), vec![7; 32], true),
            ("none", None, vec![0; 32], false),
            ("an empty one", Some(vec![]), vec![0; 32], false),
            ("one that is too short", Some(vec![7; 31]), vec![0; 32], false),
            ("one that is too long", Some(vec![7; 33]), vec![0; 32], false),
        ] {
            let tried = RefCell::new(Vec::new());
            let opened = worked_through(found.map(Secret::new), 32, |key| {
                tried.borrow_mut().push(key.to_vec());
                // Also a content that opens to something under the key of nothing is no content.
                Some(Secret::new(b"text".to_vec()))
            });
            assert_eq!(tried.into_inner(), [key], "{what}");
            assert_eq!(opened.is_some(), opens, "{what}");
        }
    }
}
