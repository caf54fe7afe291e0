//! The one way out: what it sends, and every fault with its exact code.

use std::path::Path;
use std::time::Duration;

use grindvakt::base::{ManualClock, Secret};
use grindvakt::config::{NoProxy, Outbound, ProxyAddress, RemoteUrl};
use grindvakt::provider::fetch::{Answer, FetchError, Fetcher, Reach, Request, Stage, Times, TlsFault, Validators};
use http::header;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::eventually;
use crate::support::remote::{Act, Authority, Proxy, Remote, START, fetcher};

fn url(text: &str) -> RemoteUrl {
    RemoteUrl::parse(text).unwrap()
}

fn of(remote: &Remote) -> RemoteUrl {
    url(&format!("http://md.localhost:{}/feed?x=1", remote.address.port()))
}

fn direct() -> (Fetcher, ManualClock) {
    let clock = ManualClock::at(START);
    (fetcher(&Outbound::default(), &clock), clock)
}

fn refused(result: Result<Answer, FetchError>) -> FetchError {
    match result {
        Ok(answer) => panic!("answered {}", answer.status()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_is_sent_and_what_comes_back() {
    let remote = Remote::start().await;
    let (fetcher, _) = direct();
    remote.does(Act::ok_with(
        &[
            "ETag: \"1\"",
            "Last-Modified: Sun, 01 Mar 2026 09:00:00 GMT",
            "Cache-Control: max-age=300",
            "Content-Type: Text/XML; charset=utf-8",
        ],
        "hello",
    ));
    let answer = fetcher.send(Request::get(of(&remote)).accept("text/xml")).await.unwrap().ok().unwrap();
    assert_eq!(&answer.body()[..], b"hello");
    assert_eq!(answer.max_age(), Some(Duration::from_secs(300)));
    assert_eq!((answer.media_type().as_deref(), answer.issuer()), (Some("text/xml"), None));
    let validators = answer.validators();
    assert_eq!(validators.etag.as_deref(), Some("\"1\""));
    let asked = remote.last();
    assert_eq!(asked.line, "GET /feed?x=1 HTTP/1.1");
    let mut names: Vec<&str> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "connection", "host", "user-agent"], "nothing else is told of us");
    let host = format!("md.localhost:{}", remote.address.port());
    assert_eq!((asked.header("host"), asked.header("user-agent")), (Some(host.as_str()), Some("grindvakt")));

    // Not modified: only where it was asked.
    remote.does(Act::status(304));
    let answer = fetcher.send(Request::get(of(&remote)).unless(&validators)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (304, 0));
    let asked = remote.last();
    assert_eq!(asked.header("if-none-match"), Some("\"1\""));
    assert_eq!(asked.header("if-modified-since"), Some("Sun, 01 Mar 2026 09:00:00 GMT"));

    // A form with the client's credentials, and an error that its caller wants to read.
    remote.does(Act::Answer(400, Vec::new(), b"{\"error\":\"invalid_grant\"}".to_vec()));
    let secret = Secret::new("hemligt".to_owned());
    let form = Request::form(of(&remote), &[("grant_type", "authorization_code"), ("code", "a b&c")]);
    let form = form.basic("etjanst", &secret).header(header::HeaderName::from_static("dpop"), "proof".parse().unwrap());
    let answer = fetcher.send(form).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (400, 25));
    assert_eq!(answer.ok().err(), Some(FetchError::Status(400)));
    let asked = remote.last();
    assert_eq!(asked.line, "POST /feed?x=1 HTTP/1.1");
    assert_eq!(asked.body, b"grant_type=authorization_code&code=a%20b%26c");
    assert_eq!(asked.header("authorization"), Some("Basic ZXRqYW5zdDpoZW1saWd0"));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.header("dpop"), Some("proof"));
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_has_its_code() {
    let remote = Remote::start().await;
    let (fetcher, _) = direct();
    let large = vec![b'x'; 1001];
    for (act, code, says) in [
        (Act::status(304), "http_status", "304"),
        (Act::redirect("https://evil.example/feed"), "http_redirect", "https://evil.example/feed"),
        (Act::redirect("/elsewhere"), "http_redirect", "/elsewhere"),
        (Act::ok(large.clone()), "answer_too_large", "1000 bytes"),
        (Act::Chunked(large.clone()), "answer_too_large", "1000 bytes"),
        (Act::Broken(vec![b'x'; 100]), "http_broken", "no whole answer"),
        (Act::Raw(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), "http_broken", "no whole answer"),
        (
            Act::Raw(format!("HTTP/1.1 200 X\r\nx: {}\r\n\r\n", "y".repeat(300_000)).into()),
            "http_broken",
            "no whole answer",
        ),
        (Act::ok_with(&["Content-Encoding: gzip"], "x"), "http_broken", "compressed"),
        (Act::Closed, "http_broken", "no whole answer"),
    ] {
        remote.does(act.clone());
        let act = format!("{act:?}");
        let act = &act[..act.len().min(60)];
        let sent = fetcher.send(Request::get(of(&remote)).limit(1000)).await;
        assert!(sent.is_err(), "{act}");
        let error = refused(sent);
        assert_eq!(error.code(), code, "{act}: {error}");
        assert!(error.to_string().contains(says), "{act}: {error}");
        assert!(!error.before_the_host(), "{act}");
    }
    // One byte under, and exactly at the limit: taken.
    for act in
        [Act::ok(vec![b'x'; 1000]), Act::Chunked(vec![b'x'; 1000]), Act::ok_with(&["Content-Encoding: identity"], "")]
    {
        remote.does(act);
        assert!(fetcher.send(Request::get(of(&remote)).limit(1000)).await.is_ok());
    }
    // Every other status is its caller's business.
    for status in [201, 300, 404, 500, 503] {
        remote.does(Act::status(status));
        let answer = fetcher.send(Request::get(of(&remote))).await.unwrap();
        assert_eq!(answer.ok().err(), Some(FetchError::Status(status)));
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_told_from_one_that_answers_badly() {
    let (fetcher, _) = direct();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (target, code) in
        [("https://md.invalid/feed".to_owned(), "dns"), (format!("http://127.0.0.1:{}/", closed.port()), "tcp_connect")]
    {
        let error = refused(fetcher.send(Request::get(url(&target))).await);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.before_the_host());
    }
}

#[tokio::test]
async fn every_part_of_an_exchange_has_its_time() {
    let remote = Remote::start().await;
    let (fetcher, clock) = direct();
    // (what the host does, seconds that are not enough, seconds that are, the stage)
    for (act, before, after, stage) in
        [(Act::Silent, 9, 1, Stage::Head), (Act::Drip(vec![b'x'; 100_000]), 59, 1, Stage::Body)]
    {
        remote.does(act);
        let (hits, target) = (remote.hits(), of(&remote));
        let waiting = tokio::spawn({
            let fetcher = fetcher.clone();
            async move { fetcher.send(Request::get(target).limit(200_000)).await }
        });
        eventually(10, "the request came", || async { remote.hits() > hits }).await;
        // The head of the dripping answer is read soon; the clock must not be turned before.
        tokio::time::sleep(Duration::from_millis(200)).await;
        clock.advance(Duration::from_secs(before));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished(), "{stage:?}");
        clock.advance(Duration::from_secs(after));
        assert_eq!(refused(waiting.await.unwrap()), FetchError::Timeout(stage));
    }
    // A host that takes the connection and never speaks TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = url(&format!("https://localhost:{}/", silent.local_addr().unwrap().port()));
    let waiting = tokio::spawn({
        let fetcher = fetcher.clone();
        async move { fetcher.send(Request::get(target)).await }
    });
    let _held = silent.accept().await.unwrap();
    clock.advance(Duration::from_secs(5));
    let error = refused(waiting.await.unwrap());
    assert_eq!((error.code(), error.before_the_host()), ("timeout_connect", true));
}

#[tokio::test]
async fn whoever_stops_waiting_ends_the_exchange() {
    let remote = Remote::start().await;
    remote.does(Act::Silent);
    let (fetcher, _) = direct();
    let target = of(&remote);
    let waiting = tokio::spawn(async move { fetcher.send(Request::get(target)).await.is_ok() });
    eventually(10, "the request came", || async { remote.hits() == 1 }).await;
    assert_eq!(*remote.ended.lock().unwrap(), 0);
    waiting.abort();
    eventually(10, "the connection is closed", || async { *remote.ended.lock().unwrap() == 1 }).await;
}

fn trusting(authority: &Authority, folder: &Path) -> Outbound {
    let file = folder.join("ca.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    Outbound { ca_file: Some(file), ..Outbound::default() }
}

#[tokio::test]
async fn a_certificate_is_judged_and_its_issuer_told() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("Myndighetens rot"), Authority::new("Inspektion AB"));
    let clock = ManualClock::at(START);
    let fetcher = fetcher(&trusting(&ours, folder.path()), &clock);
    let target = |remote: &Remote| url(&format!("https://md.localhost:{}/", remote.address.port()));

    let good = Remote::tls(ours.vouches_for("md.localhost", 2020..2040)).await;
    good.does(Act::ok("hello"));
    let answer = fetcher.send(Request::get(target(&good))).await.unwrap();
    assert_eq!((&answer.body()[..], answer.issuer().as_deref()), (&b"hello"[..], Some("CN=Myndighetens rot")));

    for (shown, fault, code, issuer) in [
        (
            theirs.vouches_for("md.localhost", 2020..2040),
            TlsFault::UnknownIssuer,
            "tls_unknown_issuer",
            "CN=Inspektion AB",
        ),
        (ours.vouches_for("md.localhost", 2020..2026), TlsFault::Expired, "tls_expired", "CN=Myndighetens rot"),
        (
            ours.vouches_for("md.localhost", 2027..2040),
            TlsFault::NotYetValid,
            "tls_not_yet_valid",
            "CN=Myndighetens rot",
        ),
        (ours.vouches_for("other.localhost", 2020..2040), TlsFault::WrongName, "tls_wrong_name", "CN=Myndighetens rot"),
    ] {
        let remote = Remote::tls(shown).await;
        remote.does(Act::ok("never"));
        let error = refused(fetcher.send(Request::get(target(&remote))).await);
        assert_eq!(error.code(), code, "{error}");
        let FetchError::Tls { host, fault: found, issuer: told, .. } = &error else { panic!("{error}") };
        assert_eq!((host.as_str(), *found, told.as_deref()), ("md.localhost", fault, Some(issuer)));
        assert_eq!(remote.hits(), 0, "nothing was sent to {code}");
    }
    // The clock that judges is ours: what has expired now was good a year ago.
    let past = Remote::tls(ours.vouches_for("md.localhost", 2020..2026)).await;
    past.does(Act::ok("hello"));
    clock.set(START.minus(Duration::from_secs(365 * 86_400)));
    assert!(fetcher.send(Request::get(target(&past))).await.is_ok());

    // A host that answers TLS with something else.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = url(&format!("https://md.localhost:{}/", plain.local_addr().unwrap().port()));
    let answering = async {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (sent, _held) = tokio::join!(fetcher.send(Request::get(target)), answering);
    assert_eq!(refused(sent).code(), "tls_failed");
}

#[tokio::test]
async fn a_probe_takes_the_head_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Rot");
    let clock = ManualClock::at(START);
    let fetcher = fetcher(&trusting(&authority, folder.path()), &clock);
    let remote = Remote::tls(authority.vouches_for("idp.localhost", 2020..2040)).await;
    let target = url(&format!("https://idp.localhost:{}/sso", remote.address.port()));
    for (act, status) in [
        (Act::ok(vec![b'x'; 5_000_000]), 200),
        (Act::redirect("https://elsewhere.example/"), 302),
        (Act::status(400), 400),
        (Act::status(503), 503),
        (Act::Drip(vec![b'x'; 100_000]), 200),
    ] {
        remote.does(act);
        let probe = fetcher.probe(target.clone(), Times::default(), Reach::Anywhere).await.unwrap();
        assert_eq!((probe.status.as_u16(), probe.issuer.as_deref()), (status, Some("CN=Rot")));
    }
    remote.does(Act::Closed);
    assert_eq!(fetcher.probe(target, Times::default(), Reach::Anywhere).await.unwrap_err().code(), "http_broken");
}

#[tokio::test]
async fn a_proxy_carries_tls_and_resolves_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Rot");
    let remote = Remote::tls(authority.vouches_for("md.example.test", 2020..2040)).await;
    remote.does(Act::ok("hello"));
    let clock = ManualClock::at(START);
    let through = |proxy: &str, no_proxy: &str| Outbound {
        proxy: Some(ProxyAddress::parse(proxy).unwrap()),
        no_proxy: NoProxy::parse(no_proxy).unwrap(),
        ..trusting(&authority, folder.path())
    };
    let proxy = Proxy::start(200, remote.address).await;
    let address = format!("http://svc:p%40ss@{}", proxy.address);
    let target = url("https://md.example.test/feed");
    let answer = fetcher(&through(&address, ""), &clock).send(Request::get(target.clone())).await.unwrap();
    assert_eq!(&answer.body()[..], b"hello");
    let asked = proxy.asked().remove(0);
    assert_eq!(asked.line, "CONNECT md.example.test:443 HTTP/1.1");
    assert_eq!(asked.header("host"), Some("md.example.test:443"));
    assert_eq!(asked.header("proxy-authorization"), Some("Basic c3ZjOnBAc3M="));
    assert_eq!(remote.last().header("proxy-authorization"), None, "the host learns nothing of the proxy's password");
    assert_eq!(remote.last().header("host"), Some("md.example.test"));

    // The exception is called directly, and this name has no address.
    let error = refused(fetcher(&through(&address, "example.test"), &clock).send(Request::get(target.clone())).await);
    assert_eq!(error.code(), "dns", "{error}");
    // Loopback never goes through it.
    let local = Remote::start().await;
    local.does(Act::ok("local"));
    assert!(fetcher(&through(&address, ""), &clock).send(Request::get(of(&local))).await.is_ok());
    assert_eq!(proxy.asked().len(), 1);

    for status in [407, 403, 502] {
        let proxy = Proxy::start(status, remote.address).await;
        let address = format!("http://svc:hemligt@{}", proxy.address);
        let error = refused(fetcher(&through(&address, ""), &clock).send(Request::get(target.clone())).await);
        let FetchError::Proxy { status: told, .. } = &error else { panic!("{error}") };
        assert_eq!((error.code(), *told), ("proxy", Some(status)));
        assert!(!error.to_string().contains("hemligt"), "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = refused(fetcher(&through(&format!("http://{closed}"), ""), &clock).send(Request::get(target)).await);
    assert!(matches!(&error, FetchError::Proxy { status: None, .. }) && error.before_the_host(), "{error}");
}

#[tokio::test]
async fn validators_are_kept_within_bounds() {
    let remote = Remote::start().await;
    remote.does(Act::ok_with(&[&format!("ETag: \"{}\"", "x".repeat(600))], "x"));
    let (fetcher, _) = direct();
    let answer = fetcher.send(Request::get(of(&remote))).await.unwrap();
    assert_eq!(answer.validators(), Validators::default());
}
