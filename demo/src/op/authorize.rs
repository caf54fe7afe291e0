//! Reading an authorization request: in the query, in a form, in a signed object (RFC 9101), or pushed before (RFC 9126).
//! The provider is strict, so that a client which it takes is right.

use grindvakt::base::UnixTime;
use serde_json::Value;

use super::client::OpClient;
use super::jose::Claims;
use super::provider::{Asked, DemoOp};
use crate::form;

/// A request that is taken, with what a test wants to know of how it came.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// `state`.
    pub state: Option<String>,
    /// `nonce`.
    pub nonce: Option<String>,
    /// `scope`, in parts.
    pub scopes: Vec<String>,
    /// `code_challenge`, by S256.
    pub challenge: String,
    /// `prompt`, in parts.
    pub prompt: Vec<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<i64>,
    /// `ui_locales`, in parts.
    pub ui_locales: Vec<String>,
    /// `acr_values`, in parts.
    pub acr_values: Vec<String>,
    /// `claims`.
    pub asked: Asked,
    /// Whether it was pushed.
    pub pushed: bool,
    /// Whether it was in a signed object.
    pub signed: bool,
    /// When it came.
    pub at: UnixTime,
}

impl AuthorizationRequest {
    /// The levels that were asked for, the essential ones first.
    pub fn levels(&self) -> &[String] {
        if self.asked.essential_acr.is_empty() { &self.acr_values } else { &self.asked.essential_acr }
    }

    /// Whether the person must log in again, whatever session there is.
    pub(super) fn fresh(&self) -> bool {
        self.prompt.iter().any(|word| word == "login")
    }
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nobody knows where an answer might go: told on a page.
    Here(String),
    /// Told to the client, by the browser.
    Back { redirect_uri: String, state: Option<String>, error: &'static str, description: String },
}

/// The fields of a request, each once at most.
pub(super) type Fields = Vec<(String, String)>;

/// Whether a name stands twice.
pub(super) fn doubled(fields: &Fields) -> bool {
    fields.iter().enumerate().any(|(at, (name, _))| fields.iter().skip(at + 1).any(|(other, _)| other == name))
}

/// The fields of a signed request object of `client` (RFC 9101, 4 and 6; OpenID Connect Core, 6.1): what is outside of it
/// does not count.
pub(super) fn signed_fields(
    object: &str,
    outside: &Fields,
    client: &OpClient,
    op: &DemoOp,
    now: UnixTime,
) -> Result<Fields, String> {
    let claims = client.keys.verify(object).ok_or("no key of the client signed the request object")?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&client.id) {
        return Err("the request object is not issued by the client".to_owned());
    }
    if !is_for(&claims, op.issuer()) {
        return Err("the request object is not for this provider".to_owned());
    }
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    if seconds("exp").is_none_or(|exp| exp <= now.as_secs()) {
        return Err("the request object has expired, or never does".to_owned());
    }
    for name in ["client_id", "response_type"] {
        if let Some(value) = form::get(outside, name)
            && text(name) != Some(value)
        {
            return Err(format!("`{name}` differs within the request object"));
        }
    }
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err("a request object within a request object".to_owned());
    }
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let registered = ["iss", "aud", "exp", "nbf", "iat", "jti"];
    let fields = claims.iter().filter(|(name, _)| !registered.contains(&name.as_str()));
    Ok(fields.map(|(name, value)| (name.clone(), plain(value))).collect())
}

/// Whether `aud` is `who`: one string, or a list with it.
pub(super) fn is_for(claims: &Claims, who: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(audience)) => audience == who,
        Some(Value::Array(list)) => list.iter().any(|audience| audience.as_str() == Some(who)),
        _ => false,
    }
}

fn words(fields: &Fields, name: &str) -> Vec<String> {
    form::get(fields, name).unwrap_or_default().split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// The `claims` parameter (OpenID Connect Core, 5.5).
fn asked(text: &str) -> Option<Asked> {
    let all: Claims = serde_json::from_str(text).ok()?;
    let names = |member: &str| match all.get(member) {
        None => Some(Vec::new()),
        Some(value) => Some(value.as_object()?.keys().cloned().collect::<Vec<_>>()),
    };
    let acr = all.get("id_token").and_then(|claims| claims.get("acr"));
    let essential = acr.filter(|acr| acr.get("essential").and_then(Value::as_bool) == Some(true));
    let values = essential.and_then(|acr| match (acr.get("values"), acr.get("value")) {
        (Some(values), None) => values.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        (None, Some(value)) => Some(vec![value.as_str()?.to_owned()]),
        _ => None,
    });
    if essential.is_some() && values.is_none() {
        return None;
    }
    let essential_acr: Vec<String> = values.unwrap_or_default();
    Some(Asked { id_token: names("id_token")?, userinfo: names("userinfo")?, essential_acr })
}

/// Holds the fields of a request against the rules. `pushed` and `signed` say how they came.
pub(super) fn read(
    fields: &Fields,
    client: &OpClient,
    op: &DemoOp,
    (pushed, signed): (bool, bool),
    at: UnixTime,
) -> Result<AuthorizationRequest, Refused> {
    let field = |name: &str| form::get(fields, name).filter(|value| !value.is_empty()).map(str::to_owned);
    if field("client_id").as_deref() != Some(&client.id) {
        return Err(Refused::Here("`client_id` is of another client".to_owned()));
    }
    let redirect_uri = field("redirect_uri").filter(|uri| client.redirect_uris.contains(uri));
    let Some(redirect_uri) = redirect_uri else {
        return Err(Refused::Here("`redirect_uri` is not registered".to_owned()));
    };
    let state = field("state");
    let back = |error: &'static str, description: &str| {
        let (redirect_uri, state) = (redirect_uri.clone(), state.clone());
        Err(Refused::Back { redirect_uri, state, error, description: description.to_owned() })
    };
    if op.flag("require_pushed_authorization_requests") && !pushed {
        return back("invalid_request", "requests must be pushed");
    }
    if op.flag("require_signed_request_object") && !signed {
        return back("invalid_request", "requests must be signed");
    }
    if field("response_type").as_deref() != Some("code") {
        return back("unsupported_response_type", "only `code` is offered");
    }
    if field("response_mode").is_some_and(|mode| mode != "query") {
        return back("invalid_request", "only the response mode `query` is offered");
    }
    let scopes = words(fields, "scope");
    if !scopes.iter().any(|scope| scope == "openid") {
        return back("invalid_scope", "`openid` is not asked for");
    }
    if state.as_deref().is_none_or(|state| state.len() < 22) {
        return back("invalid_request", "a `state` of at least 128 bits is needed");
    }
    // 43 characters: the base64url of a SHA-256 (RFC 7636, 4.2).
    let challenge = field("code_challenge").filter(|challenge| challenge.len() == 43);
    let (Some(challenge), Some("S256")) = (challenge, field("code_challenge_method").as_deref()) else {
        return back("invalid_request", "PKCE by S256 is needed");
    };
    let prompt = words(fields, "prompt");
    if prompt.iter().any(|word| !["none", "login", "consent", "select_account"].contains(&word.as_str()))
        || (prompt.len() > 1 && prompt.iter().any(|word| word == "none"))
    {
        return back("invalid_request", "`prompt` is not understood");
    }
    let max_age = field("max_age").map(|text| text.parse::<u32>());
    let Ok(max_age) = max_age.transpose() else {
        return back("invalid_request", "`max_age` is no number");
    };
    let asked = match field("claims") {
        Some(_) if !op.flag("claims_parameter_supported") => {
            return back("invalid_request", "`claims` is not offered");
        }
        Some(text) => asked(&text),
        None => Some(Asked::default()),
    };
    let Some(asked) = asked else {
        return back("invalid_request", "`claims` is not understood");
    };
    if !asked.essential_acr.is_empty() && !asked.essential_acr.iter().any(|level| op.loa.contains(level)) {
        return back("unmet_authentication_requirements", "no such level is given here");
    }
    Ok(AuthorizationRequest {
        client_id: client.id.clone(),
        nonce: field("nonce"),
        challenge,
        prompt,
        max_age: max_age.map(i64::from),
        ui_locales: words(fields, "ui_locales"),
        acr_values: words(fields, "acr_values"),
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        scopes,
        asked,
        pushed,
        signed,
        at,
    })
}
