//! Verifying a Signature, and the element that it vouches for.

use std::borrow::Cow;

use super::shape;
use crate::crypto::trusted::{NotVerified, PublicKey, SignatureAlgorithm};
use crate::verify::xml::canonical::{self, DigestSink, Options};
use crate::verify::xml::document::Children;
use crate::verify::xml::{Document, Element, ns};
use crate::verify::{Reason, Reject};

/// An element that a trusted key signed, or one that stands within such an element.
///
/// The Signature that vouches for it is out of reach: that part it does not cover. No function makes one but [`verify`],
/// what verifies the signature of a query, and what opens an encrypted part of one.
///
/// ```compile_fail,E0451
/// use grindvakt::verify::{dsig::SignedElement, xml::Element};
/// fn forge(element: Element<'_>) -> SignedElement<'_> {
///     SignedElement { element, signature: None, by: 0 }
/// }
/// ```
///
/// ```
/// use grindvakt::verify::dsig::SignedElement;
/// fn read<'d>(signed: SignedElement<'d>) -> Option<std::borrow::Cow<'d, str>> {
///     signed.attribute("ID")
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SignedElement<'d> {
    element: Element<'d>,
    /// None where the signature stands in another document: around the ciphertext that this one was opened from.
    signature: Option<Element<'d>>,
    /// Which of the keys made the signature: its place among those that were tried.
    by: usize,
}

impl<'d> SignedElement<'d> {
    /// Whether this is `{namespace}local`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.element.is(namespace, local)
    }

    /// The name without its prefix.
    pub fn local_name(&self) -> &'d str {
        self.element.local_name()
    }

    /// The value of the attribute `local` without a namespace.
    pub fn attribute(&self, local: &str) -> Option<Cow<'d, str>> {
        self.element.attribute(local)
    }

    /// The value of the attribute `{namespace}local`.
    pub fn attribute_ns(&self, namespace: &str, local: &str) -> Option<Cow<'d, str>> {
        self.element.attribute_ns(namespace, local)
    }

    /// The whole text; none when an element stands within.
    pub fn text(&self) -> Option<Cow<'d, str>> {
        self.element.text()
    }

    /// Whether text other than white space stands directly within it.
    pub fn has_stray_text(&self) -> bool {
        self.element.has_stray_text()
    }

    /// The child elements but the Signature.
    pub fn children(&self) -> SignedChildren<'d> {
        SignedChildren { inner: self.element.children(), signature: self.signature, by: self.by }
    }

    /// `element` as signed, when it stands within this one and outside the Signature.
    pub fn inner(&self, element: Element<'d>) -> Option<Self> {
        self.covers(element).then_some(Self { element, signature: self.signature, by: self.by })
    }

    /// Which of the keys that were tried made the signature: its place among them.
    pub const fn by(&self) -> usize {
        self.by
    }

    /// Whether `element` stands within this one and outside the Signature.
    pub fn covers(&self, element: Element<'_>) -> bool {
        self.element.contains(element) && !self.signature.is_some_and(|signature| signature.contains(element))
    }

    /// `plain`, the document element of what `encrypted` was opened to: whoever signed the ciphertext signed what it
    /// opens to. None where the signature does not cover `encrypted`. That `plain` came from there is the caller's word.
    pub(in crate::verify) fn opened<'p>(
        &self,
        encrypted: Element<'d>,
        plain: Element<'p>,
    ) -> Option<SignedElement<'p>> {
        self.covers(encrypted).then_some(SignedElement { element: plain, signature: None, by: self.by })
    }
}

/// The signed children of a signed element.
#[derive(Clone, Debug)]
pub struct SignedChildren<'d> {
    inner: Children<'d>,
    signature: Option<Element<'d>>,
    by: usize,
}

impl<'d> Iterator for SignedChildren<'d> {
    type Item = SignedElement<'d>;

    fn next(&mut self) -> Option<SignedElement<'d>> {
        let element = self.inner.by_ref().find(|child| Some(*child) != self.signature)?;
        Some(SignedElement { element, signature: self.signature, by: self.by })
    }
}

/// Verifies the Signature directly under `element` with one of `keys`, and that it covers the whole of `element`.
///
/// The caller has made sure that IDs are unique in the document. Every key of the right type is tried: issuers publish
/// the next key before they use it (profile 3.7).
///
/// # Errors
/// `signature_missing`, `signature_multiple`, `id_malformed`, `id_ambiguous`, the rejects of the shape,
/// `signature_key_type`, `signature_invalid` and `digest_mismatch`, in this order.
pub fn verify<'d>(element: Element<'d>, keys: &[PublicKey]) -> Result<SignedElement<'d>, Reject> {
    let mut signatures = element.children().filter(|child| child.is(ns::DS, "Signature"));
    let name = element.local_name();
    let signature = signatures.next();
    let signature =
        signature.ok_or_else(|| Reject::new(Reason::SignatureMissing, format_args!("{name} is not signed")))?;
    if signatures.next().is_some() {
        return Err(Reject::new(Reason::SignatureMultiple, format_args!("{name} has more than one Signature")));
    }
    let id = own_id(element)?;
    let parts = shape::read(signature)?;
    if parts.uri.strip_prefix('#') != Some(id.as_ref()) {
        let detail = format_args!("the Reference is to {:?} and not to the enclosing {name}", parts.uri);
        return Err(Reject::new(Reason::SignatureReference, detail));
    }

    let mut info = Vec::with_capacity(1024);
    let options = Options { without: None, comments: parts.info_comments, inclusive: &parts.info_prefixes };
    canonical::write(parts.signed_info, &options, &mut info);
    let by = made_by_one_of(keys, parts.algorithm, &info, &parts.value, name)?;

    let mut sink = DigestSink::new(parts.digest);
    // A Reference by `#id` selects no comments, whatever the transform says (XMLDSig 4.4.3.3).
    let options = Options { without: Some(signature), comments: false, inclusive: &parts.prefixes };
    canonical::write(element, &options, &mut sink);
    if sink.finish()?.as_ref() != parts.digest_value {
        return Err(Reject::new(Reason::DigestMismatch, format_args!("{name} is not what was signed")));
    }
    Ok(SignedElement { element, signature: Some(signature), by })
}

/// The document element of a message whose signature stands beside it, in the query that it came in (SAML Bindings
/// 3.4.4.1): `signed` are the very octets of that query, and the document was read from what they carry, which is the
/// caller's word. No Signature may stand within.
///
/// # Errors
/// `signature_misplaced`, `id_malformed`, `id_ambiguous`, `signature_key_type`, `signature_invalid`.
pub(in crate::verify) fn verify_detached<'d>(
    document: &'d Document<'d>,
    keys: &[PublicKey],
    algorithm: SignatureAlgorithm,
    signed: &[u8],
    signature: &[u8],
) -> Result<SignedElement<'d>, Reject> {
    let element = document.root();
    if document.elements().any(|element| element.is(ns::DS, "Signature")) {
        let detail = "a Signature within a message that its query signs (SAML Bindings 3.4.4.1)";
        return Err(Reject::new(Reason::SignatureMisplaced, detail));
    }
    own_id(element)?;
    let by = made_by_one_of(keys, algorithm, signed, signature, element.local_name())?;
    Ok(SignedElement { element, signature: None, by })
}

/// One by one until one fits, whose place is returned; a key of another type costs nothing.
fn made_by_one_of(
    keys: &[PublicKey],
    algorithm: SignatureAlgorithm,
    signed: &[u8],
    signature: &[u8],
    name: &str,
) -> Result<usize, Reject> {
    let mut refused = NotVerified::KeyType;
    let vouched = keys.iter().position(|key| match key.verify(algorithm, signed, signature) {
        Ok(()) => true,
        Err(NotVerified::KeyType) => false,
        Err(NotVerified::Signature) => {
            refused = NotVerified::Signature;
            false
        }
    });
    if let Some(place) = vouched {
        return Ok(place);
    }
    Err(match refused {
        NotVerified::KeyType => Reject::new(
            Reason::SignatureKeyType,
            format_args!("none of the issuer's {} keys is of the type of {algorithm:?}", keys.len()),
        ),
        NotVerified::Signature => Reject::new(
            Reason::SignatureInvalid,
            format_args!("none of the issuer's {} keys made the signature of {name}", keys.len()),
        ),
    })
}

/// The element's `ID`, and that no other attribute could be taken for it (T4).
fn own_id(element: Element<'_>) -> Result<Cow<'_, str>, Reject> {
    let name = element.local_name();
    let rival = element
        .attributes()
        .any(|(namespace, local, _)| local.eq_ignore_ascii_case("id") && !(namespace.is_empty() && local == "ID"));
    if rival {
        return Err(Reject::new(Reason::IdAmbiguous, format_args!("{name} has a second attribute like an ID")));
    }
    let id = element.attribute("ID").filter(|id| crate::verify::xml::is_ncname(id));
    id.ok_or_else(|| Reject::new(Reason::IdMalformed, format_args!("{name} has no ID that is an NCName")))
}
