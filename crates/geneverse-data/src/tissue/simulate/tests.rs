//! What a simulated tissue must have.

use super::*;

fn lab(cells: usize, genes: usize, seed: u64) -> Laboratory {
    simulate(&Simulation { cells, genes, seed, ..Simulation::default() }).unwrap()
}

#[test]
fn every_type_is_there_and_every_type_has_markers() {
    for seed in 0..20 {
        let Laboratory { tissue, truth } = lab(2_000, 24, seed);
        let count = |kind: usize| tissue.types.iter().filter(|of| **of as usize == kind).count();
        for (kind, name) in tissue.cell_types.iter().enumerate() {
            assert!(count(kind) >= 20, "seed {seed}: {} {name}", count(kind));
            assert!(truth.iter().any(|(_, marked)| *marked == kind), "seed {seed}: {name} has no marker");
        }
        assert_eq!((tissue.cells.len(), tissue.places.len(), tissue.types.len()), (2_000, 2_000, 2_000));
    }
}

#[test]
fn the_same_seed_is_the_same_tissue_and_another_is_another() {
    let settings = Simulation { cells: 1_500, genes: 60, ..Simulation::default() };
    let one = simulate(&settings).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| simulate(&settings).unwrap()), one);
    let other = simulate(&Simulation { seed: 2, ..settings }).unwrap();
    assert_ne!(other.tissue.places, one.tissue.places);
    assert_ne!(other.tissue.expression.values, one.tissue.expression.values);
}

#[test]
fn a_marker_is_many_times_as_much_in_its_types() {
    let Laboratory { tissue, truth } = lab(4_000, 240, 3);
    let Tissue { expression, types, .. } = &tissue;
    assert_eq!((expression.genes.len(), expression.starts.len()), (240, 241));
    assert!(expression.genes.is_sorted());
    for gene in 0..expression.genes.len() {
        let marks: Vec<usize> = truth.iter().filter(|(g, _)| *g == gene).map(|(_, kind)| *kind).collect();
        let marked = |cell: usize| marks.contains(&(types[cell] as usize));
        let (mut inside, mut outside) = (0.0, 0.0);
        let mut last = None;
        for (cell, value) in expression.gene(gene) {
            assert!(last < Some(cell) && value >= 1.0 && value.fract() == 0.0);
            last = Some(cell);
            if marked(cell as usize) { inside += f64::from(value) } else { outside += f64::from(value) }
        }
        let cells = (0..types.len()).filter(|cell| marked(*cell)).count() as f64;
        if !marks.is_empty() {
            let fold = (inside / cells) / (outside / (types.len() as f64 - cells));
            // A marker of the many fibroblasts stains the rest most.
            assert!(fold > 5.0, "{}: {fold}", expression.genes[gene]);
        }
    }
}

#[test]
fn known_genes_come_first_and_invented_ones_fill_up() {
    let symbols = |genes: usize, invented: bool| {
        let settings = Simulation { cells: 1_000, genes, invented, ..Simulation::default() };
        simulate(&settings).unwrap().tissue.expression.genes
    };
    assert!(symbols(24, false).iter().all(|symbol| !symbol.starts_with("SIM")));
    let all = known().unwrap().len();
    let more = symbols(all + 30, false);
    assert_eq!(more.iter().filter(|symbol| symbol.starts_with("SIM")).count(), 30);
    assert!(symbols(24, true).iter().all(|symbol| symbol.starts_with("SIM")));
    let acta2 = known().unwrap().into_iter().find(|gene| gene.symbol == "ACTA2").unwrap();
    assert_eq!(
        acta2.marks.iter().map(|kind| layout::TYPES[*kind]).collect::<Vec<_>>(),
        ["Myoepithelial Cells", "Smooth Muscle Cells"]
    );
}

#[test]
fn settings_out_of_bounds_are_refused_by_name() {
    let error = |settings: Simulation| simulate(&settings).unwrap_err().to_string();
    let base = Simulation::default();
    assert_eq!(error(Simulation { cells: 10, ..base.clone() }), "--cells is 10, expected 1000 to 2000000");
    assert_eq!(error(Simulation { genes: 3, ..base.clone() }), "--genes is 3, expected 24 to 20000");
    assert_eq!(
        error(Simulation { dropout: f64::NAN, ..base }),
        "--dropout is NaN, expected at least 0 and less than 1"
    );
}
