//! A structure's picture: cartoon, camera, light, pixels.

use serde::Serialize;

use crate::picture::Picture;
use crate::render::camera::Camera;
use crate::render::cartoon::cartoon;
use crate::render::colour::{Colouring, of_shape};
use crate::render::raster::{Look, draw as raster};
use crate::render::vector::finite;
use crate::structure::{Point, Structure};

/// The shortest side that is drawn.
pub const SMALLEST: usize = 16;
/// The longest side that is drawn.
pub const LARGEST: usize = 8192;

/// How a structure is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// Pixels along each side.
    pub size: usize,
    /// What colours tell.
    pub colour: Colouring,
    /// Whether the ground is see-through; else it is white.
    pub transparent: bool,
    /// Degrees about the screen's x, y and z, in this order, after the axes are aligned.
    pub rotate: [f32; 3],
    /// Whether what is farther away is paler.
    pub depth_cue: bool,
    /// Whether the lamp casts shadows.
    pub shadows: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size: 512,
            colour: Colouring::Secondary,
            transparent: false,
            rotate: [0.0; 3],
            depth_cue: true,
            shadows: true,
        }
    }
}

impl Settings {
    /// Whether there can be such a picture.
    pub fn check(&self) -> Result<(), DrawError> {
        if !(SMALLEST..=LARGEST).contains(&self.size) {
            return Err(DrawError::Size { size: self.size });
        }
        match self.rotate.into_iter().find(|angle| !angle.is_finite()) {
            Some(angle) => Err(DrawError::Angle { angle }),
            None => Ok(()),
        }
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DrawError {
    /// No residue has a trace atom with coordinates.
    #[error(
        "no residue has a Cα or phosphorus atom with coordinates ({residues} residues), nothing to draw a cartoon of"
    )]
    Empty {
        /// How many residues there are.
        residues: usize,
    },
    /// Confidence was asked for, of what is not known to have one.
    #[error(
        "the temperature factors are not known to be pLDDT, for the file does not say that it is a prediction; choose \
         another colouring, or name the file as the AlphaFold database does (AF-ACCESSION-F1)"
    )]
    Measured,
    /// Pixels that cannot be.
    #[error("a picture of {size} pixels a side was asked for, expected {SMALLEST} to {LARGEST}")]
    Size {
        /// What was asked for.
        size: usize,
    },
    /// An angle that is no number.
    #[error("an angle of {angle} degrees was asked for, expected a number")]
    Angle {
        /// What was asked for.
        angle: f32,
    },
}

/// The picture of a structure. The same structure and settings give the same bytes, on however many threads.
pub fn draw(structure: &Structure, settings: &Settings) -> Result<Picture, DrawError> {
    Ok(draw_from(structure, settings)?.0)
}

/// The picture, and where it was seen from.
pub fn draw_from(structure: &Structure, settings: &Settings) -> Result<(Picture, Camera), DrawError> {
    let Settings { size, colour, transparent, rotate, depth_cue, shadows } = *settings;
    settings.check()?;
    let residues = || structure.chains.iter().flat_map(|chain| &chain.residues);
    let trace: Vec<Point> = residues().filter_map(|residue| residue.trace).filter(|p| finite(*p)).collect();
    if trace.is_empty() {
        return Err(DrawError::Empty { residues: residues().count() });
    }
    if colour == Colouring::Plddt && !structure.predicted {
        return Err(DrawError::Measured);
    }
    let colours = colour.residues(structure);
    let mesh = cartoon(structure, |residue, shape| match colour {
        Colouring::Secondary => of_shape(shape),
        _ => colours[residue as usize],
    });
    let camera = Camera::fit(&trace, &mesh.positions, rotate);
    let look = Look { size, transparent, depth_cue, shadows };
    Ok((raster(&mesh, &camera, &look), camera))
}
