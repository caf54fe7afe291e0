//! A client of the provider, and the provider without a network.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use grindvakt::base::{Clock as _, ManualClock, UnixTime};
use grindvakt::verify::jose::{EndpointError, KeySet};
use grindvakt_demo::op::jose::{Claims, s256};
use grindvakt_demo::op::{ClientAuth, ClientKeys, DemoOp, Dialect, OpClient, OpOutcome, OpSite};
use grindvakt_demo::{DemoKey, form};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

pub const ISSUER: &str = "http://freja-oidc.localhost:8084";
pub const CALLBACK: &str = "http://etjanst.localhost:8080/eid/oidc/callback/freja-oidc";
pub const AFTER: &str = "http://etjanst.localhost:8080/";
pub const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
pub const STATE: &str = "a-state-of-at-least-128-bits";
pub const VERIFIER: &str = "a-verifier-that-is-as-long-as-the-standard-demands";
pub const SCOPES: &str =
    "openid https://id.oidc.se/scope/naturalPersonInfo https://id.oidc.se/scope/naturalPersonNumber";

/// RSA keys take a tenth of a second each: the tests share them.
pub static OP_KEY: LazyLock<Arc<DemoKey>> = LazyLock::new(|| Arc::new(DemoKey::rsa("op")));

pub struct Rig {
    pub site: OpSite,
    pub clock: ManualClock,
    pub client_key: DemoKey,
    pub cookie: Option<String>,
}

pub struct Got {
    pub status: StatusCode,
    pub location: String,
    pub kind: String,
    pub cookie: Option<String>,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// Status and `error` of a back endpoint's refusal.
    pub fn error(&self) -> (u16, String) {
        let code = EndpointError::read(self.body.as_bytes()).map(|error| error.code);
        (self.status.as_u16(), code.unwrap_or_default())
    }

    /// What came back to the client.
    pub fn answer(&self, name: &str) -> Option<String> {
        let (address, query) = self.location.split_once('?')?;
        assert_eq!(address, CALLBACK);
        form::get(&form::parse(query), name).map(str::to_owned)
    }
}

impl Rig {
    pub fn new(change: impl FnOnce(DemoOp) -> DemoOp) -> Self {
        let clock = ManualClock::at(UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap());
        let op = change(DemoOp::new(ISSUER, "Freja", Dialect::Swedish, Arc::clone(&OP_KEY)));
        let site = OpSite::new(op, Arc::new(clock.clone()));
        let client_key = DemoKey::p256("client");
        let keys = ClientKeys::from_jwks(&client_key.jwks());
        site.knows(OpClient::new("etjanst", ClientAuth::Key(keys), CALLBACK).after_logout(AFTER));
        Self { site, clock, client_key, cookie: None }
    }

    pub fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    pub async fn send(&self, method: Method, target: &str, headers: &[(&str, &str)], body: &str) -> Got {
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

    pub async fn get(&self, target: &str) -> Got {
        self.send(Method::GET, target, &[], "").await
    }

    pub async fn post(&self, target: &str, fields: &[(&str, &str)]) -> Got {
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send(Method::POST, target, &[form], &form::encode(fields.iter().copied())).await
    }

    /// `client_assertion` of the client, with its claims changed.
    pub fn assertion(&self, key: &DemoKey, change: impl FnOnce(&mut Claims)) -> [(&'static str, String); 2] {
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
    pub async fn login(&mut self, change: &[(&str, &str)], outcome: OpOutcome) -> Got {
        let page = self.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(page.status, StatusCode::OK, "{} {}", page.location, page.body);
        self.choose(&page, outcome).await
    }

    pub async fn choose(&mut self, page: &Got, outcome: OpOutcome) -> Got {
        let form = form::forms(&page.body).remove(0).fill("outcome", outcome.name());
        let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let got = self.post(&form.action, &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.body);
        self.cookie = got.cookie.clone();
        got
    }

    pub async fn exchange(&self, code: &str, change: &[(&str, &str)]) -> Got {
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

    pub async fn userinfo(&self, access_token: &str) -> Got {
        self.send(Method::GET, "/userinfo", &[("authorization", &format!("Bearer {access_token}"))], "").await
    }

    pub fn keys(&self) -> KeySet {
        KeySet::parse(self.site.op().jwks().to_string().as_bytes()).unwrap().0
    }
}

pub fn replace<'a>(fields: &mut Vec<(&'a str, &'a str)>, change: &[(&'a str, &'a str)]) {
    for (name, value) in change {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
}

pub fn query(change: &[(&str, &str)]) -> String {
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
