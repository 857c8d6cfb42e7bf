//! `analyze enrich` and `analyze figures`, from files to files.

use std::fs;
use std::path::Path;

use super::{fail, json, root, succeed};

fn golden(name: &str) -> String {
    root().join("crates/geneverse-eval/tests/goldens/enrich").join(name).display().to_string()
}

fn with_files(more: &[&str]) -> Vec<String> {
    let (study, population) = (golden("study.txt"), golden("population.txt"));
    let (associations, obo) = (golden("associations.tsv"), golden("go.obo"));
    let args = [
        "analyze",
        "enrich",
        "--study",
        &study,
        "--population",
        &population,
        "--associations",
        &associations,
    ];
    args.iter().chain(&["--obo", &obo]).chain(more).map(|arg| (*arg).to_owned()).collect()
}

fn run(folder: &Path, args: &[String]) -> String {
    succeed(folder, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_study_from_files_gives_the_table_that_goatools_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let said = json(&run(path, &with_files(&["--out", "enriched", "--all", "--json"])));
    let expected = json(&fs::read_to_string(golden("expected.json")).unwrap());
    let expected = expected["is_a, two-sided"].as_array().unwrap();
    assert_eq!(said["tests"], expected.len());
    assert_eq!((&said["studies"][0]["size"], &said["left_out"][0]), (&json("50"), &json("\"G235\"")));
    let table = fs::read_to_string(path.join("enriched/terms.tsv")).unwrap();
    assert_eq!(table.lines().count(), expected.len() + 1);
    for row in expected {
        let id = row["term"].as_str().unwrap();
        let found = table.lines().find(|line| line.starts_with(id)).unwrap();
        let fields: Vec<&str> = found.split('\t').collect();
        assert_eq!(
            fields[15],
            row["genes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|gene| gene.as_str().unwrap())
                .collect::<Vec<_>>()
                .join(";")
        );
        for (at, key) in [(9, "p"), (11, "bonferroni"), (12, "holm"), (13, "fdr_bh")] {
            let (found, wanted): (f64, f64) = (fields[at].parse().unwrap(), row[key].as_f64().unwrap());
            assert!((found - wanted).abs() <= 1e-9 * wanted, "{id} {key}: {found} {wanted}");
        }
    }
    for ending in ["svg", "png", "csv"] {
        assert!(path.join(format!("enriched/enrichment.{ending}")).is_file(), "{ending}");
    }
    // Again: nothing is done, and the same is said. With other settings it is refused.
    let before = fs::metadata(path.join("enriched/terms.tsv")).unwrap().modified().unwrap();
    assert_eq!(json(&run(path, &with_files(&["--out", "enriched", "--all", "--json"]))), said);
    assert_eq!(fs::metadata(path.join("enriched/terms.tsv")).unwrap().modified().unwrap(), before);
    let other = with_files(&["--out", "enriched", "--all", "--part-of"]);
    let error = fail(path, &other.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(error.contains("propagation.part_of: then false, now true"), "{error}");
    let shorter =
        run(path, &with_files(&["--out", "greater", "--alternative", "greater", "--correction", "holm"]));
    assert!(shorter.contains("terms enriched (Holm ≤ 0.05)"), "{shorter}");
}

#[test]
fn clusters_are_described_from_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let genes: Vec<String> = (0..40).map(|at| format!("G{at:03}")).collect();
    let records: String = genes
        .iter()
        .map(|gene| {
            format!("{{\"symbol\":\"{gene}\",\"name\":\"gene {gene}\",\"kind\":\"protein_coding\"}}\n")
        })
        .collect();
    fs::write(path.join("genes.jsonl"), records).unwrap();
    let (obo, associations) = (golden("go.obo"), golden("associations.tsv"));
    let import =
        ["genes", "import", "--records", "genes.jsonl", "--go", &obo, "--go-annotations", &associations];
    succeed(path, &[&import[..], &["--out", "genes.db"]].concat());
    // Every third gene lacks what the others were given.
    let clusters: String =
        genes.iter().enumerate().map(|(at, gene)| format!("{},{gene}\n", usize::from(at % 3 == 0))).collect();
    fs::write(path.join("clusters.csv"), format!("cluster,id\n{clusters}1,NOBODY\n")).unwrap();
    let args = [
        "analyze",
        "enrich",
        "--clusters",
        "clusters.csv",
        "--db",
        "genes.db",
        "--out",
        "out",
        "--alpha",
        "0.2",
    ];
    let said = json(&succeed(path, &[&args[..], &["--json"]].concat()));
    assert_eq!(said["left_out"], json("[\"NOBODY\"]"));
    assert_eq!(
        (said["studies"][0]["cluster"].as_str(), &said["studies"][0]["size"]),
        (Some("0"), &json("26"))
    );
    let best = &said["studies"][0]["top"][0];
    assert_eq!((best["namespace"].as_str(), best["enrichment"].as_str()), (Some("BP"), Some("e")), "{best}");
    let table = fs::read_to_string(path.join("out/terms.tsv")).unwrap();
    assert!(table.starts_with("cluster\tterm\t") && table.contains("\n1\tGO:"), "{table}");
    assert!(
        fs::read_to_string(path.join("out/dots.svg"))
            .unwrap()
            .contains("Enriched GO terms of the 2 largest clusters")
    );
    let error = fail(
        path,
        &[
            "analyze",
            "enrich",
            "--clusters",
            "clusters.csv",
            "--population",
            "x",
            "--db",
            "genes.db",
            "--out",
            "o",
        ],
    );
    assert!(error.starts_with("--population has no effect with --clusters"), "{error}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("others"), "BRCA1\nTP53\n").unwrap();
    let (study, associations, obo) = (golden("study.txt"), golden("associations.tsv"), golden("go.obo"));
    let files = [
        "analyze",
        "enrich",
        "--study",
        &study,
        "--associations",
        &associations,
        "--obo",
        &obo,
        "--out",
        "o",
    ];
    assert_eq!(fail(path, &files), "--population is missing: say which genes the study was taken from");
    let error = fail(path, &[&files[..], &["--population", "others"]].concat());
    assert!(error.contains("none of its genes is in the population; its first is \"G000\""), "{error}");
    let population = golden("population.txt");
    let error = fail(
        path,
        &[
            "analyze",
            "enrich",
            "--study",
            "others",
            "--population",
            &population,
            "--associations",
            &associations,
            "--obo",
            &obo,
            "--out",
            "o",
        ],
    );
    assert_eq!(error, "none of 2 genes of the study is in the population of 230; the first is \"BRCA1\"");
    assert!(!path.join("o").exists(), "nothing is written");
}

#[test]
fn figures_are_drawn_from_tables_runs_and_scores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(
        path.join("umap.csv"),
        "id,x,y,cluster,kind\nA,0.5,1,0,\"one, or two\"\nB,2,3,1,\nC,2.5,3,1,x\n",
    )
    .unwrap();
    let said = json(&succeed(path, &["analyze", "figures", "scatter", "umap.csv", "--out", "f", "--json"]));
    assert_eq!(said["figures"].as_array().unwrap().len(), 6);
    let svg = fs::read_to_string(path.join("f/kind.svg")).unwrap();
    assert!(svg.contains("one, or two") && svg.contains("UMAP 2"), "{svg}");
    assert_eq!(
        fs::read_to_string(path.join("f/cluster.csv")).unwrap().lines().nth(1),
        Some("A,0.50000,1.00000,0")
    );

    fs::create_dir(path.join("run")).unwrap();
    fs::write(
        path.join("run/metrics.jsonl"),
        "{\"step\":1,\"loss\":3.0}\n{\"step\":2,\"loss\":2.5}\n{\"step\":2,\"eval_loss\":2.6}\n",
    )
    .unwrap();
    succeed(path, &["analyze", "figures", "losses", "run", "--out", "f"]);
    assert_eq!(
        fs::read_to_string(path.join("f/losses.csv")).unwrap(),
        "run,kind,step,loss\nrun,training,1,3\nrun,training,2,2.5\nrun,validation,2,2.6\n"
    );

    let item = |factual: f64| {
        format!(
            "{{\"id\":\"a\",\"subject\":\"A\",\"factual\":{factual},\"structural\":1.0,\"rouge1\":0.5,\"reasons\":[]}}"
        )
    };
    let items: Vec<String> = (0..20).map(|at| item(f64::from(at % 4 / 3))).collect();
    let scores = format!(
        "{{\"task\":\"gene\",\"n\":20,\"factual\":0.25,\"structural\":1.0,\"average\":0.625,\"bleu\":0.1,\"rouge1\":0.5,\
         \"items\":[{}],\"identifiers\":0,\"identifiers_right\":null}}",
        items.join(",")
    );
    fs::write(path.join("scores.json"), scores).unwrap();
    succeed(path, &["analyze", "figures", "scores", "base=scores.json", "again=scores.json", "--out", "f"]);
    let bars = fs::read_to_string(path.join("f/bars.csv")).unwrap();
    let factual: Vec<&str> = bars.lines().nth(1).unwrap().split(',').collect();
    let (low, high): (f64, f64) = (factual[3].parse().unwrap(), factual[4].parse().unwrap());
    assert_eq!(factual[..3], ["base", "Factual", "0.25"]);
    assert!(low > 0.0 && low < 0.15 && high > 0.35 && high < 0.6, "20 questions say little: {bars}");
    assert!(fs::read_to_string(path.join("f/table.svg")).unwrap().contains("0.625"));

    fs::write(path.join("sweep.csv"), "rank,score,model\n8,0.2,a\n16,0.3,a\n8,0.1,b\n").unwrap();
    let sweep =
        ["analyze", "figures", "sweep", "sweep.csv", "--setting", "rank", "--score", "score", "--out", "f"];
    succeed(path, &[&sweep[..], &["--series", "model", "--log"]].concat());
    assert!(fs::read(path.join("f/sweep.png")).unwrap().starts_with(b"\x89PNG"));
    let error = fail(path, &[&sweep[..], &["--series", "nothing"]].concat());
    assert_eq!(error, "sweep.csv: found no column `nothing`; its columns are: rank, score, model");
}
