//! A table with a header, whose columns are asked for by name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use geneverse_data::sources::lines::Lines;
use geneverse_eval::figure::csv;

/// A CSV or TSV file in memory.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let mut table = Self { path: path.to_owned(), columns: Vec::new(), rows: Vec::new() };
        let mut separator = ',';
        while let Some(line) = lines.advance()? {
            let text = lines.text().with_context(|| format!("{}:{line}: not UTF-8 text", path.display()))?;
            if table.columns.is_empty() {
                separator = if text.contains('\t') { '\t' } else { ',' };
                table.columns =
                    csv::split(text, separator).iter().map(|name| name.trim().to_owned()).collect();
                continue;
            }
            let fields: Vec<String> = csv::split(text, separator).into_iter().map(Into::into).collect();
            if fields.len() != table.columns.len() {
                bail!(
                    "{}:{line}: found {} columns, expected {} as in the header",
                    path.display(),
                    fields.len(),
                    table.columns.len()
                );
            }
            table.rows.push((line, fields));
        }
        if table.rows.is_empty() {
            bail!("{}: found no row below the header, expected at least one", path.display());
        }
        Ok(table)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    fn place(&self, name: &str) -> Result<usize> {
        let place = self.columns.iter().position(|column| column == name);
        place.ok_or_else(|| {
            anyhow!(
                "{}: found no column `{name}`; its columns are: {}",
                self.path.display(),
                self.columns.join(", ")
            )
        })
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let at = self.place(name)?;
        Ok(self.rows.iter().map(|(_, fields)| fields[at].trim().to_owned()).collect())
    }

    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let at = self.place(name)?;
        let number = |(line, fields): &(usize, Vec<String>)| {
            let text = fields[at].trim();
            let read = text.parse::<f64>().ok().filter(|number| number.is_finite());
            read.ok_or_else(|| {
                anyhow!("{}:{line}: found {name} {text:?}, expected a number", self.path.display())
            })
        };
        self.rows.iter().map(number).collect()
    }
}
