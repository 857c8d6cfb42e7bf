//! Pictures on their way into a decoder: read, made ready, looked at once, and known by tokens of their own.

mod album;
mod colours;
mod eyes;
mod fitted;
mod place;
mod processor;

pub use crate::arch::projector::PICTURE;
pub use album::{Album, Kept, PictureFile};
pub use colours::Colours;
pub use eyes::Eyes;
pub(crate) use place::{Placed, asked, pair, prompt};
pub use place::{Seen, place_ids};
pub use processor::Processor;

#[cfg(test)]
pub(crate) mod tests;
