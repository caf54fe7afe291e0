//! Headers that try to speak for us, take ours away, or decide what we decide (T43, T44, T45, T47, T49, T52).

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::raw::{Arrived, Records, exchange, raw_service};
use crate::support::{Client, World};

/// Routes that are open, and names under which e-services read us beside our own.
const NAMES: &str = "[headers]\npreset = \"oauth2-proxy\"\n[headers.also]\npersonal_number = \"X-Person\"\n";

/// Every name that we send, as the configuration above has it.
const OURS: [&str; 4] = ["x-eid-", "x-forwarded-user", "x-forwarded-preferred-username", "x-person"];

async fn world() -> (World, Records, Client) {
    let (address, records) = raw_service().await;
    let world = World::with_upstream(NAMES, address).await;
    let mut client = Client::new(world.public());
    assert_eq!(client.log_in(&world, "/ansokan/").await.status, StatusCode::SEE_OTHER);
    (world, records, client)
}

/// The headers as CGI, WSGI, PHP and their like hand them to an application: one spelling for many.
fn folded(arrived: &Arrived) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in arrived.headers.iter().chain(&arrived.trailers) {
        let name = name.bytes().map(|b| if b.is_ascii_alphanumeric() { b.to_ascii_uppercase() as char } else { '_' });
        out.entry(name.collect()).or_default().push(value.clone());
    }
    out
}

/// What an application that folds names is told by us.
fn told(arrived: &Arrived) -> BTreeMap<String, Vec<String>> {
    let ours: Vec<String> = OURS.iter().map(|name| name.replace('-', "_").to_uppercase()).collect();
    folded(arrived).into_iter().filter(|(name, _)| ours.iter().any(|own| name.starts_with(own.as_str()))).collect()
}

fn request(path: &str, client: Option<&Client>, headers: &[(String, String)]) -> String {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(client) = client {
        let cookies: Vec<_> = client.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        text.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
    }
    text + "\r\n"
}

/// A name of ours as somebody might write it: any case, and for each hyphen anything that a name may hold beside letters.
fn spelling() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "x-eid-subject",
        "x-eid-loa",
        "x-eid-assertion",
        "x-eid-personal-number",
        "x-eid-session",
        "x-eid-new",
        "x-eid-",
        "x-forwarded-user",
        "x-person",
    ];
    let marks = "-_.!#$%&'*+^`|~".chars().collect::<Vec<_>>();
    let turns = proptest::collection::vec((any::<bool>(), proptest::sample::select(marks)), 24);
    (proptest::sample::select(NAMES).prop_map(str::to_owned), turns).prop_map(|(name, turns)| {
        let spelled = name.chars().zip(turns).map(|(c, (upper, mark))| match c {
            '-' if upper => mark,
            c if upper => c.to_ascii_uppercase(),
            c => c,
        });
        spelled.collect()
    })
}

/// However a client writes a header of ours: an application that folds names is told what we say, once, and nothing else.
#[test]
fn t43_every_spelling_of_our_headers_is_removed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (world, records, client) = runtime.block_on(world());
    let good = runtime.block_on(async {
        exchange(world.public(), request("/ansokan/1", Some(&client), &[]).as_bytes()).await;
        told(&records.take().unwrap()[0])
    });
    assert!(good.len() >= 8 && good.values().all(|values| values.len() == 1), "{good:#?}");
    assert_eq!(good["X_PERSON"], ["195006262546"]);
    let forged = proptest::collection::vec((spelling(), "[ -~]{0,12}"), 1..6);
    let strategy = (forged, proptest::sample::select(vec!["/ansokan/1", "/om/x"]));
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let verdict = runner.run(&strategy, |(forged, path)| {
        let sent = request(path, Some(&client), &forged);
        let answers = runtime.block_on(exchange(world.public(), sent.as_bytes()));
        prop_assert_eq!(answers[0].status, 200);
        let arrived = records.take().unwrap();
        prop_assert_eq!(arrived.len(), 1);
        let expect = if path == "/om/x" { BTreeMap::new() } else { good.clone() };
        prop_assert_eq!(told(&arrived[0]), expect);
        Ok(())
    });
    verdict.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t44_connection_takes_no_header_of_ours_away() {
    let (world, records, client) = world().await;
    exchange(world.public(), request("/ansokan/1", Some(&client), &[]).as_bytes()).await;
    let good = records.take().unwrap().remove(0);
    for named in [
        "X-Eid-Subject",
        "close, x-eid-subject, x-eid-loa, x-eid-assertion, x-person, x-forwarded-user",
        "x_eid_subject, X.Eid.Loa",
        "Host, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Cookie",
        "keep-alive, Upgrade, TE, X-Eid-Subject",
        ",,, x-eid-subject ,",
    ] {
        let sent = request("/ansokan/1", Some(&client), &[("Connection".to_owned(), named.to_owned())]);
        assert_eq!(exchange(world.public(), sent.as_bytes()).await[0].status, 200, "{named}");
        let arrived = records.take().unwrap().remove(0);
        assert_eq!(told(&arrived), told(&good), "{named}");
        for name in ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
            assert_eq!(arrived.all(name), good.all(name), "{named} takes {name}");
        }
        assert!(arrived.all("connection").is_empty(), "{named}");
    }
}

/// What a trusted proxy tells of the client, the client cannot take away through it either.
#[tokio::test(flavor = "multi_thread")]
async fn t44_connection_takes_nothing_of_a_trusted_proxy_away() {
    let (address, records) = raw_service().await;
    let mut world = World::with_upstream("", address).await;
    world.configure(|text| text.replacen("[listen]", "[listen]\ntrusted_proxies = [\"127.0.0.0/8\"]", 1)).await;
    for connection in ["close", "close, X-Forwarded-For", "x-forwarded-for, X_Forwarded_For"] {
        let sent = format!(
            "GET /om/x HTTP/1.1\r\nHost: e\r\nConnection: close\r\nConnection: {connection}\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
        );
        exchange(world.public(), sent.as_bytes()).await;
        assert_eq!(records.take().unwrap()[0].all("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"], "{connection}");
    }
}

/// Headers by which a proxy tells what was asked for. None of them decides, and none goes on.
const TOLD_BY_PROXIES: [(&str, &str); 18] = [
    ("X-Forwarded-Uri", "/om/x"),
    ("X-Forwarded-Prefix", "/om"),
    ("X-Forwarded-Path", "/om/x"),
    ("X-Forwarded-Method", "OPTIONS"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-Server", "evil.example"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Original-URL", "/om/x"),
    ("X-Original-Uri", "/om/x"),
    ("X-Original-Method", "OPTIONS"),
    ("X-Rewrite-URL", "/om/x"),
    ("X-HTTP-Method-Override", "OPTIONS"),
    ("Forwarded", "for=127.0.0.1;host=evil.example;proto=http;path=/om/x"),
    ("X-Real-IP", "127.0.0.1"),
    ("Script-Name", "/om"),
    ("Path-Info", "/om/x"),
];

#[tokio::test(flavor = "multi_thread")]
async fn t45_what_proxies_tell_decides_nothing() {
    let (address, records) = raw_service().await;
    let mut world = World::with_upstream("", address).await;
    for trusted in [false, true] {
        if trusted {
            world.configure(|text| text.replacen("[listen]", "[listen]\ntrusted_proxies = [\"127.0.0.0/8\"]", 1)).await;
        }
        let all: Vec<(String, String)> =
            TOLD_BY_PROXIES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let each = all.iter().map(|one| vec![one.clone()]).chain([all.clone()]);
        for headers in each {
            let answers = exchange(world.public(), request("/hemligt", None, &headers).as_bytes()).await;
            assert_eq!(answers[0].status, 401, "{headers:?}");
            assert_eq!(records.take().unwrap(), [], "{headers:?}");
            let answers = exchange(world.public(), request("/om/x?a=1", None, &headers).as_bytes()).await;
            assert_eq!(answers[0].status, 200, "{headers:?}");
            let arrived = records.take().unwrap().remove(0);
            assert_eq!(arrived.line, "GET /om/x?a=1", "{headers:?}");
            let expect = [
                ("host", "etjanst.example.se"),
                ("x-forwarded-host", "etjanst.example.se"),
                ("x-forwarded-proto", "https"),
            ];
            for (name, value) in expect {
                assert_eq!(arrived.all(name), [value], "{headers:?}");
            }
            let rest: Vec<_> = headers
                .iter()
                .filter(|(name, _)| {
                    !matches!(name.as_str(), "X-Forwarded-Host" | "X-Forwarded-Proto" | "X-Forwarded-For")
                })
                .filter(|(name, _)| !arrived.all(name).is_empty())
                .collect();
            assert!(rest.is_empty(), "went on: {rest:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t47_no_value_of_any_header_lets_a_request_through() {
    let (address, records) = raw_service().await;
    let world = World::with_upstream("", address).await;
    for (name, value) in [
        ("User-Agent", "kube-probe/1.33"),
        ("User-Agent", "GoogleHC/1.0"),
        ("User-Agent", "ELB-HealthChecker/2.0"),
        ("User-Agent", "Prometheus/3.0"),
        ("User-Agent", "curl/8.0"),
        ("User-Agent", ""),
        ("Authorization", "Basic YWRtaW46YWRtaW4="),
        ("Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."),
        ("Proxy-Authorization", "Basic YWRtaW46YWRtaW4="),
        ("X-Eid-Subject", "personal-number:x"),
        ("X-Eid-Assertion", "eyJhbGciOiJub25lIn0.e30."),
        ("X-Forwarded-User", "admin"),
        ("X-Internal-Request", "true"),
        ("X-Health-Check", "1"),
        ("X-Envoy-Internal", "true"),
        ("Sec-Fetch-Mode", "same-origin"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Origin", "https://etjanst.example.se"),
        ("Referer", "https://etjanst.example.se/om/x"),
        ("Purpose", "prefetch"),
        ("Upgrade", "websocket"),
        ("Range", "bytes=0-0"),
        ("If-None-Match", "*"),
        ("Access-Control-Request-Method", "GET"),
        ("Max-Forwards", "0"),
        ("Cookie", "__Host-eid-etjanst=admin"),
        ("Content-Type", "application/grpc"),
    ] {
        let headers = [(name.to_owned(), value.to_owned())];
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "PROPFIND", "get"] {
            let sent = request("/hemligt", None, &headers).replacen("GET", method, 1);
            let mut answers = exchange_head(world.public(), &sent, method).await;
            let status = answers.remove(0);
            // Whoever is taken for a browser may be sent to log in; whoever speaks gRPC is told in its own way.
            let expected: &[u16] = if method == "get" { &[400] } else { &[401, 303] };
            assert!(expected.contains(&status), "{method} {name}: {value}: {status}");
            assert_eq!(records.take().unwrap(), [], "{method} {name}: {value}");
        }
    }
}

/// The statuses of the answers; the answer to HEAD has no body, whatever its length says.
async fn exchange_head(to: std::net::SocketAddr, sent: &str, method: &str) -> Vec<u16> {
    use tokio::io::AsyncWriteExt as _;
    if method != "HEAD" {
        return exchange(to, sent.as_bytes()).await.iter().map(|answer| answer.status).collect();
    }
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let (got, ended) = crate::support::raw::read_to_end(&mut stream).await;
    assert!(ended && got.ends_with(b"\r\n\r\n"), "an answer to HEAD has no body");
    vec![String::from_utf8_lossy(&got)[9..12].parse().unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn t49_public_paths_take_our_headers_off_too() {
    let (world, records, client) = world().await;
    let forged: Vec<(String, String)> =
        ["X-Eid-Subject", "X-Eid-Assertion", "x_eid_loa", "X-Person", "X-Forwarded-User", "X-Forwarded-Email"]
            .map(|name| (name.to_owned(), "forged".to_owned()))
            .into();
    for (who, cookies) in [("a stranger", None), ("someone who is logged in", Some(&client))] {
        for path in ["/om", "/om/", "/om/x", "/om/x?y"] {
            let answers = exchange(world.public(), request(path, cookies, &forged).as_bytes()).await;
            assert_eq!(answers[0].status, 200, "{who} {path}");
            let arrived = records.take().unwrap().remove(0);
            assert_eq!(told(&arrived), BTreeMap::new(), "{who} {path}");
            assert!(arrived.headers.iter().all(|(_, value)| value != "forged"), "{who} {path}: {:?}", arrived.headers);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t52_of_a_header_that_stands_many_times_ours_alone_is_left() {
    let (world, records, client) = world().await;
    let mut forged = Vec::new();
    for n in 0..20 {
        for name in ["X-Eid-Subject", "x-eid-subject", "X_Eid_Subject", "X-Person", "X-Eid-Loa"] {
            forged.push((name.to_owned(), format!("forged-{n}")));
        }
    }
    forged.truncate(90);
    let answers = exchange(world.public(), request("/ansokan/1", Some(&client), &forged).as_bytes()).await;
    assert_eq!(answers[0].status, 200);
    let told = told(&records.take().unwrap()[0]);
    assert!(told.values().all(|values| values.len() == 1 && !values[0].starts_with("forged")), "{told:#?}");
    assert_eq!(told["X_PERSON"], ["195006262546"]);
    let metrics = Client::new(world.admin()).send(Method::GET, "/metrics", &[], "").await.body;
    assert!(metrics.contains("grindvakt_forged_headers_total 90\n"), "{metrics}");
}

/// An application that verifies the token needs no trust in plain headers: what a client sends in its place goes no
/// further, and ours tells the same as the headers.
#[tokio::test(flavor = "multi_thread")]
async fn t55_the_signed_token_is_ours_whatever_a_client_sends() {
    let (world, records, client) = world().await;
    let forged: Vec<(String, String)> = ["X-Eid-Assertion", "x_eid_assertion", "X-EID-ASSERTION", "X-Eid-Subject"]
        .map(|name| (name.to_owned(), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.".to_owned()))
        .into();
    for path in ["/ansokan/1", "/annat"] {
        exchange(world.public(), request(path, Some(&client), &forged).as_bytes()).await;
        let arrived = records.take().unwrap().remove(0);
        let [token] = arrived.all("x-eid-assertion")[..] else { panic!("not one token: {:?}", arrived.headers) };
        let parts: Vec<serde_json::Value> = token
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap()).unwrap())
            .collect();
        assert_eq!((&parts[0]["alg"], &parts[0]["typ"]), (&"ES256".into(), &"grindvakt+jwt".into()));
        assert_eq!(parts[1]["aud"], "etjanst");
        assert_eq!([parts[1]["sub"].as_str().unwrap()], arrived.all("x-eid-subject")[..]);
        assert_eq!([parts[1]["sid"].as_str().unwrap()], arrived.all("x-eid-session")[..]);
        let jwks: serde_json::Value =
            serde_json::from_str(&Client::new(world.public()).get("/eid/jwks.json").await.body).unwrap();
        assert_eq!(jwks["keys"][0]["kid"], parts[0]["kid"]);
    }
}
