//! Everything our pages say, in Swedish and English. One sentence a person can act on; what exactly was wrong is for the
//! operator, who finds it by the reference.

use crate::session::Locale;

/// A heading and a sentence. The heading names the matter first: it is also the page's title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// The heading.
    pub title: &'static str,
    /// The sentence.
    pub sentence: &'static str,
}

macro_rules! problems {
    ($( $(#[$doc:meta])* $variant:ident = $sv:literal, $sv_more:literal; $en:literal, $en_more:literal; )*) => {
        /// What a person can be told went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Problem {
            $( $(#[$doc])* $variant, )*
        }

        impl Problem {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// How it is said.
            pub const fn says(self, locale: Locale) -> Says {
                match (self, locale) {
                    $(
                        (Self::$variant, Locale::Sv) => Says { title: $sv, sentence: $sv_more },
                        (Self::$variant, Locale::En) => Says { title: $en, sentence: $en_more },
                    )*
                }
            }
        }
    };
}

problems! {
    /// The person cancelled at the provider.
    Cancelled = "Inloggningen avbröts", "Du avbröt inloggningen med e-legitimation. Ingen är inloggad.";
        "The login was cancelled", "You cancelled the login with your e-ID. Nobody is logged in.";
    /// The provider or we refused the login.
    Failed = "Inloggningen misslyckades", "Din e-legitimation kunde inte godkännas den här gången. Ingen är inloggad.";
        "The login failed", "Your e-ID could not be accepted this time. Nobody is logged in.";
    /// This browser holds nothing of the login: another one began it, or it has been finished already.
    Elsewhere = "Inloggningen kan inte slutföras här", "Den började i en annan webbläsare, eller så är den redan klar. Börja om här. Händer det igen behöver du tillåta kakor för den här webbplatsen.";
        "The login cannot be finished here", "It began in another browser, or it has been finished already. Start again here. If this happens again, allow cookies for this site.";
    /// It took too long, or whoever began it is gone.
    Lost = "Inloggningen hann inte bli klar", "Det tog för lång tid, eller så startade tjänsten om under tiden. Börja om från början.";
        "The login could not be finished", "It took too long, or the service was restarted in the meantime. Start again from the beginning.";
    /// The provider did not give what we asked it for after the person had logged in there.
    ProviderFailed = "E-legitimationen svarar inte just nu", "Inloggningen kunde inte slutföras, eftersom e-legitimationen inte svarade. Försök igen om en stund, eller välj en annan e-legitimation.";
        "The e-ID does not answer right now", "The login could not be finished, since the e-ID did not answer. Try again in a while, or choose another e-ID.";
    /// A program's bearer token was refused.
    Token = "Åtkomsten nekades", "Programmets behörighet kunde inte godkännas.";
        "Access was refused", "The program's token could not be accepted.";
    /// A program's bearer token is not enough.
    TokenLacks = "Behörigheten räcker inte", "Programmet har inte den behörighet som behövs här.";
        "The token is not enough", "The program is not allowed to do this.";
    /// A session and a bearer token at once.
    BothCredentials = "Två inloggningar samtidigt", "Förfrågan har både en inloggning och ett programs behörighet. Skicka bara en av dem.";
        "Two credentials at once", "The request brings a session and a bearer token. Send only one of them.";
    /// The message or the login was used before.
    Used = "Inloggningen är redan använd", "Sidan har öppnats en gång till, till exempel med bakåtknappen. Börja om från början.";
        "The login has already been used", "The page was opened a second time, for example with the back button. Start again from the beginning.";
    /// The level is not enough for the route.
    Level = "E-legitimationen räcker inte här", "Den här delen av tjänsten kräver en annan e-legitimation eller en högre tillitsnivå. Logga in på nytt med en annan.";
        "This e-ID is not enough here", "This part of the service needs another e-ID or a higher level of assurance. Log in again with another one.";
    /// An attribute that the route requires did not come.
    Attribute = "Uppgifter saknas om dig", "Din e-legitimation lämnade inte de uppgifter som den här delen av tjänsten behöver. Prova en annan e-legitimation.";
        "Information about you is missing", "Your e-ID did not give the information that this part of the service needs. Try another e-ID.";
    /// A step-up by another person than the session's.
    OtherPerson = "Någon annan är redan inloggad", "Inloggningen gällde en annan person än den som redan är inloggad här. Logga ut först.";
        "Somebody else is logged in already", "The login was for another person than the one logged in here. Log out first.";
    /// No provider can be used.
    NoProvider = "E-legitimationerna är tillfälligt ur funktion", "Det går inte att logga in just nu. Försök igen om några minuter.";
        "E-IDs are temporarily unavailable", "Logging in is not possible right now. Try again in a few minutes.";
    /// Too much at once, or the store is away.
    Busy = "Tjänsten är tillfälligt överbelastad", "Försök igen om en liten stund.";
        "The service is temporarily overloaded", "Try again in a little while.";
    /// Our own fault.
    Internal = "Något gick fel hos oss", "Felet är vårt, inte ditt. Försök igen om en liten stund.";
        "Something went wrong on our side", "The fault is ours, not yours. Try again in a little while.";
    /// The e-service does not answer.
    Upstream = "Tjänsten svarar inte", "E-tjänsten kan inte nås just nu. Försök igen om en liten stund.";
        "The service does not answer", "The e-service cannot be reached right now. Try again in a little while.";
    /// A path that has no normal form.
    Address = "Adressen är felaktig", "Adressen innehåller tecken som inte är tillåtna. Kontrollera länken som du följde.";
        "The address is malformed", "The address holds characters that are not allowed. Check the link that you followed.";
    /// A form that is none.
    Form = "Uppgifterna gick inte att läsa", "Det som skickades hit var ofullständigt eller felaktigt. Börja om från början.";
        "The data could not be read", "What was sent here was incomplete or malformed. Start again from the beginning.";
    /// Nothing under the prefix has this name.
    NotFound = "Sidan finns inte", "Kontrollera länken som du följde.";
        "There is no such page", "Check the link that you followed.";
    /// A method that the page does not take.
    Method = "Sidan kan inte öppnas så", "Gå tillbaka till tjänsten och börja om från början.";
        "The page cannot be opened this way", "Go back to the service and start again from the beginning.";
    /// Posted from another site.
    CrossSite = "Begäran kom från en annan webbplats", "Av säkerhetsskäl gjordes ingenting. Gå till tjänsten och försök därifrån.";
        "The request came from another site", "For your safety nothing was done. Go to the service and try from there.";
    /// A form was posted without a session: it is never posted again in a person's name.
    NotSent = "Det du skrev har inte skickats", "Du är inte längre inloggad, och uppgifterna kom inte fram till tjänsten. Gå tillbaka med webbläsarens bakåtknapp och kopiera det som du vill behålla. Logga sedan in och skicka på nytt.";
        "What you wrote was not sent", "You are no longer logged in, and the data did not reach the service. Go back with the browser's back button and copy what you want to keep. Then log in and send it again.";
    /// A form was posted with a session that is not enough for it.
    NotSentLevel = "Det du skrev har inte skickats", "Den här delen av tjänsten kräver en annan e-legitimation eller en högre tillitsnivå. Gå tillbaka med webbläsarens bakåtknapp och kopiera det som du vill behålla. Logga sedan in med en annan e-legitimation och skicka på nytt.";
        "What you wrote was not sent", "This part of the service needs another e-ID or a higher level of assurance. Go back with the browser's back button and copy what you want to keep. Then log in with another e-ID and send it again.";
    /// A message of single logout was refused.
    LogoutFailed = "Utloggningen kunde inte genomföras", "Meddelandet om utloggning kunde inte godkännas. Logga ut i tjänsten i stället.";
        "The logout could not be carried out", "The message about the logout could not be accepted. Log out in the service instead.";
    /// Not logged in.
    NotSignedIn = "Du är inte inloggad", "Logga in för att fortsätta.";
        "You are not logged in", "Log in to continue.";
}

impl Problem {
    /// Whether the way on is to begin again, rather than to try the same once more.
    pub const fn begins_again(self) -> bool {
        matches!(self, Self::Elsewhere | Self::Lost | Self::Used)
    }
}

/// The words of our pages besides problems.
#[derive(Debug)]
pub struct Words {
    /// Heading of the chooser.
    pub choose_title: &'static str,
    /// Beside an e-ID without valid keys.
    pub not_now: &'static str,
    /// A link that tries again.
    pub try_again: &'static str,
    /// A link that begins again.
    pub begin_again: &'static str,
    /// A link that begins a login.
    pub log_in: &'static str,
    /// Before the eight characters.
    pub reference: &'static str,
    /// What they are for.
    pub reference_hint: &'static str,
    /// A link back.
    pub back_to_service: &'static str,
    /// A button that goes on by hand.
    pub go_on: &'static str,
    /// The page that posts to the provider.
    pub to_provider: Says,
    /// The page that posts to ourselves.
    pub repost: Says,
    /// The page that asks whether to log out.
    pub logout_ask: Says,
    /// Its button.
    pub logout_button: &'static str,
    /// After logging out.
    pub logged_out: Says,
    /// The login may live on at the provider `{}`.
    pub still_logged_in_there: &'static str,
    /// The provider `{}` says that its own session is over.
    pub logged_out_there: &'static str,
    /// The provider `{}` could not end its session, or not everything that hangs on it.
    pub not_logged_out_there: &'static str,
    /// Other replicas of the service do not know yet.
    pub logout_spreading: &'static str,
    /// The e-service could not be told.
    pub logout_untold: &'static str,
    /// What ends it there.
    pub logout_there: &'static str,
    /// The page that asks whose login it is.
    pub confirm: Says,
    /// Before the name on it.
    pub confirm_who: &'static str,
    /// Its button.
    pub confirm_button: &'static str,
    /// Its way out.
    pub confirm_not_me: &'static str,
    /// Footer: e-mail or web form.
    pub contact: &'static str,
    /// Footer: telephone.
    pub phone: &'static str,
    /// Footer: how to do the errand without an e-ID.
    pub other_ways: &'static str,
    /// Footer: the accessibility statement (lagen om tillgänglighet till digital offentlig service).
    pub accessibility: &'static str,
    /// Footer: how personal data is handled.
    pub privacy: &'static str,
}

/// The words of a language.
pub const fn words(locale: Locale) -> &'static Words {
    match locale {
        Locale::Sv => &SV,
        Locale::En => &EN,
    }
}

static SV: Words = Words {
    choose_title: "Välj hur du vill logga in",
    not_now: "fungerar inte just nu",
    try_again: "Försök igen",
    begin_again: "Börja om",
    log_in: "Logga in",
    reference: "Referens",
    reference_hint: "Uppge den om du kontaktar supporten.",
    back_to_service: "Till tjänsten",
    go_on: "Fortsätt",
    to_provider: Says {
        title: "Du skickas vidare till din e-legitimation",
        sentence: "Tryck på Fortsätt om ingenting händer.",
    },
    repost: Says { title: "Inloggningen slutförs", sentence: "Tryck på Fortsätt om ingenting händer." },
    logout_ask: Says { title: "Vill du logga ut?", sentence: "Du loggas ut från den här tjänsten." },
    logout_button: "Logga ut",
    logged_out: Says {
        title: "Du är utloggad",
        sentence: "Stäng webbläsaren om du delar datorn eller telefonen med andra.",
    },
    still_logged_in_there: "Du kan fortfarande vara inloggad hos {}.",
    logged_out_there: "Du är utloggad även hos {}.",
    not_logged_out_there: "{} kunde inte avsluta allt. Du kan fortfarande vara inloggad där eller i andra tjänster.",
    logout_spreading: "Det kan ta en liten stund innan utloggningen gäller överallt i tjänsten.",
    logout_untold: "Tjänsten kunde inte nås. Det som du hade öppet där kan ligga kvar en stund.",
    logout_there: "Logga ut även där",
    confirm: Says {
        title: "Är det du som loggar in?",
        sentence: "Inloggningen började inte här i tjänsten. Fortsätt bara om du själv nyss legitimerade dig.",
    },
    confirm_who: "Loggar in",
    confirm_button: "Ja, det är jag",
    confirm_not_me: "Nej, avbryt",
    contact: "Kontakt",
    phone: "Telefon",
    other_ways: "Andra sätt att uträtta ärendet",
    accessibility: "Tillgänglighetsredogörelse",
    privacy: "Så behandlas personuppgifter",
};

static EN: Words = Words {
    choose_title: "Choose how to log in",
    not_now: "does not work right now",
    try_again: "Try again",
    begin_again: "Start again",
    log_in: "Log in",
    reference: "Reference",
    reference_hint: "Give it if you contact support.",
    back_to_service: "To the service",
    go_on: "Continue",
    to_provider: Says { title: "You are being sent on to your e-ID", sentence: "Press Continue if nothing happens." },
    repost: Says { title: "The login is being finished", sentence: "Press Continue if nothing happens." },
    logout_ask: Says { title: "Do you want to log out?", sentence: "You will be logged out of this service." },
    logout_button: "Log out",
    logged_out: Says {
        title: "You are logged out",
        sentence: "Close the browser if you share the computer or the phone with others.",
    },
    still_logged_in_there: "You may still be logged in at {}.",
    logged_out_there: "You are logged out at {} too.",
    not_logged_out_there: "{} could not end everything. You may still be logged in there or in other services.",
    logout_spreading: "It may take a little while until the logout counts everywhere in the service.",
    logout_untold: "The service could not be reached. What you had open there may remain for a while.",
    logout_there: "Log out there too",
    confirm: Says {
        title: "Is it you who is logging in?",
        sentence: "The login did not begin in this service. Go on only if you yourself just used your e-ID.",
    },
    confirm_who: "Logging in",
    confirm_button: "Yes, it is me",
    confirm_not_me: "No, cancel",
    contact: "Contact",
    phone: "Phone",
    other_ways: "Other ways to get it done",
    accessibility: "Accessibility statement",
    privacy: "How personal data is handled",
};
