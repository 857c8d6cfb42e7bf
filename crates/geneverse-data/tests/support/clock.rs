//! A clock that does not wait: it notes how long it should have waited, and that much later it is.
//!
//! To be taken in with `#[path]` where `Clock` of `geneverse_data::http` is in scope by that name.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test uses a part of it"
)]

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Clock;

/// 2026-11-22 20:45:21 UTC, when each such clock begins.
pub const BEGUN: Duration = Duration::from_secs(1_795_380_321);

#[derive(Default)]
pub struct FakeClock {
    waits: Mutex<Vec<Duration>>,
}

impl FakeClock {
    /// The waits so far.
    pub fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        self.waits.lock().unwrap().iter().sum()
    }

    fn date(&self) -> SystemTime {
        UNIX_EPOCH + BEGUN + self.now()
    }

    fn wait(&self, how_long: Duration, stop: &dyn Fn() -> bool) -> bool {
        self.waits.lock().unwrap().push(how_long);
        !stop()
    }
}
