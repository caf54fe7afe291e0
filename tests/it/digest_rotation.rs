//! The digest key is replaced while people are logged in: nothing that hangs on either key is lost, and the e-service is told
//! both names of a person.

use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::Outcome;
use grindvakt_demo::person::nils;
use http::StatusCode;

use crate::support::{BASE, Client, World, eventually, metric};

const ROUTES: &str = "[[route]]\npath = \"/farsk/*\"\nmax_age = \"60s\"\n";
const SESSION: &str = "__Host-eid-etjanst";

/// With milliseconds: an instant in whole seconds means the whole second.
fn now() -> UnixTime {
    let now = SystemClock.now();
    if now.as_millis() % 1000 == 0 { now.minus(Duration::from_millis(1)) } else { now }
}

/// Puts other digest keys in force, without a restart.
async fn keys(world: &mut World, from: &str, to: &str) {
    let before = metric(world.admin(), "grindvakt_config_reloads_total{outcome=\"done\"}").await;
    world.rewrite(|text| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    });
    let admin = world.admin();
    eventually(10, "the keys are in force", || async move {
        metric(admin, "grindvakt_config_reloads_total{outcome=\"done\"}").await > before
    })
    .await;
}

/// A login by single sign-on: the person used their e-ID half an hour ago.
async fn signed_in_long_ago(world: &World) -> (Client, String) {
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(now()).outcome(Outcome::OldLogin).build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    (client, response)
}

/// What the e-service is told that somebody is called, and else was or will be called.
async fn names(world: &World, client: &mut Client) -> (String, Vec<String>) {
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    let seen = world.seen();
    let others = seen.all("x-eid-other-subjects").first().map(|list| list.split(',').map(str::to_owned).collect());
    (seen.one("x-eid-subject").to_owned(), others.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_digest_key_takes_its_place_and_nobody_becomes_somebody_else() {
    let mut world = World::new(ROUTES).await;
    world
        .configure(|text| {
            let text = text.replacen("metadata = \"feed\"\n", "metadata = \"feed\"\nforce_authn = false\n", 1);
            text.replace("[store]", "[verification]\nclock_skew = \"5s\"\n[store]")
        })
        .await;
    let (mut steps_up, response) = signed_in_long_ago(&world).await;
    let (subject, others) = names(&world, &mut steps_up).await;
    assert!(subject.starts_with("personal-number:") && others.is_empty());
    let (mut is_ended, _) = signed_in_long_ago(&world).await;
    let mut used = Client::new(world.public());
    let (request, used_state) = used.begin(&world, "/ansokan/1").await;
    let (held, used_response) = (used.clone(), world.idp.response(&request).at(now()).build());
    assert_eq!(used.answer(&used_response, &used_state).await.status, StatusCode::SEE_OTHER);
    let mut under_way = Client::new(world.public());
    let (under_way_request, under_way_state) = under_way.begin(&world, "/ansokan/1").await;

    // The key to come is known first: e-services learn what everyone will be called.
    let new: Vec<u8> = (0..32).map(|i| i ^ 9).collect();
    world.write("digest-new.key", &base64_simd::STANDARD.encode_to_string(new));
    keys(&mut world, "digest = \"digest.key\"", "digest = \"digest.key\"\ndigest_also = [\"digest-new.key\"]").await;
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    let (same, others) = names(&world, &mut client).await;
    assert_eq!((same.as_str(), others.len()), (subject.as_str(), 1));
    let to_come = others[0].clone();
    assert!(to_come != subject && to_come.starts_with("personal-number:"));

    // Then it takes the other's place.
    let both = "digest = \"digest.key\"\ndigest_also = [\"digest-new.key\"]";
    keys(&mut world, both, "digest = \"digest-new.key\"\ndigest_also = [\"digest.key\"]").await;
    assert_eq!(names(&world, &mut steps_up).await.0, subject, "who is in is who they were");
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    assert_eq!(names(&world, &mut client).await, (to_come.clone(), vec![subject.clone()]));

    // What was used before is used.
    let again = held.xhr().answer(&used_response, &used_state).await;
    assert!(again.status == StatusCode::FORBIDDEN && again.body.contains("\"replayed\""), "{}", again.body);
    assert!(!again.set_cookies().iter().any(|cookie| cookie.starts_with(&format!("{SESSION}="))));
    // What was begun before is finished.
    let answer = world.idp.response(&under_way_request).at(now()).build();
    assert_eq!(under_way.answer(&answer, &under_way_state).await.header("location"), "/ansokan/1");

    // Who wants more than they have is still who they are, and nobody else is.
    let (request, relay_state) = steps_up.begin(&world, "/farsk/1").await;
    let other = world.idp.response(&request).person(&nils()).at(now()).build();
    assert_eq!(steps_up.clone().answer(&other, &relay_state).await.status, StatusCode::FORBIDDEN);
    let (request, relay_state) = steps_up.begin(&world, "/farsk/1").await;
    let fresh = world.idp.response(&request).at(now()).build();
    assert_eq!(steps_up.answer(&fresh, &relay_state).await.header("location"), "/farsk/1");
    assert_eq!(names(&world, &mut steps_up).await.0, to_come);

    // And the provider still ends what was opened under the key before.
    assert_eq!(names(&world, &mut is_ended).await.0, subject);
    let name_id = response.split_once("<saml:NameID").unwrap().1.split("</saml:NameID>").next().unwrap();
    let name_id = name_id.rsplit('>').next().unwrap();
    let order = world.idp.logout_request(&format!("{BASE}/eid/saml/logout"), name_id, &[], now());
    let field = order.posted(world.idp.key());
    let reply = Client::new(world.public()).post("/eid/saml/logout", &[(order.parameter(), &field)]).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    for client in [&is_ended, &steps_up] {
        assert_eq!(client.clone().xhr().get("/ansokan/1").await.status, StatusCode::UNAUTHORIZED);
    }

    // When the old one is gone, everyone has one name.
    let both = "digest = \"digest-new.key\"\ndigest_also = [\"digest.key\"]";
    keys(&mut world, both, "digest = \"digest-new.key\"").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    assert_eq!(names(&world, &mut client).await, (to_come, Vec::new()));
}

/// Without overlap everything that was used would look unused, and everyone be called something else at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_digest_key_without_overlap_is_refused_and_what_was_used_stays_used() {
    const REFUSED: &str = "grindvakt_config_reloads_total{outcome=\"refused\"}";
    let mut world = World::new("").await;
    let mut client = Client::new(world.public());
    let (request, state) = client.begin(&world, "/ansokan/1").await;
    let (held, response) = (client.clone(), world.idp.response(&request).at(now()).build());
    assert_eq!(client.answer(&response, &state).await.status, StatusCode::SEE_OTHER);
    let new: Vec<u8> = (0..32).map(|i| i ^ 9).collect();
    world.write("digest-new.key", &base64_simd::STANDARD.encode_to_string(new));
    world.rewrite(|text| text.replacen("digest = \"digest.key\"", "digest = \"digest-new.key\"", 1));
    let admin = world.admin();
    eventually(10, "it is refused", || async { metric(admin, REFUSED).await == 1.0 }).await;
    let told = Client::new(admin).get("/status?json").await.body;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let told = told["config_refused"].to_string();
    assert!(told.contains("keys.digest") && told.contains("digest_also"), "{told}");
    let again = held.xhr().answer(&response, &state).await;
    assert!(again.status == StatusCode::FORBIDDEN && again.body.contains("\"replayed\""), "{}", again.body);
    // The same key in another file is the same key.
    world.write("digest-new.key", &std::fs::read_to_string(world.folder.path().join("digest.key")).unwrap());
    keys(&mut world, "digest = \"digest-new.key\"", "digest = \"digest-new.key\" ").await;
}
