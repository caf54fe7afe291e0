//! `[service]`, `[upstream]`, `[listen]`, `[verification]`, `[session]`, `[organisation]` and `[headers]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::reader::{Section, Text};
use super::{
    BaseUrl, Contact, Environment, ForwardAuth, HeaderNames, Listen, Network, Organisation, SecondReader,
    ServiceConfig, Upstream, UpstreamConfig, UpstreamProtocol, Verification,
};
use crate::base::{ServiceId, limits};
use crate::identity::Field;
use crate::policy::normal_path;

const MINUTE: Duration = Duration::from_secs(60);

/// Turns a text into a value, or says what is wrong with it.
fn parsed<T>(section: &Section<'_>, key: &str, text: &Text, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    match read(&text.text) {
        Ok(value) => Some(value),
        Err(message) => {
            section.problem(&text.at, format!("`{key}` {message}"));
            None
        }
    }
}

pub(super) fn read_service(root: &mut Section<'_>, environment: Option<Environment>) -> Option<ServiceConfig> {
    let Some(mut s) = root.section("service") else {
        root.missing("service", "the table [service] says which e-service this is");
        return None;
    };
    let id = s.required("id", "a short name for cookies and metrics");
    let id = id.and_then(|text| parsed(&s, "id", &text, |t| ServiceId::new(t).map_err(|e| e.to_string())));
    let entity_id = s.required("entity_id", "the name that the service is registered under at its providers");
    let base = s.required("base_url", "the address that citizens see");
    let base_at = base.as_ref().map(|text| text.at.clone());
    let base_url = base.and_then(|text| parsed(&s, "base_url", &text, BaseUrl::parse));
    let upstream = s.required("upstream", "where the e-service listens, such as \"http://127.0.0.1:8000\"");
    let upstream = upstream.and_then(|text| parsed(&s, "upstream", &text, Upstream::parse));
    let prefix = s.text("prefix");
    let prefix = prefix.map_or(Some("/eid".to_owned()), |text| parsed(&s, "prefix", &text, prefix_form));
    let accept_coordination_number = s.flag("accept_coordination_number", false);
    let forward = fields(&mut s, "forward").unwrap_or_default();
    let aliases = s.texts("acs_aliases").unwrap_or_default();
    let mut websocket_origins = Vec::new();
    for text in s.texts("websocket_origins").unwrap_or_default() {
        websocket_origins.extend(parsed(&s, "websocket_origins", &text, origin));
    }
    if let (Some(Environment::Dev), Some(url), Some(at)) = (environment, &base_url, &base_at)
        && !url.is_loopback()
    {
        s.problem(at, "environment \"dev\" lets demo keys and test persons in: it needs a loopback `base_url`");
    }
    if let (Some(Environment::Production), Some(url), Some(at)) = (environment, &base_url, &base_at)
        && url.is_loopback_http()
    {
        s.problem(at, "environment \"production\" needs an https `base_url`");
    }
    let mut acs_aliases = Vec::new();
    for alias in aliases {
        let own_path = base_url.as_ref().map(|url| (url, normal_path(&alias.text)));
        match own_path {
            Some((url, Ok(path))) => acs_aliases.push(format!("{}{path}", url.origin())),
            Some((_, Err(_))) => s.problem(&alias.at, "`acs_aliases` must hold paths on our own host, in normal form"),
            None => {}
        }
    }
    s.finish();
    Some(ServiceConfig {
        id: id?,
        entity_id: entity_id?.text,
        base_url: base_url?,
        upstream: upstream?,
        prefix: prefix?,
        accept_coordination_number,
        forward,
        acs_aliases,
        websocket_origins,
    })
}

/// An origin as browsers write it in `Origin`.
fn origin(text: &str) -> Result<String, String> {
    match BaseUrl::parse(text) {
        Ok(url) if url.path().is_empty() => Ok(url.origin().to_ascii_lowercase()),
        Ok(_) => Err(format!("must hold origins such as \"https://other.example.se\", not {text:?}")),
        Err(message) => Err(format!("{text:?} {message}")),
    }
}

pub(super) fn read_upstream(root: &mut Section<'_>) -> UpstreamConfig {
    let mut out = UpstreamConfig {
        protocol: UpstreamProtocol::Http1,
        response_timeout: MINUTE,
        idle_timeout: 5 * MINUTE,
        tunnel_idle_timeout: 60 * MINUTE,
    };
    let Some(mut s) = root.section("upstream") else { return out };
    let words = [UpstreamProtocol::Http1, UpstreamProtocol::H2c].map(|protocol| (protocol.name(), protocol));
    out.protocol = s.choice("protocol", &words).unwrap_or(out.protocol);
    out.response_timeout = s.duration("response_timeout", out.response_timeout);
    out.idle_timeout = s.duration("idle_timeout", out.idle_timeout);
    out.tunnel_idle_timeout = s.duration("tunnel_idle_timeout", out.tunnel_idle_timeout);
    s.finish();
    out
}

fn prefix_form(text: &str) -> Result<String, String> {
    let good = text.len() > 1 && !text.ends_with('/') && normal_path(text).as_deref() == Ok(text);
    if good { Ok(text.to_owned()) } else { Err("must be a path such as \"/eid\", without a slash at its end".into()) }
}

/// A list of field names.
pub(super) fn fields(section: &mut Section<'_>, key: &'static str) -> Option<Vec<Field>> {
    let texts = section.texts(key)?;
    let mut out = Vec::with_capacity(texts.len());
    for text in texts {
        match Field::parse(&text.text) {
            Some(field) if out.contains(&field) => {
                section.problem(&text.at, format!("`{key}` names {:?} twice", text.text));
            }
            Some(field) => out.push(field),
            None => {
                let known: Vec<_> = Field::ALL.iter().map(|f| f.name()).collect();
                section.problem(&text.at, format!("`{key}`: {:?} is none of {}", text.text, known.join(", ")));
            }
        }
    }
    Some(out)
}

pub(super) fn read_listen(root: &mut Section<'_>, environment: Option<Environment>) -> Listen {
    let mut listen = Listen {
        public: SocketAddr::from(([127, 0, 0, 1], 8080)),
        admin: SocketAddr::from(([127, 0, 0, 1], 9464)),
        trusted_proxies: Vec::new(),
        forward_auth: Vec::new(),
        // Longer than the load balancers in front commonly keep theirs (60 s): the one that closes last is never raced.
        keep_alive_timeout: Duration::from_secs(75),
        shutdown_delay: Duration::from_secs(5),
        drain_timeout: Duration::from_secs(30),
        control: None,
    };
    let Some(mut s) = root.section("listen") else { return listen };
    let address = |text: &str| text.parse().map_err(|_| format!("must be an address and a port, not {text:?}"));
    let at = s.at().clone();
    for (key, slot) in [("public", &mut listen.public), ("admin", &mut listen.admin)] {
        if let Some(text) = s.text(key)
            && let Some(address) = parsed(&s, key, &text, address)
        {
            *slot = address;
        }
    }
    if environment == Some(Environment::Dev) && !listen.public.ip().is_loopback() {
        s.problem(&at, "environment \"dev\" lets demo keys and test persons in: `public` must be a loopback address");
    }
    if listen.public == listen.admin && listen.public.port() != 0 {
        s.problem(&at, "`public` and `admin` are the same address");
    }
    for text in s.texts("trusted_proxies").unwrap_or_default() {
        listen.trusted_proxies.extend(parsed(&s, "trusted_proxies", &text, Network::parse));
    }
    for text in s.texts("forward_auth").unwrap_or_default() {
        let known = |text: &str| {
            let found = ForwardAuth::ALL.into_iter().find(|way| way.name() == text);
            found.ok_or_else(|| format!("{text:?} is none of nginx, envoy, traefik"))
        };
        listen.forward_auth.extend(parsed(&s, "forward_auth", &text, known));
    }
    if !listen.forward_auth.is_empty() && listen.trusted_proxies.is_empty() {
        s.problem(&at, "`forward_auth` answers the `trusted_proxies` alone, and there is none");
    }
    listen.keep_alive_timeout = s.duration("keep_alive_timeout", listen.keep_alive_timeout);
    if listen.keep_alive_timeout < Duration::from_secs(1) {
        s.problem(&s.at().clone(), "`keep_alive_timeout` must be a second at the least");
    }
    listen.shutdown_delay = s.duration("shutdown_delay", listen.shutdown_delay);
    listen.drain_timeout = s.duration("drain_timeout", listen.drain_timeout);
    if let Some(text) = s.text("control") {
        // Never on a network: whoever can reach it decides who may log in by what.
        match text.text.strip_prefix("unix:").map(std::path::PathBuf::from) {
            Some(path) if path.is_absolute() => listen.control = Some(path),
            Some(_) | None => s.problem(&text.at, "`control` must be unix:/an/absolute/path"),
        }
    }
    s.finish();
    listen
}

pub(super) fn read_verification(root: &mut Section<'_>) -> Verification {
    let mut out = Verification {
        clock_skew: MINUTE,
        second_reader: SecondReader::Metadata,
        max_age: 3 * MINUTE,
        body_limit: limits::MESSAGE.bytes,
        check_digit: false,
    };
    let Some(mut s) = root.section("verification") else { return out };
    out.clock_skew = s.duration("clock_skew", out.clock_skew);
    if out.clock_skew > 5 * MINUTE {
        s.problem(&s.at().clone(), "`clock_skew` may be five minutes at the most; set the clocks instead");
    }
    let words = [("metadata", SecondReader::Metadata), ("always", SecondReader::Always)];
    out.second_reader = s.choice("second_reader", &words).unwrap_or(out.second_reader);
    out.max_age = s.duration("max_age", out.max_age);
    out.body_limit = s.number("body_limit", out.body_limit, 16 * 1024..=limits::MESSAGE.bytes);
    out.check_digit = s.flag("check_digit", false);
    s.finish();
    out
}

/// A text by language: `name = { sv = "…", en = "…" }`, or one text, which is Swedish.
fn by_language(section: &mut Section<'_>, key: &'static str) -> BTreeMap<String, String> {
    let Some(mut table) = section.section(key) else { return BTreeMap::new() };
    let texts = table.free_texts();
    for (language, text) in texts.iter().filter(|(language, _)| !is_language(language)) {
        let message = "is no language tag such as \"sv\" or \"en-GB\": providers would refuse our metadata";
        table.problem(&text.at, format!("{language:?} {message}"));
    }
    texts.into_iter().map(|(language, text)| (language, text.text)).collect()
}

/// Whether `xml:lang` may hold it (XML Schema 2, 3.3.3).
fn is_language(tag: &str) -> bool {
    let part = |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    tag.split('-').all(part)
        && tag.split('-').next().is_some_and(|first| first.bytes().all(|b| b.is_ascii_alphabetic()))
}

pub(super) fn read_organisation(root: &mut Section<'_>) -> Option<Organisation> {
    let mut s = root.section("organisation")?;
    let number = s.text("number");
    if let Some(number) = &number
        && !(number.text.len() == 10 && number.text.bytes().all(|b| b.is_ascii_digit()))
    {
        s.problem(&number.at, "`number` must be an organisation number of ten digits, without a hyphen");
    }
    let mut out = Organisation {
        number: number.map(|n| n.text),
        name: by_language(&mut s, "name"),
        display_name: by_language(&mut s, "display_name"),
        url: by_language(&mut s, "url"),
        service_name: by_language(&mut s, "service_name"),
        entity_categories: s.texts("entity_categories").unwrap_or_default().into_iter().map(|t| t.text).collect(),
        contacts: Vec::new(),
    };
    for mut contact in s.sections("contact") {
        let kinds = ["technical", "support", "administrative", "billing", "other"].map(|k| (k, k));
        let kind = contact.choice("kind", &kinds);
        if kind.is_none() && !contact.has("kind") {
            contact.missing("kind", "\"technical\" or \"support\"");
        }
        let text = |c: &mut Section<'_>, key| c.text(key).map(|t| t.text);
        out.contacts.push(Contact {
            kind: kind.unwrap_or("technical").to_owned(),
            company: text(&mut contact, "company"),
            email: text(&mut contact, "email"),
            telephone: text(&mut contact, "telephone"),
        });
        contact.finish();
    }
    s.finish();
    Some(out)
}

/// What oauth2-proxy sends to the application.
const OAUTH2_PROXY: [(&str, &str); 2] = [("subject", "x-forwarded-user"), ("name", "x-forwarded-preferred-username")];

/// What the proxy tells of the client: an identity in its place would be overwritten, or overwrite it.
const REBUILT: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

pub(super) fn read_headers(root: &mut Section<'_>) -> HeaderNames {
    let Some(mut s) = root.section("headers") else { return HeaderNames::default() };
    let mut out = HeaderNames::default();
    if s.choice("preset", &[("oauth2-proxy", ())]).is_some() {
        out.also.extend(OAUTH2_PROXY.map(|(field, name)| (field.to_owned(), name.to_owned())));
    }
    if let Some(mut also) = s.section("also") {
        for (field, name) in also.free_texts() {
            let known = field == "subject" || Field::parse(&field).is_some();
            let lower = name.text.to_ascii_lowercase();
            let good = !lower.is_empty() && lower.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            const TAKEN: [&str; 15] = [
                "accept",
                "authorization",
                "content-encoding",
                "content-type",
                "forwarded",
                "host",
                "cookie",
                "connection",
                "content-length",
                "transfer-encoding",
                "te",
                "upgrade",
                "trailer",
                "keep-alive",
                "expect",
            ];
            if !known {
                also.problem(&name.at, format!("`{field}` is no field that can be forwarded"));
            } else if !good || TAKEN.contains(&lower.as_str()) || REBUILT.contains(&lower.as_str()) {
                also.problem(
                    &name.at,
                    format!("{:?} cannot carry an identity: letters, digits and '-' make a name", name.text),
                );
            } else {
                out.also.push((field, lower));
            }
        }
    }
    s.finish();
    out
}
