//! What a visitor of the demo can choose gets the verdict that its label promises, in every way of signing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use grindvakt::base::UnixTime;
use grindvakt::crypto::trusted::PublicKey;
use grindvakt::verify::saml::metadata::{Feed as ReadFeed, FeedExpect, read_feed};
use grindvakt::verify::saml::{Assertion, Binding, Expect, IdpMetadata, Profile, Received, Signed};
use grindvakt::verify::{Reason, Reject};
use grindvakt_demo::key::Algorithm;
use grindvakt_demo::names::loa_uri;
use grindvakt_demo::person::nils;
use grindvakt_demo::{DemoIdp, DemoKey, Feed, Outcome, Request, Sign};

const SP: &str = "https://etjanst.example.se/sp";
const ACS: &str = "https://etjanst.example.se/eid/saml/acs";

fn now() -> UnixTime {
    UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap()
}

fn request() -> Request {
    Request {
        id: "_b1946ac92492d2347c6235b4d2611184".to_owned(),
        issuer: SP.to_owned(),
        acs_url: ACS.to_owned(),
        destination: "https://bankid.example.se/sso".to_owned(),
        issue_instant: now(),
        force_authn: true,
        principal: Vec::new(),
        loa: vec![loa_uri("loa3"), loa_uri("uncertified-loa3")],
    }
}

fn feed(xml: &str, operator: &DemoKey) -> Result<ReadFeed, Reject> {
    let signers = [PublicKey::from_certificate(operator.certificate()).unwrap()];
    read_feed(xml.as_bytes(), &FeedExpect { signers: &signers, now: now(), only: None, second_reader: true })
}

fn metadata(idp: &DemoIdp) -> IdpMetadata {
    let operator = DemoKey::p256("operator");
    let xml = Feed::new().idp(idp).valid_for(now(), Duration::from_secs(3600)).build_signed(&operator);
    feed(&xml, &operator).unwrap().idps.pop().unwrap()
}

fn verify(idp: &IdpMetadata, xml: &str, signed: Signed, request: &Request) -> Result<Assertion, Reject> {
    let expect = Expect {
        idp,
        audience: SP,
        acs: &[ACS.to_owned()],
        binding: Binding::Request { id: &request.id, issued_at: request.issue_instant, loa: &request.loa },
        profile: Profile::Federation,
        signed,
        decryption: &grindvakt::crypto::encryption::NoKeys,
        encryption_required: false,
        allow_unsolicited: false,
        eidas_connector: false,
        force_authn: true,
        local_loa: &[],
        loa_map: &[],
        authenticating_authorities: &[],
        clock_skew: Duration::from_secs(60),
        max_age: Duration::from_secs(180),
    };
    let received = Received::parse(xml.as_bytes(), true)?;
    Ok(received.verify(&expect, now().plus(Duration::from_secs(2)))?.claims().clone())
}

/// The code of each outcome, for a signed Response.
const fn reason(outcome: Outcome) -> Option<Reason> {
    Some(match outcome {
        // A replay is a genuine answer: what refuses it is the memory of used ones, outside the verifier.
        Outcome::Success | Outcome::Replay => return None,
        Outcome::Cancel => Reason::StatusCancel,
        Outcome::AuthnFailed => Reason::StatusAuthnFailed,
        Outcome::PossibleFraud => Reason::StatusPossibleFraud,
        Outcome::Fraud => Reason::StatusFraud,
        Outcome::NoAuthnContext => Reason::StatusNoAuthnContext,
        Outcome::ProviderError => Reason::StatusError,
        Outcome::WrongAudience => Reason::AudienceMismatch,
        Outcome::WrongRecipient => Reason::DestinationMismatch,
        Outcome::WrongRequest => Reason::InResponseToMismatch,
        Outcome::Unsolicited => Reason::InResponseToMissing,
        Outcome::WrongIssuer => Reason::IssuerMismatch,
        Outcome::Expired => Reason::Expired,
        Outcome::NotYetValid => Reason::NotYetValid,
        Outcome::OldLogin => Reason::AuthnTooOld,
        Outcome::Unsigned => Reason::SignatureMissing,
        Outcome::WrongKey => Reason::SignatureInvalid,
        Outcome::Tampered => Reason::DigestMismatch,
        // Two assertions, wherever they hide, are one too many: that is found before any signature is looked at.
        Outcome::Wrapped => Reason::AssertionMultiple,
        Outcome::Doctype => Reason::XmlDoctype,
    })
}

#[test]
fn every_outcome_gets_its_verdict() {
    let key = Arc::new(DemoKey::rsa("idp"));
    for (sign, signed) in
        [(Sign::Response, Signed::Response), (Sign::Assertion, Signed::Assertion), (Sign::Both, Signed::Response)]
    {
        let idp =
            DemoIdp::with_key("https://bankid.example.se/idp", "https://bankid.example.se", key.clone()).signs(sign);
        let known = metadata(&idp);
        for outcome in Outcome::ALL {
            let xml = idp.response(&request()).outcome(outcome).build();
            let got = verify(&known, &xml, signed, &request()).map(|_| ()).map_err(|reject| reject.reason());
            let want = match (outcome, sign) {
                // Here the hidden assertion has a Signature of its own, in a place where none may be.
                (Outcome::Wrapped, Sign::Both) => Err(Reason::SignatureMisplaced),
                _ => reason(outcome).map_or(Ok(()), Err),
            };
            assert_eq!(got, want, "{outcome:?} with {sign:?} signed");
        }
    }
}

#[test]
fn a_good_answer_says_who_logged_in() {
    let idp = DemoIdp::new("https://bankid.example.se/idp", "https://bankid.example.se");
    let xml = idp.response(&request()).person(&nils()).loa("uncertified-loa3").pad_to(8_600).build();
    let assertion = verify(&metadata(&idp), &xml, Signed::Response, &request()).unwrap();
    assert_eq!(assertion.loa, "http://id.swedenconnect.se/loa/1.0/uncertified-loa3");
    assert_eq!(assertion.in_response_to, Some(request().id));
    let value = |name: &str| assertion.attributes.iter().find(|a| a.name == name).map(|a| a.values.clone());
    assert_eq!(value("urn:oid:1.2.752.29.4.13"), Some(vec!["195207306886".to_owned()]));
    assert_eq!(value("urn:oid:2.16.840.1.113730.3.1.241"), Some(vec!["Nils Ström-O'Hara".to_owned()]));
}

#[test]
fn every_algorithm_of_the_signer_is_taken() {
    let keys = [
        DemoKey::rsa("idp").with_algorithm(Algorithm::RsaSha384),
        DemoKey::rsa("idp").with_algorithm(Algorithm::RsaSha512),
        DemoKey::p256("idp"),
    ];
    for key in keys {
        let algorithm = key.algorithm();
        let idp = DemoIdp::with_key("https://idp.example.se", "https://idp.example.se", Arc::new(key));
        let got = verify(&metadata(&idp), &idp.response(&request()).build(), Signed::Response, &request());
        assert!(got.is_ok(), "{algorithm:?}: {:?}", got.err());
    }
}

#[test]
fn a_level_that_was_not_asked_for_or_not_certified_is_refused() {
    let idp = DemoIdp::new("https://idp.example.se", "https://idp.example.se").certified(&["loa2", "uncertified-loa3"]);
    let known = metadata(&idp);
    let refused = |loa: &str| {
        let xml = idp.response(&request()).loa(loa).build();
        verify(&known, &xml, Signed::Response, &request()).map(|_| ()).map_err(|reject| reject.reason())
    };
    assert_eq!(refused("uncertified-loa3"), Ok(()));
    assert_eq!(refused("loa2"), Err(Reason::LoaNotRequested));
    assert_eq!(refused("loa3"), Err(Reason::LoaNotCertified));
}

#[test]
fn metadata_says_what_the_provider_is() {
    let (old, new) = (Arc::new(DemoKey::rsa("old")), Arc::new(DemoKey::p256("new")));
    let idp = DemoIdp::with_key("urn:demo:freja", "http://freja.localhost:8082", old.clone())
        .named("Freja (demo)")
        .certified(&["loa2", "loa3"])
        .scopes(&["2021006883"])
        .rolled_over(new.clone(), vec![old, new]);
    let known = metadata(&idp);
    assert_eq!(known.entity_id, "urn:demo:freja");
    assert_eq!(known.signing_keys.len(), 2);
    assert_eq!(known.loa, [loa_uri("loa2"), loa_uri("loa3")]);
    assert_eq!(known.scopes[0].value, "2021006883");
    assert_eq!(known.sso.len(), 2);
    assert!(known.want_authn_requests_signed);
    assert_eq!(known.display_names[0], ("sv".to_owned(), "Freja (demo)".to_owned()));

    let operator = DemoKey::rsa("operator");
    let xml = Feed::new().idp(&idp).build_signed(&operator);
    assert!(feed(&xml, &operator).is_ok());
    let stranger = DemoKey::rsa("stranger");
    assert_eq!(feed(&xml, &stranger).unwrap_err().reason(), Reason::SignatureInvalid);
    assert_eq!(feed(&Feed::new().idp(&idp).build(), &operator).unwrap_err().reason(), Reason::SignatureMissing);
}
