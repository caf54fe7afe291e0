//! Messages of single logout (SAML Core 3.7; SAML Profiles 4.4), held to the same rules of signature, shape, addressee and
//! time as a login's Response (T20, T21).

use std::borrow::Cow;
use std::time::Duration;

use super::carried::{Carried, Parameter, Vouched};
use super::claims::name_id_of;
use super::rules::{Window, recent, same_issuer};
use super::schema::{instant, issuer, required, required_instant, schema, sequence, version};
use super::status::{self, Status};
use super::{IdpMetadata, NameId};
use crate::base::{UnixTime, limits};
use crate::verify::dsig::{self, SignedElement};
use crate::verify::xml::{self, Document, ns};
use crate::verify::{Reason, Reject, Verified};

/// What a message of single logout is held against.
#[derive(Clone, Copy, Debug)]
pub struct LogoutExpect<'a> {
    /// The provider's verified metadata.
    pub idp: &'a IdpMetadata,
    /// Our address for them: Destination must be it.
    pub here: &'a str,
    /// How far clocks may differ.
    pub clock_skew: Duration,
    /// The oldest IssueInstant that is taken, skew apart.
    pub max_age: Duration,
}

/// A provider's order to end sessions. It has no `Debug`: a NameID is personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct LogoutRequest {
    /// The request's ID: the answer names it, and it is taken once.
    pub id: String,
    /// The provider's entityID.
    pub issuer: String,
    /// Whose sessions.
    pub name_id: NameId,
    /// Which of them; empty means all (SAML Core 3.7.1).
    pub session_indexes: Vec<String>,
    /// IssueInstant, by the provider's clock.
    pub issued: UnixTime,
    /// No instant after this one could accept it, skew included.
    pub acceptable_until: UnixTime,
}

/// A provider's answer to a LogoutRequest of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutResponse {
    /// The provider's entityID.
    pub issuer: String,
    /// The request that it answers.
    pub in_response_to: String,
    /// Whether the provider ended its session, and everyone else theirs: a partial logout is none (SAML Core 3.7.3.2).
    pub ended: bool,
}

/// What a message turned out to be.
pub enum LogoutMessage {
    /// An order.
    Request(LogoutRequest),
    /// An answer.
    Response(LogoutResponse),
}

/// Sessions that one request may name. A person has a handful.
const SESSIONS: usize = 64;

/// A message of single logout that has been read but not verified.
pub struct ReceivedLogout<'a> {
    document: Document<'a>,
    vouched: &'a Vouched,
}

impl<'a> ReceivedLogout<'a> {
    /// Reads the document under the limits for messages. With `second_reader`, the veto of the second one is asked too.
    ///
    /// # Errors
    /// The reader's reject, or `not_a_logout`.
    pub fn parse(carried: &'a Carried, second_reader: bool) -> Result<Self, Reject> {
        let document = xml::read(&carried.xml, &limits::MESSAGE)?;
        if second_reader {
            xml::second::veto(&document)?;
        }
        let root = document.root();
        // The field says which of the two it is (SAML Bindings 3.4.4.1, 3.5.4): a proxy that lets answers through and
        // looks at orders must not be led past.
        let kind = match carried.parameter {
            Parameter::Request => "LogoutRequest",
            Parameter::Response => "LogoutResponse",
        };
        if !root.is(ns::SAMLP, kind) {
            let (name, root) = (carried.parameter.name(), root.local_name());
            let detail = format_args!("the document element in {name} is {root}");
            return Err(Reject::new(Reason::NotALogout, detail));
        }
        Ok(Self { document, vouched: &carried.vouched })
    }

    /// The Issuer as the unverified message writes it: good for finding the provider to verify with, and nothing else.
    pub fn issuer_hint(&self) -> Option<Cow<'_, str>> {
        let root = self.document.root();
        let found = root.children().find(|child| child.is(ns::SAML, "Issuer"));
        found.and_then(|e| e.text().map(Cow::into_owned)).map(Cow::Owned)
    }

    /// Verifies the signature and every rule at the instant `now`.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn verify(&self, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<Verified<LogoutMessage>, Reject> {
        let signed = self.signed(expect, now)?;
        let message = if signed.is(ns::SAMLP, "LogoutRequest") {
            LogoutMessage::Request(request(signed, expect, now)?)
        } else {
            LogoutMessage::Response(response(signed, expect, now)?)
        };
        Ok(Verified::new(message))
    }

    /// The document element, as the provider signed it: nothing else of the document is read for what it says.
    fn signed(&self, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<SignedElement<'_>, Reject> {
        let root = self.document.root();
        version(root)?;
        required(root, "ID")?;
        // A message that carries an assertion is none of these: nobody else shall find one in it (T5).
        let stray = |name| self.document.elements().any(|e| e.is(ns::SAML, name));
        if stray("Assertion") || stray("EncryptedAssertion") {
            return Err(Reject::new(Reason::AssertionMultiple, "an Assertion within a message of single logout"));
        }
        let mut own = 0;
        for signature in self.document.elements().filter(|e| e.is(ns::DS, "Signature")) {
            if signature.parent() != Some(root) {
                let within = signature.parent().map_or("nothing", |p| p.local_name());
                return Err(Reject::new(Reason::SignatureMisplaced, format_args!("a Signature within {within}")));
            }
            own += 1;
        }
        if own > 1 {
            return Err(Reject::new(Reason::SignatureMultiple, "the message has more than one Signature"));
        }
        self.document.ids_are_unique()?;
        // A refusal needs no signature, and fetches no keys.
        if let Some(name) = self.issuer_hint() {
            same_issuer(&name, expect.idp)?;
        }
        let keys = &expect.idp.signing_keys;
        if keys.is_empty() {
            return Err(Reject::new(Reason::ProviderWithoutKeys, "the provider has no signing key"));
        }
        if expect.idp.valid_until.is_some_and(|until| now >= until) {
            return Err(Reject::new(Reason::ProviderWithoutKeys, "the provider's metadata is past its validUntil"));
        }
        match self.vouched {
            Vouched::Within => dsig::verify(root, keys),
            Vouched::Beside { octets, algorithm, signature } => {
                dsig::verify_detached(&self.document, keys, *algorithm, octets.as_bytes(), signature)
            }
        }
    }
}

/// What requests and answers have in common; gives the Issuer and the IssueInstant.
fn common(message: SignedElement<'_>, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<(String, UnixTime), Reject> {
    let name = message.local_name();
    let missing = || Reject::new(Reason::IssuerMissing, format_args!("the {name} has no Issuer"));
    let first = message.children().next().filter(|child| child.is(ns::SAML, "Issuer")).ok_or_else(missing)?;
    let from = issuer(first)?;
    same_issuer(&from, expect.idp)?;
    let issued = required_instant(message, "IssueInstant")?;
    recent(issued, name, Window { clock_skew: expect.clock_skew, max_age: expect.max_age }, now)?;
    match message.attribute("Destination").filter(|d| !d.is_empty()) {
        Some(destination) if destination == expect.here => {}
        Some(destination) => {
            let detail = format_args!("Destination is {destination:?}; our address is {:?}", expect.here);
            return Err(Reject::new(Reason::DestinationMismatch, detail));
        }
        // Both bindings want it on a signed message (SAML Bindings 3.4.5.2, 3.5.5.2).
        None => return Err(Reject::new(Reason::DestinationMissing, format_args!("a {name} without Destination"))),
    }
    Ok((from.into_owned(), issued))
}

fn request(message: SignedElement<'_>, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<LogoutRequest, Reject> {
    let (issuer, issued) = common(message, expect, now)?;
    let until = instant(message, "NotOnOrAfter")?;
    if let Some(until) = until
        && now >= until.plus(expect.clock_skew)
    {
        return Err(Reject::new(Reason::LogoutExpired, format_args!("NotOnOrAfter was {until}; it is {now}")));
    }
    if message.has_stray_text() {
        return Err(schema("text in LogoutRequest"));
    }
    let mut name_id = None;
    let mut session_indexes = Vec::new();
    // Issuer was looked at; then Extensions, one identifier, and any number of SessionIndex (SAML Core 3.7.1).
    for (at, child) in message.children().enumerate().skip(1) {
        if child.is(ns::SAMLP, "Extensions") && at == 1 {
            continue;
        } else if child.is(ns::SAML, "EncryptedID") {
            return Err(Reject::new(Reason::EncryptedPart, "an EncryptedID"));
        } else if child.is(ns::SAML, "NameID") && name_id.is_none() {
            let nobody = || Reject::new(Reason::NameIdMissing, "an empty NameID");
            name_id = Some(name_id_of(child).ok_or_else(nobody)?);
        } else if child.is(ns::SAMLP, "SessionIndex") && name_id.is_some() {
            if session_indexes.len() == SESSIONS {
                let detail = format_args!("it names more than {SESSIONS} sessions");
                return Err(Reject::new(Reason::LogoutTooManySessions, detail));
            }
            let index = child.text().filter(|text| !text.is_empty());
            session_indexes.push(index.ok_or_else(|| schema("an empty SessionIndex"))?.into_owned());
        } else {
            let what = child.local_name();
            return Err(schema(format_args!("{what} is doubled, misplaced or unknown in LogoutRequest")));
        }
    }
    let name_id = name_id.ok_or_else(|| Reject::new(Reason::NameIdMissing, "the LogoutRequest has no NameID"))?;
    let oldest = issued.plus(expect.max_age);
    let acceptable_until = until.map_or(oldest, |until| until.min(oldest)).plus(expect.clock_skew);
    let id = required(message, "ID")?.into_owned();
    Ok(LogoutRequest { id, issuer, name_id, session_indexes, issued, acceptable_until })
}

fn response(message: SignedElement<'_>, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<LogoutResponse, Reject> {
    let (issuer, _) = common(message, expect, now)?;
    let [_issuer, _extensions, status] =
        sequence(message, [(ns::SAML, "Issuer"), (ns::SAMLP, "Extensions"), (ns::SAMLP, "Status")])?;
    let status = status::read(status.ok_or_else(|| schema("the LogoutResponse has no Status"))?)?;
    let in_response_to = message.attribute("InResponseTo").filter(|id| !id.is_empty());
    let unasked = || Reject::new(Reason::InResponseToMissing, "a LogoutResponse to no request");
    let in_response_to = in_response_to.ok_or_else(unasked)?.into_owned();
    Ok(LogoutResponse { issuer, in_response_to, ended: matches!(status, Status::Success) })
}
