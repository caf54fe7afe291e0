//! Messages and what is made of them (T27, T28, T33), and how long a session may last that one of them opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use grindvakt::base::limits::MESSAGE;
use grindvakt::base::{Clock as _, SystemClock};
use grindvakt::verify::xml::canonical::{self, Options};
use grindvakt::verify::xml::{self, Element};
use http::StatusCode;

use crate::support::{Client, World, eventually};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn canonical_form(element: Element<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    canonical::write(element, &Options::default(), &mut out);
    out
}

/// Names, namespaces, attributes and text of a tree, one line each.
fn told(element: Element<'_>, out: &mut Vec<String>) {
    let mut attributes: Vec<_> =
        element.attributes().map(|(ns, name, value)| format!("{{{ns}}}{name}={value:?}")).collect();
    attributes.sort();
    out.push(format!("{{{}}}{} {attributes:?} {:?}", element.namespace(), element.local_name(), element.text()));
    element.children().for_each(|child| told(child, out));
}

#[test]
fn t27_what_the_canonical_form_writes_reads_back_as_the_same() {
    let mut read = 0;
    for entry in std::fs::read_dir(root().join("tests/vectors/saml")).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&entry).unwrap();
        let Ok(document) = xml::read(&bytes, &MESSAGE) else { continue };
        let once = canonical_form(document.root());
        let again = xml::read(&once, &MESSAGE).unwrap_or_else(|reject| panic!("{}: {reject:?}", entry.display()));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        told(document.root(), &mut before);
        told(again.root(), &mut after);
        assert_eq!(before, after, "{}", entry.display());
        assert_eq!(canonical_form(again.root()), once, "{}: its form has another form", entry.display());
        read += 1;
    }
    assert!(read >= 800, "only {read} documents were read");
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// What is never inflated cannot swell. Whoever needs to inflate something brings limits, and a line here: messages of
/// single logout come deflated in a query (SAML Bindings 3.4.4.1), and `inflate` in that file has the limit of a message.
const INFLATES: &str = "src/verify/saml/carried.rs";

#[test]
fn t28_no_code_of_ours_inflates_but_in_one_place() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100);
    let place = root().join(INFLATES);
    assert_eq!(std::fs::read_to_string(&place).unwrap().matches("DeflateDecoder::new").count(), 1);
    for file in files.into_iter().filter(|file| *file != place) {
        let text = std::fs::read_to_string(&file).unwrap();
        let own = text.split("#[cfg(test)]").next().unwrap();
        let is_test = file.file_name().unwrap().to_str().unwrap().contains("tests");
        for word in ["Decoder::new", "flate2::read", "flate2::bufread", "Decompress", "GzDecoder", "ZlibDecoder"] {
            let named = own.contains(word) && text.contains("flate2");
            assert!(is_test || !named, "{} inflates: {word}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t33_an_address_that_is_a_script_reaches_no_form() {
    let mut world = World::new("").await;
    let feed = std::fs::read_to_string(world.folder.path().join("feed.xml")).unwrap();
    let good = world.other.sso_url();
    assert!(feed.contains(&good));
    for hostile in [
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://freja.example.org",
        "data:text/html,evil",
        "http://freja.example.org/sso",
        "//evil.example/sso",
        "/sso",
        "https://freja.example.org@evil.example/sso",
        "https:evil.example",
        "https://evil.example/&quot;&gt;&lt;script&gt;",
        "ftp://evil.example/",
        "",
    ] {
        world.write("feed.xml", &feed.replace(&good, hostile));
        let same = world.config().to_owned();
        world.configure(|_| same.clone()).await;
        let reply = Client::new(world.public()).get("/eid/login?eid=freja&rd=/lag/x").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{hostile}");
        assert!(!reply.body.contains("evil") && !reply.body.contains("alert"), "{hostile}: {}", reply.body);
        let reply = Client::new(world.public()).get("/eid/login?eid=bankid&rd=/ansokan/x").await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{hostile}: the other provider is none the worse");
    }
    world.write("feed.xml", &feed);
    let same = world.config().to_owned();
    world.configure(|_| same.clone()).await;
    let page = Client::new(world.public()).get("/eid/login?eid=freja&rd=/lag/x").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action") && !policy.contains("unsafe"), "{policy}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_providers_own_and_no_later_than_ours() {
    let world = World::new("[session]\nlifetime = \"1h\"\nidle_timeout = \"30m\"\n").await;
    let now = SystemClock.now();
    for (theirs, least, most) in
        [(None, 3_590, 3_600), (Some(600), 590, 600), (Some(7_200), 3_590, 3_600), (Some(5), 1, 5)]
    {
        let mut client = Client::new(world.public());
        let (request, relay_state) = client.begin(&world, "/ansokan/").await;
        let mut response = world.idp.response(&request).at(SystemClock.now());
        if let Some(seconds) = theirs {
            response = response.session_ends(SystemClock.now().plus(Duration::from_secs(seconds)));
        }
        assert_eq!(client.answer(&response.build(), &relay_state).await.status, StatusCode::SEE_OTHER);
        let info: serde_json::Value = serde_json::from_str(&client.get("/eid/session").await.body).unwrap();
        let ends = info["ends_in_seconds"].as_u64().unwrap();
        assert!((least..=most).contains(&ends), "{theirs:?}: {ends}");
        assert!(info["idle_in_seconds"].as_u64().unwrap() <= ends);
        if theirs == Some(5) {
            // Extending and using it changes nothing of that.
            let extended =
                client.send(http::Method::POST, "/eid/session/extend", &[("sec-fetch-site", "same-origin")], "").await;
            assert_eq!(extended.status, StatusCode::OK);
            eventually(15, "it ends", || {
                let mut client = client.clone().xhr();
                async move { client.get("/ansokan/").await.status == StatusCode::UNAUTHORIZED }
            })
            .await;
            assert!(SystemClock.now() >= now.plus(Duration::from_secs(4)), "not before its time");
        }
    }
}
