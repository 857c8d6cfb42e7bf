//! Where a gene lies, and in which species.

use super::words::{and_list, clause};
use crate::gene::HUMAN;

/// Scientific names by id in NCBI Taxonomy, with an everyday name where there is one.
const SPECIES: [(u32, &str); 32] = [
    (HUMAN, "Homo sapiens"),
    (10_090, "Mus musculus"),
    (10_116, "Rattus norvegicus"),
    (7955, "Danio rerio"),
    (7227, "Drosophila melanogaster"),
    (6239, "Caenorhabditis elegans"),
    (4932, "Saccharomyces cerevisiae"),
    (559_292, "Saccharomyces cerevisiae"),
    (4896, "Schizosaccharomyces pombe"),
    (284_812, "Schizosaccharomyces pombe"),
    (3702, "Arabidopsis thaliana"),
    (9031, "Gallus gallus"),
    (9823, "Sus scrofa"),
    (9913, "Bos taurus"),
    (9615, "Canis lupus familiaris"),
    (8364, "Xenopus tropicalis"),
    (8355, "Xenopus laevis"),
    (562, "Escherichia coli"),
    (83_333, "Escherichia coli K-12"),
    (511_145, "Escherichia coli K-12"),
    (9544, "Macaca mulatta"),
    (9598, "Pan troglodytes"),
    (9940, "Ovis aries"),
    (9986, "Oryctolagus cuniculus"),
    (9796, "Equus caballus"),
    (9685, "Felis catus"),
    (10_141, "Cavia porcellus"),
    (4530, "Oryza sativa"),
    (39_947, "Oryza sativa"),
    (4577, "Zea mays"),
    (44_689, "Dictyostelium discoideum"),
    (224_308, "Bacillus subtilis"),
];

/// The scientific name of a species; `None` for one that is not common in gene records.
pub(super) fn species(tax_id: u32) -> Option<&'static str> {
    SPECIES.iter().find(|(id, _)| *id == tax_id).map(|(_, name)| *name)
}

/// A location of HGNC's or NCBI's in words, with its preposition: `12q13.3`, `Xp22.33 and Yp11.2`, `19`,
/// `mitochondria`, `6p21.3 not on reference assembly`, `2cen-q13`. `None` where no place is said: `reserved`.
pub(super) fn place(location: &str, tax_id: u32) -> Option<String> {
    // What stands behind a bar is another source's reading of the same place.
    let location = clause(location.split('|').find(|text| !text.trim().is_empty())?)?;
    let pieces: Vec<String> = location.split(';').filter_map(clause).collect();
    if pieces.len() > 1 {
        let sexes = pieces.iter().all(|piece| chromosome(piece).len() == piece.len() && !piece.is_empty());
        return Some(format!("{} {}", if sexes { "on chromosomes" } else { "at" }, and_list(&pieces)?));
    }
    let chromosome = chromosome(&location);
    let rest = &location[chromosome.len()..];
    let remark = |text: &str| clause(text.trim_matches(|c: char| "()[], ".contains(c)));
    if location.starts_with("mito") || location == "MT" {
        return Some("in the mitochondrial genome".to_owned());
    }
    match (chromosome, rest) {
        ("", _) => other_species(&location, tax_id),
        (_, "") => Some(format!("on chromosome {chromosome}")),
        (_, "p") => Some(format!("on the short arm of chromosome {chromosome}")),
        (_, "q") => Some(format!("on the long arm of chromosome {chromosome}")),
        (_, band) if !band.starts_with(' ') => {
            // "6p21.3 not on reference assembly", "19q13.42 alternate reference locus", "1cen, GRCh38 novel patch".
            let (band, said) = match location.split_once([' ', ',']) {
                Some((band, said)) if !said.starts_with("and ") && !said.starts_with("or ") => (band, said),
                _ => (location.as_str(), ""),
            };
            let arm = place_of_arm(band).unwrap_or_else(|| format!("at {band}"));
            Some(match remark(said) {
                Some(said) => format!("{arm} ({})", in_words(&said)),
                None => arm,
            })
        }
        (_, said) => Some(match remark(said) {
            Some(said) if said.starts_with("and ") => format!("on chromosomes {chromosome} {said}"),
            Some(said) if said.ends_with("cM") => format!("on chromosome {chromosome} at {said}"),
            Some(said) => format!("on chromosome {chromosome} ({})", in_words(&said)),
            None => format!("on chromosome {chromosome}"),
        }),
    }
}

/// "6p" and "6q" as a band with a remark behind it.
fn place_of_arm(band: &str) -> Option<String> {
    let number = chromosome(band);
    let arm = match &band[number.len()..] {
        "p" => "short",
        "q" => "long",
        _ => return None,
    };
    Some(format!("on the {arm} arm of chromosome {number}"))
}

fn in_words(remark: &str) -> String {
    match remark {
        "alternate reference locus" => "on an alternate reference locus".to_owned(),
        "not on reference assembly" => "not on the reference assembly".to_owned(),
        _ => remark.to_owned(),
    }
}

/// The chromosome at the start of a location: digits, X or Y.
fn chromosome(location: &str) -> &str {
    let length = match location.as_bytes().first() {
        Some(b'X' | b'Y') => 1,
        _ => location.bytes().take_while(u8::is_ascii_digit).count(),
    };
    &location[..length]
}

/// Chromosomes of other species have Roman numbers or arms: "III", "2L". Elsewhere a word says that no place is known.
fn other_species(location: &str, tax_id: u32) -> Option<String> {
    let name = location.len() <= 5 && location.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (tax_id != HUMAN && name).then(|| format!("on chromosome {location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_words() {
        for (location, told) in [
            ("12q13.3", "at 12q13.3"),
            ("1q21-q22", "at 1q21-q22"),
            ("Xq28 and Yq12", "at Xq28 and Yq12"),
            ("Xp22.33; Yp11.3", "at Xp22.33 and Yp11.3"),
            ("X;Y", "on chromosomes X and Y"),
            ("X and Y", "on chromosomes X and Y"),
            ("19", "on chromosome 19"),
            ("9q", "on the long arm of chromosome 9"),
            ("Xp", "on the short arm of chromosome X"),
            ("1qter", "at 1qter"),
            ("2cen-q13", "at 2cen-q13"),
            ("1p36.33 or 1p36.2", "at 1p36.33 or 1p36.2"),
            ("12q13.3|12q13", "at 12q13.3"),
            ("|12q13", "at 12q13"),
            ("22 unplaced", "on chromosome 22 (unplaced)"),
            ("6 not on reference assembly", "on chromosome 6 (not on the reference assembly)"),
            ("6p21.3 alternate reference locus", "at 6p21.3 (on an alternate reference locus)"),
            ("1cen, GRCh38 novel patch", "at 1cen (GRCh38 novel patch)"),
            ("mitochondria", "in the mitochondrial genome"),
            ("reserved", ""),
            ("unplaced", ""),
            ("not on reference assembly", ""),
        ] {
            assert_eq!(place(location, HUMAN).unwrap_or_default(), told, "{location}");
        }
        assert_eq!(place("10 74.5 cM", 10_090).unwrap(), "on chromosome 10 at 74.5 cM");
        assert_eq!(place("54F1-54F1", 7227).unwrap(), "at 54F1-54F1");
        assert_eq!(place("III", 6239).unwrap(), "on chromosome III");
        assert_eq!((species(83_333), species(1)), (Some("Escherichia coli K-12"), None));
    }
}
