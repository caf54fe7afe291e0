//! The parts of a Signature, taken apart strictly: what is not expected is refused.

use crate::crypto::digest::DigestAlgorithm;
use crate::crypto::trusted::SignatureAlgorithm;
use crate::verify::xml::{Element, ns};
use crate::verify::{Reason, Reject, base64};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// The production feed of Sweden Connect names this one. With a Reference by `#id` comments are dropped all the same
/// (XMLDSig 4.4.3.3).
const EXC_C14N_WITH_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";

/// Prefixes in an InclusiveNamespaces list. Real ones hold one or two.
const INCLUSIVE_PREFIXES: usize = 32;
/// Digest and signature values are short: RSA 8192 gives 1024 bytes, 1366 in base64, and white space.
const VALUE_BYTES: usize = 4096;

/// A Signature's content.
pub(super) struct Parts<'d> {
    pub(super) signed_info: Element<'d>,
    /// InclusiveNamespaces of CanonicalizationMethod.
    pub(super) info_prefixes: Vec<&'d str>,
    pub(super) info_comments: bool,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) value: Vec<u8>,
    /// The Reference's URI as written.
    pub(super) uri: String,
    /// InclusiveNamespaces of the exclusive C14N transform.
    pub(super) prefixes: Vec<&'d str>,
    pub(super) digest: DigestAlgorithm,
    pub(super) digest_value: Vec<u8>,
}

fn shape(what: impl std::fmt::Display) -> Reject {
    Reject::new(Reason::SignatureShape, what)
}

/// The child elements of a `ds:` element, which must be exactly `names` in this order. A name that ends in `?` may be
/// missing. Comments, CDATA and text between them are refused: a digest that stands in two places has no place (T11).
fn parts<'d, const N: usize>(element: Element<'d>, names: [&str; N]) -> Result<[Option<Element<'d>>; N], Reject> {
    if !element.is_strict_container() {
        return Err(shape(format_args!("{} holds text, a comment or CDATA", element.local_name())));
    }
    let mut out = [None; N];
    let mut children = element.children().peekable();
    for (slot, name) in out.iter_mut().zip(names) {
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        *slot = children.next_if(|child| child.is(ns::DS, name));
        if slot.is_none() && !optional {
            return Err(shape(format_args!(
                "{} where {} holds no {name}",
                child_name(&mut children),
                element.local_name()
            )));
        }
    }
    match children.next() {
        Some(extra) => Err(shape(format_args!("{} in {}", extra.local_name(), element.local_name()))),
        None => Ok(out),
    }
}

fn child_name<'d>(children: &mut std::iter::Peekable<impl Iterator<Item = Element<'d>>>) -> &'d str {
    children.peek().map_or("nothing", |child| child.local_name())
}

/// The `Algorithm` of a method or transform, and the PrefixList of the InclusiveNamespaces that it may hold.
fn method<'d>(element: Element<'d>) -> Result<(std::borrow::Cow<'d, str>, Vec<&'d str>), Reject> {
    let name = element.local_name();
    let algorithm = element
        .attribute("Algorithm")
        .ok_or_else(|| Reject::new(Reason::SignatureAlgorithm, format_args!("{name} names no Algorithm")))?;
    if !element.is_strict_container() {
        return Err(shape(format_args!("{name} holds text, a comment or CDATA")));
    }
    let mut prefixes = Vec::new();
    let mut children = element.children();
    if let Some(child) = children.next() {
        let list = child.is(ns::EXC_C14N, "InclusiveNamespaces").then(|| child.attribute("PrefixList")).flatten();
        // An owned list would hold references or line ends: nobody writes prefixes so.
        let Some(std::borrow::Cow::Borrowed(list)) = list else {
            return Err(shape(format_args!("{} in {name}", child.local_name())));
        };
        prefixes.extend(list.split_ascii_whitespace());
        if children.next().is_some() || child.children().next().is_some() || prefixes.len() > INCLUSIVE_PREFIXES {
            return Err(shape(format_args!("too much in {name}")));
        }
    }
    Ok((algorithm, prefixes))
}

fn value(element: Element<'_>) -> Result<Vec<u8>, Reject> {
    let name = element.local_name();
    let text = element.plain_text().ok_or_else(|| shape(format_args!("{name} holds more than one run of base64")))?;
    if text.len() > VALUE_BYTES {
        return Err(shape(format_args!("{name} is too long")));
    }
    base64::decode_spaced(text).ok_or_else(|| shape(format_args!("{name} is not base64")))
}

fn algorithm(what: &str, uri: &str) -> Reject {
    Reject::new(Reason::SignatureAlgorithm, format_args!("the {what} algorithm {uri:?} is not taken"))
}

/// Takes a Signature apart.
///
/// # Errors
/// `signature_shape`, `signature_reference`, `signature_transform` or `signature_algorithm`.
pub(super) fn read(signature: Element<'_>) -> Result<Parts<'_>, Reject> {
    let missing = || shape("a part is missing");
    // Object is refused here: whatever stands in it is not covered by the digest, since the Signature is cut out (T5).
    let [Some(signed_info), Some(signature_value), key_info] =
        parts(signature, ["SignedInfo", "SignatureValue", "KeyInfo?"])?
    else {
        return Err(missing());
    };
    // KeyInfo is never read: keys come from trusted metadata alone (T24).
    let _ = key_info;
    let [Some(canonicalization), Some(signature_method), Some(reference)] =
        parts(signed_info, ["CanonicalizationMethod", "SignatureMethod", "Reference"])?
    else {
        return Err(missing());
    };
    let uri =
        reference.attribute("URI").ok_or_else(|| Reject::new(Reason::SignatureReference, "a Reference without URI"))?;
    let [transforms, Some(digest_method), Some(digest_value)] =
        parts(reference, ["Transforms?", "DigestMethod", "DigestValue"])?
    else {
        return Err(missing());
    };
    let prefixes = transform_prefixes(transforms)?;

    let (c14n, info_prefixes) = method(canonicalization)?;
    let info_comments = match c14n.as_ref() {
        EXC_C14N => false,
        EXC_C14N_WITH_COMMENTS => true,
        other => {
            let detail = format_args!("the canonicalisation method {other:?} is not taken");
            return Err(Reject::new(Reason::SignatureTransform, detail));
        }
    };
    let plain_method = |element| match method(element)? {
        (uri, prefixes) if prefixes.is_empty() && element.children().next().is_none() => Ok(uri),
        _ => Err(shape(format_args!("parameters in {}", element.local_name()))),
    };
    let signature_uri = plain_method(signature_method)?;
    let digest_uri = plain_method(digest_method)?;
    Ok(Parts {
        signed_info,
        info_prefixes,
        info_comments,
        algorithm: SignatureAlgorithm::from_xmldsig(&signature_uri)
            .ok_or_else(|| algorithm("signature", &signature_uri))?,
        value: value(signature_value)?,
        uri: uri.into_owned(),
        prefixes,
        digest: DigestAlgorithm::from_xmldsig(&digest_uri).ok_or_else(|| algorithm("digest", &digest_uri))?,
        digest_value: value(digest_value)?,
    })
}

/// The two transforms, in their order; returns the InclusiveNamespaces of the second (SAML Core 5.4.4).
fn transform_prefixes(transforms: Option<Element<'_>>) -> Result<Vec<&str>, Reject> {
    let refused = |what: &str| Reject::new(Reason::SignatureTransform, what);
    let transforms =
        transforms.ok_or_else(|| refused("no transforms: enveloped-signature and exclusive C14N are needed"))?;
    if !transforms.is_strict_container() {
        return Err(shape("Transforms holds text, a comment or CDATA"));
    }
    let mut children = transforms.children();
    let (Some(first), Some(second), None) = (children.next(), children.next(), children.next()) else {
        return Err(refused("there must be two transforms: enveloped-signature, then exclusive C14N"));
    };
    if !first.is(ns::DS, "Transform") || !second.is(ns::DS, "Transform") {
        return Err(shape("Transforms holds something other than Transform"));
    }
    if first.attribute("Algorithm").as_deref() != Some(ENVELOPED) || first.children().next().is_some() {
        return Err(refused("the first transform is not enveloped-signature"));
    }
    match second.attribute("Algorithm").as_deref() {
        Some(EXC_C14N | EXC_C14N_WITH_COMMENTS) => Ok(method(second)?.1),
        _ => Err(refused("the second transform is not exclusive C14N")),
    }
}
