//! Sessions and cookies that somebody else planted, bent, copied or keeps too long (T48, T50, T54, T56), and what another
//! site does in a person's name.

use std::net::SocketAddr;

use grindvakt::base::{Clock as _, SystemClock};
use grindvakt_demo::{Feed, Person};
use http::{Method, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::raw::{Answer, exchange, raw_service};
use crate::support::{BASE, Client, Reply, World, metric};

const SESSION: &str = "__Host-eid-etjanst";

fn is_signed_in(reply: &Reply) -> bool {
    reply.status == StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn t50_a_session_that_was_there_before_the_login_is_dead_after_it() {
    let world = World::new("").await;
    // The attacker has a session of their own, and plants it in the victim's browser.
    let mut attacker = Client::new(world.public());
    attacker.log_in(&world, "/ansokan/").await;
    attacker.get("/annat").await;
    let planted = world.seen().one("x-eid-session").to_owned();
    let mut victim = Client::new(world.public());
    victim.cookies.insert(SESSION.to_owned(), attacker.cookies[SESSION].clone());
    let nils = grindvakt_demo::person::nils();

    // Choosing an e-ID is a login in its own right: the person may be another one.
    let (request, relay_state) = victim.begin(&world, "/ansokan/&choose=1").await;
    let response = world.idp.response(&request).person(&nils).at(SystemClock.now()).build();
    let reply = victim.answer(&response, &relay_state).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    victim.get("/annat").await;
    let own = world.seen().one("x-eid-session").to_owned();
    assert_ne!(own, planted, "a new id at login");
    assert!(!is_signed_in(&attacker.clone().xhr().get("/annat").await), "the planted one is dead, wherever it is");
    assert!(is_signed_in(&victim.clone().xhr().get("/annat").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn t50_a_step_up_gives_a_new_session_to_the_same_person_only() {
    let mut world = World::new("").await;
    world
        .configure(|text| text.replacen("[[route]]", "[[route]]\npath = \"/freja/*\"\neid = [\"freja\"]\n[[route]]", 1))
        .await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let before = client.clone();
    client.get("/annat").await;
    let first = world.seen().one("x-eid-session").to_owned();

    let step_up = async |client: &mut Client, person: &Person| {
        let reply = client.get("/eid/login?eid=freja&rd=/freja/x").await;
        let form = grindvakt_demo::form::forms(&reply.body).into_iter().find(|f| f.field("SAMLRequest").is_some());
        let form = form.unwrap();
        let request = world.known().await.post(form.field("SAMLRequest").unwrap(), &world.other.sso_url()).unwrap();
        let response = world.other.response(&request).person(person).at(SystemClock.now()).build();
        client.answer(&response, form.field("RelayState").unwrap()).await
    };
    let mut stranger = client.clone();
    let reply = step_up(&mut stranger, &grindvakt_demo::person::nils()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "somebody else steps up nobody's session");
    assert!(is_signed_in(&client.clone().xhr().get("/annat").await), "and ends none");

    let reply = step_up(&mut client, &grindvakt_demo::person::asa()).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/freja/x"));
    client.get("/freja/x").await;
    assert_ne!(world.seen().one("x-eid-session"), first);
    assert!(!is_signed_in(&before.clone().xhr().get("/annat").await), "the old one is dead");
    assert!(is_signed_in(&client.clone().xhr().get("/annat").await));
}

/// Two tabs, a login in each, begun before either had a session. By a POST from a provider's page the browser brings no cookie
/// of the session that the first has opened: the second login ends it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn t50_of_logins_that_were_begun_together_the_last_one_is_left() {
    let world = World::new("").await;
    let mut browser = Client::new(world.public());
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(browser.begin(&world, "/ansokan/").await);
    }
    let people = [grindvakt_demo::person::asa(), grindvakt_demo::person::nils(), grindvakt_demo::person::asa()];
    let mut opened: Vec<Client> = Vec::new();
    for ((request, relay_state), person) in begun.iter().zip(&people) {
        browser.cookies.remove(SESSION);
        let response = world.idp.response(request).person(person).at(SystemClock.now()).build();
        let reply = browser.answer(&response, relay_state).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        for before in &opened {
            assert!(!is_signed_in(&before.clone().xhr().get("/annat").await), "the one before it is over");
        }
        assert!(is_signed_in(&browser.clone().xhr().get("/annat").await));
        opened.push(browser.clone());
    }
    // However many there are and wherever they lead, the answer is one that proxies take: nginx has 4 KB for it.
    for long in [30, 300, 1000] {
        let rd = format!("/ansokan/{}", "x".repeat(long));
        let mut browser = Client::new(world.public());
        let mut begun = Vec::new();
        for _ in 0..5 {
            begun.push(browser.begin(&world, &rd).await);
        }
        let (request, relay_state) = begun.remove(2);
        let response = world.idp.response(&request).at(SystemClock.now()).build();
        let reply = browser.answer(&response, &relay_state).await;
        assert_eq!(reply.header("location"), rd);
        let head: usize = reply.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        assert!(head < 3900, "{long}: {head} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t50_a_login_that_was_begun_elsewhere_ends_in_no_session_here() {
    let world = World::new("").await;
    // The attacker has a good answer for a login of their own, and makes the victim's browser post it.
    let mut attacker = Client::new(world.public());
    let (request, relay_state) = attacker.begin(&world, "/ansokan/").await;
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    let mut victim = Client::new(world.public());
    let reply = victim.answer(&response, &relay_state).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(victim.cookies.is_empty());
    // Also when the victim has begun one, too.
    let (_, own) = victim.begin(&world, "/ansokan/").await;
    let reply = victim.answer(&response, &own).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(!victim.cookies.contains_key(SESSION));
}

/// Browsers let any host of the domain set what has a space of Unicode's before `__Host-`.
#[tokio::test(flavor = "multi_thread")]
async fn t50_a_login_planted_under_a_name_that_only_looks_like_ours_is_none() {
    let world = World::new("").await;
    let mut attacker = Client::new(world.public());
    let (request, relay_state) = attacker.begin(&world, "/ansokan/").await;
    let response = world.idp.response(&request).at(SystemClock.now()).build();
    for blank in ["\u{85}", "\u{a0}", "\u{2000}", "\u{3000}"] {
        let mut victim = Client::new(world.public());
        let planted = attacker.cookies.iter().map(|(name, value)| (format!("{blank}{name}"), value.clone()));
        victim.cookies.extend(planted);
        let reply = victim.answer(&response, &relay_state).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{blank:?}: {}", reply.body);
        assert!(!victim.cookies.contains_key(SESSION), "{blank:?}");
    }
    // By its own name it is one.
    let reply = attacker.answer(&response, &relay_state).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn t54_a_change_ends_the_sessions_that_it_concerns() {
    let mut world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let third = grindvakt_demo::DemoIdp::new("https://annan.example.com/idp", "https://annan.example.com");
    let feed = Feed::new().idp(&world.idp).idp(&world.other).idp(&third).build();
    let alone = Feed::new().idp(&world.other).build();
    let less = grindvakt_demo::DemoIdp::new("https://bankid.example.com/idp", "https://bankid.example.com")
        .certified(&["loa4"]);
    let less = Feed::new().idp(&less).build();
    type Change = fn(&str) -> String;
    let same: Change = str::to_owned;
    let other: Change = |text| text.replacen("https://bankid.example.com/idp", "https://annan.example.com/idp", 1);
    let renamed: Change = |text| text.replacen("id = \"bankid-a\"", "id = \"bankid-b\"", 1);
    let eid: Change = |text| text.replacen("eid = \"bankid\"", "eid = \"annan\"", 1);
    let harder: Change = |text| text.replacen("loa = [\"loa3\", \"uncertified-loa3\"]", "loa = [\"loa4\"]", 1);
    let original = world.config().to_owned();
    for (what, change, feed, on_route, elsewhere) in [
        ("nothing", same, feed.as_str(), 200, 200),
        ("the provider's name is somebody else's now", other, &feed, 401, 401),
        ("the provider is gone", renamed, &feed, 401, 401),
        ("the e-ID is another", eid, &feed, 401, 401),
        ("the route asks for more", harder, &feed, 403, 200),
        ("the federation took the provider out", same, &alone, 401, 401),
        ("the federation took the level away", same, &less, 401, 401),
        ("the feed is broken", same, "<md:EntitiesDescriptor", 200, 200),
        ("nothing again", same, &feed, 200, 200),
    ] {
        world.write("feed.xml", feed);
        world.configure(|_| change(&original)).await;
        let mut again = Client { cookies: client.cookies.clone(), ..Client::new(world.public()).xhr() };
        let got = (again.get("/ansokan/").await.status.as_u16(), again.get("/annat").await.status.as_u16());
        assert_eq!(got, (on_route, elsewhere), "{what}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_logs_nobody_out_and_extends_nothing() {
    let world = World::new("").await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let cross: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://etjanst.example.se.evil.example")],
        &[("origin", "https://etjanst.example.se:8443")],
        &[("origin", "http://etjanst.example.se")],
        &[("origin", BASE), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", BASE)],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", ""), ("origin", BASE)],
        &[("referer", BASE)],
        &[("referer", "https://etjanst.example.se/ansokan/"), ("sec-fetch-mode", "navigate")],
    ];
    for path in ["/eid/logout", "/eid/session/extend", "/eid/login/confirm"] {
        for headers in cross {
            let reply = client.send(Method::POST, path, headers, "").await;
            assert_eq!((reply.status, reply.set_cookies().len()), (StatusCode::FORBIDDEN, 0), "{path} {headers:?}");
        }
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let reply = client.send(method.clone(), path, &[("sec-fetch-site", "same-origin")], "").await;
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    for path in ["/eid/logout", "/eid/logout?rd=/x", "/eid/logout?confirm=1", "/eid/logout?method=post"] {
        client.get(path).await;
    }
    assert!(is_signed_in(&client.clone().xhr().get("/ansokan/").await), "still logged in");
    let reply = client.send(Method::POST, "/eid/logout", &[("origin", BASE)], "").await;
    assert_eq!(reply.status, StatusCode::OK);
}

fn get(path: &str, cookies: &[u8]) -> Vec<u8> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n");
    [head.as_bytes(), cookies, b"\r\n"].concat()
}

async fn answered(to: SocketAddr, sent: &[u8]) -> Answer {
    let mut answers = exchange(to, sent).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Whatever stands in `Cookie`: a guarded route is opened by a cookie of ours, or not at all, and an e-service that is
/// reached is told who is there.
#[test]
fn t48_no_cookie_header_opens_anything_but_ours() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (address, records) = runtime.block_on(raw_service());
    let world = runtime.block_on(World::with_upstream("", address));
    let mut client = Client::new(world.public());
    runtime.block_on(client.log_in(&world, "/ansokan/"));
    let good = client.cookies[SESSION].clone();
    let (begun, state) = {
        let mut other = Client::new(world.public());
        runtime.block_on(other.begin(&world, "/ansokan/"));
        other.cookies.into_iter().next().unwrap()
    };
    let half = good[..good.len() / 2].to_owned();
    let bent = good.chars().rev().collect::<String>();
    let pieces: Vec<String> = [
        "__Host-eid-etjanst",
        "__host-eid-etjanst",
        "__Host-eid-etjanst-confirm",
        "eid-etjanst",
        "=",
        "==",
        ";",
        "; ",
        ",",
        " ",
        "\t",
        "\"",
        "\\",
        "a=1",
        "%00",
        "\u{e5}",
        "$Version=1",
        "{}",
        "AAAA",
        "Path=/",
        "__Host-eid-etjanst=",
        &begun,
        &state,
        &half,
        &bent,
    ]
    .map(str::to_owned)
    .into();
    let header = proptest::collection::vec(proptest::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat());
    let strategy = (proptest::collection::vec(header, 1..4), any::<proptest::sample::Index>(), 0..4_u8);
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let verdict = runner.run(&strategy, |(mut headers, at, planted)| {
        // In one case of four the good one is among them.
        let genuine = planted == 0;
        // In another it stands behind white space, in UTF-8 or Latin-1, and is another cookie.
        if planted == 1 {
            let blank = ["\u{c2}\u{a0}", "\u{e2}\u{80}\u{80}", "\u{85}", "\u{a0}"][at.index(4)];
            headers.insert(at.index(headers.len() + 1), format!("{blank}{SESSION}={good}"));
        }
        if genuine {
            headers.insert(at.index(headers.len() + 1), format!("{SESSION}={good}"));
        }
        let cookies: String = headers.iter().map(|value| format!("Cookie: {value}\r\n")).collect();
        let cookies: Vec<u8> = cookies.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let answer = runtime.block_on(answered(world.public(), &get("/ansokan/1", &cookies)));
        let arrived = records.take().unwrap();
        match answer.status {
            200 => {
                prop_assert!(genuine && arrived.len() == 1);
                prop_assert_eq!(arrived[0].all("x-eid-personal-number"), ["195006262546"]);
                prop_assert!(arrived[0].all("cookie").iter().all(|cookie| !cookie.contains(good.as_str())));
            }
            401 => prop_assert!(arrived.is_empty()),
            status => prop_assert!(false, "{}", status),
        }
        Ok(())
    });
    verdict.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t56_hostile_cookies_are_bounded_and_break_nothing() {
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let good = format!("{SESSION}={}", client.cookies[SESSION]);
    let line = |value: &str| format!("Cookie: {value}\r\n");
    let chunk = |n: usize| format!("{SESSION}-{n}=AAAA");
    let cases: Vec<(&str, String, u16)> = vec![
        ("10,000 pairs", line(&"a=1;".repeat(10_000)), 431),
        ("as many pairs as fit", line(&"a=1;".repeat(7_000)), 401),
        ("a pair of 40,000 bytes", line(&format!("a={}", "b".repeat(40_000))), 431),
        ("a session of 30,000 bytes", line(&format!("{SESSION}={}", "A".repeat(30_000))), 401),
        ("2,000 sessions", line(&format!("{SESSION}=A; ").repeat(1_400)), 401),
        ("90 headers", line("a=1").repeat(90), 401),
        (
            "ours behind three strangers of its name",
            line(&format!("{SESSION}=A; {SESSION}=B; {SESSION}=C; {good}")),
            200,
        ),
        (
            "ours behind four strangers of its name",
            line(&format!("{SESSION}=A; {SESSION}=B; {SESSION}=C; {SESSION}=D; {good}")),
            401,
        ),
        ("ours behind 1,000 others", line(&format!("{}{good}", "a=1; ".repeat(1_000))), 401),
        ("ours behind 100 others", line(&format!("{}{good}", "a=1; ".repeat(100))), 200),
        ("ours between controls that no header has", "Cookie: a=\u{1}\r\n".to_owned() + &line(&good), 400),
        (
            "pieces that another proxy would put together",
            line(&(0..200).map(chunk).collect::<Vec<_>>().join("; ")),
            401,
        ),
        ("a count of pieces", line(&format!("{SESSION}-chunks=999999999; {SESSION}_0=A")), 401),
        ("ours in quotes", line(&format!("{SESSION}=\"{}\"", client.cookies[SESSION])), 401),
        (
            "ours encoded",
            line(&format!("{SESSION}={}", client.cookies[SESSION].replacen('A', "%41", 1))),
            if client.cookies[SESSION].contains('A') { 401 } else { 200 },
        ),
        ("ours with padding", line(&format!("{good}=")), 401),
        ("ours with an attribute", line(&format!("{good}; Path=/; Secure")), 200),
        ("ours with spaces about it", line(&format!("  {SESSION} = {}  ", client.cookies[SESSION])), 200),
        ("ours behind a comma", line(&format!("a=1, {good}")), 401),
        ("no pairs", line(";;;;"), 401),
        ("nothing", line(""), 401),
        ("an open quote", line(&format!("a=\"b; {good}")), 200),
        ("ours in another case", line(&good.replacen("__Host", "__host", 1)), 401),
    ];
    for (what, cookies, status) in cases {
        let answer = answered(world.public(), &get("/ansokan/1", cookies.as_bytes())).await;
        assert_eq!(answer.status, status, "{what}");
        let arrived = records.take().unwrap();
        assert_eq!(arrived.len(), usize::from(status == 200), "{what}");
        for request in arrived {
            let cookies = request.all("cookie").join("; ");
            assert!(!cookies.contains(client.cookies[SESSION].as_str()), "{what}: ours went on");
        }
    }
    // Own pages read them too.
    for path in ["/eid/session", "/eid/login?eid=bankid", "/eid/logout"] {
        let cookies = line(&format!("{SESSION}=A; =; \"; {SESSION}-AAAAAAAAAAAAAAAAAAAAAAAAAAA=x; ").repeat(100));
        let status = answered(world.public(), &get(path, cookies.as_bytes())).await.status;
        assert!(status < 500, "{path}: {status}");
    }
    assert!(metric(world.admin(), "grindvakt_requests_in_flight").await <= 1.0);
}
