//! A token from its bytes to verified claims, whichever kind it is of.

use super::access_token::{self, AccessToken, AccessTokenExpect};
use super::id_token::{self, IdToken, IdTokenExpect};
use super::jwe::Jwe;
use super::jws::{self, Hint, Jws};
use super::logout_token::{self, LogoutExpect, LogoutToken};
use super::userinfo::{self, UserInfo, UserInfoExpect};
use crate::base::{Secret, UnixTime};
use crate::crypto::encryption::UnwrapKey;
use crate::verify::{Reason, Reject, Verified};

/// Whether a token must come encrypted, and who opens it.
#[derive(Clone, Copy, Debug)]
pub struct Decryption<'a> {
    /// Whoever holds our private keys.
    pub keys: &'a dyn UnwrapKey,
    /// Whether a token in clear is refused.
    pub required: bool,
}

enum Form<'a> {
    Signed(Jws<'a>),
    Encrypted(Jwe<'a>),
}

/// A token that has been taken apart but not verified: all it tells is who says to have made it.
pub struct Received<'a>(Form<'a>);

/// What an encrypted token held: a text that is not verified either.
pub struct Opened(Secret<Vec<u8>>);

impl<'a> Received<'a> {
    /// Takes a compact token apart under the limits.
    ///
    /// # Errors
    /// `message_too_large`, `token_malformed`, those of the JSON reader for the header, `header_…`, and for an algorithm that
    /// does not exist here `signature_algorithm` or `encryption_algorithm`.
    pub fn parse(token: &'a [u8]) -> Result<Self, Reject> {
        jws::bounded(token)?;
        let parts = jws::parts(token).unwrap_or_default();
        match parts.as_slice() {
            [header, payload, signature] => Ok(Self(Form::Signed(Jws::parse(token, header, payload, signature)?))),
            [a, b, c, d, e] => Ok(Self(Form::Encrypted(Jwe::parse([a, b, c, d, e])?))),
            _ => Err(Reject::new(Reason::TokenMalformed, "a token has three parts, or five when it is encrypted")),
        }
    }

    /// Whether it is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.0, Form::Encrypted(_))
    }

    /// What the unverified token says of itself. An encrypted one says nothing: it must be opened first.
    ///
    /// # Errors
    /// Those of the JSON reader, and `claim_type`.
    pub fn hint(&mut self) -> Result<Hint, Reject> {
        match &mut self.0 {
            Form::Signed(jws) => jws.hint(),
            Form::Encrypted(_) => Ok(Hint::default()),
        }
    }

    /// Opens an encrypted token; none when it is not encrypted.
    ///
    /// # Errors
    /// `token_undecryptable`, whatever the cause.
    pub fn open(self, keys: &dyn UnwrapKey) -> Result<Option<Opened>, Reject> {
        match self.0 {
            Form::Signed(_) => Ok(None),
            Form::Encrypted(jwe) => jwe.open(keys).map(|text| Some(Opened(text))),
        }
    }

    /// Verifies it as an ID token: opened if it came encrypted, the signature, every rule.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn id_token(self, expect: &IdTokenExpect<'_>, now: UnixTime) -> Result<Verified<IdToken>, Reject> {
        self.signed(Some(expect.decryption), |jws| {
            id_token::read(jws.verify(expect.keys, expect.algorithms)?, expect, now)
        })
    }

    /// Verifies it as an access token. One that is encrypted is not for us to open.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn access_token(self, expect: &AccessTokenExpect<'_>, now: UnixTime) -> Result<Verified<AccessToken>, Reject> {
        self.signed(None, |jws| access_token::read(jws.verify(expect.keys, expect.algorithms)?, expect, now))
    }

    /// Verifies it as a logout token.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn logout_token(self, expect: &LogoutExpect<'_>, now: UnixTime) -> Result<Verified<LogoutToken>, Reject> {
        self.signed(Some(expect.decryption), |jws| {
            logout_token::read(jws.verify(expect.keys, expect.algorithms)?, expect, now)
        })
    }

    /// Verifies it as signed UserInfo.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn userinfo(self, expect: &UserInfoExpect<'_>, now: UnixTime) -> Result<Verified<UserInfo>, Reject> {
        self.signed(Some(expect.decryption), |jws| {
            userinfo::read(jws.verify(expect.keys, expect.algorithms)?, expect, now)
        })
    }

    /// Hands the signed token to `read`, from within an encrypted one if it came so.
    fn signed<R>(
        self,
        decryption: Option<Decryption<'_>>,
        read: impl FnOnce(Jws<'_>) -> Result<R, Reject>,
    ) -> Result<R, Reject> {
        match (self.0, decryption) {
            (Form::Signed(_), Some(decryption)) if decryption.required => {
                Err(Reject::new(Reason::TokenNotEncrypted, "the token is not encrypted"))
            }
            (Form::Signed(jws), _) => read(jws),
            (Form::Encrypted(jwe), Some(decryption)) => {
                let opened = Opened(jwe.open(decryption.keys)?);
                match opened.token()?.0 {
                    Form::Signed(jws) => read(jws),
                    // `token` makes no other.
                    Form::Encrypted(_) => Err(not_signed()),
                }
            }
            (Form::Encrypted(_), None) => {
                Err(Reject::new(Reason::TokenUndecryptable, "an encrypted token where none is opened"))
            }
        }
    }
}

/// Whether a text is refused for being no token at all.
const fn is_form(reason: Reason) -> bool {
    matches!(reason, Reason::TokenMalformed | Reason::JsonMalformed | Reason::JsonNotUtf8 | Reason::JsonBadCharacter)
}

fn not_signed() -> Reject {
    Reject::new(Reason::InnerNotSigned, "what was encrypted is no signed token")
}

impl Opened {
    /// The signed token that was encrypted. Neither bare claims nor another encrypted token will do: encryption proves
    /// nothing of who made it, since the key to encrypt with is public (T36).
    ///
    /// # Errors
    /// `inner_not_signed` for whatever is no compact token of three parts, and the others of [`Received::parse`].
    pub fn token(&self) -> Result<Received<'_>, Reject> {
        let text = self.0.expose();
        match jws::parts(text).unwrap_or_default().as_slice() {
            [header, payload, signature] => match Jws::parse(text, header, payload, signature) {
                Ok(jws) => Ok(Received(Form::Signed(jws))),
                // Text with two dots in it.
                Err(reject) if is_form(reject.reason()) => Err(not_signed()),
                Err(reject) => Err(reject),
            },
            _ => Err(not_signed()),
        }
    }
}
