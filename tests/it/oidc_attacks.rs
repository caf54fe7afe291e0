//! Logins by OpenID Connect under attack: by a provider that says what it likes, by strangers at our own addresses, and by
//! a visitor who has begun one login and makes the most of it.

use std::sync::{Arc, Mutex};

use grindvakt::base::{Clock as _, ManualClock, ProviderId, SystemClock};
use grindvakt::config::{Config, load};
use grindvakt::provider::source::Way;
use grindvakt::provider::{Feeds, Refresher, Registry, Snapshot};
use grindvakt::telemetry::Telemetry;
use grindvakt_demo::form;
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::remote::{Act, NoChance, Remote, START, fetcher};
use crate::support::tokens::TokenKey;
use crate::support::{Client, Reply, World, eventually, metric};

mod ends;

const SESSION: &str = "__Host-eid-etjanst";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const CALLBACK: &str = "/eid/oidc/callback/konto";

/// What the provider says now.
struct Says {
    discovery: Value,
    jwks: String,
    token: Act,
    push: Act,
}

/// A provider that was made by hand: nothing stops it from lying.
pub struct Op {
    remote: Remote,
    key: TokenKey,
    says: Arc<Mutex<Says>>,
}

fn now() -> i64 {
    SystemClock.now().as_secs()
}

impl Op {
    pub async fn new() -> Self {
        let remote = Remote::start().await;
        let (key, issuer) = (TokenKey::new("op"), format!("http://{}", remote.address));
        let at = |path: &str| format!("{issuer}{path}");
        let discovery = json!({
            "issuer": issuer, "jwks_uri": at("/jwks"), "token_endpoint": at("/token"),
            "authorization_endpoint": at("/authorize"), "pushed_authorization_request_endpoint": at("/par"),
            "response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["ES256"],
        });
        let (token, push) = (Act::status(500), Act::status(500));
        let says = Arc::new(Mutex::new(Says { discovery, jwks: key.jwks(), token, push }));
        let told = Arc::clone(&says);
        remote.chooses(move |asked| {
            let says = told.lock().unwrap();
            match asked.path() {
                "/.well-known/openid-configuration" => Act::ok(says.discovery.to_string()),
                "/jwks" => Act::ok(says.jwks.clone()),
                "/token" => says.token.clone(),
                "/par" => says.push.clone(),
                _ => Act::status(404),
            }
        });
        Self { remote, key, says }
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.remote.address)
    }

    fn provider(&self, id: &str, more: &str) -> String {
        let issuer = self.issuer();
        format!(
            r#"
[[provider]]
id = "{id}"
eid = "{id}"
protocol = "oidc"
issuer = "{issuer}"
client_id = "etjanst"
loa = ["loa3"]
{more}
"#
        )
    }

    fn change(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// The claims of a correct ID token for the login that `location` begins.
    pub fn claims(&self, location: &str) -> Value {
        json!({
            "iss": self.issuer(), "aud": "etjanst", "sub": "någon", "iat": now(), "exp": now() + 60, "auth_time": now(),
            "acr": LOA3, "nonce": sent(location, "nonce"),
        })
    }

    /// From now on a code gives these claims.
    pub fn gives(&self, claims: &Value) {
        let id_token = self.key.sign(json!({ "kid": self.key.kid }), claims);
        let answer = json!({ "access_token": "x", "token_type": "Bearer", "id_token": id_token });
        self.change(|says| says.token = Act::ok(answer.to_string()));
    }

    fn logout_token(&self, more: Value) -> String {
        let mut claims = json!({
            "iss": self.issuer(), "aud": "etjanst", "iat": now(), "exp": now() + 60, "jti": format!("{more}"),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.sign(json!({ "kid": self.key.kid, "typ": "logout+jwt" }), &claims)
    }

    /// How often its token endpoint was asked.
    fn exchanges(&self) -> usize {
        self.remote.asked().iter().filter(|asked| asked.path() == "/token").count()
    }
}

/// A parameter of the request that a person is sent away with.
fn sent(location: &str, name: &str) -> String {
    let fields = form::parse(location.split_once('?').unwrap().1);
    form::get(&fields, name).unwrap_or_else(|| panic!("no {name} in {location}")).to_owned()
}

async fn world(op: &Op, more: &str) -> World {
    let world = World::new(&op.provider("konto", more)).await;
    ready(&world, "konto").await;
    world
}

pub async fn ready(world: &World, eid: &str) {
    eventually(10, "the provider is known", || async {
        begin(&mut Client::new(world.public()), eid, "/annat").await.status == StatusCode::SEE_OTHER
    })
    .await;
}

async fn begin(client: &mut Client, eid: &str, rd: &str) -> Reply {
    client.get(&format!("/eid/login?eid={eid}&rd={rd}")).await
}

/// Where a login sends the person.
pub async fn away(client: &mut Client) -> String {
    let reply = begin(client, "konto", "/annat").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").to_owned()
}

pub async fn bring(client: &mut Client, location: &str) -> Reply {
    bring_code(client, location, "c").await
}

async fn bring_code(client: &mut Client, location: &str, code: &str) -> Reply {
    client.get(&format!("{CALLBACK}?code={code}&state={}", sent(location, "state"))).await
}

/// A login with more claims than the usual, or others.
async fn log_in(world: &World, op: &Op, more: Value) -> Client {
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    let mut claims = op.claims(&location);
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    op.gives(&claims);
    let reply = bring(&mut client, &location).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    client
}

async fn signed_in(client: &Client) -> bool {
    client.clone().get("/annat").await.status == StatusCode::OK
}

async fn log_out(world: &World, token: &str) -> StatusCode {
    Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", token)]).await.status
}

async fn refused(world: &World, provider: &str, code: &str) -> f64 {
    let name = format!("grindvakt_logins_refused_total{{code=\"{code}\",provider=\"{provider}\"}}");
    let text = Client::new(world.admin()).get("/metrics").await.body;
    if text.contains(&name) { metric(world.admin(), &name).await } else { 0.0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_could_not_begin_is_told_with_the_reference_that_the_page_bears() {
    let op = Op::new().await;
    op.change(|says| says.push = Act::ok(json!({ "request_uri": "urn:x", "expires_in": 60 }).to_string()));
    let mut world = world(&op, "userinfo = false\npushed_requests = true").await;
    let broken = json!({ "error": "invalid_client", "error_description": "195006262546" }).to_string();
    op.change(|says| says.push = Act::Answer(401, Vec::new(), broken.into_bytes()));
    let mut client = Client::new(world.public());
    let reply = begin(&mut client, "konto", "/annat").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.body);
    assert!(client.cookies.is_empty() && !reply.body.contains("1950"), "{}", reply.body);
    assert!((refused(&world, "konto", "client_refused").await - 1.0).abs() < 0.1, "nobody would know");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_at_a_callback_tells_nobody_its_address() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    for target in [
        format!("{CALLBACK}?code=c&state={}", sent(&location, "state")),
        format!("{CALLBACK}?code=c&state=x"),
        format!("{CALLBACK}?code=c&code=c"),
        format!("{CALLBACK}?error=access_denied&state={}", sent(&location, "state")),
    ] {
        let reply = client.get(&target).await;
        assert!(!reply.status.is_success(), "{target}");
        assert_eq!(reply.header("referrer-policy"), "strict-origin", "{target}");
        assert!(!reply.body.contains(&sent(&location, "state")), "{target}: {}", reply.body);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_visitor_with_many_logins_takes_no_more_than_one_provider_s_places() {
    const PLACES: usize = 64;
    let (op, other) = (Op::new().await, Op::new().await);
    let providers = op.provider("konto", "userinfo = false") + &other.provider("annat", "userinfo = false");
    let mut world = World::new(&providers).await;
    ready(&world, "konto").await;
    ready(&world, "annat").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    op.change(|says| says.token = Act::Silent);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..PLACES {
        let mut client = Client::new(world.public());
        let location = away(&mut client).await;
        waiting.spawn(async move { bring(&mut client, &location).await });
    }
    eventually(8, "all wait", || async { op.exchanges() >= PLACES }).await;
    let reply = bring(&mut client.clone(), &location).await;
    assert_eq!((reply.status, op.exchanges()), (StatusCode::SERVICE_UNAVAILABLE, PLACES), "{}", reply.body);
    assert!((refused(&world, "konto", "overloaded").await - 1.0).abs() < 0.1);
    // The other provider's people notice nothing.
    let mut person = Client::new(world.public());
    let at_other = begin(&mut person, "annat", "/annat").await.header("location").to_owned();
    other.gives(&other.claims(&at_other));
    let back = format!("/eid/oidc/callback/annat?code=c&state={}", sent(&at_other, "state"));
    assert_eq!(person.get(&back).await.status, StatusCode::SEE_OTHER);
    assert!(person.cookies.contains_key(SESSION));
    // The login itself is not lost: when there is room again it can be brought.
    waiting.shutdown().await;
    op.gives(&op.claims(&location));
    eventually(15, "room again", || {
        let mut client = client.clone();
        let location = location.clone();
        async move { bring(&mut client, &location).await.status == StatusCode::SEE_OTHER }
    })
    .await;
    world.stop().await;
}

/// What was not finished because somebody had too much to do is finished by the very same answer, and what is being
/// finished, or is finished, by none.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_on_its_way_once_at_a_time() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    let logins = client.cookies.clone();

    // What the provider could not do it is asked to do again.
    for act in [Act::Answer(503, Vec::new(), b"later".to_vec()), Act::Broken(b"half".to_vec())] {
        op.change(|says| says.token = act);
        let reply = bring(&mut client, &location).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
        assert_eq!(client.cookies, logins, "the login is kept");
    }

    // While one answer is on its way, no other one of this login is sent, whatever its code.
    op.change(|says| says.token = Act::Silent);
    let before = op.exchanges();
    let first = {
        let (mut client, location) = (client.clone(), location.clone());
        tokio::spawn(async move { bring(&mut client, &location).await })
    };
    eventually(8, "the first waits", || async { op.exchanges() > before }).await;
    for code in ["c", "another"] {
        let reply = bring_code(&mut client, &location, code).await;
        assert_eq!(reply.status, StatusCode::CONFLICT, "{}", reply.body);
        assert!(reply.body.contains("Vänta några sekunder"), "{}", reply.body);
        assert_eq!(client.cookies, logins, "the login is kept");
    }
    assert_eq!(op.exchanges(), before + 1);
    assert!((refused(&world, "konto", "login_in_progress").await - 2.0).abs() < 0.1);
    // It gives up in its own time, and then the same answer is good.
    assert_eq!(first.await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    op.gives(&op.claims(&location));
    let late = client.clone();
    assert_eq!(bring(&mut client, &location).await.status, StatusCode::SEE_OTHER);
    assert!(client.cookies.contains_key(SESSION));

    // Once the login is over the provider hears of no code of it any more.
    let asked = op.exchanges();
    for code in ["c", "another"] {
        let reply = bring_code(&mut late.clone(), &location, code).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.body);
    }
    assert_eq!(op.exchanges(), asked);
    assert!(signed_in(&client).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saml_answer_for_a_login_by_openid_connect_is_refused_as_that() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    let (request, _) = client.clone().begin(&world, "/ansokan/1").await;
    let asked = op.remote.hits();
    let reply = client.answer(&world.idp.response(&request).build(), &sent(&location, "state")).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.body);
    assert!((refused(&world, "konto", "state_other_provider").await - 1.0).abs() < 0.1);
    assert_eq!(op.remote.hits(), asked, "its keys are asked for in vain");
    world.stop().await;
}

/// A provider may say anything: none of it is an identity, and none of it ends the process.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_provider_answers_nobody_comes_in_by_it() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    let good = op.claims(&location);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let header = json!({ "kid": op.key.kid });
    let signed = |claims: &Value| op.key.sign(header.clone(), claims);
    let eidas = "http://id.elegnamnden.se/loa/1.0/eidas-nf-sub";
    let mut tokens: Vec<(String, String)> = [
        ("acr", json!(null)),
        ("acr", json!([LOA3])),
        ("acr", json!({ "value": LOA3 })),
        ("acr", json!(format!("{LOA3} "))),
        ("acr", json!("LOA3")),
        ("acr", json!("loa3")),
        ("acr", json!(eidas)),
        ("acr", json!("http://id.elegnamnden.se/loa/1.0/loa4")),
        ("nonce", json!(null)),
        ("nonce", json!("")),
        ("nonce", json!([good["nonce"]])),
        ("nonce", json!(sent(&location, "state"))),
        ("iss", json!(format!("{}/", op.issuer()))),
        ("iss", json!([op.issuer()])),
        ("aud", json!(["etjanst", "annan"])),
        ("aud", json!([])),
        ("azp", json!("annan")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("x".repeat(256))),
        ("exp", json!(now() - 3600)),
        ("exp", json!("9999999999")),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(-1)),
        ("iat", json!(now() + 3600)),
        ("auth_time", json!(null)),
        ("auth_time", json!(now() - 3600)),
        ("auth_time", json!(now() + 3600)),
        ("auth_time", json!(u64::MAX)),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("c_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("events", json!({})),
        ("name", json!(["x"])),
        ("name", json!("a\u{0}b")),
        ("name", json!("a\r\nx-eid-loa: loa4")),
        ("birthdate", json!("1950-06-26\u{7f}")),
        ("amr", json!("pwd")),
        ("deep", (0..40).fold(json!(1), |inner, _| json!([inner]))),
        ("wide", json!(vec![1; 5000])),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{name}: {value:.60}"), signed(&with(name, value))))
    .collect();
    let (head, rest) = signed(&good).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let encoded = |header: Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(header.to_string());
    let (payload, signature) = rest.split_once('.').unwrap();
    tokens.extend([
        ("none".to_owned(), format!("{}.{payload}.", encoded(json!({ "alg": "none" })))),
        ("a stranger's key".to_owned(), TokenKey::new("op").sign(header.clone(), &good)),
        ("crit".to_owned(), op.key.sign(json!({ "kid": "op", "crit": ["x"], "x": 1 }), &good)),
        ("typ at+jwt".to_owned(), op.key.sign(json!({ "kid": "op", "typ": "at+jwt" }), &good)),
        ("typ logout+jwt".to_owned(), op.key.sign(json!({ "kid": "op", "typ": "logout+jwt" }), &good)),
        ("no signature".to_owned(), format!("{head}.{payload}.")),
        ("half a signature".to_owned(), format!("{head}.{payload}.{}", &signature[..40])),
        ("zeros".to_owned(), format!("{head}.{payload}.{}", "A".repeat(86))),
        ("a claim twice".to_owned(), {
            let text = good.to_string().replacen('{', "{\"sub\":\"en annan\",", 1);
            format!("{head}.{}.{signature}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(text))
        }),
        ("encrypted to nobody".to_owned(), {
            let header = encoded(json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM" }));
            format!("{header}.{}.AAAAAAAAAAAAAAAA.{payload}.AAAAAAAAAAAAAAAAAAAAAA", "A".repeat(342))
        }),
        ("encrypted with its own key".to_owned(), {
            let header = encoded(json!({ "alg": "dir", "enc": "A256GCM" }));
            format!("{header}..AAAAAAAAAAAAAAAA.{payload}.AAAAAAAAAAAAAAAAAAAAAA")
        }),
        ("dots".to_owned(), ".".repeat(100_000)),
        ("nothing".to_owned(), String::new()),
    ]);
    let answer = |id_token: &str| json!({ "access_token": "x", "token_type": "Bearer", "id_token": id_token });
    let mut answers: Vec<(String, Act)> =
        tokens.iter().map(|(what, token)| (what.clone(), Act::ok(answer(token).to_string()))).collect();
    let whole = answer(&signed(&good));
    let but = |name: &str, value: Value| {
        let mut answer = whole.clone();
        answer[name] = value;
        Act::ok(answer.to_string())
    };
    answers.extend([
        ("no access token".to_owned(), but("access_token", json!(null))),
        ("a token type of its own".to_owned(), but("token_type", json!("mac"))),
        ("bound to a key".to_owned(), but("token_type", json!("DPoP"))),
        ("an error with tokens".to_owned(), Act::Answer(400, Vec::new(), whole.to_string().into_bytes())),
        ("created".to_owned(), Act::Answer(201, Vec::new(), whole.to_string().into_bytes())),
        ("elsewhere".to_owned(), Act::redirect("http://127.0.0.1:1/token")),
        ("compressed".to_owned(), Act::ok_with(&["Content-Encoding: gzip"], whole.to_string())),
        ("half".to_owned(), Act::Broken(whole.to_string().into_bytes())),
        ("no HTTP".to_owned(), Act::Raw(b"tokens".to_vec())),
        ("an array".to_owned(), Act::ok(format!("[{whole}]"))),
        ("much".to_owned(), Act::ok(vec![b' '; 600 * 1024])),
    ]);
    for (what, act) in answers {
        op.change(|says| says.token = act);
        let mut person = client.clone();
        let reply = bring(&mut person, &location).await;
        let (status, shown) = (reply.status, reply.header("location").to_owned());
        assert!(status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE, "{what}: {status} {shown}");
        assert_ne!(status, StatusCode::CONFLICT, "{what}: the provider was asked");
        assert!(!person.cookies.contains_key(SESSION) && shown.is_empty(), "{what}");
        assert!(!reply.body.contains("x-eid-loa"), "{what}: {}", reply.body);
    }
    // And the right one is still let in, once.
    op.gives(&good);
    let mut twice = client.clone();
    assert_eq!(bring(&mut client, &location).await.status, StatusCode::SEE_OTHER);
    assert_eq!(bring(&mut twice, &location).await.status, StatusCode::FORBIDDEN);
    assert!(!twice.cookies.contains_key(SESSION));
    world.stop().await;
}

/// Nothing that a browser brings to a callback asks the provider for anything, unless it belongs to a login of this browser.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_a_callback_cost_the_provider_nothing() {
    let op = Op::new().await;
    let mut world = world(&op, "userinfo = false").await;
    let mut victim = Client::new(world.public());
    let location = away(&mut victim).await;
    let state = sent(&location, "state");
    let issuer = op.issuer();
    let stranger = Client::new(world.public());
    let (mut with_cookie, mut renamed) = (victim.clone(), victim.clone());
    // The victim's cookie under the name of another login of the attacker's.
    let mut attacker = Client::new(world.public());
    let own = away(&mut attacker).await;
    let name = attacker.cookies.keys().next().unwrap().clone();
    let sealed = victim.cookies.values().next().unwrap().clone();
    renamed.cookies = [(name, sealed)].into();
    for (what, client, query) in [
        ("no cookie", &mut stranger.clone(), format!("code=c&state={state}")),
        ("the attacker's login", &mut attacker.clone(), format!("code=c&state={state}")),
        ("a cookie of another name", &mut renamed, format!("code=c&state={}", sent(&own, "state"))),
        ("no state", &mut with_cookie.clone(), "code=c".to_owned()),
        ("two states", &mut with_cookie.clone(), format!("code=c&state={state}&state={state}")),
        ("two codes", &mut with_cookie.clone(), format!("code=c&co%64e=d&state={state}")),
        ("an empty code", &mut with_cookie.clone(), format!("code=&state={state}")),
        ("a long code", &mut with_cookie.clone(), format!("code={}&state={state}", "c".repeat(5000))),
        ("a code that is no text", &mut with_cookie.clone(), format!("code=%FF&state={state}")),
        (
            "another issuer",
            &mut with_cookie.clone(),
            format!("code=c&state={state}&iss=https%3A%2F%2Fannan.example.se"),
        ),
        ("an empty issuer", &mut with_cookie.clone(), format!("code=c&state={state}&iss=")),
        ("the issuer twice", &mut with_cookie.clone(), format!("code=c&state={state}&iss={issuer}&iss={issuer}")),
        ("an error", &mut with_cookie.clone(), format!("code=c&state={state}&error=%3Cscript%3E")),
        ("an empty error", &mut with_cookie, format!("code=c&state={state}&error=")),
    ] {
        let reply = client.get(&format!("{CALLBACK}?{query}")).await;
        assert!(reply.status.is_client_error(), "{what}: {}", reply.status);
        assert!(!client.cookies.contains_key(SESSION) && !reply.body.contains("<script"), "{what}: {}", reply.body);
    }
    assert_eq!(op.exchanges(), 0);
    op.gives(&op.claims(&location));
    assert_eq!(bring(&mut victim, &location).await.status, StatusCode::SEE_OTHER, "nothing was spent");
    world.stop().await;
}

/// By single sign-on somebody may be sitting there who logged in this morning. Who does not say when they did has not said
/// that it was just now.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_says_the_time_of_is_not_a_new_one() {
    let op = Op::new().await;
    let route = "[[route]]\npath = \"/pengar/*\"\nmax_age = \"10m\"\n";
    let mut world = World::new(&(op.provider("konto", "userinfo = false\nforce_authn = false") + route)).await;
    ready(&world, "konto").await;
    const HOUR: i64 = 3600;
    for (what, auth_time, code, new) in [
        ("now", json!(now()), "", true),
        ("five hours ago", json!(now() - 5 * HOUR), "", false),
        ("longer ago than a session may last", json!(now() - 9 * HOUR), "authn_too_old", false),
        ("never told", json!(null), "claim_missing", false),
    ] {
        let mut client = Client::new(world.public());
        let location = away(&mut client).await;
        assert!(!location.contains("prompt="), "single sign-on");
        // With it a provider must say when (OpenID Connect Core, 3.1.2.1).
        assert_eq!(sent(&location, "max_age"), (8 * HOUR).to_string());
        let mut claims = op.claims(&location);
        match auth_time {
            Value::Null => drop(claims.as_object_mut().unwrap().remove("auth_time")),
            told => claims["auth_time"] = told,
        }
        op.gives(&claims);
        let before = if code.is_empty() { 0.0 } else { refused(&world, "konto", code).await };
        let reply = bring(&mut client, &location).await;
        assert_eq!(reply.status == StatusCode::SEE_OTHER, code.is_empty(), "{what}: {}", reply.body);
        if !code.is_empty() {
            assert!((refused(&world, "konto", code).await - before - 1.0).abs() < 0.1, "{what}");
        }
        assert_eq!(signed_in(&client).await, code.is_empty(), "{what}");
        assert_eq!(client.get("/pengar/1").await.status == StatusCode::OK, new, "{what}");
    }
    world.stop().await;
}
