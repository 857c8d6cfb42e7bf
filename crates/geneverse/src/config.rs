//! A recipe's TOML, the command line's `--set` laid over it, and where its files lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use geneverse_model::recipe::Recipe;
use toml::{Table, Value};

use crate::bundled;

/// Reads a recipe and lays `section.key=value` settings over it. Checked: what comes back can be run.
pub(crate) fn read_recipe(path: &Path, settings: &[String]) -> Result<Recipe> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    let mut table: Table = text.parse().with_context(|| path.display().to_string())?;
    for setting in settings {
        set(&mut table, setting)?;
    }
    let recipe: Recipe = table.try_into().with_context(|| path.display().to_string())?;
    recipe.check().with_context(|| path.display().to_string())?;
    Ok(recipe)
}

/// `section.key=value`, the value as TOML has it, or a bare word for a text.
fn set(table: &mut Table, setting: &str) -> Result<()> {
    let Some((key, value)) = setting.split_once('=') else {
        bail!("--set {setting}: expected section.key=value, such as optim.epochs=5");
    };
    let value = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = value.unwrap_or_else(|| Value::String(setting[key.len() + 1..].trim().to_owned()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut place = table;
    for part in parts {
        let section = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        place =
            section.as_table_mut().with_context(|| format!("--set {setting}: {part} is not a section"))?;
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

/// Writes a resolved recipe into a run's folder.
pub(crate) fn write_recipe(folder: &Path, recipe: &Recipe) -> Result<()> {
    let text = toml::to_string(recipe).context("cannot write the recipe as TOML")?;
    geneverse_data::stage::atomic_write(&folder.join("recipe.toml"), |out| {
        std::io::Write::write_all(out, text.as_bytes())
    })?;
    Ok(())
}

/// The folder of a recipe's base model.
pub(crate) fn base_folder(recipe: &Recipe) -> Result<PathBuf> {
    match &recipe.model.base {
        Some(base) => model_folder(base),
        None => bail!("recipe: model.base is missing, expected a checkpoint folder"),
    }
}

/// Where what can be made or fetched anew is kept.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = folder("GENEVERSE_CACHE");
    // A relative path there is to be ignored (XDG Base Directory Specification).
    let user =
        || folder("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("geneverse"));
    let home = || folder("HOME").map(|path| path.join(".cache").join("geneverse"));
    own.or_else(user).or_else(home)
}

/// The folder of a base model; where none is named, of the bundled one, which is laid into the cache.
pub(crate) fn model_or_bundled(name: Option<&str>) -> Result<PathBuf> {
    if let Some(name) = name {
        return model_folder(name);
    }
    let cache = cache_folder().context(
        "no folder for the bundled model: neither GENEVERSE_CACHE nor HOME is set; say --model DIR",
    )?;
    let folder = cache.join(bundled::MODEL);
    bundled::write_model(&folder)?;
    Ok(folder)
}

/// The folder of a base model. Names that are not folders are answered with what to do.
pub(crate) fn model_folder(name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(name);
    if folder.join("config.json").exists() {
        return Ok(folder);
    }
    if folder.exists() {
        bail!(
            "{name}: no config.json here; expected a Hugging Face checkpoint folder (config.json, tokenizer.json, \
               model.safetensors)"
        );
    }
    bail!("{name}: no such folder; expected a Hugging Face checkpoint folder on this machine");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, settings: &[&str]) -> Result<Recipe> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.toml");
        std::fs::write(&path, text).unwrap();
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        read_recipe(&path, &settings)
    }

    const TEXT: &str = "[model]\nbase = \"m\"\n[data]\ntrain = \"t.json\"\n[optim]\nepochs = 2\n";

    #[test]
    fn settings_beat_the_recipe_and_unknown_keys_are_errors() {
        let recipe =
            read(TEXT, &["optim.epochs=5", "method.targets=[\"q_proj\"]", "data.train=other.json"]).unwrap();
        assert_eq!((recipe.optim.epochs, recipe.data.train.as_str()), (5, "other.json"));
        assert_eq!(recipe.method.targets, ["q_proj"]);
        let error = |text: &str, settings: &[&str]| format!("{:#}", read(text, settings).unwrap_err());
        assert!(error(TEXT, &["optim.epoch=5"]).contains("unknown field `epoch`"));
        assert!(error(TEXT, &["method.rank=0"]).contains("method.rank is 0, expected at least 1"));
        assert!(error(TEXT, &["epochs"]).contains("expected section.key=value"));
        assert!(error("[model]\nbase = 3\n", &[]).contains("r.toml"));
    }

    #[test]
    fn a_resolved_recipe_reads_back_equal() {
        let recipe = read(TEXT, &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_recipe(folder.path(), &recipe).unwrap();
        assert_eq!(read_recipe(&folder.path().join("recipe.toml"), &[]).unwrap(), recipe);
    }
}
