//! Pictures of what the other two tasks ask about: protein structures and tissue.

pub mod tissue;
