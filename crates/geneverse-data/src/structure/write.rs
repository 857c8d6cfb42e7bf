//! A structure's proteins as a PDB file, for any viewer: what of the backbone is known, and Cβ.
//!
//! Helices and strands are not written: whoever reads the file computes them.

use std::io::{self, Write};

use super::{Point, Polymer, Structure};

/// Writes `TITLE`, `COMPND`, `SEQRES` and the atoms; nucleotides, of which too little is known, are left out.
///
/// # Errors
/// As the writer's.
pub fn write_pdb(structure: &Structure, out: &mut impl Write) -> io::Result<()> {
    let title = structure.title.as_deref().unwrap_or(&structure.id);
    writeln!(out, "{:<80}", format!("HEADER    {:<40}{:<12}{:>4}", "LABORATORY", "", ""))?;
    continued(out, "TITLE ", &[title.to_owned()])?;
    let ids: Vec<&str> = structure.chains.iter().map(|chain| chain.id.as_str()).collect();
    continued(
        out,
        "COMPND",
        &["MOL_ID: 1;".to_owned(), format!("MOLECULE: {title};"), format!("CHAIN: {}", ids.join(", "))],
    )?;
    let mut serial = 0;
    for chain in &structure.chains {
        let residues: Vec<_> = chain.residues.iter().filter(|r| r.polymer == Polymer::Protein).collect();
        for (line, names) in residues.chunks(13).enumerate() {
            let names: Vec<String> = names.iter().map(|r| format!("{:>3}", r.name)).collect();
            let row = format!(
                "SEQRES {:>3} {:1} {:>4}  {}",
                (line + 1) % 1000,
                chain.id,
                residues.len() % 10_000,
                names.join(" ")
            );
            writeln!(out, "{row:<80}")?;
        }
    }
    for chain in &structure.chains {
        let mut last = None;
        for residue in chain.residues.iter().filter(|r| r.polymer == Polymer::Protein) {
            let atoms: [(&str, Option<Point>); 5] = [
                ("N", residue.n),
                ("CA", residue.trace),
                ("C", residue.c),
                ("O", residue.o),
                ("CB", residue.side),
            ];
            for (name, point) in atoms {
                let Some([x, y, z]) = point else { continue };
                serial += 1;
                // Serial numbers have five columns and nobody needs them.
                writeln!(
                    out,
                    "ATOM  {:>5}  {name:<3} {:>3} {:1}{:>4}{:1}   {x:8.3}{y:8.3}{z:8.3}{:6.2}{:6.2}          {:>2}  ",
                    serial % 100_000,
                    residue.name,
                    chain.id,
                    residue.number,
                    residue.insertion.unwrap_or(' '),
                    1.0,
                    residue.b_factor,
                    &name[..1],
                )?;
            }
            last = Some(residue);
        }
        if let Some(residue) = last {
            serial += 1;
            let row = format!(
                "TER   {:>5}      {:>3} {:1}{:>4}{:1}",
                serial % 100_000,
                residue.name,
                chain.id,
                residue.number,
                residue.insertion.unwrap_or(' ')
            );
            writeln!(out, "{row:<80}")?;
        }
    }
    writeln!(out, "{:<80}", "END")
}

/// A record that goes on over lines: each part begins a line, and is broken at blanks.
fn continued(out: &mut impl Write, record: &str, parts: &[String]) -> io::Result<()> {
    let mut number = 0;
    for part in parts {
        let mut row = String::new();
        let words: Vec<&str> = part.split_whitespace().collect();
        for (place, word) in words.iter().enumerate() {
            if !row.is_empty() && row.len() + 1 + word.len() > 68 {
                number += 1;
                line(out, record, number, &row)?;
                row.clear();
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
            if place + 1 == words.len() {
                number += 1;
                line(out, record, number, &row)?;
            }
        }
    }
    Ok(())
}

fn line(out: &mut impl Write, record: &str, number: usize, text: &str) -> io::Result<()> {
    // From the second line on the text begins one column later.
    let row =
        if number == 1 { format!("{record}    {text}") } else { format!("{record}  {number:>2} {text}") };
    writeln!(out, "{row:<80}")
}
