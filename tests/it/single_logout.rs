//! SAML single logout, both ways: a provider ends sessions without a cookie, and a person who leaves can leave there too.

use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::logout::Message;
use grindvakt_demo::sign::{Place, enveloped};
use grindvakt_demo::xml::element;
use grindvakt_demo::{DemoIdp, DemoKey};
use http::{Method, StatusCode};

use crate::support::{BASE, Client, World};

const SESSION: &str = "__Host-eid-etjanst";

/// With milliseconds: an instant in whole seconds means the whole second.
fn now() -> UnixTime {
    let now = SystemClock.now();
    if now.as_millis() % 1000 == 0 { now.minus(Duration::from_millis(1)) } else { now }
}

fn slo() -> String {
    format!("{BASE}/eid/saml/logout")
}

/// A login, and what the provider calls it: its NameID and SessionIndex.
async fn log_in(world: &World) -> (Client, String, String) {
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(now()).build();
    let between = |from: &str, to: &str| response.split_once(from).unwrap().1.split(to).next().unwrap().to_owned();
    let name_id = between("<saml:NameID", "</saml:NameID>").rsplit('>').next().unwrap().to_owned();
    let index = between("SessionIndex=\"", "\"");
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    (client, name_id, index)
}

async fn by_redirect(
    client: &mut Client,
    message: &Message,
    relay_state: Option<&str>,
    key: &DemoKey,
) -> crate::support::Reply {
    client.get(&format!("/eid/saml/logout?{}", message.query(relay_state, key))).await
}

async fn by_post(client: &mut Client, message: &Message, key: &DemoKey) -> crate::support::Reply {
    client.post("/eid/saml/logout", &[(message.parameter(), &message.posted(key))]).await
}

async fn is_out(client: &Client) -> bool {
    client.clone().xhr().get("/ansokan/1").await.status == StatusCode::UNAUTHORIZED
}

#[tokio::test]
async fn a_provider_ends_a_session_without_its_cookie_and_gets_a_signed_answer() {
    let world = World::new("").await;
    let (client, name_id, index) = log_in(&world).await;
    let (elsewhere, _, other_index) = log_in(&world).await;
    assert_ne!(index, other_index);
    // Somebody else's browser, or none: what ends the session is its name there.
    let mut stranger = Client::new(world.public());
    let order = world.idp.logout_request(&slo(), &name_id, &[&index], now());
    let reply = by_redirect(&mut stranger, &order, Some("a state + more"), world.idp.key()).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let (address, query) = reply.header("location").split_once('?').unwrap();
    assert_eq!(address, world.idp.slo_url());
    let said = world.known().await.logout_by_redirect(query).unwrap();
    assert_eq!((said.kind.as_str(), said.destination), ("LogoutResponse", world.idp.slo_url()));
    assert_eq!(said.in_response_to.as_deref(), order.element.attribute("ID"));
    assert_eq!((said.status, said.relay_state.as_deref()), (vec!["Success".to_owned()], Some("a state + more")));
    assert!(is_out(&client).await && !is_out(&elsewhere).await, "one of two sessions was named");

    // Without an index every session of the person is meant, but none of later.
    let order = world.idp.logout_request(&slo(), &name_id, &[], now());
    assert_eq!(by_post(&mut stranger, &order, world.idp.key()).await.status, StatusCode::SEE_OTHER);
    assert!(is_out(&elsewhere).await);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (later, ..) = log_in(&world).await;
    // The same order once more would end it, were it taken.
    let again = by_post(&mut stranger.clone().xhr(), &order, world.idp.key()).await;
    assert!(again.body.contains("\"replayed\""), "{}", again.body);
    assert!(!is_out(&later).await);
}

/// An order that names SessionIndexes may mean a session that we were told none of, and our answer says that it is over.
#[tokio::test]
async fn a_session_without_an_index_is_ended_by_an_order_that_names_some() {
    let world = World::new("").await;
    let mut unnamed = Client::new(world.public());
    let (request, relay_state) = unnamed.begin(&world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(now()).without_session_index().build();
    assert!(!response.contains("SessionIndex"));
    assert_eq!(unnamed.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    assert_eq!(unnamed.get("/ansokan/1").await.status, StatusCode::OK);
    let (named, name_id, _) = log_in(&world).await;

    let order = world.idp.logout_request(&slo(), &name_id, &["_of another browser"], now());
    let reply = by_redirect(&mut unnamed.clone(), &order, None, world.idp.key()).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let expired = format!("{SESSION}=;");
    assert!(reply.set_cookies().iter().any(|cookie| cookie.starts_with(&expired)), "{:?}", reply.set_cookies());
    assert!(is_out(&unnamed).await && !is_out(&named).await);

    // The provider's clock may be ahead: what it orders ends nothing that was opened after the order came.
    let ahead = world.idp.logout_request(&slo(), &name_id, &["_of a third"], now().plus(Duration::from_secs(40)));
    let reply = by_redirect(&mut Client::new(world.public()), &ahead, None, world.idp.key()).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut again = Client::new(world.public());
    let (request, relay_state) = again.begin(&world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(now()).without_session_index().build();
    assert_eq!(again.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    assert!(!is_out(&again).await, "they are in again");
    // Nor does the one before, shown again.
    let reply = by_redirect(&mut Client::new(world.public()).xhr(), &order, None, world.idp.key()).await;
    assert!(reply.body.contains("\"replayed\""), "{}: {}", reply.status, reply.body);
    assert!(!is_out(&again).await, "they are still in");
}

#[tokio::test]
async fn the_persons_own_browser_is_cleaned_and_the_e_service_is_told() {
    let more = "[logout]\nupstream_path = \"/utloggad\"\nclear_cookies = [\"app\"]";
    let world = World::new(more).await;
    let (mut client, name_id, index) = log_in(&world).await;
    let session = world.seen().one("x-eid-session").to_owned();
    assert_eq!(client.cookies["app"], "1");
    let order = world.idp.logout_request(&slo(), &name_id, &[&index], now());
    let reply = by_redirect(&mut client, &order, None, world.idp.key()).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    assert!(!client.cookies.contains_key(SESSION) && !client.cookies.contains_key("app"), "{:?}", client.cookies);
    let seen = world.seen();
    assert_eq!((seen.target.as_str(), seen.one("x-eid-session")), ("/utloggad", session.as_str()));
    assert!(seen.one("x-eid-subject").starts_with("personal-number:"));
    assert_eq!(seen.one("cookie"), "app=1", "its own cookie, and none of ours");
    assert_eq!(seen.one("x-forwarded-proto"), "https");

    // A logout here does the same, and says so where it could not.
    let (mut client, ..) = log_in(&world).await;
    let reply = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert_eq!((reply.status, world.seen().target.as_str()), (StatusCode::OK, "/utloggad"));
    assert!(!client.cookies.contains_key("app") && !reply.body.contains("kunde inte nås"));
    assert!(is_out(&client).await);
}

#[tokio::test]
async fn a_logout_says_what_it_could_not_tell_the_e_service() {
    // Nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::with_upstream("[logout]\nupstream_path = \"/utloggad\"", port).await;
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    let response = world.idp.response(&request).at(now()).build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    let reply = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.body.contains("Tjänsten kunde inte nås"), "{}", reply.body);
    assert!(!client.cookies.contains_key(SESSION));
}

/// T20, T21: an order is held to what a login's Response is held to, on both bindings.
#[tokio::test]
async fn t20_t21_no_order_but_the_providers_own_ends_anything() {
    let world = World::new("").await;
    let (client, name_id, index) = log_in(&world).await;
    let stranger = DemoKey::p256("stranger");
    let good = || world.idp.logout_request(&slo(), &name_id, &[&index], now());
    let with = |change: &dyn Fn(grindvakt_demo::xml::Element) -> grindvakt_demo::xml::Element| {
        let mut message = good();
        message.element = change(message.element);
        message
    };
    let key = world.idp.key();
    let encode = |xml: &str| base64_simd::STANDARD.encode_to_string(xml);
    let signed = enveloped(good().element, key, Place::AfterIssuer).canonical();
    let unsigned = good().element.canonical();
    let other_issuer = world.other.logout_request(&slo(), &name_id, &[&index], now());
    // The wrapped order stands where the real one was; the real one, with its signature, within it (T21).
    let evil = element("samlp:LogoutRequest")
        .attr("ID", "_evil")
        .attr("Version", "2.0")
        .attr("IssueInstant", now().to_string())
        .attr("Destination", slo())
        .child(element("saml:Issuer").text(world.idp.entity_id()))
        .child(element("saml:NameID").text(&name_id));
    let wrapped = evil.canonical().replace("</samlp:LogoutRequest>", &format!("{signed}</samlp:LogoutRequest>"));
    let login = world.idp.unsolicited(&format!("{BASE}/sp"), &slo(), now()).build();
    let rows: Vec<(&str, String, &str)> = vec![
        ("unsigned", encode(&unsigned), "signature_missing"),
        ("a stranger's key", good().posted(&stranger), "signature_key_type"),
        ("another provider's key", good().posted(world.other.key()), "signature_invalid"),
        ("another provider's name", other_issuer.posted(key), "signature_invalid"),
        ("changed after signing", encode(&signed.replacen(&name_id, "someone-else", 1)), "digest_mismatch"),
        ("wrapped", encode(&wrapped), "signature_misplaced"),
        ("a login's answer", encode(&login), "not_a_logout"),
        (
            "for somebody else",
            with(&|e| e.with_attr("Destination", "https://b.example.se/slo")).posted(key),
            "destination_mismatch",
        ),
        ("for nobody", with(&|e| e.with_attr("Destination", "")).posted(key), "destination_missing"),
        (
            "old",
            world.idp.logout_request(&slo(), &name_id, &[&index], now().minus(Duration::from_secs(3600))).posted(key),
            "issued_too_long_ago",
        ),
        (
            "of tomorrow",
            world.idp.logout_request(&slo(), &name_id, &[&index], now().plus(Duration::from_secs(86_400))).posted(key),
            "issued_in_future",
        ),
        (
            "over",
            with(&|e| e.attr("NotOnOrAfter", now().minus(Duration::from_secs(120)).to_string())).posted(key),
            "logout_expired",
        ),
        ("SAML 1.1", with(&|e| e.with_attr("Version", "1.1")).posted(key), "saml_version"),
        (
            "nobody named",
            with(&|e| e.take("saml:NameID").0.take("samlp:SessionIndex").0).posted(key),
            "name_id_missing",
        ),
        (
            "an encrypted name",
            with(&|e| e.take("saml:NameID").0.take("samlp:SessionIndex").0.child(element("saml:EncryptedID")))
                .posted(key),
            "encrypted_part",
        ),
        ("two names", with(&|e| e.child(element("saml:NameID").text("x"))).posted(key), "saml_schema"),
        ("with an assertion", with(&|e| e.child(element("saml:Assertion"))).posted(key), "assertion_multiple"),
        ("no base64", "!".to_owned(), "message_encoding"),
    ];
    for (what, message, code) in rows {
        let reply = Client::new(world.public()).xhr().post("/eid/saml/logout", &[("SAMLRequest", &message)]).await;
        assert!(reply.status.is_client_error(), "{what}: {}", reply.status);
        assert!(reply.body.contains(&format!("\"code\":\"{code}\"")), "{what}: {}", reply.body);
        assert!(!is_out(&client).await, "{what}");
    }

    // An order is no answer, whatever field it comes in, and the other way round (SAML Bindings 3.4.4.1, 3.5.4).
    let answer = world.idp.logout_response(&slo(), "_1", true, now());
    for (what, message) in [("an order", good().under("SAMLResponse")), ("an answer", answer.under("SAMLRequest"))] {
        let mut client_of_nobody = Client::new(world.public()).xhr();
        for reply in [
            by_post(&mut client_of_nobody, &message, key).await,
            by_redirect(&mut client_of_nobody, &message, None, key).await,
        ] {
            assert!(reply.status.is_client_error(), "{what}: {}", reply.status);
            assert!(reply.body.contains("\"code\":\"not_a_logout\""), "{what}: {}", reply.body);
        }
        assert!(!is_out(&client).await, "{what}");
    }

    let query = good().query(Some("x"), key);
    let part = |name: &str| query.split('&').find(|pair| pair.starts_with(name)).unwrap().to_owned();
    let (signature, algorithm, message) = (part("Signature="), part("SigAlg="), part("SAMLRequest="));
    let mut inner = good();
    inner.element = enveloped(inner.element, key, Place::AfterIssuer);
    let rows: Vec<(&str, String, &str)> = vec![
        ("unsigned", format!("{message}&RelayState=x"), "signature_missing"),
        ("without its algorithm", format!("{message}&RelayState=x&{signature}"), "signature_missing"),
        ("another RelayState", query.replace("RelayState=x", "RelayState=y"), "signature_invalid"),
        ("without the RelayState", query.replace("&RelayState=x", ""), "signature_invalid"),
        (
            "SHA-1",
            query.replace(&algorithm, "SigAlg=http%3A%2F%2Fwww.w3.org%2F2000%2F09%2Fxmldsig%23rsa-sha1"),
            "signature_algorithm",
        ),
        (
            "of another message",
            query.replace(&message, good().query(None, key).split('&').next().unwrap()),
            "signature_invalid",
        ),
        ("a stranger's", good().query(None, &stranger), "signature_key_type"),
        ("another provider's", good().query(None, world.other.key()), "signature_invalid"),
        ("twice", format!("{query}&{message}"), "message_encoding"),
        ("twice, in another spelling", format!("{query}&%53AMLRequest=x"), "message_encoding"),
        ("an order and an answer", format!("{query}&SAMLResponse=x"), "message_encoding"),
        ("a signature within as well", inner.query(None, key), "signature_misplaced"),
        ("nothing", String::new(), "message_encoding"),
    ];
    for (what, query, code) in rows {
        let reply = Client::new(world.public()).xhr().get(&format!("/eid/saml/logout?{query}")).await;
        assert!(reply.status.is_client_error(), "{what}: {}", reply.status);
        assert!(reply.body.contains(&format!("\"code\":\"{code}\"")), "{what}: {}", reply.body);
        assert!(!is_out(&client).await, "{what}");
    }
    // And the one that they were made from does.
    assert_eq!(by_redirect(&mut Client::new(world.public()), &good(), None, key).await.status, StatusCode::SEE_OTHER);
    assert!(is_out(&client).await);
}

#[tokio::test]
async fn whoever_leaves_can_leave_at_the_provider_too() {
    let world = World::new("").await;
    let known = world.known().await;
    assert_eq!(known.slo.as_deref(), Some(slo().as_str()), "our metadata says where answers go");
    let (mut client, name_id, index) = log_in(&world).await;
    let reply = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.body.contains("Du kan fortfarande vara inloggad hos BankID."), "{}", reply.body);
    assert!(reply.header("content-security-policy").contains("form-action 'self' https:"));
    let form = grindvakt_demo::form::forms(&reply.body).into_iter().find(|f| f.field("SAMLRequest").is_some()).unwrap();
    assert_eq!(form.action, world.idp.slo_url());
    let order = known.logout_by_post(form.field("SAMLRequest").unwrap()).unwrap();
    assert_eq!(order.kind, "LogoutRequest");
    assert_eq!(
        (order.name_id.as_deref(), order.session_index.as_deref()),
        (Some(name_id.as_str()), Some(index.as_str()))
    );
    assert!(is_out(&client).await, "it was over here before anybody was asked");

    // The answer needs no cookie, and no replica's memory.
    let mut other_browser = Client::new(world.public());
    for (ended, says) in [(true, "Du är utloggad även hos BankID."), (false, "BankID kunde inte avsluta allt.")] {
        let answer = world.idp.logout_response(&slo(), &order.id, ended, now());
        for reply in [
            by_redirect(&mut other_browser, &answer, None, world.idp.key()).await,
            by_post(&mut other_browser, &answer, world.idp.key()).await,
        ] {
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
            assert!(reply.body.contains(says), "{}", reply.body);
        }
    }
    // One that nobody asked for is refused, and so is one by a provider that was not asked.
    let (rest, last) = order.id.split_at(order.id.len() - 1);
    let bent = format!("{rest}{}", if last == "0" { "1" } else { "0" });
    let idp = &world.idp;
    for (id, by) in [(bent.as_str(), idp), ("_1", idp), ("", idp), (&order.id, &world.other)] {
        let answer = by.logout_response(&slo(), id, true, now());
        let reply = by_post(&mut Client::new(world.public()).xhr(), &answer, by.key()).await;
        let code = if id.is_empty() { "in_response_to_missing" } else { "logout_unasked" };
        assert!(reply.body.contains(code), "{id}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_provider_without_single_logout_is_named_no_further() {
    let mut world = World::new("").await;
    let idp: DemoIdp = world.idp.clone().without_logout();
    world.write("feed.xml", &grindvakt_demo::Feed::new().idp(&idp).idp(&world.other).build());
    world.configure(str::to_owned).await;
    let (mut client, ..) = log_in(&world).await;
    let reply = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert!(!reply.body.contains("SAMLRequest") && reply.body.contains("Du är utloggad"), "{}", reply.body);
}

#[tokio::test]
async fn after_a_logout_the_next_login_of_that_browser_is_a_fresh_one() {
    let mut world = World::new("").await;
    world
        .configure(|config| config.replacen("metadata = \"feed\"\n", "metadata = \"feed\"\nforce_authn = false\n", 1))
        .await;
    let (mut client, ..) = log_in(&world).await;
    let (request, _) = client.clone().begin(&world, "/ansokan/1").await;
    assert!(!request.force_authn, "single sign-on was chosen");
    client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    assert!(request.force_authn, "whoever sits down next is not let in as who has just left");
    // The provider's own session would do no longer: the answer must be of a login after the request.
    let response = world.idp.response(&request).at(now()).outcome(grindvakt_demo::Outcome::OldLogin).build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::FORBIDDEN);
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    assert!(request.force_authn);
    let response = world.idp.response(&request).at(now()).build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    let (request, _) = client.begin(&world, "/ansokan/1").await;
    assert!(!request.force_authn, "and that is the end of it");
}

/// Åsa has logins under way in other tabs and leaves, by our own button or by the provider's order that her browser brings.
/// Whoever sits down next finishes none in her name, nor says yes to one that waits for it.
#[tokio::test]
async fn a_logout_ends_the_logins_that_are_under_way_in_that_browser() {
    let mut world = World::new("").await;
    let lenient = "metadata = \"feed\"\nforce_authn = false\nallow_unsolicited = true\n";
    world
        .configure(|config| {
            let config = config.replacen("metadata = \"feed\"\n", lenient, 1);
            config.replacen("[store]", "[verification]\nclock_skew = \"1s\"\n[store]", 1)
        })
        .await;
    // An answer to no request must be later than the memory of uses, whatever the provider's clock.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for by_us in [true, false] {
        let (mut client, name_id, index) = log_in(&world).await;
        let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
        assert!(!request.force_authn, "by single sign-on the provider would let her in again");
        let asked_by_nobody =
            world.idp.unsolicited(&format!("{BASE}/sp"), &format!("{BASE}/eid/saml/acs"), now()).build();
        let question = client.answer(&asked_by_nobody, "/ansokan/1").await.body;
        let token = question.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let reply = if by_us {
            client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await
        } else {
            let order = world.idp.logout_request(&slo(), &name_id, &[&index], now());
            by_redirect(&mut client, &order, None, world.idp.key()).await
        };
        assert!(reply.status == StatusCode::OK || reply.status == StatusCode::SEE_OTHER, "{}", reply.body);
        let from_here = [("origin", BASE), ("content-type", "application/x-www-form-urlencoded")];
        let yes = client.send(Method::POST, "/eid/login/confirm", &from_here, &format!("token={token}")).await;
        assert!(!yes.status.is_success() && yes.status != StatusCode::SEE_OTHER, "{}: {}", yes.status, yes.body);
        let response = world.idp.response(&request).at(now()).build();
        let reply = client.answer(&response, &relay_state).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.body);
        assert!(is_out(&client).await);
        // The provider's own page sends the next one who clicks there as who was there before: nobody asked for a fresh login.
        if by_us {
            let unasked = world.idp.unsolicited(&format!("{BASE}/sp"), &format!("{BASE}/eid/saml/acs"), now()).build();
            let question = client.answer(&unasked, "/ansokan/1").await.body;
            let token = question.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
            let yes = client.send(Method::POST, "/eid/login/confirm", &from_here, &format!("token={token}")).await;
            assert_eq!(yes.status, StatusCode::FORBIDDEN, "{}", yes.body);
            assert!(is_out(&client).await);
            let (request, _) = client.clone().begin(&world, "/ansokan/1").await;
            assert!(request.force_authn, "the way in is a fresh login");
        }
        assert_eq!(client.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER, "and the way in is open");
    }
}
