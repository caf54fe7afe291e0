//! Enveloped XML signatures over elements that are canonical already (XMLDSig; SAML Core 5.4).

use aws_lc_rs::digest::{SHA256, digest};

use crate::key::DemoKey;
use crate::xml::{Element, element};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const SHA256_URI: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// Where the Signature goes among the children: after the Issuer in messages and assertions, first in metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// First child.
    First,
    /// Second child, after the Issuer.
    AfterIssuer,
}

/// Signs `target`, which must carry an `ID` and no Signature yet, and puts the Signature into it.
///
/// The element is digested as it stands: its text is its canonical form. `xs` is listed in `InclusiveNamespaces`,
/// as OpenSAML does, because `xsi:type` values name it.
pub fn enveloped(target: Element, key: &DemoKey, place: Place) -> Element {
    let id = target.attribute("ID").unwrap_or_default().to_owned();
    let value = base64_simd::STANDARD.encode_to_string(digest(&SHA256, target.canonical().as_bytes()));

    let exclusive = element("ds:Transform")
        .attr("Algorithm", EXCLUSIVE)
        .child(element("ec:InclusiveNamespaces").attr("PrefixList", "xs"));
    let reference = element("ds:Reference")
        .attr("URI", format!("#{id}"))
        .child(element("ds:Transforms").child(element("ds:Transform").attr("Algorithm", ENVELOPED)).child(exclusive))
        .child(element("ds:DigestMethod").attr("Algorithm", SHA256_URI))
        .child(element("ds:DigestValue").text(value));
    let signed_info = element("ds:SignedInfo")
        .child(element("ds:CanonicalizationMethod").attr("Algorithm", EXCLUSIVE))
        .child(element("ds:SignatureMethod").attr("Algorithm", key.algorithm().uri()))
        .child(reference);
    let signature_value = base64_simd::STANDARD.encode_to_string(key.sign(signed_info.canonical().as_bytes()));
    // Providers send their certificate along. A verifier must not look at it: trust comes from metadata.
    let key_info = element("ds:KeyInfo")
        .child(element("ds:X509Data").child(element("ds:X509Certificate").text(key.certificate_base64())));
    let signature = element("ds:Signature")
        .child(signed_info)
        .child(element("ds:SignatureValue").text(signature_value))
        .child(key_info);
    target.child_at(
        match place {
            Place::First => 0,
            Place::AfterIssuer => 1,
        },
        signature,
    )
}
