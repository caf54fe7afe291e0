//! The SP metadata that is handed to the federation: held against its joining rules before it is printed, and whole then.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const CONFIG: &str = r#"environment = "production"
[service]
id = "etjanst"
entity_id = "https://etjanst.example.se/sp"
base_url = "https://etjanst.example.se"
upstream = "http://127.0.0.1:8000"
[store]
single_replica = true
[keys]
signing = ["sp-signing.pem"]
decryption = ["sp-decrypt.pem"]
sealing = ["session.key"]
digest = "digest.key"
identity_token = "identity.pem"
[[metadata]]
id = "federation"
file = "feed.xml"
[[provider]]
id = "bankid"
eid = "bankid"
label = "BankID"
protocol = "saml"
entity_id = "https://idp.example.se/saml"
metadata = "federation"
"#;

/// As docs/sweden-connect.md has it.
fn organisation() -> String {
    let document = include_str!("../../docs/sweden-connect.md");
    let from = document.find("[organisation]\n").expect("the example of docs/sweden-connect.md");
    document[from..].split("```").next().unwrap().to_owned()
}

/// A folder with keys of our own.
fn with_keys() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
    let generated = command.args(["keys", "generate", "--out", "."]).current_dir(folder.path()).status().unwrap();
    assert!(generated.success());
    folder
}

fn sp_metadata(folder: &Path, config: &str, federation: bool) -> Output {
    std::fs::write(folder.join("grindvakt.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
    command.args(["keys", "sp-metadata", "--config", "grindvakt.toml"]).current_dir(folder);
    if federation {
        command.arg("--federation");
    }
    command.output().unwrap()
}

#[test]
fn the_federation_gets_what_its_rules_ask_for_or_nothing() {
    let folder = with_keys();
    // A provider outside of the federation asks for none of it.
    assert!(sp_metadata(folder.path(), CONFIG, false).status.success());
    let bare = sp_metadata(folder.path(), CONFIG, true);
    let said = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert_eq!((bare.status.code(), bare.stdout.len()), (Some(78), 0), "{said}");
    assert!(said.lines().count() >= 12, "everything at once: {said}");

    let whole = format!("{CONFIG}{}", organisation());
    let printed = sp_metadata(folder.path(), &whole, true);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let texts = |name: &str| -> Vec<&str> {
        document.descendants().filter(|e| e.tag_name().name() == name).filter_map(|e| e.text()).collect()
    };
    assert_eq!(texts("OrganizationNumber").len(), 1, "{text}");
    assert_eq!((texts("OrganizationName").len(), texts("DisplayName").len(), texts("Logo").len()), (2, 2, 1), "{text}");
    assert_eq!(document.descendants().filter(|e| e.tag_name().name() == "ContactPerson").count(), 2);
    for category in ["public-sector-sp", "loa3-pnr", "contract/sc/sweden-connect"] {
        assert!(texts("AttributeValue").iter().any(|value| value.ends_with(category)), "{category}: {text}");
    }
    for purpose in ["signing", "encryption"] {
        assert!(document.descendants().any(|e| e.attribute("use") == Some(purpose)), "{purpose}");
    }

    // Each thing that is taken away is missed, by its name.
    for (line, named) in [
        ("number ", "`number`"),
        ("logo ", "`logo`"),
        ("service_name ", "`service_name`"),
        ("= \"technical\"", "\"technical\""),
        ("public-sector-sp", "private-sector-sp"),
        ("loa3-pnr", "service entity category"),
        ("contract/", "no contract"),
    ] {
        let without: String =
            whole.lines().filter(|text| !text.contains(line)).map(|text| format!("{text}\n")).collect();
        assert_ne!(without.lines().count(), whole.lines().count(), "the example has no line with {line}");
        let refused = sp_metadata(folder.path(), &without, true);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(78), "{line}: {said}");
        assert!(said.contains(named), "{line}: {said}");
    }
}

/// A category that the federation does not have is no slip that its desk should find.
#[test]
fn a_category_that_the_federation_does_not_have_is_named_with_those_that_it_has() {
    let folder = with_keys();
    let whole = format!("{CONFIG}{}", organisation());
    const LOA3: &str = "http://id.elegnamnden.se/ec/1.0/loa3-pnr";
    let with = |category: &str| {
        assert!(whole.contains(&format!("\"{LOA3}\"")));
        sp_metadata(folder.path(), &whole.replace(LOA3, category), true)
    };
    for known in [
        "http://id.elegnamnden.se/ec/1.0/loa2-pnr",
        "http://id.elegnamnden.se/ec/1.0/loa4-pnr",
        "http://id.elegnamnden.se/ec/1.0/eidas-naturalperson",
        "http://id.swedenconnect.se/ec/1.0/loa3-name",
        "http://id.swedenconnect.se/ec/1.0/loa3-orgid",
        "http://id.swedenconnect.se/ec/1.0/loa3-hsaid",
        "http://id.swedenconnect.se/ec/sc/uncertified-loa3-pnr",
        // Beside one that counts, those of others are their own affair.
        "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://refeds.org/category/research-and-scholarship",
        "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://id.swedenconnect.se/contract/annan/avtal-2026",
        "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://id.swedenconnect.se/general-ec/1.0/supports-user-message",
    ] {
        let printed = with(known);
        assert!(printed.status.success(), "{known}: {}", String::from_utf8_lossy(&printed.stderr));
    }
    const SERVICES: &[&str] = &[LOA3, "http://id.swedenconnect.se/ec/1.0/loa3-hsaid"];
    for (wrong, kind, lists) in [
        ("http://id.elegnamnden.se/ec/1.0/loa5-pnr", "a service entity category is one of ", SERVICES),
        ("http://id.elegnamnden.se/ec/1.0/loa3-pnr/", "a service entity category is one of ", SERVICES),
        ("http://id.elegnamnden.se/ec/1.0/", "a service entity category is one of ", SERVICES),
        // The right name under the other of the two hosts.
        ("http://id.elegnamnden.se/ec/1.0/loa3-hsaid", "a service entity category is one of ", SERVICES),
        ("http://id.swedenconnect.se/ec/1.0/loa3-pnr", "a service entity category is one of ", SERVICES),
        ("http://id.elegnamnden.se/ec/1.0/LOA3-pnr", "a service entity category is one of ", SERVICES),
        (
            "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://id.elegnamnden.se/st/1.0/public-sector",
            "a service type is one of ",
            &["http://id.elegnamnden.se/st/1.0/private-sector-sp"],
        ),
        (
            "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://id.swedenconnect.se/general-ec/1.0/user-message",
            "a general category is one of ",
            &["http://id.swedenconnect.se/general-ec/1.0/supports-user-message"],
        ),
        ("https://id.elegnamnden.se/ec/1.0/loa3-pnr", "has no service entity category", SERVICES),
        // What the service itself does not hold to must not be said of it.
        (
            "http://id.elegnamnden.se/ec/1.0/loa3-pnr\", \"http://id.swedenconnect.se/general-ec/1.0/accepts-coordination-number",
            "`accept_coordination_number` under [service] does not",
            &[],
        ),
    ] {
        let refused = with(wrong);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(78), 0), "{wrong}: {said}");
        assert!(said.contains(kind), "{wrong}: {said}");
        for listed in lists {
            assert!(said.contains(listed), "{wrong}: {listed} is not listed: {said}");
        }
    }
    // A contract is an organisation's.
    let contract = "http://id.swedenconnect.se/contract/sc/sweden-connect";
    let refused = sp_metadata(folder.path(), &whole.replace(contract, "http://id.swedenconnect.se/contract/sc/"), true);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(78) && said.contains("no contract"), "{said}");
}
