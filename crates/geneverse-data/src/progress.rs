//! How long-running work tells a person where it is, without knowing how it is shown.

/// Where progress goes: a bar on a terminal, or nowhere.
pub trait Progress {
    /// A piece of work begins. `total` is in `unit`s where it is known beforehand.
    fn start(&self, what: &str, total: Option<u64>, unit: &'static str);
    /// `done` units of the current piece are finished (absolute, not an increment). The first call says where
    /// it begins: what an earlier process has done counts for the place, not for the rate.
    fn set(&self, done: u64);
    /// A few words on the current state: "loss 2.31".
    fn state(&self, words: &str);
    /// Something worth a line of its own.
    fn note(&self, line: &str);
    /// The current piece is finished.
    fn finish(&self);
}

/// Shows nothing: tests and library users who do not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: Option<u64>, _unit: &'static str) {}
    fn set(&self, _done: u64) {}
    fn state(&self, _words: &str) {}
    fn note(&self, _line: &str) {}
    fn finish(&self) {}
}
