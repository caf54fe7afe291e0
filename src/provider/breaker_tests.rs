//! What happens to a breaker, second by second.

use super::*;

const START: i64 = 1_772_359_200;

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(START + seconds)
}

/// A step at a second: what came, and the state after it.
type Step = (i64, &'static str, &'static str);

/// What happens to a breaker, and in which state it is after each step. `suspected` goes for the whole story.
fn story(suspected: bool, steps: &[Step]) {
    let mut breaker = Breaker::default();
    for (second, what, expect) in steps {
        let now = at(*second);
        breaker.tick(now);
        let begun = |word: &str| at(word.parse().unwrap_or(i64::MIN / 2));
        match what.split_once(' ') {
            None if *what == "up" => drop(breaker.on(Signal::ProbeUp, suspected, now)),
            None if *what == "down" => drop(breaker.on(Signal::ProbeFailed, suspected, now)),
            None if *what == "fault" => drop(breaker.on(Signal::Fault, suspected, now)),
            None if *what == "begin" => breaker.begun(now),
            None if *what == "look" => {}
            Some(("answer", when)) => drop(breaker.on(Signal::Answered { begun: begun(when) }, suspected, now)),
            _ => unreachable!("{what}"),
        }
        let lets = if breaker.lets_through(now) { "+" } else { "-" };
        assert_eq!(format!("{}{lets}", breaker.phase().name()), *expect, "{second} s: {what}");
    }
}

#[test]
fn three_failed_probes_open_it_and_one_that_succeeds_closes_it_after_the_wait() {
    story(
        false,
        &[
            (0, "down", "closed+"),
            (1, "down", "closed+"),
            (2, "down", "open-"),
            (10, "up", "open-"),
            (16, "look", "open-"),
            (17, "look", "half_open-"),
            (17, "up", "closed+"),
        ],
    );
    // A success between them begins the count anew.
    story(
        false,
        &[
            (0, "down", "closed+"),
            (1, "down", "closed+"),
            (2, "up", "closed+"),
            (3, "down", "closed+"),
            (4, "down", "closed+"),
        ],
    );
}

#[test]
fn a_trial_that_fails_costs_the_same_wait_again() {
    story(
        false,
        &[
            (0, "down", "closed+"),
            (1, "down", "closed+"),
            (2, "down", "open-"),
            (17, "down", "open-"),
            (31, "look", "open-"),
            (32, "down", "open-"),
            (46, "look", "open-"),
            (47, "up", "closed+"),
        ],
    );
}

#[test]
fn what_comes_and_goes_stays_away_for_longer() {
    story(
        false,
        &[
            (0, "down", "closed+"),
            (0, "down", "closed+"),
            (0, "down", "open-"),
            (15, "up", "closed+"),
            (20, "down", "closed+"),
            (20, "down", "closed+"),
            (20, "down", "open-"),
            (49, "look", "open-"),
            (50, "up", "closed+"),
            (60, "down", "closed+"),
            (60, "down", "closed+"),
            (60, "down", "open-"),
            (119, "look", "open-"),
            (120, "up", "closed+"),
            // A minute of peace, and it is as before.
            (180, "down", "closed+"),
            (180, "down", "closed+"),
            (180, "down", "open-"),
            (195, "up", "closed+"),
        ],
    );
    let mut breaker = Breaker::default();
    for round in 0..10 {
        for _ in 0..3 {
            breaker.on(Signal::ProbeFailed, false, at(round));
        }
        let Phase::Open { until } = breaker.phase() else { unreachable!("open") };
        assert!(until.since(at(round)) <= OPEN_FOR_CEILING);
        breaker.phase = Phase::HalfOpen;
        breaker.on(Signal::ProbeUp, false, at(round));
    }
    assert_eq!(breaker.wait, OPEN_FOR_CEILING);
}

#[test]
fn faults_behind_a_front_page_that_is_fine_open_it_and_one_login_is_the_trial() {
    story(
        false,
        &[
            (0, "fault", "closed+"),
            (1, "up", "closed+"),
            (20, "fault", "closed+"),
            (21, "up", "closed+"),
            (40, "fault", "open-"),
            (41, "up", "open-"),
            // One that was under way when it opened.
            (42, "answer 30", "open-"),
            (55, "up", "half_open+"),
            (56, "begin", "half_open-"),
            (57, "begin", "half_open-"),
            (58, "fault", "open-"),
            (73, "begin", "half_open-"),
            (80, "answer 73", "closed+"),
        ],
    );
    // An answer that was held back until the trial is no trial.
    story(
        false,
        &[
            (0, "fault", "closed+"),
            (0, "fault", "closed+"),
            (5, "fault", "open-"),
            (20, "answer 4", "half_open+"),
            (21, "begin", "half_open-"),
            (22, "answer 5", "half_open-"),
            (23, "answer 21", "closed+"),
        ],
    );
    // Nobody heard of the first trial again: the next may try.
    story(
        false,
        &[
            (0, "fault", "closed+"),
            (0, "fault", "closed+"),
            (0, "fault", "open-"),
            (15, "begin", "half_open-"),
            (29, "look", "half_open-"),
            (30, "look", "half_open+"),
        ],
    );
    // Far from each other, or with an answer between, they are accidents.
    story(
        false,
        &[
            (0, "fault", "closed+"),
            (70, "fault", "closed+"),
            (140, "fault", "closed+"),
            (141, "fault", "closed+"),
            (142, "answer 100", "closed+"),
            (143, "fault", "closed+"),
            (144, "fault", "closed+"),
        ],
    );
}

#[test]
fn somebody_who_tried_all_the_same_and_got_through_closes_it() {
    story(
        false,
        &[(0, "fault", "closed+"), (0, "fault", "closed+"), (0, "fault", "open-"), (9, "answer 4", "closed+")],
    );
}

#[test]
fn under_suspicion_one_is_enough() {
    story(true, &[(0, "up", "closed+"), (1, "down", "open-")]);
    story(true, &[(0, "fault", "open-")]);
}

#[test]
fn a_login_that_came_back_proves_the_probe_wrong() {
    story(
        false,
        &[
            (0, "down", "closed+"),
            (1, "down", "closed+"),
            (2, "down", "open-"),
            // Begun before it: says nothing.
            (3, "answer -5", "open-"),
            (9, "answer 4", "closed+"),
            (10, "down", "closed+"),
            (11, "down", "closed+"),
            (12, "down", "closed+"),
            (13, "down", "closed+"),
            // Believed again once it has told the truth.
            (14, "up", "closed+"),
            (15, "down", "closed+"),
            (16, "down", "closed+"),
            (17, "down", "open-"),
        ],
    );
}
