//! The part of an import that brings the Gene Ontology and its annotations.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::find::Finder;
use super::told::{Known, Teller};
use super::{Counts, Input, Sources};
use crate::annotation::{Annotation, Evidence, Qualifier};
use crate::gene::{GeneRecord, UniprotAccession};
use crate::ontology::{Builder, Meaning, Ontology};
use crate::sources::ontology::OntologyRow;
use crate::sources::{Reading, Skips, annotations, gpi, id_mapping, ontology};
use crate::stage::FileError;

/// What an import knows of the Gene Ontology.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoReport {
    /// Terms in use.
    pub terms: usize,
    /// Terms out of use.
    pub obsolete: usize,
    /// Relations between terms in use, by kind.
    pub relations: BTreeMap<String, usize>,
    /// Distinct annotations: gene, term, qualifier and evidence.
    pub annotations: usize,
    /// Distinct pairs of gene and term.
    pub pairs: usize,
    /// Annotations by how they are supported.
    pub support: BTreeMap<String, usize>,
    /// Genes with an annotation.
    pub annotated_genes: usize,
    /// Terms in the records of all genes: what a reader is told.
    pub told: usize,
}

/// Terms and annotations, ready to be stored.
#[derive(Default)]
pub(super) struct Knowledge {
    pub(super) ontology: Ontology,
    pub(super) genes_per_term: Vec<u32>,
    /// The gene, as an index into the records, and what is said of it.
    pub(super) annotations: Vec<(usize, Annotation)>,
    pub(super) report: Option<GoReport>,
}

/// Reads the files of the roles `id_mapping`, `gpi`, `go` and `go_annotations`, and gives each gene the terms to tell.
pub(super) fn read(
    inputs: &[Input<'_>],
    taxon: u32,
    genes: &mut [GeneRecord],
    sources: &mut Sources<'_>,
) -> Result<Knowledge, FileError> {
    let of = |role: &str| inputs.iter().filter(|input| input.role == role).collect::<Vec<_>>();
    let (mappings, products, ontologies, annotated) =
        (of("id_mapping"), of("gpi"), of("go"), of("go_annotations"));
    let mut finder = Finder::new(genes);
    for input in mappings {
        sources.read(input, |path| read_mapping(path, genes, &mut finder))?;
    }
    for input in products {
        sources.read(input, |path| read_products(path, taxon, &mut finder))?;
    }
    if ontologies.is_empty() {
        return Ok(Knowledge::default());
    }
    let ontology = read_ontologies(&ontologies, sources)?;
    let mut known: Vec<(usize, Known)> = Vec::new();
    for input in annotated {
        sources.read(input, |path| read_annotations(path, taxon, &finder, &ontology, &mut known))?;
    }
    known.sort_unstable();
    known.dedup();
    Ok(conclude(ontology, &known, genes))
}

fn read_mapping(path: &Path, genes: &mut [GeneRecord], finder: &mut Finder) -> Result<Counts, FileError> {
    let mut late = Skips::default();
    let had_none: Vec<bool> = genes.iter().map(|gene| gene.uniprot_ids.is_empty()).collect();
    let mut joined = 0;
    let mut reading = id_mapping::read(path, |row| match finder.learn_accession(row) {
        None => late.add(path, row.line, "no such gene", row.accession),
        Some(gene) => {
            joined += 1;
            // Unreviewed entries repeat each other and the reviewed one; a record has only the latter.
            let record = &mut genes[gene];
            if let Ok(accession) = UniprotAccession::parse(row.accession)
                && had_none[gene]
                && row.reviewed
                && !record.uniprot_ids.contains(&accession)
            {
                record.uniprot_ids.push(accession);
            }
        }
    })?;
    reading.used -= late.total;
    reading.skipped.merge(late);
    Ok((reading.refuse_empty(path)?, joined, 0))
}

fn read_products(path: &Path, taxon: u32, finder: &mut Finder) -> Result<Counts, FileError> {
    let mut late = Skips::default();
    let mut joined = 0;
    let mut reading = gpi::read(path, taxon, |row| {
        if finder.learn_product(row) {
            joined += 1;
        } else {
            let product = row.product;
            late.add(
                path,
                row.line,
                "no such gene",
                format_args!("{}:{} {}", product.database, product.id, product.symbol),
            );
        }
    })?;
    reading.used -= late.total;
    reading.skipped.merge(late);
    Ok((reading.refuse_empty(path)?, joined, 0))
}

/// All files have to be read before it is known which relations stand.
fn read_ontologies(inputs: &[&Input<'_>], sources: &mut Sources<'_>) -> Result<Ontology, FileError> {
    let mut builder = Builder::default();
    let first = sources.len();
    for (file, input) in inputs.iter().enumerate() {
        sources.read(input, |path| {
            let mut added = 0;
            let reading = ontology::read(path, |row| match row {
                OntologyRow::Term(term) => added += usize::from(builder.term(term, file)),
                OntologyRow::Relation(relation) => builder.relation(relation, file),
            })?;
            let joined = reading.used - added;
            Ok((reading, joined, added))
        })?;
    }
    if builder.is_empty() {
        let reason = "names no term, only relations; give a file with the terms too, as another --go";
        return Err(FileError::whole(inputs[0].path, reason));
    }
    let (ontology, refused) = builder.finish();
    for refusal in refused {
        let source = sources.get(first + refusal.file);
        let path = inputs[refusal.file].path;
        let reading = &mut source.reading;
        if refusal.whole_row {
            reading.skipped.add(path, refusal.line, refusal.kind, refusal.detail);
            reading.used -= 1;
            source.joined -= 1;
        } else {
            reading.dropped_values.add(path, refusal.line, refusal.kind, refusal.detail);
        }
    }
    Ok(ontology)
}

fn read_annotations(
    path: &Path,
    taxon: u32,
    finder: &Finder,
    ontology: &Ontology,
    known: &mut Vec<(usize, Known)>,
) -> Result<Counts, FileError> {
    let mut late = Reading::default();
    let mut joined = 0;
    let mut reading = annotations::read(path, taxon, |row| {
        let line = row.line;
        let genes = finder.find(row.product);
        if genes.is_empty() {
            let product = row.product;
            let named = [product.database, product.id, product.symbol].join(" ");
            late.skipped.add(path, line, "no such gene", named.trim());
            return;
        }
        let only_one = row.terms.len() == 1;
        let mut any = false;
        for &id in row.terms {
            let place = match ontology.meaning(id) {
                Meaning::Term(place) => place,
                Meaning::Successor(place) => {
                    let successor = ontology.terms()[place].id;
                    let detail = format_args!("{id}, now {successor}");
                    late.replaced_values.add(path, line, "a term that was merged or replaced", detail);
                    place
                }
                other => {
                    let why = match other {
                        Meaning::Obsolete => "an obsolete term without a single successor",
                        _ => "a term that is not in the ontology",
                    };
                    let skips = if only_one { &mut late.skipped } else { &mut late.dropped_values };
                    skips.add(path, line, why, id);
                    continue;
                }
            };
            any = true;
            known.extend(genes.iter().map(|gene| (*gene, (place, row.qualifier, row.evidence))));
        }
        if any {
            joined += 1;
        } else if !only_one {
            late.skipped.add(path, line, "none of its terms is in use", "");
        }
    })?;
    reading.used -= late.skipped.total;
    reading.skipped.merge(late.skipped);
    reading.dropped_values.merge(late.dropped_values);
    reading.replaced_values.merge(late.replaced_values);
    // A file of which nothing joins is another species', or one of identifiers that nobody here knows.
    Ok((reading.refuse_empty(path)?, joined, 0))
}

/// `known` is sorted by gene and term.
fn conclude(ontology: Ontology, known: &[(usize, Known)], genes: &mut [GeneRecord]) -> Knowledge {
    let by_gene: Vec<&[(usize, Known)]> = known.chunk_by(|a, b| a.0 == b.0).collect();
    let mut terms_of_genes: Vec<Vec<usize>> = Vec::with_capacity(by_gene.len());
    for chunk in &by_gene {
        let mut places: Vec<usize> = chunk.iter().map(|(_, (place, ..))| *place).collect();
        places.dedup();
        terms_of_genes.push(places);
    }
    let genes_per_term = ontology.genes_per_term(terms_of_genes.iter().map(Vec::as_slice));
    let mut teller = Teller::new(&ontology, &genes_per_term);
    let mut told = 0;
    for chunk in &by_gene {
        let known: Vec<Known> = chunk.iter().map(|(_, known)| *known).collect();
        let terms = teller.tell(&known);
        if !terms.is_empty() {
            told += terms.len();
            genes[chunk[0].0].go_terms = terms;
        }
    }
    let mut support = BTreeMap::new();
    for (_, (_, _, evidence)) in known {
        *support.entry(support_name(*evidence)).or_default() += 1;
    }
    let mut relations = BTreeMap::new();
    for place in 0..ontology.terms().len() {
        for (kind, _) in ontology.relations(place) {
            *relations.entry(kind.name().to_owned()).or_default() += 1;
        }
    }
    let obsolete = ontology.terms().iter().filter(|term| term.obsolete).count();
    let report = GoReport {
        terms: ontology.terms().len() - obsolete,
        obsolete,
        relations,
        annotations: known.len(),
        pairs: terms_of_genes.iter().map(Vec::len).sum(),
        support,
        annotated_genes: by_gene.len(),
        told,
    };
    let annotation = |&(gene, (place, qualifier, evidence)): &(usize, (usize, Qualifier, Evidence))| {
        (gene, Annotation { term: ontology.terms()[place].id, qualifier, evidence })
    };
    let annotations = known.iter().map(annotation).collect();
    Knowledge { genes_per_term, annotations, report: Some(report), ontology }
}

fn support_name(evidence: Evidence) -> String {
    use crate::annotation::Support;
    match evidence.support() {
        Support::Experiment => "experiment",
        Support::Statement => "statement",
        Support::HighThroughput => "high-throughput experiment",
        Support::Phylogeny => "phylogeny",
        Support::Similarity => "similarity",
        Support::Electronic => "electronic",
        Support::Unknown => "not given",
    }
    .to_owned()
}
