//! What a demo provider can be told to answer: the good login, the ordinary endings, and the attacks.

/// How a login ends. Everything but [`Outcome::Success`] must leave the visitor outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// A correct answer.
    #[default]
    Success,
    /// The person pressed Cancel.
    Cancel,
    /// The login failed at the provider.
    AuthnFailed,
    /// The provider suspects fraud: another login of the same person is under way.
    PossibleFraud,
    /// The provider established fraud.
    Fraud,
    /// The provider cannot meet the level that was asked for.
    NoAuthnContext,
    /// The provider broke down.
    ProviderError,
    /// A correct answer, but meant for another service.
    WrongAudience,
    /// A correct answer, but addressed to another service's ACS.
    WrongRecipient,
    /// An answer to another request.
    WrongRequest,
    /// An answer to no request at all.
    Unsolicited,
    /// Written in another provider's name.
    WrongIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// The person logged in long ago; the request asked for a fresh login.
    OldLogin,
    /// Nobody signed it.
    Unsigned,
    /// Signed by a key that the provider's metadata does not have. The key's certificate comes along in the message.
    WrongKey,
    /// The person was changed after signing.
    Tampered,
    /// A forged answer wrapped around a genuinely signed one.
    Wrapped,
    /// It begins with a DOCTYPE.
    Doctype,
    /// The answer of an earlier login, sent once more. Only the demo server can do this: it keeps the last answer.
    /// Building one gives a plain success.
    Replay,
}

impl Outcome {
    /// Every outcome, in the order of the demo's page.
    pub const ALL: [Self; 21] = [
        Self::Success,
        Self::Cancel,
        Self::AuthnFailed,
        Self::PossibleFraud,
        Self::Fraud,
        Self::NoAuthnContext,
        Self::ProviderError,
        Self::Tampered,
        Self::Wrapped,
        Self::Replay,
        Self::Unsigned,
        Self::WrongKey,
        Self::WrongAudience,
        Self::WrongRecipient,
        Self::WrongRequest,
        Self::WrongIssuer,
        Self::Unsolicited,
        Self::Expired,
        Self::NotYetValid,
        Self::OldLogin,
        Self::Doctype,
    ];

    /// Its name in the demo's form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Cancel => "cancel",
            Self::AuthnFailed => "authn-failed",
            Self::PossibleFraud => "possible-fraud",
            Self::Fraud => "fraud",
            Self::NoAuthnContext => "no-authn-context",
            Self::ProviderError => "provider-error",
            Self::WrongAudience => "wrong-audience",
            Self::WrongRecipient => "wrong-recipient",
            Self::WrongRequest => "wrong-request",
            Self::Unsolicited => "unsolicited",
            Self::WrongIssuer => "wrong-issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::OldLogin => "old-login",
            Self::Unsigned => "unsigned",
            Self::WrongKey => "wrong-key",
            Self::Tampered => "tampered",
            Self::Wrapped => "wrapped",
            Self::Doctype => "doctype",
            Self::Replay => "replay",
        }
    }

    /// By its name in the demo's form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// One line for the demo's page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "Logga in · Log in",
            Self::Cancel => "Personen avbryter · The person cancels",
            Self::AuthnFailed => "Inloggningen misslyckas · The login fails",
            Self::PossibleFraud => "Misstänkt bedrägeri · Suspected fraud",
            Self::Fraud => "Konstaterat bedrägeri · Established fraud",
            Self::NoAuthnContext => "Nivån kan inte ges · The level cannot be met",
            Self::ProviderError => "Leverantören går sönder · The provider breaks down",
            Self::Tampered => "Attack: personen bytt efter signering · The person changed after signing",
            Self::Wrapped => "Attack: signature wrapping (XSW)",
            Self::Replay => "Attack: förra svaret en gång till · The previous answer once more",
            Self::Unsigned => "Attack: osignerat · Unsigned",
            Self::WrongKey => "Attack: främmande nyckel · A stranger's key",
            Self::WrongAudience => "Fel: svar till en annan e-tjänst · Meant for another service",
            Self::WrongRecipient => "Fel: adresserat någon annanstans · Addressed elsewhere",
            Self::WrongRequest => "Fel: svar på en annan begäran · An answer to another request",
            Self::WrongIssuer => "Fel: i en annan leverantörs namn · In another provider's name",
            Self::Unsolicited => "Fel: svar på ingen begäran · An answer to no request",
            Self::Expired => "Fel: för gammalt · Expired",
            Self::NotYetValid => "Fel: gäller inte än · Not valid yet",
            Self::OldLogin => "Fel: gammal inloggning · An old login where a fresh one was asked for",
            Self::Doctype => "Fel: med DOCTYPE · With a DOCTYPE",
        }
    }

    /// The status codes of an error answer: top level, second level.
    pub(crate) const fn status(self) -> Option<(&'static str, &'static str)> {
        use crate::names::{
            AUTHN_FAILED, NO_AUTHN_CONTEXT, REQUESTER, RESPONDER, STATUS_CANCEL, STATUS_FRAUD, STATUS_POSSIBLE_FRAUD,
        };
        match self {
            Self::Cancel => Some((RESPONDER, STATUS_CANCEL)),
            Self::AuthnFailed => Some((RESPONDER, AUTHN_FAILED)),
            Self::PossibleFraud => Some((RESPONDER, STATUS_POSSIBLE_FRAUD)),
            Self::Fraud => Some((RESPONDER, STATUS_FRAUD)),
            Self::NoAuthnContext => Some((REQUESTER, NO_AUTHN_CONTEXT)),
            Self::ProviderError => Some((RESPONDER, "")),
            _ => None,
        }
    }
}
