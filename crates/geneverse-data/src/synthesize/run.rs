//! The requests, several at a time, and the files in the end.
//!
//! One thread decides: it gives questions out in their order, keeps and judges answers, and stops. Others only ask.
//! The first question goes alone: what a server does not know, or whether it is there at all, is found out once.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::budget::Meter;
use super::plan::{Job, Plan, request, request_key};
use super::reject::{Reason, Rejection, by_server};
use super::{
    Check, RejectedText, STAGE, Synthesis, SynthesisError, SynthesisReport, SyntheticText, rejected_path,
};
use crate::chat::{ChatAnswer, ChatClient, ChatError, ChatRequest, Usage};
use crate::progress::Progress;
use crate::stage::{FileError, atomic_write, finish};

/// So many questions in a row without an answer, and the endpoint is taken to be down.
pub(super) const ROW: usize = 8;
/// So many failed attempts are told of.
const NOTES: usize = 20;
/// How often it is looked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How it ended, where it did not fail.
#[derive(Debug)]
pub enum Ended {
    /// All is written.
    Finished(Box<SynthesisReport>),
    /// It was asked to stop; what was answered is kept.
    Interrupted {
        /// Genes whose questions are done with.
        done: usize,
        /// Genes in all.
        genes: usize,
    },
}

/// A question on its way to a thread.
struct Errand {
    place: usize,
    attempt: u32,
    key: String,
    request: ChatRequest,
    reserved: Usage,
}

/// What a thread says.
enum Said {
    Note(String),
    Answer { errand: Box<Errand>, answer: Box<Result<ChatAnswer, ChatError>> },
}

/// What became of a gene's question.
enum Outcome {
    Open,
    Text(SyntheticText),
    Without(Reason),
    Failed,
}

impl Plan {
    /// Asks what is not answered yet, judges every answer, writes the files. Ends early where the client is stopped.
    pub fn run(
        self,
        client: &ChatClient,
        check: Check<'_>,
        progress: &dyn Progress,
    ) -> Result<Ended, SynthesisError> {
        self.refuse_if_too_much()?;
        let threads = self.options.concurrency.clamp(1, self.jobs.len().max(1));
        let (errands, waiting) = channel::<Errand>();
        let (said, heard) = channel::<Said>();
        let waiting = Mutex::new(waiting);
        thread::scope(|scope| {
            for _ in 0..threads {
                let (said, waiting) = (said.clone(), &waiting);
                scope.spawn(move || work(client, waiting, &said));
            }
            drop(said);
            let begun = Instant::now();
            let mut desk = Desk::new(self, check, progress, errands);
            let ended = desk.serve(&heard, client);
            progress.finish();
            if !matches!(ended, Ok(false)) {
                client.leave();
                desk.keep_what_came(&heard)?;
            }
            if ended? {
                return Ok(Ended::Interrupted { done: desk.done, genes: desk.plan.jobs.len() });
            }
            desk.write(client, begun).map(|report| Ended::Finished(Box::new(report)))
            // Here the desk and its errands go, and with them the threads.
        })
    }
}

/// A thread's work: errands, until there are no more.
fn work(client: &ChatClient, waiting: &Mutex<Receiver<Errand>>, said: &Sender<Said>) {
    loop {
        let errand = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(errand) = errand else { return };
        let tell = |line: &str| drop(said.send(Said::Note(line.to_owned())));
        let answer = client.ask(&errand.request, &tell);
        if said.send(Said::Answer { errand: Box::new(errand), answer: Box::new(answer) }).is_err() {
            return;
        }
    }
}

/// Where all is decided.
struct Desk<'a> {
    plan: Plan,
    check: Check<'a>,
    progress: &'a dyn Progress,
    errands: Sender<Errand>,
    /// Questions to be asked, by gene and attempt.
    open: VecDeque<(usize, u32)>,
    under_way: usize,
    /// Whether the server has answered, now or in an earlier run.
    answered: bool,
    /// Whether it has said anything in this one.
    met: bool,
    failed_in_a_row: usize,
    last_failure: String,
    notes: usize,
    meter: Meter,
    outcomes: Vec<Outcome>,
    rejected: Vec<(usize, RejectedText)>,
    done: usize,
    asked: usize,
    cached: usize,
    saved_by_retries: usize,
    with_thoughts: usize,
    models: BTreeMap<String, usize>,
}

impl<'a> Desk<'a> {
    fn new(plan: Plan, check: Check<'a>, progress: &'a dyn Progress, errands: Sender<Errand>) -> Self {
        let Synthesis { limits, sampling, .. } = &plan.options;
        let meter = Meter::new(*limits, sampling.max_tokens.unwrap_or_default());
        let outcomes = plan.jobs.iter().map(|_| Outcome::Open).collect();
        let open = (0..plan.jobs.len()).map(|place| (place, 0)).collect();
        Self {
            plan,
            check,
            progress,
            errands,
            open,
            under_way: 0,
            answered: false,
            met: false,
            failed_in_a_row: 0,
            last_failure: String::new(),
            notes: 0,
            meter,
            outcomes,
            rejected: Vec::new(),
            done: 0,
            asked: 0,
            cached: 0,
            saved_by_retries: 0,
            with_thoughts: 0,
            models: BTreeMap::new(),
        }
    }

    /// Serves all questions; `true` where it was stopped before the end.
    fn serve(&mut self, heard: &Receiver<Said>, client: &ChatClient) -> Result<bool, SynthesisError> {
        self.take_cached()?;
        if self.open.is_empty() {
            return Ok(false);
        }
        self.plan.cache.lock()?;
        let what = format!("asking {}", self.plan.options.model);
        self.progress.start(&what, Some(self.plan.jobs.len() as u64), "genes");
        self.progress.set(self.done as u64);
        loop {
            if client.is_stopped() {
                return Ok(true);
            }
            self.give_out()?;
            if self.under_way == 0 {
                return Ok(false);
            }
            match heard.recv_timeout(LOOK_EVERY) {
                Ok(Said::Note(line)) => self.note(&line),
                Ok(Said::Answer { errand, answer }) => {
                    self.under_way -= 1;
                    self.met = true;
                    self.meter.release(errand.reserved);
                    match *answer {
                        Err(ChatError::Stopped) => return Ok(true),
                        Ok(answer) => self.answer(*errand, answer)?,
                        Err(error) => self.failure(&errand, error)?,
                    }
                    self.tell();
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// At an early end: answers that have come by now are paid for, and kept.
    fn keep_what_came(&mut self, heard: &Receiver<Said>) -> Result<(), SynthesisError> {
        while let Ok(said) = heard.try_recv() {
            if let Said::Answer { errand, answer } = said
                && let Ok(answer) = *answer
            {
                self.answer(*errand, answer)?;
            }
        }
        Ok(())
    }

    /// Uses what earlier runs have paid for; an attempt may open the next one.
    fn take_cached(&mut self) -> Result<(), SynthesisError> {
        let mut still_open = VecDeque::new();
        while let Some((place, attempt)) = self.open.pop_front() {
            let key = request_key(&request(&self.plan.options, &self.plan.jobs[place].question, attempt));
            match self.plan.cache.get(&key).cloned() {
                Some(answer) => {
                    self.cached += 1;
                    self.judge(place, attempt, &answer);
                }
                None => still_open.push_back((place, attempt)),
            }
        }
        self.open = still_open;
        Ok(())
    }

    /// Gives out as many questions as may be under way.
    fn give_out(&mut self) -> Result<(), SynthesisError> {
        let most = if self.met { self.plan.options.concurrency } else { 1 };
        while self.under_way < most
            && let Some(&(place, attempt)) = self.open.front()
        {
            let question = &self.plan.jobs[place].question;
            let characters = question.characters();
            if !self.meter.allows(characters) {
                // What is under way may cost less than was set aside for it.
                return if self.under_way > 0 { Ok(()) } else { Err(self.over_budget()) };
            }
            let request = request(&self.plan.options, question, attempt);
            let key = request_key(&request);
            self.open.pop_front();
            // Another program may have asked it between the plan and the lock.
            if let Some(answer) = self.plan.cache.get(&key).cloned() {
                self.cached += 1;
                self.judge(place, attempt, &answer);
                continue;
            }
            let reserved = self.meter.reserve(characters);
            self.under_way += 1;
            // Threads leave only after this end of the channel has gone.
            let _ = self.errands.send(Errand { place, attempt, key, request, reserved });
        }
        Ok(())
    }

    fn answer(&mut self, errand: Errand, answer: ChatAnswer) -> Result<(), SynthesisError> {
        let Errand { place, attempt, key, .. } = errand;
        self.asked += 1;
        self.failed_in_a_row = 0;
        let symbol = self.plan.jobs[place].gene.symbol.to_string();
        self.plan.cache.keep(&key, &symbol, attempt, answer.clone())?;
        self.judge(place, attempt, &answer);
        Ok(())
    }

    /// A question without an answer: where the endpoint itself is at fault, no other is asked.
    fn failure(&mut self, errand: &Errand, error: ChatError) -> Result<(), SynthesisError> {
        let lasting = match &error {
            ChatError::Refused { filtered, said, .. } if self.answered || *filtered => {
                let detail = said.clone();
                let reason = if *filtered { Reason::Refusal } else { Reason::RefusedByServer };
                self.reject(errand.place, errand.attempt, Rejection::new(reason, detail), "");
                self.close(errand.place, Outcome::Without(reason));
                return Ok(());
            }
            ChatError::Unreadable { .. } | ChatError::Http(_) => !self.answered,
            _ => true,
        };
        if lasting {
            return Err(error.into());
        }
        self.last_failure = error.to_string();
        self.failed_in_a_row += 1;
        self.progress
            .note(&format!("note: no answer about {}: {error}", self.plan.jobs[errand.place].gene.symbol));
        if self.failed_in_a_row >= ROW {
            return Err(SynthesisError::Down { row: ROW, last: self.last_failure.clone() });
        }
        self.close(errand.place, Outcome::Failed);
        Ok(())
    }

    /// Pays for an answer and judges it.
    fn judge(&mut self, place: usize, attempt: u32, answer: &ChatAnswer) {
        self.answered = true;
        let Job { gene, question } = &self.plan.jobs[place];
        self.meter.pay(question.characters(), answer.usage, answer.text.chars().count() as u64);
        let (text, thoughts) = answer.without_thoughts();
        self.with_thoughts += usize::from(thoughts || answer.reasoned);
        if let Some(model) = &answer.model {
            *self.models.entry(model.clone()).or_default() += 1;
        }
        match by_server(answer, &text).and_then(|()| (self.check)(gene, question, &text)) {
            Ok(()) => {
                let Synthesis { mode, model, .. } = &self.plan.options;
                let text = SyntheticText {
                    symbol: gene.symbol.to_string(),
                    kind: gene.kind,
                    mode: *mode,
                    model: model.clone(),
                    prompt: question.user.clone(),
                    text: text.split_whitespace().collect::<Vec<_>>().join(" "),
                    sampling: request(&self.plan.options, question, attempt).sampling,
                };
                self.saved_by_retries += usize::from(attempt > 0);
                self.close(place, Outcome::Text(text));
            }
            Err(rejection) => {
                let reason = rejection.reason;
                self.reject(place, attempt, rejection, &answer.text);
                if attempt < self.plan.options.retry_rejected {
                    self.open.push_back((place, attempt + 1));
                } else {
                    self.close(place, Outcome::Without(reason));
                }
            }
        }
    }

    fn reject(&mut self, place: usize, attempt: u32, rejection: Rejection, text: &str) {
        let symbol = self.plan.jobs[place].gene.symbol.to_string();
        let Rejection { reason, detail } = rejection;
        self.rejected.push((place, RejectedText { symbol, attempt, reason, detail, text: text.to_owned() }));
    }

    fn close(&mut self, place: usize, outcome: Outcome) {
        self.outcomes[place] = outcome;
        self.done += 1;
    }

    /// A failed attempt. Where a server is busy for hours the first of them say enough.
    fn note(&mut self, line: &str) {
        self.notes += 1;
        if self.notes <= NOTES {
            self.progress.note(&format!("note: {line}"));
        }
        if self.notes == NOTES {
            self.progress.note("note: further failed attempts are not told");
        }
    }

    fn tell(&self) {
        let Usage { prompt_tokens, completion_tokens } = self.meter.spent;
        let cost = self.meter.cost().map(|cost| format!(", ${cost:.2}")).unwrap_or_default();
        let rejected = match self.rejected.len() {
            0 => String::new(),
            n => format!(", {n} rejected"),
        };
        self.progress.state(&format!("{} tokens{cost}{rejected}", prompt_tokens + completion_tokens));
        self.progress.set(self.done as u64);
    }

    fn over_budget(&self) -> SynthesisError {
        let first_open = self.outcomes.iter().position(|outcome| matches!(outcome, Outcome::Open));
        let whole = first_open.unwrap_or(self.outcomes.len());
        let Usage { prompt_tokens, completion_tokens } = self.meter.spent;
        let cost = self.meter.cost().map(|cost| format!(" (${cost:.4})")).unwrap_or_default();
        let rest = match whole {
            0 => String::new(),
            n => format!("; with --limit {n} it finishes with the first {n} genes"),
        };
        SynthesisError::Budget(format!(
            "the next answer might pass the limit of {}: {} tokens are spent{cost} for {} of {} genes. The answers are \
             kept: the same command with a higher limit goes on{rest}",
            self.plan.options.limits.words(),
            prompt_tokens + completion_tokens,
            self.done,
            self.outcomes.len()
        ))
    }

    /// Writes the texts, the rejected answers, and the manifest.
    fn write(self, client: &ChatClient, begun: Instant) -> Result<SynthesisReport, SynthesisError> {
        let failed = self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed)).count();
        if failed > 0 && !self.plan.options.skip_failed {
            let genes = self.outcomes.len();
            return Err(SynthesisError::Failed { failed, genes, last: self.last_failure });
        }
        let mut texts = Vec::new();
        let mut without: BTreeMap<Reason, usize> = BTreeMap::new();
        let mut rejected = self.rejected;
        for (place, outcome) in self.outcomes.into_iter().enumerate() {
            match outcome {
                Outcome::Text(text) => texts.push(text),
                Outcome::Without(reason) => *without.entry(reason).or_default() += 1,
                Outcome::Failed | Outcome::Open => {
                    *without.entry(Reason::NoAnswer).or_default() += 1;
                    let symbol = self.plan.jobs[place].gene.symbol.to_string();
                    let (reason, text) = (Reason::NoAnswer, String::new());
                    let detail = "all attempts failed".to_owned();
                    rejected.push((place, RejectedText { symbol, attempt: 0, reason, detail, text }));
                }
            }
        }
        rejected.sort_by_key(|(place, rejected)| (*place, rejected.attempt));
        let rejected: Vec<RejectedText> = rejected.into_iter().map(|(_, rejected)| rejected).collect();
        let Plan { options, key, jobs, not_asked, .. } = self.plan;
        write_lines(&options.out, &texts)?;
        write_lines(&rejected_path(&options.out), &rejected)?;
        let report = SynthesisReport {
            genes: jobs.len(),
            accepted: texts.len(),
            rejected: without,
            saved_by_retries: self.saved_by_retries,
            not_asked,
            asked: self.asked,
            cached: self.cached,
            prompt_tokens: self.meter.spent.prompt_tokens,
            completion_tokens: self.meter.spent.completion_tokens,
            tokens_estimated: self.meter.estimated,
            cost: self.meter.cost(),
            with_thoughts: self.with_thoughts,
            models: self.models,
            endpoint: (self.asked > 0).then(|| client.address().host().to_owned()),
            adjustments: client.adjustments(),
            seconds: begun.elapsed().as_secs_f64(),
            already_done: false,
        };
        let facts =
            serde_json::to_value(&report).map_err(|e| FileError::whole(&options.out, e.to_string()))?;
        finish(&options.out, STAGE, key, facts)?;
        Ok(report)
    }
}

fn write_lines(path: &std::path::Path, lines: &[impl Serialize]) -> Result<(), FileError> {
    atomic_write(path, |out| {
        for line in lines {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}
