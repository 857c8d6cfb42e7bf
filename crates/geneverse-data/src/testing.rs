//! What tests of several modules share. Tests of other crates take in the files themselves.

use std::time::{Duration, SystemTime};

use crate::http::{Clock, SystemClock};

#[path = "../tests/support/clock.rs"]
pub(crate) mod clock;
#[path = "../tests/support/server.rs"]
pub(crate) mod server;

/// A clock on which every wait is over at once.
#[derive(Default)]
pub(crate) struct NoWait(SystemClock);

impl Clock for NoWait {
    fn now(&self) -> Duration {
        self.0.now()
    }
    fn date(&self) -> SystemTime {
        self.0.date()
    }
    fn wait(&self, _how_long: Duration, stop: &dyn Fn() -> bool) -> bool {
        !stop()
    }
}
