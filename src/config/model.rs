//! The compiled configuration: no illegal state, nothing left to parse.

mod provider;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    BaseUrl, KeyFiles, LogoutConfig, Network, Notice, Outbound, Override, Pages, Problem, RemoteUrl, SessionConfig,
    Store, Upstream,
};
use crate::base::{FeedId, ServiceId};
use crate::identity::Field;
use crate::policy::Routes;

pub use provider::{
    ClientAuth, Encryption, JwtProvider, Method, OidcProvider, Protocol, Provider, Published, SamlProvider,
    TokenSettings,
};

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
    /// Operators' words on providers.
    pub overrides: Vec<Override>,
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
    /// The Unix socket on which operators give their words; none: nobody can.
    pub control: Option<PathBuf>,
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
