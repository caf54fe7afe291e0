//! More than a session has: a fresher login, a higher level, another attribute. The person is asked for exactly that, comes
//! back as who they are, and lands where they were going.

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::{DemoIdp, Feed, Outcome, Person, Request};
use http::StatusCode;

use crate::support::{Client, Reply, World};

const NUMBER: &str = "urn:oid:1.2.752.29.4.13";

fn now() -> UnixTime {
    SystemClock.now()
}

const ROUTES: &str = r#"
[[route]]
path = "/farsk/*"
max_age = "60s"
[[route]]
path = "/vard/*"
require = ["hsa_id"]
"#;

/// BankID for level 3 with single sign-on, Freja for levels 3 and 4.
async fn world(bankid: impl FnOnce(DemoIdp) -> DemoIdp) -> World {
    let mut world = World::new(ROUTES).await;
    let both = |text: &str| {
        let text = text.replacen("metadata = \"feed\"\n", "metadata = \"feed\"\nforce_authn = false\n", 1);
        text.replace("[store]", "[verification]\nclock_skew = \"5s\"\n[store]")
    };
    world.idp = bankid(world.idp.certified(&["loa3"]));
    world.other = world.other.certified(&["loa2", "loa3", "loa4"]);
    world.write("feed.xml", &Feed::new().idp(&world.idp).idp(&world.other).build());
    world.configure(both).await;
    world
}

/// Follows a page to the provider: the request that reaches it, and the RelayState. `by` is who is asked.
async fn to_provider(client: &mut Client, world: &World, target: &str, by: &DemoIdp) -> (Request, String) {
    let reply = client.get(target).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{target}: {}", reply.body);
    let login = client.get(reply.header("location")).await;
    let known = world.known().await;
    if login.status == StatusCode::SEE_OTHER {
        let (address, query) = login.header("location").split_once('?').unwrap();
        assert_eq!(address, by.sso_url());
        let (request, state) = known.redirect(query, address).unwrap();
        return (request, state.unwrap());
    }
    let forms = grindvakt_demo::form::forms(&login.body);
    let form = forms.into_iter().find(|form| form.field("SAMLRequest").is_some());
    let form = form.unwrap_or_else(|| panic!("no request goes out: {}", login.body));
    assert_eq!(form.action, by.sso_url());
    let request = known.post(form.field("SAMLRequest").unwrap(), &by.sso_url()).unwrap();
    (request, form.field("RelayState").unwrap().to_owned())
}

/// A login at BankID by single sign-on: the person used it half an hour ago.
async fn signed_in_long_ago(world: &World) -> Client {
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(world, "/ansokan/1").await;
    assert!(!request.force_authn && request.principal.is_empty());
    let response = world.idp.response(&request).at(now()).outcome(Outcome::OldLogin).build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    client
}

fn is_refused(reply: &Reply) -> bool {
    reply.status == StatusCode::FORBIDDEN && !reply.set_cookies().iter().any(|c| c.starts_with("__Host-eid-etjanst="))
}

#[tokio::test]
async fn a_route_that_wants_a_fresh_login_gets_one_by_the_same_e_id() {
    let world = world(|idp| idp).await;
    let mut client = signed_in_long_ago(&world).await;
    let first = world.seen().one("x-eid-session").to_owned();
    let denied = client.clone().xhr().get("/farsk/1").await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert!(denied.body.contains("\"login_too_old\"") && denied.body.contains("/eid/login"), "{}", denied.body);

    // At once, without a choice of e-IDs, and fresh although the provider is asked for single sign-on elsewhere.
    let (request, relay_state) = to_provider(&mut client, &world, "/farsk/1?steg=2", &world.idp).await;
    assert!(request.force_authn);
    let old = world.idp.response(&request).at(now()).outcome(Outcome::OldLogin).build();
    assert!(is_refused(&client.clone().answer(&old, &relay_state).await), "AuthnInstant is before the request");
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK, "what was there goes on");

    let (request, relay_state) = to_provider(&mut client, &world, "/farsk/1?steg=2", &world.idp).await;
    let somebody_else = world.idp.response(&request).person(&grindvakt_demo::person::nils()).at(now()).build();
    let reply = client.clone().answer(&somebody_else, &relay_state).await;
    assert!(is_refused(&reply) && reply.body.contains("Någon annan är redan inloggad"), "{}", reply.body);

    let (request, relay_state) = to_provider(&mut client, &world, "/farsk/1?steg=2", &world.idp).await;
    let fresh = world.idp.response(&request).at(now()).build();
    let reply = client.answer(&fresh, &relay_state).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/farsk/1?steg=2"));
    assert_eq!(client.get("/farsk/1?steg=2").await.status, StatusCode::OK);
    assert_ne!(world.seen().one("x-eid-session"), first, "a new id at step-up");
}

#[tokio::test]
async fn a_higher_level_is_asked_of_who_can_give_it_and_must_come_back() {
    let world = world(|idp| idp).await;
    let mut client = signed_in_long_ago(&world).await;
    let (request, relay_state) = to_provider(&mut client, &world, "/hog/1", &world.other).await;
    assert_eq!(request.loa, ["http://id.elegnamnden.se/loa/1.0/loa4"], "exactly that");
    let lower = world.other.response(&request).loa("loa3").at(now()).build();
    assert!(is_refused(&client.clone().answer(&lower, &relay_state).await));
    let (request, relay_state) = to_provider(&mut client, &world, "/hog/1", &world.other).await;
    let higher = world.other.response(&request).loa("loa4").at(now()).build();
    let reply = client.answer(&higher, &relay_state).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/hog/1"));
    assert_eq!(client.get("/hog/1").await.status, StatusCode::OK);
    assert_eq!(world.seen().one("x-eid-provider"), "freja");
}

#[tokio::test]
async fn an_attribute_that_one_e_id_did_not_give_is_asked_of_another() {
    let world = world(|idp| idp).await;
    let mut client = signed_in_long_ago(&world).await;
    let (request, relay_state) = to_provider(&mut client, &world, "/vard/1", &world.other).await;
    let response = world.other.response(&request).attribute("urn:oid:1.2.752.29.6.2.1", &["SE2321000016-1003"]);
    assert_eq!(client.answer(&response.at(now()).build(), &relay_state).await.header("location"), "/vard/1");
    assert_eq!(client.get("/vard/1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_kind_of_identifier_is_a_new_session_and_no_step_up() {
    let world = world(|idp| idp).await;
    let mut client = signed_in_long_ago(&world).await;
    let before = client.clone();
    let (request, relay_state) = to_provider(&mut client, &world, "/farsk/1", &world.idp).await;
    let unnamed = Person { number: None, ..grindvakt_demo::person::asa() };
    let response = world.idp.response(&request).person(&unnamed).at(now()).build();
    let reply = client.answer(&response, &relay_state).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/farsk/1"), "{}", reply.body);
    assert_eq!(client.get("/farsk/1").await.status, StatusCode::OK);
    assert!(world.seen().one("x-eid-subject").starts_with("provider:"));
    assert_eq!(before.clone().xhr().get("/annat").await.status, StatusCode::UNAUTHORIZED, "the old one is over");
    // And what the new one is not known to have, it has not.
    assert_eq!(client.clone().xhr().get("/ansokan/1").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_provider_that_asks_whom_to_expect_is_told_at_step_up_and_in_no_address() {
    let world = world(|idp| idp.asks_whom_to_expect(&[NUMBER])).await;
    // Whoever comes for the first time is nobody yet.
    let mut client = signed_in_long_ago(&world).await;
    let reply = client.get("/farsk/1").await;
    let login = client.get(reply.header("location")).await;
    assert_eq!(login.status, StatusCode::OK, "a form, although Redirect is offered too: {}", login.header("location"));
    let (request, _) = to_provider(&mut client, &world, "/farsk/1", &world.idp).await;
    assert_eq!(request.principal, [(NUMBER.to_owned(), "195006262546".to_owned())]);

    // Where there is no way but an address, the number is left out.
    let mut world = world;
    world
        .configure(|text| text.replacen("metadata = \"feed\"\n", "metadata = \"feed\"\nbinding = \"redirect\"\n", 1))
        .await;
    let mut client = signed_in_long_ago(&world).await;
    let (request, _) = to_provider(&mut client, &world, "/farsk/1", &world.idp).await;
    assert!(request.force_authn && request.principal.is_empty());
}
