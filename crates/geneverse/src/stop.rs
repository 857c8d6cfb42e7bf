//! Ctrl-C: the first asks the work under way to stop where it can be resumed, the second ends the program.

use std::process::ExitCode;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static LISTENING: Once = Once::new();

/// What a shell sees of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Listens for Ctrl-C and the termination signal from now on.
pub(crate) fn listen() {
    LISTENING.call_once(|| {
        // Without a handler the program ends at once, which loses no more than the step under way.
        let _ = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
        });
    });
}

/// Whether a stop has been asked for.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Forgets that a stop was asked for: what it was for has stopped.
pub(crate) fn forget() {
    ASKED.store(false, Ordering::SeqCst);
}

/// The exit status of an interrupted program.
pub(crate) fn exit() -> ExitCode {
    ExitCode::from(INTERRUPTED)
}
