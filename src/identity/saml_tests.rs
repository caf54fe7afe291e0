#![allow(clippy::unwrap_used)]

use super::super::{Field, SubjectKind};
use super::*;
use crate::base::Secret;
use crate::base::UnixTime;
use crate::verify::Reason;
use crate::verify::saml::NameId;

const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const NONRESIDENT: &str = "http://id.swedenconnect.se/loa/1.0/loa3-nonresident";
const NUMBER: &str = "urn:oid:1.2.752.29.4.13";
const MAPPED: &str = "urn:oid:1.2.752.201.3.16";
const BINDING: &str = "urn:oid:1.2.752.201.3.6";
const PRID: &str = "urn:oid:1.2.752.201.3.4";
const COUNTRY: &str = "urn:oid:2.5.4.6";
const AFFILIATION: &str = "urn:oid:1.2.752.201.3.1";
const BIRTH: &str = "urn:oid:1.3.6.1.5.5.7.9.1";
const REGISTER: &str = "http://id.swedenconnect.se/id-binding/process/populationregister";

fn claims(issuer: &str, loa: &str, attributes: &[(&str, &[&str])]) -> Assertion {
    Assertion {
        session_ends: None,
        issuer: issuer.into(),
        id: "_a".into(),
        name_id: NameId { value: "someone".into(), format: None, name_qualifier: None, sp_name_qualifier: None },
        session_index: None,
        issue_instant: UnixTime::from_secs(0),
        authn_instant: UnixTime::from_secs(0),
        loa: loa.into(),
        authenticating_authorities: Vec::new(),
        attributes: attributes
            .iter()
            .map(|(name, values)| Attribute {
                structured: 0,
                name: (*name).into(),
                values: values.iter().map(|v| (*v).to_owned()).collect(),
            })
            .collect(),
        in_response_to: None,
        acceptable_until: UnixTime::from_secs(0),
    }
}

fn rules(scopes: &[Scope]) -> IdentityRules<'_> {
    IdentityRules {
        audience: "sp",
        accept_coordination_number: true,
        scopes,
        eidas_connector: true,
        check_digit: false,
    }
}

pub(super) fn with_attributes(attributes: &[(&str, &str)], key: &HmacKey) -> Identity {
    let attributes: Vec<(&str, &[&str])> =
        attributes.iter().map(|(name, value)| (*name, std::slice::from_ref(value))).collect();
    from_attributes(claims("https://idp.example.se", LOA3, &attributes), &rules(&[]), key).unwrap()
}

fn key() -> HmacKey {
    HmacKey::new(&Secret::new([1; 32]))
}

fn read(loa: &str, attributes: &[(&str, &[&str])]) -> Result<Identity, Reason> {
    let scopes = [Scope { value: "5562265719".into() }];
    from_attributes(claims("https://idp.example.se", loa, attributes), &rules(&scopes), &key()).map_err(|r| r.reason())
}

#[test]
fn every_rule_for_a_person_has_its_code() {
    let table: &[(&str, &str, &[(&str, &[&str])], Option<Reason>)] = &[
        ("a number", LOA3, &[(NUMBER, &["195006262546"])], None),
        ("white space around it", LOA3, &[(NUMBER, &["\n 195006262546 "])], None),
        ("nothing at all", LOA3, &[], None),
        ("unknown attributes", LOA3, &[("urn:oid:9.9", &["x", "y"]), ("urn:oid:9.8", &[])], None),
        (
            "the number twice",
            LOA3,
            &[(NUMBER, &["195006262546"]), (NUMBER, &["195006262546"])],
            Some(Reason::AttributeDuplicate),
        ),
        (
            "the number under two of its names",
            LOA3,
            &[(NUMBER, &["195006262546"]), ("urn:credential:personalIdentityNumber", &["195207306886"])],
            Some(Reason::AttributeDuplicate),
        ),
        ("two numbers", LOA3, &[(NUMBER, &["195006262546", "195207306886"])], Some(Reason::AttributeValues)),
        ("no number in the attribute", LOA3, &[(NUMBER, &[])], Some(Reason::AttributeValues)),
        ("an empty number", LOA3, &[(NUMBER, &[" "])], Some(Reason::AttributeValues)),
        ("a hyphen", LOA3, &[(NUMBER, &["19500626-2546"])], Some(Reason::PersonalNumberMalformed)),
        ("ten digits", LOA3, &[(NUMBER, &["5006262546"])], Some(Reason::PersonalNumberMalformed)),
        (
            "a non-resident with a number",
            NONRESIDENT,
            &[(NUMBER, &["195006262546"])],
            Some(Reason::NonresidentWithNumber),
        ),
        ("a mapped number", LOA3, &[(MAPPED, &["197010632391"]), (BINDING, &[REGISTER])], None),
        ("a mapped number, no binding", LOA3, &[(MAPPED, &["195006262546"])], Some(Reason::MappedNumberBinding)),
        (
            "one binding of two is not acceptable",
            LOA3,
            &[
                (MAPPED, &["195006262546"]),
                (BINDING, &["http://id.swedenconnect.se/id-binding/process/populationregister;urn:x"]),
            ],
            Some(Reason::MappedNumberBinding),
        ),
        ("a prid", LOA3, &[(PRID, &["NO:05068907693"]), (COUNTRY, &["NO"])], None),
        (
            "a prid in another case",
            LOA3,
            &[(PRID, &["no:ABCDEFGHIJ"]), (COUNTRY, &["no"])],
            Some(Reason::PridMalformed),
        ),
        ("a short prid", LOA3, &[(PRID, &["NO:123"])], Some(Reason::PridMalformed)),
        ("a prid of hyphens", LOA3, &[(PRID, &["NO:1---------2"])], Some(Reason::PridMalformed)),
        (
            "a prid of another country",
            LOA3,
            &[(PRID, &["NO:05068907693"]), (COUNTRY, &["DK"])],
            Some(Reason::PridCountryMismatch),
        ),
        ("a country of three letters", LOA3, &[(COUNTRY, &["SWE"])], Some(Reason::AttributeMalformed)),
        ("an affiliation", LOA3, &[(AFFILIATION, &["a@b@5562265719"])], None),
        (
            "an affiliation that holds two",
            LOA3,
            &[(AFFILIATION, &["admin@2021006883,x@5562265719"])],
            Some(Reason::AttributeMalformed),
        ),
        (
            "an affiliation that decodes to two",
            LOA3,
            &[(AFFILIATION, &["a%2Cb@5562265719"])],
            Some(Reason::AttributeMalformed),
        ),
        ("a day that is none", LOA3, &[(BIRTH, &["1950-99-99"])], Some(Reason::AttributeMalformed)),
        ("a prid without its country", LOA3, &[(PRID, &["NO:05068907693"])], Some(Reason::PridCountryMismatch)),
        (
            "an affiliation of another scope",
            LOA3,
            &[(AFFILIATION, &["a@5562265719@2021006883"])],
            Some(Reason::ScopeNotRegistered),
        ),
        ("an affiliation without scope", LOA3, &[(AFFILIATION, &["a"])], Some(Reason::AttributeMalformed)),
        ("a broker's date", LOA3, &[(BIRTH, &["19500626"])], None),
        ("no date", LOA3, &[(BIRTH, &["26/6 1950"])], Some(Reason::AttributeMalformed)),
    ];
    for (what, loa, attributes, expect) in table {
        assert_eq!(read(loa, attributes).err(), *expect, "{what}");
    }
}

#[test]
fn coordination_numbers_are_told_apart_and_need_a_yes() {
    let attributes: &[(&str, &[&str])] = &[(NUMBER, &["197010632391"])];
    let who = read(LOA3, attributes).unwrap();
    assert_eq!(who.field(Field::CoordinationNumber).as_deref(), Some("197010632391"));
    assert_eq!(who.field(Field::PersonalNumber), None);
    assert_eq!(who.subject().kind(), SubjectKind::CoordinationNumber);

    let strict = IdentityRules { accept_coordination_number: false, ..rules(&[]) };
    let refused = from_attributes(claims("i", LOA3, attributes), &strict, &key()).err().map(|r| r.reason());
    assert_eq!(refused, Some(Reason::CoordinationNumberNotAccepted));
    // The mapped attribute of the connector is exempt (EC 6.2).
    let mapped: &[(&str, &[&str])] = &[(MAPPED, &["197010632391"]), (BINDING, &[REGISTER])];
    assert!(from_attributes(claims("i", LOA3, mapped), &strict, &key()).is_ok());
    // Only the connector maps numbers.
    let other = IdentityRules { eidas_connector: false, ..rules(&[]) };
    let refused = from_attributes(claims("i", LOA3, mapped), &other, &key()).err().map(|r| r.reason());
    assert_eq!(refused, Some(Reason::MappedNumberBinding));
}

#[test]
fn a_name_at_a_provider_counts_with_what_qualifies_it() {
    let subject = |name_qualifier: Option<&str>, sp_name_qualifier: Option<&str>| {
        let mut claims = claims("https://a", LOA3, &[]);
        claims.name_id.name_qualifier = name_qualifier.map(str::to_owned);
        claims.name_id.sp_name_qualifier = sp_name_qualifier.map(str::to_owned);
        from_attributes(claims, &rules(&[]), &key()).unwrap().subject().to_string()
    };
    assert_eq!(subject(None, None), subject(Some("https://a"), Some("sp")), "the usual qualifiers say nothing new");
    assert_ne!(subject(None, None), subject(Some("https://b"), None));
    assert_ne!(subject(None, None), subject(None, Some("other")));
}

#[test]
fn only_the_connector_speaks_of_its_persons() {
    let attributes: &[(&str, &[&str])] = &[(PRID, &["NO:05068907693"]), (COUNTRY, &["NO"])];
    let who = |connector| {
        let rules = IdentityRules { eidas_connector: connector, ..rules(&[]) };
        from_attributes(claims("https://a", LOA3, attributes), &rules, &key()).unwrap().subject().kind()
    };
    assert_eq!((who(true), who(false)), (SubjectKind::Prid, SubjectKind::Provider));
}

#[test]
fn a_second_value_of_another_kind_is_a_second_value() {
    let mut claims = claims("https://a", LOA3, &[(NUMBER, &["195006262546"])]);
    claims.attributes[0].structured = 1;
    let refused = from_attributes(claims, &rules(&[]), &key()).err().map(|r| r.reason());
    assert_eq!(refused, Some(Reason::AttributeValues));
}

#[test]
fn one_person_is_one_subject_through_every_provider() {
    let subject = |issuer, attributes: &[(&str, &[&str])]| {
        let who = from_attributes(claims(issuer, LOA3, attributes), &rules(&[]), &key()).unwrap();
        who.subject().to_string()
    };
    let number: &[(&str, &[&str])] = &[(NUMBER, &["195006262546"])];
    assert_eq!(subject("https://a", number), subject("https://b", number));
    let mapped: &[(&str, &[&str])] =
        &[(MAPPED, &["195006262546"]), (BINDING, &[REGISTER]), (PRID, &["NO:05068907693"]), (COUNTRY, &["NO"])];
    assert_eq!(subject("https://a", number), subject("https://b", mapped), "a mapped number is the person's own");
    // Without anything that holds across providers, the NameID counts, and only with its issuer.
    assert_ne!(subject("https://a", &[]), subject("https://b", &[]));
    assert!(subject("https://a", &[]).starts_with("provider:"));
    assert!(!subject("https://a", number).contains("195006262546"));
    let other_key = HmacKey::new(&Secret::new([2; 32]));
    let elsewhere = from_attributes(claims("https://a", LOA3, number), &rules(&[]), &other_key).unwrap();
    assert_ne!(subject("https://a", number), elsewhere.subject().to_string());
}
