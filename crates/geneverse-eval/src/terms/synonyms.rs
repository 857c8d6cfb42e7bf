//! Words that descriptions of genes use for one another.
//!
//! A small thesaurus of what anatomy, cell biology and the Gene Ontology call differently: Latin and English names of
//! organs, British and American spelling, nouns and their adjectives that a stemmer does not bring together. The first
//! of a row stands for all of them.

use std::sync::LazyLock;

use super::stem_of;
use crate::hash::Map;

const ROWS: [&[&str]; 62] = [
    &["apoptosis", "apoptotic", "antiapoptotic", "proapoptotic", "apoptosome"],
    &[
        "tumor",
        "tumour",
        "tumorigenesis",
        "cancer",
        "carcinoma",
        "neoplasm",
        "neoplasia",
        "oncogenic",
        "tumorigenic",
    ],
    &["nucleus", "nuclear", "nuclei", "nucleoplasm"],
    &["mitochondria", "mitochondrion", "mitochondrial"],
    &["cytoplasm", "cytoplasmic", "cytosol", "cytosolic"],
    &["kidney", "renal", "nephric"],
    &["liver", "hepatic", "hepatocyte", "hepatocellular"],
    &["heart", "cardiac", "cardiomyocyte", "myocardial", "myocardium"],
    &["lung", "pulmonary"],
    &["brain", "cerebral", "cerebrum"],
    &["neuron", "neuronal", "neural", "nerve", "nervous", "neurons", "neurite"],
    &["axon", "axonal", "axonogenesis"],
    &["blood", "hematopoietic", "haematopoietic", "hematopoiesis", "hemopoiesis", "hemopoietic"],
    &["vessel", "vascular", "vasculature", "angiogenesis", "angiogenic", "vasculogenesis"],
    &["muscle", "muscular", "myogenic", "myogenesis", "myoblast"],
    &["bone", "osseous", "skeletal", "skeleton", "ossification", "osteogenic"],
    &["cartilage", "chondrocyte", "cartilaginous"],
    &["skin", "epidermal", "epidermis", "cutaneous", "dermal", "keratinocyte"],
    &["eye", "ocular", "ophthalmic"],
    &["retina", "retinal", "photoreceptor"],
    &["ear", "auditory", "hearing", "cochlea", "cochlear", "deafness"],
    &["stomach", "gastric"],
    &["gut", "intestine", "intestinal", "enteric"],
    &["sperm", "spermatogenesis", "spermatid", "spermatozoa", "spermatozoon"],
    &["testis", "testes", "testicular"],
    &["ovary", "ovarian"],
    &["fat", "adipose", "adipocyte", "adipogenesis"],
    &["lipid", "fatty"],
    &["sugar", "carbohydrate", "saccharide"],
    &["immune", "immunity", "immunological"],
    &["inflammation", "inflammatory", "proinflammatory"],
    &["bacteria", "bacterial", "bacterium", "antibacterial", "antimicrobial", "microbial"],
    &["virus", "viral", "antiviral", "virion"],
    &["migration", "migrate", "motility", "locomotion", "chemotaxis", "migratory", "motile"],
    &["adhesion", "adhesive", "adherens", "adhere"],
    &["proliferation", "proliferative", "mitogenic", "mitogen", "mitogenesis"],
    &["mitosis", "mitotic"],
    &["meiosis", "meiotic"],
    &["degradation", "degrade", "breakdown", "catabolic", "catabolism", "proteolysis", "proteolytic"],
    &["biosynthesis", "biosynthetic", "synthesis", "synthesize", "synthesizes", "synthesise", "anabolic"],
    &["metabolism", "metabolic", "metabolize", "metabolite", "metabolites"],
    &["transcription", "transcriptional", "transactivation"],
    &["translation", "translational"],
    &["ubiquitin", "ubiquitination", "ubiquitinated", "ubiquitylation", "ubiquitinates"],
    &["phosphorylation", "phosphorylates", "phosphorylate", "kinase", "kinases"],
    &["dephosphorylation", "dephosphorylates", "phosphatase", "phosphatases"],
    &["methylation", "methylates", "methyltransferase", "methyltransferases"],
    &["acetylation", "acetylates", "acetyltransferase"],
    &["deacetylation", "deacetylates", "deacetylase"],
    &["glycosylation", "glycosyltransferase", "glycosylated"],
    &["peptidase", "protease", "proteinase", "endopeptidase", "proteases", "peptidases"],
    &["metalloprotease", "metalloproteinase", "metallopeptidase", "metalloendopeptidase"],
    &[
        "transport",
        "transporter",
        "transporters",
        "transmembrane-transport",
        "carrier",
        "carriers",
        "import",
        "uptake",
    ],
    &["secretion", "secreted", "exocytosis", "secretory"],
    &["endocytosis", "endocytic", "internalization"],
    &["vesicle", "vesicles", "vesicular"],
    &["chromatin", "nucleosome", "nucleosomes"],
    &["cilium", "cilia", "ciliary", "ciliogenesis", "flagellum", "flagella", "flagellar"],
    &["microtubule", "microtubules", "tubulin"],
    &["actin", "microfilament", "actomyosin"],
    &["embryo", "embryonic", "embryogenesis"],
    &["hemostasis", "haemostasis", "coagulation", "clotting"],
];

/// The stem that stands for a stem and its synonyms.
pub(super) fn fold(stem: String) -> String {
    static STEMS: LazyLock<Map<String, String>> = LazyLock::new(|| {
        let rows = ROWS.iter().flat_map(|row| row.iter().map(|word| (stem_of(word), stem_of(row[0]))));
        let mut stems = Map::default();
        for (stem, first) in rows {
            stems.entry(stem).or_insert(first);
        }
        stems
    });
    STEMS.get(&stem).cloned().unwrap_or(stem)
}
