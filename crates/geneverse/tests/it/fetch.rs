//! `genes fetch` against a local server: what a user sees, and what is left in the cache.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{geneverse, json};

use super::server::{Answer, Server};

/// Where the publisher's would be of 44,000 genes: as large as one that is believed, and one that can be imported.
fn hgnc() -> Vec<u8> {
    let mut text = "hgnc_id\tsymbol\tname\tlocus_type\tstatus\tlocation\n".to_owned();
    for n in 1..=60_000 {
        writeln!(
            text,
            "HGNC:{n}\tGENE{n}\tgene with the number {n}, of which nothing else is known\tgene with protein \
                        product\tApproved\t12q13.3"
        )
        .unwrap();
    }
    text.into_bytes()
}

fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command: Command = geneverse(folder, &[&["genes", "fetch"], args].concat());
    command.env("GENEVERSE_CACHE", folder.join("cache")).env("NCBI_API_KEY", "0123456789abcdef");
    command.env("NO_PROXY", "127.0.0.1").env_remove("NCBI_EMAIL");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn files_come_whole_are_kept_and_can_be_imported() {
    let body = hgnc();
    let whole = body.clone();
    let server = Server::new(move |seen, n| match seen.target.as_str() {
        "/genes/hgnc_complete_set.txt" if n == 0 => Answer::file(seen, &whole, "\"v1\"").cut_after(3_000_000),
        "/genes/hgnc_complete_set.txt" => Answer::file(seen, &whole, "\"v1\""),
        "/genes/gene_summary.gz" => Answer::new(200, "<html><head><title>Sign in</title></head></html>"),
        _ => Answer::new(404, "no such file"),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mirror = server.url("/genes");
    let (code, said, errors) = run(path, &["hgnc", "--mirror", &mirror, "--json"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("trying again in 0."), "{errors}");
    let report = json(&said);
    let place = path.join("cache/genes/hgnc_complete_set.txt");
    assert_eq!(fs::read(&place).unwrap(), body);
    assert_eq!(server.seen()[1].header("range"), Some("bytes=3000000-"));
    assert_eq!(report["files"][0]["path"].as_str(), place.to_str());
    assert_eq!(
        (&report["files"][0]["licence"], &report["files"][0]["state"]),
        (&"CC0-1.0".into(), &"fetched".into())
    );

    let import: Vec<&str> =
        report["import"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    let imported = geneverse(path, &import).arg("--json").output().unwrap();
    assert_eq!(json(&String::from_utf8(imported.stdout).unwrap())["genes"], 60_000);

    let (code, said, errors) = run(path, &["hgnc", "summaries", "gene_info", "--mirror", &mirror]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("hgnc_complete_set.txt: 7.") && said.contains("unchanged at its publisher"),
        "{said}"
    );
    assert!(said.contains("geneverse genes import \\\n      --hgnc /"), "{said}");
    assert!(errors.contains("error: 2 of 3 files are not there:"), "{errors}");
    assert!(errors.contains("gene_info: ") && errors.contains("404 Not Found: no such file"), "{errors}");
    assert!(errors.contains("the server sends a page, \"Sign in\", in place of the file"), "{errors}");

    let before = server.seen().len();
    let (code, said, _) = run(path, &["hgnc", "--offline", "--mirror", &mirror]);
    assert!(code == Some(0) && said.contains("from the cache"), "{said}");
    let (code, _, errors) = run(path, &["goa", "--offline"]);
    assert!(code == Some(1) && errors.contains("goa_human.gaf.gz: not in the cache"), "{errors}");
    let (code, said, _) = run(path, &["--list"]);
    assert!(code == Some(0) && said.contains("in cache  7.") && said.contains("CC-BY-4.0"), "{said}");
    assert_eq!(server.seen().len(), before, "nobody was asked");

    let (code, _, errors) = run(path, &["hgncc"]);
    assert!(code == Some(1) && errors.contains("no source is named \"hgncc\"; there are hgnc"), "{errors}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_has_come_for_the_same_command() {
    let body = hgnc();
    let whole = body.clone();
    let server = Server::new(move |seen, n| match n {
        0 => Answer::file(seen, &whole, "\"v1\"").cut_after(4_000_000),
        1 => Answer::new(503, "busy").header("Retry-After", "250"),
        _ if seen.target.ends_with(".txt") => Answer::file(seen, &whole, "\"v1\""),
        _ => Answer::new(404, ""),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mirror = server.url("");
    let args = ["hgnc", "--cache", "files", "--mirror", &mirror];
    let mut command = geneverse(path, &[&["genes", "fetch"], &args[..]].concat());
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .env("NO_PROXY", "127.0.0.1");
    let child = command.spawn().unwrap();
    while server.seen().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // SAFETY: a signal to a process that was started here and has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("the same command goes on with it"), "{said}");
    assert_eq!(fs::metadata(path.join("files/hgnc_complete_set.txt.part")).unwrap().len(), 4_000_000);

    let (code, said, errors) = run(path, &args);
    assert!(code == Some(0) && said.contains("fetched, from where it had ended"), "{said}{errors}");
    assert_eq!(server.seen()[2].header("range"), Some("bytes=4000000-"));
    assert_eq!(fs::read(path.join("files/hgnc_complete_set.txt")).unwrap(), body);
}

#[test]
fn genes_of_ncbi_become_records_without_a_trace_of_the_key() {
    let server = Server::new(|seen, _| {
        let of = |tool: &str| seen.target.starts_with(&format!("/eutils/{tool}.fcgi?"));
        if of("esearch") && seen.target.contains("term=%22GLI1%22%5B") {
            Answer::new(200, r#"{"esearchresult": {"count": "1", "idlist": ["2735"]}}"#)
        } else if of("esearch") {
            Answer::new(200, r#"{"esearchresult": {"count": "0", "idlist": []}}"#)
        } else if of("esummary") {
            let gene = r#"{"uid": "2735", "name": "GLI1", "description": "GLI family zinc finger 1", "mim": ["165220"],
                "nomenclaturesymbol": "GLI1", "nomenclaturename": "GLI family zinc finger 1", "otheraliases": "GLI",
                "summary": "A factor.", "organism": {"taxid": 9606}}"#;
            Answer::new(200, format!(r#"{{"result": {{"uids": ["2735"], "2735": {gene}}}}}"#))
        } else if seen.target.contains("api_key=0123456789abcdef") {
            let kind = "<Entrezgene_type value=\"protein-coding\">6</Entrezgene_type>";
            Answer::new(200, format!("<Entrezgene-Set><Entrezgene>{kind}</Entrezgene></Entrezgene-Set>"))
        } else {
            Answer::new(400, "who asks?")
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mirror = format!("eutils={}", server.url("/eutils"));
    let asked = ["--gene", "GLI1, NOGENE", "--out", "records.jsonl", "--mirror", &mirror];
    let (code, said, errors) = run(path, &asked);
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        said.contains("records.jsonl: 1 genes")
            && said.contains("not found: NOGENE (no gene of species 9606"),
        "{said}"
    );
    let (code, _, errors) = run(path, &["--gene", "NOGENE", "--out", "none.jsonl", "--mirror", &mirror]);
    assert!(code == Some(1) && errors.contains("none of the genes was found"), "{errors}");
    let import = ["genes", "import", "--records", "records.jsonl", "--out", "genes.db", "--json"];
    let imported = geneverse(path, &import).output().unwrap();
    assert_eq!(json(&String::from_utf8(imported.stdout).unwrap())["genes"], 1);

    drop(server);
    let nobody =
        ["--gene", "TP53", "--out", "b.jsonl", "--mirror", "eutils=http://127.0.0.1:1/eutils", "--offline"];
    let (code, _, errors) = run(path, &nobody);
    assert!(code == Some(1) && !errors.contains("panicked"), "{errors}");
    let found = Command::new("grep").args(["-rlE", "0123456789abcdef"]).arg(path).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}
