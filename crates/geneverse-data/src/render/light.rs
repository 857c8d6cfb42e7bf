//! How bright a surface is: PyMOL's default lights, measured on a ball that it ray-traced.
//!
//! A little light from everywhere, some from the eye, as much again from the upper right behind it, and the latter's
//! gloss (Blinn 1977). The farther half of the scene fades into the background.

use crate::render::mesh::Colour;
use crate::render::vector::{add, dot, scale};
use crate::structure::Point;

/// Light from everywhere.
const AMBIENT: f32 = 0.14;
/// Light from the eye.
const EYE: f32 = 0.45;
/// Light from the lamp.
const LAMP: f32 = 0.48;
/// The gloss's strength.
const GLOSS: f32 = 0.5;
/// The gloss's exponent (`shininess`).
const SHININESS: i32 = 55;
/// Where fading begins, as a share of the depth.
const FADE_FROM: f32 = 0.45;

/// Towards the lamp: (0.4, 0.4, 1) made a unit vector.
pub(crate) const TO_LAMP: Point = [0.348_155_3, 0.348_155_3, 0.870_388_3];
/// Half-way between lamp and eye.
const HALF_WAY: Point = [0.180_000_7, 0.180_000_7, 0.967_057_2];

/// What the eye sees of a surface of `colour` that looks along `normal` (towards the eye is +z), of whose lamp light
/// the share `lit` arrives.
pub(crate) fn shade(colour: Colour, normal: Point, lit: f32) -> Colour {
    let lamp = dot(normal, TO_LAMP).max(0.0) * lit;
    let light = AMBIENT + EYE * normal[2].max(0.0) + LAMP * lamp;
    let gloss = if lamp > 0.0 { GLOSS * lit * dot(normal, HALF_WAY).max(0.0).powi(SHININESS) } else { 0.0 };
    add(scale(colour, light.min(1.0)), [gloss; 3])
}

/// `colour`, fading into `background` with `depth`, 0 at the front and 1 at the back of the scene.
pub(crate) fn fade(colour: Colour, background: Colour, depth: f32) -> Colour {
    let share = ((depth - FADE_FROM) / (1.0 - FADE_FROM)).clamp(0.0, 1.0);
    add(scale(colour, 1.0 - share), scale(background, share))
}
