//! `grindvakt keys rotate`, as an operator runs it, with a federation's feed that is signed.

use std::path::Path;
use std::process::Command;

use grindvakt::base::{Clock as _, SystemClock, UnixTime};
use grindvakt_demo::DemoKey;
use grindvakt_demo::sign::{Place, enveloped};
use grindvakt_demo::xml::element;

fn grindvakt(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_grindvakt")).args(args).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

const SP: &str = "https://e.example.se/sp";

const REST: &str = r#"[store]
single_replica = true
[[metadata]]
id = "feed"
file = "idp.xml"
[[provider]]
id = "p"
eid = "p"
label = "P"
protocol = "saml"
entity_id = "https://p.example.se"
metadata = "feed"
encryption = "optional"
"#;

fn configure(folder: &Path, signing: &[&str]) {
    let signing: Vec<String> = signing.iter().map(|file| format!("\"{file}\"")).collect();
    let text = format!(
        "environment = \"test\"\n[service]\nid = \"e\"\nentity_id = \"{SP}\"\nbase_url = \"https://e.example.se\"\n\
         upstream = \"http://127.0.0.1:1\"\n[state]\ndir = \".\"\n[keys]\nsigning = [{}]\nsealing = [\"session.key\"]\n\
         digest = \"digest.key\"\nidentity_token = \"identity.pem\"\n{}",
        signing.join(", "),
        REST
    );
    std::fs::write(folder.join("g.toml"), text).unwrap();
}

/// What the federation makes of the service's own metadata.
fn feed(folder: &Path, operator: &DemoKey, name: &str) {
    let (code, metadata) = grindvakt(folder, &["keys", "sp-metadata", "--config", "g.toml"]);
    assert_eq!(code, Some(0), "{metadata}");
    let certificates = metadata.split("<ds:X509Certificate>").skip(1).map(|rest| rest.split('<').next().unwrap());
    let keys = certificates.map(|certificate| {
        let data = element("ds:X509Data").child(element("ds:X509Certificate").text(certificate));
        element("md:KeyDescriptor").attr("use", "signing").child(element("ds:KeyInfo").child(data))
    });
    let role = element("md:SPSSODescriptor")
        .attr("protocolSupportEnumeration", "urn:oasis:names:tc:SAML:2.0:protocol")
        .children(keys);
    let feed = element("md:EntitiesDescriptor")
        .attr("ID", "_feed")
        .attr("cacheDuration", "PT5H")
        // What is over of another service is nothing to this one.
        .child(
            element("md:EntityDescriptor")
                .attr("entityID", "https://other.example.se/sp")
                .attr("validUntil", "2020-01-01T00:00:00Z"),
        )
        .child(element("md:EntityDescriptor").attr("entityID", SP).child(role));
    std::fs::write(folder.join(name), enveloped(feed, operator, Place::First).canonical()).unwrap();
}

#[test]
fn a_signing_key_is_replaced_and_each_step_waits_for_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert_eq!(grindvakt(path, &["keys", "generate", "--out", "."]).0, Some(0));
    configure(path, &["sp-signing.pem"]);
    let operator = DemoKey::rsa("operator");
    std::fs::write(path.join("operator.crt"), operator.certificate_pem()).unwrap();
    feed(path, &operator, "before.xml");
    let later = |hours: i64| UnixTime::from_secs(SystemClock.now().as_secs() + hours * 3600).to_string();
    let rotate = |more: &[&str]| {
        let args = [&["keys", "rotate", "--config", "g.toml"], more].concat();
        grindvakt(path, &args)
    };
    let refused = |more: &[&str], why: &str| {
        let (code, said) = rotate(more);
        assert!(code == Some(1) && said.contains(why), "{more:?}: {code:?} {said}");
    };

    refused(&["next"], "begin with `keys rotate start`");
    let (code, said) = rotate(&["start"]);
    assert_eq!(code, Some(0), "{said}");
    let new = said.split("sp-signing-").nth(1).map(|rest| format!("sp-signing-{}", rest.split('.').next().unwrap()));
    let new = format!("{}.pem", new.unwrap());
    assert!(path.join(&new).exists());
    let plan = std::fs::read_to_string(path.join("key-rotation-signing.json")).unwrap();
    assert!(plan.contains(&new) && !plan.contains("PRIVATE"), "{plan}");

    refused(&["next"], "this step wants");
    configure(path, &["sp-signing.pem", &new]);
    assert_eq!(rotate(&["next"]).0, Some(0), "published");

    refused(&["next"], "--feed");
    refused(&["next", "--feed", "before.xml", "--signer", "operator.crt"], "does not have the new key");
    feed(path, &operator, "after.xml");
    refused(&["next", "--feed", "after.xml"], "signature_missing");
    feed(path, &DemoKey::rsa("stranger"), "forged.xml");
    refused(&["next", "--feed", "forged.xml", "--signer", "operator.crt"], "signature_invalid");
    let (code, said) = rotate(&["next", "--feed", "after.xml", "--signer", "operator.crt"]);
    assert!(code == Some(0) && said.starts_with("seen. Next: "), "{said}");

    configure(path, &[&new, "sp-signing.pem"]);
    refused(&["next"], "an older copy of the feed");
    let (code, said) = rotate(&["next", "--at", &later(6)]);
    assert!(code == Some(0) && said.starts_with("switched. Next: "), "{said}");

    configure(path, &[&new]);
    refused(&["next", "--at", &later(6)], "not before");
    assert!(rotate(&["status"]).1.starts_with("switched"));
    let (code, said) = rotate(&["next", "--at", &later(8)]);
    assert!(code == Some(0) && said.starts_with("done"), "{said}");
    refused(&["status"], "no plan");
}
