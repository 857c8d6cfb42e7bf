//! What holds of every cartoon, whatever its pixels are.

mod surfaces;

use proptest::prelude::*;

use super::camera::Camera;
use super::cartoon::cartoon;
use super::colour::{Colouring, PLDDT};
use super::mesh::Mesh;
use super::protein::{DrawError, Settings, draw, draw_from};
use super::trace::{runs, sample};
use super::vector::{add, cross, dot, length, sub};
use crate::picture::{Channels, Picture};
use crate::structure::{Chain, Point, Polymer, Residue, Secondary, Structure};

fn residue(number: i32, trace: Point, secondary: Secondary) -> Residue {
    Residue {
        name: "ALA".to_owned(),
        number,
        insertion: None,
        polymer: Polymer::Protein,
        n: None,
        trace: Some(trace),
        c: None,
        o: None,
        side: None,
        b_factor: 50.0,
        secondary,
        joined: number > 1,
    }
}

fn structure(places: impl IntoIterator<Item = Point>, secondary: Secondary) -> Structure {
    let residues = (1..).zip(places).map(|(number, place)| residue(number, place, secondary)).collect();
    let chain = Chain { id: "A".to_owned(), residues };
    Structure { id: "test".to_owned(), title: None, predicted: true, models: 1, chains: vec![chain] }
}

/// An ideal α-helix: 1.5 Å and 100° a residue, 2.3 Å from its axis; C=O along the axis.
fn helix(residues: usize) -> Structure {
    let place = |i: usize| {
        let angle = (100.0 * i as f32).to_radians();
        [2.3 * angle.cos(), 2.3 * angle.sin(), 1.5 * i as f32]
    };
    let mut helix = structure((0..residues).map(place), Secondary::Helix);
    for residue in &mut helix.chains[0].residues {
        residue.c = residue.trace.map(|p| add(p, [0.0, 0.0, 1.0]));
        residue.o = residue.trace.map(|p| add(p, [0.0, 0.0, 2.2]));
    }
    helix
}

/// A strand along x that zigzags in z; C=O point to y and −y in turn.
fn strand(residues: usize) -> Structure {
    let side = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    let place = |i: usize| [3.3 * i as f32, 0.0, 0.9 * side(i)];
    let mut strand = structure((0..residues).map(place), Secondary::Strand);
    for (i, residue) in strand.chains[0].residues.iter_mut().enumerate() {
        residue.c = residue.trace;
        residue.o = residue.trace.map(|p| add(p, [0.0, 1.2 * side(i), 0.0]));
    }
    strand
}

/// Coil, helix, strand, coil.
fn fold() -> Structure {
    let mut fold = helix(14);
    let shift = |p: Point| add(p, [6.0, 0.0, 20.0]);
    for mut residue in strand(9).chains.remove(0).residues {
        residue.trace = residue.trace.map(shift);
        residue.c = residue.c.map(shift);
        residue.o = residue.o.map(shift);
        residue.joined = true;
        fold.chains[0].residues.push(residue);
    }
    for i in [0, 1, 13, 14, 22] {
        fold.chains[0].residues[i].secondary = Secondary::Coil;
    }
    fold
}

fn plain(size: usize) -> Settings {
    Settings { size, transparent: true, depth_cue: false, shadows: false, ..Settings::default() }
}

fn alpha(picture: &Picture) -> Vec<u8> {
    assert_eq!(picture.channels, Channels::Rgba);
    picture.bytes.chunks(4).map(|pixel| pixel[3]).collect()
}

fn pixels(alpha: &[u8]) -> f64 {
    alpha.iter().map(|a| f64::from(*a)).sum::<f64>() / 255.0
}

/// The share of the silhouettes' union in which two pictures differ.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    let differ = a.iter().zip(b).filter(|(x, y)| x.abs_diff(**y) > 127).count();
    let either = a.iter().zip(b).filter(|(x, y)| **x > 127 || **y > 127).count();
    differ as f64 / either as f64
}

fn on_threads(threads: usize, structure: &Structure, settings: &Settings) -> Picture {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| draw(structure, settings)).unwrap()
}

#[test]
fn threads_change_no_byte() {
    for settings in [Settings::default(), Settings { transparent: true, size: 203, ..Settings::default() }] {
        let one = on_threads(1, &fold(), &settings);
        assert!(one == on_threads(2, &fold(), &settings));
        assert!(one == on_threads(5, &fold(), &settings));
        assert!(one.bytes.iter().any(|b| *b < 100));
    }
}

#[test]
fn a_lonely_residue_is_a_ball_as_large_as_geometry_says() {
    let lonely = structure([[7.0, -3.0, 2.0]], Secondary::Coil);
    let (picture, camera) = draw_from(&lonely, &plain(300)).unwrap();
    // The outline of a ball of radius r at distance d is seen under the angle asin(r / d).
    let outline = f64::from((0.5 / camera.distance).asin().tan() * Camera::pixels(300));
    let expected = std::f64::consts::PI * outline * outline;
    let found = pixels(&alpha(&picture));
    // The ball's outline has 32 corners, which lacks 0.6 % of a circle's area.
    assert!((found / expected - 1.0).abs() < 0.02, "{found} of {expected} pixels");
    assert!(outline > 0.9 * 150.0 && outline < 150.0);
}

#[test]
fn a_symmetric_structure_has_a_symmetric_picture() {
    let bend = |i: i32| [3.6 * i as f32, 0.08 * (i * i) as f32, 0.0];
    let arc = structure((-10..=10).map(bend), Secondary::Coil);
    let picture = alpha(&draw(&arc, &plain(400)).unwrap());
    let mirrored: Vec<u8> = picture.chunks(400).flat_map(|row| row.iter().rev().copied()).collect();
    assert!(difference(&picture, &mirrored) < 0.01, "{}", difference(&picture, &mirrored));
    let upside_down: Vec<u8> = picture.chunks(400).rev().flatten().copied().collect();
    assert!(difference(&picture, &upside_down) > 0.5);
}

#[test]
fn the_files_frame_does_not_matter() {
    let turn = |p: Point| {
        // A rotation about an odd axis, and a shift.
        let axis = [0.267_261_24, 0.534_522_5, 0.801_783_7];
        let (sin, cos) = 2.1f32.sin_cos();
        let along = dot(axis, p) * (1.0 - cos);
        let across = cross(axis, p);
        add([0, 1, 2].map(|i| p[i] * cos + across[i] * sin + axis[i] * along), [30.0, -12.0, 5.0])
    };
    let straight = fold();
    let mut turned = straight.clone();
    for residue in &mut turned.chains[0].residues {
        residue.trace = residue.trace.map(turn);
        residue.c = residue.c.map(turn);
        residue.o = residue.o.map(turn);
    }
    let [a, b] = [&straight, &turned].map(|s| alpha(&draw(s, &plain(300)).unwrap()));
    assert!(difference(&a, &b) < 0.01, "{}", difference(&a, &b));
}

#[test]
fn half_a_turn_about_z_turns_the_picture_upside_down() {
    let settings = plain(256);
    let upright = alpha(&draw(&fold(), &settings).unwrap());
    let turned = alpha(&draw(&fold(), &Settings { rotate: [0.0, 0.0, 180.0], ..settings }).unwrap());
    let expected: Vec<u8> = upright.iter().rev().copied().collect();
    assert!(difference(&turned, &expected) < 0.02, "{}", difference(&turned, &expected));
    let same = draw(&fold(), &Settings { rotate: [360.0, -360.0, 720.0], ..settings }).unwrap();
    assert_eq!(upright, alpha(&same));
}

#[test]
fn positive_angles_turn_as_in_a_right_handed_frame() {
    let (_, camera) = draw_from(&fold(), &plain(64)).unwrap();
    let (_, turned) = draw_from(&fold(), &Settings { rotate: [0.0, 0.0, 90.0], ..plain(64) }).unwrap();
    // What lay to the right lies above.
    assert!(dot(turned.axes[1], camera.axes[0]) > 0.999);
    let (_, turned) = draw_from(&fold(), &Settings { rotate: [90.0, 0.0, 0.0], ..plain(64) }).unwrap();
    // What lay above lies towards the eye.
    assert!(dot(turned.axes[2], camera.axes[1]) > 0.999);
}

#[test]
fn all_of_it_is_in_the_picture_and_fills_it() {
    for rotate in [[0.0; 3], [30.0, 40.0, 50.0], [0.0, 90.0, 0.0]] {
        let settings = Settings { rotate, ..plain(200) };
        let picture = alpha(&draw(&fold(), &settings).unwrap());
        let (mut rows, mut columns) = ([200, 0], [200, 0]);
        for (i, _) in picture.iter().enumerate().filter(|(_, a)| **a > 0) {
            rows = [rows[0].min(i / 200), rows[1].max(i / 200)];
            columns = [columns[0].min(i % 200), columns[1].max(i % 200)];
        }
        let margins = [rows[0], 199 - rows[1], columns[0], 199 - columns[1]];
        assert!(margins.iter().all(|m| *m >= 4) && margins.iter().any(|m| *m <= 6), "{margins:?}");
        assert!(margins[0].abs_diff(margins[1]) <= 2 && margins[2].abs_diff(margins[3]) <= 2, "{margins:?}");
    }
}

#[test]
fn confidence_has_the_databases_colours_in_their_shares() {
    let mut line = structure((0..40).map(|i| [3.8 * i as f32, 0.0, 0.0]), Secondary::Coil);
    for (i, residue) in line.chains[0].residues.iter_mut().enumerate() {
        residue.b_factor = [95.0, 90.0 - 1e-3, 69.9, 12.0][i / 10];
    }
    let picture = draw(&line, &Settings { colour: Colouring::Plddt, ..plain(512) }).unwrap();
    // Light makes a colour darker or whiter; what is nearest in hue stays.
    let hue = |rgb: [f32; 3]| {
        let least = rgb.into_iter().fold(f32::INFINITY, f32::min);
        let most = rgb.into_iter().fold(0.0, f32::max);
        rgb.map(|x| (x - least) / (most - least).max(1.0))
    };
    let colours = PLDDT.map(|(_, c)| hue([c >> 16, c >> 8, c].map(|byte| (byte & 255) as f32)));
    let mut counts = [0.0; 4];
    for pixel in picture.bytes.chunks(4).filter(|pixel| pixel[3] == 255) {
        let here = hue([0, 1, 2].map(|i| f32::from(pixel[i])));
        let far = |i: &usize| length(sub(colours[*i], here));
        let nearest = (0..4).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
        counts[nearest] += 1.0;
    }
    let all: f32 = counts.iter().sum();
    for count in counts {
        assert!((count / all - 0.25).abs() < 0.03, "{counts:?}");
    }
}

#[test]
fn shadows_and_depth_change_the_light_and_not_the_outline() {
    let full = draw(&fold(), &Settings { transparent: true, ..Settings::default() }).unwrap();
    let bare = draw(&fold(), &plain(512)).unwrap();
    assert_eq!(alpha(&full), alpha(&bare));
    let light = |p: &Picture| p.bytes.iter().map(|b| u64::from(*b)).sum::<u64>();
    let shadowed = draw(&fold(), &Settings { shadows: true, ..plain(512) }).unwrap();
    assert!(light(&shadowed) < light(&bare));
    let paler = draw(&fold(), &Settings { depth_cue: true, ..plain(512) }).unwrap();
    assert!(light(&paler) > light(&bare));
}

#[test]
fn a_transparent_picture_laid_on_white_is_the_white_one() {
    let clear = draw(&fold(), &Settings { transparent: true, ..Settings::default() }).unwrap();
    let white = draw(&fold(), &Settings::default()).unwrap();
    assert_eq!(clear.bytes[..4], [255, 255, 255, 0]);
    let mut half = 0;
    for (clear, white) in clear.bytes.chunks(4).zip(white.bytes.chunks(3)) {
        let alpha = f32::from(clear[3]) / 255.0;
        half += usize::from((0.1..0.9).contains(&alpha));
        for i in 0..3 {
            let laid = f32::from(clear[i]) * alpha + 255.0 * (1.0 - alpha);
            // Both are rounded, and so is the opacity.
            assert!((laid - f32::from(white[i])).abs() <= 1.6, "{clear:?} {white:?}");
        }
    }
    assert!(half > 100, "edges are smooth");
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let error =
        |structure: &Structure, settings: &Settings| draw(structure, settings).unwrap_err().to_string();
    let mut nothing = structure([[f32::NAN; 3], [f32::INFINITY; 3]], Secondary::Coil);
    let expected =
        "no residue has a Cα or phosphorus atom with coordinates (2 residues), nothing to draw a cartoon of";
    assert_eq!(error(&nothing, &Settings::default()), expected);
    nothing.chains.clear();
    assert_eq!(draw(&nothing, &Settings::default()), Err(DrawError::Empty { residues: 0 }));
    let settings = |size| Settings { size, ..Settings::default() };
    let expected = "a picture of 9000 pixels a side was asked for, expected 16 to 8192";
    assert_eq!(error(&helix(5), &settings(9000)), expected);
    assert!(error(&helix(5), &settings(0)).contains("0 pixels"));
    let measured = Structure { predicted: false, ..helix(5) };
    let confidence = Settings { colour: Colouring::Plddt, ..Settings::default() };
    assert!(error(&measured, &confidence).starts_with("the temperature factors are not known to be pLDDT"));
    let angle = Settings { rotate: [0.0, f32::NAN, 0.0], ..Settings::default() };
    assert_eq!(error(&helix(5), &angle), "an angle of NaN degrees was asked for, expected a number");
}

#[test]
fn a_million_atoms_stay_small() {
    // 125,000 residues of eight atoms, to and fro in a cube.
    let place = |i: usize| {
        let (x, y, z) = (i % 50, i / 50 % 50, i / 2500);
        let x = if (y + z).is_multiple_of(2) { x } else { 49 - x };
        let y = if z.is_multiple_of(2) { y } else { 49 - y };
        [3.8 * x as f32, 3.8 * y as f32, 3.8 * z as f32]
    };
    let large = structure((0..125_000).map(place), Secondary::Coil);
    let mesh = cartoon(&large, |_, _| [0.5; 3]);
    assert!(mesh.positions.len() < 2_000_000, "{}", mesh.positions.len());
    let picture = draw(&large, &Settings { size: 224, ..Settings::default() }).unwrap();
    assert!(picture.bytes.iter().any(|b| *b < 250));
}

/// Sections of PyMOL's cartoons of made-up chains, see the script beside the golden.
fn any_point() -> impl Strategy<Value = Point> {
    let number = prop_oneof![
        20 => -30.0f32..30.0,
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(0.0f32),
        1 => -1e9f32..1e9,
    ];
    [number.clone(), number.clone(), number]
}

fn any_residue() -> impl Strategy<Value = Residue> {
    let atom = || proptest::option::weighted(0.9, any_point());
    let state = prop_oneof![Just(Secondary::Helix), Just(Secondary::Strand), Just(Secondary::Coil)];
    let atoms = (atom(), atom(), atom(), atom());
    (atoms, state, any::<bool>(), proptest::bool::weighted(0.9), any::<f32>()).prop_map(
        |((trace, c, o, side), secondary, nucleic, joined, b_factor)| Residue {
            polymer: if nucleic && !joined { Polymer::Nucleic } else { Polymer::Protein },
            trace,
            c,
            o,
            side,
            b_factor,
            joined,
            ..residue(1, [0.0; 3], secondary)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_structure_is_too_odd(
        residues in proptest::collection::vec(any_residue(), 0..40),
        rotate in [-720.0f32..720.0, -720.0f32..720.0, -720.0f32..720.0],
    ) {
        let chains = vec![Chain { id: String::new(), residues }];
        let odd = Structure { id: String::new(), title: None, predicted: false, models: 1, chains };
        let mesh = cartoon(&odd, |_, _| [0.5; 3]);
        for point in mesh.positions.iter().chain(&mesh.normals) {
            prop_assert!(point.iter().all(|x| x.is_finite()));
        }
        for colour in [Colouring::Secondary, Colouring::Plddt, Colouring::Rainbow, Colouring::Chain] {
            let settings = Settings { size: 64, colour, rotate, ..Settings::default() };
            if let Err(error) = draw(&odd, &settings) {
                let measured = error == DrawError::Measured && colour == Colouring::Plddt;
                prop_assert!(measured || matches!(error, DrawError::Empty { .. }), "{error}");
            }
        }
    }
}
