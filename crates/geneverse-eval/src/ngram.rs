//! An n-gram language model with modified Kneser-Ney smoothing: what a neural one has to beat.
//!
//! Interpolated, with three discounts for each order (Chen and Goodman, 1999). Orders below the highest count in how
//! many contexts an n-gram continues something rather than how often it occurs; n-grams at the start of a document,
//! which continue nothing, keep their counts. The lowest order is interpolated with the uniform distribution over the
//! vocabulary, so that every token has a probability.

/// The highest order that can be counted.
pub const MAX_ORDER: usize = 5;
/// Bits for a token in an n-gram's key: five of them fit into 128.
const BITS: u32 = 24;
/// Token ids have to be below this.
pub const MAX_VOCABULARY: usize = 1 << BITS;

/// Counts of all orders.
#[derive(Debug)]
pub struct KneserNey {
    orders: Vec<Order>,
    vocabulary: usize,
}

/// The n-grams of one length, and their contexts; both sorted by key.
#[derive(Debug, Default)]
struct Order {
    grams: Vec<(u128, u32)>,
    contexts: Vec<Context>,
    discounts: [f64; 3],
}

/// What follows one context.
#[derive(Debug)]
struct Context {
    key: u128,
    /// Sum of the counts of what follows.
    total: f64,
    /// The probability that is left for the lower order.
    left: f64,
}

impl KneserNey {
    /// Counts documents of token ids. The first token of a document, its begin-of-sequence token, is a context and
    /// nothing that is predicted.
    ///
    /// `order` is brought into 1 to [`MAX_ORDER`]; ids have to be below `vocabulary`, and that at most
    /// [`MAX_VOCABULARY`].
    pub fn train<'a>(
        documents: impl Iterator<Item = &'a [u32]> + Clone,
        order: usize,
        vocabulary: usize,
    ) -> Self {
        let highest = order.clamp(1, MAX_ORDER);
        let mut tables: Vec<Vec<(u128, u32)>> = vec![Vec::new(); highest];
        let windows = documents.clone().flat_map(|ids| windows(ids, highest)).collect();
        tables[highest - 1] = counted(windows);
        for length in (1..highest).rev() {
            let mask = (1u128 << (BITS * length as u32)) - 1;
            let continued = tables[length].iter().map(|(key, _)| key & mask);
            let starts = documents.clone().filter(|ids| ids.len() >= length && length > 1);
            let starts = starts.map(|ids| key(&ids[..length]));
            tables[length - 1] = counted(continued.chain(starts).collect());
        }
        let orders = tables.into_iter().map(Order::new).collect();
        Self { orders, vocabulary: vocabulary.max(1) }
    }

    /// Natural logarithm of the probability of `next` after `context`, of which only the end counts.
    pub fn log_probability(&self, context: &[u32], next: u32) -> f64 {
        let mut probability = 1.0 / self.vocabulary as f64;
        for (before, order) in self.orders.iter().enumerate() {
            if before > context.len() {
                break;
            }
            let context = key(&context[context.len() - before..]);
            let Some(found) = order.context(context) else { break };
            let count = order.count((context << BITS) | u128::from(next));
            let seen = (f64::from(count) - order.discount(count)).max(0.0) / found.total;
            probability = seen + found.left * probability;
        }
        probability.ln()
    }

    /// Sum of the negative logarithms of a document's tokens after the first, and their number.
    pub fn loss(&self, ids: &[u32]) -> (f64, usize) {
        let loss = (1..ids.len()).map(|at| {
            let from = at.saturating_sub(self.orders.len() - 1);
            -self.log_probability(&ids[from..at], ids[at])
        });
        (loss.sum(), ids.len().saturating_sub(1))
    }

    /// Different n-grams of each length, from 1.
    pub fn sizes(&self) -> Vec<usize> {
        self.orders.iter().map(|order| order.grams.len()).collect()
    }
}

impl Order {
    fn new(grams: Vec<(u128, u32)>) -> Self {
        let discounts = discounts(&grams);
        let mut order = Self { grams, contexts: Vec::new(), discounts };
        let mut contexts = Vec::new();
        for followers in order.grams.chunk_by(|a, b| a.0 >> BITS == b.0 >> BITS) {
            let total: f64 = followers.iter().map(|(_, count)| f64::from(*count)).sum();
            let taken: f64 = followers.iter().map(|(_, count)| order.discount(*count)).sum();
            let key = followers.first().map_or(0, |(key, _)| key >> BITS);
            contexts.push(Context { key, total, left: taken / total });
        }
        order.contexts = contexts;
        order
    }

    fn discount(&self, count: u32) -> f64 {
        match count {
            0 => 0.0,
            n => self.discounts[n.min(3) as usize - 1],
        }
    }

    fn count(&self, key: u128) -> u32 {
        self.grams.binary_search_by_key(&key, |(key, _)| *key).map_or(0, |at| self.grams[at].1)
    }

    fn context(&self, key: u128) -> Option<&Context> {
        self.contexts.binary_search_by_key(&key, |context| context.key).ok().map(|at| &self.contexts[at])
    }
}

/// The three discounts, from how many n-grams have the counts 1 to 4. Where these are too few to say, a half for each.
fn discounts(grams: &[(u128, u32)]) -> [f64; 3] {
    let mut of_count = [0f64; 5];
    for (_, count) in grams {
        if let Some(n) = of_count.get_mut(*count as usize) {
            *n += 1.0;
        }
    }
    let [_, n1, n2, n3, n4] = of_count;
    let y = n1 / (n1 + 2.0 * n2);
    let found = [1.0 - 2.0 * y * n2 / n1, 2.0 - 3.0 * y * n3 / n2, 3.0 - 4.0 * y * n4 / n3];
    let usable = found.iter().zip(1..).all(|(d, most)| d.is_finite() && (0.0..=f64::from(most)).contains(d));
    if usable { found } else { [0.5; 3] }
}

fn windows(ids: &[u32], length: usize) -> impl Iterator<Item = u128> + '_ {
    // Of order 1 the first token would be counted as predicted.
    let from = usize::from(length == 1);
    ids[from.min(ids.len())..].windows(length).map(key)
}

/// Oldest token first, in the highest bits.
fn key(ids: &[u32]) -> u128 {
    ids.iter().fold(0, |key, id| (key << BITS) | u128::from(*id & ((1 << BITS) - 1)))
}

fn counted(mut keys: Vec<u128>) -> Vec<(u128, u32)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b)
        .map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX)))
        .collect()
}

#[cfg(test)]
mod tests;
