//! What the answers will cost, what they have cost, and when to stop.
//!
//! Tokens of a question are estimated from its characters: a character is between [`FEWEST`] and [`MOST`] tokens, about
//! [`USUAL`] in English prose. As soon as a server has said what answers cost, its own ratio takes the place of these.
//! An answer is reserved for, before it is asked for, with its longest length; so a limit is never passed, as long as
//! the server keeps to the longest length.

use serde::{Deserialize, Serialize};

use crate::chat::Usage;

/// Tokens per character where tokens are longest: plain English words.
const FEWEST: f64 = 1.0 / 6.0;
/// Tokens per character of English prose with some symbols in it.
const USUAL: f64 = 1.0 / 4.0;
/// Tokens per character of lists of identifiers, whose digits go in twos and threes.
const MOST: f64 = 1.0 / 2.0;
/// Tokens of a chat template around a question, at most.
const TEMPLATE: u64 = 40;
/// A question may be denser than any before it by this factor.
const MARGIN: f64 = 1.25;
/// The shortest answer that is of any use, in tokens.
const SHORTEST: u64 = 25;
/// A description as it usually comes, in tokens.
const DESCRIPTION: u64 = 220;

/// Prices in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Of questions.
    pub input: f64,
    /// Of answers.
    pub output: f64,
}

impl Prices {
    /// What some tokens cost.
    pub fn cost(self, usage: Usage) -> f64 {
        (usage.prompt_tokens as f64 * self.input + usage.completion_tokens as f64 * self.output) / 1e6
    }
}

/// What the answers of one output may cost altogether, those of earlier runs included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// In tokens, questions and answers together.
    pub tokens: Option<u64>,
    /// In US dollars; needs prices.
    pub cost: Option<f64>,
    /// What tokens cost.
    pub prices: Option<Prices>,
}

impl Limits {
    /// Whether some tokens are within the limits.
    fn allow(&self, usage: Usage) -> bool {
        let cost = self.prices.map_or(0.0, |prices| prices.cost(usage));
        self.tokens.is_none_or(|most| usage.prompt_tokens + usage.completion_tokens <= most)
            && self.cost.is_none_or(|most| cost <= most)
    }

    /// The limits in words.
    pub(super) fn words(&self) -> String {
        let tokens = self.tokens.map(|most| format!("{most} tokens"));
        let cost = self.cost.map(|most| format!("${most:.2}"));
        tokens.into_iter().chain(cost).collect::<Vec<_>>().join(" and ")
    }
}

/// A number that is not known yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Range<T> {
    /// It is hardly less.
    pub low: T,
    /// It is probably about this.
    pub likely: T,
    /// It is not more.
    pub high: T,
}

/// What is ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Genes to be asked about, protein-coding all of them.
    pub genes: usize,
    /// Answers that are in the cache.
    pub cached: usize,
    /// Requests to be made, without those for retried answers.
    pub requests: usize,
    /// Tokens of the questions still to be asked.
    pub prompt_tokens: Range<u64>,
    /// Tokens of their answers.
    pub completion_tokens: Range<u64>,
    /// Tokens that the cached answers have cost.
    pub spent_tokens: u64,
    /// What they cost in US dollars, where prices are known.
    pub cost: Option<Range<f64>>,
    /// What the cached answers have cost.
    pub spent: Option<f64>,
    /// Seconds that the requests take at the rate limit, where there is one.
    pub seconds_at_rate_limit: Option<f64>,
    /// Whether the ratio of characters to tokens is this model's own, from cached answers.
    pub calibrated: bool,
}

/// Counts tokens, and knows how many a question will have.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    pub(super) limits: Limits,
    /// The longest answer in tokens.
    longest: u64,
    /// What is paid for.
    pub(super) spent: Usage,
    /// What is asked for and not answered yet, at most.
    reserved: Usage,
    /// Answers whose cost the server did not tell.
    pub(super) estimated: usize,
    counted_characters: u64,
    counted: Usage,
    counted_answers: u64,
    densest: f64,
}

impl Meter {
    pub(super) fn new(limits: Limits, longest: u64) -> Self {
        Self {
            limits,
            longest,
            spent: Usage::default(),
            reserved: Usage::default(),
            estimated: 0,
            counted_characters: 0,
            counted: Usage::default(),
            counted_answers: 0,
            densest: 0.0,
        }
    }

    /// What a question of so many characters will cost at most.
    pub(super) fn most(&self, characters: u64) -> Usage {
        let densest = if self.densest > 0.0 { self.densest * MARGIN } else { MOST };
        Usage { prompt_tokens: tokens(characters, densest) + TEMPLATE, completion_tokens: self.longest }
    }

    /// Whether a question may be asked now: with all that is under way it stays within the limits.
    pub(super) fn allows(&self, characters: u64) -> bool {
        self.limits.allow(sum([self.spent, self.reserved, self.most(characters)]))
    }

    /// A question is asked; what it may cost is set aside until [`release`](Self::release).
    pub(super) fn reserve(&mut self, characters: u64) -> Usage {
        let most = self.most(characters);
        self.reserved = sum([self.reserved, most]);
        most
    }

    /// A question is no longer under way.
    pub(super) fn release(&mut self, reserved: Usage) {
        self.reserved.prompt_tokens = self.reserved.prompt_tokens.saturating_sub(reserved.prompt_tokens);
        self.reserved.completion_tokens =
            self.reserved.completion_tokens.saturating_sub(reserved.completion_tokens);
    }

    /// An answer is there. Where the server does not say what it cost, its length tells about how much.
    pub(super) fn pay(&mut self, characters: u64, usage: Option<Usage>, answer_characters: u64) {
        match usage {
            Some(usage) => {
                self.spent = sum([self.spent, usage]);
                self.counted = sum([self.counted, usage]);
                self.counted_characters += characters;
                self.counted_answers += 1;
                if characters > 0 {
                    self.densest = self.densest.max(usage.prompt_tokens as f64 / characters as f64);
                }
            }
            None => {
                self.estimated += 1;
                let prompt_tokens = tokens(characters, USUAL);
                let completion_tokens = tokens(answer_characters, USUAL);
                self.spent = sum([self.spent, Usage { prompt_tokens, completion_tokens }]);
            }
        }
    }

    /// The cost of what is paid for.
    pub(super) fn cost(&self) -> Option<f64> {
        self.limits.prices.map(|prices| prices.cost(self.spent))
    }

    /// What questions still to be asked will cost. A `rephrasing` is about as long as its question.
    pub(super) fn ahead(&self, questions: &[u64], rephrasing: bool) -> [Range<u64>; 2] {
        let count = questions.len() as u64;
        let characters: u64 = questions.iter().sum();
        let calibrated = self.counted_answers > 0 && self.counted_characters > 0;
        let ratio = self.counted.prompt_tokens as f64 / self.counted_characters.max(1) as f64;
        let (low, usual) = if calibrated { (ratio * 0.8, ratio) } else { (FEWEST, USUAL) };
        let prompts = Range {
            low: tokens(characters, low),
            likely: tokens(characters, usual),
            high: questions.iter().map(|c| self.most(*c).prompt_tokens).sum(),
        };
        let per_answer = match (calibrated, rephrasing) {
            (true, _) => self.counted.completion_tokens / self.counted_answers,
            (false, true) => prompts.likely / count.max(1),
            (false, false) => DESCRIPTION,
        };
        let completions = Range {
            low: count * SHORTEST.min(self.longest),
            likely: count * per_answer.min(self.longest),
            high: count * self.longest,
        };
        [prompts, completions]
    }

    pub(super) fn is_calibrated(&self) -> bool {
        self.counted_answers > 0
    }
}

fn tokens(characters: u64, per_character: f64) -> u64 {
    (characters as f64 * per_character).ceil() as u64
}

fn sum<const N: usize>(usages: [Usage; N]) -> Usage {
    usages.iter().fold(Usage::default(), |all, one| Usage {
        prompt_tokens: all.prompt_tokens.saturating_add(one.prompt_tokens),
        completion_tokens: all.completion_tokens.saturating_add(one.completion_tokens),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(prompt_tokens: u64, completion_tokens: u64) -> Usage {
        Usage { prompt_tokens, completion_tokens }
    }

    #[test]
    fn what_is_under_way_counts_against_the_limit() {
        let limits = Limits { tokens: Some(1000), ..Limits::default() };
        let mut meter = Meter::new(limits, 200);
        // 400 characters: at most 200 + 40 tokens, and 200 of the answer.
        let first = meter.reserve(400);
        assert_eq!(first, usage(240, 200));
        assert!(meter.allows(400), "880 of 1000");
        let second = meter.reserve(400);
        assert!(!meter.allows(400), "1320 of 1000");
        meter.release(first);
        meter.pay(400, Some(usage(100, 50)), 200);
        // From now on this server's ratio, 0.25 · 1.25, is used: 125 + 40 + 200.
        assert_eq!(meter.most(400), usage(165, 200));
        assert!(meter.allows(400), "150 + 440 + 365");
        meter.release(second);
        meter.pay(400, None, 200);
        assert_eq!((meter.spent, meter.estimated), (usage(200, 100), 1));
    }

    #[test]
    fn money_is_counted_by_the_million() {
        let prices = Some(Prices { input: 2.0, output: 10.0 });
        let limits = Limits { cost: Some(0.01), prices, tokens: None };
        let mut meter = Meter::new(limits, 500);
        meter.pay(4000, Some(usage(1000, 300)), 1200);
        assert_eq!(meter.cost(), Some(0.005));
        assert!(!meter.allows(4000), "0.005 + 0.0025·… + 0.005 is more than 0.01");
        assert!(meter.limits.allow(usage(5000, 0)) && !meter.limits.allow(usage(5001, 0)));
        assert_eq!(limits.words(), "$0.01");
    }

    #[test]
    fn an_estimate_is_a_range_that_narrows() {
        let mut meter = Meter::new(Limits::default(), 1000);
        let [prompts, answers] = meter.ahead(&[1200, 1200], true);
        assert_eq!((prompts.low, prompts.likely, prompts.high), (400, 600, 1280));
        assert_eq!((answers.low, answers.likely, answers.high), (50, 600, 2000));
        meter.pay(1000, Some(usage(300, 100)), 400);
        let [prompts, answers] = meter.ahead(&[1200, 1200], true);
        assert_eq!((prompts.likely, answers.likely), (720, 200));
        assert!(prompts.low <= prompts.likely && prompts.likely <= prompts.high);
    }
}
