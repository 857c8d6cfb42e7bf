//! A whole exchange with the E-utilities, with answers in the shape that NCBI documents.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::gene::GeneKind;
use crate::http::Clock;
use crate::progress::Silent;

use crate::testing::clock::FakeClock;
use crate::testing::server::{Answer, Seen, Server};

const KEY: &str = "0123456789abcdef";
const EMAIL: &str = "someone@example.org";

fn search(ids: &[&str]) -> String {
    json!({"header": {"type": "esearch"}, "esearchresult": {"count": ids.len().to_string(), "idlist": ids}})
        .to_string()
}

fn gene(id: &str, symbol: &str, name: &str, aliases: &str) -> Value {
    json!({"uid": id, "name": symbol, "description": name, "status": "", "currentid": "", "chromosome": "12",
        "maplocation": "12q13.3", "otheraliases": aliases, "otherdesignations": format!("{name}|oncogene {symbol}"),
        "nomenclaturesymbol": symbol, "nomenclaturename": name, "nomenclaturestatus": "Official", "mim": ["165220"],
        "summary": "This gene encodes a factor.  It binds DNA. [provided by RefSeq, May 2009]",
        "organism": {"scientificname": "Homo sapiens", "commonname": "human", "taxid": 9606}})
}

fn summary(genes: &[Value]) -> String {
    let mut result = json!({"uids": genes.iter().map(|g| g["uid"].clone()).collect::<Vec<_>>()});
    for gene in genes {
        result[gene["uid"].as_str().unwrap()] = gene.clone();
    }
    json!({"header": {"type": "esummary", "version": "0.3"}, "result": result}).to_string()
}

fn record(id: &str, kind: &str) -> String {
    format!(
        "<?xml version=\"1.0\" ?>\n<!DOCTYPE Entrezgene-Set PUBLIC \"-//NLM//DTD NCBI-Entrezgene, 21st January 2005//EN\" \
         \"x.dtd\">\n<Entrezgene-Set>\n<Entrezgene>\n<Entrezgene_track-info><Gene-track><Gene-track_geneid>{id}\
         </Gene-track_geneid></Gene-track></Entrezgene_track-info>\n<Entrezgene_type value=\"{kind}\">6</Entrezgene_type>\
         <Entrezgene_source><BioSource><Org-ref><Org-ref_db><Dbtag><Dbtag_db>taxon</Dbtag_db><Dbtag_tag><Object-id>\
         <Object-id_id>9606</Object-id_id></Object-id></Dbtag_tag></Dbtag></Org-ref_db></Org-ref></BioSource>\
         </Entrezgene_source><Entrezgene_gene><Gene-ref><Gene-ref_locus>X</Gene-ref_locus><Gene-ref_db>\
         <Dbtag><Dbtag_db>HGNC</Dbtag_db><Dbtag_tag><Object-id><Object-id_str>HGNC:4317</Object-id_str></Object-id>\
         </Dbtag_tag></Dbtag><Dbtag><Dbtag_db>Ensembl</Dbtag_db><Dbtag_tag><Object-id>\
         <Object-id_str>ENSG00000111087</Object-id_str></Object-id></Dbtag_tag></Dbtag></Gene-ref_db></Gene-ref>\
         </Entrezgene_gene><Entrezgene_comments><Gene-commentary><Gene-commentary_type value=\"comment\">254\
         </Gene-commentary_type><Gene-commentary_heading>RefSeq Status</Gene-commentary_heading>\
         <Gene-commentary_label>REVIEWED</Gene-commentary_label></Gene-commentary></Entrezgene_comments>\n\
         </Entrezgene>\n</Entrezgene-Set>\n"
    )
}

fn ncbi(seen: &Seen) -> String {
    let has = |text: &str| seen.target.contains(text);
    if has("/esearch.fcgi") {
        let term =
            |text: &str| has(&format!("term=%22{text}%22%5BGene%20Name%5D%20AND%209606%5BTaxonomy%20ID%5D"));
        if term("GLI1") || has("term=2735%5Buid%5D") {
            search(&["2735", "4617"])
        } else if term("p53") {
            search(&["7157"])
        } else if term("CAP") {
            search(&["821", "10487"])
        } else {
            search(&[])
        }
    } else if has("/esummary.fcgi") && has("id=2735%2C4617") {
        // The second goes by GLI1 in NCBI's text search only.
        summary(&[
            gene("2735", "GLI1", "GLI family zinc finger 1", "GLI, PAPA8, PPD1"),
            gene("4617", "MYF5", "x", ""),
        ])
    } else if has("/esummary.fcgi") && has("id=7157") {
        summary(&[gene("7157", "TP53", "tumor protein p53", "BCC7, LFS1, P53, TRP53")])
    } else if has("/esummary.fcgi") {
        summary(&[
            gene("821", "CANX", "calnexin", "CAP, CNX"),
            gene("10487", "CAP1", "CAP 1", "CAP, CAP1-PEN"),
        ])
    } else if has("id=7157") {
        record("7157", "protein-coding")
    } else {
        record("2735", "protein-coding")
    }
}

struct Case {
    folder: tempfile::TempDir,
    clock: Arc<FakeClock>,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    fn options(&self, server: &Server, genes: &[&str]) -> GenesOptions {
        let mut mirrors = Mirrors::default();
        mirrors.add(&format!("eutils={}", server.url("/entrez/eutils/"))).unwrap();
        GenesOptions {
            genes: genes.iter().map(|g| (*g).to_owned()).collect(),
            tax_id: 9606,
            out: self.folder.path().join("records.jsonl"),
            cache: self.folder.path().join("cache"),
            offline: false,
            force: false,
            mirrors,
            identity: Identity { key: Some(KEY.to_owned()), email: Some(EMAIL.to_owned()) },
        }
    }

    fn run(&self, options: &GenesOptions) -> Result<GenesReport, FetchError> {
        let settings = Settings { clock: self.clock.clone(), ..Settings::default() };
        fetch_genes(&Client::new(paced(settings, &options.identity)).unwrap(), options, &Silent)
    }

    fn records(&self) -> Vec<GeneRecord> {
        let text = fs::read_to_string(self.folder.path().join("records.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn every_file(folder: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { every_file(&path, each) } else { each(&path, &fs::read(&path).unwrap()) }
    }
}

#[test]
fn genes_become_records_and_nothing_is_guessed() {
    let server = Server::new(|seen, _| Answer::new(200, ncbi(seen)));
    let case = Case::new();
    let options = case.options(&server, &["GLI1", "p53", "CAP", "NOGENE", "two words", "2735"]);
    let report = case.run(&options).unwrap();
    assert_eq!(
        (report.genes, report.by_alias.as_slice()),
        (2, ["p53 is an alias of TP53".to_owned()].as_slice())
    );
    let told: Vec<_> = report.not_found.iter().map(|n| (n.asked.as_str(), n.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            ("CAP", "an alias of several genes; ask for one of them"),
            ("NOGENE", "no gene of species 9606 goes by it at NCBI"),
            ("two words", "not a symbol, an alias or an id of NCBI Gene"),
        ]
    );
    assert_eq!(report.not_found[0].candidates, ["CANX", "CAP1"]);

    let records = case.records();
    let gli1 = &records[0];
    assert_eq!((gli1.symbol.as_str(), gli1.name.as_str()), ("GLI1", "GLI family zinc finger 1"));
    assert_eq!((gli1.kind, gli1.location.as_deref()), (GeneKind::ProteinCoding, Some("12q13.3")));
    assert_eq!(
        (gli1.aliases.join(","), gli1.other_names.join(",")),
        ("GLI,PAPA8,PPD1".into(), "oncogene GLI1".into())
    );
    let ids = [
        gli1.hgnc_id.unwrap().to_string(),
        gli1.entrez_id.unwrap().to_string(),
        gli1.omim_ids[0].to_string(),
    ];
    assert_eq!(ids, ["HGNC:4317", "2735", "165220"]);
    assert_eq!(gli1.ensembl_id.unwrap().to_string(), "ENSG00000111087");
    assert_eq!(gli1.refseq_status.as_deref(), Some("REVIEWED"));
    assert_eq!(gli1.summary.as_ref().unwrap().text, "This gene encodes a factor. It binds DNA.");
    assert_eq!(records[1].symbol.as_str(), "TP53");

    let seen = server.seen();
    let who = "&email=someone%40example.org&api_key=0123456789abcdef";
    assert!(seen.iter().all(|s| s.target.contains("&tool=geneverse") && s.target.ends_with(who)));
    // Ten requests a second with a key: each but the first waits a tenth of one.
    assert!(case.clock.now() >= Duration::from_millis(100 * (seen.len() as u64 - 1)));

    let again = case.run(&options).unwrap();
    assert!(again.already_done && again.genes == 2 && server.seen().len() == seen.len());
    // The first gene anew, from the cache: nobody is asked, also by its id.
    let offline = GenesOptions {
        offline: true,
        out: case.folder.path().join("b.jsonl"),
        ..case.options(&server, &["gli1", "GLI1", "MYF5"])
    };
    let report = case.run(&offline).unwrap();
    assert_eq!((report.genes, report.cached, server.seen().len()), (1, 1, seen.len()));
    assert!(report.not_found.iter().all(|n| n.reason == "not in the cache; without --offline NCBI is asked"));

    let (mut files, mut of_key) = (0, 0);
    every_file(case.folder.path(), &mut |path, bytes| {
        files += 1;
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if path.extension().is_some_and(|e| e == "gz") {
            text.clear();
            std::io::Read::read_to_string(&mut open(path).unwrap(), &mut text).unwrap();
        }
        of_key += usize::from(text.contains(KEY) || text.contains(EMAIL));
    });
    assert!(files >= 10 && of_key == 0, "{of_key} of {files} files have the key or the address");
}

#[test]
fn complaints_are_tried_again_and_told_without_the_key() {
    let server = Server::new(|seen, n| match n {
        0 => Answer::new(200, "{\"esearchresult\": {\"ERROR\": \"Search Backend failed\"}}"),
        1 => Answer::new(429, "{\"error\":\"API rate limit exceeded\",\"count\":\"11\"}")
            .header("Retry-After", "2"),
        4 => Answer::new(200, record("2735", "pseudo").replace("</Entrezgene-Set>", "")),
        5 => Answer::new(200, "<?xml version=\"1.0\"?><eFetchResult><ERROR>down</ERROR></eFetchResult>"),
        _ => Answer::new(200, ncbi(seen)),
    });
    let case = Case::new();
    let report = case.run(&case.options(&server, &["GLI1"])).unwrap();
    assert_eq!((report.genes, server.seen().len()), (1, 7));
    assert!(case.clock.waits().contains(&Duration::from_secs(2)));

    let body = format!("{{\"error\":\"API key invalid\",\"api-key\":\"{KEY}\",\"status\":\"unknown\"}}");
    let server = Server::new(move |_, _| Answer::new(400, body.clone()));
    let case = Case::new();
    let error = case.run(&case.options(&server, &["GLI1"])).unwrap_err().to_string();
    assert!(error.contains("400 Bad Request: {\"error\":\"API key invalid\",\"api-key\":\"…\""), "{error}");
    assert!(!error.contains(KEY) && !error.contains("someone"), "{error}");
    assert!(!case.folder.path().join("records.jsonl").exists());
}

#[test]
fn what_ncbi_sends_in_odd_shapes_is_told() {
    let odd = |found: &str| entrezgene::parse(found).unwrap_err();
    assert!(odd("<a><b></a>").contains("broken"));
    assert_eq!(odd("<Entrezgene-Set></Entrezgene-Set>"), "efetch's XML has no Entrezgene_type");
    assert_eq!(entrezgene::parse(&record("1", "ncRNA")).unwrap().kind, "ncRNA");
    let micro = gene("693193", "MIR608", "microRNA 608", "MIRN608, hsa-mir-608");
    let details = entrezgene::parse(&record("693193", "ncRNA")).unwrap();
    assert_eq!(summary::record(&micro, &details).unwrap().kind, GeneKind::MicroRna);
    let error = summary::record(&gene("1", "A1", "x", ""), &details).unwrap_err();
    assert!(error.contains("answers for gene"), "{error}");
    let wrong = json!({"result": {"uids": ["9"], "9": {"uid": "9", "error": "cannot get document summary"}}});
    assert_eq!(summary::choose("9", 9606, &wrong), Chosen::Nothing);
    assert_eq!(summary::choose("x", 9606, &json!([])), Chosen::Nothing);
}
