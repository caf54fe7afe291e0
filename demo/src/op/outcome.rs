//! How a login at a demo OpenID provider ends: well, in one of the ordinary bad ways, or in an answer that must be refused.

macro_rules! outcomes {
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, $label:literal; )*) => {
        /// How a login ends. Everything but [`OpOutcome::Success`] must leave the visitor outside.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum OpOutcome {
            $( $(#[$doc])* $variant, )*
        }

        impl OpOutcome {
            /// Every outcome, in the order of the demo's page.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// Its name in the demo's form, and what a test orders it by.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// One line for the demo's page.
            pub const fn label(self) -> &'static str {
                match self { $( Self::$variant => $label, )* }
            }
        }
    };
}

outcomes! {
    /// A correct answer.
    #[default]
    Success = "success", "Logga in · Log in";

    // --- what the authorization endpoint answers instead of a code (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6) ---
    /// The person pressed Cancel: `access_denied`, as everything that did not end well (OSP 2.3).
    Cancel = "cancel", "Personen avbryter · The person cancels";
    /// The login failed: `access_denied` too, told apart by its description alone.
    LoginFailed = "login-failed", "Inloggningen misslyckas · The login fails";
    /// `login_required`, which nobody has asked to be told.
    LoginRequired = "login-required", "Inloggning krävs · login_required";
    /// `interaction_required`.
    InteractionRequired = "interaction-required", "Medverkan krävs · interaction_required";
    /// `unmet_authentication_requirements`: the essential level cannot be had (OpenID Connect Unmet Authentication
    /// Requirements 1.0).
    UnmetLevel = "unmet-level", "Nivån kan inte ges · The level cannot be met";
    /// `server_error`.
    ServerError = "server-error", "Leverantören går sönder · The provider breaks down";
    /// `temporarily_unavailable`.
    Unavailable = "unavailable", "Tillfälligt stängt · Temporarily unavailable";
    /// An error that no standard knows.
    StrangeError = "strange-error", "Ett okänt fel · An error of its own";

    // --- a code, in an answer with something wrong about it ---
    /// `state` of another login.
    WrongState = "wrong-state", "Fel: en annan inloggnings state · Another login's state";
    /// No `state`.
    NoState = "no-state", "Fel: utan state · Without state";
    /// `iss` of another provider (RFC 9207).
    WrongIss = "wrong-iss", "Fel: en annan leverantörs iss · Another provider's iss";
    /// No `iss`, though discovery promises it.
    NoIss = "no-iss", "Fel: utan iss · Without iss";
    /// A code that the token endpoint does not know.
    WrongCode = "wrong-code", "Fel: en påhittad kod · A code made up";
    /// A code and an error at once.
    CodeAndError = "code-and-error", "Fel: kod och fel på en gång · A code and an error";

    // --- the token endpoint ---
    /// The token endpoint breaks down.
    TokenBroken = "token-broken", "Fel: token-adressen går sönder · The token endpoint breaks down";
    /// The token endpoint answers with a page.
    TokenPage = "token-page", "Fel: en webbsida i stället för en token · A page instead of a token";
    /// No ID token in its answer.
    NoIdToken = "no-id-token", "Fel: ingen ID-token · No ID token";
    /// A kind of access token that nobody knows.
    StrangeTokenType = "strange-token-type", "Fel: okänd sorts token · A token type of its own";

    // --- the ID token ---
    /// The person was changed after signing.
    Tampered = "tampered", "Attack: personen bytt efter signering · The person changed after signing";
    /// `alg` `none`, and no signature.
    Unsigned = "unsigned", "Attack: osignerad · Unsigned";
    /// HMAC, with the public key as the secret.
    PublicKeyHmac = "public-key-hmac", "Attack: HMAC med den öppna nyckeln · HMAC with the public key";
    /// By a key that the provider does not publish, under the name of one that it does.
    WrongKey = "wrong-key", "Attack: främmande nyckel · A stranger's key";
    /// By a key that the token itself brings along.
    OwnKey = "own-key", "Attack: nyckeln följer med · The key comes along";
    /// The ID token of the login before, word for word.
    Replay = "replay", "Attack: förra svaret en gång till · The previous answer once more";
    /// The `nonce` of another login.
    WrongNonce = "wrong-nonce", "Fel: en annan inloggnings nonce · Another login's nonce";
    /// No `nonce`.
    NoNonce = "no-nonce", "Fel: utan nonce · Without nonce";
    /// In another provider's name.
    WrongIssuer = "wrong-issuer", "Fel: i en annan leverantörs namn · In another provider's name";
    /// Meant for another service.
    WrongAudience = "wrong-audience", "Fel: till en annan e-tjänst · Meant for another service";
    /// Meant for another service as well.
    SharedAudience = "shared-audience", "Fel: till en annan e-tjänst också · Meant for another service too";
    /// Given to another service.
    WrongParty = "wrong-party", "Fel: utlämnad till en annan e-tjänst · Given to another service";
    /// At a level that nobody asked for.
    WrongLevel = "wrong-level", "Fel: en annan nivå än den begärda · A level that was not asked for";
    /// Without a level.
    NoLevel = "no-level", "Fel: utan nivå · Without a level";
    /// A level that is no text.
    LevelOfAnotherType = "level-of-another-type", "Fel: nivån är ingen text · A level that is no text";
    /// Its time is over.
    Expired = "expired", "Fel: för gammal · Expired";
    /// Its time has not come.
    NotYetValid = "not-yet-valid", "Fel: gäller inte än · Not valid yet";
    /// Good for a year.
    LongLived = "long-lived", "Fel: gäller ett år · Good for a year";
    /// The person logged in long ago; the request asked for a fresh login.
    OldLogin = "old-login", "Fel: gammal inloggning · An old login where a fresh one was asked for";
    /// It does not say when the person logged in.
    NoLoginTime = "no-login-time", "Fel: utan tid för inloggning · Without the time of the login";
    /// `at_hash` of another access token.
    WrongTokenHash = "wrong-token-hash", "Fel: hör till en annan åtkomsttoken · Of another access token";
    /// Without `sub`.
    NoSubject = "no-subject", "Fel: ingen person · Without sub";

    // --- UserInfo ---
    /// UserInfo speaks of somebody else.
    UserInfoOther = "userinfo-other", "Attack: uppgifter om en annan person · UserInfo of somebody else";
    /// UserInfo in clear, where it should be signed.
    UserInfoUnsigned = "userinfo-unsigned", "Fel: osignerade uppgifter · UserInfo unsigned";
    /// UserInfo by a stranger's key.
    UserInfoWrongKey = "userinfo-wrong-key", "Attack: uppgifter med främmande nyckel · UserInfo by a stranger's key";
    /// UserInfo says otherwise than the ID token.
    UserInfoConflict = "userinfo-conflict", "Fel: uppgifter som säger emot · UserInfo that contradicts";
    /// UserInfo breaks down.
    UserInfoBroken = "userinfo-broken", "Fel: uppgifterna kan inte hämtas · UserInfo breaks down";
}

impl OpOutcome {
    /// By its name in the demo's form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.name() == name)
    }

    /// The error that the authorization endpoint answers with: its code, and what is said about it.
    pub(super) const fn error(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Cancel => Some(("access_denied", "User cancelled")),
            Self::LoginFailed => Some(("access_denied", "Authentication failed")),
            Self::LoginRequired => Some(("login_required", "")),
            Self::InteractionRequired => Some(("interaction_required", "")),
            Self::UnmetLevel => Some(("unmet_authentication_requirements", "The level cannot be met")),
            Self::ServerError => Some(("server_error", "")),
            Self::Unavailable => Some(("temporarily_unavailable", "")),
            Self::StrangeError => Some(("the_moon_is_full", "<script>alert(1)</script>")),
            _ => None,
        }
    }
}
