//! From the merged tree to [`Config`]: each room of the configuration in turn, every problem gathered.

use std::cell::RefCell;

use super::keys::read_keys;
use super::network::read_network;
use super::reader::{Problems, Section};
use super::tree::Table;
use super::{
    Config, Encryption, Environment, LogFormat, Problem, Provider, feed, notice, overrides, pages, provider, route,
    service, session, store,
};

/// Compiles the whole.
///
/// # Errors
/// Every problem, by file and line.
pub(super) fn compile(table: Table) -> Result<Config, Vec<Problem>> {
    let problems: Problems = RefCell::new(Vec::new());
    let mut unfit = Vec::new();
    let config = read(table, &problems, &mut unfit);
    let mut problems = problems.into_inner();
    if config.is_none() || !problems.is_empty() {
        problems.append(&mut unfit);
    }
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    match config {
        Some(config) if problems.is_empty() => Ok(Config { unfit, ..config }),
        _ => Err(problems),
    }
}

fn read(table: Table, problems: &Problems, unfit: &mut Vec<Problem>) -> Option<Config> {
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
    let sessions = session::read_session(&mut root);
    let mut warnings = Vec::new();
    let (store, store_at) = store::read_store(&mut root, environment, unfit);
    let keys = read_keys(&mut root);
    unfit.extend(store::needs_shared_keys(&store, &store_at, &keys));
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
            "[keys] names no `decryption`, so no login by {} can succeed: what it says of people must come encrypted. \
             `grindvakt keys generate` makes a key; tell the provider of it, by the SP metadata or \
             `grindvakt keys client-jwks`",
            one.id
        );
        let (file, line) = (root.at().file.to_path_buf(), root.at().line);
        warnings.push(Problem { file, line, place: "keys".into(), message });
    }
    for provider in providers.iter().filter(|one| one.oidc().is_some() && one.loa.is_empty()) {
        // What a discovery document says of levels binds nobody.
        let message = "it may assert no level, so no login by it can succeed: `loa` lists those that it may".to_owned();
        let (file, line) = (root.at().file.to_path_buf(), root.at().line);
        warnings.push(Problem { file, line, place: format!("provider {:?}", provider.id.as_str()), message });
    }
    let words = overrides::read_overrides(&mut root, &providers);
    let forward = service.as_ref().map(|s| s.forward.clone()).unwrap_or_default();
    let prefix = service.as_ref().map_or("/eid", |s| s.prefix.as_str());
    let logout = session::read_logout(&mut root, prefix);
    let routes = route::read_routes(&mut root, &providers, forward, prefix);
    let organisation = service::read_organisation(&mut root);
    let pages = pages::read_pages(&mut root);
    let notices = notice::read_notices(&mut root, &providers, &mut warnings);
    let headers = service::read_headers(&mut root);
    root.not_yet(&["audit", "usage"]);
    root.finish();
    Some(Config {
        environment: environment?,
        service: service?,
        upstream,
        listen,
        verification,
        keys,
        session: sessions,
        logout,
        store,
        state_dir,
        network,
        metadata,
        providers,
        overrides: words,
        routes,
        organisation,
        pages,
        notices,
        headers,
        log,
        warnings,
        unfit: Vec::new(),
    })
}

fn must_encrypt(provider: &Provider) -> bool {
    let setting = provider.saml().map(|saml| saml.encryption).or(provider.oidc().map(|oidc| oidc.encryption));
    setting == Some(Encryption::Required)
}
