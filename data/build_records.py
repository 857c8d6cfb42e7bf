"""Joins public facts about genes with our own summaries: data/genes.jsonl, a `GeneRecord` per line.

    python3 data/build_records.py --hgnc hgnc_complete_set.txt.gz --gene-info Homo_sapiens.gene_info.gz \
        --go-terms go_terms.tsv.gz --gene-go gene_GO_terms.tsv.gz [--disagreements FILE.md]

The genes are those of data/summaries.jsonl. HGNC is asked first for every fact; gene_info adds synonyms.
Inputs may be gzipped or plain. Where the two disagree, HGNC stands, and --disagreements lists the case.
"""

import argparse
import csv
import gzip
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
ASPECTS = {
    "GO:0008150": "biological_process",
    "GO:0003674": "molecular_function",
    "GO:0005575": "cellular_component",
}
# Too general to say anything about a gene, whatever their information content.
GENERAL_TERMS = {"protein binding", "identical protein binding", "membrane", "nucleus", "cytoplasm", "cytosol"}
# Natural logarithms: a term of one human protein in four hundred is as welcome as a rarer one.
INFORMATION_CAP = 6.0
TERMS_PER_ASPECT = {"biological_process": 3, "molecular_function": 2, "cellular_component": 1}
TERMS_PER_GENE = 6
# The GO file is about proteins. An RNA gene may be listed for a micropeptide (MT-RNR1: MOTS-c) and a pseudogene
# for a hypothetical protein; their terms would not describe the gene.
KINDS_WITHOUT_PROTEIN_TERMS = {
    "micro_rna",
    "long_noncoding_rna",
    "pseudogene",
    "transfer_rna",
    "small_nucleolar_rna",
    "small_nuclear_rna",
    "ribosomal_rna",
    "other_rna",
}
# HGNC places SCARNA2 at 1q13.1, a band that chromosome 1 does not have; gene_info has the band of its coordinates.
LOCATION_CORRECTIONS = {"SCARNA2": "1p13.3"}
KIND_OF_LOCUS_TYPE = {
    "gene with protein product": "protein_coding",
    "RNA, micro": "micro_rna",
    "RNA, long non-coding": "long_noncoding_rna",
    "RNA, transfer": "transfer_rna",
    "RNA, small nucleolar": "small_nucleolar_rna",
    "RNA, small nuclear": "small_nuclear_rna",
    "RNA, ribosomal": "ribosomal_rna",
    "pseudogene": "pseudogene",
    "immunoglobulin gene": "immunoglobulin_segment",
    "immunoglobulin pseudogene": "immunoglobulin_segment",
    "T cell receptor gene": "tcell_receptor_segment",
    "T cell receptor pseudogene": "tcell_receptor_segment",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("hgnc", "gene-info", "go-terms", "gene-go"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--summaries", type=Path, default=HERE / "summaries.jsonl")
    parser.add_argument("--out", type=Path, default=HERE / "genes.jsonl")
    parser.add_argument("--disagreements", type=Path, help="write what the sources disagree on, as Markdown")
    args = parser.parse_args()

    summaries = [json.loads(line) for line in args.summaries.read_text().splitlines()]
    hgnc = {row["symbol"]: row for row in read_table(args.hgnc)}
    ncbi = {row["GeneID"]: row for row in read_table(args.gene_info, quoting=csv.QUOTE_NONE)}
    ontology = read_ontology(args.go_terms)
    annotations = read_annotations(args.gene_go)

    records, disagreements = [], []
    for ours in sorted(summaries, key=lambda ours: ours["symbol"]):
        if ours["symbol"] not in hgnc:
            raise SystemExit(f"{args.summaries}: found {ours['symbol']!r}, expected a symbol that {args.hgnc} has")
        row = hgnc[ours["symbol"]]
        ncbi_row = ncbi.get(row["entrez_id"])
        records.append(gene_record(ours, row, ncbi_row, ontology, annotations))
        disagreements.extend(compare(row, ncbi_row))

    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    args.out.write_text("\n".join(lines) + "\n")
    if args.disagreements:
        table = ["| gene | fact | HGNC (stands) | gene_info |", "|---|---|---|---|"]
        table += ["| " + " | ".join(cells) + " |" for cells in disagreements]
        args.disagreements.write_text("\n".join(table) + "\n")


def gene_record(ours, row, ncbi_row, ontology, annotations):
    """One record in the field order of `GeneRecord`; empty fields are left out."""
    kind = kind_of(row["locus_type"])
    uniprot_ids = split(row["uniprot_ids"])
    previous_symbols = split(row["prev_symbol"])
    synonyms = split(ncbi_row["Synonyms"]) if ncbi_row else []
    record = {
        "symbol": row["symbol"],
        "name": row["name"],
        "kind": kind,
        "locus_type": row["locus_type"],
        "location": LOCATION_CORRECTIONS.get(row["symbol"], row["location"]),
        "hgnc_id": row["hgnc_id"],
        "entrez_id": row["entrez_id"],
        "ensembl_id": row["ensembl_gene_id"],
        "omim_ids": split(row["omim_id"]),
        "uniprot_ids": uniprot_ids,
        "aliases": without_repeats(split(row["alias_symbol"]) + synonyms, [row["symbol"], *previous_symbols]),
        "previous_symbols": previous_symbols,
        "other_names": without_repeats(split(row["alias_name"]) + split(row["prev_name"]), [row["name"]]),
        "groups": split(row["gene_group"]),
        "go_terms": [],
        "pathways": ours["pathways"],
        "expression": ours["expression"],
        "orthologs": split(row["mgd_id"]) + split(row["rgd_id"]),
        "summary": {"text": ours["summary"], "source": "Geneverse"},
    }
    if kind not in KINDS_WITHOUT_PROTEIN_TERMS:
        keys = [row["symbol"], *uniprot_ids, *previous_symbols]
        annotated = next((annotations[key] for key in keys if key in annotations), [])
        words = content_words(" ".join([ours["summary"], *ours["pathways"]]))
        record["go_terms"] = choose_terms(annotated, words, ontology)
    return {field: value for field, value in record.items() if value not in ("", None, [])}


def kind_of(locus_type):
    """`GeneKind::from_hgnc_locus_type`, in the names that serde writes."""
    other = "other_rna" if locus_type.startswith("RNA,") else "other"
    return KIND_OF_LOCUS_TYPE.get(locus_type, other)


def choose_terms(annotated, words, ontology):
    """Up to six terms: specific and direct ones, and among these the ones that our own text speaks of."""

    def spoken_of(term_id):
        named = content_words(ontology[term_id]["name"])
        return len(named & words) / max(len(named), 1)

    def score(term_id):
        term = ontology[term_id]
        indirect = "regulation of" in term["name"] or term["name"].startswith("response to")
        return min(term["information"], INFORMATION_CAP) + 4 * spoken_of(term_id) - indirect

    known = {term for term in annotated if term in ontology and ontology[term]["name"] not in GENERAL_TERMS}
    covered = set().union(*(ontology[term]["ancestors"] for term in known)) if known else set()
    known = {term for term in known if term not in covered or spoken_of(term) > 0.5}
    ranked = sorted(known, key=lambda term: (-score(term), term))
    chosen = []
    for room in (TERMS_PER_ASPECT, dict.fromkeys(TERMS_PER_ASPECT, TERMS_PER_GENE)):
        for term in ranked:
            of_aspect = [other for other in chosen if ontology[other]["aspect"] == ontology[term]["aspect"]]
            alike = any(similarity(ontology, term, other) > 0.75 for other in of_aspect)
            if term not in chosen and not alike and len(of_aspect) < room[ontology[term]["aspect"]]:
                chosen.append(term)
            if len(chosen) == TERMS_PER_GENE:
                break
    order = list(TERMS_PER_ASPECT)
    chosen.sort(key=lambda term: (order.index(ontology[term]["aspect"]), -score(term), term))
    return [{"id": term, "name": ontology[term]["name"], "aspect": ontology[term]["aspect"]} for term in chosen]


def similarity(ontology, one, other):
    """Shared ancestors over all ancestors."""
    first, second = ontology[one]["ancestors"] | {one}, ontology[other]["ancestors"] | {other}
    return len(first & second) / len(first | second)


def content_words(text):
    """Lower-case words of four letters or more (and numerals of complexes), cut to six so that inflections meet; without GO's stock words."""
    stock = {"protein", "activity", "regulation", "process", "positive", "negative", "pathway", "involved", "cell"}
    words = re.findall(r"[a-z0-9]{4,}|iii|iv", text.lower())
    return {word[:6] for word in words if word not in stock}


def read_ontology(path):
    """Term id → name, aspect (of the root it descends from), ancestors without itself, information content."""
    rows = {row["go_id"]: row for row in read_table(path) if row["is_obsolete"] == "0"}
    ancestors = {}

    def ancestors_of(term):
        if term not in ancestors:
            parents = [parent for parent in split(rows[term]["parents"]) if parent in rows]
            ancestors[term] = set(parents).union(*(ancestors_of(parent) for parent in parents))
        return ancestors[term]

    ontology = {}
    for term, row in rows.items():
        root = next((root for root in ASPECTS if root in ancestors_of(term)), None)
        if root is not None:
            ontology[term] = {
                "name": row["name"],
                "aspect": ASPECTS[root],
                "ancestors": ancestors_of(term),
                "information": information_content(row["ic_human"]),
            }
    return ontology


def information_content(text):
    """Minus the logarithm of the share of human proteins with the term; zero where none has it."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def read_annotations(path):
    """Gene symbol, or UniProt accession where a protein has no symbol → GO terms; the file has no header."""
    with open_text(path) as lines:
        pairs = (line.rstrip("\n").split("\t") for line in lines)
        return {key: split(terms) for key, terms in pairs}


def compare(row, ncbi_row):
    """What gene_info says otherwise, a row of cells per fact."""
    symbol = row["symbol"]
    if ncbi_row is None:
        found = "no record" if row["entrez_id"] else "not looked up"
        return [(symbol, "record", row["entrez_id"] or "no NCBI Gene id", found)]
    references = {}
    for reference in split(ncbi_row["dbXrefs"]):
        database, _, identifier = reference.partition(":")
        references.setdefault(database, []).append(identifier)
    pairs = [
        ("symbol", row["symbol"], ncbi_row["Symbol"]),
        ("name", row["name"], ncbi_row["description"]),
        ("location", row["location"], " ".join(sorted(set(split(ncbi_row["map_location"]))))),
        ("HGNC id", row["hgnc_id"], " ".join(references.get("HGNC", []))),
        ("Ensembl id", row["ensembl_gene_id"], " ".join(references.get("Ensembl", []))),
        ("OMIM", " ".join(split(row["omim_id"])), " ".join(references.get("MIM", []))),
    ]
    return [(symbol, fact, ours or "none", theirs or "none") for fact, ours, theirs in pairs if ours != theirs]


def split(cell):
    return [part.strip() for part in cell.split("|") if part.strip() not in ("", "-")]


def without_repeats(names, excluded):
    """The names in order, the first spelling of each; case does not tell two names apart."""
    seen = {name.lower() for name in excluded}
    kept = []
    for name in names:
        if name.lower() not in seen:
            seen.add(name.lower())
            kept.append(name)
    return kept


def read_table(path, quoting=csv.QUOTE_MINIMAL):
    with open_text(path) as lines:
        header = next(lines).lstrip("#").rstrip("\r\n").split("\t")
        return list(csv.DictReader(lines, fieldnames=header, delimiter="\t", quoting=quoting))


def open_text(path):
    is_gzip = path.open("rb").read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8", newline="") if is_gzip else path.open(encoding="utf-8", newline="")


if __name__ == "__main__":
    main()
