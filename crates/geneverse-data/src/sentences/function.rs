//! What a gene does: groups, summary, GO terms, pathways, expression, orthologs.

use super::Teller;
use super::words::{and_list, capital, clause, clean, is_plain, listing, lower_start};
use crate::gene::{GoAspect, HUMAN};

const MAX_GROUPS: usize = 4;
const MAX_GO_TERMS: usize = 5;
const MAX_PATHWAYS: usize = 5;
const MAX_ORTHOLOGS: usize = 4;

/// Terms that nearly every gene has, and the roots of the three ontologies: they say nothing.
const EMPTY_TERMS: [&str; 4] =
    ["protein binding", "molecular_function", "biological_process", "cellular_component"];

/// Databases of model organisms, with the species in everyday words.
const ORGANISMS: [(&str, &str); 7] = [
    ("MGI", "mouse"),
    ("RGD", "rat"),
    ("ZFIN", "zebrafish"),
    ("FB", "fly"),
    ("WB", "worm"),
    ("SGD", "yeast"),
    ("Xenbase", "frog"),
];

impl Teller<'_> {
    pub(super) fn told_groups(&self) -> Vec<String> {
        first_clauses(self.record.groups.iter(), MAX_GROUPS)
    }

    pub(super) fn groups(&self) -> Option<String> {
        let groups = self.told_groups();
        let word = if groups.len() == 1 { "group" } else { "groups" };
        let listed = listing(&groups)?;
        let subject = self.subject("groups");
        // Behind a colon a list may hold whatever it likes; without one only plain items read well.
        Some(if is_plain(&groups) {
            self.choose(
                "groups",
                &phrasings![
                    format!("{subject} belongs to the HGNC gene {word} {listed}."),
                    format!("{subject} is a member of the HGNC gene {word} {listed}."),
                    format!("HGNC places this {} in the gene {word} {listed}.", self.short),
                    format!("Among the gene groups of HGNC, {} is a member of {listed}.", self.record.symbol),
                    format!("{subject} is listed in the HGNC gene {word} {listed}."),
                ],
            )
        } else {
            self.choose(
                "groups",
                &phrasings![
                    format!("{subject} belongs to the HGNC gene {word}: {listed}."),
                    format!("{subject} is a member of the HGNC gene {word}: {listed}."),
                    format!("HGNC places this {} in the gene {word}: {listed}.", self.short),
                    format!("{subject} is listed in the HGNC gene {word}: {listed}."),
                ],
            )
        })
    }

    pub(super) fn summary(&self) -> Option<String> {
        let text = clean(&self.record.summary.as_ref()?.text);
        let text = text.trim_end_matches([' ', ',', ';', ':']);
        if !text.chars().any(char::is_alphanumeric) {
            return None;
        }
        let ended = text.ends_with(['.', '!', '?']) || text.ends_with(".)") || text.ends_with(".\"");
        Some(if ended { text.to_owned() } else { format!("{text}.") })
    }

    pub(super) fn annotations(&self) -> Option<String> {
        let told: Vec<String> =
            [self.processes(), self.functions(), self.components()].into_iter().flatten().collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    pub(super) fn terms(&self, aspect: GoAspect) -> Vec<String> {
        let names = self.record.go_terms.iter().filter(|t| t.aspect == aspect).map(|t| &t.name);
        first_clauses(names.filter(|name| !EMPTY_TERMS.contains(&name.as_str())), MAX_GO_TERMS)
    }

    fn processes(&self) -> Option<String> {
        let terms = self.terms(GoAspect::BiologicalProcess);
        let listed = listing(&terms)?;
        let (subject, short) = (self.subject("processes"), self.short);
        let one = terms.len() == 1;
        let plural = if one { "process" } else { "processes" };
        // "Takes part in apoptotic process" lacks an article; behind a colon it is a term.
        let is_noun = |term: &String| term.ends_with(" process") || term.ends_with(" pathway");
        Some(if is_plain(&terms) && !terms.iter().any(is_noun) {
            self.choose(
                "processes",
                &phrasings![
                    format!("{subject} takes part in {listed}."),
                    format!("{subject} is involved in {listed}."),
                    format!("{subject} contributes to {listed}."),
                    format!("{subject} has a role in {listed}."),
                    format!(
                        "The biological {plural} in which {} takes part {} {listed}.",
                        self.object(),
                        include(one)
                    ),
                    format!("{} acts in the biological {plural} of {listed}.", self.record.symbol),
                ],
            )
        } else {
            let these = if one { "this biological process" } else { "these biological processes" };
            self.choose(
                "processes",
                &phrasings![
                    format!("{subject} takes part in {these}: {listed}."),
                    format!("{subject} is involved in {these}: {listed}."),
                    format!("Gene Ontology annotates this {short} with {these}: {listed}."),
                    format!("{subject} contributes to {these}: {listed}."),
                ],
            )
        })
    }

    fn functions(&self) -> Option<String> {
        let terms = self.terms(GoAspect::MolecularFunction);
        let listed = listing(&terms)?;
        let one = terms.len() == 1;
        let (functions, are) = if one { ("function", "is") } else { ("functions", "are") };
        let colon = if is_plain(&terms) { "" } else { ":" };
        let these = if one { "the molecular function" } else { "the molecular functions" };
        Some(self.choose(
            "functions",
            &phrasings![
                format!("Its molecular {functions} {}{colon} {listed}.", include(one)),
                format!("The molecular {functions} of its product {are}{colon} {listed}."),
                format!("Its product has {these}{colon} {listed}."),
                format!("At the molecular level its {functions} {are}{colon} {listed}."),
                format!("{} of {} {}{colon} {listed}.", capital(these), self.record.symbol, include(one)),
            ],
        ))
    }

    fn components(&self) -> Option<String> {
        let terms = self.terms(GoAspect::CellularComponent);
        let listed = listing(&terms)?;
        let one = terms.len() == 1;
        let colon = if is_plain(&terms) { "" } else { ":" };
        let component = if one { "the cellular component" } else { "the cellular components" };
        Some(self.choose(
            "components",
            &phrasings![
                format!("Its product is found in {component}{colon} {listed}."),
                format!(
                    "{} of its product {}{colon} {listed}.",
                    if one { "The cellular location" } else { "Cellular locations" },
                    include(one)
                ),
                format!(
                    "{} in which its product is found {}{colon} {listed}.",
                    capital(component),
                    include(one)
                ),
                format!(
                    "The product of {} has been located in {component}{colon} {listed}.",
                    self.record.symbol
                ),
            ],
        ))
    }

    pub(super) fn told_pathways(&self) -> Vec<String> {
        first_clauses(self.record.pathways.iter(), MAX_PATHWAYS)
    }

    pub(super) fn pathways(&self) -> Option<String> {
        let pathways = self.told_pathways();
        let listed = listing(&pathways)?;
        let one = pathways.len() == 1;
        let (word, owner) = (if one { "pathway" } else { "pathways" }, self.owner());
        let subject = self.subject("pathways");
        let colon = if is_plain(&pathways) { "" } else { ":" };
        Some(self.choose(
            "pathways",
            &phrasings![
                format!("Pathway information: {} acts in {listed}.", self.object()),
                format!("{owner} {word} {}{colon} {listed}.", include(one)),
                format!("{subject} acts in the following {word}: {listed}."),
                format!(
                    "The {word} in which {} takes part {}{colon} {listed}.",
                    self.record.symbol,
                    include(one)
                ),
                format!("{subject} participates in the following {word}: {listed}."),
                format!("Pathway annotation places {} in {listed}.", self.object()),
                format!("In terms of pathways, this {} acts in {listed}.", self.short),
            ],
        ))
    }

    pub(super) fn expression(&self) -> Option<String> {
        let expression = lower_start(&clause(self.record.expression.as_deref()?)?);
        let first = expression.split(' ').next().unwrap_or_default();
        let (subject, symbol) = (self.subject("expression"), &self.record.symbol);
        Some(if expression.contains("expression") {
            let mut phrasings = Vec::from(phrasings![
                format!("{subject} shows {expression}."),
                format!("{subject} has {expression}."),
                format!("Expression data for {symbol} show {expression}."),
                format!("Transcript data show {expression}."),
            ]);
            if self.record.tax_id == HUMAN {
                phrasings.extend(phrasings![format!("In human tissues {symbol} shows {expression}.")]);
            }
            if !expression.contains([',', ';', '(', ':'])
                && !expression.starts_with(|c: char| c.is_uppercase())
            {
                phrasings.extend(phrasings![format!(
                    "{} has been observed for this {}.",
                    capital(&expression),
                    self.short
                )]);
            }
            self.choose("expression", &phrasings)
        } else if first.ends_with("ly") || first.ends_with("ed") || first == "found" {
            format!("{subject} is {expression}.")
        } else {
            self.choose(
                "expression",
                &phrasings![
                    format!("{subject} is expressed in {expression}."),
                    format!("Expression of {symbol} is found in {expression}."),
                    format!("Its transcripts are found in {expression}."),
                    format!("{symbol} is transcribed in {expression}."),
                ],
            )
        })
    }

    /// One for each species: where a family has grown in mouse, the list of its ids says nothing to a reader. With the
    /// species where the database tells it.
    fn one_ortholog_each(&self) -> Vec<(Option<&'static str>, String)> {
        let mut told: Vec<(&str, Option<&'static str>, String)> = Vec::new();
        for id in &self.record.orthologs {
            let database = id.split(':').next().unwrap_or_default().trim();
            if let Some(id) = clause(id).filter(|_| !told.iter().any(|(known, ..)| *known == database)) {
                let name = ORGANISMS.iter().find(|(prefix, _)| *prefix == database).map(|(_, name)| *name);
                told.push((database, name, id));
            }
        }
        told.into_iter().map(|(_, name, id)| (name, id)).collect()
    }

    /// "mouse MGI:95727".
    pub(super) fn told_orthologs(&self) -> Vec<String> {
        let named = |(name, id): (Option<&str>, String)| match name {
            Some(name) => format!("{name} {id}"),
            None => id,
        };
        self.one_ortholog_each().into_iter().take(MAX_ORTHOLOGS).map(named).collect()
    }

    pub(super) fn orthologs(&self) -> Option<String> {
        let each = self.one_ortholog_each();
        let named = self.told_orthologs();
        let mut bracketed: Vec<String> =
            each.iter().filter_map(|(name, id)| Some(format!("{} ({id})", (*name)?))).collect();
        let one = named.len() == 1;
        let listed = and_list(&named)?;
        let owner = self.owner();
        let an = if one { "an ortholog" } else { "orthologs" };
        let all = bracketed.len() == each.len();
        bracketed.truncate(MAX_ORTHOLOGS);
        let bracketed = and_list(&bracketed).filter(|_| all).unwrap_or_default();
        let mut phrasings = if one {
            Vec::from(phrasings![
                format!("An ortholog is {listed}."),
                format!("Its ortholog is {listed}."),
                format!("The known ortholog of this {} is {listed}.", self.short),
                format!("{owner} orthologs include {listed}."),
            ])
        } else {
            Vec::from(phrasings![
                format!("Orthologs are {listed}."),
                format!("{owner} orthologs include {listed}."),
                format!("Known orthologs of {} are {listed}.", self.record.symbol),
                format!("Among the orthologs of this {} are {listed}.", self.short),
            ])
        };
        if !bracketed.is_empty() {
            phrasings.extend(phrasings![format!("{} has {an} in {bracketed}.", self.subject("orthologs"))]);
        }
        Some(self.choose("orthologs", &phrasings))
    }
}

/// The verb of a list that need not be whole.
fn include(one: bool) -> &'static str {
    if one { "is" } else { "include" }
}

fn first_clauses<'a>(texts: impl Iterator<Item = &'a String>, most: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts.filter_map(|text| clause(text)) {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept.truncate(most);
    kept
}
