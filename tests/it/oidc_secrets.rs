//! What goes between us and an OpenID provider, looked for in everything that an operator or a stranger can read: codes,
//! states, nonces, tokens, the provider's names for people, our secret there, and the people themselves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use grindvakt_demo::browser::Browser;
use grindvakt_demo::form;
use grindvakt_demo::op::{Dialect, OpOutcome, OpSite};
use grindvakt_demo::serve::Answer;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use crate::support::openid::{By, Op, SECRET, begin, bring};
use crate::support::process::Process;
use crate::support::{Client, World, eventually};

/// Everything that must stay between the two.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    fn add(&self, value: &str) {
        // Shorter ones are words of the protocol.
        if value.len() >= 12 && !value.starts_with("http") {
            self.0.lock().unwrap().insert(value.to_owned());
        }
    }

    /// Every text within a JSON document, and within the tokens that are in it.
    fn add_json(&self, value: &Value) {
        match value {
            Value::String(text) => {
                self.add(text);
                self.add_token(text);
            }
            Value::Array(list) => list.iter().for_each(|item| self.add_json(item)),
            Value::Object(members) => members.values().for_each(|member| self.add_json(member)),
            _ => {}
        }
    }

    fn add_token(&self, text: &str) {
        let claims = text.split('.').nth(1).and_then(|part| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).ok());
        let Some(Value::Object(claims)) = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else { return };
        for (name, claim) in claims {
            // Whom the token is of and for, and at which level, an operator is told.
            if !["iss", "aud", "azp", "acr"].contains(&name.as_str()) {
                self.add_json(&claim);
            }
        }
    }

    /// What the provider is sent, and what it says, on the way past.
    async fn watch(self, site: OpSite, request: Request<Bytes>) -> Option<Answer> {
        let back = ["/token", "/userinfo", "/par"].contains(&request.uri().path());
        for (name, value) in form::parse(&String::from_utf8_lossy(request.body())) {
            if ["code", "code_verifier", "client_assertion", "client_secret"].contains(&name.as_str()) {
                self.add(&value);
            }
        }
        if let Some(value) = request.headers().get("authorization") {
            self.add(value.to_str().unwrap().split(' ').nth(1).unwrap());
        }
        let (head, body) = site.handle(request).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if back {
            match serde_json::from_slice::<Value>(&body) {
                Ok(document) if head.status.is_success() => self.add_json(&document),
                Ok(_) => {}
                Err(_) => self.add_token(&String::from_utf8_lossy(&body)),
            }
        }
        Some(Response::from_parts(head, Full::new(body)))
    }

    /// Fails with every place in which one of them is.
    fn hold(&self, from: &str, text: &str) {
        for secret in self.0.lock().unwrap().iter() {
            assert!(!text.contains(secret.as_str()), "{from}: {secret:.60} in …{text:.2000}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_between_us_and_the_provider_stays_there() {
    for (by, profile, more) in
        [(By::Secret, "oidc-sweden", "pushed_requests = true"), (By::Key, "oidc-sweden", "signed_requests = true")]
    {
        let secrets = Secrets::default();
        let watching = secrets.clone();
        let op = Op::behind(
            "freja-oidc",
            Dialect::Swedish,
            by,
            |op| op,
            move |site, request| watching.clone().watch(site, request),
        )
        .await;
        let mut world = World::new("").await;
        let provider = op.provider(&world, profile, &format!("loa = [\"loa3\"]\n{more}"));
        world.configure(|text| text.to_owned() + &provider).await;
        world.stop().await;
        let process = Process::start_as(world.folder.path(), "grindvakt.toml", &[("RUST_LOG", "trace")]);
        eventually(20, "logins can begin", || async {
            Client::new(process.public).get("/eid/login?eid=freja-oidc&rd=/").await.status.is_redirection()
        })
        .await;
        if by == By::Secret {
            secrets.add(SECRET);
        }
        let mut pages = Vec::new();
        for outcome in OpOutcome::ALL {
            let mut client = Client::new(process.public);
            let location = begin(&mut client, "freja-oidc", "/ansokan/1").await;
            let back = op.visit(&mut Browser::new(), &location, *outcome).await;
            let request = op.site.last_request().unwrap();
            for secret in [&request.state, &request.nonce].into_iter().flatten() {
                secrets.add(secret);
            }
            for (name, value) in form::parse(back.split_once('?').unwrap().1) {
                if ["code", "state"].contains(&name.as_str()) {
                    secrets.add(&value);
                }
            }
            let reply = bring(&mut client, &back).await;
            pages.push((format!("the page after {}", outcome.name()), reply.body));
            pages.push((
                "the answer's address".to_owned(),
                reply.headers.get("location").map_or(String::new(), |v| v.to_str().unwrap().to_owned()),
            ));
            client.cookies.values().for_each(|cookie| secrets.add(cookie));
            if *outcome == OpOutcome::Success {
                pages.push(("the session".to_owned(), client.get("/eid/session").await.body));
                let notice = op.site.end_last_session().remove(0);
                secrets.add(&notice.token);
                secrets.add_token(&notice.token);
                for _ in 0..2 {
                    let told = Client::new(process.public)
                        .post("/eid/oidc/backchannel", &[("logout_token", &notice.token)])
                        .await;
                    pages.push(("the answer to a logout".to_owned(), told.body));
                }
            }
        }
        for path in ["/metrics", "/status", "/status?json", "/readyz"] {
            pages.push((path.to_owned(), Client::new(process.admin).get(path).await.body));
        }
        assert!(process.has_told("login_finished") && process.has_told("login_refused"));
        let lines = process.told();
        assert!(lines.len() > 100, "only {} lines", lines.len());
        pages.extend(lines.into_iter().map(|line| ("the log".to_owned(), line)));
        let known = secrets.0.lock().unwrap().clone();
        // Codes, states, nonces, verifiers, access tokens, ID tokens, cookies, of forty logins.
        assert!(known.len() > 200 && known.contains("195006262546"), "only {} secrets", known.len());
        for (from, text) in pages {
            secrets.hold(&from, &text);
        }
    }
}
