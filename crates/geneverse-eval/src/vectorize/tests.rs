//! TF-IDF beside scikit-learn.

use serde::Deserialize;

use super::*;

/// What `tests/goldens/make_cluster_goldens.py` had scikit-learn compute.
#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    sublinear: bool,
    without_stop_words: bool,
    least: Bound,
    most: Bound,
    words: Vec<String>,
    idf: Vec<f64>,
    /// (text, word, value) of everything that is not zero.
    entries: Vec<(usize, u32, f64)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    Texts(usize),
    Share(f64),
}

impl Bound {
    fn limit(&self) -> Limit {
        match self {
            Self::Texts(texts) => Limit::Texts(*texts),
            Self::Share(share) => Limit::Share(*share),
        }
    }
}

#[test]
fn equals_scikit_learn() {
    let golden: Golden =
        serde_json::from_str(include_str!("../../tests/goldens/tf_idf_goldens.json")).unwrap();
    assert!(golden.cases.len() >= 4);
    for case in &golden.cases {
        let settings = Words {
            sublinear: case.sublinear,
            without_stop_words: case.without_stop_words,
            least: case.least.limit(),
            most: case.most.limit(),
        };
        let ours = tf_idf(&golden.texts, settings);
        assert_eq!(ours.words, case.words, "{settings:?}");
        for (ours, theirs) in ours.idf.iter().zip(&case.idf) {
            assert!((ours - theirs).abs() < 1e-12, "{settings:?}: idf {ours}, expected {theirs}");
        }
        let entries: Vec<(usize, u32, f64)> = (0..golden.texts.len())
            .flat_map(|text| ours.matrix.row(text).map(move |(word, value)| (text, word, value)))
            .collect();
        assert_eq!(entries.len(), case.entries.len(), "{settings:?}");
        for (ours, theirs) in entries.iter().zip(&case.entries) {
            assert_eq!((ours.0, ours.1), (theirs.0, theirs.1), "{settings:?}");
            assert!((ours.2 - theirs.2).abs() < 1e-12, "{settings:?}: {ours:?}, expected {theirs:?}");
        }
    }
}

#[test]
fn a_text_without_words_is_zero_and_pieces_do_not_show() {
    let mut texts: Vec<String> = (0..PIECE + 3).map(|i| format!("gene{} binds zinc", i % 7)).collect();
    texts.push("a ! b".to_owned());
    let all = tf_idf(&texts, Words::default());
    assert_eq!(all.words, ["binds", "gene0", "gene1", "gene2", "gene3", "gene4", "gene5", "gene6", "zinc"]);
    assert_eq!(all.matrix.row(texts.len() - 1).count(), 0);
    // The same text before and behind the seam between two pieces.
    assert!(all.matrix.row(PIECE + 2).eq(all.matrix.row((PIECE + 2) % 7)));
    assert_eq!(tf_idf(&["! ?"], Words::default()).matrix.width(), 0);
}
