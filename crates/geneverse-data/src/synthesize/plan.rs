//! Before the first request: which genes, which questions, which answers are there already, what the rest will cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::budget::{Estimate, Meter, Range};
use super::cache::Cache;
use super::question::Question;
use super::{STAGE, Synthesis, SynthesisError, SynthesisReport};
use crate::chat::{ChatRequest, Sampling};
use crate::dataset::select::{Selection, select};
use crate::gene::{GeneKind, GeneRecord};
use crate::progress::Progress;
use crate::stage::{FileError, Found, hash_bytes, hash_file, look};
use crate::store::GeneStore;

/// A gene and the question about it.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) gene: GeneRecord,
    pub(super) question: Question,
}

/// Work that is ready to begin.
#[derive(Debug)]
pub struct Plan {
    pub(super) options: Synthesis,
    pub(super) key: Value,
    pub(super) jobs: Vec<Job>,
    pub(super) not_asked: BTreeMap<String, usize>,
    pub(super) cache: Cache,
    estimate: Estimate,
}

/// What there is to do.
#[derive(Debug)]
pub enum Planned {
    /// Nothing: it was done before with the same input.
    Done(Box<SynthesisReport>),
    /// This.
    Plan(Box<Plan>),
}

/// Chooses the genes, makes the questions, and looks what is there.
pub fn plan(options: Synthesis, progress: &dyn Progress) -> Result<Planned, SynthesisError> {
    let store = GeneStore::open(&options.db)?;
    if options.out.is_dir() || options.out.extension().is_none() {
        let reason = "expected the name of a file to write, with an ending, such as synthetic.jsonl";
        return Err(FileError::whole(&options.out, reason).into());
    }
    let key = key(&options)?;
    if let Found::Done(manifest) = look(&options.out, STAGE, &key)?
        && options.out.is_file()
    {
        let report: SynthesisReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(&options.out, format!("its manifest cannot be read: {e}")))?;
        return Ok(Planned::Done(Box::new(SynthesisReport { already_done: true, ..report })));
    }
    progress.start("reading genes", None, "genes");
    let selected = select(&store, options.symbols.as_deref(), &options.hold_out, options.only_with_summary)?;
    progress.finish();
    let Selection { seen, held_out, skipped } = selected;
    let mut not_asked: BTreeMap<String, usize> = BTreeMap::new();
    let mut leave_out = |reason: &str, genes: usize| {
        if genes > 0 {
            *not_asked.entry(reason.to_owned()).or_default() += genes;
        }
    };
    leave_out("held out", held_out.len());
    for gene in &skipped {
        // Of genes that were named, each that is left out is told.
        if options.symbols.is_some() {
            progress.note(&format!("note: {}: {}", gene.symbol, gene.reason));
        }
        leave_out(gene.reason.split([';', ',']).next().unwrap_or_default(), 1);
    }
    let mut genes = Vec::new();
    for gene in seen {
        match gene.kind {
            GeneKind::ProteinCoding => genes.push(gene),
            other => leave_out(&format!("{}: its record is used as it is", other.noun()), 1),
        }
    }
    if genes.is_empty() {
        let reason = "found no protein-coding gene to ask about; others are used as their records are. Ask for other \
                      --symbols, or leave out --only-with-summary";
        return Err(FileError::whole(&options.db, reason).into());
    }
    let most = options.limit.unwrap_or(usize::MAX);
    leave_out("beyond --limit", genes.len().saturating_sub(most));
    genes.truncate(most);

    let seed = options.sampling.seed.unwrap_or_default();
    let jobs = genes.into_iter().map(|gene| Job { question: options.mode.question(&gene, seed), gene });
    let jobs: Vec<Job> = jobs.collect();
    let cache = Cache::read(&cache_path(&options))?;
    if cache.unreadable() > 0 {
        let damaged = "lines of the cache could not be read; what they held is asked for again";
        progress.note(&format!("note: {} {damaged}", cache.unreadable()));
    }
    let estimate = estimate(&options, &jobs, &cache);
    Ok(Planned::Plan(Box::new(Plan { options, key, jobs, not_asked, cache, estimate })))
}

impl Plan {
    /// What is ahead.
    pub fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// The first question that is not answered yet, or else the first, as it would be asked.
    pub fn sample(&self) -> Option<ChatRequest> {
        let requests = || self.jobs.iter().map(|job| request(&self.options, &job.question, 0));
        let open = requests().find(|request| self.cache.get(&request_key(request)).is_none());
        open.or_else(|| requests().next())
    }

    /// Refuses what cannot be had within the limits even if all goes well.
    pub(super) fn refuse_if_too_much(&self) -> Result<(), SynthesisError> {
        let Estimate { prompt_tokens, completion_tokens, spent_tokens, cost, spent, requests, .. } =
            &self.estimate;
        let limits = &self.options.limits;
        let least = spent_tokens + prompt_tokens.low + completion_tokens.low;
        let least_cost = cost.map(|cost| spent.unwrap_or_default() + cost.low).unwrap_or_default();
        let too_many = limits.tokens.is_some_and(|most| least > most);
        let too_dear = limits.cost.is_some_and(|most| least_cost > most);
        if *requests == 0 || !(too_many || too_dear) {
            return Ok(());
        }
        let needed = if too_many { format!("{least} tokens") } else { format!("${least_cost:.2}") };
        Err(SynthesisError::Budget(format!(
            "{requests} answers cost at least {needed} with what is spent, and {} are allowed; allow more, or ask about \
             fewer genes with --limit",
            limits.words()
        )))
    }
}

/// What the output depends on. Where the endpoint is, and how fast it was asked, is none of it.
fn key(options: &Synthesis) -> Result<Value, FileError> {
    let Synthesis { db, model, mode, symbols, hold_out, only_with_summary, limit, .. } = options;
    Ok(json!({
        "inputs": {"db": hash_file(db)?},
        "model": model,
        "mode": mode,
        "prompt": mode.hash(),
        "sampling": options.sampling,
        "symbols": symbols.as_ref().map(|list| hash_bytes(list.join("\n").as_bytes())),
        "hold_out": hold_out,
        "only_with_summary": only_with_summary,
        "limit": limit,
        "retry_rejected": options.retry_rejected,
        "rules": options.rules,
    }))
}

/// A request for attempt `attempt`: the same question with another seed.
pub(super) fn request(options: &Synthesis, question: &Question, attempt: u32) -> ChatRequest {
    let seed = options.sampling.seed.map(|seed| seed.wrapping_add(u64::from(attempt)));
    let sampling = Sampling { seed, ..options.sampling };
    ChatRequest { model: options.model.clone(), messages: question.messages(), sampling }
}

/// The key of an answer: SHA-256 of model, messages and parameters.
pub(super) fn request_key(request: &ChatRequest) -> String {
    // A request is made of texts and numbers, which JSON always takes.
    hash_bytes(&serde_json::to_vec(request).unwrap_or_default())
}

/// A file of its own for each model, mode and way to draw, in a folder that outputs share.
fn cache_path(options: &Synthesis) -> PathBuf {
    let folder = options.cache.clone().unwrap_or_else(|| options.out.with_file_name("synthesize-cache"));
    let shown: String =
        options.model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let shown: String = shown.trim_matches('-').chars().take(40).collect();
    let what = json!([options.model, options.mode, options.mode.hash(), options.sampling]);
    let hash = hash_bytes(what.to_string().as_bytes());
    folder.join(format!("{shown}-{}-{}.jsonl", options.mode.name(), &hash[..12]))
}

fn estimate(options: &Synthesis, jobs: &[Job], cache: &Cache) -> Estimate {
    let longest = options.sampling.max_tokens.unwrap_or_default();
    let mut meter = Meter::new(options.limits, longest);
    let mut open = Vec::new();
    for job in jobs {
        let characters = job.question.characters();
        match cache.get(&request_key(&request(options, &job.question, 0))) {
            Some(answer) => meter.pay(characters, answer.usage, answer.text.chars().count() as u64),
            None => open.push(characters),
        }
    }
    let rephrasing = jobs.first().is_some_and(|job| job.question.source.is_some());
    let [prompts, completions] = meter.ahead(&open, rephrasing);
    let cost = |prompt_tokens, completion_tokens| {
        let usage = crate::chat::Usage { prompt_tokens, completion_tokens };
        options.limits.prices.map(|prices| prices.cost(usage))
    };
    let low = cost(prompts.low, completions.low);
    let (likely, high) = (cost(prompts.likely, completions.likely), cost(prompts.high, completions.high));
    Estimate {
        genes: jobs.len(),
        cached: jobs.len() - open.len(),
        requests: open.len(),
        prompt_tokens: prompts,
        completion_tokens: completions,
        spent_tokens: meter.spent.prompt_tokens + meter.spent.completion_tokens,
        cost: low.zip(likely).zip(high).map(|((low, likely), high)| Range { low, likely, high }),
        spent: meter.cost(),
        seconds_at_rate_limit: options.requests_per_minute.map(|n| open.len() as f64 * 60.0 / n),
        calibrated: meter.is_calibrated(),
    }
}
