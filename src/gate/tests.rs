//! The gate's decisions, without a provider that answers: those stories are told in `tests/it`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Read as _;
use std::time::Duration;

use super::fixture::*;
use super::*;
use crate::config::Provider;
use crate::provider::ProviderEntry;
use crate::provider::fixture::{idp, provider, saml};
use crate::session::live::tests::session;
use crate::session::{Locale, LoginState, Session};
use crate::verify::saml::SsoBinding;
use crate::verify::{Reason, Reject};

mod copies;

const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

fn person(loa: &str) -> Session {
    session(NOW, loa, &[("personal_number", "195006262546"), ("name", "Åsa Öberg")])
}

fn decide(world: &World, browser: &Browser, path: &str) -> Result<Permit, Denial> {
    match browser.with(|cookies| world.gate.authorize(path, cookies)) {
        Decision::Permit(permit) => Ok(permit),
        Decision::Denied(denial) => Err(denial),
    }
}

fn code(result: Result<Permit, Denial>) -> &'static str {
    result.err().map_or("permit", |denial| denial.code())
}

#[test]
fn a_session_opens_what_it_meets_and_nothing_else() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    let permit = decide(&world, &browser, "/ansokan/1").unwrap();
    let headers = permit.headers.unwrap();
    assert_eq!(headers.get(IdentityHeader::PersonalNumber).unwrap(), "195006262546");
    assert_eq!(headers.get(IdentityHeader::Name).unwrap(), "%C3%85sa%20%C3%96berg");
    assert!(headers.get(IdentityHeader::Loa).is_none(), "this route forwards no level");
    assert!(permit.set_cookie.is_none());
    assert_eq!(permit.lease.unwrap().session().unwrap().to_string(), *headers.get(IdentityHeader::Session).unwrap());

    // Deny by default: a path that no route names needs a session, and gets what the service forwards.
    let headers = decide(&world, &browser, "/annat").unwrap().headers.unwrap();
    assert_eq!(headers.get(IdentityHeader::Loa).unwrap(), LOA3);
    assert!(headers.get(IdentityHeader::PersonalNumber).is_none());
    assert_eq!(code(decide(&world, &Browser::default(), "/annat")), "needs_login");

    assert_eq!(code(decide(&world, &browser, "/hog/1")), "loa_not_allowed");
    assert_eq!(code(decide(&world, &browser, "/bara-freja/1")), "eid_not_allowed");
    let nameless = session(NOW, LOA3, &[("name", "Åsa Öberg")]);
    assert_eq!(code(decide(&world, &world.signed_in(&nameless), "/ansokan/1")), "required_attribute_missing");
    assert!(matches!(decide(&world, &browser, "/hog/1"), Err(Denial::StepUp { .. })));
}

#[test]
fn what_is_public_tells_nothing_of_who_looks() {
    let world = world();
    for browser in [Browser::default(), world.signed_in(&person(LOA3))] {
        let permit = decide(&world, &browser, "/om/oss").unwrap();
        assert!(permit.headers.is_none() && permit.lease.is_none() && permit.set_cookie.is_none());
    }
}

#[test]
fn a_session_ends_by_idle_time_and_by_lifetime_and_is_refreshed_once_a_minute() {
    let world = world();
    let mut browser = world.signed_in(&person(LOA3));
    world.clock.advance(Duration::from_secs(59));
    assert!(decide(&world, &browser, "/x").unwrap().set_cookie.is_none());
    world.clock.advance(Duration::from_secs(1));
    let refreshed = decide(&world, &browser, "/x").unwrap().set_cookie.unwrap();
    assert_eq!((refreshed.same_site, refreshed.secure, refreshed.max_age), (SameSite::Lax, true, None));
    let stale = browser.clone();
    browser.takes(&[refreshed]);
    assert!(decide(&world, &browser, "/x").unwrap().set_cookie.is_none());
    world.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(code(decide(&world, &stale, "/x")), "needs_login", "thirty minutes without a request");
    assert_eq!(code(decide(&world, &browser, "/x")), "permit");
    // Used all the time, it still ends after eight hours.
    for _ in 0..470 {
        if let Ok(Permit { set_cookie: Some(cookie), .. }) = decide(&world, &browser, "/x") {
            browser.takes(&[cookie]);
        }
        world.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(code(decide(&world, &browser, "/x")), "needs_login");
}

#[test]
fn what_a_page_asks_for_by_itself_keeps_no_session_alive() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    world.clock.advance(Duration::from_secs(60));
    let permit = decide(&world, &browser, "/puls").unwrap();
    assert!(permit.set_cookie.is_none() && permit.headers.is_some());
    assert!(decide(&world, &browser, "/x").unwrap().set_cookie.is_some(), "a person's own request does");
}

#[test]
fn a_login_that_has_grown_old_is_not_enough_for_a_route_that_says_so() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    // The provider's clock may be ahead by a minute.
    world.clock.advance(Duration::from_secs(5 * 60 + 60));
    assert_eq!(code(decide(&world, &browser, "/farsk")), "permit");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(code(decide(&world, &browser, "/farsk")), "login_too_old");
    assert!(matches!(decide(&world, &browser, "/farsk"), Err(Denial::StepUp { .. })));
    assert_eq!(code(decide(&world, &browser, "/x")), "permit");
}

#[test]
fn a_tampered_foreign_or_planted_cookie_opens_nothing() {
    let world = world();
    let mut browser = world.signed_in(&person(LOA3));
    let (name, value) = browser.0.first().cloned().unwrap();
    assert_eq!(name, "__Host-eid-etjanst");
    for at in 0..value.len() {
        let mut bent = value.clone().into_bytes();
        let byte = bent.get_mut(at).unwrap();
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        let bent = Browser(vec![(name.clone(), String::from_utf8(bent).unwrap())]);
        assert_eq!(code(decide(&world, &bent, "/x")), "needs_login", "byte {at}");
    }
    for bad in ["", "=", "%00", &"A".repeat(5000), &value[..value.len() - 1], &format!("{value}A")] {
        let bad = Browser(vec![(name.clone(), bad.to_owned())]);
        assert_eq!(code(decide(&world, &bad, "/x")), "needs_login");
    }
    // A planted neighbour of the same name hides nothing and opens nothing.
    browser.0.insert(0, (name, "planted".to_owned()));
    assert_eq!(code(decide(&world, &browser, "/x")), "permit");
}

/// T54: what a provider no longer stands by is over with the next request, whatever the cookie says.
#[test]
fn t54_a_session_that_its_provider_does_not_stand_by_is_over() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    let with = |entries: Vec<ProviderEntry>| {
        world.gate.replace_providers(crate::provider::Snapshot::new(entries));
        code(decide(&world, &browser, "/x"))
    };
    let of = |config: Provider, levels: &[&str]| {
        let metadata = idp("https://bankid-a.example.se", levels, &[SsoBinding::Redirect]);
        vec![ProviderEntry::new(config, Ok(Arc::new(metadata)))]
    };
    let withdrawn = |why: Reason| {
        let entries = entries();
        let entry = entries.first().unwrap();
        vec![ProviderEntry::new(entry.config().clone(), Err(Reject::new(why, "a test")))]
    };
    let same = || provider("bankid-a", "bankid");
    assert_eq!(with(of(same(), &["loa3"])), "permit");
    assert_eq!(with(entries().into_iter().skip(1).collect()), "needs_login", "no longer configured");
    assert_eq!(with(of(provider("bankid-a", "annat"), &["loa3"])), "needs_login", "of another e-ID");
    let other = saml(same(), |own| own.entity_id = "https://another.example.se".to_owned());
    assert_eq!(with(of(other, &["loa3"])), "needs_login", "somebody else under the same name");
    assert_eq!(with(of(same(), &["loa4"])), "needs_login", "no longer certified for the level");
    assert_eq!(with(withdrawn(Reason::EntityMissing)), "needs_login", "taken out of a feed that is good");
    // In trouble is not gone: one outage does not stop the e-service.
    for why in [Reason::MetadataExpired, Reason::ProviderWithoutKeys, Reason::XmlMalformed, Reason::SignatureInvalid] {
        assert_eq!(with(withdrawn(why)), "permit", "{why:?}");
    }
    assert!(!world.gate.providers().any_usable(world.clock.now()));
}

#[tokio::test]
async fn a_provider_ends_what_it_opened_and_no_later_login() {
    let world = world();
    let earlier = person(LOA3);
    let marks = earlier.marks().at_provider.clone();
    let (browser, other) = (world.signed_in(&earlier), world.signed_in(&person(LOA3)));
    world.clock.advance(Duration::from_secs(1));
    assert!(decide(&world, &browser, "/x").is_ok());
    assert!(world.end_at_provider(&marks).await);
    for ended in [&browser, &other] {
        assert_eq!(decide(&world, ended, "/x").err().map(|denial| denial.code()), Some("needs_login"));
    }
    world.clock.advance(Duration::from_secs(1));
    let later = crate::session::live::tests::session(world.clock.now(), LOA3, &[("personal_number", "195006262546")]);
    assert!(decide(&world, &world.signed_in(&later), "/x").is_ok(), "a later login is not meant");
}

#[tokio::test]
async fn what_a_session_opened_is_over_with_it() {
    let open = || {
        let world = world();
        let browser = world.signed_in(&person(LOA3));
        let lease = decide(&world, &browser, "/x").unwrap().lease.unwrap();
        assert!(!world.gate.is_over(&lease));
        (world, browser, lease)
    };
    let (world, _, lease) = open();
    world.clock.advance(Duration::from_secs(8 * 3600 - 1));
    assert!(!world.gate.is_over(&lease), "whoever reads a long answer is not idle");
    world.clock.advance(Duration::from_secs(1));
    assert!(world.gate.is_over(&lease), "the absolute end");

    let (world, browser, lease) = open();
    world.log_out(&browser).await;
    assert!(world.gate.is_over(&lease), "a logout");

    let (world, _, lease) = open();
    let marks = person(LOA3).marks().at_provider.clone();
    assert!(world.end_at_provider(&marks).await);
    assert!(world.gate.is_over(&lease), "a logout at the provider");

    let (world, _, lease) = open();
    world.gate.replace_providers(crate::provider::Snapshot::new(entries().into_iter().skip(1).collect()));
    assert!(world.gate.is_over(&lease), "a provider that is gone");
}

#[tokio::test]
async fn a_logout_wakes_whoever_waits_for_the_end_of_a_session() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    let ended = async { tokio::time::timeout(Duration::from_secs(10), world.gate.session_ended()).await.is_ok() };
    let (ended, ()) = tokio::join!(biased; ended, async { _ = world.log_out(&browser).await });
    assert!(ended);
}

#[tokio::test]
async fn logout_kills_every_copy_of_the_cookie() {
    let world = world();
    let browser = world.signed_in(&person(LOA3));
    let copy = browser.clone();
    let info = browser.with(|cookies| world.gate.session_info(cookies)).unwrap();
    assert_eq!((info.ends_in, info.idle_in), (Duration::from_secs(8 * 3600), Duration::from_secs(1800)));
    world.clock.advance(Duration::from_secs(10));
    let info = browser.with(|cookies| world.gate.session_info(cookies)).unwrap();
    assert_eq!(info.idle_in, Duration::from_secs(1790), "asking extends nothing");
    let (info, extended) = browser.with(|cookies| world.gate.extend_session(cookies)).unwrap();
    assert_eq!(info.idle_in, Duration::from_secs(1800));

    let logout = world.log_out(&browser).await;
    assert!(logout.was_signed_in && logout.everywhere);
    assert!(logout.set_cookies.iter().all(|cookie| cookie.value.is_none()));
    let extended = Browser(vec![(extended.name, extended.value.unwrap())]);
    for copy in [&copy, &extended] {
        assert_eq!(code(decide(&world, copy, "/x")), "needs_login");
        assert!(copy.with(|cookies| world.gate.session_info(cookies)).is_none());
        assert!(copy.with(|cookies| world.gate.extend_session(cookies)).is_none());
    }
    assert!(!world.log_out(&copy).await.was_signed_in);
}

async fn begin(
    world: &World,
    browser: &Browser,
    rd: &str,
    eid: Option<&str>,
    choose: bool,
) -> Result<LoginStart, Denial> {
    let pairs: Vec<(&str, &str)> = browser.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cookies = Cookies::new(&pairs);
    let login = BeginLogin {
        rd: Some(rd),
        eid,
        choose,
        anyway: false,
        instead_of: None,
        counts: true,
        from: None,
        locale: Locale::En,
        cookies,
    };
    world.gate.begin_login(login).await.map_err(|refusal| refusal.denial)
}

/// The AuthnRequest that a start sends, its RelayState, and the cookies that it sets.
fn sent(start: LoginStart) -> (String, String, Vec<SetCookie>) {
    match start {
        LoginStart::Redirect { location, set_cookies } => {
            let (_, query) = location.split_once('?').unwrap();
            let field = |name: &str| {
                let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
                percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
            };
            let deflated = base64_simd::STANDARD.decode_to_vec(field("SAMLRequest")).unwrap();
            let mut xml = String::new();
            flate2::read::DeflateDecoder::new(&*deflated).read_to_string(&mut xml).unwrap();
            (xml, field("RelayState"), set_cookies)
        }
        LoginStart::Post { fields, set_cookies, .. } => {
            let field = |name: &str| fields.iter().find(|(n, _)| *n == name).unwrap().1.clone();
            let xml = base64_simd::STANDARD.decode_to_vec(field("SAMLRequest")).unwrap();
            (String::from_utf8(xml).unwrap(), field("RelayState"), set_cookies)
        }
        LoginStart::Choose { .. } | LoginStart::AlreadySignedIn { .. } => panic!("nothing was sent"),
    }
}

fn options(start: Result<LoginStart, Denial>) -> Vec<(String, String, bool)> {
    match start {
        Ok(LoginStart::Choose { options, .. }) => {
            options.into_iter().map(|o| (o.eid.to_string(), o.provider.to_string(), o.usable)).collect()
        }
        Ok(_) => panic!("no choice was offered"),
        Err(denial) => panic!("{}", denial.code()),
    }
}

fn option(eid: &str, provider: &str, usable: bool) -> (String, String, bool) {
    (eid.to_owned(), provider.to_owned(), usable)
}

#[tokio::test]
async fn a_login_asks_the_provider_for_what_the_route_takes_and_it_may_assert() {
    let world = world();
    let start = begin(&world, &Browser::default(), "/ansokan/1?a=b", Some("bankid"), false).await.unwrap();
    assert!(
        matches!(&start, LoginStart::Redirect { location, .. } if location.starts_with("https://bankid-a.example.se/sso?"))
    );
    let (xml, relay_state, cookies) = sent(start);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let request = document.root_element();
    assert_eq!(request.attribute("Destination"), Some("https://bankid-a.example.se/sso"));
    assert_eq!(request.attribute("AssertionConsumerServiceURL"), Some("https://e.example.se/eid/saml/acs"));
    assert_eq!(request.attribute("ForceAuthn"), Some("true"));
    let classes = document.descendants().filter(|n| n.tag_name().name() == "AuthnContextClassRef");
    let asked: Vec<_> = classes.filter_map(|n| n.text()).collect();
    assert_eq!(asked, loa(&["loa3", "loa4"]));

    let [cookie] = cookies.as_slice() else { panic!("one cookie") };
    assert_eq!(cookie.name, format!("__Host-eid-etjanst-{}", handle_of(&relay_state)));
    assert_eq!((cookie.same_site, cookie.secure), (SameSite::None, true));
    assert_eq!(cookie.max_age, Some(Duration::from_secs(3600)));
    let value = cookie.value.as_deref().unwrap();
    let state: LoginState = world.gate.logins.open(&cookie.name, value).unwrap();
    assert_eq!(state.sent.request_id(), request.attribute("ID"));
    assert_eq!((state.rd.as_str(), state.loa, state.locale), ("/ansokan/1?a=b", loa(&["loa3", "loa4"]), Locale::En));
    // A login state is no session, under whatever name.
    for name in [cookie.name.as_str(), "__Host-eid-etjanst"] {
        let forged = Browser(vec![(name.to_owned(), value.to_owned())]);
        assert_eq!(code(decide(&world, &forged, "/x")), "needs_login");
    }
}

#[tokio::test]
async fn the_choice_is_offered_where_it_is_not_clear() {
    let world = world();
    let nobody = Browser::default();
    // In the route's order of preference.
    let both = [option("freja", "freja", true), option("bankid", "bankid-a", true)];
    assert_eq!(options(begin(&world, &nobody, "/ansokan/1", None, false).await), both);
    assert_eq!(options(begin(&world, &nobody, "/ansokan/1", Some("okand"), false).await), both);
    // A single e-ID is clear, unless the person wants to see it.
    let start = begin(&world, &nobody, "/bara-freja/1", None, false).await.unwrap();
    assert!(matches!(start, LoginStart::Post { action, .. } if action == "https://freja.example.se/sso"));
    assert_eq!(options(begin(&world, &nobody, "/bara-freja/1", None, true).await), [option("freja", "freja", true)]);
    // An e-ID that the route does not take is not begun with.
    let only = options(begin(&world, &nobody, "/bara-freja/1", Some("bankid"), false).await);
    assert_eq!(only, [option("freja", "freja", true)]);
    // Only bankid-a may assert loa4.
    let start = begin(&world, &nobody, "/hog/1", None, false).await.unwrap();
    assert!(matches!(start, LoginStart::Redirect { location, .. } if location.contains("bankid-a")));
    // Nobody here may assert what the connector does.
    assert_eq!(begin(&world, &nobody, "/eidas/1", None, false).await.err().unwrap().code(), "loa_not_certified");
}

#[tokio::test]
async fn a_provider_in_trouble_is_stood_in_for_by_its_alternate() {
    let mut all = entries();
    let (freja, b, a) = (all.pop().unwrap(), all.pop().unwrap(), all.pop().unwrap());
    let world_a = world_with("https://e.example.se", vec![in_trouble(&a), b, in_trouble(&freja)]);
    let nobody = Browser::default();
    // What bankid-a may assert is not known, so bankid-b is no silent stand-in: it is offered.
    let Ok(LoginStart::Choose { options: offered, why: Why::InTrouble(asked), .. }) =
        begin(&world_a, &nobody, "/ansokan/1", Some("bankid"), false).await
    else {
        panic!("it is said")
    };
    assert_eq!((asked.provider.as_str(), asked.trouble, asked.differs.levels), ("bankid-b", None, true));
    assert_eq!(offered[0], asked);
    assert!(asked.is_told_of());
    let offered = options(begin(&world_a, &nobody, "/ansokan/1", Some("freja"), false).await);
    assert_eq!(offered, [option("bankid", "bankid-b", true), option("freja", "freja", false)]);
    let asked = begin(&world_a, &nobody, "/ansokan/1", Some("freja"), false).await;
    let Ok(LoginStart::Choose { why: Why::InTrouble(asked_for), .. }) = asked else { panic!("it says why") };
    assert_eq!((asked_for.eid.as_str(), asked_for.trouble), ("freja", Some(Trouble::WithoutKeys)));
    let denied = begin(&world_a, &nobody, "/bara-freja/1", Some("freja"), false).await.err().unwrap();
    assert_eq!(denied, Denial::ProvidersDown);
    // Metadata that has expired since is no metadata.
    let world_b = world();
    world_b.clock.advance(Duration::from_secs(24 * 3600));
    let denied = begin(&world_b, &nobody, "/ansokan/1", Some("freja"), false).await.err().unwrap();
    assert_eq!(denied, Denial::ProvidersDown);
}

#[tokio::test]
async fn of_ten_logins_the_newest_five_are_left() {
    let world = world();
    let mut browser = Browser::default();
    browser.0.push(("other".to_owned(), "kept".to_owned()));
    let mut handles = Vec::new();
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(1));
        let (_, handle, cookies) = sent(begin(&world, &browser, "/hog/1", None, false).await.unwrap());
        assert!(cookies.iter().filter(|cookie| cookie.value.is_none()).count() <= 1);
        browser.takes(&cookies);
        handles.push(handle_of(&handle).to_owned());
    }
    let left: Vec<&str> = browser.0.iter().filter_map(|(name, _)| name.strip_prefix("__Host-eid-etjanst-")).collect();
    assert_eq!(left, handles.iter().skip(5).map(String::as_str).collect::<Vec<_>>());
    assert!(browser.0.iter().any(|(name, _)| name == "other"));
}

#[tokio::test]
async fn someone_who_is_signed_in_is_not_asked_again_unless_it_takes_more() {
    let world = world();
    let who = person(LOA3);
    let browser = world.signed_in(&who);
    let start = begin(&world, &browser, "/ansokan/1", None, false).await.unwrap();
    assert!(matches!(start, LoginStart::AlreadySignedIn { location } if location == "/ansokan/1"));
    let state = |start: LoginStart| -> LoginState {
        let (_, _, cookies) = sent(start);
        let cookie = cookies.into_iter().find(|cookie| cookie.value.is_some()).unwrap();
        world.gate.logins.open(&cookie.name, &cookie.value.unwrap()).unwrap()
    };
    let step_up = state(begin(&world, &browser, "/hog/1", None, false).await.unwrap()).on_top_of.unwrap();
    assert_eq!(step_up.same_subject.as_deref(), Some(who.subject()));
    assert_eq!(step_up.session, who.id());
    // Whoever picks an e-ID anew may be someone else; the old session ends all the same.
    let anew = state(begin(&world, &browser, "/ansokan/1", Some("bankid"), false).await.unwrap()).on_top_of.unwrap();
    assert_eq!(anew.same_subject, None);
    let nobody = state(begin(&world, &Browser::default(), "/hog/1", None, false).await.unwrap());
    assert!(nobody.on_top_of.is_none());
}

/// The handle in a RelayState, which the login's cookie is named by.
fn handle_of(relay_state: &str) -> &str {
    relay_state.get(..27).unwrap()
}

async fn finish(world: &World, browser: &Browser, xml: &str, relay_state: Option<&str>) -> Refusal {
    let pairs: Vec<(&str, &str)> = browser.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cookies = Cookies::new(&pairs);
    let saml_response = xml.as_bytes().to_vec();
    let login = FinishLogin { saml_response, relay_state, from: None, reposted: false, locale: Locale::Sv, cookies };
    let refusal = world.gate.finish_login(login).await.err().unwrap();
    assert!(refusal.set_cookies.iter().all(|cookie| cookie.value.is_none()), "a refusal leaves no session");
    refusal
}

const EMPTY: &str = r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0"/>"#;

#[tokio::test]
async fn an_answer_to_no_login_of_this_browser_is_refused() {
    let world = world();
    let (_, handle, cookies) = sent(begin(&world, &Browser::default(), "/hog/1", None, false).await.unwrap());
    let mut browser = Browser::default();
    browser.takes(&cookies);

    let refusal = finish(&world, &Browser::default(), EMPTY, Some(&handle)).await;
    assert_eq!((refusal.denial.code(), refusal.repost), ("state_missing", false));
    assert_eq!(refusal.retry.as_deref(), Some("/hog"), "the way on is to the same route");
    for relay_state in [None, Some(""), Some("x"), Some("https://evil.example/")] {
        let refusal = finish(&world, &browser, EMPTY, relay_state).await;
        assert_eq!((refusal.denial.code(), refusal.retry), ("state_missing", None));
    }
    // Another login's state under this one's name.
    let (_, other, _) = sent(begin(&world, &Browser::default(), "/hog/1", None, false).await.unwrap());
    let value = browser.0.first().unwrap().1.clone();
    let mixed = Browser(vec![(format!("__Host-eid-etjanst-{}", handle_of(&other)), value)]);
    let refusal = finish(&world, &mixed, EMPTY, Some(&other)).await;
    assert_eq!(refusal.denial.code(), "state_invalid");
    assert_eq!(refusal.set_cookies.len(), 1, "it opens nothing: away with it");
    assert_eq!(refusal.retry.as_deref(), Some("/hog"));
}

#[tokio::test]
async fn a_login_that_another_process_began_begins_again() {
    let (before, after) = (world(), world());
    let (_, handle, cookies) = sent(begin(&before, &Browser::default(), "/hog/1?x", None, false).await.unwrap());
    let mut browser = Browser::default();
    browser.takes(&cookies);
    let refusal = finish(&after, &browser, EMPTY, Some(&handle)).await;
    assert_eq!(refusal.denial.code(), Reason::LoginOtherInstance.code());
    assert_eq!(refusal.retry.as_deref(), Some("/hog/1?x"));
    assert_eq!(refusal.locale, Some(Locale::En));
    assert_eq!(refusal.set_cookies.len(), 1);
    // Also where the new process cannot even open it.
    let bent: Vec<_> = browser.0.iter().map(|(name, value)| (name.clone(), format!("{value}AA"))).collect();
    let refusal = finish(&after, &Browser(bent), EMPTY, Some(&handle)).await;
    assert_eq!(refusal.denial.code(), Reason::LoginOtherInstance.code());
}

#[tokio::test]
async fn a_login_ends_after_an_hour_and_not_by_a_strangers_message() {
    let world = world();
    let (_, handle, cookies) = sent(begin(&world, &Browser::default(), "/hog/1", None, false).await.unwrap());
    let mut browser = Browser::default();
    browser.takes(&cookies);
    for (xml, expected) in [("", "xml_malformed"), ("<x/>", "not_a_response"), (EMPTY, "signature_missing")] {
        let refusal = finish(&world, &browser, xml, Some(&handle)).await;
        assert_eq!(refusal.denial.code(), expected);
        assert!(refusal.set_cookies.is_empty(), "the right answer may still come");
        assert_eq!(refusal.retry.as_deref(), Some("/hog/1"));
    }
    world.clock.advance(Duration::from_secs(3600));
    let refusal = finish(&world, &browser, EMPTY, Some(&handle)).await;
    assert_eq!(refusal.denial.code(), "state_expired");
    assert_eq!(refusal.set_cookies.len(), 1);
}

#[tokio::test]
async fn on_loopback_http_cookies_are_lax_and_a_lost_one_may_come_by_our_own_page() {
    let world = world_with("http://localhost:8080", entries());
    let (_, handle, cookies) = sent(begin(&world, &Browser::default(), "/hog/1", None, false).await.unwrap());
    let cookie = cookies.first().unwrap();
    assert_eq!(cookie.name, format!("eid-etjanst-{}", handle_of(&handle)));
    assert_eq!((cookie.same_site, cookie.secure), (SameSite::Lax, false));
    let refusal = finish(&world, &Browser::default(), EMPTY, Some(&handle)).await;
    assert!(refusal.repost && refusal.denial.code() == "state_missing");
    let refusal = finish(&world, &Browser::default(), EMPTY, None).await;
    assert!(!refusal.repost);
}

#[tokio::test]
async fn an_unasked_question_cannot_be_answered() {
    let world = world();
    let pending = super::confirm::Pending::new(person(LOA3), "/x".to_owned(), Locale::Sv, NOW);
    let Ok(LoginDone::Confirm(page)) = world.gate.confirm_page(pending, Some("Åsa Öberg".to_owned()), "e".to_owned())
    else {
        panic!("a page")
    };
    let mut browser = Browser::default();
    browser.takes(&page.set_cookies);
    assert_eq!(code(decide(&world, &browser, "/x")), "needs_login", "a question is no session");
    let answer = async |browser: &Browser, token: &str| {
        let pairs: Vec<(&str, &str)> = browser.0.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        world.gate.confirm_login(ConfirmLogin { token, cookies: Cookies::new(&pairs) }).await
    };
    let refused = async |browser: &Browser, token: &str| answer(browser, token).await.err().unwrap().denial.code();
    assert_eq!(refused(&Browser::default(), &page.token).await, "state_missing");
    assert_eq!(refused(&browser, "").await, "state_invalid");
    assert_eq!(refused(&browser, "AAAAAAAAAAAAAAAAAAAAAA").await, "state_invalid");
    let Ok(LoginDone::SignedIn { location, set_cookies }) = answer(&browser, &page.token).await else {
        panic!("signed in")
    };
    assert_eq!(location, "/x");
    let asked = browser.clone();
    browser.takes(&set_cookies);
    assert_eq!(code(decide(&world, &browser, "/x")), "permit");
    world.log_out(&browser).await;
    assert_eq!(refused(&asked, &page.token).await, "state_expired", "a logout also ends the question");
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(refused(&asked, &page.token).await, "state_expired");
}

#[test]
fn publishes_its_keys_and_addresses() {
    let world = world();
    let xml = world.gate.sp_metadata();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("entityID"), Some("https://e.example.se/sp"));
    assert!(xml.contains("https://e.example.se/eid/saml/acs"));
    let texts: Vec<&str> = document.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect();
    for text in ["E-tjänsten", "The e-service", "Myndigheten", "mailto:hjalp@example.se"] {
        assert!(texts.contains(&text), "{text}");
    }
    assert!(world.gate.jwks().contains("\"crv\":\"P-256\""));
}

#[tokio::test]
async fn encrypted_logout_tokens_of_strangers_leave_the_pool_to_logins() {
    let world = world();
    let url = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let header = url(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#);
    let token = format!("{header}.{}.{}.{}.{}", url(&[1; 256]), url(&[2; 12]), url(&[3; 64]), url(&[4; 16]));
    let told = |refused: Result<(), LogoutRefused>| refused.err().map(|LogoutRefused(denial)| denial.code());
    assert_eq!(told(world.gate.logout_by_provider(&token).await), Some("token_undecryptable"));
    let places = world.gate.sealed_logouts.acquire_many(ENCRYPTED_LOGOUTS_AT_ONCE as u32).await.unwrap();
    assert_eq!(told(world.gate.logout_by_provider(&token).await), Some("overloaded"));
    assert!(begin(&world, &Browser::default(), "/ansokan/1", Some("bankid"), false).await.is_ok());
    drop(places);
    assert_eq!(told(world.gate.logout_by_provider(&token).await), Some("token_undecryptable"), "places come back");
}
