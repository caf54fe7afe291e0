//! The demo's OpenID provider: whose requests it takes, what it sends back, and that each wrong answer is wrong in the one
//! way that its name says, by the sidecar's own verifier.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use grindvakt::base::{Clock as _, ManualClock, Secret, UnixTime};
use grindvakt::crypto::encryption::NoKeys;
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::crypto::trusted::AlgorithmSet;
use grindvakt::verify::Reject;
use grindvakt::verify::jose::{
    AccessTokenExpect, Asked, Decryption, Discovery, EndpointError, IdTokenExpect, KeySet, LevelRules, LogoutExpect,
    Nonce, OidcProfile, Received, TokenResponse, UserInfoExpect, plain_userinfo,
};
use grindvakt_demo::op::jose::{Claims, s256};
use grindvakt_demo::op::{ClientAuth, ClientKeys, DemoOp, Dialect, OpClient, OpOutcome, OpSite, basic};
use grindvakt_demo::{DemoKey, EncryptionKey, form};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const ISSUER: &str = "http://freja-oidc.localhost:8084";
const CALLBACK: &str = "http://etjanst.localhost:8080/eid/oidc/callback/freja-oidc";
const AFTER: &str = "http://etjanst.localhost:8080/";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const STATE: &str = "a-state-of-at-least-128-bits";
const VERIFIER: &str = "a-verifier-that-is-as-long-as-the-standard-demands";
const SCOPES: &str = "openid https://id.oidc.se/scope/naturalPersonInfo https://id.oidc.se/scope/naturalPersonNumber";

/// RSA keys take a tenth of a second each: the tests share them.
static OP_KEY: LazyLock<Arc<DemoKey>> = LazyLock::new(|| Arc::new(DemoKey::rsa("op")));

struct Rig {
    site: OpSite,
    clock: ManualClock,
    client_key: DemoKey,
    cookie: Option<String>,
}

struct Got {
    status: StatusCode,
    location: String,
    kind: String,
    cookie: Option<String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// Status and `error` of a back endpoint's refusal.
    fn error(&self) -> (u16, String) {
        let code = EndpointError::read(self.body.as_bytes()).map(|error| error.code);
        (self.status.as_u16(), code.unwrap_or_default())
    }

    /// What came back to the client.
    fn answer(&self, name: &str) -> Option<String> {
        let (address, query) = self.location.split_once('?')?;
        assert_eq!(address, CALLBACK);
        form::get(&form::parse(query), name).map(str::to_owned)
    }
}

impl Rig {
    fn new(change: impl FnOnce(DemoOp) -> DemoOp) -> Self {
        let clock = ManualClock::at(UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap());
        let op = change(DemoOp::new(ISSUER, "Freja", Dialect::Swedish, Arc::clone(&OP_KEY)));
        let site = OpSite::new(op, Arc::new(clock.clone()));
        let client_key = DemoKey::p256("client");
        let keys = ClientKeys::from_jwks(&client_key.jwks());
        site.knows(OpClient::new("etjanst", ClientAuth::Key(keys), CALLBACK).after_logout(AFTER));
        Self { site, clock, client_key, cookie: None }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    async fn send(&self, method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let (head, body) = self.site.handle(request.body(Bytes::from(body.to_owned())).unwrap()).into_parts();
        let header = |name: &str| head.headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        Got {
            status: head.status,
            location: header("location"),
            kind: header("content-type"),
            cookie: header("set-cookie").split(';').next().filter(|c| !c.is_empty()).map(str::to_owned),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    async fn get(&self, target: &str) -> Got {
        self.send(Method::GET, target, &[], "").await
    }

    async fn post(&self, target: &str, fields: &[(&str, &str)]) -> Got {
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send(Method::POST, target, &[form], &form::encode(fields.iter().copied())).await
    }

    /// `client_assertion` of the client, with its claims changed.
    fn assertion(&self, key: &DemoKey, change: impl FnOnce(&mut Claims)) -> [(&'static str, String); 2] {
        let claims = json!({
            "iss": "etjanst", "sub": "etjanst", "aud": ISSUER, "iat": self.now(), "exp": self.now() + 60,
            "jti": grindvakt_demo::key::new_id(),
        });
        let mut claims = claims.as_object().unwrap().clone();
        change(&mut claims);
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
        [("client_assertion_type", kind), ("client_assertion", key.sign_jwt(Claims::new(), &claims))]
    }

    /// Begins a login with a request as it should be, changed, and chooses how it ends.
    async fn login(&mut self, change: &[(&str, &str)], outcome: OpOutcome) -> Got {
        let page = self.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(page.status, StatusCode::OK, "{} {}", page.location, page.body);
        self.choose(&page, outcome).await
    }

    async fn choose(&mut self, page: &Got, outcome: OpOutcome) -> Got {
        let form = form::forms(&page.body).remove(0).fill("outcome", outcome.name());
        let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let got = self.post(&form.action, &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.body);
        self.cookie = got.cookie.clone();
        got
    }

    async fn exchange(&self, code: &str, change: &[(&str, &str)]) -> Got {
        let assertion = self.assertion(&self.client_key, |_| {});
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.extend(assertion.iter().map(|(n, v)| (*n, v.as_str())));
        replace(&mut fields, change);
        self.post("/token", &fields).await
    }

    async fn userinfo(&self, access_token: &str) -> Got {
        self.send(Method::GET, "/userinfo", &[("authorization", &format!("Bearer {access_token}"))], "").await
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(self.site.op().jwks().to_string().as_bytes()).unwrap().0
    }
}

fn replace<'a>(fields: &mut Vec<(&'a str, &'a str)>, change: &[(&'a str, &'a str)]) {
    for (name, value) in change {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
}

fn query(change: &[(&str, &str)]) -> String {
    let challenge = s256(VERIFIER);
    let claims = format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":["{LOA3}"]}}}}}}"#);
    let mut fields = vec![
        ("client_id", "etjanst"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", SCOPES),
        ("state", STATE),
        ("nonce", "n-1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
        ("max_age", "0"),
        ("ui_locales", "sv en"),
        ("claims", claims.as_str()),
    ];
    replace(&mut fields, change);
    form::encode(fields.iter().copied())
}

/// Holds an ID token against what the login asked for.
fn verdict(rig: &Rig, tokens: &TokenResponse) -> Result<String, Reject> {
    let (keys, certified, asked_loa) = (rig.keys(), [LOA3.to_owned()], [LOA3.to_owned()]);
    let expect = IdTokenExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        other_audiences: &[],
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        profile: OidcProfile::OidcSweden.rules(),
        asked: Asked {
            nonce: Nonce::Sent("n-1"),
            fresh_since: Some(rig.clock.now()),
            max_age: Some(Duration::ZERO),
            loa: &asked_loa,
        },
        access_token: Some(tokens.access_token.expose()),
        code: None,
        level: LevelRules { claim: None, map: &[], when_absent: None, certified: &certified, eidas_connector: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = Received::parse(tokens.id_token.as_bytes())?.id_token(&expect, rig.clock.now())?;
    Ok(token.claims().subject.clone())
}

fn told(rig: &Rig, subject: &str, got: &Got) -> Result<(), Reject> {
    let keys = rig.keys();
    let expect = UserInfoExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        subject,
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        profile: OidcProfile::OidcSweden.rules(),
        clock_skew: Duration::from_secs(60),
    };
    match got.kind.as_str() {
        "application/jwt" => Received::parse(got.body.as_bytes())?.userinfo(&expect, rig.clock.now()).map(drop),
        _ => plain_userinfo(got.body.as_bytes(), &expect).map(drop),
    }
}

/// How an outcome shows to the client that follows it to its end.
async fn shows(rig: &mut Rig, outcome: OpOutcome) -> String {
    let back = rig.login(&[], outcome).await;
    let code = back.answer("code");
    if let Some(error) = back.answer("error") {
        assert!(code.is_none() || outcome == OpOutcome::CodeAndError);
        return format!("error {error}");
    }
    match back.answer("state") {
        None => return "no state".to_owned(),
        Some(state) if state != STATE => return "another state".to_owned(),
        Some(_) => {}
    }
    match back.answer("iss") {
        None => return "no iss".to_owned(),
        Some(iss) if iss != ISSUER => return "another iss".to_owned(),
        Some(_) => {}
    }
    let answer = rig.exchange(&code.unwrap(), &[]).await;
    if answer.status != StatusCode::OK {
        let (status, error) = answer.error();
        return format!("token {status} {error}");
    }
    let tokens = match TokenResponse::read(answer.body.as_bytes()) {
        Ok(tokens) => tokens,
        Err(reject) => return format!("token {}", reject.code()),
    };
    let subject = match verdict(rig, &tokens) {
        Ok(subject) => subject,
        Err(reject) => return reject.code().to_owned(),
    };
    let got = rig.userinfo(tokens.access_token.expose()).await;
    if got.status != StatusCode::OK {
        return format!("userinfo {}", got.status.as_u16());
    }
    if outcome == OpOutcome::UserInfoConflict {
        return "a conflict".to_owned();
    }
    told(rig, &subject, &got).map_or_else(|reject| format!("userinfo {}", reject.code()), |()| "good".to_owned())
}

const fn expected(outcome: OpOutcome) -> &'static str {
    match outcome {
        OpOutcome::Success => "good",
        OpOutcome::Cancel | OpOutcome::LoginFailed | OpOutcome::CodeAndError => "error access_denied",
        OpOutcome::LoginRequired => "error login_required",
        OpOutcome::InteractionRequired => "error interaction_required",
        OpOutcome::UnmetLevel => "error unmet_authentication_requirements",
        OpOutcome::ServerError => "error server_error",
        OpOutcome::Unavailable => "error temporarily_unavailable",
        OpOutcome::StrangeError => "error the_moon_is_full",
        OpOutcome::WrongState => "another state",
        OpOutcome::NoState => "no state",
        OpOutcome::WrongIss => "another iss",
        OpOutcome::NoIss => "no iss",
        OpOutcome::WrongCode => "token 400 invalid_grant",
        OpOutcome::TokenBroken => "token 500 server_error",
        OpOutcome::TokenPage => "token json_malformed",
        OpOutcome::NoIdToken | OpOutcome::StrangeTokenType => "token token_response_malformed",
        OpOutcome::Tampered | OpOutcome::WrongKey => "signature_invalid",
        OpOutcome::Unsigned | OpOutcome::PublicKeyHmac => "signature_algorithm",
        OpOutcome::OwnKey => "key_unknown",
        OpOutcome::Replay | OpOutcome::WrongTokenHash => "token_hash_mismatch",
        OpOutcome::WrongNonce => "nonce_mismatch",
        OpOutcome::NoNonce => "nonce_missing",
        OpOutcome::WrongIssuer => "issuer_mismatch",
        OpOutcome::WrongAudience => "audience_mismatch",
        OpOutcome::SharedAudience => "audience_untrusted",
        OpOutcome::WrongParty => "authorized_party",
        OpOutcome::WrongLevel => "loa_not_requested",
        OpOutcome::NoLevel => "authn_context_missing",
        OpOutcome::LevelOfAnotherType => "claim_type",
        OpOutcome::Expired => "expired",
        OpOutcome::NotYetValid => "issued_in_future",
        OpOutcome::LongLived => "lifetime_too_long",
        OpOutcome::OldLogin => "authn_too_old",
        OpOutcome::NoLoginTime | OpOutcome::NoSubject => "claim_missing",
        OpOutcome::UserInfoOther => "userinfo subject_mismatch",
        OpOutcome::UserInfoUnsigned => "userinfo userinfo_not_signed",
        OpOutcome::UserInfoWrongKey => "userinfo signature_invalid",
        OpOutcome::UserInfoConflict => "a conflict",
        OpOutcome::UserInfoBroken => "userinfo 500",
    }
}

#[tokio::test]
async fn every_outcome_is_wrong_in_the_one_way_that_its_name_says() {
    let mut rig = Rig::new(|op| op);
    // The first one is the good one, which leaves an answer for the replay.
    for outcome in OpOutcome::ALL {
        assert_eq!(shows(&mut rig, *outcome).await, expected(*outcome), "{outcome:?}");
        assert_eq!(OpOutcome::parse(outcome.name()), Some(*outcome));
    }
}

#[tokio::test]
async fn discovery_and_keys_are_what_the_sidecar_reads() {
    let rig = Rig::new(|op| op);
    let got = rig.get("/.well-known/openid-configuration").await;
    let read = Discovery::read(got.body.as_bytes(), ISSUER).unwrap();
    assert!(read.pkce_s256 && read.response_iss && read.claims_parameter && read.request_parameter);
    assert!(read.backchannel_logout && !read.require_pushed_authorization_requests);
    assert_eq!(read.jwks_uri, format!("{ISSUER}/jwks"));
    let (keys, warnings) = KeySet::parse(rig.get("/jwks").await.body.as_bytes()).unwrap();
    assert!(keys.len() == 1 && warnings.is_empty(), "{warnings:?}");

    let rig =
        Rig::new(|op| op.says("require_pushed_authorization_requests", json!(true)).says("jwks_uri", json!(null)));
    let document = rig.get("/.well-known/openid-configuration").await.json();
    assert!(document.get("jwks_uri").is_none());
    assert_eq!(document["require_pushed_authorization_requests"], true);
}

#[tokio::test]
async fn a_person_is_told_in_the_dialect_of_the_provider_and_only_as_asked() {
    for (dialect, scope, in_token, in_userinfo) in [
        (
            Dialect::Swedish,
            SCOPES,
            json!({ "https://id.oidc.se/claim/personalIdentityNumber": "195006262546", "acr": LOA3 }),
            json!({ "name": "Åsa Märta Öberg", "given_name": "Åsa Märta", "family_name": "Öberg" }),
        ),
        (
            Dialect::Swedish,
            "openid",
            json!({ "acr": LOA3, "https://id.oidc.se/claim/personalIdentityNumber": null }),
            json!({ "name": null }),
        ),
        (
            Dialect::Standard,
            "openid profile",
            json!({ "acr": LOA3 }),
            json!({ "family_name": "Öberg", "birthdate": "1950-06-26" }),
        ),
        (
            Dialect::Freja,
            "openid profile https://frejaeid.com/oidc/scopes/personalIdentityNumber",
            json!({
                "https://frejaeid.com/oidc/claims/loaLevel": "LOA3", "acr": null, "auth_time": null,
                "https://frejaeid.com/oidc/claims/personalIdentityNumber": "195006262546",
                "https://frejaeid.com/oidc/claims/country": "SE",
            }),
            json!({ "given_name": "Åsa Märta" }),
        ),
    ] {
        let clock = ManualClock::at(UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap());
        let site = OpSite::new(DemoOp::new(ISSUER, "X", dialect, Arc::clone(&OP_KEY)), Arc::new(clock.clone()));
        site.knows(OpClient::new("etjanst", ClientAuth::Public, CALLBACK).userinfo_signed(false));
        let mut rig = Rig { site, clock, client_key: DemoKey::p256("client"), cookie: None };
        let plain = [("claims", ""), ("scope", scope), ("acr_values", LOA3)];
        let code = rig.login(&plain, OpOutcome::Success).await.answer("code").unwrap();
        let public = [("client_id", "etjanst"), ("client_assertion", ""), ("client_assertion_type", "")];
        let tokens = rig.exchange(&code, &public).await.json();
        let claims = ClientKeys::from_jwks(&rig.site.op().jwks()).verify(tokens["id_token"].as_str().unwrap()).unwrap();
        let userinfo = rig.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
        for (wanted, got) in [(in_token, &Value::Object(claims.clone())), (in_userinfo, &userinfo)] {
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(got[name], *value, "{dialect:?} {scope}: {name}");
            }
        }
        assert_eq!(claims["sub"], userinfo["sub"]);
        assert!(!claims["sub"].as_str().unwrap().contains("1950"));
    }
}

#[tokio::test]
async fn a_request_is_held_to_every_rule() {
    let mut rig = Rig::new(|op| op);
    for (change, says) in [
        (&[("client_id", "annan")][..], "no such client"),
        (&[("redirect_uri", "http://etjanst.localhost:8080/annan")][..], "not registered"),
        (&[("request_uri", "urn:x")][..], "no such pushed request"),
        (&[("request", "a.b.c")][..], "request object"),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert!(got.status == StatusCode::BAD_REQUEST && got.body.contains(says), "{change:?}: {}", got.body);
    }
    let twice = rig.get(&format!("/authorize?{}&nonce=n-2", query(&[]))).await;
    assert!(twice.status == StatusCode::BAD_REQUEST && twice.body.contains("stands twice"));
    let none = [("prompt", "none")];
    for (change, error) in [
        (&[("response_type", "id_token")][..], "unsupported_response_type"),
        (&[("response_mode", "form_post")][..], "invalid_request"),
        (&[("scope", "profile")][..], "invalid_scope"),
        (&[("state", "short")][..], "invalid_request"),
        (&[("code_challenge", "")][..], "invalid_request"),
        (&[("code_challenge_method", "plain")][..], "invalid_request"),
        (&[("prompt", "none login")][..], "invalid_request"),
        (&[("max_age", "soon")][..], "invalid_request"),
        (&[("claims", "{")][..], "invalid_request"),
        (
            &[("claims", r#"{"id_token":{"acr":{"essential":true,"values":["urn:other"]}}}"#)][..],
            "unmet_authentication_requirements",
        ),
        (&none[..], "login_required"),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(got.answer("error").as_deref(), Some(error), "{change:?}: {}", got.body);
        assert_eq!(got.answer("iss").as_deref(), Some(ISSUER));
    }
    // By POST too, as the Swedish profile has it.
    let page = rig.send(Method::POST, "/authorize", &[], &query(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    let request = rig.site.last_request().unwrap();
    assert_eq!((request.levels(), request.max_age, request.ui_locales.len()), (&[LOA3.to_owned()][..], Some(0), 2));
    assert!(rig.choose(&page, OpOutcome::Success).await.answer("code").is_some());
}

#[tokio::test]
async fn a_session_answers_only_those_who_did_not_ask_for_a_fresh_login() {
    let mut rig = Rig::new(|op| op);
    let first = rig.login(&[], OpOutcome::Success).await;
    assert!(first.answer("code").is_some());
    rig.clock.advance(Duration::from_secs(100));
    let auth_time = rig.now() - 100;
    for (change, at_once) in [
        (&[("prompt", ""), ("max_age", "")][..], true),
        (&[("prompt", "none"), ("max_age", "100")][..], true),
        (&[("prompt", ""), ("max_age", "99")][..], false),
        (&[("prompt", "login"), ("max_age", "")][..], false),
        (&[("prompt", "select_account"), ("max_age", "")][..], false),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(got.status == StatusCode::SEE_OTHER, at_once, "{change:?}: {}", got.location);
        if at_once {
            let tokens = rig.exchange(&got.answer("code").unwrap(), &[]).await.json();
            let keys = ClientKeys::from_jwks(&rig.site.op().jwks());
            assert_eq!(keys.verify(tokens["id_token"].as_str().unwrap()).unwrap()["auth_time"], auth_time);
        }
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_whom_it_was_made_and_for_a_minute() {
    let mut rig = Rig::new(|op| op);
    let secret = OpClient::new("annan", ClientAuth::Secret("h:e m+l".to_owned()), "http://annan.localhost/");
    rig.site.knows(secret);
    let stranger = rig.assertion(&DemoKey::p256("x"), |_| {});
    let to_endpoint =
        rig.assertion(&rig.client_key, |c| drop(c.insert("aud".into(), json!(format!("{ISSUER}/token")))));
    let late = rig.assertion(&rig.client_key, |c| drop(c.insert("exp".into(), json!(1_700_000_000))));
    let once = rig.assertion(&rig.client_key, |_| {});
    let of = |assertion: &[(&'static str, String); 2]| -> Vec<(&'static str, String)> { assertion.to_vec() };
    for (what, change, error) in [
        (
            "no client",
            vec![("client_assertion", String::new()), ("client_assertion_type", String::new())],
            (401, "invalid_client"),
        ),
        ("a stranger's key", of(&stranger), (401, "invalid_client")),
        ("for the endpoint", of(&to_endpoint), (401, "invalid_client")),
        ("expired", of(&late), (401, "invalid_client")),
        (
            "another verifier",
            vec![("code_verifier", "another-verifier-of-the-right-length-for-pkce-s256".to_owned())],
            (400, "invalid_grant"),
        ),
        ("no verifier", vec![("code_verifier", String::new())], (400, "invalid_grant")),
        (
            "another address",
            vec![("redirect_uri", "http://etjanst.localhost:8080/".to_owned())],
            (400, "invalid_grant"),
        ),
        ("another code", vec![("code", "made-up".to_owned())], (400, "invalid_grant")),
        ("another grant", vec![("grant_type", "password".to_owned())], (400, "unsupported_grant_type")),
        ("an assertion the first time", of(&once), (200, "")),
        ("an assertion the second time", of(&once), (401, "invalid_client")),
    ] {
        let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
        let change: Vec<(&str, &str)> = change.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let got = rig.exchange(&code, &change).await;
        assert_eq!(got.error(), (error.0, error.1.to_owned()), "{what}: {}", got.body);
    }

    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let by_secret = |secret: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        (basic("annan", secret), form::encode(fields))
    };
    for (secret, error) in [("h:e m+l", "invalid_grant"), ("gissning", "invalid_client")] {
        let (authorization, body) = by_secret(secret);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(rig.send(Method::POST, "/token", &headers, &body).await.error().1, error, "another client's code");
    }
    let tokens = rig.exchange(&code, &[]).await.json();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.userinfo(&access).await.status, StatusCode::OK);
    assert_eq!(rig.exchange(&code, &[]).await.error(), (400, "invalid_grant".to_owned()), "twice");
    assert_eq!(rig.userinfo(&access).await.status, StatusCode::UNAUTHORIZED, "what it gave is taken back");

    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.exchange(&code, &[]).await.error(), (400, "invalid_grant".to_owned()), "too old");
}

#[tokio::test]
async fn requests_are_pushed_and_signed() {
    let mut rig = Rig::new(|op| op.says("require_pushed_authorization_requests", json!(true)));
    let plain = rig.get(&format!("/authorize?{}", query(&[]))).await;
    assert_eq!(plain.answer("error").as_deref(), Some("invalid_request"), "it must be pushed");
    let push = async |rig: &Rig, change: &[(&str, &str)]| {
        let assertion = rig.assertion(&rig.client_key, |_| {});
        let assertion: Vec<(&str, &str)> = assertion.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let body = format!("{}&{}", query(change), form::encode(assertion));
        rig.send(Method::POST, "/par", &[("content-type", "application/x-www-form-urlencoded")], &body).await
    };
    assert_eq!(push(&rig, &[("scope", "profile")]).await.error(), (400, "invalid_scope".to_owned()));
    assert_eq!(rig.post("/par", &[("client_id", "etjanst")]).await.error(), (401, "invalid_client".to_owned()));
    let pushed = push(&rig, &[]).await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let target = format!("/authorize?{}", form::encode([("client_id", "etjanst"), ("request_uri", uri.as_str())]));
    let page = rig.get(&target).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(rig.site.last_request().is_some_and(|request| request.pushed && !request.signed));
    assert!(rig.choose(&page, OpOutcome::Success).await.answer("code").is_some());
    assert_eq!(rig.get(&target).await.status, StatusCode::BAD_REQUEST, "good for one use");
    let uri = push(&rig, &[]).await.json()["request_uri"].as_str().unwrap().to_owned();
    rig.clock.advance(Duration::from_secs(60));
    let target = format!("/authorize?{}", form::encode([("client_id", "etjanst"), ("request_uri", uri.as_str())]));
    assert_eq!(rig.get(&target).await.status, StatusCode::BAD_REQUEST, "and for a minute");

    let rig = Rig::new(|op| op.says("require_signed_request_object", json!(true)));
    let object = |key: &DemoKey, change: &[(&str, Value)]| {
        let fields = form::parse(&query(&[]));
        let mut claims: Claims = fields.into_iter().map(|(n, v)| (n, json!(v))).collect();
        for (name, value) in [("iss", json!("etjanst")), ("aud", json!(ISSUER)), ("exp", json!(rig.now() + 60))] {
            claims.insert(name.to_owned(), value);
        }
        for (name, value) in change {
            claims.insert((*name).to_owned(), value.clone());
        }
        key.sign_jwt(Claims::new(), &claims)
    };
    for (what, object, status) in [
        ("good", object(&rig.client_key, &[]), 200),
        ("a stranger's", object(&DemoKey::p256("x"), &[]), 400),
        ("for another provider", object(&rig.client_key, &[("aud", json!("https://annan"))]), 400),
        ("of another client", object(&rig.client_key, &[("iss", json!("annan"))]), 400),
        ("expired", object(&rig.client_key, &[("exp", json!(rig.now()))]), 400),
        ("another client within", object(&rig.client_key, &[("client_id", json!("annan"))]), 400),
    ] {
        let target = format!("/authorize?client_id=etjanst&response_type=code&scope=openid&request={object}");
        let got = rig.get(&target).await;
        assert_eq!(got.status.as_u16(), status, "{what}: {}", got.body);
    }
    assert!(rig.site.last_request().is_some_and(|request| request.signed && !request.pushed));
    let plain = rig.get(&format!("/authorize?{}", query(&[]))).await;
    assert_eq!(plain.answer("error").as_deref(), Some("invalid_request"), "it must be signed");
}

#[tokio::test]
async fn an_id_token_can_be_encrypted_and_the_sidecars_key_opens_it() {
    let mut rig = Rig::new(|op| op);
    let own = DemoKey::rsa("decryption");
    let keys = ClientKeys::from_jwks(&rig.client_key.jwks());
    let client = OpClient::new("etjanst", ClientAuth::Key(keys), CALLBACK);
    rig.site.knows(client.encrypted_to(EncryptionKey::from_certificate(own.certificate())));
    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let tokens = rig.exchange(&code, &[]).await.json();
    let token = tokens["id_token"].as_str().unwrap();
    let mut keys = DecryptionKeys::default();
    keys.add(&Secret::new(own.private_pem().into_bytes()), "x").unwrap();
    let opened = Received::parse(token.as_bytes()).unwrap().open(&keys).unwrap().unwrap();
    assert!(opened.token().is_ok());
}

#[tokio::test]
async fn a_logout_is_held_to_the_hint_and_the_clients_are_told() {
    let mut rig = Rig::new(|op| op);
    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let tokens = rig.exchange(&code, &[]).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let logout = |pairs: &[(&str, &str)]| format!("/logout?{}", form::encode(pairs.iter().copied()));
    for bad in [
        &[("id_token_hint", "a.b.c"), ("post_logout_redirect_uri", AFTER)][..],
        &[("id_token_hint", hint), ("post_logout_redirect_uri", "http://annan.localhost/")][..],
        &[("id_token_hint", hint), ("client_id", "annan")][..],
    ] {
        assert_eq!(rig.get(&logout(bad)).await.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    assert!(
        rig.get(&logout(&[])).await.body.contains("Åsa Märta Öberg"),
        "without a hint a person must press a button"
    );
    let good = logout(&[("id_token_hint", hint), ("post_logout_redirect_uri", AFTER), ("state", "s")]);
    let got = rig.get(&good).await;
    assert_eq!((got.status, got.location.as_str()), (StatusCode::SEE_OTHER, &*format!("{AFTER}?state=s")));
    let again = rig.get(&format!("/authorize?{}", query(&[("prompt", "none"), ("max_age", "")]))).await;
    assert_eq!(again.answer("error").as_deref(), Some("login_required"), "the session is over");

    rig.login(&[], OpOutcome::Success).await;
    let notices = rig.site.end_last_session();
    assert_eq!((notices.len(), notices[0].client_id.as_str()), (1, "etjanst"));
    let keys = rig.keys();
    let expect = LogoutExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = Received::parse(notices[0].token.as_bytes()).unwrap().logout_token(&expect, rig.clock.now()).unwrap();
    assert!(token.claims().session_id.is_some() && token.claims().subject.is_some());
    assert!(rig.site.end_last_session().is_empty());
}

#[tokio::test]
async fn a_program_gets_an_access_token_in_its_own_name() {
    let rig = Rig::new(|op| op.for_api("http://etjanst.localhost:8080/api"));
    rig.site.knows(OpClient::program("arendesystem", "demo", &["arenden.read"]));
    let ask = async |secret: &str, scope: &str| {
        let authorization = basic("arendesystem", secret);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let body = form::encode([("grant_type", "client_credentials"), ("scope", scope)]);
        rig.send(Method::POST, "/token", &headers, &body).await
    };
    assert_eq!(ask("gissning", "arenden.read").await.error(), (401, "invalid_client".to_owned()));
    assert_eq!(ask("demo", "arenden.write").await.error(), (400, "invalid_scope".to_owned()));
    let tokens = ask("demo", "arenden.read").await.json();
    let (keys, audience) = (rig.keys(), ["http://etjanst.localhost:8080/api".to_owned()]);
    let expect = AccessTokenExpect {
        issuer: ISSUER,
        audience: &audience,
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        require_at_jwt: true,
        profile: OidcProfile::Generic.rules(),
        level: LevelRules { claim: None, map: &[], when_absent: None, certified: &[], eidas_connector: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = tokens["access_token"].as_str().unwrap();
    let token = Received::parse(token.as_bytes()).unwrap().access_token(&expect, rig.clock.now()).unwrap();
    assert_eq!(token.claims().subject.as_deref(), Some("arendesystem"));
}
