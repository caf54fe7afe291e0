//! What a program brings in `Authorization`, and what it is told when that is not enough (RFC 6750, RFC 9449).

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use crate::gate::{Denial, Presented, TokenTerms};
use crate::verify::Reason;

/// The proof of a key (RFC 9449, 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A nonce for the next proof (RFC 9449, 8.2).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What is there.
pub enum Brought<'r> {
    /// Nothing, or another scheme's credentials: those are the e-service's.
    Nothing,
    /// A token of ours to judge.
    Token(Token<'r>),
    /// Something that begins like a token and is none.
    Malformed,
    /// None where one is said to be, or several at once.
    Unclear,
}

/// A token as it came.
#[derive(Clone, Copy)]
pub struct Token<'r> {
    text: &'r str,
    dpop: bool,
}

/// Whether all of it is what a token is made of (`b64token`: RFC 6750, 2.1). Every byte of every token is asked, so none
/// ends it: eight and more are asked at once then.
fn is_token68(bytes: &[u8]) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() | matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    bytes.iter().fold(true, |all, b| all & good(*b))
}

/// What stands between anything that neither schemes nor credentials in base64 are made of: an e-service may split at any
/// white space, and HTTP/2 keeps some before a value that HTTP/1, by which it may go on, takes off.
fn words(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let between = |b: &u8| !b.is_ascii_alphanumeric() && !b"-._~+/".contains(b);
    value.as_bytes().split(between).filter(|word| !word.is_empty())
}

/// Whether a word is a scheme of ours, and which.
fn scheme(word: &[u8]) -> Option<bool> {
    let schemes = [(&b"Bearer"[..], false), (b"DPoP", true)];
    schemes.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, dpop)| dpop)
}

/// Whether a scheme of ours stands directly before white space, or what some take for it, whatever stands before it: some look
/// for it without asking what that is. Not at the end of all, nor before what credentials in base64 are made of and quoted ones
/// end by: what others' credentials have there by chance is no scheme.
fn ends_in_scheme(value: &HeaderValue) -> bool {
    let stands = |known: &[u8]| {
        let ends = |next: &u8| !next.is_ascii_graphic() || b",:;".contains(next);
        let mut places = value.as_bytes().windows(known.len() + 1);
        places
            .any(|place| place.split_last().is_some_and(|(next, word)| ends(next) && word.eq_ignore_ascii_case(known)))
    };
    stands(b"Bearer") || stands(b"DPoP")
}

/// Whether the first word only begins with `Bearer`: some take off as many characters as that has, and the rest for the
/// token.
fn begins(value: &HeaderValue) -> bool {
    let word = words(value).next();
    word.and_then(|word| word.get(.."Bearer".len())).is_some_and(|begin| begin.eq_ignore_ascii_case(b"Bearer"))
}

/// Looks at `Authorization`. Only the header counts: a token in a query or a form ends in logs (RFC 6750, 5.3).
pub fn brought(headers: &HeaderMap) -> Brought<'_> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = all.next() else { return Brought::Nothing };
    let Some(dpop) = words(first).next().and_then(scheme) else {
        // Which of several counts would be a guess, and an e-service might guess otherwise: also where somebody has made one
        // line of them (RFC 9110, 5.3), and where it looks for the word wherever it stands.
        if begins(first) {
            return Brought::Malformed;
        }
        let hides = |value| begins(value) || words(value).any(|word| scheme(word).is_some()) || ends_in_scheme(value);
        return if hides(first) || all.any(hides) { Brought::Unclear } else { Brought::Nothing };
    };
    if all.next().is_some() {
        return Brought::Unclear;
    }
    let text = std::str::from_utf8(first.as_bytes()).ok().and_then(|text| text.split_once(' '));
    let Some((name, token)) = text else {
        let bare = first.len() == if dpop { "DPoP".len() } else { "Bearer".len() };
        return if bare { Brought::Unclear } else { Brought::Malformed };
    };
    let token = token.trim_matches(' ');
    // A scheme that ends by something else than a space may be read with another token by the e-service.
    let whole = name.eq_ignore_ascii_case(if dpop { "DPoP" } else { "Bearer" });
    if whole && token.is_empty() {
        return Brought::Unclear;
    }
    if !whole || !is_token68(token.as_bytes()) {
        return Brought::Malformed;
    }
    Brought::Token(Token { text: token, dpop })
}

impl<'r> Token<'r> {
    /// What the gate judges: the token with what a proof is held against.
    pub fn presented<B>(self, request: &'r Request<B>, path: &'r str) -> Presented<'r> {
        let mut proofs = request.headers().get_all(DPOP).iter();
        let proof = match (proofs.next(), proofs.next()) {
            (Some(proof), None) => proof.to_str().ok(),
            _ => None,
        };
        Presented { token: self.text, dpop: self.dpop, proof, method: request.method().as_str(), path }
    }
}

/// The scheme, as a challenge begins with it.
const fn scheme_of(dpop: bool) -> &'static str {
    if dpop { "DPoP algs=\"ES256 ES384 PS256 RS256 EdDSA\"," } else { "Bearer" }
}

/// Tells a program what was wrong with its token, beside what the answer says already (RFC 6750, 3; RFC 9449, 7.1). `realm`
/// is a name of the configuration: plain ASCII without quotes.
pub fn challenge<B>(answer: &mut Response<B>, denial: &Denial, terms: &TokenTerms, realm: &str) {
    let mut add = |text: &str| {
        // Scopes were held against their alphabet when the configuration was read.
        if let Ok(value) = HeaderValue::from_str(text) {
            answer.headers_mut().append(WWW_AUTHENTICATE, value);
        }
    };
    match denial {
        // Nothing was brought: no more is said than how it is done (RFC 6750, 3.1), and a scheme alone is no challenge (3).
        Denial::NeedsLogin { .. } => {
            for (_, dpop) in [(terms.bearer, false), (terms.dpop, true)].into_iter().filter(|(taken, _)| *taken) {
                add(&format!("{} realm=\"{realm}\"", scheme_of(dpop)));
            }
        }
        Denial::BothCredentials | Denial::Unclear(_) => {
            add(&format!("{} error=\"invalid_request\"", scheme_of(!terms.bearer)));
        }
        Denial::Token { reject, dpop, proof } => {
            let scheme = scheme_of(*dpop);
            let error = match reject.reason() {
                Reason::DpopNonce => "use_dpop_nonce",
                _ if *proof => "invalid_dpop_proof",
                // Also of one that cannot be read (RFC 6750, 3.1).
                _ => "invalid_token",
            };
            add(&format!("{scheme} error=\"{error}\""));
        }
        Denial::TokenLacks { scopes, dpop, .. } => {
            let scope = if scopes.is_empty() { String::new() } else { format!(", scope=\"{}\"", scopes.join(" ")) };
            add(&format!("{} error=\"insufficient_scope\"{scope}", scheme_of(*dpop)));
        }
        _ => return,
    }
    if let Some(Ok(nonce)) = terms.nonce.as_deref().map(HeaderValue::from_str) {
        answer.headers_mut().insert(DPOP_NONCE, nonce);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_token_by_a_scheme_of_ours_is_a_token() {
        for (values, expect) in [
            (&[][..], "nothing"),
            (&["Basic YTpi"], "nothing"),
            // What others' credentials end in by chance.
            (&["Basic dXNlcjpwYXNzdDpop"], "nothing"),
            (&["Basic YTpi/dXNlDPOP=="], "nothing"),
            (&["Basic YTo/dPop"], "nothing"),
            (&["bearerx abc"], "malformed"),
            (&["Bearerabc.def.ghi"], "malformed"),
            (&["Bearer/abc"], "malformed"),
            (&["Basic YTpi", "Bearerabc"], "unclear"),
            (&["Bearer abc.def-_~+/="], "bearer abc.def-_~+/="),
            (&["bEaReR abc"], "bearer abc"),
            (&["DPoP abc"], "dpop abc"),
            (&["Bearer  abc "], "bearer abc"),
            (&["Bearer\tabc"], "malformed"),
            (&["Bearer,abc"], "malformed"),
            (&["Bearer\tabc def"], "malformed"),
            (&["Bearer,abc def"], "malformed"),
            (&["Bearer \tabc"], "malformed"),
            (&["Bearer ab\u{e9}c"], "malformed"),
            (&["Bearer"], "unclear"),
            (&["dpop"], "unclear"),
            (&["Bearer "], "unclear"),
            (&["Bearer abc def"], "malformed"),
            (&["Bearer abc,def"], "malformed"),
            (&["Bearer \"abc\""], "malformed"),
            // HTTP/2 keeps white space before a value; on the way to the e-service over HTTP/1 it is lost.
            (&[" Bearer abc"], "malformed"),
            (&["\tBearer abc"], "malformed"),
            (&[" \tDPoP abc"], "malformed"),
            (&[" Basic YTpi"], "nothing"),
            // Several lines that somebody has made one of (RFC 9110, 5.3).
            (&["Basic YTpi, Bearer abc"], "unclear"),
            (&["Basic YTpi,dpop abc"], "unclear"),
            (&[",Bearer abc"], "malformed"),
            (&["\"Bearer abc\""], "malformed"),
            (&["Basic Bearer abc"], "unclear"),
            (&["xBearer abc"], "unclear"),
            (&["Basic-Bearer abc"], "unclear"),
            (&["Basic YTpi+DPOP abc"], "unclear"),
            (&["Basic xBearer,abc"], "unclear"),
            (&["xBearer:abc"], "unclear"),
            (&["Digest username=\"anna\", realm=\"x\", nonce=\"bearerx\""], "nothing"),
            (&["Bearer abc", "Bearer abc"], "unclear"),
            (&["Bearer abc", "Basic YTpi"], "unclear"),
            (&["Basic YTpi", "Bearer abc"], "unclear"),
            (&["Basic YTpi", "Basic YTpi"], "nothing"),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            let got = match brought(&headers) {
                Brought::Nothing => "nothing".to_owned(),
                Brought::Malformed => "malformed".to_owned(),
                Brought::Unclear => "unclear".to_owned(),
                Brought::Token(Token { text, dpop }) => format!("{} {text}", if dpop { "dpop" } else { "bearer" }),
            };
            assert_eq!(got, expect, "{values:?}");
        }
        // Latin-1's white space, which some languages take off as any other.
        for odd in [&b"Bearer \xe5"[..], b"Bearer\xa0abc", b"\xa0Bearer abc", b"\x85 DPoP abc"] {
            let mut headers = HeaderMap::new();
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(odd).unwrap());
            assert!(matches!(brought(&headers), Brought::Malformed), "{odd:?}");
        }
    }
}
