//! How long to wait: between attempts, as a server asks, and so as not to ask too often.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Clock, HttpError};

/// The pause after the failed attempt `attempt` (from 1): `first` doubled for each attempt before it, at most
/// `longest`, and of that between a half and the whole. Chance keeps those who failed together from coming back together.
pub(super) fn drawn(attempt: u32, first: Duration, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let whole = doubled.min(longest);
    // Nothing that is kept depends on it, so it needs no seed.
    let chance = RandomState::new().hash_one(attempt) as f64 / u64::MAX as f64;
    whole.mul_f64(0.5 + 0.5 * chance)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// At most so many requests in a time, evenly spaced. Clones share it, between threads too.
#[derive(Debug, Clone)]
pub struct RateLimit {
    spacing: Duration,
    next: Arc<Mutex<Duration>>,
}

impl RateLimit {
    /// `requests` a second.
    pub fn per_second(requests: f64) -> Self {
        Self::every(Duration::from_secs_f64(1.0 / requests.clamp(1e-3, 1e6)))
    }

    /// `requests` a minute.
    pub fn per_minute(requests: f64) -> Self {
        Self::per_second(requests / 60.0)
    }

    /// One request in each `spacing`.
    pub fn every(spacing: Duration) -> Self {
        Self { spacing, next: Arc::default() }
    }

    /// Waits for the next free moment and takes it.
    pub fn wait(&self, clock: &dyn Clock, stop: &dyn Fn() -> bool) -> Result<(), HttpError> {
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.now();
            let mine = (*next).max(now);
            *next = mine + self.spacing;
            mine - now
        };
        let waited = wait.is_zero() || clock.wait(wait, stop);
        if waited && !stop() { Ok(()) } else { Err(HttpError::Stopped) }
    }

    /// Nothing before `moment` (of the clock's `now`): the server asked for it, and all who share the limit obey.
    pub fn hold(&self, moment: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(moment);
    }
}
