//! Folders on disk, as the stages leave them, become the page's tables, contexts and questions.

use std::fs;
use std::path::Path;

use geneverse_data::answers::{Answer, write};
use geneverse_data::dataset::{Example, write_examples};
use geneverse_data::progress::Silent;
use geneverse_data::stage::{hash_file, write_json};
use serde_json::{Value, json};

use super::*;

fn answer(subject: &str, text: &str) -> Answer {
    Answer {
        id: format!("gene-{subject}"),
        task: Task::Gene,
        subject: subject.to_owned(),
        cell_type: None,
        label: None,
        prompt: format!("What does the gene {subject} do?"),
        image: None,
        answer: text.to_owned(),
        reference: format!(
            "{subject} opens the ring of small sugars in the liver and is lost in a rare disease."
        ),
        model: "m".to_owned(),
    }
}

fn example(answer: &Answer) -> Example {
    Example {
        id: answer.id.clone(),
        task: answer.task,
        subject: answer.subject.clone(),
        instruction: answer.prompt.clone(),
        input: String::new(),
        output: answer.reference.clone(),
        ..Example::default()
    }
}

/// A `scores.json` with as much in it as asked for.
fn scores(answers: &[Answer], factual: &[f64], more: Value) -> Value {
    let items: Vec<Value> = answers
        .iter()
        .zip(factual)
        .map(|(answer, factual)| {
            json!({"id": answer.id, "subject": answer.subject, "factual": factual, "structural": 1.0, "rouge1": 0.5,
                   "reasons": ["truth: so it is"]})
        })
        .collect();
    let mean = factual.iter().sum::<f64>() / factual.len() as f64;
    let mut scores = json!({"task": "gene", "n": items.len(), "factual": mean, "structural": 1.0,
        "average": f64::midpoint(mean, 1.0), "bleu": 0.1, "rouge1": 0.5, "items": items, "identifiers": 0,
        "identifiers_right": null, "model": "m"});
    scores.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    scores
}

fn of(folders: &[&Path]) -> Collect {
    let runs = folders.iter().map(|folder| Run { folder: folder.to_path_buf(), train: None }).collect();
    Collect { runs, pictures: 1 << 20, ..Collect::default() }
}

#[test]
fn run_folders_become_tables_and_questions() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("finetuned");
    let said = answer("GLI1", "Its id is HGNC:1.");
    let clean = Answer { answer: "Its id is HGNC:4317.".to_owned(), ..said.clone() };
    write(&run.join("answers.held-out.jsonl"), std::slice::from_ref(&said)).unwrap();
    write(&run.join("answers.held-out.clean.jsonl"), std::slice::from_ref(&clean)).unwrap();
    let edits = r#"{"id":"gene-GLI1","subject":"GLI1","status":"repaired","edits":[{"what":"HGNC id","from":"HGNC:1","to":"HGNC:4317"}]}"#;
    fs::write(run.join("answers.held-out.clean.jsonl.edits.jsonl"), edits).unwrap();
    let (answers, later) = (
        std::slice::from_ref(&said),
        json!({"rouge_l": 0.25, "claim_recall": 0.5, "intervals": {"bleu": [0.05, 0.2], "odd": "x"},
               "from another version": {"x": 1}}),
    );
    write_json(&run.join("scores.held-out.json"), &scores(answers, &[0.0], json!({}))).unwrap();
    let mut later = scores(answers, &[1.0], later);
    let list = json!([{"kind": "location", "text": "at 1p1", "verdict": "not_in_record"}]);
    later["items"][0]["claims"] = json!({"supported": 0, "list": list});
    write_json(&run.join("scores.held-out.clean.json"), &later).unwrap();

    let input = collect(&of(&[&run]), &Silent).unwrap();
    let table = &input.splits[0];
    let rows: Vec<&str> = table.rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!((table.name.as_str(), rows), ("held out", vec!["finetuned", "finetuned + repaired"]));
    assert_eq!(table.rows[1].more["rouge_l"], 0.25);
    assert_eq!(table.rows[1].intervals["bleu"], [0.05, 0.2]);
    assert_eq!(table.rows[1].intervals["factual"], [1.0, 1.0], "made from the items");
    assert!(!table.rows[1].intervals.contains_key("odd") && table.contexts.is_empty());
    let change = &table.differences[0];
    assert_eq!((change.shared, change.scores[0]), (1, ("factual", 1.0, [1.0, 1.0])));
    let [said, repaired] = input.questions[0].answers.as_slice() else { panic!("two answers") };
    assert_eq!(said.grade.as_ref().unwrap().factual, 0.0);
    assert_eq!(said.before, None);
    assert_eq!(
        (repaired.before.as_deref(), repaired.text.as_str()),
        (Some("Its id is HGNC:1."), "Its id is HGNC:4317.")
    );
    assert_eq!(repaired.edits[0].to, "HGNC:4317");
    assert_eq!(repaired.grade.as_ref().unwrap().claims[0].text, "at 1p1");

    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(collect(&of(&[&empty]), &Silent).unwrap_err().to_string().contains("expected a run's folder"));
}

/// Two runs of one name, on the same questions: columns side by side, told apart by their paths.
#[test]
fn runs_of_one_name_are_told_apart_and_share_their_questions() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ["one/run", "two/run"].map(|run| folder.path().join(run));
    for run in &runs {
        write(&run.join("answers.jsonl"), &[answer("GLI1", "x"), answer("KDR", "y")]).unwrap();
    }
    let input = collect(&of(&[&runs[0], &runs[1], &runs[1]]), &Silent).unwrap();
    assert_eq!(input.questions.len(), 2);
    let names: Vec<&str> = input.questions[1].answers.iter().map(|answer| answer.model.as_str()).collect();
    assert_eq!(names, ["one/run", "run (2)", "run (3)"]);
    assert!(input.splits.is_empty(), "nothing was graded");
}

fn dataset(folder: &Path, train: &[Answer], test: &[Answer]) {
    let put = |name: &str, answers: &[Answer]| {
        let examples: Vec<Example> = answers.iter().map(example).collect();
        write_examples(&folder.join(name), &examples).unwrap();
    };
    put("train.json", train);
    put("test.json", test);
    let finding = |count: usize| json!({"count": count, "share": count as f64 / 2.0, "shown": []});
    let leakage = json!([{"from": "train", "into": "test", "examples": 2, "same_text": finding(0), "near": finding(0),
        "same_gene": finding(0), "same_group": finding(2)}]);
    let overlap = |rouge1: f64| json!({"bleu": 0.3, "rouge1": rouge1});
    let retrieval = json!([{"split": "test", "scored": 2, "of": 2, "by_question": overlap(0.4), "by_name": null,
        "best": overlap(0.6)}]);
    write_json(
        &folder.join("manifest.json"),
        &json!({"stage": "dataset genes", "version": "0", "key": {}, "facts": {"leakage": leakage, "retrieval": retrieval}}),
    )
    .unwrap();
}

#[test]
fn what_training_data_has_of_the_questions_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let test = [answer("GLI1", "x"), answer("KDR", "y")];
    let train = [answer("ACSS3", ""), answer("FGF7", "")];
    dataset(&at("dataset"), &train, &test);
    let run = at("runs/tuned");
    let put = |split: &str, answers: &[Answer]| {
        write(&run.join(format!("answers.{split}.jsonl")), answers).unwrap();
        let graded = scores(answers, &vec![0.0; answers.len()], json!({}));
        write_json(&run.join(format!("scores.{split}.json")), &graded).unwrap();
    };
    put("held-out", &test);
    put("mine", &test[..1]);
    put("seen", &train);
    let trained = |hash: String| {
        let manifest = json!({"stage": "train", "key": {"inputs": {"train": hash}, "seed": 3}, "facts": {"peak_rss_mib": 315}});
        write_json(&run.join("manifest.json"), &manifest).unwrap();
    };
    trained(hash_file(&at("dataset/train.json")).unwrap());

    // The recipe's path is of another folder, from which both were moved.
    let mut what = of(&[&run]);
    what.runs[0].train = Some("elsewhere/dataset/train.json".into());
    let input = collect(&what, &Silent).unwrap();
    assert_eq!(
        input.runs[0].1,
        [("Seed".to_owned(), "3".to_owned()), ("Peak memory".to_owned(), "315 MiB".to_owned())]
    );
    let context = |name: &str| {
        let table = input.splits.iter().find(|table| table.name == name).unwrap();
        let [context] = table.contexts.as_slice() else { panic!("one dataset") };
        assert_eq!(
            (context.dataset.as_str(), context.runs.as_slice()),
            ("dataset", &["tuned".to_owned()][..])
        );
        assert!(context.warnings.is_empty(), "{:?}", context.warnings);
        context
    };
    // A whole split: the dataset's own facts.
    let held_out = context("held out");
    assert_eq!(held_out.leakage.as_ref().unwrap().same_group.as_ref().unwrap().count, 2);
    assert_eq!(held_out.retrieval.as_ref().unwrap().best.rouge1, 0.6);
    // A part of one: measured on just these. The texts are the same but for the gene's symbol.
    let mine = context("mine");
    assert_eq!(mine.places, [("test".to_owned(), 1)]);
    let leaked = mine.leakage.as_ref().unwrap();
    assert_eq!((leaked.examples, leaked.same_text.count, leaked.same_group.is_none()), (1, 1, true));
    // ROUGE-1 of 17 words of which one differs.
    assert!((mine.retrieval.as_ref().unwrap().best.rouge1 - 16.0 / 17.0).abs() < 1e-9);
    // Trained on: nothing to look up.
    let seen = context("seen");
    assert_eq!((seen.places.as_slice(), seen.leakage.is_none()), (&[("train".to_owned(), 2)][..], true));
    let page = render(&input);
    assert!(page.contains("all 2 questions with their references"));
    assert!(page.contains("the same text: <b>1</b> (100 %)"));

    // Other bytes than the run was trained on are told.
    trained("0".repeat(64));
    let changed = collect(&what, &Silent).unwrap();
    assert!(
        changed.splits[0].contexts[0].warnings[0].contains("trained on other data than train.json holds now")
    );

    // Named, it has to be there; beside the runs, it is found.
    what.dataset = Some(at("nowhere"));
    let error = collect(&what, &Silent).unwrap_err().to_string();
    assert!(error.ends_with(
        "nowhere: found no training file, expected a dataset's folder with train.json or its training file"
    ));
    fs::rename(at("dataset"), at("runs/dataset")).unwrap();
    let beside = collect(&of(&[&run]), &Silent).unwrap();
    assert!(beside.splits[0].contexts[0].runs.is_empty() && !beside.splits[0].contexts[0].places.is_empty());
}

#[test]
fn pictures_are_shown_where_they_are_and_named_where_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir_all(folder.path().join("pictures")).unwrap();
    fs::write(folder.path().join("pictures/a.png"), b"\x89PNG\r\n").unwrap();
    let marker = |subject: &str, image: &str| Answer {
        task: Task::Marker,
        cell_type: Some("STAB2+ Endothelial".to_owned()),
        label: Some("yes".to_owned()),
        image: Some(image.to_owned()),
        ..answer(subject, "Yes.")
    };
    write(&run.join("answers.jsonl"), &[marker("KDR", "pictures/a.png"), marker("GLI1", "pictures/b.png")])
        .unwrap();
    let input = collect(&of(&[&run]), &Silent).unwrap();
    assert_eq!(input.pictures.len(), 1);
    let page = render(&input);
    assert!(
        page.contains("<script type=\"text/plain\" id=\"picture-0\">data:image/png;base64,iVBORw0K</script>")
    );
    let shown = data(&page, "piece-0");
    assert_eq!(shown[0]["picture"], json!(["pictures/a.png", 0]));
    assert_eq!(shown[1]["picture"], json!(["pictures/b.png", "the file is not there any more"]));
    assert_eq!((&shown[0]["cell_type"], &shown[0]["label"]), (&json!("STAB2+ Endothelial"), &json!("yes")));
}
