//! Undirected weighted graphs as lists of neighbours.

/// A graph. An edge from a node to itself is kept apart from the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Node `v` has entries `starts[v]..starts[v + 1]`.
    starts: Vec<usize>,
    /// The other end of each edge; every edge is in the lists of both its ends, ascending.
    ends: Vec<u32>,
    weights: Vec<f64>,
    /// The weight of the edge from a node to itself; in merged graphs, of the edges inside.
    own: Vec<f64>,
    /// What a node counts in the penalty for large communities.
    masses: Vec<f64>,
}

impl Graph {
    /// `nodes` nodes with edges (from, to, weight), each said once in one direction; what is said again is added.
    /// Edges whose weight is not above zero, or whose ends are no nodes, are left out.
    pub fn new(nodes: usize, edges: impl IntoIterator<Item = (u32, u32, f64)>) -> Self {
        let mut own = vec![0.0; nodes];
        let mut both = Vec::new();
        for (a, b, weight) in edges {
            if weight > 0.0 && (a as usize) < nodes && (b as usize) < nodes {
                if a == b {
                    own[a as usize] += weight;
                } else {
                    both.extend([(a, b, weight), (b, a, weight)]);
                }
            }
        }
        Self::gathered(nodes, both, own, vec![1.0; nodes])
    }

    /// From edges said in both directions.
    fn gathered(nodes: usize, mut both: Vec<(u32, u32, f64)>, own: Vec<f64>, masses: Vec<f64>) -> Self {
        // Stable, so that equal edges are added in the order in which they came.
        both.sort_by_key(|(a, b, _)| (*a, *b));
        let mut starts = vec![0; nodes + 1];
        let (mut ends, mut weights): (Vec<u32>, Vec<f64>) = (Vec::new(), Vec::new());
        for same in both.chunk_by(|x, y| (x.0, x.1) == (y.0, y.1)) {
            ends.push(same[0].1);
            weights.push(same.iter().map(|(_, _, weight)| weight).sum());
            starts[same[0].0 as usize + 1] = ends.len();
        }
        for node in 1..=nodes {
            starts[node] = starts[node].max(starts[node - 1]);
        }
        Self { starts, ends, weights, own, masses }
    }

    /// The same graph with other masses.
    pub(super) fn with_masses(self, masses: Vec<f64>) -> Self {
        Self { masses, ..self }
    }

    /// Nodes.
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Edges between different nodes.
    pub fn edge_count(&self) -> usize {
        self.ends.len() / 2
    }

    /// The other ends of a node's edges, with their weights.
    pub fn edges(&self, node: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[node]..self.starts[node + 1];
        self.ends[range.clone()].iter().map(|end| *end as usize).zip(self.weights[range].iter().copied())
    }

    /// The weight of the edge from a node to itself.
    pub fn own_weight(&self, node: usize) -> f64 {
        self.own[node]
    }

    pub(super) fn masses(&self) -> &[f64] {
        &self.masses
    }

    /// The sum of weights at each node; an edge to itself counts twice.
    pub fn strengths(&self) -> Vec<f64> {
        let strength =
            |node: usize| 2.0 * self.own[node] + self.edges(node).map(|(_, weight)| weight).sum::<f64>();
        (0..self.len()).map(strength).collect()
    }

    /// The weight of all edges.
    pub fn weight(&self) -> f64 {
        self.own.iter().sum::<f64>() + self.weights.iter().sum::<f64>() / 2.0
    }

    /// The connected pieces of communities: the piece of each node, and how many there are.
    pub(crate) fn pieces(&self, communities: &[u32]) -> (Vec<u32>, usize) {
        let mut piece = vec![u32::MAX; self.len()];
        let mut count = 0;
        let mut open = Vec::new();
        for start in 0..self.len() {
            if piece[start] != u32::MAX {
                continue;
            }
            piece[start] = count;
            open.push(start);
            while let Some(node) = open.pop() {
                for (other, _) in self.edges(node) {
                    if piece[other] == u32::MAX && communities[other] == communities[node] {
                        piece[other] = count;
                        open.push(other);
                    }
                }
            }
            count += 1;
        }
        (piece, count as usize)
    }

    /// The graph whose nodes are groups of this one's; `group` has the group of each node, below `groups`.
    pub(super) fn merged(&self, group: &[u32], groups: usize) -> Self {
        let (mut own, mut masses) = (vec![0.0; groups], vec![0.0; groups]);
        // Nodes in the order of their groups, so that a group's edges are gathered at once.
        let mut starts = vec![0usize; groups + 1];
        group.iter().for_each(|group| starts[*group as usize + 1] += 1);
        for place in 1..=groups {
            starts[place] += starts[place - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0u32; group.len()];
        for (node, group) in group.iter().enumerate() {
            let place = &mut next[*group as usize];
            members[*place] = node as u32;
            *place += 1;
        }
        let mut merged = Self { starts: vec![0], ends: vec![], weights: vec![], own: vec![], masses: vec![] };
        let mut sums = vec![0.0; groups];
        let mut met: Vec<u32> = Vec::new();
        for at in 0..groups {
            for &node in &members[starts[at]..starts[at + 1]] {
                let node = node as usize;
                own[at] += self.own[node];
                masses[at] += self.masses[node];
                for (other, weight) in self.edges(node) {
                    let to = group[other];
                    if to as usize == at {
                        own[at] += weight / 2.0;
                    } else {
                        if sums[to as usize] == 0.0 {
                            met.push(to);
                        }
                        sums[to as usize] += weight;
                    }
                }
            }
            met.sort_unstable();
            for to in met.drain(..) {
                merged.ends.push(to);
                merged.weights.push(std::mem::take(&mut sums[to as usize]));
            }
            merged.starts.push(merged.ends.len());
        }
        Self { own, masses, ..merged }
    }
}
