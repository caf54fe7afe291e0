//! Providers whose word comes in tokens: their keys, and what their tokens are held against, in the server and in
//! `grindvakt verify` alike.

use std::sync::Arc;
use std::time::Duration;

use crate::base::UnixTime;
use crate::config::{Config, Encryption, JwtProvider, OidcProvider, Protocol, Provider, TokenSettings};
use crate::crypto::encryption::UnwrapKey;
use crate::identity::ClaimRules;
use crate::policy::Route;
use crate::verify::jose::{
    AccessTokenExpect, Asked, Decryption, Discovery, IdTokenExpect, KeySet, LevelRules, LogoutExpect, OidcProfile,
    UserInfoExpect,
};
use crate::verify::{Reason, Reject};

use super::registry::{certified, common};
use super::{Known, ProviderEntry};

/// A provider of logins by OpenID Connect, with keys.
#[derive(Clone, Copy, Debug)]
pub struct OidcEntry<'a> {
    config: &'a Provider,
    /// Its own settings.
    pub own: &'a OidcProvider,
    /// Its keys.
    pub keys: &'a KeySet,
    /// What it says of itself, or why that is not known: a login needs it, verifying does not.
    discovery: &'a Result<Arc<Discovery>, Reject>,
}

/// A provider of bearer tokens, with keys.
#[derive(Clone, Copy, Debug)]
pub struct JwtEntry<'a> {
    config: &'a Provider,
    /// Its own settings.
    pub own: &'a JwtProvider,
    /// Its keys.
    pub keys: &'a KeySet,
    /// A digest of the keys and of the provider's name: what was verified by other keys, or for another provider, is not
    /// found by it (T41).
    pub verdicts: &'a [u8; 32],
}

impl ProviderEntry {
    /// The provider as one of logins by OpenID Connect.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail; also for one that speaks something else.
    pub fn oidc(&self, now: UnixTime) -> Result<OidcEntry<'_>, Reject> {
        match &self.config().protocol {
            Protocol::Oidc(own) => {
                let (keys, discovery) = self.token_keys(now)?;
                Ok(OidcEntry { config: self.config(), own, keys, discovery })
            }
            Protocol::Saml(_) | Protocol::Jwt(_) => Err(self.without_keys(&"it is no provider of OpenID Connect")),
        }
    }

    /// The provider as one of bearer tokens.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail; also for one that speaks something else.
    pub fn jwt(&self, now: UnixTime) -> Result<JwtEntry<'_>, Reject> {
        match &self.config().protocol {
            Protocol::Jwt(own) => {
                let (keys, _) = self.token_keys(now)?;
                Ok(JwtEntry { config: self.config(), own, keys, verdicts: self.verdicts() })
            }
            Protocol::Saml(_) | Protocol::Oidc(_) => Err(self.without_keys(&"it is no provider of bearer tokens")),
        }
    }

    #[allow(clippy::type_complexity)]
    fn token_keys(&self, now: UnixTime) -> Result<(&KeySet, &Result<Arc<Discovery>, Reject>), Reject> {
        if let Some(until) = self.limit().filter(|until| now >= *until) {
            return Err(self.without_keys(&format_args!("what was fetched of it could be used until {until}")));
        }
        match self.known() {
            Known::Tokens { keys: Ok(keys), discovery } if !keys.is_empty() => Ok((keys, discovery)),
            Known::Tokens { keys: Ok(_), .. } => Err(self.without_keys(&"its JWKS has no key that is taken")),
            Known::Tokens { keys: Err(why), .. } => Err(self.without_keys(why)),
            Known::Saml(_) => Err(self.without_keys(&"it speaks SAML")),
        }
    }

    fn without_keys(&self, why: &dyn std::fmt::Display) -> Reject {
        Reject::new(Reason::ProviderWithoutKeys, format_args!("no keys of {}: {why}", self.config().id))
    }
}

fn level<'a>(config: &'a Provider, tokens: &'a TokenSettings, eidas_connector: bool) -> LevelRules<'a> {
    LevelRules {
        claim: tokens.loa_claim(),
        map: &config.loa_map,
        when_absent: None,
        certified: &config.loa,
        eidas_connector,
    }
}

fn claim_rules<'a>(
    profile: OidcProfile,
    tokens: &'a TokenSettings,
    eidas_connector: bool,
    config: &Config,
) -> ClaimRules<'a> {
    ClaimRules {
        profile: profile.rules(),
        map: &tokens.claims,
        accept_coordination_number: config.service.accept_coordination_number,
        scopes: None,
        eidas_connector,
        check_digit: config.verification.check_digit,
    }
}

impl<'a> OidcEntry<'a> {
    /// What it says of itself.
    ///
    /// # Errors
    /// `provider_without_keys`, with the cause in the detail.
    pub fn discovery(self) -> Result<&'a Arc<Discovery>, Reject> {
        self.discovery.as_ref().map_err(|why| {
            let detail = format_args!("no discovery document of {}: {why}", self.config.id);
            Reject::new(Reason::ProviderWithoutKeys, detail)
        })
    }

    /// The levels that it may assert: what the configuration says, since a discovery document only says what it knows.
    /// eIDAS levels only from the connector (profile 1.3).
    pub fn certified(self) -> impl Iterator<Item = &'a str> {
        certified(&self.config.loa, self.own.eidas_connector)
    }

    /// The levels to ask for on `route`; none when it may assert none that the route takes, and when nobody knows where
    /// to send the person.
    pub fn asks(self, route: &Route) -> Option<Vec<String>> {
        self.discovery().ok()?;
        common(route, self.certified()).filter(|levels| !levels.is_empty())
    }

    /// How long ago a person may have logged in there, where the login need not be a fresh one: as long as a session may last,
    /// where the configuration does not say. It is always asked for, since a provider need not say when it was otherwise
    /// (OpenID Connect Core, 2).
    pub fn longest_ago(self, config: &Config) -> Duration {
        self.own.max_age.unwrap_or(config.session.lifetime)
    }

    /// What an ID token is held against. `access_token` and `code` are what came along with it.
    pub fn id_token_expect(
        self,
        config: &Config,
        asked: Asked<'a>,
        access_token: Option<&'a str>,
        code: Option<&'a str>,
        decryption: &'a dyn UnwrapKey,
    ) -> IdTokenExpect<'a> {
        let own = self.own;
        IdTokenExpect {
            issuer: &own.issuer,
            client_id: &own.client_id,
            other_audiences: &own.trusted_audiences,
            keys: self.keys,
            algorithms: match self.discovery {
                // What it does not say that it uses is not used by it.
                Ok(discovery) => own.tokens.algorithms.and(discovery.id_token_algorithms),
                Err(_) => own.tokens.algorithms,
            },
            decryption: Decryption { keys: decryption, required: own.encryption == Encryption::Required },
            profile: own.profile.rules(),
            asked,
            access_token,
            code,
            level: level(self.config, &own.tokens, own.eidas_connector),
            clock_skew: config.verification.clock_skew,
        }
    }

    /// What UserInfo about `subject` is held against.
    pub fn userinfo_expect(
        self,
        config: &Config,
        subject: &'a str,
        decryption: &'a dyn UnwrapKey,
    ) -> UserInfoExpect<'a> {
        let own = self.own;
        UserInfoExpect {
            issuer: &own.issuer,
            client_id: &own.client_id,
            subject,
            keys: self.keys,
            algorithms: own.tokens.algorithms,
            decryption: Decryption { keys: decryption, required: false },
            profile: own.profile.rules(),
            clock_skew: config.verification.clock_skew,
        }
    }

    /// What a logout token is held against.
    pub fn logout_expect(self, config: &Config, decryption: &'a dyn UnwrapKey) -> LogoutExpect<'a> {
        let own = self.own;
        LogoutExpect {
            issuer: &own.issuer,
            client_id: &own.client_id,
            keys: self.keys,
            algorithms: own.tokens.algorithms,
            decryption: Decryption { keys: decryption, required: false },
            clock_skew: config.verification.clock_skew,
        }
    }

    /// The rules that a person from this provider is held to.
    pub fn claim_rules(self, config: &Config) -> ClaimRules<'a> {
        claim_rules(self.own.profile, &self.own.tokens, self.own.eidas_connector, config)
    }
}

impl<'a> JwtEntry<'a> {
    /// What an access token is held against.
    pub fn access_token_expect(self, config: &Config) -> AccessTokenExpect<'a> {
        let own = self.own;
        AccessTokenExpect {
            issuer: &own.issuer,
            audience: &own.audience,
            keys: self.keys,
            algorithms: own.tokens.algorithms,
            require_at_jwt: own.require_at_jwt,
            profile: own.profile.rules(),
            level: level(self.config, &own.tokens, false),
            clock_skew: config.verification.clock_skew,
        }
    }

    /// The rules that whoever a token speaks of is held to.
    pub fn claim_rules(self, config: &Config) -> ClaimRules<'a> {
        claim_rules(self.own.profile, &self.own.tokens, false, config)
    }
}
