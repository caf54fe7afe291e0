//! Everything our pages say, in Swedish and English. One sentence a person can act on; what exactly was wrong is for the
//! operator, who finds it by the reference.
//!
//! The texts are in `assets/texts`, one file for each language. They are looked up when this is compiled: a text that is
//! missing from a file stops the build.

mod read;

use std::borrow::Cow;

use crate::session::Locale;

const SV: &str = include_str!("../../../assets/texts/sv.toml");
const EN: &str = include_str!("../../../assets/texts/en.toml");

/// A heading and a sentence. The heading names the matter first: it is also the page's title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// The heading.
    pub title: &'static str,
    /// The sentence.
    pub sentence: &'static str,
}

/// A heading and a sentence, by the name that both begin with.
macro_rules! says {
    ($file:expr, $key:expr) => {
        Says {
            title: const { read::text($file, concat!($key, ".title")) },
            sentence: const { read::text($file, concat!($key, ".text")) },
        }
    };
}

macro_rules! problems {
    ($( $(#[$doc:meta])* $variant:ident = $key:literal; )*) => {
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
                        (Self::$variant, Locale::Sv) => says!(SV, $key),
                        (Self::$variant, Locale::En) => says!(EN, $key),
                    )*
                }
            }
        }

        #[cfg(test)]
        const PROBLEM_KEYS: &[&str] = &[ $( concat!($key, ".title"), concat!($key, ".text"), )* ];
    };
}

problems! {
    /// The person cancelled at the provider: a normal outcome.
    Cancelled = "problem.cancelled";
    /// The provider or we refused the login.
    Failed = "problem.failed";
    /// The provider stopped it as fraud, or as what may be one.
    Stopped = "problem.stopped";
    /// This browser holds nothing of the login: another one began it, or it has been finished already.
    Elsewhere = "problem.elsewhere";
    /// It took too long, or whoever began it is gone.
    Lost = "problem.lost";
    /// The provider did not give what we asked it for after the person had logged in there.
    ProviderFailed = "problem.provider_failed";
    /// A program's bearer token was refused.
    Token = "problem.token";
    /// A program's bearer token is not enough.
    TokenLacks = "problem.token_lacks";
    /// A session and a bearer token at once.
    BothCredentials = "problem.both_credentials";
    /// The message or the login was used before.
    Used = "problem.used";
    /// The login is being finished by another answer at this moment.
    OnItsWay = "problem.on_its_way";
    /// The level is not enough for the route.
    Level = "problem.level";
    /// An attribute that the route requires did not come.
    Attribute = "problem.attribute";
    /// The route takes a fresher login.
    Fresh = "problem.fresh";
    /// A step-up by another person than the session's.
    OtherPerson = "problem.other_person";
    /// No provider can be used.
    NoProvider = "problem.no_provider";
    /// Too much at once, or the store is away.
    Busy = "problem.busy";
    /// Our own fault.
    Internal = "problem.internal";
    /// The e-service does not answer.
    Upstream = "problem.upstream";
    /// A path that has no normal form.
    Address = "problem.address";
    /// A form that is none.
    Form = "problem.form";
    /// Nothing under the prefix has this name.
    NotFound = "problem.not_found";
    /// A method that the page does not take.
    Method = "problem.method";
    /// Posted from another site.
    CrossSite = "problem.cross_site";
    /// A form was posted without a session: it is never posted again in a person's name.
    NotSent = "problem.not_sent";
    /// A form was posted with a session that is not enough for it.
    NotSentLevel = "problem.not_sent_level";
    /// A message of single logout was refused.
    LogoutFailed = "problem.logout_failed";
    /// Not logged in.
    NotSignedIn = "problem.not_signed_in";
}

/// Where the one button of a problem's page leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The same again.
    Again,
    /// From the beginning.
    Begin,
    /// To a login.
    LogIn,
    /// To the choice of an e-ID.
    Choose,
    /// To the choice, and by another e-ID than the one that was used.
    ChooseOther,
    /// Out first.
    LogOut,
}

impl Way {
    /// What stands on the button.
    pub const fn text(self, words: &Words) -> &'static str {
        match self {
            Self::Again => words.try_again,
            Self::Begin => words.begin_again,
            Self::LogIn => words.log_in,
            Self::Choose => words.choose,
            Self::ChooseOther => words.choose_other,
            Self::LogOut => words.log_out,
        }
    }
}

impl Problem {
    /// Whether it is about logging in by an e-ID.
    pub const fn is_of_a_login(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::ProviderFailed | Self::NoProvider | Self::Lost)
    }

    /// The way on.
    pub const fn way(self) -> Way {
        match self {
            Self::Cancelled => Way::Choose,
            Self::Failed | Self::ProviderFailed | Self::Level | Self::Attribute => Way::ChooseOther,
            Self::Elsewhere | Self::Lost | Self::Used => Way::Begin,
            Self::NotSignedIn | Self::NotSent | Self::Fresh => Way::LogIn,
            Self::NotSentLevel => Way::ChooseOther,
            Self::OtherPerson => Way::LogOut,
            _ => Way::Again,
        }
    }
}

macro_rules! words {
    (
        texts { $( $(#[$doc:meta])* $field:ident = $key:literal; )* }
        says { $( $(#[$says_doc:meta])* $says:ident; )* }
    ) => {
        /// The words of our pages besides problems.
        #[derive(Debug)]
        pub struct Words {
            $( $(#[$doc])* pub $field: &'static str, )*
            $( $(#[$says_doc])* pub $says: Says, )*
            /// The months, January first.
            pub months: [&'static str; 12],
        }

        impl Words {
            const SV: Self = Self {
                $( $field: read::text(SV, $key), )*
                $( $says: says!(SV, stringify!($says)), )*
                months: read::months(SV),
            };
            const EN: Self = Self {
                $( $field: read::text(EN, $key), )*
                $( $says: says!(EN, stringify!($says)), )*
                months: read::months(EN),
            };
        }

        #[cfg(test)]
        const WORD_KEYS: &[&str] = &[
            $( $key, )*
            $( concat!(stringify!($says), ".title"), concat!(stringify!($says), ".text"), )*
        ];
    };
}

words! {
    texts {
        /// A way on: the same again.
        try_again = "way.try_again";
        /// From the beginning.
        begin_again = "way.begin_again";
        /// To a login.
        log_in = "way.log_in";
        /// To the choice of an e-ID.
        choose = "way.choose";
        /// To the choice, by another e-ID.
        choose_other = "way.choose_other";
        /// A button to another e-ID: `{eid}`.
        log_in_with = "way.log_in_with";
        /// To the question whether to log out.
        log_out = "way.log_out";
        /// Back to the service.
        to_service = "way.to_service";
        /// A button that goes on by hand.
        go_on = "way.go_on";
        /// Before the eight characters.
        reference = "reference.label";
        /// What they are for.
        reference_hint = "reference.hint";
        /// Heading of the chooser.
        choose_title = "choose.title";
        /// Who does not answer: `{down}`.
        down = "choose.down";
        /// The same, with those that do: `{down}`, `{other}`.
        down_instead = "choose.down_instead";
        /// Who cannot be used: `{down}`.
        out = "choose.out";
        /// The same, with those that can: `{down}`, `{other}`.
        out_instead = "choose.out_instead";
        /// Nobody seems to answer.
        all_down = "choose.all_down";
        /// A login of this browser was left: `{eid}`.
        unfinished = "choose.unfinished";
        /// The button of an e-ID that seems not to answer: `{eid}`.
        try_anyway = "choose.try_anyway";
        /// Beside the e-ID that was used last.
        last_used = "choose.last_used";
        /// Beside an e-ID that a notice is about.
        maintenance = "choose.maintenance";
        /// Beside one whose logins do not come back as they use to.
        suspected = "choose.suspected";
        /// Beside one that seems not to answer.
        no_answer = "choose.no_answer";
        /// Beside one that would be used by another provider, of which something is different.
        other_way = "choose.other_way";
        /// Beside one without valid keys, or that an operator has closed.
        no_keys = "choose.no_keys";
        /// Beside a foreign one where a Swedish number is required, and may be mapped.
        only_with_number = "choose.only_with_number";
        /// Between the last two of several.
        and = "choose.and";
        /// Between the last two of which one will do.
        or = "choose.or";
        /// Over those that cannot be used for the route.
        cannot_title = "cannot.title";
        /// A foreign one, for want of a Swedish number.
        cannot_foreign_number = "cannot.foreign_number";
        /// A foreign one.
        cannot_foreign = "cannot.foreign";
        /// One whose holders have no Swedish number.
        cannot_number = "cannot.number";
        /// One of another level.
        cannot_level = "cannot.level";
        /// One that the route does not list.
        cannot_route = "cannot.route";
        /// Over maintenance to come.
        notice_planned = "notice.planned";
        /// Over maintenance that is going on.
        notice_now = "notice.now";
        /// From when to when: `{from}`, `{until}`.
        notice_span = "notice.span";
        /// Whom it is about: `{eids}`.
        notice_about = "notice.about";
        /// An instant: `{day}`, `{month}`, `{year}`, `{hour}`, `{minute}`.
        notice_instant = "notice.instant";
        /// The button that logs out.
        logout_button = "logout_ask.button";
        /// Heading after logging out.
        logged_out_title = "logged_out.title";
        /// What was ended: `{service}`.
        ended = "logged_out.ended";
        /// Nothing was: `{service}`.
        nothing_ended = "logged_out.nothing";
        /// Back from the provider, where the person logged out too: `{service}`.
        back_from_provider = "logged_out.back";
        /// The provider says that its own session is over: `{eid}`.
        ended_there = "logged_out.ended_there";
        /// The provider could not end its session, or not everything that hangs on it: `{eid}`.
        not_ended_there = "logged_out.not_there";
        /// The e-service could not be told.
        untold = "logged_out.untold";
        /// Other replicas do not know it yet.
        spreading = "logged_out.spreading";
        /// Over what was not ended.
        left_title = "logged_out.left_title";
        /// The login at the e-ID.
        left_eid = "logged_out.left_eid";
        /// The login at a provider that takes a logout from here: `{eid}`.
        left_there = "logged_out.left_there";
        /// What ends it there.
        logout_there = "logged_out.there";
        /// Logins in other services.
        left_services = "logged_out.left_services";
        /// What to do on a shared machine.
        close = "logged_out.close";
        /// Before the name on the page that asks whose login it is.
        confirm_who = "confirm.who";
        /// Its button.
        confirm_button = "confirm.button";
        /// Its way out.
        confirm_not_me = "confirm.not_me";
        /// Over what is at the foot of every page.
        help = "frame.help";
        /// E-mail or web form.
        contact = "frame.contact";
        /// Telephone.
        phone = "frame.phone";
        /// Who is behind the service.
        owner = "frame.owner";
        /// How to do the errand without an e-ID.
        other_ways = "frame.other_ways";
        /// The accessibility statement (lagen om tillgänglighet till digital offentlig service).
        accessibility = "frame.accessibility";
        /// How personal data is handled.
        privacy = "frame.privacy";
        /// What the other language calls itself.
        this_language = "frame.this_language";
    }
    says {
        /// The page that posts to the provider.
        to_provider;
        /// The page that posts to ourselves.
        repost;
        /// The page that asks whether to log out.
        logout_ask;
        /// The page that asks whose login it is.
        confirm;
    }
}

/// The words of a language.
pub const fn words(locale: Locale) -> &'static Words {
    match locale {
        Locale::Sv => &Words::SV,
        Locale::En => &Words::EN,
    }
}

/// A text with what stands in braces filled in.
pub fn fill(text: &'static str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        out.push_str(value.unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Several names as one text: `a, b och c`.
pub fn listed<'a>(names: &[&'a str], last: &str) -> Cow<'a, str> {
    match names {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one),
        [before @ .., end] => Cow::Owned(format!("{} {last} {end}", before.join(", "))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The texts of a file as TOML reads them.
    fn read_as_toml(file: &str) -> BTreeMap<String, String> {
        fn flat(prefix: &str, table: &toml::Table, out: &mut BTreeMap<String, String>) {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                match value {
                    toml::Value::Table(inner) => flat(&key, inner, out),
                    other => _ = out.insert(key, other.as_str().unwrap().to_owned()),
                }
            }
        }
        let mut out = BTreeMap::new();
        flat("", &file.parse().unwrap(), &mut out);
        out
    }

    fn braces(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).map(|after| after.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn both_languages_say_everything_and_nothing_that_is_not_said() {
        let (sv, en) = (read_as_toml(SV), read_as_toml(EN));
        let months: Vec<String> = (1..=12).map(|month| format!("month.{month}")).collect();
        let wanted: BTreeSet<&str> =
            PROBLEM_KEYS.iter().chain(WORD_KEYS).copied().chain(months.iter().map(String::as_str)).collect();
        for (name, texts) in [("sv", &sv), ("en", &en)] {
            assert_eq!(texts.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "{name}.toml");
            for (key, text) in texts {
                assert!(!text.trim().is_empty() && text.trim() == text, "{name}: {key}");
                assert!(!text.contains(['"', '\\']), "{name}: {key}: a text is read as it is written");
            }
        }
        for (key, text) in &sv {
            assert_eq!(braces(text), braces(&en[key]), "{key}");
        }
    }

    #[test]
    fn what_was_compiled_in_is_what_the_files_say() {
        for (file, locale) in [(SV, Locale::Sv), (EN, Locale::En)] {
            let texts = read_as_toml(file);
            assert_eq!(words(locale).choose_title, texts["choose.title"]);
            assert_eq!(words(locale).to_provider.sentence, texts["to_provider.text"]);
            assert_eq!(words(locale).months[11], texts["month.12"]);
            assert_eq!(words(locale).months[0], texts["month.1"]);
            let said = PROBLEM_KEYS.chunks(2).zip(Problem::ALL);
            for (keys, problem) in said {
                assert_eq!(problem.says(locale).title, texts[keys[0]]);
                assert_eq!(problem.says(locale).sentence, texts[keys[1]]);
            }
        }
    }

    #[test]
    fn names_are_filled_in_and_listed() {
        assert_eq!(fill("{a} och {b}.", &[("b", "{a}"), ("a", "x")]), "x och {a}.");
        assert_eq!(fill("ingen", &[]), "ingen");
        assert_eq!(listed(&["a", "b", "c"], "och"), "a, b och c");
        assert_eq!(listed(&["a", "b"], "or"), "a or b");
        assert_eq!((listed(&["a"], "or"), listed(&[], "or")), ("a".into(), "".into()));
    }
}
