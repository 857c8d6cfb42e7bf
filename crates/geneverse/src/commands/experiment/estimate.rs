//! What a row takes, roughly and on two cores: of a language model counted in floating-point operations, of other commands what
//! was measured.

/// Parameters of the bundled model.
pub(super) const BUNDLED_PARAMETERS: f64 = 6.85e6;
/// What two cores compute in a second, in floating-point operations of the weights alone: the three trainings of table 1 at
/// bundled scale came to 0.96, 1.06 and 1.14 · 10¹¹ on an AMD EPYC (Zen 4).
const PER_SECOND: f64 = 1.05e11;
/// Tokens of a question with its answer, and how many times as many with a record: the bundled genes' mean, where the data is not
/// made yet.
const TOKENS: f64 = 480.0;
const WITH_RECORDS: f64 = 1.9;
/// Answers that are asked for, and examples.
const QUESTIONS: f64 = 20.0;
const EXAMPLES: f64 = 264.0;
const FULL_EXAMPLES: f64 = 14_000.0;
/// Passes of the recipes of the gene task.
const EPOCHS: f64 = 4.0;

/// A language model that is asked, and perhaps finetuned before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    pub(super) parameters: f64,
    pub(super) bundled: bool,
    /// Whether questions come with records.
    pub(super) with_records: bool,
}

impl Model {
    fn tokens(self) -> f64 {
        TOKENS * if self.with_records { WITH_RECORDS } else { 1.0 }
    }

    /// Seconds of training, `made_up` examples among others; without `epochs` as often as the recipes say.
    pub(super) fn training(self, whole: bool, made_up: f64, epochs: Option<f64>) -> f64 {
        let examples = made_up + if self.bundled { EXAMPLES } else { FULL_EXAMPLES };
        // Forwards, backwards to what went in, and for weights that are trained once more.
        let operations = if whole { 6.0 } else { 4.0 };
        operations * self.parameters * examples * epochs.unwrap_or(EPOCHS) * self.tokens() / PER_SECOND
    }

    /// Seconds of answering. A token at a time keeps the cores half as busy.
    pub(super) fn answering(self) -> f64 {
        4.0 * self.parameters * QUESTIONS * self.tokens() / PER_SECOND
    }

    /// GiB, with weights, gradients and moments of what is trained.
    pub(super) fn gib(self, trains_whole: bool) -> f64 {
        0.3 + if trains_whole { 16.0 } else { 2.2 } * self.parameters / f64::from(1 << 30)
    }
}

/// Seconds of asking an endpoint, four questions at once.
pub(super) fn endpoint() -> f64 {
    2.0 * QUESTIONS / 4.0
}

/// Seconds of a command that asks and trains no model of genes. Of the quickstarts, those on the processor above.
pub(super) fn command(words: &[String]) -> f64 {
    let after = |flag: &str| words.get(words.iter().position(|word| word == flag)? + 1);
    if words.first().is_none_or(|word| word != "quickstart") {
        return 1.0;
    }
    let epochs = |usual: f64| after("--epochs").and_then(|epochs| epochs.parse().ok()).unwrap_or(usual);
    match after("--task").map(String::as_str) {
        Some("marker") => 15.0 + 41.0 * epochs(3.0),
        Some("protein") => 15.0 + 15.0 * epochs(6.0),
        _ => 160.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_ones_trainings_are_told_within_a_fifth_of_what_they_took() {
        let bundled = Model { parameters: BUNDLED_PARAMETERS, bundled: true, with_records: false };
        let with_records = Model { with_records: true, ..bundled };
        for (told, took) in [
            (bundled.training(false, 0.0, None), 145.0),
            (bundled.training(true, 0.0, None), 196.0),
            (with_records.training(true, 936.0, Some(1.0)), 380.0),
        ] {
            assert!((0.8..1.2).contains(&(told / took)), "{told} s told, {took} s taken");
        }
    }

    #[test]
    fn a_quickstart_is_told_by_its_task_and_passes() {
        let seconds = |line: &str| command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let usual = seconds("quickstart --task marker --out x");
        assert!(seconds("quickstart --task marker --epochs 1 --out x") < usual);
        assert_eq!(seconds("quickstart --task marker --epochs 3"), usual);
        assert!(seconds("evaluate x --out y") < 2.0);
    }
}
