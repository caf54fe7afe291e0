//! What ends a session by OpenID Connect, and what does not: logout tokens, and settings that have changed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_names_a_session_ends_those_that_were_given_no_name() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    // The provider names its sessions in logout tokens, and not in these ID tokens.
    let (one, other) = (log_in(&world, &op, json!({})).await, log_in(&world, &op, json!({ "sub": "en annan" })).await);
    let named = log_in(&world, &op, json!({ "sid": "s2" })).await;
    assert_eq!(log_out(&world, &op.logout_token(json!({ "sub": "någon", "sid": "s1" }))).await, StatusCode::OK);
    assert!(!signed_in(&one).await, "it may be the one that was meant");
    assert!(signed_in(&other).await, "of another person");
    assert!(signed_in(&named).await, "known to be another session");
    assert_eq!(log_out(&world, &op.logout_token(json!({ "sid": "s2" }))).await, StatusCode::OK);
    assert!(!signed_in(&named).await);
    // Whoever logs in again is in.
    let again = log_in(&world, &op, json!({})).await;
    assert!(signed_in(&again).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_logout_token_counts_for_ever() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let client = log_in(&world, &op, json!({})).await;
    let year = now() + 365 * 24 * 3600;
    let old = op.logout_token(json!({ "sub": "någon", "exp": year, "iat": now() - 2 * 3600 }));
    assert_eq!(log_out(&world, &old).await, StatusCode::BAD_REQUEST);
    assert!(signed_in(&client).await);
    // One that says so of itself is no worse for it while it is new: it is shown once, as any other.
    let new = op.logout_token(json!({ "sub": "någon", "exp": year }));
    assert_eq!(log_out(&world, &new).await, StatusCode::OK);
    assert!(!signed_in(&client).await);
    assert_eq!(log_out(&world, &new).await, StatusCode::BAD_REQUEST, "replayed");
    // A login within the second of the logout may be the one that is meant: instants are in whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    // What is no logout token, or not this provider's, ends nothing.
    let client = log_in(&world, &op, json!({ "sid": "s" })).await;
    let stranger = TokenKey::new("op");
    let claims = json!({
        "iss": op.issuer(), "aud": "etjanst", "iat": now(), "exp": now() + 60, "jti": "z", "sub": "någon",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (what, token) in [
        ("another key", stranger.sign(json!({ "kid": "op" }), &claims)),
        ("another key, unnamed", stranger.sign(json!({}), &claims)),
        ("its own key in the header", stranger.sign(json!({ "jwk": stranger.jwk() }), &claims)),
        ("an access token", op.key.sign(json!({ "kid": "op", "typ": "at+jwt" }), &claims)),
        ("with a nonce", op.logout_token(json!({ "sub": "någon", "nonce": "n" }))),
        ("of nobody", op.logout_token(json!({}))),
        ("to another client", op.logout_token(json!({ "sub": "någon", "aud": "annan" }))),
        ("of another issuer", op.logout_token(json!({ "sub": "någon", "iss": "https://annan.example.se" }))),
        (
            "an event that is no object",
            op.logout_token(json!({ "sub": "någon", "events": {
            "http://schemas.openid.net/event/backchannel-logout": true } })),
        ),
        ("without jti", op.logout_token(json!({ "sub": "någon", "jti": null }))),
        ("nothing", String::new()),
        ("dots", ".....".to_owned()),
    ] {
        assert_eq!(log_out(&world, &token).await, StatusCode::BAD_REQUEST, "{what}");
        assert!(signed_in(&client).await, "{what}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_its_provider_is_no_longer_the_connector() {
    let eidas = "http://id.elegnamnden.se/loa/1.0/eidas-nf-sub";
    let op = Op::new().await;
    let provider = op.provider("konto", "userinfo = false\neidas_connector = true").replace("loa3", "eidas-nf-sub");
    let mut world = World::new(&provider).await;
    ready(&world, "konto").await;
    let client = log_in(&world, &op, json!({ "acr": eidas })).await;
    assert!(signed_in(&client).await);
    world.rewrite(|text| text.replace("eidas_connector = true", "eidas_connector = false"));
    eventually(10, "the session ends", || async { !signed_in(&client).await }).await;
    world.stop().await;
}

/// What is held through a reload is what would be taken today.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_nothing_along_that_would_be_refused_now() {
    let op = Op::new().await;
    op.change(|says| says.jwks = TokenKey::new("grindvakt-demo-1").jwks());
    let folder = tempfile::tempdir().unwrap();
    let (clock, api) = (ManualClock::at(START), ProviderId::new("konto").unwrap());
    let config = |environment: &str, base: &str, protocol: &str| {
        let issuer = op.issuer();
        let text = format!(
            r#"environment = "{environment}"
[service]
id = "etjanst"
entity_id = "{base}/sp"
base_url = "{base}"
upstream = "http://127.0.0.1:1"
[[provider]]
id = "konto"
eid = "konto"
issuer = "{issuer}"
{protocol}
"#
        );
        let path = folder.path().join("g.toml");
        std::fs::write(&path, text).unwrap();
        load(&[path]).unwrap_or_else(|problems| panic!("{problems:#?}"))
    };
    const LOGINS: &str = "protocol = \"oidc\"\nclient_id = \"etjanst\"\nloa = [\"loa3\"]";
    const TOKENS: &str = "protocol = \"jwt\"\naudience = \"https://e.example.se\"";
    let development = config("dev", "http://localhost:8080", TOKENS);
    let feeds = Arc::new(Feeds::open_after(&development, clock.now(), None));
    let way = Way {
        fetcher: Some(fetcher(&development.network, &clock)),
        clock: Arc::new(clock.clone()),
        random: Arc::new(NoChance),
        telemetry: Arc::new(Telemetry::new([], []).unwrap()),
    };
    let registry = Arc::new(Registry::new(feeds.snapshot()));
    let runtime = tokio::runtime::Handle::current();
    let refresher = Refresher::start(Arc::clone(&feeds), way, &runtime, Arc::clone(&registry));
    let usable = |snapshot: &Snapshot| snapshot.by_id(&api).unwrap().usable(clock.now()).map_err(|why| why.to_string());
    eventually(10, "its keys are there", || async { usable(&registry.owned()).is_ok() }).await;
    drop(refresher);

    let after = |config: &Config| usable(&Feeds::open_after(config, clock.now(), Some(&feeds)).snapshot());
    assert_eq!(after(&development), Ok(()), "an outage during a reload costs nothing");
    let why = after(&config("production", "https://e.example.se", TOKENS)).unwrap_err();
    assert!(why.contains("not been fetched"), "keys of the demo, in production: {why}");
    // What was read for bearer tokens alone holds nothing that a login takes.
    let why = after(&config("dev", "http://localhost:8080", LOGINS)).unwrap_err();
    assert!(why.contains("not been fetched"), "{why}");
}
