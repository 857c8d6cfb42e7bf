//! Model families, a file each.

pub mod decoder;
