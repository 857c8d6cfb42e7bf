//! All genes of a database in memory, found by symbol, alias or identifier.

use geneverse_data::gene::GeneRecord;
use geneverse_data::store::{GeneStore, GoKnowledge, StoreError};

use crate::hash::Map;
use crate::identifier::{Authority, canonical, own_values};

/// Genes with the maps that repair and grading look them up in.
#[derive(Debug, Default)]
pub struct GeneIndex {
    genes: Vec<GeneRecord>,
    /// Approved symbols as written.
    by_symbol: Map<String, usize>,
    /// Approved symbols in capitals: `C1ORF43` finds `C1orf43`.
    by_upper_symbol: Map<String, usize>,
    /// Alias and previous symbols in capitals, each with the genes that go or went by it.
    by_other_symbol: Map<String, Vec<usize>>,
    by_id: Map<(Authority, String), usize>,
    /// Authorities of which some gene has an identifier.
    authorities: Vec<Authority>,
    go: GoKnowledge,
}

/// What a symbol stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved<'a> {
    /// One gene.
    Gene(&'a GeneRecord),
    /// An alias of several genes.
    Ambiguous(Vec<&'a GeneRecord>),
    /// No gene of the database.
    Unknown,
}

impl<'a> Resolved<'a> {
    /// The gene, where there is exactly one.
    pub fn gene(self) -> Option<&'a GeneRecord> {
        match self {
            Self::Gene(gene) => Some(gene),
            Self::Ambiguous(_) | Self::Unknown => None,
        }
    }
}

impl FromIterator<GeneRecord> for GeneIndex {
    fn from_iter<I: IntoIterator<Item = GeneRecord>>(records: I) -> Self {
        let mut index = Self { genes: records.into_iter().collect(), ..Self::default() };
        let Self { genes, by_symbol, by_upper_symbol, by_other_symbol, by_id, authorities, .. } = &mut index;
        let count = genes.len();
        let symbols = || {
            by_symbol.reserve(count);
            by_upper_symbol.reserve(count);
            by_other_symbol.reserve(count);
            for (place, gene) in genes.iter().enumerate() {
                let symbol = gene.symbol.as_str();
                by_symbol.entry(symbol.to_owned()).or_insert(place);
                by_upper_symbol.entry(symbol.to_uppercase()).or_insert(place);
                for other in gene.aliases.iter().chain(&gene.previous_symbols) {
                    let places = by_other_symbol.entry(other.to_uppercase()).or_default();
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            }
        };
        let identifiers = || {
            by_id.reserve(4 * count);
            for authority in Authority::ALL {
                let before = by_id.len();
                for (place, gene) in genes.iter().enumerate() {
                    for value in own_values(gene, authority) {
                        by_id.entry((authority, value)).or_insert(place);
                    }
                }
                if by_id.len() > before {
                    authorities.push(authority);
                }
            }
        };
        rayon::join(symbols, identifiers);
        index
    }
}

impl GeneIndex {
    /// Every gene of a database, and its Gene Ontology.
    pub fn read(store: &GeneStore) -> Result<Self, StoreError> {
        let (records, go) = store.everything()?;
        Ok(Self { go, ..records.into_iter().collect() })
    }

    /// What the Gene Ontology says of the genes beyond their records; empty where nothing was imported.
    pub fn go(&self) -> &GoKnowledge {
        &self.go
    }

    /// The same index with more genes behind its own.
    #[must_use]
    pub fn with(self, more: impl IntoIterator<Item = GeneRecord>) -> Self {
        let Self { genes, go, .. } = self;
        Self { go, ..genes.into_iter().chain(more).collect() }
    }

    /// Every gene, in the order given.
    pub fn genes(&self) -> &[GeneRecord] {
        &self.genes
    }

    /// The gene for a symbol: approved as written, approved in other case, then alias or previous symbol.
    pub fn resolve(&self, symbol: &str) -> Resolved<'_> {
        let symbol = symbol.trim();
        if let Some(place) = self.place(symbol) {
            return Resolved::Gene(&self.genes[place]);
        }
        match self.by_other_symbol.get(&symbol.to_uppercase()).map(Vec::as_slice) {
            None | Some([]) => Resolved::Unknown,
            Some([place]) => Resolved::Gene(&self.genes[*place]),
            Some(places) => Resolved::Ambiguous(places.iter().map(|&place| &self.genes[place]).collect()),
        }
    }

    /// The gene whose approved symbol is exactly this, in this case.
    pub fn approved(&self, symbol: &str) -> Option<&GeneRecord> {
        self.by_symbol.get(symbol).map(|&place| &self.genes[place])
    }

    /// The gene that an identifier belongs to.
    pub fn owner(&self, authority: Authority, value: &str) -> Option<&GeneRecord> {
        self.by_id.get(&(authority, canonical(authority, value)?)).map(|&place| &self.genes[place])
    }

    /// Whether any gene has an identifier of this authority. Where none has, nothing is known against one in a text.
    pub fn knows(&self, authority: Authority) -> bool {
        self.authorities.contains(&authority)
    }

    /// Where a gene with this approved symbol stands in [`Self::genes`].
    pub(crate) fn place(&self, symbol: &str) -> Option<usize> {
        let exact = self.by_symbol.get(symbol);
        exact.or_else(|| self.by_upper_symbol.get(&symbol.to_uppercase())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geneverse_data::gene::{GeneKind, GeneSymbol, HgncId};

    #[test]
    fn symbols_and_ids_find_their_gene() {
        let gene = |symbol: &str, id: u32, aliases: &[&str]| {
            let mut gene =
                GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), "a name", GeneKind::ProteinCoding);
            gene.hgnc_id = Some(HgncId(id));
            gene.aliases = aliases.iter().map(|a| (*a).to_owned()).collect();
            gene
        };
        let index: GeneIndex =
            [gene("C1orf43", 1, &["NICE-3", "X1"]), gene("GLI1", 4317, &["GLI", "X1"])].into_iter().collect();
        let symbol_of = |text: &str| index.resolve(text).gene().map(|g| g.symbol.to_string());
        assert_eq!(symbol_of("c1ORF43").as_deref(), Some("C1orf43"));
        assert_eq!(symbol_of(" gli ").as_deref(), Some("GLI1"));
        assert!(matches!(index.resolve("X1"), Resolved::Ambiguous(genes) if genes.len() == 2));
        assert_eq!(index.resolve("NOPE"), Resolved::Unknown);
        assert_eq!(index.owner(Authority::Hgnc, "HGNC:4317").unwrap().symbol.as_str(), "GLI1");
        assert_eq!(index.owner(Authority::Alliance, "4317").unwrap().symbol.as_str(), "GLI1");
    }
}
