//! What the sidecar of development is told: its own settings, with the routes and the forwarded fields of the service.

use std::path::{Path, PathBuf};

use grindvakt::config::{self, Config, HeaderNames, Pages, Problem};
use grindvakt::identity::Field;
use grindvakt::policy::{Access, Route};
use toml::{Table, Value};

use super::eids::{DevEid, built_in, of_config};

/// Where the routes come from.
#[derive(Clone, Debug, Default)]
pub enum Routes {
    /// A session everywhere, and everything forwarded.
    #[default]
    Everything,
    /// A file with `[[route]]` tables, and with a `[service]` table that may hold `forward` and what else is the service's own.
    File(PathBuf),
    /// The service's own configuration.
    Config(Vec<PathBuf>),
}

/// What of the service's own is kept.
pub(super) struct Settings {
    routes: Routes,
    own: Option<Config>,
    /// Keys of `[service]` that the routes' file sets.
    set_by_file: Vec<String>,
    pub(super) eids: Vec<DevEid>,
    /// The path of the service's base_url.
    pub(super) base_path: String,
}

/// Keys of `[service]` that a routes' file may set.
const OF_THE_FILE: [&str; 4] = ["accept_coordination_number", "forward", "id", "prefix"];

/// Where everything is.
pub(super) struct Addresses<'a> {
    /// The public port on 127.0.0.1.
    pub(super) public: u16,
    /// The port of the providers.
    pub(super) tool: u16,
    /// The e-service.
    pub(super) upstream: &'a str,
}

impl Settings {
    /// Reads what there is.
    ///
    /// # Errors
    /// Everything that is wrong with it, by file and line.
    pub(super) fn read(routes: Routes) -> Result<Self, Vec<Problem>> {
        let mut out = Self { routes, own: None, set_by_file: Vec::new(), eids: built_in(), base_path: String::new() };
        match &out.routes {
            Routes::Everything => {}
            Routes::File(path) => out.set_by_file = set_by(path)?,
            Routes::Config(paths) => {
                let own = config::load(paths)?;
                out.eids = of_config(&own);
                out.base_path = own.service.base_url.path().to_owned();
                out.own = Some(own);
            }
        }
        Ok(out)
    }

    /// The files to start the sidecar with, when ours is `dev`.
    pub(super) fn files(&self, dev: &Path) -> Vec<PathBuf> {
        let more = match &self.routes {
            Routes::File(path) => Some(path.clone()),
            Routes::Everything | Routes::Config(_) => None,
        };
        std::iter::once(dev.to_owned()).chain(more).collect()
    }

    /// The address that visitors open, without a slash at its end.
    pub(super) fn base_url(&self, port: u16) -> String {
        format!("http://localhost:{port}{}", self.base_path)
    }

    /// The configuration file.
    pub(super) fn text(&self, at: &Addresses<'_>) -> String {
        let base_url = self.base_url(at.public);
        let mut service = table([
            ("entity_id", text(&format!("{base_url}/sp"))),
            ("base_url", text(&base_url)),
            ("upstream", text(at.upstream)),
        ]);
        let everything: Vec<Field> = Field::ALL.to_vec();
        let own = self.own.as_ref().map(|own| &own.service);
        for (key, value) in [
            ("id", text(own.map_or("dev", |own| own.id.as_str()))),
            ("prefix", text(own.map_or("/eid", |own| &own.prefix))),
            ("accept_coordination_number", Value::Boolean(own.is_none_or(|own| own.accept_coordination_number))),
            ("forward", fields(own.map_or(&everything, |own| &own.forward))),
        ] {
            if !self.set_by_file.iter().any(|set| set == key) {
                service.insert(key.to_owned(), value);
            }
        }
        let mut root = table([
            ("environment", text("dev")),
            ("service", Value::Table(service)),
            (
                "listen",
                Value::Table(table([
                    ("public", text(&format!("127.0.0.1:{}", at.public))),
                    ("admin", text("127.0.0.1:0")),
                    ("shutdown_delay", text("0s")),
                ])),
            ),
            (
                "keys",
                Value::Table(table([
                    ("signing", texts(["sp-signing.pem"])),
                    ("decryption", texts(["sp-decrypt.pem"])),
                    ("sealing", texts(["session.key"])),
                    ("digest", text("digest.key")),
                    ("identity_token", text("identity.pem")),
                ])),
            ),
            (
                "metadata",
                Value::Array(vec![Value::Table(table([
                    ("id", text("dev")),
                    ("file", text("metadata.xml")),
                    ("signer", texts(["metadata-signer.crt"])),
                ]))]),
            ),
            ("provider", Value::Array(self.eids.iter().map(|eid| Value::Table(provider(eid, at.tool))).collect())),
        ]);
        if let Some(own) = &self.own {
            let routes = own.routes.all().filter(|route| route.name.as_str().starts_with('/'));
            root.insert("route".to_owned(), Value::Array(routes.map(|r| Value::Table(route(r))).collect()));
            root.insert("headers".to_owned(), Value::Table(headers(&own.headers)));
            root.insert("pages".to_owned(), Value::Table(pages(&own.pages)));
            let seconds = |d: std::time::Duration| text(&format!("{}s", d.as_secs()));
            let session =
                [("idle_timeout", seconds(own.session.idle_timeout)), ("lifetime", seconds(own.session.lifetime))];
            root.insert("session".to_owned(), Value::Table(table(session)));
        }
        toml::to_string(&root).unwrap_or_default()
    }
}

/// The host name under `.localhost` of a provider: a site of its own, as providers are.
pub(super) fn host(eid: &DevEid) -> String {
    let letters = eid.id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    format!("{}.localhost", letters.collect::<String>().trim_matches('-'))
}

/// The address of a provider, without a slash at its end.
pub(super) fn site(eid: &DevEid, port: u16) -> String {
    format!("http://{}:{port}", host(eid))
}

/// Its entityID.
pub(super) fn entity_id(eid: &DevEid, port: u16) -> String {
    format!("{}/idp", site(eid, port))
}

fn provider(eid: &DevEid, port: u16) -> Table {
    table([
        ("id", text(&eid.id)),
        ("eid", text(&eid.eid)),
        ("label", text(&format!("{} (dev)", eid.label))),
        ("method", text(eid.method)),
        ("protocol", text("saml")),
        ("entity_id", text(&entity_id(eid, port))),
        ("metadata", text("dev")),
        ("eidas_connector", Value::Boolean(eid.connector)),
    ])
}

fn route(route: &Route) -> Table {
    let mut out = table([("path", text(route.name.as_str()))]);
    if route.access == Access::Anonymous {
        out.insert("access".to_owned(), text("anonymous"));
        return out;
    }
    let mut list = |key: &str, value: Vec<&str>| {
        if !value.is_empty() {
            out.insert(key.to_owned(), texts(value));
        }
    };
    list("loa", route.loa.iter().map(|loa| loa.uri()).collect());
    list("require", route.require.iter().map(|field| field.name()).collect());
    list("eid", route.eid.iter().map(|eid| eid.as_str()).collect());
    out.insert("forward".to_owned(), fields(&route.forward));
    out
}

/// What the preset `oauth2-proxy` stands for: beside it a field may have one name more.
const PRESET: [(&str, &str); 2] = [("subject", "x-forwarded-user"), ("name", "x-forwarded-preferred-username")];

fn headers(names: &HeaderNames) -> Table {
    let of_preset = |(field, name): &(String, String)| PRESET.contains(&(field.as_str(), name.as_str()));
    let mut out = Table::new();
    if names.also.iter().filter(|pair| of_preset(pair)).count() == PRESET.len() {
        out.insert("preset".to_owned(), text("oauth2-proxy"));
    }
    let has_preset = !out.is_empty();
    let also = names.also.iter().filter(|pair| !(has_preset && of_preset(pair)));
    let also: Table = also.map(|(field, name)| (field.clone(), text(name))).collect();
    out.insert("also".to_owned(), Value::Table(also));
    out
}

/// As the sidecar itself would print them; the logo stays where it is.
fn pages(pages: &Pages) -> Table {
    let mut out = config::printed_pages(pages);
    if let Some(logo) = &pages.logo {
        let file = std::path::absolute(&logo.file).unwrap_or_else(|_| logo.file.clone());
        out.insert("logo".to_owned(), text(&file.display().to_string()));
    }
    out
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    Value::Array(texts.into_iter().map(text).collect())
}

fn fields(fields: &[Field]) -> Value {
    texts(fields.iter().map(|field| field.name()))
}

/// Which keys of `[service]` a routes' file sets: ours must then leave them out, since two values for one key are a mistake.
/// What else is wrong with the file the sidecar says, when it reads both.
fn set_by(path: &Path) -> Result<Vec<String>, Vec<Problem>> {
    let problem = |line, message: String| vec![Problem { file: path.to_owned(), line, place: String::new(), message }];
    let text = std::fs::read_to_string(path).map_err(|e| problem(0, format!("cannot be read: {e}")))?;
    // A text that is no TOML sets nothing; the sidecar's reader then says where it breaks.
    let service = text.parse::<Table>().ok().and_then(|root| root.get("service").and_then(Value::as_table).cloned());
    let set = service.map(|service| service.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    Ok(set.into_iter().filter(|key| OF_THE_FILE.contains(&key.as_str())).collect())
}
