//! Logins at an identity provider that no one here wrote (feature `peers`): pysaml2 with libxmlsec1. It reads our
//! metadata, checks our requests, and signs and encrypts its answers with other code than ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use grindvakt::crypto::own::{generate_p256_pem, generate_rsa_pem};
use grindvakt_demo::DemoKey;
use grindvakt_demo::form::{self, Form};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::browser::Profile;
use crate::support::program::{Program, python};
use crate::support::web::{demo_world, story};
use crate::support::{Client, Reply, World};

pub const BASE: &str = "https://pysaml2.example.net";
const SESSION: &str = "__Host-eid-etjanst";

/// The provider, once a sidecar trusts it.
pub struct Peer {
    pub address: SocketAddr,
    pub program: Program,
}

impl Peer {
    /// Starts it, and puts it into a world's configuration; `more` goes into that of the provider.
    async fn join(world: &mut World, more: &str) -> Self {
        Self::with_logout(world, more, &[]).await
    }

    /// The same, with single logout by each of `bindings`.
    pub async fn with_logout(world: &mut World, more: &str, bindings: &[&str]) -> Self {
        let folder = world.folder.path().to_owned();
        std::fs::create_dir(folder.join("peer")).unwrap();
        let mut command = Command::new(python());
        command.args(["-W", "ignore", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/saml_idp.py"), BASE]);
        command.arg(folder.join("peer")).args(bindings);
        let (program, hello) = Program::start(command, |line| serde_json::from_str::<Value>(line).ok());
        std::fs::write(folder.join("peer.xml"), hello["metadata"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join("peer.crt"), hello["signer"].as_str().unwrap()).unwrap();
        // It checks a signed query by itself, and knows RSA only there.
        for name in ["sp.pem", "sp-decrypt.pem"] {
            std::fs::write(folder.join(name), generate_rsa_pem().unwrap().expose()).unwrap();
        }
        let provider = format!(
            r#"
[[metadata]]
id = "peer"
file = "peer.xml"
signer = ["peer.crt"]
[[provider]]
id = "pysaml2"
eid = "pysaml2"
label = "pysaml2"
protocol = "saml"
entity_id = "{BASE}/idp"
metadata = "peer"
{more}
"#
        );
        world
            .configure(|text| text.replacen("[keys]", "[keys]\ndecryption = [\"sp-decrypt.pem\"]", 1) + &provider)
            .await;
        let port = u16::try_from(hello["port"].as_u64().unwrap()).unwrap();
        let peer = Self { address: ([127, 0, 0, 1], port).into(), program };
        peer.learns(world).await;
        peer
    }

    /// It fetches our metadata, as its operator would have it do.
    async fn learns(&self, world: &World) {
        let url = format!("http://{}/eid/saml/metadata", world.public());
        self.tell("/know", &json!({ "url": url })).await;
    }

    /// How it is to answer from now on.
    pub async fn answers(&self, how: &Value) {
        self.tell("/answer", how).await;
    }

    pub async fn tell(&self, path: &str, what: &Value) -> Reply {
        let reply = Client::new(self.address).send(Method::POST, path, &[], &what.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{path} {what}: {}\n{}", reply.body, self.program.said());
        reply
    }

    /// What it says to a request by HTTP-Redirect.
    pub async fn redirect(&self, target: &str) -> Reply {
        Client::new(self.address).get(target).await
    }

    /// What it says to a request by HTTP-POST.
    async fn post(&self, fields: &[(&str, &str)]) -> Reply {
        Client::new(self.address).post("/sso", fields).await
    }

    /// A whole login by HTTP-Redirect.
    pub async fn log_in(&self, client: &mut Client) -> Reply {
        let target = begin(client).await;
        let page = self.redirect(&target).await;
        assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.body, self.program.said());
        carry(client, &page).await
    }
}

/// Begins a login by HTTP-Redirect: what the browser then asks the provider for.
async fn begin(client: &mut Client) -> String {
    let reply = client.get("/eid/login?eid=pysaml2&rd=/ansokan/1").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").strip_prefix(BASE).unwrap().to_owned()
}

/// Begins a login by HTTP-POST: the form that the browser then sends.
async fn begin_by_post(client: &mut Client) -> Form {
    let page = client.get("/eid/login?eid=pysaml2&rd=/ansokan/1").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    form::forms(&page.body).into_iter().next().expect("a form")
}

/// Posts the form on the provider's page, as its script does.
async fn carry(client: &mut Client, page: &Reply) -> Reply {
    let form = form::forms(&page.body).into_iter().next().expect("a form");
    let fields: Vec<(&str, &str)> =
        ["SAMLResponse", "RelayState"].into_iter().filter_map(|name| Some((name, form.field(name)?))).collect();
    client.post("/eid/saml/acs", &fields).await
}

/// How often its logins were refused, by code.
async fn refused(world: &World) -> BTreeMap<String, u64> {
    let metrics = Client::new(world.admin()).get("/metrics").await.body;
    let lines = metrics.lines().filter(|line| line.starts_with("grindvakt_logins_refused_total{"));
    let lines = lines.filter(|line| line.contains("provider=\"pysaml2\"") && !line.ends_with(" 0"));
    let one = |line: &str| {
        let code = line.split_once("code=\"")?.1.split_once('"')?.0.to_owned();
        Some((code, line.rsplit_once(' ')?.1.parse().ok()?))
    };
    lines.map(|line| one(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// `profile = "federation"`, the default: it keeps every rule of the Swedish profile.
#[tokio::test]
async fn encrypted_logins_of_every_kind_that_it_can_make_come_through() {
    let mut world = World::new("").await;
    let peer = Peer::join(&mut world, "").await;
    for how in [
        json!({}),
        json!({ "encrypt": "aes128-gcm" }),
        json!({ "encrypt": "aes256-cbc" }),
        json!({ "encrypt": "aes128-cbc" }),
        json!({ "sign_assertion": true }),
        json!({ "sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha512" }),
        json!({ "lifetime": 60 }),
    ] {
        peer.answers(&how).await;
        let mut client = Client::new(world.public());
        let reply = peer.log_in(&mut client).await;
        assert_eq!(
            (reply.status, reply.header("location")),
            (StatusCode::SEE_OTHER, "/ansokan/1"),
            "{how}: {:?}",
            refused(&world).await
        );
        assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
        let seen = world.seen();
        assert_eq!(seen.one("x-eid-personal-number"), "195006262546");
        assert_eq!(seen.one("x-eid-name"), "%C3%85sa%20M%C3%A4rta%20%C3%96berg");
        assert_eq!(seen.one("x-eid-loa"), "http://id.elegnamnden.se/loa/1.0/loa3");
        assert_eq!((seen.one("x-eid-method"), seen.one("x-eid-provider")), ("pysaml2", "pysaml2"));
        assert!(seen.one("x-eid-subject").starts_with("personal-number:"));
    }
    assert!(refused(&world).await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn what_it_can_be_told_to_do_wrong_is_refused_by_its_code() {
    let mut world = World::new("").await;
    let peer = Peer::join(&mut world, "").await;
    let stranger = base64_simd::STANDARD.encode_to_string(DemoKey::rsa("stranger").certificate());
    let mut expected = BTreeMap::new();
    for (how, code) in [
        (json!({ "sign_response": false }), "signature_missing"),
        (json!({ "sign_response": false, "sign_assertion": true }), "signature_missing"),
        (json!({ "encrypt": null }), "assertion_not_encrypted"),
        (json!({ "encrypt": "tripledes" }), "encryption_algorithm"),
        (json!({ "encrypt_to": stranger }), "assertion_undecryptable"),
        // An assertion that leans on the declarations around it (docs/decisions/0009).
        (json!({ "self_contained": false }), "xml_bad_namespace"),
        (json!({ "sign_alg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }), "signature_algorithm"),
        (json!({ "digest_alg": "http://www.w3.org/2000/09/xmldsig#sha1" }), "signature_algorithm"),
        (json!({ "issuer": "https://bankid.example.com/idp" }), "issuer_mismatch"),
        (json!({ "acs": "https://annan.example.se/eid/saml/acs" }), "destination_mismatch"),
        (json!({ "audience": "https://annan.example.se/sp" }), "audience_mismatch"),
        (json!({ "in_response_to": "_annan" }), "in_response_to_mismatch"),
        (json!({ "lifetime": -10 }), "expired"),
        (json!({ "loa": "http://id.elegnamnden.se/loa/1.0/loa2" }), "loa_not_requested"),
        (json!({ "loa": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified" }), "loa_not_requested"),
        (json!({ "without": ["personalIdentityNumber"] }), "required_attribute_missing"),
        (json!({ "status": "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed" }), "status_authn_failed"),
        (json!({ "status": "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext" }), "status_no_authn_context"),
        (json!({ "status": "http://id.elegnamnden.se/status/1.0/cancel" }), "status_cancel"),
    ] {
        peer.answers(&how).await;
        let mut client = Client::new(world.public());
        let reply = peer.log_in(&mut client).await;
        assert!(reply.status.is_client_error(), "{how}: {}", reply.status);
        assert!(!client.cookies.contains_key(SESSION), "{how}: a refusal left a session");
        *expected.entry(code.to_owned()).or_default() += 1;
        assert_eq!(refused(&world).await, expected, "{how}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_broker_that_signs_the_assertion_only_is_taken_where_the_configuration_says_so() {
    let mut world = World::new("").await;
    let peer = Peer::join(&mut world, "profile = \"saml-core\"\nsigned = \"assertion\"").await;
    let mut expected = BTreeMap::new();
    for (how, code) in [
        (json!({ "sign_response": false, "sign_assertion": true }), None),
        (json!({ "sign_response": true, "sign_assertion": true }), None),
        (json!({ "sign_response": true, "sign_assertion": false }), Some("signature_missing")),
        (json!({ "sign_response": false, "sign_assertion": false }), Some("signature_missing")),
        // Without a signature around it, padding could be an oracle.
        (
            json!({ "sign_response": false, "sign_assertion": true, "encrypt": "aes256-cbc" }),
            Some("encryption_algorithm"),
        ),
    ] {
        peer.answers(&how).await;
        let mut client = Client::new(world.public());
        let reply = peer.log_in(&mut client).await;
        if let Some(code) = code {
            *expected.entry(code.to_owned()).or_default() += 1;
        }
        assert_eq!(refused(&world).await, expected, "{how}");
        assert_eq!(reply.status == StatusCode::SEE_OTHER, code.is_none(), "{how}");
        assert_eq!(client.cookies.contains_key(SESSION), code.is_none(), "{how}");
    }
    world.stop().await;
}

#[tokio::test]
async fn it_checks_the_signature_of_our_query_and_takes_no_other() {
    let mut world = World::new("").await;
    let peer = Peer::join(&mut world, "").await;
    let mut client = Client::new(world.public());
    let good = begin(&mut client).await;
    let value = |name: &str| {
        let pair = good.split(['?', '&']).find(|pair| pair.starts_with(&format!("{name}="))).unwrap();
        pair.split_once('=').unwrap().1.to_owned()
    };
    let (message, signature) = (value("SAMLRequest"), value("Signature"));
    let other = begin(&mut Client::new(world.public())).await;
    let other = other.split_once("SAMLRequest=").unwrap().1.split('&').next().unwrap();
    let rsa_sha512 = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha512";
    for (what, target) in [
        ("another request", good.replace(&message, other)),
        ("another RelayState", good.replace(&value("RelayState"), &"A".repeat(35))),
        ("another algorithm", good.replace(&value("SigAlg"), rsa_sha512)),
        ("no signature", good.replace(&format!("&Signature={signature}"), "")),
        ("no algorithm", good.replace(&format!("&SigAlg={}", value("SigAlg")), "")),
        ("half a signature", good.replace(&signature, &signature[..signature.len() / 2])),
    ] {
        assert_ne!(target, good, "{what}");
        let reply = peer.redirect(&target).await;
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::FORBIDDEN, "IncorrectlySigned"), "{what}");
    }
    // A request of ours to another provider, signed as it should be.
    let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/1").await;
    let query = reply.header("location").split_once('?').unwrap().1;
    let reply = peer.redirect(&format!("/sso?{query}")).await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::FORBIDDEN, "OtherError"), "{}", peer.program.said());
    // The good one is taken; one by another key only once our metadata has said so.
    let page = peer.redirect(&good).await;
    assert_eq!(carry(&mut client, &page).await.status, StatusCode::SEE_OTHER);
    std::fs::write(world.folder.path().join("sp.pem"), generate_rsa_pem().unwrap().expose()).unwrap();
    world.configure(str::to_owned).await;
    let mut client = Client::new(world.public());
    let reply = peer.redirect(&begin(&mut client).await).await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::FORBIDDEN, "IncorrectlySigned"));
    peer.learns(&world).await;
    assert_eq!(peer.log_in(&mut client).await.status, StatusCode::SEE_OTHER);
    world.stop().await;
}

#[tokio::test]
async fn it_checks_the_signature_within_our_form_and_takes_no_other() {
    let mut world = World::new("").await;
    let peer = Peer::join(&mut world, "binding = \"post\"").await;
    let mut client = Client::new(world.public());
    let good = begin_by_post(&mut client).await;
    let (message, relay_state) = (good.field("SAMLRequest").unwrap(), good.field("RelayState").unwrap());
    let xml = String::from_utf8(base64_simd::STANDARD.decode_to_vec(message).unwrap()).unwrap();
    let (start, end) = (xml.find("<ds:Signature ").unwrap(), xml.find("</ds:Signature>").unwrap());
    let unsigned = format!("{}{}", &xml[..start], &xml[end + "</ds:Signature>".len()..]);
    for (what, bent) in [
        ("forced no more", xml.replacen("ForceAuthn=\"true\"", "ForceAuthn=\"false\"", 1)),
        ("another level", xml.replacen("/loa3<", "/loa2<", 1)),
        ("another way back", xml.replacen("/eid/saml/acs", "/eid/saml/acs2", 1)),
        ("unsigned", unsigned),
    ] {
        assert_ne!(bent, xml, "{what}");
        let bent = base64_simd::STANDARD.encode_to_string(bent);
        let reply = peer.post(&[("SAMLRequest", &bent), ("RelayState", relay_state)]).await;
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::FORBIDDEN, "IncorrectlySigned"), "{what}");
    }
    let page = peer.post(&[("SAMLRequest", message), ("RelayState", relay_state)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.body, peer.program.said());
    assert_eq!(carry(&mut client, &page).await.status, StatusCode::SEE_OTHER);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    assert_eq!(world.seen().one("x-eid-personal-number"), "195006262546");
    // A P-256 key signs forms as well; only a query it cannot check by one.
    std::fs::write(world.folder.path().join("sp.pem"), generate_p256_pem().unwrap().expose()).unwrap();
    world.configure(str::to_owned).await;
    peer.learns(&world).await;
    let mut client = Client::new(world.public());
    let form = begin_by_post(&mut client).await;
    let fields = ["SAMLRequest", "RelayState"].map(|name| (name, form.field(name).unwrap()));
    let page = peer.post(&fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.body, peer.program.said());
    assert_eq!(carry(&mut client, &page).await.status, StatusCode::SEE_OTHER);
    world.stop().await;
}

/// The same provider with a browser in between: every hop is a real one.
#[tokio::test]
async fn a_browser_logs_in_there() {
    for binding in ["redirect", "post"] {
        let mut world = demo_world("").await;
        let peer = Peer::join(&mut world, &format!("binding = \"{binding}\"")).await;
        story(&format!("pysaml2-{binding}"), world, async move |web| {
            web.host(BASE.trim_start_matches("https://"), peer.address).await;
            let browser = web.browser(&Profile::default()).await;
            browser.open("https://etjanst.example.se/ansokan").await;
            browser.press("#eid-pysaml2").await;
            browser.arrives("https://etjanst.example.se/ansokan").await;
            browser.shows("main p strong", "Åsa Märta Öberg").await;
        })
        .await;
    }
}
