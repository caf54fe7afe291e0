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
use super::browser::{Browser, Browsers, Profile};
use super::tls::{Authority, Front};

/// The service's host, and those of its providers.
pub const SERVICE: &str = "etjanst.example.se";
pub const BANKID: &str = "bankid.example.com";
pub const FREJA: &str = "freja.example.org";

/// Everything, running.
pub struct Web {
    pub world: World,
    pub freja: IdpSite,
    name: String,
    authority: Authority,
    fronts: Mutex<Vec<Front>>,
    browsers: Browsers,
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
        for (host, idp) in [(BANKID, bankid), (FREJA, freja.clone())] {
            let (address, task) = site(move |request| idp.handle(request)).await;
            fronts.push(authority.front(host, address).await);
            sites.push(task);
        }
        let (fronts, browsers) = (Mutex::new(fronts), Browsers::default());
        Self { world, freja, name: name.to_owned(), authority, fronts, browsers, sites }
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
        self.browsers.start(&self.name, profile, &hosts, Some(&self.authority.pem())).await
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.sites.iter().for_each(JoinHandle::abort);
    }
}

/// Tells a story in a world.
pub async fn story<F: Future<Output = ()> + 'static>(name: &str, world: World, tell: impl FnOnce(Arc<Web>) -> F) {
    let web = Arc::new(Web::new(name, world).await);
    web.browsers.watch(tell(Arc::clone(&web))).await;
}
