//! A provider withdraws a key: nobody gets in by it any more, and, where that is set, whoever got in by it is out.

use std::sync::Arc;

use grindvakt_demo::op::{Dialect, OpOutcome};
use grindvakt_demo::{DemoKey, Feed};
use http::StatusCode;

use crate::support::openid::{By, Op, ready, shared_key};
use crate::support::{Client, World, eventually, metric};

const SETTING: &str = "withdrawn_key_ends_sessions = true";

async fn is_in(client: &Client) -> bool {
    match client.clone().get("/eid/session").await.status {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

/// Puts a feed in place in which BankID publishes `keys` and signs with the last, and waits until it is in force.
async fn publishes(world: &mut World, keys: &[&Arc<DemoKey>]) {
    let loaded = "grindvakt_config_reloads_total{outcome=\"done\"}";
    let before = metric(world.admin(), loaded).await;
    let signs = Arc::clone(keys.last().unwrap());
    world.idp = world.idp.clone().rolled_over(signs, keys.iter().map(|key| Arc::clone(key)).collect());
    world.write("feed.xml", &Feed::new().idp(&world.idp).idp(&world.other).build());
    let admin = world.admin();
    eventually(10, "the feed is in force", || async move { metric(admin, loaded).await > before }).await;
}

async fn logs_in(world: &World) -> Client {
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(world, "/ansokan/1").await.header("location"), "/ansokan/1");
    assert!(is_in(&client).await);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saml_session_ends_with_the_key_that_vouched_for_it_and_no_sooner() {
    let mut world = World::new("").await;
    let by_feed = "metadata = \"feed\"\nencryption = \"optional\"\n[[provider]]\nid = \"freja\"";
    let set = format!("{SETTING}\n{by_feed}");
    world.configure(|text| text.replace(by_feed, &set)).await;
    let (old, new) = (Arc::clone(world.idp.key()), Arc::new(DemoKey::p256("next")));

    let first = logs_in(&world).await;
    // Both stand in the feed: a roll-over ends nothing.
    publishes(&mut world, &[&old, &new]).await;
    assert!(is_in(&first).await);
    let second = logs_in(&world).await;

    // The old one is withdrawn.
    publishes(&mut world, &[&new]).await;
    assert_eq!((is_in(&first).await, is_in(&second).await), (false, true));
    assert_eq!(first.clone().get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "it is asked to log in again");

    // That its feed cannot be had is no withdrawal.
    world.stop().await;
    world.write("feed.xml", "what is no feed");
    world.start();
    assert_eq!(metric(world.admin(), "grindvakt_provider_usable{provider=\"bankid-a\"}").await, 0.0);
    assert!(is_in(&Client { address: world.public(), ..second }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_a_session_outlives_its_key_until_an_operator_sets_it() {
    let mut world = World::new("").await;
    let (old, new) = (Arc::clone(world.idp.key()), Arc::new(DemoKey::p256("next")));
    let first = logs_in(&world).await;
    publishes(&mut world, &[&old, &new]).await;
    publishes(&mut world, &[&new]).await;
    assert!(is_in(&first).await);

    // It was stolen: whoever sets it now ends what it vouched for before.
    let first_provider = "encryption = \"optional\"\n[[provider]]\nid = \"freja\"";
    let set = format!("{SETTING}\n{first_provider}");
    world.rewrite(|text| text.replace(first_provider, &set));
    eventually(10, "the session is over", || async { !is_in(&first).await }).await;
    assert!(is_in(&logs_in(&world).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_openid_session_ends_with_the_key_that_signed_its_token() {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let mut world = World::new("").await;
    let provider = op.provider(&world, "oidc-sweden", &format!("loa = [\"loa3\"]\n{SETTING}"));
    world.configure(|text| format!("{text}{provider}")).await;
    ready(&world, &["freja-oidc"]).await;
    let mut first = Client::new(world.public());
    let reply = op.log_in(&mut first, "/om/1", OpOutcome::Success).await;
    assert!(is_in(&first).await, "{}", reply.body);

    // The next one signs with a key that is new, and the old one is gone: looked for at once.
    op.site.roll_over(shared_key(1), vec![shared_key(1)]);
    let mut second = Client::new(world.public());
    let reply = op.log_in(&mut second, "/om/1", OpOutcome::Success).await;
    assert!(is_in(&second).await, "{}", reply.body);
    assert!(!is_in(&first).await);
}
