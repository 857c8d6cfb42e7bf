//! Genes, terms and annotations from files, or all of it from a gene database.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use geneverse_data::gene::GoId;
use geneverse_data::ontology::{Builder, Ontology};
use geneverse_data::sources::lines::Lines;
use geneverse_data::sources::ontology::OntologyRow;
use geneverse_data::sources::{annotations, ontology};
use geneverse_data::stage::FileError;
use geneverse_data::store::GeneStore;

use super::EnrichError;

/// Terms and which genes are annotated with them.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The ontology.
    pub ontology: Ontology,
    /// Annotations as given, by gene.
    pub annotations: BTreeMap<String, Vec<GoId>>,
}

impl Knowledge {
    /// From an ontology (OBO, or a table of terms) and annotations (GAF, GPAD, gene2go, or rows of a gene and its terms).
    ///
    /// A row's gene is whichever of its identifier, the identifier with its database, and its symbol is in `wanted`,
    /// in this order; with `None` it is the identifier.
    pub fn from_files(
        obo: &Path,
        associations: &Path,
        taxon: u32,
        wanted: Option<&HashSet<String>>,
    ) -> Result<Self, EnrichError> {
        let mut builder = Builder::default();
        ontology::read(obo, |row| match row {
            OntologyRow::Term(term) => {
                builder.term(term, 0);
            }
            OntologyRow::Relation(relation) => builder.relation(relation, 0),
        })?;
        if builder.is_empty() {
            let reason = "names no term, only relations; give a file with the terms, such as go-basic.obo";
            return Err(FileError::whole(obo, reason).into());
        }
        let mut found: BTreeMap<String, Vec<GoId>> = BTreeMap::new();
        let mut example = String::new();
        annotations::read(associations, taxon, |row| {
            let product = row.product;
            if example.is_empty() {
                example = product.id.to_owned();
            }
            let gene = match wanted {
                None => Some(product.id.to_owned()),
                Some(wanted) => {
                    let joined = format!("{}:{}", product.database, product.id);
                    let names = [product.id.to_owned(), joined, product.symbol.to_owned()];
                    names.into_iter().find(|name| wanted.contains(name))
                }
            };
            if let Some(gene) = gene {
                found.entry(gene).or_default().extend_from_slice(row.terms);
            }
        })?;
        if found.is_empty() {
            let reason = format!(
                "none of its genes is in the population; its first is {example:?}, so give the population by the same \
                 identifiers"
            );
            return Err(FileError::whole(associations, reason).into());
        }
        Ok(Self { ontology: builder.finish().0, annotations: found })
    }

    /// From a database; genes are approved symbols.
    pub fn from_store(store: &GeneStore) -> Result<Self, EnrichError> {
        let annotations: BTreeMap<String, Vec<GoId>> = store
            .go_terms_of_genes()?
            .into_iter()
            .map(|(symbol, terms)| (symbol.to_string(), terms))
            .collect();
        if annotations.is_empty() {
            let reason = "has no GO annotations; import it with --go and --go-annotations";
            return Err(FileError::whole(store.path(), reason).into());
        }
        Ok(Self { ontology: store.go_ontology()?, annotations })
    }
}

/// Genes of a file: the first column of each line, separated by a tab, a comma or not at all. Lines that begin with `#`
/// are passed over, and so is a first line that names the column.
pub fn read_genes(path: &Path) -> Result<Vec<String>, FileError> {
    const HEADINGS: [&str; 8] =
        ["gene", "genes", "symbol", "id", "gene_id", "geneid", "gene_symbol", "hgnc_id"];
    let mut lines = Lines::open(path)?;
    let mut genes = Vec::new();
    let mut first = true;
    while let Some(line) = lines.advance()? {
        let text =
            lines.text().ok_or_else(|| FileError::row(path, line, "not UTF-8 text, expected a gene"))?;
        if text.starts_with('#') {
            continue;
        }
        let gene = text.split(['\t', ',']).next().unwrap_or_default().trim().trim_matches('"');
        let heading = std::mem::take(&mut first) && HEADINGS.contains(&gene.to_lowercase().as_str());
        if !gene.is_empty() && !heading {
            genes.push(gene.to_owned());
        }
    }
    if genes.is_empty() {
        return Err(FileError::whole(path, "found no gene, expected one to a line"));
    }
    Ok(genes)
}

/// The approved symbols of genes as a database knows them, and those that it does not know or that name several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Symbol by text, for every text that names one gene.
    pub symbols: HashMap<String, String>,
    /// The other texts, each once and in order.
    pub unresolved: Vec<String>,
}

/// Looks genes up by symbol, alias, former symbol or identifier.
pub fn resolve<'a>(
    store: &GeneStore,
    genes: impl IntoIterator<Item = &'a str>,
) -> Result<Resolved, EnrichError> {
    let approved: HashSet<String> = store.symbols()?.into_iter().map(|symbol| symbol.to_string()).collect();
    let mut resolved = Resolved::default();
    for gene in genes {
        if approved.contains(gene) {
            resolved.symbols.insert(gene.to_owned(), gene.to_owned());
        } else if !resolved.symbols.contains_key(gene) {
            match store.symbol_of(gene)? {
                Some(symbol) => {
                    resolved.symbols.insert(gene.to_owned(), symbol.to_string());
                }
                None => resolved.unresolved.push(gene.to_owned()),
            }
        }
    }
    resolved.unresolved.sort_unstable();
    resolved.unresolved.dedup();
    Ok(resolved)
}
