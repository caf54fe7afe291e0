//! `grindvakt doctor --federation`: what the federation has published of us, against what we are.

use std::path::Path;
use std::process::Command;

use grindvakt_demo::DemoKey;
use grindvakt_demo::sign::{Place, enveloped};
use grindvakt_demo::xml::{Element, element};
use serde_json::Value;

use crate::doctor::doctor;
use crate::support::remote::{Act, Remote};

const SP: &str = "https://e.example.se/sp";
const ACS: &str = "https://e.example.se/eid/saml/acs";
const SLO: &str = "https://e.example.se/eid/saml/logout";
const LOA3: &str = "http://id.elegnamnden.se/ec/1.0/loa3-pnr";
const LOA2: &str = "http://id.elegnamnden.se/ec/1.0/loa2-pnr";
const COORDINATION: &str = "http://id.swedenconnect.se/general-ec/1.0/accepts-coordination-number";
const BY_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const BY_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const BY_ARTIFACT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact";
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// A service that is to be in a federation whose feeds are at `remote`, which is its e-service too: something is there.
fn joining(folder: &Path, remote: &Remote, more: &str) {
    let made = Command::new(env!("CARGO_BIN_EXE_grindvakt"))
        .args(["keys", "generate", "--out", "."])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    configure(folder, remote, more);
}

fn configure(folder: &Path, remote: &Remote, more: &str) {
    let config = format!(
        r#"environment = "test"
[service]
id = "e"
entity_id = "{SP}"
base_url = "https://e.example.se"
upstream = "http://{address}"
{more}
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
entity_categories = ["{LOA3}"]
[[metadata]]
id = "feed"
url = "http://{address}/role/idp.xml"
signer = "operator.crt"
[[provider]]
id = "p"
eid = "p"
label = "P"
protocol = "saml"
entity_id = "https://p.example.se"
metadata = "feed"
"#,
        address = remote.address
    );
    std::fs::write(folder.join("grindvakt.toml"), config).unwrap();
}

/// What a federation has published of a service.
#[derive(Clone)]
struct Entry {
    name: &'static str,
    /// What each key is for, and its certificate in base64.
    keys: Vec<(String, String)>,
    /// Binding and address.
    acs: Vec<(String, String)>,
    slo: Vec<(String, String)>,
    /// Where its answers to a logout go, if elsewhere.
    slo_answers: Option<&'static str>,
    categories: Vec<String>,
    until: Option<&'static str>,
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
        let endpoint = |node: roxmltree::Node<'_, '_>| {
            (node.attribute("Binding").unwrap().to_owned(), node.attribute("Location").unwrap().to_owned())
        };
        Self {
            name: SP,
            keys: all("KeyDescriptor").map(key).collect(),
            acs: all("AssertionConsumerService").map(endpoint).collect(),
            slo: all("SingleLogoutService").map(endpoint).collect(),
            slo_answers: None,
            categories: all("AttributeValue").map(|value| value.text().unwrap().to_owned()).collect(),
            until: None,
        }
    }

    fn acs(&self, list: &[(&str, &str)]) -> Self {
        Self { acs: owned(list), ..self.clone() }
    }

    fn slo(&self, list: &[(&str, &str)]) -> Self {
        Self { slo: owned(list), ..self.clone() }
    }

    fn categories(&self, list: &[&str]) -> Self {
        Self { categories: list.iter().map(|category| (*category).to_owned()).collect(), ..self.clone() }
    }

    fn element(&self) -> Element {
        let key = |(purpose, certificate): &(String, String)| {
            let data = element("ds:X509Data").child(element("ds:X509Certificate").text(certificate));
            element("md:KeyDescriptor").attr("use", purpose).child(element("ds:KeyInfo").child(data))
        };
        let endpoint = |name: &'static str, (binding, location): &(String, String)| {
            element(name).attr("Binding", binding).attr("Location", location)
        };
        let logout = |at| endpoint("md:SingleLogoutService", at).maybe("ResponseLocation", self.slo_answers);
        let answers =
            |(place, at): (usize, _)| endpoint("md:AssertionConsumerService", at).attr("index", place.to_string());
        let role = element("md:SPSSODescriptor")
            .attr("protocolSupportEnumeration", "urn:oasis:names:tc:SAML:2.0:protocol")
            .children(self.keys.iter().map(key))
            .children(self.slo.iter().map(logout))
            .children(self.acs.iter().enumerate().map(answers));
        let values = self.categories.iter().map(|category| element("saml:AttributeValue").text(category));
        let categories = element("saml:Attribute").attr("Name", "http://macedir.org/entity-category").children(values);
        let extensions = element("md:Extensions").child(element("mdattr:EntityAttributes").child(categories));
        let entity = element("md:EntityDescriptor").attr("entityID", self.name).maybe("validUntil", self.until);
        entity.child(extensions).child(role)
    }
}

fn owned(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(binding, location)| ((*binding).to_owned(), (*location).to_owned())).collect()
}

fn feed(entities: Vec<Element>) -> Element {
    element("md:EntitiesDescriptor").attr("ID", "_feed").children(entities)
}

/// A federation that the configuration of a folder is about.
struct Federation {
    folder: tempfile::TempDir,
    remote: Remote,
    operator: DemoKey,
    /// Our entry as it should be.
    good: Entry,
}

impl Federation {
    async fn new() -> Self {
        let (folder, remote, operator) =
            (tempfile::tempdir().unwrap(), Remote::start().await, DemoKey::rsa("operator"));
        joining(folder.path(), &remote, "");
        std::fs::write(folder.path().join("operator.crt"), operator.certificate_pem()).unwrap();
        let good = Entry::of(folder.path());
        Self { folder, remote, operator, good }
    }

    /// Puts the feed of services where it belongs, signed by `key`; one of providers is not there in this story.
    fn publishes(&self, feed: Element, key: &DemoKey) {
        let text = enveloped(feed, key, Place::First).canonical();
        self.remote.chooses(move |asked| match asked.path() {
            "/role/sp.xml" => Act::ok(text.clone()),
            _ => Act::status(404),
        });
    }

    /// What is found of the federation, as `verdict code: detail`, and the exit status. Everything else is well.
    async fn seen(&self, arguments: &'static [&'static str]) -> (Vec<String>, Option<i32>) {
        let output = doctor(self.folder.path(), arguments).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let (mut own, mut besides, mut bad) = (Vec::new(), 0, false);
        for finding in report["findings"].as_array().unwrap() {
            let text = |name: &str| finding[name].as_str().unwrap();
            let (verdict, code) = (text("verdict"), text("code"));
            bad |= verdict == "bad";
            assert_eq!(text("advice").is_empty(), verdict == "good", "{finding}");
            match text("area") {
                "federation" => own.push(format!("{verdict} {code}: {}", text("detail"))),
                _ => {
                    besides += 1;
                    assert_eq!((verdict, code), ("good", "ok"), "{finding}");
                }
            }
        }
        assert!(besides > 8, "the rest was looked at too: {report:#}");
        assert_eq!(report["healthy"], !bad, "{report:#}");
        (own, output.status.code())
    }
}

/// Each of `found` begins with what is expected, and nothing else was found.
fn holds(what: &str, found: &(Vec<String>, Option<i32>), expect: &[&str]) {
    let (found, code) = found;
    let fits = found.len() == expect.len() && found.iter().zip(expect).all(|(found, begins)| found.starts_with(begins));
    assert!(fits, "{what}: {found:#?}, and not {expect:#?}");
    let bad = expect.iter().any(|expect| expect.starts_with("bad "));
    assert_eq!(*code, Some(i32::from(bad)), "{what}: {found:#?}");
}

/// What the federation knows of us is what providers go by, whatever our own files say.
#[tokio::test(flavor = "multi_thread")]
async fn our_entry_in_the_federation_is_held_against_what_we_are() {
    let federation = Federation::new().await;
    let (good, stranger) = (&federation.good, DemoKey::rsa("stranger"));
    assert_eq!(good.acs, owned(&[(BY_POST, ACS)]));
    assert_eq!(good.slo, owned(&[(BY_REDIRECT, SLO), (BY_POST, SLO)]));
    let without = |purpose: &str| {
        let keys = good.keys.iter().filter(|(its, _)| its != purpose).cloned().collect();
        Entry { keys, ..good.clone() }
    };
    let other = |purpose: &str| {
        let strange = (purpose.to_owned(), stranger.certificate_base64().to_owned());
        Entry { keys: [good.keys.clone(), vec![strange]].concat(), ..good.clone() }
    };
    for (what, entry, by, expect) in [
        ("as it is", good.clone(), &federation.operator, &["good ok: our entry is what we are (2 keys)"][..]),
        ("a stranger's feed", good.clone(), &stranger, &["bad signature_invalid", "bad http_status"]),
        (
            "nobody of ours",
            Entry { name: "https://annan.example.se/sp", ..good.clone() },
            &federation.operator,
            &["bad http_status", "bad not_in_the_federation: does not name https://e.example.se/sp"],
        ),
        (
            "no signing key",
            without("signing"),
            &federation.operator,
            &["bad key_unpublished: does not have our signing key 1, "],
        ),
        (
            "no encryption key",
            without("encryption"),
            &federation.operator,
            &["warning key_unpublished: does not have our encryption key"],
        ),
        (
            "a key to encrypt to that we lost",
            other("encryption"),
            &federation.operator,
            &["bad key_lost: has an encryption key that we do not have, "],
        ),
        (
            "a key that signs in our name",
            other("signing"),
            &federation.operator,
            &["warning key_not_ours: has a signing key that is none of ours, "],
        ),
    ] {
        federation.publishes(feed(vec![entry.element()]), by);
        holds(what, &federation.seen(&["--json", "--federation"]).await, expect);
    }

    // Fetched by somebody else, where this machine may not fetch.
    let text = enveloped(feed(vec![good.element()]), &federation.operator, Place::First).canonical();
    std::fs::write(federation.folder.path().join("sp.xml"), text).unwrap();
    holds("a file", &federation.seen(&["--json", "--federation", "sp.xml"]).await, &["good ok"]);
    holds("no file", &federation.seen(&["--json", "--federation", "nowhere.xml"]).await, &["bad feed_unreadable"]);
    holds("nobody asked", &federation.seen(&["--json"]).await, &[]);
}

/// Both ways: what of ours is not published, and what is published and not ours. Answers of people go where that leads.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_categories_are_held_against_each_other_both_ways() {
    let federation = Federation::new().await;
    let good = &federation.good;
    for (what, entry, expect) in [
        (
            "answers elsewhere",
            good.acs(&[(BY_POST, "https://e.example.se/gammal")]),
            &[
                "bad acs_unpublished: does not have https://e.example.se/eid/saml/acs by HTTP-POST",
                "warning acs_not_ours: has \"https://e.example.se/gammal\" by HTTP-POST",
            ][..],
        ),
        (
            "an old host beside ours",
            good.acs(&[(BY_POST, ACS), (BY_POST, "https://gammal.example.se/eid/saml/acs")]),
            &["warning acs_not_ours: has \"https://gammal.example.se/eid/saml/acs\" by HTTP-POST"],
        ),
        (
            "a typo beside ours",
            good.acs(&[(BY_POST, "https://e.example.se/eid/saml/asc"), (BY_POST, ACS)]),
            &["warning acs_not_ours: has \"https://e.example.se/eid/saml/asc\" by HTTP-POST"],
        ),
        (
            "ours, in the clear",
            good.acs(&[(BY_POST, ACS), (BY_POST, "http://e.example.se/eid/saml/acs")]),
            &["bad acs_not_ours: has \"http://e.example.se/eid/saml/acs\" by HTTP-POST"],
        ),
        (
            "by a binding that we do not have",
            good.acs(&[(BY_POST, ACS), (BY_ARTIFACT, ACS)]),
            &["warning acs_not_ours: has \"https://e.example.se/eid/saml/acs\" by HTTP-Artifact"],
        ),
        (
            "no logout",
            good.slo(&[]),
            &[
                "warning slo_unpublished: does not have https://e.example.se/eid/saml/logout by HTTP-Redirect",
                "warning slo_unpublished: does not have https://e.example.se/eid/saml/logout by HTTP-POST",
            ],
        ),
        (
            "logout by one binding, and elsewhere",
            good.slo(&[(BY_POST, SLO), (BY_POST, "http://e.example.se/eid/saml/logout")]),
            &[
                "warning slo_unpublished: does not have https://e.example.se/eid/saml/logout by HTTP-Redirect",
                "bad slo_not_ours: has \"http://e.example.se/eid/saml/logout\" by HTTP-POST",
            ],
        ),
        (
            "answers to our logout go elsewhere",
            Entry {
                slo_answers: Some("https://gammal.example.se/slo"),
                ..good.slo(&[(BY_REDIRECT, SLO), (BY_POST, SLO)])
            },
            &[
                "warning slo_not_ours: has \"https://gammal.example.se/slo\" for answers by HTTP-Redirect",
                "warning slo_not_ours: has \"https://gammal.example.se/slo\" for answers by HTTP-POST",
            ],
        ),
        (
            "another category",
            good.categories(&[LOA2]),
            &[
                "warning category_unpublished: does not have the category http://id.elegnamnden.se/ec/1.0/loa3-pnr",
                "warning category_not_ours: has the category \"http://id.elegnamnden.se/ec/1.0/loa2-pnr\"",
            ],
        ),
        (
            "one more category",
            good.categories(&[LOA3, LOA2]),
            &["warning category_not_ours: has the category \"http://id.elegnamnden.se/ec/1.0/loa2-pnr\""],
        ),
        (
            "coordination numbers that we refuse",
            good.categories(&[LOA3, COORDINATION]),
            &["warning category_not_ours: has the category \"http://id.swedenconnect.se/general-ec/1.0/accepts-co"],
        ),
    ] {
        federation.publishes(feed(vec![entry.element()]), &federation.operator);
        holds(what, &federation.seen(&["--json", "--federation"]).await, expect);
    }

    // For people: the same with what to do, and everything else as it was.
    let entry = good.acs(&[(BY_POST, ACS), (BY_POST, "http://e.example.se/eid/saml/acs")]);
    federation.publishes(feed(vec![entry.element()]), &federation.operator);
    let output = doctor(federation.folder.path(), &["--federation"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("bad ")).unwrap();
    assert!(lines[at].contains("  federation ") && lines[at].ends_with("acs\" by HTTP-POST"), "{text}");
    assert!(lines[at + 1].contains("→ ") && lines[at + 1].contains("acs_aliases"), "{text}");
    assert!(lines[..at].iter().all(|line| line.starts_with("good ")), "{text}");
    assert_eq!(lines[at + 2..], ["", &format!("{} looked at: 1 bad, 0 to be seen to", at + 1)], "{text}");

    // A service that takes coordination numbers says so by a category that no list names.
    configure(federation.folder.path(), &federation.remote, "accept_coordination_number = true");
    for (what, entry, expect) in [
        ("said", good.categories(&[COORDINATION, LOA3]), &["good ok: "][..]),
        (
            "not said",
            good.clone(),
            &["warning category_unpublished: does not have the category http://id.swedenconnect.se/g"],
        ),
    ] {
        federation.publishes(feed(vec![entry.element()]), &federation.operator);
        holds(what, &federation.seen(&["--json", "--federation"]).await, expect);
    }
}

/// What is over, or ill-formed, is nothing to us unless it is our own entry, or what is around it.
#[tokio::test(flavor = "multi_thread")]
async fn the_entries_of_others_do_not_hide_ours() {
    let federation = Federation::new().await;
    let ours = || federation.good.element();
    let over = || Entry { until: Some(LONG_AGO), ..federation.good.clone() }.element();
    let another = |name: &'static str, until: &'static str| {
        Entry { name, until: Some(until), ..federation.good.clone() }.element()
    };
    let within =
        |until: &'static str, entities| element("md:EntitiesDescriptor").attr("validUntil", until).children(entities);
    for (what, document, expect) in [
        ("another's entry is over", feed(vec![another("https://a.example.se", LONG_AGO), ours()]), "good ok"),
        ("another's entry is ill-formed", feed(vec![another("https://a.example.se", "snart"), ours()]), "good ok"),
        (
            "an aggregate of others is over",
            feed(vec![within(LONG_AGO, vec![another("https://a.example.se", "2099-01-01T00:00:00Z")]), ours()]),
            "good ok",
        ),
        ("an aggregate of others is ill-formed", feed(vec![within("snart", vec![]), ours()]), "good ok"),
        ("our entry is over", feed(vec![over()]), "bad metadata_expired"),
        ("the aggregate around ours is over", feed(vec![within(LONG_AGO, vec![ours()])]), "bad metadata_expired"),
        ("the aggregate around ours is ill-formed", feed(vec![within("snart", vec![ours()])]), "bad time_malformed"),
        ("all of it is over", feed(vec![ours()]).attr("validUntil", LONG_AGO), "bad metadata_expired"),
        ("all of it is over, and does not name us", feed(vec![]).attr("validUntil", LONG_AGO), "bad metadata_expired"),
        ("we stand twice", feed(vec![ours(), ours()]), "bad entity_duplicate"),
    ] {
        federation.publishes(document, &federation.operator);
        let expect = match expect.starts_with("bad") {
            // Then it is looked for among the providers too.
            true => &[expect, "bad http_status"][..],
            false => &[expect],
        };
        holds(what, &federation.seen(&["--json", "--federation"]).await, expect);
    }
}
