//! Low-rank adaptation (Hu et al., 2021): y += s · (x · Aᵀ) · Bᵀ beside a frozen product.
//!
//! A layer's adapted maps that share an input share one product with their A matrices, laid one below the
//! other. All of a layer's A and B lie in one flat vector, group after group: first the group's A, then its
//! B, one map after another.

use super::buffer;
use super::matmul::{Into, Threads, product, rows, transposed};
use crate::config::ModelConfig;
use crate::rng::Rng;

/// The seven linear maps of a decoder layer, by their names in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Linear {
    /// `self_attn.q_proj`
    Query,
    /// `self_attn.k_proj`
    Key,
    /// `self_attn.v_proj`
    Value,
    /// `self_attn.o_proj`
    Output,
    /// `mlp.gate_proj`
    Gate,
    /// `mlp.up_proj`
    Up,
    /// `mlp.down_proj`
    Down,
}

impl Linear {
    /// All seven, in the order of the layer.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// The name in a checkpoint, below `model.layers.N`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// The last part of the name, as `target_modules` has it.
    pub fn name(self) -> &'static str {
        self.path().rsplit('.').next().unwrap_or_default()
    }

    /// The map of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|linear| linear.name() == name)
    }

    fn group(self) -> usize {
        match self {
            Self::Query | Self::Key | Self::Value => 0,
            Self::Output => 1,
            Self::Gate | Self::Up => 2,
            Self::Down => 3,
        }
    }

    /// Width of the input.
    pub fn inputs(self, config: &ModelConfig) -> usize {
        match self {
            Self::Output => config.num_attention_heads * config.head_dim,
            Self::Down => config.intermediate_size,
            _ => config.hidden_size,
        }
    }

    /// Width of the output.
    pub fn outputs(self, config: &ModelConfig) -> usize {
        match self {
            Self::Query => config.num_attention_heads * config.head_dim,
            Self::Key | Self::Value => config.num_key_value_heads * config.head_dim,
            Self::Gate | Self::Up => config.intermediate_size,
            Self::Output | Self::Down => config.hidden_size,
        }
    }

    /// Where the output begins in the row that its group writes: keys come after queries, up after gate.
    fn column(self, config: &ModelConfig) -> usize {
        match self {
            Self::Key => Self::Query.outputs(config),
            Self::Value => Self::Query.outputs(config) + Self::Key.outputs(config),
            Self::Up => config.intermediate_size,
            _ => 0,
        }
    }
}

/// Where one map's matrices lie in a layer's flat vector.
#[derive(Debug, Clone)]
pub(crate) struct Adapted {
    pub(crate) linear: Linear,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    column: usize,
    /// Start of A (rank, inputs).
    pub(crate) a: usize,
    /// Start of B (outputs, rank).
    pub(crate) b: usize,
}

impl Adapted {
    /// Where the map's output begins in its group's row.
    pub(crate) fn column(&self) -> usize {
        self.column
    }
}

/// The adapted maps that share an input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) maps: Vec<Adapted>,
    inputs: usize,
}

/// How a layer's flat vector is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// Share of inputs dropped before A, in training.
    pub(crate) dropout: f32,
    pub(crate) groups: [Group; 4],
    /// Length of the flat vector.
    pub(crate) len: usize,
}

impl Layout {
    pub(crate) fn new(
        config: &ModelConfig,
        targets: &[Linear],
        rank: usize,
        scale: f32,
        dropout: f32,
    ) -> Self {
        let mut groups: [Group; 4] = Default::default();
        let mut at = 0;
        for (number, group) in groups.iter_mut().enumerate() {
            let targets = Linear::ALL
                .into_iter()
                .filter(|l| l.group() == number && targets.contains(l))
                .collect::<Vec<_>>();
            let inputs = targets.first().map_or(0, |l| l.inputs(config));
            let mut b = at + targets.len() * rank * inputs;
            for (i, linear) in targets.into_iter().enumerate() {
                let outputs = linear.outputs(config);
                let (a, column) = (at + i * rank * inputs, linear.column(config));
                group.maps.push(Adapted { linear, inputs, outputs, column, a, b });
                b += outputs * rank;
            }
            group.inputs = inputs;
            at = b;
        }
        Self { rank, scale, dropout, groups, len: at }
    }

    pub(crate) fn maps(&self) -> impl Iterator<Item = &Adapted> {
        self.groups.iter().flat_map(|group| &group.maps)
    }

    /// A fresh adapter: A uniform as PEFT's default (Kaiming with a = √5: ±1/√inputs), B zero.
    pub(crate) fn initialise(&self, rng: &mut Rng) -> Vec<f32> {
        let mut flat = vec![0.0; self.len];
        for map in self.maps() {
            let bound = 1.0 / (map.inputs as f32).sqrt();
            flat[map.a..map.a + self.rank * map.inputs].iter_mut().for_each(|x| *x = rng.within(bound));
        }
        flat
    }
}

/// One group's work in one layer.
pub(crate) struct Adaptation<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) group: usize,
    /// Names the dropout mask; `None` where nothing is dropped.
    pub(crate) mask: Option<u64>,
}

impl Adaptation<'_> {
    fn dropped(&self, x: &[f32]) -> Option<Vec<f32>> {
        self.mask.map(|key| masked(x, key, self.layout.dropout))
    }

    /// Adds the adaptation of `x` (n, inputs) to `y` (n, stride); returns x·Aᵀ (n, maps · rank) for the backward pass.
    pub(crate) fn forward(
        &self,
        x: &[f32],
        n: usize,
        flat: &[f32],
        y: &mut [f32],
        stride: usize,
    ) -> Vec<f32> {
        let (group, rank) = (&self.layout.groups[self.group], self.layout.rank);
        let Some(first) = group.maps.first() else { return Vec::new() };
        let (width, inputs, all) = (group.maps.len() * rank, group.inputs, Threads::All);
        let dropped = self.dropped(x);
        let x = dropped.as_deref().unwrap_or(x);
        let mut low = buffer(n * width);
        product(
            (n, width, inputs),
            1.0,
            rows(x, inputs),
            transposed(&flat[first.a..], inputs),
            &mut low,
            width,
            Into::Fresh,
            all,
        );
        for (i, map) in group.maps.iter().enumerate() {
            let shape = (n, map.outputs, rank);
            let (low, b) = (rows(&low[i * rank..], width), transposed(&flat[map.b..], rank));
            product(shape, self.layout.scale, low, b, &mut y[map.column..], stride, Into::Added, all);
        }
        low
    }

    /// Gradients of A and B into `d_flat`, and of `x` added to `dx` where it is wanted.
    #[allow(clippy::too_many_arguments, reason = "a backward pass takes what the forward pass took and gave")]
    pub(crate) fn backward(
        &self,
        x: &[f32],
        n: usize,
        flat: &[f32],
        low: &[f32],
        dy: &[f32],
        stride: usize,
        d_flat: &mut [f32],
        dx: Option<&mut [f32]>,
    ) {
        let (group, rank, scale) = (&self.layout.groups[self.group], self.layout.rank, self.layout.scale);
        let Some(first) = group.maps.first() else { return };
        let (width, inputs, all) = (group.maps.len() * rank, group.inputs, Threads::All);
        let dropped = self.dropped(x);
        let x = dropped.as_deref().unwrap_or(x);
        let mut d_low = buffer(n * width);
        for (i, map) in group.maps.iter().enumerate() {
            let dy = &dy[map.column..];
            let b = rows(&flat[map.b..], rank);
            product(
                (n, rank, map.outputs),
                scale,
                rows(dy, stride),
                b,
                &mut d_low[i * rank..],
                width,
                Into::Fresh,
                all,
            );
            let (low, d_b) = (rows(&low[i * rank..], width), &mut d_flat[map.b..map.b + map.outputs * rank]);
            product((map.outputs, rank, n), scale, transposed(dy, stride), low, d_b, rank, Into::Fresh, all);
        }
        let d_a = &mut d_flat[first.a..first.a + width * inputs];
        product(
            (width, inputs, n),
            1.0,
            transposed(&d_low, width),
            rows(x, inputs),
            d_a,
            inputs,
            Into::Fresh,
            all,
        );
        let Some(dx) = dx else { return };
        let a = rows(&flat[first.a..], inputs);
        match self.mask {
            None => product((n, inputs, width), 1.0, rows(&d_low, width), a, dx, inputs, Into::Added, all),
            Some(key) => {
                let mut through = buffer(n * inputs);
                product(
                    (n, inputs, width),
                    1.0,
                    rows(&d_low, width),
                    a,
                    &mut through,
                    inputs,
                    Into::Fresh,
                    all,
                );
                let through = masked(&through, key, self.layout.dropout);
                dx.iter_mut().zip(&through).for_each(|(dx, t)| *dx += t);
            }
        }
    }
}

/// `x` with a share of its numbers zeroed and the rest scaled up, the same for the same key.
pub(crate) fn masked(x: &[f32], key: u64, dropout: f32) -> Vec<f32> {
    let kept = 1.0 / (1.0 - dropout);
    let mut rng = Rng::at(key, &[]);
    x.iter().map(|x| if rng.uniform() < dropout { 0.0 } else { x * kept }).collect()
}
