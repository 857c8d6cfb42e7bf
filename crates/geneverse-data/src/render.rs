//! Pictures of what the other two tasks ask about: protein structures and tissue.

pub mod camera;
pub mod cartoon;
pub mod colour;
pub mod folder;
mod light;
pub mod mesh;
pub mod protein;
pub mod raster;
mod samples;
pub mod tissue;
mod trace;
mod vector;

#[cfg(test)]
mod tests;
