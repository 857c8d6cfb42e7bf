//! Puts an [`Ontology`] together from what files say.

use std::collections::{BTreeMap, HashMap};

use super::{Ontology, RelationKind, Term};
use crate::gene::{GoAspect, GoId};
use crate::sources::ontology::{RelationRow, TermRow};

/// Something a file says that the ontology does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file, counted from 0.
    pub file: usize,
    /// The line in it.
    pub line: usize,
    /// Whether it is the row as a whole, or one value of a row that was kept.
    pub whole_row: bool,
    /// What is counted.
    pub kind: &'static str,
    /// What was found there.
    pub detail: String,
}

/// A term as it is being put together.
#[derive(Debug, Default)]
struct Draft {
    name: String,
    aspect: Option<GoAspect>,
    obsolete: bool,
    successors: Vec<GoId>,
    /// The file that says which relations of a kind there are.
    stated: BTreeMap<RelationKind, usize>,
    relations: BTreeMap<(RelationKind, GoId), Place>,
}

/// Where a statement stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    file: usize,
    line: usize,
    whole_row: bool,
}

/// Collects the statements of one file after the other.
#[derive(Debug, Default)]
pub struct Builder {
    drafts: BTreeMap<GoId, Draft>,
    alternatives: BTreeMap<GoId, GoId>,
    loose: Vec<(RelationRow, usize)>,
    refused: Vec<Refused>,
}

impl Builder {
    /// Whether nothing has been said yet.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// A term of file `file`; true where no earlier file describes it.
    pub fn term(&mut self, row: TermRow, file: usize) -> bool {
        let TermRow { line, id, name, aspect, obsolete, successors, alternatives, relations, kinds } = row;
        for other in alternatives {
            self.alternatives.entry(other).or_insert(id);
        }
        let is_new = !self.drafts.contains_key(&id);
        let draft = self.drafts.entry(id).or_default();
        if is_new {
            draft.name = name;
            draft.obsolete = obsolete;
        }
        draft.aspect = draft.aspect.or(aspect);
        if draft.successors.is_empty() {
            draft.successors = successors;
        }
        let place = Place { file, line, whole_row: false };
        for kind in kinds {
            draft.stated.entry(*kind).or_insert(file);
        }
        for (kind, parent) in relations {
            relate(draft, id, (kind, parent), place, &mut self.refused);
        }
        is_new
    }

    /// A relation that stands in a row of its own. Whether its terms exist is known only at the end.
    pub fn relation(&mut self, row: RelationRow, file: usize) {
        self.loose.push((row, file));
    }

    /// The ontology, and what it does not keep, in the order of files and lines.
    pub fn finish(mut self) -> (Ontology, Vec<Refused>) {
        for (RelationRow { line, child, parent, kind }, file) in std::mem::take(&mut self.loose) {
            let place = Place { file, line, whole_row: true };
            match self.drafts.get_mut(&child) {
                Some(draft) => relate(draft, child, (kind, parent), place, &mut self.refused),
                None => {
                    refuse(&mut self.refused, place, "a relation of a term that no file describes", child)
                }
            }
        }
        self.find_aspects();
        let places: HashMap<GoId, usize> = self.drafts.keys().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut terms = Vec::with_capacity(self.drafts.len());
        let mut relations = Vec::with_capacity(self.drafts.len());
        let mut alternatives = self.alternatives;
        let obsolete: Vec<bool> = self.drafts.values().map(|draft| draft.obsolete).collect();
        let mut origins = Vec::with_capacity(self.drafts.len());
        for (id, draft) in self.drafts {
            let mut kept = Vec::new();
            let mut from = Vec::new();
            for ((kind, parent), place) in draft.relations {
                match places.get(&parent) {
                    Some(&at) if !obsolete[at] && !draft.obsolete => {
                        kept.push((kind, at));
                        from.push(place);
                    }
                    Some(_) => {
                        refuse(&mut self.refused, place, "a relation of or to an obsolete term", parent)
                    }
                    None => refuse(
                        &mut self.refused,
                        place,
                        "a relation to a term that no file describes",
                        parent,
                    ),
                }
            }
            relations.push(kept);
            origins.push(from);
            if let [successor] = draft.successors.as_slice() {
                alternatives.insert(id, *successor);
            }
            terms.push(Term { id, name: draft.name, aspect: draft.aspect, obsolete: draft.obsolete });
        }
        cut_circles(&terms, &mut relations, &mut origins, &mut self.refused);
        let alternatives = alternatives
            .keys()
            .filter_map(|id| Some((*id, *places.get(&last_successor(*id, &alternatives)?)?)))
            .filter(|(_, place)| !terms[*place].obsolete)
            .collect();
        self.refused.sort_by_key(|refused| (refused.file, refused.line));
        (Ontology { terms, relations, places, alternatives }, self.refused)
    }

    /// A term without a namespace belongs to the ontology of what it is a special case of.
    fn find_aspects(&mut self) {
        for aspect in GoAspect::ALL {
            if let Some(root) = self.drafts.get_mut(&aspect.root()) {
                root.aspect = Some(aspect);
            }
        }
        let mut without: HashMap<GoId, Vec<GoId>> = HashMap::new();
        for (id, draft) in self.drafts.iter().filter(|(_, draft)| draft.aspect.is_none()) {
            for (_, parent) in draft.relations.keys().filter(|(kind, _)| *kind == RelationKind::IsA) {
                without.entry(*parent).or_default().push(*id);
            }
        }
        let has_aspect = |(id, draft): (&GoId, &Draft)| Some((*id, draft.aspect?));
        let mut open: Vec<(GoId, GoAspect)> = self.drafts.iter().filter_map(has_aspect).collect();
        while let Some((parent, aspect)) = open.pop() {
            for child in without.remove(&parent).unwrap_or_default() {
                if let Some(draft) = self.drafts.get_mut(&child).filter(|draft| draft.aspect.is_none()) {
                    draft.aspect = Some(aspect);
                    open.push((child, aspect));
                }
            }
        }
    }
}

/// Notes a relation, unless an earlier file says which relations of this kind the term has.
fn relate(
    draft: &mut Draft,
    child: GoId,
    (kind, parent): (RelationKind, GoId),
    place: Place,
    refused: &mut Vec<Refused>,
) {
    let stated_by = *draft.stated.entry(kind).or_insert(place.file);
    if stated_by == place.file {
        draft.relations.entry((kind, parent)).or_insert(place);
    } else if !draft.relations.contains_key(&(kind, parent)) {
        let why = "an earlier file gives its term other relations of this kind";
        refuse(refused, place, why, format!("{child} {} {parent}", kind.name()));
    }
}

fn refuse(refused: &mut Vec<Refused>, place: Place, kind: &'static str, detail: impl ToString) {
    let Place { file, line, whole_row } = place;
    refused.push(Refused { file, line, whole_row, kind, detail: detail.to_string() });
}

/// Follows merges and replacements to their end; nothing where they go round in a circle.
fn last_successor(id: GoId, alternatives: &BTreeMap<GoId, GoId>) -> Option<GoId> {
    let mut now = id;
    for _ in 0..=alternatives.len().min(100) {
        match alternatives.get(&now) {
            Some(next) => now = *next,
            None => return Some(now),
        }
    }
    None
}

/// Takes out each `is_a` and `part_of` that closes a circle, met in the order of ids: no release of GO has one, but files
/// of two releases together may.
fn cut_circles(
    terms: &[Term],
    relations: &mut [Vec<(RelationKind, usize)>],
    origins: &mut [Vec<Place>],
    refused: &mut Vec<Refused>,
) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; terms.len()];
    for start in 0..terms.len() {
        // A path of (term, next of its relations), so that a long chain takes heap and no stack.
        let mut path = if states[start] == State::New { vec![(start, 0)] } else { Vec::new() };
        while let Some((term, at)) = path.last_mut() {
            let term = *term;
            states[term] = State::Open;
            let Some(&(kind, parent)) = relations[term].get(*at) else {
                states[term] = State::Done;
                path.pop();
                continue;
            };
            if kind.carries_annotations() && states[parent] == State::Open {
                relations[term].remove(*at);
                let place = origins[term].remove(*at);
                let detail = format!("{} {} {}", terms[term].id, kind.name(), terms[parent].id);
                refuse(refused, place, "a relation that closes a circle", detail);
                continue;
            }
            *at += 1;
            if kind.carries_annotations() && states[parent] == State::New {
                path.push((parent, 0));
            }
        }
    }
}
