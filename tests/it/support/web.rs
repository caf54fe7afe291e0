//! The sidecar's world as a browser meets it: the service and each provider on a registrable domain of its own, all of
//! them over TLS, in front of real browsers with a profile each.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use grindvakt::base::SystemClock;
use grindvakt_demo::idp::IdpSite;
use grindvakt_demo::{serve, service};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::World;
use super::browser::{Browser, Profile};
use super::tls::{Authority, Front};

/// The service's host, and those of its providers.
pub const SERVICE: &str = "etjanst.example.se";
pub const BANKID: &str = "bankid.example.com";
pub const FREJA: &str = "freja.example.org";

/// Everything, running.
pub struct Web {
    pub world: World,
    pub bankid: IdpSite,
    pub freja: IdpSite,
    name: String,
    authority: Authority,
    fronts: Mutex<Vec<Front>>,
    /// Also kept here, so that a failure can still show what each of them saw.
    browsers: Mutex<Vec<Arc<Browser>>>,
    sites: Vec<JoinHandle<()>>,
}

/// A site that runs on loopback.
pub async fn site(
    handler: impl Fn(http::Request<bytes::Bytes>) -> serve::Answer + Send + Sync + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(serve::serve(listener, handler)))
}

/// A world whose e-service is the demo's: pages that show who is logged in.
pub async fn demo_world(more: &str) -> World {
    // It ends with the test's runtime.
    let (upstream, _) = site(|request| service::handle(&request)).await;
    World::with_upstream(more, upstream).await
}

impl Web {
    async fn new(name: &str, world: World) -> Self {
        let authority = Authority::new();
        let bankid = IdpSite::new(world.idp.clone(), "BankID", Arc::new(SystemClock));
        let freja = IdpSite::new(world.other.clone(), "Freja", Arc::new(SystemClock));
        bankid.knows(world.known().await);
        freja.knows(world.known().await);
        let mut fronts = vec![authority.front(SERVICE, world.public()).await];
        let mut sites = Vec::new();
        for (host, idp) in [(BANKID, bankid.clone()), (FREJA, freja.clone())] {
            let (address, task) = site(move |request| idp.handle(request)).await;
            fronts.push(authority.front(host, address).await);
            sites.push(task);
        }
        let (fronts, browsers) = (Mutex::new(fronts), Mutex::default());
        Self { world, bankid, freja, name: name.to_owned(), authority, fronts, browsers, sites }
    }

    /// Puts another site on the web, or another one in the place of a host that is there. Browsers that were started
    /// before do not know of it.
    pub async fn host(&self, host: &str, address: SocketAddr) {
        let front = self.authority.front(host, address).await;
        let mut fronts = self.fronts.lock().unwrap();
        fronts.retain(|old| old.host != host);
        fronts.push(front);
    }

    /// A browser in a new profile.
    pub async fn browser(&self, profile: &Profile) -> Arc<Browser> {
        let hosts: Vec<(String, SocketAddr)> =
            self.fronts.lock().unwrap().iter().map(|front| (front.host.clone(), front.address)).collect();
        let hosts: Vec<(&str, SocketAddr)> = hosts.iter().map(|(host, address)| (host.as_str(), *address)).collect();
        let name = format!("{}-{}", self.name, self.browsers.lock().unwrap().len() + 1);
        let browser = Arc::new(Browser::start(&name, profile, &hosts, &self.authority.pem()).await);
        self.browsers.lock().unwrap().push(Arc::clone(&browser));
        browser
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.sites.iter().for_each(JoinHandle::abort);
    }
}

/// Tells a story in a world. When it fails, a picture of each browser is left under `target/pictures` and named.
pub async fn story<F: Future<Output = ()> + 'static>(name: &str, world: World, tell: impl FnOnce(Arc<Web>) -> F) {
    let web = Arc::new(Web::new(name, world).await);
    // A task of its own, so that its panic can be seen from here.
    let tasks = tokio::task::LocalSet::new();
    let told = tasks.run_until(async { tokio::task::spawn_local(tell(Arc::clone(&web))).await }).await;
    if let Err(failed) = told {
        let browsers = web.browsers.lock().unwrap().clone();
        for browser in browsers {
            eprintln!("what it showed: {}", browser.picture("failed").await);
        }
        drop(web);
        std::panic::resume_unwind(failed.into_panic());
    }
}
