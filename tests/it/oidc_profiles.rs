//! What the profiles of OpenID Connect providers tell of a person, from the claim to the header that the e-service gets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::oidc_attacks::{Op, away, bring, ready};
use crate::support::{Client, World};

const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const SITHS: &str = "http://id.sambi.se/loa/loa3";
const NUMBER: &str = "195006262546";
const FORWARD: &str = "forward = [\"personal_number\", \"hsa_id\", \"org_affiliation\", \"name\", \"loa\"]";

/// The headers that tell of a person, after a login with these claims; `settings` are the provider's.
async fn told(settings: &str, claims: Value) -> BTreeMap<String, String> {
    let op = Op::new().await;
    let issuer = op.issuer();
    let mut world = World::new(&format!(
        r#"
[[provider]]
id = "konto"
eid = "konto"
protocol = "oidc"
issuer = "{issuer}"
client_id = "etjanst"
userinfo = false
{settings}
[[route]]
path = "/annat/*"
{FORWARD}
"#
    ))
    .await;
    ready(&world, "konto").await;
    let mut client = Client::new(world.public());
    let location = away(&mut client).await;
    let mut all = op.claims(&location);
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    op.gives(&all);
    let reply = bring(&mut client, &location).await;
    assert_eq!(reply.status, 303, "{settings}: {}", reply.body);
    assert_eq!(client.get("/annat").await.status, 200, "{settings}");
    let seen = world.seen();
    let of_the_login = ["authenticated-at", "assertion", "method", "provider", "session"];
    let own = seen.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("x-eid-")?, value)));
    let told = own.filter(|(name, _)| !of_the_login.contains(name));
    let told = told.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    world.stop().await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_each_profile_arrives_as_the_header_of_its_field() {
    let inera = told(
        &format!("profile = \"inera\"\nloa = [\"{SITHS}\"]"),
        json!({ "acr": SITHS, "employeeHsaId": "SE2321000016-abcd", "credentialPersonalIdentityNumber": NUMBER,
                "credentialDisplayName": "Åsa Öberg" }),
    )
    .await;
    let mapped = told(
        "profile = \"generic\"\nloa = [\"loa3\"]\nloa_map = { guld = \"loa3\" }\n\
         claims = { personal_number = \"pnr\", loa = \"niva\", name = \"visningsnamn\" }",
        // What the profile would read is not read where the configuration names another claim.
        json!({ "acr": "urn:annat", "niva": "guld", "pnr": NUMBER, "visningsnamn": "Åsa Öberg", "name": "Annan" }),
    )
    .await;
    let affiliated = told(
        "profile = \"oidc-sweden\"\nloa = [\"loa3\"]",
        json!({ "https://id.oidc.se/claim/personalIdentityNumber": NUMBER,
                "https://id.oidc.se/claim/orgAffiliation": ["asa@5562265719", "asa@2021006883"], "name": "Åsa Öberg" }),
    )
    .await;
    // One person, whatever the provider calls things: by the same key, with the same subject.
    let subject = inera["subject"].as_str();
    assert!(subject.starts_with("personal-number:"), "{subject}");
    let expect = |own: &[(&str, &str)]| -> BTreeMap<String, String> {
        let all = [("subject", subject), ("personal-number", NUMBER), ("name", "%C3%85sa%20%C3%96berg")];
        all.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(inera, expect(&[("hsa-id", "SE2321000016-abcd"), ("loa", SITHS)]));
    assert_eq!(mapped, expect(&[("loa", LOA3)]));
    assert_eq!(affiliated, expect(&[("org-affiliation", "asa@5562265719,asa@2021006883"), ("loa", LOA3)]));
}
