//! The signature inside a posted AuthnRequest, for a sender that writes canonical form.
//!
//! The demo has no canonicaliser (see [`crate::xml`]). Where the sender's text is canonical, removing the Signature's
//! text from the element gives the digested text, and SignedInfo's own text, with the one namespace that it inherits,
//! gives the signed text. Where it is not, the digest differs and the request is refused.

use aws_lc_rs::digest::{SHA256, digest};
use grindvakt::crypto::trusted::{PublicKey, SignatureAlgorithm};
use roxmltree::{Document, Node};

use crate::request::{BadRequest, base64};
use crate::xml::namespace;

fn child<'a, 'd>(parent: Node<'a, 'd>, local: &'static str) -> Option<Node<'a, 'd>> {
    parent.children().find(|n| n.has_tag_name((namespace("ds"), local)))
}

/// Verifies the enveloped signature of the document element with one of `keys`.
pub(crate) fn verify(xml: &str, keys: &[PublicKey]) -> Result<(), BadRequest> {
    let document = Document::parse(xml).map_err(|e| BadRequest::Unreadable(e.to_string()))?;
    let root = document.root_element();
    let signature = child(root, "Signature").ok_or(BadRequest::Unsigned)?;
    let shape = || BadRequest::Signature("its shape");
    let info = child(signature, "SignedInfo").ok_or_else(shape)?;
    let reference = child(info, "Reference").ok_or_else(shape)?;
    let id = root.attribute("ID").unwrap_or_default();
    if reference.attribute("URI") != Some(&format!("#{id}")) {
        return Err(BadRequest::Signature("it does not refer to the request"));
    }

    let (whole, cut) = (root.range(), signature.range());
    let before = xml.get(whole.start..cut.start).ok_or_else(shape)?;
    let after = xml.get(cut.end..whole.end).ok_or_else(shape)?;
    let claimed = base64(child(reference, "DigestValue").and_then(|n| n.text()).unwrap_or_default().as_bytes())?;
    if digest(&SHA256, format!("{before}{after}").as_bytes()).as_ref() != claimed {
        return Err(BadRequest::Signature("its digest"));
    }

    let uri = child(info, "SignatureMethod").and_then(|n| n.attribute("Algorithm")).unwrap_or_default();
    let algorithm = SignatureAlgorithm::from_xmldsig(uri).ok_or(BadRequest::Signature("its algorithm"))?;
    let value = base64(child(signature, "SignatureValue").and_then(|n| n.text()).unwrap_or_default().as_bytes())?;
    let text = xml.get(info.range()).ok_or_else(shape)?;
    // As an apex, SignedInfo declares the namespace that it has from Signature.
    let declared = format!("<ds:SignedInfo xmlns:ds=\"{}\">", namespace("ds"));
    let signed = text.replacen("<ds:SignedInfo>", &declared, 1);
    if keys.iter().any(|key| key.verify(algorithm, signed.as_bytes(), &value).is_ok()) {
        Ok(())
    } else {
        Err(BadRequest::Signature("no key of the service made it"))
    }
}
