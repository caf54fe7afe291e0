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
use crate::support::relay::Relay;
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
        Self::with([store, store], "5s").await
    }

    /// With the way of each replica to the store, and the time that the store has to answer.
    async fn with(nodes: [SocketAddr; 2], timeout: &str) -> Self {
        let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
        let mut world = World::new("").await;
        let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]");
        world.stop().await;
        let replicas = nodes.map(|node| {
            let store = format!("kind = \"redis\"\nnodes = [\"{node}\"]\ntimeout = \"{timeout}\"");
            let config = world.config().replace("single_replica = true", &store) + &provider;
            let name = format!("at-{}.toml", node.port());
            world.write(&name, &config);
            Process::start_with(world.folder.path(), &name)
        });
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

    // Without a store nobody could say whether a code or a logout token was used: neither is spent. What the token ends is
    // over here all the same, and elsewhere as soon as the store is back.
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
        let reply = bring(&mut pod.at(&late, place), &back).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(back.starts_with(BASE));
    }
    let told = pod.client(0).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
    assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE, "{}", told.body);
    let shown = async |place: usize| pod.at(&person, place).get("/hem").await.status;
    assert_eq!(shown(0).await, StatusCode::SEE_OTHER, "at once where it came");
    assert_eq!(shown(1).await, StatusCode::OK, "how could it know");
    redis.start_again();
    eventually(10, "the session is over", || async { shown(1).await == StatusCode::SEE_OTHER }).await;
    let once_more = pod.client(1).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
    assert_eq!(once_more.status, StatusCode::OK, "{}", once_more.body);
}

/// The store has marked the token as used, and its answer is lost: the provider is told to come back, and is then told that
/// the token was used. The session is over for all that.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_carried_out_though_the_answer_of_the_store_is_lost() {
    let redis = RedisServer::start(&[]);
    let relay = Relay::to(redis.address).await;
    let pod = Pod::with([relay.address, redis.address], "1s").await;
    let mut person = pod.client(1);
    assert_eq!(pod.op.log_in(&mut person, "/ansokan/1", OpOutcome::Success).await.status, StatusCode::SEE_OTHER);
    let token = pod.op.site.end_last_session().remove(0).token;
    let shown = async |place: usize| pod.at(&person, place).get("/hem").await.status;
    assert_eq!(shown(0).await, StatusCode::OK);
    let send = async || pod.client(0).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
    relay.swallow_answers();
    let first = send().await;
    assert_eq!(first.status, StatusCode::SERVICE_UNAVAILABLE, "{}", first.body);
    assert_eq!(shown(0).await, StatusCode::SEE_OTHER);
    relay.mend();
    eventually(20, "the store is back", || async {
        metric(pod.replicas[0].admin, "grindvakt_revocations_stale").await == 0.0
    })
    .await;
    let second = send().await;
    assert!(second.status == StatusCode::BAD_REQUEST && second.body.contains("replayed"), "{}", second.body);
    eventually(5, "the session is over", || async { shown(1).await == StatusCode::SEE_OTHER }).await;

    // Whoever logs in again is in, and the token shown once more changes nothing about it.
    let mut again = pod.client(1);
    assert_eq!(pod.op.log_in(&mut again, "/ansokan/1", OpOutcome::Success).await.status, StatusCode::SEE_OTHER);
    assert_eq!(send().await.status, StatusCode::BAD_REQUEST);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for place in [0, 1] {
        assert_eq!(pod.at(&again, place).get("/hem").await.status, StatusCode::OK);
    }
}
