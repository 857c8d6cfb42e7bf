#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::print_stdout)]
use geneverse_data::dataset::genes::*;
use geneverse_data::import::*;
use geneverse_data::progress::Silent;
use std::path::*;
fn main() {
    let db = PathBuf::from("/tmp/w/ds/g.db");
    let f = |n: &str| Some(Path::new("/work/shared/data/genes").join(n));
    import(&ImportFiles{hgnc:f("hgnc_complete_set.txt.gz"),gene_info:f("Homo_sapiens.gene_info.gz"),summaries:f("refseq_summaries.tsv.gz"),out:db.clone(),..Default::default()},&Silent).unwrap();
    let out = PathBuf::from("/tmp/w/ds/out1");
    let _ = std::fs::remove_dir_all(&out);
    let t = std::time::Instant::now();
    let r = genes(&GenesDataset{db,out,validation_size:500,seed:42,hold_out:["GLI1","CASP10","FGF7","ACSS3","EOGT"].map(str::to_owned).to_vec(),only_with_summary: std::env::args().nth(1).is_none(),..Default::default()},&Silent).unwrap();
    println!("{}", serde_json::to_string_pretty(&r).unwrap());
    println!("{:?}", t.elapsed());
}
