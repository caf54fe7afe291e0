//! A Response, from its bytes to verified claims (SAML Core 3.2.2, Profiles 4.1.4; the Swedish profile, part 7.1).

use std::borrow::Cow;

use super::layout::{self, Layout};
use super::rules::{in_response_to, recent, same_issuer};
use super::schema::{Readable, issuer, required, required_instant, schema, sequence, version};
use super::status::{self, Status};
use super::{Assertion, Expect, Profile, Signed, claims};
use crate::base::{UnixTime, limits};
use crate::verify::dsig::{self, SignedElement};
use crate::verify::observe::{Observer, Silent, Stage};
use crate::verify::xml::{self, Document, Element, ns};
use crate::verify::{Reason, Reject, Verified, xmlenc};

/// A Response that has been read but not verified: all it tells is who says to have sent it.
#[derive(Debug)]
pub struct Received<'a> {
    document: Document<'a>,
    second_reader: bool,
}

impl<'a> Received<'a> {
    /// Reads the document under the limits for messages. With `second_reader`, the veto of the second one is asked too.
    ///
    /// # Errors
    /// The reader's reject, or `not_a_response`.
    pub fn parse(xml: &'a [u8], second_reader: bool) -> Result<Self, Reject> {
        let document = xml::read(xml, &limits::MESSAGE)?;
        if second_reader {
            xml::second::veto(&document)?;
        }
        let root = document.root();
        if !root.is(ns::SAMLP, "Response") {
            let detail = format_args!("the document element is {}", root.local_name());
            return Err(Reject::new(Reason::NotAResponse, detail));
        }
        Ok(Self { document, second_reader })
    }

    /// The Issuer as the unverified message writes it, of the Response or else of its Assertion: good for finding the
    /// provider to verify with, and nothing else.
    pub fn issuer_hint(&self) -> Option<Cow<'_, str>> {
        fn issuer<'d>(e: Element<'d>) -> Option<Element<'d>> {
            e.children().find(|c| c.is(ns::SAML, "Issuer"))
        }
        let root = self.document.root();
        let found = issuer(root).or_else(|| root.children().find(|c| c.is(ns::SAML, "Assertion")).and_then(issuer));
        found.and_then(|e| e.text().map(Cow::into_owned)).map(Cow::Owned)
    }

    /// Verifies the signatures and every rule at the instant `now`.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn verify(&self, expect: &Expect<'_>, now: UnixTime) -> Result<Verified<Assertion>, Reject> {
        self.verify_observed(expect, now, &mut Silent)
    }

    /// [`Self::verify`], telling `observer` where each stage ends.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn verify_observed(
        &self,
        expect: &Expect<'_>,
        now: UnixTime,
        observer: &mut impl Observer,
    ) -> Result<Verified<Assertion>, Reject> {
        let root = self.document.root();
        version(root)?;
        required(root, "ID")?;
        let found = Layout::of_response(&self.document)?;
        // A refusal needs no signature: an answer by someone else than was asked is told as such, and fetches no keys.
        if let Some(name) = root.children().find(|e| e.is(ns::SAML, "Issuer")).and_then(|e| e.text()) {
            same_issuer(&name, expect.idp)?;
        }
        if expect.idp.signing_keys.is_empty() {
            return Err(Reject::new(Reason::ProviderWithoutKeys, "the provider has no signing key"));
        }
        if expect.idp.valid_until.is_some_and(|until| now >= until) {
            return Err(Reject::new(Reason::ProviderWithoutKeys, "the provider's metadata is past its validUntil"));
        }

        // Signatures first: until they hold, nothing that the message says is believed.
        if found.response_signatures == 0 && expect.signed == Signed::Response {
            return Err(Reject::new(Reason::SignatureMissing, "the Response is not signed"));
        }
        let keys = &expect.idp.signing_keys;
        let signed_response = match found.response_signatures {
            0 => None,
            _ => Some(dsig::verify(root, keys)?),
        };
        // A signature that stands there must hold, also where the other one would do (checklist 54).
        let own = match (found.assertion, found.assertion_signatures) {
            (Some(assertion), 1..) => Some(dsig::verify(assertion, keys)?),
            _ => None,
        };
        observer.mark(Stage::Signatures);

        match signed_response {
            Some(signed) => check_response(signed, expect, now, true)?,
            None => check_response(root, expect, now, false)?,
        };
        let Some(assertion) = found.assertion else {
            return Err(Reject::new(Reason::AssertionMissing, "success without an Assertion"));
        };
        let (claims, by) = if assertion.is(ns::SAML, "EncryptedAssertion") {
            // Decided before anything is opened: unsigned ciphertext is nobody's word (T14).
            let plain = xmlenc::open(assertion, signed_response, expect.audience, expect.decryption)?;
            observer.mark(Stage::Decryption);
            self.opened(&plain, assertion, signed_response, expect, now)?
        } else if expect.encryption_required {
            return Err(Reject::new(Reason::AssertionNotEncrypted, "the assertion is not encrypted"));
        } else {
            let by_response = signed_response.and_then(|signed| signed.inner(assertion));
            let signed = vouched(expect.signed, by_response, own)?;
            (claims::read(signed, expect, now)?, signed.by())
        };
        observer.mark(Stage::Claims);
        Ok(Verified::new(claims).by(keys.get(by).map(|key| *key.fingerprint())))
    }

    /// The claims of an Assertion that came encrypted, and the place of the key that vouches for them: a document of its
    /// own, under the same limits and rules.
    fn opened(
        &self,
        plain: &xmlenc::Opened,
        encrypted: Element<'_>,
        response: Option<SignedElement<'_>>,
        expect: &Expect<'_>,
        now: UnixTime,
    ) -> Result<(Assertion, usize), Reject> {
        // What was opened without a way to see changes has one answer for everything about its form (T30).
        let form = |reject: Reject| if plain.authenticated { reject } else { xmlenc::failed() };
        let document = xml::read(plain.text.expose(), &limits::MESSAGE).map_err(form)?;
        if self.second_reader {
            xml::second::veto(&document).map_err(form)?;
        }
        let root = document.root();
        if root.attribute("ID").is_some_and(|id| self.document.has_id(&id)) {
            return Err(form(Reject::new(Reason::IdDuplicate, "the Assertion has an ID that stands in the Response")));
        }
        // A signature that stands there must hold, as in an Assertion in clear.
        let own = match layout::opened_is_signed(&document).map_err(form)? {
            true => Some(dsig::verify(root, &expect.idp.signing_keys).map_err(form)?),
            false => None,
        };
        let by_response = response.and_then(|signed| signed.opened(encrypted, root));
        let signed = vouched(expect.signed, by_response, own)?;
        Ok((claims::read(signed, expect, now)?, signed.by()))
    }
}

/// The Assertion, as the signature that is asked for vouches for it.
fn vouched<'d>(
    signed: Signed,
    by_response: Option<SignedElement<'d>>,
    own: Option<SignedElement<'d>>,
) -> Result<SignedElement<'d>, Reject> {
    let found = match signed {
        Signed::Response => by_response,
        Signed::Assertion => own,
        Signed::Either => own.or(by_response),
    };
    found.ok_or_else(|| Reject::new(Reason::SignatureMissing, "the Assertion is not signed"))
}

/// The Response's own fields. Where it is not signed they may refuse, and prove nothing (T17).
fn check_response<'d, E: Readable<'d>>(
    response: E,
    expect: &Expect<'_>,
    now: UnixTime,
    signed: bool,
) -> Result<(), Reject> {
    let [issuer_element, _extensions, status_element, assertion, encrypted] = sequence(
        response,
        [
            (ns::SAML, "Issuer"),
            (ns::SAMLP, "Extensions"),
            (ns::SAMLP, "Status"),
            (ns::SAML, "Assertion"),
            (ns::SAML, "EncryptedAssertion"),
        ],
    )?;
    match issuer_element.map(issuer).transpose()? {
        Some(name) => same_issuer(&name, expect.idp)?,
        // SAML Profiles 4.1.4.2 lets it be left out where the Response is not signed; the Swedish profile does not.
        None if signed || expect.profile == Profile::Federation => {
            return Err(Reject::new(Reason::IssuerMissing, "the Response has no Issuer"));
        }
        None => {}
    }
    let issued = required_instant(response, "IssueInstant")?;
    recent(issued, "the Response", expect.window(), now)?;
    destination(response, expect, signed)?;
    in_response_to(response.attribute("InResponseTo").as_deref(), expect, !signed)?;

    let status_element = status_element.ok_or_else(|| schema("the Response has no Status"))?;
    match (status::read(status_element)?, assertion.or(encrypted).is_some()) {
        (Status::Success, _) => Ok(()),
        // Who can post a form can write a status: unsigned it is no word of the provider's.
        (Status::Failed(_), _) if !signed => {
            Err(Reject::new(Reason::SignatureMissing, "an error status in a Response that is not signed"))
        }
        (Status::Failed(reject), false) => Err(reject),
        (Status::Failed(reject), true) => {
            let detail = format_args!("an assertion with the status {}", reject.code());
            Err(Reject::new(Reason::StatusWithAssertion, detail))
        }
    }
}

/// Destination: needed on a signed message that came by POST (SAML Bindings 3.5.5.2).
fn destination<'d>(response: impl Readable<'d>, expect: &Expect<'_>, signed: bool) -> Result<(), Reject> {
    match response.attribute("Destination").filter(|d| !d.is_empty()) {
        Some(destination) if expect.acs.iter().any(|acs| *acs == destination) => Ok(()),
        Some(destination) => Err(Reject::new(
            Reason::DestinationMismatch,
            format_args!("Destination is {destination:?}; our address is {:?}", expect.acs.first()),
        )),
        None if signed => Err(Reject::new(Reason::DestinationMissing, "a signed Response without Destination")),
        None => Ok(()),
    }
}
