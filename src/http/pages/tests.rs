//! Pages under hostile input, and what every page carries.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::base::{EidId, ProviderId};
use crate::crypto::digest::SystemRandom;
use crate::gate::Trouble;

fn site() -> Site {
    Site {
        service_name: "Tjänst & <b>Co</b>".into(),
        prefix: "/eid".into(),
        home: "/".into(),
        origin: "https://etjanst.example.se".into(),
        contact: Some("help@example.se".into()),
        phone: Some("0771-000 000".into()),
        other_ways_url: Some("https://example.se/\"><script>".into()),
        accessibility_url: Some("https://example.se/t".into()),
        privacy_url: Some("https://example.se/p".into()),
    }
}

fn option(eid: &str, label: &str, usable: bool) -> Choice {
    Choice {
        eid: EidId::new(eid).unwrap(),
        label: label.into(),
        provider: ProviderId::new("p").unwrap(),
        usable,
        trouble: (!usable).then_some(Trouble::WithoutKeys),
    }
}

fn body(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

fn asks() -> Confirm {
    Confirm {
        token: "\"><script>1</script>".into(),
        name: Some("<Åsa>".into()),
        label: "BankID".into(),
        set_cookies: vec![],
    }
}

fn every_page(locale: Locale) -> Vec<Response<Bytes>> {
    let site = site();
    let reference = Reference::new(&SystemRandom::new()).unwrap();
    let mut pages = vec![
        choose(&site, locale, &[option("bankid", "BankID", true), option("freja", "Freja", false)], "/a?b=c&d"),
        logged_out(&site, locale),
        logout_ask(&site, locale),
        confirm(&site, locale, &asks()),
        to_provider(&site, locale, "https://idp.example.se:8443/sso", &[("SAMLRequest", "abc")]),
        repost(&site, locale, &[("SAMLResponse", "abc")]),
    ];
    for p in Problem::ALL {
        pages.push(problem(&site, locale, StatusCode::FORBIDDEN, *p, Some(reference), Some("/a")));
    }
    pages
}

#[test]
fn every_page_carries_the_headers_and_one_heading_in_its_language() {
    for locale in [Locale::Sv, Locale::En] {
        for answer in every_page(locale) {
            let headers = answer.headers();
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "same-origin");
            assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            for directive in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(directive), "{policy}");
            }
            assert!(!policy.contains("unsafe"), "{policy}");
            let html = body(&answer);
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())));
            assert_eq!(html.matches("<h1>").count(), 1, "{html}");
            let (_, after) = html.split_once("<h1>").unwrap();
            let heading = after.split("</h1>").next().unwrap();
            assert!(html.contains(&format!("<title>{heading} – ")), "the title begins with the matter: {html}");
            assert!(!html.contains("style=") && !html.contains("onclick"), "{html}");
            assert!(!html.contains("<b>Co") && !html.contains("\"><script>"), "not escaped: {html}");
        }
    }
}

#[test]
fn hostile_labels_and_targets_stay_text() {
    let rd = "/a?x=\"><script>alert(1)</script>&y='#frag";
    let html = body(&choose(&site(), Locale::Sv, &[option("bankid", "<img src=x onerror=1>", true)], rd));
    assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
    let wanted = "/eid/login?rd=/a%3Fx%3D%22%3E%3Cscript%3Ealert%281%29%3C/script%3E%26y%3D%27%23frag&#38;eid=bankid";
    assert!(html.contains(wanted), "{html}");

    let html = body(&confirm(&site(), Locale::Sv, &asks()));
    assert!(!html.contains("<script") && !html.contains("<Åsa>"), "{html}");

    let fields = [("SAMLRequest", "\"><script>alert(1)</script>")];
    let html = body(&to_provider(&site(), Locale::Sv, "https://idp.example.se/\"><script>", &fields));
    assert_eq!(html.matches("<script").count(), 1, "only our own: {html}");
}

#[test]
fn only_pages_that_post_by_themselves_may_run_the_one_script() {
    let posts = to_provider(&site(), Locale::Sv, "https://idp.example.se:8443/sso?a=b", &[("SAMLRequest", "abc")]);
    let policy = posts.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    let html = body(&posts);
    let script = html.split_once("<script>").unwrap().1.split("</script>").next().unwrap();
    let digest = base64_simd::STANDARD.encode_to_string(sha256(script.as_bytes()));
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    assert!(html.contains("<button"), "works without the script");
    assert!(html.contains("name=\"SAMLRequest\" value=\"abc\""));

    let own = repost(&site(), Locale::Sv, &[("SAMLResponse", "abc")]);
    let policy = own.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    for quiet in [logout_ask(&site(), Locale::Sv), confirm(&site(), Locale::Sv, &asks())] {
        assert!(!quiet.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src"));
    }
}

/// A browser holds the directive against every redirect after the form, and the e-service may send people on as well.
#[test]
fn what_is_answered_by_a_redirect_may_lead_on_and_nothing_else() {
    let directive = |answer: &Response<Bytes>| {
        let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        policy.split("; ").find(|d| d.starts_with("form-action")).unwrap().to_owned()
    };
    let https = "form-action 'self' https:";
    for (address, expected) in [
        ("https://idp.example.se:8443/sso", https),
        ("https://a;script-src *,b/", https),
        ("http://idp.localhost:8081/sso", "form-action 'self' http: https:"),
        ("javascript:alert(1)", "form-action 'self'"),
        ("data:text/html,x", "form-action 'self'"),
        ("", "form-action 'self'"),
    ] {
        assert_eq!(directive(&to_provider(&site(), Locale::Sv, address, &[])), expected, "{address}");
        let here = Site { origin: address.to_owned(), ..site() };
        assert_eq!(directive(&repost(&here, Locale::Sv, &[])), expected, "{address}");
        assert_eq!(directive(&confirm(&here, Locale::Sv, &asks())), expected, "{address}");
        assert_eq!(directive(&logout_ask(&here, Locale::Sv)), "form-action 'self'", "{address}");
    }
}
