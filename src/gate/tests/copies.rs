//! Copies of a cookie, which its session does not know of.

use super::*;

/// Idle time is of a cookie: a copy that is used lives on when the person's own is over. Leaving ends both, and so does the
/// next login.
#[tokio::test]
async fn who_leaves_after_a_while_ends_the_copy_that_somebody_keeps_alive() {
    let world = world();
    let who = person(LOA3);
    let browser = world.signed_in(&who);
    let mut copy = browser.clone();
    world.clock.advance(Duration::from_secs(20 * 60));
    copy.takes(&[decide(&world, &copy, "/x").unwrap().set_cookie.unwrap()]);
    world.clock.advance(Duration::from_secs(11 * 60));
    assert_eq!((code(decide(&world, &browser, "/x")), code(decide(&world, &copy, "/x"))), ("needs_login", "permit"));

    let (_, _, cookies) = sent(begin(&world, &browser, "/ansokan/1", Some("bankid"), false).await.unwrap());
    let cookie = cookies.into_iter().find(|cookie| cookie.value.is_some()).unwrap();
    let state: LoginState = world.gate.logins.open(&cookie.name, &cookie.value.unwrap()).unwrap();
    let on_top_of = state.on_top_of.unwrap();
    assert_eq!((on_top_of.session, on_top_of.same_subject), (who.id(), None), "a new login ends it");

    assert!(world.log_out(&browser).await.was_signed_in);
    assert_eq!(code(decide(&world, &copy, "/x")), "needs_login");
    assert!(!world.log_out(&browser).await.was_signed_in, "and that is the end of it");
}
