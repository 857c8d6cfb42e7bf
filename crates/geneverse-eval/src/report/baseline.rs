//! The protein and the marker task without a model: what a constant or a usual answer scores, and what of the questions is
//! in training data.
//!
//! Of markers half may be "yes", and of proteins a tenth may be kinases. So beside the scores stands what one gets who looks
//! at no picture: always "yes", always "no", the commoner answer for the cell type or the gene in training, the commonest
//! name. The answers are put into the asked form and graded as a model's are.

use std::collections::{BTreeMap, HashMap};

use geneverse_data::answers::{Answer, Task};
use geneverse_data::dataset::Example;
use geneverse_data::dataset::compare::{Finding, subject};

use super::read::table_row;
use super::{Question, Row};
use crate::index::GeneIndex;
use crate::marker::{Said, said};
use crate::protein::given_name;
use crate::scores::{Scores, evaluate};

/// So many pairs of a finding are shown.
const SHOWN: usize = 3;

/// The rows of answers without a model; none for the gene task, whose training answers are looked up instead.
///
/// What is usual is told of each training set, by the dataset's name where there are several.
pub(super) fn rows(questions: &[&Question], training: &[(&str, &[Example])]) -> Vec<Row> {
    let all = |task: Task| !questions.is_empty() && questions.iter().all(|q| q.task == Some(task));
    let several = training.len() > 1;
    let place =
        |dataset: &str| if several { format!("training in {dataset}") } else { "training".to_owned() };
    let mut found = Vec::new();
    let mut add = |name: &str, say: &dyn Fn(&Question) -> String| found.extend(row(name, questions, say));
    if all(Task::Marker) {
        add("always yes", &|question| marker_answer(question, true));
        add("always no", &|question| marker_answer(question, false));
        for (dataset, train) in training {
            let (by_type, by_gene, overall) = usual_markers(train);
            let Some(overall) = overall else { continue };
            let place = place(dataset);
            add(&format!("the commoner answer for the cell type in {place}"), &|question| {
                let of = by_type.get(&plain(question.cell_type.as_deref().unwrap_or_default()));
                marker_answer(question, of.copied().unwrap_or(overall))
            });
            add(&format!("the commoner answer for the gene in {place}"), &|question| {
                marker_answer(question, by_gene.get(&plain(&question.subject)).copied().unwrap_or(overall))
            });
        }
    }
    if all(Task::Protein) {
        for (dataset, train) in training {
            let names = train.iter().filter_map(|example| given_name(&example.output));
            let Some(name) = commonest(names) else { continue };
            add(&format!("always the commonest name of {}", place(dataset)), &|_| protein_answer(&name));
        }
        let names = questions.iter().filter_map(|question| {
            question
                .label
                .clone()
                .filter(|label| !label.is_empty())
                .or_else(|| given_name(&question.reference))
        });
        if let Some(name) = commonest(names) {
            add("always the commonest name of these questions", &|_| protein_answer(&name));
        }
    }
    found
}

/// What of the questions is in training data, for the tasks whose answers are one sentence: who is asked about.
pub(super) fn shared(questions: &[&Question], train: &[Example]) -> Vec<(String, Finding)> {
    let markers = questions.iter().all(|question| question.task == Some(Task::Marker));
    let kind = |question: &&&Question| plain(question.cell_type.as_deref().unwrap_or_default());
    let gene = |question: &&&Question| plain(&question.subject);
    let of_gene = |example: &Example| plain(subject(example));
    let of_type = |example: &Example| cell_type(&example.instruction).unwrap_or_default();
    if markers {
        vec![
            finding(
                "the same gene and cell type",
                questions,
                train,
                |q| [gene(q), kind(q)],
                |e| [of_gene(e), of_type(e)],
            ),
            finding("the same gene", questions, train, gene, of_gene),
            finding("the same cell type", questions, train, kind, of_type),
        ]
    } else {
        let name = |text: &str| plain(&given_name(text).unwrap_or_else(|| text.to_owned()));
        vec![
            finding("the same protein", questions, train, gene, of_gene),
            finding("the same name", questions, train, |q| name(&q.reference), |e| name(&e.output)),
        ]
    }
}

fn finding<K: std::hash::Hash + Eq + Default>(
    what: &str,
    questions: &[&Question],
    train: &[Example],
    of_question: impl Fn(&&&Question) -> K,
    of_example: impl Fn(&Example) -> K,
) -> (String, Finding) {
    let mut known: HashMap<K, &str> = HashMap::new();
    for example in train {
        known.entry(of_example(example)).or_insert(&example.id);
    }
    // What an example does not say is in none.
    known.remove(&K::default());
    let pairs: Vec<[String; 2]> = questions
        .iter()
        .filter_map(|question| Some([question.id.clone(), (*known.get(&of_question(&question))?).to_owned()]))
        .collect();
    let share = pairs.len() as f64 / questions.len().max(1) as f64;
    let count = pairs.len();
    (what.to_owned(), Finding { count, share, shown: pairs.into_iter().take(SHOWN).collect() })
}

fn row(name: &str, questions: &[&Question], say: &dyn Fn(&Question) -> String) -> Option<Row> {
    let answers: Vec<Answer> = questions
        .iter()
        .filter_map(|question| {
            Some(Answer {
                id: question.id.clone(),
                task: question.task?,
                subject: question.subject.clone(),
                cell_type: question.cell_type.clone(),
                label: question.label.clone(),
                prompt: question.prompt.clone(),
                image: None,
                answer: say(question),
                reference: question.reference.clone(),
                model: String::new(),
            })
        })
        .collect();
    // A question without its truth cannot be graded, for a model neither.
    let scores: Scores = evaluate(&answers, GeneIndex::default()).ok()?;
    let mut row = table_row(name, &scores);
    if let Some(intervals) = scores.intervals {
        let known = [
            ("factual", intervals.factual),
            ("structural", intervals.structural),
            ("average", intervals.average),
            ("bleu", intervals.bleu),
            ("rouge1", intervals.rouge1),
        ];
        row.intervals = known.map(|(key, interval)| (key.to_owned(), interval)).into();
    }
    Some(row)
}

fn protein_answer(name: &str) -> String {
    format!("The name of this protein is {name}.")
}

fn marker_answer(question: &Question, yes: bool) -> String {
    let (gene, kind) = (&question.subject, question.cell_type.as_deref().unwrap_or_default());
    match yes {
        true => format!("Yes, gene {gene} is a marker gene of cell type {kind}."),
        false => format!("No, gene {gene} is not a marker gene of cell type {kind}."),
    }
}

/// Yes or no, by what is commoner in training, for each cell type, for each gene, and for all; ties are "no".
type Usual = (HashMap<String, bool>, HashMap<String, bool>, Option<bool>);

fn usual_markers(train: &[Example]) -> Usual {
    let mut by_type: HashMap<String, i64> = HashMap::new();
    let mut by_gene: HashMap<String, i64> = HashMap::new();
    let (mut overall, mut any) = (0, false);
    for example in train {
        let Some(kind) = cell_type(&example.instruction) else { continue };
        let vote = match said(&example.output, subject(example), &kind) {
            Said::Yes => 1,
            Said::No => -1,
            Said::Both | Said::Hedge | Said::Nothing => continue,
        };
        *by_type.entry(kind).or_default() += vote;
        *by_gene.entry(plain(subject(example))).or_default() += vote;
        overall += vote;
        any = true;
    }
    let usual = |votes: HashMap<String, i64>| votes.into_iter().map(|(key, sum)| (key, sum > 0)).collect();
    (usual(by_type), usual(by_gene), any.then_some(overall > 0))
}

/// The cell type in "… a marker gene of cell type STAB2+ Endothelial? …".
fn cell_type(instruction: &str) -> Option<String> {
    const LEAD: &str = "cell type ";
    let at = instruction.to_ascii_lowercase().find(LEAD)? + LEAD.len();
    let kind = plain(instruction[at..].split(['?', '\n']).next()?);
    (!kind.is_empty()).then_some(kind)
}

fn plain(text: &str) -> String {
    text.trim().to_lowercase().replace('_', " ")
}

/// The commonest of some texts; of several the first in their order.
fn commonest(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(task: Task, subject: &str, kind: Option<&str>, label: &str, reference: &str) -> Question {
        Question {
            id: format!("{subject}-{}", kind.unwrap_or("-")),
            task: Some(task),
            subject: subject.to_owned(),
            cell_type: kind.map(str::to_owned),
            label: Some(label.to_owned()),
            reference: reference.to_owned(),
            ..Question::default()
        }
    }

    fn example(task: Task, subject: &str, instruction: &str, output: &str) -> Example {
        Example {
            id: format!("train-{subject}"),
            task,
            subject: subject.to_owned(),
            instruction: instruction.to_owned(),
            input: String::new(),
            output: output.to_owned(),
            images: Vec::new(),
            cell_type: None,
            label: None,
        }
    }

    fn marker(gene: &str, kind: &str, yes: bool) -> Example {
        let question =
            format!("Is gene {gene} a marker gene of cell type {kind}? Please answer in one sentence.");
        let said = marker_answer(&self::question(Task::Marker, gene, Some(kind), "", ""), yes);
        example(Task::Marker, gene, &question, &said)
    }

    #[test]
    fn constant_and_usual_answers_are_graded_as_a_model_s() {
        let ask = |gene: &str, kind: &str, label: &str| {
            let mut asked = question(Task::Marker, gene, Some(kind), label, "");
            asked.reference = marker_answer(&asked, label == "yes");
            asked
        };
        let asked =
            [ask("KDR", "B_Cells", "no"), ask("CD3E", "T_Cells", "yes"), ask("CD8A", "T_Cells", "yes")];
        let asked: Vec<&Question> = asked.iter().collect();
        let train = [
            marker("CD4", "T Cells", true),
            marker("KDR", "B Cells", false),
            marker("MS4A1", "B_Cells", false),
        ];
        let found = rows(&asked, &[("markers", &train)]);
        let told: Vec<(&str, f64, f64)> =
            found.iter().map(|row| (row.model.as_str(), row.factual, row.structural)).collect();
        assert_eq!(
            told,
            [
                ("always yes", 2.0 / 3.0, 1.0),
                ("always no", 1.0 / 3.0, 1.0),
                ("the commoner answer for the cell type in training", 1.0, 1.0),
                // KDR is known, and more is "no" than "yes".
                ("the commoner answer for the gene in training", 1.0 / 3.0, 1.0),
            ]
        );
        assert!(found[0].intervals.contains_key("factual") && found[0].rouge1 > 0.8);
        let shared: Vec<(String, usize)> =
            shared(&asked, &train).into_iter().map(|(what, finding)| (what, finding.count)).collect();
        let wanted = [("the same gene and cell type", 1), ("the same gene", 1), ("the same cell type", 3)];
        assert_eq!(shared, wanted.map(|(what, count)| (what.to_owned(), count)));
    }

    #[test]
    fn of_proteins_the_commonest_name_is_the_answer() {
        let ask = |symbol: &str, name: &str| {
            question(Task::Protein, symbol, None, name, &format!("The name of this protein is {name}."))
        };
        let asked = [ask("KRT18", "Keratin 18"), ask("KRT8", "Keratin 8")];
        let asked: Vec<&Question> = asked.iter().collect();
        let name = |symbol: &str, name: &str| {
            example(
                Task::Protein,
                symbol,
                "What is the name of this protein?",
                &format!("The name of this protein is {name}."),
            )
        };
        let train = [name("KRT18", "Keratin 1"), name("A", "Keratin 1"), name("B", "Actin")];
        let found = rows(&asked, &[("markers", &train)]);
        assert_eq!(found[0].model, "always the commonest name of training");
        assert_eq!(found[0].factual, f64::midpoint(0.9, 8.0 / 9.0));
        assert_eq!(found[1].model, "always the commonest name of these questions");
        assert_eq!(shared(&asked, &train)[0].1.count, 1);
        assert_eq!(shared(&asked, &train)[1].1.count, 0);
        let other = [name("C", "Keratin 18")];
        let models = |training: &[(&str, &[Example])]| -> Vec<String> {
            rows(&asked, training).into_iter().map(|row| row.model).collect()
        };
        assert_eq!(
            models(&[("families", &train), ("folds", &other)]),
            [
                "always the commonest name of training in families",
                "always the commonest name of training in folds",
                "always the commonest name of these questions",
            ]
        );
        let gene = question(Task::Gene, "GLI1", None, "", "");
        let one: [(&str, &[Example]); 1] = [("proteins", &train)];
        assert!(rows(&[&gene], &one).is_empty() && rows(&[], &one).is_empty());
    }
}
