//! A stalled server must show in the latencies of everyone who came meanwhile.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::*;
use crate::traffic::{Payload, Rounds, request};

/// A server that answers at once, but that stalls for `stall` from 300 ms after its start on.
async fn stalling(stall: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let from = Instant::now() + Duration::from_millis(300);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| async move {
                let now = Instant::now();
                if (from..from + stall).contains(&now) {
                    tokio::time::sleep_until((from + stall).into()).await;
                }
                let status = if request.uri().path() == "/bad" { 500 } else { 200 };
                let answer = Response::builder().status(status).body(Full::new(Bytes::from_static(b"ok"))).unwrap();
                Ok::<_, Infallible>(answer)
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

fn lane(address: SocketAddr, pace: Pace, connections: usize, path: &str) -> Lane {
    let requests = vec![request(Method::GET, "a", path, None, Payload::empty()).unwrap()];
    let traffic = Rc::new(Rounds::new(requests, StatusCode::OK));
    Lane { name: "test".to_owned(), address, pace, connections, tolerance: 0.0, traffic }
}

const PATIENCE: Duration = Duration::from_millis(700);

async fn driven(lane: Lane, duration: Duration) -> Tally {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let (lanes, tallies) = ([lane], [tally.clone()]);
    LocalSet::new().run_until(drive(&lanes, &tallies, duration, PATIENCE)).await.unwrap();
    tally.take()
}

#[tokio::test]
async fn a_stall_is_slow_for_everyone_who_came_meanwhile() {
    let stall = Duration::from_millis(400);
    // One connection: with it, a generator that waits for answers would see a single slow request.
    let open = driven(lane(stalling(stall).await, Pace::Rate(200.0), 1, "/"), Duration::from_secs(1)).await;
    assert_eq!((open.offered, open.good), (200, 200), "{open:?}");
    // 80 of 200 came during the stall, and waited between 0 and 400 ms.
    assert!(open.quantile_us(0.75) > 80_000, "p75 {} µs", open.quantile_us(0.75));
    assert!(open.quantile_us(0.99) > 300_000, "p99 {} µs", open.quantile_us(0.99));

    // The same stall in a closed loop leaves next to no trace: that is what the loop is not good for.
    let closed = driven(lane(stalling(stall).await, Pace::Closed, 1, "/"), Duration::from_secs(1)).await;
    assert!(closed.good > 200, "{closed:?}");
    assert!(closed.quantile_us(0.99) < 200_000, "p99 {} µs", closed.quantile_us(0.99));
    assert!(closed.max_us() > 300_000);
}

#[tokio::test]
async fn what_never_came_is_counted_with_the_time_that_it_waited() {
    // Longer than the grace: nobody who came after the first is ever served.
    let stalled = stalling(Duration::from_secs(60)).await;
    let began = Instant::now();
    let tally = driven(lane(stalled, Pace::Rate(20.0), 2, "/"), Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!((tally.offered, tally.done()), (20, 20), "{tally:?}");
    assert!(tally.failures() >= 10, "{tally:?}");
    assert!(tally.max_us() > 1_000_000, "{tally:?}");
}

#[tokio::test]
async fn wrong_answers_and_no_answers_are_counted_by_what_they_are() {
    let address = stalling(Duration::ZERO).await;
    let tally = driven(lane(address, Pace::Rate(50.0), 2, "/bad"), Duration::from_millis(200)).await;
    assert_eq!((tally.good, tally.bad.get("status 500"), tally.statuses.get(&500)), (0, Some(&10), Some(&10)));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let tally = driven(lane(nobody, Pace::Rate(50.0), 2, "/"), Duration::from_millis(200)).await;
    assert_eq!(tally.bad.get("connection refused"), Some(&10), "{tally:?}");
}
