//! What the person at the terminal sees meanwhile.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal; a line for each part where there is none.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// A new one. `quiet` shows nothing.
    pub fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = ProgressStyle::with_template("{msg:40!} {wide_bar} {elapsed:>5}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, quiet }
    }

    /// A part begins; `lasts` fills the bar by itself, otherwise [`Self::step`] does.
    pub fn phase(&self, name: &str, lasts: Option<Duration>) {
        if self.bar.is_hidden() && !self.quiet {
            eprintln!("… {name}");
        }
        self.bar.set_message(name.to_owned());
        self.bar.reset();
        self.bar.set_length(lasts.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0)));
        if lasts.is_some() {
            let bar = self.bar.downgrade();
            tokio::task::spawn_local(async move {
                // The bar knows when it is full, and another part resets it: either ends this.
                let (began, mut before) = (tokio::time::Instant::now(), 0);
                loop {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    let Some(bar) = bar.upgrade() else { return };
                    if bar.position() != before || Some(before) >= bar.length() {
                        return;
                    }
                    before = u64::try_from(began.elapsed().as_millis()).unwrap_or(0);
                    bar.set_position(before);
                }
            });
        }
    }

    /// `done` of `all`.
    pub fn step(&self, done: usize, all: usize) {
        self.bar.set_length(all as u64);
        if done.is_multiple_of(64) {
            self.bar.set_position(done as u64);
        }
    }

    /// The end.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
