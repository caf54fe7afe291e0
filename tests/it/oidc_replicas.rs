//! Several sidecars and one Redis (feature `peers`): a login by OpenID Connect is begun at one and finished at another, is
//! finished once, and what the provider ends is over at all of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use grindvakt_demo::browser::Browser;
use grindvakt_demo::op::{Dialect, OpOutcome};
use http::StatusCode;

use crate::support::openid::{By, Op, begin, bring};
use crate::support::process::Process;
use crate::support::redis::RedisServer;
use crate::support::{BASE, Client, World, eventually, metric};

const SESSION: &str = "__Host-eid-etjanst";

/// Two replicas of one service, with one provider.
struct Pod {
    op: Op,
    world: World,
    replicas: [Process; 2],
}

impl Pod {
    async fn new(store: SocketAddr) -> Self {
        let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
        let mut world = World::new("").await;
        let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]");
        let store = format!("kind = \"redis\"\nnodes = [\"{store}\"]\ntimeout = \"5s\"");
        world.stop().await;
        let config = world.config().replace("single_replica = true", &store) + &provider;
        world.write("grindvakt.toml", &config);
        let start = || Process::start(world.folder.path());
        let replicas = [start(), start()];
        for replica in &replicas {
            eventually(20, "the store is reached and logins can begin", || async {
                metric(replica.admin, "grindvakt_store_up").await == 1.0
                    && metric(replica.admin, "grindvakt_revocations_stale").await == 0.0
                    && Client::new(replica.public).get("/eid/login?eid=freja-oidc&rd=/").await.status.is_redirection()
            })
            .await;
        }
        Self { op, world, replicas }
    }

    /// The same browser, whose next request another replica gets.
    fn at(&self, client: &Client, place: usize) -> Client {
        Client { address: self.replicas[place].public, ..client.clone() }
    }

    fn client(&self, place: usize) -> Client {
        Client::new(self.replicas[place].public)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_replica_finishes_a_login_and_only_one_does() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::new(redis.address).await;
    let mut person = pod.client(0);
    let location = begin(&mut person, "freja-oidc", "/ansokan/1").await;
    let back = pod.op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    let mut other = pod.at(&person, 1);
    let done = bring(&mut other, &back).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/ansokan/1"), "{}", done.body);
    assert_eq!(other.get("/ansokan/1").await.status, StatusCode::OK);
    assert_eq!(pod.at(&other, 0).get("/ansokan/1").await.status, StatusCode::OK, "the session is everybody's");
    assert!(bring(&mut person, &back).await.status.is_client_error());

    // Twenty times the same answer, at both of them at once. A strict provider takes back what a code gave when it is shown
    // once more (RFC 6749, 4.1.2), so that there may be nobody left to let in; there are never two.
    let mut person = pod.client(0);
    let location = begin(&mut person, "freja-oidc", "/ansokan/1").await;
    let back = pod.op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    let attempts = (0..20).map(|n| {
        let (mut client, back) = (pod.at(&person, n % 2), back.clone());
        tokio::spawn(async move {
            let reply = bring(&mut client, &back).await;
            (reply.status, client.cookies.contains_key(SESSION))
        })
    });
    let mut opened = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let (status, session) = attempt.await.unwrap();
        assert_eq!(session, status == StatusCode::SEE_OTHER, "{status}");
        opened += usize::from(session);
    }
    assert!(opened <= 1, "{opened} sessions");
    drop(pod.world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_one_replica_is_told_of_ends_the_session_at_all() {
    let mut redis = RedisServer::start(&[]);
    let pod = Pod::new(redis.address).await;
    let mut person = pod.client(0);
    assert_eq!(pod.op.log_in(&mut person, "/ansokan/1", OpOutcome::Success).await.status, StatusCode::SEE_OTHER);
    let token = pod.op.site.end_last_session().remove(0).token;
    let began = Instant::now();
    assert_eq!(pod.client(1).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await.status, StatusCode::OK);
    for place in [1, 0] {
        eventually(10, "the session is over", || async {
            pod.at(&person, place).get("/ansokan/1").await.status == StatusCode::SEE_OTHER
        })
        .await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // The other replica knows that the token was used.
    let again = pod.client(0).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
    assert!(again.status == StatusCode::BAD_REQUEST && again.body.contains("replayed"), "{}", again.body);

    // Without a store nobody could say whether a code or a logout token was used: neither is spent.
    let mut person = pod.client(0);
    assert_eq!(pod.op.log_in(&mut person, "/ansokan/1", OpOutcome::Success).await.status, StatusCode::SEE_OTHER);
    let token = pod.op.site.end_last_session().remove(0).token;
    let mut late = pod.client(0);
    let location = begin(&mut late, "freja-oidc", "/ansokan/1").await;
    let back = pod.op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    redis.kill();
    for place in [0, 1] {
        eventually(20, "the store is missed", || async {
            metric(pod.replicas[place].admin, "grindvakt_store_up").await == 0.0
        })
        .await;
        let told = pod.client(place).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE, "{}", told.body);
        let reply = bring(&mut pod.at(&late, place), &back).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(back.starts_with(BASE));
    }
    assert_eq!(
        person.get("/hem").await.status,
        StatusCode::OK,
        "who is logged in stays so, where no higher level is asked for"
    );
}
