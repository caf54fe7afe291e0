//! What a process has used, from `/proc`.

use std::fs;

/// A process that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub u32);

/// Processor time that a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Of the threads that live now, to the nanosecond (`schedstat`); none where the kernel does not count it.
    fine_ns: Option<u64>,
    /// Threads that live now: one that has ended takes its fine count along.
    threads: usize,
    /// Time that its threads were ready and had to wait for a core.
    waited_ns: u64,
    /// Of the whole process (`utime + stime`), in ticks of 10 ms on most machines.
    coarse_ns: u64,
}

impl CpuTime {
    /// Nanoseconds between `earlier` and this.
    ///
    /// The fine count, unless it lost threads in between; then the coarse one, which keeps theirs.
    pub fn since(&self, earlier: &Self) -> u64 {
        let coarse = self.coarse_ns.saturating_sub(earlier.coarse_ns);
        match (self.fine_ns, earlier.fine_ns) {
            (Some(now), Some(then)) if self.threads >= earlier.threads && now >= then => now - then,
            _ => coarse,
        }
    }

    /// Nanoseconds between `earlier` and this in which it was ready but had no core, as far as its threads still live.
    pub const fn waited_since(&self, earlier: &Self) -> u64 {
        self.waited_ns.saturating_sub(earlier.waited_ns)
    }
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub rss_kb: u64,
    /// Resident at the most since it began, or since [`Process::forget_peak`] (`VmHWM`).
    pub peak_kb: u64,
}

impl Process {
    /// The process that asks.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Its processor time; none when it has ended.
    pub fn cpu(self) -> Option<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        let coarse_ns = ticks_of(&stat)?.saturating_mul(1_000_000_000 / ticks);
        let (mut threads, mut fine_ns, mut waited_ns) = (0, Some(0u64), 0u64);
        for task in fs::read_dir(format!("/proc/{}/task", self.0)).ok()?.flatten() {
            threads += 1;
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let mut fields = text.split_whitespace().map_while(|field| field.parse::<u64>().ok());
            fine_ns = fine_ns.zip(fields.next()).map(|(sum, ran)| sum.saturating_add(ran));
            waited_ns = waited_ns.saturating_add(fields.next().unwrap_or(0));
        }
        Some(CpuTime { fine_ns, threads, waited_ns, coarse_ns })
    }

    /// Its memory; zeros when it has ended.
    pub fn memory(self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        Memory { rss_kb: kilobytes(&status, "VmRSS:"), peak_kb: kilobytes(&status, "VmHWM:") }
    }

    /// Lets `VmHWM` begin anew, so that it tells of what comes (proc(5), `clear_refs`).
    pub fn forget_peak(self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }
}

/// `utime + stime` of a `stat` line. The second field is the program's name, which may hold spaces and brackets.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()?.saturating_add(next()?))
}

fn kilobytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Time that other machines on the same hardware took from all our cores so far, in nanoseconds.
pub fn stolen_ns() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let steal = stat.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
    steal.unwrap_or(0).saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 4 0 100 1 1 1";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(ticks_of("7 (x"), None);
    }

    #[test]
    fn work_is_seen() {
        let before = Process::own().cpu().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_millis(60);
        let mut sum = 0u64;
        while std::time::Instant::now() < until {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let used = Process::own().cpu().unwrap().since(&before);
        assert!(used >= 20_000_000, "{used} ns");
        assert!(Process::own().memory().rss_kb > 100);
        assert_eq!(Process(u32::MAX).cpu(), None);
    }

    #[test]
    fn an_ended_thread_is_not_forgotten() {
        let then = CpuTime { fine_ns: Some(900), threads: 3, waited_ns: 5, coarse_ns: 1_000 };
        let now = CpuTime { fine_ns: Some(1_500), threads: 2, waited_ns: 9, coarse_ns: 5_000 };
        assert_eq!(now.since(&then), 4_000);
        assert_eq!(CpuTime { threads: 3, ..now }.since(&then), 600);
        assert_eq!(now.waited_since(&then), 4);
    }
}
