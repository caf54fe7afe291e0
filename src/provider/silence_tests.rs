//! The detector, simulated: 10,000 runs for each rate. The figures in docs/failover.md come from here:
//! `cargo test --lib silence -- --nocapture`.

use super::*;

const START: i64 = 1_772_359_200;
const RUNS: usize = 10_000;

/// A generator for simulations: the same numbers each time (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Begun,
    Answer,
}

/// The traffic model. People begin as a Poisson process; 85 of 100 come back, after a lognormal time (median 20 s, nine of
/// ten within a minute, five minutes at the most). `rate` is begun logins a second at a second of the run.
fn traffic(dice: &mut Dice, from: f64, to: f64, peak: f64, rate: impl Fn(f64) -> f64) -> Vec<(f64, Event)> {
    let (mut out, mut at) = (Vec::new(), from);
    loop {
        at += dice.exponential(1.0 / peak);
        if at >= to {
            break;
        }
        // Thinning (Lewis and Shedler 1979).
        if dice.uniform() * peak > rate(at) {
            continue;
        }
        out.push((at, Event::Begun));
        if dice.uniform() < 0.85 {
            let took = (20.0_f64.ln() + 0.86 * dice.normal()).exp().min(300.0);
            out.push((at + took, Event::Answer));
        }
    }
    out.sort_by(|a, b| a.0.total_cmp(&b.0));
    out
}

fn instant(seconds: f64) -> UnixTime {
    UnixTime::from_millis(START * 1000 + (seconds * 1000.0) as i64)
}

/// Runs the events up to `end`, with a look every `tick` seconds. Whether, and when, it was suspected.
fn run(silence: &mut Silence, events: &[(f64, Event)], from: f64, end: f64, tick: f64) -> Option<f64> {
    let mut next_look = from + tick;
    for (at, event) in events.iter().chain([&(end, Event::Begun)]) {
        while next_look < at.min(end) {
            if silence.look(instant(next_look)) {
                return Some(next_look);
            }
            next_look += tick;
        }
        if *at >= end {
            break;
        }
        match event {
            Event::Begun => silence.begun(instant(*at)),
            Event::Answer => drop(silence.answered(instant(*at))),
        }
    }
    None
}

struct Measured {
    false_alarms: usize,
    gaps: usize,
    /// Times to detection in seconds, in order.
    detected: Vec<f64>,
}

impl Measured {
    fn quantile(&self, q: f64) -> f64 {
        self.detected[((self.detected.len() - 1) as f64 * q) as usize]
    }
}

/// `rate` begun logins a second: runs of 100 begun logins each after a day's history, and an outage after each.
fn simulate(rate: f64, tick: f64) -> Measured {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut out = Measured { false_alarms: 0, gaps: 0, detected: Vec::new() };
    let history = (3600.0_f64).max(400.0 / rate);
    for _ in 0..RUNS / 100 {
        let mut warm = Silence::default();
        let events = traffic(&mut dice, 0.0, history, rate, |_| rate);
        run(&mut warm, &events, 0.0, history, f64::INFINITY);
        // Who was under way comes back.
        let under_way: Vec<_> = events.into_iter().filter(|(at, _)| *at >= history).collect();
        assert!(warm.usual_rate().is_some(), "it has learned what is usual");
        for _ in 0..100 {
            let mut silence = warm.clone();
            let end = history + 100.0 / rate;
            let mut events = traffic(&mut dice, history, end, rate, |_| rate);
            events.extend(&under_way);
            events.sort_by(|a, b| a.0.total_cmp(&b.0));
            out.gaps += events.iter().filter(|(_, event)| *event == Event::Answer).count();
            if run(&mut silence, &events, history, end, tick).is_some() {
                out.false_alarms += 1;
                continue;
            }
            // From here on people begin as ever, and nobody comes back.
            let mut begun = traffic(&mut dice, end, end + 60.0 / rate + 600.0, rate, |_| rate);
            begun.retain(|(_, event)| *event == Event::Begun);
            let seen = run(&mut silence, &begun, end, end + 60.0 / rate + 600.0, tick);
            out.detected.push(seen.expect("an outage is found") - end);
        }
    }
    out.detected.sort_by(f64::total_cmp);
    out
}

#[test]
fn at_one_login_a_second_a_minute_and_ten_minutes() {
    for (name, rate, tick, median, nearly_all) in [
        ("a second", 1.0, 2.0, 30.0, 45.0),
        ("a minute", 1.0 / 60.0, 10.0, 1_800.0, 2_700.0),
        ("ten minutes", 1.0 / 600.0, 60.0, 18_000.0, 27_000.0),
    ] {
        let measured = simulate(rate, tick);
        let (half, most, last) = (measured.quantile(0.5), measured.quantile(0.99), measured.quantile(1.0));
        println!(
            "one login {name}: {} false alarms in {RUNS} runs ({} answers); found after {half:.0} s (median), {most:.0} s (99 %), {last:.0} s (longest)",
            measured.false_alarms, measured.gaps
        );
        assert_eq!(measured.false_alarms, 0, "{name}");
        assert!(half < median && most < nearly_all, "{name}: {half} {most}");
    }
}

#[test]
fn a_night_is_no_outage() {
    // From full by day to a fiftieth by night and back, as a cosine; one login a minute at noon.
    let rate = |at: f64| {
        let day = (1.0 - (std::f64::consts::TAU * at / 86_400.0).cos()) / 2.0;
        (0.02 + 0.98 * day) / 60.0
    };
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    let days = 1_000;
    let mut alarms = 0;
    let (mut silence, mut under_way) = (Silence::default(), Vec::new());
    for day in 0..days {
        let from = f64::from(day) * 86_400.0;
        let mut events = traffic(&mut dice, from, from + 86_400.0, 1.0 / 60.0, rate);
        events.append(&mut under_way);
        events.sort_by(|a, b| a.0.total_cmp(&b.0));
        under_way.extend(events.iter().filter(|(at, _)| *at >= from + 86_400.0));
        if run(&mut silence, &events, from, from + 86_400.0, 60.0).is_some() {
            alarms += 1;
        }
    }
    println!("one login a minute at noon, a fiftieth of it by night: {alarms} false alarms in {days} days");
    assert!(alarms <= 2, "{alarms}");
}

/// A provider that is used once a second, and has been for an hour.
fn in_use() -> Silence {
    let mut silence = Silence::default();
    for second in 0..3600 {
        silence.begun(instant(f64::from(second)));
        silence.answered(instant(f64::from(second) + 0.5));
    }
    silence
}

#[test]
fn begun_logins_alone_mean_nothing() {
    // Nobody knows yet what is usual.
    let mut silence = Silence::default();
    for second in 0..100_000 {
        silence.begun(instant(f64::from(second)));
        assert!(!silence.look(instant(f64::from(second))));
    }
    // With answers coming, whatever is begun beside them.
    let mut silence = in_use();
    for second in 3600..3700 {
        for _ in 0..1_000 {
            silence.begun(instant(f64::from(second)));
        }
        assert!(!silence.look(instant(f64::from(second))));
        silence.answered(instant(f64::from(second) + 0.5));
    }
    // And what was poured in does not hide an outage afterwards.
    let mut seen = None;
    for second in 3700..3800 {
        silence.begun(instant(f64::from(second)));
        if silence.look(instant(f64::from(second))) {
            seen.get_or_insert(second - 3700);
        }
    }
    assert!(seen.is_some_and(|seconds| seconds < 100), "{seen:?}");
}

#[test]
fn without_begun_logins_silence_means_nothing() {
    let mut silence = in_use();
    assert!(!silence.look(instant(7200.0)), "nobody wants to log in");
    for _ in 0..2 {
        silence.begun(instant(7200.0));
    }
    assert!(!silence.look(instant(7300.0)), "two people are few");
    for second in 0..20 {
        silence.begun(instant(7300.0 + f64::from(second)));
    }
    assert!(silence.look(instant(7320.0)) && silence.suspected());
    assert!(!silence.look(instant(7321.0)), "it is told once");
    assert!(silence.answered(instant(7322.0)), "one answer ends it");
    assert!(!silence.suspected());
}

#[test]
fn a_network_counts_once_a_minute() {
    let mut once = OncePerMinute::default();
    let network = |text: &str| ClientNetwork::from(text.parse::<IpAddr>().unwrap());
    assert!(once.first(network("192.0.2.1"), instant(0.0)));
    assert!(!once.first(network("192.0.2.200"), instant(59.0)), "the same /24");
    assert!(!once.first(network("::ffff:192.0.2.7"), instant(59.0)), "as IPv6 writes it");
    assert!(once.first(network("192.0.3.1"), instant(59.0)));
    assert!(once.first(network("2001:db8:1::1"), instant(59.0)));
    assert!(!once.first(network("2001:db8:1:ffff::1"), instant(59.0)), "the same /48");
    assert!(once.first(network("192.0.2.1"), instant(60.0)), "another minute");
    // Whoever has a /32 of IPv6 does not fill our memory.
    let counted = (0..100_000_u32).filter(|i| {
        let address = IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(*i) << 80).into());
        once.first(ClientNetwork::from(address), instant(120.0))
    });
    assert_eq!(counted.count(), NETWORKS);
}
