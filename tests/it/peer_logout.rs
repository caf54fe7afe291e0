//! Single logout with a provider that no one here wrote (feature `peers`): pysaml2 with libxmlsec1. It makes the orders, judges
//! our answers, and carries out our own orders.

use std::time::Duration;

use grindvakt_demo::form;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::peer_saml::{BASE as PEER, Peer};
use crate::support::{BASE, Client, Reply, World};

const SESSION: &str = "__Host-eid-etjanst";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// A provider with single logout by these bindings, whose answers to logins are in clear.
async fn joined(bindings: &[&str]) -> (World, Peer) {
    let mut world = World::new("").await;
    let peer = Peer::with_logout(&mut world, "encryption = \"optional\"", bindings).await;
    peer.answers(&json!({ "encrypt": null })).await;
    (world, peer)
}

async fn signed_in(world: &World, peer: &Peer) -> Client {
    let mut client = Client::new(world.public());
    let reply = peer.log_in(&mut client).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    client
}

async fn is_out(client: &Client) -> bool {
    client.clone().xhr().get("/ansokan/1").await.status == StatusCode::UNAUTHORIZED
}

/// Has a browser carry an order of the provider to the sidecar.
async fn carried(order: &Value, browser: &mut Client) -> Reply {
    match order["page"].as_str() {
        None => browser.get(order["address"].as_str().unwrap().strip_prefix(BASE).unwrap()).await,
        Some(page) => {
            let form = form::forms(page).remove(0);
            assert_eq!(form.action, format!("{BASE}/eid/saml/logout"));
            let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            browser.post("/eid/saml/logout", &fields).await
        }
    }
}

/// Has it carry our answer back: what the provider makes of it.
async fn judged(peer: &Peer, reply: &Reply) -> Value {
    let mut there = Client::new(peer.address);
    let verdict = match reply.status {
        StatusCode::SEE_OTHER => there.get(reply.header("location").strip_prefix(PEER).unwrap()).await,
        _ => {
            let form = form::forms(&reply.body).into_iter().find(|form| form.field("SAMLResponse").is_some());
            let form = form.unwrap_or_else(|| panic!("no answer goes out: {}", reply.body));
            assert_eq!(form.action, format!("{PEER}/slo"));
            let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            there.post("/slo", &fields).await
        }
    };
    assert_eq!(verdict.status, StatusCode::OK, "{}\n{}", verdict.body, peer.program.said());
    serde_json::from_str(&verdict.body).unwrap()
}

#[tokio::test]
async fn its_orders_end_sessions_and_it_takes_our_answers() {
    // Our answer goes by Redirect where it takes that, else by POST.
    for bindings in [&["redirect", "post"][..], &["post"]] {
        let (mut world, peer) = joined(bindings).await;
        for binding in ["redirect", "post"] {
            // Without a space: it holds signatures against a query that it writes anew, with `+` for one.
            // The session of the last login, by its SessionIndex; and everything of the person.
            let (first, second) = (signed_in(&world, &peer).await, signed_in(&world, &peer).await);
            let told = json!({ "binding": binding, "relay_state": "a-state+more=" });
            let order: Value = serde_json::from_str(&peer.tell("/order", &told).await.body).unwrap();
            let mut browser = Client::new(world.public());
            let reply = carried(&order, &mut browser).await;
            let verdict = judged(&peer, &reply).await;
            assert_eq!(verdict["in_response_to"], order["id"]);
            assert_eq!(
                (verdict["status"].clone(), &verdict["relay_state"]),
                (json!([SUCCESS]), &json!("a-state+more="))
            );
            assert_eq!(verdict["issuer"], format!("{BASE}/sp"));
            assert!(is_out(&second).await && !is_out(&first).await, "{bindings:?} {binding}");

            let told = json!({ "binding": binding, "sessions": [] });
            let order: Value = serde_json::from_str(&peer.tell("/order", &told).await.body).unwrap();
            let mut own = first.clone();
            let reply = carried(&order, &mut own).await;
            assert!(!own.cookies.contains_key(SESSION), "its own browser is cleaned");
            assert_eq!(judged(&peer, &reply).await["status"], json!([SUCCESS]));
            assert!(is_out(&first).await, "{bindings:?} {binding}");
            // It tells instants in whole seconds: a login within the second of the order may be the one that is meant.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn an_order_of_its_that_was_changed_on_the_way_ends_nothing() {
    let (mut world, peer) = joined(&["redirect", "post"]).await;
    let client = signed_in(&world, &peer).await;
    let order: Value = serde_json::from_str(&peer.tell("/order", &json!({ "relay_state": "x" })).await.body).unwrap();
    let address = order["address"].as_str().unwrap().strip_prefix(BASE).unwrap();
    for (what, bent) in [
        ("another RelayState", address.replace("RelayState=x", "RelayState=y")),
        ("an answer of it", address.replace("SAMLRequest=", "SAMLResponse=")),
    ] {
        assert_ne!(bent, address);
        let reply = Client::new(world.public()).xhr().get(&bent).await;
        assert!(reply.status.is_client_error() && !is_out(&client).await, "{what}: {}", reply.body);
    }
    // And the one that they were made from is taken, once.
    assert_eq!(Client::new(world.public()).get(address).await.status, StatusCode::SEE_OTHER);
    assert!(is_out(&client).await);
    assert!(Client::new(world.public()).xhr().get(address).await.body.contains("\"replayed\""));
    world.stop().await;
}

#[tokio::test]
async fn whoever_leaves_here_can_leave_there_too() {
    let (mut world, peer) = joined(&["redirect", "post"]).await;
    let mut client = signed_in(&world, &peer).await;
    let page = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert!(is_out(&client).await, "it was over here before anybody was asked");
    let form = form::forms(&page.body).into_iter().find(|form| form.field("SAMLRequest").is_some()).unwrap();
    assert_eq!(form.action, format!("{PEER}/slo"));
    let message = form.field("SAMLRequest").unwrap();

    // It checks our signature.
    let xml = String::from_utf8(base64_simd::STANDARD.decode_to_vec(message).unwrap()).unwrap();
    let bent = base64_simd::STANDARD.encode_to_string(xml.replacen("f7a2c1d0", "f7a2c1d1", 1));
    let refused = Client::new(peer.address).post("/slo", &[("SAMLRequest", &bent)]).await;
    assert_eq!((refused.status, refused.body.as_str()), (StatusCode::FORBIDDEN, "IncorrectlySigned"));

    let there = Client::new(peer.address).post("/slo", &[("SAMLRequest", message)]).await;
    assert_eq!(there.status, StatusCode::OK, "{}\n{}", there.body, peer.program.said());
    // The person and the session that it told us of, word for word.
    let named = there.body.split_once("id=\"named\">").unwrap().1.split('<').next().unwrap().to_owned();
    let (name, index) = named.split_once(' ').unwrap();
    assert_eq!(name, "f7a2c1d0");
    assert!(xml.contains(&format!(">{index}</samlp:SessionIndex>")) && !index.is_empty());

    // Its answer comes to whichever browser, and is understood.
    let form = form::forms(&there.body).remove(0);
    assert_eq!(form.action, format!("{BASE}/eid/saml/logout"));
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let back = Client::new(world.public()).post("/eid/saml/logout", &fields).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.body);
    assert!(back.body.contains("Du är utloggad även hos pysaml2."), "{}", back.body);
    world.stop().await;
}
