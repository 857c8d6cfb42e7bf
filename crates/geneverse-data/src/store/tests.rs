//! A database written and read back: lookups, resolution of symbols, search, files that are not ours.

use super::*;
use crate::gene::{GeneKind, Summary};
use crate::progress::Silent;

fn gene(symbol: &str, name: &str, previous: &[&str], aliases: &[&str]) -> GeneRecord {
    let mut record = GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), name, GeneKind::ProteinCoding);
    record.previous_symbols = previous.iter().map(|s| (*s).to_owned()).collect();
    record.aliases = aliases.iter().map(|s| (*s).to_owned()).collect();
    record
}

fn with_store(check: impl FnOnce(&GeneStore)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("genes.db");
    let mut gli1 = gene("GLI1", "GLI family zinc finger 1", &["GLI"], &["PAPA8"]);
    gli1.hgnc_id = Some(HgncId(4317));
    gli1.entrez_id = Some(EntrezId(2735));
    gli1.ensembl_id = Some(EnsemblId::parse("ENSG00000111087").unwrap());
    gli1.summary = Some(Summary { text: "Mediates hedgehog signaling.".into(), source: "Geneverse".into() });
    let records = [
        gli1,
        gene("GLI2", "GLI family zinc finger 2", &[], &["PAPA8X"]),
        gene("KMT2B", "lysine methyltransferase 2B", &[], &["MLL2", "TRX2"]),
        gene("KMT2D", "lysine methyltransferase 2D", &["MLL2"], &["ALR", "GLI2"]),
        gene("C1orf43", "chromosome 1 open reading frame 43", &["X1"], &["X1"]),
    ];
    GeneStore::create(&path, &records, &[], &Silent).unwrap();
    check(&GeneStore::open(&path).unwrap());
}

fn symbol_of(resolution: Resolution) -> String {
    resolution.into_record().unwrap().symbol.to_string()
}

#[test]
fn genes_are_found_by_symbol_and_identifiers() {
    with_store(|store| {
        assert_eq!(store.len().unwrap(), 5);
        for text in ["GLI1", " gli1 ", "HGNC:4317", "ENSG00000111087.4", "LOC2735", "2735"] {
            let resolution = store.resolve(text).unwrap();
            assert!(matches!(resolution, Resolution::Approved(_)), "{text}");
            assert_eq!(symbol_of(resolution), "GLI1", "{text}");
        }
        assert_eq!(store.by_entrez(EntrezId(1)).unwrap(), None);
        assert_eq!(store.get(&GeneSymbol::parse("gli1").unwrap()).unwrap(), None);
    });
}

#[test]
fn an_approved_symbol_wins_over_an_alias() {
    with_store(|store| assert_eq!(symbol_of(store.resolve("GLI2").unwrap()), "GLI2"));
}

#[test]
fn one_genes_previous_symbol_and_alias_say_what_they_are() {
    with_store(|store| {
        let Resolution::ByAlias { record, alias, role } = store.resolve("gli").unwrap() else { panic!() };
        assert_eq!((record.symbol.as_str(), alias.as_str(), role), ("GLI1", "GLI", SymbolRole::Previous));
        // Both at once: the stronger claim is told.
        let Resolution::ByAlias { role, .. } = store.resolve("X1").unwrap() else { panic!() };
        assert_eq!(role, SymbolRole::Previous);
    });
}

#[test]
fn an_ambiguous_symbol_lists_its_candidates() {
    with_store(|store| {
        let Resolution::Ambiguous { candidates } = store.resolve("MLL2").unwrap() else { panic!() };
        let listed: Vec<_> = candidates.iter().map(|c| (c.symbol.as_str(), c.role)).collect();
        assert_eq!(listed, [("KMT2D", SymbolRole::Previous), ("KMT2B", SymbolRole::Alias)]);
        assert_eq!(candidates[0].name, "lysine methyltransferase 2D");
    });
}

#[test]
fn an_unknown_symbol_suggests_near_ones() {
    with_store(|store| {
        let near = |text| match store.resolve(text).unwrap() {
            Resolution::Unknown { near } => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("GIL1"), ["GLI1"]);
        assert_eq!(near("KMT"), ["KMT2B", "KMT2D"]);
        assert!(near("nothing like it").is_empty() && near("").is_empty() && near("'; DROP").is_empty());
    });
}

#[test]
fn words_find_genes_and_no_query_is_an_error() {
    with_store(|store| {
        assert_eq!(store.search("hedgehog", 3).unwrap()[0].record.symbol.as_str(), "GLI1");
        assert_eq!(store.search("zinc finger PAPA8", 1).unwrap()[0].record.symbol.as_str(), "GLI1");
        assert_eq!(store.search("lysine", 9).unwrap().len(), 2);
        for odd in ["", "\"", "a AND", "NEAR(", "x*", "col:x", "( ) ^ -", "\u{0}"] {
            store.search(odd, 3).unwrap();
        }
    });
}

#[test]
fn iteration_is_in_symbol_order() {
    with_store(|store| {
        let symbols: Vec<_> = store.iter().map(|r| r.unwrap().symbol.to_string()).collect();
        assert_eq!(symbols, ["C1orf43", "GLI1", "GLI2", "KMT2B", "KMT2D"]);
    });
}

#[test]
fn what_is_no_gene_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| GeneStore::open(path).err().unwrap().to_string();
    let path = folder.path().join("x.db");
    assert!(refusal(&path).contains("not found; make a gene database"));
    std::fs::write(&path, "not SQLite, but longer than a hundred bytes. ".repeat(9)).unwrap();
    assert!(refusal(&path).contains("not a gene database"));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(refusal(&path).contains("not a gene database"));
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    assert!(refusal(&path).contains("found gene database schema 99, expected 2"));
}

#[test]
fn a_failed_write_leaves_the_old_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("genes.db");
    GeneStore::create(&path, &[gene("A", "a", &[], &[])], &[], &Silent).unwrap();
    let twice = [gene("B", "b", &[], &[]), gene("B", "b", &[], &[])];
    assert!(GeneStore::create(&path, &twice, &[], &Silent).is_err());
    assert_eq!(GeneStore::open(&path).unwrap().iter().next().unwrap().unwrap().symbol.as_str(), "A");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
