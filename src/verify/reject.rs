//! Why a message is refused: data for the operator inside, one stable code outside.
//!
//! The code is the metric label, the log field, the verdict of `grindvakt verify` and what the reference on the
//! citizen's page leads to. Codes are part of the interface: never rename one.

use std::borrow::Cow;
use std::fmt;

use crate::base::redact;

macro_rules! reasons {
    ($( $(#[doc = $doc:literal])* $variant:ident = $code:literal, )*) => {
        /// A stable reason. Which values met is in [`Reject::detail`], for the operator only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $( $(#[doc = $doc])* $variant, )*
        }

        impl Reason {
            /// Every reason there is: a closed set, fit for a metric label.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The code: lower case, words joined by `_`.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$variant => $code, )* }
            }

            /// What it means, in words: for docs/codes.md.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => concat!($( $doc ),*).trim_ascii(), )* }
            }
        }
    };
}

reasons! {
    // --- the bytes (design: limits; XML 1.0; Namespaces in XML 1.0) ---
    /// A message of a protocol that this version does not verify.
    ProtocolUnsupported = "protocol_unsupported",
    /// Not base64, not a form, or a form with the field twice.
    MessageEncoding = "message_encoding",
    /// Over the byte limit.
    MessageTooLarge = "message_too_large",
    /// Not UTF-8, or an XML declaration that says another encoding.
    XmlNotUtf8 = "xml_not_utf8",
    /// A DOCTYPE, in any place and form.
    XmlDoctype = "xml_doctype",
    /// A processing instruction where none may be.
    XmlProcessingInstruction = "xml_processing_instruction",
    /// Not well-formed.
    XmlMalformed = "xml_malformed",
    /// A character, or a reference to one, that XML 1.0 does not have.
    XmlBadCharacter = "xml_bad_character",
    /// Not a name, or not a qualified name.
    XmlBadName = "xml_bad_name",
    /// A reference to an entity other than the five that XML itself declares.
    XmlUnknownEntity = "xml_unknown_entity",
    /// One attribute twice on an element, by written or by expanded name.
    XmlDuplicateAttribute = "xml_duplicate_attribute",
    /// An undeclared prefix, a reserved one rebound, or a prefix bound to nothing.
    XmlBadNamespace = "xml_bad_namespace",
    /// A namespace name that is no absolute URI: canonicalisation must fail on it (C14N 1.0, 1.3).
    XmlRelativeNamespace = "xml_relative_namespace",
    /// Deeper than the limit.
    XmlTooDeep = "xml_too_deep",
    /// More nodes than the limit.
    XmlTooManyNodes = "xml_too_many_nodes",
    /// More attributes on an element than the limit.
    XmlTooManyAttributes = "xml_too_many_attributes",
    /// More namespace declarations than the limit.
    XmlTooManyNamespaces = "xml_too_many_namespaces",
    /// The second reader saw another document.
    XmlReadersDisagree = "xml_readers_disagree",

    // --- JSON and the forms of a token (RFC 8259; RFC 7515, 7516, 7519; RFC 8725) ---
    /// JSON that is not UTF-8.
    JsonNotUtf8 = "json_not_utf8",
    /// Not JSON by the letter, or no object.
    JsonMalformed = "json_malformed",
    /// A control character in a string, half of a surrogate pair, or a NUL.
    JsonBadCharacter = "json_bad_character",
    /// A member that stands twice in one object.
    JsonDuplicateMember = "json_duplicate_member",
    /// Deeper than the limit.
    JsonTooDeep = "json_too_deep",
    /// More values, or more members of one object, than the limit.
    JsonTooLarge = "json_too_large",
    /// No three or five parts of strict base64url.
    TokenMalformed = "token_malformed",
    /// `Authorization` says that there is a token and brings none, or says so twice, or beside other credentials.
    AuthorizationUnclear = "authorization_unclear",
    /// A header parameter of the wrong type, or one that must be there and is not.
    HeaderMalformed = "header_malformed",
    /// `crit`, or `b64` that is not true: an extension that we do not know.
    HeaderCritical = "header_critical",
    /// `zip`: nothing is inflated.
    HeaderCompressed = "header_compressed",
    /// A token of another kind than the one that is expected (RFC 8725, 3.11).
    TokenType = "token_type",
    /// No key of the provider has this `kid`.
    KeyUnknown = "key_unknown",
    /// No `kid`, and several keys that could be meant.
    KeyAmbiguous = "key_ambiguous",
    /// An encrypted token that does not open.
    TokenUndecryptable = "token_undecryptable",
    /// A token in clear, where encryption is required.
    TokenNotEncrypted = "token_not_encrypted",
    /// What was encrypted is no signed token (T36).
    InnerNotSigned = "inner_not_signed",

    // --- the signature (XMLDSig; SAML Core 5.4) ---
    /// What must be signed is not.
    SignatureMissing = "signature_missing",
    /// A Signature anywhere but directly under an element that may carry one.
    SignatureMisplaced = "signature_misplaced",
    /// More than one Signature under one element.
    SignatureMultiple = "signature_multiple",
    /// A Signature whose parts are missing, doubled, foreign or out of order.
    SignatureShape = "signature_shape",
    /// The Reference is not to the element that encloses the Signature.
    SignatureReference = "signature_reference",
    /// A transform or canonicalisation method other than enveloped-signature and exclusive C14N.
    SignatureTransform = "signature_transform",
    /// A signature or digest algorithm outside the allow-list.
    SignatureAlgorithm = "signature_algorithm",
    /// The issuer has keys, but none of the type that the signature's algorithm names.
    SignatureKeyType = "signature_key_type",
    /// No key of the issuer made this signature.
    SignatureInvalid = "signature_invalid",
    /// The signature holds, but the content is not what was signed.
    DigestMismatch = "digest_mismatch",
    /// Two elements with one ID.
    IdDuplicate = "id_duplicate",
    /// A signed element with a second attribute that another reader might take for its ID.
    IdAmbiguous = "id_ambiguous",
    /// An element signed without an ID, or with one that is no NCName.
    IdMalformed = "id_malformed",

    // --- the Response (SAML Core 3.2.2; profile 7.1) ---
    /// The document element is no samlp:Response.
    NotAResponse = "not_a_response",
    /// Version other than 2.0.
    SamlVersion = "saml_version",
    /// An element or attribute that SAML demands is missing, doubled, empty or misplaced.
    SamlSchema = "saml_schema",
    /// An instant that is no UTC xs:dateTime.
    TimeMalformed = "time_malformed",
    /// The person cancelled.
    StatusCancel = "status_cancel",
    /// The provider established fraud.
    StatusFraud = "status_fraud",
    /// The provider suspects fraud.
    StatusPossibleFraud = "status_possible_fraud",
    /// The login failed.
    StatusAuthnFailed = "status_authn_failed",
    /// The provider cannot meet the level that was asked for.
    StatusNoAuthnContext = "status_no_authn_context",
    /// Another error status.
    StatusError = "status_error",
    /// An error status with an assertion.
    StatusWithAssertion = "status_with_assertion",
    /// Success without an assertion.
    AssertionMissing = "assertion_missing",
    /// More than one assertion, or one in a place where none belongs.
    AssertionMultiple = "assertion_multiple",
    /// In clear, where encryption is required.
    AssertionNotEncrypted = "assertion_not_encrypted",
    /// Encrypted in a way that is not taken (RSA 1.5, Triple DES), or not taken without a signature around it (AES-CBC).
    EncryptionAlgorithm = "encryption_algorithm",
    /// RSA-OAEP with one hash for the label and another for the mask.
    EncryptionOaepHashes = "encryption_oaep_hashes",
    /// An EncryptedAssertion that does not open, or whose parts are missing, doubled, foreign or out of order.
    AssertionUndecryptable = "assertion_undecryptable",
    /// EncryptedID or EncryptedAttribute.
    EncryptedPart = "encrypted_part",
    /// No Issuer.
    IssuerMissing = "issuer_missing",
    /// No provider of this name is configured, or its metadata has not come.
    IssuerUnknown = "issuer_unknown",
    /// Another issuer than the one asked, or another in the assertion than in the Response.
    IssuerMismatch = "issuer_mismatch",
    /// The provider has no valid key now: its metadata has expired or has not come.
    ProviderWithoutKeys = "provider_without_keys",
    /// No Destination on a signed Response.
    DestinationMissing = "destination_missing",
    /// A Destination other than our address.
    DestinationMismatch = "destination_mismatch",
    /// No Recipient.
    RecipientMissing = "recipient_missing",
    /// A Recipient other than our address.
    RecipientMismatch = "recipient_mismatch",
    /// No InResponseTo where a request was sent.
    InResponseToMissing = "in_response_to_missing",
    /// An answer to another request.
    InResponseToMismatch = "in_response_to_mismatch",
    /// An answer to no request, from a provider that may not send one.
    Unsolicited = "unsolicited",
    /// No AudienceRestriction.
    AudienceMissing = "audience_missing",
    /// An audience without us.
    AudienceMismatch = "audience_mismatch",
    /// No Conditions, or Conditions without the window that the profile demands.
    ConditionsMissing = "conditions_missing",
    /// A condition that we do not know: it cannot be met (SAML Core 2.5.1.1).
    ConditionUnknown = "condition_unknown",
    /// Before NotBefore.
    NotYetValid = "not_yet_valid",
    /// At or after a NotOnOrAfter.
    Expired = "expired",
    /// IssueInstant or AuthnInstant in the future.
    IssuedInFuture = "issued_in_future",
    /// IssueInstant too long ago.
    IssuedTooLongAgo = "issued_too_long_ago",
    /// No Subject.
    SubjectMissing = "subject_missing",
    /// No NameID.
    NameIdMissing = "name_id_missing",
    /// No bearer confirmation, or one without what it must have.
    ConfirmationMissing = "confirmation_missing",
    /// None or several AuthnStatements.
    AuthnStatementCount = "authn_statement_count",
    /// None or several AttributeStatements.
    AttributeStatementCount = "attribute_statement_count",
    /// No AuthnContextClassRef.
    AuthnContextMissing = "authn_context_missing",
    /// A level that was not asked for.
    LoaNotRequested = "loa_not_requested",
    /// A level that the provider is not certified for.
    LoaNotCertified = "loa_not_certified",
    /// An eIDAS level from a provider that is not the connector.
    LoaEidasNotConnector = "loa_eidas_not_connector",
    /// A fresh login was asked for and this one is older.
    AuthnTooOld = "authn_too_old",
    /// The provider's own session has ended (SessionNotOnOrAfter).
    SessionEnded = "session_ended",
    /// An authenticating authority outside the allow-list.
    AuthenticatingAuthority = "authenticating_authority",

    // --- tokens (RFC 7519; OpenID Connect Core 3.1.3.7; RFC 9068; checklist 35 to 46) ---
    /// A registered claim of the wrong type or form.
    ClaimType = "claim_type",
    /// A claim that must be there and is not.
    ClaimMissing = "claim_missing",
    /// An audience beside us that the configuration does not trust.
    AudienceUntrusted = "audience_untrusted",
    /// `azp` of somebody else, or none where there are several audiences.
    AuthorizedParty = "authorized_party",
    /// Valid for longer than the profile allows.
    LifetimeTooLong = "lifetime_too_long",
    /// No `nonce` where one was sent.
    NonceMissing = "nonce_missing",
    /// The `nonce` of another login.
    NonceMismatch = "nonce_mismatch",
    /// `at_hash` or `c_hash` of something else.
    TokenHashMismatch = "token_hash_mismatch",
    /// UserInfo of another person than the ID token.
    SubjectMismatch = "subject_mismatch",
    /// UserInfo in clear, where the profile asks for a signature.
    UserInfoNotSigned = "userinfo_not_signed",
    /// An access token bound to something that we cannot check.
    ConfirmationUnsupported = "confirmation_unsupported",
    /// A bearer token of a provider whose tokens the route does not take.
    BearerNotAllowed = "bearer_not_allowed",
    /// An access token without a scope that the route asks for.
    ScopeInsufficient = "scope_insufficient",
    /// No DPoP proof where one must be.
    DpopMissing = "dpop_missing",
    /// A DPoP proof without a key, or with one that is not taken.
    DpopKey = "dpop_key",
    /// A DPoP proof by another key than the token is bound to.
    DpopKeyMismatch = "dpop_key_mismatch",
    /// A DPoP proof for another method.
    DpopMethodMismatch = "dpop_method_mismatch",
    /// A DPoP proof for another address.
    DpopUriMismatch = "dpop_uri_mismatch",
    /// A DPoP proof for another access token.
    DpopTokenMismatch = "dpop_token_mismatch",
    /// A DPoP proof without a nonce of ours that is still good.
    DpopNonce = "dpop_nonce",

    // --- the person (profile 2; checklist 22 to 26) ---
    /// One attribute twice.
    AttributeDuplicate = "attribute_duplicate",
    /// Several values, or none, where there is one.
    AttributeValues = "attribute_values",
    /// A value that is not of its attribute's form.
    AttributeMalformed = "attribute_malformed",
    /// No personal or coordination number of twelve digits.
    PersonalNumberMalformed = "personal_number_malformed",
    /// A personal and a coordination number of one person, together (OSC 3.2).
    NumbersTogether = "numbers_together",
    /// Two sources of one provider that say different things of one person.
    ClaimConflict = "claim_conflict",
    /// A coordination number for a service that has not opted in.
    CoordinationNumberNotAccepted = "coordination_number_not_accepted",
    /// A non-resident level together with a Swedish number.
    NonresidentWithNumber = "nonresident_with_number",
    /// A scope that the provider does not have in its metadata.
    ScopeNotRegistered = "scope_not_registered",
    /// A mapped number without an acceptable binding process.
    MappedNumberBinding = "mapped_number_binding",
    /// A prid that is none.
    PridMalformed = "prid_malformed",
    /// A prid of another country than the one that authenticated.
    PridCountryMismatch = "prid_country_mismatch",

    // --- the route (policy) ---
    /// A path that has no one normal form.
    RouteMalformed = "route_malformed",
    /// A level that the route does not take.
    LoaNotAllowed = "loa_not_allowed",
    /// An e-ID that the route does not take.
    EidNotAllowed = "eid_not_allowed",
    /// A login that is older than the route takes.
    LoginTooOld = "login_too_old",
    /// An attribute that the route requires is missing.
    RequiredAttributeMissing = "required_attribute_missing",

    // --- single logout (SAML Core 3.7; SAML Profiles 4.4) ---
    /// The document element is no LogoutRequest or LogoutResponse.
    NotALogout = "not_a_logout",
    /// A LogoutRequest that names more sessions than anybody has.
    LogoutTooManySessions = "logout_too_many_sessions",
    /// A LogoutRequest past its NotOnOrAfter.
    LogoutExpired = "logout_expired",
    /// A login that its provider has ended meanwhile: the order was here before the answer.
    LoginEnded = "login_ended",
    /// A LogoutResponse to no request of ours, or to one of too long ago.
    LogoutUnasked = "logout_unasked",

    // --- single use and the login's own state ---
    /// This assertion was used before.
    Replayed = "replayed",
    /// This login was finished before.
    LoginConsumed = "login_consumed",
    /// This login is being finished by another answer at this moment: the browser has sent two.
    LoginInProgress = "login_in_progress",
    /// The login was begun by another process, whose memory this one does not have.
    LoginOtherInstance = "login_other_instance",
    /// The memory of used assertions is full.
    ReplayStoreFull = "replay_store_full",
    /// The browser holds no such login.
    StateMissing = "state_missing",
    /// The login's cookie is not one of ours.
    StateInvalid = "state_invalid",
    /// The login was begun too long ago.
    StateExpired = "state_expired",

    // --- metadata feeds (profile 7.2) ---
    /// The document element is no EntitiesDescriptor or EntityDescriptor.
    NotMetadata = "not_metadata",
    /// Past validUntil.
    MetadataExpired = "metadata_expired",
    /// Older than the feed in use.
    MetadataRolledBack = "metadata_rolled_back",
    /// A feed of another environment: a test federation's, in production.
    MetadataOtherEnvironment = "metadata_other_environment",
    /// No such entity in the feed.
    EntityMissing = "entity_missing",
    /// One entityID twice in a feed.
    EntityDuplicate = "entity_duplicate",
    /// An entity without a usable signing key.
    EntityWithoutKey = "entity_without_key",
    /// An endpoint that no browser should be sent to.
    EndpointMalformed = "endpoint_malformed",
    /// A key of `grindvakt-demo`, outside of development.
    DemoKey = "demo_key",

    // --- documents of OpenID Connect providers (OpenID Connect Discovery; RFC 7517; RFC 6749) ---
    /// A discovery document with a member that is missing or malformed.
    DiscoveryMalformed = "discovery_malformed",
    /// A key of a JWKS that is odd, and as a rule left out. It refuses nothing by itself.
    KeyLeftOut = "key_left_out",
    /// No JWKS.
    JwksMalformed = "jwks_malformed",
    /// The answer of a token endpoint has a member that is missing or malformed.
    TokenResponseMalformed = "token_response_malformed",
    /// A document that leads to a host which the configuration does not name.
    HostNotConfigured = "host_not_configured",

    // --- what happens on the way of a login by OpenID Connect (RFC 6749, 4.1.2.1 and 5.2; RFC 9207) ---
    /// An authorization response that is none: a parameter that is missing, doubled or too long.
    CallbackMalformed = "callback_malformed",
    /// The login was begun at another provider than the one that this answer came by.
    StateOtherProvider = "state_other_provider",
    /// The provider is in trouble and says so (`server_error`, `temporarily_unavailable`).
    ProviderFailed = "provider_failed",
    /// The provider did not take our request: what it and we are configured for does not fit.
    RequestRefused = "request_refused",
    /// The provider did not take the code (`invalid_grant`): used, too old, or of somebody else.
    CodeRefused = "code_refused",
    /// The provider does not know us, or not by these credentials (`invalid_client`).
    ClientRefused = "client_refused",
    /// The token endpoint did not answer, or with something that is no answer.
    TokenEndpointFailed = "token_endpoint_failed",
    /// UserInfo could not be had.
    UserInfoFailed = "userinfo_failed",
    /// The endpoint for pushed requests did not answer, or with something that is no answer.
    PushFailed = "push_failed",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal: the reason, and what met what, for the operator.
///
/// The detail never holds a NameID, a personal number or an attribute's value: rules for people's data are kept where
/// the text is made. It may hold names from the message (an issuer, an algorithm, an instant), cut to a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    reason: Reason,
    detail: Box<str>,
}

/// The longest detail, in bytes: names from a message are cut so that nobody fills our log.
const DETAIL_BYTES: usize = 400;

/// Characters that break a line-based log apart, or show it in another order than it is written.
fn breaks_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Reject {
    /// A refusal with what the operator needs to know beyond the code. Numbers that may be somebody's are masked.
    pub fn new(reason: Reason, detail: impl fmt::Display) -> Self {
        let mut text = detail.to_string();
        if let Cow::Owned(masked) = redact::numbers(&text) {
            text = masked;
        }
        if text.len() > DETAIL_BYTES {
            let cut = text.floor_char_boundary(DETAIL_BYTES);
            text.truncate(cut);
            text.push('…');
        }
        if text.contains(breaks_lines) {
            text = text.replace(breaks_lines, "\u{fffd}");
        }
        Self { reason, detail: text.into_boxed_str() }
    }

    /// The stable reason.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The stable code of the reason.
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// One sentence for the operator.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether a key that we have not fetched yet could explain it. `gate` then refetches once and tries again.
    pub const fn may_be_a_new_key(&self) -> bool {
        matches!(
            self.reason,
            Reason::KeyUnknown | Reason::SignatureInvalid | Reason::SignatureKeyType | Reason::ProviderWithoutKeys
        )
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.detail)
    }
}

impl std::error::Error for Reject {}

impl From<Reason> for Reject {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: Box::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_names_and_all_different() {
        let mut seen = std::collections::HashSet::new();
        for reason in Reason::ALL {
            let code = reason.code();
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()), "{code}");
            assert!(seen.insert(code), "{code} stands twice");
        }
    }

    #[test]
    fn details_are_cut_and_stay_on_one_line() {
        let long = Reject::new(Reason::IssuerUnknown, "å".repeat(1000) + "\n");
        assert!(long.detail().len() <= DETAIL_BYTES + '…'.len_utf8());
        let lines = Reject::new(Reason::IssuerUnknown, "a\nlevel=info forged");
        assert!(!lines.detail().contains('\n'));
    }
}
