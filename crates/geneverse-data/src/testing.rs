//! What tests of several modules share. Tests of other crates take in the files themselves.

use crate::http::Clock;

#[path = "../tests/support/clock.rs"]
pub(crate) mod clock;
#[path = "../tests/support/server.rs"]
pub(crate) mod server;
