//! What is remembered of a bearer token, and what the token opened, ends with the key that signed it and with the settings
//! that it was judged by.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::streams::events;
use crate::support::remote::{Act, Remote};
use crate::support::service::{h1, h1_request, is_over_within, next, nothing};
use crate::support::tokens::TokenKey;
use crate::support::{Client, World, eventually, metric};

const AUDIENCE: &str = "https://etjanst.example.se/api";
const ISSUER: &str = "https://as.example.se";
const SCOPES: &str = "scopes = [\"cases.read\"]";

/// A provider of bearer tokens and a route that takes them; `keys` says where its keys are.
fn config(issuer: &str, keys: &str) -> String {
    format!(
        r#"
[[provider]]
id = "api"
protocol = "jwt"
profile = "oidc-sweden"
issuer = "{issuer}"
audience = "{AUDIENCE}"
loa = ["loa3"]
{keys}
[[route]]
path = "/api/*"
bearer = ["api"]
loa = ["loa3"]
{SCOPES}
"#
    )
}

/// A person's token, of some length at least.
fn token(key: &TokenKey, issuer: &str, length: usize) -> String {
    let now = SystemClock.now().as_secs();
    key.access_token(&json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "user-1", "client_id": "app", "jti": "t-1",
        "iat": now, "exp": now + 300, "auth_time": now - 10, "scope": format!("cases.read{}", " x".repeat(length / 2)),
        "acr": "http://id.elegnamnden.se/loa/1.0/loa3",
    }))
}

fn both(a: &TokenKey, b: &TokenKey) -> String {
    let keys = [a, b].map(|key| serde_json::from_str::<Value>(&key.jwks()).unwrap()["keys"][0].clone());
    json!({ "keys": keys }).to_string()
}

/// The status, and the code of a refusal.
async fn show(world: &World, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let mut client = Client::new(world.public()).xhr();
    let reply = client.send(Method::GET, "/api/cases", &[("authorization", &bearer)], "").await;
    let problem: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
}

fn good() -> (u16, String) {
    (200, String::new())
}

/// Does something that is a reload, and waits until it is in force.
async fn reloaded(world: &mut World, change: impl FnOnce(&mut World)) {
    let done = "grindvakt_config_reloads_total{outcome=\"done\"}";
    let before = metric(world.admin(), done).await;
    change(world);
    let admin = world.admin();
    eventually(10, "the reload is done", || async move { metric(admin, done).await > before }).await;
}

/// A stolen key signs tokens that end when the thief likes: what one has opened must not outlive the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_key_that_signed_its_token_and_no_sooner() {
    let (service, poke) = events().await;
    let mut world = World::with_upstream("", service.address).await;
    let (old, new) = (TokenKey::new("old"), TokenKey::new("new"));
    world.write("api.json", &old.jwks());
    world.configure(|text| text.to_owned() + &config(ISSUER, "jwks_file = \"api.json\"")).await;
    let begin = async |world: &World, key: &TokenKey| {
        let bearer = format!("Bearer {}", token(key, ISSUER, 0));
        let request = h1_request(&Client::new(world.public()), "/api/events").header("authorization", bearer);
        let answer = h1(world.public(), request.body(nothing()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let mut stream = answer.into_body();
        assert_eq!(next(&mut stream).await.unwrap().unwrap(), "data: 0\n\n");
        stream
    };
    let mut of_old = begin(&world, &old).await;
    // Both are published for a while, as a roll-over should be: it ends nothing.
    reloaded(&mut world, |world| world.write("api.json", &both(&old, &new))).await;
    let mut of_new = begin(&world, &new).await;
    assert!(!is_over_within(&mut of_old, Duration::from_secs(2)).await);

    reloaded(&mut world, |world| world.write("api.json", &new.jwks())).await;
    assert!(is_over_within(&mut of_old, Duration::from_secs(5)).await, "its key is withdrawn");
    poke.notify_waiters();
    assert_eq!(next(&mut of_new).await.unwrap().unwrap(), "data: 1\n\n");
    assert!((metric(world.admin(), "grindvakt_streams_cut_total{why=\"session_over\"}").await - 1.0).abs() < 0.1);

    // The same name for another server, whose key is the same by chance or by theft.
    reloaded(&mut world, |world| world.rewrite(|text| text.replace(ISSUER, "https://other.example.se"))).await;
    assert!(is_over_within(&mut of_new, Duration::from_secs(5)).await, "another server's");
    world.stop().await;
}

/// The set is fetched anew, and nothing else happens: no file, no reload.
#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_key_takes_what_is_remembered_of_its_tokens_along() {
    let remote = Remote::start().await;
    let issuer = format!("http://{}", remote.address);
    let (old, new) = (TokenKey::new("old"), TokenKey::new("new"));
    let published = Arc::new(Mutex::new(old.jwks()));
    let (document, keys) = (json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }), Arc::clone(&published));
    remote.chooses(move |asked| match asked.path() {
        "/jwks" => Act::ok(keys.lock().unwrap().clone()),
        _ => Act::ok(document.to_string()),
    });
    let mut world = World::new(&config(&issuer, "")).await;
    let (of_old, of_new) = (token(&old, &issuer, 0), token(&new, &issuer, 0));
    // Not by a token: one that comes before the keys would have them fetched, and again not before a while.
    let (admin, usable) = (world.admin(), "grindvakt_provider_usable{provider=\"api\"}");
    eventually(10, "the keys are known", || async move { metric(admin, usable).await > 0.5 }).await;
    assert_eq!(show(&world, &of_old).await, good());
    *published.lock().unwrap() = new.jwks();
    assert_eq!(show(&world, &of_old).await, good(), "nobody could know yet");
    // A token by a key that is not known has the set fetched.
    assert_eq!(show(&world, &of_new).await, good());
    assert_eq!(show(&world, &of_old).await, (401, "key_unknown".to_owned()));
    assert_eq!(show(&world, &of_new).await, good());
    assert!(metric(world.admin(), "grindvakt_config_reloads_total{outcome=\"done\"}").await < 0.1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_not_remembered_beyond_the_settings_that_it_was_found_by() {
    let mut world = World::new("").await;
    let key = TokenKey::new("k");
    world.write("api.json", &key.jwks());
    world.configure(|text| text.to_owned() + &config(ISSUER, "jwks_file = \"api.json\"")).await;
    let one = token(&key, ISSUER, 0);
    let as_it_was = world.config().to_owned();
    for (from, to, code) in [
        (AUDIENCE, "https://etjanst.example.se/annat", (401, "audience_mismatch")),
        ("jwks_file", "algorithms = [\"RS256\"]\njwks_file", (401, "signature_algorithm")),
        ("jwks_file", "require_dpop = true\njwks_file", (401, "dpop_missing")),
        ("loa = [\"loa3\"]\njwks_file", "loa = [\"loa2\"]\njwks_file", (403, "loa_not_allowed")),
        (SCOPES, "scopes = [\"cases.write\"]", (403, "scope_insufficient")),
    ] {
        assert_eq!((show(&world, &one).await, show(&world, &one).await), (good(), good()), "before {to}");
        reloaded(&mut world, |world| world.rewrite(|text| text.replace(from, to))).await;
        assert_eq!(show(&world, &one).await, (code.0, code.1.to_owned()), "{to}");
        reloaded(&mut world, |world| world.rewrite(|_| as_it_was.clone())).await;
    }
    world.stop().await;
}

/// Only what held is remembered, and of that only what is small.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_good_and_small() {
    let mut world = World::new("").await;
    let (key, stranger) = (TokenKey::new("k"), TokenKey::new("k"));
    world.write("api.json", &key.jwks());
    world.configure(|text| text.to_owned() + &config(ISSUER, "jwks_file = \"api.json\"")).await;
    for (what, token, status, remembered) in [
        ("a small one", token(&key, ISSUER, 0), 200, 1.0),
        ("a large one", token(&key, ISSUER, 2_000), 200, 0.0),
        ("a stranger's", token(&stranger, ISSUER, 0), 401, 0.0),
    ] {
        let hits = "grindvakt_cache_lookups_total{cache=\"bearer_tokens\",outcome=\"hit\"}";
        let before = metric(world.admin(), hits).await;
        for _ in 0..2 {
            assert_eq!(show(&world, &token).await.0, status, "{what}");
        }
        let found = metric(world.admin(), hits).await - before;
        assert!((found - remembered).abs() < 0.1, "{what}: {found}");
    }
    world.stop().await;
}
