//! The page's files, headers and routes, asked without a browser: `tests/page/` has one.

use std::fs;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use geneverse_data::stage::hash_bytes;
use geneverse_data::structure::ideal::{Fold, build};
use geneverse_data::structure::write_pdb;
use serde_json::{Value, json};

use super::super::http::Body;
use super::super::tests::{app, json_of, known, request};
use super::super::{App, answer};
use super::*;

fn get(app: &Arc<App>, path: &str) -> (u16, Value) {
    json_of(app, &request("GET", path, &Value::Null))
}

fn post(app: &Arc<App>, path: &str, body: Value) -> (u16, Value) {
    json_of(app, &request("POST", path, &body))
}

/// What a path is answered with: status, headers, media type, text.
fn page(app: &Arc<App>, path: &str) -> (u16, Vec<(&'static str, String)>, &'static str, String) {
    let (response, _) = answer(app, &request("GET", path, &Value::Null), &|| false);
    let Body::Whole { kind, bytes } = response.body else { panic!("{path} is a stream") };
    (response.status, response.headers, kind, String::from_utf8(bytes).unwrap())
}

#[test]
fn the_page_comes_with_a_policy_and_asks_for_nothing_that_is_not_there() {
    // The page is for everybody; what it asks wants the key.
    let app = app(|app| app.keys = vec![hash_bytes(b"secret")]);
    let (status, headers, kind, html) = page(&app, "/");
    assert_eq!((status, kind), (200, "text/html; charset=utf-8"));
    let policy = &headers.iter().find(|(name, _)| *name == "Content-Security-Policy").unwrap().1;
    let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
    for wanted in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(directives.contains(&wanted), "{wanted} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("//"), "{policy}");
    assert!(headers.contains(&("Referrer-Policy", "no-referrer".to_owned())));
    // Every file that a file names is there, and every file is named by one.
    let mut named: Vec<String> = Vec::new();
    for (name, _, text) in FILES {
        assert_eq!(page(&app, &format!("/page/{name}")).0, 200, "{name}");
        for marked in ["\"/page/", "from \"./"] {
            named.extend(text.split(marked).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    for name in &named {
        assert!(FILES.iter().any(|(known, ..)| known == name), "{name} is no file of the page");
    }
    for (name, ..) in FILES.iter().filter(|(name, ..)| *name != "index.html") {
        assert!(named.iter().any(|known| known == name), "nothing names {name}");
    }
    assert!(html.contains("<main"));
    assert_eq!(get(&app, "/about").0, 401);
    for path in
        ["/page/", "/page/..%2Fpage.rs", "/page/../mod.rs", "/page/%2e%2e/Cargo.toml", "/page/none.js"]
    {
        assert_eq!(get(&app, path).1["error"]["message"], "the page has no such file", "{path}");
    }
}

#[test]
fn no_file_of_the_page_makes_markup_or_asks_elsewhere() {
    for (name, _, text) in FILES {
        // The name of SVG's vocabulary is no address.
        let text = text.replace("http://www.w3.org/2000/svg", "").to_lowercase();
        // A file that a person drops is read so; nothing is fetched by it.
        let text = text.replace("readasdataurl(", "");
        for forbidden in [
            "http:",
            "https:",
            "\"//",
            "'//",
            "innerhtml",
            "outerhtml",
            "insertadjacenthtml",
            "document.write",
            "eval(",
            "new function",
            "srcdoc",
            "createcontextualfragment",
            "domparser",
            "javascript:",
            "localstorage",
            "document.cookie",
            "import(",
            "@import",
            "url(",
            " style=",
            "<style",
            "serviceworker",
        ] {
            assert!(!text.contains(forbidden), "{name}: found {forbidden}");
        }
        if name.ends_with(".html") {
            let mut tags = text.split('<').skip(1).map(|tag| tag.split('>').next().unwrap());
            assert!(
                !tags.clone().any(|tag| tag.split_whitespace().any(|word| word.starts_with("on"))),
                "{name}"
            );
            assert!(
                tags.all(|tag| !tag.starts_with("script") || tag.contains("src=")),
                "{name}: a script in the page"
            );
        }
    }
}

#[test]
fn about_tells_what_there_is() {
    let bare = app(|_| {});
    let (status, about) = get(&bare, "/about");
    assert_eq!((status, &about["models"]), (200, &json!([{"id": "nano", "adapter": false}])));
    assert_eq!(
        (&about["database"], &about["plane"], &about["runs"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    assert_eq!(about["sees"], false);
    assert!(about["questions"]["gene"].as_str().unwrap().contains("{gene}"));
    assert!(about["questions"]["marker"].as_str().unwrap().contains("{type}"));
    for (path, message) in [
        ("/runs", "this server was told of no runs; start it with --runs"),
        ("/plane", "this server was told of no clustering; start it with --clusters"),
        ("/plane/GLI1", "this server was told of no clustering; start it with --clusters"),
    ] {
        let (status, value) = get(&bare, path);
        assert_eq!((status, &value["error"]["message"]), (404, &json!(message)));
    }
    assert_eq!(get(&bare, "/render/protein").0, 405);
    assert_eq!(post(&bare, "/runs", json!({})).0, 405);
}

#[test]
fn a_question_can_be_read_with_the_record_and_its_answer_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("umap.csv"), "id,x,y,cluster\nGLI1,0,0,0\nGLI2,1,0,0\n").unwrap();
    let app = app(|app| {
        app.known = Some(known(folder.path()));
        app.shown.plane = Some(Plane::read(folder.path()).unwrap());
    });
    assert_eq!(get(&app, "/about").1["database"], json!({"genes": 1, "examples": ["GLI1"]}));
    let messages = json!([{"role": "user", "content": "What is GLI1?"}]);
    let ask =
        |ours: Value| post(&app, "/v1/chat/completions", json!({"messages": messages, "geneverse": ours}));
    let (_, alone) = ask(json!({"check": true}));
    let (status, read) = ask(json!({"check": true, "retrieve": true}));
    assert_eq!((status, &read["geneverse"]["genes"]), (200, &json!(["GLI1"])));
    let tokens = |value: &Value| value["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(tokens(&read) > tokens(&alone) + 5, "the record is read too");
    let (status, wrong) = ask(json!({"retrieve": "yes"}));
    assert_eq!(status, 400);
    assert_eq!(wrong["error"]["message"], "geneverse is expected to be {\"check\": true}");
    // By an alias too; neighbours by the plane where there are no vectors.
    let (status, near) = get(&app, "/plane/GLI");
    assert_eq!((status, &near["id"], &near["by"]), (200, &json!("GLI1"), &json!("distance")));
    assert_eq!(near["near"], json!([{"id": "GLI2", "name": null, "near": 1.0, "cluster": 0}]));
    assert_eq!(get(&app, "/plane/NOPE").1["error"]["code"], "not_clustered");
    assert_eq!(get(&app, "/plane").1["x"], json!([0.0, 1.0]));
}

#[test]
fn runs_are_listed_and_their_losses_told_from_where_one_stands() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let run = runs.join("lora/second");
    fs::create_dir_all(&run).unwrap();
    fs::create_dir_all(runs.join("empty")).unwrap();
    fs::create_dir_all(runs.join(".hidden")).unwrap();
    fs::write(runs.join(".hidden/metrics.jsonl"), "").unwrap();
    fs::write(folder.path().join("metrics.jsonl"), "{\"step\":1,\"loss\":9}\n").unwrap();
    let log = run.join("metrics.jsonl");
    fs::write(
        &log,
        "{\"step\":1,\"loss\":3.5,\"epoch\":0.5}\n{\"step\":1,\"eval_loss\":4}\n{\"step\":2,\"lo",
    )
    .unwrap();
    fs::write(run.join("recipe.toml"), "epochs = 2\n").unwrap();
    fs::write(run.join("report.html"), "<h1>A report</h1>").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), runs.join("link")).unwrap();
    let app = app(|app| app.shown.runs = Some(Runs::new(&runs).unwrap()));

    let (status, list) = get(&app, "/runs");
    let list = list["runs"].as_array().unwrap().clone();
    assert_eq!((status, list.len()), (200, 1), "{list:?}");
    let found = &list[0];
    assert_eq!(found["name"], "lora/second");
    assert_eq!((&found["trains"], &found["finished"]), (&json!(true), &json!(false)));
    assert_eq!(found["last"], json!({"step": 1, "epoch": 0.5, "loss": 3.5}));
    let id = found["id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("/runs/{id}")).1["recipe"], "epochs = 2\n");

    let losses = |from: u64| get(&app, &format!("/runs/{id}/losses/{from}")).1;
    let first = losses(0);
    assert_eq!((&first["train"], &first["validation"]), (&json!([[1, 3.5]]), &json!([[1, 4.0]])));
    let next = first["next"].as_u64().unwrap();
    assert_eq!(losses(next)["train"], json!([]), "a line that is not whole is left");
    let text = fs::read_to_string(&log).unwrap() + "ss\":2.5,\"epoch\":1}\n";
    fs::write(&log, text).unwrap();
    assert_eq!(losses(next)["train"], json!([[2, 2.5]]));
    let anew = losses(1000);
    assert_eq!((&anew["begun_anew"], anew["train"].as_array().unwrap().len()), (&json!(true), 2));
    fs::write(run.join("manifest.json"), "{\"stage\":\"train\",\"facts\":{\"outcome\":{\"steps\":2}}}")
        .unwrap();
    let shown = get(&app, &format!("/runs/{id}")).1;
    assert_eq!((&shown["finished"], &shown["facts"]["outcome"]["steps"]), (&json!(true), &json!(2)));

    // Only what the server has named is there.
    for path in [
        "/runs/..",
        "/runs/%2e%2e",
        "/runs/lora%2Fsecond",
        "/runs/../metrics.jsonl",
        "/runs/..%2F/losses/0",
        "/runs//losses/0",
        "/runs/%2Fetc%2Fpasswd",
        "/runs/link",
    ] {
        let (status, value) = get(&app, path);
        assert_eq!((status, &value["error"]["code"]), (404, &json!("run_not_found")), "{path}");
    }
    assert_eq!(get(&app, &format!("/runs/{id}/losses/-1")).0, 400);
    assert_eq!(get(&app, "/reports/..%2Freport.html").0, 404);
    assert_eq!(get(&app, &format!("/reports/{id}")).0, 404, "a report has a name of its own");
}

#[test]
fn a_report_is_a_stranger_to_the_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("report.html"), "<h1>A report</h1>").unwrap();
    let app = app(|app| {
        app.keys = vec![hash_bytes(b"secret")];
        app.shown.runs = Some(Runs::new(folder.path()).unwrap());
    });
    assert_eq!(get(&app, "/runs").0, 401);
    let mut asked = request("GET", "/runs", &Value::Null);
    asked.headers.push(("authorization".to_owned(), "Bearer secret".to_owned()));
    let (_, list) = json_of(&app, &asked);
    let name = list["runs"][0]["report"].as_str().unwrap();
    // A link carries no key; its name is enough, and is told to those only who have one.
    let (status, headers, kind, html) = page(&app, name);
    assert_eq!((status, kind, html.as_str()), (200, "text/html; charset=utf-8", "<h1>A report</h1>"));
    let policy = &headers.iter().find(|(name, _)| *name == "Content-Security-Policy").unwrap().1;
    assert!(policy.starts_with("sandbox allow-scripts; default-src 'none';"), "{policy}");
    assert!(!policy.contains("allow-same-origin") && !policy.contains("connect-src"), "{policy}");
}

/// A file as a browser sends it.
fn sent(name: &str, bytes: &[u8]) -> Value {
    json!({"name": name, "data": STANDARD.encode(bytes)})
}

#[test]
fn structures_are_drawn_and_what_is_none_is_told() {
    let app = app(|_| {});
    let mut pdb = Vec::new();
    write_pdb(&build(Fold::all()[0], 1), &mut pdb).unwrap();
    let draw = |body: Value| post(&app, "/render/protein", body);
    let (status, drawn) = draw(json!({"file": sent("one.pdb", &pdb), "size": 64, "rotate": [0, 90, 0]}));
    assert_eq!(status, 200, "{drawn}");
    assert!(drawn["picture"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    assert!(
        drawn["residues"].as_u64().unwrap() > 10 && drawn["chains"].as_array().unwrap().len() == 1,
        "{drawn}"
    );
    let message = |body: Value| {
        let (status, value) = draw(body);
        (status, value["error"]["message"].as_str().unwrap().to_owned())
    };
    let (status, why) = message(json!({"file": sent("../../etc/a b.txt", b"hello")}));
    assert_eq!(status, 400);
    assert!(why.starts_with("a_b.txt: begins with \"hello\", expected a PDB file"), "{why}");
    assert_eq!(
        message(json!({"file": sent("one.pdb", &pdb), "size": 9000})),
        (400, "size is 9000, expected 64 to 1024".to_owned())
    );
    assert_eq!(
        message(json!({"file": sent("one.pdb", &pdb), "color": "red"})),
        (400, "color is \"red\", expected secondary, plddt, rainbow or chain".to_owned())
    );
    assert!(message(json!({"file": {"name": "a.pdb", "data": "_"}})).1.starts_with("a.pdb: is no base64: "));
    assert!(message(json!({"file": 1})).1.starts_with("the body is not as expected: "));
    assert!(
        message(json!({"file": sent("one.pdb", &pdb), "color": "plddt"})).1.contains("not known to be pLDDT")
    );
}

#[test]
fn tissues_are_drawn_by_gene_and_type() {
    let app = app(|_| {});
    let table = "cell,x,y,cell_type,GLI1,SHH\na,0,0,T cell,3,0\nb,10,0,B cell,0,2\nc,0,10,T cell,5,1\n";
    let draw = |body: Value| post(&app, "/render/tissue", body);
    let files = json!([sent("cells.csv", table.as_bytes())]);
    let (status, drawn) = draw(json!({"files": files, "size": 64}));
    assert_eq!(status, 200, "{drawn}");
    assert_eq!((&drawn["cells"], &drawn["types"]), (&json!(3), &json!(["B cell", "T cell"])));
    assert_eq!((&drawn["gene"], &drawn["type"]), (&drawn["genes"][0], &json!("B cell")));
    let asked = json!({"files": files, "size": 64, "gene": "SHH", "type": "T cell", "layout": "panels"});
    assert_eq!(draw(asked).1["gene"], "SHH");
    let message = |body: Value| draw(body).1["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(message(json!({"files": files, "gene": "NOPE"})), "the tissue has no gene \"NOPE\"");
    assert_eq!(message(json!({"files": []})), "there are 0 files, expected 1 to 8");
    let packed = message(json!({"files": [sent("a.csv", b"\x89HDF\r\n\x1a\n")]}));
    assert!(
        packed.starts_with("a.csv: is an HDF5 or Parquet file, which this page does not take"),
        "{packed}"
    );
    let wrong = message(json!({"files": [sent("a.csv", b"x"), sent("b.csv", b"y")]}));
    assert!(wrong.starts_with("the files: holds no counts") && !wrong.contains("/tmp"), "{wrong}");
}
