//! The parts of an EncryptedAssertion, taken apart strictly (XML Encryption 1.1, section 3): what is not expected is
//! refused, and of what may be there only what opening needs is read.

use crate::crypto::encryption::{ContentAlgorithm, KeyTransport, OaepHash};
use crate::verify::xml::{Element, ns};
use crate::verify::{Reason, Reject, base64};

const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const ENCRYPTED_KEY: &str = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";
const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

/// Recipients of one message. A provider encrypts to one; each one more costs a private-key operation.
const RECIPIENTS: usize = 4;
/// Wrapped keys in a message, other recipients' included: they are looked up one by one, before anything is signed.
const KEYS: usize = 16;
/// A wrapped key: RSA 8192 gives 1024 bytes.
const WRAPPED_BYTES: usize = 1024;
/// OAEPparams. Nobody is known to send one.
const LABEL_BYTES: usize = 256;

/// What opening needs.
pub(super) struct Parts {
    pub(super) algorithm: ContentAlgorithm,
    pub(super) content: Vec<u8>,
    /// The content key, wrapped for us or for whoever has it.
    pub(super) keys: Vec<(KeyTransport, Vec<u8>)>,
}

fn shape(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::AssertionUndecryptable, what)
}

impl Parts {
    pub(super) fn of(encrypted: Element<'_>, recipient: &str) -> Result<Self, Reject> {
        let mut children = container(encrypted)?;
        let data = children.next().filter(|child| child.is(ns::XENC, "EncryptedData"));
        let data = data.ok_or_else(|| shape("no EncryptedData"))?;
        let beside: Vec<Element<'_>> = children.take(KEYS + 1).collect();
        if beside.len() > KEYS {
            return Err(shape(format_args!("more than {KEYS} elements beside EncryptedData")));
        }
        if let Some(other) = beside.iter().find(|child| !child.is(ns::XENC, "EncryptedKey")) {
            return Err(shape(format_args!("{} beside EncryptedData", other.local_name())));
        }
        if let Some(kind) = data.attribute("Type").filter(|kind| kind != ELEMENT) {
            return Err(shape(format_args!("EncryptedData of the type {kind:?}: an element is expected")));
        }
        let read = Encrypted::read(data)?;
        let name = read.method.attribute("Algorithm").ok_or_else(|| shape("an EncryptionMethod without Algorithm"))?;
        let algorithm = ContentAlgorithm::from_xmlenc(&name).ok_or_else(|| {
            Reject::new(Reason::EncryptionAlgorithm, format_args!("the content is encrypted by {name:?}"))
        })?;
        for child in container(read.method)? {
            let bits =
                child.is(ns::XENC, "KeySize").then(|| child.plain_text()?.trim().parse::<usize>().ok()).flatten();
            if bits != Some(algorithm.key_bytes() * 8) {
                return Err(shape(format_args!("{} in the content's EncryptionMethod", child.local_name())));
            }
        }
        let keys = wrapped_keys(read.key_info, &beside, recipient)?;
        Ok(Self { algorithm, content: read.value(usize::MAX)?, keys })
    }
}

/// An EncryptedData or EncryptedKey: EncryptionMethod, KeyInfo and CipherData with a CipherValue.
struct Encrypted<'d> {
    method: Element<'d>,
    key_info: Option<Element<'d>>,
    value: Element<'d>,
}

impl<'d> Encrypted<'d> {
    fn read(element: Element<'d>) -> Result<Self, Reject> {
        let name = element.local_name();
        let mut children = container(element)?.peekable();
        let method = children.next_if(|child| child.is(ns::XENC, "EncryptionMethod"));
        // SAML lets parties agree on it beforehand; nobody does, and guessing is not for here.
        let method = method.ok_or_else(|| shape(format_args!("{name} names no EncryptionMethod")))?;
        let key_info = children.next_if(|child| child.is(ns::DS, "KeyInfo"));
        let data = children.next_if(|child| child.is(ns::XENC, "CipherData"));
        let data = data.ok_or_else(|| shape(format_args!("{name} has no CipherData where it belongs")))?;
        for child in children {
            let known = ["EncryptionProperties", "ReferenceList", "CarriedKeyName"];
            if !known.iter().any(|known| child.is(ns::XENC, known)) {
                return Err(shape(format_args!("{} in {name}", child.local_name())));
            }
        }
        let mut inner = container(data)?;
        match (inner.next(), inner.next()) {
            (Some(value), None) if value.is(ns::XENC, "CipherValue") => Ok(Self { method, key_info, value }),
            // A CipherReference would make us fetch something.
            (Some(other), None) => Err(shape(format_args!("{} in CipherData", other.local_name()))),
            _ => Err(shape("CipherData without its one CipherValue")),
        }
    }

    fn value(&self, most: usize) -> Result<Vec<u8>, Reject> {
        let text = self.value.plain_text().ok_or_else(|| shape("a CipherValue that is no plain text"))?;
        // Four characters hold three bytes; white space is allowed for.
        let decoded = (text.len() / 2 <= most).then(|| base64::decode_spaced(text)).flatten();
        decoded.filter(|bytes| bytes.len() <= most).ok_or_else(|| shape("a CipherValue that is no base64, or too long"))
    }
}

/// The child elements of an element that holds nothing else.
fn container<'d>(element: Element<'d>) -> Result<impl Iterator<Item = Element<'d>>, Reject> {
    if element.is_strict_container() {
        Ok(element.children())
    } else {
        Err(shape(format_args!("{} holds text, a comment or CDATA", element.local_name())))
    }
}

/// The wrapped keys that may be for us: within KeyInfo, or beside the data. Where KeyInfo points at some of those beside
/// (RetrievalMethod), only they count.
fn wrapped_keys(
    key_info: Option<Element<'_>>,
    beside: &[Element<'_>],
    recipient: &str,
) -> Result<Vec<(KeyTransport, Vec<u8>)>, Reject> {
    let mut candidates: Vec<Element<'_>> = Vec::with_capacity(1);
    let mut pointed = false;
    for child in key_info.iter().flat_map(|info| info.children()) {
        if candidates.len() > KEYS {
            return Err(shape(format_args!("more than {KEYS} EncryptedKeys")));
        }
        if child.is(ns::XENC, "EncryptedKey") {
            candidates.push(child);
        } else if child.is(ns::DS, "RetrievalMethod") {
            pointed = true;
            candidates.push(retrieved(child, beside)?);
        }
        // KeyName, X509Data and the like say whose key it is: every key of ours is tried anyway.
    }
    if !pointed {
        candidates.extend(beside);
    }
    if candidates.is_empty() {
        return Err(shape("no EncryptedKey"));
    }
    // Other recipients' keys are none of our business, however they are wrapped.
    candidates.retain(|key| key.attribute("Recipient").is_none_or(|of| of.is_empty() || of == recipient));
    if candidates.is_empty() {
        let detail = "every EncryptedKey names another recipient";
        return Err(Reject::new(Reason::AssertionUndecryptable, detail));
    }
    if candidates.len() > RECIPIENTS {
        return Err(shape(format_args!("more than {RECIPIENTS} EncryptedKeys that may be for us")));
    }
    let (mut keys, mut refused) = (Vec::with_capacity(1), None);
    for candidate in candidates {
        let key = Encrypted::read(candidate).and_then(|read| Ok((transport(read.method)?, read.value(WRAPPED_BYTES)?)));
        match key {
            Ok(key) => keys.push(key),
            Err(reject) => refused = refused.or(Some(reject)),
        }
    }
    match refused {
        Some(reject) if keys.is_empty() => Err(reject),
        _ => Ok(keys),
    }
}

/// The EncryptedKey that a RetrievalMethod points at: beside the data, and nowhere else.
fn retrieved<'d>(method: Element<'d>, beside: &[Element<'d>]) -> Result<Element<'d>, Reject> {
    let fine = method.attribute("Type").is_none_or(|kind| kind == ENCRYPTED_KEY) && method.children().next().is_none();
    let uri = method.attribute("URI").unwrap_or_default();
    let id = uri.strip_prefix('#').filter(|_| fine);
    let found = id.and_then(|id| beside.iter().find(|key| key.attribute("Id").as_deref() == Some(id)));
    found.copied().ok_or_else(|| shape("a RetrievalMethod that points at no EncryptedKey beside the data"))
}

/// RSA-OAEP (XML Encryption 5.5.2), with one hash for both of its places.
fn transport(method: Element<'_>) -> Result<KeyTransport, Reject> {
    let name = method.attribute("Algorithm").ok_or_else(|| shape("an EncryptionMethod without Algorithm"))?;
    if name != OAEP_MGF1P && name != OAEP {
        return Err(Reject::new(Reason::EncryptionAlgorithm, format_args!("the key is wrapped by {name:?}")));
    }
    let (mut digest, mut mask, mut label) = (None, None, Vec::new());
    for child in container(method)? {
        let algorithm = || child.attribute("Algorithm").unwrap_or_default();
        if child.is(ns::DS, "DigestMethod") && digest.is_none() {
            digest = Some(hash(&algorithm(), DIGESTS)?);
        } else if child.is(ns::XENC11, "MGF") && mask.is_none() && name == OAEP {
            mask = Some(hash(&algorithm(), MASKS)?);
        } else if child.is(ns::XENC, "OAEPparams") && label.is_empty() {
            let text = child.plain_text().unwrap_or_default();
            let decoded = (text.len() <= 2 * LABEL_BYTES).then(|| base64::decode_spaced(text)).flatten();
            label = decoded.ok_or_else(|| shape("OAEPparams that is no base64, or too long"))?;
        } else if !child.is(ns::XENC, "KeySize") {
            return Err(shape(format_args!("{} in a key's EncryptionMethod", child.local_name())));
        }
    }
    // SHA-1 is the default of both (5.5.2), and the mask of the older identifier always.
    let (digest, mask) = (digest.unwrap_or(OaepHash::Sha1), mask.unwrap_or(OaepHash::Sha1));
    if digest != mask {
        let detail = format_args!("RSA-OAEP with {digest:?} and MGF1 with {mask:?}: both must be the same");
        return Err(Reject::new(Reason::EncryptionOaepHashes, detail));
    }
    Ok(KeyTransport { hash: digest, label })
}

const DIGESTS: [(&str, OaepHash); 4] = [
    ("http://www.w3.org/2000/09/xmldsig#sha1", OaepHash::Sha1),
    ("http://www.w3.org/2001/04/xmlenc#sha256", OaepHash::Sha256),
    ("http://www.w3.org/2001/04/xmldsig-more#sha384", OaepHash::Sha384),
    ("http://www.w3.org/2001/04/xmlenc#sha512", OaepHash::Sha512),
];

const MASKS: [(&str, OaepHash); 4] = [
    ("http://www.w3.org/2009/xmlenc11#mgf1sha1", OaepHash::Sha1),
    ("http://www.w3.org/2009/xmlenc11#mgf1sha256", OaepHash::Sha256),
    ("http://www.w3.org/2009/xmlenc11#mgf1sha384", OaepHash::Sha384),
    ("http://www.w3.org/2009/xmlenc11#mgf1sha512", OaepHash::Sha512),
];

fn hash(uri: &str, known: [(&str, OaepHash); 4]) -> Result<OaepHash, Reject> {
    let found = known.into_iter().find(|(name, _)| *name == uri).map(|(_, hash)| hash);
    found.ok_or_else(|| Reject::new(Reason::EncryptionAlgorithm, format_args!("RSA-OAEP with {uri:?}")))
}
