//! `grindvakt check --print`: the effective configuration as TOML. Secrets are named, never shown.

use toml::{Table, Value};

use super::{Config, Encryption, FeedPlace, KeySource, MdqId, SecondReader};
use crate::policy::Access;
use crate::verify::saml::{Profile, Signed, SsoBinding};

/// The effective configuration, defaults filled in.
pub fn print(config: &Config) -> String {
    let mut root = Table::new();
    let text = |t: &str| Value::String(t.to_owned());
    let seconds = |d: std::time::Duration| text(&format!("{}s", d.as_secs()));
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
    root.insert("service".into(), Value::Table(service));

    let mut listen = Table::new();
    listen.insert("public".into(), text(&config.listen.public.to_string()));
    listen.insert("admin".into(), text(&config.listen.admin.to_string()));
    listen.insert(
        "trusted_proxies".into(),
        list(config.listen.trusted_proxies.iter().map(ToString::to_string).collect()),
    );
    listen.insert("shutdown_delay".into(), seconds(config.listen.shutdown_delay));
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
    keys.insert("identity_token".into(), place(&config.keys.identity_token));
    root.insert("keys".into(), Value::Table(keys));

    let mut session = Table::new();
    session.insert("idle_timeout".into(), seconds(config.session.idle_timeout));
    session.insert("lifetime".into(), seconds(config.session.lifetime));
    root.insert("session".into(), Value::Table(session));

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

    let providers = config.providers.iter().map(|provider| {
        let mut table = Table::new();
        let profile = match provider.profile {
            Profile::Federation => "federation",
            Profile::SamlCore => "saml-core",
        };
        let signed = match provider.signed {
            Signed::Response => "response",
            Signed::Assertion => "assertion",
            Signed::Either => "either",
        };
        let encryption = match provider.encryption {
            Encryption::Required => "required",
            Encryption::Optional => "optional",
        };
        for (key, value) in [
            ("id", provider.id.as_str()),
            ("eid", provider.eid.as_str()),
            ("method", provider.method.name()),
            ("label", &provider.label),
            ("protocol", "saml"),
            ("profile", profile),
            ("entity_id", &provider.entity_id),
            ("metadata", &provider.metadata),
            ("signed", signed),
            ("encryption", encryption),
        ] {
            table.insert(key.into(), text(value));
        }
        if let Some(binding) = provider.binding {
            let name = match binding {
                SsoBinding::Redirect => "redirect",
                SsoBinding::Post => "post",
            };
            table.insert("binding".into(), text(name));
        }
        for (key, value) in [
            ("allow_unsolicited", provider.allow_unsolicited),
            ("eidas_connector", provider.eidas_connector),
            ("force_authn", provider.force_authn),
        ] {
            table.insert(key.into(), Value::Boolean(value));
        }
        some(&mut table, "loa", provider.loa.clone());
        some(&mut table, "authenticating_authorities", provider.authenticating_authorities.clone());
        let map = provider.loa_map.iter().map(|(written, meant)| (written.clone(), text(meant)));
        table.insert("loa_map".into(), Value::Table(map.collect()));
        Value::Table(table)
    });
    root.insert("provider".into(), Value::Array(providers.collect()));

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
        table.insert("forward".into(), list(route.forward.iter().map(|f| f.name().to_owned()).collect()));
        Value::Table(table)
    });
    root.insert("route".into(), Value::Array(routes.collect()));
    toml::to_string(&root).unwrap_or_default()
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
