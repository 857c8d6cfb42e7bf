//! The cartoon's surfaces: closed, as thick and as wide as they should be, along PyMOL's lines.

use super::*;

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
fn lines_and_ribbons_are_pymols() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/goldens/cartoon.json")).unwrap();
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
