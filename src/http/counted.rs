//! Under which outcome a refusal is counted.

use super::respond::Fault;
use crate::gate::Denial;
use crate::telemetry::Outcome;

/// What became of a request that was denied.
pub(super) const fn of_denial(denial: &Denial) -> Outcome {
    match denial {
        Denial::NeedsLogin { .. } => Outcome::NeedsLogin,
        Denial::StepUp { .. } => Outcome::StepUp,
        Denial::Rejected(_)
        | Denial::Replayed(_)
        | Denial::Token { .. }
        | Denial::TokenLacks { .. }
        | Denial::Unclear(_)
        | Denial::BothCredentials
        | Denial::OtherPerson => Outcome::Refused,
        Denial::ProvidersDown | Denial::StoreDown(_) | Denial::Overloaded | Denial::Internal(_) => Outcome::Unavailable,
    }
}

/// What became of a request that was refused before or after anything was decided.
pub(super) const fn of_fault(fault: Fault) -> Outcome {
    match fault {
        Fault::Overloaded | Fault::Internal => Outcome::Unavailable,
        Fault::UpstreamDown | Fault::UpstreamSlow => Outcome::UpstreamFailed,
        Fault::ClientSlow => Outcome::Abandoned,
        Fault::NoSession => Outcome::NeedsLogin,
        Fault::BadPath
        | Fault::BadRequest
        | Fault::TooManyHeaders
        | Fault::BadBody
        | Fault::BadForm
        | Fault::Expectation
        | Fault::TooLarge
        | Fault::MediaType
        | Fault::NotFound
        | Fault::Method(_)
        | Fault::CrossSite
        | Fault::BadUpgrade
        | Fault::NoUpgrade
        | Fault::UntrustedProxy
        | Fault::BadForwarded => Outcome::Invalid,
    }
}
