//! One Response, decoded, read, verified and mapped, and each part of that beside its floor: the library call that
//! nobody can do without.
//!
//! `make bench` prints a table of it. Compare within one run: machines differ, and so does one machine from hour to hour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod support;

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, KeyPair as _, ParsedPublicKey};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use grindvakt::base::limits;
use grindvakt::crypto::digest::{DigestAlgorithm, HmacKey, sha256};
use grindvakt::crypto::trusted::{PublicKey, SignatureAlgorithm};
use grindvakt::identity::{IdentityRules, from_assertion};
use grindvakt::verify::base64::decode_spaced;
use grindvakt::verify::saml::Received;
use grindvakt::verify::xml;
use grindvakt::verify::xml::canonical::{self, DigestSink, Options};
use grindvakt_demo::Sign;
use support::{NOW, SP, Saml};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The size of a real answer of a Swedish provider.
const REAL: usize = 8_600;

/// Reading and hashing one real Response.
fn parts(c: &mut Criterion) {
    let saml = Saml::new(Sign::Response);
    let response = saml.response(REAL);
    let encoded = base64_simd::STANDARD.encode_to_string(&response);
    let form =
        format!("SAMLResponse={}&RelayState=abc", encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    let mut group = c.benchmark_group("parts");
    group.bench_function("base64-bare", |b| b.iter(|| base64_simd::STANDARD.decode_to_vec(black_box(&encoded))));
    group.bench_function("base64", |b| b.iter(|| decode_spaced(black_box(&encoded))));
    group
        .bench_function("form", |b| b.iter(|| grindvakt::http::form::Posted::read(black_box(form.as_bytes())).is_ok()));
    group.bench_function("read", |b| b.iter(|| xml::read(black_box(response.as_bytes()), &limits::MESSAGE).is_ok()));
    group.bench_function("read-roxmltree", |b| b.iter(|| roxmltree::Document::parse(black_box(&response)).is_ok()));
    group.bench_function("sha256", |b| b.iter(|| sha256(black_box(response.as_bytes()))));
    let document = xml::read(response.as_bytes(), &limits::MESSAGE).expect("well-formed");
    group.bench_function("canonical", |b| {
        let mut out = Vec::with_capacity(response.len() * 2);
        b.iter(|| {
            out.clear();
            canonical::write(black_box(document.root()), &Options::default(), &mut out);
            out.len()
        })
    });
    group.bench_function("canonical-digest", |b| {
        b.iter(|| {
            let mut sink = DigestSink::new(DigestAlgorithm::Sha256);
            canonical::write(black_box(document.root()), &Options::default(), &mut sink);
            sink.finish().is_ok()
        })
    });
    group.bench_function("second-reader", |b| b.iter(|| xml::second::veto(black_box(&document)).is_ok()));
    group.finish();
}

/// Each signature algorithm through our key, and the same check by the library alone.
fn signatures(c: &mut Criterion) {
    use SignatureAlgorithm as A;
    let message = b"what a SignedInfo holds, more or less, is some six hundred bytes".repeat(10);
    let random = aws_lc_rs::rand::SystemRandom::new();
    let mut group = c.benchmark_group("signature");
    let mut pair = |name: &str, key: &PublicKey, algorithm: A, bare: &ParsedPublicKey, ours: &[u8], theirs: &[u8]| {
        assert!(key.verify(algorithm, &message, ours).is_ok(), "{name}");
        assert!(bare.verify_sig(&message, theirs).is_ok(), "{name}");
        group.bench_function(name, |b| b.iter(|| key.verify(algorithm, black_box(&message), ours).is_ok()));
        group.bench_function(format!("{name}-bare"), |b| {
            b.iter(|| bare.verify_sig(black_box(&message), theirs).is_ok())
        });
    };
    for (bits, key) in [(2048, grindvakt_demo::DemoKey::rsa("a")), (4096, grindvakt_demo::DemoKey::rsa_4096("b"))] {
        let signature = key.sign(&message);
        let public = PublicKey::from_certificate(key.certificate()).expect("a certificate");
        let bare = ParsedPublicKey::new(&lc::RSA_PKCS1_2048_8192_SHA256, spki(key.certificate())).expect("a key");
        pair(&format!("rsa{bits}-sha256"), &public, A::RsaSha256, &bare, &signature, &signature);
    }
    for (name, algorithm, fixed, asn1, check) in [
        (
            "p256-sha256",
            A::EcdsaSha256,
            &lc::ECDSA_P256_SHA256_FIXED_SIGNING,
            &lc::ECDSA_P256_SHA256_ASN1_SIGNING,
            &lc::ECDSA_P256_SHA256_ASN1,
        ),
        (
            "p384-sha384",
            A::EcdsaSha384,
            &lc::ECDSA_P384_SHA384_FIXED_SIGNING,
            &lc::ECDSA_P384_SHA384_ASN1_SIGNING,
            &lc::ECDSA_P384_SHA384_ASN1,
        ),
        (
            "p521-sha512",
            A::EcdsaSha512,
            &lc::ECDSA_P521_SHA512_FIXED_SIGNING,
            &lc::ECDSA_P521_SHA512_ASN1_SIGNING,
            &lc::ECDSA_P521_SHA512_ASN1,
        ),
    ] {
        let key = EcdsaKeyPair::generate(fixed).expect("a key");
        let same = EcdsaKeyPair::from_pkcs8(asn1, key.to_pkcs8v1().expect("PKCS#8").as_ref()).expect("a key");
        let der = {
            use aws_lc_rs::encoding::AsDer as _;
            let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().expect("SPKI");
            der.as_ref().to_vec()
        };
        let ours = key.sign(&random, &message).expect("a signature");
        let theirs = same.sign(&random, &message).expect("a signature");
        let public = PublicKey::from_spki(&der).expect("a key");
        let bare = ParsedPublicKey::new(check, &der).expect("a key");
        pair(name, &public, algorithm, &bare, ours.as_ref(), theirs.as_ref());
    }
    group.finish();
}

fn spki(certificate: &[u8]) -> Vec<u8> {
    use x509_cert::der::{Decode as _, Encode as _};
    let certificate = x509_cert::Certificate::from_der(certificate).expect("a certificate");
    certificate.tbs_certificate().subject_public_key_info().to_der().expect("SPKI")
}

/// The private-key operation that an encrypted assertion cannot do without.
fn unwrapping(c: &mut Criterion) {
    let key = PrivateDecryptingKey::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let public = OaepPublicEncryptingKey::new(key.public_key()).expect("a key");
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &[7; 32], &mut wrapped, None).expect("a wrapped key").to_vec();
    let key = OaepPrivateDecryptingKey::new(key).expect("a key");
    let mut out = vec![0; key.min_output_size()];
    c.benchmark_group("unwrap").bench_function("rsa2048-oaep-bare", |b| {
        b.iter(|| key.decrypt(&OAEP_SHA1_MGF1SHA1, black_box(&wrapped), &mut out, None).is_ok())
    });
}

/// The whole way: read, every signature, every rule, the claims; and from the posted form to the person.
fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("response");
    for (name, saml) in [
        ("signed", Saml::new(Sign::Response)),
        ("both-signed", Saml::new(Sign::Both)),
        ("encrypted", Saml::new(Sign::Response).encrypted()),
    ] {
        for bytes in [3_000, REAL, 20_000] {
            let response = saml.response(bytes);
            let expect = saml.expect();
            assert!(saml.verify(response.as_bytes(), &expect), "the fixture verifies");
            group.bench_with_input(BenchmarkId::new(name, bytes), &bytes, |b, _| {
                b.iter(|| saml.verify(black_box(response.as_bytes()), &expect))
            });
        }
    }
    let saml = Saml::new(Sign::Response);
    let encoded = base64_simd::STANDARD.encode_to_string(saml.response(REAL));
    let form =
        format!("SAMLResponse={}&RelayState=abc", encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    let (expect, key) = (saml.expect(), HmacKey::new(&grindvakt::base::Secret::new([1; 32])));
    let rules = IdentityRules {
        audience: SP,
        accept_coordination_number: false,
        scopes: &[],
        eidas_connector: false,
        check_digit: false,
    };
    let person = |form: &[u8]| {
        let posted = grindvakt::http::form::Posted::read(form)?;
        let verified = Received::parse(&posted.saml_response, false)?.verify(&expect, NOW)?;
        from_assertion(verified, &rules, &key)
    };
    assert!(person(form.as_bytes()).is_ok());
    group.bench_function("form-to-person", |b| b.iter(|| person(black_box(form.as_bytes())).is_ok()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = parts, signatures, unwrapping, whole
}
criterion_main!(benches);
