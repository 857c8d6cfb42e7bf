//! Random numbers that are a function of a seed and a place, whichever thread asks for them.

pub(crate) use geneverse_data::draw::{Draw, GAMMA, finalise};
