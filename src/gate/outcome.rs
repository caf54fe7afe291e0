//! What the use cases take and what they answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Cookies, Denial, IdentityHeaders, SetCookie};
use crate::base::{EidId, ProviderId, RouteName, UnixTime};
use crate::provider::Trouble;
use crate::provider::failover::Differs;
use crate::replay::SessionId;
use crate::session::{Locale, Maker, Session};

/// The answer to a request.
// It is taken apart where it is returned: a box would be one allocation more for each request.
#[allow(clippy::large_enum_variant)]
pub enum Decision {
    /// Forward it.
    Permit(Permit),
    /// Do not.
    Denied(Denial),
}

/// How long a session or a token lets go on what it opened: a download, a stream of events, a WebSocket.
/// [`super::Gate::is_over`] says when it is over. It has no `Debug`: it is about a person.
pub struct Lease(pub(super) Leased);

/// What opened it.
pub(super) enum Leased {
    /// A session, without what it says of the person.
    Session(Session),
    /// A bearer token.
    Token {
        by: Arc<Voucher>,
        /// The end of the token.
        until: UnixTime,
    },
}

/// Who stands by a bearer token.
pub(super) struct Voucher {
    pub(super) provider: ProviderId,
    pub(super) eid: EidId,
    /// Who that is, whatever we call it.
    pub(super) maker: Maker,
    /// The fingerprint of the key that signed it.
    pub(super) signed_by: Option<[u8; 32]>,
}

impl Lease {
    /// The session's handle as in `X-Eid-Session`; none for a bearer token, which no browser sends by itself.
    pub const fn session(&self) -> Option<SessionId> {
        match &self.0 {
            Leased::Session(session) => Some(session.id()),
            Leased::Token { .. } => None,
        }
    }
}

/// Leave to forward one request.
pub struct Permit {
    /// The route that decided.
    pub route: RouteName,
    /// What to tell the e-service; none on an anonymous route without a session. Client-sent ones are removed either
    /// way.
    pub headers: Option<Arc<IdentityHeaders>>,
    /// How long the answer may go on; none without a session: what is public is bound to nobody's.
    pub lease: Option<Lease>,
    /// A refreshed session cookie, at most once a minute.
    pub set_cookie: Option<SetCookie>,
}

/// The `login` path.
pub struct BeginLogin<'a> {
    /// Where to go after it; anything but a place on our own base_url is dropped.
    pub rd: Option<&'a str>,
    /// The e-ID that was picked.
    pub eid: Option<&'a str>,
    /// Show the choice even where it is clear, and even with a session.
    pub choose: bool,
    /// Begin whatever is known against the e-ID: the person has read it ("Försök ändå").
    pub anyway: bool,
    /// The e-ID in the place of which a page of ours offered this one: it was asked for, and is in trouble.
    pub instead_of: Option<&'a str>,
    /// Whether a person did this, by a form of ours or by following a link: what else calls the address says nothing of
    /// how many people want to log in.
    pub counts: bool,
    /// Where the client is, as far as we know it.
    pub from: Option<IpAddr>,
    /// The person's language.
    pub locale: Locale,
    /// The request's cookies.
    pub cookies: Cookies<'a>,
}

/// How a login begins.
pub enum LoginStart {
    /// 303 to the provider (HTTP-Redirect binding).
    Redirect {
        /// The provider's address with the signed query.
        location: String,
        /// The login's state, and old ones to expire.
        set_cookies: Vec<SetCookie>,
    },
    /// A page whose form posts to the provider (HTTP-POST binding).
    Post {
        /// The provider's address: https, or http on loopback.
        action: String,
        /// The form's fields, unescaped.
        fields: Vec<(&'static str, String)>,
        /// The login's state, and old ones to expire.
        set_cookies: Vec<SetCookie>,
    },
    /// A page to pick an e-ID on, each leading back to `login` with `eid` and `rd`.
    Choose {
        /// In order of preference, those in trouble last.
        options: Vec<Choice>,
        /// Why the person is asked.
        why: Why,
        /// The other e-IDs of the service, which this route cannot take.
        cannot: Vec<CannotUse>,
        /// Those on offer whose holders come from abroad, where the route requires a Swedish number: it must have been mapped.
        if_mapped: Vec<EidId>,
        /// The e-ID that this browser was last logged in by.
        last: Option<EidId>,
        /// Where to go after the login: a path on our own base_url.
        rd: String,
    },
    /// The session opens `rd` already.
    AlreadySignedIn {
        /// A path on our own base_url.
        location: String,
    },
}

/// One e-ID on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The e-ID, for `login?eid=`.
    pub eid: EidId,
    /// What a person knows it by.
    pub label: String,
    /// The provider that would be used.
    pub provider: ProviderId,
    /// Whether a login by it can begin now; also where it is in trouble that may be wrong ("Försök ändå").
    pub usable: bool,
    /// Why it may not get the person through; none when nothing is known against it.
    pub trouble: Option<Trouble>,
    /// What would change for the person against what the e-ID usually gives: nothing, where the e-ID is well. Where
    /// something does, it must be said, and the link to it must say `anyway`.
    pub differs: Differs,
}

impl Choice {
    /// Whether the person is told something of it: then a form or link to it says `anyway`, so that they are not asked
    /// again.
    pub const fn is_told_of(&self) -> bool {
        self.trouble.is_some() || self.differs.any()
    }
}

/// Why a person is asked which e-ID to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There are several, or the person wanted to see them.
    Open,
    /// The e-ID that was asked for, or the only one, is in trouble: "BankID svarar inte just nu. Du kan logga in med Freja
    /// i stället."
    InTrouble(Choice),
    /// This browser began a login by it in the last 15 minutes and has not finished it: the person came back.
    Unfinished(Choice),
}

/// An e-ID that the route in question cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotUse {
    /// The e-ID.
    pub eid: EidId,
    /// What a person knows it by.
    pub label: String,
    /// Why not.
    pub why: Unfit,
}

/// Why an e-ID cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is from abroad, and the route requires a Swedish personal number.
    ForeignWithoutNumber,
    /// It is from abroad, and the route takes no such level.
    Foreign,
    /// Its holders have no Swedish personal number, which the route requires.
    NoNumber,
    /// No level that it may assert is one that the route takes.
    Level,
    /// The route lists the e-IDs that it takes, and this is none of them.
    Route,
}

/// The `saml/acs` path.
pub struct FinishLogin<'a> {
    /// The Response as XML: the form field, base64 decoded.
    pub saml_response: Vec<u8>,
    /// The RelayState field.
    pub relay_state: Option<&'a str>,
    /// Where the client is, as far as we know it.
    pub from: Option<IpAddr>,
    /// Whether a page of ours has posted it once more (see [`super::Refusal::repost`]).
    pub reposted: bool,
    /// The person's language as the request tells it; the login's own wins.
    pub locale: Locale,
    /// The request's cookies.
    pub cookies: Cookies<'a>,
}

/// The `oidc/callback/{provider id}` path: an authorization response (RFC 6749, 4.1.2; RFC 9207).
pub struct FinishOidc<'a> {
    /// The provider whose address the answer was brought to.
    pub provider: &'a ProviderId,
    /// `code`.
    pub code: Option<&'a str>,
    /// `state`.
    pub state: Option<&'a str>,
    /// `iss`.
    pub iss: Option<&'a str>,
    /// `error`.
    pub error: Option<&'a str>,
    /// Where the client is, as far as we know it.
    pub from: Option<IpAddr>,
    /// The request's cookies.
    pub cookies: Cookies<'a>,
}

/// A finished login.
pub enum LoginDone {
    /// 303 with the session's cookie.
    SignedIn {
        /// A path on our own base_url.
        location: String,
        /// The session, and the login's state to expire.
        set_cookies: Vec<SetCookie>,
    },
    /// The message answered no request of this browser: the person says who is logging in before there is a session.
    Confirm(Box<Confirm>),
}

/// A page that asks the person.
pub struct Confirm {
    /// A hidden field, for [`ConfirmLogin`].
    pub token: String,
    /// The person's name, where the provider told it.
    pub name: Option<String>,
    /// The e-ID's label.
    pub label: String,
    /// What the browser keeps of it until the answer.
    pub set_cookies: Vec<SetCookie>,
}

/// The answer to [`LoginDone::Confirm`].
pub struct ConfirmLogin<'a> {
    /// The hidden field.
    pub token: &'a str,
    /// The request's cookies.
    pub cookies: Cookies<'a>,
}

/// What `logout` did.
pub struct Logout {
    /// Whether there was a live session.
    pub was_signed_in: bool,
    /// Whether every replica knows that it is over. Otherwise those that do not will, as soon as the store can be reached.
    pub everywhere: bool,
    /// What the e-service is told of it (`logout.upstream_path`); none where there was no session, or nothing to tell.
    pub tell: Option<Arc<IdentityHeaders>>,
    /// Where the person can log out at the provider too.
    pub at_provider: Option<AtProvider>,
    /// The session's cookie to expire.
    pub set_cookies: Vec<SetCookie>,
}

/// A provider's own logout (OpenID Connect RP-Initiated Logout 1.0; SAML Profiles 4.4).
pub struct AtProvider {
    /// The e-ID's label.
    pub label: String,
    /// Where the browser logs out.
    pub location: String,
    /// What it posts there, unescaped; none where it follows a link.
    pub fields: Vec<(&'static str, String)>,
}

/// What the `session` path tells. No token, no number, no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// When the person logged in at the provider.
    pub authenticated_at: UnixTime,
    /// Until the absolute end.
    pub ends_in: Duration,
    /// Until it ends without another request; never more than `ends_in`.
    pub idle_in: Duration,
    /// The level as a full URI.
    pub loa: String,
    /// The e-ID.
    pub eid: EidId,
    /// The provider.
    pub provider: ProviderId,
}
