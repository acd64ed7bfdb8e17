//! Hydra: a trunk, several heads over it, one output layer for all. With one head it is plain OLMo-2.

use candle_core::{D, Device, IndexOp, Tensor};
use candle_nn::ops::rms_norm;

use super::ModelShape;
use super::block::Block;
use super::linear::Linear;
use super::rope::Rope;
use super::stack::{Masks, Stack};
use super::weights::{Layer, Weights};
use crate::error::{Error, Result};

/// How many heads a model has and how deep they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Heads N.
    pub count: usize,
    /// Layers of each, D. The trunk has the other L − D.
    pub depth: usize,
}

impl Heads {
    /// One head: the model that the layers come from.
    pub const BASE: Self = Self { count: 1, depth: 1 };

    /// Layer instances of a model of so many layers, L − D + N·D.
    pub const fn layer_instances(self, layers: usize) -> usize {
        layers - self.depth + self.count * self.depth
    }

    /// Checks them against a model.
    ///
    /// # Errors
    /// No head, or a depth that leaves the trunk or the heads without layers.
    pub fn check(self, shape: &ModelShape) -> Result<()> {
        if self.count == 0 {
            return Err(Error::input("a model of 0 heads").help("give --heads 1 or more"));
        }
        if self.depth == 0 || self.depth >= shape.layers {
            return Err(Error::input(format!(
                "heads of {} layers: {} has {} layers, and both the trunk and the heads need some",
                self.depth, shape.name, shape.layers
            ))
            .help(format!("give --heads-depth from 1 to {}", shape.layers - 1)));
        }
        Ok(())
    }
}

/// A model with its caches.
///
/// The trunk is the embedding and the first T = L − D layers, without a norm behind. A head is D layers, without embedding, norm
/// or output matrix of its own; final norm and output matrix are shared. The caches of trunk and heads have cursors of their own.
#[derive(Debug)]
pub struct Hydra {
    pub(super) shape: ModelShape,
    pub(super) device: Device,
    embedding: Tensor,
    pub(super) trunk: Stack,
    pub(super) heads: Vec<Stack>,
    norm: Tensor,
    output: Linear,
    rope: Rope,
    masks: Masks,
    known_ids: usize,
    /// Trunk states of drafted tokens that the jury has not seen.
    pub(super) kept: Vec<Tensor>,
}

impl Hydra {
    /// Builds a model from weights, with caches of `capacity` tokens.
    ///
    /// # Errors
    /// Heads that do not go with the model, a capacity beyond its context, or weights that are missing or of another
    /// shape.
    pub fn new(shape: &ModelShape, heads: Heads, weights: &Weights, capacity: usize) -> Result<Self> {
        heads.check(shape)?;
        if capacity > shape.context {
            return Err(Error::input(format!(
                "{capacity} tokens exceed the context of {}, {} tokens",
                shape.name, shape.context
            ))
            .help("give a shorter prompt or answer"));
        }
        let (dtype, device) = (weights.dtype(), weights.device().clone());
        let (d, v) = (shape.hidden, shape.vocabulary);
        let trunk_layers = shape.layers - heads.depth;
        let stack = |layers: &mut dyn Iterator<Item = Layer>| -> Result<Stack> {
            let blocks = layers.map(|layer| Block::new(shape, weights, layer)).collect::<Result<_>>()?;
            Stack::new(shape, blocks, capacity, dtype, &device)
        };
        let trunk = stack(&mut (0..trunk_layers).map(Layer::Base))?;
        let heads = (0..heads.count)
            .map(|head| stack(&mut (trunk_layers..shape.layers).map(|layer| Layer::of_head(head, layer, trunk_layers))))
            .collect::<Result<_>>()?;
        let embedding = weights.vocabulary("model.embed_tokens.weight", &[v, d])?;
        let output = weights.vocabulary("lm_head.weight", &[v, d])?;
        let known_ids = embedding.rows.min(output.rows);
        Ok(Self {
            shape: shape.clone(),
            embedding: embedding.tensor,
            trunk,
            heads,
            norm: weights.tensor("model.norm.weight", &[d])?,
            output: Linear::new(output.tensor),
            rope: Rope::new(shape, capacity, &device)?,
            masks: Masks::default(),
            known_ids,
            kept: Vec::new(),
            device,
        })
    }

    /// Its shape.
    pub const fn shape(&self) -> &ModelShape {
        &self.shape
    }

    /// Number of heads N.
    pub fn head_count(&self) -> usize {
        self.heads.len()
    }

    /// Ids whose rows came with the weights; the rest of the vocabulary is padding.
    pub const fn known_ids(&self) -> usize {
        self.known_ids
    }

    /// Ids as a tensor on the model's device.
    ///
    /// # Errors
    /// The device failed.
    pub fn ids(&self, ids: &[u32]) -> Result<Tensor> {
        Ok(Tensor::new(ids, &self.device)?)
    }

    /// Tokens in the caches: of the trunk, then of each head.
    pub fn cursors(&self) -> Vec<usize> {
        std::iter::once(&self.trunk).chain(&self.heads).map(Stack::cursor).collect()
    }

    /// Rewinds every cache that holds more to `tokens` tokens.
    pub fn rewind(&mut self, tokens: usize) {
        self.kept.clear();
        self.trunk.truncate(tokens);
        self.heads.iter_mut().for_each(|head| head.truncate(tokens));
    }

    /// Embedding and trunk: ids `[n]` to states `[1, n, d]`.
    ///
    /// # Errors
    /// The cache is full, or the device failed.
    pub fn trunk(&mut self, ids: &Tensor) -> Result<Tensor> {
        self.trunk_with(ids, |_| ())
    }

    fn trunk_with(&mut self, ids: &Tensor, mut after: impl FnMut(&Tensor)) -> Result<Tensor> {
        let x = self.embedding.index_select(ids, 0)?.unsqueeze(0)?;
        after(&x);
        self.trunk.forward(&x, &self.rope, &mut self.masks, after)
    }

    /// Selected heads, one after the other, over the same trunk states: hidden states `[1, n, d]` of each before the
    /// final norm.
    ///
    /// # Errors
    /// No head is selected, one that there is not, a full cache, or the device failed.
    pub fn hidden(&mut self, trunk: &Tensor, which: &[usize]) -> Result<Vec<Tensor>> {
        self.check_selection(which)?;
        which.iter().map(|&head| self.heads[head].forward(trunk, &self.rope, &mut self.masks, |_| ())).collect()
    }

    fn check_selection(&self, which: &[usize]) -> Result<()> {
        let wrong = which.iter().find(|head| **head >= self.heads.len());
        if which.is_empty() || wrong.is_some() {
            let message =
                wrong.map_or("no heads selected".to_owned(), |head| format!("head {head} of {}", self.heads.len()));
            return Err(Error::input(message).help("heads are counted from 0; select at least one that there is"));
        }
        Ok(())
    }

    /// The shared output layer on hidden states of equal length: logits `[heads, rows, V]`; with `last_only` of each state's last
    /// row only.
    ///
    /// # Errors
    /// The device failed.
    pub fn logits(&self, hidden: &[Tensor], last_only: bool) -> Result<Tensor> {
        let rows: Vec<Tensor> = hidden
            .iter()
            .map(|state| if last_only { state.narrow(1, state.dim(1)? - 1, 1) } else { Ok(state.clone()) })
            .collect::<candle_core::Result<_>>()?;
        let rows = Tensor::cat(&rows, 1)?;
        let normed = rms_norm(&rows.contiguous()?, &self.norm, self.shape.norm_eps as f32)?;
        let logits = self.output.forward(&normed)?;
        let per_head = logits.dim(1)? / hidden.len();
        Ok(logits.reshape((hidden.len(), per_head, self.shape.vocabulary))?)
    }

    /// Trunk and selected heads (`None`: all): logits `[heads, rows, V]`.
    ///
    /// # Errors
    /// As [`Hydra::hidden`].
    pub fn forward(&mut self, ids: &Tensor, which: Option<&[usize]>, last_only: bool) -> Result<Tensor> {
        let states = self.trunk(ids)?;
        let all: Vec<usize> = (0..self.heads.len()).collect();
        let hidden = self.hidden(&states, which.unwrap_or(&all))?;
        self.logits(&hidden, last_only)
    }

    /// As [`Hydra::forward`], and the hidden states before the final norm of some of the heads, `[1, n, d]` each.
    ///
    /// # Errors
    /// As [`Hydra::hidden`]; `hidden_of` names a head that is not run.
    pub fn residual_forward(
        &mut self,
        ids: &Tensor,
        which: &[usize],
        hidden_of: &[usize],
        last_only: bool,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        self.check_selection(which)?;
        let places: Vec<usize> = hidden_of
            .iter()
            .map(|head| {
                which.iter().position(|run| run == head).ok_or_else(|| {
                    Error::input(format!("hidden states of head {head}, which is not run"))
                        .help("ask for states of selected heads only")
                })
            })
            .collect::<Result<_>>()?;
        let states = self.trunk(ids)?;
        let hidden = self.hidden(&states, which)?;
        let logits = self.logits(&hidden, last_only)?;
        Ok((logits, places.into_iter().map(|place| hidden[place].clone()).collect()))
    }

    /// The next token by naive averaging, `argmax_v mean_h logits`, which with one head is greedy decoding. The result `[1]` stays
    /// on the device.
    ///
    /// # Errors
    /// As [`Hydra::hidden`].
    pub fn next_token(&mut self, ids: &Tensor) -> Result<Tensor> {
        let logits = self.forward(ids, None, true)?;
        let mean = if self.heads.len() == 1 { logits.i((0, 0))? } else { logits.i((.., 0))?.mean(0)? };
        Ok(mean.narrow(0, 0, self.known_ids)?.argmax(D::Minus1)?.unsqueeze(0)?)
    }

    /// States behind the embedding and behind every layer of the trunk and of one head, each `[1, n, d]`; for tests and
    /// inspection.
    ///
    /// # Errors
    /// As [`Hydra::hidden`].
    pub fn states(&mut self, ids: &Tensor, head: usize) -> Result<Vec<Tensor>> {
        self.check_selection(&[head])?;
        let mut seen = Vec::new();
        let trunk = self.trunk_with(ids, |state| seen.push(state.clone()))?;
        self.heads[head].forward(&trunk, &self.rope, &mut self.masks, |state| seen.push(state.clone()))?;
        Ok(seen)
    }

    /// Keys and values of every layer of the trunk and of one head, each `[1, K, tokens, h]`.
    ///
    /// # Errors
    /// There is no such head.
    pub fn cached(&self, head: usize) -> Result<Vec<(Tensor, Tensor)>> {
        self.check_selection(&[head])?;
        Ok([self.trunk.cached()?, self.heads[head].cached()?].concat())
    }
}
