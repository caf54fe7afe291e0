//! A demo OpenID provider: its issuer, its key, what it says of itself, and how it writes persons.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::key::DemoKey;
use crate::names::loa_uri;
use crate::person::Person;

use super::jose::Claims;

/// How a provider writes who a person is (docs/oidc-profiles.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The standard claims of OpenID Connect: names only.
    Standard,
    /// The Swedish OpenID Connect Profile: numbers in the ID token, names in UserInfo.
    Swedish,
    /// Freja's own: the level in a claim of its own, no `acr` and no `auth_time`.
    Freja,
}

const OSP: &str = "https://id.oidc.se/claim/";
const FREJA: &str = "https://frejaeid.com/oidc/claims/";

/// Standard claims that a person has.
const NAMES: [&str; 4] = ["name", "given_name", "family_name", "birthdate"];

impl Dialect {
    /// The scopes that ask for a person's name, number.
    const fn scopes(self) -> (&'static str, &'static str) {
        match self {
            Self::Standard => ("profile", ""),
            Self::Swedish => {
                ("https://id.oidc.se/scope/naturalPersonInfo", "https://id.oidc.se/scope/naturalPersonNumber")
            }
            Self::Freja => ("profile", "https://frejaeid.com/oidc/scopes/personalIdentityNumber"),
        }
    }

    /// Everything that there is to say of a person.
    fn person(self, person: &Person) -> Claims {
        let mut claims = Claims::new();
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                claims.insert(name.to_owned(), json!(value));
            }
        };
        put("name", &person.display_name());
        put("given_name", &person.given_name);
        put("family_name", &person.surname);
        put("birthdate", person.date_of_birth.as_deref().unwrap_or_default());
        if let Some(number) = person.number.as_deref() {
            // A coordination number has 60 added to its day.
            let coordination = number.get(6..7).is_some_and(|tens| tens >= "6");
            match self {
                Self::Standard => {}
                Self::Swedish if coordination => {
                    put(&format!("{OSP}coordinationNumber"), number);
                    put(&format!("{OSP}coordinationNumberLevel"), "confirmed");
                }
                Self::Swedish => put(&format!("{OSP}personalIdentityNumber"), number),
                Self::Freja => {
                    put(&format!("{FREJA}personalIdentityNumber"), number);
                    put(&format!("{FREJA}country"), "SE");
                }
            }
        }
        claims
    }

    /// What of a person goes into the ID token, and what into UserInfo, when `scopes` and single claims were asked for.
    pub(super) fn split(self, person: &Person, scopes: &[String], asked: &Asked) -> (Claims, Claims) {
        let (name_scope, number_scope) = self.scopes();
        let has = |scope: &str| !scope.is_empty() && scopes.iter().any(|had| had == scope);
        let (mut id_token, mut userinfo) = (Claims::new(), Claims::new());
        for (name, value) in self.person(person) {
            let is_name = NAMES.contains(&name.as_str());
            let by_scope = has(if is_name { name_scope } else { number_scope });
            if asked.id_token.contains(&name) || (by_scope && !is_name) {
                id_token.insert(name.clone(), value.clone());
            }
            if asked.userinfo.contains(&name) || (by_scope && is_name) {
                userinfo.insert(name, value);
            }
        }
        (id_token, userinfo)
    }

    /// Puts a level and the time of the login into an ID token.
    pub(super) fn login(self, claims: &mut Claims, loa: &str, auth_time: i64) {
        match self {
            Self::Standard | Self::Swedish => {
                claims.insert("acr".to_owned(), json!(loa));
                claims.insert("auth_time".to_owned(), json!(auth_time));
            }
            Self::Freja => {
                let word = crate::names::loa_short(loa).to_ascii_uppercase().replace("-NONRESIDENT", "_NR");
                claims.insert(self.level_claim().to_owned(), json!(word));
            }
        }
    }

    /// The claim that holds the level.
    pub(super) const fn level_claim(self) -> &'static str {
        match self {
            Self::Standard | Self::Swedish => "acr",
            Self::Freja => "https://frejaeid.com/oidc/claims/loaLevel",
        }
    }
}

/// Single claims that a request asks for (OpenID Connect Core, 5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// In the ID token.
    pub id_token: Vec<String>,
    /// In UserInfo.
    pub userinfo: Vec<String>,
    /// The levels of an essential `acr`; one of them must come.
    pub essential_acr: Vec<String>,
}

/// A provider. Cheap to clone: clones share the key.
#[derive(Clone)]
pub struct DemoOp {
    pub(super) issuer: String,
    pub(super) likeness: String,
    pub(super) dialect: Dialect,
    pub(super) loa: Vec<String>,
    pub(super) key: Arc<DemoKey>,
    pub(super) published: Vec<Arc<DemoKey>>,
    pub(super) audience: String,
    says: Vec<(String, Value)>,
}

impl DemoOp {
    /// A provider that visitors know as `likeness`; its endpoints are under `issuer`, which has no slash at its end. It
    /// gives `loa2` and `loa3` until told otherwise.
    pub fn new(issuer: &str, likeness: &str, dialect: Dialect, key: Arc<DemoKey>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            likeness: likeness.to_owned(),
            dialect,
            loa: vec![loa_uri("loa2"), loa_uri("loa3")],
            published: vec![key.clone()],
            key,
            audience: String::new(),
            says: Vec::new(),
        }
    }

    /// The levels that it gives: short names or URIs.
    #[must_use]
    pub fn gives(mut self, loa: &[&str]) -> Self {
        self.loa = loa.iter().map(|name| loa_uri(name)).collect();
        self
    }

    /// Whom the access tokens of programs are for.
    #[must_use]
    pub fn for_api(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.audience);
        self
    }

    /// The same provider with another word in its discovery document; `null` takes one out.
    #[must_use]
    pub fn says(mut self, name: &str, value: Value) -> Self {
        self.says.push((name.to_owned(), value));
        self
    }

    /// The key that it signs with.
    pub const fn key(&self) -> &Arc<DemoKey> {
        &self.key
    }

    /// Its name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key set that it publishes.
    pub fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.published.iter().map(|key| key.jwk()).collect();
        json!({ "keys": keys })
    }

    /// Whether it says so of itself.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.discovery().get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The discovery document (OpenID Connect Discovery 1.0, 3; RFC 8414; RFC 9126, 5; RFC 9207, 3).
    pub fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let (name_scope, number_scope) = self.dialect.scopes();
        let scopes: Vec<&str> =
            ["openid", name_scope, number_scope].into_iter().filter(|scope| !scope.is_empty()).collect();
        let mut document = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/jwks"),
            "end_session_endpoint": at("/logout"),
            "pushed_authorization_request_endpoint": at("/par"),
            "require_pushed_authorization_requests": false,
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "acr_values_supported": self.loa,
            "id_token_signing_alg_values_supported": [self.key.jws_algorithm()],
            "userinfo_signing_alg_values_supported": [self.key.jws_algorithm()],
            "id_token_encryption_alg_values_supported": ["RSA-OAEP-256"],
            "id_token_encryption_enc_values_supported": ["A256GCM"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "none"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256", "PS256"],
            "request_object_signing_alg_values_supported": ["RS256", "ES256", "PS256"],
            "request_parameter_supported": true,
            "request_uri_parameter_supported": false,
            "claims_parameter_supported": self.dialect != Dialect::Freja,
            "claims_supported": ["sub", "acr", "auth_time", "name", "given_name", "family_name", "birthdate"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "ui_locales_supported": ["sv", "en"],
        });
        for (name, value) in &self.says {
            if let Some(members) = document.as_object_mut() {
                if value.is_null() {
                    members.remove(name);
                } else {
                    members.insert(name.clone(), value.clone());
                }
            }
        }
        document
    }
}

/// The provider's own name for a person: the same one each time, of which no number can be read (OSP 3.2.1.1).
pub(super) fn subject(issuer: &str, person: &Person) -> String {
    let text = format!("{issuer}\n{}", person.key());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    super::jose::base64url(digest.as_ref().get(..18).unwrap_or_default())
}
