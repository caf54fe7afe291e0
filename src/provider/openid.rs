//! What providers of tokens publish: a discovery document, and the key set that it leads to. Both are sources like any
//! feed, with rules of their own: a document names no host that the configuration does not (checklist 46, T33), and no
//! copy of them is kept on disk, since nothing in them would tell a forged copy from a good one.

use std::sync::Arc;
use std::time::Duration;

use super::feeds::FeedFault;
use super::load::pinned_keys;
use super::source::{Document, Kind, Place, Reader, Source, Spec, Status};
use crate::base::limits::PROVIDER_DOCUMENT;
use crate::base::{FeedId, ProviderId, UnixTime};
use crate::config::{Environment, Protocol, Provider, Published, RemoteUrl};
use crate::verify::jose::{Discovery, KeySet, jwks_uri};
use crate::verify::{Reason, Reject};

const ACCEPT_JSON: &str = "application/json";
const ACCEPT_KEYS: &str = "application/jwk-set+json, application/json;q=0.9";

/// For an unknown key a discovery document that was looked at within so long is not fetched again.
const DISCOVERY_LOOKED_AT: Duration = Duration::from_secs(60);

/// How the keys of a demo provider are called (decision 10).
const DEMO_KID: &str = "grindvakt-demo";

/// What a discovery document says that concerns us.
#[derive(Debug)]
pub(super) struct Described {
    /// Where the keys are.
    jwks_uri: RemoteUrl,
    /// What a login takes; none for a provider of bearer tokens.
    login: Option<Arc<Discovery>>,
}

/// A key set, and what is odd about it.
#[derive(Debug)]
pub(super) struct Jwks {
    keys: Arc<KeySet>,
    warnings: Vec<Reject>,
}

enum Keys {
    /// In a file: what changes it is a reload.
    Pinned(Result<Arc<KeySet>, Reject>, Vec<Reject>),
    Fetched(Arc<Source<Jwks>>),
}

/// What one provider of tokens publishes.
pub(super) struct TokenSources {
    provider: ProviderId,
    published: Published,
    /// By what its documents are read, beside where they are.
    read_by: ReadBy,
    discovery: Option<Arc<Source<Described>>>,
    keys: Keys,
}

/// What decides whether a document is good: one that was read by another is another.
#[derive(Clone, PartialEq, Eq)]
struct ReadBy {
    issuer: String,
    /// Whether people log in there: then its document must hold all that a login takes.
    login: bool,
    environment: Environment,
}

/// What is known of a provider of tokens now.
pub(super) struct TokensKnown {
    pub(super) keys: Result<Arc<KeySet>, Reject>,
    pub(super) discovery: Result<Arc<Discovery>, Reject>,
    /// From when on it may not be used.
    pub(super) until: Option<UnixTime>,
}

impl TokenSources {
    /// The sources of `provider`; none for one that speaks SAML. Reads a pinned file; nothing is fetched yet.
    pub(super) fn new(provider: &Provider, environment: Environment) -> Option<Self> {
        let (issuer, published, login) = match &provider.protocol {
            Protocol::Saml(_) => return None,
            Protocol::Oidc(own) => (&own.issuer, &own.published, true),
            Protocol::Jwt(own) => (&own.issuer, &own.published, false),
        };
        let spec = |kind: Kind, urls: Vec<RemoteUrl>, accept| Spec {
            feed: FeedId::from(&provider.id),
            kind,
            entity: Some(kind.name().to_owned()),
            place: Place::Remote { urls, copy: None, seed: None, max_stale: published.max_stale },
            accept,
            limit: PROVIDER_DOCUMENT.bytes,
        };
        let found_elsewhere = published.jwks_file.is_some() || published.jwks_url.is_some();
        let discovery = (login || !found_elsewhere).then(|| {
            let reader = discovery_reader(issuer.clone(), published.clone(), login, environment);
            Arc::new(Source::new(spec(Kind::Discovery, vec![published.discovery.clone()], ACCEPT_JSON), reader))
        });
        let keys = match &published.jwks_file {
            Some(file) => {
                let (keys, mut faults) = pinned_keys(file);
                let keys = keys.and_then(|keys| match admit_keys(environment, &keys) {
                    Ok(()) => Ok(keys),
                    Err(demo) => {
                        faults.push(demo.clone());
                        Err(demo)
                    }
                });
                Keys::Pinned(keys, faults)
            }
            // Without an address of their own they are where the discovery document says.
            None => {
                let urls = published.jwks_url.iter().cloned().collect();
                Keys::Fetched(Arc::new(Source::new(spec(Kind::Jwks, urls, ACCEPT_KEYS), keys_reader(environment))))
            }
        };
        let read_by = ReadBy { issuer: issuer.clone(), login, environment };
        Some(Self { provider: provider.id.clone(), published: published.clone(), read_by, discovery, keys })
    }

    pub(super) const fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// Takes over what `old` holds of the same documents: a reload during an outage loses nothing, and lets nothing in that
    /// would be refused today.
    pub(super) fn take_over(&self, old: &Self) {
        if self.provider != old.provider || self.published != old.published || self.read_by != old.read_by {
            return;
        }
        if let (Some(new), Some(old)) = (&self.discovery, &old.discovery) {
            new.inherit(old, |_| true);
        }
        if let (Keys::Fetched(new), Keys::Fetched(old)) = (&self.keys, &old.keys) {
            new.inherit(old, |_| true);
        }
        self.lead();
    }

    /// Leads the key set to where the discovery document in use says that it is.
    pub(super) fn lead(&self) {
        if let (Some(discovery), Keys::Fetched(keys), None) = (&self.discovery, &self.keys, &self.published.jwks_url)
            && let Some(held) = discovery.held()
        {
            keys.lead_to(vec![held.document.value.jwks_uri.clone()]);
        }
    }

    /// The document that says where the keys are, where that may have become another place since it was looked at.
    pub(super) fn may_lead_elsewhere(&self, now: UnixTime) -> Option<&Arc<Source<Described>>> {
        let source = self.discovery.as_ref().filter(|_| self.published.jwks_url.is_none())?;
        let looked = source.held().map(|held| held.confirmed);
        looked.is_none_or(|at| now >= at.plus(DISCOVERY_LOOKED_AT)).then_some(source)
    }

    pub(super) const fn discovery(&self) -> Option<&Arc<Source<Described>>> {
        self.discovery.as_ref()
    }

    /// The source of the keys; none where they are pinned.
    pub(super) const fn fetched_keys(&self) -> Option<&Arc<Source<Jwks>>> {
        match &self.keys {
            Keys::Pinned(..) => None,
            Keys::Fetched(source) => Some(source),
        }
    }

    /// What is known now.
    pub(super) fn known(&self) -> TokensKnown {
        let (mut ends, mut why_not) = (Vec::new(), None);
        let discovery = match &self.discovery {
            None => Err(Reject::new(Reason::ProviderWithoutKeys, "its discovery document is not asked for")),
            Some(source) => match source.held() {
                Some(held) => {
                    ends.extend(held.until);
                    let none = || Reject::new(Reason::DiscoveryMalformed, "it says nothing of logins");
                    held.document.value.login.clone().ok_or_else(none)
                }
                None => {
                    let why = without(source);
                    why_not = Some(why.clone());
                    Err(why)
                }
            },
        };
        let keys = match &self.keys {
            Keys::Pinned(keys, _) => keys.clone(),
            Keys::Fetched(source) => match source.held() {
                Some(held) => {
                    ends.extend(held.until);
                    Ok(Arc::clone(&held.document.value.keys))
                }
                // Keys that nobody could look for yet lack the document that says where.
                None => Err(why_not.filter(|_| self.published.jwks_url.is_none()).unwrap_or_else(|| without(source))),
            },
        };
        TokensKnown { keys, discovery, until: ends.into_iter().min() }
    }

    /// What keeps it from being used, or is odd about its keys.
    pub(super) fn faults(&self) -> Vec<FeedFault> {
        let fault = |entity: &str, cause: Reject| FeedFault {
            feed: FeedId::from(&self.provider),
            entity_id: Some(entity.to_owned()),
            cause,
        };
        let mut out = Vec::new();
        if let Some(source) = &self.discovery
            && source.held().is_none()
            && let Some(trouble) = source.trouble()
        {
            out.push(fault("discovery", trouble.as_reject()));
        }
        match &self.keys {
            Keys::Pinned(_, faults) => {
                let file = self.published.jwks_file.as_ref().map(|path| path.display().to_string());
                out.extend(faults.iter().map(|cause| fault(file.as_deref().unwrap_or("jwks"), cause.clone())));
            }
            Keys::Fetched(source) => match (source.held(), source.trouble()) {
                (Some(held), _) => {
                    out.extend(held.document.value.warnings.iter().map(|cause| fault("jwks", cause.clone())));
                }
                (None, Some(trouble)) if source.has_address() => out.push(fault("jwks", trouble.as_reject())),
                (None, _) => {}
            },
        }
        out
    }

    /// How its sources are doing.
    pub(super) fn status(&self, now: UnixTime) -> Vec<Status> {
        let discovery = self.discovery.iter().map(|source| source.status(now));
        discovery.chain(self.fetched_keys().map(|source| source.status(now))).collect()
    }
}

/// Why a source that holds nothing holds nothing.
fn without<T: Send + Sync + 'static>(source: &Source<T>) -> Reject {
    source.trouble().map_or_else(
        || Reject::new(Reason::ProviderWithoutKeys, "it has not been fetched yet"),
        |trouble| trouble.as_reject(),
    )
}

/// The reader of `issuer`'s document. One that would make us call a host which the configuration does not name is refused
/// whole, and so is one that would send people's browsers to their own machines.
fn discovery_reader(issuer: String, published: Published, login: bool, environment: Environment) -> Reader<Described> {
    // Whose issuer is on loopback is a neighbour in the pod, or a test.
    let loopback = environment == Environment::Dev || published.discovery.is_loopback();
    Box::new(move |bytes, _| {
        let (jwks, login) = if login {
            let discovery = Discovery::read(bytes, &issuer)?;
            (discovery.jwks_uri.clone(), Some(Arc::new(discovery)))
        } else {
            (jwks_uri(bytes, &issuer)?, None)
        };
        let visited = login.iter().flat_map(|login| {
            [
                ("authorization_endpoint", Some(&login.authorization_endpoint)),
                ("end_session_endpoint", login.end_session_endpoint.as_ref()),
            ]
        });
        for (name, address) in visited.filter_map(|(name, address)| Some((name, address?))) {
            if !loopback && RemoteUrl::parse(address).is_ok_and(|url| url.is_loopback()) {
                let detail = format_args!("`{name}` leads to the machine that follows it");
                return Err(Reject::new(Reason::EndpointMalformed, detail));
            }
        }
        let called = login.iter().flat_map(|login| {
            [
                ("token_endpoint", Some(&login.token_endpoint)),
                ("userinfo_endpoint", login.userinfo_endpoint.as_ref()),
                ("pushed_authorization_request_endpoint", login.pushed_authorization_request_endpoint.as_ref()),
            ]
        });
        for (name, address) in called.filter_map(|(name, address)| Some((name, address?))) {
            allowed(&published, name, address)?;
        }
        let jwks_uri = allowed(&published, "jwks_uri", &jwks)?;
        Ok(Document::timeless(Described { jwks_uri, login }))
    })
}

fn allowed(published: &Published, name: &str, address: &str) -> Result<RemoteUrl, Reject> {
    let url = RemoteUrl::parse(address)
        .map_err(|message| Reject::new(Reason::EndpointMalformed, format_args!("`{name}` {message}")))?;
    if published.may_call(&url) {
        return Ok(url);
    }
    let detail = format_args!("`{name}` is at {}, which is not the issuer's and not among `hosts`", url.authority());
    Err(Reject::new(Reason::HostNotConfigured, detail))
}

/// Lets a key set in, unless `grindvakt-demo` made it and `environment` is not for that.
fn admit_keys(environment: Environment, keys: &KeySet) -> Result<(), Reject> {
    if environment != Environment::Dev && keys.kids().any(|kid| kid.starts_with(DEMO_KID)) {
        let detail =
            "keys that grindvakt-demo made, whoever runs it logs in as anyone: they are for environment \"dev\"";
        return Err(Reject::new(Reason::DemoKey, detail));
    }
    Ok(())
}

/// The reader of a key set. One without a single key that is taken is none: the last good one stays.
fn keys_reader(environment: Environment) -> Reader<Jwks> {
    Box::new(move |bytes, _| {
        let (keys, warnings) = KeySet::parse(bytes)?;
        if keys.is_empty() {
            return Err(Reject::new(Reason::JwksMalformed, "no key in it is taken"));
        }
        admit_keys(environment, &keys)?;
        let warnings = warnings.iter().map(|warning| Reject::new(Reason::KeyLeftOut, warning)).collect();
        Ok(Document::timeless(Jwks { keys: Arc::new(keys), warnings }))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(issuer: &str, name: &str, address: &str, environment: Environment) -> Result<(), &'static str> {
        let discovery = RemoteUrl::parse(&format!("{issuer}/.well-known/openid-configuration")).unwrap();
        let published = Published {
            jwks_file: None,
            jwks_url: None,
            discovery,
            hosts: Vec::new(),
            max_stale: Duration::from_secs(60),
        };
        let mut document = serde_json::json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        document[name] = address.into();
        let reader = discovery_reader(issuer.to_owned(), published, true, environment);
        let read = reader(document.to_string().as_bytes(), UnixTime::from_secs(0));
        read.map(drop).map_err(|reject| reject.code())
    }

    #[test]
    fn a_document_sends_nobody_to_their_own_machine() {
        use Environment::{Dev, Production, Test};
        let (world, pod) = ("https://op.example.se", "http://127.0.0.1:9000");
        for name in ["authorization_endpoint", "end_session_endpoint"] {
            for address in [
                "http://localhost/x",
                "http://localhost:8080/x",
                "http://127.0.0.1/x",
                "http://op.localhost/x",
                "https://localhost/x",
                "https://[::1]/x",
            ] {
                for environment in [Production, Test] {
                    let refused = Err("endpoint_malformed");
                    assert_eq!(read(world, name, address, environment), refused, "{name} {address} {environment:?}");
                }
                assert_eq!(read(world, name, address, Dev), Ok(()), "{name} {address}");
                assert_eq!(read(pod, name, address, Production), Ok(()), "whose issuer is there: {name} {address}");
            }
            assert_eq!(read(world, name, "https://elsewhere.example/x", Production), Ok(()), "{name}");
        }
        for name in ["token_endpoint", "jwks_uri"] {
            assert_eq!(read(world, name, "http://localhost/x", Production), Err("host_not_configured"), "{name}");
        }
    }
}
