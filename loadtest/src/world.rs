//! The sidecar under load, the e-service behind it and a provider beside it, all on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::{DemoIdp, DemoKey, Feed, KnownService};
use http::{Method, StatusCode};
use tempfile::TempDir;

use crate::Failed;
use crate::part;
use crate::system::child::Child;
use crate::system::cores::Cores;
use crate::tokens::{AUDIENCE, ISSUER, Issuer, SCOPE};
use crate::traffic::{Conn, Payload, request};

/// The service's public host. TLS ends in front of the sidecar, as in production, so cookies are `Secure`.
pub const HOST: &str = "etjanst.example.se";
/// The session's cookie.
pub const SESSION: &str = "__Host-eid-last";
/// A path that needs a login at level 3 with a personal number, and forwards four fields.
pub const GUARDED: &str = "/app/sida";
/// A path that is open to all.
pub const OPEN: &str = "/open/sida";
/// A path that bearer tokens open.
pub const API: &str = "/api/arenden";
/// Where answers of the provider go.
pub const ACS: &str = "/eid/saml/acs";

const STARTING: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything that runs. Dropping it ends it.
pub struct World {
    /// The measured sidecar.
    pub sidecar: Child,
    /// Its public address.
    pub public: SocketAddr,
    /// Its admin address.
    pub admin: SocketAddr,
    /// The e-service's address.
    pub upstream: SocketAddr,
    /// The provider.
    pub idp: DemoIdp,
    /// Who issues bearer tokens.
    pub issuer: Issuer,
    /// The service as the provider knows it.
    pub service: KnownService,
    /// From starting the process to its first 200, in milliseconds.
    pub first_answer_ms: f64,
    /// Who runs where.
    pub cores: Cores,
    _upstream: Child,
    operator: DemoKey,
    folder: TempDir,
}

/// The configuration under load: an ordinary one, but that pre-signed answers may be fifteen minutes old.
fn config(upstream: SocketAddr) -> String {
    format!(
        r#"environment = "test"
log = "json"
[service]
id = "last"
entity_id = "https://{HOST}/sp"
base_url = "https://{HOST}"
upstream = "http://{upstream}"
forward = ["loa", "eid"]
[listen]
public = "127.0.0.1:0"
admin = "127.0.0.1:0"
shutdown_delay = "0s"
drain_timeout = "1s"
[verification]
max_age = "15m"
[store]
single_replica = true
[keys]
signing = ["sp.pem"]
decryption = ["sp-decrypt.pem"]
sealing = ["session.key"]
digest = "digest.key"
identity_token = "identity.pem"
[[metadata]]
id = "feed"
file = "feed.xml"
signer = ["operator.crt"]
[[provider]]
id = "bankid-a"
eid = "bankid"
label = "BankID"
protocol = "saml"
entity_id = "https://bankid.example.com/idp"
metadata = "feed"
encryption = "optional"
[[route]]
path = "/app/*"
loa = ["loa3", "uncertified-loa3"]
require = ["personal_number"]
forward = ["personal_number", "name", "loa", "eid"]
[[provider]]
id = "api"
protocol = "jwt"
profile = "oidc-sweden"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks_file = "as-jwks.json"
[[route]]
path = "/api/*"
bearer = ["api"]
scopes = ["{SCOPE}"]
forward = ["personal_number"]
[[route]]
path = "/open/*"
access = "anonymous"
"#
    )
}

/// Puts a feed with `idp` in place at once, as every careful publisher does.
fn publish(folder: &Path, idp: &DemoIdp, operator: &DemoKey) -> std::io::Result<()> {
    let feed = Feed::new().valid_for(SystemClock.now(), 7 * DAY).idp(idp).build_signed(operator);
    std::fs::write(folder.join("feed.part"), feed)?;
    std::fs::rename(folder.join("feed.part"), folder.join("feed.xml"))
}

fn write_files(
    folder: &Path,
    idp: &DemoIdp,
    operator: &DemoKey,
    jwks: &str,
    upstream: SocketAddr,
) -> std::io::Result<()> {
    publish(folder, idp, operator)?;
    std::fs::write(folder.join("as-jwks.json"), jwks)?;
    std::fs::write(folder.join("operator.crt"), operator.certificate_pem())?;
    // The kinds of keys that `grindvakt keys generate` makes.
    std::fs::write(folder.join("sp.pem"), DemoKey::p256("Load test service").private_pem())?;
    std::fs::write(folder.join("sp-decrypt.pem"), DemoKey::rsa("Load test decryption").private_pem())?;
    std::fs::write(folder.join("identity.pem"), DemoKey::p256("Load test token").private_pem())?;
    // Nothing outside this run is ever sealed with these: they need not be secret.
    std::fs::write(folder.join("session.key"), "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=\n")?;
    std::fs::write(folder.join("digest.key"), "enl4d3Z1dHNycXBvbm1sa2ppaGdmZWRjYmF6eXh3dnU=\n")?;
    std::fs::write(folder.join("grindvakt.toml"), config(upstream))
}

/// The `grindvakt` program that was built beside this one.
///
/// # Errors
/// When it is not there.
pub fn program() -> Result<PathBuf, Failed> {
    grindvakt_demo::sidecar::program().map_err(|e| Failed(e.to_string()))
}

/// The public and the admin address, from the line of the log that tells them.
fn serving(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let line = line.into_iter().find(|line| line.get("event").is_some_and(|event| event == "serving"))?;
    let address = |name: &str| line.get(name)?.as_str()?.parse().ok();
    Some((address("public")?, address("admin")?))
}

impl World {
    /// Starts everything. `sidecar` is the program to measure.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(sidecar: &Path, cores: Cores) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("grindvakt-load-").tempdir();
        let folder = folder.map_err(|e| Failed::to("making a folder", e))?;
        let (upstream, upstream_at) = part::start("upstream", &[], &cores.load, &cores, folder.path()).await?;
        let idp = DemoIdp::new("https://bankid.example.com/idp", "https://bankid.example.com").named("BankID");
        let issuer = Issuer::new();
        let jwks = issuer.jwks()?;
        let operator = DemoKey::rsa("Load test metadata signer");
        let written = write_files(folder.path(), &idp, &operator, &jwks, upstream_at);
        written.map_err(|e| Failed::to("writing the configuration", e))?;

        let log = folder.path().join("sidecar.log");
        let mut command = Command::new(sidecar);
        command.arg("run").arg("--config").arg(folder.path().join("grindvakt.toml")).env_remove("RUST_LOG");
        let began = Instant::now();
        let mut child = Child::start("sidecar", command, &cores.measured, &cores, &log)?;
        let (public, admin) = child.says(&log, STARTING, serving).await?;
        first_answer(public).await?;
        let first_answer_ms = began.elapsed().as_secs_f64() * 1000.0;

        let metadata = text(public, "/eid/saml/metadata").await?;
        let service = KnownService::from_metadata(&metadata).map_err(|e| Failed::to("reading our metadata", e))?;
        Ok(Self {
            sidecar: child,
            public,
            admin,
            upstream: upstream_at,
            idp,
            issuer,
            service,
            first_answer_ms,
            cores,
            _upstream: upstream,
            operator,
            folder,
        })
    }

    /// The sum of a metric over its labels, as the sidecar's admin address tells it.
    ///
    /// # Errors
    /// When the admin address does not answer, or knows no such metric.
    pub async fn metric(&self, name: &str) -> Result<f64, Failed> {
        let page = text(self.admin, "/metrics").await?;
        sum(&page, name).ok_or_else(|| Failed::to("no such metric", name))
    }

    /// Publishes a feed with `idp` in it, in place of the one before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&self, idp: &DemoIdp) -> Result<(), Failed> {
        publish(self.folder.path(), idp, &self.operator).map_err(|e| Failed::to("publishing a feed", e))
    }

    /// The folder of configuration and logs, which goes when the world goes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Asks for the open page until it comes through.
async fn first_answer(public: SocketAddr) -> Result<(), Failed> {
    let until = Instant::now() + STARTING;
    loop {
        let answer = Conn::new(public).exchange(request(Method::GET, HOST, OPEN, None, Payload::empty())?).await;
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => return Ok(()),
            _ if Instant::now() > until => return Err(Failed::to("the sidecar never let a request through", OPEN)),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// A document, whole.
///
/// # Errors
/// When nobody answers.
pub async fn text(address: SocketAddr, path: &str) -> Result<String, Failed> {
    use http_body_util::BodyExt as _;
    let failed = |e: &dyn std::fmt::Display| Failed::to(format!("reading {path}"), e);
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|e| failed(&e))?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(|e| failed(&e))?;
    tokio::spawn(connection);
    let request = request(Method::GET, HOST, path, None, Payload::empty())?;
    let answer = sender.send_request(request).await.map_err(|e| failed(&e))?;
    let bytes = answer.into_body().collect().await.map_err(|e| failed(&e))?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The sum of `name` over its labels on a page of metrics (Prometheus' text form).
fn sum(page: &str, name: &str) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
        rest.rsplit_once(' ')?.1.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let page = "# HELP a A.\na{x=\"1\"} 2\na{x=\"2\"} 3\na_b 9\nc 4\n";
        assert_eq!([sum(page, "a"), sum(page, "c"), sum(page, "d")], [Some(5.0), Some(4.0), None]);
    }

    #[test]
    fn the_addresses_stand_in_the_log() {
        let log = "{\"event\":\"x\"}\nhalf a li\n{\"event\":\"serving\",\"public\":\"127.0.0.1:1\",\"admin\":\"127.0.0.1:2\"}\n";
        let (public, admin) = serving(log).unwrap();
        assert_eq!((public.port(), admin.port()), (1, 2));
        assert_eq!(serving("{\"event\":\"ser"), None);
    }
}
