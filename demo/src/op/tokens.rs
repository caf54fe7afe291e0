//! The tokens that a provider makes, and what an outcome does to them.

use grindvakt::base::UnixTime;
use serde_json::{Value, json};

use super::client::OpClient;
use super::jose::{Claims, base64url, half_hash, hmac_token, unsigned};
use super::outcome::OpOutcome;
use super::provider::{DemoOp, subject};
use super::state::Grant;
use crate::key::{DemoKey, new_id};
use crate::names::loa_uri;

/// The longest life that the Swedish profile allows (OSP 3.2.1.2).
const ID_TOKEN_SECONDS: i64 = 5 * 60;
/// How long an access token of a program is good: long enough to try things out with.
const ACCESS_TOKEN_SECONDS: i64 = 60 * 60;
const YEAR: i64 = 365 * 24 * 60 * 60;
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn header(typ: &str) -> Claims {
    [("typ".to_owned(), json!(typ))].into_iter().collect()
}

fn put(claims: &mut Claims, name: &str, value: Value) {
    claims.insert(name.to_owned(), value);
}

/// The ID token of a login (OpenID Connect Core, 2; OSP 3.2.1), as `grant.outcome` wants it. `last` is that of the login
/// before.
pub(super) fn id_token(
    op: &DemoOp,
    client: &OpClient,
    grant: &Grant,
    access_token: &str,
    last: Option<&str>,
    now: UnixTime,
) -> String {
    let outcome = grant.outcome;
    if let (OpOutcome::Replay, Some(last)) = (outcome, last) {
        return last.to_owned();
    }
    let (person, _) = op.dialect.split(&grant.person, &grant.request.scopes, &grant.request.asked);
    let mut claims = person;
    let now = now.as_secs();
    put(&mut claims, "iss", json!(op.issuer));
    put(&mut claims, "sub", json!(subject(&op.issuer, &grant.person)));
    put(&mut claims, "aud", json!(client.id));
    put(&mut claims, "iat", json!(now));
    put(&mut claims, "exp", json!(now + ID_TOKEN_SECONDS));
    put(&mut claims, "jti", json!(new_id()));
    put(&mut claims, "sid", json!(grant.session));
    put(&mut claims, "at_hash", json!(half_hash(access_token)));
    if let Some(nonce) = &grant.request.nonce {
        put(&mut claims, "nonce", json!(nonce));
    }
    op.dialect.login(&mut claims, &grant.loa, grant.auth_time.as_secs());
    spoil(&mut claims, op, client, grant, now);
    let token = signed(op, outcome, &claims);
    match &client.encrypt_to {
        Some(key) => key.seal_token(&token),
        None => token,
    }
}

/// Makes the claims wrong in the way of the outcome, before they are signed.
fn spoil(claims: &mut Claims, op: &DemoOp, client: &OpClient, grant: &Grant, now: i64) {
    let level = op.dialect.level_claim();
    match grant.outcome {
        OpOutcome::WrongNonce => put(claims, "nonce", json!(new_id())),
        OpOutcome::NoNonce => drop(claims.remove("nonce")),
        OpOutcome::WrongIssuer => put(claims, "iss", json!("https://annan.example.se")),
        OpOutcome::WrongAudience => put(claims, "aud", json!("en-annan-tjanst")),
        OpOutcome::SharedAudience => {
            put(claims, "aud", json!([client.id, "en-annan-tjanst"]));
            put(claims, "azp", json!(client.id));
        }
        OpOutcome::WrongParty => put(claims, "azp", json!("en-annan-tjanst")),
        OpOutcome::WrongLevel => {
            let asked = grant.request.levels();
            let other = ["loa4", "loa3", "loa2", "loa1"].map(loa_uri).into_iter().find(|uri| !asked.contains(uri));
            op.dialect.login(claims, &other.unwrap_or_default(), grant.auth_time.as_secs());
        }
        OpOutcome::NoLevel => drop(claims.remove(level)),
        OpOutcome::LevelOfAnotherType => put(claims, level, json!([grant.loa])),
        OpOutcome::Expired => {
            put(claims, "iat", json!(now - 3600));
            put(claims, "exp", json!(now - 3600 + ID_TOKEN_SECONDS));
        }
        OpOutcome::NotYetValid => {
            put(claims, "iat", json!(now + 3600));
            put(claims, "exp", json!(now + 3600 + ID_TOKEN_SECONDS));
        }
        OpOutcome::LongLived => put(claims, "exp", json!(now + YEAR)),
        OpOutcome::OldLogin => put(claims, "auth_time", json!(now - 2 * 3600)),
        OpOutcome::NoLoginTime => drop(claims.remove("auth_time")),
        OpOutcome::WrongTokenHash => put(claims, "at_hash", json!(half_hash("another"))),
        OpOutcome::NoSubject => drop(claims.remove("sub")),
        _ => {}
    }
}

/// Signs, or does what the outcome wants in place of it.
fn signed(op: &DemoOp, outcome: OpOutcome, claims: &Claims) -> String {
    match outcome {
        OpOutcome::Unsigned => unsigned(claims),
        OpOutcome::PublicKeyHmac => hmac_token(op.key.certificate_pem().as_bytes(), &op.key.kid(), claims),
        OpOutcome::WrongKey => {
            let mut header = header("JWT");
            put(&mut header, "kid", json!(op.key.kid()));
            DemoKey::rsa("stranger").sign_jwt(header, claims)
        }
        OpOutcome::OwnKey => {
            let stranger = DemoKey::rsa("stranger");
            let mut header = header("JWT");
            put(&mut header, "jwk", stranger.jwk());
            stranger.sign_jwt(header, claims)
        }
        OpOutcome::Tampered => {
            let token = op.key.sign_jwt(header("JWT"), claims);
            let mut changed = claims.clone();
            put(&mut changed, "sub", json!("someone-else"));
            let mut parts = token.split('.');
            let (head, _, signature) = (parts.next(), parts.next(), parts.next());
            let payload = base64url(Value::Object(changed).to_string());
            format!("{}.{payload}.{}", head.unwrap_or_default(), signature.unwrap_or_default())
        }
        _ => op.key.sign_jwt(header("JWT"), claims),
    }
}

/// UserInfo of a login: its claims.
pub(super) fn userinfo(op: &DemoOp, grant: &Grant) -> Claims {
    let (id_token, mut claims) = op.dialect.split(&grant.person, &grant.request.scopes, &grant.request.asked);
    put(&mut claims, "sub", json!(subject(&op.issuer, &grant.person)));
    match grant.outcome {
        OpOutcome::UserInfoOther => put(&mut claims, "sub", json!("someone-else")),
        OpOutcome::UserInfoConflict => {
            // Whatever the ID token says of the person is another thing here; where it says nothing, there is a name.
            for name in id_token.keys() {
                put(&mut claims, name, json!("195207306886"));
            }
        }
        _ => {}
    }
    claims
}

/// UserInfo as a signed token (OpenID Connect Core, 5.3.2; OSP 4.1).
pub(super) fn signed_userinfo(op: &DemoOp, client: &OpClient, grant: &Grant, claims: Claims) -> String {
    let mut claims = claims;
    put(&mut claims, "iss", json!(op.issuer));
    put(&mut claims, "aud", json!(client.id));
    let outcome = match grant.outcome {
        OpOutcome::UserInfoWrongKey => OpOutcome::WrongKey,
        _ => OpOutcome::Success,
    };
    signed(op, outcome, &claims)
}

/// An access token that a program gets in its own name (RFC 9068, 2.2).
pub(super) fn access_token(op: &DemoOp, client: &OpClient, scope: &str, now: UnixTime) -> (String, i64) {
    let now = now.as_secs();
    let claims = json!({
        "iss": op.issuer, "aud": op.audience, "sub": client.id, "client_id": client.id, "scope": scope,
        "iat": now, "exp": now + ACCESS_TOKEN_SECONDS, "jti": new_id(),
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    (op.key.sign_jwt(header("at+jwt"), &claims), ACCESS_TOKEN_SECONDS)
}

/// A logout token (OpenID Connect Back-Channel Logout 1.0, 2.4).
pub(super) fn logout_token(
    op: &DemoOp,
    client_id: &str,
    subject: Option<&str>,
    sid: Option<&str>,
    now: UnixTime,
) -> String {
    let now = now.as_secs();
    let mut claims = Claims::new();
    for (name, value) in [
        ("iss", json!(op.issuer)),
        ("aud", json!(client_id)),
        ("iat", json!(now)),
        ("exp", json!(now + 120)),
        ("jti", json!(new_id())),
        ("events", json!({ LOGOUT_EVENT: {} })),
    ] {
        put(&mut claims, name, value);
    }
    for (name, value) in [("sub", subject), ("sid", sid)] {
        if let Some(value) = value {
            put(&mut claims, name, json!(value));
        }
    }
    op.key.sign_jwt(header("logout+jwt"), &claims)
}
