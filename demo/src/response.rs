//! Building a Response: the good one, and every bad one that [`Outcome`] names.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use grindvakt::base::UnixTime;

use crate::demo_idp::{DemoIdp, Sign};
use crate::encrypt::EncryptionKey;
use crate::key::{DemoKey, new_id};
use crate::names::{
    ATTRNAME_URI, BEARER, DATE_OF_BIRTH, DISPLAY_NAME, GIVEN_NAME, PERSISTENT, PERSONAL_IDENTITY_NUMBER, SUCCESS,
    SURNAME, loa_uri,
};
use crate::outcome::Outcome;
use crate::person::{Person, asa, nils};
use crate::request::Request;
use crate::sign::{Place, enveloped};
use crate::xml::{Element, element};

const MINUTE: Duration = Duration::from_secs(60);

/// An answer in the making. Nothing in it asks a clock: it is made at the instant of the request, or at [`Self::at`].
pub struct ResponseBuilder<'a> {
    idp: &'a DemoIdp,
    request: Request,
    person: Person,
    loa: String,
    outcome: Outcome,
    now: UnixTime,
    lifetime: Duration,
    assertion_id: String,
    attributes: Vec<(String, Vec<String>)>,
    encrypt_to: Option<EncryptionKey>,
    session_ends: Option<UnixTime>,
    names_session: bool,
    pad_to: usize,
}

impl<'a> ResponseBuilder<'a> {
    pub(crate) fn new(idp: &'a DemoIdp, request: Request) -> Self {
        let loa = request.loa.first().or(idp.loa.first()).cloned().unwrap_or_else(|| loa_uri("loa3"));
        Self {
            idp,
            now: request.issue_instant,
            request,
            person: asa(),
            loa,
            outcome: Outcome::Success,
            lifetime: 5 * MINUTE,
            assertion_id: new_id(),
            attributes: Vec::new(),
            encrypt_to: None,
            session_ends: None,
            names_session: true,
            pad_to: 0,
        }
    }

    /// Who logged in.
    #[must_use]
    pub fn person(mut self, person: &Person) -> Self {
        self.person = person.clone();
        self
    }

    /// At which level: a short name or a URI.
    #[must_use]
    pub fn loa(mut self, loa: &str) -> Self {
        self.loa = loa_uri(loa);
        self
    }

    /// How it ends.
    #[must_use]
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// When it is made.
    #[must_use]
    pub const fn at(mut self, now: UnixTime) -> Self {
        self.now = now;
        self
    }

    /// How long it is valid; five minutes until told otherwise.
    #[must_use]
    pub const fn valid_for(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// When the provider's own session ends (SessionNotOnOrAfter).
    #[must_use]
    pub const fn session_ends(mut self, at: UnixTime) -> Self {
        self.session_ends = Some(at);
        self
    }

    /// Without a SessionIndex, as a provider without single logout writes it.
    #[must_use]
    pub const fn without_session_index(mut self) -> Self {
        self.names_session = false;
        self
    }

    /// The assertion's ID, where a test must know or repeat it.
    #[must_use]
    pub fn assertion_id(mut self, id: &str) -> Self {
        self.assertion_id = id.to_owned();
        self
    }

    /// One attribute more.
    #[must_use]
    pub fn attribute(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.push((name.to_owned(), values.iter().map(|v| (*v).to_owned()).collect()));
        self
    }

    /// Encrypts the assertion to a service, if there is a key of it.
    #[must_use]
    pub fn encrypted_to(mut self, key: Option<EncryptionKey>) -> Self {
        self.encrypt_to = key;
        self
    }

    /// Adds attributes that nobody asked for until the message is at least `bytes` long: for measuring. Messages of
    /// Swedish providers are 8 to 13 KB long, mostly through certificates and signatures in attributes.
    #[must_use]
    pub const fn pad_to(mut self, bytes: usize) -> Self {
        self.pad_to = bytes;
        self
    }

    /// The base64 of the message: the value of the form field `SAMLResponse`.
    pub fn build_base64(self) -> String {
        base64_simd::STANDARD.encode_to_string(self.build())
    }

    /// The message.
    pub fn build(mut self) -> String {
        if self.pad_to > 0 {
            // Measure once without padding, then fill the gap: each filler has the same length.
            let gap = self.pad_to.saturating_sub(self.render().len());
            let one = filler(0).canonical().len() - NAMESPACES_OF_A_LONE_FILLER;
            for at in 0..gap.div_ceil(one) {
                let (name, value) = filler_text(at);
                self.attributes.push((name, vec![value]));
            }
        }
        self.render()
    }

    fn render(&self) -> String {
        let stranger;
        let (key, sign) = match self.outcome {
            Outcome::Unsigned => (None, self.idp.sign),
            Outcome::WrongKey => {
                stranger = DemoKey::rsa("stranger");
                (Some(&stranger), self.idp.sign)
            }
            outcome if outcome.status().is_some() => (Some(self.idp.key.as_ref()), Sign::Response),
            _ => (Some(self.idp.key.as_ref()), self.idp.sign),
        };

        let mut response = self.response();
        if self.outcome.status().is_none() {
            let mut assertion = self.assertion(&self.person, &self.assertion_id);
            if let (Some(key), Sign::Assertion | Sign::Both) = (key, sign) {
                assertion = enveloped(assertion, key, Place::AfterIssuer);
            }
            if self.outcome == Outcome::Wrapped && sign == Sign::Assertion {
                // A reader that takes the first assertion, and a verifier that finds the signed one.
                response = response.child(self.assertion(&self.other_person(), &new_id()));
            }
            response = response.child(match &self.encrypt_to {
                Some(service) => service.seal(&assertion),
                None => assertion,
            });
        }
        if let (Some(key), Sign::Response | Sign::Both) = (key, sign) {
            response = enveloped(response, key, Place::AfterIssuer);
            if self.outcome == Outcome::Wrapped {
                response = self.wrap(response);
            }
        }

        let text = response.canonical();
        match self.outcome {
            Outcome::Tampered => self.tamper(&text),
            Outcome::Doctype => format!("<!DOCTYPE Response>{text}"),
            _ => text,
        }
    }

    fn response(&self) -> Element {
        let issuer = match self.outcome {
            Outcome::WrongIssuer => "https://annan-idp.example.com",
            _ => &self.idp.entity_id,
        };
        let code = |value: &str| element("samlp:StatusCode").attr("Value", value);
        let status = match self.outcome.status() {
            None => element("samlp:Status").child(code(SUCCESS)),
            Some((top, "")) => element("samlp:Status").child(code(top)),
            Some((top, second)) => element("samlp:Status").child(code(top).child(code(second))),
        };
        element("samlp:Response")
            .attr("ID", new_id())
            .attr("Version", "2.0")
            .attr("IssueInstant", self.now.to_string())
            .attr("Destination", self.recipient())
            .maybe("InResponseTo", self.in_response_to())
            .child(element("saml:Issuer").text(issuer))
            .child(status)
    }

    fn assertion(&self, person: &Person, id: &str) -> Element {
        let (from, until) = match self.outcome {
            Outcome::Expired => (self.now.minus(15 * MINUTE), self.now.minus(10 * MINUTE)),
            Outcome::NotYetValid => (self.now.plus(10 * MINUTE), self.now.plus(15 * MINUTE)),
            _ => (self.now.minus(Duration::from_secs(10)), self.now.plus(self.lifetime)),
        };
        let audience = match self.outcome {
            Outcome::WrongAudience => "https://annan-tjanst.example.com/sp",
            _ => &self.request.issuer,
        };
        let authn_instant = match self.outcome {
            Outcome::OldLogin => self.now.minus(30 * MINUTE),
            _ => self.now,
        };
        let issuer = match self.outcome {
            Outcome::WrongIssuer => "https://annan-idp.example.com",
            _ => &self.idp.entity_id,
        };

        let name_id = element("saml:NameID")
            .attr("Format", PERSISTENT)
            .attr("NameQualifier", issuer)
            .attr("SPNameQualifier", &self.request.issuer)
            .text(self.name_id(person));
        let confirmation = element("saml:SubjectConfirmation").attr("Method", BEARER).child(
            element("saml:SubjectConfirmationData")
                .attr("NotOnOrAfter", until.to_string())
                .attr("Recipient", self.recipient())
                .maybe("InResponseTo", self.in_response_to()),
        );
        let conditions = element("saml:Conditions")
            .attr("NotBefore", from.to_string())
            .attr("NotOnOrAfter", until.to_string())
            .child(element("saml:AudienceRestriction").child(element("saml:Audience").text(audience)));
        let statement = element("saml:AuthnStatement")
            .attr("AuthnInstant", authn_instant.to_string())
            .maybe("SessionIndex", self.names_session.then(|| id.to_owned()))
            .maybe("SessionNotOnOrAfter", self.session_ends.map(|at| at.to_string()))
            .child(element("saml:AuthnContext").child(element("saml:AuthnContextClassRef").text(&self.loa)));

        element("saml:Assertion")
            .declare("xs")
            .attr("ID", id)
            .attr("Version", "2.0")
            .attr("IssueInstant", self.now.to_string())
            .child(element("saml:Issuer").text(issuer))
            .child(element("saml:Subject").child(name_id).child(confirmation))
            .child(conditions)
            .child(statement)
            .child(element("saml:AttributeStatement").children(self.attributes_of(person)))
    }

    fn attributes_of(&self, person: &Person) -> Vec<Element> {
        let mut all = Vec::new();
        if let Some(number) = &person.number {
            all.push(attribute(PERSONAL_IDENTITY_NUMBER, Some("personalIdentityNumber"), &[number]));
        }
        let whole = person.display_name();
        let names = [
            (GIVEN_NAME, "givenName", person.given_name.as_ref()),
            (SURNAME, "sn", person.surname.as_ref()),
            (DISPLAY_NAME, "displayName", whole.as_str()),
        ];
        // An attribute is there with a value, or is not there (ATTR 3.1.1).
        let given = names.into_iter().filter(|(.., value)| !value.is_empty());
        all.extend(given.map(|(name, friendly, value)| attribute(name, Some(friendly), &[value])));
        if let Some(date) = &person.date_of_birth {
            all.push(attribute(DATE_OF_BIRTH, Some("dateOfBirth"), &[date]));
        }
        for (name, values) in &self.attributes {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            all.push(attribute(name, None, &values));
        }
        all
    }

    fn recipient(&self) -> String {
        match self.outcome {
            Outcome::WrongRecipient => "https://annan-tjanst.example.com/eid/saml/acs".to_owned(),
            _ => self.request.acs_url.clone(),
        }
    }

    fn in_response_to(&self) -> Option<String> {
        match self.outcome {
            Outcome::Unsolicited => None,
            Outcome::WrongRequest => Some("_en-annan-begaran".to_owned()),
            _ => Some(self.request.id.clone()).filter(|id| !id.is_empty()),
        }
    }

    /// A persistent NameID: the same for one person at one service, another at the next (SAML Core 8.3.7).
    fn name_id(&self, person: &Person) -> String {
        let text = format!("{}|{}|{}", self.idp.entity_id, self.request.issuer, person.key());
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, text.as_bytes()))
    }

    fn other_person(&self) -> Person {
        if self.person == nils() { asa() } else { nils() }
    }

    /// The classic: who logged in is changed in the text, the signature is left as it was.
    fn tamper(&self, text: &str) -> String {
        // Nobody sees who is in an encrypted one: some character of it is changed for another.
        if let Some((before, after)) = text.rsplit_once("<xenc:CipherValue>") {
            let first = if after.starts_with('A') { "B" } else { "A" };
            return format!("{before}<xenc:CipherValue>{first}{}", after.get(1..).unwrap_or_default());
        }
        let other = self.other_person();
        match (&self.person.number, &other.number) {
            (Some(mine), Some(theirs)) => text.replacen(mine.as_ref(), theirs, 1),
            _ => text.replacen(self.person.surname.as_ref(), &other.surname, 1),
        }
    }

    /// Signature wrapping: a forged Response takes over the genuine Signature and carries the signed original along in
    /// its Extensions, where a verifier finds it by ID while a reader reads the outside (XSW 2). Common verifiers call
    /// this signature good, and they are right: it is the reader who must ask *what* was signed.
    fn wrap(&self, signed: Element) -> Element {
        let (original, signatures) = signed.take("ds:Signature");
        let forged = self.response().child(self.assertion(&self.other_person(), &new_id()));
        let carrier = element("samlp:Extensions").child(original);
        signatures.into_iter().fold(forged.child_at(1, carrier), |forged, signature| forged.child_at(1, signature))
    }
}

fn attribute(name: &str, friendly: Option<&str>, values: &[&str]) -> Element {
    element("saml:Attribute")
        .attr("Name", name)
        .attr("NameFormat", ATTRNAME_URI)
        .maybe("FriendlyName", friendly)
        .children(values.iter().map(|v| element("saml:AttributeValue").attr("xsi:type", "xs:string").text(*v)))
}

/// A filler alone declares `saml`; inside an assertion it has it from there.
const NAMESPACES_OF_A_LONE_FILLER: usize = " xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"".len();

fn filler_text(at: usize) -> (String, String) {
    (format!("urn:example:filler:{at:04}"), format!("Utfyllnad {at:04} som ingen har bett om, för att mäta på."))
}

fn filler(at: usize) -> Element {
    let (name, value) = filler_text(at);
    attribute(&name, None, &[&value])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use grindvakt::crypto::trusted::PublicKey;

    use super::*;
    use crate::request::BadRequest;
    use crate::signed_request::verify;

    fn now() -> UnixTime {
        UnixTime::from_secs(1_772_359_200)
    }

    #[test]
    fn what_was_signed_verifies_and_what_was_changed_does_not() {
        let idp = DemoIdp::new("https://idp.example.com", "http://bankid.localhost:8081");
        let keys = [PublicKey::from_certificate(idp.key().certificate()).unwrap()];
        let built = |outcome| {
            let answer = idp.unsolicited("https://sp.example.com", "http://etjanst.localhost:8080/eid/saml/acs", now());
            verify(&answer.outcome(outcome).build(), &keys)
        };
        assert_eq!(built(Outcome::Success), Ok(()));
        assert_eq!(built(Outcome::Cancel), Ok(()));
        assert_eq!(built(Outcome::Unsigned), Err(BadRequest::Unsigned));
        assert_eq!(built(Outcome::Tampered), Err(BadRequest::Signature("its digest")));
        assert_eq!(built(Outcome::WrongKey), Err(BadRequest::Signature("no key of the service made it")));
        assert_eq!(built(Outcome::Wrapped), Err(BadRequest::Signature("it does not refer to the request")));
    }

    #[test]
    fn padding_comes_close_to_what_was_asked_for() {
        let idp = DemoIdp::with_key("https://idp.example.com", "http://b", DemoKey::p256("idp").into());
        for bytes in [8_600, 20_000, 100_000] {
            let length = idp.unsolicited("sp", "acs", now()).pad_to(bytes).build().len();
            assert!((bytes..bytes + 500).contains(&length), "{bytes} asked, {length} made");
        }
    }
}
