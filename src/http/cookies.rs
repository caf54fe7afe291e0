//! Cookie headers: split for the gate, cleaned of ours for the e-service, and written for the browser.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::gate::{SameSite, SetCookie};
use crate::session::CookieNames;

/// Pairs that are looked at: a browser sends at most 180 for one host.
const MOST: usize = 256;

/// What browsers take off a name before they hold it against the rules of `__Host-`, and nothing else (RFC 6265bis, 5.6):
/// with any other white space before it a name is another one, which a neighbour may set for us.
const BLANKS: [char; 2] = [' ', '\t'];

/// Whether `name` is one of ours to anybody: without whatever they might take off it.
fn may_be_ours(name: &[u8], names: &CookieNames) -> bool {
    let start = name.iter().position(u8::is_ascii_graphic).unwrap_or(name.len());
    let end = name.iter().rposition(u8::is_ascii_graphic).map_or(start, |last| last + 1);
    let bare = name.get(start..end).unwrap_or_default();
    std::str::from_utf8(bare).is_ok_and(|bare| names.is_ours(bare))
}

/// The cookies of a request as (name, value), in order. What is no pair is passed over, and so is one that is no text:
/// ours always are, and nobody else's may hide them.
pub fn pairs(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let pieces = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    for pair in pieces.take(MOST).filter_map(|pair| std::str::from_utf8(pair).ok()) {
        if let Some((name, value)) = pair.split_once('=') {
            out.push((name.trim_matches(BLANKS), value.trim_matches(BLANKS)));
        }
    }
    out
}

/// Takes our cookies out of a request: the e-service never sees one. What came in several headers, as HTTP/2 allows, goes
/// on in one (RFC 9113, 8.2.3).
pub fn hide(headers: &mut HeaderMap, names: &CookieNames) {
    if !headers.contains_key(COOKIE) {
        return;
    }
    let ours = |pair: &[u8]| may_be_ours(pair.split(|b| *b == b'=').next().unwrap_or_default(), names);
    let any = headers.get_all(COOKIE).iter().any(|value| value.as_bytes().split(|b| *b == b';').any(ours));
    if !any && headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(COOKIE) {
        for pair in value.as_bytes().split(|b| *b == b';').filter(|pair| !pair.trim_ascii().is_empty() && !ours(pair)) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair.trim_ascii());
        }
    }
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept)
        && !kept.is_empty()
    {
        headers.insert(COOKIE, value);
    }
}

/// Takes cookies of our names out of the e-service's answer: it cannot set one.
pub fn keep_ours(headers: &mut HeaderMap, names: &CookieNames) {
    let ours = |value: &HeaderValue| {
        // Without a name, the value stands in its place: `=name=value` comes back as `name=value`.
        let start = value.as_bytes().iter().position(|b| *b != b'=' && b.is_ascii_graphic());
        let rest = start.and_then(|start| value.as_bytes().get(start..)).unwrap_or_default();
        may_be_ours(rest.split(|b| *b == b'=' || *b == b';').next().unwrap_or_default(), names)
    };
    if headers.get_all(SET_COOKIE).iter().any(ours) {
        let kept: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().filter(|v| !ours(v)).cloned().collect();
        headers.remove(SET_COOKIE);
        kept.into_iter().for_each(|value| _ = headers.append(SET_COOKIE, value));
    }
}

/// Adds `Set-Cookie` headers (RFC 6265, 4.1).
pub fn set_all(headers: &mut HeaderMap, cookies: &[SetCookie]) {
    for cookie in cookies {
        let mut text = format!("{}={}; Path=/; HttpOnly", cookie.name, cookie.value.as_deref().unwrap_or(""));
        if cookie.secure {
            text.push_str("; Secure");
        }
        text.push_str(match cookie.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        match (&cookie.value, cookie.max_age) {
            (None, _) => text.push_str("; Max-Age=0"),
            (Some(_), Some(age)) => text.push_str(&format!("; Max-Age={}", age.as_secs())),
            (Some(_), None) => {}
        }
        // Names come from the configuration and values are base64url: this cannot fail.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::ServiceId;

    fn names() -> CookieNames {
        CookieNames::new(&ServiceId::new("etjanst").unwrap(), true)
    }

    fn request(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|v| _ = headers.append(COOKIE, HeaderValue::from_bytes(v).unwrap()));
        headers
    }

    /// A browser lets any host of the domain set a cookie whose name only begins with a space of Unicode's before `__Host-`:
    /// to us it is another cookie, and nobody who would take the space off sees it.
    #[test]
    fn t50_a_name_behind_unicodes_white_space_is_not_ours_and_goes_no_further() {
        let blanks = ('\u{80}'..='\u{3000}').filter(|c| c.is_whitespace()).chain(['\u{feff}', '\u{200b}']);
        for blank in blanks {
            for name in [format!("{blank}__Host-eid-etjanst"), format!("__Host-eid-etjanst{blank}")] {
                let mut headers = request(&[format!("a=1; {name}=x").as_bytes()]);
                assert_eq!(pairs(&headers), [("a", "1"), (name.as_str(), "x")], "{blank:?}");
                hide(&mut headers, &names());
                assert_eq!(headers.get(COOKIE).map(HeaderValue::as_bytes), Some(&b"a=1"[..]), "{blank:?}");
                let mut headers = HeaderMap::new();
                headers.append(SET_COOKIE, HeaderValue::from_bytes(format!("{name}=x").as_bytes()).unwrap());
                keep_ours(&mut headers, &names());
                assert!(headers.is_empty(), "{blank:?}");
            }
        }
        // A single byte of Latin-1 is no text to us, and a space to some.
        for byte in [0x85, 0xa0] {
            let name = [&[byte][..], b"__Host-eid-etjanst=x"].concat();
            let mut headers = request(&[&name]);
            assert!(pairs(&headers).is_empty());
            hide(&mut headers, &names());
            assert!(headers.is_empty(), "{byte:x}");
        }
        assert_eq!(pairs(&request(&[b" \t__Host-eid-etjanst \t= x\t"])), [("__Host-eid-etjanst", "x")]);
    }

    #[test]
    fn our_cookies_stay_with_us() {
        for (sent, left) in [
            (&[&b"a=1; __Host-eid-etjanst=x; b=2"[..]][..], Some(&b"a=1; b=2"[..])),
            (&[b"__Host-eid-etjanst=x"], None),
            (&[b"__Host-eid-etjanst =x;", b"c=3"], Some(b"c=3")),
            (&[b"__Host-eid-etjanst"], None),
            (&[b"__Host-eid-etjanst-confirm=x; =y; ;z"], Some(b"=y; z")),
            (&[b"a=\xff; __Host-eid-etjanst=\xff"], Some(b"a=\xff")),
            (&[b"x__Host-eid-etjanst=1"], Some(b"x__Host-eid-etjanst=1")),
            (&[b"a=1", b"b=2", b"c=3"], Some(b"a=1; b=2; c=3")),
        ] {
            let mut headers = request(sent);
            hide(&mut headers, &names());
            assert_eq!(headers.get(COOKIE).map(HeaderValue::as_bytes), left, "{sent:?}");
        }
    }

    #[test]
    fn the_e_service_cannot_set_ours() {
        let mut headers = HeaderMap::new();
        for value in [
            "__Host-eid-etjanst=forged; Path=/",
            "own=1",
            " __Host-eid-etjanst=forged",
            // A cookie without a name: a browser sends it back as its value alone, which then looks like one of ours.
            "=__Host-eid-etjanst=forged; Path=/",
            " = __Host-eid-etjanst=forged",
            "=__Host-eid-etjanst",
            "__Host-eid-etjanst",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_str(value).unwrap());
        }
        keep_ours(&mut headers, &names());
        let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["own=1"]);
    }

    #[test]
    fn a_stranger_among_the_cookies_hides_none_of_ours() {
        let sent = request(&[b"a=\xe5; __Host-eid-etjanst=x", b"b=2"]);
        assert_eq!(pairs(&sent), [("__Host-eid-etjanst", "x"), ("b", "2")]);
    }

    #[test]
    fn hostile_headers_are_bounded() {
        let many = "a=1;".repeat(5_000);
        assert!(pairs(&request(&[many.as_bytes()])).len() <= MOST);
        assert!(pairs(&request(&[b";;;=;==; =", b"\xff=1"])).len() <= 3);
    }
}
