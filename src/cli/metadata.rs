//! `grindvakt metadata`: verify a feed, and list its identity providers.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use crate::base::UnixTime;
use crate::crypto::trusted::PublicKey;
use crate::verify::saml::IdpMetadata;
use crate::verify::saml::metadata::{Feed, FeedExpect, read_feed};

/// Verify a metadata feed and list its identity providers, their keys, levels and validity.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The feed.
    pub file: PathBuf,
    /// A pinned certificate in PEM; its key must have signed the feed. Repeat it during a roll-over.
    #[arg(long, required = true, value_name = "CERT")]
    pub signer: Vec<PathBuf>,
    /// The instant to judge validity at, as RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = super::instant)]
    pub at: Option<UnixTime>,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. Exit status: 0 verified, 1 refused, 64 a file that cannot be read.
pub fn run(args: &Args, now: UnixTime) -> ExitCode {
    let now = args.at.unwrap_or(now);
    let mut signers = Vec::new();
    for path in &args.signer {
        match signer(path) {
            Ok(keys) => signers.extend(keys),
            Err(problem) => return super::usage(format_args!("{}: {problem}", path.display())),
        }
    }
    let bytes = match std::fs::read(&args.file) {
        Ok(bytes) => bytes,
        Err(e) => return super::usage(format_args!("{}: {e}", args.file.display())),
    };
    let expect = FeedExpect { signers: &signers, now, only: None, second_reader: true };
    match read_feed(&bytes, &expect) {
        Ok(feed) => {
            let text = if args.json { as_json(&feed) } else { as_table(&feed) };
            super::print(&text)
        }
        Err(reject) => {
            if args.json {
                let refused =
                    json!({ "verdict": "rejected", "code": reject.code(), "detail": reject.detail(), "idps": [] });
                super::print(&format!("{refused:#}\n"));
            }
            let _ = writeln!(std::io::stderr(), "refused: {reject}");
            ExitCode::from(super::REFUSED)
        }
    }
}

pub(super) fn signer(path: &std::path::Path) -> Result<Vec<PublicKey>, String> {
    let pem = std::fs::read(path).map_err(|e| e.to_string())?;
    let mut keys = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| "not a certificate in PEM".to_owned())?;
        keys.push(PublicKey::from_certificate(&certificate).map_err(|e| e.to_string())?);
    }
    if keys.is_empty() { Err("holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")".into()) } else { Ok(keys) }
}

fn until(at: Option<UnixTime>) -> String {
    at.map_or_else(|| "no validUntil".to_owned(), |at| at.to_string())
}

fn key_list(idp: &IdpMetadata) -> Vec<&'static str> {
    idp.signing_keys.iter().map(PublicKey::type_name).collect()
}

fn as_table(feed: &Feed) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "verified; {} entities, {} identity providers; valid until {}{}",
        feed.entities,
        feed.idps.len(),
        until(feed.valid_until),
        feed.created.map_or_else(String::new, |at| format!("; made {at}")),
    );
    for idp in &feed.idps {
        let _ = writeln!(out, "\n{}", idp.entity_id);
        if let Some((_, name)) = idp.display_names.first() {
            let _ = writeln!(out, "  name     {name}");
        }
        let _ = writeln!(out, "  keys     {}", key_list(idp).join(", "));
        for refused in &idp.refused_keys {
            let _ = writeln!(out, "           left out: {refused}");
        }
        for loa in &idp.loa {
            let _ = writeln!(out, "  level    {loa}");
        }
        for endpoint in &idp.sso {
            let _ = writeln!(out, "  sign-on  {:?} {}", endpoint.binding, endpoint.location);
        }
        let _ = writeln!(out, "  valid    {}", until(idp.valid_until));
    }
    for refused in &feed.refused {
        let _ = writeln!(out, "\n{}\n  left out {}", refused.entity_id, refused.reject);
    }
    out
}

fn as_json(feed: &Feed) -> String {
    let idps: Vec<_> = feed
        .idps
        .iter()
        .map(|idp| {
            json!({
                "entity_id": idp.entity_id,
                "display_names": idp.display_names.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                "keys": idp.signing_keys.iter().map(|key| json!({
                    "type": key.type_name(),
                    "spki_sha256": key.fingerprint().iter().map(|b| format!("{b:02x}")).collect::<String>(),
                })).collect::<Vec<_>>(),
                "refused_keys": idp.refused_keys,
                "loa": idp.loa,
                "entity_categories": idp.entity_categories,
                "scopes": idp.scopes.iter().map(|scope| &scope.value).collect::<Vec<_>>(),
                "sso": idp.sso.iter().map(|sso| json!({
                    "binding": format!("{:?}", sso.binding),
                    "location": sso.location,
                })).collect::<Vec<_>>(),
                "want_authn_requests_signed": idp.want_authn_requests_signed,
                "valid_until": idp.valid_until.map(|at| at.to_string()),
                "cache_seconds": idp.cache_duration.map(|d| d.as_secs()),
            })
        })
        .collect();
    let refused: serde_json::Map<_, _> = feed
        .refused
        .iter()
        .map(|r| (r.entity_id.clone(), json!({ "code": r.reject.code(), "detail": r.reject.detail() })))
        .collect();
    let whole = json!({
        "verdict": "accepted",
        "entities": feed.entities,
        "valid_until": feed.valid_until.map(|at| at.to_string()),
        "cache_seconds": feed.cache_duration.map(|d| d.as_secs()),
        "created": feed.created.map(|at| at.to_string()),
        "idps": idps,
        "refused": refused,
    });
    format!("{whole:#}\n")
}
