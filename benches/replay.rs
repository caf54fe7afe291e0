//! What single use and ended sessions cost: in the memory of one process, in the copy that every request asks, and in a
//! Redis on the same machine (left out, and said so, where there is none).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

#[path = "../tests/it/support/program.rs"]
#[allow(dead_code)]
mod program;
#[path = "../tests/it/support/redis.rs"]
#[allow(dead_code)]
mod redis_server;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use dashmap::DashMap;
use grindvakt::base::{Secret, ServiceId, SystemClock, UnixTime};
use grindvakt::crypto::digest::{HmacKey, SystemRandom, sha256};
use grindvakt::replay::shared::{Credentials, NodeAddress, Settings, Shared, Topology};
use grindvakt::replay::{
    Ended, Mark, Marks, MemoryGuard, ProviderMark, ReplayGuard as _, ReplayKey, Revoked, SessionId,
};
use redis_server::RedisServer;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);

/// Live entries while the next is taken: two for each login of the last hour, at 138 logins a second.
const LIVE: u32 = 990_000;

/// Ended sessions of a day at one logout a second.
const ENDED: u32 = 86_400;

fn later() -> UnixTime {
    NOW.plus(Duration::from_secs(3600))
}

fn digest() -> HmacKey {
    HmacKey::new(&Secret::new([1; 32]))
}

fn memory(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let digest = digest();
    let guard = MemoryGuard::with_capacity(usize::MAX);
    let consume = |n: u32, until: UnixTime| {
        let id = n.to_string();
        let key = ReplayKey::assertion(&digest, "https://idp.example.se/saml", &id);
        runtime.block_on(guard.consume(&[key], until, NOW)).is_ok()
    };
    (0..LIVE).for_each(|n| assert!(consume(n, later())));
    let mut group = c.benchmark_group("replay");
    let mut next = LIVE;
    group.bench_function("first-use-among-1M", |b| {
        b.iter(|| {
            next += 1;
            consume(next, later())
        })
    });
    group.bench_function("second-use-among-1M", |b| {
        let mut n = 0_u32;
        b.iter(|| {
            n = (n + 7919) % LIVE;
            consume(n, later())
        })
    });
    // The floor: one digest of about the same bytes, and one insert into a map of the same size.
    let bare: DashMap<[u8; 16], UnixTime> = DashMap::new();
    let key = |n: u32| -> [u8; 16] { sha256(&n.to_le_bytes())[..16].try_into().expect("16 bytes") };
    (0..LIVE).for_each(|n| _ = bare.insert(key(n), later()));
    let mut next = LIVE;
    group.bench_function("insert-bare", |b| {
        b.iter(|| {
            next += 1;
            bare.insert(key(next), later()).is_none()
        })
    });
    group.finish();
}

/// What every request of a session asks.
fn revoked(c: &mut Criterion) {
    let (digest, random) = (digest(), SystemRandom::new());
    let mark = |n: u32| ProviderMark::sub(&digest, "https://op.example.se", &n.to_string());
    let marks = Marks {
        session: SessionId::new(&random).expect("random bytes"),
        opened: NOW,
        at_provider: vec![mark(0), mark(1)],
    };
    let (none, by_id, both) = (Revoked::default(), Revoked::default(), Revoked::default());
    let order = |mark| Ended { mark, at: NOW, until: later() };
    let ids = (0..ENDED).map(|_| order(Mark::Session(SessionId::new(&random).expect("random bytes"))));
    by_id.take_in(ids.clone(), NOW);
    both.take_in(ids.chain((2..ENDED).map(|n| order(Mark::AtProvider(mark(n))))), NOW);
    let mut group = c.benchmark_group("revoked");
    for (name, revoked) in [("nobody", &none), ("a-day-of-logouts", &by_id), ("and-of-providers", &both)] {
        group.bench_function(name, |b| b.iter(|| revoked.contains(black_box(&marks), NOW)));
    }
    group.finish();
}

fn shared(c: &mut Criterion) {
    if std::process::Command::new("redis-server").arg("--version").output().is_err() {
        println!("redis-server is missing (Debian: redis-server): the shared store is not measured");
        return;
    }
    let server = RedisServer::start(&[]);
    // As in the program: the connection on a runtime of its own, the requests on another.
    let side = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let serving = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let settings = Settings {
        service: ServiceId::new("bench").expect("a name"),
        nodes: vec![NodeAddress::parse(&server.address.to_string(), 6379).expect("an address")],
        topology: Topology::Single,
        database: 0,
        login: Credentials::default(),
        sentinel_login: Credentials::default(),
        tls: None,
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(1),
        lifetime: Duration::from_secs(8 * 3600),
    };
    let (store, driver) = Shared::open(settings, Arc::new(SystemClock), Arc::new(SystemRandom::new()), Arc::new(()));
    side.spawn(driver.run());
    let line = serving.block_on(store.line()).expect("the store");
    let digest = digest();
    let mut n = 0_u32;
    let mut keys = || {
        n += 1;
        let id = n.to_string();
        [ReplayKey::assertion(&digest, "https://idp.example.se/saml", &id), ReplayKey::login(&digest, &id)]
    };
    let mut group = c.benchmark_group("store");
    group.bench_function("login", |b| {
        b.iter(|| {
            let keys = keys();
            serving.block_on(store.consume(&keys, &line.instance, later(), NOW)).is_ok()
        })
    });
    // Sixty-four at once, as they come in a rush: what one of them costs is this by sixty-four.
    group.bench_function("64-logins", |b| {
        b.iter(|| {
            let rush: Vec<_> = (0..64).map(|_| keys()).collect();
            serving.block_on(async {
                let uses = rush.iter().map(|keys| store.consume(keys, &line.instance, later(), NOW));
                futures_util::future::join_all(uses).await.iter().all(Result::is_ok)
            })
        })
    });
    // The floor: one round trip of the library, with its connection on the same runtimes.
    let client = redis::Client::open(format!("redis://{}/", server.address)).expect("a client");
    let mut bare = side.block_on(client.get_multiplexed_async_connection()).expect("a connection");
    group.bench_function("ping-bare", |b| {
        b.iter(|| serving.block_on(redis::cmd("PING").query_async::<String>(&mut bare)).is_ok())
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = memory, revoked, shared
}
criterion_main!(benches);
