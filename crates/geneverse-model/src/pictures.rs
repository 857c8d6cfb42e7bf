//! Pictures on their way into a decoder: read, made ready, looked at once, and known by tokens of their own.

mod album;
mod place;
mod processor;

pub use crate::arch::projector::PICTURE;
pub use album::{Album, Kept, PictureFile};
pub(crate) use place::{Placed, asked, pair, prompt};
pub use place::{Seen, place_ids};
pub use processor::{Eyes, Processor};

#[cfg(test)]
pub(crate) mod tests;
