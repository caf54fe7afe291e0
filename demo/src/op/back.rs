//! What a client asks for by itself: pushed requests, tokens, UserInfo.

use std::time::Duration;

use base64_simd::STANDARD;
use bytes::Bytes;
use grindvakt::base::UnixTime;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::authorize::{Fields, Refused, doubled, is_for, read, signed_fields};
use super::client::{ClientAuth, OpClient, Shown, claimed_issuer, shown};
use super::jose::s256;
use super::outcome::OpOutcome;
use super::state::{Access, Pushed, State, keep};
use super::tokens;
use crate::form;
use crate::key::new_id;
use crate::serve::{Answer, json as json_answer, text};

const PUSHED_FOR: Duration = Duration::from_secs(60);
const ACCESS_FOR: Duration = Duration::from_secs(5 * 60);
/// How far ahead a client assertion may end: a longer one is a password.
const ASSERTION_SECONDS: i64 = 10 * 60;

fn error(status: StatusCode, error: &str, description: &str) -> Answer {
    json_answer(status, &json!({ "error": error, "error_description": description }))
}

fn not_authenticated(description: &str) -> Answer {
    let mut answer = error(StatusCode::UNAUTHORIZED, "invalid_client", description);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"demo\""));
    answer
}

/// The fields of a posted form, each once; none when it is none.
fn posted(request: &Request<Bytes>) -> Option<Fields> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let fields = form::parse(std::str::from_utf8(request.body()).ok()?);
    (kind.starts_with("application/x-www-form-urlencoded") && !doubled(&fields)).then_some(fields)
}

/// The client behind a request, by whatever it shows (OpenID Connect Core, 9; RFC 7523, 3).
fn authenticated(
    state: &mut State,
    request: &Request<Bytes>,
    fields: &Fields,
    now: UnixTime,
) -> Result<OpClient, &'static str> {
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown(authorization, fields)?;
    let known = |state: &State, id: &str| state.client(id).cloned().ok_or("no such client");
    let client = match &shown {
        Shown::Basic { id, secret } => match known(state, id)? {
            client if matches!(&client.auth, ClientAuth::Secret(right) if right == secret) => client,
            _ => return Err("not this secret, or not by a secret"),
        },
        Shown::Name(id) => match known(state, id)? {
            client if matches!(client.auth, ClientAuth::Public) => client,
            _ => return Err("this client authenticates"),
        },
        Shown::Assertion(assertion) => {
            let client = known(state, &claimed_issuer(assertion).ok_or("no assertion")?)?;
            let ClientAuth::Key(keys) = &client.auth else { return Err("not by a key") };
            let claims = keys.verify(assertion).ok_or("no key of the client signed the assertion")?;
            let text = |name: &str| claims.get(name).and_then(Value::as_str);
            if text("iss") != Some(&client.id) || text("sub") != Some(&client.id) {
                return Err("`iss` and `sub` must name the client");
            }
            // The issuer, and no address: that of another provider would do for it otherwise.
            if !is_for(&claims, state.op.issuer()) {
                return Err("`aud` must be the issuer");
            }
            let ends = claims.get("exp").and_then(Value::as_i64).ok_or("no `exp`")?;
            if ends <= now.as_secs() || ends > now.as_secs() + ASSERTION_SECONDS {
                return Err("expired, or good for too long");
            }
            let jti = text("jti").ok_or("no `jti`")?.to_owned();
            if state.assertions.contains(&jti) {
                return Err("used before");
            }
            keep(&mut state.assertions, jti);
            client
        }
    };
    if form::get(fields, "client_id").is_some_and(|id| id != client.id) {
        return Err("`client_id` is of another client");
    }
    Ok(client)
}

/// `/par` (RFC 9126).
pub(super) fn push(state: &mut State, request: &Request<Bytes>, now: UnixTime) -> Answer {
    let Some(fields) = posted(request) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request", "a form, with each field once");
    };
    let client = match authenticated(state, request, &fields, now) {
        Ok(client) => client,
        Err(why) => return not_authenticated(why),
    };
    let bad = |why: &str| error(StatusCode::BAD_REQUEST, "invalid_request", why);
    if form::get(&fields, "request_uri").is_some() {
        return bad("`request_uri` cannot be pushed");
    }
    let (mut inside, signed) = match form::get(&fields, "request") {
        Some(object) => match signed_fields(object, &fields, &client, &state.op, now) {
            Ok(inside) => (inside, true),
            Err(why) => return error(StatusCode::BAD_REQUEST, "invalid_request_object", &why),
        },
        None => (fields, false),
    };
    if form::get(&inside, "client_id").is_none() {
        inside.push(("client_id".to_owned(), client.id.clone()));
    }
    inside.retain(|(name, _)| !name.starts_with("client_assertion"));
    match read(&inside, &client, &state.op, (true, signed), now) {
        Ok(_) => {}
        Err(Refused::Here(why)) => return bad(&why),
        Err(Refused::Back { error: code, description, .. }) => {
            return error(StatusCode::BAD_REQUEST, code, &description);
        }
    }
    let uri = format!("urn:ietf:params:oauth:request_uri:{}", new_id());
    let pushed = Pushed { uri: uri.clone(), client_id: client.id, fields: inside, signed, ends: now.plus(PUSHED_FOR) };
    keep(&mut state.pushed, pushed);
    json_answer(StatusCode::CREATED, &json!({ "request_uri": uri, "expires_in": PUSHED_FOR.as_secs() }))
}

/// `/token` (RFC 6749, 4.1.3 and 4.4; OpenID Connect Core, 3.1.3).
pub(super) fn token(state: &mut State, request: &Request<Bytes>, now: UnixTime) -> Answer {
    let Some(fields) = posted(request) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request", "a form, with each field once");
    };
    let client = match authenticated(state, request, &fields, now) {
        Ok(client) => client,
        Err(why) => return not_authenticated(why),
    };
    match form::get(&fields, "grant_type") {
        Some("authorization_code") => by_code(state, &client, &fields, now),
        Some("client_credentials") if matches!(client.auth, ClientAuth::Public) => {
            error(StatusCode::BAD_REQUEST, "unauthorized_client", "anyone could ask in its name")
        }
        Some("client_credentials") => {
            let wanted = form::get(&fields, "scope").unwrap_or_default();
            let granted = |scope: &str| client.scopes.iter().any(|known| known == scope);
            if state.op.audience.is_empty() || !wanted.split(' ').filter(|s| !s.is_empty()).all(granted) {
                return error(StatusCode::BAD_REQUEST, "invalid_scope", "more than this client may have");
            }
            let (token, seconds) = tokens::access_token(&state.op, &client, wanted, now);
            let answer =
                json!({ "access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": wanted });
            json_answer(StatusCode::OK, &answer)
        }
        _ => error(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
    }
}

fn by_code(state: &mut State, client: &OpClient, fields: &Fields, now: UnixTime) -> Answer {
    let field = |name: &str| form::get(fields, name).unwrap_or_default();
    let invalid = |why: &str| error(StatusCode::BAD_REQUEST, "invalid_grant", why);
    let Some(code) = state.codes.iter_mut().find(|known| known.code == field("code")) else {
        return invalid("no such code");
    };
    if let Some(given) = &code.used {
        // Somebody else has it: what it gave is taken back (RFC 6749, 4.1.2).
        let given = given.clone();
        state.access.retain(|access| access.token != given);
        return invalid("this code was used before");
    }
    let grant = code.grant.clone();
    if grant.request.client_id != client.id {
        return invalid("the code of another client");
    }
    let access_token = new_id();
    code.used = Some(access_token.clone());
    if now >= code.ends {
        return invalid("the code is too old");
    }
    if grant.request.redirect_uri != field("redirect_uri") {
        return invalid("another `redirect_uri`");
    }
    if !(43..=128).contains(&field("code_verifier").len()) || s256(field("code_verifier")) != grant.request.challenge {
        return invalid("another `code_verifier`");
    }
    match grant.outcome {
        OpOutcome::TokenBroken => return error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", ""),
        OpOutcome::TokenPage => {
            return crate::serve::html(StatusCode::OK, "<!doctype html><h1>Välkommen</h1>".to_owned());
        }
        _ => {}
    }
    let last = state.last_id_token.as_deref();
    let id_token = tokens::id_token(&state.op, client, &grant, &access_token, last, now);
    if grant.outcome == OpOutcome::Success {
        state.last_id_token = Some(id_token.clone());
    }
    let mut answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": ACCESS_FOR.as_secs(), "id_token": id_token,
    });
    match (grant.outcome, answer.as_object_mut()) {
        (OpOutcome::NoIdToken, Some(members)) => drop(members.remove("id_token")),
        (OpOutcome::StrangeTokenType, Some(members)) => drop(members.insert("token_type".to_owned(), json!("moon"))),
        _ => {}
    }
    keep(&mut state.access, Access { token: access_token, grant, ends: now.plus(ACCESS_FOR) });
    json_answer(StatusCode::OK, &answer)
}

/// `/userinfo` (OpenID Connect Core, 5.3).
pub(super) fn userinfo(state: &State, request: &Request<Bytes>, now: UnixTime) -> Answer {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|text| text.strip_prefix("Bearer "));
    let access = state.access.iter().find(|access| Some(access.token.as_str()) == shown && now < access.ends);
    let Some((access, client)) =
        access.and_then(|access| Some((access, state.client(&access.grant.request.client_id)?)))
    else {
        let mut answer = text(StatusCode::UNAUTHORIZED, "");
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
        return answer;
    };
    let grant = &access.grant;
    if grant.outcome == OpOutcome::UserInfoBroken {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "500\n");
    }
    let claims = tokens::userinfo(&state.op, grant);
    if !client.userinfo_signed || grant.outcome == OpOutcome::UserInfoUnsigned {
        return json_answer(StatusCode::OK, &Value::Object(claims));
    }
    let token = tokens::signed_userinfo(&state.op, client, grant, claims);
    let mut answer = text(StatusCode::OK, token);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jwt"));
    answer
}

/// `Authorization: Basic` for a client (RFC 6749, 2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form::encode([("", text)]).trim_start_matches('=').to_owned();
    format!("Basic {}", STANDARD.encode_to_string(format!("{}:{}", encoded(id), encoded(secret))))
}
