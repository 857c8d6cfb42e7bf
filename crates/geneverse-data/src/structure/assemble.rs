//! From atoms in file order to chains of residues: alternate locations chosen, what is no polymer left out, chains and
//! bonds between residues found.
//!
//! - Of alternate locations one is taken for the whole residue, so that its atoms fit each other: the one with the
//!   largest mean occupancy, of equal ones the first. What it lacks is taken from the first that has it.
//! - A residue is a polymer's if mmCIF numbers it in a sequence; in PDB, if it stands before its chain's `TER`, or is an
//!   `ATOM`. Its name or its atoms say of which polymer.
//! - A residue's number that comes again begins another chain: files of simulations leave chains without names.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::residues::{Known, known};
use super::{Chain, Point, Polymer, Residue, Secondary};
use crate::gene::UniprotAccession;
use crate::sources::Skips;

/// Farther than this from the origin no atom of a macromolecule lies (ångström): the PDB format's columns end at 9,999.
const FARTHEST: f32 = 100_000.0;
/// C–N and Cα–Cα distances up to which residues are bound, and the distance of two phosphorus atoms (ångström).
const PEPTIDE: f32 = 2.5;
const CALPHAS: f32 = 4.2;
const PHOSPHORI: f32 = 9.0;

/// One atom as a file gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtomRow<'a> {
    pub(crate) line: usize,
    pub(crate) name: &'a str,
    /// Upper case; empty where the file has none.
    pub(crate) element: &'a str,
    /// The alternate location, empty where there is one only.
    pub(crate) alternate: &'a str,
    pub(crate) residue: &'a str,
    pub(crate) chain: &'a str,
    pub(crate) number: i32,
    pub(crate) insertion: Option<char>,
    pub(crate) hetero: bool,
    /// The entity's name of the chain and its number of the residue, `None` of what is no polymer's, where the format
    /// says that.
    pub(crate) label: Option<(&'a str, Option<i32>)>,
    pub(crate) position: Point,
    pub(crate) occupancy: f32,
    pub(crate) b_factor: f32,
}

/// A helix or a strand as a file records it, ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) secondary: Secondary,
    pub(crate) chain: String,
    pub(crate) first: (i32, Option<char>),
    pub(crate) last: (i32, Option<char>),
}

/// What a file holds, before residues are chosen and secondary structure is known.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    /// The molecules that the file names, in its order.
    pub(crate) molecules: Vec<String>,
    /// Whether the file says that it was predicted, and whether it says that it was measured.
    pub(crate) predicted: bool,
    pub(crate) measured: bool,
    pub(crate) accession: Option<UniprotAccession>,
    pub(crate) entry_name: Option<String>,
    pub(crate) elements: Vec<Element>,
    pub(crate) models: ModelSeen,
    pub(crate) atoms: Assembler,
}

/// Models in file order, and which one's atoms are wanted.
#[derive(Debug, Default)]
pub(crate) struct ModelSeen {
    wanted: Option<i64>,
    numbers: Vec<i64>,
}

impl ModelSeen {
    pub(crate) fn wanting(wanted: Option<i64>) -> Self {
        Self { wanted, numbers: Vec::new() }
    }

    /// Notes a model; says whether its atoms are wanted.
    pub(crate) fn enter(&mut self, number: i64) -> bool {
        if self.numbers.last() != Some(&number) && !self.numbers.contains(&number) {
            self.numbers.push(number);
        }
        match self.wanted {
            Some(wanted) => wanted == number,
            None => self.numbers.first() == Some(&number),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.numbers.len().max(1)
    }

    pub(crate) fn numbers(&self) -> &[i64] {
        &self.numbers
    }
}

/// The atoms that are kept, in the order of their slots in a residue.
const KEPT: [&str; 16] =
    ["N", "CA", "C", "O", "CB", "P", "C5'", "C4'", "C3'", "C1'", "N1", "N3", "OXT", "N9", "O5'", "O3'"];
const N: u8 = 0;
const CA: u8 = 1;
const C: u8 = 2;
const O: u8 = 3;
const CB: u8 = 4;
const P: u8 = 5;
const C5: u8 = 6;
const C4: u8 = 7;
const C3: u8 = 8;
const C1: u8 = 9;
const N1: u8 = 10;
const N3: u8 = 11;
const OXT: u8 = 12;
const N9: u8 = 13;
const O5: u8 = 14;
const O3: u8 = 15;

#[derive(Debug)]
struct Kept {
    kind: u8,
    alternate: u8,
    position: Point,
    occupancy: f32,
    b_factor: f32,
}

/// A residue while its atoms come in.
#[derive(Debug)]
struct Slot {
    line: usize,
    number: i32,
    insertion: Option<char>,
    hetero: bool,
    in_sequence: Option<bool>,
    after_end: bool,
    /// Alternate locations in file order, each with its residue's name; the first is often the blank one.
    alternates: Vec<(String, String)>,
    atoms: Vec<Kept>,
}

/// A chain's name, and a residue's number and insertion code.
type Author = (String, (i32, Option<char>));

#[derive(Debug, Default)]
struct Growing {
    id: String,
    ended: bool,
    slots: Vec<Slot>,
    places: HashMap<(i32, Option<char>), usize>,
}

/// Takes atoms in file order.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    chains: Vec<Growing>,
    /// The chain that a name means now.
    current: HashMap<String, usize>,
    /// Where the last atom went.
    last: Option<(usize, usize)>,
    /// Chains and residues as entities number them, with the author's names for them.
    labels: HashMap<String, BTreeMap<i32, Author>>,
    /// Atoms that were given, usable or not.
    pub(crate) seen: usize,
    pub(crate) skipped: Skips,
    /// Residues that are no part of a polymer, by what they are.
    pub(crate) left_out: BTreeMap<String, usize>,
}

impl Assembler {
    /// Adds an atom. What cannot be used is counted.
    pub(crate) fn add(&mut self, path: &Path, atom: &AtomRow<'_>) {
        self.seen += 1;
        if !atom.position.iter().all(|v| v.is_finite()) {
            self.skipped.add(path, atom.line, "a coordinate is not a finite number", atom.residue);
            return;
        }
        if atom.position.iter().any(|v| v.abs() > FARTHEST) {
            self.skipped.add(path, atom.line, "a coordinate is beyond 100,000 Å", atom.residue);
            return;
        }
        if known(atom.residue) == Known::Water {
            // Every water has one oxygen.
            if atom.name.starts_with('O') {
                *self.left_out.entry("water".to_owned()).or_default() += 1;
            }
            return;
        }
        let key = (atom.number, atom.insertion);
        let (chain, slot) = self.place(atom, key);
        let Some(slot) = self.chains.get_mut(chain).and_then(|chain| chain.slots.get_mut(slot)) else {
            return;
        };
        let Some(kind) = kind(atom) else { return };
        let alternate = slot
            .alternates
            .iter()
            .position(|(id, name)| id == atom.alternate && name == atom.residue)
            .unwrap_or_else(|| {
                slot.alternates.push((atom.alternate.to_owned(), atom.residue.to_owned()));
                slot.alternates.len() - 1
            });
        let Ok(alternate) = u8::try_from(alternate) else { return };
        if slot.atoms.iter().any(|a| a.kind == kind && a.alternate == alternate) {
            self.skipped.add(path, atom.line, "an atom that has come before in its residue", atom.name);
            return;
        }
        let (position, occupancy, b_factor) = (atom.position, atom.occupancy, atom.b_factor);
        slot.atoms.push(Kept { kind, alternate, position, occupancy, b_factor });
    }

    /// The author's names of a range that is told in an entity's numbers: what of it has coordinates.
    pub(crate) fn author_range(&self, label: &str, first: i32, last: i32) -> Option<(&Author, &Author)> {
        let mut range = self.labels.get(label)?.range(first..=last.max(first)).map(|(_, author)| author);
        let from = range.next()?;
        Some((from, range.next_back().unwrap_or(from)))
    }

    /// The chain's polymer ends here (`TER`).
    pub(crate) fn end_chain(&mut self) {
        if let Some((chain, _)) = self.last
            && let Some(chain) = self.chains.get_mut(chain)
        {
            chain.ended = true;
        }
    }

    fn place(&mut self, atom: &AtomRow<'_>, key: (i32, Option<char>)) -> (usize, usize) {
        if let Some((chain, slot)) = self.last
            && let Some(growing) = self.chains.get(chain)
            && growing.id == atom.chain
            && growing.slots.get(slot).is_some_and(|s| (s.number, s.insertion) == key)
            && !growing.ended
        {
            return (chain, slot);
        }
        let known_chain = self.current.get(atom.chain).copied();
        let chain = match known_chain {
            // The same residue again: another location of it, or another chain of the same name. Hetero residues are
            // numbered as they like.
            Some(chain) => match self.chains[chain].places.get(&key).copied() {
                Some(slot) if atom.hetero || !atom.alternate.is_empty() => {
                    let named = self.chains[chain].slots[slot].hetero == atom.hetero;
                    if named {
                        self.last = Some((chain, slot));
                        return (chain, slot);
                    }
                    chain
                }
                Some(_) => self.begin(atom.chain),
                None => chain,
            },
            None => self.begin(atom.chain),
        };
        let growing = &mut self.chains[chain];
        let slot = growing.slots.len();
        growing.slots.push(Slot {
            line: atom.line,
            number: atom.number,
            insertion: atom.insertion,
            hetero: atom.hetero,
            in_sequence: atom.label.map(|(_, number)| number.is_some()),
            after_end: growing.ended,
            alternates: vec![(atom.alternate.to_owned(), atom.residue.to_owned())],
            atoms: Vec::new(),
        });
        growing.places.insert(key, slot);
        if let Some((label, Some(number))) = atom.label {
            let author = (atom.chain.to_owned(), key);
            self.labels.entry(label.to_owned()).or_default().entry(number).or_insert(author);
        }
        self.last = Some((chain, slot));
        (chain, slot)
    }

    fn begin(&mut self, id: &str) -> usize {
        self.chains.push(Growing { id: id.to_owned(), ..Growing::default() });
        self.current.insert(id.to_owned(), self.chains.len() - 1);
        self.chains.len() - 1
    }

    /// The chains with their residues; empty chains are gone.
    pub(crate) fn finish(&mut self, path: &Path) -> Vec<Chain> {
        let mut chains = Vec::new();
        for growing in std::mem::take(&mut self.chains) {
            let mut residues: Vec<Residue> = Vec::with_capacity(growing.slots.len());
            for slot in &growing.slots {
                match slot.residue() {
                    Ok(mut residue) => {
                        residue.joined = residues.last().is_some_and(|before| bound(before, &residue));
                        residues.push(residue);
                    }
                    Err(Out::Broken(what)) => self.skipped.add(path, slot.line, what, slot.name(0)),
                    Err(Out::Other(what)) => *self.left_out.entry(what).or_default() += 1,
                }
            }
            if !residues.is_empty() {
                chains.push(Chain { id: growing.id, residues });
            }
        }
        chains
    }
}

/// Why a residue is not taken.
enum Out {
    /// It is a polymer's, and of no use.
    Broken(&'static str),
    /// It is a ligand, an ion or the like, of that name.
    Other(String),
}

impl Slot {
    fn name(&self, alternate: usize) -> &str {
        self.alternates.get(alternate).map_or("", |(_, name)| name)
    }

    /// The alternate location with the largest mean occupancy; blank ones are everybody's and do not count.
    fn chosen(&self) -> usize {
        let mut best: Option<(usize, f32)> = None;
        for (place, (id, _)) in self.alternates.iter().enumerate() {
            let of_it = self.atoms.iter().filter(|a| usize::from(a.alternate) == place);
            let (sum, count) = of_it.fold((0.0, 0.0), |(sum, count), a| (sum + a.occupancy, count + 1.0));
            if count == 0.0 || id.is_empty() {
                continue;
            }
            let mean = sum / count;
            if best.is_none_or(|(_, most)| mean > most) {
                best = Some((place, mean));
            }
        }
        best.map_or(0, |(place, _)| place)
    }

    fn residue(&self) -> Result<Residue, Out> {
        let chosen = self.chosen();
        let name = self.name(chosen).to_owned();
        let atom = |kind: u8| {
            // The chosen location's, else the blank one's, else the first of the same residue.
            let of = |wanted: &dyn Fn(&Kept) -> bool| self.atoms.iter().find(|a| a.kind == kind && wanted(a));
            of(&|a| usize::from(a.alternate) == chosen)
                .or_else(|| of(&|a| self.alternates[usize::from(a.alternate)].0.is_empty()))
                .or_else(|| of(&|a| self.name(usize::from(a.alternate)) == name))
        };
        let has = |kind| atom(kind).is_some();
        let backbone = has(CA) && (has(N) || has(C));
        let sugar = has(C1) && (has(C3) || has(C4) || has(C5)) && (has(P) || has(C5));
        let looks = match known(&name) {
            Known::Polymer(polymer) => Some(polymer),
            _ if backbone || (has(CA) && !self.hetero) => Some(Polymer::Protein),
            _ if sugar => Some(Polymer::Nucleic),
            _ => None,
        };
        let in_polymer = match self.in_sequence {
            Some(known) => known,
            None => !self.hetero || !self.after_end,
        };
        let Some(polymer) = looks.filter(|_| in_polymer) else {
            return Err(Out::Other(name));
        };
        let point = |kind| atom(kind).map(|a| a.position);
        let (trace, side) = match polymer {
            Polymer::Protein => (atom(CA), point(CB)),
            Polymer::Nucleic => {
                let trace = atom(P).or_else(|| atom(O5)).or_else(|| atom(C5)).or_else(|| atom(C3));
                (trace, if has(N9) { point(N1) } else { point(N3) })
            }
        };
        let Some(trace) = trace else {
            let what = match polymer {
                Polymer::Protein => "an amino acid without its Cα",
                Polymer::Nucleic => "a nucleotide without P, O5′, C5′ and C3′",
            };
            return Err(Out::Broken(what));
        };
        let of_protein = |point: Option<Point>| point.filter(|_| polymer == Polymer::Protein);
        Ok(Residue {
            number: self.number,
            insertion: self.insertion,
            polymer,
            n: of_protein(point(N)),
            trace: Some(trace.position),
            c: of_protein(point(C)),
            o: match polymer {
                Polymer::Protein => point(O).or_else(|| point(OXT)),
                Polymer::Nucleic => point(O3),
            },
            side,
            b_factor: trace.b_factor,
            secondary: Secondary::Coil,
            joined: false,
            name,
        })
    }
}

/// Which of the kept atoms this is. Calcium is called CA too; old files write C5* for C5′.
fn kind(atom: &AtomRow<'_>) -> Option<u8> {
    let bytes = atom.name.as_bytes();
    let place = KEPT.iter().position(|kept| {
        kept.len() == bytes.len()
            && kept.bytes().zip(bytes).all(|(k, &b)| k == b || (k == b'\'' && b == b'*'))
    });
    let kind = match place {
        Some(place) => place as u8,
        // Terminal oxygens as force fields name them.
        None if matches!(atom.name, "OT1" | "O1" | "OT") => O,
        None => return None,
    };
    let other_element = kind == CA && !matches!(atom.element, "" | "C");
    (!other_element).then_some(kind)
}

fn bound(before: &Residue, after: &Residue) -> bool {
    let within = |a: Option<Point>, b: Option<Point>, most: f32| {
        let (Some(a), Some(b)) = (a, b) else { return false };
        let square: f32 = a.iter().zip(&b).map(|(x, y)| (x - y) * (x - y)).sum();
        square <= most * most
    };
    match (before.polymer, after.polymer) {
        (Polymer::Protein, Polymer::Protein) if before.c.is_some() && after.n.is_some() => {
            within(before.c, after.n, PEPTIDE)
        }
        (Polymer::Protein, Polymer::Protein) => within(before.trace, after.trace, CALPHAS),
        (Polymer::Nucleic, Polymer::Nucleic) => within(before.trace, after.trace, PHOSPHORI),
        _ => false,
    }
}
