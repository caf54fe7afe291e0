//! One signed Response, verified and read, beside the parts that nobody can do without: the floor.
//!
//! `cargo bench --bench verify_saml`. Compare within one run: machines differ, and so does one machine from day to day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use grindvakt::base::{UnixTime, limits};
use grindvakt::crypto::digest::{DigestAlgorithm, sha256};
use grindvakt::crypto::trusted::{PublicKey, SignatureAlgorithm};
use grindvakt::verify::base64::decode_spaced;
use grindvakt::verify::saml::metadata::{FeedExpect, read_feed};
use grindvakt::verify::saml::{Binding, Expect, IdpMetadata, Profile, Received, Signed};
use grindvakt::verify::xml;
use grindvakt::verify::xml::canonical::{self, DigestSink, Options};
use grindvakt_demo::{DemoIdp, Feed, Request, Sign};

const SP: &str = "https://etjanst.example.se/sp";
const ACS: &str = "https://etjanst.example.se/eid/saml/acs";
const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);
const LOA: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

struct Fixture {
    idp: DemoIdp,
    metadata: IdpMetadata,
    request: Request,
    acs: Vec<String>,
    loa: Vec<String>,
}

impl Fixture {
    fn new(sign: Sign) -> Self {
        let idp = DemoIdp::new("https://idp.example.se/saml", "https://idp.example.se").signs(sign);
        let feed = Feed::new().idp(&idp).build();
        let expect = FeedExpect { signers: &[], now: NOW, only: None, second_reader: true };
        let metadata = read_feed(feed.as_bytes(), &expect).expect("a demo feed").idps.remove(0);
        let loa = vec![LOA.to_owned()];
        let request = Request {
            id: "_5f8a1cbe4f0d4b6b".into(),
            issuer: SP.into(),
            acs_url: ACS.into(),
            destination: idp.sso_url(),
            issue_instant: NOW,
            force_authn: true,
            loa: loa.clone(),
        };
        Self { idp, metadata, request, acs: vec![ACS.into()], loa }
    }

    fn response(&self, bytes: usize) -> String {
        self.idp.response(&self.request).pad_to(bytes).build()
    }

    fn expect(&self, signed: Signed) -> Expect<'_> {
        Expect {
            idp: &self.metadata,
            audience: SP,
            acs: &self.acs,
            binding: Binding::Request { id: &self.request.id, issued_at: NOW, loa: &self.loa },
            profile: Profile::Federation,
            signed,
            decryption: &grindvakt::crypto::encryption::NoKeys,
            encryption_required: false,
            allow_unsolicited: false,
            eidas_connector: false,
            force_authn: true,
            local_loa: &[],
            loa_map: &[],
            authenticating_authorities: &[],
            clock_skew: Duration::from_secs(60),
            max_age: Duration::from_secs(180),
        }
    }
}

/// Every part of the floor for one Response: what a perfect verifier would still pay.
fn parts(c: &mut Criterion) {
    let fixture = Fixture::new(Sign::Response);
    let response = fixture.response(8_600);
    let encoded = base64_simd::STANDARD.encode_to_string(&response);
    let mut group = c.benchmark_group(format!("parts of {} bytes", response.len()));
    group.throughput(Throughput::Bytes(response.len() as u64));
    group.bench_function("decode base64", |b| b.iter(|| decode_spaced(black_box(&encoded))));
    group
        .bench_function("read XML", |b| b.iter(|| xml::read(black_box(response.as_bytes()), &limits::MESSAGE).is_ok()));
    group.bench_function("SHA-256", |b| b.iter(|| sha256(black_box(response.as_bytes()))));
    let document = xml::read(response.as_bytes(), &limits::MESSAGE).expect("well-formed");
    group.bench_function("canonical form, into memory", |b| {
        let mut out = Vec::with_capacity(response.len() * 2);
        b.iter(|| {
            out.clear();
            canonical::write(black_box(document.root()), &Options::default(), &mut out);
            out.len()
        })
    });
    group.bench_function("canonical form, into SHA-256", |b| {
        b.iter(|| {
            let mut sink = DigestSink::new(DigestAlgorithm::Sha256);
            canonical::write(black_box(document.root()), &Options::default(), &mut sink);
            sink.finish().is_ok()
        })
    });
    let key = PublicKey::from_certificate(fixture.idp.key().certificate()).expect("the demo's certificate");
    let signature = fixture.idp.key().sign(b"message");
    group.bench_function("RSA-2048 check", |b| {
        b.iter(|| key.verify(SignatureAlgorithm::RsaSha256, black_box(b"message"), &signature).is_ok())
    });
    group.bench_function("second reader (on metadata; on logins only where set)", |b| {
        b.iter(|| xml::second::veto(black_box(&document)).is_ok())
    });
    group.finish();
}

/// The whole way: read, every signature, every rule, the claims.
fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("signed Response, RSA-2048");
    for (name, sign, signed) in
        [("Response signed", Sign::Response, Signed::Response), ("both signed", Sign::Both, Signed::Response)]
    {
        let fixture = Fixture::new(sign);
        for bytes in [3_000, 8_600, 20_000] {
            let response = fixture.response(bytes);
            let expect = fixture.expect(signed);
            let verify = || {
                let received = Received::parse(black_box(response.as_bytes()), false)?;
                received.verify(&expect, NOW)
            };
            verify().expect("the fixture verifies");
            group.throughput(Throughput::Bytes(response.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, bytes), &bytes, |b, _| b.iter(|| verify().is_ok()));
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = parts, whole
}
criterion_main!(benches);
