#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const HEAD: &str = "POST /x HTTP/1.1\r\nHost: e\r\n";

/// What goes on of `bytes`, which come in pieces of the given sizes, and whether all of it did.
fn watched(bytes: &[u8], sizes: &[usize]) -> (Vec<u8>, bool) {
    let (mut messages, mut out, mut rest) = (Messages::default(), Vec::new(), bytes.to_vec());
    for size in sizes.iter().cycle() {
        let mut later = rest.split_off((*size).clamp(1, rest.len().max(1)).min(rest.len()));
        let good = messages.watch(&mut rest);
        out.extend_from_slice(rest.get(..good).unwrap_or_default());
        if matches!(messages.state, State::HeadRefused | State::Refused) {
            return (out, false);
        }
        if later.is_empty() {
            break;
        }
        std::mem::swap(&mut rest, &mut later);
    }
    (out, true)
}

/// What is told of the head: all bytes go on, or hyper gets a null byte in place of the first that is wrong.
#[test]
fn a_head_has_one_reading_or_a_null_byte_in_it() {
    for (headers, good) in [
        ("\r\n", true),
        ("Content-Length: 3\r\n\r\nabc", true),
        ("content-length:3 \t\r\nX: y\r\n\r\nabc", true),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true),
        ("TRANSFER-ENCODING:\tChunked\r\n\r\n0\r\n\r\n", true),
        ("Cookie: a=\"b\"; c\r\nTE: trailers\r\n\r\n", true),
        ("Content-Lengths: 3\r\nContent-Length-: 4\r\nTransfer-Encodings: x\r\n\r\n", true),
        ("X: Content-Length: 3\r\nY: Transfer-Encoding: x\r\n\r\n", true),
        ("Content-Length: 0\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", true),
        ("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", false),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", false),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n", false),
        ("Transfer-Encoding:\r\n\r\n", false),
        ("Content-Length: 03\r\n\r\nabc", false),
        ("Content-Length: 3,3\r\n\r\nabc", false),
        ("Content-Length: 18446744073709551616\r\n\r\n", false),
        ("Content-Length:                                                                 3\r\n\r\n", false),
        ("X: y\nContent-Length: 3\r\n\r\n", false),
        ("X: y\rContent-Length: 3\r\n\r\n", false),
        ("X: y\r\r\n\r\n", false),
        ("\n", false),
    ] {
        let whole = format!("{HEAD}{headers}");
        for sizes in [&[usize::MAX][..], &[1], &[7], &[2, 3]] {
            let (out, all) = watched(whole.as_bytes(), sizes);
            assert_eq!(all, good, "{headers:?} {sizes:?}");
            match out.split_last() {
                Some(_) if good => assert_eq!(out, whole.as_bytes(), "{headers:?} {sizes:?}"),
                Some((last, before)) => assert!(*last == 0 && whole.as_bytes().starts_with(before), "{headers:?}"),
                None => unreachable!("something goes on"),
            }
        }
    }
}

#[test]
fn a_request_line_names_no_fragment() {
    for (line, good) in [("GET /x HTTP/1.1", true), ("GET /x#y HTTP/1.1", false), ("\r\nGET /x#y HTTP/1.1", false)] {
        let whole = format!("{line}\r\nX: #\r\n\r\n");
        for sizes in [&[usize::MAX][..], &[1], &[3]] {
            assert_eq!(watched(whole.as_bytes(), sizes).1, good, "{line} {sizes:?}");
        }
    }
}

/// Of a body, what is good goes on, and nothing after it.
#[test]
fn chunks_are_written_in_one_way() {
    let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    for (good, bad) in [
        ("3\r\nabc\r\n0\r\n\r\n", ""),
        ("00A\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n", ""),
        ("3;a=\"b c\"\t\r\nabc\r\n0;x\r\n\r\n", ""),
        ("", "\r\n3\r\n"),
        ("", "+3\r\n"),
        ("", " 3\r\n"),
        ("3", " \r\nabc\r\n"),
        ("0", "x3\r\nabc\r\n"),
        ("3", "\nabc\r\n"),
        ("3\r", "abc\r\n"),
        ("3;x", "\nabc\r\n"),
        ("3;x\r", "y\r\nabc"),
        ("3;x", "\0\r\nabc"),
        ("3\r\nabc", "d\r\n"),
        ("3\r\nabc", "\n0\r\n\r\n"),
        ("3\r\nabc\r", "0\r\n\r\n"),
        ("0\r\n", "\n"),
        ("0\r\n\r", "x"),
        ("0\r\nA: b", "\nC: d\r\n\r\n"),
        ("fffffffffffffff", "f\r\n"),
        ("000000000000000", "0\r\n"),
    ] {
        let whole = format!("{head}{good}{bad}");
        for sizes in [&[usize::MAX][..], &[1], &[5], &[2, 3]] {
            let (out, all) = watched(whole.as_bytes(), sizes);
            assert_eq!(all, bad.is_empty(), "{good:?} {bad:?} {sizes:?}");
            assert_eq!(out, format!("{head}{good}").as_bytes(), "{good:?} {bad:?} {sizes:?}");
        }
    }
}

#[test]
fn http_2_is_no_http_1() {
    for sizes in [&[usize::MAX][..], &[1], &[23, 2]] {
        assert!(!watched(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\n", sizes).1, "{sizes:?}");
        assert!(!watched(b"PRI * HTTP/2.0\n\n", sizes).1, "{sizes:?}");
    }
}

#[tokio::test]
async fn after_an_upgrade_nothing_is_looked_at() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut client, server) = tokio::io::duplex(256);
    let mut server = Framed::new(server);
    let mut buffer = [0; 64];
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(server.read(&mut buffer).await.unwrap(), 18);
    let mut server = server.into_inner();
    client.write_all(b"\n\n\0\r").await.unwrap();
    assert_eq!(server.read(&mut buffer).await.unwrap(), 4);
    assert_eq!(buffer.get(..4), Some(&b"\n\n\0\r"[..]));
}

/// Pieces of messages, good and bad ones.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "GET / HTTP/1.1",
        "POST /x HTTP/1.1",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Host: e",
        "Content-Length: 3",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: x",
        "abc",
        "0",
        "3",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        ";x",
        "#",
        "\0",
        " ",
    ];
    proptest::collection::vec(proptest::sample::select(WORDS), 0..24).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// However the bytes are cut on their way, the same of them goes on.
    #[test]
    fn t57_the_cut_changes_nothing(bytes in pieces(), sizes in proptest::collection::vec(1_usize..9, 1..8)) {
        prop_assert_eq!(watched(&bytes, &sizes), watched(&bytes, &[usize::MAX]));
    }
}
