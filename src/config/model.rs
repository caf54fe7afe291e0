//! The compiled configuration: no illegal state, nothing left to parse.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    BaseUrl, KeyFiles, KeySource, LogoutConfig, Network, Notice, Outbound, Pages, Problem, RemoteUrl, SessionConfig,
    Store, Upstream,
};
use crate::base::{EidId, FeedId, ProviderId, ServiceId};
use crate::crypto::trusted::AlgorithmSet;
use crate::identity::Field;
use crate::policy::Routes;
use crate::verify::jose::OidcProfile;
use crate::verify::saml::{Profile, Signed, SsoBinding};

/// Everything that a sidecar is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which world it belongs to: feeds and keys of another one are refused.
    pub environment: Environment,
    /// The e-service.
    pub service: ServiceConfig,
    /// How the e-service is spoken to.
    pub upstream: UpstreamConfig,
    /// Where to listen.
    pub listen: Listen,
    /// How messages are judged.
    pub verification: Verification,
    /// Where keys are read from.
    pub keys: KeyFiles,
    /// How long a session lasts.
    pub session: SessionConfig,
    /// What a logout does beside ending the session.
    pub logout: LogoutConfig,
    /// Where uses are remembered.
    pub store: Store,
    /// Where files of our own are kept.
    pub state_dir: Option<PathBuf>,
    /// How our own requests get out.
    pub network: Outbound,
    /// The feeds.
    pub metadata: Vec<MetadataSource>,
    /// The providers, in the order of the configuration.
    pub providers: Vec<Provider>,
    /// The routes.
    pub routes: Routes,
    /// Who is behind the service, for the SP metadata.
    pub organisation: Option<Organisation>,
    /// What our own pages say of the service.
    pub pages: Pages,
    /// Planned maintenance, by when it begins.
    pub notices: Vec<Notice>,
    /// Names of the identity headers.
    pub headers: HeaderNames,
    /// How the log is written.
    pub log: LogFormat,
    /// What is allowed and hardly meant: told by `check` and at start.
    pub warnings: Vec<Problem>,
    /// What must not be so in a sidecar that serves; `load_to_serve` refuses it. A single message can be verified all
    /// the same.
    pub unfit: Vec<Problem>,
}

/// Which world a sidecar belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Real people.
    Production,
    /// Test federations.
    Test,
    /// A developer's own machine, on loopback only: the one place where demo keys and test persons pass.
    Dev,
}

impl Environment {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
            Self::Dev => "dev",
        }
    }
}

/// `[service]`.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Names cookies, metrics and the usage ledger.
    pub id: ServiceId,
    /// The SAML audience.
    pub entity_id: String,
    /// The public address; never taken from Host or X-Forwarded-*.
    pub base_url: BaseUrl,
    /// The e-service itself.
    pub upstream: Upstream,
    /// Our own paths are under it: `/eid`.
    pub prefix: String,
    /// Whether people with a coordination number may come in.
    pub accept_coordination_number: bool,
    /// What the e-service is told where its route does not say otherwise.
    pub forward: Vec<Field>,
    /// Further ACS addresses that a migrating service has registered, as full URLs.
    pub acs_aliases: Vec<String>,
    /// Other origins than the service's own whose pages may open a WebSocket with a session.
    pub websocket_origins: Vec<String>,
}

/// What the e-service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in clear text, with prior knowledge (RFC 9113, 3.3).
    H2c,
}

impl UpstreamProtocol {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::H2c => "h2c",
        }
    }
}

/// `[upstream]`: how the e-service is spoken to. A time of zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// What it speaks.
    pub protocol: UpstreamProtocol,
    /// How long it may take to begin its answer, once the request is sent.
    pub response_timeout: Duration,
    /// How long a body may stand still, in either direction.
    pub idle_timeout: Duration,
    /// How long a WebSocket may stand still, in both directions.
    pub tunnel_idle_timeout: Duration,
}

/// A way in which a proxy asks about requests that it passes on itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardAuth {
    /// nginx's `auth_request`: answers are 200, 401 and 403.
    Nginx,
    /// Envoy's `ext_authz` over HTTP.
    Envoy,
    /// Traefik's `forwardAuth`; Caddy asks likewise.
    Traefik,
}

impl ForwardAuth {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Envoy, Self::Traefik];

    /// Its name in the configuration, in paths and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
        }
    }
}

/// `[listen]`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where requests come in.
    pub public: SocketAddr,
    /// Where operators look.
    pub admin: SocketAddr,
    /// Whose X-Forwarded-For counts, and whose questions.
    pub trusted_proxies: Vec<Network>,
    /// In which ways a trusted proxy may ask about requests; empty: in none.
    pub forward_auth: Vec<ForwardAuth>,
    /// How long a connection may wait for its next request.
    pub keep_alive_timeout: Duration,
    /// How long to go on serving after SIGTERM, while load balancers notice.
    pub shutdown_delay: Duration,
    /// How long requests may then take to end.
    pub drain_timeout: Duration,
}

/// `[verification]`.
#[derive(Clone, Debug)]
pub struct Verification {
    /// How far clocks may differ; at most five minutes.
    pub clock_skew: Duration,
    /// Where the second reader has its veto.
    pub second_reader: SecondReader,
    /// The oldest IssueInstant that is taken.
    pub max_age: Duration,
    /// The largest body of a login's answer, in bytes.
    pub body_limit: usize,
    /// Whether identity numbers must have their right check digit.
    pub check_digit: bool,
}

/// Where the second reader has its veto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondReader {
    /// On metadata, and in `grindvakt verify`.
    Metadata,
    /// On logins too.
    Always,
}

/// `[[metadata]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataSource {
    /// Its name for providers.
    pub id: FeedId,
    /// Where it is.
    pub place: FeedPlace,
    /// Pinned certificates. None is possible for a file only, which is then trusted as it is.
    pub signers: Vec<PathBuf>,
}

/// Where a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedPlace {
    /// On disk, put there by somebody else.
    File(PathBuf),
    /// At an address, fetched and refreshed.
    Url(Remote),
    /// At a metadata query service, one entity at a time.
    Mdq {
        /// The service: entities are under it.
        remote: Remote,
        /// How an entity is asked for.
        by: MdqId,
    },
}

/// What is fetched, and what stands in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address, and its mirrors in the order that they are tried.
    pub urls: Vec<RemoteUrl>,
    /// A copy shipped with the sidecar, verified like any other.
    pub seed: Option<PathBuf>,
    /// How long after its last confirmation it may be used, whatever its own validity.
    pub max_stale: Duration,
}

/// How a metadata query service is asked (draft-young-md-query-saml, 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MdqId {
    /// By the entityID, percent-encoded.
    Uri,
    /// By its SHA-1, for services that keep files: `{sha1}…`. A name, not a protection.
    Sha1,
}

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

/// `[organisation]`: what the federation wants to know (TAR 3.1). Texts are by language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    /// Organisation number, ten digits.
    pub number: Option<String>,
    /// Legal name.
    pub name: BTreeMap<String, String>,
    /// The name that people know.
    pub display_name: BTreeMap<String, String>,
    /// Web address.
    pub url: BTreeMap<String, String>,
    /// What the service is called at the providers.
    pub service_name: BTreeMap<String, String>,
    /// Entity categories.
    pub entity_categories: Vec<String>,
    /// Contacts.
    pub contacts: Vec<Contact>,
}

/// A contact in the SP metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// `technical` or `support`, or another of SAML Metadata 2.3.2.2.
    pub kind: String,
    /// Company.
    pub company: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Telephone.
    pub telephone: Option<String>,
}

/// Names of the identity headers: the standard ones, and further names for what an application already reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderNames {
    /// (the field, or `subject`; the name of a header that carries it too), in lower case.
    pub also: Vec<(String, String)>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}
