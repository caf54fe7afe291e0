//! Everything around the sidecar, set up: ports, keys, the configuration file, metadata, the providers and the e-service.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::browser::Browser;
use crate::control::{Control, Provider, Publisher, Site};
use crate::demo_idp::DemoIdp;
use crate::fault::Switch;
use crate::idp::IdpSite;
use crate::key::DemoKey;
use crate::op::{ClientAuth, ClientKeys, DemoOp, Dialect, OpClient, OpSite};
use crate::serve::{bind_or_any, serve};
use crate::service;
use crate::sidecar::known_service;

/// The configuration file of the demo, with the ports that it has when they are free.
pub const CONFIG: &str = include_str!("../grindvakt.toml");

/// The first port of the demo when nobody asks for another: the e-service as visitors see it. Then come BankID, Freja, the
/// e-service behind the sidecar, Freja by OpenID Connect, the municipality's own accounts, BankID by another provider, and
/// the control room.
pub const FIRST_PORT: u16 = 8080;

/// A program that uses the e-service's API, its secret, and what it may do.
pub const PROGRAM: (&str, &str, &str) = ("arendesystem", "demo", "arenden.read");

const ADMIN_PORT: u16 = 9464;

/// The demo without its sidecar, running. Dropping it ends the sites and removes the files.
pub struct Stage {
    folder: tempfile::TempDir,
    /// The sidecar's public port.
    pub port: u16,
    /// The sidecar's admin port.
    pub admin_port: u16,
    /// Ports that were taken: (wanted, got instead).
    pub moved: Vec<(u16, u16)>,
    /// The control room's port.
    pub control_port: u16,
    /// The sites of BankID, Freja, and the second provider of BankID.
    pub idps: [IdpSite; 3],
    /// The site of Freja by OpenID Connect.
    pub freja: OpSite,
    /// The site of the municipality's own accounts.
    pub accounts: OpSite,
    /// What breaks them.
    pub control: Arc<Control>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// `text` with each port that it names, written `:8080`, turned into the one beside it.
fn with_ports(text: &str, ports: &[(u16, u16)]) -> String {
    // In two steps, so that a new port is never taken for an old one.
    let marked = ports
        .iter()
        .fold(text.to_owned(), |text, (written, _)| text.replace(&format!(":{written}"), &format!(":<{written}>")));
    ports.iter().fold(marked, |text, (written, real)| text.replace(&format!("<{written}>"), &real.to_string()))
}

/// A free port, which the sidecar then takes itself.
async fn free(wanted: u16) -> io::Result<u16> {
    Ok(bind_or_any(wanted).await?.local_addr()?.port())
}

impl Stage {
    /// Sets everything up. `first_port` 0 takes free ports throughout.
    ///
    /// # Errors
    /// When a file cannot be written or no port is free.
    pub async fn set_up(first_port: u16) -> io::Result<Self> {
        let wanted = |offset: u16| if first_port == 0 { 0 } else { first_port.saturating_add(offset) };
        let bankid = bind_or_any(wanted(1)).await?;
        let freja_saml = bind_or_any(wanted(2)).await?;
        let upstream = bind_or_any(wanted(3)).await?;
        let freja_oidc = bind_or_any(wanted(4)).await?;
        let konto = bind_or_any(wanted(5)).await?;
        let second = bind_or_any(wanted(6)).await?;
        let room = bind_or_any(wanted(7)).await?;
        let port = free(wanted(0)).await?;
        let admin_port = free(if first_port == 0 { 0 } else { ADMIN_PORT }).await?;
        let got = |listener: &TcpListener| listener.local_addr().map(|address| address.port());

        // What the file says, and what it is here.
        let ports = [
            (FIRST_PORT, wanted(0), port),
            (FIRST_PORT + 1, wanted(1), got(&bankid)?),
            (FIRST_PORT + 2, wanted(2), got(&freja_saml)?),
            (FIRST_PORT + 3, wanted(3), got(&upstream)?),
            (FIRST_PORT + 4, wanted(4), got(&freja_oidc)?),
            (FIRST_PORT + 5, wanted(5), got(&konto)?),
            (FIRST_PORT + 6, wanted(6), got(&second)?),
            (FIRST_PORT + 7, wanted(7), got(&room)?),
            (ADMIN_PORT, ADMIN_PORT, admin_port),
        ];
        let moved = ports.iter().filter(|(_, w, g)| first_port != 0 && w != g).map(|(_, w, g)| (*w, *g)).collect();
        let here = |text: &str| with_ports(text, &ports.map(|(written, _, real)| (written, real)));

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let idp = |name: &str, likeness: &str, port: u16, loa: &[&str]| {
            let base = here(&format!("http://{name}.localhost:{port}"));
            let key = Arc::new(DemoKey::rsa(likeness).marked());
            DemoIdp::with_key(&format!("{base}/idp"), &base, key).named(likeness).certified(loa)
        };
        let idps = [
            // A provider in front of BankID that nobody has reviewed says "uncertified" (Sweden Connect registry 3.1.1.2).
            idp("bankid", "BankID (demo)", FIRST_PORT + 1, &["uncertified-loa3"]),
            idp("freja", "Freja (demo)", FIRST_PORT + 2, &["loa2", "loa3"]),
            // Another agreement for the same e-ID: it stands in when the first one does not work.
            idp("bankid2", "BankID (demo)", FIRST_PORT + 6, &["uncertified-loa3"]),
        ];

        let op = |name: &str, likeness: &str, port: u16, dialect: Dialect| {
            let key = Arc::new(DemoKey::rsa(likeness).marked());
            DemoOp::new(&here(&format!("http://{name}.localhost:{port}")), likeness, dialect, key)
        };
        let freja = op("freja-oidc", "Freja", FIRST_PORT + 4, Dialect::Swedish);
        let accounts = op("konto", "Exempelkommunens konto", FIRST_PORT + 5, Dialect::Standard).gives(&["loa1"]);
        let accounts = accounts.for_api(&here(&format!("http://etjanst.localhost:{FIRST_PORT}/api")));

        let folder = tempfile::Builder::new().prefix("grindvakt-demo-").tempdir()?;
        let operator = DemoKey::rsa("Demo metadata signer").marked();
        let write = |name: &str, text: String| write_private(&folder.path().join(name), &text);
        write("metadata-signer.crt", operator.certificate_pem())?;
        write("konto-jwks.json", accounts.jwks().to_string())?;
        let (client_key, secret) = (DemoKey::p256("Demo e-service, client").marked(), random_line()?);
        write("freja-client.pem", client_key.private_pem())?;
        write("konto.secret", secret.clone())?;
        write("sp-signing.pem", DemoKey::rsa("Demo e-service").marked().private_pem())?;
        write("sp-decrypt.pem", DemoKey::rsa("Demo e-service, decryption").marked().private_pem())?;
        write("identity.pem", DemoKey::p256("Demo identity token").marked().private_pem())?;
        write("session.key", random_line()?)?;
        write("digest.key", random_line()?)?;
        write("grindvakt.toml", here(CONFIG))?;

        let [a, b, c] = idps;
        let site = |idp: DemoIdp, likeness: &str| IdpSite::new(idp, likeness, clock.clone());
        let idps = [site(a, "BankID"), site(b, "Freja"), site(c, "BankID")];
        let publisher = Publisher::new(folder.path().to_owned(), operator);
        publisher.publish(idps.iter())?;
        let (freja, accounts) = (OpSite::new(freja, clock.clone()), OpSite::new(accounts, clock));
        let service = here(&format!("http://etjanst.localhost:{FIRST_PORT}/eid"));
        let client = |provider: &str, auth: ClientAuth| {
            let client = OpClient::new("etjanst", auth, &format!("{service}/oidc/callback/{provider}"));
            client.after_logout(&format!("{service}/logout?done")).backchannel(&format!("{service}/oidc/backchannel"))
        };
        freja.knows(client("freja-oidc", ClientAuth::Key(ClientKeys::from_jwks(&client_key.jwks()))));
        let secret = ClientAuth::Secret(secret.trim_end().to_owned());
        accounts.knows(client("konto", secret).userinfo_signed(false));
        let (id, secret, scope) = PROGRAM;
        accounts.knows(OpClient::program(id, secret, &[scope]));
        let [bankid_site, freja_site, second_site] = idps.clone();
        let saml = |id, label, site| Provider { id, label, site: Site::Saml(site), switch: Switch::default() };
        let oidc = |id, label, site| Provider { id, label, site: Site::Oidc(site), switch: Switch::default() };
        let providers = [
            (saml("bankid-demo", "BankID (demo)", bankid_site), bankid),
            (saml("bankid-second", "BankID (demo), den andra vägen · the other way", second_site), second),
            (saml("freja-demo", "Freja (demo)", freja_site), freja_saml),
            (oidc("freja-oidc", "Freja, OpenID Connect (demo)", freja.clone()), freja_oidc),
            (oidc("konto", "Kommunens eget konto (demo)", accounts.clone()), konto),
        ];
        let mut tasks = Vec::new();
        let mut controlled = Vec::new();
        for (provider, listener) in providers {
            let (site, switch, technical) = (provider.site.clone(), provider.switch.clone(), provider.site.technical());
            controlled.push(provider);
            tasks.push(tokio::spawn(async move {
                // It has an address: its port was asked for above.
                let _ = switch.serve(listener, technical, move |request| site.handle(request)).await;
            }));
        }
        let control = Control::new(controlled, publisher);
        let (control_port, pressed) = (got(&room)?, Arc::clone(&control));
        tasks.push(tokio::spawn(serve(room, move |request| pressed.handle(&request))));
        tasks.push(tokio::spawn(serve(upstream, |request| service::handle(&request))));
        Ok(Self { folder, port, admin_port, control_port, moved, idps, freja, accounts, control, tasks })
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("grindvakt.toml")
    }

    /// The address to open, with `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://etjanst.localhost:{}{path}", self.port)
    }

    /// The control room's page.
    pub fn control_url(&self) -> String {
        format!("http://drift.localhost:{}/", self.control_port)
    }

    /// Waits until the sidecar answers, and gives its metadata to the providers, as its owner would; then until it has heard
    /// of the other ones what it must know of them.
    ///
    /// # Errors
    /// A sentence when it does not answer in time or its metadata cannot be used.
    pub async fn introduce(&self, within: Duration) -> Result<(), String> {
        let service = Arc::new(known_service(&self.url("/eid/saml/metadata"), within).await?);
        for idp in &self.idps {
            idp.knows(Arc::clone(&service));
        }
        let waiting = async {
            for eid in ["freja-oidc", "konto"] {
                let login = self.url(&format!("/eid/login?eid={eid}&rd=/"));
                while !Browser::new().open(&login).await.is_ok_and(|page| page.url.contains("/authorize?")) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        let late = |_| format!("no login by OpenID Connect could begin within {} s", within.as_secs());
        tokio::time::timeout(within, waiting).await.map_err(late)
    }
}

pub(crate) fn random_line() -> io::Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(base64_simd::STANDARD.encode_to_string(bytes) + "\n")
}

/// The folder is the visitor's own already (mode 0700); the files are made so too, as key files should be.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_moved_is_never_taken_for_another() {
        let text = "http://a:8080 127.0.0.1:8081 b:8083/x 8080";
        assert_eq!(
            with_ports(text, &[(8080, 8081), (8081, 8083), (8083, 9)]),
            "http://a:8081 127.0.0.1:8083 b:9/x 8080"
        );
        let same = [8080, 8081, 8082, 8083, 8084, 8085, 8086, 9464].map(|port| (port, port));
        assert_eq!(with_ports(CONFIG, &same), CONFIG);
    }

    #[tokio::test]
    async fn the_stage_is_set_with_files_and_sites() {
        let stage = Stage::set_up(0).await.unwrap();
        let config = std::fs::read_to_string(stage.config()).unwrap();
        for port in [8080, 8081, 8082, 8083, 8084, 8085, 8086, 9464] {
            assert!(!config.contains(&format!(":{port}\"")), "{port} is still in\n{config}");
        }
        let written: toml::Table = config.parse().unwrap();
        let files = ["signing", "decryption", "sealing", "digest", "identity_token"]
            .map(|key| written["keys"].get(key).unwrap());
        let names = files.iter().flat_map(|v| v.as_array().cloned().unwrap_or_else(|| vec![(*v).clone()]));
        for name in names {
            let text = std::fs::read(stage.config().with_file_name(name.as_str().unwrap())).unwrap();
            let marked = grindvakt::crypto::own::is_demo_pem(&grindvakt::base::Secret::new(text));
            assert_eq!(marked, name.as_str().unwrap().ends_with(".pem"), "{name}");
        }
        for idp in &stage.idps {
            let home = idp.idp().sso_url().replace("/sso", "/");
            let page = Browser::new().open(&home).await.unwrap();
            assert!(page.status.is_success() && page.body.contains("DEMO"), "{home}");
        }
    }
}
