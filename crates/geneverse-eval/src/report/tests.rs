//! The page and the folders it is made of: whole, self-contained, nothing a model writes becomes markup.

mod folders;

use geneverse_data::dataset::compare::Finding;
use geneverse_data::dataset::retrieval::Overlap;

use super::*;

fn grade(factual: f64, structural: f64, reasons: &[&str]) -> Grade {
    Grade {
        id: "q".to_owned(),
        factual,
        structural,
        bleu: Some(0.31),
        rouge1: 0.52,
        reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
        identifiers: 2,
        identifiers_right: 1,
        ..Grade::default()
    }
}

/// What a model or a file may hold that must stay text.
const HOSTILE: &str =
    "</script><script>alert(1)</script> \u{7} & <img src=x onerror='alert(2)'> \" onmouseover=\"alert(3)";

/// A page as a run of the whole pipeline gives it.
fn sample() -> ReportInput {
    let row = |model: &str, s: [f64; 4], ids: Option<f64>| Row {
        model: model.to_owned(),
        n: 30,
        factual: s[0],
        structural: s[1],
        average: f64::midpoint(s[0], s[1]),
        bleu: s[2],
        rouge1: s[3],
        identifiers_right: ids,
        more: [("claim_precision".to_owned(), s[0]), ("hallucinated_identifiers".to_owned(), 1.0 - s[0])]
            .into(),
        intervals: [("factual".to_owned(), [(s[0] - 0.1).max(0.0), s[0] + 0.1])].into(),
    };
    let rows = |k: f64| {
        vec![
            row("base", [0.0, 0.03, 0.002, 0.11], None),
            row("finetuned", [0.83 * k, 0.97, 0.61 * k, 0.74 * k], Some(0.31 * k)),
            row("finetuned + repaired", [0.87 * k, 0.97, 0.69 * k, 0.79 * k], Some(1.0)),
        ]
    };
    let noise = |step: usize| ((step * 7919) % 97) as f64 / 97.0 - 0.5;
    let before = "The official symbol of this gene is GLI1, provided by HGNC. Its primary source is HGNC:9999, and \
        related identifiers are Ensembl:ENSG00000011, MIM:165220. It is also known as ABC, ABC, ABC. It is \
        activated by sonic hedgehog.";
    let after = "The official symbol of this gene is GLI1, provided by HGNC. Its primary source is HGNC:4317, and \
        related identifiers are Ensembl:ENSG00000111087, MIM:165220. It is also known as GLI. It is activated by \
        sonic hedgehog.";
    let edit =
        |what: &str, from: &str, to: &str| Edit { what: what.into(), from: from.into(), to: to.into() };
    let claim = |text: &str, verdict: &str, record: Option<&str>| ShownClaim {
        kind: "alias".into(),
        text: text.into(),
        verdict: verdict.into(),
        field: record.map(|_| "aliases".into()),
        record: record.map(str::to_owned),
        why: None,
    };
    let question = |subject: &str, split: &str| Question {
        split: split.to_owned(),
        id: format!("gene-{subject}"),
        task: Some(Task::Gene),
        subject: subject.to_owned(),
        prompt: format!("Please summarize the major function of gene: {subject}."),
        reference: after.to_owned(),
        answers: vec![
            ShownAnswer {
                model: "base".to_owned(),
                text: format!("the the the {HOSTILE}"),
                grade: Some(grade(0.0, 0.0, &["truth: does not name GLI1", "form: is too short"])),
                ..ShownAnswer::default()
            },
            ShownAnswer {
                model: "finetuned".to_owned(),
                text: before.to_owned(),
                grade: Some(grade(1.0, 1.0, &["truth: names GLI1", "form: is one finished paragraph"])),
                ..ShownAnswer::default()
            },
            ShownAnswer {
                model: "finetuned + repaired".to_owned(),
                text: after.to_owned(),
                before: Some(before.to_owned()),
                edits: vec![
                    edit("HGNC id", "HGNC:9999", "HGNC:4317"),
                    edit("Ensembl id", "Ensembl:ENSG00000011", "Ensembl:ENSG00000111087"),
                    edit("alias list", "ABC, ABC, ABC", "GLI"),
                ],
                grade: Some(Grade {
                    claims: vec![
                        claim("is also known as ABC", "contradicted", Some("GLI")),
                        claim("is activated by sonic hedgehog", "not_in_record", None),
                    ],
                    ..grade(1.0, 1.0, &["truth: names GLI1"])
                }),
            },
        ],
        ..Question::default()
    };
    let finding = |count: usize, pair: [&str; 2]| Finding {
        count,
        share: count as f64 / 30.0,
        shown: if count > 0 { vec![pair.map(str::to_owned)] } else { Vec::new() },
    };
    let overlap = |bleu, rouge1| Overlap { bleu, rouge1, function: Some(0.1) };
    let context = Context {
        dataset: "dataset".to_owned(),
        runs: vec!["finetuned".to_owned()],
        questions: 30,
        places: vec![("test".to_owned(), 30)],
        leakage: Some(Leakage {
            from: "train".to_owned(),
            into: "test".to_owned(),
            examples: 30,
            same_text: finding(0, ["", ""]),
            near: finding(1, ["gene-A", "gene-B"]),
            same_gene: finding(0, ["", ""]),
            same_group: Some(finding(12, ["gene-CASP10", "gene-CASP1"])),
        }),
        retrieval: Some(RetrievalScores {
            split: "test".to_owned(),
            scored: 30,
            of: 30,
            by_question: overlap(0.3, 0.54),
            by_name: Some(overlap(0.32, 0.56)),
            best: overlap(0.35, 0.604),
        }),
        ..Context::default()
    };
    ReportInput {
        title: "Genes: a small model before and after finetuning".to_owned(),
        summary: vec![
            "On genes it has seen the answers are mostly true; on new ones it keeps the form and invents the rest."
                .to_owned(),
        ],
        splits: vec![
            SplitTable {
                name: "Seen in finetuning".to_owned(),
                note: "Genes whose descriptions were in the training data: what the model remembers.".to_owned(),
                rows: rows(1.0),
                ..SplitTable::default()
            },
            SplitTable {
                name: "Held out".to_owned(),
                note: "Genes that no training example mentions: what the model can work out.".to_owned(),
                rows: rows(0.2),
                differences: vec![Difference {
                    run: "finetuned".to_owned(),
                    against: "base".to_owned(),
                    shared: 30,
                    scores: vec![("factual", 0.166, [0.05, 0.3]), ("rouge1", 0.04, [-0.01, 0.09])],
                }],
                contexts: vec![context],
                ..SplitTable::default()
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
        pictures: Vec::new(),
        runs: vec![("finetuned".to_owned(), vec![("Peak memory".to_owned(), "315 MiB".to_owned())])],
    }
}

/// The JSON of an element of the page's data: its value, or an array of its lines' values.
fn data(page: &str, id: &str) -> serde_json::Value {
    let start = page.find(&format!(" id=\"{id}\">")).unwrap();
    let text = &page[start + page[start..].find('>').unwrap() + 1..];
    let text = &text[..text.find("</script>").unwrap()];
    let lines = || text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    if id.starts_with("piece") { lines().collect() } else { serde_json::from_str(text).unwrap() }
}

/// The page without its own style and script: what comes from data.
fn of_data(page: &str) -> String {
    page.replace(include_str!("page.js"), "").replace(include_str!("style.css"), "")
}

/// What of it a browser takes for markup: all but what is between the tags of scripts.
fn markup(page: &str) -> String {
    let page = of_data(page);
    let mut parts = page.split("<script");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "<script>" + &part[part.find("</script>").unwrap()..])
}

#[test]
fn nothing_a_model_or_a_name_holds_becomes_markup() {
    let mut input = sample();
    input.title = HOSTILE.to_owned();
    input.summary.push(HOSTILE.to_owned());
    input.curves[0].name = HOSTILE.to_owned();
    input.runs[0].1.push((HOSTILE.to_owned(), HOSTILE.to_owned()));
    let table = &mut input.splits[1];
    (table.name, table.note, table.rows[1].model) =
        (HOSTILE.to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned());
    (table.differences[0].run, table.differences[0].against) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    let context = &mut table.contexts[0];
    (context.dataset, context.runs[0]) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    context.warnings.push(HOSTILE.to_owned());
    if let Some(leakage) = &mut context.leakage {
        leakage.near.shown[0][0] = HOSTILE.to_owned();
    }
    let question = &mut input.questions[0];
    (question.split, question.subject, question.prompt) =
        (HOSTILE.to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned());
    (question.cell_type, question.label) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    question.picture = Some(Picture { path: HOSTILE.to_owned(), shown: Err(HOSTILE.to_owned()) });
    question.answers[2].model = HOSTILE.to_owned();
    question.answers[2].edits[0].what = HOSTILE.to_owned();
    for claim in question.answers[2].grade.iter_mut().flat_map(|grade| &mut grade.claims) {
        (claim.text, claim.verdict, claim.kind) =
            (HOSTILE.to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned());
        (claim.field, claim.record) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    }

    let (clean, hostile) = (render(&sample()), render(&input));
    // The same elements, but for what there is one more of: a paragraph, a fact, a warning, options of split and model.
    let opened = |page: &str, tag: &str| of_data(page).matches(tag).count();
    for tag in [
        "<script", "</script", "<img", "<style", "<svg", "<table", "<section", "<form", "<div", "<a ", "<!--",
    ] {
        assert_eq!(opened(&clean, tag), opened(&hostile, tag), "{tag}");
    }
    for attribute in ["onerror='", "onmouseover=\""] {
        assert!(!markup(&hostile).contains(attribute), "{attribute}");
    }
    assert!(hostile.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; \u{fffd} &amp; &lt;img"));
    // And the script is given what was written, letter for letter.
    let shown = data(&hostile, "piece-0");
    assert_eq!(shown[0]["prompt"], HOSTILE);
    assert_eq!(shown[0]["answers"][0]["text"], format!("the the the {HOSTILE}"));
    assert_eq!(data(&hostile, "index")["questions"][0][1], HOSTILE);
}

#[test]
fn the_script_sets_text_and_the_policy_lets_no_other_run() {
    let script = include_str!("page.js");
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "new Function",
        "fetch(",
        "import(",
    ] {
        assert!(!script.contains(way), "{way}");
    }
    assert!(!script.contains("</script") && !script.contains("<!--"), "would end the element early");
    let page = render(&sample());
    let policy = &page[page.find("script-src 'sha256-").unwrap() + 19..];
    assert_eq!(policy.find('\'').unwrap(), 44, "32 bytes in base64");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_page_makes_no_request_and_closes_what_it_opens() {
    let page = markup(&render(&sample()));
    for outside in ["http://", "https://", " src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in [
        "table", "section", "svg", "tr", "th", "td", "p", "del", "ins", "ul", "li", "div", "form", "label",
        "figure", "nav",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn tables_tell_intervals_leakage_and_what_looking_up_scores() {
    let page = render(&sample());
    for told in [
        "<b>0.830</b><small>0.73–0.93</small>",
        "a gene of the same HGNC group: <b>12</b> (40 %) <small>gene-CASP10 ~ gene-CASP1, …</small>",
        "nearly the same text: <b>1</b> (3 %)",
        "<b>Leakage is not known:</b>",
        "No model: the one most like the reference</th><td>30</td><td class=\"score\"><b>0.100*</b></td>",
        "<b>0.604</b>",
        "<td class=\"score up\" data-value=\"0.166\" title=\"higher\"><b>+0.166</b><small>+0.05 to +0.30</small></td>",
        "<td class=\"score\" data-value=\"0.04\" title=\"no difference shown\">",
        "copying 0.60",
    ] {
        assert!(page.contains(told), "{told}");
    }
    // Of what is hallucinated less is better, and the base model has no best.
    let least = "<td class=\"score best\" data-value=\"0.13\"><b>0.130</b>";
    assert!(page.contains(least), "{least}");
    let link = &page[page.find("href=\"data:text/csv;charset=utf-8,").unwrap()..];
    assert!(link.contains("questions%2Cmodel%2Cn%2Cfactual%2Cfactual_low"));
}

#[test]
fn tasks_with_pictures_have_what_constant_answers_score_beside_them() {
    let mut input = sample();
    let table = &mut input.splits[1];
    table.contexts[0].leakage = None;
    table.contexts[0].retrieval = None;
    let finding = Finding { count: 6, share: 0.2, shown: vec![["KDR-B".to_owned(), "KDR-T".to_owned()]] };
    table.contexts[0].shared = vec![("the same gene".to_owned(), finding)];
    table.baselines = vec![Row {
        model: "always yes".to_owned(),
        n: 30,
        factual: 0.4,
        intervals: [("factual".to_owned(), [0.25, 0.55])].into(),
        ..Row::default()
    }];
    let page = render(&input);
    for told in [
        "<th scope=\"row\">No model: always yes</th><td>30</td><td class=\"score\"><b>0.400</b><small>0.25–0.55</small></td>",
        "the same gene: <b>6</b> (20 %) <small>KDR-B ~ KDR-T, …</small>",
        "no%20model%3A%20always%20yes",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert_eq!(page.matches("<tfoot>").count(), 1);
}

#[test]
fn questions_are_data_with_grades_edits_and_claims() {
    let page = render(&sample());
    let index = data(&page, "index");
    assert_eq!(index["models"], serde_json::json!(["base", "finetuned", "finetuned + repaired"]));
    assert_eq!(index["splits"], serde_json::json!(["Seen in finetuning", "Held out"]));
    assert_eq!(
        index["questions"][2],
        serde_json::json!([
            1,
            "CASP10",
            "",
            [[0.0, 0.0, 0.52, 0, 1], [1.0, 1.0, 0.52, 0, 1], [1.0, 1.0, 0.52, 1, 1]]
        ])
    );
    let repaired = &data(&page, "piece-0")[0]["answers"][2];
    let diff: Vec<&str> = repaired["diff"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(diff[2..6], ["-", "HGNC:9999", "+", "HGNC:4317"], "identifiers stay whole");
    let joined = |left_out: &str| -> String {
        diff.chunks(2).filter(|piece| piece[0] != left_out).map(|piece| piece[1]).collect()
    };
    let answers = &sample().questions[0].answers;
    assert_eq!((joined("+"), joined("-")), (answers[1].text.clone(), answers[2].text.clone()));
    assert_eq!(repaired["edits"].as_array().unwrap().len(), 3);
    let claims = serde_json::json!([
        ["is also known as ABC", "contradicted", "the record’s aliases: GLI", "alias"],
        ["is activated by sonic hedgehog", "not in the record", "", "alias"]
    ]);
    assert_eq!(repaired["claims"], claims);
    assert!(
        page.contains("<option value=\"identifiers\">") && page.contains("<option value=\"contradicted\">")
    );
}

#[test]
fn an_empty_report_is_a_page_too() {
    let page = of_data(&render(&ReportInput { title: "Nothing".to_owned(), ..ReportInput::default() }));
    assert!(page.contains("<h1>Nothing</h1>") && !page.contains("<table") && !page.contains("id=\"index\""));
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

/// Writes a page for a person to look at, of the sample or of run folders:
/// `REPORT_SAMPLE=/tmp/report.html [REPORT_RUNS=runs/base:runs/tuned] cargo test -p geneverse-eval looked_at`.
#[test]
fn the_sample_can_be_looked_at() {
    let Ok(path) = std::env::var("REPORT_SAMPLE") else {
        println!("skipped: REPORT_SAMPLE is not set");
        return;
    };
    let input = match std::env::var("REPORT_RUNS") {
        Err(_) => sample(),
        Ok(folders) => {
            let runs = folders.split(':').map(|folder| Run { folder: folder.into(), train: None }).collect();
            let what = Collect { runs, pictures: 32 << 20, ..Collect::default() };
            collect(&what, &geneverse_data::progress::Silent).unwrap()
        }
    };
    std::fs::write(path, render(&input)).unwrap();
}
