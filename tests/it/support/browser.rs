//! Chromium, headless, in a profile of its own, as a person uses it: opens, reads, presses, goes back. Every step waits
//! for what it needs, and none waits for ever.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::program::Program;
use super::webdriver::{Element, Session, WebDriverError};

/// How long a page may take to be what a step expects.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);

/// Names of browser and driver, as Debian installs them.
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// Where pictures go: `target/pictures`.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures")
}

/// What a profile is set to.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What the browser asks for in `Accept-Language`.
    pub languages: &'static str,
    /// Whether pages may run scripts.
    pub scripts: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { languages: "sv-SE,sv", scripts: true }
    }
}

/// A running browser. The fields are in the order in which they must go.
pub struct Browser {
    session: Session,
    process: Option<i32>,
    name: String,
    steps: AtomicUsize,
    _driver: Program,
    _home: TempDir,
}

impl Browser {
    /// Starts one. `name` is what its pictures are called; `hosts` says where each https host is really found, and no
    /// other name is known to it but those under `.localhost`; `authority` is a certificate that it trusts, in PEM.
    pub async fn start(name: &str, profile: &Profile, hosts: &[(&str, SocketAddr)], authority: Option<&str>) -> Self {
        let home = tempfile::Builder::new().prefix("grindvakt-browser-").tempdir().unwrap();
        if let Some(authority) = authority {
            trust(home.path(), authority);
        }
        let (driver, port) = drive(home.path());
        let session = Session::start(([127, 0, 0, 1], port).into(), capabilities(home.path(), profile, hosts))
            .await
            .unwrap_or_else(|e| panic!("{e}\n{}", driver.said()));
        let process = session.capabilities["goog:processID"].as_i64().and_then(|id| i32::try_from(id).ok());
        Self { session, process, name: name.to_owned(), steps: AtomicUsize::new(0), _driver: driver, _home: home }
    }

    /// The WebDriver session, for what no method here does.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Goes to an address, as if typed.
    pub async fn open(&self, url: &str) {
        self.session.open(url).await.unwrap_or_else(|e| panic!("opening {url}: {e}"));
        self.step("open").await;
    }

    /// Presses the back button.
    pub async fn back(&self) {
        self.session.back().await.unwrap();
        self.step("back").await;
    }

    /// The address that is shown.
    pub async fn url(&self) -> String {
        self.session.url().await.unwrap()
    }

    /// Waits until the address that is shown is `url`.
    pub async fn arrives(&self, url: &str) {
        let there = self.until(async || (self.session.url().await? == url).then_some(()).ok_or_else(not_yet)).await;
        if there.is_err() {
            panic!("{}: expected {url}, is at {}:\n{}", self.name, self.url().await, self.source().await);
        }
        self.step("arrives").await;
    }

    /// Waits for the first element that `css` finds, and says its text.
    pub async fn reads(&self, css: &str) -> String {
        match self.until(async || self.session.text(&self.first(css).await?).await).await {
            Ok(text) => text,
            Err(error) => panic!("{}: {css}: {error} at {}:\n{}", self.name, self.url().await, self.source().await),
        }
    }

    /// Waits until the first element that `css` finds has this text: pages that send themselves pass by on the way.
    pub async fn shows(&self, css: &str, text: &str) {
        let shown = self.until(async || match self.session.text(&self.first(css).await?).await? {
            shown if shown == text => Ok(()),
            other => Err(WebDriverError { error: "another text".to_owned(), message: other }),
        });
        if let Err(error) = shown.await {
            let (url, source) = (self.url().await, self.source().await);
            panic!("{}: {css} should say {text:?}: {error} at {url}:\n{source}", self.name);
        }
        self.step("shows").await;
    }

    /// The texts of all elements that `css` finds now.
    pub async fn all(&self, css: &str) -> Vec<String> {
        let mut out = Vec::new();
        for element in self.session.find(css).await.unwrap() {
            out.push(self.session.text(&element).await.unwrap());
        }
        out
    }

    /// Waits for the first element that `css` finds, and presses it.
    pub async fn press(&self, css: &str) {
        if let Err(error) = self.until(async || self.session.click(&self.first(css).await?).await).await {
            panic!("{}: {css}: {error} at {}:\n{}", self.name, self.url().await, self.source().await);
        }
        self.step("press").await;
    }

    /// An attribute of the first element that `css` finds.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let element = self.first(css).await.unwrap_or_else(|e| panic!("{}: {css}: {e}", self.name));
        self.session.attribute(&element, name).await.unwrap()
    }

    /// The page as it stands now.
    pub async fn source(&self) -> String {
        self.session.source().await.unwrap_or_else(|e| format!("no page: {e}"))
    }

    /// The names of the cookies that the page's address would get.
    pub async fn cookie_names(&self) -> Vec<String> {
        let cookies = self.session.cookies().await.unwrap();
        let mut names: Vec<String> = cookies.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Saves what the window shows, and says where. Never fails: it is called when something else has.
    pub async fn picture(&self, what: &str) -> String {
        let path = pictures().join(format!("{}-{what}.png", self.name));
        match self.session.screenshot().await {
            Ok(png) => match std::fs::create_dir_all(pictures()).and_then(|()| std::fs::write(&path, png)) {
                Ok(()) => path.display().to_string(),
                Err(error) => format!("no picture: {error}"),
            },
            Err(error) => format!("no picture: {error}"),
        }
    }

    /// With `GRINDVAKT_PICTURES` set, each step leaves a numbered picture.
    async fn step(&self, what: &str) {
        if std::env::var_os("GRINDVAKT_PICTURES").is_some() {
            let number = self.steps.fetch_add(1, Ordering::Relaxed);
            eprintln!("{}", self.picture(&format!("{number:02}-{what}")).await);
        }
    }

    pub(super) async fn first(&self, css: &str) -> Result<Element, WebDriverError> {
        self.session.find(css).await?.into_iter().next().ok_or_else(not_yet)
    }

    /// Tries until it succeeds. A page that is on its way out is no failure.
    async fn until<T>(&self, attempt: impl AsyncFn() -> Result<T, WebDriverError>) -> Result<T, WebDriverError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match attempt().await {
                Err(error) if !error.is_final() && Instant::now() < until => tokio::time::sleep(POLL).await,
                done => return done,
            }
        }
    }
}

impl Drop for Browser {
    /// The session's own end closes the browser; one that hangs is ended by its process id.
    fn drop(&mut self) {
        let id = self.process.and_then(rustix::process::Pid::from_raw);
        self.session.close();
        if let Some(id) = id
            && rustix::process::test_kill_process(id).is_ok()
        {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

/// Starts the driver. It looks for a port that is free for IPv6 and takes the same one for IPv4, which somebody else may
/// have: then once more.
fn drive(home: &Path) -> (Program, u16) {
    let mut said = String::new();
    for _ in 0..5 {
        let mut command = Command::new(CHROMEDRIVER);
        // The browser looks for its trusted authorities under its home (sql:$HOME/.pki/nssdb).
        command.arg("--port=0").env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
        command.env("XDG_CACHE_HOME", home.join("cache")).current_dir(home);
        let port =
            |line: &str| line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok();
        match Program::try_start(command, port) {
            Ok(started) => return started,
            Err(why) => said = why,
        }
    }
    panic!("{said}");
}

fn not_yet() -> WebDriverError {
    WebDriverError { error: "no such element".to_owned(), message: "not on the page".to_owned() }
}

fn capabilities(home: &Path, profile: &Profile, hosts: &[(&str, SocketAddr)]) -> Value {
    let mut rules: Vec<String> =
        hosts.iter().map(|(host, address)| format!("MAP {host}:443 {}:{}", address.ip(), address.port())).collect();
    // No other name leads anywhere, so that nothing hangs on a network.
    rules.push("MAP * ~NOTFOUND".to_owned());
    rules.extend(["localhost", "*.localhost", "127.0.0.1"].map(|here| format!("EXCLUDE {here}")));
    let mut preferences = json!({ "intl.accept_languages": profile.languages });
    if !profile.scripts {
        preferences["profile.managed_default_content_settings.javascript"] = json!(2);
    }
    json!({
        "browserName": "chrome",
        "timeouts": { "implicit": 0, "pageLoad": 30_000, "script": 20_000 },
        "goog:chromeOptions": {
            "binary": CHROMIUM,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--window-size=900,1000",
                format!("--user-data-dir={}", home.join("profile").display()),
                format!("--host-resolver-rules={}", rules.join(", ")),
            ],
            "prefs": preferences,
        },
    })
}

/// Makes the database of trusted authorities that Chromium reads on Linux.
fn trust(home: &Path, authority: &str) {
    let database = home.join(".pki/nssdb");
    std::fs::create_dir_all(&database).unwrap();
    std::fs::write(home.join("authority.pem"), authority).unwrap();
    let database = format!("sql:{}", database.display());
    let certificate = home.join("authority.pem").display().to_string();
    for arguments in [
        &["-N", "--empty-password", "-d", &database][..],
        &["-A", "-d", &database, "-n", "authority", "-t", "C,,", "-i", &certificate],
    ] {
        let done = Command::new("certutil").args(arguments).env("HOME", home).output().expect("certutil starts");
        assert!(done.status.success(), "certutil {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The browsers of a test. They are kept until it ends, so that a failure can still show what each of them saw.
#[derive(Clone, Default)]
pub struct Browsers(Arc<Mutex<Vec<Arc<Browser>>>>);

impl Browsers {
    /// Starts one more; its pictures are called `name` and its number. The rest is as for [`Browser::start`].
    pub async fn start(
        &self,
        name: &str,
        profile: &Profile,
        hosts: &[(&str, SocketAddr)],
        authority: Option<&str>,
    ) -> Arc<Browser> {
        let name = format!("{name}-{}", self.0.lock().unwrap().len() + 1);
        let browser = Arc::new(Browser::start(&name, profile, hosts, authority).await);
        self.0.lock().unwrap().push(Arc::clone(&browser));
        browser
    }

    /// Runs a story. When it fails, a picture of each browser is left under `target/pictures` and named.
    pub async fn watch(&self, story: impl Future<Output = ()> + 'static) {
        // A task of its own, so that its panic can be seen from here.
        let tasks = tokio::task::LocalSet::new();
        let told = tasks.run_until(async { tokio::task::spawn_local(story).await }).await;
        let browsers = std::mem::take(&mut *self.0.lock().unwrap());
        if let Err(failed) = told {
            for browser in &browsers {
                eprintln!("what it showed: {}", browser.picture("failed").await);
            }
            drop(browsers);
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}
