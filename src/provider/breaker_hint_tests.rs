//! What a breaker makes of what other replicas know.

use super::*;

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(1_772_359_200 + seconds)
}

/// What happens to a breaker at which second, and in which state it is after it.
type Step = (i64, Signal, &'static str);

fn story(suspected: bool, steps: &[Step]) -> Breaker {
    let mut breaker = Breaker::default();
    for (second, signal, expect) in steps {
        breaker.tick(at(*second));
        breaker.on(*signal, suspected, at(*second));
        assert_eq!(breaker.phase().name(), *expect, "{second} s: {signal:?}");
    }
    breaker
}

const fn opened(cause: Cause, second: i64) -> Signal {
    Signal::OpenElsewhere { cause, at: UnixTime::from_secs(1_772_359_200 + second) }
}

const fn closed(cause: Cause, second: i64) -> Signal {
    Signal::ClosedElsewhere { cause, at: UnixTime::from_secs(1_772_359_200 + second) }
}

use Cause::{Login, Probe};
use Signal::{Fault, ProbeFailed, ProbeUp};

#[test]
fn however_many_say_so_it_is_one_failed_probe() {
    let hints: Vec<Step> = (0..50).map(|second| (second, opened(Probe, second), "closed")).collect();
    assert!(story(false, &hints).hurried(), "but a look at it is due");
    story(false, &[(0, opened(Probe, 0), "closed"), (1, ProbeFailed, "closed"), (2, ProbeFailed, "open")]);
    story(false, &[(0, ProbeFailed, "closed"), (1, ProbeFailed, "closed"), (2, opened(Probe, 2), "closed")]);
}

#[test]
fn a_probe_of_our_own_that_succeeds_says_otherwise() {
    let breaker = story(
        false,
        &[
            (0, opened(Probe, 0), "closed"),
            (1, ProbeUp, "closed"),
            (2, ProbeFailed, "closed"),
            (3, ProbeFailed, "closed"),
        ],
    );
    assert_eq!(breaker.hint(), None);
}

#[test]
fn faults_elsewhere_count_as_one_fault_and_never_as_a_probe() {
    story(false, &[(0, opened(Login, 0), "closed"), (1, Fault, "closed"), (2, Fault, "open")]);
    story(false, &[(0, opened(Login, 0), "closed"), (1, ProbeFailed, "closed"), (2, ProbeFailed, "closed")]);
    story(false, &[(0, opened(Probe, 0), "closed"), (1, Fault, "closed"), (2, Fault, "closed")]);
    // An answer to a login that was begun after it says otherwise; one that was on its way does not.
    let answered = |begun| Signal::Answered { begun: at(begun) };
    story(
        false,
        &[(5, opened(Login, 5), "closed"), (6, answered(6), "closed"), (7, Fault, "closed"), (8, Fault, "closed")],
    );
    story(
        false,
        &[(5, opened(Login, 5), "closed"), (6, answered(4), "closed"), (7, Fault, "closed"), (8, Fault, "open")],
    );
}

#[test]
fn it_is_forgotten_after_a_minute_and_an_old_one_is_not_heard() {
    let breaker = story(
        false,
        &[
            (0, opened(Probe, 0), "closed"),
            (60, ProbeFailed, "closed"),
            (61, ProbeFailed, "closed"),
            (62, opened(Probe, 2), "closed"),
        ],
    );
    assert_eq!(breaker.hint(), None);
    // A clock that is far ahead makes it no longer.
    let breaker = story(false, &[(0, opened(Probe, 4_000), "closed")]);
    assert_eq!(breaker.hint(), Some((Probe, at(0))));
}

#[test]
fn our_own_suspicion_and_their_knowledge_are_two_kinds_of_evidence() {
    story(true, &[(0, opened(Probe, 0), "open")]);
    story(true, &[(0, opened(Login, 0), "open")]);
    story(true, &[(90, opened(Login, 0), "closed")]);
}

#[test]
fn closed_elsewhere_begins_the_trial_and_closes_nothing() {
    let down = |second| (second, ProbeFailed, if second < 2 { "closed" } else { "open" });
    story(
        false,
        &[
            down(0),
            down(1),
            down(2),
            // Of before it opened here, and of another kind of trial.
            (3, closed(Probe, 2), "open"),
            (4, closed(Login, 4), "open"),
            (5, closed(Probe, 5), "half_open"),
            (6, ProbeFailed, "open"),
            (7, closed(Probe, 7), "half_open"),
            (8, ProbeUp, "closed"),
            // What was told before it closed is not news.
            (9, opened(Probe, 8), "closed"),
            (10, ProbeFailed, "closed"),
            (11, ProbeFailed, "closed"),
        ],
    );
    let mut breaker = Breaker::default();
    breaker.on(opened(Login, 0), false, at(0));
    breaker.on(closed(Login, 1), false, at(1));
    assert_eq!((breaker.phase(), breaker.hint()), (Phase::Closed, None));
}

#[test]
fn a_probe_that_a_login_has_disproved_is_not_believed_from_others_either() {
    let answered = Signal::Answered { begun: at(2) };
    story(
        true,
        &[
            (0, ProbeFailed, "open"),
            (3, answered, "closed"),
            (4, opened(Probe, 4), "closed"),
            (5, opened(Login, 5), "open"),
        ],
    );
}
