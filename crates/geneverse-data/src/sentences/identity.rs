//! Who a gene is: symbol, name, identifiers, kind and place, RefSeq status, other symbols.

use super::words::{and_list, clause};
use super::{LINEAGE, Phrasing, Teller, told_aliases};
use crate::gene::HUMAN;

impl Teller<'_> {
    /// Who gives the symbol; `None` for a record that neither HGNC nor NCBI Gene is known to have.
    fn authority(&self) -> Option<&'static str> {
        let ncbi = self.record.entrez_id.map(|_| "NCBI Gene");
        self.record.hgnc_id.map(|_| "HGNC").or(ncbi)
    }

    pub(super) fn name(&mut self) -> String {
        let symbol = self.record.symbol.as_str();
        let name = clause(&self.record.name).filter(|name| !name.eq_ignore_ascii_case(symbol));
        // A gene that NCBI calls "uncharacterized LOC339874" has no name of its own.
        let (text, kind_told) = match name {
            Some(name) if name == format!("uncharacterized {symbol}") => self.uncharacterized(),
            Some(name) => self.symbol_and_name(&name),
            None => self.symbol_alone(),
        };
        self.kind_with_name = kind_told;
        text
    }

    /// Of two lists of phrasings one, and whether it is of the second list, which tells kind and place too.
    fn with_or_without_kind(&self, without: &[Phrasing<'_>], with: &[Phrasing<'_>]) -> (String, bool) {
        let place = self.draw("name", without.len() + with.len());
        let chosen = without.get(place).or_else(|| with.get(place - without.len()));
        (chosen.map(|phrasing| phrasing()).unwrap_or_default(), place >= without.len())
    }

    /// Only HGNC's symbols and names are official.
    fn official(&self) -> &'static str {
        if self.record.hgnc_id.is_some() { "official " } else { "" }
    }

    fn symbol_and_name(&self, name: &str) -> (String, bool) {
        let (symbol, short, kind, official) = (&self.record.symbol, self.short, &self.kind, self.official());
        let (place, species) = (&self.place, &self.in_species);
        let by = self.authority().map(|a| format!(", provided by {a}")).unwrap_or_default();
        let authority = self.authority().unwrap_or_default();
        let nomenclature = if authority == "HGNC" { "In the nomenclature of" } else { "In" };
        let mut without = Vec::from(phrasings![
            format!(
                "The {official}symbol of this {short} is {symbol} and its {official}full name is {name}{by}."
            ),
            format!("{symbol} is the {official}gene symbol for {name}{by}."),
            format!("The {short} {symbol} has the {official}full name {name}{by}."),
        ]);
        if !name.contains([',', ';']) {
            without.extend(phrasings![format!("The {official}gene symbol of {name} is {symbol}{by}.")]);
        }
        if !authority.is_empty() {
            without.extend(phrasings![
                format!("{symbol}, with the {official}full name {name}, is a gene symbol provided by {authority}."),
                format!("{nomenclature} {authority}, {symbol} is the {official}gene symbol for {name}."),
                format!(
                    "{authority} gives this {short} the {official}symbol {symbol} and the {official}full name {name}."
                ),
            ]);
        }
        let mut with = Vec::from(phrasings![format!(
            "{symbol} is {kind}{place}{species}, and its {official}full name is {name}{by}."
        )]);
        // A bracket in a bracket, or a comma between commas, would be hard to read.
        if !name.contains(['(', ')', '[', ']']) {
            with.extend(phrasings![format!("{symbol} ({name}) is {kind}{place}{species}.")]);
        }
        if !name.contains([',', ';', '(']) {
            with.extend(phrasings![format!("{symbol}, in full {name}, is {kind}{place}{species}.")]);
        }
        self.with_or_without_kind(&without, &with)
    }

    fn uncharacterized(&self) -> (String, bool) {
        let (symbol, kind) = (&self.record.symbol, &self.kind);
        let (place, species) = (&self.place, &self.in_species);
        let by = self.authority().map(|a| format!(" provided by {a}")).unwrap_or_default();
        self.with_or_without_kind(
            &phrasings![
                format!("{symbol} is the gene symbol{by} for an uncharacterized locus."),
                format!("{symbol} is an uncharacterized locus with a gene symbol{by}."),
                format!("The gene symbol {symbol}{by} stands for an uncharacterized locus."),
                format!("The locus {symbol}, under a gene symbol{by}, is uncharacterized."),
            ],
            &phrasings![
                format!("{symbol} is an uncharacterized locus, classified as {kind}{place}{species}."),
                format!("The uncharacterized locus {symbol} is {kind}{place}{species}."),
            ],
        )
    }

    fn symbol_alone(&self) -> (String, bool) {
        let (symbol, short, kind, official) = (&self.record.symbol, self.short, &self.kind, self.official());
        let (place, species) = (&self.place, &self.in_species);
        let by = self.authority().map(|a| format!(" provided by {a}")).unwrap_or_default();
        self.with_or_without_kind(
            &phrasings![
                format!("{symbol} is the {official}gene symbol{by} for this {short}."),
                format!("The {official}gene symbol of this {short}{by} is {symbol}."),
                format!("This {short} has the {official}gene symbol {symbol}{by}."),
                format!("The {short} is known under its {official}gene symbol, {symbol}{by}."),
            ],
            &phrasings![
                format!("{symbol} is {kind}{place}{species}, known under this {official}gene symbol{by}."),
                format!("The {official}gene symbol {symbol}{by} stands for {kind}{place}{species}."),
            ],
        )
    }

    /// Identifiers beside HGNC's.
    pub(super) fn related(&self) -> Vec<String> {
        let record = self.record;
        let mut related = Vec::new();
        related.extend(record.ensembl_id.map(|id| format!("Ensembl:{id}")));
        related.extend(record.omim_ids.iter().map(|id| format!("MIM:{id}")));
        related.extend(record.hgnc_id.map(|id| format!("AllianceGenome:{id}")));
        related.extend(record.entrez_id.map(|id| format!("Entrez Gene:{id}")));
        related.extend(record.uniprot_ids.first().map(|id| format!("UniProt:{id}")));
        related
    }

    pub(super) fn identifiers(&self) -> Option<String> {
        let (record, related) = (self.record, self.related());
        let one = related.len() == 1;
        let related = and_list(&related)?;
        let (identifiers, are) =
            if one { ("related identifier", "is") } else { ("related identifiers", "are") };
        let begin = if one { format!("A {identifiers}") } else { "Related identifiers".to_owned() };
        let (symbol, short, owner) = (&record.symbol, self.short, self.owner());
        let Some(id) = record.hgnc_id else {
            return Some(self.choose(
                "identifiers",
                &phrasings![
                    format!("{begin} {are} {related}."),
                    format!("{} has the {identifiers} {related}.", self.subject("identifiers")),
                    format!("In public databases {symbol} has the {identifiers} {related}."),
                    format!("For this {short}, see related {related}."),
                ],
            ));
        };
        Some(self.choose(
            "identifiers",
            &phrasings![
                format!("{owner} primary source is {id}, and its {identifiers} {are} {related}."),
                format!("The primary source is {id}; see related {related}."),
                format!("{symbol} has the primary source {id}, with the {identifiers} {related}."),
                format!("{owner} primary source is {id}. {begin} {are} {related}."),
                format!("The primary source of this {short} is {id}, and its {identifiers} {are} {related}."),
                format!("{begin} {are} {related}, and the primary source is {id}."),
                format!("In public databases {symbol} has the primary source {id} and the {identifiers} {related}."),
            ],
        ))
    }

    /// Kind, place, species and lineage, as far as the name has not told them; at times with the RefSeq status.
    pub(super) fn kind(&self) -> Option<String> {
        if self.kind_with_name {
            return (self.record.tax_id == HUMAN).then(|| self.lineage());
        }
        let (symbol, kind, place) = (&self.record.symbol, &self.kind, &self.place);
        let status = self.status_with_kind().map(|status| format!(" with the RefSeq status {status}"));
        let status = status.unwrap_or_default();
        // "This gene is a gene" says nothing: the kind's own word is not its subject.
        let (it, this) = if self.pronoun { ("It", "This") } else { (symbol.as_str(), symbol.as_str()) };
        let Some(species) = self.species else {
            return Some(self.choose(
                "kind",
                &phrasings![
                    format!("{it} is {kind}{place}{status}."),
                    format!("{this} is {kind}{place}{status}."),
                    format!("By type {symbol} is {kind}{place}{status}."),
                    format!("{symbol} is classified as {kind}{place}{status}."),
                ],
            ));
        };
        let in_species = &self.in_species;
        let mut phrasings = Vec::from(phrasings![
            format!("{it} is {kind}{place}{in_species}{status}."),
            format!("{this} is {kind}, found{place}{in_species}{status}."),
            format!("{symbol} is classified as {kind}{place}{in_species}{status}."),
            format!("{symbol} is {kind} found{place}{in_species}{status}."),
        ]);
        if place.ends_with("genome") {
            phrasings.extend(phrasings![format!("Located{place}{in_species}, {symbol} is {kind}{status}.")]);
        } else if !place.is_empty() {
            phrasings.extend(phrasings![format!(
                "Located{place} in the genome of {species}, {symbol} is {kind}{status}."
            )]);
        }
        if self.record.tax_id != HUMAN {
            return Some(self.choose("kind", &phrasings));
        }
        phrasings.extend(phrasings![
            format!("{it} is {kind}{place}{in_species}{status}, of the lineage {LINEAGE}."),
            format!("{this} is {kind}{place}{in_species}{status}, with the lineage {LINEAGE}."),
        ]);
        let told = self.choose("kind", &phrasings);
        Some(if told.contains(LINEAGE) { told } else { format!("{told} {}", self.lineage()) })
    }

    fn lineage(&self) -> String {
        self.choose(
            "lineage",
            &phrasings![
                format!("The lineage of Homo sapiens is {LINEAGE}."),
                format!("The species, Homo sapiens, has the lineage {LINEAGE}."),
                format!("Its organism, Homo sapiens, is of the lineage {LINEAGE}."),
                format!("Homo sapiens belongs to the lineage {LINEAGE}."),
                format!("In taxonomy the lineage of its species is {LINEAGE}."),
            ],
        )
    }

    /// The status, where this seed tells it with the kind.
    fn status_with_kind(&self) -> Option<String> {
        let joined = !self.kind_with_name && self.draw("status with kind", 3) == 0;
        joined.then(|| clause(self.record.refseq_status.as_deref()?)).flatten()
    }

    pub(super) fn status(&self) -> Option<String> {
        let status = clause(self.record.refseq_status.as_deref()?)?;
        if self.status_with_kind().is_some() {
            return None;
        }
        let (symbol, short, owner) = (&self.record.symbol, self.short, self.owner());
        Some(self.choose(
            "status",
            &phrasings![
                format!("{owner} RefSeq status is {status}."),
                format!("The RefSeq status of this {short} is {status}."),
                format!("The RefSeq status of {symbol} is {status}."),
                format!("{} has the RefSeq status {status}.", self.subject("status")),
                format!("NCBI gives its RefSeq status as {status}."),
            ],
        ))
    }

    pub(super) fn aliases(&self) -> Option<String> {
        let aliases = and_list(&told_aliases(self.record))?;
        let (symbol, short) = (&self.record.symbol, self.short);
        // The gene stands right before "also known as": a repair takes such a list for its aliases.
        Some(self.choose(
            "aliases",
            &phrasings![
                format!("{} is also known as {aliases}.", self.subject("aliases")),
                format!("{} is also known as {aliases}.", self.subject("aliases")),
                format!("This {short} is also known as {aliases}."),
                format!("{symbol} is also known as {aliases}."),
                format!("The {short} is also known as {aliases}."),
                format!("In the literature, {symbol} is also known as {aliases}."),
                format!("In other sources this {short} is also known as {aliases}."),
            ],
        ))
    }
}
