//! The page and the folders it is made of: whole, self-contained, nothing a model writes becomes markup.

use super::*;

fn item(factual: f64, structural: f64, reasons: &[&str]) -> Item {
    Item {
        id: "q".to_owned(),
        subject: "GLI1".to_owned(),
        factual,
        structural,
        bleu: Some(0.31),
        rouge1: 0.52,
        reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
        identifiers: 2,
        identifiers_right: 1,
        ..Item::default()
    }
}

/// A page as a run of the whole pipeline gives it.
fn sample() -> ReportInput {
    let row = |model: &str, s: [f64; 5], ids: Option<f64>| Row {
        model: model.to_owned(),
        n: 30,
        factual: s[0],
        structural: s[1],
        average: f64::midpoint(s[0], s[1]),
        bleu: s[2],
        rouge1: s[3],
        identifiers_right: ids,
    };
    let rows = |k: f64| {
        vec![
            row("base", [0.0, 0.03, 0.002, 0.11, 0.0], None),
            row("finetuned", [0.83 * k, 0.97, 0.61 * k, 0.74 * k, 0.0], Some(0.31 * k)),
            row("finetuned + repaired", [0.87 * k, 0.97, 0.69 * k, 0.79 * k, 0.0], Some(1.0)),
        ]
    };
    let noise = |step: usize| ((step * 7919) % 97) as f64 / 97.0 - 0.5;
    let before = "The official symbol of this gene is GLI1, provided by HGNC. Its primary source is HGNC:9999, and \
        related identifiers are Ensembl:ENSG00000011, MIM:165220. It is also known as ABC, ABC, ABC. It is \
        activated by sonic hedgehog.";
    let after = "The official symbol of this gene is GLI1, provided by HGNC. Its primary source is HGNC:4317, and \
        related identifiers are Ensembl:ENSG00000111087, MIM:165220. It is also known as GLI. It is activated by \
        sonic hedgehog.";
    let question = |subject: &str, split: &str| Question {
        split: split.to_owned(),
        subject: subject.to_owned(),
        prompt: format!("Please summarize the major function of gene: {subject}."),
        reference: after.to_owned(),
        answers: vec![
            ShownAnswer {
                model: "base".to_owned(),
                text: "the the the <script>alert(1)</script> \u{7} & co".to_owned(),
                grade: Some(item(
                    0.0,
                    0.0,
                    &["truth: does not name GLI1", "form: is too short: 8 words, expected at least 20"],
                )),
                repaired: None,
            },
            ShownAnswer {
                model: "finetuned".to_owned(),
                text: before.to_owned(),
                grade: Some(item(
                    1.0,
                    1.0,
                    &[
                        "truth: names GLI1 and its full name",
                        "form: is one finished paragraph of academic prose",
                    ],
                )),
                repaired: Some(RepairedAnswer {
                    text: after.to_owned(),
                    edits: vec![Edit::default(); 3],
                    grade: Some(item(
                        1.0,
                        1.0,
                        &[
                            "truth: names GLI1 and its full name",
                            "form: is one finished paragraph of academic prose",
                        ],
                    )),
                }),
            },
        ],
    };
    ReportInput {
        title: "Genes: a small model before and after finetuning".to_owned(),
        summary: vec![
            "A base model of 3 million parameters was finetuned on 210 genes and asked about 30 of them and about 30 \
             genes that it had never seen."
                .to_owned(),
            "On genes it has seen the answers are mostly true; on new ones it keeps the form and invents the rest. \
             Repair puts identifiers right in both."
                .to_owned(),
        ],
        splits: vec![
            SplitTable {
                name: "Seen in finetuning".to_owned(),
                note: "Genes whose descriptions were in the training data: what the model remembers.".to_owned(),
                rows: rows(1.0),
            },
            SplitTable {
                name: "Held out".to_owned(),
                note: "Genes that no training example mentions: what the model can work out.".to_owned(),
                rows: rows(0.2),
            },
        ],
        curves: vec![Curve {
            name: "Finetuning".to_owned(),
            train: (1..=400).map(|s| (s as f64, 0.5 + 5.0 * (-(s as f64) / 90.0).exp() + 0.35 * noise(s))).collect(),
            validation: (1..=8).map(|s| (s as f64 * 50.0, 1.1 + 4.0 * (-(s as f64) / 2.0).exp())).collect(),
        }],
        questions: vec![
            question("GLI1", "Seen in finetuning"),
            question("FGF7", "Seen in finetuning"),
            question("CASP10", "Held out"),
        ],
        facts: vec![("Time".to_owned(), "2 min 11 s".to_owned()), ("Peak memory".to_owned(), "0.62 GiB".to_owned())],
    }
}

#[test]
fn nothing_a_model_writes_becomes_markup() {
    let page = render(&sample());
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; \u{fffd} &amp; co"));
}

#[test]
fn the_page_makes_no_request() {
    let page = render(&sample());
    for outside in ["http://", "https://", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in ["table", "details", "section", "svg", "tr", "p", "del", "ins", "ul", "div"] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn edits_are_shown_word_by_word() {
    let page = render(&sample());
    assert!(page.contains("<del>HGNC:9999</del><wbr><ins>HGNC:4317</ins>"), "identifiers");
    assert!(page.contains("3 edits"));
}

#[test]
fn an_empty_report_is_a_page_too() {
    let page = render(&ReportInput { title: "Nothing".to_owned(), ..ReportInput::default() });
    assert!(page.contains("<h1>Nothing</h1>") && !page.contains("<table"));
}

#[test]
fn run_folders_become_tables_and_questions() {
    use geneverse_data::answers::{Answer, Task, write};
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("finetuned");
    let answer = Answer {
        id: "q".to_owned(),
        task: Task::Gene,
        subject: "GLI1".to_owned(),
        cell_type: None,
        label: None,
        prompt: "p".to_owned(),
        image: None,
        answer: "Its id is HGNC:1.".to_owned(),
        reference: "GLI1 has HGNC:4317.".to_owned(),
        model: "m".to_owned(),
    };
    let scores =
        crate::scores::evaluate(std::slice::from_ref(&answer), crate::index::GeneIndex::default()).unwrap();
    write(&run.join("answers.held-out.jsonl"), std::slice::from_ref(&answer)).unwrap();
    write(
        &run.join("answers.held-out.clean.jsonl"),
        &[Answer { answer: "Its id is HGNC:4317.".to_owned(), ..answer }],
    )
    .unwrap();
    for name in ["scores.held-out.json", "scores.held-out.clean.json"] {
        geneverse_data::stage::write_json(&run.join(name), &scores).unwrap();
    }
    let input = collect(std::slice::from_ref(&run)).unwrap();
    let rows: Vec<&str> = input.splits[0].rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(
        (input.splits[0].name.as_str(), rows),
        ("held out", vec!["finetuned", "finetuned + repaired"])
    );
    let shown = &input.questions[0].answers[0];
    assert_eq!(shown.grade.as_ref().unwrap().factual, 0.0);
    assert_eq!(shown.repaired.as_ref().unwrap().text, "Its id is HGNC:4317.");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(collect(&[empty]).unwrap_err().to_string().contains("expected a run's folder"));
}

#[test]
fn a_run_s_metrics_become_curves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let text = "{\"step\":1,\"loss\":3.5,\"lr\":0.1}\n{\"step\":1,\"eval_loss\":3.25}\n{\"step\":2,\"loss\":null}\n{\"step\":3,\"lo";
    std::fs::write(&path, text).unwrap();
    let curve = read_curve("Finetuning", &path).unwrap();
    assert_eq!((curve.train, curve.validation), (vec![(1.0, 3.5)], vec![(1.0, 3.25)]));
    std::fs::write(&path, "nonsense\n{\"step\":1}\n").unwrap();
    assert!(read_curve("x", &path).unwrap_err().to_string().contains("metrics.jsonl:1:"));
}

/// Writes the sample page for a person to look at: `REPORT_SAMPLE=/tmp/report.html cargo test`.
#[test]
fn the_sample_can_be_looked_at() {
    match std::env::var("REPORT_SAMPLE") {
        Ok(path) => std::fs::write(path, render(&sample())).unwrap(),
        Err(_) => println!("skipped: REPORT_SAMPLE is not set"),
    }
}
