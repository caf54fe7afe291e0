//! What the provider answers, by the sidecar's own verifier: right, and wrong in the one way that each outcome's name says.

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::{Clock as _, ManualClock, Secret, UnixTime};
use grindvakt::crypto::encryption::NoKeys;
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::crypto::trusted::AlgorithmSet;
use grindvakt::verify::Reject;
use grindvakt::verify::jose::{
    AccessTokenExpect, Asked, Decryption, Discovery, IdTokenExpect, KeySet, LevelRules, LogoutExpect, Nonce,
    OidcProfile, Received, TokenResponse, UserInfoExpect, plain_userinfo,
};
use grindvakt_demo::op::{ClientAuth, ClientKeys, DemoOp, Dialect, OpClient, OpOutcome, OpSite, basic};
use grindvakt_demo::{DemoKey, EncryptionKey, form};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{AFTER, CALLBACK, Got, ISSUER, LOA3, OP_KEY, Rig, SCOPES, STATE, query};

/// Holds an ID token against what the login asked for.
fn verdict(rig: &Rig, tokens: &TokenResponse) -> Result<String, Reject> {
    let (keys, certified, asked_loa) = (rig.keys(), [LOA3.to_owned()], [LOA3.to_owned()]);
    let expect = IdTokenExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        other_audiences: &[],
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        profile: OidcProfile::OidcSweden.rules(),
        asked: Asked {
            nonce: Nonce::Sent("n-1"),
            fresh_since: Some(rig.clock.now()),
            max_age: Some(Duration::ZERO),
            loa: &asked_loa,
        },
        access_token: Some(tokens.access_token.expose()),
        code: None,
        level: LevelRules { claim: None, map: &[], when_absent: None, certified: &certified, eidas_connector: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = Received::parse(tokens.id_token.as_bytes())?.id_token(&expect, rig.clock.now())?;
    Ok(token.claims().subject.clone())
}

fn told(rig: &Rig, subject: &str, got: &Got) -> Result<(), Reject> {
    let keys = rig.keys();
    let expect = UserInfoExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        subject,
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        profile: OidcProfile::OidcSweden.rules(),
        clock_skew: Duration::from_secs(60),
    };
    match got.kind.as_str() {
        "application/jwt" => Received::parse(got.body.as_bytes())?.userinfo(&expect, rig.clock.now()).map(drop),
        _ => plain_userinfo(got.body.as_bytes(), &expect).map(drop),
    }
}

/// How an outcome shows to the client that follows it to its end.
async fn shows(rig: &mut Rig, outcome: OpOutcome) -> String {
    let back = rig.login(&[], outcome).await;
    let code = back.answer("code");
    if let Some(error) = back.answer("error") {
        assert!(code.is_none() || outcome == OpOutcome::CodeAndError);
        return format!("error {error}");
    }
    match back.answer("state") {
        None => return "no state".to_owned(),
        Some(state) if state != STATE => return "another state".to_owned(),
        Some(_) => {}
    }
    match back.answer("iss") {
        None => return "no iss".to_owned(),
        Some(iss) if iss != ISSUER => return "another iss".to_owned(),
        Some(_) => {}
    }
    let answer = rig.exchange(&code.unwrap(), &[]).await;
    if answer.status != StatusCode::OK {
        let (status, error) = answer.error();
        return format!("token {status} {error}");
    }
    let tokens = match TokenResponse::read(answer.body.as_bytes()) {
        Ok(tokens) => tokens,
        Err(reject) => return format!("token {}", reject.code()),
    };
    let subject = match verdict(rig, &tokens) {
        Ok(subject) => subject,
        Err(reject) => return reject.code().to_owned(),
    };
    let got = rig.userinfo(tokens.access_token.expose()).await;
    if got.status != StatusCode::OK {
        return format!("userinfo {}", got.status.as_u16());
    }
    if outcome == OpOutcome::UserInfoConflict {
        return "a conflict".to_owned();
    }
    told(rig, &subject, &got).map_or_else(|reject| format!("userinfo {}", reject.code()), |()| "good".to_owned())
}

const fn expected(outcome: OpOutcome) -> &'static str {
    match outcome {
        OpOutcome::Success => "good",
        OpOutcome::Cancel | OpOutcome::LoginFailed | OpOutcome::CodeAndError => "error access_denied",
        OpOutcome::LoginRequired => "error login_required",
        OpOutcome::InteractionRequired => "error interaction_required",
        OpOutcome::UnmetLevel => "error unmet_authentication_requirements",
        OpOutcome::ServerError => "error server_error",
        OpOutcome::Unavailable => "error temporarily_unavailable",
        OpOutcome::StrangeError => "error the_moon_is_full",
        OpOutcome::WrongState => "another state",
        OpOutcome::NoState => "no state",
        OpOutcome::WrongIss => "another iss",
        OpOutcome::NoIss => "no iss",
        OpOutcome::WrongCode => "token 400 invalid_grant",
        OpOutcome::TokenBroken => "token 500 server_error",
        OpOutcome::TokenPage => "token json_malformed",
        OpOutcome::NoIdToken | OpOutcome::StrangeTokenType => "token token_response_malformed",
        OpOutcome::Tampered | OpOutcome::WrongKey => "signature_invalid",
        OpOutcome::Unsigned | OpOutcome::PublicKeyHmac => "signature_algorithm",
        OpOutcome::OwnKey => "key_unknown",
        OpOutcome::Replay | OpOutcome::WrongTokenHash => "token_hash_mismatch",
        OpOutcome::WrongNonce => "nonce_mismatch",
        OpOutcome::NoNonce => "nonce_missing",
        OpOutcome::WrongIssuer => "issuer_mismatch",
        OpOutcome::WrongAudience => "audience_mismatch",
        OpOutcome::SharedAudience => "audience_untrusted",
        OpOutcome::WrongParty => "authorized_party",
        OpOutcome::WrongLevel => "loa_not_requested",
        OpOutcome::NoLevel => "authn_context_missing",
        OpOutcome::LevelOfAnotherType => "claim_type",
        OpOutcome::Expired => "expired",
        OpOutcome::NotYetValid => "issued_in_future",
        OpOutcome::LongLived => "lifetime_too_long",
        OpOutcome::OldLogin => "authn_too_old",
        OpOutcome::NoLoginTime | OpOutcome::NoSubject => "claim_missing",
        OpOutcome::UserInfoOther => "userinfo subject_mismatch",
        OpOutcome::UserInfoUnsigned => "userinfo userinfo_not_signed",
        OpOutcome::UserInfoWrongKey => "userinfo signature_invalid",
        OpOutcome::UserInfoConflict => "a conflict",
        OpOutcome::UserInfoBroken => "userinfo 500",
    }
}

#[tokio::test]
async fn every_outcome_is_wrong_in_the_one_way_that_its_name_says() {
    let mut rig = Rig::new(|op| op);
    // The first one is the good one, which leaves an answer for the replay.
    for outcome in OpOutcome::ALL {
        assert_eq!(shows(&mut rig, *outcome).await, expected(*outcome), "{outcome:?}");
        assert_eq!(OpOutcome::parse(outcome.name()), Some(*outcome));
    }
}

#[tokio::test]
async fn discovery_and_keys_are_what_the_sidecar_reads() {
    let rig = Rig::new(|op| op);
    let got = rig.get("/.well-known/openid-configuration").await;
    let read = Discovery::read(got.body.as_bytes(), ISSUER).unwrap();
    assert!(read.response_iss && read.claims_parameter && !read.require_pushed_authorization_requests);
    assert_eq!(read.jwks_uri, format!("{ISSUER}/jwks"));
    let (keys, warnings) = KeySet::parse(rig.get("/jwks").await.body.as_bytes()).unwrap();
    assert!(keys.len() == 1 && warnings.is_empty(), "{warnings:?}");

    let rig =
        Rig::new(|op| op.says("require_pushed_authorization_requests", json!(true)).says("jwks_uri", json!(null)));
    let document = rig.get("/.well-known/openid-configuration").await.json();
    assert!(document.get("jwks_uri").is_none());
    assert_eq!(document["require_pushed_authorization_requests"], true);
}

#[tokio::test]
async fn a_person_is_told_in_the_dialect_of_the_provider_and_only_as_asked() {
    for (dialect, scope, in_token, in_userinfo) in [
        (
            Dialect::Swedish,
            SCOPES,
            json!({ "https://id.oidc.se/claim/personalIdentityNumber": "195006262546", "acr": LOA3 }),
            json!({ "name": "Åsa Märta Öberg", "given_name": "Åsa Märta", "family_name": "Öberg" }),
        ),
        (
            Dialect::Swedish,
            "openid",
            json!({ "acr": LOA3, "https://id.oidc.se/claim/personalIdentityNumber": null }),
            json!({ "name": null }),
        ),
        (
            Dialect::Standard,
            "openid profile",
            json!({ "acr": LOA3 }),
            json!({ "family_name": "Öberg", "birthdate": "1950-06-26" }),
        ),
        (
            Dialect::Freja,
            "openid profile https://frejaeid.com/oidc/scopes/personalIdentityNumber",
            json!({
                "https://frejaeid.com/oidc/claims/loaLevel": "LOA3", "acr": null, "auth_time": null,
                "https://frejaeid.com/oidc/claims/personalIdentityNumber": "195006262546",
                "https://frejaeid.com/oidc/claims/country": "SE",
            }),
            json!({ "given_name": "Åsa Märta" }),
        ),
    ] {
        let clock = ManualClock::at(UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap());
        let site = OpSite::new(DemoOp::new(ISSUER, "X", dialect, Arc::clone(&OP_KEY)), Arc::new(clock.clone()));
        site.knows(OpClient::new("etjanst", ClientAuth::Public, CALLBACK).userinfo_signed(false));
        let mut rig = Rig { site, clock, client_key: DemoKey::p256("client"), cookie: None };
        let plain = [("claims", ""), ("scope", scope), ("acr_values", LOA3)];
        let code = rig.login(&plain, OpOutcome::Success).await.answer("code").unwrap();
        let public = [("client_id", "etjanst"), ("client_assertion", ""), ("client_assertion_type", "")];
        let tokens = rig.exchange(&code, &public).await.json();
        let claims = ClientKeys::from_jwks(&rig.site.op().jwks()).verify(tokens["id_token"].as_str().unwrap()).unwrap();
        let userinfo = rig.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
        for (wanted, got) in [(in_token, &Value::Object(claims.clone())), (in_userinfo, &userinfo)] {
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(got[name], *value, "{dialect:?} {scope}: {name}");
            }
        }
        assert_eq!(claims["sub"], userinfo["sub"]);
        assert!(!claims["sub"].as_str().unwrap().contains("1950"));
    }
}

#[tokio::test]
async fn an_id_token_can_be_encrypted_and_the_sidecars_key_opens_it() {
    let mut rig = Rig::new(|op| op);
    let own = DemoKey::rsa("decryption");
    let keys = ClientKeys::from_jwks(&rig.client_key.jwks());
    let client = OpClient::new("etjanst", ClientAuth::Key(keys), CALLBACK);
    rig.site.knows(client.encrypted_to(EncryptionKey::from_certificate(own.certificate())));
    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let tokens = rig.exchange(&code, &[]).await.json();
    let token = tokens["id_token"].as_str().unwrap();
    let mut keys = DecryptionKeys::default();
    keys.add(&Secret::new(own.private_pem().into_bytes()), "x").unwrap();
    let opened = Received::parse(token.as_bytes()).unwrap().open(&keys).unwrap().unwrap();
    assert!(opened.token().is_ok());
}

#[tokio::test]
async fn a_logout_is_held_to_the_hint_and_the_clients_are_told() {
    let mut rig = Rig::new(|op| op);
    let code = rig.login(&[], OpOutcome::Success).await.answer("code").unwrap();
    let tokens = rig.exchange(&code, &[]).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let logout = |pairs: &[(&str, &str)]| format!("/logout?{}", form::encode(pairs.iter().copied()));
    for bad in [
        &[("id_token_hint", "a.b.c"), ("post_logout_redirect_uri", AFTER)][..],
        &[("id_token_hint", hint), ("post_logout_redirect_uri", "http://annan.localhost/")][..],
        &[("id_token_hint", hint), ("client_id", "annan")][..],
        &[("client_id", "etjanst"), ("post_logout_redirect_uri", "http://annan.localhost/")][..],
        &[("client_id", "annan"), ("post_logout_redirect_uri", AFTER)][..],
    ] {
        assert_eq!(rig.get(&logout(bad)).await.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    assert!(
        rig.get(&logout(&[])).await.body.contains("Åsa Märta Öberg"),
        "without a hint a person must press a button"
    );
    let good = logout(&[("id_token_hint", hint), ("post_logout_redirect_uri", AFTER), ("state", "s")]);
    let got = rig.get(&good).await;
    assert_eq!((got.status, got.location.as_str()), (StatusCode::SEE_OTHER, &*format!("{AFTER}?state=s")));
    let again = rig.get(&format!("/authorize?{}", query(&[("prompt", "none"), ("max_age", "")]))).await;
    assert_eq!(again.answer("error").as_deref(), Some("login_required"), "the session is over");

    // The same by the person's own hand, without a hint.
    rig.login(&[], OpOutcome::Success).await;
    let ask = rig.get(&logout(&[("client_id", "etjanst"), ("post_logout_redirect_uri", AFTER)])).await;
    let form = form::forms(&ask.body).remove(0);
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let got = rig.post(&form.action, &fields).await;
    assert_eq!((got.status, got.location.as_str()), (StatusCode::SEE_OTHER, AFTER), "{}", got.body);

    rig.login(&[], OpOutcome::Success).await;
    let notices = rig.site.end_last_session();
    assert_eq!((notices.len(), notices[0].client_id.as_str()), (1, "etjanst"));
    let keys = rig.keys();
    let expect = LogoutExpect {
        issuer: ISSUER,
        client_id: "etjanst",
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = Received::parse(notices[0].token.as_bytes()).unwrap().logout_token(&expect, rig.clock.now()).unwrap();
    assert!(token.claims().session_id.is_some() && token.claims().subject.is_some());
    assert!(rig.site.end_last_session().is_empty());
}

#[tokio::test]
async fn a_program_gets_an_access_token_in_its_own_name() {
    let rig = Rig::new(|op| op.for_api("http://etjanst.localhost:8080/api"));
    rig.site.knows(OpClient::program("arendesystem", "demo", &["arenden.read"]));
    let ask = async |secret: &str, scope: &str| {
        let authorization = basic("arendesystem", secret);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let body = form::encode([("grant_type", "client_credentials"), ("scope", scope)]);
        rig.send(Method::POST, "/token", &headers, &body).await
    };
    assert_eq!(ask("gissning", "arenden.read").await.error(), (401, "invalid_client".to_owned()));
    assert_eq!(ask("demo", "arenden.write").await.error(), (400, "invalid_scope".to_owned()));
    let tokens = ask("demo", "arenden.read").await.json();
    let (keys, audience) = (rig.keys(), ["http://etjanst.localhost:8080/api".to_owned()]);
    let expect = AccessTokenExpect {
        issuer: ISSUER,
        audience: &audience,
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        require_at_jwt: true,
        profile: OidcProfile::Generic.rules(),
        level: LevelRules { claim: None, map: &[], when_absent: None, certified: &[], eidas_connector: false },
        clock_skew: Duration::from_secs(60),
    };
    let token = tokens["access_token"].as_str().unwrap();
    let token = Received::parse(token.as_bytes()).unwrap().access_token(&expect, rig.clock.now()).unwrap();
    assert_eq!(token.claims().subject.as_deref(), Some("arendesystem"));
}
