//! The commands as an operator types them: exit statuses, and errors that say what to do.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::World;

fn grindvakt(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grindvakt")).args(args).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const CONFIG: &str = include_str!("../../demo/grindvakt.toml");

#[test]
fn a_newcomer_gets_from_keys_to_a_checked_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (code, section, _) = said(&grindvakt(&["keys", "generate", "--out", "."], path));
    assert_eq!(code, Some(0));
    assert!(section.starts_with("[keys]\nsigning        = [\"./sp-signing.pem\"]"), "{section}");
    for name in ["sp-signing.pem", "sp-decrypt.pem", "session.key", "digest.key", "identity.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let before = std::fs::read(path.join("session.key")).unwrap();
    let (code, _, error) = said(&grindvakt(&["keys", "generate"], path));
    assert_eq!(code, Some(1));
    assert!(error.contains("--force"), "{error}");
    assert_eq!(std::fs::read(path.join("session.key")).unwrap(), before, "keys that are there stay");

    std::fs::write(path.join("g.toml"), CONFIG).unwrap();
    // What the service shows OpenID providers was agreed with each of them: no command of ours makes it up.
    std::fs::copy(path.join("identity.pem"), path.join("freja-client.pem")).unwrap();
    std::fs::write(path.join("konto.secret"), "hemligt\n").unwrap();
    let (code, text, error) = said(&grindvakt(&["check", "--config", "g.toml"], path));
    assert_eq!((code, text.as_str()), (Some(0), "ok: 6 providers, 3 routes, environment dev\n"), "{error}");
    assert!(error.contains("metadata-signer.crt"), "a feed that is not there is told of: {error}");
    let (code, text, _) = said(&grindvakt(&["check", "--config", "g.toml", "--explain", "/ansokan"], path));
    assert_eq!(code, Some(0));
    assert!(text.contains("uncertified-loa3") && text.contains("X-Eid-Personal-Number"), "{text}");
    // No feed is here yet, so nobody could log in: told for each route, and a refusal only where it is asked for.
    let (code, text, _) = said(&grindvakt(&["check", "--config", "g.toml", "--failover"], path));
    assert_eq!(code, Some(0));
    assert!(text.contains("route /ansokan\n  nobody can log in") && text.contains("metadata-signer.crt"), "{text}");
    let (code, _, error) = said(&grindvakt(&["check", "--config", "g.toml", "--require-alternate"], path));
    assert_eq!(code, Some(1));
    assert!(error.contains("no alternate: /ansokan: nobody can log in"), "{error}");
    let (code, text, _) = said(&grindvakt(&["keys", "sp-metadata", "--config", "g.toml"], path));
    assert_eq!(code, Some(0));
    let document = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(document.root_element().attribute("entityID"), Some("http://etjanst.localhost:8080/sp"));
}

/// By real keys and metadata, and without a socket.
#[tokio::test]
async fn what_is_left_when_a_provider_fails_is_told_before_it_does() {
    let mut world = World::new("").await;
    world.stop().await;
    let path = world.folder.path();
    let (code, text, error) = said(&grindvakt(&["check", "--config", "grindvakt.toml", "--failover"], path));
    let expect = "\
route /ansokan/*
  without bankid-a: people are asked
    freja  is offered, with other levels
  without freja: people are asked
    bankid-a  is offered, with other levels
route /hog/*
  nobody can log in: no provider with valid keys can meet it
    bankid-a  it may assert no level that the route takes
    freja  it may assert no level that the route takes
route /lag/*
  without freja: NOBODY CAN LOG IN
    bankid-a  not: the route does not list its e-ID
route (default)
  without bankid-a: people are asked
    freja  is offered, with other levels and identifiers
  without freja: people are asked
    bankid-a  is offered, with other levels and identifiers
";
    assert_eq!((code, text.as_str()), (Some(0), expect), "{error}");
    let require = |config: &str| {
        world.write("g.toml", config);
        said(&grindvakt(&["check", "--config", "g.toml", "--require-alternate"], path))
    };
    let (code, _, error) = require(world.config());
    let told: Vec<&str> = error.lines().filter(|line| line.contains("no alternate")).collect();
    assert_eq!(code, Some(1));
    assert_eq!(told.len(), 2, "{error}");
    assert!(told[0].contains("/hog/*: nobody can log in"), "{error}");
    assert!(told[1].contains("/lag/*: without freja nobody can log in"), "{error}");

    // Without the routes that hang on one it is content; and not any more when the other one's keys are gone.
    let routes: Vec<&str> = world.config().split("[[route]]").collect();
    let kept = |part: &&&str| !part.contains("\"/hog/*\"") && !part.contains("\"/lag/*\"");
    let good = routes.iter().filter(kept).copied().collect::<Vec<_>>().join("[[route]]");
    let (code, text, error) = require(&good);
    assert_eq!(code, Some(0), "{text}{error}");
    let gone = good.replace("https://freja.example.org/idp", "https://borta.example.org/idp");
    assert_ne!(gone, good, "{good}");
    let (code, text, error) = require(&gone);
    assert_eq!(code, Some(1), "{text}{error}");
    assert!(text.contains("without bankid-a: NOBODY CAN LOG IN\n    freja  not: "), "{text}");
    assert!(error.contains("no alternate: /ansokan/*: without bankid-a nobody can log in"), "{error}");
}

/// What an OpenID provider is told of this service's keys.
#[test]
fn the_keys_of_a_client_are_printed_for_its_provider() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(said(&grindvakt(&["keys", "generate", "--out", "."], path)).0, Some(0));
    let provider = |id: &str, more: &str| {
        format!(
            "[[provider]]\nid = \"{id}\"\neid = \"{id}\"\nprotocol = \"oidc\"\nissuer = \"https://{id}.example.se\"\n\
             client_id = \"etjanst\"\nloa = [\"loa2\"]\n{more}\n"
        )
    };
    let config = |providers: &[String]| {
        let base = "environment = \"test\"\n[service]\nid = \"e\"\nentity_id = \"https://e.example.se/sp\"\n\
                    base_url = \"https://e.example.se\"\nupstream = \"http://127.0.0.1:1\"\n\
                    [keys]\ndecryption = [\"sp-decrypt.pem\"]\n";
        std::fs::write(path.join("g.toml"), format!("{base}{}", providers.concat())).unwrap();
        said(&grindvakt(&["keys", "client-jwks", "--config", "g.toml"], path))
    };
    let (code, text, _) = config(&[provider("konto", "client_key = \"identity.pem\"\nclient_key_id = \"k1\"")]);
    assert_eq!(code, Some(0));
    let jwks: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let of = |key: &serde_json::Value| ["kty", "use", "alg"].map(|name| key[name].as_str().unwrap().to_owned());
    assert_eq!(keys.iter().map(of).collect::<Vec<_>>(), [["EC", "sig", "ES256"], ["RSA", "enc", "RSA-OAEP-256"]]);
    assert_eq!(keys[0]["kid"], "k1");
    assert!(!text.contains("\"d\""), "nothing private");

    let (code, _, error) = config(&[provider("konto", "")]);
    assert_eq!((code, error.contains("no [[provider]]")), (Some(78), true), "{error}");
    let two = ["konto", "freja"].map(|id| provider(id, "client_key = \"identity.pem\""));
    let (code, _, error) = config(&two);
    assert_eq!((code, error.contains("--provider")), (Some(78), true), "{error}");
    let (code, ..) = said(&grindvakt(&["keys", "client-jwks", "--config", "g.toml", "--provider", "freja"], path));
    assert_eq!(code, Some(0));
}

/// The README's configuration is one that a reader will copy.
#[test]
fn the_configuration_in_the_readme_is_a_good_one() {
    let readme = include_str!("../../README.md");
    let toml = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("g.toml"), toml).unwrap();
    let (code, text, error) = said(&grindvakt(&["check", "--config", "g.toml"], folder.path()));
    assert_eq!((code, text.as_str()), (Some(0), "ok: 1 providers, 2 routes, environment production\n"), "{error}");
}

/// Every key that a configuration may hold is explained, and nothing else is.
#[test]
fn every_key_of_the_demo_is_explained() {
    let docs = include_str!("../../docs/configuration.md");
    for key in CONFIG.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim()) {
        assert!(key.starts_with('#') || docs.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn mistakes_are_answered_with_the_status_that_scripts_expect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("bad.toml"), CONFIG.replace("upstream", "upstraem").replace("\"dev\"", "\"live\""))
        .unwrap();
    for (args, code, part) in [
        (&["--help"][..], 0, ""),
        (&["--version"], 0, ""),
        (&[], 64, "Usage"),
        (&["fly"], 64, "unrecognized"),
        (&["check"], 64, "--config"),
        (&["check", "--config", "none.toml"], 78, "none.toml: cannot be read"),
        (&["check", "--config", "bad.toml"], 78, "did you mean `upstream`?"),
        (&["check", "--config", "bad.toml"], 78, "\"production\" or \"test\" or \"dev\""),
        (&["run", "--config", "bad.toml"], 78, "bad.toml:"),
        (&["--config", "bad.toml"], 78, "bad.toml:"),
        (&["verify", "--config", "bad.toml", "x.xml"], 78, "bad.toml:"),
        (&["metadata", "none.xml", "--signer", "none.crt"], 64, "none.crt"),
        (&["metadata", "none.xml"], 64, "--signer"),
    ] {
        let (status, _, error) = said(&grindvakt(args, path));
        assert_eq!(status, Some(code), "{args:?}: {error}");
        assert!(error.contains(part), "{args:?}: {error}");
    }
}
