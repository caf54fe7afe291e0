//! Where the stages of a verification end: for benchmarks and histograms, without a clock in the verifier.

/// A stage that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Every signature has held, digests included.
    Signatures,
    /// An encrypted assertion has been opened. Not marked for one in clear.
    Decryption,
    /// The rules have held and the claims are read.
    Claims,
}

/// Whoever measures.
pub trait Observer {
    /// `stage` ends now.
    fn mark(&mut self, stage: Stage);
}

/// Nobody measures: the compiler removes the calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn mark(&mut self, _stage: Stage) {}
}
