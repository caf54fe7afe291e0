#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::super::saml::from_assertion_of_attributes as from_saml;
use super::super::{SubjectKind, from_access_token, from_claims};
use super::*;
use crate::base::Secret;
use crate::crypto::encryption::NoKeys;
use crate::crypto::own::{SigningKey, generate_p256_pem};
use crate::crypto::trusted::AlgorithmSet;
use crate::verify::jose::{
    AccessTokenExpect, Asked, Decryption, IdTokenExpect, KeySet, LevelRules, Nonce, OidcProfile, Received,
    UserInfoExpect, plain_userinfo,
};

const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);
const ISSUER: &str = "https://op.example.se";
const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";
const NONRESIDENT: &str = "http://id.swedenconnect.se/loa/1.0/loa3-nonresident";
const NUMBER: &str = "195006262546";
const COORDINATION: &str = "197010632391";
const REGISTER: &str = "http://id.swedenconnect.se/id-binding/process/populationregister";

fn hmac() -> HmacKey {
    HmacKey::new(&Secret::new([1; 32]))
}

fn rules(profile: OidcProfile) -> ClaimRules<'static> {
    ClaimRules {
        profile: profile.rules(),
        map: &[],
        accept_coordination_number: true,
        scopes: None,
        eidas_connector: true,
        check_digit: false,
    }
}

/// Claims as they come from UserInfo in clear, which any profile but the strict ones takes.
fn claims(members: serde_json::Value) -> Claims {
    let mut body = serde_json::json!({ "sub": "s" });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let keys = KeySet::default();
    let expect = UserInfoExpect {
        issuer: ISSUER,
        client_id: "us",
        subject: "s",
        keys: &keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: &NoKeys, required: false },
        profile: OidcProfile::Generic.rules(),
        clock_skew: Duration::ZERO,
    };
    plain_userinfo(body.to_string().as_bytes(), &expect).map(Verified::into_claims).unwrap().claims
}

fn read(profile: OidcProfile, loa: &str, members: serde_json::Value) -> Result<Fields, Reason> {
    fields(&[claims(members)], &rules(profile), &Loa::from_uri(loa)).map_err(|reject| reject.reason())
}

#[test]
fn every_rule_for_a_person_has_its_code() {
    use OidcProfile::{Freja, Generic, Inera, OidcSweden, SwedenConnect};
    use serde_json::json;
    const PN: &str = "https://id.oidc.se/claim/personalIdentityNumber";
    const CN: &str = "https://id.oidc.se/claim/coordinationNumber";
    const LEVEL: &str = "https://id.oidc.se/claim/coordinationNumberLevel";
    const ORG: &str = "https://id.oidc.se/claim/orgAffiliation";
    const MAPPED: &str = "https://id.swedenconnect.se/claim/mappedPersonalIdentityNumber";
    const MAPPED_CN: &str = "https://id.swedenconnect.se/claim/mappedCoordinationNumber";
    const BINDING: &str = "https://id.swedenconnect.se/claim/identityBinding";
    const PRID: &str = "https://id.swedenconnect.se/claim/prid";
    const COUNTRY: &str = "https://id.swedenconnect.se/claim/eidasCountry";
    const FREJA_PN: &str = "https://frejaeid.com/oidc/claims/personalIdentityNumber";
    const FREJA_COUNTRY: &str = "https://frejaeid.com/oidc/claims/country";
    let table = [
        ("a number", OidcSweden, LOA3, json!({ PN: NUMBER }), None),
        ("nothing at all", OidcSweden, LOA3, json!({}), None),
        ("a number as a number", OidcSweden, LOA3, json!({ PN: 195006262546u64 }), Some(Reason::ClaimType)),
        ("a number in an array", OidcSweden, LOA3, json!({ PN: [NUMBER] }), Some(Reason::ClaimType)),
        ("null", OidcSweden, LOA3, json!({ PN: null }), Some(Reason::ClaimType)),
        ("an empty number", OidcSweden, LOA3, json!({ PN: " " }), Some(Reason::AttributeValues)),
        ("a hyphen", OidcSweden, LOA3, json!({ PN: "19500626-2546" }), Some(Reason::PersonalNumberMalformed)),
        ("both numbers", OidcSweden, LOA3, json!({ PN: NUMBER, CN: COORDINATION }), Some(Reason::NumbersTogether)),
        ("a coordination number", OidcSweden, LOA3, json!({ CN: COORDINATION, LEVEL: "confirmed" }), None),
        (
            "a level that is none",
            OidcSweden,
            LOA3,
            json!({ CN: COORDINATION, LEVEL: "sure" }),
            Some(Reason::AttributeMalformed),
        ),
        ("the other kind", OidcSweden, LOA3, json!({ PN: COORDINATION }), Some(Reason::PersonalNumberMalformed)),
        ("the other kind again", OidcSweden, LOA3, json!({ CN: NUMBER }), Some(Reason::PersonalNumberMalformed)),
        (
            "a non-resident with a number",
            OidcSweden,
            NONRESIDENT,
            json!({ PN: NUMBER }),
            Some(Reason::NonresidentWithNumber),
        ),
        ("an affiliation", OidcSweden, LOA3, json!({ ORG: "a@b@5562265719" }), None),
        ("affiliations", OidcSweden, LOA3, json!({ ORG: ["a@5562265719", "b@2021006883"] }), None),
        ("an affiliation that is a number", OidcSweden, LOA3, json!({ ORG: [1] }), Some(Reason::ClaimType)),
        (
            "an affiliation that holds two",
            OidcSweden,
            LOA3,
            json!({ ORG: "a@1,b@2" }),
            Some(Reason::AttributeMalformed),
        ),
        ("a date", OidcSweden, LOA3, json!({ "birthdate": "1950-06-26" }), None),
        ("a year", OidcSweden, LOA3, json!({ "birthdate": "1950" }), None),
        ("a date without its year", OidcSweden, LOA3, json!({ "birthdate": "0000-06-26" }), None),
        (
            "a date that is none",
            OidcSweden,
            LOA3,
            json!({ "birthdate": "1950-13-26" }),
            Some(Reason::AttributeMalformed),
        ),
        ("a line break in a name", OidcSweden, LOA3, json!({ "name": "a\nb" }), Some(Reason::AttributeMalformed)),
        ("a name that is none", OidcSweden, LOA3, json!({ "name": {} }), Some(Reason::ClaimType)),
        ("what another profile reads", Generic, LOA3, json!({ PN: 1, "employeeHsaId": 2 }), None),
        ("a mapped number", SwedenConnect, LOA3, json!({ MAPPED: NUMBER, BINDING: REGISTER }), None),
        (
            "a mapped number, bindings in an array",
            SwedenConnect,
            LOA3,
            json!({ MAPPED: NUMBER, BINDING: [REGISTER] }),
            None,
        ),
        (
            "a mapped coordination number",
            SwedenConnect,
            LOA3,
            json!({ MAPPED_CN: COORDINATION, BINDING: REGISTER }),
            None,
        ),
        ("no binding", SwedenConnect, LOA3, json!({ MAPPED: NUMBER }), Some(Reason::MappedNumberBinding)),
        (
            "a binding of two",
            SwedenConnect,
            LOA3,
            json!({ MAPPED: NUMBER, BINDING: format!("{REGISTER};urn:x") }),
            Some(Reason::MappedNumberBinding),
        ),
        (
            "both mapped",
            SwedenConnect,
            LOA3,
            json!({ MAPPED: NUMBER, MAPPED_CN: COORDINATION, BINDING: REGISTER }),
            Some(Reason::NumbersTogether),
        ),
        ("a prid", SwedenConnect, LOA3, json!({ PRID: "NO:05068907693", COUNTRY: "NO" }), None),
        (
            "a prid of another country",
            SwedenConnect,
            LOA3,
            json!({ PRID: "NO:05068907693", COUNTRY: "DK" }),
            Some(Reason::PridCountryMismatch),
        ),
        (
            "a prid that is none",
            SwedenConnect,
            LOA3,
            json!({ PRID: "NO:1", COUNTRY: "NO" }),
            Some(Reason::PridMalformed),
        ),
        ("Freja's number", Freja, LOA3, json!({ FREJA_PN: NUMBER, FREJA_COUNTRY: "SE" }), None),
        (
            "Freja's number, of somebody from Denmark",
            Freja,
            NONRESIDENT,
            json!({ FREJA_PN: "123456789", FREJA_COUNTRY: "DK" }),
            None,
        ),
        (
            "Freja's number, non-resident",
            Freja,
            NONRESIDENT,
            json!({ FREJA_PN: NUMBER, FREJA_COUNTRY: "SE" }),
            Some(Reason::NonresidentWithNumber),
        ),
        (
            "Freja's number, malformed",
            Freja,
            LOA3,
            json!({ FREJA_PN: "123456789", FREJA_COUNTRY: "SE" }),
            Some(Reason::PersonalNumberMalformed),
        ),
        ("a country that is a number", Freja, LOA3, json!({ FREJA_COUNTRY: 752 }), Some(Reason::ClaimType)),
        (
            "Inera",
            Inera,
            LOA3,
            json!({ "employeeHsaId": "SE2321000016-abcd", "credentialPersonalIdentityNumber": NUMBER }),
            None,
        ),
        (
            "Inera, of a coordination number",
            Inera,
            LOA3,
            json!({ "credentialPersonalIdentityNumber": COORDINATION }),
            None,
        ),
        ("Inera, two HSA-IDs", Inera, LOA3, json!({ "employeeHsaId": ["a", "b"] }), Some(Reason::ClaimType)),
    ];
    for (what, profile, loa, members, expect) in table {
        assert_eq!(read(profile, loa, members).err(), expect, "{what}");
    }
}

#[test]
fn a_number_counts_where_it_should() {
    let field = |profile, members| {
        let fields = read(profile, LOA3, members).unwrap();
        (fields.personal_number, fields.coordination_number)
    };
    let freja = |country| {
        serde_json::json!({
            "https://frejaeid.com/oidc/claims/personalIdentityNumber": NUMBER,
            "https://frejaeid.com/oidc/claims/country": country,
        })
    };
    assert_eq!(field(OidcProfile::Freja, freja("SE")), (Some(NUMBER.into()), None));
    assert_eq!(field(OidcProfile::Freja, freja("NO")), (None, None), "another country's number");
    let inera = serde_json::json!({ "credentialPersonalIdentityNumber": COORDINATION });
    assert_eq!(field(OidcProfile::Inera, inera), (None, Some(COORDINATION.into())));
    let refused = ClaimRules { accept_coordination_number: false, ..rules(OidcProfile::OidcSweden) };
    let number = serde_json::json!({ "https://id.oidc.se/claim/coordinationNumber": COORDINATION });
    let refused = fields(&[claims(number)], &refused, &Loa::from_uri(LOA3)).err().map(|reject| reject.reason());
    assert_eq!(refused, Some(Reason::CoordinationNumberNotAccepted));
}

#[test]
fn the_configuration_may_say_where_a_field_is() {
    let map = [(Field::PersonalNumber, "pnr".to_owned()), (Field::Name, "display".to_owned())];
    let rules = ClaimRules { map: &map, ..rules(OidcProfile::Generic) };
    let source = claims(serde_json::json!({ "pnr": NUMBER, "name": "not this one", "display": " Åsa Öberg " }));
    let read = fields(&[source], &rules, &Loa::from_uri(LOA3)).unwrap();
    assert_eq!((read.personal_number.as_deref(), read.name.as_deref()), (Some(NUMBER), Some("Åsa Öberg")));
    let source = claims(serde_json::json!({ "pnr": 1 }));
    let refused = fields(&[source], &rules, &Loa::from_uri(LOA3)).err().map(|reject| reject.reason());
    assert_eq!(refused, Some(Reason::ClaimType));
}

#[test]
fn scopes_are_those_of_the_configuration_where_it_names_some() {
    let source = || [claims(serde_json::json!({ "https://id.oidc.se/claim/orgAffiliation": "a@5562265719" }))];
    let with = |scopes: Option<&[String]>| {
        let rules = ClaimRules { scopes, ..rules(OidcProfile::OidcSweden) };
        fields(&source(), &rules, &Loa::from_uri(LOA3)).map(|f| f.org_affiliation).map_err(|reject| reject.reason())
    };
    let all = Ok(vec!["a@5562265719".to_owned()]);
    assert_eq!(with(None), all);
    assert_eq!(with(Some(&["5562265719".to_owned()])), all);
    assert_eq!(with(Some(&["2021006883".to_owned()])), Err(Reason::ScopeNotRegistered));
    assert_eq!(with(Some(&[])), Err(Reason::ScopeNotRegistered));
}

#[test]
fn two_sources_must_agree() {
    let two = |a, b| {
        let sources = [claims(a), claims(b)];
        fields(&sources, &rules(OidcProfile::OidcSweden), &Loa::from_uri(LOA3))
            .map(|read| (read.name, read.personal_number))
            .map_err(|reject| reject.reason())
    };
    use serde_json::json;
    const PN: &str = "https://id.oidc.se/claim/personalIdentityNumber";
    let both = Ok((Some("Åsa".to_owned()), Some(NUMBER.to_owned())));
    assert_eq!(two(json!({ PN: NUMBER }), json!({ "name": "Åsa" })), both);
    assert_eq!(two(json!({ PN: NUMBER, "name": "Åsa" }), json!({ PN: NUMBER, "name": "Åsa" })), both);
    assert_eq!(two(json!({ PN: NUMBER }), json!({ PN: "195207306886" })), Err(Reason::ClaimConflict));
    assert_eq!(two(json!({ PN: NUMBER }), json!({ PN: 1 })), Err(Reason::ClaimConflict));
    const CN: &str = "https://id.oidc.se/claim/coordinationNumber";
    assert_eq!(two(json!({ PN: NUMBER }), json!({ CN: COORDINATION })), Err(Reason::NumbersTogether));
}

struct Signer {
    key: SigningKey,
    keys: KeySet,
}

/// Tokens by a key of our own: what is tested here is what becomes of them. Others' tokens are in tests/vectors/jose.
impl Signer {
    fn new() -> Self {
        let pem = Secret::new(generate_p256_pem().unwrap().expose().clone().into_bytes());
        let key = SigningKey::from_pem(&pem, "op").unwrap();
        let point = key.p256_point().unwrap();
        let text = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
        let (x, y) = point.split_at(32);
        let jwks = serde_json::json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) }] });
        let (keys, warnings) = KeySet::parse(jwks.to_string().as_bytes()).unwrap();
        assert_eq!(warnings, []);
        Self { key, keys }
    }

    fn sign(&self, members: serde_json::Value) -> String {
        let mut payload = serde_json::json!({
            "iss": ISSUER, "sub": "s-1", "aud": "us", "exp": NOW.as_secs() + 60, "iat": NOW.as_secs(),
            "auth_time": NOW.as_secs() - 5, "acr": LOA3,
        });
        payload.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let text = |text: &str| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
        let input = format!("{}.{}", text(r#"{"alg":"ES256"}"#), text(&payload.to_string()));
        let signature = self.key.sign(input.as_bytes()).unwrap();
        format!("{input}.{}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(signature))
    }

    fn level(certified: &[String]) -> LevelRules<'_> {
        LevelRules { claim: None, map: &[], when_absent: None, certified, eidas_connector: false }
    }

    fn id_token(&self, profile: OidcProfile, members: serde_json::Value) -> Verified<IdToken> {
        let certified = [LOA3.to_owned()];
        let expect = IdTokenExpect {
            issuer: ISSUER,
            client_id: "us",
            other_audiences: &[],
            keys: &self.keys,
            algorithms: AlgorithmSet::ALL,
            decryption: Decryption { keys: &NoKeys, required: false },
            profile: profile.rules(),
            asked: Asked { nonce: Nonce::NotSent, fresh_since: None, max_age: None, loa: &[] },
            access_token: None,
            code: None,
            level: Self::level(&certified),
            clock_skew: Duration::from_secs(60),
        };
        Received::parse(self.sign(members).as_bytes()).unwrap().id_token(&expect, NOW).unwrap()
    }

    fn access_token(&self, members: serde_json::Value) -> Verified<AccessToken> {
        let certified = [LOA3.to_owned()];
        let expect = AccessTokenExpect {
            issuer: ISSUER,
            audience: &["us".to_owned()],
            keys: &self.keys,
            algorithms: AlgorithmSet::ALL,
            require_at_jwt: false,
            profile: OidcProfile::Generic.rules(),
            level: Self::level(&certified),
            clock_skew: Duration::from_secs(60),
        };
        Received::parse(self.sign(members).as_bytes()).unwrap().access_token(&expect, NOW).unwrap()
    }
}

#[test]
fn the_same_person_by_saml_and_by_openid_connect() {
    let signer = Signer::new();
    let oidc = |profile, members| {
        from_claims(signer.id_token(profile, members), None, &rules(profile), &hmac()).unwrap().subject().to_string()
    };
    let saml = |name: &str, value: &str| from_saml(&[(name, value)], &hmac()).subject().to_string();
    use serde_json::json;
    let number = saml("urn:oid:1.2.752.29.4.13", NUMBER);
    assert!(number.starts_with("personal-number:"));
    let swedish = json!({ "https://id.oidc.se/claim/personalIdentityNumber": NUMBER });
    assert_eq!(oidc(OidcProfile::OidcSweden, swedish.clone()), number);
    assert_eq!(oidc(OidcProfile::SwedenConnect, swedish), number);
    let freja = json!({
        "https://frejaeid.com/oidc/claims/loaLevel": "LOA3",
        "https://frejaeid.com/oidc/claims/personalIdentityNumber": NUMBER,
        "https://frejaeid.com/oidc/claims/country": "SE",
    });
    assert_eq!(oidc(OidcProfile::Freja, freja), number);
    assert_eq!(oidc(OidcProfile::Inera, json!({ "credentialPersonalIdentityNumber": NUMBER })), number);

    let coordination = saml("urn:oid:1.2.752.29.4.13", COORDINATION);
    let claim = json!({ "https://id.oidc.se/claim/coordinationNumber": COORDINATION });
    assert_eq!(oidc(OidcProfile::OidcSweden, claim), coordination);
    let hsa = saml("urn:oid:1.2.752.29.6.2.1", "SE2321000016-abcd");
    assert_eq!(oidc(OidcProfile::Inera, json!({ "employeeHsaId": "SE2321000016-abcd" })), hsa);
    // Without anything that holds across providers, `sub` counts, and only with its issuer.
    assert!(oidc(OidcProfile::Generic, json!({})).starts_with("provider:"));
    assert_ne!(oidc(OidcProfile::Generic, json!({})), oidc(OidcProfile::Generic, json!({ "sub": "s-2" })));
}

#[test]
fn an_id_token_becomes_a_person() {
    let signer = Signer::new();
    let members = serde_json::json!({ "sid": "session", "jti": "t-1", "name": "Åsa", "amr": ["a", "b"], "flag": true });
    let token = signer.id_token(OidcProfile::OidcSweden, members);
    let who = from_claims(token, None, &rules(OidcProfile::OidcSweden), &hmac()).unwrap();
    assert_eq!((who.issuer(), who.assertion_id(), who.name_id().value.as_str()), (ISSUER, "jti:t-1", "s-1"));
    assert_eq!((who.session_index(), who.loa().uri()), (Some("session"), LOA3));
    assert_eq!(who.authenticated_at(), UnixTime::from_secs(NOW.as_secs() - 5));
    assert_eq!(who.issued(), NOW);
    assert_eq!(who.acceptable_until(), NOW.plus(Duration::from_secs(120)));
    assert_eq!(who.field(Field::Name).as_deref(), Some("Åsa"));
    let attribute = |name: &str| who.attributes().iter().find(|a| a.name == name).map(|a| a.values.clone()).unwrap();
    assert_eq!(attribute("amr"), ["a", "b"]);
    assert_eq!(attribute("flag"), ["true"]);
    assert_eq!(attribute("exp"), [(NOW.as_secs() + 60).to_string()]);
}

#[test]
fn an_access_token_without_a_level_has_one_that_no_route_takes() {
    let signer = Signer::new();
    let token = signer.access_token(serde_json::json!({ "acr": "1", "scope": "a b" }));
    assert_eq!(token.claims().scope, "a b");
    let who = from_access_token(token, &rules(OidcProfile::Generic), &hmac()).unwrap();
    assert!(who.loa().is_unstated());
    assert_eq!(who.field(Field::Loa), None);
    assert_eq!(who.subject().kind(), SubjectKind::Provider);
    let who = from_access_token(signer.access_token(serde_json::json!({})), &rules(OidcProfile::Generic), &hmac());
    assert_eq!(who.unwrap().loa().uri(), LOA3);
}
