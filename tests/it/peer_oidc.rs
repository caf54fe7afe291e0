//! Logins at an OpenID provider that no one here wrote (feature `peers`): oidc-provider, certified by the OpenID Foundation.
//! It reads our requests, checks who we are, and signs and encrypts its tokens with other code than ours.

use std::net::SocketAddr;
use std::process::Command;

use grindvakt_demo::DemoKey;
use grindvakt_demo::browser::Browser;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::openid::{begin, bring, callback, ready, refused, since};
use crate::support::program::{Program, node};
use crate::support::{BASE, Client, Reply, World, eventually};

const SESSION: &str = "__Host-eid-etjanst";
const LOA2: &str = "http://id.elegnamnden.se/loa/1.0/loa2";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const NUMBER: &str = "https://id.oidc.se/claim/personalIdentityNumber";
const SECRET: &str = "en-hemlighet-av-tillracklig-langd:+&%";

/// The provider.
struct Peer {
    address: SocketAddr,
    issuer: String,
    /// What is configured of it, besides its clients.
    setup: Value,
    client_key: DemoKey,
    program: Program,
}

impl Peer {
    fn start() -> Self {
        let mut command = Command::new(node());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/oidc_op.mjs"));
        command.arg(std::env::var("GRINDVAKT_PEERS_NPM").expect("`make test` sets it"));
        let (program, hello) = Program::start(command, |line| serde_json::from_str::<Value>(line).ok());
        let port = u16::try_from(hello["port"].as_u64().unwrap()).unwrap();
        let issuer = hello["issuer"].as_str().unwrap().to_owned();
        let setup = json!({
            "require_par": false,
            "require_signed_request": false,
            "id_token_seconds": 300,
            "acr_values": [LOA2, LOA3],
            "id_token_claims": true,
            "scopes": {
                "https://id.oidc.se/scope/naturalPersonInfo": ["name", "given_name", "family_name", "birthdate"],
                "https://id.oidc.se/scope/naturalPersonNumber": [NUMBER],
                "profile": [],
            },
            "persons": {
                "asa": { NUMBER: "195006262546", "name": "Åsa Märta Öberg", "given_name": "Åsa Märta",
                         "family_name": "Öberg", "birthdate": "1950-06-26" },
                "nils": { NUMBER: "195207306886", "name": "Nils Ström-O'Hara" },
            },
        });
        let address = ([127, 0, 0, 1], port).into();
        Self { address, issuer, setup, client_key: DemoKey::p256("client"), program }
    }

    async fn order(&self, name: &str, what: &Value) -> Value {
        let reply =
            Client::new(self.address).send(Method::POST, &format!("/control/{name}"), &[], &what.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{name} {what}: {}\n{}", reply.body, self.program.said());
        serde_json::from_str(&reply.body).unwrap()
    }

    /// How the logins that follow end.
    async fn answers(&self, how: &Value) {
        self.order("answer", how).await;
    }

    /// What it has to tell since it was asked the last time, one line an event.
    async fn told(&self) -> Vec<String> {
        let events = self.order("events", &json!({})).await;
        let word = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let line = |event: &Value| format!("{} {} {}", word(event, "event"), word(event, "auth"), word(event, "error"));
        let events = events.as_array().unwrap().iter();
        events.map(|event| line(event).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// The metadata of the service as its client (RFC 7591), with `more`.
    fn client(&self, more: &Value) -> Value {
        let mut client = json!({
            "client_id": "etjanst",
            "redirect_uris": [callback("peer")],
            "post_logout_redirect_uris": [format!("{BASE}/eid/logout?done")],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "request_object_signing_alg": "ES256",
            "jwks": self.client_key.jwks(),
            "userinfo_signed_response_alg": "RS256",
            "backchannel_logout_session_required": true,
        });
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                client.as_object_mut().unwrap().remove(name);
            } else {
                client[name] = value.clone();
            }
        }
        client
    }

    /// From now on it is set up like this.
    async fn knows(&self, client: &Value, more: &Value) {
        let mut setup = self.setup.clone();
        setup["clients"] = json!([client]);
        for (name, value) in more.as_object().unwrap() {
            setup[name] = value.clone();
        }
        self.order("configure", &setup).await;
    }

    /// A sidecar that trusts it, with `more` in its `[[provider]]`.
    async fn join(&self, more: &str, by_secret: bool) -> World {
        let mut world = World::new("").await;
        let write = |name: &str, text: &str| std::fs::write(world.folder.path().join(name), text).unwrap();
        write("client.pem", &self.client_key.private_pem());
        write("client.secret", SECRET);
        let client = if by_secret {
            "client_secret_file = \"client.secret\"".to_owned()
        } else {
            format!("client_key = \"client.pem\"\nclient_key_id = {:?}", self.client_key.kid())
        };
        let provider = format!(
            r#"
[[provider]]
id = "peer"
eid = "peer"
label = "peer"
protocol = "oidc"
profile = "oidc-sweden"
issuer = "{}"
client_id = "etjanst"
loa = ["loa2", "loa3"]
{client}
{more}
"#,
            self.issuer
        );
        world.configure(|text| text.to_owned() + &provider).await;
        ready(&world, &["peer"]).await;
        self.told().await;
        self.answers(&json!({ "acr": LOA3 })).await;
        world
    }

    /// Follows the browser through the provider, until it is led away from there.
    async fn visit(&self, browser: &mut Browser, location: &str) -> String {
        let mut at = location.to_owned();
        for _ in 0..6 {
            assert!(at.starts_with(&format!("{}/", self.issuer)), "{at}");
            let page = browser.once(Method::GET, &at, None, None).await.unwrap();
            let to = page
                .header("location")
                .unwrap_or_else(|| panic!("{} {}\n{}", page.status, page.body, self.program.said()));
            at = grindvakt_demo::browser::resolve(&at, to);
            if at.starts_with(BASE) {
                return at;
            }
        }
        panic!("still there: {at}");
    }

    /// A whole login.
    async fn log_in(&self, client: &mut Client) -> Reply {
        let location = begin(client, "peer", "/ansokan/1").await;
        let back = self.visit(&mut Browser::new(), &location).await;
        bring(client, &back).await
    }
}

/// Lands on the page, and the e-service is told who it is.
async fn arrives(world: &World, peer: &Peer, client: &mut Client, done: &Reply, what: &str) {
    let to = (done.status, done.header("location"));
    let why = refused(world, "peer").await;
    assert_eq!(to, (StatusCode::SEE_OTHER, "/ansokan/1"), "{what}: {why:?} {:?}", peer.told().await);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK, "{what}");
    let seen = world.seen();
    assert_eq!(seen.one("x-eid-personal-number"), "195006262546", "{what}");
    assert_eq!(seen.one("x-eid-name"), "%C3%85sa%20M%C3%A4rta%20%C3%96berg", "{what}");
    assert_eq!((seen.one("x-eid-loa"), seen.one("x-eid-provider")), (LOA3, "peer"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_of_every_kind_that_it_can_make_come_through() {
    let peer = Peer::start();
    let secret = json!({
        "token_endpoint_auth_method": "client_secret_basic", "client_secret": SECRET, "jwks": null,
        "token_endpoint_auth_signing_alg": null, "request_object_signing_alg": null,
    });
    for (what, client, setup, more, events) in [
        ("plain", json!({}), json!({}), "", "authorization | grant private_key_jwt"),
        (
            "pushed",
            json!({}),
            json!({}),
            "pushed_requests = true",
            "pushed private_key_jwt | authorization | grant private_key_jwt",
        ),
        (
            "pushed, as it demands",
            json!({}),
            json!({ "require_par": true }),
            "",
            "pushed private_key_jwt | authorization | grant private_key_jwt",
        ),
        ("signed", json!({}), json!({}), "signed_requests = true", "authorization | grant private_key_jwt"),
        (
            "signed, as it demands",
            json!({}),
            json!({ "require_signed_request": true }),
            "",
            "authorization | grant private_key_jwt",
        ),
        (
            "signed and pushed",
            json!({}),
            json!({ "require_par": true }),
            "signed_requests = true",
            "pushed private_key_jwt | authorization | grant private_key_jwt",
        ),
        ("by a secret", secret.clone(), json!({}), "", "authorization | grant client_secret_basic"),
        (
            "by a secret, pushed",
            secret,
            json!({ "require_par": true }),
            "",
            "pushed client_secret_basic | authorization | grant client_secret_basic",
        ),
    ] {
        peer.knows(&peer.client(&client), &setup).await;
        let mut world = peer.join(more, what.starts_with("by a secret")).await;
        let mut client = Client::new(world.public());
        let done = peer.log_in(&mut client).await;
        assert_eq!(peer.told().await.join(" | "), events, "{what}");
        arrives(&world, &peer, &mut client, &done, what).await;
        world.stop().await;
    }
    // Every algorithm of the allow-list that it has keys for.
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let own = json!({ "id_token_signed_response_alg": algorithm, "userinfo_signed_response_alg": algorithm });
        peer.knows(&peer.client(&own), &json!({})).await;
        let mut world = peer.join("", false).await;
        let mut client = Client::new(world.public());
        let done = peer.log_in(&mut client).await;
        arrives(&world, &peer, &mut client, &done, algorithm).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_id_tokens_are_opened() {
    let peer = Peer::start();
    let own = DemoKey::rsa("decryption");
    for (alg, enc, taken) in [
        ("RSA-OAEP-256", "A256GCM", true),
        ("RSA-OAEP-256", "A128GCM", true),
        ("RSA-OAEP", "A256GCM", true),
        ("RSA-OAEP", "A128GCM", true),
        ("RSA-OAEP-256", "A128CBC-HS256", false),
    ] {
        let mut jwk = own.jwk();
        (jwk["use"], jwk["alg"]) = (json!("enc"), json!(alg));
        let mut keys = peer.client_key.jwks();
        keys["keys"].as_array_mut().unwrap().push(jwk);
        let how =
            json!({ "jwks": keys, "id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc });
        peer.knows(&peer.client(&how), &json!({})).await;
        let mut world = peer.join("encryption = \"required\"", false).await;
        std::fs::write(world.folder.path().join("sp-decrypt.pem"), own.private_pem()).unwrap();
        world.configure(|text| text.replacen("[keys]", "[keys]\ndecryption = [\"sp-decrypt.pem\"]", 1)).await;
        ready(&world, &["peer"]).await;
        let mut client = Client::new(world.public());
        let done = peer.log_in(&mut client).await;
        if taken {
            arrives(&world, &peer, &mut client, &done, &format!("{alg} {enc}")).await;
        } else {
            assert_eq!(since(&Default::default(), &refused(&world, "peer").await), ["encryption_algorithm"]);
        }
        world.stop().await;
    }
    peer.knows(&peer.client(&json!({})), &json!({})).await;
    let mut world = peer.join("encryption = \"required\"", false).await;
    peer.log_in(&mut Client::new(world.public())).await;
    assert_eq!(since(&Default::default(), &refused(&world, "peer").await), ["token_not_encrypted"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_badly_there_is_told_by_its_code_here() {
    let peer = Peer::start();
    peer.knows(&peer.client(&json!({})), &json!({})).await;
    let mut world = peer.join("", false).await;
    for (how, status, code) in [
        (json!({ "error": "access_denied", "error_description": "User cancelled" }), 403, "status_cancel"),
        (json!({ "error": "access_denied" }), 403, "status_cancel"),
        (json!({ "error": "login_required" }), 403, "status_authn_failed"),
        (json!({ "error": "interaction_required" }), 403, "status_authn_failed"),
        (json!({ "error": "unmet_authentication_requirements" }), 403, "status_no_authn_context"),
        (json!({ "error": "server_error" }), 503, "provider_failed"),
        (json!({ "error": "temporarily_unavailable" }), 503, "provider_failed"),
        (json!({ "error": "invalid_request" }), 403, "request_refused"),
        (json!({ "acr": LOA3, "auth_time": 1_700_000_000 }), 403, "authn_too_old"),
        (json!({ "acr": LOA3, "account": "nobody-with-a-number" }), 403, "required_attribute_missing"),
    ] {
        peer.answers(&how).await;
        let before = refused(&world, "peer").await;
        let mut client = Client::new(world.public());
        let reply = peer.log_in(&mut client).await;
        let codes = since(&before, &refused(&world, "peer").await).join(" ");
        assert_eq!((reply.status.as_u16(), codes.as_str()), (status, code), "{how}: {:?}", peer.told().await);
        assert!(!client.cookies.contains_key(SESSION), "{how}");
    }
    // A level that is too low: it asks for another login itself, as an essential level wants it, without end.
    peer.answers(&json!({ "acr": LOA2 })).await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "peer", "/ansokan/1").await;
    let mut browser = Browser::new();
    assert!(browser.open(&location).await.is_err(), "redirects without end: an essential level binds it");

    // A code twice: the provider, which would take back what it gave, is not shown it again.
    peer.answers(&json!({ "acr": LOA3 })).await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "peer", "/ansokan/1").await;
    let back = peer.visit(&mut Browser::new(), &location).await;
    let mut twice = client.clone();
    let done = bring(&mut client, &back).await;
    arrives(&world, &peer, &mut client, &done, "the first time").await;
    peer.told().await;
    let before = refused(&world, "peer").await;
    assert!(bring(&mut twice, &back).await.status.is_client_error());
    assert_eq!(since(&before, &refused(&world, "peer").await), ["login_consumed"]);
    assert_eq!(peer.told().await, [""; 0]);
    let again = bring(&mut client, &back).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "the state is gone from the browser that used it");

    // At once: it comes in by the first of them.
    let mut one = Client::new(world.public());
    let location = begin(&mut one, "peer", "/ansokan/1").await;
    let back = peer.visit(&mut Browser::new(), &location).await;
    let mut two = one.clone();
    let done = tokio::join!(bring(&mut one, &back), bring(&mut two, &back));
    let mut statuses = [done.0.status.as_u16(), done.1.status.as_u16()];
    statuses.sort_unstable();
    // The other is told to wait, or, when it comes last, that it is done with.
    assert!(matches!(statuses, [303, 403 | 409]), "{statuses:?}");
    assert_eq!([&one, &two].iter().filter(|client| client.cookies.contains_key(SESSION)).count(), 1);

    // The state of another login, and of none.
    let (mut mine, mut theirs) = (Client::new(world.public()), Client::new(world.public()));
    let location = begin(&mut mine, "peer", "/ansokan/1").await;
    begin(&mut theirs, "peer", "/ansokan/1").await;
    let back = peer.visit(&mut Browser::new(), &location).await;
    assert_eq!(bring(&mut theirs, &back).await.status, StatusCode::BAD_REQUEST);
    let cut = back.replace("state=", "state=x");
    assert_eq!(bring(&mut mine.clone(), &cut).await.status, StatusCode::BAD_REQUEST);
    let elsewhere = back.replace("iss=", "iss=https%3A%2F%2Fannan.example.se%2F");
    let before = refused(&world, "peer").await;
    assert_eq!(bring(&mut mine.clone(), &elsewhere).await.status, StatusCode::FORBIDDEN);
    assert_eq!(since(&before, &refused(&world, "peer").await), ["issuer_mismatch"]);
    assert_eq!(bring(&mut mine, &back).await.status, StatusCode::SEE_OTHER, "and then the right one");

    // It knows us by another key, or not at all: our side's fault, in words of its own.
    let stranger = json!({ "jwks": DemoKey::p256("stranger").jwks() });
    for (client, code) in [(peer.client(&stranger), "client_refused"), (peer.client(&json!({})), "")] {
        peer.knows(&client, &json!({})).await;
        let before = refused(&world, "peer").await;
        let reply = peer.log_in(&mut Client::new(world.public())).await;
        assert_eq!(
            since(&before, &refused(&world, "peer").await).join(" "),
            code,
            "{} {:?}",
            reply.status,
            peer.told().await
        );
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_profile_forbids_is_refused_though_it_is_certified() {
    let peer = Peer::start();
    for (client, setup, code) in [
        (json!({}), json!({ "id_token_seconds": 3600 }), "lifetime_too_long"),
        (json!({ "userinfo_signed_response_alg": null }), json!({}), "userinfo_not_signed"),
        (json!({}), json!({ "id_token_claims": false }), ""),
    ] {
        peer.knows(&peer.client(&client), &setup).await;
        let mut world = peer.join("", false).await;
        peer.log_in(&mut Client::new(world.public())).await;
        let codes = since(&Default::default(), &refused(&world, "peer").await).join(" ");
        assert_eq!(codes, code, "{client} {setup}");
        world.stop().await;
    }
    // What it signs with is not on the list of this provider.
    peer.knows(&peer.client(&json!({ "id_token_signed_response_alg": "PS256" })), &json!({})).await;
    let mut world = peer.join("algorithms = [\"RS256\", \"ES256\"]", false).await;
    peer.log_in(&mut Client::new(world.public())).await;
    assert_eq!(since(&Default::default(), &refused(&world, "peer").await), ["signature_algorithm"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_in_mid_use() {
    let peer = Peer::start();
    peer.knows(&peer.client(&json!({})), &json!({})).await;
    let mut world = peer.join("", false).await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, "peer", "/ansokan/1").await;
    // New keys while the person is on the way, the old ones gone.
    peer.order("rotate", &json!({})).await;
    let back = peer.visit(&mut Browser::new(), &location).await;
    let done = bring(&mut client, &back).await;
    arrives(&world, &peer, &mut client, &done, "without the old ones").await;
    // And the next ones announced beside the old ones: nothing is left to a cooldown, the sidecar looks once more.
    world.configure(str::to_owned).await;
    ready(&world, &["peer"]).await;
    peer.order("rotate", &json!({ "keep": true })).await;
    let mut client = Client::new(world.public());
    let done = peer.log_in(&mut client).await;
    arrives(&world, &peer, &mut client, &done, "beside the old ones").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_there_is_a_logout_here() {
    let peer = Peer::start();
    peer.knows(&peer.client(&json!({})), &json!({})).await;
    let mut world = peer.join("", false).await;
    let backchannel = json!({ "backchannel_logout_uri": format!("http://{}/eid/oidc/backchannel", world.public()) });
    peer.knows(&peer.client(&backchannel), &json!({})).await;
    let (mut client, mut browser) = (Client::new(world.public()), Browser::new());
    let location = begin(&mut client, "peer", "/ansokan/1").await;
    let back = peer.visit(&mut browser, &location).await;
    let done = bring(&mut client, &back).await;
    arrives(&world, &peer, &mut client, &done, "before").await;
    let mut elsewhere = Client::new(world.public());
    let done = peer.log_in(&mut elsewhere).await;
    arrives(&world, &peer, &mut elsewhere, &done, "another browser").await;

    // The person logs out at the provider.
    peer.told().await;
    let page = browser.open(&format!("{}/session/end", peer.issuer)).await.unwrap();
    let page = browser.press(&page).await.unwrap();
    assert!(page.body.contains("logged out"), "{}", page.body);
    assert_eq!(peer.told().await, ["backchannel", "end_session"]);
    eventually(5, "the session is over", || async {
        client.clone().get("/ansokan/1").await.status == StatusCode::SEE_OTHER
    })
    .await;
    assert_eq!(elsewhere.get("/ansokan/1").await.status, StatusCode::OK, "another session is another session");

    // The person logs out here, and is led to the provider, whose own session ends too.
    let (mut client, mut browser) = (Client::new(world.public()), Browser::new());
    let location = begin(&mut client, "peer", "/ansokan/1").await;
    let back = peer.visit(&mut browser, &location).await;
    bring(&mut client, &back).await;
    let out = client.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    let there = grindvakt_demo::form::links(&out.body).into_iter().find(|link| link.starts_with(&peer.issuer));
    let page = browser.open(&there.unwrap_or_else(|| panic!("no way to the provider in {}", out.body))).await.unwrap();
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let form = page.forms().remove(0);
    let body = grindvakt_demo::form::encode(form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let url = grindvakt_demo::browser::resolve(&page.url, &form.action);
    let page = browser.once(Method::POST, &url, Some(&body), Some(&page.url)).await.unwrap();
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    let home = page.header("location").unwrap();
    assert!(home.starts_with(&format!("{BASE}/eid/logout?done")), "{home}");
    let page = bring(&mut client, home).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(peer.told().await.contains(&"end_session".to_owned()));
    world.stop().await;
}
