//! What every request of a session pays: opening its cookie, the route, the headers; and what each login adds: sealing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use grindvakt::base::Secret;
use grindvakt::config::HeaderNames;
use grindvakt::crypto::digest::SystemRandom;
use grindvakt::gate::{Cookies, Decision};
use grindvakt::http::headers::IdentityNames;
use grindvakt::policy::normal_path;
use grindvakt::session::{CookieKey, CookieSealer, Session};
use http::HeaderMap;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use support::front::{Front, PATH, SESSION};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cookies(c: &mut Criterion) {
    let front = Front::new();
    let sealer = CookieSealer::new([&Secret::new([7; 32])], CookieKey::Session).expect("a key");
    let session: Session = sealer.open(SESSION, &front.cookie).expect("our cookie");
    let random = SystemRandom::new();
    let mut group = c.benchmark_group("cookie");
    group.bench_function("open", |b| b.iter(|| sealer.open::<Session>(SESSION, black_box(&front.cookie)).is_some()));
    group.bench_function("seal", |b| b.iter(|| sealer.seal(SESSION, black_box(&session), &random).is_ok()));

    // The floor: base64 and AES-256-GCM over the same bytes, by the libraries alone.
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(&front.cookie).expect("base64");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key"));
    let nonce = || Nonce::assume_unique_for_key([3; 12]);
    let mut sealed = bytes[..bytes.len() - 32].to_vec();
    key.seal_in_place_append_tag(nonce(), Aad::from(SESSION), &mut sealed).expect("sealed");
    let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(&sealed);
    group.bench_function("open-bare", |b| {
        b.iter(|| {
            let mut sealed = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(black_box(&text)).expect("base64");
            key.open_in_place(nonce(), Aad::from(SESSION), &mut sealed).is_ok()
        })
    });
    group.bench_function("seal-bare", |b| {
        b.iter(|| {
            let mut plain = black_box(&bytes[..bytes.len() - 32]).to_vec();
            key.seal_in_place_append_tag(nonce(), Aad::from(SESSION), &mut plain).expect("sealed");
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(plain)
        })
    });
    group.finish();
}

fn requests(c: &mut Criterion) {
    let front = Front::new();
    let held = [("other", "1"), (SESSION, front.cookie.as_str())];
    let permit = || match front.gate.authorize(PATH, &Cookies::new(&held)) {
        Decision::Permit(permit) => permit,
        Decision::Denied(denial) => panic!("{}", denial.code()),
    };
    let headers = permit().headers.expect("an identity");
    let names = IdentityNames::new(&HeaderNames::default());
    let mut group = c.benchmark_group("request");
    group.bench_function("authorize", |b| b.iter(|| black_box(permit()).headers.is_some()));
    group.bench_function("normal-path", |b| b.iter(|| normal_path(black_box(PATH)).is_ok()));
    group.bench_function("anonymous", |b| {
        b.iter(|| matches!(front.gate.authorize(black_box("/om/oss"), &Cookies::new(&held)), Decision::Permit(_)))
    });
    group.bench_function("refused", |b| {
        b.iter(|| matches!(front.gate.authorize(black_box(PATH), &Cookies::new(&[])), Decision::Denied(_)))
    });
    let usual = || {
        let mut map = HeaderMap::with_capacity(24);
        for name in ["host", "accept", "accept-language", "user-agent", "referer", "sec-fetch-mode", "cookie"] {
            map.insert(name, http::HeaderValue::from_static("a value of some length"));
        }
        map
    };
    group.bench_function("headers-clean-and-attach", |b| {
        b.iter_batched_ref(
            usual,
            |map| {
                names.strip(map);
                names.attach(map, &headers);
            },
            BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = cookies, requests
}
criterion_main!(benches);
