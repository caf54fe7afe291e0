//! The commands as an operator types them: exit statuses, and errors that say what to do.

use std::path::Path;
use std::process::{Command, Output};

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
    let (code, text, error) = said(&grindvakt(&["check", "--config", "g.toml"], path));
    assert_eq!((code, text.as_str()), (Some(0), "ok: 3 providers, 3 routes, environment dev\n"), "{error}");
    assert!(error.contains("metadata-signer.crt"), "a feed that is not there is told of: {error}");
    let (code, text, _) = said(&grindvakt(&["check", "--config", "g.toml", "--explain", "/ansokan"], path));
    assert_eq!(code, Some(0));
    assert!(text.contains("uncertified-loa3") && text.contains("X-Eid-Personal-Number"), "{text}");
    let (code, text, _) = said(&grindvakt(&["keys", "sp-metadata", "--config", "g.toml"], path));
    assert_eq!(code, Some(0));
    let document = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(document.root_element().attribute("entityID"), Some("http://etjanst.localhost:8080/sp"));
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
