//! Prints what the benchmarks of this run measured as one table: each beside its floor, with the ratio.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};

/// What is told, where it stands in target/criterion, and the parts of its floor.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("form and base64 decoded", "parts/form", &["parts/base64-bare"]),
    ("base64 decoded", "parts/base64", &["parts/base64-bare"]),
    ("XML read", "parts/read", &[]),
    ("  roxmltree, for scale", "parts/read-roxmltree", &["parts/read"]),
    ("canonical form", "parts/canonical", &[]),
    ("canonical form and digest", "parts/canonical-digest", &["parts/canonical", "parts/sha256"]),
    ("second reader's veto", "parts/second-reader", &["parts/read"]),
    ("RSA-2048 check", "signature/rsa2048-sha256", &["signature/rsa2048-sha256-bare"]),
    ("RSA-4096 check", "signature/rsa4096-sha256", &["signature/rsa4096-sha256-bare"]),
    ("P-256 check", "signature/p256-sha256", &["signature/p256-sha256-bare"]),
    ("P-384 check", "signature/p384-sha384", &["signature/p384-sha384-bare"]),
    ("P-521 check", "signature/p521-sha512", &["signature/p521-sha512-bare"]),
    ("Response 3 KB, signed", "response/signed/3000", &["signature/rsa2048-sha256-bare"]),
    ("Response 8.6 KB, signed", "response/signed/8600", FLOOR),
    ("  from the form to the person", "response/form-to-person", FLOOR_WITH_FORM),
    ("Response 20 KB, signed", "response/signed/20000", &["signature/rsa2048-sha256-bare"]),
    ("Response 3 KB, both signed", "response/both-signed/3000", &["response/signed/3000"]),
    ("Response 8.6 KB, both signed", "response/both-signed/8600", &["response/signed/8600"]),
    ("Response 20 KB, both signed", "response/both-signed/20000", &["response/signed/20000"]),
    ("Response 3 KB, encrypted", "response/encrypted/3000", &["unwrap/rsa2048-oaep-bare", "response/signed/3000"]),
    ("Response 8.6 KB, encrypted", "response/encrypted/8600", &["unwrap/rsa2048-oaep-bare", "response/signed/8600"]),
    ("Response 20 KB, encrypted", "response/encrypted/20000", &["unwrap/rsa2048-oaep-bare", "response/signed/20000"]),
    ("claims decoded from base64url", "jwt-parts/base64url", &[]),
    ("claims read as JSON", "jwt-parts/json", &[]),
    ("  serde_json, for scale", "jwt-parts/json-serde", &["jwt-parts/json"]),
    ("access token, RS256", "jwt/rs256-access-token", &["jwt/rs256-bare"]),
    ("access token, PS256", "jwt/ps256-access-token", &["jwt/ps256-bare"]),
    ("access token, ES256", "jwt/es256-access-token", &["jwt/es256-bare"]),
    ("access token, EdDSA", "jwt/eddsa-access-token", &["jwt/eddsa-bare"]),
    ("ID token, RS256", "jwt/rs256-id-token", &["jwt/rs256-bare"]),
    ("ID token, PS256", "jwt/ps256-id-token", &["jwt/ps256-bare"]),
    ("ID token, ES256", "jwt/es256-id-token", &["jwt/es256-bare"]),
    ("ID token, EdDSA", "jwt/eddsa-id-token", &["jwt/eddsa-bare"]),
    ("  to the person, RS256", "jwt/rs256-person", &["jwt/rs256-bare"]),
    ("ID token, encrypted", "jwt/encrypted-id-token", &["unwrap/rsa2048-oaep-bare", "jwt/es256-id-token"]),
    ("session cookie opened", "cookie/open", &["cookie/open-bare"]),
    ("session cookie sealed", "cookie/seal", &["cookie/seal-bare"]),
    ("authorize, whole", "request/authorize", &["cookie/open"]),
    ("authorize, anonymous route", "request/anonymous", &[]),
    ("authorize, no session", "request/refused", &[]),
    ("path brought to its normal form", "request/normal-path", &[]),
    ("headers cleaned and attached", "request/headers-clean-and-attach", &[]),
    ("first use among 1 million", "replay/first-use-among-1M", &["replay/insert-bare"]),
    ("second use among 1 million", "replay/second-use-among-1M", &["replay/insert-bare"]),
    ("ended? after a day of logouts", "revoked/a-day-of-logouts", &["revoked/nobody"]),
    ("  and of logouts at providers", "revoked/and-of-providers", &["revoked/nobody"]),
    ("login in Redis, one at a time", "store/login", &["store/ping-bare"]),
    ("64 logins in Redis at once", "store/64-logins", &["store/login"]),
];

/// What a perfect verifier would still pay for one Response of 8.6 KB, the form decoding apart.
const FLOOR: &[&str] = &["parts/read", "parts/sha256", "parts/canonical", "signature/rsa2048-sha256-bare"];
const FLOOR_WITH_FORM: &[&str] =
    &["parts/base64-bare", "parts/read", "parts/sha256", "parts/canonical", "signature/rsa2048-sha256-bare"];

fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(target).join("criterion")
}

/// The mean in µs; none where the benchmark did not run.
fn mean(id: &str) -> Option<f64> {
    let text = std::fs::read_to_string(folder().join(id).join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(estimates.get("mean")?.get("point_estimate")?.as_f64()? / 1000.0)
}

fn main() {
    println!("{:<34} {:>9} {:>9} {:>7}   the floor", "", "µs", "floor", "ratio");
    for (name, id, floor) in ROWS {
        let Some(own) = mean(id) else {
            println!("{name:<34} {:>9}", "not run");
            continue;
        };
        let parts: Option<Vec<f64>> = floor.iter().map(|part| mean(part)).collect();
        match parts.filter(|parts| !parts.is_empty()) {
            Some(parts) => {
                let sum: f64 = parts.iter().sum();
                println!("{name:<34} {own:>9.2} {sum:>9.2} {:>7.2}   {}", own / sum, floor.join(" + "));
            }
            None => println!("{name:<34} {own:>9.2}"),
        }
    }
}
