//! gRPC as its clients speak it: HTTP/2 on both sides, a status in the trailers, and a status of its own for a refusal.

use std::net::SocketAddr;

use http::{HeaderMap, Method, Request, StatusCode, Version};
use hyper::body::Incoming;

use crate::support::service::{H2, Service, coming, data, nothing, ok, read, request, trailers, whole};
use crate::support::{Client, World};

const H2C: &str = "[upstream]\nprotocol = \"h2c\"\n";

/// A gRPC service of one method: it sends back what it got, and tells in its trailers who asked.
async fn echo() -> Service {
    Service::new(Version::HTTP_2, |request: Request<Incoming>| async move {
        let te = request.headers().get("te").map_or("none", |te| te.to_str().unwrap()).to_owned();
        let loa = request.headers().get("x-eid-loa").is_some();
        let (_, _, message, _) = read(http::Response::new(request.into_body())).await;
        let (sender, body) = coming();
        tokio::spawn(async move {
            sender.send(data(message)).await.unwrap();
            let mut end = HeaderMap::new();
            end.insert("grpc-status", "0".parse().unwrap());
            end.insert("grpc-message", format!("te {te}, loa {loa}").parse().unwrap());
            end.insert("my.details-bin", "AAE".parse().unwrap());
            end.insert("set-cookie", "__Host-eid-etjanst=planted".parse().unwrap());
            sender.send(hyper::body::Frame::trailers(end)).await.unwrap();
        });
        let mut answer = ok(body);
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    })
    .await
}

fn call(client: &Client, path: &str) -> http::request::Builder {
    request(client, path).method(Method::POST).header("content-type", "application/grpc+proto").header("te", "trailers")
}

/// What a gRPC client sees of a refusal: HTTP's 200, headers that are trailers at the same time, and nothing else.
async fn refused(h2: &H2, request: http::request::Builder) -> (String, String) {
    let (status, headers, body, trailers) = read(h2.send(request.body(whole("message")).unwrap()).await).await;
    assert_eq!((status, body.len(), trailers.len()), (StatusCode::OK, 0, 0));
    assert_eq!(headers["content-type"], "application/grpc");
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    (text("grpc-status"), text("grpc-message"))
}

#[tokio::test]
async fn a_call_goes_through_with_its_trailers() {
    let service = echo().await;
    let world = World::with_upstream(H2C, service.address).await;
    let mut client = Client::new(world.public());
    client.log_in(&world, "/ansokan/").await;
    let h2 = H2::connect(world.public()).await;
    let (status, headers, body, end) =
        read(h2.send(call(&client, "/ansokan/Echo").body(whole("message")).unwrap()).await).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"message"[..]));
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["cache-control"], "private");
    assert_eq!(end["grpc-status"], "0");
    assert_eq!(end["grpc-message"], "te trailers, loa true");
    assert_eq!(end["my.details-bin"], "AAE", "the e-service's own metadata may have any name");
    assert!(!end.contains_key("set-cookie"), "nothing that belongs into a head comes after the body");
}

#[tokio::test]
async fn a_refusal_is_a_status_that_grpc_clients_know() {
    let service = echo().await;
    let world = World::with_upstream(H2C, service.address).await;
    let h2 = H2::connect(world.public()).await;
    let mut client = Client::new(world.public());
    let (status, message) = refused(&h2, call(&client, "/ansokan/Echo")).await;
    assert_eq!(status, "16");
    assert!(message.starts_with("You are not logged in (needs_login, reference "), "{message}");
    client.log_in(&world, "/ansokan/").await;
    let (status, message) = refused(&h2, call(&client, "/hog/Echo")).await;
    assert_eq!(status, "7");
    assert!(message.contains("(loa_not_allowed, reference "), "{message}");
    assert_eq!(refused(&h2, call(&client, "/ansokan/..%2fEcho")).await.0, "3");

    // Over HTTP/1.1 a content type does not hide a refusal in a 200, and gRPC-Web reads HTTP's own.
    let mut program = Client::new(world.public()).xhr();
    for kind in ["application/grpc", "application/grpc-web+proto"] {
        let reply = program.send(Method::POST, "/ansokan/Echo", &[("content-type", kind)], "x").await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (StatusCode::UNAUTHORIZED, "application/problem+json")
        );
    }
    let web = request(&program, "/ansokan/Echo").method(Method::POST).header("content-type", "application/grpc-web");
    assert_eq!(read(h2.send(web.body(nothing()).unwrap()).await).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_e_service_that_is_down_is_unavailable() {
    let nobody: SocketAddr = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let world = World::with_upstream(H2C, nobody).await;
    let h2 = H2::connect(world.public()).await;
    let (status, message) = refused(&h2, call(&Client::new(world.public()), "/om/Echo")).await;
    assert_eq!(status, "14");
    assert!(message.contains("(upstream_down, reference "), "{message}");
}

#[tokio::test]
async fn an_answer_of_trailers_alone_stays_one() {
    let service = Service::new(Version::HTTP_2, |_| async {
        let mut answer = ok(nothing());
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer.headers_mut().insert("grpc-status", "5".parse().unwrap());
        answer
    })
    .await;
    let world = World::with_upstream(H2C, service.address).await;
    let h2 = H2::connect(world.public()).await;
    assert_eq!(
        {
            let sent = call(&Client::new(world.public()), "/om/Echo").body(whole("message")).unwrap();
            let (status, headers, body, end) = read(h2.send(sent).await).await;
            (status, headers["grpc-status"].to_str().unwrap().to_owned(), body.len(), end.len())
        },
        (StatusCode::OK, "5".to_owned(), 0, 0)
    );
}

#[tokio::test]
async fn calls_that_go_on_do_not_hold_up_the_others() {
    let service = Service::new(Version::HTTP_2, |request: Request<Incoming>| async move {
        if request.uri().path() == "/om/Short" {
            return ok(whole("short"));
        }
        let (sender, body) = coming();
        tokio::spawn(async move {
            sender.send(data("first")).await.unwrap();
            // Until whoever reads it goes away.
            sender.closed().await;
            let _ = sender.send(trailers(&[])).await;
        });
        ok(body)
    })
    .await;
    let world = World::with_upstream(H2C, service.address).await;
    let client = Client::new(world.public());
    let mut going_on = Vec::new();
    // More than any server takes on one connection, from clients on several.
    for _ in 0..4 {
        let h2 = H2::connect(world.public()).await;
        for _ in 0..90 {
            going_on.push(h2.send(call(&client, "/om/Long").body(whole("x")).unwrap()).await);
        }
    }
    let h2 = H2::connect(world.public()).await;
    let (status, _, body, _) = read(h2.send(call(&client, "/om/Short").body(whole("x")).unwrap()).await).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"short"[..]));
    assert!(service.connections() > 1, "one connection for all of them");
}
