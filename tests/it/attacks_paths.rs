//! Paths and places with two readings: what is decided on is what is forwarded (T46), and a login leads nowhere but home
//! (T32).

use std::path::Path;

use grindvakt::policy::normal_path;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;

use crate::support::raw::{Answer, exchange, raw_service};
use crate::support::{Client, World};

fn table<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/http").join(name);
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Paths {
    kept: Vec<(String, String)>,
    refused: Vec<String>,
    malformed: Vec<String>,
}

/// The code of a refusal of ours; none where hyper refused.
fn code(answer: &Answer) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    problem["code"].as_str().map(str::to_owned)
}

fn get(target: &str) -> Vec<u8> {
    let head = format!("GET {target} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n");
    head.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t46_every_path_has_one_form_and_that_is_forwarded_or_none() {
    let paths: Paths = table("paths.toml");
    assert!(paths.kept.len() >= 39 && paths.refused.len() >= 120, "the table has shrunk");
    let (address, records) = raw_service().await;
    let world = World::with_upstream("[[route]]\npath = \"/om/hemligt/*\"\n", address).await;
    let mut wrong = Vec::new();
    for (path, normal) in &paths.kept {
        let answers = exchange(world.public(), &get(path)).await;
        let arrived: Vec<String> = records.take().unwrap().into_iter().map(|request| request.line).collect();
        if answers[0].status != 200 || arrived != [format!("GET {normal}")] {
            wrong.push(format!("{path:?}: {} {:?} {arrived:?}", answers[0].status, code(&answers[0])));
        }
        // Where it needs a session, it needs one in every spelling.
        let guarded = path.replacen("/om", "/hemligt", 1).replacen("/%6fm", "/hemlig%74", 1);
        let answers = exchange(world.public(), &get(&guarded)).await;
        if answers[0].status != 401 || !records.take().unwrap().is_empty() {
            wrong.push(format!("{guarded:?}: {}", answers[0].status));
        }
    }
    for (group, expect) in [(&paths.refused, Some("bad_path")), (&paths.malformed, None)] {
        for path in group {
            let answers = exchange(world.public(), &get(path)).await;
            let got = (answers[0].status, code(&answers[0]));
            if got.0 != 400 || got.1.as_deref() != expect || !records.take().unwrap().is_empty() {
                wrong.push(format!("{path:?}: {got:?}"));
            }
        }
    }
    for path in
        ["/om/hemligt", "/om/HEMLIGT/x", "/om/hemligt./x", "/om/%48emligt%20/x", "/om/%20/hemligt/x", "/OM/hemligt/x"]
    {
        let answers = exchange(world.public(), &get(path)).await;
        if answers[0].status != 401 || !records.take().unwrap().is_empty() {
            wrong.push(format!("{path:?}: {}", answers[0].status));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever is asked for: it is refused, or it arrives in the form in which it was decided on.
#[test]
fn t46_what_is_decided_on_is_what_is_forwarded() {
    const PIECES: &[&str] = &[
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "\\",
        ";",
        "%3b",
        "%25",
        "%252f",
        "%00",
        "%0d%0a",
        "%c0%af",
        "%C3%A5",
        "%e5",
        "%ef%bc%8f",
        "%41",
        "%7e",
        "%20",
        "hemligt",
        "HEMLIGT",
        "x",
        "y.z",
        "~",
        "@",
        ":",
        "%",
        "%u002f",
        "*",
        "+",
        "'",
        "[",
        "{",
        "|",
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (address, records) = runtime.block_on(raw_service());
    let world = runtime.block_on(World::with_upstream("[[route]]\npath = \"/om/hemligt/*\"\n", address));
    let strategy = proptest::collection::vec(proptest::sample::select(PIECES), 0..7);
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let verdict = runner.run(&strategy, |pieces| {
        let path = format!("/om/{}", pieces.concat());
        let answers = runtime.block_on(exchange(world.public(), &get(&path)));
        let arrived: Vec<String> = records.take().unwrap().into_iter().map(|request| request.line).collect();
        match answers[0].status {
            200 => prop_assert_eq!(arrived, [format!("GET {}", normal_path(&path).unwrap())]),
            400 => prop_assert!(arrived.is_empty() && (code(&answers[0]).is_none() || normal_path(&path).is_err())),
            status => prop_assert!(arrived.is_empty() && status == 401, "{}", status),
        }
        Ok(())
    });
    verdict.unwrap();
}

#[derive(Deserialize)]
struct Redirects {
    home: Vec<String>,
    kept: Vec<(String, String)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_login_leads_to_a_place_of_ours_or_home() {
    let redirects: Redirects = table("redirects.toml");
    assert!(redirects.home.len() >= 300 && redirects.kept.len() >= 80, "the table has shrunk");
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/").await.status, StatusCode::SEE_OTHER);
    let kept = redirects.kept.iter().map(|(rd, to)| (rd.as_str(), to.as_str()));
    let mut wrong = Vec::new();
    for (rd, to) in redirects.home.iter().map(|rd| (rd.as_str(), "/")).chain(kept) {
        // Someone who is logged in is sent on at once: what stands there is what a login would end with.
        let query = utf8_percent_encode(rd, NON_ALPHANUMERIC);
        let reply = client.get(&format!("/eid/login?rd={query}")).await;
        if (reply.status, reply.header("location")) != (StatusCode::SEE_OTHER, to) {
            wrong.push(format!("{rd:?}: {} {:?}, expected {to:?}", reply.status, reply.header("location")));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));

    // Neither does the page that offers the choice, nor the page after a refusal, nor a whole login.
    let mut stranger = Client::new(world.public());
    for rd in [
        "//evil.example/x",
        "https://evil.example/x",
        "/\\evil.example",
        "javascript:alert(1)//evil.example",
        "/\t/evil.example",
    ] {
        let query = utf8_percent_encode(rd, NON_ALPHANUMERIC).to_string();
        let page = stranger.get(&format!("/eid/login?rd={query}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains("evil"), "{rd:?}: {}", page.body);
        let (request, relay_state) = stranger.begin(&world, &query).await;
        let refused = world.idp.response(&request).outcome(grindvakt_demo::Outcome::Cancel).build();
        let page = stranger.answer(&refused, &relay_state).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(!page.body.contains("evil"), "{rd:?}: {}", page.body);
        let reply = stranger.clone().log_in(&world, &query).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"), "{rd:?}");
    }
}
