//! One token that nobody has seen before, verified and read, beside the bare check of its signature by the library: nobody
//! can do without that.
//!
//! `make bench` prints a table of it. Compare within one run: machines differ, and so does one machine from hour to hour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod support;

use std::future::Future as _;
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey};
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair};
use criterion::{Criterion, criterion_group, criterion_main};
use grindvakt::base::{Secret, UnixTime, limits};
use grindvakt::crypto::digest::HmacKey;
use grindvakt::crypto::encryption::NoKeys;
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::crypto::trusted::AlgorithmSet;
use grindvakt::gate::{Decision, Presented};
use grindvakt::identity::{ClaimRules, from_claims};
use grindvakt::provider::ProviderEntry;
use grindvakt::verify::jose::json::Document;
use grindvakt::verify::jose::{
    AccessTokenExpect, Asked, Decryption, IdTokenExpect, KeySet, LevelRules, Nonce, OidcProfile, Received,
};
use grindvakt::verify::{Reason, Reject};
use serde_json::{Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);
const ISSUER: &str = "https://op.example.se";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

fn url(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// What an ID token of the Swedish profile says: some 900 bytes.
fn id_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "2f6c1d0e-8a43-4c53-9c9e-1f7c5b3b7c11", "aud": "etjanst", "exp": NOW.as_secs() + 300,
        "iat": NOW.as_secs(), "auth_time": NOW.as_secs() - 5, "nonce": "n-0S6_WzA2Mj5qwertyuiop1234567", "acr": LOA3,
        "jti": "8c2b8a60-3d1c-4d0f-8a51-c1d8ab5b1d0e", "at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng", "sid": "a1b2c3d4e5f6",
        "amr": ["mfa", "hwk"], "name": "Åsa Öberg", "given_name": "Åsa", "family_name": "Öberg",
        "birthdate": "1950-06-26", "txn": "4c7d6b8e-5a1f-4f55-8d8e-0a2f3b5c7d9e",
        "https://id.oidc.se/claim/personalIdentityNumber": "195006262546",
        "https://id.oidc.se/claim/credentialValidFrom": 1_700_000_000,
        "https://id.oidc.se/claim/credentialValidTo": 1_800_000_000,
        "https://id.oidc.se/claim/deviceIp": "203.0.113.7",
        "https://id.oidc.se/claim/authnProvider": "https://provider.example.se",
    })
}

fn access_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "2f6c1d0e-8a43-4c53-9c9e-1f7c5b3b7c11", "aud": ["https://etjanst.example.se/api"],
        "exp": NOW.as_secs() + 3600, "iat": NOW.as_secs(), "jti": "8c2b8a60-3d1c-4d0f-8a51-c1d8ab5b1d0e",
        "client_id": "mobile-app", "scope": "openid cases.read cases.write", "auth_time": NOW.as_secs() - 5,
        "acr": LOA3, "https://id.oidc.se/claim/personalIdentityNumber": "195006262546",
    })
}

/// A key pair by the library, and what the bare check needs of it.
struct Signer {
    alg: &'static str,
    jwk: Value,
    sign: Box<dyn Fn(&[u8]) -> Vec<u8>>,
    bare: ParsedPublicKey,
}

impl Signer {
    fn rsa(alg: &'static str, how: &'static dyn lc::RsaEncoding, check: &'static lc::RsaParameters) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("SPKI");
        let bare = ParsedPublicKey::new(check, der.as_ref()).expect("a key");
        // RSAPublicKey of 2048 bits: two headers and a zero, the modulus, and 65537 (RFC 8017, A.1.1).
        let n = url(&pair.public_key().as_ref()[9..265]);
        let e = "AQAB";
        let sign = move |input: &[u8]| {
            let mut out = vec![0; pair.public_modulus_len()];
            pair.sign(how, &SystemRandom::new(), input, &mut out).expect("a signature");
            out
        };
        Self { alg, jwk: json!({ "kty": "RSA", "n": n, "e": e, "kid": "k" }), sign: Box::new(sign), bare }
    }

    fn es256() -> Self {
        let pair = EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = pair.public_key().as_ref().to_vec();
        let bare = ParsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, &point).expect("a key");
        let (x, y) = point[1..].split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": url(x), "y": url(y), "kid": "k" });
        let sign = move |input: &[u8]| pair.sign(&SystemRandom::new(), input).expect("a signature").as_ref().to_vec();
        Self { alg: "ES256", jwk, sign: Box::new(sign), bare }
    }

    fn eddsa() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let key = pair.public_key().as_ref().to_vec();
        let bare = ParsedPublicKey::new(&lc::ED25519, &key).expect("a key");
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": url(&key), "kid": "k" });
        Self { alg: "EdDSA", jwk, sign: Box::new(move |input| pair.sign(input).as_ref().to_vec()), bare }
    }

    fn token(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.alg, "kid": "k", "typ": typ });
        let input = format!("{}.{}", url(header.to_string()), url(claims.to_string()));
        let signature = url((self.sign)(input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(json!({ "keys": [self.jwk] }).to_string().as_bytes()).expect("a JWKS").0
    }
}

fn signers() -> [Signer; 4] {
    [
        Signer::rsa("RS256", &lc::RSA_PKCS1_SHA256, &lc::RSA_PKCS1_2048_8192_SHA256),
        Signer::rsa("PS256", &lc::RSA_PSS_SHA256, &lc::RSA_PSS_2048_8192_SHA256),
        Signer::es256(),
        Signer::eddsa(),
    ]
}

fn level(certified: &[String]) -> LevelRules<'_> {
    LevelRules { claim: None, map: &[], when_absent: None, certified, eidas_connector: false }
}

fn id_expect<'a>(keys: &'a KeySet, certified: &'a [String], decryption: Decryption<'a>) -> IdTokenExpect<'a> {
    IdTokenExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        other_audiences: &[],
        keys,
        algorithms: AlgorithmSet::ALL,
        decryption,
        profile: OidcProfile::OidcSweden.rules(),
        asked: Asked {
            nonce: Nonce::Sent("n-0S6_WzA2Mj5qwertyuiop1234567"),
            fresh_since: Some(NOW.minus(Duration::from_secs(60))),
            max_age: Some(Duration::ZERO),
            loa: certified,
        },
        access_token: None,
        code: None,
        level: level(certified),
        clock_skew: Duration::from_secs(60),
    }
}

/// Each algorithm: the bare check over the same bytes, an access token, an ID token, and on to the person.
fn tokens(c: &mut Criterion) {
    let certified = [LOA3.to_owned()];
    let audience = ["https://etjanst.example.se/api".to_owned()];
    let clear = Decryption { keys: &NoKeys, required: false };
    let hmac = HmacKey::new(&Secret::new([1; 32]));
    let mut group = c.benchmark_group("jwt");
    for signer in signers() {
        let keys = signer.keys();
        let name = signer.alg.to_lowercase();

        let token = signer.token("at+jwt", &access_claims());
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
        assert!(signer.bare.verify_sig(input.as_bytes(), &signature).is_ok());
        group.bench_function(format!("{name}-bare"), |b| {
            b.iter(|| signer.bare.verify_sig(black_box(input.as_bytes()), &signature).is_ok())
        });
        let expect = AccessTokenExpect {
            issuer: ISSUER,
            audience: &audience,
            keys: &keys,
            algorithms: AlgorithmSet::ALL,
            require_at_jwt: true,
            profile: OidcProfile::OidcSweden.rules(),
            level: level(&certified),
            clock_skew: Duration::from_secs(60),
        };
        let verify = |token: &str| Received::parse(token.as_bytes()).and_then(|r| r.access_token(&expect, NOW)).is_ok();
        assert!(verify(&token), "{name}");
        group.bench_function(format!("{name}-access-token"), |b| b.iter(|| verify(black_box(&token))));

        let token = signer.token("JWT", &id_claims());
        let expect = id_expect(&keys, &certified, clear);
        let verify = |token: &str| Received::parse(token.as_bytes()).and_then(|r| r.id_token(&expect, NOW));
        assert!(verify(&token).is_ok(), "{name}");
        group.bench_function(format!("{name}-id-token"), |b| b.iter(|| verify(black_box(&token)).is_ok()));
        let rules = ClaimRules {
            profile: OidcProfile::OidcSweden.rules(),
            map: &[],
            accept_coordination_number: false,
            scopes: None,
            eidas_connector: false,
            check_digit: false,
        };
        let person =
            |token: &str| verify(token).and_then(|verified| from_claims(verified, None, &rules, &hmac)).is_ok();
        assert!(person(&token), "{name}");
        group.bench_function(format!("{name}-person"), |b| b.iter(|| person(black_box(&token))));
    }
    group.finish();
}

const API: &str = r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:8000"
[store]
single_replica = true
[[provider]]
id = "api"
protocol = "jwt"
profile = "oidc-sweden"
issuer = "https://op.example.se"
audience = "https://etjanst.example.se/api"
loa = ["loa3"]
[[route]]
path = "/api/*"
bearer = ["api"]
scopes = ["cases.read"]
forward = ["personal_number", "loa"]
"#;

/// A token that was seen before, decided on by the gate: all that a request with it pays but the header's way to there.
fn seen_before(c: &mut Criterion) {
    let signer = Signer::es256();
    let gate = support::front::gate_of(API, |provider| {
        let without = Reject::from(Reason::ProviderWithoutKeys);
        ProviderEntry::of_tokens(provider.clone(), Ok(std::sync::Arc::new(signer.keys())), Err(without))
    });
    let token = signer.token("at+jwt", &access_claims());
    let presented = Presented { token: &token, dpop: false, proof: None, method: "GET", path: "/api/cases" };
    let first = std::pin::pin!(gate.authorize_token("/api/cases", &presented));
    // It waits for nobody.
    match first.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Decision::Permit(_)) => {}
        Poll::Ready(Decision::Denied(denial)) => panic!("{}: {}", denial.code(), denial.detail()),
        Poll::Pending => panic!("it waits"),
    }
    let decide = || {
        let route = gate.route(black_box("/api/cases"));
        let known = gate.authorize_known_token(route, black_box(&presented), false);
        assert!(matches!(known, Some(Decision::Permit(_))), "the token is not known");
    };
    decide();
    c.benchmark_group("jwt").bench_function("seen-before", |b| b.iter(decide));
}

/// The parts that are ours.
fn parts(c: &mut Criterion) {
    let claims = id_claims().to_string();
    let encoded = url(&claims);
    let mut group = c.benchmark_group("jwt-parts");
    group.bench_function("base64url", |b| {
        b.iter(|| grindvakt::verify::base64::decode_url(black_box(encoded.as_bytes())).is_some())
    });
    group.bench_function("json", |b| {
        b.iter(|| Document::read(black_box(claims.as_bytes()).to_vec(), &limits::TOKEN_CLAIMS).is_ok())
    });
    group.bench_function("json-serde", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(claims.as_bytes())).is_ok())
    });
    group.finish();
}

/// An encrypted ID token: the private-key operation is all but everything.
fn encrypted(c: &mut Criterion) {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as GcmNonce, UnboundKey};
    let demo = grindvakt_demo::DemoKey::rsa("decryption");
    let mut own = DecryptionKeys::default();
    own.add(&Secret::new(demo.private_pem().into_bytes()), "sp").expect("an RSA key");
    let spki = {
        use x509_cert::der::{Decode as _, Encode as _};
        let certificate = x509_cert::Certificate::from_der(demo.certificate()).expect("a certificate");
        certificate.tbs_certificate().subject_public_key_info().to_der().expect("SPKI")
    };
    let public = aws_lc_rs::rsa::PublicEncryptingKey::from_der(&spki).expect("a key");
    let public = OaepPublicEncryptingKey::new(public).expect("a key");
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &[7; 32], &mut wrapped, None).expect("a wrapped key").to_vec();
    let signer = Signer::es256();
    let header = url(json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT" }).to_string());
    let mut content = signer.token("JWT", &id_claims()).into_bytes();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key"));
    let nonce = GcmNonce::assume_unique_for_key([1; 12]);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut content).expect("sealed");
    let token = [header.clone(), url(&wrapped), url([1; 12]), url(&content), url(tag.as_ref())].join(".");
    let (keys, certified) = (signer.keys(), [LOA3.to_owned()]);
    let expect = id_expect(&keys, &certified, Decryption { keys: &own, required: true });
    let verify = |token: &str| Received::parse(token.as_bytes()).and_then(|r| r.id_token(&expect, NOW)).is_ok();
    assert!(verify(&token));
    c.benchmark_group("jwt").bench_function("encrypted-id-token", |b| b.iter(|| verify(black_box(&token))));
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = parts, tokens, seen_before, encrypted
}
criterion_main!(benches);
