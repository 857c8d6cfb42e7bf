//! Downloads from a server that misbehaves in the ways that servers do.

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::fetch::table::{Checksum, FirstLine};
use crate::http::Settings;
use crate::progress::Silent;
use crate::stage::hash_bytes;

use crate::testing::clock::FakeClock;
use crate::testing::server::{self, Answer, Server};

const PLAIN: Source = Source {
    name: "hgnc",
    what: "a table",
    file: "table.txt",
    address: "http://127.0.0.1:1/never-asked",
    format: "table",
    licence: "CC0-1.0",
    smallest: 1_000,
    largest: 10_000_000,
    first_line: FirstLine::Columns(&["hgnc_id", "symbol"]),
    checksum: Checksum::Unpublished,
    import_flag: "--hgnc",
    usual: true,
};
static TABLE: Source = PLAIN;
static PACKED: Source = Source { name: "gene_info", file: "table.gz", import_flag: "--gene-info", ..PLAIN };

/// A table that does not compress to nothing.
fn table() -> Vec<u8> {
    let mut text = b"hgnc_id\tsymbol\n".to_vec();
    for n in 0..20_000_u64 {
        writeln!(text, "HGNC:{n}\tG{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
    }
    text
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

struct Case {
    folder: tempfile::TempDir,
    clock: Arc<FakeClock>,
    settings: Settings,
}

impl Case {
    fn new() -> Self {
        let clock = Arc::new(FakeClock::default());
        let settings = Settings { clock: clock.clone(), ..Settings::default() };
        Self { folder: tempfile::tempdir().unwrap(), clock, settings }
    }

    fn options(&self, source: &'static Source, server: &Server) -> FetchOptions {
        let mut mirrors = Mirrors::default();
        mirrors.add(&server.url("/dir/")).unwrap();
        let cache = self.folder.path().to_owned();
        FetchOptions { sources: vec![source], cache, offline: false, force: false, mirrors }
    }

    fn run(&self, options: &FetchOptions) -> FetchReport {
        fetch(&Client::new(self.settings.clone()).unwrap(), options, &Silent)
    }

    fn fetch(&self, source: &'static Source, server: &Server) -> Result<FetchedFile, String> {
        let mut report = self.run(&self.options(source, server));
        match report.failed.pop() {
            Some(failure) => Err(failure.error),
            None => Ok(report.files.remove(0)),
        }
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn bytes(&self, source: &Source) -> Vec<u8> {
        fs::read(self.folder.path().join(source.file)).unwrap()
    }
}

/// Requests for the file itself, not for checksums beside it.
fn asked(server: &Server) -> Vec<server::Seen> {
    let seen = server.seen().into_iter();
    seen.filter(|s| !s.target.ends_with(".md5") && !s.target.ends_with(".sha256")).collect()
}

fn no_sums(seen: &server::Seen) -> Option<Answer> {
    let sum = seen.target.ends_with(".md5") || seen.target.ends_with(".sha256");
    sum.then(|| Answer::new(404, "no such file"))
}

#[test]
fn a_dropped_connection_goes_on_where_it_ended() {
    let body = table();
    let whole = body.clone();
    let server = Server::new(move |seen, n| {
        let answer = no_sums(seen).unwrap_or_else(|| Answer::file(seen, &whole, "\"v1\""));
        if n < 2 { answer.cut_after(100_000) } else { answer }
    });
    let case = Case::new();
    let got = case.fetch(&TABLE, &server).unwrap();
    let ranges: Vec<_> = asked(&server).iter().map(|s| s.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".into()), Some("bytes=200000-".into())]);
    assert_eq!(asked(&server)[2].header("if-range"), Some("\"v1\""));
    assert_eq!(case.clock.waits().len(), 2);
    assert_eq!(case.bytes(&TABLE), body);
    assert_eq!(case.files(), ["table.txt", "table.txt.source.json"], "nothing else is left");
    assert_eq!((got.state, got.provenance.sha256.as_str()), (State::Fetched, hash_bytes(&body).as_str()));
    assert!(got.provenance.fetched.starts_with("2026-11-22T20:45:2"), "{}", got.provenance.fetched);
    assert_eq!((got.provenance.bytes, got.provenance.etag.as_deref()), (body.len() as u64, Some("\"v1\"")));
}

#[test]
fn a_later_run_goes_on_too_unless_the_server_ignores_it() {
    for ignores in [false, true] {
        let body = packed(&table());
        let whole = body.clone();
        let server = Server::new(move |seen, n| {
            if let Some(answer) = no_sums(seen) {
                return answer;
            }
            let plain = Answer::new(200, whole.clone()).header("ETag", "\"v1\"");
            match n {
                0 => plain.cut_after(50_000),
                _ if ignores => plain,
                _ => Answer::file(seen, &whole, "\"v1\""),
            }
        });
        let mut case = Case::new();
        case.settings.attempts = 1;
        let error = case.fetch(&PACKED, &server).unwrap_err();
        assert!(error.contains("broke off"), "{error}");
        assert_eq!(case.files(), ["table.gz.part", "table.gz.part.json"]);
        let got = case.fetch(&PACKED, &server).unwrap();
        assert_eq!(asked(&server)[1].header("range"), Some("bytes=50000-"));
        assert_eq!((got.state, case.bytes(&PACKED)), (State::Resumed, body), "ignores: {ignores}");
        assert_eq!(got.checked, ["size", "first line", "gzip to its end"]);
    }
}

#[test]
fn another_version_by_then_is_fetched_from_its_start() {
    // A good server sees by If-Range that the version is another; a careless one sends the rest of the new one.
    for careless in [false, true] {
        let (old, new) = (table(), table().to_ascii_lowercase());
        let (first, second) = (old, new.clone());
        let server = Server::new(move |seen, n| match n {
            0 => Answer::file(seen, &first, "\"v1\"").cut_after(70_000),
            1 if careless => {
                let range = format!("bytes 70000-{}/{}", second.len() - 1, second.len());
                let rest = Answer::new(206, &second[70_000..]);
                rest.header("Content-Range", &range).header("ETag", "\"v2\"")
            }
            _ => no_sums(seen).unwrap_or_else(|| Answer::file(seen, &second, "\"v2\"")),
        });
        let case = Case::new();
        let got = case.fetch(&TABLE, &server).unwrap();
        assert_eq!(asked(&server)[1].header("if-range"), Some("\"v1\""));
        assert_eq!(case.bytes(&TABLE), new, "careless: {careless}");
        assert_eq!(got.provenance.etag.as_deref(), Some("\"v2\""));
    }
}

#[test]
fn a_busy_server_is_waited_for() {
    let body = table();
    let whole = body.clone();
    let server = Server::new(move |seen, n| match n {
        0 => Answer::new(429, "slow down").header("Retry-After", "11"),
        1 => Answer::new(500, ""),
        _ => no_sums(seen).unwrap_or_else(|| Answer::file(seen, &whole, "\"v1\"")),
    });
    let case = Case::new();
    case.fetch(&TABLE, &server).unwrap();
    assert_eq!(case.bytes(&TABLE), body);
    let waits = case.clock.waits();
    assert_eq!((waits.len(), waits[0].as_secs()), (2, 11));

    let server = Server::new(|_, _| Answer::new(503, "<html><title>Down for repair</title></html>"));
    let error = case.fetch(&TABLE, &server).unwrap_err();
    assert!(error.contains("503 Service Unavailable: Down for repair (5 attempts)"), "{error}");
    assert!(error.ends_with("the file fetched earlier is kept: --offline uses it"), "{error}");
    assert_eq!(case.bytes(&TABLE), body);
}

#[test]
fn what_is_not_the_file_is_refused_and_the_old_one_stays() {
    let good = packed(&table());
    let cut = good[..good.len() - 100].to_vec();
    let html = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>".repeat(30);
    let other = packed(&b"#tax_id\tGeneID\n9606\t1\n".repeat(5_000));
    let broken = [&good[..9_000], &[0; 64], &good[9_064..]].concat();
    let cases = [
        (cut, "its gzip ends in the middle"),
        (html, "the server sends a page, \"Sign in\", in place of the file"),
        (table(), "the answer is not gzip"),
        (b"<html><title>No</title>".to_vec(), "the server sends a page, \"No\""),
        (good[..999].to_vec(), "it has 999 bytes, expected 1000 to 10000000"),
        (broken, "its gzip cannot be unpacked"),
        ([other, vec![0; 9_000]].concat(), "its gzip cannot be unpacked"),
        (packed(&vec![b'x'; 9_000_000]), "its first line is \"xxx"),
    ];
    let case = Case::new();
    let first = good.clone();
    let server = Server::new(move |seen, _| no_sums(seen).unwrap_or_else(|| Answer::new(200, first.clone())));
    case.fetch(&PACKED, &server).unwrap();
    for (body, expected) in cases {
        let server =
            Server::new(move |seen, _| no_sums(seen).unwrap_or_else(|| Answer::new(200, body.clone())));
        let error =
            case.run(&FetchOptions { force: true, ..case.options(&PACKED, &server) }).failed.remove(0).error;
        assert!(error.contains(expected), "{error}\n{expected}");
        assert_eq!(case.bytes(&PACKED), good);
    }
}

#[test]
fn checksums_are_compared_where_they_are_published() {
    let body = table();
    let sum = hash_bytes(&body);
    for (listed, good) in [(sum.clone(), true), (sum.replace(['1', '2'], "3"), false)] {
        let (whole, line) = (body.clone(), format!("{listed}  ./table.txt\n"));
        let server = Server::new(move |seen, _| match seen.target.as_str() {
            "/dir/table.txt.sha256" => Answer::new(200, line.clone()),
            _ => Answer::new(200, whole.clone()),
        });
        let case = Case::new();
        match case.fetch(&TABLE, &server) {
            Ok(got) => assert!(good && got.checked.contains(&"SHA-256 as table.txt.sha256 says".to_owned())),
            Err(error) => {
                let expected = format!("its SHA-256 is {sum}, expected {listed} as table.txt.sha256 says");
                assert!(!good && error.contains(&expected), "{error}");
                assert!(case.files().is_empty(), "{:?}", case.files());
            }
        }
    }
    // MD5 of another text, in a header that comes with each half.
    let whole = body.clone();
    let server = Server::new(move |seen, n| {
        let hash = "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg==";
        let answer = Answer::file(seen, &whole, "\"v1\"").header("x-goog-hash", hash);
        if n == 0 { answer.cut_after(10_000) } else { answer }
    });
    let error = Case::new().fetch(&TABLE, &server).unwrap_err();
    assert!(
        error.contains("expected d41d8cd98f00b204e9800998ecf8427e as the header x-goog-hash says"),
        "{error}"
    );
}

#[test]
fn an_unchanged_file_is_not_fetched_again_and_a_damaged_one_is() {
    let body = table();
    let whole = body.clone();
    let server =
        Server::new(move |seen, _| no_sums(seen).unwrap_or_else(|| Answer::file(seen, &whole, "\"v1\"")));
    let case = Case::new();
    let first = case.fetch(&TABLE, &server).unwrap();
    let second = case.fetch(&TABLE, &server).unwrap();
    assert_eq!(asked(&server)[1].header("if-none-match"), Some("\"v1\""));
    assert_eq!((second.state, second.provenance), (State::Unchanged, first.provenance));
    assert_eq!(case.files(), ["table.txt", "table.txt.source.json"]);

    let place = case.folder.path().join("table.txt");
    fs::write(&place, "damaged").unwrap();
    let offline = FetchOptions { offline: true, ..case.options(&TABLE, &server) };
    let failure = case.run(&offline).failed.remove(0).error;
    assert!(failure.contains("table.txt: its bytes are not those that were fetched"), "{failure}");
    assert_eq!(case.fetch(&TABLE, &server).unwrap().state, State::Fetched);
    assert_eq!(asked(&server)[2].header("if-none-match"), None);
    assert_eq!(case.bytes(&TABLE), body);

    let forced = FetchOptions { force: true, ..case.options(&TABLE, &server) };
    assert_eq!(case.run(&forced).files[0].state, State::Fetched);

    fs::remove_file(Provenance::beside(&place)).unwrap();
    let error = case.fetch(&TABLE, &server).unwrap_err();
    assert!(error.contains("was not fetched by this program"), "{error}");
    assert_eq!(case.bytes(&TABLE), body);
}

#[test]
fn offline_uses_what_is_there_and_asks_nobody() {
    let server = Server::new(|seen, _| no_sums(seen).unwrap_or_else(|| Answer::new(200, table())));
    let case = Case::new();
    case.fetch(&TABLE, &server).unwrap();
    let before = server.seen().len();
    let sources = vec![&TABLE, &PACKED];
    let report = case.run(&FetchOptions { sources, offline: true, ..case.options(&TABLE, &server) });
    assert_eq!(server.seen().len(), before);
    assert_eq!((report.files.len(), report.files[0].state), (1, State::Cached));
    assert_eq!(report.failed.len(), 1);
    let error = &report.failed[0].error;
    assert!(
        error.ends_with("table.gz: not in the cache; `geneverse genes fetch gene_info` fetches it"),
        "{error}"
    );
    let path = case.folder.path().join("table.txt").display().to_string();
    assert_eq!(report.import, ["genes", "import", "--hgnc", &path, "--out", "genes.db"]);
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_coming() {
    let server = Server::new(|seen, _| match seen.target.as_str() {
        "/dir/table.txt" => Answer::new(404, "Not Found"),
        "/dir/table.gz" => Answer::new(200, packed(&table())),
        _ => Answer::new(404, ""),
    });
    let case = Case::new();
    let report = case.run(&FetchOptions { sources: vec![&TABLE, &PACKED], ..case.options(&TABLE, &server) });
    assert!(report.failed[0].error.ends_with("/dir/table.txt: the server answers 404 Not Found: Not Found"));
    assert_eq!(report.files[0].name, "gene_info");
    assert_eq!(case.files(), ["table.gz", "table.gz.source.json"]);
}

#[test]
fn a_stop_leaves_the_part_for_the_same_command() {
    let body = table();
    let whole = body.clone();
    let server =
        Server::new(move |seen, _| no_sums(seen).unwrap_or_else(|| Answer::file(seen, &whole, "\"v1\"")));
    let mut case = Case::new();
    let stopped = Arc::new(AtomicBool::new(true));
    let (on, part) = (stopped.clone(), case.folder.path().join("table.txt.part"));
    case.settings.stop =
        Arc::new(move || on.load(Ordering::SeqCst) && part.metadata().is_ok_and(|found| found.len() > 0));
    let report = case.run(&case.options(&TABLE, &server));
    assert!(report.stopped && report.files.is_empty() && report.failed.is_empty());
    let part = fs::read(case.folder.path().join("table.txt.part")).unwrap();
    assert!(!part.is_empty() && body.starts_with(&part) && part.len() < body.len(), "{}", part.len());
    stopped.store(false, Ordering::SeqCst);
    let got = case.fetch(&TABLE, &server).unwrap();
    assert_eq!((got.state, case.bytes(&TABLE)), (State::Resumed, body));
}

#[test]
fn names_and_mirrors_are_checked() {
    let names = |names: &[&str]| sources(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let of = |wanted: &[&str]| names(wanted).unwrap().iter().map(|s| s.name).collect::<Vec<_>>();
    assert_eq!(of(&[]), ["hgnc", "gene_info", "summaries", "go", "goa"]);
    assert_eq!(of(&["goa", "hgnc"]), ["hgnc", "goa"]);
    assert_eq!(of(&["all"]).len(), SOURCES.len());
    assert!(
        names(&["hgncc"]).unwrap_err().starts_with("no source is named \"hgncc\"; there are hgnc, gene_info")
    );

    let mut mirrors = Mirrors::default();
    mirrors.add("https://m.org/genes/").unwrap();
    mirrors.add("hgnc=http://h.org/x.txt?v=1").unwrap();
    let address = |name: &str| mirrors.address(table::source(name).unwrap());
    assert_eq!(address("hgnc"), ("http://h.org/x.txt?v=1".to_owned(), true));
    assert_eq!(address("goa"), ("https://m.org/genes/goa_human.gaf.gz".to_owned(), true));
    assert!(
        Mirrors::default().add("nobody=http://x.org").unwrap_err().contains("no source is named \"nobody\"")
    );
    assert!(Mirrors::default().add("hgnc=/tmp/x").unwrap_err().contains("expected NAME=ADDRESS"));
}
