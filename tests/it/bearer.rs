//! Programs with bearer tokens: on the routes that say so, by the rules of the provider that signed.

use grindvakt::base::{Clock as _, SystemClock};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::service::{H2, nothing, read, request};
use crate::support::tokens::TokenKey;
use crate::support::{BASE, Client, Reply, World, eventually, metric};

const ISSUER: &str = "https://as.example.se";
const OTHER: &str = "https://other.example.se";
const AUDIENCE: &str = "https://etjanst.example.se/api";

const CONFIG: &str = r#"
[[provider]]
id = "api"
protocol = "jwt"
profile = "oidc-sweden"
issuer = "https://as.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "api.json"
loa = ["loa3"]
[[provider]]
id = "other"
protocol = "jwt"
issuer = "https://other.example.se"
audience = "https://etjanst.example.se/api"
jwks_file = "other.json"
require_dpop = true
dpop_nonce = true
[[route]]
path = "/api/*"
bearer = ["api"]
scopes = ["cases.read"]
forward = ["personal_number", "loa"]
[[route]]
path = "/api/person/*"
bearer = ["api"]
require = ["personal_number"]
loa = ["loa3"]
forward = ["personal_number"]
[[route]]
path = "/api/niva/*"
bearer = ["api"]
loa = ["loa3"]
[[route]]
path = "/bunden/*"
bearer = ["other"]
"#;

struct Api {
    world: World,
    api: TokenKey,
    other: TokenKey,
}

fn now() -> i64 {
    SystemClock.now().as_secs()
}

impl Api {
    async fn new() -> Self {
        let (api, other) = (TokenKey::new("api-1"), TokenKey::new("other-1"));
        let files = [("api.json".to_owned(), api.jwks()), ("other.json".to_owned(), other.jwks())];
        let world = World::with_files(CONFIG, &files).await;
        Self { world, api, other }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "client_id": "app", "jti": "t-1",
            "iat": now(), "exp": now() + 300, "auth_time": now() - 10, "scope": "cases.read cases.write",
            "acr": "http://id.elegnamnden.se/loa/1.0/loa3",
            "https://id.oidc.se/claim/personalIdentityNumber": "199001012385",
        })
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        Client::new(self.world.public()).xhr().send(Method::GET, path, headers, "").await
    }

    async fn with(&self, path: &str, token: &str) -> Reply {
        self.get(path, &[("authorization", &format!("Bearer {token}"))]).await
    }
}

/// Status, the code of the problem, and the challenges.
fn verdict(reply: &Reply) -> (u16, String, Vec<String>) {
    let problem: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default().to_owned();
    let challenges = reply.headers.get_all("www-authenticate").iter().map(|v| v.to_str().unwrap().to_owned());
    (reply.status.as_u16(), code, challenges.filter(|text| !text.starts_with("Cookie")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_routes_that_say_so_and_tells_who_it_speaks_of() {
    let api = Api::new().await;
    let token = api.api.access_token(&api.claims());
    for _ in 0..2 {
        let reply = api.with("/api/cases", &token).await;
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "hello"));
        let seen = api.world.seen();
        assert_eq!(seen.one("x-eid-provider"), "api");
        assert_eq!(seen.one("x-eid-personal-number"), "199001012385");
        assert_eq!(seen.one("x-eid-loa"), "http://id.elegnamnden.se/loa/1.0/loa3");
        assert!(seen.one("x-eid-subject").starts_with("personal-number:"), "{}", seen.one("x-eid-subject"));
        assert_eq!(seen.all("x-eid-session"), [""; 0], "there is no session");
        assert_eq!(seen.one("x-eid-assertion").split('.').count(), 3);
        assert_eq!(seen.one("authorization"), format!("Bearer {token}"));
        assert_eq!(reply.set_cookies(), ["app=1"], "and none is made");
    }
    assert_eq!(api.with("/api/person/1", &token).await.status, StatusCode::OK);
    // A person who logs in is the same one to the e-service, and a session opens the route too.
    let subject = api.world.seen().one("x-eid-subject").to_owned();
    assert!(!subject.contains("19900101"));

    let refused = api.get("/api/cases", &[]).await;
    // A scheme alone is no challenge (RFC 6750, 3); and whoever needs a proof of a key is told so (RFC 9449, 7.1).
    assert_eq!(verdict(&refused), (401, "needs_login".into(), vec!["Bearer realm=\"etjanst\"".into()]));
    let refused = api.get("/bunden/1", &[]).await;
    let expect = "DPoP algs=\"ES256 ES384 PS256 RS256 EdDSA\", realm=\"etjanst\"".to_owned();
    assert_eq!(verdict(&refused), (401, "needs_login".into(), vec![expect]));
    let refused = api.with("/ansokan/1", &token).await;
    assert_eq!(verdict(&refused).0, 401, "another route takes no tokens");
    assert_eq!(api.with("/om/x", "anything at all").await.status, StatusCode::OK, "what is open is open");
    let person = Client::new(api.world.public()).get("/api/cases").await;
    assert_eq!(person.status, StatusCode::SEE_OTHER, "a person is led to the login");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_refused_by_its_code() {
    let api = Api::new().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = api.claims();
        change(&mut claims);
        claims
    };
    let invalid = || vec!["Bearer error=\"invalid_token\"".to_owned()];
    let rows: Vec<(&str, String, &str)> = vec![
        ("expired", api.api.access_token(&with(&|c| c["exp"] = json!(now() - 3600))), "expired"),
        ("no end", api.api.access_token(&with(&|c| drop(c.as_object_mut().unwrap().remove("exp")))), "claim_missing"),
        ("for another", api.api.access_token(&with(&|c| c["aud"] = json!("https://x.example"))), "audience_mismatch"),
        ("of a stranger", api.api.access_token(&with(&|c| c["iss"] = json!("https://evil.example"))), "issuer_unknown"),
        ("of another provider", api.other.access_token(&with(&|c| c["iss"] = json!(OTHER))), "issuer_unknown"),
        ("by another's key", api.other.access_token(&api.claims()), "key_unknown"),
        (
            "by another's key under the right name",
            TokenKey::new("api-1").access_token(&api.claims()),
            "signature_invalid",
        ),
        ("an ID token", api.api.sign(json!({ "kid": "api-1" }), &with(&|c| c["nonce"] = json!("n"))), "token_type"),
        (
            "an ID token that says so in its claims",
            api.api.sign(json!({ "kid": "api-1" }), &with(&|c| c["typ"] = json!("ID"))),
            "token_type",
        ),
        ("a proof", api.api.sign(json!({ "kid": "api-1", "typ": "dpop+jwt" }), &api.claims()), "token_type"),
    ];
    for (what, token, code) in rows {
        // Twice: a refusal is not remembered as anything else.
        for _ in 0..2 {
            let reply = api.with("/api/cases", &token).await;
            assert_eq!(verdict(&reply), (401, code.into(), invalid()), "{what}");
        }
    }
    for (what, token) in
        [("no token", "abc"), ("two parts", "e30.e30"), ("an unsigned one", "eyJhbGciOiJub25lIn0.e30.")]
    {
        let (status, _, challenges) = verdict(&api.with("/api/cases", token).await);
        assert_eq!(status, 401, "{what}");
        assert_eq!(challenges, invalid(), "{what}");
    }

    let narrow = api.api.access_token(&with(&|c| c["scope"] = json!("cases.reader other")));
    let expect = "Bearer error=\"insufficient_scope\", scope=\"cases.read\"".to_owned();
    assert_eq!(verdict(&api.with("/api/cases", &narrow).await), (403, "scope_insufficient".into(), vec![expect]));

    // A client that acts for itself is nobody, whatever its token says of levels and numbers.
    let client = api.api.access_token(&with(&|c| c["sub"] = json!("app")));
    assert_eq!(api.with("/api/cases", &client).await.status, StatusCode::OK, "it may do what its scope says");
    assert_eq!(api.world.seen().all("x-eid-personal-number"), [""; 0]);
    let expect = vec!["Bearer error=\"insufficient_scope\"".to_owned()];
    assert_eq!(verdict(&api.with("/api/person/1", &client).await), (403, "loa_not_allowed".into(), expect));
}

/// A program that acts for itself is told apart from every person, whatever it is called and whatever its token claims.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_never_taken_for_a_person() {
    let api = Api::new().await;
    let subject = async |change: &dyn Fn(&mut Value)| {
        let mut claims = api.claims();
        claims["scope"] = json!("cases.read");
        change(&mut claims);
        let reply = api.with("/api/cases", &api.api.access_token(&claims)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        api.world.seen().one("x-eid-subject").to_owned()
    };
    const NUMBER: &str = "https://id.oidc.se/claim/personalIdentityNumber";
    let without = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(NUMBER));
    let bob = |claims: &mut Value| {
        without(claims);
        claims["sub"] = json!("bob");
    };
    let person = subject(&bob).await;
    assert!(person.starts_with("provider:"), "{person}");
    // The same name, as a program's: another kind of subject.
    let bob_itself = |claims: &mut Value| {
        bob(claims);
        claims["client_id"] = json!("bob");
    };
    let program = subject(&bob_itself).await;
    assert!(program.starts_with("client:"), "{program}");
    assert_eq!(
        subject(&|claims| claims["sub"] = json!("app")).await.split(':').next(),
        Some("client"),
        "no number helps"
    );
    assert_eq!(api.world.seen().all("x-eid-authenticated-at"), [""; 0]);

    // A server that gives its programs other names than their own: without a login there is no level.
    let mut claims = api.claims();
    claims["sub"] = json!("4c7d6b8e-5a1f-4f55-8d8e-0a2f3b5c7d9e");
    without(&mut claims);
    claims.as_object_mut().unwrap().remove("auth_time");
    let reply = api.with("/api/niva/1", &api.api.access_token(&claims)).await;
    assert_eq!(verdict(&reply).1, "loa_not_allowed");
    claims["auth_time"] = json!(now() - 10);
    assert_eq!(api.with("/api/niva/1", &api.api.access_token(&claims)).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_and_a_token_together_are_refused() {
    let api = Api::new().await;
    let token = api.api.access_token(&api.claims());
    let mut person = Client::new(api.world.public());
    person.log_in(&api.world, "/").await;
    let mut person = person.xhr();
    assert_eq!(person.get("/api/cases").await.status, StatusCode::OK, "a session opens it");
    let bearer = format!("Bearer {token}");
    let reply = person.send(Method::GET, "/api/cases", &[("authorization", &bearer)], "").await;
    let expect = vec!["Bearer error=\"invalid_request\"".to_owned()];
    assert_eq!(verdict(&reply), (400, "both_credentials".into(), expect));
    // HTTP/2 keeps the white space that the e-service, in HTTP/1, never sees.
    let h2 = H2::connect(api.world.public()).await;
    for (odd, code) in
        [(format!(" {bearer}"), "token_malformed"), (format!("Basic x,{bearer}"), "authorization_unclear")]
    {
        let asked = request(&person, "/api/cases").header("authorization", odd).header("accept", "application/json");
        let (_, _, body, _) = read(h2.send(asked.body(nothing()).unwrap()).await).await;
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!(problem["code"], code);
    }
    let twice = api.get("/api/cases", &[("authorization", &bearer), ("authorization", &bearer)]).await;
    let unclear = (400, "authorization_unclear".into(), vec!["Bearer error=\"invalid_request\"".to_owned()]);
    assert_eq!(verdict(&twice), unclear);
    assert_eq!(verdict(&api.get("/api/cases", &[("authorization", "Bearer")]).await), unclear);
    let broken = api.get("/api/cases", &[("authorization", "Bearer a b")]).await;
    assert_eq!(verdict(&broken), (401, "token_malformed".into(), vec!["Bearer error=\"invalid_token\"".to_owned()]));
}

/// What was verified is remembered no longer than it holds: not past its end, not past its key.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_before_ends_with_its_time_and_its_key() {
    let mut api = Api::new().await;
    api.world.configure(|text| format!("{text}\n[verification]\nclock_skew = \"0s\"\n")).await;
    let mut claims = api.claims();
    claims["exp"] = json!(now() + 3);
    let short = api.api.access_token(&claims);
    assert_eq!(api.with("/api/cases", &short).await.status, StatusCode::OK);
    let public = api.world.public();
    eventually(10, "the token ends", || {
        let bearer = format!("Bearer {short}");
        async move {
            let mut client = Client::new(public).xhr();
            let reply = client.send(Method::GET, "/api/cases", &[("authorization", &bearer)], "").await;
            reply.status == StatusCode::UNAUTHORIZED && verdict(&reply).1 == "expired"
        }
    })
    .await;

    let long = api.api.access_token(&api.claims());
    assert_eq!(api.with("/api/cases", &long).await.status, StatusCode::OK);
    api.world.write("api.json", &TokenKey::new("api-2").jwks());
    let admin = api.world.admin();
    eventually(10, "the key is withdrawn", || async move {
        metric(admin, "grindvakt_config_reloads_total{outcome=\"done\"}").await >= 1.0
    })
    .await;
    assert_eq!(verdict(&api.with("/api/cases", &long).await).1, "key_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_bound_to_a_key_needs_its_proof_and_each_proof_once() {
    let api = Api::new().await;
    let (client, thief) = (TokenKey::new(""), TokenKey::new(""));
    let mut claims = api.claims();
    claims["cnf"] = json!({ "jkt": client.thumbprint() });
    let bound = api.api.access_token(&claims);
    let uri = format!("{BASE}/api/cases");
    let ask = async |token: &str, proof: &str, path: &str| {
        api.get(path, &[("authorization", &format!("DPoP {token}")), ("dpop", proof)]).await
    };
    let proof = client.proof("GET", &uri, &bound, now(), "1", None);
    assert_eq!(ask(&bound, &proof, "/api/cases?a=1").await.status, StatusCode::OK);

    let plain = api.api.access_token(&api.claims());
    let later = client.proof("GET", &uri, &bound, now() - 3600, "2", None);
    for (what, token, proof, code, error) in [
        ("the same once more", &bound, proof.clone(), "replayed", "invalid_dpop_proof"),
        (
            "another's",
            &bound,
            thief.proof("GET", &uri, &bound, now(), "3", None),
            "dpop_key_mismatch",
            "invalid_dpop_proof",
        ),
        (
            "another method's",
            &bound,
            client.proof("POST", &uri, &bound, now(), "4", None),
            "dpop_method_mismatch",
            "invalid_dpop_proof",
        ),
        (
            "another address's",
            &bound,
            client.proof("GET", BASE, &bound, now(), "5", None),
            "dpop_uri_mismatch",
            "invalid_dpop_proof",
        ),
        (
            "another token's",
            &bound,
            client.proof("GET", &uri, &plain, now(), "6", None),
            "dpop_token_mismatch",
            "invalid_dpop_proof",
        ),
        ("an old one", &bound, later, "issued_too_long_ago", "invalid_dpop_proof"),
        ("for a token that is bound to nothing", &plain, proof.clone(), "dpop_key_mismatch", "invalid_token"),
    ] {
        let (status, got, challenges) = verdict(&ask(token, &proof, "/api/cases").await);
        assert_eq!((status, got.as_str()), (401, code), "{what}");
        assert!(challenges[0].starts_with("DPoP ") && challenges[0].contains(error), "{what}: {challenges:?}");
    }
    assert_eq!(verdict(&api.with("/api/cases", &bound).await).1, "dpop_missing", "a stolen one is worth nothing");
    let none = api.get("/api/cases", &[("authorization", &format!("DPoP {bound}"))]).await;
    assert_eq!(verdict(&none).1, "dpop_missing");

    // A provider whose tokens must be bound, and whose proofs need a nonce of ours.
    let mut claims = api.claims();
    claims["iss"] = json!(OTHER);
    let unbound = api.other.access_token(&claims);
    assert_eq!(verdict(&api.with("/bunden/1", &unbound).await).1, "dpop_missing");
    claims["cnf"] = json!({ "jkt": client.thumbprint() });
    let bound = api.other.access_token(&claims);
    let uri = format!("{BASE}/bunden/1");
    let reply = ask(&bound, &client.proof("GET", &uri, &bound, now(), "7", None), "/bunden/1").await;
    let (status, code, challenges) = verdict(&reply);
    assert_eq!((status, code.as_str()), (401, "dpop_nonce"));
    assert!(challenges[0].contains("use_dpop_nonce"), "{challenges:?}");
    let nonce = reply.header("dpop-nonce");
    let proof = client.proof("GET", &uri, &bound, now(), "8", Some(nonce));
    assert_eq!(ask(&bound, &proof, "/bunden/1").await.status, StatusCode::OK);
}

/// A key set that was half written takes no keys away: the one before stays in force, and operators are told.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_key_set_keeps_the_one_before() {
    let api = Api::new().await;
    let token = api.api.access_token(&api.claims());
    let whole = api.api.jwks();
    let admin = api.world.admin();
    for (number, broken) in [&whole[..whole.len() / 2], "", "{\"keys\":{}}"].into_iter().enumerate() {
        api.world.write("api.json", broken);
        eventually(10, "the reload is refused", || async move {
            metric(admin, "grindvakt_config_reloads_total{outcome=\"refused\"}").await as usize == number + 1
        })
        .await;
        assert_eq!(api.with("/api/cases", &token).await.status, StatusCode::OK, "{broken:?}");
    }
    // A good one that has other keys, or none, is what its owner says.
    api.world.write("api.json", "{\"keys\":[]}");
    eventually(10, "the reload is done", || async move {
        metric(admin, "grindvakt_config_reloads_total{outcome=\"done\"}").await >= 1.0
    })
    .await;
    assert_eq!(api.with("/api/cases", &token).await.status, StatusCode::UNAUTHORIZED);
}

/// T41: a verdict of one provider is never looked up for another, whatever they share.
#[tokio::test(flavor = "multi_thread")]
async fn t41_a_remembered_verdict_is_its_providers_alone() {
    let api = Api::new().await;
    let token = api.api.access_token(&api.claims());
    assert_eq!(api.with("/api/cases", &token).await.status, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(verdict(&api.with("/bunden/1", &token).await).1, "issuer_unknown");
    }
    assert_eq!(api.with("/api/cases", &token).await.status, StatusCode::OK);

    // Two servers of one vendor, with one key and for one audience. Where both are taken each is held to its own level.
    let key = TokenKey::new("shared");
    let twin = |id: &str, level: &str| {
        format!(
            "[[provider]]\nid = \"{id}\"\nprotocol = \"jwt\"\nissuer = \"https://{id}.example.se\"\naudience = \"{AUDIENCE}\"\n\
             jwks_file = \"shared.json\"\nloa = [\"{level}\"]\n"
        )
    };
    let route =
        |path: &str, by: &str| format!("[[route]]\npath = \"/{path}/*\"\nbearer = [{by}]\nforward = [\"loa\"]\n");
    let twins = [
        twin("ett", "loa3"),
        twin("tva", "loa2"),
        route("ett", "\"ett\""),
        route("tva", "\"tva\""),
        route("alla", "\"tva\", \"ett\""),
    ];
    let world = World::with_files(&twins.concat(), &[("shared.json".to_owned(), key.jwks())]).await;
    let mut claims = api.claims();
    claims["iss"] = json!("https://ett.example.se");
    let api = Api { world, ..api };
    let token = key.access_token(&claims);
    for _ in 0..2 {
        for path in ["/ett/1", "/alla/1"] {
            assert_eq!(api.with(path, &token).await.status, StatusCode::OK, "{path}");
            let seen = api.world.seen();
            assert_eq!(seen.one("x-eid-provider"), "ett", "{path}");
            assert_eq!(seen.one("x-eid-loa"), "http://id.elegnamnden.se/loa/1.0/loa3", "{path}");
        }
        assert_eq!(verdict(&api.with("/tva/1", &token).await).1, "issuer_unknown");
    }
}

/// What is remembered of a token is that it holds, and not that whoever brings it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_token_is_asked_for_its_proof_each_time() {
    let api = Api::new().await;
    let (client, uri) = (TokenKey::new(""), format!("{BASE}/api/cases"));
    let plain = api.api.access_token(&api.claims());
    let mut claims = api.claims();
    claims["cnf"] = json!({ "jkt": client.thumbprint() });
    let bound = api.api.access_token(&claims);
    claims["iss"] = json!(OTHER);
    claims.as_object_mut().unwrap().remove("cnf");
    // Of a provider whose tokens must be bound.
    let unbound = api.other.access_token(&claims);
    let proof = |n: usize| client.proof("GET", &uri, &bound, now(), &format!("p{n}"), None);
    assert_eq!(api.with("/api/cases", &plain).await.status, StatusCode::OK);
    for n in 0..3 {
        let by = |scheme: &str, token: &str| format!("{scheme} {token}");
        for (path, authorization, proof, code) in [
            ("/api/cases", by("DPoP", &plain), proof(4 * n), "dpop_key_mismatch"),
            ("/api/cases", by("DPoP", &bound), proof(4 * n + 1), ""),
            ("/api/cases", by("Bearer", &bound), proof(4 * n + 2), "dpop_missing"),
            ("/bunden/1", by("Bearer", &unbound), proof(4 * n + 3), "dpop_missing"),
        ] {
            let reply = api.get(path, &[("authorization", &authorization), ("dpop", &proof)]).await;
            let status = if code.is_empty() { 200 } else { 401 };
            assert_eq!(
                (verdict(&reply).0, verdict(&reply).1.as_str()),
                (status, code),
                "{n}: {path} {authorization:.6}"
            );
        }
    }
}
