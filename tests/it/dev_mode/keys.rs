//! Demo keys, and development itself, are for the developer's own machine.

use std::path::Path;
use std::process::Command;

use grindvakt_demo::dev::Routes;
use grindvakt_demo::stage::Stage;

use super::Bench;

/// Runs a command of the sidecar that must end by itself: exit status and what it wrote to standard error.
fn ends(args: &[&str], config: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_grindvakt")).args(args).arg("--config").arg(config).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// What every environment but development wants to be told of a store in memory.
const SINGLE: &str = "\n[store]\nsingle_replica = true\n";

#[tokio::test]
async fn demo_keys_open_nothing_outside_of_development() {
    const SENTENCE: &str =
        "whoever runs the demo logs in as anyone. Demo keys are for environment \"dev\" on loopback alone";
    const OWN: &str = "is a key that grindvakt-demo made: those are for environment \"dev\" alone; \
                       `grindvakt keys generate` makes one of your own";
    let stage = Stage::set_up(0).await.unwrap();
    let demo = std::fs::read_to_string(stage.config()).unwrap();
    let at = |name: &str| stage.config().with_file_name(name);
    let (code, said) = ends(&["check"], &stage.config());
    assert_eq!((code, said.as_str()), (Some(0), ""), "in development they are what there is");

    let test = format!("{}{SINGLE}", demo.replace("environment = \"dev\"", "environment = \"test\""));
    let no_keys = |text: &str| {
        let names = ["signing ", "decryption ", "identity_token ", "client_key "];
        let is_pem = |line: &str| names.iter().any(|key| line.starts_with(key));
        text.lines().filter(|line| !is_pem(line)).collect::<Vec<_>>().join("\n")
    };
    let own: Vec<String> = ["sp-signing.pem", "sp-decrypt.pem", "identity.pem", "freja-client.pem"]
        .iter()
        .map(|name| format!("{}: {OWN}", at(name).display()))
        .collect();
    let signer =
        format!("metadata \"demo\": demo_key: the feed's signer is a key that grindvakt-demo made: {SENTENCE}");
    let idps: Vec<String> = stage
        .idps
        .iter()
        .map(|site| {
            let idp = site.idp();
            let id = idp.entity_id();
            format!("metadata \"demo\", {id}: demo_key: {id} signs with a key that grindvakt-demo made: {SENTENCE}")
        })
        .collect();
    let pinned = format!(
        "metadata \"konto-api\", {}: demo_key: keys that grindvakt-demo made, whoever runs it logs in as anyone: they are for \
         environment \"dev\"",
        at("konto-jwks.json").display()
    );
    let no_feed =
        |text: &str| text.replace("metadata.xml", "none.xml").replace("signer = [\"metadata-signer.crt\"]", "");
    // Whatever is left of the demo: its pinned signer, its providers in a feed that is trusted as it is, its pinned
    // key set, our own keys.
    for (name, text, expected) in [
        ("signer.toml", no_keys(&test), vec![signer]),
        ("idps.toml", no_keys(&test).replace("signer = [\"metadata-signer.crt\"]", ""), idps),
        ("jwks.toml", no_feed(&no_keys(&test)), vec![pinned]),
        ("keys.toml", no_feed(&test), own),
    ] {
        std::fs::write(at(name), text).unwrap();
        for command in ["check", "run"] {
            let (code, said) = ends(&[command], &at(name));
            assert_eq!(code, Some(78), "{command} {name}: {said}");
            for line in &expected {
                assert!(said.lines().any(|l| l == line), "{command} {name}: no line\n{line}\nin\n{said}");
            }
        }
    }
}

#[tokio::test]
async fn development_is_for_loopback_alone() {
    let stage = Stage::set_up(0).await.unwrap();
    let demo = std::fs::read_to_string(stage.config()).unwrap();
    let at = |name: &str| stage.config().with_file_name(name);
    let open = at("open.toml");
    std::fs::write(&open, demo.replacen("public = \"127.0.0.1:", "public = \"0.0.0.0:", 1)).unwrap();
    let named = at("named.toml");
    let public = format!("base_url  = \"{}\"", stage.url(""));
    std::fs::write(&named, demo.replacen(&public, "base_url  = \"https://etjanst.example.se\"", 1)).unwrap();
    for command in ["check", "run"] {
        let (code, said) = ends(&[command], &open);
        assert_eq!(code, Some(78));
        assert!(said.contains("`public` must be a loopback address"), "{said}");
        let (code, said) = ends(&[command], &named);
        assert_eq!(code, Some(78));
        assert!(said.contains("it needs a loopback `base_url`"), "{said}");
    }
}

#[tokio::test]
async fn the_secret_of_development_is_known_and_refused_elsewhere() {
    let bench = Bench::new(Routes::Everything).await;
    let dev = std::fs::read_to_string(bench.dev.config()).unwrap();
    let (code, said) = ends(&["check"], &bench.dev.config());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    // Nothing is left of it but the key that subjects hang on: the same at every developer's.
    let elsewhere = bench.dev.config().with_file_name("elsewhere.toml");
    let text = dev.replace("environment = \"dev\"", "environment = \"test\"").replace("metadata.xml", "none.xml");
    let names_pem = |line: &str| line.contains(".pem") || line.starts_with("signer");
    let text = text.lines().filter(|line| !names_pem(line)).collect::<Vec<_>>().join("\n");
    std::fs::write(&elsewhere, text + SINGLE).unwrap();
    let key = elsewhere.with_file_name("digest.key");
    let sentence = format!(
        "{}: is a key that grindvakt-demo made: those are for environment \"dev\" alone; `grindvakt keys generate` makes \
         one of your own",
        key.display()
    );
    for command in ["check", "run"] {
        let (code, said) = ends(&[command], &elsewhere);
        assert_eq!(code, Some(78), "{command}: {said}");
        assert!(said.lines().any(|line| line == sentence), "{command}: {said}");
    }
}
