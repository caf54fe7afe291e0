//! The use cases: begin a login, finish it, decide on a request, log out. No HTTP type is known here.
//!
//! What comes in is text that a browser sent; what goes out is a decision. `http` renders it, and only
//! `http/respond.rs` turns a [`Denial`] into a status.

pub mod cookies;
pub mod denial;
pub mod headers;
pub mod outcome;

pub use cookies::{Cookies, SameSite, SetCookie};
pub use denial::{Denial, Reference, Refusal};
pub use headers::{IdentityHeader, IdentityHeaders};
pub use outcome::{
    BeginLogin, Choice, Confirm, ConfirmLogin, Decision, FinishLogin, LoginDone, LoginStart, Logout, Permit,
    SessionInfo,
};

/// The gate. Cheap to share: `Arc<Gate>`.
pub struct Gate {
    _private: (),
}

impl Gate {
    /// Decides on a request for `path`, which is in normal form (`policy::normal_path`).
    ///
    /// Synchronous: it opens the session cookie, looks at revocations, times and the route, and attaches the headers.
    pub fn authorize(&self, path: &str, cookies: &Cookies<'_>) -> Decision {
        let _ = (path, cookies);
        unimplemented!()
    }

    /// Begins a login: chooses a provider that the route of `rd` takes, or offers a choice.
    ///
    /// # Errors
    /// `ProvidersDown` when none that would do has keys, `Overloaded` when the signing pool is full, `Internal`.
    pub async fn begin_login(&self, login: BeginLogin<'_>) -> Result<LoginStart, Denial> {
        let _ = login;
        unimplemented!()
    }

    /// Finishes a login with the Response that the browser brought to the ACS.
    ///
    /// # Errors
    /// The [`Refusal`] to show. It never leaves a session.
    pub async fn finish_login(&self, login: FinishLogin<'_>) -> Result<LoginDone, Refusal> {
        let _ = login;
        unimplemented!()
    }

    /// The person has said who is logging in, after [`LoginDone::Confirm`].
    ///
    /// `http` must have made sure that the form came from our own origin.
    ///
    /// # Errors
    /// `state_missing`, `state_invalid` or `state_expired`.
    pub async fn confirm_login(&self, confirm: ConfirmLogin<'_>) -> Result<LoginDone, Refusal> {
        let _ = confirm;
        unimplemented!()
    }

    /// What `<prefix>/session` tells; none without a live session. Never extends the session.
    pub fn session_info(&self, cookies: &Cookies<'_>) -> Option<SessionInfo> {
        let _ = cookies;
        unimplemented!()
    }

    /// Extends the idle time, as a request for a page would; none without a live session.
    ///
    /// `http` must have made sure that the request came from our own origin.
    pub fn extend_session(&self, cookies: &Cookies<'_>) -> Option<(SessionInfo, SetCookie)> {
        let _ = cookies;
        unimplemented!()
    }

    /// Ends the session here: its id is dead from now on, also in a copied cookie.
    ///
    /// `http` must have made sure that the request came from our own origin.
    pub fn logout(&self, cookies: &Cookies<'_>) -> Logout {
        let _ = cookies;
        unimplemented!()
    }

    /// The SP metadata as an XML document.
    pub fn sp_metadata(&self) -> String {
        unimplemented!()
    }

    /// The JWK set that `X-Eid-Assertion` is verified with (RFC 7517).
    pub fn jwks(&self) -> String {
        unimplemented!()
    }

    /// Whether at least one provider has keys now: what readiness asks.
    pub fn any_provider_usable(&self) -> bool {
        unimplemented!()
    }
}
