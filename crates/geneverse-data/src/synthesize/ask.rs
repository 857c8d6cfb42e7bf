//! Many questions to one endpoint: cached, limited, several at once.
//!
//! What [`Plan::run`](super::Plan::run) does for texts about genes, for questions that are asked once each and whose
//! answers somebody else judges. The answers come in the order of the questions, however many were asked at once and in
//! however many runs.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::budget::{Limits, Meter};
use super::cache::Cache;
use super::plan::request_key;
use super::{SynthesisError, run};
use crate::chat::{ChatAnswer, ChatClient, ChatError, ChatRequest, Usage};
use crate::progress::Progress;

/// A question with a name to find it by in the cache.
#[derive(Debug, Clone)]
pub struct Query {
    /// What it is about.
    pub name: String,
    /// The question.
    pub request: ChatRequest,
}

/// What came of the questions.
#[derive(Debug, Default)]
pub struct Asked {
    /// The answers, in the order of the questions; `None` where there is none.
    pub answers: Vec<Option<ChatAnswer>>,
    /// Answers asked for now.
    pub asked: usize,
    /// Answers that were there from earlier runs.
    pub cached: usize,
    /// Questions that got no answer.
    pub failed: usize,
    /// Why the last of them got none.
    pub last_failure: String,
    /// Each of them: its place among the questions, and why.
    pub failures: Vec<(usize, String)>,
    /// Tokens paid for, those of earlier runs included.
    pub usage: Usage,
    /// What they cost in US dollars, where prices are known.
    pub cost: Option<f64>,
    /// It was asked to stop before all were answered; what was answered is kept.
    pub stopped: bool,
}

/// So many questions may fail before the first answer: one that the server refuses is not the end of the others.
const NOTHING_YET: usize = 2;

/// How often it is looked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks what the cache does not have. `what` is done, in the words of the progress: "asking the judge".
pub fn ask_all(
    client: &ChatClient,
    queries: &[Query],
    cache: &Path,
    concurrency: usize,
    limits: Limits,
    what: &str,
    progress: &dyn Progress,
) -> Result<Asked, SynthesisError> {
    let longest =
        queries.iter().filter_map(|query| query.request.sampling.max_tokens).max().unwrap_or_default();
    let mut desk = Desk {
        queries,
        keys: queries.iter().map(|query| request_key(&query.request)).collect(),
        cache: Cache::read(cache)?,
        meter: Meter::new(limits, longest),
        asked: Asked { answers: vec![None; queries.len()], ..Asked::default() },
        failed_in_a_row: 0,
    };
    let open = desk.take_cached();
    if !open.is_empty() {
        desk.cache.lock()?;
        progress.start(what, Some(queries.len() as u64), "answers");
        let served = serve(&mut desk, client, &open, concurrency, progress);
        progress.finish();
        served?;
    }
    let Desk { asked, meter, .. } = desk;
    Ok(Asked { usage: meter.spent, cost: meter.cost(), ..asked })
}

/// What a thread says of a question: its place, and the answer; or a line on a failed attempt.
enum Said {
    Note(String),
    Answer(usize, Box<Result<ChatAnswer, ChatError>>),
}

fn serve(
    desk: &mut Desk<'_>,
    client: &ChatClient,
    open: &[usize],
    concurrency: usize,
    progress: &dyn Progress,
) -> Result<(), SynthesisError> {
    let (errands, waiting) = channel::<(usize, ChatRequest)>();
    let (said, heard) = channel::<Said>();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..concurrency.clamp(1, open.len()) {
            let (said, waiting) = (said.clone(), &waiting);
            scope.spawn(move || work(client, waiting, &said));
        }
        drop(said);
        let ended = desk.serve(client, open, concurrency.max(1), &errands, &heard, progress);
        if ended.is_err() || desk.asked.stopped {
            client.leave();
        }
        drop(errands);
        // What was on its way is paid for: it is kept.
        for said in heard {
            if let Said::Answer(place, answer) = said
                && let Ok(answer) = *answer
            {
                desk.keep(place, answer)?;
            }
        }
        ended
    })
}

/// A thread's work: questions, until there are no more.
fn work(client: &ChatClient, waiting: &Mutex<Receiver<(usize, ChatRequest)>>, said: &Sender<Said>) {
    loop {
        let errand = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((place, request)) = errand else { return };
        let answer = client.ask(&request, &|line: &str| drop(said.send(Said::Note(line.to_owned()))));
        if said.send(Said::Answer(place, Box::new(answer))).is_err() {
            return;
        }
    }
}

struct Desk<'a> {
    queries: &'a [Query],
    keys: Vec<String>,
    cache: Cache,
    meter: Meter,
    asked: Asked,
    failed_in_a_row: usize,
}

impl Desk<'_> {
    /// Takes what is there; gives the places of the rest.
    fn take_cached(&mut self) -> Vec<usize> {
        let mut open = Vec::new();
        for place in 0..self.queries.len() {
            match self.cache.get(&self.keys[place]).cloned() {
                Some(answer) => {
                    self.pay(place, &answer);
                    self.asked.cached += 1;
                    self.asked.answers[place] = Some(answer);
                }
                None => open.push(place),
            }
        }
        open
    }

    fn characters(&self, place: usize) -> u64 {
        let messages = &self.queries[place].request.messages;
        messages.iter().map(|message| message.words().chars().count() as u64).sum()
    }

    fn pay(&mut self, place: usize, answer: &ChatAnswer) {
        self.meter.pay(self.characters(place), answer.usage, answer.text.chars().count() as u64);
    }

    fn keep(&mut self, place: usize, answer: ChatAnswer) -> Result<(), SynthesisError> {
        let key = self.keys[place].clone();
        self.cache.keep(&key, &self.queries[place].name, 0, answer.clone())?;
        self.pay(place, &answer);
        self.asked.asked += 1;
        self.asked.answers[place] = Some(answer);
        Ok(())
    }

    fn serve(
        &mut self,
        client: &ChatClient,
        open: &[usize],
        concurrency: usize,
        errands: &Sender<(usize, ChatRequest)>,
        heard: &Receiver<Said>,
        progress: &dyn Progress,
    ) -> Result<(), SynthesisError> {
        let mut next = open.iter().copied().peekable();
        let mut reserved = std::collections::HashMap::new();
        // The first question goes alone: it finds out whether the server is there, and what it does not know.
        let mut met = false;
        loop {
            if client.is_stopped() {
                self.asked.stopped = true;
                return Ok(());
            }
            while reserved.len() < if met { concurrency } else { 1 } {
                let Some(&place) = next.peek() else { break };
                let characters = self.characters(place);
                if !self.meter.allows(characters) {
                    break;
                }
                next.next();
                reserved.insert(place, self.meter.reserve(characters));
                // The threads end only after this.
                let _ = errands.send((place, self.queries[place].request.clone()));
            }
            if reserved.is_empty() {
                return if next.peek().is_none() { Ok(()) } else { Err(self.over_budget()) };
            }
            match heard.recv_timeout(LOOK_EVERY) {
                Ok(Said::Note(line)) => progress.note(&format!("note: {line}")),
                Ok(Said::Answer(place, answer)) => {
                    if let Some(usage) = reserved.remove(&place) {
                        self.meter.release(usage);
                    }
                    match *answer {
                        Ok(answer) => {
                            self.failed_in_a_row = 0;
                            self.keep(place, answer)?;
                        }
                        Err(ChatError::Stopped) => {
                            self.asked.stopped = true;
                            return Ok(());
                        }
                        Err(error) => self.fail(place, error)?,
                    }
                    met |= self.asked.cached + self.asked.asked > 0;
                    progress.set((self.asked.cached + self.asked.asked + self.asked.failed) as u64);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// A question without an answer is counted; the end where the server is not there, or says no to one after another.
    fn fail(&mut self, place: usize, error: ChatError) -> Result<(), SynthesisError> {
        let of_question =
            matches!(error, ChatError::Refused { .. } | ChatError::Unreadable { .. } | ChatError::Http(_));
        if !of_question {
            return Err(error.into());
        }
        self.asked.failed += 1;
        self.failed_in_a_row += 1;
        self.asked.last_failure = error.to_string();
        self.asked.failures.push((place, error.to_string()));
        let answered = self.asked.cached + self.asked.asked > 0;
        // A server that has answered nothing yet need not be asked as often to know that it is not there.
        let most = if answered { run::ROW } else { NOTHING_YET };
        if self.failed_in_a_row >= most {
            return match answered {
                true => Err(SynthesisError::Down { row: most, last: error.to_string() }),
                false => Err(error.into()),
            };
        }
        Ok(())
    }

    fn over_budget(&self) -> SynthesisError {
        let Usage { prompt_tokens, completion_tokens } = self.meter.spent;
        SynthesisError::Budget(format!(
            "the next answer might pass the limit of {}: {} tokens are spent for {} of {} answers. They are kept: the same \
             command with a higher limit goes on",
            self.meter.limits.words(),
            prompt_tokens + completion_tokens,
            self.asked.cached + self.asked.asked,
            self.queries.len()
        ))
    }
}
