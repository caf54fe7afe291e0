//! `grindvakt doctor`: each thing that can be wrong is told by its code, with what to do, and nothing else is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::remote::{Act, Remote};
use crate::support::{World, eventually};

/// Runs it beside the test's runtime, which serves what it asks.
pub async fn doctor(folder: &Path, arguments: &'static [&'static str]) -> Output {
    let folder = folder.to_path_buf();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
        command.args(["doctor", "--config", "grindvakt.toml"]).args(arguments);
        // Whatever proxy this machine has is no part of the story.
        for name in ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(name);
        }
        command.current_dir(folder).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// What it found, and whether it says that all is well.
async fn findings(world: &World) -> (bool, Vec<Value>) {
    let output = doctor(world.folder.path(), &["--json"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let healthy = report["healthy"] == true;
    assert_eq!(output.status.code(), Some(i32::from(!healthy)), "{report:#}");
    (healthy, report["findings"].as_array().unwrap().clone())
}

fn of<'a>(findings: &'a [Value], code: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["code"] == code).collect()
}

/// A world whose files are as an operator should have them.
async fn tidy() -> World {
    let world = World::new("").await;
    for name in ["sp.pem", "identity.pem", "session.key", "digest.key"] {
        let path = world.folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_is_said_to_be_and_what_is_not_is_named() {
    let mut world = tidy().await;
    // The providers of the common world are nowhere: no name, no way.
    world.rewrite(|text| text.replace("[keys]", "[state]\ndir = \"state\"\n[keys]"));
    let (healthy, found) = findings(&world).await;
    assert!(!healthy, "{found:#?}");
    let away: Vec<&Value> = found.iter().filter(|f| f["area"] == "way out" && f["verdict"] == "bad").collect();
    assert_eq!(away.len(), 2, "{found:#?}");
    for finding in &away {
        assert!(
            ["dns", "tcp_connect", "proxy", "timeout_connect"].contains(&finding["code"].as_str().unwrap()),
            "{finding}"
        );
        assert!(!finding["advice"].as_str().unwrap().is_empty(), "{finding}");
    }
    let bad: Vec<&Value> = found.iter().filter(|f| f["verdict"] == "bad").collect();
    assert_eq!(bad.len(), 2, "nothing else is bad: {bad:#?}");
    for (area, subject) in [
        ("files", "sp.pem"),
        ("store", "memory"),
        ("e-service", "http://127.0.0.1"),
        ("keys", "our signing certificate"),
        ("keys", "bankid-a"),
    ] {
        let good = found.iter().find(|f| f["area"] == area && f["subject"].as_str().unwrap().contains(subject));
        assert_eq!(good.unwrap_or_else(|| panic!("nothing of {area} {subject}: {found:#?}"))["verdict"], "good");
    }

    // For people: the same in a table, with what to do under what is bad.
    let table = doctor(world.folder.path(), &[]).await;
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert_eq!(table.status.code(), Some(1));
    assert!(text.contains("2 bad") && text.contains("→ "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_everybody_may_read_and_folders_that_nobody_may_write() {
    let mut world = tidy().await;
    let path = world.folder.path().join("session.key");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    // A file where the folder should be.
    std::fs::write(world.folder.path().join("state"), "").unwrap();
    world.rewrite(|text| text.replace("[keys]", "[state]\ndir = \"state\"\n[keys]"));
    let (_, found) = findings(&world).await;
    let open = of(&found, "key_open");
    assert!(open.len() == 1 && open[0]["subject"].as_str().unwrap().ends_with("session.key"), "{found:#?}");
    assert_eq!((open[0]["verdict"].as_str(), of(&found, "state_unwritable").len()), (Some("bad"), 1), "{found:#?}");
}

/// An outgoing proxy that inspects TLS shows a certificate of its own: it is named.
#[cfg(feature = "peers")]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_inspects_tls_is_named() {
    use crate::support::tls::Authority;

    let mut world = tidy().await;
    let remote = Remote::start().await;
    remote.does(Act::status(200));
    let inspector = Authority::new();
    let front = inspector.front("localhost", remote.address).await;
    let feed = format!(
        "[[metadata]]\nid = \"far\"\nurl = \"https://localhost:{}/feed.xml\"\nsigner = [\"far.crt\"]\n",
        front.address.port()
    );
    world.write("far.crt", &world.other.key().certificate_pem());
    world.rewrite(|text| format!("{text}{feed}"));
    let (_, found) = findings(&world).await;
    let inspected = of(&found, "tls_unknown_issuer");
    assert_eq!(inspected.len(), 1, "{found:#?}");
    let detail = inspected[0]["detail"].as_str().unwrap();
    assert!(detail.contains("Throw-away authority of a test"), "its issuer is named: {detail}");
    assert!(inspected[0]["advice"].as_str().unwrap().contains("inspects TLS"), "{inspected:?}");

    // Believed on purpose, it answers, and who issued the certificate is said all the same.
    world.write("ca.pem", &inspector.pem());
    world.rewrite(|text| format!("{text}[network]\nca_file = \"ca.pem\"\n"));
    let (_, found) = findings(&world).await;
    assert!(of(&found, "tls_unknown_issuer").is_empty(), "{found:#?}");
    let good = found.iter().find(|f| f["subject"].as_str().unwrap().starts_with("localhost:")).unwrap();
    assert_eq!(good["verdict"], "good", "{good}");
    assert!(good["detail"].as_str().unwrap().contains("certificate by CN=Throw-away authority of a test"), "{good}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart_are_told_of() {
    let mut world = tidy().await;
    let remote = Remote::start().await;
    world.write("far.crt", &world.other.key().certificate_pem());
    let feed = format!(
        "[[metadata]]\nid = \"far\"\nurl = \"http://127.0.0.1:{}/feed.xml\"\nsigner = [\"far.crt\"]\n",
        remote.address.port()
    );
    world.rewrite(|text| format!("{text}{feed}"));
    remote.does(Act::ok_with(&["Date: Sun, 06 Nov 1994 08:49:37 GMT"], "x"));
    let (_, found) = findings(&world).await;
    let clock = of(&found, "clock");
    assert!(clock.len() == 1 && clock[0]["verdict"] == "bad", "{found:#?}");
}

/// The e-service's port answers on an address that others reach: whoever finds it comes in past us.
#[tokio::test(flavor = "multi_thread")]
async fn an_e_service_that_others_reach_is_told_of() {
    let mut world = tidy().await;
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = everywhere.local_addr().unwrap().port();
    let upstream = world.config().lines().find(|line| line.starts_with("upstream = ")).unwrap().to_owned();
    world.rewrite(|text| text.replace(&upstream, &format!("upstream = \"http://127.0.0.1:{port}\"")));
    let (_, found) = findings(&world).await;
    let others = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    // A machine with no other address than loopback has nothing that could be reached.
    let alone = !others
        .lines()
        .zip(others.lines().skip(1))
        .any(|(line, next)| next.trim() == "/32 host LOCAL" && !line.contains("127."));
    let exposed = of(&found, "upstream_exposed");
    assert_eq!(exposed.is_empty(), alone, "{found:#?}");
    drop(everywhere);
    eventually(5, "it is gone", || async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() })
        .await;
    let (_, found) = findings(&world).await;
    assert_eq!(of(&found, "upstream_down").len(), 1, "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_does_not_hold_ends_with_78() {
    let mut world = tidy().await;
    world.rewrite(|text| text.replace("environment = \"test\"", "environment = \"tets\""));
    assert_eq!(doctor(world.folder.path(), &[]).await.status.code(), Some(78));
}
