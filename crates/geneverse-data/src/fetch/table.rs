//! The table of public files: what they are, where they lie, under which terms, and how they are told from something else.
//!
//! Addresses are those that the publishers document: HGNC (<https://www.genenames.org/download/>), NCBI Gene
//! (<https://ftp.ncbi.nlm.nih.gov/gene/DATA/README>), Gene Ontology (<https://geneontology.org/docs/downloads/>),
//! UniProt (<https://www.uniprot.org/help/downloads>). Sizes are bounds, wide enough for years, that an error page or a
//! stub does not reach.

use serde::Serialize;

use crate::gene::UniprotAccession;

/// A public file.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// How it is asked for.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// Its name in the cache.
    pub file: &'static str,
    /// Where it lies.
    pub address: &'static str,
    /// Its format, in a few words.
    pub format: &'static str,
    /// The terms under which it may be used, as SPDX has them where it does.
    pub licence: &'static str,
    /// The fewest bytes it may have.
    pub smallest: u64,
    /// The most bytes it may have.
    pub largest: u64,
    /// What its first line looks like.
    #[serde(skip)]
    pub first_line: FirstLine,
    /// Where the publisher says what its bytes sum up to.
    #[serde(skip)]
    pub checksum: Checksum,
    /// How `genes import` takes it.
    pub import_flag: &'static str,
    /// Whether it is fetched when none is named.
    pub usual: bool,
}

/// What the first line of a file looks like, unpacked.
#[derive(Debug, Clone, Copy)]
pub enum FirstLine {
    /// Columns of a table with these names among them.
    Columns(&'static [&'static str]),
    /// It begins so.
    Begins(&'static str),
    /// An accession of UniProt, a type and an identifier.
    Accession,
}

impl FirstLine {
    /// Whether `line` looks so.
    pub fn fits(self, line: &str) -> bool {
        let line = line.trim_start_matches('\u{feff}');
        match self {
            Self::Columns(names) => {
                let columns: Vec<&str> =
                    line.split(['\t', ' ']).map(|c| c.trim_start_matches('#').trim_matches('"')).collect();
                names.iter().all(|name| columns.contains(name))
            }
            Self::Begins(start) => line.starts_with(start),
            Self::Accession => {
                let mut fields = line.split('\t');
                // Isoforms are written as P08151-2.
                let accession = fields.next().and_then(|f| f.split('-').next()).unwrap_or_default();
                UniprotAccession::parse(accession).is_ok() && fields.count() == 2
            }
        }
    }

    /// What was expected, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Columns(names) => format!("the columns {}", names.join(", ")),
            Self::Begins(start) => format!("a line that begins with {start:?}"),
            Self::Accession => "an accession of UniProt, a type and an identifier".to_owned(),
        }
    }
}

/// Where a publisher says what a file's bytes sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Nowhere.
    Unpublished,
    /// In the headers of the answer.
    Headers,
    /// In a metalink file at this address, where that names the file.
    Metalink(&'static str),
}

impl Checksum {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unpublished => "none published",
            Self::Headers => "MD5 in the headers",
            Self::Metalink(_) => "MD5 in RELEASE.metalink",
        }
    }
}

const MB: u64 = 1_000_000;

/// The files, in the order in which they are listed and fetched.
pub const SOURCES: [Source; 8] = [
    Source {
        name: "hgnc",
        what: "HGNC complete set: approved symbols, names, identifiers",
        file: "hgnc_complete_set.txt",
        address: "https://storage.googleapis.com/public-download-files/hgnc/tsv/tsv/hgnc_complete_set.txt",
        format: "table, tab-separated",
        licence: "CC0-1.0",
        smallest: 5 * MB,
        largest: 200 * MB,
        first_line: FirstLine::Columns(&["hgnc_id", "symbol", "name"]),
        checksum: Checksum::Headers,
        import_flag: "--hgnc",
        usual: true,
    },
    Source {
        name: "gene_info",
        what: "NCBI Gene, human: symbols, synonyms, cross-references",
        file: "Homo_sapiens.gene_info.gz",
        address: "https://ftp.ncbi.nlm.nih.gov/gene/DATA/GENE_INFO/Mammalia/Homo_sapiens.gene_info.gz",
        format: "table, gzip",
        licence: "public domain",
        smallest: MB,
        largest: 200 * MB,
        first_line: FirstLine::Columns(&["GeneID", "Symbol"]),
        checksum: Checksum::Unpublished,
        import_flag: "--gene-info",
        usual: true,
    },
    Source {
        name: "summaries",
        what: "NCBI Gene: RefSeq's functional summaries",
        file: "gene_summary.gz",
        address: "https://ftp.ncbi.nlm.nih.gov/gene/DATA/gene_summary.gz",
        format: "table, gzip",
        licence: "public domain",
        smallest: MB,
        largest: 500 * MB,
        first_line: FirstLine::Columns(&["GeneID", "Summary"]),
        checksum: Checksum::Unpublished,
        import_flag: "--summaries",
        usual: true,
    },
    Source {
        name: "go",
        what: "Gene Ontology: terms and their relations",
        file: "go-basic.obo",
        address: "https://current.geneontology.org/ontology/go-basic.obo",
        format: "OBO 1.2",
        licence: "CC-BY-4.0",
        smallest: 10 * MB,
        largest: 500 * MB,
        first_line: FirstLine::Begins("format-version:"),
        checksum: Checksum::Unpublished,
        import_flag: "--go",
        usual: true,
    },
    Source {
        name: "goa",
        what: "GO annotations of human proteins (GOA)",
        file: "goa_human.gaf.gz",
        address: "https://current.geneontology.org/annotations/goa_human.gaf.gz",
        format: "GAF 2.2, gzip",
        licence: "CC-BY-4.0",
        smallest: 2 * MB,
        largest: 500 * MB,
        first_line: FirstLine::Begins("!gaf-version:"),
        checksum: Checksum::Unpublished,
        import_flag: "--go-annotations",
        usual: true,
    },
    Source {
        name: "gene2go",
        what: "NCBI Gene, all species: GO annotations",
        file: "gene2go.gz",
        address: "https://ftp.ncbi.nlm.nih.gov/gene/DATA/gene2go.gz",
        format: "table, gzip",
        licence: "public domain",
        smallest: 5 * MB,
        largest: 10_000 * MB,
        first_line: FirstLine::Columns(&["GeneID", "GO_ID"]),
        checksum: Checksum::Unpublished,
        import_flag: "--go-annotations",
        usual: false,
    },
    Source {
        name: "idmapping",
        what: "UniProt, human: accessions to other identifiers",
        file: "HUMAN_9606_idmapping.dat.gz",
        address: "https://ftp.uniprot.org/pub/databases/uniprot/current_release/knowledgebase/idmapping/by_organism/\
                  HUMAN_9606_idmapping.dat.gz",
        format: "three columns, gzip",
        licence: "CC-BY-4.0",
        smallest: 5 * MB,
        largest: 2_000 * MB,
        first_line: FirstLine::Accession,
        checksum: Checksum::Metalink(
            "https://ftp.uniprot.org/pub/databases/uniprot/current_release/knowledgebase/idmapping/RELEASE.metalink",
        ),
        import_flag: "--id-mapping",
        usual: false,
    },
    Source {
        name: "gene_info_all",
        what: "NCBI Gene, all species",
        file: "All_Data.gene_info.gz",
        address: "https://ftp.ncbi.nlm.nih.gov/gene/DATA/GENE_INFO/All_Data.gene_info.gz",
        format: "table, gzip",
        licence: "public domain",
        smallest: 100 * MB,
        largest: 20_000 * MB,
        first_line: FirstLine::Columns(&["GeneID", "Symbol"]),
        checksum: Checksum::Unpublished,
        import_flag: "--gene-info",
        usual: false,
    },
];

/// The source of a name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_told_apart() {
        let lines = [
            ("hgnc", "hgnc_id\tsymbol\tname\tlocus_group"),
            ("gene_info", "#tax_id\tGeneID\tSymbol\tLocusTag"),
            ("gene_info_all", "#Format: tax_id GeneID Symbol LocusTag"),
            ("summaries", "#tax_id\tGeneID\tSource\tSummary"),
            ("go", "format-version: 1.2"),
            ("goa", "!gaf-version: 2.2"),
            ("gene2go", "#tax_id\tGeneID\tGO_ID\tEvidence"),
            ("idmapping", "P31946-2\tUniProtKB-ID\t1433B_HUMAN"),
        ];
        for (name, line) in lines {
            for source in &SOURCES {
                let same = source.name == name
                    || (source.name.starts_with("gene_info") && name.starts_with("gene_info"));
                assert_eq!(source.first_line.fits(line), same, "{} and {line:?}", source.name);
            }
        }
    }

    #[test]
    fn names_and_files_are_unique_and_addresses_are_secure() {
        for (at, source) in SOURCES.iter().enumerate() {
            assert!(SOURCES[..at].iter().all(|s| s.name != source.name && s.file != source.file));
            assert!(source.address.starts_with("https://") && source.address.ends_with(source.file));
            assert!(!source.address.contains(' ') && source.smallest < source.largest);
        }
    }
}
