//! `grindvakt doctor`: each thing that can be wrong is told by its code, with what to do, and nothing else is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use grindvakt_demo::DemoKey;
use grindvakt_demo::sign::{Place, enveloped};
use grindvakt_demo::xml::element;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::remote::{Act, Remote};
use crate::support::{World, eventually};

/// Runs it beside the test's runtime, which serves what it asks.
async fn doctor(folder: &Path, arguments: &'static [&'static str]) -> Output {
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

const SP: &str = "https://e.example.se/sp";

/// A service that is to be in a federation whose feed of providers is at `feeds`.
fn joining(folder: &Path, feeds: &str) {
    let made = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
        .args(["keys", "generate", "--out", "."])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let config = format!(
        r#"environment = "test"
[service]
id = "e"
entity_id = "{SP}"
base_url = "https://e.example.se"
upstream = "http://127.0.0.1:1"
[state]
dir = "state"
[keys]
signing = ["sp-signing.pem"]
decryption = ["sp-decrypt.pem"]
sealing = ["session.key"]
digest = "digest.key"
identity_token = "identity.pem"
[store]
single_replica = true
[organisation]
entity_categories = ["http://id.elegnamnden.se/ec/1.0/loa3-pnr"]
[[metadata]]
id = "feed"
url = "{feeds}/role/idp.xml"
signer = "operator.crt"
[[provider]]
id = "p"
eid = "p"
label = "P"
protocol = "saml"
entity_id = "https://p.example.se"
metadata = "feed"
"#
    );
    std::fs::write(folder.join("grindvakt.toml"), config).unwrap();
}

/// What a federation has published of a service.
#[derive(Clone)]
struct Entry {
    name: &'static str,
    /// What each key is for, and its certificate in base64.
    keys: Vec<(String, String)>,
    acs: String,
    category: &'static str,
}

impl Entry {
    /// As `keys sp-metadata` hands it in.
    fn of(folder: &Path) -> Self {
        let printed = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
            .args(["keys", "sp-metadata", "--config", "grindvakt.toml"])
            .current_dir(folder)
            .output()
            .unwrap();
        let text = String::from_utf8(printed.stdout).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let all = |name: &'static str| document.descendants().filter(move |node| node.tag_name().name() == name);
        let key = |node: roxmltree::Node<'_, '_>| {
            let certificate = node.descendants().find(|inner| inner.tag_name().name() == "X509Certificate").unwrap();
            (node.attribute("use").unwrap().to_owned(), certificate.text().unwrap().to_owned())
        };
        let acs = all("AssertionConsumerService").next().unwrap().attribute("Location").unwrap().to_owned();
        let category = "http://id.elegnamnden.se/ec/1.0/loa3-pnr";
        Self { name: SP, keys: all("KeyDescriptor").map(key).collect(), acs, category }
    }

    fn signed_by(&self, operator: &DemoKey) -> String {
        let key = |(purpose, certificate): &(String, String)| {
            let data = element("ds:X509Data").child(element("ds:X509Certificate").text(certificate));
            element("md:KeyDescriptor").attr("use", purpose).child(element("ds:KeyInfo").child(data))
        };
        let service = element("md:AssertionConsumerService")
            .attr("Binding", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST")
            .attr("Location", &self.acs)
            .attr("index", "0");
        let role = element("md:SPSSODescriptor")
            .attr("protocolSupportEnumeration", "urn:oasis:names:tc:SAML:2.0:protocol")
            .children(self.keys.iter().map(key))
            .child(service);
        let categories = element("saml:Attribute")
            .attr("Name", "http://macedir.org/entity-category")
            .child(element("saml:AttributeValue").text(self.category));
        let extensions = element("md:Extensions").child(element("mdattr:EntityAttributes").child(categories));
        let entity = element("md:EntityDescriptor").attr("entityID", self.name).child(extensions).child(role);
        let feed = element("md:EntitiesDescriptor").attr("ID", "_feed").child(entity);
        enveloped(feed, operator, Place::First).canonical()
    }
}

/// What the federation knows of us is what providers go by, whatever our own files say.
#[tokio::test(flavor = "multi_thread")]
async fn our_entry_in_the_federation_is_held_against_what_we_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let remote = Remote::start().await;
    let (operator, stranger) = (DemoKey::rsa("operator"), DemoKey::rsa("stranger"));
    joining(path, &format!("http://{}", remote.address));
    std::fs::write(path.join("operator.crt"), operator.certificate_pem()).unwrap();
    let good = Entry::of(path);
    let seen = async |arguments: &'static [&'static str]| {
        let output = doctor(path, arguments).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let findings = report["findings"].as_array().unwrap().clone();
        let own = findings.into_iter().filter(|finding| finding["area"] == "federation");
        own.map(|f| format!("{} {}", f["verdict"].as_str().unwrap(), f["code"].as_str().unwrap())).collect::<Vec<_>>()
    };
    let without = |purpose: &str| good.keys.iter().filter(|(its, _)| its != purpose).cloned().collect::<Vec<_>>();
    let other = |purpose: &str| {
        let strange = stranger.certificate_pem();
        let strange: String = strange.lines().filter(|line| !line.starts_with("--")).collect();
        [good.keys.clone(), vec![(purpose.to_owned(), strange)]].concat()
    };
    for (what, entry, by, expect) in [
        ("as it is", good.clone(), &operator, &["good ok"][..]),
        ("a stranger's feed", good.clone(), &stranger, &["bad signature_invalid"]),
        (
            "nobody of ours",
            Entry { name: "https://annan.example.se/sp", ..good.clone() },
            &operator,
            &["bad not_in_the_federation"],
        ),
        ("no signing key", Entry { keys: without("signing"), ..good.clone() }, &operator, &["bad key_unpublished"]),
        (
            "no encryption key",
            Entry { keys: without("encryption"), ..good.clone() },
            &operator,
            &["warning key_unpublished"],
        ),
        (
            "a key to encrypt to that we lost",
            Entry { keys: other("encryption"), ..good.clone() },
            &operator,
            &["bad key_lost"],
        ),
        (
            "a key that signs in our name",
            Entry { keys: other("signing"), ..good.clone() },
            &operator,
            &["warning key_not_ours"],
        ),
        (
            "answers elsewhere",
            Entry { acs: "https://e.example.se/gammal".into(), ..good.clone() },
            &operator,
            &["bad acs_unpublished"],
        ),
        (
            "another category",
            Entry { category: "http://id.elegnamnden.se/ec/1.0/loa2-pnr", ..good.clone() },
            &operator,
            &["warning category_unpublished"],
        ),
    ] {
        let feed = entry.signed_by(by);
        remote.chooses(move |asked| match asked.path() {
            "/role/sp.xml" => Act::ok(feed.clone()),
            _ => Act::status(404),
        });
        let mut found = seen(&["--json", "--federation"]).await;
        // The feed of providers itself is not there in this story.
        found.retain(|finding| finding != "bad http_status");
        assert_eq!(found, expect, "{what}");
    }

    // Fetched by somebody else, where this machine may not fetch.
    std::fs::write(path.join("sp.xml"), good.signed_by(&operator)).unwrap();
    assert_eq!(seen(&["--json", "--federation", "sp.xml"]).await, ["good ok"]);
    assert_eq!(seen(&["--json", "--federation", "nowhere.xml"]).await, ["bad feed_unreadable"]);
    assert_eq!(seen(&["--json"]).await, [""; 0], "nobody asked");
}
