//! What does not open tells nothing of why (T30): the vectors marked `opaque` and the keys behind them, judged side by side.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grindvakt::base::{Secret, UnixTime};
use grindvakt::crypto::encryption::{KeyTransport, UnwrapKey};
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::verify::Reject;
use grindvakt::verify::saml::metadata::{FeedExpect, read_feed};
use grindvakt::verify::saml::{Binding, Expect, IdpMetadata, Profile, Received, Signed};

use crate::saml_vectors::{Case, Cases, batch, folder, line};

/// 2026-03-01T10:00:05Z, when nearly every case is judged.
const NOW: UnixTime = UnixTime::from_secs(1_772_359_205);

fn cases(wanted: impl Fn(&Case) -> bool) -> Vec<Case> {
    let text = std::fs::read_to_string(folder().join("cases.toml")).unwrap();
    let cases: Cases = toml::from_str(&text).unwrap();
    cases.case.into_iter().filter(wanted).collect()
}

/// Our keys, which count how often they are asked.
#[derive(Debug)]
struct Counting {
    keys: DecryptionKeys,
    asked: AtomicUsize,
}

impl Counting {
    fn new() -> Self {
        let mut keys = DecryptionKeys::default();
        for name in ["sp-decrypt", "sp-decrypt-old"] {
            let pem = std::fs::read(folder().join(format!("../keys/{name}.pem"))).unwrap();
            keys.add(&Secret::new(pem), "sp").unwrap();
        }
        Self { keys, asked: AtomicUsize::new(0) }
    }
}

impl UnwrapKey for Counting {
    fn unwrap_key(&self, transport: &KeyTransport, wrapped: &[u8]) -> Option<Secret<Vec<u8>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.keys.unwrap_key(transport, wrapped)
    }
}

/// A holder of keys that answers the same to everything.
#[derive(Debug)]
struct Answers(Option<usize>);

impl UnwrapKey for Answers {
    fn unwrap_key(&self, _transport: &KeyTransport, _wrapped: &[u8]) -> Option<Secret<Vec<u8>>> {
        self.0.map(|bytes| Secret::new(vec![7; bytes]))
    }
}

fn providers() -> Vec<IdpMetadata> {
    let feed = std::fs::read(folder().join("metadata.xml")).unwrap();
    read_feed(&feed, &FeedExpect { signers: &[], now: NOW, only: None, second_reader: false }).unwrap().idps
}

/// What the verifier says of the case's message with these keys.
fn judge(file: &str, providers: &[IdpMetadata], decryption: &dyn UnwrapKey) -> Result<(), Reject> {
    let xml = std::fs::read(folder().join(file)).unwrap();
    let received = Received::parse(&xml, true).unwrap();
    let issuer = received.issuer_hint().unwrap().into_owned();
    let broker = issuer.contains("broker");
    let acs = ["https://sp.example.se/eid/saml/acs".to_owned()];
    let local_loa = ["http://id.swedenconnect.se/loa/1.0/uncertified-loa3".to_owned()];
    let expect = Expect {
        idp: providers.iter().find(|idp| idp.entity_id == issuer).unwrap(),
        audience: "https://sp.example.se/sp",
        acs: &acs,
        binding: Binding::Request { id: "_req1", issued_at: NOW.minus(Duration::from_secs(60)), loa: &[] },
        profile: if broker { Profile::SamlCore } else { Profile::Federation },
        signed: if broker { Signed::Assertion } else { Signed::Response },
        decryption,
        encryption_required: true,
        allow_unsolicited: false,
        eidas_connector: false,
        force_authn: true,
        local_loa: if broker { &local_loa } else { &[] },
        loa_map: &[],
        authenticating_authorities: &[],
        clock_skew: Duration::from_secs(60),
        max_age: Duration::from_secs(180),
    };
    received.verify(&expect, NOW).map(|_| ())
}

/// The whole answer of the command, not its code alone.
#[test]
fn t30_every_failure_that_hangs_on_a_key_has_one_answer() {
    let opaque = cases(|case| case.opaque);
    assert!(opaque.len() >= 50, "only {}", opaque.len());
    let mut input = String::new();
    for (id, case) in opaque.iter().enumerate() {
        writeln!(input, "{}", line(id, case)).unwrap();
    }
    let verdicts = batch(&folder().join("grindvakt.toml"), input.into_bytes());
    assert_eq!(verdicts.len(), opaque.len());
    let mut answers = BTreeSet::new();
    for mut verdict in verdicts {
        let verdict = verdict.as_object_mut().unwrap();
        // Which line and which provider: the sender knows both.
        assert!(verdict.remove("id").is_some() && verdict.remove("provider").is_some());
        answers.insert(serde_json::to_string(verdict).unwrap());
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

/// Every message with one EncryptedKey costs one unwrapping, whether it opens or not and wherever it fails. (How long the
/// content is worked at is not seen from here.)
#[test]
fn t30_every_failure_that_hangs_on_a_key_asks_the_keys_as_often_as_success() {
    let (providers, keys) = (providers(), Counting::new());
    let mut refused = BTreeSet::new();
    let opens =
        ["accept-enc-gcm256-mgf1p-plain.xml", "accept-enc-cbc256-mgf1p-plain.xml", "accept-enc-broker-gcm256.xml"];
    let opaque = cases(|case| case.opaque || opens.contains(&case.file.as_str()));
    for case in &opaque {
        keys.asked.store(0, Ordering::Relaxed);
        let verdict = judge(&case.file, &providers, &keys);
        assert_eq!(keys.asked.load(Ordering::Relaxed), 1, "{}", case.file);
        assert_eq!(verdict.is_ok(), !case.opaque, "{}: {verdict:?}", case.file);
        refused.extend(verdict.err().map(|reject| (reject.code(), reject.detail().to_owned())));
    }
    assert_eq!(refused.len(), 1, "{refused:#?}");

    // Whatever comes out of the unwrapping, of a good message: nothing, a wrong key, a key of a wrong size.
    for answer in [None, Some(0), Some(16), Some(31), Some(32), Some(33), Some(64)] {
        let reject = judge(opens[0], &providers, &Answers(answer)).unwrap_err();
        assert!(refused.contains(&(reject.code(), reject.detail().to_owned())), "{answer:?}: {reject:?}");
    }
}

/// Whose word a message is not, and what it says wrong of itself, is known before a private key is touched.
#[test]
fn t14_t30_no_key_is_asked_before_the_signature_and_the_algorithms_are_judged() {
    let (providers, keys) = (providers(), Counting::new());
    let starts = [
        "after-",
        "around-wrong",
        "unsigned-cbc",
        "unsigned-response",
        "unsigned-not",
        "destination",
        "rsa15-",
        "3des-",
        "content-",
        "mixed-",
        "recipient-other",
        "recipients-five",
        "retrieval-",
        "beside-",
    ];
    let judged = cases(|case| {
        // The broker and one provider of the federation: `judge` knows no other.
        let name = case.file.strip_prefix("reject-enc-").unwrap_or_default();
        starts.iter().any(|start| name.starts_with(start))
            && !name.contains("either")
            && case.config == "grindvakt.toml"
    });
    assert!(judged.len() >= 40, "only {}", judged.len());
    for case in judged {
        let reject = judge(&case.file, &providers, &keys).unwrap_err();
        assert_eq!((reject.code(), keys.asked.load(Ordering::Relaxed)), (case.expect.as_str(), 0), "{}", case.file);
    }
}
