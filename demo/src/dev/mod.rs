//! `grindvakt-demo dev`: the real sidecar in front of a developer's own application, on plain http on this machine, with
//! providers that let every kind of person in, break when they are told to, and log a test in by one call.

mod address;
mod eids;
mod login;
pub mod persons;
mod rows;
mod settings;
mod tool;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock, ServiceId, SystemClock};
use grindvakt::config::{self, Problem};
use grindvakt::session::CookieNames;
use tokio::task::JoinHandle;

pub use address::{Listen, Upstream};
pub use eids::DevEid;
pub use settings::Routes;
use settings::{Addresses, Settings};

use crate::demo_idp::DemoIdp;
use crate::fault::Switch;
use crate::idp::IdpSite;
use crate::key::DemoKey;
use crate::metadata::Feed;
use crate::person::TestPerson;
use crate::serve::{bind, serve_slowly};
use crate::sidecar::{Sidecar, known_service};
use crate::stage::{random_line, write_private};

/// What subjects are digested with.
const DIGEST_KEY: &[u8; 32] = b"Grindvakt demo key, for dev only";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const STARTING: Duration = Duration::from_secs(20);

/// What the developer asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Their application.
    pub upstream: Upstream,
    /// Where visitors come in.
    pub listen: Listen,
    /// The address of the tool itself: the providers, the call for tests. None: the port above `listen`.
    pub tool: Option<Listen>,
    /// Who can log in; none: the built-in persons.
    pub persons: Option<PathBuf>,
    /// Which routes hold.
    pub routes: Routes,
    /// Whether the sidecar's log is left out.
    pub quiet: bool,
}

/// Why development does not begin.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Files that hold mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
    /// An address that is taken.
    #[error("cannot listen on 127.0.0.1:{0}: {1}; `--listen` and `--tool` take another port")]
    Port(u16, io::Error),
    /// Files that cannot be written.
    #[error("setting up: {0}")]
    Files(#[from] io::Error),
    /// The sidecar does not start.
    #[error("{0}")]
    Sidecar(String),
}

/// Development, under way. Dropping it ends the sidecar and removes its files.
pub struct Dev {
    shared: Arc<Shared>,
    sidecar: Sidecar,
    folder: tempfile::TempDir,
    task: JoinHandle<()>,
}

/// What the tool's address knows.
struct Shared {
    /// The address that visitors open, without a slash at its end.
    base_url: String,
    /// The prefix of the sidecar's own paths.
    prefix: String,
    /// The name of the session's cookie.
    cookie: String,
    upstream: String,
    tool_port: u16,
    sites: Vec<Site>,
    people: Vec<TestPerson>,
}

/// A provider with its web site, and how it does.
struct Site {
    eid: DevEid,
    host: String,
    idp: IdpSite,
    health: Switch,
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the developer asks for, read and found good.
pub struct Plan {
    options: Options,
    settings: Settings,
    people: Vec<TestPerson>,
}

impl Plan {
    /// Reads the files that `options` name.
    ///
    /// # Errors
    /// [`DevError::Problems`]: everything that is wrong with them.
    pub fn read(options: Options) -> Result<Self, DevError> {
        let settings = Settings::read(options.routes.clone()).map_err(DevError::Problems)?;
        let people = people(options.persons.as_deref(), &settings.eids)?;
        Ok(Self { options, settings, people })
    }
}

impl Dev {
    /// Sets everything up and starts `program`, the sidecar; returns when it answers.
    ///
    /// # Errors
    /// [`DevError`].
    pub async fn start(program: &Path, plan: Plan) -> Result<Self, DevError> {
        let mut tries = 3;
        loop {
            tries -= 1;
            match Self::start_once(program, &plan).await {
                // Somebody was quicker to take the free port: another may do.
                Err(DevError::Sidecar(_)) if plan.options.listen.port() == 0 && tries > 0 => {}
                done => return done,
            }
        }
    }

    async fn start_once(program: &Path, plan: &Plan) -> Result<Self, DevError> {
        let Plan { options, settings, people } = plan;
        let listener = |port: u16| async move { bind(port).await.map_err(|e| DevError::Port(port, e)) };
        let public = listener(options.listen.port()).await?;
        let public_port = public.local_addr()?.port();
        let next = if options.listen.port() == 0 { 0 } else { public_port.saturating_add(1) };
        let tool = listener(options.tool.map_or(next, Listen::port)).await?;
        let tool_port = tool.local_addr()?.port();
        let upstream = options.upstream.to_string();

        let folder = tempfile::Builder::new().prefix("grindvakt-dev-").tempdir()?;
        let at = Addresses { public: public_port, tool: tool_port, upstream: &upstream };
        let own = folder.path().join("dev.toml");
        write_private(&own, &settings.text(&at))?;
        let sites = sites(settings, tool_port, people);
        write_keys(folder.path(), &sites)?;
        let files = settings.files(&own);
        let compiled = config::load(&files).map_err(DevError::Problems)?;

        let shared = Arc::new(Shared {
            base_url: settings.base_url(public_port),
            prefix: compiled.service.prefix.clone(),
            cookie: cookie(&compiled.service.id),
            upstream,
            tool_port,
            sites,
            people: people.clone(),
        });
        let answering = Arc::clone(&shared);
        let task = tokio::spawn(serve_slowly(tool, move |request| tool::answer(Arc::clone(&answering), request)));
        // The sidecar listens there itself.
        drop(public);
        let sidecar = Sidecar::start_with(program, &files, options.quiet)?;
        let mut dev = Self { shared, sidecar, folder, task };
        dev.introduce().await?;
        Ok(dev)
    }

    /// Gives the sidecar's metadata to the providers, as its owner would.
    async fn introduce(&mut self) -> Result<(), DevError> {
        let url = format!("{}{}/saml/metadata", self.shared.base_url, self.shared.prefix);
        let known = tokio::select! {
            known = known_service(&url, STARTING) => known.map_err(DevError::Sidecar)?,
            problem = self.sidecar.ending() => return Err(DevError::Sidecar(problem)),
        };
        let known = Arc::new(known);
        for site in &self.shared.sites {
            site.idp.knows(Arc::clone(&known));
        }
        Ok(())
    }

    /// Completes when the sidecar has ended by itself, which it should not.
    pub async fn ending(&mut self) -> String {
        self.sidecar.ending().await
    }

    /// The address that visitors open, with `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shared.base_url)
    }

    /// An address of the tool itself.
    pub fn tool_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.shared.tool_port)
    }

    /// The sidecar's configuration file, of ours.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("dev.toml")
    }

    /// What the developer reads when everything runs.
    pub fn guide(&self) -> String {
        let shared = &self.shared;
        let example = shared.people.first().map_or("anna", |person| person.id.as_str());
        format!(
            "
  Your service  {home}
                what the browser asks for goes to {upstream}, with the identity headers
  This tool     {tool}
                who can log in, and switches that break a provider

  A session for an automated test, by a real login:
    curl -s {tool}login -H 'Content-Type: application/json' -d '{{\"person\": \"{example}\"}}'

  Configuration {config}
  Press Ctrl-C to stop.

",
            home = self.url("/"),
            upstream = shared.upstream,
            tool = self.tool_url("/"),
            config = self.config().display(),
        )
    }
}

fn cookie(service: &ServiceId) -> String {
    CookieNames::new(service, false).session().to_owned()
}

fn people(file: Option<&Path>, eids: &[DevEid]) -> Result<Vec<TestPerson>, DevError> {
    let Some(path) = file else {
        return persons::read(Path::new("persons.toml"), persons::BUILT_IN, None).map_err(DevError::Problems);
    };
    let unreadable = |e: io::Error| {
        let (file, message) = (path.to_owned(), format!("cannot be read: {e}"));
        DevError::Problems(vec![Problem { file, line: 0, place: String::new(), message }])
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    persons::read(path, &text, Some(eids)).map_err(DevError::Problems)
}

/// Who can log in at `eid`: whoever has it. An e-ID of the service's own that no built-in person has is everyone's who has a
/// Swedish one, or a foreign one where it stands for the connector.
fn with_eid(eid: &DevEid, people: &[TestPerson]) -> Vec<TestPerson> {
    let has = |person: &TestPerson, name: &str| person.eid.iter().any(|own| own == name);
    let theirs = |fits: &dyn Fn(&TestPerson) -> bool| people.iter().filter(|p| fits(p)).cloned().collect::<Vec<_>>();
    let exact = theirs(&|person| has(person, &eid.eid) || (person.eid.is_empty() && !eid.connector));
    match (exact.is_empty(), eid.connector) {
        (false, _) => exact,
        (true, true) => theirs(&|person| has(person, "eidas")),
        (true, false) => theirs(&|person| !has(person, "eidas")),
    }
}

fn sites(settings: &Settings, port: u16, people: &[TestPerson]) -> Vec<Site> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let site = |eid: &DevEid| {
        let people = with_eid(eid, people);
        let mut eid = eid.clone();
        // Whoever is in the list can log in: a provider is certified for what its persons have.
        let more = people.iter().filter_map(|person| person.loa.clone());
        eid.certified = more.fold(eid.certified, |mut all, loa| {
            if !all.contains(&loa) {
                all.push(loa);
            }
            all
        });
        let scopes: BTreeSet<&str> = people
            .iter()
            .flat_map(|person| &person.attributes)
            .filter(|(name, _)| name == persons::ORG_AFFILIATION)
            .flat_map(|(_, values)| values.iter().filter_map(|value| value.rsplit_once('@').map(|(_, scope)| scope)))
            .collect();
        let key = Arc::new(DemoKey::rsa(&eid.label).marked());
        let idp = DemoIdp::with_key(&settings::entity_id(&eid, port), &settings::site(&eid, port), key)
            .named(&eid.label)
            .certified(&eid.certified.iter().map(String::as_str).collect::<Vec<_>>())
            .scopes(&scopes.into_iter().collect::<Vec<_>>());
        let idp = IdpSite::with_people(idp, &eid.label, Arc::clone(&clock), people);
        Site { host: settings::host(&eid), eid, idp, health: Switch::default() }
    };
    settings.eids.iter().map(site).collect()
}

fn write_keys(folder: &Path, sites: &[Site]) -> io::Result<()> {
    let operator = DemoKey::rsa("Development metadata signer").marked();
    let idps: Vec<DemoIdp> = sites.iter().map(|site| site.idp.idp()).collect();
    let feed = idps.iter().fold(Feed::new().valid_for(SystemClock.now(), 365 * DAY), Feed::idp);
    let write = |name: &str, text: String| write_private(&folder.join(name), &text);
    write("metadata.xml", feed.build_signed(&operator))?;
    write("metadata-signer.crt", operator.certificate_pem())?;
    write("sp-signing.pem", DemoKey::rsa("Development e-service").marked().private_pem())?;
    write("sp-decrypt.pem", DemoKey::rsa("Development e-service, decryption").marked().private_pem())?;
    write("identity.pem", DemoKey::p256("Development identity token").marked().private_pem())?;
    write("session.key", random_line()?)?;
    // The same at every start: what an application has stored under a person's subject is still theirs tomorrow. The
    // sidecar knows these bytes too, and refuses them where they do not belong.
    write("digest.key", base64_simd::STANDARD.encode_to_string(DIGEST_KEY) + "\n")
}
