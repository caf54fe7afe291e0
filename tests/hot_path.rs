//! What counting costs, of a request and of what the memory of uses is asked: no allocation, and less than a microsecond. In a process of its own, since another test's
//! allocations would be counted too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use grindvakt::base::RouteName;
use grindvakt::replay::shared::{StoreObserver as _, StoreOp};
use grindvakt::telemetry::{Outcome, Telemetry};

/// Everything that a request which is passed on counts in.
fn count(telemetry: &Telemetry, route: &RouteName, began: Instant) {
    let requests = &telemetry.metrics().requests;
    requests.in_flight.inc();
    telemetry.metrics().caches.headers.hits.inc();
    let mut passed = requests.passing(black_box(route), began);
    passed.became(Outcome::Forwarded);
    drop(passed);
    requests.in_flight.dec();
}

#[test]
fn counting_a_request_allocates_nothing_and_takes_less_than_a_microsecond() {
    let routes: Vec<RouteName> = (0..50).map(|n| RouteName::new(&format!("/del/{n}/*"))).collect();
    let telemetry = Telemetry::new([], routes.clone()).unwrap();
    let route = routes.last().unwrap();
    let began = Instant::now();
    count(&telemetry, route, began);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..1000 {
            count(&telemetry, route, began);
            telemetry.metrics().requests.answered(Some(route), Outcome::NeedsLogin);
            telemetry.metrics().requests.answered(None, Outcome::Own);
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");

    let fastest = fastest(|| count(&telemetry, route, began));
    println!("{fastest:?} a request");
}

/// What timing adds to a login, or to a request with a proof, where this process remembers for itself: two looks at the
/// clock and an observation. Requests of sessions ask the memory nothing.
#[test]
fn timing_the_memory_allocates_nothing_and_takes_less_than_a_microsecond() {
    let telemetry = Telemetry::new([], []).unwrap();
    telemetry.metrics().store.know_memory();
    let ask = || {
        let began = Instant::now();
        telemetry.asked(black_box(StoreOp::Consume), None, began.elapsed());
    };
    ask();
    let allocated = allocation_counter::measure(|| (0..1000).for_each(|_| ask()));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    let fastest = fastest(ask);
    println!("{fastest:?} a use");
}

/// The fastest of many rounds: what else the machine does is not meant. Without optimisation it may take twice as long.
fn fastest(mut what: impl FnMut()) -> Duration {
    let limit = if cfg!(debug_assertions) { 2 } else { 1 };
    let mut round = || {
        let start = Instant::now();
        (0..1000).for_each(|_| what());
        start.elapsed() / 1000
    };
    let fastest = (0..200).map(|_| round()).min().unwrap();
    assert!(fastest < Duration::from_micros(limit), "{fastest:?}");
    fastest
}
