//! Every built-in person, as an application behind the tool sees them.

use grindvakt_demo::dev::Routes;
use serde_json::json;

use super::Bench;

const E: &str = "http://id.elegnamnden.se/loa/1.0/";
const S: &str = "http://id.swedenconnect.se/loa/1.0/";

#[tokio::test]
async fn every_kind_of_person_reaches_the_application() {
    let bench = Bench::new(Routes::Everything).await;
    let names = |all: &[(String, String)]| all.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    // Beside subject, provider, time, session, method and token, which everyone has.
    for (person, provider, loa, told) in [
        (
            "anna",
            "bankid-dev",
            format!("{S}uncertified-loa3"),
            vec![
                ("date-of-birth", "1990-01-01"),
                ("given-name", "Anna"),
                ("name", "Anna%20Ek"),
                ("personal-number", "199001012385"),
                ("surname", "Ek"),
            ],
        ),
        (
            "asa",
            "bankid-dev",
            format!("{S}uncertified-loa3"),
            vec![
                ("date-of-birth", "1950-06-26"),
                ("given-name", "%C3%85sa%20M%C3%A4rta"),
                ("name", "%C3%85sa%20M%C3%A4rta%20%C3%96berg-Sj%C3%B6str%C3%B6m"),
                ("personal-number", "195006262546"),
                ("surname", "%C3%96berg-Sj%C3%B6str%C3%B6m"),
            ],
        ),
        (
            "child",
            "freja-dev",
            format!("{E}loa3"),
            vec![
                ("date-of-birth", "2017-01-01"),
                ("given-name", "Elis"),
                ("name", "Elis%20Ek"),
                ("personal-number", "201701012393"),
                ("surname", "Ek"),
            ],
        ),
        (
            "oskar",
            "freja-dev",
            format!("{E}loa2"),
            vec![
                ("date-of-birth", "2000-01-01"),
                ("given-name", "Oskar"),
                ("name", "Oskar%20Lind"),
                ("personal-number", "200001012392"),
                ("surname", "Lind"),
            ],
        ),
        (
            "maria",
            "kort-dev",
            format!("{E}loa4"),
            vec![
                ("date-of-birth", "1980-01-01"),
                ("given-name", "Maria"),
                ("name", "Maria%20Berg"),
                ("personal-number", "198001012387"),
                ("surname", "Berg"),
            ],
        ),
        ("protected", "bankid-dev", format!("{S}uncertified-loa3"), vec![("personal-number", "200001012384")]),
        (
            "zoe",
            "freja-dev",
            format!("{E}loa3"),
            vec![
                ("coordination-number", "197010632391"),
                ("date-of-birth", "1970-10-03"),
                ("given-name", "Zo%C3%AB"),
                ("name", "Zo%C3%AB%20Nowak"),
                ("surname", "Nowak"),
            ],
        ),
        (
            "amir",
            "bankid-dev",
            format!("{S}uncertified-loa3"),
            vec![
                ("date-of-birth", "1990-01-01"),
                ("given-name", "Amir"),
                ("name", "Amir%20Haddad"),
                ("personal-number", "199001012393"),
                ("previous-number", "199001612390"),
                ("surname", "Haddad"),
            ],
        ),
        (
            "kim",
            "freja-dev",
            format!("{S}loa3-nonresident"),
            vec![
                ("date-of-birth", "1980-01-01"),
                ("given-name", "Kim"),
                ("name", "Kim%20Utan-Nummer"),
                ("surname", "Utan-Nummer"),
            ],
        ),
        (
            "employee",
            "siths-dev",
            format!("{E}loa3"),
            vec![
                ("given-name", "%C3%85sa%20M%C3%A4rta"),
                ("hsa-id", "SE2321000016-10AB"),
                ("name", "%C3%85sa%20M%C3%A4rta%20%C3%96berg-Sj%C3%B6str%C3%B6m"),
                ("org-affiliation", "asa.oberg@2021006883"),
                ("personal-number", "195006262546"),
                ("surname", "%C3%96berg-Sj%C3%B6str%C3%B6m"),
            ],
        ),
        (
            "employee-no-number",
            "siths-dev",
            format!("{E}loa3"),
            vec![
                ("given-name", "Eva"),
                ("hsa-id", "SE2321000016-10CD"),
                ("name", "Eva%20Dahl"),
                ("org-affiliation", "eva.dahl@2021006883,eva@5562265719"),
                ("surname", "Dahl"),
            ],
        ),
        (
            "jurgen",
            "eidas-dev",
            format!("{E}eidas-nf-sub"),
            vec![
                ("country", "DE"),
                ("date-of-birth", "1975-12-24"),
                ("given-name", "J%C3%BCrgen"),
                ("name", "J%C3%BCrgen%20M%C3%BC%C3%9Figgang"),
                ("prid", "DE:3b7184c0ceaf76a9607a31e4e1f87f"),
                ("surname", "M%C3%BC%C3%9Figgang"),
            ],
        ),
        (
            "marie",
            "eidas-dev",
            format!("{E}eidas-nf-high"),
            vec![
                ("country", "FR"),
                ("date-of-birth", "1952-07-30"),
                ("given-name", "Marie"),
                ("name", "Marie%20Lef%C3%A8vre"),
                ("personal-number", "195207306886"),
                ("prid", "FR:7c4b9f2e1d8a"),
                ("surname", "Lef%C3%A8vre"),
            ],
        ),
        (
            "aino",
            "eidas-dev",
            format!("{E}eidas-nf-low"),
            vec![
                ("country", "FI"),
                ("date-of-birth", "1988-06-06"),
                ("given-name", "Aino"),
                ("name", "Aino%20M%C3%A4kel%C3%A4"),
                ("prid", "FI:0042-pohjola-17"),
                ("surname", "M%C3%A4kel%C3%A4"),
            ],
        ),
    ] {
        let cookie = bench.cookie(&json!({ "person": person })).await;
        let all = bench.told_of("/mina-sidor", &cookie).await;
        let one = |name: &str| {
            all.iter().find(|(n, _)| n.strip_prefix("x-eid-") == Some(name)).map(|(_, v)| v.as_str()).unwrap_or("")
        };
        assert_eq!((one("provider"), one("loa")), (provider, loa.as_str()), "{person}");
        let always = ["assertion", "authenticated-at", "loa", "method", "provider", "session", "subject"];
        let more: Vec<(&str, &str)> = all
            .iter()
            .map(|(n, v)| (n.strip_prefix("x-eid-").unwrap(), v.as_str()))
            .filter(|(n, _)| !always.contains(n))
            .collect();
        assert_eq!(more, told, "{person}");
        assert_eq!(names(&all).len(), told.len() + always.len(), "{person}");
    }
    // The longest name: whole, in plain ASCII, and as it was.
    let cookie = bench.cookie(&json!({ "person": "long-name" })).await;
    let all = bench.told_of("/", &cookie).await;
    let name = all.iter().find(|(name, _)| name == "x-eid-name").map(|(_, value)| value.as_str()).unwrap();
    let decoded = percent_encoding::percent_decode_str(name).decode_utf8().unwrap();
    assert!(name.is_ascii() && decoded.starts_with("Nils Évariste") && decoded.ends_with("Großschmidt"), "{decoded}");
}
