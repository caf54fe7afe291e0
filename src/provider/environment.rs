//! Test federations stay out of production (checklist 8): in QA anyone can pose with any identity number. Demo keys stay
//! on the developer's own machine: whoever runs the demo poses as whom they like.

use crate::config::{Environment, is_test_host};
use crate::crypto::digest::sha256;
use crate::crypto::trusted::is_demo_certificate;
use crate::verify::saml::IdpMetadata;
use crate::verify::{Reason, Reject};

/// A feed's pinned certificate that belongs to a test federation.
struct TestAnchor {
    name: &'static str,
    sha256: [u8; 32],
}

/// The test feeds of Sweden Connect, by the SHA-256 of their signers' certificates (profile 6).
const TEST_ANCHORS: [TestAnchor; 2] = [
    TestAnchor {
        name: "Sweden Connect QA",
        sha256: [
            0xfe, 0x21, 0xed, 0x65, 0x67, 0xa4, 0xeb, 0x7a, 0x67, 0x4f, 0xc3, 0x25, 0x18, 0x20, 0xbc, 0x63, 0xcc, 0x8b,
            0x63, 0xf4, 0xac, 0xfe, 0xb2, 0x03, 0x10, 0xff, 0xf6, 0x0e, 0x55, 0x7d, 0xd0, 0x41,
        ],
    },
    TestAnchor {
        name: "the Sweden Connect sandbox",
        sha256: [
            0x86, 0xb5, 0x30, 0x63, 0x55, 0x63, 0x6b, 0x18, 0x4d, 0xe4, 0xb0, 0xe2, 0x9c, 0x7c, 0x41, 0x74, 0x29, 0xec,
            0xe7, 0x91, 0x64, 0xfb, 0x46, 0x80, 0xac, 0xf0, 0xb5, 0xf2, 0x8b, 0x1c, 0xc0, 0xea,
        ],
    },
];

/// The test federation that a pinned certificate (DER) belongs to, where `environment` must not trust it.
///
/// Only the known ones can be told. In `test` and `dev` every anchor is taken: a production feed gives nobody away
/// there.
pub fn foreign_anchor(environment: Environment, certificate: &[u8]) -> Option<&'static str> {
    by_digest(environment, &sha256(certificate))
}

fn by_digest(environment: Environment, digest: &[u8; 32]) -> Option<&'static str> {
    if environment != Environment::Production {
        return None;
    }
    TEST_ANCHORS.iter().find(|anchor| anchor.sha256 == *digest).map(|anchor| anchor.name)
}

/// Lets a provider of a feed in, unless it signs with a key that the demo made and `environment` is not for those.
///
/// # Errors
/// `demo_key`. The whole provider is refused, not the one key: what else it publishes is of the same maker.
pub fn admit(environment: Environment, idp: IdpMetadata) -> Result<IdpMetadata, Reject> {
    if environment != Environment::Dev && idp.signing_keys.iter().any(|key| key.is_demo()) {
        let what = format_args!("{} signs with a key that grindvakt-demo made", idp.entity_id);
        return Err(demo_key(&what));
    }
    Ok(idp)
}

/// Refuses a pinned certificate (DER) that the demo made where `environment` is not for those.
///
/// # Errors
/// `demo_key`.
pub fn admit_signer(environment: Environment, certificate: &[u8]) -> Result<(), Reject> {
    if environment != Environment::Dev && is_demo_certificate(certificate) {
        return Err(demo_key(&"the feed's signer is a key that grindvakt-demo made"));
    }
    Ok(())
}

fn demo_key(what: &dyn std::fmt::Display) -> Reject {
    let detail = format_args!(
        "{what}: whoever runs the demo logs in as anyone. Demo keys are for environment \"dev\" on loopback alone"
    );
    Reject::new(Reason::DemoKey, detail)
}

/// The test federation that publishes a feed, where `environment` must not trust it: by the host of the publisher that
/// the verified feed names.
pub fn foreign_publisher(environment: Environment, publisher: Option<&str>) -> Option<&str> {
    let host = publisher.map(|name| name.split_once("://").map_or(name, |(_, rest)| rest));
    let host = host.map(|rest| rest.split([':', '/']).next().unwrap_or_default());
    host.filter(|host| environment == Environment::Production && is_test_host(&host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_trusts_no_test_federation() {
        for anchor in &TEST_ANCHORS {
            assert_eq!(by_digest(Environment::Production, &anchor.sha256), Some(anchor.name));
            assert_eq!(by_digest(Environment::Test, &anchor.sha256), None);
            assert_eq!(by_digest(Environment::Dev, &anchor.sha256), None);
        }
        assert_eq!(foreign_anchor(Environment::Production, b"someone's certificate"), None);
        for (publisher, foreign) in [
            (Some("https://qa.md.swedenconnect.se/"), Some("qa.md.swedenconnect.se")),
            (Some("https://eid.svelegtest.se:443/x"), Some("eid.svelegtest.se")),
            (Some("QA.md.swedenconnect.se"), Some("QA.md.swedenconnect.se")),
            (Some("https://md.swedenconnect.se/"), None),
            (Some("https://notsvelegtest.se/"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(foreign_publisher(Environment::Production, publisher), foreign, "{publisher:?}");
            assert_eq!(foreign_publisher(Environment::Test, publisher), None);
        }
    }
}
