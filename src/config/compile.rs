//! From the merged tree to [`Config`]: each room of the configuration in turn, every problem gathered.

use std::cell::RefCell;

use super::keys::read_keys;
use super::network::read_network;
use super::reader::{Problems, Section};
use super::tree::Table;
use super::{Config, Encryption, Environment, LogFormat, Problem, Provider, Store, feed, provider, route, service};

/// Compiles the whole.
///
/// # Errors
/// Every problem, by file and line.
pub(super) fn compile(table: Table) -> Result<Config, Vec<Problem>> {
    let problems: Problems = RefCell::new(Vec::new());
    let config = read(table, &problems);
    let mut problems = problems.into_inner();
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read(table: Table, problems: &Problems) -> Option<Config> {
    let mut root = Section::new(table, "", problems);
    let words = [("production", Environment::Production), ("test", Environment::Test), ("dev", Environment::Dev)];
    if !root.has("environment") {
        root.missing("environment", "\"production\", \"test\" or \"dev\"");
    }
    let environment = root.choice("environment", &words);
    let log = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("human", LogFormat::Human)];
    let log = root.choice("log", &log).unwrap_or(LogFormat::Auto);

    let service = service::read_service(&mut root, environment);
    let upstream = service::read_upstream(&mut root);
    let listen = service::read_listen(&mut root, environment);
    let verification = service::read_verification(&mut root);
    let session = service::read_session(&mut root);
    let mut warnings = Vec::new();
    let store = read_store(&mut root, environment, &mut warnings);
    let keys = read_keys(&mut root);
    let state_dir = root.section("state").and_then(|mut state| {
        let dir = state.path("dir");
        state.finish();
        dir
    });
    let network = read_network(&mut root);
    let metadata = feed::read_metadata(&mut root, environment, state_dir.is_some(), &mut warnings);
    let providers = provider::read_providers(&mut root, &metadata);
    if let (true, Some(one)) = (keys.decryption.is_empty(), providers.iter().find(|one| must_encrypt(one))) {
        let message = format!(
            "[keys] names no `decryption`, so no login by {} can succeed: its assertions must come encrypted. \
             `grindvakt keys generate` makes a key; give the new SP metadata to the provider",
            one.id
        );
        let (file, line) = (root.at().file.to_path_buf(), root.at().line);
        warnings.push(Problem { file, line, place: "keys".into(), message });
    }
    let forward = service.as_ref().map(|s| s.forward.clone()).unwrap_or_default();
    let prefix = service.as_ref().map_or("/eid", |s| s.prefix.as_str());
    let routes = route::read_routes(&mut root, &providers, forward, prefix);
    let organisation = service::read_organisation(&mut root);
    let pages = service::read_pages(&mut root);
    let headers = service::read_headers(&mut root);
    root.not_yet(&["notice", "audit", "usage"]);
    root.finish();
    Some(Config {
        environment: environment?,
        service: service?,
        upstream,
        listen,
        verification,
        keys,
        session,
        store,
        state_dir,
        network,
        metadata,
        providers,
        routes,
        organisation,
        pages,
        headers,
        log,
        warnings,
    })
}

fn must_encrypt(provider: &Provider) -> bool {
    provider.saml().is_some_and(|saml| saml.encryption == Encryption::Required)
}

/// `[store]`. With the memory of one process, a second replica does not know the logins that the first began.
fn read_store(root: &mut Section<'_>, environment: Option<Environment>, warnings: &mut Vec<Problem>) -> Store {
    let at = root.at().clone();
    let mut single = false;
    let mut place = at.clone();
    if let Some(mut store) = root.section("store") {
        place = store.at().clone();
        if let Some(kind) = store.text("kind")
            && kind.text != "memory"
        {
            let message = match kind.text.as_str() {
                "redis" => "this version does not support `kind = \"redis\"` yet".to_owned(),
                other => format!("`kind` must be \"memory\" or \"redis\", not {other:?}"),
            };
            store.problem(&kind.at, message);
            store.not_yet(&["nodes", "mode", "username", "password_file", "password_env", "tls_ca"]);
        }
        single = store.flag("single_replica", false);
        store.finish();
    }
    if !single && environment != Some(Environment::Dev) {
        warnings.push(Problem {
            file: place.file.to_path_buf(),
            line: place.line,
            place: "store".into(),
            message: "the memory of one process is for one replica: a login begun at one cannot finish at another. \
                      Say `single_replica = true` when there is but one"
                .into(),
        });
    }
    Store::Memory
}
