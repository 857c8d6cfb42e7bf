//! What the small files beside a vocabulary say: which tokens are special, which were added after training.
//!
//! `tokenizer_config.json`, and for checkpoints from before transformers 4.33 `special_tokens_map.json` and
//! `added_tokens.json`. Where several speak, `PreTrainedTokenizerBase._from_pretrained` of transformers decides:
//! with `added_tokens_decoder` in the configuration the two other files do not count.

use std::path::{Path, PathBuf};

use geneverse_data::stage::read_json;
use serde_json::{Map, Value};
use tokenizers::{AddedToken, Tokenizer};

use crate::error::{ModelError, Result};

/// The tokens of a role, as `tokenizer_config.json` names them; none where the tokenizer has no such token.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Roles {
    pub(super) bos_token: Option<String>,
    pub(super) eos_token: Option<String>,
    pub(super) unk_token: Option<String>,
    pub(super) pad_token: Option<String>,
}

/// The contents of the files; an absent file is empty.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) config_path: PathBuf,
    config: Map<String, Value>,
    special: Map<String, Value>,
    added_path: PathBuf,
    added: Map<String, Value>,
}

const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Settings {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<(PathBuf, Map<String, Value>)> {
            let path = folder.join(name);
            let values = if path.exists() { read_json(&path)? } else { Map::new() };
            Ok((path, values))
        };
        let (config_path, config) = read("tokenizer_config.json")?;
        let (_, mut special) = read("special_tokens_map.json")?;
        let (added_path, mut added) = read("added_tokens.json")?;
        if config.contains_key("added_tokens_decoder") {
            special.clear();
            added.clear();
        }
        Ok(Self { config_path, config, special, added_path, added })
    }

    /// The configuration with what the older file says about special tokens, for a folder without that file.
    pub(super) fn merged(&self) -> Map<String, Value> {
        let older = self.special.iter().map(|(key, value)| (key.clone(), value.clone()));
        self.config.clone().into_iter().chain(older).collect()
    }

    /// A boolean of the configuration.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.config.get(key)?.as_bool()
    }

    /// A size in the configuration; numbers beyond any text's length are as good as none.
    pub(super) fn size(&self, key: &str) -> Option<usize> {
        let size = self.config.get(key)?.as_u64()?;
        usize::try_from(size).ok().filter(|size| *size < 1 << 24)
    }

    /// The text of a token that the files name.
    pub(super) fn token(&self, key: &str) -> Option<&str> {
        content(self.value(key)?)
    }

    /// `tokenizer_class` without the `Fast` that tells two programs for one tokenizer apart.
    pub(super) fn class(&self) -> Option<&str> {
        let class = self.config.get("tokenizer_class")?.as_str()?;
        Some(class.strip_suffix("Fast").unwrap_or(class))
    }

    /// The tokens of the roles; `otherwise` are the tokenizer's own, for roles of which the files say nothing.
    pub(super) fn roles(&self, otherwise: Roles) -> Roles {
        let role = |key: &str, otherwise: Option<String>| match self.value(key) {
            Some(value) => content(value).map(str::to_owned),
            None => otherwise,
        };
        Roles {
            bos_token: role("bos_token", otherwise.bos_token),
            eos_token: role("eos_token", otherwise.eos_token),
            unk_token: role("unk_token", otherwise.unk_token),
            pad_token: role("pad_token", otherwise.pad_token),
        }
    }

    /// Every token that the files or `roles` name, each with its id where a file gives one, in the order in
    /// which transformers adds them: those with an id first, by id.
    pub(super) fn tokens(&self, roles: &Roles) -> Result<Vec<(Option<u32>, AddedToken)>> {
        let mut named: Vec<AddedToken> = ROLES.iter().filter_map(|key| special(self.value(key)?)).collect();
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            match self.value(key) {
                Some(Value::Array(tokens)) => named.extend(tokens.iter().filter_map(special)),
                // Newer files give such tokens a name of their own: {"image_token": "<image>"}.
                Some(Value::Object(tokens)) => named.extend(tokens.values().filter_map(special)),
                _ => {}
            }
        }
        for role in [&roles.unk_token, &roles.bos_token, &roles.eos_token, &roles.pad_token] {
            named.extend(role.iter().map(|role| AddedToken::from(role.as_str(), true)));
        }

        let mut tokens = self.numbered(&named)?;
        for token in named {
            if !tokens.iter().any(|(_, known)| known.content == token.content) {
                tokens.push((None, token));
            }
        }
        Ok(tokens)
    }

    /// The tokens whose ids the files give, by id.
    fn numbered(&self, special: &[AddedToken]) -> Result<Vec<(Option<u32>, AddedToken)>> {
        let mut tokens = Vec::new();
        if let Some(Value::Object(listed)) = self.config.get("added_tokens_decoder") {
            for (id, token) in listed {
                let parsed = id.parse::<u32>().ok().zip(added(token, false));
                let (id, token) = parsed.ok_or_else(|| ModelError::Tokenizer {
                    path: self.config_path.clone(),
                    reason: format!("added_tokens_decoder has {id}: {token}, expected an id and a token"),
                })?;
                tokens.push((Some(id), token));
            }
        }
        for (content, id) in &self.added {
            let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let number = number.ok_or_else(|| ModelError::Tokenizer {
                path: self.added_path.clone(),
                reason: format!("{content} has the id {id}, expected a number"),
            })?;
            let is_special = special.iter().any(|token| token.content == *content);
            tokens.push((Some(number), AddedToken::from(content.as_str(), is_special)));
        }
        tokens.sort_by_key(|(id, _)| *id);
        Ok(tokens)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.special.get(key).or_else(|| self.config.get(key))
    }
}

/// Adds tokens to a tokenizer; one that would get another id than its file says is refused, because the
/// model's embedding would be another token's.
pub(super) fn add(
    tokenizer: &mut Tokenizer,
    tokens: Vec<(Option<u32>, AddedToken)>,
    path: &Path,
) -> Result<()> {
    let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
    let wanted: Vec<(u32, String)> =
        tokens.iter().filter_map(|(id, token)| Some(((*id)?, token.content.clone()))).collect();
    tokenizer
        .add_tokens(tokens.into_iter().map(|(_, token)| token))
        .map_err(|e| refuse(format!("the added tokens cannot be used: {e}")))?;
    for (wanted, token) in wanted {
        let found = tokenizer.token_to_id(&token);
        if found != Some(wanted) {
            let found = found.map_or("no id".to_owned(), |id| format!("id {id}"));
            return Err(refuse(format!(
                "the added token {token:?} has id {wanted} in the files beside it and {found} after this \
                 vocabulary; {ANOTHER_WAY}"
            )));
        }
    }
    Ok(())
}

/// What to do about a tokenizer that is not read here.
pub(super) const ANOTHER_WAY: &str = "a tokenizer.json is read as it is: let transformers write one, AutoTokenizer.from_pretrained(folder)\
     .save_pretrained(folder)";

fn content(value: &Value) -> Option<&str> {
    match value {
        Value::Object(token) => token.get("content")?.as_str(),
        other => other.as_str(),
    }
}

fn special(value: &Value) -> Option<AddedToken> {
    added(value, true)
}

/// A token written as text or as an `AddedToken`; what an `AddedToken` does not say is as the library has it.
fn added(value: &Value, special: bool) -> Option<AddedToken> {
    let says = |key: &str| value.get(key).and_then(Value::as_bool);
    let special = special || says("special").unwrap_or(false);
    let token = AddedToken::from(content(value)?, special)
        .single_word(says("single_word").unwrap_or(false))
        .lstrip(says("lstrip").unwrap_or(false))
        .rstrip(says("rstrip").unwrap_or(false))
        .normalized(says("normalized").unwrap_or(!special));
    (!token.content.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(files: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Settings::read(folder.path()).unwrap()
    }

    #[test]
    fn a_list_of_added_tokens_silences_the_older_files() {
        let older = [
            ("special_tokens_map.json", r#"{"bos_token": {"content": "<bos>", "normalized": true}}"#),
            ("added_tokens.json", r#"{"<gene>": 401, "[PAD]": 400}"#),
            ("tokenizer_config.json", r#"{"bos_token": "<s>", "pad_token": "[PAD]", "eos_token": null}"#),
        ];
        let found = settings(&older);
        let own =
            Roles { eos_token: Some("</s>".into()), unk_token: Some("<unk>".into()), ..Roles::default() };
        let roles = found.roles(own);
        assert_eq!(roles.bos_token.as_deref(), Some("<bos>"));
        assert_eq!(roles.eos_token, None);
        assert_eq!(roles.unk_token.as_deref(), Some("<unk>"));
        let tokens: Vec<_> = found
            .tokens(&roles)
            .unwrap()
            .into_iter()
            .map(|(id, token)| (id, token.content.clone(), token.special, token.normalized))
            .collect();
        let expected = [
            (Some(400), "[PAD]", true, false),
            (Some(401), "<gene>", false, true),
            (None, "<bos>", true, true),
            (None, "<unk>", true, false),
        ];
        assert_eq!(tokens, expected.map(|(id, content, s, n)| (id, content.to_owned(), s, n)));

        let newer =
            r#"{"bos_token": "<s>", "added_tokens_decoder": {"1": {"content": "<s>", "special": true}}}"#;
        let found = settings(&[older[0], older[1], ("tokenizer_config.json", newer)]);
        assert_eq!(found.roles(Roles::default()).bos_token.as_deref(), Some("<s>"));
        assert_eq!(found.tokens(&Roles::default()).unwrap().len(), 1);
    }
}
