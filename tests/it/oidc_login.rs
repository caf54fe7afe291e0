//! Logins by OpenID Connect at the demo's provider, which shares no code with the sidecar: what is asked, what is taken,
//! and what each wrong answer leads to.

use std::collections::BTreeMap;

use grindvakt_demo::browser::Browser;
use grindvakt_demo::op::{Dialect, OpOutcome};
use grindvakt_demo::person::{TestPerson, asa};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::openid::{By, Op, begin, bring, callback, ready, refused, shared_key, since};
use crate::support::{BASE, Client, World, eventually};

const SESSION: &str = "__Host-eid-etjanst";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

/// A sidecar with one OpenID provider beside those that it has anyway.
async fn world(op: &Op, profile: &str, more: &str) -> World {
    let mut world = World::new("").await;
    let provider = op.provider(&world, profile, more);
    world.configure(|text| text.to_owned() + &provider).await;
    ready(&world, &[&op.id]).await;
    world
}

/// The Swedish profile, with a key: what the tests use that are not about these.
async fn swedish() -> (Op, World) {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let world = world(&op, "oidc-sweden", "loa = [\"loa2\", \"loa3\"]").await;
    (op, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_the_e_service_cannot_tell_by_which_protocol() {
    let (op, mut world) = swedish().await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/ansokan/1?a=b").await;
    assert_eq!(client.cookies.len(), 1, "the login's own state: {:?}", client.cookies);

    let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    assert!(back.starts_with(&format!("{}?code=", callback(&op.id))), "{back}");
    let asked = op.site.last_request().unwrap();
    assert_eq!((asked.prompt, asked.max_age), (vec!["login".to_owned()], Some(0)), "a fresh login");
    assert_eq!(asked.asked.essential_acr, [LOA3], "what the route takes and the provider may assert");
    assert!(asked.acr_values.is_empty());
    assert_eq!(asked.ui_locales, ["sv"]);
    assert!(asked.nonce.is_some_and(|nonce| nonce.len() >= 22));
    assert!(!asked.pushed && !asked.signed);

    let done = bring(&mut client, &back).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/ansokan/1?a=b"), "{}", done.body);
    assert_eq!(client.cookies.keys().collect::<Vec<_>>(), [SESSION, "__Host-last-eid-etjanst"], "the login is used up");
    assert_eq!(client.get("/ansokan/1?a=b").await.status, StatusCode::OK);
    let seen = world.seen();
    assert_eq!(seen.one("x-eid-personal-number"), "195006262546");
    assert_eq!(seen.one("x-eid-name"), "%C3%85sa%20M%C3%A4rta%20%C3%96berg");
    assert_eq!((seen.one("x-eid-loa"), seen.one("x-eid-method")), (LOA3, "freja-oidc"));
    assert_eq!(seen.one("x-eid-provider"), "freja-oidc");
    let by_oidc: BTreeMap<String, String> = of_the_person(&seen.headers);

    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/1?a=b").await;
    assert_eq!(client.get("/ansokan/1?a=b").await.status, StatusCode::OK);
    let seen = world.seen();
    assert_eq!(seen.one("x-eid-provider"), "bankid-a");
    let by_saml = of_the_person(&seen.headers);
    assert!(by_saml["x-eid-subject"].starts_with("personal-number:"));
    assert_eq!(by_oidc, by_saml, "the same person, by the same headers");
    world.stop().await;
}

/// What the e-service is told of whom, without what differs from login to login.
fn of_the_person(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let differs = ["x-eid-method", "x-eid-provider", "x-eid-session", "x-eid-authenticated-at", "x-eid-assertion"];
    let own = headers.iter().filter(|(name, _)| name.starts_with("x-eid-"));
    let mut told: BTreeMap<String, String> = own.cloned().collect();
    for name in differs {
        // That it is there must not differ.
        assert!(told.contains_key(name), "{name}");
        told.insert(name.to_owned(), "…".to_owned());
    }
    // Nobody asks either of the two demo providers for the level to be the same.
    told.insert("x-eid-loa".to_owned(), "…".to_owned());
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn every_profile_and_every_way_to_show_who_we_are_comes_through() {
    for (dialect, profile, by, more) in [
        (Dialect::Swedish, "oidc-sweden", By::Secret, "loa = [\"loa3\"]"),
        (Dialect::Swedish, "oidc-sweden", By::Nothing, "loa = [\"loa3\"]"),
        (Dialect::Swedish, "oidc-sweden", By::Key, "loa = [\"loa3\"]\npushed_requests = true"),
        (Dialect::Swedish, "oidc-sweden", By::Key, "loa = [\"loa3\"]\nsigned_requests = true"),
        (Dialect::Swedish, "oidc-sweden", By::Key, "loa = [\"loa3\"]\nsigned_requests = true\npushed_requests = true"),
        (Dialect::Swedish, "oidc-sweden", By::Secret, "loa = [\"loa3\"]\npushed_requests = true"),
        (Dialect::Swedish, "sweden-connect", By::Key, "loa = [\"loa3\"]"),
        (Dialect::Freja, "freja", By::Secret, "loa = [\"loa3\", \"loa2\"]"),
    ] {
        let op = Op::new("peer", dialect, by, |op| op).await;
        let mut world = world(&op, profile, more).await;
        let mut client = Client::new(world.public());
        let done = op.log_in(&mut client, "/ansokan/1", OpOutcome::Success).await;
        let what = format!("{profile} {by:?} {more}: {:?}", refused(&world, "peer").await);
        assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/ansokan/1"), "{what}");
        assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK, "{what}");
        let seen = world.seen();
        assert_eq!((seen.one("x-eid-personal-number"), seen.one("x-eid-loa")), ("195006262546", LOA3), "{what}");
        let asked = op.site.last_request().unwrap();
        assert_eq!((asked.pushed, asked.signed), (more.contains("pushed"), more.contains("signed")), "{what}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_demands_is_done_without_being_configured() {
    for (demand, pushed, signed) in
        [("require_pushed_authorization_requests", true, false), ("require_signed_request_object", false, true)]
    {
        let op = Op::new("strict", Dialect::Swedish, By::Key, |op| op.says(demand, json!(true))).await;
        let mut world = world(&op, "oidc-sweden", "loa = [\"loa3\"]").await;
        let done = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{demand}: {:?}", refused(&world, "strict").await);
        let asked = op.site.last_request().unwrap();
        assert_eq!((asked.pushed, asked.signed), (pushed, signed), "{demand}");
        world.stop().await;
    }
    // Who does not promise `iss` in its answers need not send it; where it comes, it must be its own (RFC 9207, 2.4).
    let silent = |op: grindvakt_demo::DemoOp| op.says("authorization_response_iss_parameter_supported", json!(false));
    let op = Op::new("silent", Dialect::Swedish, By::Key, silent).await;
    let mut silent = world(&op, "oidc-sweden", "loa = [\"loa3\"]").await;
    let done = op.log_in(&mut Client::new(silent.public()), "/ansokan/1", OpOutcome::Success).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{:?}", refused(&silent, "silent").await);
    op.log_in(&mut Client::new(silent.public()), "/ansokan/1", OpOutcome::WrongIss).await;
    assert_eq!(refused(&silent, "silent").await.into_keys().collect::<Vec<_>>(), ["issuer_mismatch"]);
    silent.stop().await;
    // Who does not know the `claims` parameter is told by `acr_values`, and held to it all the same.
    let op =
        Op::new("older", Dialect::Swedish, By::Key, |op| op.says("claims_parameter_supported", json!(false))).await;
    let mut world = world(&op, "oidc-sweden", "loa = [\"loa2\", \"loa3\"]").await;
    let done = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{:?}", refused(&world, "older").await);
    assert_eq!(op.site.last_request().unwrap().acr_values, [LOA3]);
    let done = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::WrongLevel).await;
    assert!(done.status.is_client_error());
    assert_eq!(refused(&world, "older").await.into_keys().collect::<Vec<_>>(), ["loa_not_requested"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agencys_own_account_opens_what_its_level_opens_and_no_more() {
    let op = Op::new("konto", Dialect::Standard, By::Secret, |op| op.gives(&["loa1"])).await;
    let mut world = world(&op, "generic", "loa = [\"loa1\"]").await;
    let mut client = Client::new(world.public());
    let done = op.log_in(&mut client, "/hem", OpOutcome::Success).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/hem"), "{}", done.body);
    assert_eq!(client.get("/hem").await.status, StatusCode::OK);
    let seen = world.seen();
    assert!(seen.all("x-eid-personal-number").is_empty());
    let subject = seen.one("x-eid-subject").to_owned();
    assert!(!subject.starts_with("personal-number:"), "nobody vouches for a number here: {subject}");
    let above = client.get("/ansokan/1").await;
    assert_eq!(above.status, StatusCode::SEE_OTHER, "on to a login that is enough");

    // Nobody can tell that the account and a person by number are one: who comes with a number has a session of their own,
    // and the account's is over.
    let before = client.clone();
    let risen = client.log_in(&world, "/ansokan/1").await;
    assert_eq!((risen.status, risen.header("location")), (StatusCode::SEE_OTHER, "/ansokan/1"), "{}", risen.body);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::OK);
    assert!(world.seen().one("x-eid-subject").starts_with("personal-number:"));
    assert_eq!(before.clone().xhr().get("/hem").await.status, StatusCode::UNAUTHORIZED);

    // The same account is the same subject; another one is not.
    let mut client = Client::new(world.public());
    op.log_in(&mut client, "/hem", OpOutcome::Success).await;
    client.get("/hem").await;
    assert_eq!(world.seen().one("x-eid-subject"), subject);
    let location = begin(&mut client, &op.id, "/hem").await;
    let back = op.choose(&mut Browser::new(), &location, |form| form.fill("person", "1")).await;
    let mut client = Client { cookies: client.cookies.clone(), ..Client::new(world.public()) };
    bring(&mut client, &back).await;
    client.get("/hem").await;
    assert_ne!(world.seen().one("x-eid-subject"), subject);
    world.stop().await;
}

/// The status that a browser gets, and the code behind it. What is not the person's doing is 503: try again.
const fn expected(outcome: OpOutcome) -> Option<(u16, &'static str)> {
    Some(match outcome {
        OpOutcome::Success => return None,
        OpOutcome::Cancel | OpOutcome::LoginFailed => (403, "status_cancel"),
        OpOutcome::LoginRequired | OpOutcome::InteractionRequired => (403, "status_authn_failed"),
        OpOutcome::UnmetLevel => (403, "status_no_authn_context"),
        OpOutcome::ServerError | OpOutcome::Unavailable => (503, "provider_failed"),
        OpOutcome::StrangeError => (403, "request_refused"),
        OpOutcome::WrongState | OpOutcome::NoState => (400, "state_missing"),
        OpOutcome::WrongIss => (403, "issuer_mismatch"),
        OpOutcome::NoIss => (403, "issuer_missing"),
        OpOutcome::WrongCode => (403, "code_refused"),
        OpOutcome::CodeAndError => (403, "status_cancel"),
        OpOutcome::TokenBroken => (503, "token_endpoint_failed"),
        OpOutcome::TokenPage => (403, "json_malformed"),
        OpOutcome::NoIdToken | OpOutcome::StrangeTokenType => (403, "token_response_malformed"),
        OpOutcome::Tampered | OpOutcome::WrongKey => (403, "signature_invalid"),
        OpOutcome::Unsigned | OpOutcome::PublicKeyHmac => (403, "signature_algorithm"),
        OpOutcome::OwnKey => (403, "key_unknown"),
        OpOutcome::Replay | OpOutcome::WrongNonce => (403, "nonce_mismatch"),
        OpOutcome::NoNonce => (403, "nonce_missing"),
        OpOutcome::WrongIssuer => (403, "issuer_mismatch"),
        OpOutcome::WrongAudience => (403, "audience_mismatch"),
        OpOutcome::SharedAudience => (403, "audience_untrusted"),
        OpOutcome::WrongParty => (403, "authorized_party"),
        OpOutcome::WrongLevel => (403, "loa_not_requested"),
        OpOutcome::NoLevel => (403, "authn_context_missing"),
        OpOutcome::LevelOfAnotherType => (403, "claim_type"),
        OpOutcome::Expired => (403, "expired"),
        OpOutcome::NotYetValid => (403, "issued_in_future"),
        OpOutcome::LongLived => (403, "lifetime_too_long"),
        OpOutcome::OldLogin => (403, "authn_too_old"),
        OpOutcome::NoLoginTime | OpOutcome::NoSubject => (403, "claim_missing"),
        OpOutcome::WrongTokenHash => (403, "token_hash_mismatch"),
        OpOutcome::UserInfoOther => (403, "subject_mismatch"),
        OpOutcome::UserInfoUnsigned => (403, "userinfo_not_signed"),
        OpOutcome::UserInfoWrongKey => (403, "signature_invalid"),
        OpOutcome::UserInfoConflict => (403, "claim_conflict"),
        OpOutcome::UserInfoBroken => (503, "userinfo_failed"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_answer_is_refused_by_its_code_and_leaves_nothing_behind() {
    let (op, mut world) = swedish().await;
    let mut wrong = Vec::new();
    for outcome in OpOutcome::ALL {
        let before = refused(&world, &op.id).await;
        let mut client = Client::new(world.public());
        let reply = op.log_in(&mut client, "/ansokan/1", *outcome).await;
        let codes = since(&before, &refused(&world, &op.id).await);
        let got = (reply.status.as_u16(), codes.join(" "));
        let session = client.cookies.contains_key(SESSION);
        let fits = match expected(*outcome) {
            None => got.0 == 303 && session,
            Some((status, code)) => got.0 == status && got.1 == code && !session,
        };
        if !fits {
            wrong.push(format!("{outcome:?}: {got:?}, a session: {session}; expected {:?}", expected(*outcome)));
        }
        if expected(*outcome).is_some() {
            assert_ne!(client.get("/ansokan/1").await.status, StatusCode::OK, "{outcome:?}");
            assert!(!reply.body.contains("the_moon") && !reply.body.contains("<script>alert"), "{outcome:?}");
            assert!(!reply.body.contains("195006262546") && !reply.body.contains("195207306886"), "{outcome:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_once_in_the_browser_that_asked() {
    let (op, mut world) = swedish().await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/ansokan/1").await;
    let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    let before = client.clone();

    // Another browser, with the whole address: it has no state of this login, and the code is not spent on it.
    let mut stranger = Client::new(world.public());
    assert_eq!(bring(&mut stranger, &back).await.status, StatusCode::BAD_REQUEST);
    let mut other = Client::new(world.public());
    begin(&mut other, &op.id, "/ansokan/1").await;
    assert_eq!(bring(&mut other, &back).await.status, StatusCode::BAD_REQUEST, "nor does one that began its own");
    let head = Client { cookies: client.cookies.clone(), ..Client::new(world.public()) }
        .send(Method::HEAD, back.strip_prefix(BASE).unwrap(), &[], "")
        .await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED, "nor does a look at the headers");
    assert_eq!(bring(&mut client, &back).await.status, StatusCode::SEE_OTHER);

    // Once more: with the cookies of before, as the back button or a thief of all of them would have.
    let mut again = before;
    let reply = bring(&mut again, &back).await;
    assert!(reply.status.is_client_error() && !again.cookies.contains_key(SESSION), "{}", reply.status);
    // Who holds no state of it says nothing of a provider either.
    let codes: Vec<(String, u64)> = refused(&world, "none").await.into_iter().collect();
    assert_eq!(codes, [("state_missing".to_owned(), 2)]);
    let codes: Vec<(String, u64)> = refused(&world, &op.id).await.into_iter().collect();
    assert_eq!(codes, [("login_consumed".to_owned(), 1)], "and the provider is not asked");

    // A code of one login in the answer to another: its verifier is not the one that the code was asked for with.
    let code = |back: &str| back.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
    let (mut mine, mut theirs) = (Client::new(world.public()), Client::new(world.public()));
    let (to_mine, to_theirs) =
        (begin(&mut mine, &op.id, "/ansokan/1").await, begin(&mut theirs, &op.id, "/ansokan/1").await);
    let back_mine = op.visit(&mut Browser::new(), &to_mine, OpOutcome::Success).await;
    let back_theirs = op.visit(&mut Browser::new(), &to_theirs, OpOutcome::Success).await;
    let injected = back_mine.replace(&code(&back_mine), &code(&back_theirs));
    let before = refused(&world, &op.id).await;
    assert!(bring(&mut mine, &injected).await.status.is_client_error());
    assert_eq!(refused(&world, &op.id).await["code_refused"], before.get("code_refused").unwrap_or(&0) + 1);
    world.stop().await;
}

/// A strict provider takes back what it gave for a code when the code comes again.
#[tokio::test(flavor = "multi_thread")]
async fn of_one_answer_that_comes_twice_at_once_the_first_opens_a_session() {
    let (op, mut world) = swedish().await;
    for _ in 0..5 {
        let mut client = Client::new(world.public());
        let location = begin(&mut client, &op.id, "/ansokan/1").await;
        let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
        let (mut one, mut two) = (client.clone(), client);
        let done = tokio::join!(bring(&mut one, &back), bring(&mut two, &back));
        let statuses = [done.0.status, done.1.status];
        // The other one is told to wait, or that it is done with.
        let refused = statuses.iter().any(|status| matches!(*status, StatusCode::CONFLICT | StatusCode::FORBIDDEN));
        assert!(statuses.contains(&StatusCode::SEE_OTHER) && refused, "{statuses:?}");
        assert_eq!([&one, &two].iter().filter(|client| client.cookies.contains_key(SESSION)).count(), 1);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_told_apart_from_a_wrong_one() {
    let (op, mut world) = swedish().await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/ansokan/1").await;
    let state = form_value(&location, "state");
    let path = format!("/eid/oidc/callback/{}", op.id);
    let long = "x".repeat(5000);
    for (query, status, code) in [
        (String::new(), 400, "state_missing"),
        ("state=unknown&code=c".to_owned(), 400, "state_missing"),
        (format!("state={state}&state={state}&code=c"), 400, "callback_malformed"),
        (format!("state={state}&code=c&code=d"), 400, "callback_malformed"),
        (format!("state={state}&code={long}"), 400, "callback_malformed"),
        (format!("state={state}&code=%FF"), 400, "callback_malformed"),
        (format!("state={state}&iss={}", op.issuer), 400, "callback_malformed"),
    ] {
        let before = refused(&world, &op.id).await;
        let mut client = client.clone();
        let reply = client.get(&format!("{path}?{query}")).await;
        let codes = since(&before, &refused(&world, &op.id).await);
        assert_eq!((reply.status.as_u16(), codes.join(" ").as_str()), (status, code), "{query:.80}");
    }
    assert_eq!(client.get("/eid/oidc/callback/annan?state=x&code=y").await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/eid/oidc/callback/bankid-a?state=x&code=y").await.status, StatusCode::NOT_FOUND);
    world.stop().await;
}

fn form_value(location: &str, name: &str) -> String {
    let fields = grindvakt_demo::form::parse(location.split_once('?').unwrap().1);
    grindvakt_demo::form::get(&fields, name).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_changes_its_keys_in_mid_use_and_nobody_notices() {
    let (op, mut world) = swedish().await;
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/ansokan/1").await;
    // The old key is gone at once, in the middle of a login: the new one is looked for while the person waits.
    op.site.roll_over(shared_key(1), vec![shared_key(1)]);
    let back = op.visit(&mut Browser::new(), &location, OpOutcome::Success).await;
    let done = bring(&mut client, &back).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{:?}", refused(&world, &op.id).await);
    // And what only the old one could sign is no longer taken.
    op.site.roll_over(shared_key(0), vec![shared_key(1)]);
    let reply = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await;
    assert!(reply.status.is_client_error());
    assert_eq!(refused(&world, &op.id).await.into_keys().collect::<Vec<_>>(), ["key_unknown"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_id_token_is_opened_and_one_in_clear_refused_where_it_must_be_encrypted() {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let mut world = World::new("").await;
    op.encrypts(&world, "sp-decrypt.pem");
    let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]\nencryption = \"required\"");
    let keys = "[keys]\ndecryption = [\"sp-decrypt.pem\"]";
    world.configure(|text| text.replacen("[keys]", keys, 1) + &provider).await;
    ready(&world, &[&op.id]).await;
    let mut client = Client::new(world.public());
    let done = op.log_in(&mut client, "/ansokan/1", OpOutcome::Success).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{:?}", refused(&world, &op.id).await);
    for (outcome, code) in [
        (OpOutcome::WrongKey, "signature_invalid"),
        (OpOutcome::Unsigned, "signature_algorithm"),
        (OpOutcome::WrongNonce, "nonce_mismatch"),
    ] {
        let before = refused(&world, &op.id).await;
        op.log_in(&mut Client::new(world.public()), "/ansokan/1", outcome).await;
        assert_eq!(since(&before, &refused(&world, &op.id).await), [code], "within an encrypted token");
    }
    op.site.knows(op.client());
    let before = refused(&world, &op.id).await;
    op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await;
    assert_eq!(since(&before, &refused(&world, &op.id).await), ["token_not_encrypted"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_sign_on_is_an_explicit_choice() {
    let op = Op::new("konto", Dialect::Standard, By::Key, |op| op.gives(&["loa1", "loa3"])).await;
    let more = "loa = [\"loa1\"]\nforce_authn = false\nmax_age = \"10m\"";
    let mut world = world(&op, "generic", more).await;
    let mut browser = Browser::new();
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/hem").await;
    let back = op.visit(&mut browser, &location, OpOutcome::Success).await;
    let asked = op.site.last_request().unwrap();
    assert_eq!((asked.prompt.len(), asked.max_age), (0, Some(600)));
    assert_eq!(bring(&mut client, &back).await.status, StatusCode::SEE_OTHER);
    // Another login in the same browser is answered without a question.
    let mut client = Client::new(world.public());
    let location = begin(&mut client, &op.id, "/hem").await;
    let page = browser.once(Method::GET, &location, None, None).await.unwrap();
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    assert_eq!(bring(&mut client, page.header("location").unwrap()).await.status, StatusCode::SEE_OTHER);
    // A login that is older than was asked for is refused, however well it is signed.
    let reply = op.log_in(&mut Client::new(world.public()), "/hem", OpOutcome::OldLogin).await;
    assert!(reply.status.is_client_error());
    assert_eq!(refused(&world, &op.id).await.into_keys().collect::<Vec<_>>(), ["authn_too_old"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_ends_the_session_that_it_names_and_no_other() {
    let (op, mut world) = swedish().await;
    let (mut asas, mut nils, mut nils_too) =
        (Client::new(world.public()), Client::new(world.public()), Client::new(world.public()));
    op.log_in(&mut asas, "/ansokan/1", OpOutcome::Success).await;
    for client in [&mut nils_too, &mut nils] {
        let location = begin(client, &op.id, "/ansokan/1").await;
        let back = op.choose(&mut Browser::new(), &location, |form| form.fill("person", "1")).await;
        assert_eq!(bring(client, &back).await.status, StatusCode::SEE_OTHER);
    }
    let notices = op.site.end_last_session();
    assert_eq!(notices.len(), 1);
    let token = notices[0].token.clone();
    let tell =
        async |token: &str| Client::new(world.public()).post("/eid/oidc/backchannel", &[("logout_token", token)]).await;
    let told = tell(&token).await;
    assert_eq!((told.status, told.header("cache-control")), (StatusCode::OK, "no-store"), "{}", told.body);
    assert_eq!(nils.get("/ansokan/1").await.status, StatusCode::SEE_OTHER, "over");
    assert_eq!(nils_too.get("/ansokan/1").await.status, StatusCode::OK, "another session of the same person");
    assert_eq!(asas.get("/ansokan/1").await.status, StatusCode::OK, "another person's");
    let again = tell(&token).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "a logout token is used once");
    assert!(again.body.contains("replayed"), "{}", again.body);

    // An ID token is no logout token, nor is a stranger's.
    let id_token = op.site.last_id_token().unwrap();
    for (token, code) in [(id_token.as_str(), "token_type"), ("x", "token_malformed"), ("a.b.c", "")] {
        let told = tell(token).await;
        assert!(told.status == StatusCode::BAD_REQUEST && told.body.contains(code), "{}", told.body);
    }
    assert_eq!(asas.get("/ansokan/1").await.status, StatusCode::OK);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_out_here_is_led_to_log_out_there() {
    let (op, mut world) = swedish().await;
    let mut client = Client::new(world.public());
    let mut browser = Browser::new();
    let location = begin(&mut client, &op.id, "/ansokan/1").await;
    let back = op.visit(&mut browser, &location, OpOutcome::Success).await;
    bring(&mut client, &back).await;
    let out = client.send(Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.body);
    assert_eq!(client.get("/ansokan/1").await.status, StatusCode::SEE_OTHER);
    let there = grindvakt_demo::form::links(&out.body).into_iter().find(|link| link.starts_with(&op.issuer));
    let there = there.unwrap_or_else(|| panic!("no way to {} in {}", op.issuer, out.body));
    assert!(!there.contains("195006262546"));
    // It asks, since nothing of ours says who that was; then it leads back.
    let page = browser.open(&there).await.unwrap();
    let form = page.forms().remove(0);
    let body = grindvakt_demo::form::encode(form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let url = format!("{}{}", op.issuer, form.action);
    let page = browser.once(Method::POST, &url, Some(&body), Some(&page.url)).await.unwrap();
    assert_eq!(page.header("location"), Some(&*format!("{BASE}/eid/logout?done")), "{}", page.body);
    let page = bring(&mut client, page.header("location").unwrap()).await;
    assert!(page.status == StatusCode::OK && !page.body.contains("<form"), "{}", page.body);
    assert!(op.site.end_last_session().is_empty(), "the provider's own session is over");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_comes_late_or_goes_away_stops_nobody_else() {
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    let issuer = op.issuer.clone();
    let mut world = World::new("").await;
    let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]");
    drop(op);
    world.configure(|text| text.to_owned() + &provider).await;
    // SAML logins go on, and this one says that it cannot be reached.
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/1").await.status, StatusCode::SEE_OTHER);
    let reply = Client::new(world.public()).get("/eid/login?eid=freja-oidc&rd=/ansokan/1").await;
    assert_ne!(reply.header("location").split('?').next(), Some(&*format!("{issuer}/authorize")));
    assert!(matches!(reply.status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{}", reply.status);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_of_every_kind_are_told_as_by_saml() {
    let (op, mut world) = swedish().await;
    world.configure(|text| text.replacen("[service]", "[service]\naccept_coordination_number = true", 1)).await;
    ready(&world, &[&op.id]).await;
    let people = TestPerson::of_the_demo();
    assert_eq!(people[0].person, asa());
    for (person, by_saml) in people.iter().zip(["personal-number:", "personal-number:", "coordination-number:", ""]) {
        let mut client = Client::new(world.public());
        let location = begin(&mut client, &op.id, "/hem").await;
        let back = op.choose(&mut Browser::new(), &location, |form| form.fill("person", &person.id)).await;
        let done = bring(&mut client, &back).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}: {:?}", person.id, refused(&world, &op.id).await);
        client.get("/hem").await;
        let by_oidc = world.seen().one("x-eid-subject").to_owned();
        assert!(by_oidc.starts_with(by_saml), "{by_oidc}");
        if by_saml.is_empty() {
            continue;
        }
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/hem").await;
        let response = world.idp.response(&request).person(&person.person).build();
        assert_eq!(client.answer(&response, &relay_state).await.status, StatusCode::SEE_OTHER);
        client.get("/hem").await;
        assert_eq!(world.seen().one("x-eid-subject"), by_oidc);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_speaks_again_after_an_outage_without_a_restart() {
    let (op, mut world) = swedish().await;
    let broken = op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::TokenBroken).await;
    assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE);
    eventually(10, "a login that succeeds", || async {
        op.log_in(&mut Client::new(world.public()), "/ansokan/1", OpOutcome::Success).await.status
            == StatusCode::SEE_OTHER
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demos_keys_log_nobody_in_outside_of_development() {
    let key = std::sync::Arc::new(grindvakt_demo::DemoKey::p256("demo").marked());
    let op = Op::new("freja-oidc", Dialect::Swedish, By::Key, |op| op).await;
    op.site.roll_over(std::sync::Arc::clone(&key), vec![std::sync::Arc::clone(&key)]);
    let mut world = World::new("").await;
    let provider = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]");
    world.configure(|text| text.to_owned() + &provider).await;
    eventually(20, "the keys are refused", || async {
        Client::new(world.admin()).get("/status?json").await.body.contains("demo_key")
    })
    .await;
    let reply = Client::new(world.public()).get("/eid/login?eid=freja-oidc&rd=/ansokan/1").await;
    assert!(!reply.header("location").starts_with(&op.issuer), "{}", reply.status);
    world.stop().await;

    // Pinned in a file they keep the program from starting, as demo keys in a feed do.
    let pinned = op.provider(&world, "oidc-sweden", "loa = [\"loa3\"]\njwks_file = \"op.json\"");
    world.write("op.json", &key.jwks().to_string());
    let text = world.config().replace(&provider, &pinned);
    std::fs::write(world.folder.path().join("grindvakt.toml"), text).unwrap();
    let paths = [world.folder.path().join("grindvakt.toml")];
    let config = grindvakt::config::load(&paths).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let refused = grindvakt::app::start(config, &paths).err().map(|error| error.to_string());
    assert!(refused.as_deref().is_some_and(|text| text.contains("demo_key")), "{refused:?}");
}
