//! The whole path over HTTP: login, session, headers, and everything that must not work.

use std::time::Duration;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::Outcome;
use http::{Method, StatusCode};

use crate::support::{BASE, Client, World};

const SESSION: &str = "__Host-eid-etjanst";

fn now() -> UnixTime {
    SystemClock.now()
}

/// The stable code that operators count, from the metrics.
async fn counted(world: &World, line: &str) -> bool {
    let metrics = Client::new(world.admin()).get("/metrics").await.body;
    metrics.lines().any(|l| l.starts_with(line) && !l.ends_with(" 0"))
}

async fn assert_refused(world: &World, client: &mut Client, reply: &crate::support::Reply, code: &str) {
    assert!(reply.status.is_client_error(), "{code}: {}", reply.status);
    assert!(!client.cookies.contains_key(SESSION), "{code}: a refusal left a session");
    assert_eq!(client.clone().xhr().get("/eid/session").await.status, StatusCode::UNAUTHORIZED, "{code}");
    let lines =
        ["bankid-a", "none"].map(|p| format!("grindvakt_logins_refused_total{{code=\"{code}\",provider=\"{p}\"}}"));
    assert!(counted(world, &lines[0]).await || counted(world, &lines[1]).await, "{code} was not counted");
    assert_eq!(reply.header("cache-control"), "no-store", "{code}");
    assert!(
        !reply.body.contains("195006262546") && !reply.body.contains("mismatch"),
        "{code}: the page tells too much"
    );
}

#[tokio::test]
async fn a_login_opens_the_route_and_tells_the_e_service_what_it_may_know() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());

    let reply = client.get("/ansokan/1?steg=2").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(reply.header("location"), "/eid/login?rd=/ansokan/1%3Fsteg%3D2");
    let choice = client.get(reply.header("location")).await;
    assert_eq!(choice.status, StatusCode::OK);
    assert!(choice.body.contains("BankID") && choice.body.contains("Freja"), "{}", choice.body);

    let (request, relay_state) = client.begin(&world, "%2Fansokan%2F1%3Fsteg%3D2").await;
    assert!(request.force_authn && request.acs_url == format!("{BASE}/eid/saml/acs"));
    assert!(relay_state.len() <= 80);
    let state = client.cookies.keys().find(|name| name.starts_with("__Host-eid-etjanst-")).unwrap().clone();
    let response = world.idp.response(&request).at(now()).build();
    let reply = client.answer(&response, &relay_state).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    assert_eq!(reply.header("location"), "/ansokan/1?steg=2");
    let session = reply.set_cookies().into_iter().find(|c| c.starts_with("__Host-eid-etjanst=")).unwrap().to_owned();
    for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(session.contains(part), "{session}");
    }
    assert!(session.len() < 1024, "{} bytes", session.len());
    assert!(!client.cookies.contains_key(&state), "the login's state is consumed with it");

    let reply = client.get("/ansokan/1?steg=2").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "hello"));
    assert_eq!(reply.set_cookies(), ["app=1"], "the e-service cannot set our cookie");
    assert!(reply.headers.get("x-hop").is_none());
    let seen = world.seen();
    assert_eq!(seen.target, "/ansokan/1?steg=2");
    assert_eq!(seen.one("x-eid-personal-number"), "195006262546");
    assert_eq!(seen.one("x-eid-name"), "%C3%85sa%20M%C3%A4rta%20%C3%96berg");
    assert_eq!(seen.one("x-eid-loa"), "http://id.elegnamnden.se/loa/1.0/loa3");
    assert_eq!((seen.one("x-eid-method"), seen.one("x-eid-provider")), ("bankid", "bankid-a"));
    assert!(seen.one("x-eid-subject").starts_with("personal-number:"));
    assert_eq!((seen.one("host"), seen.one("x-forwarded-proto")), ("etjanst.example.se", "https"));
    assert!(seen.all("cookie").iter().all(|c| !c.contains("__Host-eid")), "our cookies stay with us");
    assert!(seen.all("x-eid-date-of-birth").is_empty(), "what is not forwarded is not told");

    // The token tells the same, under a key that is published.
    let token = seen.one("x-eid-assertion").to_owned();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(BASE), Some("etjanst")));
    assert_eq!(claims["sub"], seen.one("x-eid-subject"));
    assert_eq!(claims["personal_number"], "195006262546");
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 300);
    let jwks: serde_json::Value = serde_json::from_str(&client.get("/eid/jwks.json").await.body).unwrap();
    assert_eq!(jwks["keys"][0]["crv"], "P-256");
    client.get("/ansokan/1").await;
    assert_eq!(world.seen().one("x-eid-assertion"), token, "signed once a minute, not per request");

    // Another route forwards less.
    client.get("/annat").await;
    assert!(world.seen().all("x-eid-personal-number").is_empty());
    let info: serde_json::Value = serde_json::from_str(&client.get("/eid/session").await.body).unwrap();
    assert_eq!(info["eid"], "bankid");
    assert!(info.get("personal_number").is_none());
}

#[tokio::test]
async fn the_state_of_a_login_survives_the_way_over_another_site() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let reply = client.get("/eid/login?eid=bankid&rd=/ansokan/").await;
    let state = reply.set_cookies().into_iter().find(|c| c.starts_with("__Host-eid-etjanst-")).unwrap().to_owned();
    // The answer is posted from the provider's site: only SameSite=None comes along, and only with Secure.
    for part in ["; SameSite=None", "; Secure", "; HttpOnly", "; Path=/", "; Max-Age=3600"] {
        assert!(state.contains(part), "{state}");
    }
}

#[tokio::test]
async fn a_provider_that_wants_a_form_gets_one() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let reply = client.get("/eid/login?eid=freja&rd=/lag/x").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.header("content-security-policy").contains("form-action 'self' https:;"));
    let form = grindvakt_demo::form::forms(&reply.body).into_iter().find(|f| f.field("SAMLRequest").is_some()).unwrap();
    let request = world.known().await.post(form.field("SAMLRequest").unwrap(), &world.other.sso_url()).unwrap();
    assert!(request.loa.iter().any(|l| l.ends_with("/loa2")), "{:?}", request.loa);
    let response = world.other.response(&request).loa("loa2").at(now()).build();
    let reply = client.answer(&response, form.field("RelayState").unwrap()).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/lag/x"));
}

#[tokio::test]
async fn forged_headers_never_reach_the_e_service_on_any_path() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    for path in ["/om/oss", "/ansokan/1"] {
        for name in [
            "X-Eid-Personal-Number",
            "x_eid_personal_number",
            "X.Eid.Subject",
            "X-Eid_Loa",
            "X-EID-ADMIN",
            "x-eid-subject",
        ] {
            let reply = client
                .send(
                    Method::GET,
                    path,
                    &[(name, "forged"), (name, "forged"), ("connection", "x-eid-subject, x-eid-loa")],
                    "",
                )
                .await;
            assert_eq!(reply.status, StatusCode::OK, "{path} {name}");
            let seen = world.seen();
            assert!(
                seen.headers.iter().all(|(_, value)| !value.contains("forged")),
                "{path} {name}: {:?}",
                seen.headers
            );
            let ours = seen.headers.iter().filter(|(n, _)| n.starts_with("x-eid")).count();
            assert_eq!(ours == 0, path == "/om/oss", "{path} {name}: {:?}", seen.headers);
            if path != "/om/oss" {
                assert!(seen.one("x-eid-subject").starts_with("personal-number:"), "Connection cannot take ours away");
            }
        }
    }
    assert!(counted(&world, "grindvakt_forged_headers_total").await);
    client.send(Method::GET, "/om/x", &[("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")], "").await;
    assert_eq!(world.seen().one("x-forwarded-for"), "127.0.0.1");
    assert!(world.seen().all("forwarded").is_empty());
}

#[tokio::test]
async fn a_route_above_the_level_is_not_opened() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    assert_eq!(client.get("/ansokan/").await.status, StatusCode::OK);
    let reply = client.get("/hog/x").await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/eid/login?rd=/hog/x"));
    let reply = client.clone().xhr().get("/hog/x").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(
        reply.header("content-type").starts_with("application/problem+json") && reply.body.contains("loa_not_allowed")
    );
    // Without a session: a script gets 401, a form too, and nothing of either reaches the e-service.
    let mut stranger = Client::new(world.public());
    assert_eq!(stranger.clone().xhr().get("/ansokan/").await.status, StatusCode::UNAUTHORIZED);
    let before = world.seen().target;
    assert_eq!(stranger.post("/ansokan/", &[("a", "b")]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.seen().target, before);
    for bad in ["/ansokan/../om/x", "/om/%2e%2e/ansokan/", "/om//x", "/om/%2fx", "/om/x;y"] {
        assert_eq!(stranger.get(bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn every_bad_answer_is_refused_and_leaves_nothing() {
    let world = World::new("").await;
    for (outcome, code) in [
        (Outcome::Cancel, "status_cancel"),
        (Outcome::Fraud, "status_fraud"),
        (Outcome::AuthnFailed, "status_authn_failed"),
        (Outcome::WrongAudience, "audience_mismatch"),
        (Outcome::WrongRecipient, "recipient_mismatch"),
        (Outcome::WrongRequest, "in_response_to_mismatch"),
        (Outcome::Unsolicited, "in_response_to_missing"),
        (Outcome::WrongIssuer, "issuer_mismatch"),
        (Outcome::Expired, "expired"),
        (Outcome::NotYetValid, "not_yet_valid"),
        (Outcome::OldLogin, "authn_too_old"),
        (Outcome::Unsigned, "signature_missing"),
        (Outcome::WrongKey, "signature_invalid"),
        (Outcome::Tampered, "digest_mismatch"),
        (Outcome::Wrapped, "assertion_multiple"),
        (Outcome::Doctype, "xml_doctype"),
    ] {
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/ansokan/").await;
        let response = world.idp.response(&request).at(now()).outcome(outcome).build();
        let reply = client.answer(&response, &relay_state).await;
        // A wrong recipient is a wrong destination too, and that is seen first.
        let code = if code == "recipient_mismatch" { "destination_mismatch" } else { code };
        assert_refused(&world, &mut client, &reply, code).await;
    }
    // An answer of another provider of ours to a request that went to BankID.
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/").await;
    let response = world.other.response(&request).at(now()).build();
    let reply = client.answer(&response, &relay_state).await;
    assert_refused(&world, &mut client, &reply, "issuer_mismatch").await;
    // A level that was not asked for opens nothing, not even a lower route.
    let (request, relay_state) = client.begin(&world, "/ansokan/").await;
    let response = world.idp.response(&request).at(now()).loa("loa2").build();
    let reply = client.answer(&response, &relay_state).await;
    assert_refused(&world, &mut client, &reply, "loa_not_requested").await;
    let too_large = format!("<a>{}</a>", "x".repeat(300_000));
    let (_, relay_state) = client.begin(&world, "/ansokan/").await;
    let reply = client.answer(&too_large, &relay_state).await;
    assert_refused(&world, &mut client, &reply, "message_too_large").await;
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/").await;
    let before = client.clone();
    let response = world.idp.response(&request).at(now()).assertion_id("_only").build();
    assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
    // The same browser as it was before, with the login's cookie still there.
    let mut copy = before.clone();
    let reply = copy.answer(&response, &relay_state).await;
    assert!(reply.status.is_client_error());
    assert!(!copy.cookies.contains_key(SESSION));
    // The same assertion under a login of its own: it answers another request.
    let mut thief = Client::new(world.public());
    let (_, relay_state) = thief.begin(&world, "/ansokan/").await;
    let reply = thief.answer(&response, &relay_state).await;
    assert_refused(&world, &mut thief, &reply, "in_response_to_mismatch").await;
    // Many at once: one wins.
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/").await;
    let response = world.idp.response(&request).at(now()).build();
    let tries = (0..20).map(|_| {
        let (mut copy, response, relay_state) = (client.clone(), response.clone(), relay_state.clone());
        tokio::spawn(async move { copy.answer(&response, &relay_state).await.status })
    });
    let mut won = 0;
    for one in tries.collect::<Vec<_>>() {
        won += usize::from(one.await.unwrap() == StatusCode::SEE_OTHER);
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn two_tabs_both_finish_and_of_ten_the_newest_five() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    let mut tabs = Vec::new();
    for n in 0..10 {
        tabs.push((n, client.begin(&world, &format!("/ansokan/{n}")).await));
        // Of two that begin within one millisecond neither is the newer.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let held = client.cookies.keys().filter(|name| name.starts_with("__Host-eid-etjanst-")).count();
    assert_eq!(held, 5);
    for (n, (request, relay_state)) in tabs {
        let response = world.idp.response(&request).at(now()).build();
        let reply = client.answer(&response, &relay_state).await;
        if n < 5 {
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "tab {n}");
        } else {
            assert_eq!(
                (reply.status, reply.header("location")),
                (StatusCode::SEE_OTHER, format!("/ansokan/{n}").as_str())
            );
        }
    }
    assert_eq!(client.get("/ansokan/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_logout_also_in_a_copy() {
    let world = World::new("[session]\nidle_timeout = \"1s\"\n").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    assert_eq!(client.get("/ansokan/").await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(client.clone().xhr().get("/ansokan/").await.status, StatusCode::UNAUTHORIZED);

    client.log_in(&world, "/ansokan/").await;
    let mut copy = client.clone();
    // From another site nobody is logged out.
    let evil = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_eq!(client.send(Method::POST, "/eid/logout", &evil, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(client.get("/eid/logout").await.status, StatusCode::OK);
    assert_eq!(client.clone().xhr().get("/ansokan/").await.status, StatusCode::OK, "a link logs nobody out");
    let own = [("sec-fetch-site", "same-origin"), ("origin", BASE)];
    assert_eq!(client.send(Method::POST, "/eid/logout", &own, "").await.status, StatusCode::OK);
    assert!(!client.cookies.contains_key(SESSION));
    copy.headers = client.clone().xhr().headers;
    assert_eq!(copy.get("/ansokan/").await.status, StatusCode::UNAUTHORIZED, "a copied cookie is dead");
}

#[tokio::test]
async fn cookies_that_are_missing_strange_or_bent_open_nothing() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let good = client.cookies[SESSION].clone();
    let bent = |at: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let mut hostile = vec![
        String::new(),
        "x".into(),
        "=".into(),
        "\"".into(),
        "A".repeat(8_000),
        good[..good.len() - 1].into(),
        format!("{good}A"),
    ];
    hostile.extend((0..good.len()).step_by(7).map(bent));
    for value in hostile {
        let mut stranger = Client::new(world.public()).xhr();
        stranger.cookies.insert(SESSION.into(), value.clone());
        assert_eq!(stranger.get("/ansokan/").await.status, StatusCode::UNAUTHORIZED, "{value}");
    }
    // A session is no login state, and the reverse; and a login needs the cookie of this browser.
    let mut begun = Client::new(world.public());
    let (request, relay_state) = begun.begin(&world, "/ansokan/").await;
    let state = begun.cookies.values().next().unwrap().clone();
    let mut swapped = Client::new(world.public()).xhr();
    swapped.cookies.insert(SESSION.into(), state);
    assert_eq!(swapped.get("/ansokan/").await.status, StatusCode::UNAUTHORIZED);
    let response = world.idp.response(&request).at(now()).build();
    let mut elsewhere = Client::new(world.public());
    let reply = elsewhere.answer(&response, &relay_state).await;
    assert_refused(&world, &mut elsewhere, &reply, "state_missing").await;
    // Without the state the deep link is unknown, but not the route: the one button begins again there.
    assert_eq!(reply.body.matches("class=\"button\"").count(), 1, "{}", reply.body);
    assert!(reply.body.contains("href=\"/eid/login?rd=/ansokan&#38;locale=sv\""), "{}", reply.body);
    for value in begun.cookies.values_mut() {
        let at = value.len() / 2;
        let flipped = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
        value.replace_range(at..=at, flipped);
    }
    let reply = begun.answer(&response, &relay_state).await;
    assert_refused(&world, &mut begun, &reply, "state_invalid").await;
}

#[tokio::test]
async fn a_restart_in_mid_login_begins_again_and_lets_no_assertion_in_twice() {
    let mut world = World::new("").await;
    let mut client = Client::new(world.public());
    let (used_request, used_state) = client.begin(&world, "/ansokan/").await;
    let before = client.clone();
    let used = world.idp.response(&used_request).at(now()).build();
    assert_eq!(client.answer(&used, &used_state).await.status, StatusCode::SEE_OTHER);
    let (request, relay_state) = client.begin(&world, "/ansokan/").await;
    world.stop().await;
    world.start();

    // Sessions are sealed with a key from a file: they go on.
    let mut after = Client { cookies: client.cookies.clone(), ..Client::new(world.public()) };
    assert_eq!(after.get("/ansokan/").await.status, StatusCode::OK);
    // A login that the old process began cannot finish at the new one, which has not its memory.
    let response = world.idp.response(&request).at(now()).build();
    let mut fresh = Client { cookies: client.cookies.clone(), ..Client::new(world.public()) };
    fresh.cookies.remove(SESSION);
    let reply = fresh.answer(&response, &relay_state).await;
    assert_refused(&world, &mut fresh, &reply, "login_other_instance").await;
    assert!(reply.body.contains("/eid/login?rd=/ansokan/"), "the way on keeps the deep link: {}", reply.body);
    let mut thief = Client { cookies: before.cookies.clone(), ..Client::new(world.public()) };
    let reply = thief.answer(&used, &used_state).await;
    assert_refused(&world, &mut thief, &reply, "login_other_instance").await;
    assert_eq!(fresh.log_in(&world, "/ansokan/").await.status, StatusCode::SEE_OTHER);
    world.stop().await;
}

#[tokio::test]
async fn bodies_stream_both_ways_and_strange_redirects_stay_home() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let body = "å".repeat(200_000);
    let reply = client.send(Method::POST, "/ansokan/1", &[("content-type", "text/plain")], &body).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.seen().body, body.as_bytes());
    for rd in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "/%0d%0aa:b",
        "%2F%2Fevil.example",
    ] {
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, rd).await;
        let response = world.idp.response(&request).at(now()).build();
        let reply = client.answer(&response, &relay_state).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"), "{rd}");
    }
}

#[tokio::test]
async fn operators_see_health_metrics_and_status() {
    let mut world = World::new("").await;
    let mut admin = Client::new(world.admin());
    for path in ["/livez", "/readyz", "/startupz", "/upstream/readyz"] {
        assert_eq!(admin.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(admin.get("/readyz").await.body, "ok\nbankid-a: usable\nfreja: usable\n");
    assert_eq!(admin.get("/eid/login").await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.send(Method::POST, "/readyz", &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let status: serde_json::Value = serde_json::from_str(&admin.get("/status?json").await.body).unwrap();
    assert_eq!(status["providers"][0]["usable"], true);
    let metrics = admin.get("/metrics").await.body;
    for name in [
        "grindvakt_provider_usable{provider=\"freja\"} 1",
        "grindvakt_build_info",
        "grindvakt_logins_begun_total{provider=\"bankid-a\"} 0",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    // Nothing of the admin address is on the public one.
    assert_ne!(Client::new(world.public()).xhr().get("/metrics").await.status, StatusCode::OK);
    world.stop().await;
}

#[tokio::test]
async fn an_assertion_that_was_encrypted_to_us_is_opened_and_no_other() {
    let mut world = World::new("").await;
    std::fs::write(world.folder.path().join("old.pem"), grindvakt::crypto::own::generate_rsa_pem().unwrap().expose())
        .unwrap();
    let decryption = "[keys]\ndecryption = [\"old.pem\"]";
    world.configure(|text| text.replacen("[keys]", decryption, 1).replacen("encryption = \"optional\"", "", 1)).await;
    let old = world.known().await.encryption;
    assert!(old.is_some(), "the metadata says what to encrypt to");

    // A roll-over: the new key is published, both open.
    std::fs::write(world.folder.path().join("new.pem"), grindvakt::crypto::own::generate_rsa_pem().unwrap().expose())
        .unwrap();
    world.configure(|text| text.replacen("[\"old.pem\"]", "[\"new.pem\", \"old.pem\"]", 1)).await;
    let new = world.known().await.encryption;
    let stranger =
        grindvakt_demo::EncryptionKey::from_certificate(grindvakt_demo::DemoKey::rsa("stranger").certificate());
    for (what, key, outcome, code) in [
        ("the old key", &old, Outcome::Success, None),
        ("the new key", &new, Outcome::Success, None),
        ("somebody else's key", &stranger, Outcome::Success, Some("assertion_undecryptable")),
        ("in clear", &None, Outcome::Success, Some("assertion_not_encrypted")),
        ("changed on its way", &new, Outcome::Tampered, Some("digest_mismatch")),
        ("nobody's signature", &new, Outcome::Unsigned, Some("signature_missing")),
        ("addressed elsewhere", &new, Outcome::WrongRecipient, Some("destination_mismatch")),
    ] {
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/ansokan/").await;
        let response = world.idp.response(&request).at(now()).outcome(outcome).encrypted_to(key.clone()).build();
        assert_eq!(response.contains("EncryptedAssertion"), key.is_some(), "{what}");
        let reply = client.answer(&response, &relay_state).await;
        match code {
            None => {
                assert_eq!(reply.status, StatusCode::SEE_OTHER, "{what}: {}", reply.body);
                assert_eq!(client.get("/ansokan/").await.status, StatusCode::OK, "{what}");
                assert_eq!(world.seen().one("x-eid-personal-number"), "195006262546");
            }
            Some(code) => assert_refused(&world, &mut client, &reply, code).await,
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agencys_logo_comes_from_here_and_can_do_nothing_but_draw() {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0h9\"/></svg>";
    let world = World::with_files("[pages]\nlogo = \"l.svg\"\n", &[("l.svg".to_owned(), svg.to_owned())]).await;
    let mut client = Client::new(world.public());
    let page = client.get("/eid/login?rd=/ansokan/&choose").await;
    let (_, after) = page.body.split_once("<img class=\"logo\" src=\"").unwrap();
    let reply = client.get(after.split('"').next().unwrap()).await;
    assert_eq!(
        (reply.status, reply.header("content-type"), reply.body.as_str()),
        (StatusCode::OK, "image/svg+xml", svg)
    );
    assert!(reply.header("content-security-policy").contains("default-src 'none'; style-src 'unsafe-inline'; sandbox"));
    assert_eq!(reply.header("x-content-type-options"), "nosniff");

    let world = World::new("").await;
    assert_eq!(Client::new(world.public()).get("/eid/assets/logo").await.status, StatusCode::NOT_FOUND);
}
