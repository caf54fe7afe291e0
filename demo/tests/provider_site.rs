//! The demo providers' web site: whose requests it takes, and what it sends back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use grindvakt::base::{ManualClock, UnixTime};
use grindvakt_demo::idp::IdpSite;
use grindvakt_demo::sign::{Place, enveloped};
use grindvakt_demo::xml::{Element, element};
use grindvakt_demo::{DemoIdp, DemoKey, KnownService, form};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;

const SP: &str = "http://etjanst.localhost:8080/sp";
const ACS: &str = "http://etjanst.localhost:8080/eid/saml/acs";
const SSO: &str = "http://bankid.localhost:8081/sso";

struct Rig {
    site: IdpSite,
    key: DemoKey,
}

fn rig() -> Rig {
    let clock = ManualClock::at(UnixTime::parse_rfc3339("2026-03-01T10:00:00Z").unwrap());
    let idp = DemoIdp::new("http://bankid.localhost:8081/idp", "http://bankid.localhost:8081");
    let site = IdpSite::new(idp, "BankID", Arc::new(clock));
    let key = DemoKey::p256("sp");
    let certificate = element("ds:X509Certificate").text(key.certificate_base64());
    let metadata = element("md:EntityDescriptor").attr("entityID", SP).child(
        element("md:SPSSODescriptor")
            .child(element("md:KeyDescriptor").child(element("ds:KeyInfo").child(certificate)))
            .child(element("md:AssertionConsumerService").attr("Location", ACS)),
    );
    site.knows(KnownService::from_metadata(&metadata.canonical()).unwrap());
    Rig { site, key }
}

fn authn_request(issuer: &str, acs: &str, destination: &str) -> Element {
    element("samlp:AuthnRequest")
        .attr("ID", "_request")
        .attr("Version", "2.0")
        .attr("IssueInstant", "2026-03-01T09:59:58Z")
        .attr("Destination", destination)
        .attr("AssertionConsumerServiceURL", acs)
        .attr("ForceAuthn", "true")
        .child(element("saml:Issuer").text(issuer))
        .child(
            element("samlp:RequestedAuthnContext").child(
                element("saml:AuthnContextClassRef").text("http://id.swedenconnect.se/loa/1.0/uncertified-loa3"),
            ),
        )
}

/// The query of a request by HTTP-Redirect.
fn query(request: &Element, key: &DemoKey) -> String {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(request.canonical().as_bytes()).unwrap();
    let message = base64_simd::STANDARD.encode_to_string(deflate.finish().unwrap());
    let unsigned =
        form::encode([("SAMLRequest", message.as_str()), ("RelayState", "handle"), ("SigAlg", key.algorithm().uri())]);
    let signature = base64_simd::STANDARD.encode_to_string(key.sign(unsigned.as_bytes()));
    format!("{unsigned}&{}", form::encode([("Signature", signature.as_str())]))
}

async fn send(site: &IdpSite, method: Method, uri: &str, body: String) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(uri).body(Bytes::from(body)).unwrap();
    let (head, body) = site.handle(request).into_parts();
    (head.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

async fn redirect(rig: &Rig, request: &Element, key: &DemoKey) -> (StatusCode, String) {
    send(&rig.site, Method::GET, &format!("/sso?{}", query(request, key)), String::new()).await
}

#[tokio::test]
async fn a_visitor_chooses_and_is_sent_back_with_the_answer() {
    let rig = rig();
    let (status, page) = redirect(&rig, &authn_request(SP, ACS, SSO), &rig.key).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let choice = form::forms(&page).remove(0);
    assert_eq!(choice.field("outcome"), Some("success"));
    assert_eq!(choice.field("loa"), Some("http://id.swedenconnect.se/loa/1.0/uncertified-loa3"));

    let answer = |outcome: &str| {
        let form = choice.clone().fill("outcome", outcome).fill("person", "1");
        form::encode(form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    };
    let sent = async |outcome: &str| {
        let (status, page) = send(&rig.site, Method::POST, "/answer", answer(outcome)).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        form::forms(&page).remove(0)
    };
    let good = sent("success").await;
    assert_eq!((good.action.as_str(), good.post, good.field("RelayState")), (ACS, true, Some("handle")));
    let decoded = |form: &form::Form| {
        let xml = base64_simd::STANDARD.decode_to_vec(form.field("SAMLResponse").unwrap()).unwrap();
        String::from_utf8(xml).unwrap()
    };
    let xml = decoded(&good);
    assert!(xml.contains("195207306886") && xml.contains("InResponseTo=\"_request\""), "{xml}");
    assert!(xml.contains("IssueInstant=\"2026-03-01T10:00:00Z\""), "made by the site's clock: {xml}");

    // The answer of the last good login, word for word; a new one is another message.
    assert_eq!(decoded(&sent("replay").await), xml);
    assert_ne!(decoded(&sent("success").await), xml);
    assert!(decoded(&sent("cancel").await).contains("status/1.0/cancel"));
}

#[tokio::test]
async fn a_posted_request_is_taken_when_its_signature_holds() {
    let rig = rig();
    let post = async |request: Element| {
        let message = base64_simd::STANDARD.encode_to_string(request.canonical());
        send(&rig.site, Method::POST, "/sso", form::encode([("SAMLRequest", message.as_str())])).await
    };
    let signed = enveloped(authn_request(SP, ACS, SSO), &rig.key, Place::AfterIssuer);
    let (status, page) = post(signed.clone()).await;
    assert_eq!(status, StatusCode::OK, "{page}");

    for (request, says) in [
        (authn_request(SP, ACS, SSO), "is not signed"),
        (signed.with_attr("ForceAuthn", "false"), "its digest"),
        (enveloped(authn_request(SP, ACS, SSO), &DemoKey::p256("x"), Place::AfterIssuer), "no key of the service"),
    ] {
        let (status, page) = post(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(page.contains(says), "{says}: {page}");
    }
}

#[tokio::test]
async fn a_request_of_a_stranger_or_for_another_address_is_refused() {
    let rig = rig();
    for (request, says) in [
        (authn_request("http://annan/sp", ACS, SSO), "no service of this name"),
        (authn_request(SP, "http://annan/acs", SSO), "not registered this address"),
        (authn_request(SP, ACS, "http://freja.localhost:8082/sso"), "is addressed to"),
    ] {
        let (status, page) = redirect(&rig, &request, &rig.key).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(page.contains(says), "{says}: {page}");
    }
    let good = authn_request(SP, ACS, SSO);
    let (status, page) = redirect(&rig, &good, &DemoKey::p256("x")).await;
    assert!(status == StatusCode::BAD_REQUEST && page.contains("no key of the service"), "{page}");

    let signed = query(&good, &rig.key);
    for (changed, says) in [
        (signed.replace("RelayState=handle", "RelayState=another"), "no key of the service"),
        (signed.split("&SigAlg").next().unwrap().to_owned(), "is not signed"),
        (format!("{signed}&RelayState=handle"), "a parameter stands twice"),
    ] {
        let (status, page) = send(&rig.site, Method::GET, &format!("/sso?{changed}"), String::new()).await;
        assert!(status == StatusCode::BAD_REQUEST && page.contains(says), "{says}: {page}");
    }
}

#[tokio::test]
async fn a_page_runs_its_one_line_and_nothing_else() {
    use grindvakt::crypto::digest::sha256;
    let rig = rig();
    let (_, page) = redirect(&rig, &authn_request(SP, ACS, SSO), &rig.key).await;
    let choice = form::forms(&page).remove(0);
    let body = form::encode(choice.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let request = Request::builder().method(Method::POST).uri("/answer").body(Bytes::from(body)).unwrap();
    let (head, body) = rig.site.handle(request).into_parts();
    let page = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let policy = head.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let inside = page.split_once(&format!("<{tag}>")).unwrap().1.split_once(&format!("</{tag}>")).unwrap().0;
        let hash = base64_simd::STANDARD.encode_to_string(sha256(inside.as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{tag}: {policy}");
    }
}
