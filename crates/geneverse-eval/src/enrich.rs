//! Gene Ontology enrichment: which terms the genes of a study have more often, or less often, than the genes they were
//! taken from.
//!
//! A gene that is annotated with a term has that term and all above it by `is_a`, with [`Propagation::part_of`] by
//! `part_of` too. For every term of the population [`enrich`] makes the table of genes in the study and in the population,
//! with and without the term, and tests it by Fisher's exact test ([`fisher`]); p-values are corrected for the number of
//! terms tested ([`correct`]). Populations, counts, p-values, depths and corrections are those of goatools (Klopfenstein
//! et al. 2018): all genes of the population count, annotated or not, and every term that one of them has is tested.

pub mod clusters;
pub mod correct;
pub mod fisher;
pub mod inputs;
mod table;

use std::collections::HashMap;

use geneverse_data::gene::{GoAspect, GoId};
use geneverse_data::ontology::{Meaning, Ontology, RelationKind};
use serde::{Deserialize, Serialize};

pub use correct::Correction;
pub use fisher::{Alternative, Table};
pub use table::{HEADER, row, tsv};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum EnrichError {
    /// A file could not be read or written, or is not what it should be.
    #[error(transparent)]
    File(#[from] geneverse_data::stage::FileError),
    /// A database could not be read.
    #[error(transparent)]
    Store(#[from] geneverse_data::store::StoreError),
    /// There is nothing to test.
    #[error("{0}")]
    Nothing(String),
}

/// What to test and how.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Which tables speak against chance.
    pub alternative: Alternative,
    /// The correction by which terms are significant.
    pub correction: Correction,
    /// Corrected p-values up to this are significant.
    pub alpha: f64,
    /// Terms that fewer genes of the population have are not tested, and do not count as tests.
    pub min_genes: u32,
    /// Terms that more genes of the population have are not tested either.
    pub max_genes: u32,
}

impl Default for Test {
    /// As goatools: two-sided, every term. Significant by Benjamini and Hochberg at 0.05.
    fn default() -> Self {
        let (alternative, correction) = (Alternative::TwoSided, Correction::FdrBh);
        Self { alternative, correction, alpha: 0.05, min_genes: 1, max_genes: u32::MAX }
    }
}

/// How annotations are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propagation {
    /// Also from a part to the whole.
    pub part_of: bool,
    /// Genes without any term do not count as part of the population.
    pub annotated_only: bool,
}

impl Propagation {
    fn follows(self, kind: RelationKind) -> bool {
        kind == RelationKind::IsA || (self.part_of && kind == RelationKind::PartOf)
    }
}

/// What became of the annotations that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Genes of the population.
    pub population: usize,
    /// Those with a term.
    pub annotated: usize,
    /// Terms that a gene of the population has.
    pub terms: usize,
    /// Distinct pairs of a gene of the population and a term as given.
    pub pairs: usize,
    /// Pairs whose term was merged or replaced, counted under its successor.
    pub replaced: usize,
    /// Pairs whose term is out of use without a single successor.
    pub obsolete: usize,
    /// Pairs whose term is not in the ontology.
    pub unknown: usize,
}

/// A term that genes of the population have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BackgroundTerm {
    id: GoId,
    name: String,
    aspect: Option<GoAspect>,
    /// The longest way to the root by `is_a`.
    depth: u32,
    genes: u32,
}

/// A population of genes with all terms that each has.
#[derive(Debug, Clone, Default)]
pub struct Background {
    genes: Vec<String>,
    places: HashMap<String, u32>,
    terms: Vec<BackgroundTerm>,
    /// For each gene, its terms as places in `terms`, in order.
    terms_of_genes: Vec<Vec<u32>>,
}

impl Background {
    /// The population `genes` with the terms that `annotations` give them. Genes that are given twice count once, and
    /// annotations of other genes are not looked at.
    pub fn new<'a>(
        ontology: &Ontology,
        genes: impl IntoIterator<Item = &'a str>,
        annotations: impl IntoIterator<Item = (&'a str, &'a [GoId])>,
        how: Propagation,
    ) -> (Self, Tally) {
        let mut names: Vec<&str> = genes.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let by_name: HashMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
        let mut tally = Tally::default();
        let mut given: Vec<Vec<GoId>> = vec![Vec::new(); names.len()];
        for (gene, terms) in annotations {
            if let Some(&at) = by_name.get(gene) {
                given[at].extend_from_slice(terms);
            }
        }
        let mut closures: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut of_genes: Vec<Vec<usize>> = Vec::with_capacity(names.len());
        for mut terms in given {
            terms.sort_unstable();
            terms.dedup();
            tally.pairs += terms.len();
            let mut all = Vec::new();
            for id in terms {
                let place = match ontology.meaning(id) {
                    Meaning::Term(place) => place,
                    Meaning::Successor(place) => {
                        tally.replaced += 1;
                        place
                    }
                    Meaning::Obsolete => {
                        tally.obsolete += 1;
                        continue;
                    }
                    Meaning::Unknown => {
                        tally.unknown += 1;
                        continue;
                    }
                };
                all.extend_from_slice(closures.entry(place).or_insert_with(|| above(ontology, place, how)));
            }
            all.sort_unstable();
            all.dedup();
            of_genes.push(all);
        }
        tally.annotated = of_genes.iter().filter(|terms| !terms.is_empty()).count();
        if how.annotated_only {
            let mut keep = of_genes.iter().map(|terms| !terms.is_empty());
            names.retain(|_| keep.next().unwrap_or_default());
            of_genes.retain(|terms| !terms.is_empty());
        }
        tally.population = names.len();
        let background = Self::of(ontology, &names, &of_genes);
        tally.terms = background.terms.len();
        (background, tally)
    }

    /// Numbers the terms that are there.
    fn of(ontology: &Ontology, names: &[&str], of_genes: &[Vec<usize>]) -> Self {
        let mut counts = vec![0_u32; ontology.terms().len()];
        of_genes.iter().flatten().for_each(|place| counts[*place] += 1);
        let depths = depths(ontology, &counts);
        let mut numbers = vec![0_u32; counts.len()];
        let mut terms = Vec::new();
        for (place, term) in ontology.terms().iter().enumerate().filter(|(place, _)| counts[*place] > 0) {
            numbers[place] = terms.len() as u32;
            let (id, name, aspect) = (term.id, term.name.clone(), term.aspect);
            terms.push(BackgroundTerm { id, name, aspect, depth: depths[place], genes: counts[place] });
        }
        let numbered = |places: &Vec<usize>| places.iter().map(|place| numbers[*place]).collect();
        Self {
            genes: names.iter().map(|name| (*name).to_owned()).collect(),
            places: names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at as u32)).collect(),
            terms,
            terms_of_genes: of_genes.iter().map(numbered).collect(),
        }
    }

    /// The genes of the population, in their order.
    pub fn genes(&self) -> &[String] {
        &self.genes
    }

    /// Places of those of the genes that are in the population, each once and in order; and how many are not.
    pub fn study<'a>(&self, genes: impl IntoIterator<Item = &'a str>) -> (Vec<u32>, usize) {
        let mut strangers: Vec<&str> = Vec::new();
        let mut places = Vec::new();
        for gene in genes {
            match self.places.get(gene) {
                Some(place) => places.push(*place),
                None => strangers.push(gene),
            }
        }
        places.sort_unstable();
        places.dedup();
        strangers.sort_unstable();
        strangers.dedup();
        (places, strangers.len())
    }
}

/// The term and all that follow from it.
fn above(ontology: &Ontology, place: usize, how: Propagation) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![place];
    while let Some(place) = open.pop() {
        if !found.contains(&place) {
            found.push(place);
            let upwards = ontology.relations(place).iter().filter(|(kind, _)| how.follows(*kind));
            open.extend(upwards.map(|(_, parent)| *parent));
        }
    }
    found
}

/// The longest way to a root by `is_a`, for terms with genes. The ontology has no circles.
fn depths(ontology: &Ontology, counts: &[u32]) -> Vec<u32> {
    let parents = |place: usize| {
        ontology
            .relations(place)
            .iter()
            .filter(|(kind, _)| *kind == RelationKind::IsA)
            .map(|(_, parent)| *parent)
    };
    let mut depths: Vec<Option<u32>> = vec![None; counts.len()];
    for start in (0..counts.len()).filter(|place| counts[*place] > 0) {
        // A list in place of recursion: a chain of terms may be as long as a file makes it.
        let mut open = vec![start];
        while let Some(&place) = open.last() {
            let before = open.len();
            open.extend(parents(place).filter(|parent| depths[*parent].is_none()));
            if open.len() == before {
                let deepest = parents(place).filter_map(|parent| depths[parent]).max();
                depths[place] = Some(deepest.map_or(0, |depth| depth + 1));
                open.pop();
            }
        }
    }
    depths.into_iter().map(Option::unwrap_or_default).collect()
}

/// A term's test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestedTerm {
    /// The term.
    pub term: GoId,
    /// Its name.
    pub name: String,
    /// `BP`, `MF` or `CC`; empty where the ontology does not say.
    pub namespace: String,
    /// `e` where the study has more of it than the population, else `p`: goatools' enriched and purified.
    pub enrichment: char,
    /// Genes of the study that have it.
    pub study_count: u32,
    /// Genes of the study.
    pub study_size: u32,
    /// Genes of the population that have it.
    pub population_count: u32,
    /// Genes of the population.
    pub population_size: u32,
    /// Its share in the study over its share in the population.
    pub fold: f64,
    /// The p-value.
    pub p: f64,
    /// log₁₀ of it, which also tells what is below 1e-308.
    pub log10_p: f64,
    /// p by Bonferroni.
    pub p_bonferroni: f64,
    /// p by Holm.
    pub p_holm: f64,
    /// p by Benjamini and Hochberg.
    pub p_fdr_bh: f64,
    /// log₁₀ of p by the correction that decides.
    pub log10_corrected: f64,
    /// The longest way to the root by `is_a`.
    pub depth: u32,
    /// The study's genes that have it, in order.
    pub genes: Vec<String>,
}

impl TestedTerm {
    /// Whether the study has more of it than chance would give.
    pub fn is_enriched(&self, alpha: f64) -> bool {
        self.enrichment == 'e' && self.log10_corrected <= alpha.log10()
    }
}

/// The first `count` of the terms that a study has significantly more of, and how many these are in all. Roots are not
/// among the first: of a gene they say that it is annotated.
pub fn top(tested: &[TestedTerm], alpha: f64, count: usize) -> (Vec<TestedTerm>, usize) {
    let enriched = || tested.iter().filter(|term| term.is_enriched(alpha));
    let telling = enriched().filter(|term| term.depth > 0);
    (telling.take(count).cloned().collect(), enriched().count())
}

/// Tests every term of the population, most significant first; places of the study are from [`Background::study`].
pub fn enrich(background: &Background, study: &[u32], test: &Test) -> Vec<TestedTerm> {
    let mut genes: Vec<Vec<u32>> = vec![Vec::new(); background.terms.len()];
    for &gene in study {
        for &term in &background.terms_of_genes[gene as usize] {
            genes[term as usize].push(gene);
        }
    }
    let tested: Vec<usize> = (0..background.terms.len())
        .filter(|term| (test.min_genes..=test.max_genes).contains(&background.terms[*term].genes))
        .collect();
    let (drawn, all) = (study.len() as u64, background.genes.len() as u64);
    let mut known: HashMap<(usize, u32), f64> = HashMap::new();
    let ln_p: Vec<f64> = tested
        .iter()
        .map(|&term| {
            let (seen, with) = (genes[term].len(), background.terms[term].genes);
            // Many terms have the same table.
            *known.entry((seen, with)).or_insert_with(|| {
                Table::new(seen as u64, drawn, with.into(), all)
                    .map_or(0.0, |table| table.ln_p(test.alternative))
            })
        })
        .collect();
    let [bonferroni, holm, fdr_bh] = [Correction::Bonferroni, Correction::Holm, Correction::FdrBh]
        .map(|correction| correction.correct(&ln_p));
    let deciding = match test.correction {
        Correction::Bonferroni => &bonferroni,
        Correction::Holm => &holm,
        Correction::FdrBh => &fdr_bh,
    };
    let mut order: Vec<usize> = (0..tested.len()).collect();
    // Of terms equally significant the one with more of the study says more; then by id.
    order.sort_by(|a, b| {
        let more = genes[tested[*b]].len().cmp(&genes[tested[*a]].len());
        ln_p[*a].total_cmp(&ln_p[*b]).then(more).then(a.cmp(b))
    });
    let log10 = |ln: f64| if ln == 0.0 { 0.0 } else { ln / std::f64::consts::LN_10 };
    let tested_term = |at: usize| {
        let term = &background.terms[tested[at]];
        let of_study = &genes[tested[at]];
        let (study_count, study_size) = (of_study.len() as u32, study.len() as u32);
        let (in_study, in_population) =
            (f64::from(study_count) / drawn as f64, f64::from(term.genes) / all as f64);
        TestedTerm {
            term: term.id,
            name: term.name.clone(),
            namespace: namespace(term.aspect).to_owned(),
            enrichment: if in_study > in_population { 'e' } else { 'p' },
            study_count,
            study_size,
            population_count: term.genes,
            population_size: all as u32,
            fold: in_study / in_population,
            p: ln_p[at].exp(),
            log10_p: log10(ln_p[at]),
            p_bonferroni: bonferroni[at].exp(),
            p_holm: holm[at].exp(),
            p_fdr_bh: fdr_bh[at].exp(),
            log10_corrected: log10(deciding[at]),
            depth: term.depth,
            genes: of_study.iter().map(|gene| background.genes[*gene as usize].clone()).collect(),
        }
    };
    order.into_iter().map(tested_term).collect()
}

/// GO's two letters of an ontology.
fn namespace(aspect: Option<GoAspect>) -> &'static str {
    match aspect {
        Some(GoAspect::BiologicalProcess) => "BP",
        Some(GoAspect::MolecularFunction) => "MF",
        Some(GoAspect::CellularComponent) => "CC",
        None => "",
    }
}

#[cfg(test)]
mod tests;
