//! Ctrl-C: the first asks the work under way to stop where it can be resumed, the second ends the program.

use std::process::ExitCode;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
/// Apart from [`ASKED`], so that a parent's asking and a Ctrl-C that reaches both are not taken for a second Ctrl-C.
static INPUT_ENDED: AtomicBool = AtomicBool::new(false);
static LISTENING: Once = Once::new();

/// The environment variable with which this program stops when its standard input ends: so the processes that an experiment
/// starts stop when it is asked to, or is gone.
pub(crate) const WITH_INPUT: &str = "GENEVERSE_STOP_WITH_INPUT";

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

/// Stops when standard input ends, where [`WITH_INPUT`] is set: as at Ctrl-C, at once where nobody listens.
pub(crate) fn with_input() {
    if std::env::var_os(WITH_INPUT).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        INPUT_ENDED.store(true, Ordering::SeqCst);
        if !LISTENING.is_completed() {
            std::process::exit(INTERRUPTED.into());
        }
    });
}

/// Whether a stop has been asked for.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst) || INPUT_ENDED.load(Ordering::SeqCst)
}

/// Forgets that a stop was asked for: what it was for has stopped.
pub(crate) fn forget() {
    ASKED.store(false, Ordering::SeqCst);
}

/// The exit status of an interrupted program.
pub(crate) fn exit() -> ExitCode {
    ExitCode::from(INTERRUPTED)
}
