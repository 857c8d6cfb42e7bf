//! The dataset card, `README.md`: what is in a dataset, where it comes from, and how far it can be trusted.
//!
//! It begins with the YAML that the Hugging Face hub and `datasets.load_dataset` read: which files are which split.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::compare::{Finding, Leakage};
use super::describe::Description;
use super::format::Format;
use super::genes::{AnswerSource, GenesDataset, GenesReport, SPLITS, SplitBy};
use super::near::NEAR;
use super::retrieval::{Overlap, RetrievalScores};
use crate::store::Source;

/// Held-out genes that the command shows by name.
const NAMED_GENES: usize = 20;

/// The card of a dataset.
pub(super) fn card(
    options: &GenesDataset,
    formats: &[Format],
    sources: &[Source],
    report: &GenesReport,
) -> String {
    let mut card = front_matter(&options.out, formats, sources, report);
    let _ = write!(
        card,
        "\n# Gene descriptions\n\nInstruction data for one task: asked to summarize the major function of a human gene, \
         answer in one paragraph. {}\n",
        match options.source {
            AnswerSource::Records => "The answers are gene records put into sentences by rules.",
            AnswerSource::Synthetic =>
                "The answers about protein-coding genes were written by a language model, those about other genes \
                 are gene records put into sentences by rules; so are all answers of the test set.",
            AnswerSource::Both =>
                "A protein-coding gene has two kinds of answers: its record put into sentences by rules, and what a \
                 language model wrote. Other genes, and the test set, have the record only.",
        }
    );
    contents(&mut card, report);
    source_table(&mut card, sources, report);
    split_rules(&mut card, options, report);
    left_out(&mut card, report);
    duplicates(&mut card, report);
    leakage_table(&mut card, &report.leakage);
    retrieval_table(&mut card, &report.retrieval);
    let _ = write!(
        card,
        "\n## How it was made\n\n```\n{}\n```\n\nBy Geneverse {}. The same command on the same files gives the same \
         bytes; `manifest.json` has the hashes.\n\nThe answers are nothing to base a clinical decision on.\n",
        command(options),
        env!("CARGO_PKG_VERSION")
    );
    card
}

fn splits(report: &GenesReport) -> impl Iterator<Item = (&'static str, &Description)> {
    SPLITS.into_iter().filter_map(|split| report.splits.get(split).map(|description| (split, description)))
}

fn front_matter(out: &Path, formats: &[Format], sources: &[Source], report: &GenesReport) -> String {
    let all = report.train + report.validation + report.test;
    let size = match all {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        _ => "100K<n<1M",
    };
    // Of a model's words the terms are its maker's to say.
    let terms = match report.synthetic {
        Some(_) => "other",
        None => licence(sources.iter().map(|source| source.licence.as_deref())),
    };
    let mut yaml = format!(
        "---\npretty_name: Gene descriptions\nlanguage:\n- en\nlicense: {}\ntask_categories:\n- text-generation\n\
         - question-answering\ntags:\n- biology\n- genes\nsize_categories:\n- {size}\nconfigs:\n",
        terms
    );
    // The hub's own layout first, for the first is what `load_dataset` takes unasked.
    let mut formats = formats.to_vec();
    formats.sort_by_key(|format| (*format != Format::Hf, *format));
    formats.dedup();
    let configs: Vec<(String, Format)> = formats
        .iter()
        .enumerate()
        .map(|(index, format)| {
            (if index == 0 { "default".into() } else { format.name().to_owned() }, *format)
        })
        .collect();
    for (name, format) in &configs {
        let _ = writeln!(yaml, "- config_name: {name}\n  data_files:");
        for (split, _) in splits(report) {
            let _ = writeln!(yaml, "  - split: {split}\n    path: {}", format.file(split));
        }
    }
    yaml.push_str("dataset_info:\n");
    for (name, format) in &configs {
        let _ = writeln!(yaml, "- config_name: {name}\n  features:");
        for field in ["id", "task", "subject"] {
            let _ = writeln!(yaml, "  - name: {field}\n    dtype: string");
        }
        let pair = |list: &str, a: &str, b: &str| {
            format!(
                "  - name: {list}\n    list:\n    - name: {a}\n      dtype: string\n    - name: {b}\n      dtype: string\n"
            )
        };
        match format {
            Format::Alpaca | Format::Hf => {
                for field in ["instruction", "input", "output"] {
                    let _ = writeln!(yaml, "  - name: {field}\n    dtype: string");
                }
            }
            Format::Sharegpt | Format::Llava => yaml.push_str(&pair("conversations", "from", "value")),
            Format::Messages => yaml.push_str(&pair("messages", "role", "content")),
        }
        yaml.push_str("  splits:\n");
        for (split, description) in splits(report) {
            // The hub reads sizes only together; its own count of bytes is of another form of the same rows.
            let bytes = std::fs::metadata(out.join(format.file(split))).map_or(0, |file| file.len());
            let examples = description.examples;
            let _ = writeln!(yaml, "  - name: {split}\n    num_bytes: {bytes}\n    num_examples: {examples}");
        }
    }
    yaml.push_str("---\n");
    yaml
}

/// The strictest of several terms in the hub's words; `other` where one is not known.
pub(super) fn licence<'a>(terms: impl Iterator<Item = Option<&'a str>>) -> &'static str {
    let terms: BTreeSet<Option<String>> =
        terms.map(|terms| Some(terms?.trim().to_lowercase().replace(' ', "-"))).collect();
    let free = |terms: &Option<String>| matches!(terms.as_deref(), Some("cc0-1.0" | "cc0" | "public-domain"));
    let named = |terms: &Option<String>| free(terms) || terms.as_deref() == Some("cc-by-4.0");
    if terms.is_empty() || !terms.iter().all(named) {
        "other"
    } else if terms.iter().all(free) {
        "cc0-1.0"
    } else {
        "cc-by-4.0"
    }
}

fn contents(card: &mut String, report: &GenesReport) {
    card.push_str(
        "\n## What is in it\n\n| split | examples | genes | words: shortest | median | 95 % | longest |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (split, description) in splits(report) {
        let Description { examples, genes, words, .. } = description;
        let _ = writeln!(
            card,
            "| {split} | {examples} | {genes} | {} | {} | {} | {} |",
            words.least, words.median, words.p95, words.most
        );
    }
    let kinds: BTreeSet<&String> = splits(report).flat_map(|(_, d)| d.kinds.keys()).collect();
    let names: Vec<&str> = splits(report).map(|(split, _)| split).collect();
    let _ = write!(card, "\n| kind | {} |\n|---|{}\n", names.join(" | "), "---:|".repeat(names.len()));
    let mut rows: Vec<(usize, String)> = kinds
        .into_iter()
        .map(|kind| {
            let counts: Vec<usize> =
                splits(report).map(|(_, d)| d.kinds.get(kind).copied().unwrap_or_default()).collect();
            let cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
            (counts.iter().sum(), format!("| {kind} | {} |\n", cells.join(" | ")))
        })
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    rows.iter().for_each(|(_, row)| card.push_str(row));
    let odd = splits(report).flat_map(|(split, d)| d.suspicious.iter().map(move |odd| (split, odd)));
    let odd: Vec<String> = odd
        .map(|(split, odd)| format!("- {split}: {} × {} ({})\n", odd.count, odd.what, odd.ids.join(", ")))
        .collect();
    if !odd.is_empty() {
        let _ = write!(card, "\nAnswers that look wrong:\n\n{}", odd.concat());
    }
}

fn source_table(card: &mut String, sources: &[Source], report: &GenesReport) {
    card.push_str(
        "\n## Sources\n\n| source | file | rows used | licence | from | fetched | SHA-256 |\n|---|---|---:|---|---|---|---|\n",
    );
    for Source { role, file, hash, used, licence, url, fetched, .. } in sources {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
        let _ = writeln!(
            card,
            "| {role} | {file} | {used} | {} | {} | {} | `{hash}` |",
            told(licence),
            told(url),
            told(fetched)
        );
    }
    if let Some(synthetic) = &report.synthetic {
        let _ = writeln!(
            card,
            "\nOf {} texts by language models {} are used. Their terms are those of the model:\n",
            synthetic.lines, synthetic.used
        );
        for (model, count) in &synthetic.models {
            let _ = writeln!(card, "- {model}: {count}");
        }
    }
}

fn split_rules(card: &mut String, options: &GenesDataset, report: &GenesReport) {
    let together = match options.split {
        SplitBy::Gene => {
            "All examples of a gene are on one side; genes of one family may be on both.".to_owned()
        }
        SplitBy::Group => "Genes connected through HGNC groups are on one side.".to_owned(),
        SplitBy::Cluster => format!(
            "Genes connected through HGNC groups, or through nearly the same text (Jaccard index of runs of five words \
             at least {NEAR}; names, numbers and what says who the gene is left out), are on one side."
        ),
    };
    let _ = write!(
        card,
        "\n## How it was split\n\n{together} Validation takes whole clusters in an order drawn from the seed, {}, while they \
         fit; a cluster larger than what is left is trained on whole. The largest has {} genes. ",
        options.seed, report.largest_cluster
    );
    let _ = writeln!(
        card,
        "{}",
        match report.clusters_split {
            0 => "No cluster was taken apart.".to_owned(),
            1 => "One cluster had to be taken apart to reach the size asked for.".to_owned(),
            n => format!("{n} clusters had to be taken apart to reach the size asked for."),
        }
    );
    if report.test > 0 {
        let _ = writeln!(
            card,
            "\nThe test set is the genes held out by name. {} training genes are relatives of one of them, by HGNC group or \
             by text{}.",
            report.train_relatives_of_test,
            if options.strict { ", since such genes are left out" } else { "" }
        );
    }
}

fn left_out(card: &mut String, report: &GenesReport) {
    card.push_str("\n## What was left out\n\n");
    let synthetic = report.synthetic.iter().flat_map(|synthetic| &synthetic.refused);
    let mut rows: Vec<String> =
        report.skipped.iter().map(|(reason, count)| format!("- {count} genes: {reason}\n")).collect();
    rows.extend(synthetic.map(|(reason, count)| format!("- {count} texts of language models: {reason}\n")));
    if rows.is_empty() {
        card.push_str("Nothing.\n");
    } else {
        card.push_str(&rows.concat());
        card.push_str("\n`skipped.jsonl` lists the genes.\n");
    }
}

fn duplicates(card: &mut String, report: &GenesReport) {
    card.push_str(
        "\n## Duplicates\n\nCopies of an earlier example of the same split. Nearly the same includes the same.\n\n\
         | split | same answer | same text but for names and numbers | nearly the same text | clusters | says only who the gene is |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for (split, description) in splits(report) {
        let d = &description.duplicates;
        let _ = writeln!(
            card,
            "| {split} | {} | {} | {} | {} | {} |",
            d.answers, d.same_text, d.near, d.clusters, d.without_content
        );
    }
    if let Some(train) = report.splits.get("train").filter(|d| !d.duplicates.largest.is_empty()) {
        card.push_str("\nThe largest clusters of the training set:\n\n");
        for cluster in &train.duplicates.largest {
            let _ = writeln!(
                card,
                "- {} examples, {} texts ({}, …): \"{}\"",
                cluster.examples,
                cluster.texts,
                cluster.ids.join(", "),
                cluster.begins
            );
        }
    }
}

fn leakage_table(card: &mut String, leakage: &[Leakage]) {
    if leakage.is_empty() {
        return;
    }
    card.push_str(
        "\n## Leakage\n\nExamples of a split that an earlier one has too. What is told of one gene's family helps with its \
         members, so every number above 0 makes a score look better than it is.\n\n\
         | of | in | same text | nearly the same | same gene | same HGNC group |\n|---|---|---:|---:|---:|---:|\n",
    );
    for Leakage { from, into, examples, same_text, near, same_gene, same_group } in leakage {
        let cell = |finding: &Finding| format!("{} ({:.1} %)", finding.count, 100.0 * finding.share);
        let _ = writeln!(
            card,
            "| {into} ({examples}) | {from} | {} | {} | {} | {} |",
            cell(same_text),
            cell(near),
            cell(same_gene),
            same_group.as_ref().map_or("not known".to_owned(), cell)
        );
    }
}

fn retrieval_table(card: &mut String, retrieval: &[RetrievalScores]) {
    if retrieval.is_empty() {
        return;
    }
    card.push_str(
        "\n## What retrieval alone scores\n\nEach question answered with a training answer as it stands, without any model: the \
         one nearest to the question (BM25), nearest to the question with the gene's full name, and the one that overlaps \
         most with the reference itself, which is the most that copying can reach. A model has learned something where it \
         scores more.\n\n| split | scored | | BLEU | ROUGE-1 |\n|---|---:|---|---:|---:|\n",
    );
    for RetrievalScores { split, scored, of, by_question, by_name, best } in retrieval {
        let mut row = |what: &str, Overlap { bleu, rouge1, .. }: &Overlap| {
            let _ = writeln!(card, "| {split} | {scored} of {of} | {what} | {bleu:.3} | {rouge1:.3} |");
        };
        row("nearest to the question", by_question);
        by_name.iter().for_each(|scores| row("nearest to the question with the name", scores));
        row("most overlap with the reference", best);
    }
}

/// The command that makes this dataset; where its files lie is the reader's affair.
fn command(options: &GenesDataset) -> String {
    let GenesDataset {
        db,
        out: _,
        symbols,
        hold_out,
        validation_size,
        seed,
        only_with_summary,
        source,
        synthetic,
        split,
        strict,
        most_alike,
        formats,
    } = options;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let list = |genes: &[String]| {
        if genes.len() <= NAMED_GENES { genes.join(",") } else { format!("(a list of {})", genes.len()) }
    };
    let mut words = vec![format!("geneverse dataset genes --db {} --out DIR --seed {seed}", name(db))];
    words.push(format!("--validation-size {validation_size}"));
    words.extend(symbols.as_ref().map(|genes| format!("--symbols {}", list(genes))));
    words.extend((!hold_out.is_empty()).then(|| format!("--hold-out {}", list(hold_out))));
    words.extend(only_with_summary.then(|| "--only-with-summary".to_owned()));
    words.push(match source {
        AnswerSource::Records => String::new(),
        AnswerSource::Synthetic => "--source synthetic".to_owned(),
        AnswerSource::Both => "--source both".to_owned(),
    });
    words.extend(synthetic.as_ref().map(|file| format!("--synthetic {}", name(file))));
    words.push(match split {
        SplitBy::Gene => "--split gene".to_owned(),
        SplitBy::Group => "--split group".to_owned(),
        SplitBy::Cluster => "--split cluster".to_owned(),
    });
    words.extend(strict.then(|| "--strict".to_owned()));
    words.extend(most_alike.map(|most| format!("--most-alike {most}")));
    if !formats.is_empty() {
        let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        words.push(format!("--format {}", names.join(",")));
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
