//! `[[provider]]`, compiled.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{KeySource, RemoteUrl};
use crate::base::{EidId, ProviderId};
use crate::crypto::trusted::AlgorithmSet;
use crate::identity::Field;
use crate::verify::jose::OidcProfile;
use crate::verify::saml::{Profile, Signed, SsoBinding};

/// With what a person proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Any of the others.
    Any,
    /// On the device that shows the page.
    ThisDevice,
    /// On another one.
    OtherDevice,
    /// A card.
    Card,
}

impl Method {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ThisDevice => "this-device",
            Self::OtherDevice => "other-device",
            Self::Card => "card",
        }
    }
}

/// Whether an assertion must come encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// `[[provider]]`: what holds whatever it speaks.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in metrics and logs.
    pub id: ProviderId,
    /// What the citizen picks; for a provider of bearer tokens its id, where nothing else is said.
    pub eid: EidId,
    /// How the person proves it.
    pub method: Method,
    /// What the citizen reads.
    pub label: String,
    /// Whether each login must be fresh.
    pub force_authn: bool,
    /// Whether a session ends when its provider withdraws the key that vouched for it.
    pub withdrawn_key_ends_sessions: bool,
    /// Whether its sign-on or discovery address is looked at.
    pub probe: bool,
    /// Levels as URIs that it may assert. SAML: where its metadata declares none.
    pub loa: Vec<String>,
    /// (what it writes, the URI that it means).
    pub loa_map: Vec<(String, String)>,
    /// What it speaks.
    pub protocol: Protocol,
}

impl Provider {
    /// Its settings where it speaks SAML.
    pub const fn saml(&self) -> Option<&SamlProvider> {
        match &self.protocol {
            Protocol::Saml(saml) => Some(saml),
            Protocol::Oidc(_) | Protocol::Jwt(_) => None,
        }
    }

    /// Its settings where people log in by OpenID Connect.
    pub const fn oidc(&self) -> Option<&OidcProvider> {
        match &self.protocol {
            Protocol::Oidc(oidc) => Some(oidc),
            Protocol::Saml(_) | Protocol::Jwt(_) => None,
        }
    }

    /// Its settings where it issues bearer tokens.
    pub const fn jwt(&self) -> Option<&JwtProvider> {
        match &self.protocol {
            Protocol::Jwt(jwt) => Some(jwt),
            Protocol::Saml(_) | Protocol::Oidc(_) => None,
        }
    }

    /// Whether people can log in by it: a provider of bearer tokens has no login.
    pub const fn has_login(&self) -> bool {
        !matches!(self.protocol, Protocol::Jwt(_))
    }
}

/// What a provider speaks.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// SAML 2.0.
    Saml(SamlProvider),
    /// OpenID Connect.
    Oidc(OidcProvider),
    /// Bearer tokens only.
    Jwt(JwtProvider),
}

impl Protocol {
    /// Its name in the configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Saml(_) => "saml",
            Self::Oidc(_) => "oidc",
            Self::Jwt(_) => "jwt",
        }
    }
}

/// A `[[provider]]` with `protocol = "saml"`.
#[derive(Clone, Debug)]
pub struct SamlProvider {
    /// entityID.
    pub entity_id: String,
    /// The feed that it is in.
    pub metadata: String,
    /// Which rules.
    pub profile: Profile,
    /// What must be signed.
    pub signed: Signed,
    /// Whether the assertion must be encrypted.
    pub encryption: Encryption,
    /// Whether an answer to no request is taken.
    pub allow_unsolicited: bool,
    /// Whether it is the eIDAS connector.
    pub eidas_connector: bool,
    /// How to send the browser; none: Redirect where it is offered.
    pub binding: Option<SsoBinding>,
    /// AuthenticatingAuthority allow-list; empty takes any.
    pub authenticating_authorities: Vec<String>,
    /// Whether whoever logs out here is offered to log out there, where it has single logout.
    pub logout_at_provider: bool,
}

/// A `[[provider]]` with `protocol = "oidc"`.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// Which rules.
    pub profile: OidcProfile,
    /// Its issuer, compared exactly.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// How we show that we are it; none for a public client.
    pub client: Option<ClientAuth>,
    /// What it calls our key, where that is not the key's thumbprint.
    pub client_key_id: Option<String>,
    /// What it publishes, and where.
    pub published: Published,
    /// What is asked for, `openid` among it; none: what the profile says.
    pub scopes: Option<Vec<String>>,
    /// How old a login may be, where it need not be fresh.
    pub max_age: Option<Duration>,
    /// Whether requests are pushed also where the provider does not demand it (RFC 9126).
    pub pushed_requests: bool,
    /// Whether requests are signed also where the provider does not demand it (RFC 9101).
    pub signed_requests: bool,
    /// Whether UserInfo is asked for, where there is some.
    pub userinfo: bool,
    /// Whether whoever logs out here is sent to log out there (OpenID Connect RP-Initiated Logout).
    pub logout_at_provider: bool,
    /// What is read from its tokens, and how.
    pub tokens: TokenSettings,
    /// Whether its ID tokens must come encrypted.
    pub encryption: Encryption,
    /// Who else its ID tokens may be for, beside us.
    pub trusted_audiences: Vec<String>,
    /// Whether it is the eIDAS connector.
    pub eidas_connector: bool,
}

impl OidcProvider {
    /// The scopes to ask for.
    pub fn scope(&self) -> String {
        match &self.scopes {
            Some(scopes) => scopes.join(" "),
            None => self.profile.rules().scopes(self.eidas_connector).collect::<Vec<_>>().join(" "),
        }
    }

    /// The scheme by which we authenticate at its token endpoint (OpenID Connect Core, 9).
    pub const fn auth_method(&self) -> &'static str {
        match &self.client {
            Some(ClientAuth::PrivateKeyJwt(_)) => "private_key_jwt",
            Some(ClientAuth::SecretBasic(_)) => "client_secret_basic",
            None => "none",
        }
    }
}

/// What a provider of tokens publishes, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its keys, pinned in a file.
    pub jwks_file: Option<PathBuf>,
    /// Its keys, at an address that needs no discovery.
    pub jwks_url: Option<RemoteUrl>,
    /// Its discovery document.
    pub discovery: RemoteUrl,
    /// Hosts beside its own that its documents may lead us to, in lower case.
    pub hosts: Vec<String>,
    /// How long after its last confirmation a document may be used.
    pub max_stale: Duration,
}

impl Published {
    /// Whether we may call an address that a document names: the issuer's own host, or one that the configuration names
    /// (checklist 46, T33).
    pub fn may_call(&self, url: &RemoteUrl) -> bool {
        url.same_origin(&self.discovery) || self.hosts.iter().any(|host| host == url.host())
    }
}

/// What is read from a provider's tokens, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// What it may sign with.
    pub algorithms: AlgorithmSet,
    /// (field, the claim that holds it), before what the profile says. `loa` among them names the claim of the level.
    pub claims: Vec<(Field, String)>,
}

impl TokenSettings {
    /// The claim of the level, where the configuration names one.
    pub fn loa_claim(&self) -> Option<&str> {
        self.claims.iter().find(|(field, _)| *field == Field::Loa).map(|(_, claim)| claim.as_str())
    }
}

/// How we authenticate at a token endpoint.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// `private_key_jwt` (OpenID Connect Core 9) with this key.
    PrivateKeyJwt(KeySource),
    /// `client_secret_basic` with this secret.
    SecretBasic(KeySource),
}

/// A `[[provider]]` with `protocol = "jwt"`.
#[derive(Clone, Debug)]
pub struct JwtProvider {
    /// Where claims are.
    pub profile: OidcProfile,
    /// Its issuer, compared exactly.
    pub issuer: String,
    /// What a token must be meant for: one of these.
    pub audience: Vec<String>,
    /// What it publishes, and where.
    pub published: Published,
    /// Whether only tokens of the type `at+jwt` pass (RFC 9068, 2.1).
    pub require_at_jwt: bool,
    /// Whether only tokens that are bound to a key pass (RFC 9449).
    pub require_dpop: bool,
    /// Whether a proof of the key must hold a nonce of ours (RFC 9449, 9).
    pub dpop_nonce: bool,
    /// What is read from its tokens, and how.
    pub tokens: TokenSettings,
}
