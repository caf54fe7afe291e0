//! Operators' words on a running sidecar: over its control socket, by the command that speaks to it, and by the configuration.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::process::Process;
use crate::support::{Client, World, eventually};

fn grindvakt(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["control", "--config", "grindvakt.toml"];
    all.extend(args);
    let Output { status, stderr, .. } =
        Command::new(env!("CARGO_BIN_EXE_grindvakt")).args(all).current_dir(folder).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

pub fn say(socket: &Path, line: &str) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap_or(Value::Null)
}

/// A world whose files say where the control socket is, not yet running.
async fn files() -> World {
    let mut world = World::new("").await;
    world.stop().await;
    let socket = world.folder.path().join("control.sock");
    let config = world.config().replace("[listen]\n", &format!("[listen]\ncontrol = \"unix:{}\"\n", socket.display()));
    std::fs::write(world.folder.path().join("grindvakt.toml"), config).unwrap();
    world
}

async fn provider(process: &Process, id: &str) -> Value {
    let status: Value = serde_json::from_str(&Client::new(process.admin).get("/status?json").await.body).unwrap();
    status["providers"].as_array().unwrap().iter().find(|known| known["id"] == id).unwrap().clone()
}

/// What a person who picks BankID meets.
async fn picks_bankid(process: &Process) -> (StatusCode, String) {
    let reply = Client::new(process.public).get("/eid/login?rd=/ansokan/1&eid=bankid").await;
    (reply.status, reply.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_closes_a_provider_and_opens_it_again() {
    let world = files().await;
    let folder = world.folder.path();
    let mut process = Process::start(folder);
    let socket = folder.join("control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(picks_bankid(&process).await.0, StatusCode::SEE_OTHER);

    // Held open: nobody is sent there, and the page names the way on.
    let word = ["override", "bankid-a", "open", "--who", "eva", "--why", "driftstörning hos BankID"];
    assert_eq!(grindvakt(folder, &word), (Some(0), String::new()));
    let (status, page) = picks_bankid(&process).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Freja"), "{page}");
    let shown = provider(&process, "bankid-a").await;
    assert_eq!((&shown["override"]["state"], &shown["override"]["who"]), (&json!("open"), &json!("eva")));
    let metrics = Client::new(process.admin).get("/metrics").await.body;
    assert!(metrics.contains("grindvakt_provider_override{provider=\"bankid-a\",state=\"open\"} 1"), "{metrics}");
    assert_eq!(process.wait_for("override_given")["why"], "driftstörning hos BankID");

    // A reload leaves it; its end does not need one.
    assert_eq!(grindvakt(folder, &["reload"]).0, Some(0));
    assert_eq!(provider(&process, "bankid-a").await["override"]["state"], "open");
    assert_eq!(grindvakt(folder, &["clear", "bankid-a", "--who", "eva"]).0, Some(0));
    assert_eq!(picks_bankid(&process).await.0, StatusCode::SEE_OTHER);
    assert_eq!(provider(&process, "bankid-a").await["override"], Value::Null);
    let (code, error) = grindvakt(folder, &["clear", "bankid-a", "--who", "eva"]);
    assert_eq!((code, error.contains("no word was given")), (Some(1), true), "{error}");

    // Every one forced open is the operator's own decision: 503.
    for id in ["bankid-a", "freja"] {
        assert_eq!(grindvakt(folder, &["override", id, "open", "--who", "e", "--why", "w"]).0, Some(0));
    }
    let reply = Client::new(process.public).get("/eid/login?rd=/ansokan/1").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);

    assert_eq!(grindvakt(folder, &["drain"]).0, Some(0));
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while process.ended().is_none() {
        assert!(tokio::time::Instant::now() < end, "it goes on: {:#?}", process.told());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(process.ended().unwrap().success());
    assert!(process.has_told("drained") && !socket.exists());
}

/// What is told before an outage, as things are now: of each route, who would be left.
#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_an_operators_word_leaves_of_each_route() {
    let world = files().await;
    let folder = world.folder.path();
    let process = Process::start(folder);
    let failover = async || {
        let status: Value = serde_json::from_str(&Client::new(process.admin).get("/status?json").await.body).unwrap();
        let routes = status["failover"].as_array().unwrap().clone();
        routes.into_iter().find(|route| route["route"] == "/ansokan/*").unwrap()["without"].clone()
    };
    let loss = |failed: &str, other: &str, part: &str, leaves: bool| json!({ "provider": failed, "stands_in": null, "leaves_a_way": leaves, "others": { other: part } });
    let offered = "is offered, with other levels";
    let before = failover().await;
    assert_eq!(before, json!([loss("bankid-a", "freja", offered, true), loss("freja", "bankid-a", offered, true)]));

    // A provider that is held open carries nobody: the other one is all that there is.
    let why = "<b>drift</b>störning";
    assert_eq!(grindvakt(folder, &["override", "freja", "open", "--who", "eva", "--why", why]).0, Some(0));
    let closed = "not: an operator has closed it";
    assert_eq!(failover().await, json!([loss("bankid-a", "freja", closed, false)]));

    // The same as a page, for a browser that asks; for programs, and for whoever says so, as JSON.
    let mut browser = Client::new(process.admin);
    let page = browser.get("/status").await;
    assert_eq!(page.header("vary"), "accept, sec-fetch-mode");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for says in [
        " things to look at – etjanst</title>",
        "freja: held open by eva.",
        "nobody can log in",
        "&#60;b&#62;drift",
        "Nobody can log in for /hog/*: no provider can meet it now.",
    ] {
        assert!(page.body.contains(says), "{says}: {}", page.body);
    }
    assert!(!page.body.contains("<b>") && !page.body.contains("http-equiv"), "{}", page.body);
    assert!(browser.get("/status?live").await.body.contains("http-equiv=\"refresh\""));
    for (target, accept) in [("/status", "*/*"), ("/status", "application/json")] {
        let reply = Client::new(process.admin).xhr().send(Method::GET, target, &[("accept", accept)], "").await;
        assert_eq!(reply.header("content-type"), "application/json", "{target} {accept}");
    }
    assert_eq!(browser.get("/status?json").await.header("content-type"), "application/json");
    assert_eq!(browser.get("/style.css").await.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(grindvakt(folder, &["clear", "freja", "--who", "eva"]).0, Some(0));
    assert_eq!(failover().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_word_is_refused_and_nothing_changes() {
    let world = files().await;
    let folder = world.folder.path();
    let process = Process::start(folder);
    let socket = folder.join("control.sock");
    let good = json!({ "command": "override", "provider": "bankid-a", "state": "open", "who": "e", "why": "w" });
    let with = |name: &str, value: Value| {
        let mut line = good.clone();
        line[name] = value;
        format!("{line}\n")
    };
    let past = "2020-01-01T00:00:00Z";
    for (line, said) in [
        ("\n".to_owned(), "EOF"),
        ("{}\n".to_owned(), "command"),
        ("[1]\n".to_owned(), "invalid"),
        (json!({ "command": "shell" }).to_string() + "\n", "unknown variant"),
        (with("provider", json!("nobody")), "nobody logs in by"),
        (with("state", json!("ajar")), "\"open\" or \"closed\""),
        (with("until", json!("tomorrow")), "is no instant"),
        (with("until", json!(past)), "over before it begins"),
        (with("who", json!("")), "one line"),
        (with("who", json!("eva\u{202e}nimda")), "one line"),
        (with("why", json!("x\u{2066}y")), "one line"),
        (with("why", json!("x\u{200b}y")), "one line"),
        (with("why", json!("a\nb")), "one line"),
        (with("why", json!("x".repeat(201))), "one line"),
        (with("more", json!(1)), "unknown field"),
        (good.to_string(), "has an end"),
        ("x".repeat(9_000), "has an end"),
    ] {
        let answer = say(&socket, &line);
        assert_eq!(answer["ok"], json!(false), "{line}");
        assert!(answer["error"].as_str().unwrap().contains(said), "{line}: {answer}");
    }
    assert_eq!(provider(&process, "bankid-a").await["override"], Value::Null);
    assert_eq!(picks_bankid(&process).await.0, StatusCode::SEE_OTHER);
    // A further process does not take the socket of one that lives.
    let output = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
        .args(["run", "--config", "grindvakt.toml"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another process listens there"));
    assert_eq!(say(&socket, &format!("{}\n", json!({ "command": "status" })))["ok"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_socket_is_replaced_and_a_file_is_not() {
    let world = files().await;
    let folder = world.folder.path();
    let socket = folder.join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "as a process that was killed leaves it");
    drop(Process::start(folder));
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "somebody's").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
        .args(["run", "--config", "grindvakt.toml"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no socket is in the way"));
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "somebody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_in_the_configuration_holds_for_its_time() {
    let mut world = World::new("").await;
    let word = "[[override]]\nprovider = \"bankid-a\"\nstate = \"open\"\nwho = \"eva\"\nwhy = \"planerat\"\n";
    let begins = |world: &World| {
        let mut client = Client::new(world.public());
        async move { client.get("/eid/login?rd=/ansokan/1&eid=bankid").await.status }
    };
    assert_eq!(begins(&world).await, StatusCode::SEE_OTHER);
    world.rewrite(|config| format!("{config}{word}"));
    eventually(10, "nobody is sent there", || async { begins(&world).await == StatusCode::OK }).await;
    world.rewrite(|config| config.replace("state = \"open\"", "state = \"open\"\nuntil = \"2020-01-01T00:00:00Z\""));
    eventually(10, "it is over", || async { begins(&world).await == StatusCode::SEE_OTHER }).await;
}
