//! The table of answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::base::RouteName;
use crate::crypto::digest::SystemRandom;
use crate::replay::ReplayError;
use crate::verify::Reject;

fn site() -> Site {
    Site { service_name: "Tjänst".into(), prefix: "/eid".into(), home: "/".into(), ..Site::default() }
}

fn person() -> Asked<'static> {
    Asked {
        navigation: true,
        page: true,
        grpc: false,
        locale: Locale::Sv,
        target: "/ansokan?id=1&x=å",
        now: UnixTime::from_secs(0),
    }
}

fn program() -> Asked<'static> {
    Asked { navigation: false, page: false, ..person() }
}

fn route() -> RouteName {
    RouteName::new("/ansokan")
}

fn step_up(reason: Reason) -> Denial {
    Denial::StepUp { route: route(), lacks: Reject::from(reason) }
}

fn rejected_for(reason: Reason) -> Denial {
    Denial::Rejected(Reject::new(reason, "secret detail 195006262546"))
}

fn reference() -> Reference {
    Reference::new(&SystemRandom::new()).unwrap()
}

fn json(answer: &Response<Bytes>) -> serde_json::Value {
    serde_json::from_slice(answer.body()).unwrap()
}

#[test]
fn each_denial_has_its_status_for_a_person_and_a_program() {
    let table: Vec<(Denial, u16, u16)> = vec![
        (Denial::NeedsLogin { route: route() }, 303, 401),
        (step_up(Reason::LoaNotAllowed), 303, 403),
        (step_up(Reason::RequiredAttributeMissing), 303, 403),
        (rejected_for(Reason::SignatureInvalid), 403, 403),
        (rejected_for(Reason::StatusCancel), 403, 403),
        (rejected_for(Reason::XmlDoctype), 403, 403),
        (rejected_for(Reason::StateMissing), 400, 400),
        (rejected_for(Reason::StateInvalid), 400, 400),
        (rejected_for(Reason::StateExpired), 400, 400),
        (rejected_for(Reason::LoginOtherInstance), 400, 400),
        (rejected_for(Reason::MessageEncoding), 400, 400),
        (rejected_for(Reason::MessageTooLarge), 413, 413),
        (rejected_for(Reason::ProviderWithoutKeys), 503, 503),
        (Denial::Replayed(Reject::from(Reason::Replayed)), 403, 403),
        (rejected_for(Reason::LoginInProgress), 409, 409),
        (Denial::OtherPerson, 403, 403),
        (Denial::ProvidersDown, 503, 503),
        (Denial::StoreDown(ReplayError::Full), 503, 503),
        (Denial::Overloaded, 503, 503),
        (Denial::Internal(reference()), 500, 500),
    ];
    for (denial, person_status, program_status) in table {
        let to_person = denied(&site(), &person(), &denial, reference());
        assert_eq!(to_person.status(), person_status, "{denial:?}");
        let to_program = denied(&site(), &program(), &denial, reference());
        assert_eq!(to_program.status(), program_status, "{denial:?}");
        assert_eq!(to_program.headers()[CONTENT_TYPE], "application/problem+json");
        let details = json(&to_program);
        assert_eq!(details["code"], denial.code());
        assert_eq!(details["status"], program_status);
        assert_eq!(details["reference"].as_str().unwrap().len(), 8);
        for out in [to_person, to_program] {
            assert_eq!(out.headers()["cache-control"], "no-store");
            assert_eq!(out.headers().contains_key(RETRY_AFTER), out.status() == 503, "{denial:?}");
            assert!(!String::from_utf8_lossy(out.body()).contains("195006262546"), "the detail is the operator's");
        }
    }
}

#[test]
fn a_person_is_led_to_log_in_and_back_to_the_same_place() {
    let out = denied(&site(), &person(), &Denial::NeedsLogin { route: route() }, reference());
    assert_eq!(out.headers()[LOCATION], "/eid/login?rd=/ansokan%3Fid%3D1%26x%3D%C3%A5");
}

#[test]
fn a_posted_form_gets_a_page_and_no_redirect() {
    let posted = Asked { navigation: false, page: true, target: "/ansokan/steg-2", ..person() };
    let log_in = "&#38;locale=sv\">Logga in</a>";
    let choose = "&#38;choose=true&#38;locale=sv\">Välj en annan e-legitimation</a>";
    for (denial, status, part, way) in [
        (Denial::NeedsLogin { route: route() }, 401, "Du är inte längre inloggad", log_in),
        (step_up(Reason::LoaNotAllowed), 403, "kräver en annan e-legitimation", choose),
        (step_up(Reason::RequiredAttributeMissing), 403, "kräver en annan e-legitimation", choose),
    ] {
        let out = denied(&site(), &posted, &denial, reference());
        assert_eq!(out.status(), status);
        assert!(out.headers().get(LOCATION).is_none(), "it is never posted again");
        let html = String::from_utf8_lossy(out.body());
        assert!(html.contains(">Det du skrev har inte skickats</h1>") && html.contains(part), "{html}");
        assert!(html.contains(&format!("href=\"/eid/login?rd=/ansokan/steg-2{way}")), "{html}");
    }
}

#[test]
fn a_401_says_what_would_help() {
    let out = denied(&site(), &program(), &Denial::NeedsLogin { route: route() }, reference());
    assert_eq!(out.headers()[WWW_AUTHENTICATE], "Cookie form-action=\"/eid/login\"");
    assert_eq!(json(&out)["login"], "/eid/login");
    let out = denied(&site(), &program(), &step_up(Reason::LoaNotAllowed), reference());
    assert!(out.headers().get(WWW_AUTHENTICATE).is_none());
}

#[test]
fn a_grpc_client_gets_its_own_status_and_no_other() {
    let asked = Asked { grpc: true, ..person() };
    for (denial, status) in [
        (Denial::NeedsLogin { route: route() }, "16"),
        (step_up(Reason::LoaNotAllowed), "7"),
        (Denial::ProvidersDown, "14"),
        (Denial::Overloaded, "14"),
        (Denial::StoreDown(ReplayError::Full), "14"),
        (Denial::Internal(reference()), "13"),
    ] {
        let out = denied(&site(), &asked, &denial, reference());
        assert_eq!((out.status().as_u16(), out.body().len()), (200, 0), "{denial:?}");
        assert_eq!(out.headers()[CONTENT_TYPE], "application/grpc");
        assert_eq!(out.headers()["grpc-status"], status, "{denial:?}");
        assert!(out.headers()["grpc-message"].to_str().unwrap().contains(denial.code()), "{denial:?}");
        assert_eq!(out.headers()[CACHE_CONTROL], "no-store");
    }
    for (what, status) in [
        (Fault::UpstreamDown, "14"),
        (Fault::UpstreamSlow, "14"),
        (Fault::Method("POST"), "12"),
        (Fault::BadPath, "3"),
        (Fault::ClientSlow, "4"),
        (Fault::NoSession, "16"),
    ] {
        assert_eq!(fault(&site(), &asked, what, None).headers()["grpc-status"], status, "{what:?}");
    }
}

#[test]
fn a_refused_login_offers_to_try_again_and_keeps_the_place_and_the_language() {
    let refusal = Refusal {
        denial: rejected_for(Reason::StatusCancel),
        reference: reference(),
        retry: Some("/ansokan?id=1".into()),
        alternates: Vec::new(),
        locale: Some(Locale::En),
        repost: false,
        set_cookies: vec![],
    };
    let out = refused(&site(), &person(), &refusal);
    let html = String::from_utf8_lossy(out.body()).into_owned();
    assert!(html.contains("<title>The login was cancelled – Tjänst</title>"), "{html}");
    assert!(html.contains("/eid/login?rd=/ansokan%3Fid%3D1&#38;choose=true&#38;locale=en"), "{html}");
    assert!(html.contains(refusal.reference.as_str()), "{html}");
    assert!(!html.contains("195006262546") && !html.contains("status_cancel"), "{html}");

    // Who was stopped because of fraud is not invited to try again, by this e-ID or another.
    for reason in [Reason::StatusFraud, Reason::StatusPossibleFraud] {
        let stopped = Refusal { denial: rejected_for(reason), retry: None, ..refusal.clone() };
        let html = String::from_utf8_lossy(refused(&site(), &person(), &stopped).body()).into_owned();
        assert!(
            html.contains("<title>The login was stopped – Tjänst</title>") && !html.contains("/eid/login"),
            "{html}"
        );
    }
}

#[test]
fn faults_have_their_statuses() {
    for (what, status) in [
        (Fault::BadPath, 400),
        (Fault::BadForm, 400),
        (Fault::TooLarge, 413),
        (Fault::MediaType, 415),
        (Fault::NotFound, 404),
        (Fault::Method("POST"), 405),
        (Fault::CrossSite, 403),
        (Fault::NoSession, 401),
        (Fault::UpstreamDown, 502),
        (Fault::UpstreamSlow, 504),
        (Fault::ClientSlow, 408),
        (Fault::BadUpgrade, 400),
        (Fault::NoUpgrade, 501),
        (Fault::UntrustedProxy, 403),
        (Fault::BadForwarded, 400),
        (Fault::Overloaded, 503),
        (Fault::Internal, 500),
    ] {
        for asked in [person(), program()] {
            let out = fault(&site(), &asked, what, None);
            assert_eq!(out.status(), status, "{what:?}");
            assert_eq!(out.headers().get(ALLOW).map(|v| v.to_str().unwrap()), (status == 405).then_some("POST"));
        }
        assert_eq!(json(&fault(&site(), &program(), what, None))["code"], what.code());
    }
}

#[test]
fn a_location_never_carries_a_line_break() {
    let out = see_other("/å\r\nset-cookie: x=1");
    assert_eq!(out.status(), 303);
    assert_eq!(out.headers()[LOCATION], "/%C3%A5%0D%0Aset-cookie:%20x=1");
    assert_eq!(see_other("/a%20b?c=%C3%A5").headers()[LOCATION], "/a%20b?c=%C3%A5");
}
