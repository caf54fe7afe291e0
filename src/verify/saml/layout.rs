//! Where signatures and assertions stand in a whole document: nothing may stand where a reader could take it for
//! something else (T1, T2, T8).

use crate::verify::xml::{Document, Element, ns};
use crate::verify::{Reason, Reject};

/// A Response's.
#[derive(Default)]
pub(super) struct Layout<'d> {
    pub(super) response_signatures: usize,
    pub(super) assertion_signatures: usize,
    assertions: usize,
    /// An assertion stands elsewhere than directly under the Response.
    stray: bool,
    /// The Assertion or EncryptedAssertion.
    pub(super) assertion: Option<Element<'d>>,
}

impl<'d> Layout<'d> {
    pub(super) fn of_response(document: &'d Document<'d>) -> Result<Self, Reject> {
        let root = document.root();
        let mut found = Self::default();
        for element in document.elements() {
            if element.is(ns::DS, "Signature") {
                let parent = element.parent();
                let assertion = parent.filter(|p| p.is(ns::SAML, "Assertion") && p.parent() == Some(root));
                if parent == Some(root) {
                    found.response_signatures += 1;
                } else if assertion.is_some() {
                    found.assertion_signatures += 1;
                } else {
                    return Err(misplaced(element));
                }
            } else if is_assertion(element) {
                found.assertions += 1;
                found.stray |= element.parent() != Some(root);
                found.assertion = Some(element);
            }
        }
        if found.response_signatures > 1 {
            return Err(Reject::new(Reason::SignatureMultiple, "the Response has more than one Signature"));
        }
        document.ids_are_unique()?;
        if found.assertions > 1 || found.stray {
            return Err(Reject::new(Reason::AssertionMultiple, "more than one Assertion, or one out of place"));
        }
        if found.assertion_signatures > 1 {
            return Err(Reject::new(Reason::SignatureMultiple, "the Assertion has more than one Signature"));
        }
        Ok(found)
    }
}

/// Whether an Assertion that came encrypted is signed. It is a document of its own: what it holds is judged as it would
/// be inside the Response.
pub(super) fn opened_is_signed<'d>(document: &'d Document<'d>) -> Result<bool, Reject> {
    let root = document.root();
    if !root.is(ns::SAML, "Assertion") {
        let detail = format_args!("what was encrypted is {} and no Assertion", root.local_name());
        return Err(Reject::new(Reason::AssertionMissing, detail));
    }
    let mut signatures = 0;
    for element in document.elements() {
        if element.is(ns::DS, "Signature") {
            if element.parent() != Some(root) {
                return Err(misplaced(element));
            }
            signatures += 1;
        } else if is_assertion(element) && element != root {
            return Err(Reject::new(Reason::AssertionMultiple, "an Assertion within the encrypted one"));
        }
    }
    document.ids_are_unique()?;
    if signatures > 1 {
        return Err(Reject::new(Reason::SignatureMultiple, "the Assertion has more than one Signature"));
    }
    Ok(signatures == 1)
}

fn is_assertion(element: Element<'_>) -> bool {
    element.is(ns::SAML, "Assertion") || element.is(ns::SAML, "EncryptedAssertion")
}

fn misplaced(signature: Element<'_>) -> Reject {
    let within = signature.parent().map_or("nothing", |p| p.local_name());
    Reject::new(Reason::SignatureMisplaced, format_args!("a Signature within {within}"))
}
