//! What all commands that ask an endpoint have in common: how they are told to, the key, and how long they try.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Args;
use geneverse_data::chat::{Address, ChatClient, Key};
use geneverse_data::http::{RateLimit, Settings};
use geneverse_data::progress::Progress;
use geneverse_data::stage::hash_bytes;
use geneverse_data::synthesize::{Limits, Prices};

use crate::stop;
use crate::ui::Ui;

/// The variable that holds the key where no other is named.
const KEY_VARIABLE: &str = "OPENAI_API_KEY";
/// How often a question is tried that the server cannot answer now; with pauses that double, half a minute in all.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How an endpoint that writes answers is asked, and what that may cost.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskArgs {
    /// How many questions may be under way at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=512))]
    pub(crate) concurrency: u64,
    /// At most so many requests in a minute
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub(crate) requests_per_minute: Option<f64>,
    /// The most tokens that the file may cost, questions and answers, earlier runs included
    #[arg(long, value_name = "N")]
    max_tokens_total: Option<u64>,
    /// The most that the file may cost in US dollars, earlier runs included
    #[arg(long, value_name = "USD", requires = "price_in", value_parser = not_negative)]
    max_cost: Option<f64>,
    /// The price of a million tokens of questions, in US dollars
    #[arg(long, value_name = "USD", requires = "price_out", value_parser = not_negative)]
    price_in: Option<f64>,
    /// The price of a million tokens of answers, in US dollars
    #[arg(long, value_name = "USD", requires = "price_in", value_parser = not_negative)]
    price_out: Option<f64>,
    /// The folder of answers; without it one beside the file
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// The environment variable that holds the key
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// How long an answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Finish without those whose question got no answer in the end
    #[arg(long)]
    pub(crate) skip_failed: bool,
}

impl Default for AskArgs {
    fn default() -> Self {
        Self {
            concurrency: 4,
            requests_per_minute: None,
            max_tokens_total: None,
            max_cost: None,
            price_in: None,
            price_out: None,
            cache: None,
            api_key_env: None,
            timeout: 600,
            skip_failed: false,
        }
    }
}

impl AskArgs {
    /// What may be spent.
    pub(crate) fn limits(&self) -> Limits {
        let prices = self.price_in.zip(self.price_out).map(|(input, output)| Prices { input, output });
        Limits { tokens: self.max_tokens_total, cost: self.max_cost, prices }
    }

    /// Questions under way at once.
    pub(crate) fn at_once(&self) -> usize {
        usize::try_from(self.concurrency).unwrap_or(1)
    }

    /// The client; the key is looked for, and a warning given where it would travel in the open.
    pub(crate) fn client(&self, address: Address, ui: &Ui) -> Result<ChatClient> {
        let key = key(self.api_key_env.as_deref(), &address, ui)?;
        let settings = settings(Duration::from_secs(self.timeout), self.requests_per_minute);
        Ok(ChatClient::new(settings, address, key)?)
    }
}

/// A file of answers of its own for each model and `what` else they depend on, in the folder asked for or one of this name
/// beside `out`.
pub(crate) fn cache_file(args: &AskArgs, out: &Path, usual: &str, model: &str, what: &str) -> PathBuf {
    let folder = args.cache.clone().unwrap_or_else(|| out.with_file_name(usual));
    let shown: String =
        model.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    folder.join(format!("{}-{}.jsonl", shown.trim_matches('-'), &hash_bytes(what.as_bytes())[..12]))
}

/// The address that `--endpoint` gave.
pub(crate) fn address(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|reason| anyhow!("--endpoint: {reason}"))
}

/// Requests that are tried again while the user has not asked to stop.
pub(crate) fn settings(silence: Duration, requests_per_minute: Option<f64>) -> Settings {
    Settings {
        silence,
        attempts: ATTEMPTS,
        first_pause: FIRST_PAUSE,
        limit: requests_per_minute.map(RateLimit::per_minute),
        stop: Arc::new(stop::asked),
        ..Settings::default()
    }
}

/// The key. A variable that was named has to be there; the usual one need not be, for a local server asks for none.
pub(crate) fn key(named: Option<&str>, address: &Address, ui: &Ui) -> Result<Option<Key>> {
    let variable = named.unwrap_or(KEY_VARIABLE);
    let key = Key::from_environment(variable).map_err(|reason| anyhow!(reason))?;
    if named.is_some() && key.is_none() {
        return Err(anyhow!(
            "--api-key-env {variable}: this environment variable is not set; expected the name of one that holds the key"
        ));
    }
    if key.is_some() && address.is_exposed() {
        ui.note(&format!(
            "warning: the key is sent to {} without encryption, for everybody on the way to read; use https",
            address.host()
        ));
    }
    Ok(key)
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number.is_finite() { Ok(number) } else { Err("expected a finite number".to_owned()) }
}

/// A number of 0 or more.
pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    let number = number(text)?;
    if number >= 0.0 { Ok(number) } else { Err("expected 0 or more".to_owned()) }
}

/// A number above 0.
pub(crate) fn above_zero(text: &str) -> Result<f64, String> {
    let number = number(text)?;
    if number > 0.0 { Ok(number) } else { Err("expected more than 0".to_owned()) }
}
