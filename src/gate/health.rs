//! What a login that came back tells of its provider's health.

use std::net::IpAddr;

use super::finish::Begun;
use super::{Denial, Gate};
use crate::base::ProviderId;
use crate::base::UnixTime;
use crate::provider::Found;
use crate::provider::fetch::{Answer, FetchError};
use crate::session::Sent;
use crate::verify::Reason;

/// What an answer is, apart from its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The provider signed it, and it works.
    Answer,
    /// The provider signed it, and says that it does not work.
    Fault,
    /// Nobody's word, or not one of now.
    Nothing,
}

/// By the outcome. What fails before or at the signature may be anybody's doing; what fails after it was said by the
/// provider, however little we like it.
fn word(outcome: Result<(), &Denial>, saml: bool) -> Word {
    use Reason as R;
    let Err(denial) = outcome else { return Word::Answer };
    match denial {
        Denial::OtherPerson => Word::Answer,
        Denial::Rejected(reject) => match reject.reason() {
            R::StatusError if saml => Word::Fault,
            // By OpenID Connect an error comes by the browser alone, unsigned.
            R::StatusCancel
            | R::StatusFraud
            | R::StatusPossibleFraud
            | R::StatusAuthnFailed
            | R::StatusNoAuthnContext
                if saml =>
            {
                Word::Answer
            }
            R::LoaNotRequested
            | R::LoaNotCertified
            | R::LoaEidasNotConnector
            | R::AuthenticatingAuthority
            | R::CoordinationNumberNotAccepted
            | R::LoaNotAllowed
            | R::EidNotAllowed
            | R::RequiredAttributeMissing => Word::Answer,
            _ => Word::Nothing,
        },
        _ => Word::Nothing,
    }
}

impl Gate {
    /// Tells the board of a login that came back with `outcome`.
    pub(super) fn tell_board(&self, begun: &Begun, outcome: Result<(), &Denial>, from: Option<IpAddr>, now: UnixTime) {
        let state = &begun.state;
        let saml = !matches!(state.sent, Sent::Oidc { .. });
        match word(outcome, saml) {
            Word::Answer => self.board.answered(&state.provider, state.issued_at, now),
            Word::Fault => self.board.fault(&state.provider, &begun.handle.to_string(), from, now),
            Word::Nothing => {}
        }
    }

    /// Tells the board what a provider's token endpoint did.
    pub(super) fn tell_endpoint(
        &self,
        provider: &ProviderId,
        answer: &Result<Answer, FetchError>,
        from: Option<IpAddr>,
    ) {
        let found = match answer {
            Ok(answer) if answer.code() >= 500 => Found::Answered(answer.code()),
            Ok(_) => Found::Up,
            Err(error) => Found::failed(error),
        };
        self.board.token_endpoint(provider, &found, from, self.clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Reject;

    #[test]
    fn only_what_the_provider_signed_is_its_word() {
        let rejected = |reason| Denial::Rejected(Reject::new(reason, "a test"));
        for (denial, saml, oidc) in [
            (rejected(Reason::StatusError), Word::Fault, Word::Nothing),
            (rejected(Reason::StatusCancel), Word::Answer, Word::Nothing),
            (rejected(Reason::StatusFraud), Word::Answer, Word::Nothing),
            (rejected(Reason::LoaNotRequested), Word::Answer, Word::Answer),
            (rejected(Reason::RequiredAttributeMissing), Word::Answer, Word::Answer),
            (rejected(Reason::SignatureMissing), Word::Nothing, Word::Nothing),
            (rejected(Reason::IssuerMismatch), Word::Nothing, Word::Nothing),
            (rejected(Reason::CodeRefused), Word::Nothing, Word::Nothing),
            (rejected(Reason::StateExpired), Word::Nothing, Word::Nothing),
            (Denial::Replayed(Reason::Replayed.into()), Word::Nothing, Word::Nothing),
            (Denial::OtherPerson, Word::Answer, Word::Answer),
            (Denial::Overloaded, Word::Nothing, Word::Nothing),
            (Denial::ProvidersDown, Word::Nothing, Word::Nothing),
        ] {
            assert_eq!((word(Err(&denial), true), word(Err(&denial), false)), (saml, oidc), "{}", denial.code());
        }
        assert_eq!((word(Ok(()), true), word(Ok(()), false)), (Word::Answer, Word::Answer));
    }
}
