//! An answer of a provider that is overtaken by the provider's own order to end the login that it tells of.

use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::Outcome;
use grindvakt_demo::browser::Browser;
use grindvakt_demo::op::{Dialect, OpOutcome};
use http::StatusCode;

use crate::support::openid::{By, Op, begin, bring, ready, refused};
use crate::support::{BASE, Client, Reply, World};

const SESSION: &str = "__Host-eid-etjanst";

/// With milliseconds: an instant in whole seconds means the whole second.
fn now() -> UnixTime {
    let now = SystemClock.now();
    if now.as_millis() % 1000 == 0 { now.minus(Duration::from_millis(1)) } else { now }
}

fn opens_nothing(reply: &Reply) -> bool {
    let sets = reply.set_cookies().iter().any(|cookie| cookie.starts_with(&format!("{SESSION}=")));
    reply.status == StatusCode::FORBIDDEN && !sets
}

/// SAML Core 3.7.3.1: an order counts for assertions too that come after it.
#[tokio::test]
async fn an_answer_that_is_overtaken_by_the_order_to_end_its_session_opens_none() {
    let world = World::new("").await;
    let slo = format!("{BASE}/eid/saml/logout");
    let mut stranger = Client::new(world.public());
    let part = |response: &str, from: &str, to: &str| {
        response.split_once(from).unwrap().1.split(to).next().unwrap().to_owned()
    };
    // By its SessionIndex, or with everything else of the person.
    for names_index in [true, false] {
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
        let response = world.idp.response(&request).at(now()).build();
        let name_id = part(&response, "<saml:NameID", "</saml:NameID>").rsplit('>').next().unwrap().to_owned();
        let index = part(&response, "SessionIndex=\"", "\"");
        let indexes = [index.as_str()];
        let named = if names_index { &indexes[..] } else { &[] };
        let order = world.idp.logout_request(&slo, &name_id, named, now());
        assert_eq!(
            stranger.post("/eid/saml/logout", &[(order.parameter(), &order.posted(world.idp.key()))]).await.status,
            StatusCode::SEE_OTHER
        );

        let reply = client.clone().xhr().answer(&response, &relay_state).await;
        assert!(opens_nothing(&reply) && reply.body.contains("\"login_ended\""), "{}", reply.body);
        // Whoever logs in again after it is in.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(Client::new(world.public()).log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    }
}

/// A provider whose single sign-on goes on with the login that it has told us is over: the next one is asked to be fresh.
#[tokio::test]
async fn whoever_is_refused_for_a_login_that_is_over_is_asked_for_a_fresh_one() {
    let mut world = World::new("").await;
    world
        .configure(|text| text.replacen("metadata = \"feed\"\n", "metadata = \"feed\"\nforce_authn = false\n", 1))
        .await;
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    assert!(!request.force_authn);
    let old = world.idp.response(&request).at(now()).outcome(Outcome::OldLogin).build();
    let name_id = old.split_once("<saml:NameID").unwrap().1.split("</saml:NameID>").next().unwrap();
    let name_id = name_id.rsplit('>').next().unwrap();
    let order = world.idp.logout_request(&format!("{BASE}/eid/saml/logout"), name_id, &[], now());
    let field = order.posted(world.idp.key());
    let told = Client::new(world.public()).post("/eid/saml/logout", &[(order.parameter(), &field)]).await;
    assert_eq!(told.status, StatusCode::SEE_OTHER, "{}", told.body);
    let reply = client.answer(&old, &relay_state).await;
    assert!(opens_nothing(&reply) && reply.body.contains("Du behöver legitimera dig igen"), "{}", reply.body);

    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    assert!(request.force_authn, "not the same login for ever");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let fresh = world.idp.response(&request).at(now()).build();
    assert_eq!(client.answer(&fresh, &relay_state).await.header("location"), "/ansokan/1");
    let (request, _) = client.begin(&world, "/ansokan/1").await;
    assert!(!request.force_authn, "and that is the end of it");
}

/// The same by OpenID Connect: the code was on its way when the logout token came.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_a_login_that_its_provider_has_ended_opens_nothing() {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let mut world = World::new("").await;
    let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]");
    world.configure(|text| text.to_owned() + &provider).await;
    ready(&world, &[&op.id]).await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/ansokan/1").await;
    let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    let token = op.site.end_last_session().remove(0).token;
    let told = Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", &token)]).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);

    let reply = bring(&mut client, &back).await;
    assert!(opens_nothing(&reply), "{}: {}", reply.status, reply.body);
    assert_eq!(refused(&world, &op.id).await.into_keys().collect::<Vec<_>>(), ["login_ended"]);
    // Another login of the same person is another session there.
    let again = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.body);
    world.stop().await;
}
