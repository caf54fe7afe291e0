//! The trait behind which uses are remembered, and the proof that it hands out.

use std::future::Future;
use std::time::Duration;

use super::ReplayError;
use crate::base::UnixTime;
use crate::crypto::digest::HmacKey;

/// Proof that an assertion, and the login that it answers, had not been used before and now are.
///
/// Only a [`ReplayGuard`] of this room makes one, and opening a session takes it by value.
///
/// ```compile_fail,E0423
/// let forged = grindvakt::replay::FirstUse(());
/// ```
///
/// ```compile_fail,E0599
/// fn twice(once: grindvakt::replay::FirstUse) -> (grindvakt::replay::FirstUse, grindvakt::replay::FirstUse) {
///     (once.clone(), once)
/// }
/// ```
///
/// ```
/// fn once(once: grindvakt::replay::FirstUse) -> grindvakt::replay::FirstUse {
///     once
/// }
/// ```
#[derive(Debug)]
#[must_use = "a use that opens nothing has burnt the assertion for nothing"]
pub struct FirstUse(UnixTime);

impl FirstUse {
    /// Only after every key was consumed.
    pub(in crate::replay) const fn new(at: UnixTime) -> Self {
        Self(at)
    }

    /// When, by the clock of whoever remembers it. With a shared store that is one clock for all replicas.
    pub const fn at(&self) -> UnixTime {
        self.0
    }
}

/// What is used once: a keyed digest, so that a store holds neither an issuer nor an ID that anyone could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKey {
    digest: [u8; 16],
    refused: ReplayError,
    of_program: bool,
}

impl ReplayKey {
    /// An assertion: counted by (issuer, ID), since IDs are unique per issuer only (SAML Core 1.3.4).
    pub fn assertion(key: &HmacKey, issuer: &str, id: &str) -> Self {
        Self::of_login(key.tag(&[b"assertion", issuer.as_bytes(), id.as_bytes()]), ReplayError::Replayed)
    }

    /// A proof that may be shown once, by its key and `jti` (RFC 9449, 11.1).
    pub fn proof(key: &HmacKey, id: &str) -> Self {
        Self { of_program: true, ..Self::of_login(key.tag(&[b"proof", id.as_bytes()]), ReplayError::Replayed) }
    }

    /// A login whose code is on its way to the provider, by its handle: claimed for seconds.
    pub fn exchange(key: &HmacKey, handle: &str) -> Self {
        Self::of_login(key.tag(&[b"exchange", handle.as_bytes()]), ReplayError::InProgress)
    }

    /// A begun login, by its handle.
    pub fn login(key: &HmacKey, handle: &str) -> Self {
        Self::of_login(key.tag(&[b"login", handle.as_bytes()]), ReplayError::LoginConsumed)
    }

    fn of_login(tag: [u8; 32], refused: ReplayError) -> Self {
        Self { digest: cut(tag), refused, of_program: false }
    }

    /// Whether it is a program's, with each of its requests another: those must not take the room of logins.
    pub(super) const fn is_of_program(&self) -> bool {
        self.of_program
    }

    /// What a store files it under: 128 bits.
    pub const fn digest(&self) -> &[u8; 16] {
        &self.digest
    }

    /// What a second use of it is called.
    pub const fn refused(&self) -> ReplayError {
        self.refused
    }
}

/// Something that one caller at a time does: until it is let go, or for a while.
#[derive(Debug)]
#[must_use = "what is not let go keeps others waiting"]
pub struct Claim {
    pub(in crate::replay) keys: Vec<ReplayKey>,
    /// Tells it from a later claim of the same: when it ends, by the clock of who made it.
    pub(in crate::replay) until: UnixTime,
}

/// 128 bits of a keyed digest: two different uses meet with a chance of 2⁻⁸⁸ among a million.
pub(super) fn cut(tag: [u8; 32]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = tag;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Remembers uses. Every back end passes the suite in `tests/it/contract.rs`.
pub trait ReplayGuard: Send + Sync {
    /// Marks every one of `keys` as used until after `until`, or none of them.
    ///
    /// Of several callers with a key in common at most one succeeds, and of callers with the same fresh keys exactly
    /// one. `now` is the instant of the use: what was remembered until before it counts no more.
    ///
    /// # Errors
    /// [`ReplayError::Replayed`] or [`ReplayError::LoginConsumed`] by the first key that was used before,
    /// [`ReplayError::Full`] or [`ReplayError::Unavailable`] when the use cannot be remembered.
    fn consume(
        &self,
        keys: &[ReplayKey],
        until: UnixTime,
        now: UnixTime,
    ) -> impl Future<Output = Result<FirstUse, ReplayError>> + Send;

    /// Takes every one of `keys` for `life`, or none of them: not while another claim of one of them is in force, and not
    /// when one of `unless` is used.
    ///
    /// It is no use, and opens nothing: it keeps two callers from doing the same at once.
    ///
    /// # Errors
    /// By the first key that was used or claimed, [`ReplayError::Full`] or [`ReplayError::Unavailable`].
    fn claim(
        &self,
        keys: &[ReplayKey],
        unless: &[ReplayKey],
        life: Duration,
        now: UnixTime,
    ) -> impl Future<Output = Result<Claim, ReplayError>> + Send;

    /// Lets a claim go before its time. Where the store cannot be told, it ends by itself.
    fn release(&self, claim: Claim) -> impl Future<Output = ()> + Send;
}
