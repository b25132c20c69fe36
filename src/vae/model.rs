//! A model: its options and parameters, its two halves as functions of a graph, and its loss.

use crate::dist::Distribution;
use crate::error::{Error, Result};
use crate::fields::Parameter;
use crate::graph::{Edge, Graph};
use crate::nn::{ParamSpec, Params};
use crate::ops;
use crate::shape::{Meta, Shape};
use crate::vae::Options;
use crate::vae::balance;
use crate::vae::classifier;
use crate::vae::condition::DROPOUT;
use crate::vae::latent::undrawn;
use crate::vae::network::Head;
use crate::vae::terms::{Amount, Loss, Posterior, Terms, per_row, repeat};

#[derive(Clone)]
pub struct Model {
    pub options: Options,
    pub specs: Vec<ParamSpec>,
    /// The parameters of the objective's second network, if it trains one.
    pub critic: Vec<ParamSpec>,
    /// Whether the gradient of a batch is the sum of its parts'.
    pub can_be_shared: bool,
}

/// What a batch is made of.
#[derive(Clone, Copy)]
pub struct Batch {
    /// (batch, example…)
    pub x: Edge,
    /// (batch, columns + 1), where the model is conditional.
    pub labels: Option<Edge>,
}

impl Model {
    /// Writes the model down once, for a few examples, to learn its parameters and to see that all shapes fit.
    pub fn new(options: Options) -> Result<Model> {
        let mut model = Model { options, specs: Vec::new(), critic: Vec::new(), can_be_shared: false };
        let rows = model.options.latent.size() + 1;
        let (mut g, mut p, mut critic) = (Graph::new(), Params::collector(), Params::collector());
        let x = g.input("x", Meta::f32(model.batch_shape(rows)));
        let labels = model.label_columns().map(|n| g.input("labels", Meta::f32([rows, n])));
        model.can_be_shared = model.loss(&mut g, &mut p, &mut critic, &Batch { x, labels })?.can_be_shared();
        (model.specs, model.critic) = (p.into_specs(), critic.into_specs());
        Ok(model)
    }

    /// The number of values in all parameters.
    pub fn count(&self) -> usize {
        self.specs.iter().map(|s| s.shape.size()).sum()
    }

    /// (batch, example…)
    pub fn batch_shape(&self, batch: usize) -> Shape {
        Shape::new([&[batch], self.options.input.shape().dims()].concat())
    }

    /// The columns of a conditional model's labels on the device: its own, and whether they are known.
    pub fn label_columns(&self) -> Option<usize> {
        self.options.condition.as_ref().map(|c| c.columns() + 1)
    }

    /// The condition of `rows` examples of which nothing is known.
    pub fn no_condition(&self, g: &mut Graph, rows: usize) -> Result<Option<Edge>> {
        self.label_columns().map(|n| ops::fill(g, [rows, n], 0.0)).transpose()
    }

    /// q(z|x, labels).
    pub fn encode(&self, g: &mut Graph, p: &mut Params, x: Edge, labels: Option<Edge>) -> Result<Posterior> {
        self.encode_as(g, p, x, labels, false)
    }

    fn encode_as(&self, g: &mut Graph, p: &mut Params, x: Edge, labels: Option<Edge>, is_training: bool) -> Result<Posterior> {
        if let Some(classes) = self.options.classes {
            return classifier::classify(self, classes, g, p, x);
        }
        let head = self.head(g, p, x, labels)?;
        self.options.latent.posterior(g, p, head, is_training)
    }

    /// The encoder's last layer: (batch, head).
    fn head(&self, g: &mut Graph, p: &mut Params, x: Edge, labels: Option<Edge>) -> Result<Edge> {
        let condition = self.condition(g, p, labels)?;
        let latent = &self.options.latent;
        let out = Head { size: latent.head(), grid: latent.grid() };
        self.options.encoder.encode(g, p, "encoder", x, condition, out, self.options.init)
    }

    /// The vectors that the latent's codes stand for: (batch·positions, values of a code).
    pub fn vectors(&self, g: &mut Graph, p: &mut Params, batch: &Batch) -> Result<Edge> {
        let head = self.head(g, p, batch.x, batch.labels)?;
        self.options.latent.vectors(g, head)
    }

    /// p(x|z, labels). z: (batch, latent size); an event of the distribution has x's shape.
    pub fn decode(&self, g: &mut Graph, p: &mut Params, z: Edge, labels: Option<Edge>) -> Result<Box<dyn Distribution>> {
        let outputs = self.decoded(g, p, z, labels)?;
        self.likelihood(g, p, outputs)
    }

    /// The decoder's last layer, what the likelihood is made from.
    pub fn decoded(&self, g: &mut Graph, p: &mut Params, z: Edge, labels: Option<Edge>) -> Result<Edge> {
        if self.options.classes.is_some() {
            return Err(Error::option("classes", "a classifier", "a model with a decoder"));
        }
        let condition = self.condition(g, p, labels)?;
        let event = self.options.input.shape();
        let z = self.options.latent.decoded(g, z)?;
        let h = self.options.decoder.begin(g, z, self.options.latent.grid(), condition, &event)?;
        let decoded = self.options.likelihood.decoded(&event)?;
        self.options.decoder.decode(g, p, "decoder", h, &decoded, self.options.init)
    }

    pub fn likelihood(&self, g: &mut Graph, p: &mut Params, decoded: Edge) -> Result<Box<dyn Distribution>> {
        self.options.likelihood.build(g, p, decoded, &self.options.input.shape())
    }

    fn condition(&self, g: &mut Graph, p: &mut Params, labels: Option<Edge>) -> Result<Option<Edge>> {
        let (Some(condition), Some(labels)) = (&self.options.condition, labels) else { return Ok(None) };
        condition.vector(g, p, labels).map(Some)
    }

    /// What training minimises on a batch.
    pub fn loss(&self, g: &mut Graph, p: &mut Params, critic: &mut Params, batch: &Batch) -> Result<Loss> {
        if let Some(classes) = self.options.classes {
            return classifier::loss(self, classes, g, p, batch);
        }
        let chosen = &self.options.objective;
        let k = chosen.of.samples(&chosen.values);
        let of = chosen.of;
        self.terms(g, p, batch, k, true, |g, terms| {
            let mut loss = of.loss(g, critic, terms)?.with(&terms.q.beside);
            let is_balanced_by_example = !of.is_balanced() || terms.balance.of.is_separable();
            loss.is_separable = of.is_separable(&chosen.values) && is_balanced_by_example && terms.p.is_separable();
            Ok(loss)
        })
    }

    /// reconstruction and KL of a batch, from one draw of z each, whatever is minimised.
    pub fn figures(&self, g: &mut Graph, p: &mut Params, batch: &Batch) -> Result<[Amount; 2]> {
        if let Some(classes) = self.options.classes {
            let amount = classifier::cross_entropy(self, classes, g, p, batch)?;
            return Ok([amount, classifier::nothing(g, amount)?]);
        }
        self.terms(g, p, batch, 1, false, |g, terms| Ok([Amount::of(terms.nll(g)?), Amount::of(terms.draw.kl)]))
    }

    /// log p(x|z) + log p(z) − log q(z|x) of k draws for each example: (k·batch), draw by draw.
    pub fn log_weights(&self, g: &mut Graph, p: &mut Params, batch: &Batch, k: usize) -> Result<Edge> {
        self.terms(g, p, batch, k, false, |g, terms| {
            let nll = terms.nll(g)?;
            let nll = per_row(g, nll)?;
            let joint = ops::sub(g, terms.draw.log_p, nll)?;
            ops::sub(g, joint, terms.draw.log_q)
        })
    }

    fn terms<T>(
        &self,
        g: &mut Graph,
        p: &mut Params,
        batch: &Batch,
        k: usize,
        is_training: bool,
        make: impl FnOnce(&mut Graph, &Terms) -> Result<T>,
    ) -> Result<T> {
        let chosen = &self.options.objective;
        let labels = match (&self.options.condition, batch.labels) {
            (Some(condition), Some(labels)) if is_training => Some(condition.dropped(g, labels)?),
            _ => batch.labels,
        };
        let q = self.encode_as(g, p, batch.x, labels, is_training)?;
        let draw = if chosen.of.is_deterministic(&chosen.values) {
            undrawn(g, &q)?
        } else {
            self.options.latent.draw(g, p, self, &q, k)?
        };
        let labels = labels.map(|labels| repeat(g, labels, k)).transpose()?;
        let decoded = self.decoded(g, p, draw.z, labels)?;
        let likelihood = self.likelihood(g, p, decoded)?;
        let decoder = p.named("decoder");
        let terms = Terms {
            x: repeat(g, batch.x, k)?,
            batch: g.shape(batch.x).dims()[0],
            samples: k,
            q: &q,
            draw: &draw,
            p: likelihood.as_ref(),
            balance: &self.options.balance,
            values: &chosen.values,
            decoder: &decoder,
        };
        make(g, &terms)
    }

    /// The live controls and their values at first.
    pub fn controls(&self) -> Vec<(&'static str, f64)> {
        let mut controls = self.options.objective.controls();
        controls.extend(self.options.latent.controls());
        controls.extend(self.options.condition.iter().map(|c| (DROPOUT.name, c.dropout)));
        controls
    }

    /// What `set` can move by name.
    pub fn live(&self) -> Vec<&'static Parameter> {
        let objective = self.options.objective.of.parameters().iter().filter(|p| p.is_live);
        objective.chain(self.options.latent.live()).chain(self.options.condition.iter().map(|_| &DROPOUT)).collect()
    }

    /// What the model keeps between steps beside parameters, and its values at first.
    pub fn kept(&self) -> Vec<(&'static str, Vec<f32>)> {
        let values = self.options.balance.of.kept();
        let mut kept = if values.is_empty() { Vec::new() } else { vec![(balance::STATE, values)] };
        kept.extend(self.options.latent.kept(self.options.seed));
        kept
    }
}
