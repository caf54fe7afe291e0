//! A provider's order to end a session comes to one replica (feature `peers`): it is over at all of them within a second.

use std::time::{Duration, Instant};

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::logout::Message;
use http::StatusCode;

use crate::replicas::Pod;
use crate::support::redis::RedisServer;
use crate::support::{BASE, Client, Reply, eventually, metric};

const SECOND: Duration = Duration::from_secs(1);

/// With milliseconds: an instant in whole seconds means the whole second.
fn now() -> UnixTime {
    let now = SystemClock.now();
    if now.as_millis() % 1000 == 0 { now.minus(Duration::from_millis(1)) } else { now }
}

/// A login that is under way: its browser, the provider's answer with its RelayState, and the order that ends what it opens.
struct UnderWay {
    client: Client,
    response: String,
    relay_state: String,
    order: Message,
}

async fn begun(pod: &Pod, place: usize) -> UnderWay {
    let mut client = pod.client(place);
    let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
    let (address, query) = reply.header("location").split_once('?').unwrap();
    let metadata = pod.client(place).get("/eid/saml/metadata").await;
    let known = grindvakt_demo::KnownService::from_metadata(&metadata.body).unwrap();
    let (request, relay_state) = known.redirect(query, address).unwrap();
    let response = pod.world.idp.response(&request).at(now()).build();
    let part = |from: &str, to: &str| response.split_once(from).unwrap().1.split(to).next().unwrap().to_owned();
    let name_id = part("<saml:NameID", "</saml:NameID>").rsplit('>').next().unwrap().to_owned();
    let index = part("SessionIndex=\"", "\"");
    let order = pod.world.idp.logout_request(&format!("{BASE}/eid/saml/logout"), &name_id, &[&index], now());
    UnderWay { client, response, relay_state: relay_state.unwrap(), order }
}

async fn ordered(pod: &Pod, place: usize, order: &Message) -> Reply {
    let field = [(order.parameter(), order.posted(pod.world.idp.key()))];
    let field = field.each_ref().map(|(name, value)| (*name, value.as_str()));
    pod.client(place).post("/eid/saml/logout", &field).await
}

async fn is_out(pod: &Pod, client: &Client, place: usize) -> bool {
    pod.at(client, place).get("/eid/session").await.status == StatusCode::UNAUTHORIZED
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_one_replica_gets_ends_the_session_at_the_other_within_a_second() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::with(&[redis.address, redis.address]).await;
    for (used_at, told_at) in [(1, 0), (0, 1)] {
        let UnderWay { mut client, response, relay_state, order } = begun(&pod, used_at).await;
        assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
        assert_eq!(client.get("/ansokan/1").await.body, "hello");
        let began = Instant::now();
        let reply = ordered(&pod, told_at, &order).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        assert!(is_out(&pod, &client, told_at).await, "at once where it came");
        eventually(5, "it is over where it is used", || async { is_out(&pod, &client, used_at).await }).await;
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
        // The other knows that the order was used.
        let again = ordered(&pod, used_at, &order).await;
        assert_eq!(again.status, StatusCode::FORBIDDEN);
    }
}

/// The answer comes to a replica that does not know of the order yet, or just does.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_overtaken_on_its_way_to_another_replica_opens_nothing_that_lasts() {
    let redis = RedisServer::start(&[]);
    let pod = Pod::with(&[redis.address, redis.address]).await;
    let mut opened = 0;
    for round in 0..12 {
        let UnderWay { mut client, response, relay_state, order } = begun(&pod, 1).await;
        let (told, answered) = tokio::join!(ordered(&pod, 0, &order), client.answer(&response, &relay_state));
        assert_eq!(told.status, StatusCode::SEE_OTHER, "{}", told.body);
        match answered.status {
            StatusCode::SEE_OTHER => {
                opened += 1;
                for place in [0, 1] {
                    eventually(5, "it is over", || async { is_out(&pod, &client, place).await }).await;
                }
            }
            StatusCode::FORBIDDEN => {
                assert!(!answered.set_cookies().iter().any(|c| c.starts_with("__Host-eid-etjanst=")))
            }
            status => panic!("{round}: {status}: {}", answered.body),
        }
    }
    // And once it is known, none is opened at all.
    let UnderWay { client, response, relay_state, order } = begun(&pod, 1).await;
    assert_eq!(ordered(&pod, 0, &order).await.status, StatusCode::SEE_OTHER);
    tokio::time::sleep(SECOND).await;
    let reply = client.xhr().answer(&response, &relay_state).await;
    assert!(reply.status == StatusCode::FORBIDDEN && reply.body.contains("login_ended"), "{opened}: {}", reply.body);
}

/// A provider sends its order once, whatever the store does: it is not lost, and it is told the truth.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_comes_while_the_store_is_away_ends_the_session_here_and_everywhere_later() {
    let mut redis = RedisServer::start(&[]);
    let pod = Pod::with(&[redis.address, redis.address]).await;
    let UnderWay { mut client, response, relay_state, order } = begun(&pod, 1).await;
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    let metadata = pod.client(0).get("/eid/saml/metadata").await;
    let known = grindvakt_demo::KnownService::from_metadata(&metadata.body).unwrap();
    redis.kill();
    for sidecar in &pod.sidecars {
        eventually(20, "the store is missed", || async { metric(sidecar.admin, "grindvakt_store_up").await == 0.0 })
            .await;
    }
    let reply = ordered(&pod, 0, &order).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let (_, query) = reply.header("location").split_once('?').unwrap();
    assert_eq!(known.logout_by_redirect(query).unwrap().status, ["Responder", "PartialLogout"]);
    assert!(is_out(&pod, &client, 0).await, "at once where it came");
    assert!(!is_out(&pod, &client, 1).await, "how could it know");
    redis.start_again();
    eventually(10, "it is over where it is used", || async { is_out(&pod, &client, 1).await }).await;

    // Shown again, it ends nothing that was opened since.
    for sidecar in &pod.sidecars {
        eventually(20, "the store is back", || async { metric(sidecar.admin, "grindvakt_store_up").await == 1.0 })
            .await;
    }
    let UnderWay { client: mut later, response, relay_state, .. } = begun(&pod, 0).await;
    assert_eq!(later.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    redis.kill();
    eventually(20, "the store is missed", || async {
        metric(pod.sidecars[0].admin, "grindvakt_store_up").await == 0.0
    })
    .await;
    assert_eq!(ordered(&pod, 0, &order).await.status, StatusCode::SEE_OTHER);
    assert!(!is_out(&pod, &later, 0).await);
}
