//! What RFC 8725 and the incidents ask of tokens beyond single vectors.

use std::collections::BTreeMap;
use std::time::Duration;

use grindvakt::crypto::encryption::NoKeys;

use super::jose_vectors::{Case, Jwks, LOA3, expect, keys, table, verdict};

/// RFC 8725 has no examples of its own: of each practice of its section 3, what breaks it.
#[test]
fn each_practice_of_rfc_8725_has_its_vectors() {
    let cases: BTreeMap<String, Case> =
        table::<Case>("cases.toml").into_iter().map(|case| (case.name.clone(), case)).collect();
    for (section, names) in [
        ("3.1, the algorithm", &["alg-none-unsigned", "hmac-hs256-pem", "hmac-hs512-n", "sig-alg-changed"][..]),
        ("3.2, which algorithms", &["alg-RS1-signed", "jwe-alg-RSA1_5", "alg-not-listed"][..]),
        ("3.3, every operation", &["jwe-inner-attacker", "jwe-inner-none", "sig-rs256-flipped", "jwe-tag-flipped"][..]),
        ("3.4, inputs", &["sig-es256-order", "sig-eddsa-malleable", "jwe-nonce-long"][..]),
        ("3.6, compression", &["header-zip", "jwe-header-zip", "jwe-zip-bomb"][..]),
        ("3.7, UTF-8", &["payload-utf16", "payload-latin1", "payload-overlong", "payload-bom"][..]),
        (
            "3.8, issuer and subject",
            &["confusion-key-of-b", "confusion-shared-keys", "issuer-slash", "id-missing-sub"][..],
        ),
        ("3.9, audience", &["aud-other", "id-missing-aud", "aud-untrusted", "at-aud-client"][..]),
        (
            "3.10, claims that are received",
            &["key-rs256-3754d6", "key-rs256-bce91f", "header-key-jku", "header-key-x5u"][..],
        ),
        ("3.11, explicit types", &["id-typ-at+jwt", "at-typ-logout+jwt", "at-strict-jwt"][..]),
        ("3.12, rules that exclude each other", &["at-is-id-token-nonce", "id-events", "at-key-of-op"][..]),
    ] {
        for name in names {
            let case = cases.get(*name).unwrap_or_else(|| panic!("{section}: no case {name}"));
            assert_ne!(case.expect, "accepted", "{section}: {name}");
        }
    }
    // 3.4 and 3.5: keys that are on no curve, or too weak to be keys.
    let jwks: Vec<Jwks> = table("jwks.toml");
    for fault in ["Malformed", "Size", "Symmetric", "Private"] {
        assert!(jwks.iter().any(|case| case.warnings.iter().any(|warning| warning.ends_with(fault))), "{fault}");
    }
}

/// T40: what is no token costs next to nothing, however many parts it has.
#[test]
fn a_million_dots_are_refused_at_once() {
    let keys = keys("jwks-op.json");
    let certified = [LOA3.to_owned()];
    let expect = expect(&keys, &certified, &NoKeys);
    for (token, code) in [
        (".".repeat(1_000_000), "message_too_large"),
        (".".repeat(100_000), "token_malformed"),
        (format!("{}.e30.AA", "e30.".repeat(20_000)), "token_malformed"),
        ("A".repeat(100_000), "token_malformed"),
        (format!("e30.e30.{}", "A".repeat(100_000)), "signature_algorithm"),
    ] {
        let begun = std::time::Instant::now();
        assert_eq!(verdict(token.as_bytes(), &expect), code, "{:.20}", token);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:.20} took {:?}", token, begun.elapsed());
    }
}
