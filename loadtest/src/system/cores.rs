//! Who runs where: the sidecar has a core to itself, everything else shares the others.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failed;

/// A division of the cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cores {
    /// Every core that we may use.
    pub all: Vec<usize>,
    /// The measured process's; empty when nothing is pinned.
    pub measured: Vec<usize>,
    /// The generator's and the e-service's.
    pub load: Vec<usize>,
}

impl Cores {
    /// The first core that we may use for the measured process, the rest for the load. With one core, or when not
    /// `pin`, nothing is divided.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn divide(pin: bool) -> Result<Self, Failed> {
        let set = sched_getaffinity(None).map_err(|e| Failed::to("asking for our cores", e))?;
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect();
        match all.split_first() {
            Some((first, rest)) if pin && !rest.is_empty() => {
                Ok(Self { measured: vec![*first], load: rest.to_vec(), all })
            }
            _ => Ok(Self { measured: Vec::new(), load: Vec::new(), all }),
        }
    }

    /// Whether they are divided.
    pub fn pinned(&self) -> bool {
        !self.measured.is_empty()
    }
}

/// Puts the calling thread on `cores`; no cores, no change.
///
/// # Errors
/// When the kernel refuses.
pub fn move_to(cores: &[usize]) -> Result<(), Failed> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(|e| Failed::to(format!("moving to cores {cores:?}"), e))
}

/// Runs `start` on `cores` and comes back to `home`: a process that is started inherits the cores of the thread that
/// starts it, before its first instruction.
///
/// # Errors
/// What `start` says, or the kernel.
pub fn starting_on<T>(cores: &[usize], home: &[usize], start: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    move_to(cores)?;
    let started = start();
    move_to(home)?;
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_moves_and_comes_back() {
        let cores = Cores::divide(true).unwrap();
        let on = |cores: &[usize]| {
            let inside = starting_on(cores, &cores[..0], || Ok(Cores::divide(false)?.all)).unwrap();
            move_to(&Cores::default().all).unwrap();
            inside
        };
        if cores.pinned() {
            assert_eq!(on(&cores.measured), cores.measured);
            assert!(!cores.load.contains(&cores.measured[0]));
        }
        assert!(!Cores::divide(false).unwrap().pinned());
        move_to(&cores.all).unwrap();
        assert_eq!(Cores::divide(false).unwrap().all, cores.all);
    }
}
