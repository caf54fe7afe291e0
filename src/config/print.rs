//! `grindvakt check --print`: the effective configuration as TOML. Secrets are named, never shown.

use toml::{Table, Value};

use super::{
    ClientAuth, Config, Encryption, FeedPlace, KeySource, MdqId, Notice, OidcProvider, Pages, Protocol, Provider,
    Published, SamlProvider, SecondReader, Store, TokenSettings,
};
use crate::crypto::trusted::JwsAlgorithm;
use crate::policy::Access;
use crate::replay::shared::Topology;
use crate::session::Locale;
use crate::verify::saml::{Profile, Signed, SsoBinding};

/// A duration as the configuration writes it.
fn seconds(d: std::time::Duration) -> Value {
    Value::String(match d.subsec_millis() {
        0 => format!("{}s", d.as_secs()),
        _ => format!("{}ms", d.as_millis()),
    })
}

/// The effective configuration, defaults filled in.
pub fn print(config: &Config) -> String {
    let mut root = Table::new();
    let text = |t: &str| Value::String(t.to_owned());
    root.insert("environment".into(), text(config.environment.name()));

    let s = &config.service;
    let mut service = Table::new();
    service.insert("id".into(), text(s.id.as_str()));
    service.insert("entity_id".into(), text(&s.entity_id));
    service.insert("base_url".into(), text(s.base_url.as_str()));
    service.insert("upstream".into(), text(&s.upstream.to_string()));
    service.insert("prefix".into(), text(&s.prefix));
    service.insert("accept_coordination_number".into(), Value::Boolean(s.accept_coordination_number));
    service.insert("forward".into(), list(s.forward.iter().map(|f| f.name().to_owned()).collect()));
    some(&mut service, "websocket_origins", s.websocket_origins.clone());
    root.insert("service".into(), Value::Table(service));

    let mut upstream = Table::new();
    upstream.insert("protocol".into(), text(config.upstream.protocol.name()));
    upstream.insert("response_timeout".into(), seconds(config.upstream.response_timeout));
    upstream.insert("idle_timeout".into(), seconds(config.upstream.idle_timeout));
    upstream.insert("tunnel_idle_timeout".into(), seconds(config.upstream.tunnel_idle_timeout));
    root.insert("upstream".into(), Value::Table(upstream));

    let mut listen = Table::new();
    listen.insert("public".into(), text(&config.listen.public.to_string()));
    listen.insert("admin".into(), text(&config.listen.admin.to_string()));
    listen.insert(
        "trusted_proxies".into(),
        list(config.listen.trusted_proxies.iter().map(ToString::to_string).collect()),
    );
    some(&mut listen, "forward_auth", config.listen.forward_auth.iter().map(|way| way.name().to_owned()).collect());
    listen.insert("keep_alive_timeout".into(), seconds(config.listen.keep_alive_timeout));
    listen.insert("shutdown_delay".into(), seconds(config.listen.shutdown_delay));
    if let Some(path) = &config.listen.control {
        listen.insert("control".into(), text(&format!("unix:{}", path.display())));
    }
    listen.insert("drain_timeout".into(), seconds(config.listen.drain_timeout));
    root.insert("listen".into(), Value::Table(listen));

    let mut verification = Table::new();
    let second = match config.verification.second_reader {
        SecondReader::Metadata => "metadata",
        SecondReader::Always => "always",
    };
    verification.insert("clock_skew".into(), seconds(config.verification.clock_skew));
    verification.insert("second_reader".into(), text(second));
    verification.insert("max_age".into(), seconds(config.verification.max_age));
    verification.insert("check_digit".into(), Value::Boolean(config.verification.check_digit));
    root.insert("verification".into(), Value::Table(verification));

    // Where each secret is, and nothing of what it holds.
    let places = |sources: &[KeySource]| list(sources.iter().map(|s| format!("<{s}>")).collect());
    let place =
        |source: &Option<KeySource>| text(&source.as_ref().map_or("<made at start>".into(), |s| format!("<{s}>")));
    let mut keys = Table::new();
    keys.insert("signing".into(), places(&config.keys.signing));
    keys.insert("decryption".into(), places(&config.keys.decryption));
    keys.insert("sealing".into(), places(&config.keys.sealing));
    keys.insert("digest".into(), place(&config.keys.digest));
    if !config.keys.digest_also.is_empty() {
        keys.insert("digest_also".into(), places(&config.keys.digest_also));
    }
    keys.insert("identity_token".into(), place(&config.keys.identity_token));
    if !config.keys.identity_token_also.is_empty() {
        keys.insert("identity_token_also".into(), places(&config.keys.identity_token_also));
    }
    root.insert("keys".into(), Value::Table(keys));

    let mut session = Table::new();
    session.insert("idle_timeout".into(), seconds(config.session.idle_timeout));
    session.insert("lifetime".into(), seconds(config.session.lifetime));
    root.insert("session".into(), Value::Table(session));
    let mut logout = Table::new();
    if let Some(path) = &config.logout.upstream_path {
        logout.insert("upstream_path".into(), Value::String(path.clone()));
    }
    some(&mut logout, "clear_cookies", config.logout.clear_cookies.clone());
    if !logout.is_empty() {
        root.insert("logout".into(), Value::Table(logout));
    }

    root.insert("store".into(), Value::Table(store(&config.store)));
    if let Some(dir) = &config.state_dir {
        let mut state = Table::new();
        state.insert("dir".into(), text(&dir.display().to_string()));
        root.insert("state".into(), Value::Table(state));
    }
    // Proxies are the environment's: they are no key of the configuration, and their passwords are nobody's.
    if let Some(file) = &config.network.ca_file {
        let mut network = Table::new();
        network.insert("ca_file".into(), text(&file.display().to_string()));
        root.insert("network".into(), Value::Table(network));
    }

    let feeds = config.metadata.iter().map(|source| {
        let mut table = Table::new();
        table.insert("id".into(), text(source.id.as_str()));
        let (remote, key) = match &source.place {
            FeedPlace::File(file) => {
                table.insert("file".into(), text(&file.display().to_string()));
                (None, "file")
            }
            FeedPlace::Url(remote) => (Some(remote), "url"),
            FeedPlace::Mdq { remote, by } => {
                let by = match by {
                    MdqId::Uri => "uri",
                    MdqId::Sha1 => "sha1",
                };
                table.insert("mdq_id".into(), text(by));
                (Some(remote), "mdq")
            }
        };
        if let Some(remote) = remote {
            let mut urls = remote.urls.iter().map(|url| url.as_str().to_owned());
            table.insert(key.into(), text(&urls.next().unwrap_or_default()));
            some(&mut table, "mirrors", urls.collect());
            table.insert("max_stale".into(), seconds(remote.max_stale));
            if let Some(seed) = &remote.seed {
                table.insert("seed".into(), text(&seed.display().to_string()));
            }
        }
        some(&mut table, "signer", source.signers.iter().map(|p| p.display().to_string()).collect());
        Value::Table(table)
    });
    root.insert("metadata".into(), Value::Array(feeds.collect()));

    root.insert("provider".into(), Value::Array(config.providers.iter().map(|p| Value::Table(provider(p))).collect()));

    let routes = config.routes.all().filter(|route| route.name.as_str().starts_with('/')).map(|route| {
        let mut table = Table::new();
        table.insert("path".into(), text(route.name.as_str()));
        if route.access == Access::Anonymous {
            table.insert("access".into(), text("anonymous"));
            return Value::Table(table);
        }
        some(&mut table, "loa", route.loa.iter().map(|l| l.uri().to_owned()).collect());
        some(&mut table, "require", route.require.iter().map(|f| f.name().to_owned()).collect());
        some(&mut table, "eid", route.eid.iter().map(|e| e.as_str().to_owned()).collect());
        some(&mut table, "bearer", route.bearer.iter().map(|id| id.as_str().to_owned()).collect());
        some(&mut table, "scopes", route.scopes.clone());
        table.insert("forward".into(), list(route.forward.iter().map(|f| f.name().to_owned()).collect()));
        Value::Table(table)
    });
    root.insert("route".into(), Value::Array(routes.collect()));
    let pages = printed_pages(&config.pages);
    if !pages.is_empty() {
        root.insert("pages".into(), Value::Table(pages));
    }
    let notices: Vec<Value> = config.notices.iter().map(|one| Value::Table(notice(one))).collect();
    if !notices.is_empty() {
        root.insert("notice".into(), Value::Array(notices));
    }
    toml::to_string(&root).unwrap_or_default()
}

/// `[pages]`, as a table that would be read as the same.
pub fn printed_pages(pages: &Pages) -> Table {
    let mut table = Table::new();
    for (key, text) in [
        ("service_name", &pages.service_name),
        ("owner", &pages.owner),
        ("contact", &pages.contact),
        ("phone", &pages.phone),
        ("other_ways_url", &pages.other_ways_url),
        ("accessibility_statement_url", &pages.accessibility_statement_url),
        ("privacy_url", &pages.privacy_url),
    ] {
        let Some(text) = text else { continue };
        let sv = Value::String(text.get(Locale::Sv).to_owned());
        let value = match text.en() {
            Some(en) => {
                let both = [("sv".to_owned(), sv), ("en".to_owned(), Value::String(en.to_owned()))];
                Value::Table(both.into_iter().collect())
            }
            None => sv,
        };
        table.insert(key.into(), value);
    }
    if let Some(logo) = &pages.logo {
        table.insert("logo".into(), Value::String(logo.file.display().to_string()));
    }
    table
}

/// One `[[notice]]`.
fn notice(notice: &Notice) -> Table {
    let mut table = Table::new();
    for (key, text) in [
        ("from", notice.from.to_string()),
        ("until", notice.until.to_string()),
        ("announce", format!("{}s", notice.announce.as_secs())),
        ("sv", notice.text.get(Locale::Sv).to_owned()),
        ("en", notice.text.get(Locale::En).to_owned()),
    ] {
        table.insert(key.into(), Value::String(text));
    }
    some(&mut table, "providers", notice.providers.iter().map(|id| id.as_str().to_owned()).collect());
    table
}

/// `[store]`.
fn store(store: &Store) -> Table {
    let mut table = Table::new();
    let text = |t: &str| Value::String(t.to_owned());
    let Store::Redis(own) = store else {
        table.insert("kind".into(), text("memory"));
        return table;
    };
    table.insert("kind".into(), text("redis"));
    let mode = match &own.topology {
        Topology::Single => "single",
        Topology::Sentinel { master } => {
            table.insert("master".into(), text(master));
            "sentinel"
        }
        Topology::Cluster => "cluster",
    };
    table.insert("mode".into(), text(mode));
    table.insert("nodes".into(), list(own.nodes.iter().map(ToString::to_string).collect()));
    table.insert("database".into(), Value::Integer(i64::from(own.database)));
    table.insert("tls".into(), Value::Boolean(own.tls.is_some()));
    let millis = |d: std::time::Duration| text(&format!("{}ms", d.as_millis()));
    table.insert("connect_timeout".into(), millis(own.connect_timeout));
    table.insert("timeout".into(), millis(own.timeout));
    let ca = own.tls.as_ref().and_then(|tls| tls.ca.as_ref()).map(|ca| ca.display().to_string());
    // Where each secret is, and nothing of what it holds.
    let secret = |source: &Option<KeySource>| source.as_ref().map(|source| format!("<{source}>"));
    for (key, value) in [
        ("username", own.username.clone()),
        ("password_file", secret(&own.password)),
        ("sentinel_username", own.sentinel_username.clone()),
        ("sentinel_password_file", secret(&own.sentinel_password)),
        ("tls_ca", ca),
    ] {
        if let Some(value) = value {
            table.insert(key.into(), Value::String(value));
        }
    }
    table
}

/// `[[provider]]`.
fn provider(provider: &Provider) -> Table {
    let mut table = Table::new();
    let text = |t: &str| Value::String(t.to_owned());
    for (key, value) in [
        ("id", provider.id.as_str()),
        ("eid", provider.eid.as_str()),
        ("method", provider.method.name()),
        ("label", &provider.label),
        ("protocol", provider.protocol.name()),
    ] {
        table.insert(key.into(), text(value));
    }
    some(&mut table, "loa", provider.loa.clone());
    let map = provider.loa_map.iter().map(|(written, meant)| (written.clone(), text(meant)));
    table.insert("loa_map".into(), Value::Table(map.collect()));
    if provider.has_login() {
        table.insert("force_authn".into(), Value::Boolean(provider.force_authn));
        let ends = provider.withdrawn_key_ends_sessions;
        table.insert("withdrawn_key_ends_sessions".into(), Value::Boolean(ends));
        if provider.has_login() {
            table.insert("probe".into(), text(if provider.probe { "on" } else { "off" }));
        }
    }
    match &provider.protocol {
        Protocol::Saml(own) => saml(&mut table, own),
        Protocol::Oidc(own) => oidc(&mut table, own),
        Protocol::Jwt(own) => {
            table.insert("profile".into(), text(own.profile.name()));
            table.insert("issuer".into(), text(&own.issuer));
            some(&mut table, "audience", own.audience.clone());
            published(&mut table, &own.published);
            for (key, value) in [
                ("require_at_jwt", own.require_at_jwt),
                ("require_dpop", own.require_dpop),
                ("dpop_nonce", own.dpop_nonce),
            ] {
                table.insert(key.into(), Value::Boolean(value));
            }
            tokens(&mut table, &own.tokens);
        }
    }
    table
}

fn saml(table: &mut Table, own: &SamlProvider) {
    let profile = match own.profile {
        Profile::Federation => "federation",
        Profile::SamlCore => "saml-core",
    };
    let signed = match own.signed {
        Signed::Response => "response",
        Signed::Assertion => "assertion",
        Signed::Either => "either",
    };
    let binding = own.binding.map(|binding| match binding {
        SsoBinding::Redirect => "redirect",
        SsoBinding::Post => "post",
    });
    for (key, value) in [
        ("profile", profile),
        ("entity_id", &own.entity_id),
        ("metadata", &own.metadata),
        ("signed", signed),
        ("encryption", encryption(own.encryption)),
    ]
    .into_iter()
    .chain(binding.map(|binding| ("binding", binding)))
    {
        table.insert(key.into(), Value::String(value.to_owned()));
    }
    for (key, value) in [
        ("allow_unsolicited", own.allow_unsolicited),
        ("eidas_connector", own.eidas_connector),
        ("logout_at_provider", own.logout_at_provider),
    ] {
        table.insert(key.into(), Value::Boolean(value));
    }
    some(table, "authenticating_authorities", own.authenticating_authorities.clone());
}

fn oidc(table: &mut Table, own: &OidcProvider) {
    // Where the secret is, and nothing of what it holds.
    let client = own.client.as_ref().map(|client| match client {
        ClientAuth::PrivateKeyJwt(source) => ("client_key", format!("<{source}>")),
        ClientAuth::SecretBasic(source) => ("client_secret_file", format!("<{source}>")),
    });
    for (key, value) in [
        ("profile", own.profile.name().to_owned()),
        ("issuer", own.issuer.clone()),
        ("client_id", own.client_id.clone()),
    ]
    .into_iter()
    .chain(client)
    .chain(own.client_key_id.iter().map(|id| ("client_key_id", id.clone())))
    {
        table.insert(key.into(), Value::String(value));
    }
    published(table, &own.published);
    table.insert("scopes".into(), list(own.scope().split(' ').map(str::to_owned).collect()));
    if let Some(age) = own.max_age {
        table.insert("max_age".into(), seconds(age));
    }
    for (key, value) in [
        ("pushed_requests", own.pushed_requests),
        ("signed_requests", own.signed_requests),
        ("userinfo", own.userinfo),
        ("logout_at_provider", own.logout_at_provider),
    ] {
        table.insert(key.into(), Value::Boolean(value));
    }
    tokens(table, &own.tokens);
    table.insert("encryption".into(), Value::String(encryption(own.encryption).to_owned()));
    some(table, "trusted_audiences", own.trusted_audiences.clone());
    table.insert("eidas_connector".into(), Value::Boolean(own.eidas_connector));
}

fn published(table: &mut Table, own: &Published) {
    let file = own.jwks_file.iter().map(|path| ("jwks_file", path.display().to_string()));
    let url = own.jwks_url.iter().map(|url| ("jwks_url", url.to_string()));
    for (key, value) in file.chain(url) {
        table.insert(key.into(), Value::String(value));
    }
    some(table, "hosts", own.hosts.clone());
    table.insert("max_stale".into(), seconds(own.max_stale));
}

fn tokens(table: &mut Table, own: &TokenSettings) {
    let algorithms = JwsAlgorithm::ALL.into_iter().filter(|algorithm| own.algorithms.contains(*algorithm));
    table.insert("algorithms".into(), list(algorithms.map(|algorithm| algorithm.name().to_owned()).collect()));
    let claims = own.claims.iter().map(|(field, claim)| (field.name().to_owned(), Value::String(claim.clone())));
    table.insert("claims".into(), Value::Table(claims.collect()));
}

const fn encryption(setting: Encryption) -> &'static str {
    match setting {
        Encryption::Required => "required",
        Encryption::Optional => "optional",
    }
}

/// A list that is left out where it is empty.
fn some(table: &mut Table, key: &str, texts: Vec<String>) {
    if !texts.is_empty() {
        table.insert(key.into(), list(texts));
    }
}

fn list(items: Vec<String>) -> Value {
    Value::Array(items.into_iter().map(Value::String).collect())
}
