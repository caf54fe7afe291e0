//! More than a session has: a higher level, a fresher login, another e-ID or attribute. The person is sent to a provider that
//! can give it, and must come back as who they are.

use std::sync::Arc;

use super::pick::Pick;
use super::{BeginLogin, Denial, Gate};
use crate::base::UnixTime;
use crate::crypto::digest::HmacKey;
use crate::identity::{Field, Subject, SubjectKind};
use crate::policy::Route;
use crate::provider::{ProviderEntry, Snapshot};
use crate::session::{Session, StepUpFrom};
use crate::verify::{Reason, Reject};

/// A person's number, as a provider that asks for one may be told whom to expect.
pub(super) struct Principal {
    /// The attribute's name.
    pub(super) attribute: &'static str,
    /// Its value.
    pub(super) value: String,
}

/// personalIdentityNumber, which holds coordination numbers too (attribute specification, 3.1).
const PERSONAL_IDENTITY_NUMBER: &str = "urn:oid:1.2.752.29.4.13";
/// prid.
const PRID: &str = "urn:oid:1.2.752.201.3.4";

/// Whether a login on top of a session is by somebody else: the same kind of identifier, and another one. Another kind says
/// nothing of who it is, and makes a session of its own.
pub(super) fn is_another_person(on: &StepUpFrom, who: &Subject, also: &[HmacKey]) -> bool {
    let Some(same) = on.same_subject.as_deref().filter(|same| kind(same) == kind(who.as_str())) else { return false };
    // The session may have been opened while another key was in use.
    same != who.as_str() && !also.iter().any(|key| who.under(key) == same)
}

fn kind(subject: &str) -> &str {
    subject.split(':').next().unwrap_or_default()
}

/// How a provider is chosen for a login that wishes for something.
pub(super) type Choose<'c, 's> = &'c dyn Fn(&BeginLogin<'_>) -> Result<Pick<'s>, Denial>;

/// Which provider a login goes to that begins on top of `session`, which lacks `lacks`. The choice is left to the person
/// where it is open; where the e-ID that they used can give what is asked, they use it again.
pub(super) fn on_top<'s>(
    snapshot: &'s Snapshot,
    route: &Route,
    login: &BeginLogin<'_>,
    (session, lacks): (&Session, &Reject),
    now: UnixTime,
    choose: Choose<'_, 's>,
) -> Result<Pick<'s>, Denial> {
    if login.eid.is_some() || login.choose {
        return choose(login);
    }
    let by = |eid: &str| choose(&BeginLogin { eid: Some(eid), ..*login });
    if lacks.reason() != Reason::RequiredAttributeMissing {
        // The route may not take it, or its providers not the level: then it is none of those on offer.
        let can = |entry: &&ProviderEntry| entry.config().eid == *session.eid() && entry.can_begin(route, now);
        return match snapshot.for_route(route).into_iter().find(can) {
            Some(_) => by(session.eid().as_str()),
            None => choose(login),
        };
    }
    // What the e-ID did not give once it will not give twice: the others first.
    let (options, why) = match choose(&BeginLogin { choose: true, ..*login })? {
        Pick::Ask(options, why) => (options, why),
        begin @ Pick::Begin(..) => return Ok(begin),
    };
    let others: Vec<_> = options.into_iter().filter(|option| option.eid != *session.eid()).collect();
    match others.as_slice() {
        [] => choose(login),
        [only] if only.usable => by(only.eid.as_str()),
        _ => Ok(Pick::Ask(others, why)),
    }
}

impl Gate {
    /// What of `session` a login on top of it is bound to, at `provider`.
    pub(super) fn bound_to(&self, session: &Session, opens: bool, provider: &ProviderEntry) -> StepUpFrom {
        // Who a provider knows by a name of its own is nobody that another one could know.
        let own_name = kind(session.subject()) == SubjectKind::Provider.name();
        let comparable = !own_name || session.provider() == &provider.config().id;
        StepUpFrom {
            session: session.id(),
            ends: session.ends(),
            // Someone who only wants more of what they have stays who they are.
            same_subject: (!opens && comparable).then(|| session.subject().to_owned()),
        }
    }

    /// Whom a provider is told to expect, where its metadata asks for that (PSC): the person of a session that steps up.
    pub(super) fn principal(&self, session: &Session, provider: &ProviderEntry, now: UnixTime) -> Option<Principal> {
        let saml = provider.saml(now).ok()?;
        let known = [
            (PERSONAL_IDENTITY_NUMBER, Field::PersonalNumber),
            (PERSONAL_IDENTITY_NUMBER, Field::CoordinationNumber),
            (PRID, Field::Prid),
        ];
        let wanted = |name: &str| saml.idp.principal_selection.iter().any(|wanted| wanted == name);
        known.into_iter().filter(|(attribute, _)| wanted(attribute)).find_map(|(attribute, field)| {
            session.field(field).map(|value| Principal { attribute, value: value.to_owned() })
        })
    }

    /// Whether a login for `route` must be a fresh one, whatever the provider is configured for.
    pub(super) fn wants_fresh(&self, route: &Arc<Route>, login: &BeginLogin<'_>) -> bool {
        route.max_age.is_some() || self.must_be_fresh(&login.cookies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::replay::SessionId;

    #[test]
    fn only_the_same_identifier_is_the_same_person_of_every_kind() {
        let (key, before) = (HmacKey::new(&Secret::new([7; 32])), HmacKey::new(&Secret::new([8; 32])));
        let of = |kind, value: &str, key| Subject::for_tests(kind, value, key);
        let on = |same: Option<&str>| StepUpFrom {
            session: SessionId::from_bytes([1; 16]),
            ends: UnixTime::from_secs(1_772_388_000),
            same_subject: same.map(str::to_owned),
        };
        for (kind, mine, other) in [
            (SubjectKind::PersonalNumber, "195006262546", "197010632391"),
            (SubjectKind::CoordinationNumber, "197010632391", "197010642390"),
            (SubjectKind::Prid, "NO:05068907693", "NO:05068907694"),
            (SubjectKind::HsaId, "SE2321000016-A1B2", "SE2321000016-A1B3"),
            (SubjectKind::Provider, "asa", "nils"),
        ] {
            let mine = |key| of(kind, mine, key);
            let is_other = |on: &StepUpFrom, who: &Subject| is_another_person(on, who, std::slice::from_ref(&before));
            let session = on(Some(mine(&key).as_str()));
            assert!(!is_other(&session, &mine(&key)), "{kind:?}");
            assert!(is_other(&session, &of(kind, other, &key)), "{kind:?}: somebody else steps up");
            // Opened under the key before this one.
            let older = on(Some(mine(&before).as_str()));
            assert!(!is_other(&older, &mine(&key)) && is_other(&older, &of(kind, other, &key)), "{kind:?}");
            assert!(is_another_person(&older, &mine(&key), &[]), "{kind:?}: that key is no longer taken");
            // Who may be anyone is nobody else, and another kind is a session of its own (decision 51).
            assert!(!is_other(&on(None), &of(kind, other, &key)));
            let another = if kind == SubjectKind::Prid { SubjectKind::HsaId } else { SubjectKind::Prid };
            assert!(!is_other(&session, &of(another, "x", &key)), "{kind:?}");
        }
    }
}
