//! The rules of an Assertion, and its claims (SAML Core 2.3 to 2.7, Profiles 4.1.4.2; the Swedish profile, 7.1).
//!
//! Everything here takes a [`SignedElement`]: what the signature does not cover cannot be read.

use super::rules::{in_response_to, not_reached, recent, same_issuer};
use super::schema::{Readable, instant, issuer, required, required_instant, schema, sequence, uri_text, version};
use super::{Assertion, Attribute, Binding, Expect, NameId, Profile};
use crate::base::UnixTime;
use crate::verify::dsig::SignedElement;
use crate::verify::level::may_assert;
use crate::verify::xml::{is_ncname, ns};
use crate::verify::{Reason, Reject};

/// Checks a signed Assertion and reads its claims.
///
/// # Errors
/// The first rule that does not hold.
pub(super) fn read(assertion: SignedElement<'_>, expect: &Expect<'_>, now: UnixTime) -> Result<Assertion, Reject> {
    version(assertion)?;
    let id = required(assertion, "ID")?;
    if !is_ncname(&id) {
        return Err(Reject::new(Reason::IdMalformed, "the Assertion's ID is no NCName"));
    }
    let issue_instant = required_instant(assertion, "IssueInstant")?;
    let parts = Parts::of(assertion)?;

    let issuer =
        issuer(parts.issuer.ok_or_else(|| Reject::new(Reason::IssuerMissing, "the Assertion has no Issuer"))?)?;
    same_issuer(&issuer, expect.idp)?;
    recent(issue_instant, "the Assertion", expect.window(), now)?;

    let conditions_end = conditions(parts.conditions, expect, now)?;
    let subject = parts.subject.ok_or_else(|| Reject::new(Reason::SubjectMissing, "the Assertion has no Subject"))?;
    let (name_id, confirmation) = subject_of(subject, expect, now)?;

    let [statement] = parts.authn.as_slice() else {
        let detail = format_args!("{} AuthnStatements; there must be one", parts.authn.len());
        return Err(Reject::new(Reason::AuthnStatementCount, detail));
    };
    let authn = authn_statement(*statement, expect, now)?;
    if expect.profile == Profile::Federation && parts.attributes.len() != 1 {
        let detail = format_args!("{} AttributeStatements; there must be one", parts.attributes.len());
        return Err(Reject::new(Reason::AttributeStatementCount, detail));
    }
    let mut attributes = Vec::with_capacity(16);
    for statement in &parts.attributes {
        attribute_statement(*statement, &mut attributes)?;
    }

    let until = conditions_end.map_or(confirmation.until, |end| end.min(confirmation.until));
    Ok(Assertion {
        issuer: issuer.into_owned(),
        id: id.into_owned(),
        name_id,
        session_index: authn.session_index,
        issue_instant,
        authn_instant: authn.instant,
        session_ends: authn.session_ends,
        loa: authn.loa,
        authenticating_authorities: authn.authorities,
        attributes,
        in_response_to: confirmation.in_response_to,
        acceptable_until: until.plus(expect.clock_skew),
    })
}

/// The children of an Assertion (SAML Core 2.3.3): a sequence, then statements in any order.
#[derive(Default)]
struct Parts<'d> {
    issuer: Option<SignedElement<'d>>,
    subject: Option<SignedElement<'d>>,
    conditions: Option<SignedElement<'d>>,
    authn: Vec<SignedElement<'d>>,
    attributes: Vec<SignedElement<'d>>,
}

impl<'d> Parts<'d> {
    fn of(assertion: SignedElement<'d>) -> Result<Self, Reject> {
        if assertion.has_stray_text() {
            return Err(schema("text in Assertion"));
        }
        let mut parts = Parts::default();
        // Which part of the sequence has been reached.
        let mut reached = 0;
        for child in assertion.children() {
            if child.is(ns::DS, "Signature") {
                continue;
            }
            let name = if SAML_NAMES.iter().any(|n| child.is(ns::SAML, n)) { child.local_name() } else { "" };
            let place = match name {
                "Issuer" => 1,
                "Subject" => 2,
                "Conditions" => 3,
                "Advice" => 4,
                "AuthnStatement" | "AttributeStatement" => 5,
                _ => return Err(schema(format_args!("{} in Assertion", child.local_name()))),
            };
            if place < reached || (place == reached && place < 5) {
                return Err(schema(format_args!("{name} is doubled or out of order in Assertion")));
            }
            reached = place;
            match name {
                "Issuer" => parts.issuer = Some(child),
                "Subject" => parts.subject = Some(child),
                "Conditions" => parts.conditions = Some(child),
                "AuthnStatement" => parts.authn.push(child),
                "AttributeStatement" => parts.attributes.push(child),
                // Advice may be ignored (SAML Core 2.6.1).
                _ => {}
            }
        }
        Ok(parts)
    }
}

const SAML_NAMES: [&str; 6] = ["Issuer", "Subject", "Conditions", "Advice", "AuthnStatement", "AttributeStatement"];

/// Conditions (SAML Core 2.5): the window, the audience, and nothing that we do not know. Returns its end.
fn conditions(
    conditions: Option<SignedElement<'_>>,
    expect: &Expect<'_>,
    now: UnixTime,
) -> Result<Option<UnixTime>, Reject> {
    let missing = |what: &str| Reject::new(Reason::ConditionsMissing, what);
    let conditions = conditions.ok_or_else(|| missing("the Assertion has no Conditions"))?;
    if conditions.has_stray_text() {
        return Err(schema("text in Conditions"));
    }
    match instant(conditions, "NotBefore")? {
        Some(from) if now.plus(expect.clock_skew) < from => {
            return Err(Reject::new(Reason::NotYetValid, format_args!("NotBefore is {from}; it is {now}")));
        }
        None if expect.profile == Profile::Federation => return Err(missing("Conditions has no NotBefore")),
        _ => {}
    }
    let until = not_reached(conditions, "NotOnOrAfter", Reason::Expired, expect, now)?;
    if until.is_none() {
        return Err(missing("Conditions has no NotOnOrAfter"));
    }
    let mut restricted = false;
    for condition in conditions.children() {
        if condition.is(ns::SAML, "AudienceRestriction") {
            // Each restriction must hold; within one, any audience does (SAML Core 2.5.1.4).
            audience(condition, expect)?;
            restricted = true;
        } else if !condition.is(ns::SAML, "OneTimeUse") && !condition.is(ns::SAML, "ProxyRestriction") {
            // Every assertion is used once, and none is passed on: those two hold by themselves.
            let detail = format_args!("the condition {:?} is not known", condition.local_name());
            return Err(Reject::new(Reason::ConditionUnknown, detail));
        }
    }
    if !restricted {
        return Err(Reject::new(Reason::AudienceMissing, "no AudienceRestriction"));
    }
    Ok(until)
}

fn audience(restriction: SignedElement<'_>, expect: &Expect<'_>) -> Result<(), Reject> {
    let mut named = None;
    for child in restriction.children() {
        if !child.is(ns::SAML, "Audience") {
            return Err(schema(format_args!("{} in AudienceRestriction", child.local_name())));
        }
        let name = uri_text(child);
        if name.as_deref() == Some(expect.audience) {
            return Ok(());
        }
        named = named.or(name);
    }
    let detail = format_args!("it is for {:?}; we are {:?}", named.unwrap_or_default(), expect.audience);
    Err(Reject::new(Reason::AudienceMismatch, detail))
}

/// What the bearer confirmations leave behind.
struct Confirmation {
    /// The end of the one that lasts longest, whether it holds now or not: another one may hold later.
    until: UnixTime,
    in_response_to: Option<String>,
}

/// Subject (SAML Core 2.4): the NameID and a bearer confirmation that holds.
fn subject_of(
    subject: SignedElement<'_>,
    expect: &Expect<'_>,
    now: UnixTime,
) -> Result<(NameId, Confirmation), Reject> {
    if subject.has_stray_text() {
        return Err(schema("text in Subject"));
    }
    let mut name_id = None;
    let mut longest = None;
    let mut confirmed: Result<Confirmation, Reject> =
        Err(Reject::new(Reason::ConfirmationMissing, "no bearer SubjectConfirmation"));
    for (at, child) in subject.children().enumerate() {
        if child.is(ns::SAML, "EncryptedID") {
            return Err(Reject::new(Reason::EncryptedPart, "an EncryptedID"));
        } else if child.is(ns::SAML, "NameID") && at == 0 {
            name_id = Some(child);
        } else if child.is(ns::SAML, "SubjectConfirmation") {
            let bearer = child.attribute("Method").as_deref() == Some("urn:oasis:names:tc:SAML:2.0:cm:bearer");
            // Any one that holds is enough (SAML Core 2.4); holder-of-key ones are not for this address.
            if bearer {
                let data = child.children().filter(|data| data.is(ns::SAML, "SubjectConfirmationData"));
                longest = longest.max(data.filter_map(|data| instant(data, "NotOnOrAfter").ok().flatten()).max());
            }
            if bearer && confirmed.is_err() {
                confirmed = bearer_confirmation(child, expect, now);
            }
        } else {
            return Err(schema(format_args!("{} is misplaced in Subject", child.local_name())));
        }
    }
    let missing = || Reject::new(Reason::NameIdMissing, "the Subject has no NameID");
    let element = name_id.ok_or_else(missing)?;
    let name_id = name_id_of(element).ok_or_else(missing)?;
    let confirmed = confirmed?;
    let until = longest.map_or(confirmed.until, |longest| longest.max(confirmed.until));
    Ok((name_id, Confirmation { until, ..confirmed }))
}

/// A NameID with its qualifiers (SAML Core 2.2.3); none when it names nobody.
pub(super) fn name_id_of<'d>(element: impl Readable<'d>) -> Option<NameId> {
    let attribute = |name| element.attribute(name).map(std::borrow::Cow::into_owned);
    Some(NameId {
        value: element.text().filter(|t| !t.trim().is_empty())?.into_owned(),
        format: attribute("Format"),
        name_qualifier: attribute("NameQualifier"),
        sp_name_qualifier: attribute("SPNameQualifier"),
    })
}

/// A bearer SubjectConfirmation (SAML Profiles 4.1.4.2).
fn bearer_confirmation(
    confirmation: SignedElement<'_>,
    expect: &Expect<'_>,
    now: UnixTime,
) -> Result<Confirmation, Reject> {
    let missing = |what: &str| Reject::new(Reason::ConfirmationMissing, what);
    let mut data = confirmation.children().filter(|child| child.is(ns::SAML, "SubjectConfirmationData"));
    let data = match (data.next(), data.next()) {
        (Some(data), None) => data,
        _ => return Err(missing("a bearer SubjectConfirmation without its one SubjectConfirmationData")),
    };
    if data.attribute("NotBefore").is_some() {
        return Err(missing("a bearer SubjectConfirmationData with NotBefore"));
    }
    match data.attribute("Recipient").filter(|r| !r.is_empty()) {
        None => return Err(Reject::new(Reason::RecipientMissing, "SubjectConfirmationData has no Recipient")),
        Some(recipient) if expect.acs.iter().any(|acs| *acs == recipient) => {}
        Some(recipient) => {
            let detail = format_args!("Recipient is {recipient:?}; our address is {:?}", expect.acs.first());
            return Err(Reject::new(Reason::RecipientMismatch, detail));
        }
    }
    let answers = data.attribute("InResponseTo");
    in_response_to(answers.as_deref(), expect, false)?;
    let until = not_reached(data, "NotOnOrAfter", Reason::Expired, expect, now)?;
    let until = until.ok_or_else(|| missing("SubjectConfirmationData has no NotOnOrAfter"))?;
    Ok(Confirmation { until, in_response_to: answers.map(std::borrow::Cow::into_owned) })
}

/// What an AuthnStatement leaves behind.
struct Authn {
    instant: UnixTime,
    session_ends: Option<UnixTime>,
    session_index: Option<String>,
    loa: String,
    authorities: Vec<String>,
}

/// AuthnStatement (SAML Core 2.7.2): when, and at which level.
fn authn_statement(statement: SignedElement<'_>, expect: &Expect<'_>, now: UnixTime) -> Result<Authn, Reject> {
    let at = required_instant(statement, "AuthnInstant")?;
    if at > now.plus(expect.clock_skew) {
        return Err(Reject::new(Reason::IssuedInFuture, format_args!("AuthnInstant is {at}; it is {now}")));
    }
    if let (true, Binding::Request { issued_at, .. }) = (expect.force_authn, &expect.binding)
        && at.plus(expect.clock_skew) < *issued_at
    {
        let detail = format_args!("a fresh login was asked for at {issued_at}; the person logged in at {at}");
        return Err(Reject::new(Reason::AuthnTooOld, detail));
    }
    let session_ends = not_reached(statement, "SessionNotOnOrAfter", Reason::SessionEnded, expect, now)?;
    let [_locality, context] = sequence(statement, [(ns::SAML, "SubjectLocality"), (ns::SAML, "AuthnContext")])?;
    let missing = || Reject::new(Reason::AuthnContextMissing, "no AuthnContextClassRef");
    let (mut class, mut authorities) = (None, Vec::new());
    for child in context.ok_or_else(missing)?.children() {
        if child.is(ns::SAML, "AuthnContextClassRef") {
            if class.replace(uri_text(child).ok_or_else(missing)?).is_some() {
                return Err(schema("AuthnContextClassRef stands twice"));
            }
        } else if child.is(ns::SAML, "AuthenticatingAuthority") {
            // A link without a name is a link all the same: dropped, it would not be missed on the list.
            authorities.push(uri_text(child).unwrap_or_default());
        } else if !child.is(ns::SAML, "AuthnContextDecl") && !child.is(ns::SAML, "AuthnContextDeclRef") {
            return Err(schema(format_args!("{} in AuthnContext", child.local_name())));
        }
    }
    let loa = level(class.ok_or_else(missing)?, expect)?;
    // A chain is as good as its weakest link: each one must be on the list.
    let listed = |authority| expect.authenticating_authorities.contains(authority);
    if !expect.authenticating_authorities.is_empty() && (authorities.is_empty() || !authorities.iter().all(listed)) {
        let detail = format_args!("authenticated by {authorities:?}, which is not on the list");
        return Err(Reject::new(Reason::AuthenticatingAuthority, detail));
    }
    authorities.retain(|authority| !authority.is_empty());
    let session_index = statement.attribute("SessionIndex").map(std::borrow::Cow::into_owned);
    Ok(Authn { instant: at, session_ends, session_index, loa, authorities })
}

/// The level: asked for, and certified in the provider's metadata (profile 1.3). The route asks again, as the third.
fn level(class: String, expect: &Expect<'_>) -> Result<String, Reject> {
    let mapped = expect.loa_map.iter().find(|(written, _)| *written == class);
    let loa = mapped.map_or(class, |(_, meant)| meant.clone());
    let asked = match &expect.binding {
        Binding::Request { loa, .. } => loa,
        Binding::None | Binding::Unchecked => &[][..],
    };
    let certified = if expect.idp.loa.is_empty() { expect.local_loa } else { &expect.idp.loa };
    may_assert(&loa, asked, certified, expect.eidas_connector)?;
    Ok(loa)
}

/// AttributeStatement (SAML Core 2.7.3). Whether an attribute may stand twice is for `identity` to say.
fn attribute_statement(statement: SignedElement<'_>, out: &mut Vec<Attribute>) -> Result<(), Reject> {
    if statement.has_stray_text() {
        return Err(schema("text in AttributeStatement"));
    }
    for attribute in statement.children() {
        if attribute.is(ns::SAML, "EncryptedAttribute") {
            return Err(Reject::new(Reason::EncryptedPart, "an EncryptedAttribute"));
        }
        if !attribute.is(ns::SAML, "Attribute") {
            return Err(schema(format_args!("{} in AttributeStatement", attribute.local_name())));
        }
        let (mut values, mut structured) = (Vec::with_capacity(1), 0);
        for value in attribute.children() {
            if !value.is(ns::SAML, "AttributeValue") {
                return Err(schema(format_args!("{} in Attribute", value.local_name())));
            }
            let nil = value.attribute_ns(ns::XSI, "nil").is_some_and(|v| matches!(v.trim(), "true" | "1"));
            match value.text() {
                _ if nil => {}
                Some(text) => values.push(text.into_owned()),
                None => structured += 1,
            }
        }
        out.push(Attribute { name: required(attribute, "Name")?.into_owned(), values, structured });
    }
    Ok(())
}
