//! The options of a model, read and checked once, before anything is built.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::dist::likelihood;
use crate::error::{Error, Result};
use crate::fields::{Chosen, Default, Fields, Parameter};
use crate::shape::{DType, Shape};
use crate::vae::balance::{self, Balance};
use crate::vae::condition::{self, Condition};
use crate::vae::latent::{self, Latent};
use crate::vae::network::{self, Network};
use crate::vae::objective::{self, Objective};
use crate::vae::prior;

/// What an example is.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Image { height: usize, width: usize, channels: usize },
    Vector { size: usize },
}

impl Input {
    /// The shape of one example.
    pub fn shape(&self) -> Shape {
        match *self {
            Input::Image { height, width, channels } => Shape::from([height, width, channels]),
            Input::Vector { size } => Shape::from([size]),
        }
    }
}

#[derive(Clone)]
pub struct Options {
    pub input: Input,
    pub encoder: Network,
    /// The description of the encoder that the decoder mirrors.
    pub decoder: Network,
    pub latent: Rc<dyn Latent>,
    pub likelihood: likelihood::Chosen,
    pub objective: Chosen<dyn Objective>,
    pub balance: Chosen<dyn Balance>,
    pub condition: Option<Condition>,
    /// A classifier of this many classes instead of an auto-encoder: the encoder, its latent the features.
    pub classes: Option<usize>,
    /// The memory of the average of the parameters that inference reads, if there is one.
    pub ema: Option<f64>,
    /// What a training step stores the hidden values of the networks as: F32, or F16 where the backend can.
    pub activations: DType,
    pub init: &'static str,
    pub seed: u64,
    /// As they were given, for the file.
    pub source: Value,
}

const HEIGHT: Parameter = Parameter::integer("height", Default::Required, 1, 4096);
const WIDTH: Parameter = Parameter::integer("width", Default::Required, 1, 4096);
const CHANNELS: Parameter = Parameter::integer("channels", Default::Required, 1, 1024);
const SIZE: Parameter = Parameter::integer("size", Default::Required, 1, 1 << 20);
pub const INIT: Parameter = Parameter::choice("init", "glorot", &["glorot", "kaiming"]);
pub const SEED: Parameter = Parameter::number("seed", Default::Number(0.0), 0.0, 9_007_199_254_740_991.0);
const CLASSES: Parameter = Parameter::integer("classes", Default::Required, 2, 65_536);
const FEATURES: Parameter = Parameter::integer("features", Default::Number(64.0), 1, 4096);
/// Elements in one example, so that a batch is addressable in 32 bits.
const MAX_EVENT: usize = 1 << 22;

/// An average of the parameters over about 1/(1 − ema) steps (Polyak & Juditsky 1992; Kingma & Ba 2015, Section 7.2).
const EMA: Parameter = Parameter::number("ema", Default::Absent, 0.0, 0.999_999);

/// Half precision is one of storage: arithmetic and sums are of single precision (Micikevicius et al. 2018, Section 3.3).
const PRECISION: Parameter = Parameter::choice("precision", "f32", &["f32", "f16"]);

const KNOWN: &[&str] = &[
    "input",
    "encoder",
    "decoder",
    "latent",
    "likelihood",
    "objective",
    "balance",
    "condition",
    "ema",
    "precision",
    "init",
    "seed",
];

impl Options {
    pub fn read(value: &Value) -> Result<Options> {
        if value.get("classes").is_some() {
            return Options::classifier(value);
        }
        let fields = Fields::read("", value, KNOWN)?;
        let input = input(fields.required("input", "an object with a kind, as { kind: \"vector\", size }")?)?;
        if input.shape().size() > MAX_EVENT {
            return Err(Error::option("input", input.shape(), format!("at most {MAX_EVENT} values in an example")));
        }
        let encoder = Network::read("encoder", fields.required("encoder", "an object with a kind, as { kind: \"mlp\", hidden }")?)?;
        let decoder = fields.get("decoder").map(|v| Network::read("decoder", v)).transpose()?.unwrap_or_else(|| encoder.clone());
        let mut latent = latent::read(fields.required("latent", "an object with a kind, as { kind: \"gaussian\", size }")?)?;
        let likelihood = likelihood::Chosen::read(
            "likelihood",
            fields.required("likelihood", "an object with a kind, as { kind: \"bernoulli\" }")?,
        )?;
        let elbo = json!({ "kind": "elbo" });
        let objective = Chosen::read("objective", fields.get("objective").unwrap_or(&elbo), objective::REGISTRY)?;
        let constant = json!({ "kind": "constant" });
        let balance = Chosen::read("balance", fields.get("balance").unwrap_or(&constant), balance::REGISTRY)?;
        let condition = fields.get("condition").map(Condition::read).transpose()?;
        let ema = fields.optional_number(&EMA)?;
        fit(&objective, &balance, latent.as_ref())?;
        let activations = if fields.choice(&PRECISION)? == "f16" { DType::F16 } else { DType::F32 };
        let seed = seed(&fields)?;
        encoder.check("encoder", &input)?;
        latent.place(encoder.grid("encoder", &input)?)?;
        decoder.check(if fields.get("decoder").is_some() { "decoder" } else { "encoder" }, &input)?;
        // Rectified convolutions start far faster from He's law, dense nets end a little lower from Glorot's.
        let usual = if encoder.convs.is_empty() { "glorot" } else { "kaiming" };
        let init = if fields.get("init").is_some() { fields.choice(&INIT)? } else { usual };
        let latent = Rc::from(latent);
        let source = value.clone();
        Ok(Options {
            input,
            encoder,
            decoder,
            latent,
            likelihood,
            objective,
            balance,
            condition,
            classes: None,
            ema,
            activations,
            init,
            seed,
            source,
        })
    }
}

impl Options {
    /// `{ classes, features, input, encoder }`: a classifier, with the words of a model that it has.
    fn classifier(value: &Value) -> Result<Options> {
        let fields = Fields::read("", value, &["classes", "features", "input", "encoder", "precision", "init", "seed"])?;
        let (classes, features) = (fields.integer(&CLASSES)?, fields.integer(&FEATURES)?);
        let mut whole = json!({
            "latent": { "kind": "gaussian", "size": features },
            "likelihood": { "kind": "gaussian" }, // for what it takes: any finite number
            "condition": { "classes": classes, "dropout": 0 },
        });
        for key in ["input", "encoder", "precision", "init", "seed"] {
            whole[key] = fields.get(key).cloned().unwrap_or(Value::Null);
        }
        let options = Options::read(&whole)?;
        Ok(Options { classes: Some(classes), source: value.clone(), ..options })
    }
}

/// A seed: a whole number that a double holds.
pub fn seed(fields: &Fields) -> Result<u64> {
    optional_seed(fields).map(|seed| seed.unwrap_or(0))
}

/// A seed, or nothing where it was left out.
pub fn optional_seed(fields: &Fields) -> Result<Option<u64>> {
    if fields.get("seed").is_none() {
        return Ok(None);
    }
    let x = fields.number(&SEED)?;
    if x.fract() == 0.0 {
        Ok(Some(x as u64))
    } else {
        Err(Error::option(fields.at("seed"), x, "a whole number from 0 to 2^53 − 1"))
    }
}

fn input(value: &Value) -> Result<Input> {
    match Fields::kind("input", value, &["image", "vector"])? {
        "image" => {
            let f = Fields::read("input", value, &["kind", "height", "width", "channels"])?;
            Ok(Input::Image { height: f.integer(&HEIGHT)?, width: f.integer(&WIDTH)?, channels: f.integer(&CHANNELS)? })
        }
        _ => Ok(Input::Vector { size: Fields::read("input", value, &["kind", "size"])?.integer(&SIZE)? }),
    }
}

/// Whether what was chosen goes together.
fn fit(objective: &Chosen<dyn Objective>, balance: &Chosen<dyn Balance>, latent: &dyn Latent) -> Result<()> {
    let kind = objective.of.kind();
    if objective.of.wants_plain() && !latent.is_plain() {
        let expected = format!("{{ kind: \"gaussian\", size }} without flow or learnt prior, as the objective {kind} wants");
        return Err(Error::option("latent", "another latent", expected));
    }
    let is_code = latent.codes().is_some();
    if is_code && !["elbo", "autoencoder"].contains(&kind) {
        return Err(Error::option("objective.kind", kind, "elbo or autoencoder: q of a code has no density to weigh"));
    }
    if is_code && balance.of.kind() != "constant" {
        let expected = "constant: the KL of codes is constant, nothing balances it";
        return Err(Error::option("balance.kind", balance.of.kind(), expected));
    }
    if !objective.of.is_balanced() && balance.of.kind() != "constant" {
        let kinds: Vec<&str> = objective::REGISTRY.iter().filter(|o| o.is_balanced()).map(|o| o.kind()).collect();
        let expected = format!("constant: {kind} has no reconstruction and KL to balance; {} have", kinds.join(", "));
        return Err(Error::option("balance.kind", balance.of.kind(), expected));
    }
    Ok(())
}

/// Everything that can be chosen, with ranges and defaults, for pages that build their controls from it.
pub fn catalogue() -> Value {
    let list = |parameters: &[Parameter]| Value::Array(parameters.iter().map(Parameter::to_json).collect());
    let likelihoods: Vec<Value> =
        likelihood::REGISTRY.iter().map(|l| json!({ "kind": l.kind, "parameters": list(l.parameters) })).collect();
    let latents: Vec<Value> =
        latent::REGISTRY.iter().map(|l| json!({ "kind": l.kind, "parameters": list(l.parameters) })).collect();
    let (flows, priors) = latent::catalogue();
    json!({
        "encoder": [
            { "kind": "mlp", "parameters": list(&network::MLP) },
            { "kind": "conv", "parameters": list(&network::CONV) },
            { "kind": "residual", "parameters": list(&network::RESIDUAL) },
        ],
        "latent": latents,
        "flow": flows,
        "prior": priors,
        "likelihood": likelihoods,
        "objective": objective::REGISTRY.iter().map(|o| o.to_json()).collect::<Vec<Value>>(),
        "balance": balance::REGISTRY.iter().map(|b| b.to_json()).collect::<Vec<Value>>(),
        "condition": condition::catalogue(),
        "codePrior": prior::catalogue(),
    })
}
