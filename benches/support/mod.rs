//! What the benchmarks measure: a provider that signs, its messages, and a gate with somebody logged in.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub mod front;

use std::time::Duration;

use grindvakt::base::{Secret, UnixTime};
use grindvakt::crypto::encryption::{NoKeys, UnwrapKey};
use grindvakt::crypto::own::DecryptionKeys;
use grindvakt::verify::saml::metadata::{FeedExpect, read_feed};
use grindvakt::verify::saml::{Binding, Expect, IdpMetadata, Profile, Received, Signed};
use grindvakt_demo::{DemoIdp, DemoKey, EncryptionKey, Feed, Request, Sign};

pub const SP: &str = "https://etjanst.example.se/sp";
pub const ACS: &str = "https://etjanst.example.se/eid/saml/acs";
pub const NOW: UnixTime = UnixTime::from_secs(1_772_359_200);
const LOA: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

/// A provider, a request to it, and what its answers are held against.
pub struct Saml {
    pub idp: DemoIdp,
    pub metadata: IdpMetadata,
    pub keys: DecryptionKeys,
    request: Request,
    encrypt_to: Option<EncryptionKey>,
    acs: Vec<String>,
    loa: Vec<String>,
}

impl Saml {
    pub fn new(sign: Sign) -> Self {
        Self::of(DemoIdp::new("https://idp.example.se/saml", "https://idp.example.se").signs(sign))
    }

    pub fn of(idp: DemoIdp) -> Self {
        let feed = Feed::new().idp(&idp).build();
        let expect = FeedExpect { signers: &[], now: NOW, only: None, second_reader: true };
        let metadata = read_feed(feed.as_bytes(), &expect).expect("a demo feed").idps.remove(0);
        let loa = vec![LOA.to_owned()];
        let request = Request {
            id: "_5f8a1cbe4f0d4b6b".into(),
            issuer: SP.into(),
            acs_url: ACS.into(),
            destination: idp.sso_url(),
            issue_instant: NOW,
            force_authn: true,
            principal: Vec::new(),
            loa: loa.clone(),
        };
        Self { idp, metadata, keys: DecryptionKeys::default(), request, encrypt_to: None, acs: vec![ACS.into()], loa }
    }

    /// From now on its assertions come encrypted to a key of 2048 bits.
    pub fn encrypted(mut self) -> Self {
        let key = DemoKey::rsa("decryption");
        self.keys.add(&Secret::new(key.private_pem().into_bytes()), "sp").expect("an RSA key");
        self.encrypt_to = EncryptionKey::from_certificate(key.certificate());
        self
    }

    /// A message of about so many bytes.
    pub fn response(&self, bytes: usize) -> String {
        let builder = self.idp.response(&self.request).assertion_id("_1f0e2d3c4b5a69788796a5b4c3d2e1f0");
        builder.encrypted_to(self.encrypt_to.clone()).pad_to(bytes).build()
    }

    pub fn expect(&self) -> Expect<'_> {
        let encrypted = !self.keys.is_empty();
        let decryption: &dyn UnwrapKey = if encrypted { &self.keys } else { &NoKeys };
        Expect {
            idp: &self.metadata,
            audience: SP,
            acs: &self.acs,
            binding: Binding::Request { id: &self.request.id, issued_at: NOW, loa: &self.loa },
            profile: Profile::Federation,
            signed: Signed::Response,
            decryption,
            encryption_required: encrypted,
            allow_unsolicited: false,
            eidas_connector: false,
            force_authn: true,
            local_loa: &[],
            loa_map: &[],
            authenticating_authorities: &[],
            clock_skew: Duration::from_secs(60),
            max_age: Duration::from_secs(180),
        }
    }

    /// Reads and verifies a message, as the server does.
    pub fn verify(&self, message: &[u8], expect: &Expect<'_>) -> bool {
        Received::parse(message, false).and_then(|received| received.verify(expect, NOW)).is_ok()
    }
}
