//! What we send, held against the schemas of OASIS and W3C (feature `peers`): requests by both bindings and our metadata,
//! in the shapes that they have in the world, by two validators that no one here wrote.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use grindvakt::crypto::own::{generate_p256_pem, generate_rsa_pem};
use http::StatusCode;

use crate::support::program::python;
use crate::support::{Client, World};

/// Both validators, in one process.
struct Schemas {
    program: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Schemas {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/schemas.py");
        let mut program =
            Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (ask, answers) = (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()));
        Self { program, ask, answers }
    }

    /// What they find wrong with a document.
    fn errors(&mut self, document: &str) -> Vec<String> {
        writeln!(self.ask, "{}", serde_json::to_string(document).unwrap()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    fn assert_valid(&mut self, what: &str, document: &str) {
        assert_eq!(self.errors(document), [""; 0], "{what}:\n{document}");
    }

    /// A document without something that it needs must be found out by both: else the validators see nothing.
    fn assert_invalid(&mut self, what: &str, document: &str, bent: &str) {
        assert_ne!(document, bent, "{what}");
        let errors = self.errors(bent);
        for validator in ["libxml2: ", "xmlschema: "] {
            assert!(errors.iter().any(|e| e.starts_with(validator)), "{what}: {validator} of {errors:?} in\n{bent}");
        }
    }
}

impl Drop for Schemas {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Everything that an organisation can say of itself, with signs that XML must escape.
const ORGANISATION: &str = r#"
[organisation]
number = "2021001234"
name = { sv = "Myndigheten för grindar & \"bommar\"", en = "The <Gate> Agency" }
display_name = { sv = "Grindmyndigheten", en = "Gate Agency" }
url = { sv = "https://www.example.se/?a=1&b=2", en = "https://www.example.se/en" }
service_name = { sv = "Ansökan om grind", en = "Apply for a gate" }
entity_categories = [
    "http://id.elegnamnden.se/ec/1.0/loa3-pnr",
    "http://id.elegnamnden.se/sprop/1.0/mobile-auth",
    "http://id.elegnamnden.se/st/1.0/public-sector-sp",
]
[[organisation.contact]]
kind = "technical"
company = "Drift AB"
email = "drift@example.se"
telephone = "+46 8 12 34 56"
[[organisation.contact]]
kind = "support"
email = "support@example.se"
[[organisation.contact]]
kind = "administrative"
company = "Grindmyndigheten"
[[organisation.contact]]
kind = "billing"
telephone = "08-12 34 56"
[[organisation.contact]]
kind = "other"
"#;

/// In the other order than the schema's, or without what it demands.
fn swapped(xml: &str, first: &str, second: &str) -> String {
    let element = |name: &str| {
        let start = xml.find(&format!("<{name}")).unwrap();
        let end = start + xml[start..].find(&format!("</{name}>")).unwrap() + name.len() + 3;
        (start, end)
    };
    let ((a, b), (c, d)) = (element(first), element(second));
    assert!(b <= c);
    format!("{}{}{}{}{}", &xml[..a], &xml[c..d], &xml[b..c], &xml[a..b], &xml[d..])
}

#[tokio::test]
async fn our_metadata_is_valid_in_every_shape_and_the_validators_would_tell() {
    let mut schemas = Schemas::start();
    let mut world = World::new("").await;
    let bare = Client::new(world.public()).get("/eid/saml/metadata").await.body;
    schemas.assert_valid("bare", &bare);

    for (name, key) in [
        ("sp-next.pem", generate_rsa_pem().unwrap()),
        ("sp-old.pem", generate_p256_pem().unwrap()),
        ("decrypt.pem", generate_rsa_pem().unwrap()),
        ("decrypt-old.pem", generate_rsa_pem().unwrap()),
    ] {
        std::fs::write(world.folder.path().join(name), key.expose()).unwrap();
    }
    let keys =
        "signing = [\"sp.pem\", \"sp-next.pem\", \"sp-old.pem\"]\ndecryption = [\"decrypt.pem\", \"decrypt-old.pem\"]";
    let service =
        "[service]\naccept_coordination_number = true\nacs_aliases = [\"/Shibboleth.sso/SAML2/POST\", \"/saml/acs\"]";
    world
        .configure(|text| {
            text.replacen("signing = [\"sp.pem\"]", keys, 1).replacen("[service]", service, 1) + ORGANISATION
        })
        .await;
    let full = Client::new(world.public()).get("/eid/saml/metadata").await.body;
    for (what, times) in [
        ("<md:KeyDescriptor use=\"signing\">", 3),
        ("<md:KeyDescriptor use=\"encryption\">", 1),
        ("<md:AssertionConsumerService ", 3),
        ("<saml:AttributeValue>", 4),
        ("<mdui:DisplayName ", 2),
        ("<mdorgext:OrganizationNumber ", 1),
        ("<md:ContactPerson ", 5),
        ("Myndigheten för grindar &amp; \"bommar\"", 1),
    ] {
        assert_eq!(full.matches(what).count(), times, "{what}:\n{full}");
    }
    schemas.assert_valid("full", &full);

    for (what, bent) in [
        ("no name", full.replacen(" entityID=\"https://etjanst.example.se/sp\"", "", 1)),
        ("no protocol", full.replacen("protocolSupportEnumeration", "protocols", 1)),
        ("keys after the rest", swapped(&full, "md:KeyDescriptor", "md:NameIDFormat")),
        ("the organisation's address before its name", swapped(&full, "md:OrganizationName", "md:OrganizationURL")),
        ("a use that there is not", full.replacen("use=\"signing\"", "use=\"both\"", 1)),
        ("an index that is none", full.replacen("index=\"0\"", "index=\"first\"", 1)),
        ("a kind of contact that there is not", full.replacen("contactType=\"billing\"", "contactType=\"money\"", 1)),
        ("a name without a language", full.replacen("<mdui:DisplayName xml:lang=\"en\"", "<mdui:DisplayName", 1)),
        ("an attribute without a name", full.replacen(" Name=\"http://macedir.org/entity-category\"", "", 1)),
        ("a mask without its algorithm", full.replacen("<xenc11:MGF ", "<xenc11:MGF Old=\"\" ", 1)),
    ] {
        schemas.assert_invalid(what, &full, &bent);
    }
    world.stop().await;
}

#[tokio::test]
async fn our_requests_are_valid_by_both_bindings_and_the_validators_would_tell() {
    let mut schemas = Schemas::start();
    let mut world = World::new("").await;
    // At each route another list of levels; the default route asks for what the provider may assert.
    for (rsa, force_authn) in [(false, true), (true, false)] {
        if rsa {
            std::fs::write(world.folder.path().join("sp.pem"), generate_rsa_pem().unwrap().expose()).unwrap();
        }
        let line = format!("encryption = \"optional\"\nforce_authn = {force_authn}");
        world.configure(|text| text.replace("encryption = \"optional\"", &line)).await;
        for (eid, rd) in [("bankid", "/ansokan/1"), ("freja", "/lag/1"), ("bankid", "/"), ("freja", "/")] {
            let reply = Client::new(world.public()).get(&format!("/eid/login?eid={eid}&rd={rd}")).await;
            let xml = match reply.status {
                StatusCode::SEE_OTHER => carried_by_redirect(reply.header("location")),
                _ => carried_by_post(&reply.body),
            };
            assert_eq!(xml.contains("<ds:Signature "), eid == "freja", "by POST the document is signed:\n{xml}");
            assert!(xml.contains(&format!("ForceAuthn=\"{force_authn}\"")), "{xml}");
            schemas.assert_valid(&format!("{eid} {rd}"), &xml);
            for (what, bent) in [
                ("no ID", xml.replacen(" ID=\"", " Id=\"", 1)),
                ("an ID that is no name", xml.replacen(" ID=\"_", " ID=\"0", 1)),
                ("no version", xml.replacen(" Version=\"2.0\"", "", 1)),
                ("an instant without a day", xml.replacen(" IssueInstant=\"20", " IssueInstant=\"x", 1)),
                ("a comparison that there is not", xml.replacen("\"exact\"", "\"about\"", 1)),
                ("the levels before the issuer", swapped(&xml, "saml:Issuer", "samlp:RequestedAuthnContext")),
                ("neither yes nor no", xml.replacen("IsPassive=\"false\"", "IsPassive=\"no\"", 1)),
            ] {
                schemas.assert_invalid(what, &xml, &bent);
            }
        }
        let undo = format!("\nforce_authn = {force_authn}");
        world.configure(|text| text.replace(&undo, "")).await;
    }
    world.stop().await;
}

/// The document in a query (SAML Bindings 3.4.4.1).
fn carried_by_redirect(location: &str) -> String {
    let fields = grindvakt_demo::form::parse(location.split_once('?').unwrap().1);
    let deflated =
        base64_simd::STANDARD.decode_to_vec(grindvakt_demo::form::get(&fields, "SAMLRequest").unwrap()).unwrap();
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(&*deflated).read_to_string(&mut xml).unwrap();
    xml
}

/// The document in a form (SAML Bindings 3.5.4).
fn carried_by_post(page: &str) -> String {
    let form = grindvakt_demo::form::forms(page).into_iter().next().expect("a form");
    String::from_utf8(base64_simd::STANDARD.decode_to_vec(form.field("SAMLRequest").unwrap()).unwrap()).unwrap()
}
