//! Providers that are taken for each other, and one that wants to be: what a configured and hostile provider can do to the
//! logins of another, in both directions (RFC 9700, 4.4; RFC 8725, 3.8 to 3.12).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use grindvakt_demo::browser::Browser;
use grindvakt_demo::form;
use grindvakt_demo::op::{Dialect, OpOutcome, OpSite};
use grindvakt_demo::serve::{self, Answer};
use http::header::{HeaderValue, LOCATION};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::openid::{By, Op, begin, bring, callback, ready, refused, shared_key, since};
use crate::support::{BASE, Client, World, eventually};

const SESSION: &str = "__Host-eid-etjanst";
const LOA: &str = "loa = [\"loa2\", \"loa3\"]";

/// A sidecar with two providers.
async fn between(a: &Op, b: &Op, b_more: &str) -> World {
    let mut world = World::new("").await;
    let providers = a.provider(&world, "oidc-sweden", LOA) + &b.provider(&world, "oidc-sweden", b_more);
    world.configure(|text| text.to_owned() + &providers).await;
    world
}

async fn pair() -> (Op, Op, World) {
    let a = Op::new("op-a", Dialect::Swedish, By::Key, |op| op).await;
    let b = Op::new("op-b", Dialect::Swedish, By::Secret, |op| op).await;
    b.site.roll_over(shared_key(1), vec![shared_key(1)]);
    let world = between(&a, &b, LOA).await;
    ready(&world, &["op-a", "op-b"]).await;
    (a, b, world)
}

/// What an answer is refused by, and that it leaves no session.
async fn code(world: &World, client: &mut Client, back: &str, provider: &str) -> String {
    let before = refused(world, provider).await;
    let reply = bring(client, back).await;
    assert!(!reply.status.is_success() && reply.header("location").is_empty(), "{} {}", reply.status, reply.body);
    assert!(!client.cookies.contains_key(SESSION), "{back}");
    since(&before, &refused(world, provider).await).join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_one_provider_is_none_of_the_others() {
    let (a, b, mut world) = pair().await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        // A code of one at the other's address, with the state that it belongs to.
        let mut client = Client::new(world.public());
        let location = begin(&mut client, &from.id, "/ansokan/1").await;
        let back = from.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
        let moved = back.replace(&callback(&from.id), &callback(&to.id));
        assert_eq!(code(&world, &mut client.clone(), &moved, &from.id).await, "state_other_provider");
        // Nothing was spent: it still goes where it belongs.
        assert_eq!(bring(&mut client, &back).await.status, StatusCode::SEE_OTHER);

        // Mixed: the state of a login at the one, the code of a login at the other, at either address.
        let mut client = Client::new(world.public());
        let at_from = begin(&mut client, &from.id, "/ansokan/1").await;
        let at_to = begin(&mut client, &to.id, "/ansokan/1").await;
        let back_from = from.visit(&mut Browser::new(), &at_from, OpOutcome::Success).await;
        let back_to = to.visit(&mut Browser::new(), &at_to, OpOutcome::Success).await;
        let field = |back: &str, name: &str| {
            let fields = form::parse(back.split_once('?').unwrap().1);
            form::get(&fields, name).unwrap().to_owned()
        };
        let mixed = |address: &Op, state_of: &str, code_of: &str, iss: Option<&str>| {
            let (state, code) = (field(state_of, "state"), field(code_of, "code"));
            let mut pairs = vec![("state", state.as_str()), ("code", code.as_str())];
            pairs.extend(iss.map(|iss| ("iss", iss)));
            format!("{}?{}", callback(&address.id), form::encode(pairs))
        };
        for (what, back, provider, expect) in [
            ("the other's code", mixed(from, &back_from, &back_to, Some(&from.issuer)), from, "code_refused"),
            ("the other's code and iss", mixed(from, &back_from, &back_to, Some(&to.issuer)), from, "issuer_mismatch"),
            ("the other's code, no iss", mixed(from, &back_from, &back_to, None), from, "issuer_missing"),
            ("the other's state", mixed(from, &back_to, &back_from, Some(&from.issuer)), to, "state_other_provider"),
        ] {
            assert_eq!(code(&world, &mut client.clone(), &back, &provider.id).await, expect, "{what}");
        }
    }
    // A SAML answer for a login by OpenID Connect, and the reverse.
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "op-a", "/ansokan/1").await;
    let state = form::parse(location.split_once('?').unwrap().1);
    let state = form::get(&state, "state").unwrap().to_owned();
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    let response = world.idp.response(&request).build();
    let before = refused(&world, "op-a").await;
    let reply = client.clone().answer(&response, &state).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(since(&before, &refused(&world, "op-a").await), ["state_other_provider"]);
    let back = format!("{}?code=x&state={relay_state}&iss={}", callback("op-a"), a.issuer);
    assert_eq!(code(&world, &mut client.clone(), &back, "bankid-a").await, "state_other_provider");
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER, "nothing was spent");
    world.stop().await;
}

/// What a hostile provider gives in place of its ID token.
type Planted = Arc<Mutex<Option<String>>>;

/// Answers like the site, with another ID token where one is planted.
async fn planting(planted: Planted, site: OpSite, request: Request<Bytes>) -> Option<Answer> {
    let exchange = request.uri().path() == "/token";
    let answer = site.handle(request);
    let token = planted.lock().unwrap().clone().filter(|_| exchange && answer.status() == StatusCode::OK);
    let Some(token) = token else { return Some(answer) };
    let mut tokens: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    tokens["id_token"] = json!(token);
    Some(serve::json(StatusCode::OK, &tokens))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_provider_is_worth_nothing_from_the_other() {
    let planted = Planted::default();
    let a = Op::new("op-a", Dialect::Swedish, By::Key, |op| op).await;
    let b = Op::behind("op-b", Dialect::Swedish, By::Secret, |op| op, {
        let planted = Arc::clone(&planted);
        move |site, request| planting(Arc::clone(&planted), site, request)
    })
    .await;
    b.site.roll_over(shared_key(1), vec![shared_key(1)]);
    let mut world = between(&a, &b, LOA).await;
    ready(&world, &["op-a", "op-b"]).await;

    // A genuine login at A, which B has got hold of the token of.
    let mut victim = Client::new(world.public());
    a.log_in(&mut victim, "/ansokan/1", OpOutcome::Success).await;
    let genuine = a.site.last_id_token().unwrap();
    let payload = genuine.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap()).unwrap();
    let signed_by_b = |change: &dyn Fn(&mut Value), kid: Option<String>| {
        let mut claims = claims.clone();
        change(&mut claims);
        let mut header = serde_json::Map::new();
        header.extend(kid.map(|kid| ("kid".to_owned(), json!(kid))));
        shared_key(1).sign_jwt(header, claims.as_object().unwrap())
    };
    for (what, token, expect) in [
        ("A's own token", genuine.clone(), "key_unknown"),
        ("in A's name by B's key", signed_by_b(&|_| {}, None), "issuer_mismatch"),
        ("in A's name by B's key, called as A's", signed_by_b(&|_| {}, Some(shared_key(0).kid())), "key_unknown"),
        (
            "in B's name by A's key",
            shared_key(0).sign_jwt(serde_json::Map::new(), claims.as_object().unwrap()),
            "key_unknown",
        ),
        ("in B's name, with A's nonce", signed_by_b(&|c| c["iss"] = json!(b.issuer), None), "nonce_mismatch"),
        (
            "for another client",
            signed_by_b(
                &|c| {
                    c["iss"] = json!(b.issuer);
                    c["aud"] = json!("annan");
                },
                None,
            ),
            "audience_mismatch",
        ),
    ] {
        *planted.lock().unwrap() = Some(token);
        let mut client = Client::new(world.public());
        let location = begin(&mut client, "op-b", "/ansokan/1").await;
        let back = b.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
        assert_eq!(code(&world, &mut client, &back, "op-b").await, expect, "{what}");
    }
    // B publishes A's key as its own: what A signed is still A's.
    b.site.roll_over(shared_key(1), vec![shared_key(1), shared_key(0)]);
    world.configure(str::to_owned).await;
    ready(&world, &["op-a", "op-b"]).await;
    *planted.lock().unwrap() = Some(genuine);
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "op-b", "/ansokan/1").await;
    let back = b.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    assert_eq!(code(&world, &mut client, &back, "op-b").await, "issuer_mismatch");
    victim.address = world.public();
    assert_eq!(victim.get("/ansokan/1").await.status, StatusCode::OK, "and A's people notice nothing");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_speaks_for_its_own_people_and_for_its_own_level() {
    let a = Op::new("op-a", Dialect::Swedish, By::Key, |op| op).await;
    let b = Op::new("op-b", Dialect::Swedish, By::Key, |op| op).await;
    let mut world = World::new("").await;
    // B is let in for what it may say: no level above 2, and no claims that its profile does not have.
    let providers = a.provider(&world, "oidc-sweden", LOA)
        + &b.provider(
            &world,
            "generic",
            "loa = [\"loa2\"]\nscopes = [\"openid\", \"https://id.oidc.se/scope/naturalPersonNumber\"]",
        );
    world.configure(|text| text.to_owned() + &providers).await;
    ready(&world, &["op-a", "op-b"]).await;
    let mut as_a = Client::new(world.public());
    a.log_in(&mut as_a, "/hem", OpOutcome::Success).await;
    as_a.get("/hem").await;
    let by_a = world.seen().one("x-eid-subject").to_owned();

    // It writes somebody's personal number where the Swedish profile would have it.
    let mut as_b = Client::new(world.public());
    let done = b.log_in(&mut as_b, "/hem", OpOutcome::Success).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{:?}", refused(&world, "op-b").await);
    as_b.get("/hem").await;
    let seen = world.seen();
    assert!(seen.all("x-eid-personal-number").is_empty());
    assert_ne!(seen.one("x-eid-subject"), by_a);
    assert!(!seen.one("x-eid-subject").starts_with("personal-number:"));
    assert_eq!(as_b.get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "level 2 opens nothing of level 3");

    let mut client = Client::new(world.public());
    let location = begin(&mut client, "op-b", "/hem").await;
    let above = |form: form::Form| form.fill("loa", "http://id.elegnamnden.se/loa/1.0/loa4");
    let back = b.choose(&mut Browser::new(), &location, above).await;
    let code = code(&world, &mut client, &back, "op-b").await;
    assert!(["loa_not_certified", "loa_not_requested"].contains(&code.as_str()), "{code}");

    // Nor does it end the sessions of another's people, whatever it calls them.
    a.log_in(&mut as_a, "/hem", OpOutcome::Success).await;
    let of_a = a.site.end_last_session().remove(0).token;
    let payload = of_a.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap()).unwrap();
    b.site.roll_over(shared_key(1), vec![shared_key(1)]);
    let by_b = |iss: &str| {
        let mut claims = claims.clone();
        claims["iss"] = json!(iss);
        let header = [("typ".to_owned(), json!("logout+jwt"))].into_iter().collect();
        shared_key(1).sign_jwt(header, claims.as_object().unwrap())
    };
    for (what, token, status) in [("in A's name", by_b(&a.issuer), 400), ("in its own", by_b(&b.issuer), 200)] {
        let told = Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
        assert_eq!(told.status.as_u16(), status, "{what}: {}", told.body);
        assert_eq!(as_a.get("/hem").await.status, StatusCode::OK, "{what}");
    }
    let told = Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", &of_a)]).await;
    assert_eq!(told.status, StatusCode::OK);
    assert_eq!(as_a.get("/hem").await.status, StatusCode::SEE_OTHER, "A itself does");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_leads_nobody_and_nothing_elsewhere() {
    let a = Op::new("op-a", Dialect::Swedish, By::Key, |op| op).await;
    // Its documents name another's endpoints: what we call ourselves must be its own, or configured (checklist 46).
    for name in ["token_endpoint", "jwks_uri", "userinfo_endpoint", "pushed_authorization_request_endpoint"] {
        let there = json!(format!("{}/token", a.issuer));
        let b = Op::new("op-b", Dialect::Swedish, By::Key, |op| op.says(name, there)).await;
        let mut world = between(&a, &b, LOA).await;
        ready(&world, &["op-a"]).await;
        eventually(20, "the document is refused", || async {
            Client::new(world.admin()).get("/status?json").await.body.contains("host_not_configured")
        })
        .await;
        let reply = Client::new(world.public()).get("/eid/login?eid=op-b&rd=/ansokan/1").await;
        assert!(!reply.header("location").starts_with(&b.issuer), "{name}");
        world.stop().await;
    }
    // The browser it may send where it wants. At another provider it is not known by that address (RFC 9700, 4.4).
    let there = json!(format!("{}/authorize", a.issuer));
    let b = Op::new("op-b", Dialect::Swedish, By::Key, |op| op.says("authorization_endpoint", there)).await;
    let mut world = between(&a, &b, LOA).await;
    ready(&world, &["op-a", "op-b"]).await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "op-b", "/ansokan/1").await;
    let page = Browser::new().once(Method::GET, &location, None, None).await.unwrap();
    assert!(page.status == StatusCode::BAD_REQUEST && page.body.contains("redirect_uri"), "{}", page.body);
    world.stop().await;

    // It calls itself by another's name.
    let b = Op::new("op-b", Dialect::Swedish, By::Key, |op| op.says("issuer", json!(a.issuer))).await;
    let mut world = between(&a, &b, LOA).await;
    ready(&world, &["op-a"]).await;
    eventually(20, "the document is refused", || async {
        Client::new(world.admin()).get("/status?json").await.body.contains("issuer_mismatch")
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_provider_costs_a_bounded_amount_and_is_followed_nowhere() {
    /// What it does when it is asked for tokens, or for UserInfo.
    #[derive(Clone, Copy, Debug)]
    enum Does {
        Redirect,
        Huge,
        Deep,
        HangUp,
        Nothing,
    }
    async fn misbehave(
        does: Does,
        followed: Arc<Mutex<bool>>,
        site: OpSite,
        request: Request<Bytes>,
    ) -> Option<Answer> {
        match (does, request.uri().path()) {
            (_, "/elsewhere") => {
                *followed.lock().unwrap() = true;
                Some(serve::text(StatusCode::OK, "{}"))
            }
            (Does::Redirect, "/token") => {
                let mut answer = serve::text(StatusCode::TEMPORARY_REDIRECT, "");
                answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/elsewhere"));
                Some(answer)
            }
            (Does::Huge, "/token") => {
                Some(serve::json(StatusCode::OK, &json!({ "id_token": "x".repeat(16 * 1024 * 1024) })))
            }
            (Does::Deep, "/token") => {
                let body = format!("{{\"id_token\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
                Some(serve::text(StatusCode::OK, body))
            }
            (Does::HangUp, "/userinfo") => None,
            // Longer than anybody waits.
            (Does::Nothing, "/userinfo") => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                None
            }
            _ => Some(site.handle(request)),
        }
    }
    for (does, expect) in [
        (Does::Redirect, "token_endpoint_failed"),
        (Does::Huge, "token_endpoint_failed"),
        (Does::Deep, "json_too_deep"),
        (Does::HangUp, "userinfo_failed"),
        (Does::Nothing, "userinfo_failed"),
    ] {
        let followed: Arc<Mutex<bool>> = Arc::default();
        let seen = Arc::clone(&followed);
        let answer = move |site, request| misbehave(does, Arc::clone(&seen), site, request);
        let op = Op::behind("op-b", Dialect::Swedish, By::Key, |op| op, answer).await;
        let mut world = World::new("").await;
        let provider = op.provider(&world, "oidc-sweden", LOA);
        world.configure(|text| text.to_owned() + &provider).await;
        ready(&world, &["op-b"]).await;
        let mut client = Client::new(world.public());
        let location = begin(&mut client, "op-b", "/ansokan/1").await;
        let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
        assert_eq!(code(&world, &mut client, &back, "op-b").await, expect, "{does:?}");
        assert!(!*followed.lock().unwrap());
        assert!(back.starts_with(BASE));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_login_opens_no_api_and_one_of_an_api_no_login() {
    // One issuer for both, and an API beside it that another issuer speaks for.
    let api = "http://api.example.se";
    let a = Op::new("op-a", Dialect::Swedish, By::Key, |op| op.for_api(api)).await;
    let b = Op::new("op-b", Dialect::Swedish, By::Key, |op| op.for_api(api)).await;
    b.site.roll_over(shared_key(1), vec![shared_key(1)]);
    for op in [&a, &b] {
        op.site.knows(grindvakt_demo::op::OpClient::program("program", "hemligt", &["read"]));
    }
    let mut world = World::new("").await;
    let jwt = |id: &str, issuer: &str| {
        format!("[[provider]]\nid = \"{id}\"\nprotocol = \"jwt\"\nissuer = \"{issuer}\"\naudience = [\"{api}\"]\n")
    };
    let routes =
        "[[route]]\npath = \"/api-a/*\"\nbearer = [\"jwt-a\"]\n[[route]]\npath = \"/api-b/*\"\nbearer = [\"jwt-b\"]\n";
    let more = a.provider(&world, "oidc-sweden", LOA) + &jwt("jwt-a", &a.issuer) + &jwt("jwt-b", &b.issuer) + routes;
    world.configure(|text| text.to_owned() + &more).await;
    ready(&world, &["op-a"]).await;
    let token = async |op: &Op| {
        let mut client = Browser::program();
        client.extra = vec![("authorization".to_owned(), grindvakt_demo::op::basic("program", "hemligt"))];
        let body = form::encode([("grant_type", "client_credentials"), ("scope", "read")]);
        let page = client.once(Method::POST, &format!("{}/token", op.issuer), Some(&body), None).await.unwrap();
        let answer: Value = serde_json::from_str(&page.body).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let show = async |path: &str, token: &str| {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let reply = Client::new(world.public()).xhr().send(Method::GET, path, &headers, "").await;
        let problem: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        (reply.status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
    };
    let (of_a, of_b) = (token(&a).await, token(&b).await);
    eventually(20, "both providers' keys are known", || async {
        show("/api-a/1", &of_a).await.0 == 200 && show("/api-b/1", &of_b).await.0 == 200
    })
    .await;
    // Each is remembered now, as good at its own. Asked for at the other's, it is as strange as before (T41).
    for _ in 0..2 {
        assert_eq!(show("/api-b/1", &of_a).await.0, 401);
        assert_eq!(show("/api-a/1", &of_b).await.0, 401);
        assert_eq!(show("/api-a/1", &of_a).await.0, 200);
    }
    assert_eq!(
        a.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await.status,
        StatusCode::SEE_OTHER
    );
    let id_token = a.site.last_id_token().unwrap();
    let (status, why) = show("/api-a/1", &id_token).await;
    assert!(status == 401 && ["token_type", "audience_mismatch"].contains(&why.as_str()), "{status} {why}");
    world.stop().await;
}
