//! What `make demo` shows, end to end: the program from its configuration file, its providers on other sites.

use std::path::Path;
use std::time::Duration;

use grindvakt_demo::sidecar::Sidecar;
use grindvakt_demo::stage::Stage;

#[tokio::test]
async fn the_demo_walks_through_its_logins_on_several_sites() {
    let stage = Stage::set_up(0).await.unwrap();
    let _sidecar = Sidecar::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), &stage.config(), true).unwrap();
    stage.introduce(Duration::from_secs(20)).await.unwrap();
    let mut steps = 0;
    grindvakt_demo::check::run(&stage, |_| steps += 1).await.unwrap();
    assert!(steps >= 10, "{steps} steps");
}

/// The README's example for programs, as it stands there, and what the README says of changing it.
#[cfg(feature = "peers")]
#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_token_opens_the_api_and_nothing_else() {
    let stage = Stage::set_up(0).await.unwrap();
    let _sidecar = Sidecar::start(Path::new(env!("CARGO_BIN_EXE_grindvakt")), &stage.config(), true).unwrap();
    stage.introduce(Duration::from_secs(20)).await.unwrap();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut blocks = readme.split("```\n").filter(|block| block.contains("grant_type=client_credentials"));
    let (Some(example), None) = (blocks.next(), blocks.next()) else { panic!("not one example") };
    // The demo's own ports may be taken: the rest is run as it is.
    let example = example
        .replace("http://konto.localhost:8085", stage.accounts.op().issuer())
        .replace("http://etjanst.localhost:8080/", &stage.url("/"));
    let run = |from: &str, to: &str| {
        assert!(example.contains(from), "{from}");
        let script = example.replace(from, to).replace("curl -H", "curl -s -i -H");
        let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let answer = run("", "");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("X-Eid-Subject"), "{answer}");
    for (from, to, status, says) in [
        ("Bearer $token", "Bearer ${token}x", "401", "error=\"invalid_token\""),
        ("scope=arenden.read", "scope=", "403", "error=\"insufficient_scope\", scope=\"arenden.read\""),
        ("api/arenden", "ansokan", "401", "Cookie"),
    ] {
        let answer = run(from, to);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{to}: {answer}");
        assert!(answer.to_lowercase().contains("www-authenticate: "), "{to}: {answer}");
        assert!(answer.contains(says), "{to}: {answer}");
        assert!(!answer.contains("X-Eid-Subject"), "{to}: {answer}");
    }
}
