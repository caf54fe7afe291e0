//! JSON Web Signature, Encryption, Key and Token (RFC 7515 to 7519, RFC 8725), and what OpenID Connect and OAuth make of
//! them.
//!
//! The algorithm of a token must be on its provider's list and fit a key of the provider's; `none` and HMAC do not exist.
//! A key comes from the provider's JWKS and from nowhere else. Claims are read once, from what was signed.

mod access_token;
mod claims;
mod discovery;
mod dpop;
mod header;
mod id_token;
pub mod json;
mod jwe;
mod jwks;
mod jws;
mod logout_token;
mod profile;
mod received;
mod registered;
mod rules;
mod token_response;
mod userinfo;

pub use access_token::{AccessToken, AccessTokenExpect};
pub use claims::Claims;
pub use discovery::{Discovery, jwks_uri};
pub use dpop::{DpopExpect, DpopProof, dpop_proof};
pub use id_token::{Asked, IdToken, IdTokenExpect, LevelRules, Nonce};
pub use json::{Kind, Object, Value};
pub use jwks::{KeyFault, KeySet, KeyWarning};
pub use jws::Hint;
pub use logout_token::{LogoutExpect, LogoutToken};
pub use profile::{AuthTime, ClaimNames, OidcProfile, ProfileRules};
pub use received::{Decryption, Opened, Received};
pub use token_response::{EndpointError, PushedRequest, TokenResponse};
pub use userinfo::{UserInfo, UserInfoExpect, plain_userinfo};
