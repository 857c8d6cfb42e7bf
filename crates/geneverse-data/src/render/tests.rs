//! What holds of every cartoon, whatever its pixels are.

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
fn a_straight_coil_is_as_thick_as_its_tube() {
    // Not bare: C and O are there, so it is a coil of 0.2 Å radius.
    let mut line = structure((0..30).map(|i| [3.8 * i as f32, 0.0, 0.0]), Secondary::Coil);
    for residue in &mut line.chains[0].residues {
        residue.c = residue.trace;
        residue.o = residue.trace.map(|p| add(p, [0.0, 1.2, 0.0]));
    }
    let (picture, camera) = draw_from(&line, &plain(1024)).unwrap();
    let scale = f64::from(Camera::pixels(1024) / camera.distance);
    let expected = 3.8 * 29.0 * 0.4 * scale * scale;
    let found = pixels(&alpha(&picture));
    // A tube of ten sides is 2 to 5 % thinner than a round one.
    assert!((0.93..1.02).contains(&(found / expected)), "{found} of {expected} pixels");
}

/// Every triangle looks where its corners' normals do, and all of them are closed surfaces.
fn check_surface(mesh: &Mesh) {
    assert!(!mesh.triangles.is_empty());
    let mut away = 0;
    for normal in &mesh.normals {
        assert!((length(*normal) - 1.0).abs() < 1e-3);
    }
    for triangle in &mesh.triangles {
        let [a, b, c] = triangle.map(|i| mesh.positions[i as usize]);
        let face = cross(sub(b, a), sub(c, a));
        let mean = triangle.map(|i| mesh.normals[i as usize]).into_iter().reduce(add).unwrap();
        away += usize::from(dot(face, mean) < -1e-4 * length(face));
    }
    assert!(away * 1000 <= mesh.triangles.len(), "{away} of {} look inwards", mesh.triangles.len());
    // The volume that a closed surface encloses does not depend on where it is measured from.
    let volume = |origin: [f64; 3]| -> f64 {
        let corner = |i: u32| {
            let point = mesh.positions[i as usize];
            [0, 1, 2].map(|k| f64::from(point[k]) - origin[k])
        };
        let part = |t: &[u32; 3]| {
            let [a, b, c] = t.map(corner);
            a[0] * (b[1] * c[2] - b[2] * c[1])
                + a[1] * (b[2] * c[0] - b[0] * c[2])
                + a[2] * (b[0] * c[1] - b[1] * c[0])
        };
        mesh.triangles.iter().map(part).sum::<f64>() / 6.0
    };
    let (here, there) = (volume([0.0; 3]), volume([50.0, -20.0, 30.0]));
    assert!(here > 0.0 && (here - there).abs() < 0.01 * here, "{here} and {there}");
}

#[test]
fn surfaces_are_closed_and_look_outwards() {
    for structure in [
        helix(12),
        strand(8),
        fold(),
        structure([[0.0; 3]], Secondary::Coil),
        nucleic(6, true),
        nucleic(2, false),
    ] {
        check_surface(&cartoon(&structure, |_, _| [0.5; 3]));
    }
}

fn nucleic(residues: usize, with_end: bool) -> Structure {
    let mut strand =
        structure((0..residues).map(|i| [6.5 * i as f32, 0.0, (i as f32).sin()]), Secondary::Coil);
    for residue in &mut strand.chains[0].residues {
        residue.polymer = Polymer::Nucleic;
        residue.side = residue.trace.map(|p| add(p, [3.0, 8.0, 0.0]));
        residue.o = residue.trace.map(|p| add(p, [5.0, 0.0, 0.5])).filter(|_| with_end);
    }
    strand
}

#[test]
fn every_base_has_a_rod() {
    let reach = |structure: &Structure| {
        let mesh = cartoon(structure, |_, _| [0.5; 3]);
        mesh.positions.iter().filter(|p| p[1] > 7.5).map(|p| (p[0] / 6.5) as i32).collect::<Vec<_>>()
    };
    for with_end in [true, false] {
        let mut found = reach(&nucleic(5, with_end));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, [0, 1, 2, 3, 4]);
    }
    let mut without = nucleic(5, true);
    without.chains[0].residues.iter_mut().for_each(|r| r.side = None);
    assert!(reach(&without).is_empty());
}

#[test]
fn ribbons_do_not_twist_over() {
    for structure in [helix(20), strand(12), fold()] {
        for run in runs(&structure.chains[0], 0) {
            let line = sample(&run.guides, 7);
            assert_eq!(line.len(), (run.guides.len() - 1) * 7 + 1);
            for pair in line.windows(2) {
                assert!(
                    dot(pair[0].wide, pair[1].wide) > 0.5,
                    "turned by more than 60° within half an ångström"
                );
                assert!(dot(pair[0].tangent, pair[0].wide).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn a_helix_passes_through_its_atoms_and_is_wide_along_its_axis() {
    let helix = helix(15);
    let run = runs(&helix.chains[0], 0).remove(0);
    for (guide, residue) in run.guides.iter().zip(&helix.chains[0].residues) {
        assert_eq!(Some(guide.position), residue.trace);
        // The line climbs at some 30°, and the ribbon's surface lies on the helix's cylinder.
        let radius = [guide.position[0] / 2.3, guide.position[1] / 2.3, 0.0];
        assert!(guide.wide[2].abs() > 0.8 && dot(guide.wide, radius).abs() < 0.35, "{:?}", guide.wide);
    }
}

#[test]
fn a_strand_is_flat_and_keeps_its_ends() {
    let strand = strand(9);
    let run = runs(&strand.chains[0], 0).remove(0);
    let at = |i: usize| run.guides[i].position;
    assert_eq!(
        (Some(at(0)), Some(at(8))),
        (strand.chains[0].residues[0].trace, strand.chains[0].residues[8].trace)
    );
    for guide in &run.guides[3..6] {
        assert!(guide.position[2].abs() < 0.05, "{:?}", guide.position);
        assert!(guide.wide[1].abs() > 0.99);
    }
}

#[test]
fn an_arrow_is_half_as_wide_again_and_ends_in_a_point() {
    let mesh = cartoon(&strand(9), |_, _| [0.5; 3]);
    let widest = mesh.positions.iter().map(|p| p[1].abs()).fold(0.0, f32::max);
    assert!((widest - 1.5 * 1.4 / 2f32.sqrt()).abs() < 0.02, "{widest}");
    let tip =
        mesh.positions.iter().filter(|p| p[0] > 8.0 * 3.3 - 0.2).map(|p| p[1].abs()).fold(0.0, f32::max);
    assert!(tip < 0.2, "{tip}");
}

#[test]
fn breaks_are_gaps() {
    let mut broken = helix(20);
    broken.chains[0].residues[8].joined = false;
    broken.chains[0].residues[14].trace = Some([f32::NAN, 0.0, 0.0]);
    let lengths: Vec<usize> = runs(&broken.chains[0], 0).iter().map(|run| run.guides.len()).collect();
    assert_eq!(lengths, [8, 6, 5]);
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
#[test]
fn lines_and_ribbons_are_pymols() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/goldens/cartoon.json")).unwrap();
    // Nine tenths of the sections have their middle within the first number (Å), and their long side within the second
    // (degrees), of PyMOL's; a tube has no long side. It treats a chain's last residues in a way of its own: the last two segments are left out.
    for (name, secondary, near, turned) in [
        ("coil", Secondary::Coil, 0.03, 181.0),
        ("helix", Secondary::Helix, 0.01, 9.0),
        ("strand", Secondary::Strand, 0.01, 3.0),
    ] {
        let point = |value: &serde_json::Value| [0, 1, 2].map(|i| value[i].as_f64().unwrap() as f32);
        let atoms = golden[name]["atoms"].as_array().unwrap();
        let mut chain = structure(atoms.iter().map(|atom| point(&atom["CA"])), secondary);
        let residues = &mut chain.chains[0].residues;
        for (residue, atom) in residues.iter_mut().zip(atoms) {
            (residue.c, residue.o) = (Some(point(&atom["C"])), Some(point(&atom["O"])));
        }
        residues.last_mut().unwrap().secondary = Secondary::Coil;
        let line = sample(&runs(&chain.chains[0], 0)[0].guides, 7);
        let sections = golden[name]["sections"].as_array().unwrap();
        assert_eq!(line.len(), sections.len());
        let compared = line.len() - 14;
        let (mut far, mut turns) = (Vec::new(), Vec::new());
        for (sample, section) in line.iter().zip(sections).take(compared) {
            far.push(length(sub(sample.position, point(&section["middle"]))));
            turns.push(dot(sample.wide, point(&section["wide"])).abs().min(1.0).acos().to_degrees());
        }
        far.sort_by(f32::total_cmp);
        turns.sort_by(f32::total_cmp);
        let nine_tenths = compared * 9 / 10;
        let (far, turns) = (far[nine_tenths], turns[nine_tenths]);
        assert!(far < near && turns < turned, "{name}: {far} Å, {turns}°");
    }
}

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
