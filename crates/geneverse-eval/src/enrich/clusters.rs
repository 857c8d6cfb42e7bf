//! Enrichment of clusters of genes: each cluster against all genes that were clustered.
//!
//! The population is what was clustered and not the genome: a cluster of well-studied genes is then not enriched for
//! being well studied.

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::sources::lines::Lines;
use geneverse_data::stage::FileError;
use serde::{Deserialize, Serialize};

use super::{Background, Test, TestedTerm, enrich, top};
use crate::figure::csv;

/// A gene and its cluster, as a file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The gene.
    pub id: String,
    /// The cluster's name, mostly a number.
    pub cluster: String,
}

/// A cluster's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterTerms {
    /// The cluster's name.
    pub cluster: String,
    /// Its genes.
    pub size: usize,
    /// How many terms it has significantly more of.
    pub enriched: usize,
    /// The terms tested, most significant first.
    #[serde(skip)]
    pub tested: Vec<TestedTerm>,
    /// The first of those that it has significantly more of.
    pub top: Vec<TestedTerm>,
}

/// Reads `id` and `cluster` of a CSV or TSV file with a header.
pub fn read_clusters(path: &Path) -> Result<Vec<Membership>, FileError> {
    let mut lines = Lines::open(path)?;
    let mut columns: Option<(usize, usize, char)> = None;
    let mut members = Vec::new();
    while let Some(line) = lines.advance()? {
        let text = lines.text().ok_or_else(|| FileError::row(path, line, "not UTF-8 text"))?;
        let Some((id, cluster, separator)) = columns else {
            let separator = if text.contains('\t') { '\t' } else { ',' };
            let names: Vec<String> =
                csv::split(text, separator).iter().map(|name| name.trim().to_lowercase()).collect();
            let find = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
            let (id, cluster) =
                (find(&["id", "gene", "symbol"]), find(&["cluster", "clusters", "leiden", "community"]));
            let missing = || {
                let reason = format!("found columns {}, expected `id` and `cluster`", names.join(", "));
                FileError::row(path, line, reason)
            };
            columns = Some((id.ok_or_else(missing)?, cluster.ok_or_else(missing)?, separator));
            continue;
        };
        let fields = csv::split(text, separator);
        match (fields.get(id).map(|field| field.trim()), fields.get(cluster).map(|field| field.trim())) {
            (Some(id), Some(cluster)) if !id.is_empty() && !cluster.is_empty() => {
                members.push(Membership { id: id.to_owned(), cluster: cluster.to_owned() });
            }
            _ => {
                let reason = format!("found {text:?}, expected an id and a cluster");
                return Err(FileError::row(path, line, reason));
            }
        }
    }
    if members.is_empty() {
        return Err(FileError::whole(path, "found no row below the header, expected a gene and its cluster"));
    }
    Ok(members)
}

/// The terms of the `clusters` largest clusters, largest first, with the first `most` of each. `members` are pairs of a
/// cluster and a gene; `each` hears of every cluster that is done, and ends it by saying false.
pub fn enrich_clusters<'a>(
    background: &Background,
    members: impl IntoIterator<Item = (&'a str, &'a str)>,
    clusters: usize,
    most: usize,
    test: &Test,
    mut each: impl FnMut(usize) -> bool,
) -> Vec<ClusterTerms> {
    let mut genes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (cluster, gene) in members {
        genes.entry(cluster).or_default().push(gene);
    }
    let mut studies: Vec<(&str, Vec<u32>)> = genes
        .into_iter()
        .map(|(cluster, genes)| (cluster, background.study(genes).0))
        .filter(|(_, study)| !study.is_empty())
        .collect();
    // Of equal size the one with the smaller number: names are mostly numbers.
    let number = |name: &str| name.parse::<u64>().unwrap_or(u64::MAX);
    studies.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(number(a.0).cmp(&number(b.0))).then(a.0.cmp(b.0)));
    studies.truncate(clusters);
    let mut done = Vec::with_capacity(studies.len());
    for (cluster, study) in studies {
        let tested = enrich(background, &study, test);
        let (first, count) = top(&tested, test.alpha, most);
        done.push(ClusterTerms {
            cluster: cluster.to_owned(),
            size: study.len(),
            enriched: count,
            top: first,
            tested,
        });
        if !each(done.len()) {
            break;
        }
    }
    done
}
