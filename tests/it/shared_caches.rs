//! What is a person's is for no cache that others share.

use std::time::Duration;

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{Method, Request, Version};
use hyper::body::Incoming;

use crate::support::service::{H2, Service, h1, h1_request, nothing, ok, read, request};
use crate::support::{Client, World};

/// What an e-service says of caches, and what becomes of it for somebody who is logged in, over both protocols.
#[tokio::test]
async fn what_is_a_persons_is_for_no_shared_cache_and_a_cookie_never_is() {
    let service = Service::new(Version::HTTP_11, |request: Request<Incoming>| async move {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let mut answer = ok(nothing());
        *answer.status_mut() = text("x-status").unwrap().parse().unwrap();
        for (name, from) in [("cache-control", "x-cache"), ("vary", "x-vary")] {
            if let Some(value) = text(from) {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        if let Some((name, value)) = text("x-field").as_deref().and_then(|field| field.split_once(": ")) {
            let name: http::HeaderName = name.parse().unwrap();
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        answer
    })
    .await;
    // Every request is worth a new cookie after a quarter of a second.
    let mut world = World::with_upstream("", service.address).await;
    world.configure(|text| text.replacen("[store]", "[session]\nidle_timeout = \"1s\"\n[store]", 1)).await;
    // What it says to a cache of its own, which goes by that alone, and whether the session's cookie may go along.
    let named = [
        ("CDN-Cache-Control: max-age=60", false),
        ("Cloudflare-CDN-Cache-Control: max-age=60", false),
        ("Surrogate-Control: max-age=60, content=\"ESI/1.0\"", false),
        ("Edge-Control: cache-maxage=60", false),
        ("X-Accel-Expires: 60", false),
        ("CDN-Cache-Control: no-store", true),
        ("Surrogate-Control: No-Store", true),
        ("CDN-Cache-Control: max-age=0", true),
        ("CDN-Cache-Control: max-age=0, stale-while-revalidate=60", false),
        ("CDN-Cache-Control: max-age=0, must-revalidate", true),
        ("CDN-Cache-Control: must-revalidate", false),
        ("CDN-Cache-Control: no-cache", false),
        ("X-Accel-Expires: 0", true),
    ];
    let rows: &[(&str, Option<&str>, &[&str], bool)] = &[
        ("200", None, &["private"], true),
        ("304", None, &["private"], true),
        ("404", None, &["private"], true),
        ("200", Some("max-age=60"), &["max-age=60", "private"], true),
        ("304", Some("max-age=60"), &["max-age=60", "private"], true),
        ("200", Some("private, max-age=60"), &["private, max-age=60"], true),
        ("200", Some("no-store"), &["no-store"], true),
        ("200", Some("public, max-age=60"), &["public, max-age=60"], false),
        ("304", Some("public"), &["public"], false),
        ("200", Some("s-maxage=60"), &["s-maxage=60"], false),
        ("200", Some("max-age=60, immutable"), &["max-age=60, immutable"], false),
    ];
    let mut client = Client::new(world.public());
    for over_h2 in [false, true] {
        client.log_in(&world, "/ansokan/").await;
        let h2 = H2::connect(world.public()).await;
        let by_name = named.iter().map(|(field, refreshed)| (&"200", None, &["private"][..], refreshed, Some(*field)));
        let plain = rows.iter().map(|(status, cache, expect, refreshed)| (status, *cache, *expect, refreshed, None));
        for (status, cache, expect, refreshed, field) in plain.chain(by_name) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut asks = if over_h2 { request(&client, "/ansokan/x") } else { h1_request(&client, "/ansokan/x") };
            asks = asks.header("x-status", *status).header("x-vary", "Accept-Encoding");
            if let Some(cache) = cache {
                asks = asks.header("x-cache", cache);
            }
            if let Some(field) = field {
                asks = asks.header("x-field", field);
            }
            let asks = asks.body(nothing()).unwrap();
            let answer = if over_h2 { h2.send(asks).await } else { h1(world.public(), asks).await };
            let (got, headers, ..) = read(answer).await;
            let all = |name| headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
            assert_eq!((got.as_str(), all(CACHE_CONTROL).as_slice()), (*status, expect), "over HTTP/2: {over_h2}");
            assert_eq!(all(http::header::VARY), ["Accept-Encoding"], "what it varies by is the e-service's to say");
            let set = all(SET_COOKIE);
            assert_eq!(
                set.len(),
                usize::from(*refreshed),
                "{status} {cache:?} {field:?} over HTTP/2: {over_h2}: {set:?}"
            );
            if let Some(cookie) = set.first() {
                let (name, rest) = cookie.split_once('=').unwrap();
                client.cookies.insert(name.into(), rest.split(';').next().unwrap().into());
            } else {
                // The session lives on by its own request.
                client.get("/eid/session").await;
                client.send(Method::POST, "/eid/session/extend", &[("sec-fetch-site", "same-origin")], "").await;
            }
        }
    }
}
