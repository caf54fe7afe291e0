//! OpenID providers beside a sidecar: the demo's, on loopback, and what a person's browser does between the two.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use grindvakt::base::SystemClock;
use grindvakt_demo::browser::Browser;
use grindvakt_demo::form::{self, Form};
use grindvakt_demo::op::{ClientAuth, ClientKeys, DemoOp, Dialect, OpClient, OpOutcome, OpSite};
use grindvakt_demo::serve::{Answer, serve_slowly};
use grindvakt_demo::{DemoKey, EncryptionKey};
use http::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{BASE, Client, Reply, World, eventually};

/// RSA keys take a tenth of a second each: the tests share them.
static KEYS: LazyLock<[Arc<DemoKey>; 3]> =
    LazyLock::new(|| ["op 0", "op 1", "op 2"].map(|name| Arc::new(DemoKey::rsa(name))));

/// One of three RSA keys.
pub fn shared_key(which: usize) -> Arc<DemoKey> {
    Arc::clone(&KEYS[which])
}

/// How the sidecar shows that it is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Key,
    Secret,
    Nothing,
}

pub const SECRET: &str = "en hemlighet: å+&%";

/// A demo OpenID provider that listens, and what a sidecar needs to know of it.
pub struct Op {
    pub site: OpSite,
    /// The provider's and the e-ID's id in the configuration.
    pub id: String,
    pub issuer: String,
    /// The sidecar's own key there.
    pub client_key: DemoKey,
    by: By,
    task: JoinHandle<()>,
}

impl Drop for Op {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address that the provider `id` sends people back to.
pub fn callback(id: &str) -> String {
    format!("{BASE}/eid/oidc/callback/{id}")
}

impl Op {
    /// A provider that knows the service.
    pub async fn new(id: &str, dialect: Dialect, by: By, change: impl FnOnce(DemoOp) -> DemoOp) -> Self {
        Self::behind(id, dialect, by, change, |site, request| std::future::ready(Some(site.handle(request)))).await
    }

    /// The same behind something that may answer in its place, or not at all.
    pub async fn behind<F>(
        id: &str,
        dialect: Dialect,
        by: By,
        change: impl FnOnce(DemoOp) -> DemoOp,
        answer: impl Fn(OpSite, http::Request<bytes::Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Answer>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{id}.localhost:{}", listener.local_addr().unwrap().port());
        let op = change(DemoOp::new(&issuer, id, dialect, shared_key(0)));
        let site = OpSite::new(op, Arc::new(SystemClock));
        let (listening, client_key) = (site.clone(), DemoKey::p256("client"));
        let task = tokio::spawn(serve_slowly(listener, move |request| answer(listening.clone(), request)));
        let op = Self { site, id: id.to_owned(), issuer, client_key, by, task };
        op.site.knows(op.client());
        op
    }

    /// The service as the provider has it.
    pub fn client(&self) -> OpClient {
        let keys = ClientKeys::from_jwks(&self.client_key.jwks());
        let auth = match self.by {
            By::Key => ClientAuth::Key(keys),
            By::Secret => ClientAuth::Secret(SECRET.to_owned()),
            By::Nothing => ClientAuth::Public,
        };
        OpClient::new("etjanst", auth, &callback(&self.id)).after_logout(&format!("{BASE}/eid/logout?done"))
    }

    /// Its ID tokens are encrypted to the key of this file from now on, which is written into the folder of the world.
    pub fn encrypts(&self, world: &World, file: &str) {
        let key = DemoKey::rsa("decryption");
        std::fs::write(world.folder.path().join(file), key.private_pem()).unwrap();
        self.site.knows(self.client().encrypted_to(EncryptionKey::from_certificate(key.certificate())));
    }

    /// Its `[[provider]]`, with `more` in it. Its key files are written into the folder of the world.
    pub fn provider(&self, world: &World, profile: &str, more: &str) -> String {
        let (id, issuer) = (&self.id, &self.issuer);
        let write = |name: String, text: &str| {
            std::fs::write(world.folder.path().join(&name), text).unwrap();
            name
        };
        let client = match self.by {
            By::Key => {
                let key = self.client_key.private_pem();
                // The provider knows the key by the name that its own set would have for it.
                let kid = self.client_key.kid();
                format!("client_key = {:?}\nclient_key_id = {kid:?}", write(format!("{id}.pem"), &key))
            }
            By::Secret => format!("client_secret_file = {:?}", write(format!("{id}.secret"), SECRET)),
            By::Nothing => String::new(),
        };
        format!(
            r#"
[[provider]]
id = "{id}"
eid = "{id}"
label = "{id}"
protocol = "oidc"
profile = "{profile}"
issuer = "{issuer}"
client_id = "etjanst"
{client}
{more}
"#
        )
    }

    /// Goes to where the sidecar sent the browser, and chooses: the address that leads back.
    pub async fn visit(&self, browser: &mut Browser, location: &str, outcome: OpOutcome) -> String {
        self.choose(browser, location, |form| form.fill("outcome", outcome.name())).await
    }

    /// The same with any choice.
    pub async fn choose(&self, browser: &mut Browser, location: &str, choice: impl FnOnce(Form) -> Form) -> String {
        assert!(location.starts_with(&format!("{}/authorize?", self.issuer)), "{location}");
        let page = browser.once(Method::GET, location, None, None).await.unwrap();
        if page.status == StatusCode::SEE_OTHER {
            return page.header("location").unwrap().to_owned();
        }
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let form = choice(page.forms().remove(0));
        let body = form::encode(form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let page = browser.once(Method::POST, &format!("{}/answer", self.issuer), Some(&body), None).await.unwrap();
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        page.header("location").unwrap().to_owned()
    }

    /// A whole login for `rd`, by a browser that was never there before.
    pub async fn log_in(&self, client: &mut Client, rd: &str, outcome: OpOutcome) -> Reply {
        let location = begin(client, &self.id, rd).await;
        let back = self.visit(&mut Browser::new(), &location, outcome).await;
        bring(client, &back).await
    }
}

/// Begins a login at `eid`: where the browser is sent to.
pub async fn begin(client: &mut Client, eid: &str, rd: &str) -> String {
    let reply = client.get(&format!("/eid/login?eid={eid}&rd={rd}")).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").to_owned()
}

/// Follows an address that leads back to the service.
pub async fn bring(client: &mut Client, back: &str) -> Reply {
    let target = back.strip_prefix(BASE).unwrap_or_else(|| panic!("{back} leads elsewhere"));
    client.get(target).await
}

/// Waits until logins can begin at each of these: the sidecar fetches what it must know of them once it runs.
pub async fn ready(world: &World, eids: &[&str]) {
    for eid in eids {
        eventually(20, eid, || async {
            let reply = Client::new(world.public()).get(&format!("/eid/login?eid={eid}&rd=/")).await;
            reply.status == StatusCode::SEE_OTHER
        })
        .await;
    }
}

/// How often logins at a provider were refused, by code.
pub async fn refused(world: &World, provider: &str) -> BTreeMap<String, u64> {
    let metrics = Client::new(world.admin()).get("/metrics").await.body;
    let lines = metrics.lines().filter(|line| line.starts_with("grindvakt_logins_refused_total{"));
    let lines = lines.filter(|line| line.contains(&format!("provider=\"{provider}\"")) && !line.ends_with(" 0"));
    let one = |line: &str| {
        let code = line.split_once("code=\"")?.1.split_once('"')?.0.to_owned();
        Some((code, line.rsplit_once(' ')?.1.parse().ok()?))
    };
    lines.map(|line| one(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// What has been counted between two looks.
pub fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let grown = after.iter().filter(|(code, count)| before.get(*code).copied().unwrap_or_default() < **count);
    grown.map(|(code, _)| code.clone()).collect()
}
