//! Proxies that ask: what each dialect is answered, to whom, and about what.

use grindvakt_demo::Outcome;
use http::{Method, StatusCode};

use crate::support::process::Process;
use crate::support::service::{H2, read, request, whole};
use crate::support::{BASE, Client, Reply, World, metric};

/// How a proxy asks about `target` for a client, in each dialect.
async fn ask(dialect: &str, client: &Client, method: &str, target: &str) -> Reply {
    let mut client = client.clone();
    match dialect {
        "nginx" => {
            let headers = [("x-original-uri", target), ("x-original-method", method)];
            client.send(Method::GET, "/eid/auth/nginx", &headers, "").await
        }
        "traefik" => {
            let headers = [("x-forwarded-uri", target), ("x-forwarded-method", method)];
            client.send(Method::GET, "/eid/auth/traefik", &headers, "").await
        }
        _ => client.send(method.parse().unwrap(), &format!("/eid/auth/envoy{target}"), &[], "").await,
    }
}

const DIALECTS: [&str; 3] = ["nginx", "envoy", "traefik"];

async fn trusting() -> World {
    let mut world = World::new("").await;
    world
        .configure(|text| {
            text.replace(
                "[listen]",
                "[listen]\ntrusted_proxies = [\"127.0.0.1/32\"]\nforward_auth = [\"nginx\", \"envoy\", \"traefik\"]",
            )
        })
        .await;
    world
}

/// Names of identity headers in an answer.
fn identity(reply: &Reply) -> Vec<&str> {
    reply.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-eid-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_says_who_it_is_and_keeps_our_cookie() {
    let world = trusting().await;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/ansokan/1").await;
    person.cookies.insert("app".into(), "1".into());
    for dialect in DIALECTS {
        let yes = ask(dialect, &person, "POST", "/ansokan/1?steg=2").await;
        assert_eq!((yes.status, yes.body.as_str()), (StatusCode::OK, ""), "{dialect}");
        assert_eq!(yes.header("x-eid-personal-number"), "195006262546", "{dialect}");
        assert_eq!((yes.header("x-eid-method"), yes.header("x-eid-provider")), ("bankid", "bankid-a"), "{dialect}");
        assert!(
            yes.header("x-eid-subject").starts_with("personal-number:"),
            "{dialect}: {}",
            yes.header("x-eid-subject")
        );
        assert_eq!(yes.header("x-eid-assertion").split('.').count(), 3, "{dialect}");
        assert_eq!((yes.header("cookie"), yes.header("cache-control")), ("app=1", "no-store"), "{dialect}");
        let removes = yes.header("x-envoy-auth-headers-to-remove");
        assert_eq!(removes.contains("x-eid-prid"), dialect == "envoy", "{dialect}: {removes}");
        assert!(!removes.contains("x-eid-subject") && !removes.contains("cookie"), "{dialect}: {removes}");

        // Open to all: nobody is told of, and our cookie does not go on either.
        let mut bare = person.clone();
        bare.cookies.remove("app");
        let yes = ask(dialect, &bare, "GET", "/om/oss").await;
        assert_eq!((yes.status, identity(&yes), yes.headers.contains_key("cookie")), (StatusCode::OK, vec![], false));
        let removes = yes.header("x-envoy-auth-headers-to-remove");
        assert_eq!(removes.contains("x-eid-subject") && removes.ends_with("cookie"), dialect == "envoy", "{removes}");
    }
    assert_eq!(metric(world.admin(), "grindvakt_requests_total{outcome=\"allowed\",route=\"/ansokan/*\"}").await, 3.0);
    assert_eq!(
        metric(world.admin(), "grindvakt_requests_total{outcome=\"forwarded\",route=\"/ansokan/*\"}").await,
        0.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_leads_a_person_on_and_tells_a_program() {
    let world = trusting().await;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/ansokan/1").await;
    let nobody = Client::new(world.public());
    let login = |rd: &str| format!("{BASE}/eid/login?rd={rd}");
    for (client, target, status, location, code, nginx) in [
        (nobody.clone(), "/ansokan/1?a=b", 303, login("/ansokan/1%3Fa%3Db"), "needs_login", 401),
        (nobody.clone().xhr(), "/ansokan/1", 401, String::new(), "needs_login", 401),
        (person.clone(), "/hog/1", 303, login("/hog/1"), "loa_not_allowed", 403),
        (person.clone().xhr(), "/hog/1", 403, String::new(), "loa_not_allowed", 403),
    ] {
        for dialect in DIALECTS {
            let no = ask(dialect, &client, "GET", target).await;
            let expect = if dialect == "nginx" { nginx } else { status };
            assert_eq!((no.status.as_u16(), no.header("location")), (expect, location.as_str()), "{dialect} {target}");
            if dialect == "nginx" {
                assert_eq!((no.header("x-eid-refused"), no.header("x-eid-status")), (code, &*status.to_string()));
            } else {
                assert_eq!(identity(&no), Vec::<&str>::new(), "{dialect} {target}");
            }
            assert!(!no.headers.contains_key("x-eid-subject"), "{dialect} {target}");
        }
    }
}

/// Every answer of the nginx dialect, whatever it is asked: anything else would be a 500.
#[tokio::test(flavor = "multi_thread")]
async fn nginx_gets_nothing_but_200_401_and_403() {
    let world = trusting().await;
    let mut person = Client::new(world.public());
    person.log_in(&world, "/ansokan/1").await;
    for (method, target, headers, status, code) in [
        ("GET", "/om/x", &[][..], 200, ""),
        ("TRACE", "/om/x", &[], 403, "bad_forwarded"),
        ("G T", "/om/x", &[], 403, "bad_forwarded"),
        ("GET", "om/x", &[], 403, "bad_forwarded"),
        ("GET", "/om/../ansokan/1", &[], 403, "bad_path"),
        ("GET", "//om/x", &[], 403, "bad_path"),
        ("GET", "/%6fm/x", &[], 403, "bad_path"),
        ("GET", "/om/%2e%2e/x", &[], 403, "bad_path"),
        // A proxy may pass it on with the rest behind it: what is before it is not what the e-service reads.
        ("GET", "/om#/../ansokan/1", &[], 403, "bad_forwarded"),
        ("GET", "/om/x?a#/../../ansokan/1", &[], 403, "bad_forwarded"),
        ("GET", "/eid/login", &[], 403, "not_found"),
        ("GET", "/eid/auth/nginx", &[], 403, "not_found"),
        ("GET", "/om/x", &[("x-original-url", "https://x/ansokan")], 403, "bad_forwarded"),
        ("GET", "/om/x", &[("x-original-uri", "/ansokan")], 403, "bad_forwarded"),
        ("GET", "/ansokan/1", &[("sec-websocket-key", "x"), ("origin", "https://evil.example")], 403, "cross_site"),
        (
            "GET",
            "/ansokan/1",
            &[("sec-websocket-version", "13"), ("origin", "https://evil.example")],
            403,
            "cross_site",
        ),
        ("GET", "/ansokan/1", &[("sec-websocket-key", "x"), ("origin", BASE)], 200, ""),
        ("GET", "/om/x", &[("sec-websocket-key", "x"), ("origin", "https://evil.example")], 200, ""),
    ] {
        let mut client = person.clone();
        client.headers.extend(headers.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let answer = ask("nginx", &client, method, target).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-eid-refused")), (status, code), "{method} {target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_trusted_proxy_is_answered() {
    let mut world = World::new("").await;
    let mut person = Client::new(world.public());
    // Nobody is told anything where it is not switched on, whoever asks.
    world.configure(|text| text.replace("[listen]", "[listen]\ntrusted_proxies = [\"127.0.0.1/32\"]")).await;
    person.address = world.public();
    person.log_in(&world, "/ansokan/1").await;
    for dialect in DIALECTS {
        assert_eq!(ask(dialect, &person, "GET", "/ansokan/1").await.status, StatusCode::NOT_FOUND, "{dialect}");
    }
    let elsewhere = "trusted_proxies = [\"192.0.2.0/24\"]\nforward_auth = [\"nginx\", \"envoy\", \"traefik\"]";
    world.configure(|text| text.replace("trusted_proxies = [\"127.0.0.1/32\"]", elsewhere)).await;
    person.address = world.public();
    let process = Process::start(world.folder.path());
    for dialect in DIALECTS {
        for target in ["/om/x", "/ansokan/1"] {
            for address in [world.public(), process.public] {
                let answer = ask(dialect, &Client { address, ..person.clone() }, "GET", target).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{dialect} {target}");
                assert!(!answer.headers.contains_key("x-eid-subject"), "{dialect} {target}");
            }
        }
        let name = format!("grindvakt_asked_in_vain_total{{code=\"untrusted_proxy\",dialect=\"{dialect}\"}}");
        assert_eq!(metric(world.admin(), &name).await, 2.0);
    }
    let told = process.wait_for("asked_in_vain");
    assert_eq!((&told["code"], &told["dialect"]), (&"untrusted_proxy".into(), &"nginx".into()));
    assert_eq!(told["detail"], "listen.trusted_proxies does not name who asks");
    // A stranger who finds the path learns of nothing by asking in another way.
    for path in ["/eid/auth", "/eid/auth/", "/eid/auth/caddy", "/eid/auth/envoy", "/eid/auth/nginx/"] {
        assert_eq!(person.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// What a refused login leaves, leaves nothing here either.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_failed_opens_nothing_to_a_proxy() {
    let world = trusting().await;
    let mut client = Client::new(world.public());
    let (request, relay_state) = client.begin(&world, "/ansokan/1").await;
    let response = world.idp.response(&request).outcome(Outcome::Tampered).build();
    client.answer(&response, &relay_state).await;
    for dialect in DIALECTS {
        assert!(!ask(dialect, &client, "GET", "/ansokan/1").await.status.is_success(), "{dialect}");
    }
}

/// gRPC hides a refusal in a 200, and to a proxy that asks every 200 is a yes (T48).
#[tokio::test(flavor = "multi_thread")]
async fn no_refusal_looks_like_a_yes() {
    let mut world = trusting().await;
    let questions = [
        (Method::POST, "/eid/auth/envoy/ansokan/1", ""),
        (Method::POST, "/eid/auth/envoy/ansokan//1", ""),
        (Method::POST, "/eid/auth/envoy/ansokan/1;x", ""),
        (Method::POST, "/eid/%61uth/envoy/ansokan/1", ""),
        (Method::TRACE, "/eid/auth/envoy/ansokan/1", ""),
        (Method::GET, "/eid/auth/envoy/ansokan/1", ""),
        (Method::POST, "/eid/auth/traefik", "/ansokan/1"),
        (Method::POST, "/eid/auth/traefik", "https://etjanst.example.se/ansokan/1"),
        (Method::POST, "/eid/auth/traefik", "/om#/../ansokan/1"),
        (Method::POST, "/eid/auth/nginx", "/ansokan/1"),
    ];
    for trusted in [true, false] {
        if !trusted {
            world.configure(|text| text.replace("127.0.0.1/32", "192.0.2.0/24")).await;
        }
        let h2 = H2::connect(world.public()).await;
        for (method, path, uri) in &questions {
            let question = request(&Client::new(world.public()), path)
                .method(method)
                .header("content-type", "application/grpc")
                .header("x-forwarded-uri", *uri)
                .header("x-forwarded-method", "POST")
                .header("x-original-uri", *uri)
                .header("x-original-method", "POST");
            let (status, headers, ..) = read(h2.send(question.body(whole("")).unwrap()).await).await;
            assert!(!status.is_success(), "trusted {trusted}: {method} {path} {uri}: {status} {headers:?}");
        }
    }
}
