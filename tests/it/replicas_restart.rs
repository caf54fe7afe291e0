//! Sidecars that start and end beside one Redis (feature `peers`): who logged out stays logged out through both.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use crate::replicas::{LOGOUT, Pod, fresh};
use crate::support::redis::RedisServer;
use crate::support::relay::Relay;
use crate::support::{Client, eventually, metric};

const SECOND: Duration = Duration::from_secs(1);

async fn is_out(pod: &Pod, client: &Client, place: usize) -> bool {
    pod.at(client, place).get("/eid/session").await.status == StatusCode::UNAUTHORIZED
}

async fn readiness(pod: &Pod, place: usize) -> (StatusCode, String) {
    let reply = Client::new(pod.sidecars[place].admin).get("/readyz").await;
    (reply.status, reply.body)
}

/// A person who has left, as a copied cookie would have them.
async fn left(pod: &Pod, place: usize, mut person: Client) -> Client {
    let copy = person.clone();
    assert_eq!(person.send(Method::POST, "/eid/logout", LOGOUT, "").await.status, StatusCode::OK);
    assert!(is_out(pod, &copy, place).await, "at once where it was");
    copy
}

async fn without_store(pod: &Pod, place: usize) {
    let admin = pod.sidecars[place].admin;
    eventually(20, "the store is missed", || async { metric(admin, "grindvakt_store_up").await == 0.0 }).await;
}

/// Ended in its own time, and well.
async fn ends(pod: &mut Pod, place: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = pod.sidecars[place].ended() {
            assert!(status.success(), "{status}");
            return;
        }
        assert!(Instant::now() < end, "it does not end");
        tokio::time::sleep(SECOND / 50).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_is_not_ready_before_it_knows_who_logged_out() {
    let mut redis = RedisServer::start(&[]);
    let mut pod = Pod::with(&[redis.address]).await;
    let stays = pod.signed_in(0).await;
    let copy = left(&pod, 0, pod.signed_in(0).await).await;
    // The store is there, and slow.
    let relay = Relay::to(redis.address).await;
    relay.go_dead();
    let late = pod.add(relay.address);
    let began = Instant::now();
    while began.elapsed() < SECOND * 3 {
        let (status, said) = readiness(&pod, late).await;
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && said.contains("store"), "{status}: {said}");
        tokio::time::sleep(SECOND / 10).await;
    }
    relay.mend();
    eventually(5, "it is ready", || async { readiness(&pod, late).await.0 == StatusCode::OK }).await;
    assert!(is_out(&pod, &copy, late).await, "who left is out");
    assert!(!is_out(&pod, &stays, late).await);

    // A store that is away takes nobody away: not who is ready, and not for long who starts.
    redis.kill();
    without_store(&pod, late).await;
    assert_eq!(readiness(&pod, late).await.0, StatusCode::OK);
    let alone = pod.add(redis.address);
    let began = Instant::now();
    assert_eq!(readiness(&pod, alone).await.0, StatusCode::SERVICE_UNAVAILABLE);
    eventually(15, "it is ready", || async { readiness(&pod, alone).await.0 == StatusCode::OK }).await;
    assert!(began.elapsed() < SECOND * 8, "{:?}", began.elapsed());
    assert!(!is_out(&pod, &stays, alone).await, "sessions go on");
    assert_eq!(metric(pod.sidecars[alone].admin, "grindvakt_revocations_stale").await, 1.0);
}

/// While the store is away a logout is known to one process alone: what operators do then is to restart it.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_the_store_has_not_taken_yet_is_filed_before_the_process_ends() {
    let mut redis = RedisServer::start(&[]);
    let mut pod = Pod::with(&[]).await;
    // The first has time enough on a busy machine, the second little.
    for (before, drain) in [("5s", "20s"), ("20s", "2s")] {
        let [from, to] = [before, drain].map(|time| format!("drain_timeout = \"{time}\""));
        pod.world.rewrite(|text| text.replace(&from, &to));
        let place = pod.add(redis.address);
        fresh(&pod.sidecars[place]).await;
    }
    let (one, two) = (pod.signed_in(0).await, pod.signed_in(1).await);
    redis.kill();
    without_store(&pod, 0).await;
    let copy = left(&pod, 0, one).await;
    pod.sidecars[0].terminate();
    tokio::time::sleep(SECOND).await;
    assert!(pod.sidecars[0].ended().is_none(), "it waits for the store");
    redis.start_again();
    ends(&mut pod, 0).await;
    assert!(!pod.sidecars[0].has_told("logouts_unfiled"));
    let next = pod.add(redis.address);
    fresh(&pod.sidecars[next]).await;
    assert!(is_out(&pod, &copy, next).await, "who left is out");

    // It does not come back: then that is told, and the end comes all the same.
    redis.kill();
    without_store(&pod, 1).await;
    left(&pod, 1, two).await;
    pod.sidecars[1].terminate();
    ends(&mut pod, 1).await;
    assert_eq!(pod.sidecars[1].wait_for("logouts_unfiled")["count"], 1);
    // Nothing to file: nothing to tell of.
    pod.sidecars[next].terminate();
    ends(&mut pod, next).await;
    assert!(!pod.sidecars[next].has_told("logouts_unfiled"));
}
