//! Whose requests the provider takes, and what of them.

use std::time::Duration;

use grindvakt_demo::op::jose::Claims;
use grindvakt_demo::op::{ClientAuth, ClientKeys, OpClient, OpOutcome, basic};
use grindvakt_demo::{DemoKey, form};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{CALLBACK, ISSUER, LOA3, Rig, VERIFIER, query};

#[tokio::test]
async fn a_request_is_held_to_every_rule() {
    let mut rig = Rig::new(|op| op);
    for (change, says) in [
        (&[("client_id", "annan")][..], "no such client"),
        (&[("redirect_uri", "http://etjanst.localhost:8080/annan")][..], "not registered"),
        (&[("request_uri", "urn:x")][..], "no such pushed request"),
        (&[("request", "a.b.c")][..], "request object"),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert!(got.status == StatusCode::BAD_REQUEST && got.body.contains(says), "{change:?}: {}", got.body);
    }
    let twice = rig.get(&format!("/authorize?{}&nonce=n-2", query(&[]))).await;
    assert!(twice.status == StatusCode::BAD_REQUEST && twice.body.contains("stands twice"));
    let none = [("prompt", "none")];
    for (change, error) in [
        (&[("response_type", "id_token")][..], "unsupported_response_type"),
        (&[("response_mode", "form_post")][..], "invalid_request"),
        (&[("scope", "profile")][..], "invalid_scope"),
        (&[("state", "short")][..], "invalid_request"),
        (&[("code_challenge", "")][..], "invalid_request"),
        (&[("code_challenge_method", "plain")][..], "invalid_request"),
        (&[("prompt", "none login")][..], "invalid_request"),
        (&[("max_age", "soon")][..], "invalid_request"),
        (&[("claims", "{")][..], "invalid_request"),
        (
            &[("claims", r#"{"id_token":{"acr":{"essential":true,"values":["urn:other"]}}}"#)][..],
            "unmet_authentication_requirements",
        ),
        (&none[..], "login_required"),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(got.answer("error").as_deref(), Some(error), "{change:?}: {}", got.body);
        assert_eq!(got.answer("iss").as_deref(), Some(ISSUER));
    }
    // By POST too, as the Swedish profile has it.
    let page = rig.send(Method::POST, "/authorize", &[], &query(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    let request = rig.site.last_request().unwrap();
    assert_eq!((request.levels(), request.max_age, request.ui_locales.len()), (&[LOA3.to_owned()][..], Some(0), 2));
    assert!(rig.choose(&page, OpOutcome::Success).await.answer("code").is_some());
}

#[tokio::test]
async fn a_session_answers_only_those_who_did_not_ask_for_a_fresh_login() {
    let mut rig = Rig::new(|op| op);
    let first = rig.login(&[], OpOutcome::Success).await;
    assert!(first.answer("code").is_some());
    rig.clock.advance(Duration::from_secs(100));
    let auth_time = rig.now() - 100;
    for (change, at_once) in [
        (&[("prompt", ""), ("max_age", "")][..], true),
        (&[("prompt", "none"), ("max_age", "100")][..], true),
        (&[("prompt", ""), ("max_age", "99")][..], false),
        (&[("prompt", "login"), ("max_age", "")][..], false),
        (&[("prompt", "select_account"), ("max_age", "")][..], false),
    ] {
        let got = rig.get(&format!("/authorize?{}", query(change))).await;
        assert_eq!(got.status == StatusCode::SEE_OTHER, at_once, "{change:?}: {}", got.location);
        if at_once {
            let tokens = rig.exchange(&got.answer("code").unwrap(), &[]).await.json();
            let keys = ClientKeys::from_jwks(&rig.site.op().jwks());
            assert_eq!(keys.verify(tokens["id_token"].as_str().unwrap()).unwrap()["auth_time"], auth_time);
        }
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_whom_it_was_made_and_for_a_minute() {
    let mut rig = Rig::new(|op| op);
    let secret = OpClient::new("annan", ClientAuth::Secret("h:e m+l".to_owned()), "http://annan.localhost/");
    rig.site.knows(secret);
    let stranger = rig.assertion(&DemoKey::p256("x"), |_| {});
    let to_endpoint =
        rig.assertion(&rig.client_key, |c| drop(c.insert("aud".into(), json!(format!("{ISSUER}/token")))));
    let late = rig.assertion(&rig.client_key, |c| drop(c.insert("exp".into(), json!(1_700_000_000))));
    let once = rig.assertion(&rig.client_key, |_| {});
    let of = |assertion: &[(&'static str, String); 2]| -> Vec<(&'static str, String)> { assertion.to_vec() };
    for (what, change, error) in [
        (
            "no client",
            vec![("client_assertion", String::new()), ("client_assertion_type", String::new())],
            (401, "invalid_client"),
        ),
        ("a stranger's key", of(&stranger), (401, "invalid_client")),
        ("for the endpoint", of(&to_endpoint), (401, "invalid_client")),
        ("expired", of(&late), (401, "invalid_client")),
        (
            "another verifier",
            vec![("code_verifier", "another-verifier-of-the-right-length-for-pkce-s256".to_owned())],
            (400, "invalid_grant"),
        ),
        ("no verifier", vec![("code_verifier", String::new())], (400, "invalid_grant")),
        (
            "another address",
            vec![("redirect_uri", "http://etjanst.localhost:8080/".to_owned())],
            (400, "invalid_grant"),
        ),
        ("another code", vec![("code", "made-up".to_owned())], (400, "invalid_grant")),
        ("another grant", vec![("grant_type", "password".to_owned())], (400, "unsupported_grant_type")),
        ("an assertion the first time", of(&once), (200, "")),
        ("an assertion the second time", of(&once), (401, "invalid_client")),
    ] {
        let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
        let change: Vec<(&str, &str)> = change.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let got = rig.exchange(&code, &change).await;
        assert_eq!(got.error(), (error.0, error.1.to_owned()), "{what}: {}", got.body);
    }

    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let by_secret = |secret: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        (basic("annan", secret), form::encode(fields))
    };
    for (secret, error) in [("h:e m+l", "invalid_grant"), ("gissning", "invalid_client")] {
        let (authorization, body) = by_secret(secret);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(rig.send(Method::POST, "/token", &headers, &body).await.error().1, error, "another client's code");
    }
    let tokens = rig.exchange(&code, &[]).await.json();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert_eq!(rig.userinfo(&access).await.status, StatusCode::OK);
    assert_eq!(rig.exchange(&code, &[]).await.error(), (400, "invalid_grant".to_owned()), "twice");
    assert_eq!(rig.userinfo(&access).await.status, StatusCode::UNAUTHORIZED, "what it gave is taken back");

    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.exchange(&code, &[]).await.error(), (400, "invalid_grant".to_owned()), "too old");
}

#[tokio::test]
async fn requests_are_pushed_and_signed() {
    let mut rig = Rig::new(|op| op.says("require_pushed_authorization_requests", json!(true)));
    let plain = rig.get(&format!("/authorize?{}", query(&[]))).await;
    assert_eq!(plain.answer("error").as_deref(), Some("invalid_request"), "it must be pushed");
    let push = async |rig: &Rig, change: &[(&str, &str)]| {
        let assertion = rig.assertion(&rig.client_key, |_| {});
        let assertion: Vec<(&str, &str)> = assertion.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let body = format!("{}&{}", query(change), form::encode(assertion));
        rig.send(Method::POST, "/par", &[("content-type", "application/x-www-form-urlencoded")], &body).await
    };
    assert_eq!(push(&rig, &[("scope", "profile")]).await.error(), (400, "invalid_scope".to_owned()));
    assert_eq!(rig.post("/par", &[("client_id", "etjanst")]).await.error(), (401, "invalid_client".to_owned()));
    let pushed = push(&rig, &[]).await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let target = format!("/authorize?{}", form::encode([("client_id", "etjanst"), ("request_uri", uri.as_str())]));
    let page = rig.get(&target).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(rig.site.last_request().is_some_and(|request| request.pushed && !request.signed));
    assert!(rig.choose(&page, OpOutcome::Success).await.answer("code").is_some());
    assert_eq!(rig.get(&target).await.status, StatusCode::BAD_REQUEST, "good for one use");
    let uri = push(&rig, &[]).await.json()["request_uri"].as_str().unwrap().to_owned();
    rig.clock.advance(Duration::from_secs(60));
    let target = format!("/authorize?{}", form::encode([("client_id", "etjanst"), ("request_uri", uri.as_str())]));
    assert_eq!(rig.get(&target).await.status, StatusCode::BAD_REQUEST, "and for a minute");

    let rig = Rig::new(|op| op.says("require_signed_request_object", json!(true)));
    let object = |key: &DemoKey, change: &[(&str, Value)]| {
        let fields = form::parse(&query(&[]));
        let mut claims: Claims = fields.into_iter().map(|(n, v)| (n, json!(v))).collect();
        for (name, value) in [("iss", json!("etjanst")), ("aud", json!(ISSUER)), ("exp", json!(rig.now() + 60))] {
            claims.insert(name.to_owned(), value);
        }
        for (name, value) in change {
            claims.insert((*name).to_owned(), value.clone());
        }
        key.sign_jwt(Claims::new(), &claims)
    };
    for (what, object, status) in [
        ("good", object(&rig.client_key, &[]), 200),
        ("a stranger's", object(&DemoKey::p256("x"), &[]), 400),
        ("for another provider", object(&rig.client_key, &[("aud", json!("https://annan"))]), 400),
        ("of another client", object(&rig.client_key, &[("iss", json!("annan"))]), 400),
        ("expired", object(&rig.client_key, &[("exp", json!(rig.now()))]), 400),
        ("another client within", object(&rig.client_key, &[("client_id", json!("annan"))]), 400),
    ] {
        let target = format!("/authorize?client_id=etjanst&response_type=code&scope=openid&request={object}");
        let got = rig.get(&target).await;
        assert_eq!(got.status.as_u16(), status, "{what}: {}", got.body);
    }
    assert!(rig.site.last_request().is_some_and(|request| request.signed && !request.pushed));
    let plain = rig.get(&format!("/authorize?{}", query(&[]))).await;
    assert_eq!(plain.answer("error").as_deref(), Some("invalid_request"), "it must be signed");
}
