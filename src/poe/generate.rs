//! The generation loop: draft, verify, accept or replace.

use super::explain::{Emission, Suppression, validity_radius, votes};
use super::product::{Distribution, argmax, product_scores};
use super::{Experts, Ledger, Rule, Stage, Uniforms, product};
use crate::error::{Error, Result};

/// Excess mass `Σ max(P − q, 0)` up to which a replacement is drawn from P itself: P and q are then equal but for rounding.
const LEAST_EXCESS: f64 = 1e-6;

/// What is run that the output does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    /// Whether a replaced token is processed at once, as in the original, even if the generation ends with it. Otherwise when
    /// a next round needs it.
    pub eager_refill: bool,
    /// Whether tokens beyond the budget are cut off. A round ends as a whole, so there may be up to γ − 1.
    pub trim: bool,
}

/// How to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Drafts of a round γ.
    pub gamma: usize,
    /// Exponent β of each expert.
    pub beta: f64,
    /// Temperature τ of sampled drafts; `None`: the draft is the draft head's most probable token, and τ is 1.
    pub temperature: Option<f64>,
    /// No further round begins with so many tokens.
    pub max_new_tokens: usize,
    /// When a draft is accepted.
    pub rule: Rule,
    /// The head that drafts.
    pub draft_head: usize,
    /// The id that ends a generation.
    pub eos: Option<u32>,
    /// Ids that the tokeniser knows; those above, padding of the vocabulary, are never drawn. `None`: all are known.
    pub vocabulary: Option<usize>,
    /// What is run that the output does not need.
    pub schedule: Schedule,
    /// Whether to record every probability, and what the jury thought of each token.
    pub detail: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gamma: 4,
            beta: 1.0,
            temperature: None,
            max_new_tokens: 200,
            rule: Rule::default(),
            draft_head: 0,
            eos: None,
            vocabulary: None,
            schedule: Schedule::default(),
            detail: false,
        }
    }
}

/// One test of a draft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The draft x.
    pub token: u32,
    /// P(x), where the rule needs it or detail is asked for.
    pub target: Option<f64>,
    /// q(x), likewise.
    pub proposal: Option<f64>,
    /// Probability with which it is accepted.
    pub accept_probability: f64,
    /// The uniform number it was held against; none for [`Rule::Argmax`].
    pub uniform: Option<f64>,
    /// Whether it was accepted.
    pub accepted: bool,
}

/// One round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Tokens in the caches at its start, P + emitted.
    pub start: usize,
    /// Drafts.
    pub drafts: Vec<u32>,
    /// Tests, up to the first rejection.
    pub tests: Vec<Test>,
    /// Drafts accepted.
    pub accepted: usize,
    /// The token in place of a rejected one.
    pub resampled: Option<u32>,
}

/// What a generation gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generation {
    /// Emitted tokens.
    pub tokens: Vec<u32>,
    /// Which of them, from 0, took the place of a rejected draft.
    pub resampled_positions: Vec<usize>,
    /// All rounds.
    pub rounds: Vec<Round>,
    /// Passes.
    pub ledger: Ledger,
    /// Whether the last token ended it.
    pub ended: bool,
    /// What the jury thought of each emitted token; empty without detail.
    pub emissions: Vec<Emission>,
    /// And of each rejected draft.
    pub suppressions: Vec<Suppression>,
}

impl Generation {
    /// Emitted tokens that were drafts.
    pub fn accepted(&self) -> usize {
        self.tokens.len() - self.resampled_positions.len()
    }
}

fn check(heads: usize, prompt: &[u32], options: &Options) -> Result<()> {
    let wrong = |what: String, help: &str| Err(Error::input(what).help(help));
    if heads < 2 {
        return wrong(
            format!("a product of experts needs two heads or more, one to draft and a jury; there is {heads}"),
            "give --heads 2 or more, or leave the variant `poe` out",
        );
    }
    if options.draft_head >= heads {
        return wrong(
            format!("draft head {} of {heads} heads", options.draft_head),
            "heads are counted from 0; give one that there is",
        );
    }
    if options.gamma == 0 {
        return wrong("a round of 0 drafts".to_owned(), "give γ (--gammas) of 1 or more");
    }
    if prompt.is_empty() {
        return wrong("the prompt is empty".to_owned(), "give at least one token");
    }
    for (name, value) in [("temperature", options.temperature.unwrap_or(1.0)), ("beta", options.beta)] {
        if !(value > 0.0 && value.is_finite()) {
            return wrong(format!("{name} is {value}"), "give a number above 0");
        }
    }
    Ok(())
}

/// A draft and the distribution it was drawn from, as far as it is needed.
struct Draft {
    token: u32,
    proposal: Option<Distribution>,
}

/// What a test gave: its record, for a rejected draft the token in its place, and the product where it was needed.
struct Verdict {
    test: Test,
    replacement: Option<u32>,
    product: Option<Distribution>,
}

impl Options {
    fn known<'a>(&self, logits: &'a [f32]) -> &'a [f32] {
        &logits[..self.vocabulary.unwrap_or(logits.len()).min(logits.len())]
    }

    fn tau(&self) -> f64 {
        self.temperature.unwrap_or(1.0)
    }

    /// Whether a test compares P with the proposal q: for sampled drafts, and in the original for all.
    fn compares(&self) -> bool {
        match self.rule {
            Rule::Exact => self.temperature.is_some(),
            Rule::Orig => true,
            Rule::Argmax => false,
        }
    }

    fn draft(&self, logits: &[f32], source: &mut dyn Uniforms) -> Result<Draft> {
        let logits = self.known(logits);
        let proposal = (self.compares() || self.temperature.is_some() || self.detail)
            .then(|| Distribution::softmax(logits, 1.0 / self.tau()));
        let token = match (&proposal, self.temperature) {
            (Some(q), Some(_)) => q.at(source.next()?),
            _ => argmax(logits),
        };
        Ok(Draft { token, proposal })
    }

    fn judge(&self, draft: &Draft, judges: &[&[f32]], source: &mut dyn Uniforms) -> Result<Verdict> {
        let x = draft.token;
        if self.rule == Rule::Argmax && !self.detail {
            let best = argmax(&product_scores(judges, self.beta, self.tau()));
            return Ok(verdict_of_argmax(x, best, [None; 2], None));
        }
        let p = product(judges, self.beta, self.tau());
        let target = Some(p.of(x));
        let proposal = draft.proposal.as_ref().map(|q| q.of(x));
        let accept_probability = match &draft.proposal {
            _ if self.rule == Rule::Argmax => {
                return Ok(verdict_of_argmax(x, p.argmax(), [target, proposal], Some(p)));
            }
            Some(q) if self.compares() => (p.of(x) / q.of(x)).min(1.0),
            _ => p.of(x),
        };
        let uniform = source.next()?;
        let accepted = uniform < accept_probability;
        let replacement = if accepted {
            None
        } else {
            let rest = match &draft.proposal {
                Some(q) if self.compares() => p.beyond(q),
                _ => p.without(x),
            };
            let from = if rest.total() > LEAST_EXCESS { &rest } else { &p };
            Some(from.at(source.next()?))
        };
        let test = Test { token: x, target, proposal, accept_probability, uniform: Some(uniform), accepted };
        Ok(Verdict { test, replacement, product: Some(p) })
    }
}

fn verdict_of_argmax(
    token: u32,
    best: u32,
    [target, proposal]: [Option<f64>; 2],
    product: Option<Distribution>,
) -> Verdict {
    let accepted = token == best;
    let accept_probability = if accepted { 1.0 } else { 0.0 };
    let test = Test { token, target, proposal, accept_probability, uniform: None, accepted };
    Verdict { test, replacement: (!accepted).then_some(best), product }
}

/// A replaced token through all heads.
fn refill<E: Experts>(model: &mut E, ledger: &mut Ledger, token: u32) -> Result<Vec<Vec<f32>>> {
    let heads = model.heads();
    ledger.refill += Stage::pass(true, heads, 1, heads);
    model.refill(token)
}

/// Generates tokens after a prompt.
///
/// At the end the caches hold prompt and emitted tokens, but for a last replaced token that no round needed
/// ([`Schedule::eager_refill`]).
///
/// # Errors
/// Fewer than two heads, an option without meaning, a full cache, a used-up [`super::Replay`], or a failed device.
pub fn generate<E: Experts>(
    model: &mut E,
    prompt: &[u32],
    options: &Options,
    source: &mut dyn Uniforms,
) -> Result<Generation> {
    let heads = model.heads();
    check(heads, prompt, options)?;
    let jury: Vec<usize> = (0..heads).filter(|head| *head != options.draft_head).collect();
    let mut out = Generation::default();
    let mut next = model.prefill(prompt)?;
    out.ledger.prefill += Stage::pass(true, heads, prompt.len(), heads);
    let mut waiting: Option<u32> = None;

    while out.tokens.len() < options.max_new_tokens && !out.ended {
        if let Some(token) = waiting.take() {
            next = refill(model, &mut out.ledger, token)?;
        }
        let start = prompt.len() + out.tokens.len();
        let mut drafts: Vec<Draft> = Vec::with_capacity(options.gamma);
        for _ in 0..options.gamma {
            let draft = options.draft(&next[options.draft_head], source)?;
            next[options.draft_head] = model.draft(options.draft_head, draft.token)?;
            out.ledger.draft += Stage::pass(true, 1, 1, 1);
            drafts.push(draft);
        }
        let seen = model.verify(&jury)?;
        out.ledger.verify += Stage::pass(false, jury.len(), options.gamma, jury.len() * options.gamma);

        let mut round = Round {
            start,
            drafts: drafts.iter().map(|draft| draft.token).collect(),
            tests: Vec::new(),
            accepted: 0,
            resampled: None,
        };
        for (place, draft) in drafts.iter().enumerate() {
            let judges: Vec<&[f32]> = match place {
                0 => jury.iter().map(|&head| options.known(&next[head])).collect(),
                _ => seen.iter().map(|head| options.known(&head[place - 1])).collect(),
            };
            let verdict = options.judge(draft, &judges, source)?;
            round.tests.push(verdict.test);
            if let Some(product) = verdict.product.filter(|_| options.detail) {
                out.explain(&product, &judges, draft.token, verdict.replacement);
            }
            let token = verdict.replacement.unwrap_or(draft.token);
            if verdict.replacement.is_some() {
                out.resampled_positions.push(out.tokens.len());
                round.resampled = Some(token);
            } else {
                round.accepted += 1;
            }
            out.tokens.push(token);
            out.ended = options.eos == Some(token);
            if out.ended || round.resampled.is_some() {
                break;
            }
        }
        if out.ended || round.resampled.is_some() {
            model.truncate(start + round.accepted);
        } else {
            for (&head, mut rows) in jury.iter().zip(seen) {
                next[head] = rows.pop().expect("a round has at least one draft");
            }
        }
        waiting = round.resampled;
        if let Some(token) = waiting.take_if(|_| options.schedule.eager_refill) {
            next = refill(model, &mut out.ledger, token)?;
        }
        out.rounds.push(round);
    }
    if options.schedule.trim && out.tokens.len() > options.max_new_tokens {
        out.trim(options.max_new_tokens);
        model.truncate(prompt.len() + options.max_new_tokens);
    }
    Ok(out)
}

impl Generation {
    fn explain(&mut self, product: &Distribution, judges: &[&[f32]], draft: u32, replacement: Option<u32>) {
        let votes = votes(judges);
        self.emissions.push(Emission::new(product, &votes, replacement.unwrap_or(draft)));
        if replacement.is_some() {
            let validity_radius = validity_radius(&votes, draft);
            self.suppressions.push(Suppression { token: draft, probability: product.of(draft), validity_radius });
        }
    }

    /// Cuts the output; rounds and ledger stay, since they were run.
    fn trim(&mut self, tokens: usize) {
        self.tokens.truncate(tokens);
        self.emissions.truncate(tokens);
        self.resampled_positions.retain(|position| *position < tokens);
        self.ended = false;
    }
}
