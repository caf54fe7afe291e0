//! Cookies of strangers by the thousand.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::fixture::{Browser, NOW, World, world};
use super::{CookieKey, CookieSealer, Decision};
use crate::session::Session;
use crate::session::live::tests::session;

const LOA3: &str = "http://id.elegnamnden.se/loa/1.0/loa3";

fn person(loa: &str) -> Session {
    session(NOW, loa, &[("personal_number", "195006262546")])
}

/// One piece of a hostile cookie: a real one of this service, bent, or something made up.
fn hostile_value() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        "[A-Za-z0-9_=.~%-]{0,300}",
        (any::<proptest::sample::Index>(), "[A-Za-z0-9_~-]{0,4}", any::<proptest::sample::Index>()).prop_map(
            |(which, put, at)| {
                let genuine = genuine();
                let (_, text) = which.get(genuine);
                let at = at.index(text.len() + 1);
                let rest = text.get((at + put.len()).min(text.len())..).unwrap_or_default();
                format!("{}{put}{rest}", text.get(..at).unwrap_or_default())
            }
        ),
        (any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<proptest::sample::Index>())
            .prop_map(|(one, two, at)| {
                let genuine = genuine();
                let ((_, one), (_, two)) = (one.get(genuine), two.get(genuine));
                let at = at.index(one.len().min(two.len()) + 1);
                format!("{}{}", one.get(..at).unwrap_or_default(), two.get(at..).unwrap_or_default())
            }),
    ]
}

/// Cookies that this service, or another one with other keys, has sealed, none of them a live session under its name here:
/// a begun login, a question, a session of a name that is not its own, of other keys, and one that is over.
fn genuine() -> &'static [(String, String)] {
    static GENUINE: std::sync::OnceLock<Vec<(String, String)>> = std::sync::OnceLock::new();
    GENUINE.get_or_init(|| {
        let world = world();
        let random = crate::crypto::digest::SystemRandom::new();
        let over = session(NOW.minus(Duration::from_secs(24 * 3600)), LOA3, &[]);
        let other =
            crate::session::CookieSealer::new([&crate::base::Secret::new([9; 32])], CookieKey::Session).unwrap();
        let name = world.gate.names.session().to_owned();
        let live = person(LOA3);
        let state = crate::session::login::tests::state(crate::session::Instance::new(&random).unwrap(), NOW);
        let seal = |sealer: &CookieSealer, name: &str| sealer.seal(name, &live, &random).unwrap();
        vec![
            (name.clone(), world.gate.sessions.seal(&name, &over, &random).unwrap()),
            (name.clone(), seal(&other, &name)),
            (name.clone(), seal(&world.gate.sessions, "__Host-eid-annat")),
            (name.clone(), seal(&world.gate.confirmations, &name)),
            (name.clone(), seal(&world.gate.stored, &name)),
            (name.clone(), world.gate.logins.seal(&name, &state, &random).unwrap()),
            (name, String::new()),
        ]
    })
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3_000))]

    /// Whatever cookies come, nobody gets in without an identity: on a guarded path there is no permit at all, and an
    /// open one says nothing of anybody.
    #[test]
    fn no_cookies_of_a_stranger_let_anybody_in(
        values in proptest::collection::vec((hostile_value(), proptest::bool::ANY), 0..6),
        path in proptest::sample::select(vec!["/x", "/ansokan/1", "/hog/1", "/farsk", "/puls", "/om/oss"]),
    ) {
        static WORLD: std::sync::OnceLock<World> = std::sync::OnceLock::new();
        let world = WORLD.get_or_init(world);
        let named = |(value, ours): (String, bool)| {
            (if ours { world.gate.names.session().to_owned() } else { "sid".to_owned() }, value)
        };
        let browser = Browser(values.into_iter().map(named).collect());
        match browser.with(|cookies| world.gate.authorize(path, cookies)) {
            Decision::Permit(permit) => proptest::prop_assert!(path == "/om/oss" && permit.headers.is_none() && permit.lease.is_none()),
            Decision::Denied(denial) => proptest::prop_assert_eq!(denial.code(), "needs_login"),
        }
        proptest::prop_assert!(browser.with(|cookies| world.gate.session_info(cookies)).is_none());
        proptest::prop_assert!(browser.with(|cookies| world.gate.extend_session(cookies)).is_none());
    }
}
