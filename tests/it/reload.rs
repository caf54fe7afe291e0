//! Another configuration while requests go on: in force whole and soon, or not at all.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::crypto::own::generate_p256_pem;
use grindvakt_demo::Feed;
use http::StatusCode;

use crate::support::{Client, World, eventually, metric};

const DONE: &str = "grindvakt_config_reloads_total{outcome=\"done\"}";
const REFUSED: &str = "grindvakt_config_reloads_total{outcome=\"refused\"}";
const GOOD: &str = "grindvakt_config_last_reload_successful";

/// A change is in force within two seconds (with room for a busy machine).
const SOON: u64 = 10;

async fn reloaded(world: &World, name: &str, times: u64) {
    let admin = world.admin();
    eventually(SOON, name, || async move { metric(admin, name).await as u64 >= times }).await;
}

async fn refused_for(world: &World) -> String {
    let status: serde_json::Value =
        serde_json::from_str(&Client::new(world.admin()).get("/status?json").await.body).unwrap();
    status["config_refused"].to_string()
}

fn key(byte: u8) -> String {
    base64_simd::STANDARD.encode_to_string((0..32).map(|i| i ^ byte).collect::<Vec<u8>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_in_force_and_nobody_is_logged_out() {
    let mut world = World::new("").await;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/ansokan/1").await;
    // A login that is under way while everything changes.
    let mut other = Client::new(world.public());
    let (request, relay_state) = other.begin(&world, "/ansokan/2").await;
    assert_eq!(Client::new(world.public()).xhr().get("/nyhet").await.status, StatusCode::UNAUTHORIZED);

    world.rewrite(|text| format!("{text}\n[[route]]\npath = \"/nyhet\"\naccess = \"anonymous\"\n"));
    reloaded(&world, DONE, 1).await;

    assert_eq!(Client::new(world.public()).xhr().get("/nyhet").await.body, "hello");
    assert_eq!(person.get("/ansokan/1").await.body, "hello", "the session lives on");
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    let reply = other.answer(&response, &relay_state).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/ansokan/2"));

    // What was used and what was ended stay so.
    let again = other.clone().answer(&response, &relay_state).await;
    assert!(again.status.is_client_error(), "{}", again.status);
    let copied = person.clone();
    let out = person.send(http::Method::POST, "/eid/logout", &[("sec-fetch-site", "same-origin")], "").await;
    assert_eq!(out.status, StatusCode::OK);
    world.rewrite(|text| text.replace("path = \"/nyhet\"", "path = \"/nyheter\""));
    reloaded(&world, DONE, 2).await;
    assert_eq!(copied.clone().xhr().get("/ansokan/1").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(metric(world.admin(), GOOD).await, 1.0);
    let forwarded = "grindvakt_requests_total{outcome=\"forwarded\",route=\"/ansokan/*\"}";
    assert!(metric(world.admin(), forwarded).await >= 1.0, "what was counted stays counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_keeps_the_old_one_and_raises_an_alarm() {
    let mut world = World::new("").await;
    for (number, (from, to, problem)) in [
        ("path = \"/om/*\"", "path = \"/om/*\"\nacess = \"anonymous\"", "did you mean `access`"),
        ("environment = \"test\"", "environment = \"test", "grindvakt.toml"),
        ("public = \"127.0.0.1:0\"", "public = \"127.0.0.1:1\"", "`listen.public` has changed, which needs a restart"),
        ("digest = \"digest.key\"", "digest = \"gone.key\"", "gone.key: cannot be read"),
    ]
    .into_iter()
    .enumerate()
    {
        world.rewrite(|text| text.replacen(from, to, 1));
        reloaded(&world, REFUSED, number as u64 + 1).await;
        let told = refused_for(&world).await;
        assert!(told.contains(problem), "{problem}: {told}");
        assert_eq!(metric(world.admin(), GOOD).await, 0.0);
        assert_eq!(Client::new(world.public()).get("/om/x").await.body, "hello", "the old one is in force");
        // Back again: the newest is the one in force, and the alarm is over.
        world.rewrite(|text| text.replacen(to, from, 1));
        reloaded(&world, DONE, number as u64 + 1).await;
        assert_eq!(refused_for(&world).await, "[]");
        assert_eq!(metric(world.admin(), GOOD).await, 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_waits_for_a_key_is_taken_when_the_key_comes() {
    let mut world = World::new("").await;
    world.rewrite(|text| text.replacen("sealing = [", "sealing = [\"new.key\", ", 1));
    reloaded(&world, REFUSED, 1).await;
    world.write("new.key", &key(9));
    reloaded(&world, DONE, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealing_key_is_replaced_without_logging_anyone_out() {
    let mut world = World::new("").await;
    let mut early = Client::new(world.public());
    early.log_in(&world, "/").await;
    world.write("new.key", &key(9));
    world.rewrite(|text| text.replacen("sealing = [", "sealing = [\"new.key\", ", 1));
    reloaded(&world, DONE, 1).await;
    assert_eq!(early.clone().xhr().get("/").await.body, "hello", "the old key still opens");
    let mut late = Client::new(world.public());
    late.log_in(&world, "/").await;
    world.rewrite(|text| text.replacen(", \"session.key\"", "", 1));
    reloaded(&world, DONE, 2).await;
    assert_eq!(early.xhr().get("/").await.status, StatusCode::UNAUTHORIZED, "the old key is gone");
    assert_eq!(late.xhr().get("/").await.body, "hello", "the new one sealed this");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_feed_takes_no_keys_away_and_a_withdrawn_provider_is_gone() {
    let world = World::new("").await;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/").await;
    let good = std::fs::read_to_string(world.folder.path().join("feed.xml")).unwrap();
    world.write("feed.xml", good.get(..good.len() / 2).unwrap());
    reloaded(&world, REFUSED, 1).await;
    assert!(refused_for(&world).await.contains("xml_malformed"));
    assert_eq!(Client::new(world.admin()).get("/readyz").await.status, StatusCode::OK);
    Client::new(world.public()).log_in(&world, "/").await;

    world.write("feed.xml", &Feed::new().idp(&world.other).build());
    reloaded(&world, DONE, 1).await;
    let reply = Client::new(world.public()).get("/eid/login?eid=bankid&rd=/").await;
    assert_ne!(reply.status, StatusCode::SEE_OTHER, "nobody is sent to a provider that its federation withdrew");
}

/// A mounted ConfigMap or Secret: the files are links into `..data`, which is itself a link that is swapped.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_kubernetes_links_is_noticed() {
    let mut world = World::new("").await;
    let folder = world.folder.path().to_path_buf();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("session.key"), text).unwrap();
        let link = folder.join("..data_tmp");
        std::os::unix::fs::symlink(name, &link).unwrap();
        std::fs::rename(link, folder.join("..data")).unwrap();
    };
    let old = std::fs::read_to_string(folder.join("session.key")).unwrap();
    version("..2026_11_25_a", &old);
    std::fs::remove_file(folder.join("session.key")).unwrap();
    std::os::unix::fs::symlink("..data/session.key", folder.join("session.key")).unwrap();
    world.stop().await;
    world.start();
    let mut person = Client::new(world.public());
    person.log_in(&world, "/").await;

    version("..2026_11_25_b", &key(77));
    reloaded(&world, DONE, 1).await;
    assert_eq!(person.xhr().get("/").await.status, StatusCode::UNAUTHORIZED, "only the new key opens");
}

/// The program itself: SIGHUP reads again, and keys that were made at start outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_configuration_again() {
    let world = World::new("").await;
    let folder = world.folder.path();
    let (public, admin) = (free_port(), free_port());
    let text = std::fs::read_to_string(folder.join("grindvakt.toml")).unwrap();
    let (head, tail) = text.split_once("[keys]").unwrap();
    let (_, tail) = tail.split_once("[[metadata]]").unwrap();
    let text = format!("{head}[[metadata]]{tail}")
        .replacen("public = \"127.0.0.1:0\"", &format!("public = \"{public}\""), 1)
        .replacen("admin = \"127.0.0.1:0\"", &format!("admin = \"{admin}\""), 1);
    std::fs::write(folder.join("own.toml"), text).unwrap();
    let sidecar = Sidecar::start(&folder.join("own.toml"));
    eventually(20, "the program serves", || async move { tokio::net::TcpStream::connect(admin).await.is_ok() }).await;
    let keys = Client::new(public).get("/eid/jwks.json").await.body;
    let before = Client::new(public).get("/eid/saml/metadata").await.body;

    let pid = sidecar.0.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    eventually(SOON, "reloaded", || async move { metric(admin, DONE).await as u64 == 1 }).await;
    assert_eq!(Client::new(public).get("/eid/jwks.json").await.body, keys, "keys made at start outlive a reload");
    assert_eq!(Client::new(public).get("/eid/saml/metadata").await.body, before);
}

struct Sidecar(Child);

impl Sidecar {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
        let child = command.arg("run").arg("--config").arg(config).stderr(Stdio::null()).spawn();
        Self(child.unwrap())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_key_is_replaced_while_it_runs() {
    let world = World::new("").await;
    let before = Client::new(world.public()).get("/eid/jwks.json").await.body;
    world.write("identity.pem", generate_p256_pem().unwrap().expose());
    reloaded(&world, DONE, 1).await;
    assert_ne!(Client::new(world.public()).get("/eid/jwks.json").await.body, before);
}
