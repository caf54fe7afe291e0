//! Tokens from three independent signers, each with its exact verdict: logins and access tokens through `grindvakt verify
//! --batch`, the other kinds and the providers' documents through the library.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grindvakt::base::{Secret, UnixTime};
use grindvakt::crypto::encryption::{KeyTransport, NoKeys, UnwrapKey};
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::crypto::trusted::{AlgorithmSet, JwsAlgorithm};
use grindvakt::verify::Reject;
use grindvakt::verify::jose::{
    Asked, Decryption, Discovery, DpopExpect, EndpointError, IdTokenExpect, KeySet, LevelRules, LogoutExpect, Nonce,
    OidcProfile, Received, TokenResponse, UserInfoExpect, dpop_proof, plain_userinfo,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::saml_vectors::batch;

const AT: &str = "2026-03-01T10:00:05Z";
pub const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/jose")
}

#[derive(Deserialize)]
struct Table<C> {
    case: Vec<C>,
}

pub fn table<C: DeserializeOwned>(name: &str) -> Vec<C> {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let table: Table<C> = toml::from_str(&text).unwrap();
    table.case
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub token: String,
    pub config: String,
    pub at: String,
    pub in_response_to: Option<String>,
    pub provider: Option<String>,
    pub after: Option<String>,
    #[serde(default)]
    pub opaque: bool,
    pub expect: String,
    #[serde(default)]
    pub tests: Vec<String>,
    pub about: String,
    #[serde(default)]
    pub identity: BTreeMap<String, toml::Value>,
}

fn line(case: &Case) -> Value {
    let mut line = json!({ "id": case.name, "assertion": case.token, "at": case.at });
    for (name, value) in [("in_response_to", &case.in_response_to), ("provider", &case.provider)] {
        if let Some(value) = value {
            line[name] = json!(value);
        }
    }
    line
}

/// What an accepted case must yield, looked up where the command puts it.
fn wrong_identity(case: &Case, verdict: &Value) -> Option<String> {
    let wrong = case.identity.iter().find_map(|(name, expect)| {
        let expect = serde_json::to_value(expect).unwrap();
        let got = match name.as_str() {
            "provider" | "loa" => &verdict[name],
            _ => &verdict["identity"][name],
        };
        (*got != expect).then(|| format!("{name} is {got}, expected {expect}"))
    });
    let provider = verdict["provider"].as_str().unwrap_or_default();
    let protocol = if provider.starts_with("as") || provider.ends_with("-api") { "jwt" } else { "oidc" };
    let bound = protocol == "oidc" && !matches!(case.in_response_to.as_deref(), None | Some("*"));
    let mut unchecked = json!([]);
    if protocol == "oidc" && !bound {
        unchecked = json!(["request_binding"]);
    } else if case.name == "at-bound" {
        unchecked = json!(["key_binding"]);
    }
    // Of an access token no login is told that it does not tell of, and no instant made up.
    let payload = case.token.split('.').nth(1).unwrap_or_default();
    let claims: Value = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(payload)
        .ok()
        .and_then(|claims| serde_json::from_slice(&claims).ok())
        .unwrap_or_default();
    let told = !verdict["identity"]["authenticated_at"].is_null();
    let wrong = wrong.or_else(|| {
        (protocol == "jwt" && told && claims["auth_time"].is_null()).then(|| "a login out of nothing".to_owned())
    });
    wrong
        .or_else(|| (verdict["protocol"] != protocol).then(|| format!("the protocol is {}", verdict["protocol"])))
        .or_else(|| (verdict["unchecked"] != unchecked).then(|| format!("unchecked is {}", verdict["unchecked"])))
}

#[test]
fn every_token_gets_its_verdict() {
    let cases: Vec<Case> = table("cases.toml");
    assert!(cases.len() >= 940, "the table has shrunk to {}", cases.len());
    let (mut wrong, mut accepted, mut opaque) = (Vec::new(), 0, Vec::new());
    for config in ["grindvakt.toml", "grindvakt-coordination.toml"] {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.config == config).collect();
        let mut input = Vec::new();
        for case in &cases {
            writeln!(input, "{}", line(case)).unwrap();
        }
        let verdicts = batch(&folder().join(config), input);
        assert_eq!(verdicts.len(), cases.len(), "one verdict a line");
        for (case, verdict) in cases.iter().zip(&verdicts) {
            assert_eq!(verdict["id"], json!(case.name));
            let got = match verdict["verdict"].as_str() {
                Some("accepted") => "accepted",
                _ => verdict["code"].as_str().unwrap_or("(no code)"),
            };
            let fault = if got != case.expect {
                Some(format!("expected {}, got {got}: {}", case.expect, verdict["detail"]))
            } else if got == "accepted" {
                accepted += 1;
                wrong_identity(case, verdict)
            } else {
                None
            };
            if let Some(fault) = fault {
                wrong.push(format!("{} {:?} ({}): {fault}", case.name, case.tests, case.about));
            }
            if case.opaque {
                opaque.push((verdict["code"].clone(), verdict["detail"].clone()));
            }
            assert!(case.after.is_none() || ["replayed", "accepted"].contains(&case.expect.as_str()), "{}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(accepted >= 110, "only {accepted} accepted");
    assert!(opaque.len() >= 10 && opaque.iter().all(|answer| *answer == opaque[0]), "{opaque:?}");
    let tested: Vec<&str> = cases.iter().flat_map(|case| &case.tests).map(String::as_str).collect();
    for incident in ["T35", "T36", "T37", "T38", "T39", "T40"] {
        assert!(tested.contains(&incident), "{incident}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwks {
    pub name: String,
    #[serde(default)]
    pub document: String,
    pub expect: String,
    pub keys: Vec<String>,
    pub warnings: Vec<String>,
    pub about: String,
}

#[test]
fn every_jwks_yields_its_keys_and_warnings() {
    let cases: Vec<Jwks> = table("jwks.toml");
    assert!(cases.len() >= 90);
    let mut wrong = Vec::new();
    for case in &cases {
        let (got, keys, warnings) = match KeySet::parse(case.document.as_bytes()) {
            Ok((set, warnings)) => {
                assert_eq!(set.len(), set.describe().count());
                let keys = set.describe().map(|(kind, kid)| format!("{kind} {}", kid.unwrap_or("")).trim().to_owned());
                let warnings = warnings.iter().map(|warning| format!("{} {:?}", warning.at, warning.fault));
                ("ok", keys.collect(), warnings.collect())
            }
            Err(reject) => (reject.code(), Vec::new(), Vec::new()),
        };
        if got != case.expect || keys != case.keys || warnings != case.warnings {
            wrong.push(format!("{} ({}): {got} {keys:?} {warnings:?}", case.name, case.about));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscoveryCase {
    name: String,
    issuer: String,
    #[serde(default)]
    document: String,
    expect: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    yields: BTreeMap<String, toml::Value>,
}

#[test]
fn every_discovery_document_gets_its_verdict() {
    let cases: Vec<DiscoveryCase> = table("discovery.toml");
    assert!(cases.len() >= 60);
    let mut wrong = Vec::new();
    for case in &cases {
        let read = Discovery::read(case.document.as_bytes(), &case.issuer);
        let got = read.as_ref().map_or_else(Reject::code, |_| "ok");
        if got != case.expect {
            wrong.push(format!("{} ({}): {got}", case.name, case.about));
        }
        let Ok(read) = read else { continue };
        assert_eq!(read.issuer, case.issuer);
        let algorithms: Vec<&str> =
            JwsAlgorithm::ALL.iter().filter(|a| read.id_token_algorithms.contains(**a)).map(|a| a.name()).collect();
        let said = json!({
            "claims_parameter": read.claims_parameter, "response_iss": read.response_iss, "algorithms": algorithms,
        });
        for (name, expect) in &case.yields {
            assert_eq!(said[name], serde_json::to_value(expect).unwrap(), "{}: {name}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: String,
    document: String,
    expect: String,
    #[serde(default)]
    about: String,
}

#[test]
fn every_answer_of_a_token_endpoint_gets_its_verdict() {
    for case in table::<Answer>("answers.toml") {
        let read = TokenResponse::read(case.document.as_bytes());
        let got = read.as_ref().map_or_else(Reject::code, |_| "ok");
        assert_eq!(got, case.expect, "{} ({})", case.name, case.about);
        if let Ok(read) = read {
            assert_eq!((read.id_token.as_str(), read.access_token.expose().as_str()), ("x.y.z", "a"));
            assert_eq!(read.dpop, case.name == "dpop");
        }
    }
    for (body, code) in [
        (r#"{"error":"invalid_grant","error_description":"a\nb"}"#, Some("invalid_grant")),
        (r#"{"error":"access denied"}"#, None),
        (r#"{"error":"a\nb"}"#, None),
        (r#"{"error":1}"#, None),
        (r#"{"error":""}"#, None),
        ("{}", None),
        ("<html>", None),
    ] {
        assert_eq!(EndpointError::read(body.as_bytes()).map(|error| error.code).as_deref(), code, "{body}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    kind: String,
    name: String,
    token: String,
    expect: String,
    #[serde(default)]
    about: String,
    profile: Option<String>,
    access_token: Option<String>,
    method: Option<String>,
    uri: Option<String>,
    at: Option<String>,
}

pub fn keys(name: &str) -> KeySet {
    KeySet::parse(&std::fs::read(folder().join(name)).unwrap()).unwrap().0
}

fn decryption() -> DecryptionKeys {
    let mut keys = DecryptionKeys::default();
    let pem = std::fs::read(folder().join("../keys/sp-decrypt.pem")).unwrap();
    keys.add(&Secret::new(pem), "sp").unwrap();
    keys
}

#[test]
fn every_other_kind_of_token_gets_its_verdict() {
    let (keys, own) = (keys("jwks-op.json"), decryption());
    let decryption = Decryption { keys: &own, required: false };
    let (issuer, client_id, skew) = ("https://op.example.se", "vectors", Duration::from_secs(60));
    let cases: Vec<Other> = table("others.toml");
    assert!(cases.len() >= 90);
    let mut wrong = Vec::new();
    for case in &cases {
        let now = UnixTime::parse_rfc3339(case.at.as_deref().unwrap_or(AT)).unwrap();
        let profile = case.profile.as_deref().unwrap_or("generic");
        let profile = OidcProfile::ALL.into_iter().find(|known| known.name() == profile).unwrap().rules();
        let token = case.token.as_bytes();
        let userinfo = UserInfoExpect {
            issuer,
            client_id,
            subject: "pers-1",
            keys: &keys,
            algorithms: AlgorithmSet::ALL,
            decryption,
            profile,
            clock_skew: skew,
        };
        let verdict = match case.kind.as_str() {
            "logout" => {
                let expect = LogoutExpect {
                    issuer,
                    client_id,
                    keys: &keys,
                    algorithms: AlgorithmSet::ALL,
                    decryption,
                    clock_skew: skew,
                };
                Received::parse(token).and_then(|received| received.logout_token(&expect, now)).map(|verified| {
                    let token = verified.into_claims();
                    assert_eq!(token.issuer, issuer);
                    assert!(token.subject.is_some() || token.session_id.is_some());
                })
            }
            "userinfo" => Received::parse(token).and_then(|received| received.userinfo(&userinfo, now)).map(drop),
            "plain" => plain_userinfo(token, &userinfo).map(drop),
            _ => {
                let expect = DpopExpect {
                    method: case.method.as_deref().unwrap_or("GET"),
                    uri: case.uri.as_deref().unwrap_or("https://sp.example.se/api/cases"),
                    access_token: case.access_token.as_deref().unwrap(),
                    algorithms: AlgorithmSet::ALL,
                    nonces: None,
                    max_age: Duration::from_secs(120),
                    clock_skew: skew,
                };
                dpop_proof(token, &expect, now).map(drop)
            }
        };
        let got = verdict.as_ref().map_or_else(Reject::code, |()| "ok");
        if got != case.expect {
            let detail = verdict.err().map(|reject| reject.detail().to_owned());
            wrong.push(format!("{} ({}): expected {}, got {got}: {detail:?}", case.name, case.about, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_nonce_of_ours_and_the_key_of_the_token_are_asked_for() {
    let cases: Vec<Other> = table("others.toml");
    let proof = cases.iter().find(|case| case.name == "dpop-good").unwrap();
    let now = UnixTime::parse_rfc3339(AT).unwrap();
    let good = ["n-1".to_owned()];
    let expect = |nonces| DpopExpect {
        method: "GET",
        uri: "https://sp.example.se/api/cases",
        access_token: proof.access_token.as_deref().unwrap(),
        algorithms: AlgorithmSet::ALL,
        nonces,
        max_age: Duration::from_secs(120),
        clock_skew: Duration::from_secs(60),
    };
    let verified = dpop_proof(proof.token.as_bytes(), &expect(None), now).unwrap();
    assert_eq!(verified.claims().key_thumbprint.len(), 43);
    assert!(verified.claims().replay_id.ends_with(":j-good"));
    let refused = dpop_proof(proof.token.as_bytes(), &expect(Some(&good)), now).unwrap_err();
    assert_eq!(refused.code(), "dpop_nonce");
    let only = DpopExpect { algorithms: AlgorithmSet::NONE.with(JwsAlgorithm::Rs256), ..expect(None) };
    assert_eq!(dpop_proof(proof.token.as_bytes(), &only, now).unwrap_err().code(), "signature_algorithm");
}

/// The tokens that are accepted, and what accepts them: for mutations.
fn accepted() -> &'static (Vec<String>, KeySet) {
    static ACCEPTED: OnceLock<(Vec<String>, KeySet)> = OnceLock::new();
    ACCEPTED.get_or_init(|| {
        let cases: Vec<Case> = table("cases.toml");
        let names =
            ["rs256-npm", "ps384-jwcrypto", "es256-pyjwt", "es512-npm", "eddsa-jwcrypto", "jwe-rsa-oaep-a128gcm-npm"];
        let tokens = cases.into_iter().filter(|case| names.contains(&case.name.as_str())).map(|case| case.token);
        let tokens: Vec<String> = tokens.collect();
        assert_eq!(tokens.len(), names.len());
        (tokens, keys("jwks-op.json"))
    })
}

/// What the provider "op" is held to, where the nonce n-1 was sent.
pub fn expect<'a>(keys: &'a KeySet, certified: &'a [String], own: &'a dyn UnwrapKey) -> IdTokenExpect<'a> {
    IdTokenExpect {
        issuer: "https://op.example.se",
        client_id: "vectors",
        other_audiences: &[],
        keys,
        algorithms: AlgorithmSet::ALL,
        decryption: Decryption { keys: own, required: false },
        profile: OidcProfile::Generic.rules(),
        asked: Asked { nonce: Nonce::Sent("n-1"), fresh_since: None, max_age: None, loa: &[] },
        access_token: None,
        code: None,
        level: LevelRules { claim: None, map: &[], when_absent: None, certified, eidas_connector: false },
        clock_skew: Duration::from_secs(60),
    }
}

pub fn verdict(token: &[u8], expect: &IdTokenExpect<'_>) -> &'static str {
    let now = UnixTime::parse_rfc3339(AT).unwrap();
    let verified = Received::parse(token).and_then(|received| received.id_token(expect, now));
    verified.as_ref().map_or_else(Reject::code, |_| "ok")
}

fn passes(token: &[u8], keys: &KeySet, own: Option<&DecryptionKeys>) -> bool {
    let certified = [LOA3.to_owned()];
    verdict(token, &expect(keys, &certified, own.map_or(&NoKeys, |own| own as _))) == "ok"
}

/// What only the server knows: what it asked for, and what came along.
#[test]
fn a_login_is_held_against_what_was_asked_for() {
    let cases: Vec<Case> = table("cases.toml");
    let token = |name: &str| cases.iter().find(|case| case.name == name).unwrap().token.clone().into_bytes();
    let (keys, certified) = (keys("jwks-op.json"), [LOA3.to_owned()]);
    let base = expect(&keys, &certified, &NoKeys);
    // The tokens say that the person logged in at 09:59:55; it is 10:00:05.
    let at = |text: &str| UnixTime::parse_rfc3339(text).unwrap();
    let (good, without) = (token("rs256-npm"), token("auth-time-absent"));
    let other = ["http://id.elegnamnden.se/loa/1.0/loa4".to_owned()];
    let asked = |fresh_since, max_age: Option<u64>| Asked {
        nonce: Nonce::Sent("n-1"),
        fresh_since,
        max_age: max_age.map(Duration::from_secs),
        loa: &certified,
    };
    for (what, token, asked, code) in [
        ("what was asked for", &good, asked(None, None), "ok"),
        ("a fresh login", &good, asked(Some(at("2026-03-01T09:59:50Z")), None), "ok"),
        ("a fresh login, within skew", &good, asked(Some(at("2026-03-01T10:00:55Z")), None), "ok"),
        ("an older login", &good, asked(Some(at("2026-03-01T10:00:56Z")), None), "authn_too_old"),
        ("no older than nothing, within skew", &good, asked(None, Some(0)), "ok"),
        ("a fresh login, and nobody knows", &without, asked(Some(at("2026-03-01T09:59:50Z")), None), "claim_missing"),
        ("an age, and nobody knows", &without, asked(None, Some(3600)), "claim_missing"),
        ("no age, and nobody knows", &without, asked(None, None), "ok"),
        ("another level", &good, Asked { loa: &other, ..asked(None, None) }, "loa_not_requested"),
        ("another nonce", &good, Asked { nonce: Nonce::Sent("n-2"), ..asked(None, None) }, "nonce_mismatch"),
        ("a nonce that nobody sent", &good, Asked { nonce: Nonce::NotSent, ..asked(None, None) }, "nonce_mismatch"),
    ] {
        assert_eq!(verdict(token, &IdTokenExpect { asked, ..base.clone() }), code, "{what}");
    }
    let short = Duration::from_secs(9);
    let tight = IdTokenExpect { clock_skew: Duration::ZERO, asked: asked(None, None), ..base.clone() };
    let aged = Asked { max_age: Some(short), ..asked(None, None) };
    assert_eq!(verdict(&good, &IdTokenExpect { asked: aged, ..tight }), "authn_too_old");

    for name in ["rs256", "rs384", "rs512", "ps256", "es384", "es512", "eddsa"] {
        let token = token(&format!("hashes-{name}"));
        let came = |access_token, code| verdict(&token, &IdTokenExpect { access_token, code, ..base.clone() });
        let (right, wrong) = (Some("an-access-token"), Some("another"));
        assert_eq!(came(right, right), "ok", "{name}");
        assert_eq!(came(None, None), "ok", "{name}");
        assert_eq!(came(wrong, right), "token_hash_mismatch", "{name}");
        assert_eq!(came(right, wrong), "token_hash_mismatch", "{name}");
    }
    let absent = LevelRules { when_absent: Some(LOA3), ..base.level.clone() };
    assert_eq!(verdict(&token("acr-missing"), &IdTokenExpect { level: absent, ..base.clone() }), "ok");
    assert_eq!(verdict(&token("acr-missing"), &base), "authn_context_missing");
}

/// Keys that count how often they are asked.
#[derive(Debug)]
struct Counting(DecryptionKeys, AtomicUsize);

impl UnwrapKey for Counting {
    fn unwrap_key(&self, transport: &KeyTransport, wrapped: &[u8]) -> Option<Secret<Vec<u8>>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unwrap_key(transport, wrapped)
    }
}

#[test]
fn what_does_not_open_asks_the_keys_as_often_as_what_does() {
    let (keys, certified) = (keys("jwks-op.json"), [LOA3.to_owned()]);
    let own = Counting(decryption(), AtomicUsize::new(0));
    let expect = expect(&keys, &certified, &own);
    let mut seen = BTreeMap::new();
    for case in table::<Case>("cases.toml").iter().filter(|case| case.name.starts_with("jwe-")) {
        let before = own.1.load(Ordering::Relaxed);
        let code = verdict(case.token.as_bytes(), &expect);
        let asked = own.1.load(Ordering::Relaxed) - before;
        let counts = if matches!(code, "ok" | "token_undecryptable" | "inner_not_signed") { 1 } else { asked };
        assert_eq!(asked, counts, "{}: {code}", case.name);
        if case.name.starts_with("jwe-alg-")
            || case.name.starts_with("jwe-enc-")
            || case.name.starts_with("jwe-header-")
        {
            assert!(asked == 0 || code == "token_undecryptable", "{}: {code}", case.name);
        }
        *seen.entry(code).or_insert(0) += 1;
    }
    assert!(seen["ok"] >= 10 && seen["token_undecryptable"] >= 10 && seen["encryption_algorithm"] >= 10, "{seen:?}");
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let (tokens, keys) = accepted();
    let own = decryption();
    for token in tokens {
        let encrypted = token.matches('.').count() == 4;
        let own = encrypted.then_some(&own);
        assert!(passes(token.as_bytes(), keys, own), "{token}");
        // Private-key operations are slow here: of an encrypted token every seventh byte, and its whole header.
        let step = if encrypted { 7 } else { 1 };
        let mut bytes = token.clone().into_bytes();
        for at in (0..bytes.len()).filter(|at| at % step == 0 || *at < 100) {
            let kept = bytes[at];
            for byte in [kept ^ 1, b'A', b'.', b'=', 0, 0xff] {
                bytes[at] = byte;
                assert!(byte == kept || !passes(&bytes, keys, own), "byte {at} of {token}");
            }
            bytes[at] = kept;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Bytes replaced, left out, doubled and moved: whatever comes out is refused, unless it is the token itself.
    #[test]
    fn no_mutated_token_is_accepted(
        which in 0usize..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0u8..5), 1..4),
    ) {
        let (tokens, keys) = accepted();
        let original = tokens.iter().filter(|token| token.matches('.').count() == 2).nth(which).unwrap();
        let mut token = original.clone().into_bytes();
        for (a, b, byte, kind) in edits {
            if token.is_empty() {
                break;
            }
            let (a, b) = (a.index(token.len()), b.index(token.len()));
            match kind {
                0 => token[a] = byte,
                1 => _ = token.remove(a),
                2 => token.insert(a, byte),
                3 => token.swap(a, b),
                _ => token.truncate(a),
            }
        }
        prop_assert!(token == original.as_bytes() || !passes(&token, keys, None));
    }

    /// Whatever arrives, there is an answer.
    #[test]
    fn garbage_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[A-Za-z0-9_.=-]{0,200}", json in "[\\[\\]{}\":,0-9a-z\\\\u ]{0,200}") {
        let (_, keys) = accepted();
        for token in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(!passes(token, keys, None));
        }
        for document in [bytes.as_slice(), text.as_bytes(), json.as_bytes()] {
            let _ = KeySet::parse(document);
            let _ = Discovery::read(document, "https://op.example.se");
            let _ = TokenResponse::read(document);
        }
    }
}
