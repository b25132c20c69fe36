//! What a model is told beside x: labels and numbers of each example, as one vector that the encoder reads beside x and the decoder beside
//! z (Sohn et al. 2015; Kingma et al. 2014). In training an example's vector is left out with probability `dropout`, so that one model knows
//! p(x|c) and p(x), and samples can be guided by their difference (Ho & Salimans 2022).

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::expr::{Binary, Law, constant, control, input, noise, position, select};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub attributes: Vec<Attribute>,
    pub dropout: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// One of `classes`, as a one-hot vector or a learnt one of `embedding` values.
    Class { classes: usize, embedding: Option<usize> },
    /// `size` numbers.
    Numbers { size: usize },
}

const CLASSES: Parameter = Parameter::integer("classes", Default::Absent, 2, 65_536);
const EMBEDDING: Parameter = Parameter::integer("embedding", Default::Absent, 1, 4096);
const SIZE: Parameter = Parameter::integer("size", Default::Absent, 1, 4096);
/// The share of examples whose vector is left out.
pub const DROPOUT: Parameter = Parameter::number("dropout", Default::Number(0.1), 0.0, 1.0).live();
/// More attributes than this are a mistake.
const MAX_ATTRIBUTES: usize = 64;
/// The stream of the choice of whose vector is left out.
const STREAM: u32 = 9;

pub fn catalogue() -> Value {
    json!([
        { "kind": "class", "parameters": [CLASSES.to_json(), EMBEDDING.to_json()] },
        { "kind": "numbers", "parameters": [SIZE.to_json()] },
        { "kind": "condition", "parameters": [DROPOUT.to_json()] },
    ])
}

impl Condition {
    /// `{ classes }`, `{ size }`, or `{ attributes: [...] }` of several; each with `dropout`.
    pub fn read(value: &Value) -> Result<Condition> {
        let fields = Fields::read("condition", value, &["classes", "embedding", "size", "attributes", "dropout"])?;
        let dropout = fields.number(&DROPOUT)?;
        let attributes = match fields.get("attributes") {
            None => vec![Attribute::read(&fields)?],
            Some(Value::Array(list)) if (1..=MAX_ATTRIBUTES).contains(&list.len()) => {
                if let Some(key) = ["classes", "embedding", "size"].into_iter().find(|key| fields.get(key).is_some()) {
                    let expected = "either one attribute here, or a list of attributes";
                    return Err(Error::option(fields.at(key), "an attribute beside a list of them", expected));
                }
                let one = |(i, v)| {
                    let path = format!("condition.attributes[{i}]");
                    Attribute::read(&Fields::read(&path, v, &["classes", "embedding", "size"])?)
                };
                list.iter().enumerate().map(one).collect::<Result<_>>()?
            }
            Some(other) => {
                let expected = format!("a list of 1 to {MAX_ATTRIBUTES} attributes");
                return Err(Error::option("condition.attributes", crate::fields::show(other), expected));
            }
        };
        Ok(Condition { attributes, dropout })
    }

    /// How many numbers say it: the columns of an example's labels.
    pub fn columns(&self) -> usize {
        self.attributes.iter().map(Attribute::columns).sum()
    }

    /// What is wrong with an example's labels, if anything: (column, what was expected). A label below 0 means that none is known.
    pub fn fault(&self, labels: &[f32]) -> Option<(usize, String)> {
        let mut column = 0;
        for attribute in &self.attributes {
            for k in 0..attribute.columns() {
                let x = labels[column + k];
                let expected = match attribute {
                    Attribute::Class { classes, .. } => {
                        let fits = x.fract() == 0.0 && x >= -1.0 && x < *classes as f32;
                        (!fits).then(|| format!("a class from 0 to {}, or -1 where it is not known", classes - 1))
                    }
                    Attribute::Numbers { .. } => (!x.is_finite()).then(|| "a finite number".to_string()),
                };
                if let Some(expected) = expected {
                    return Some((column + k, expected));
                }
            }
            column += attribute.columns();
        }
        None
    }

    /// Whether an example's labels say anything: no class of it is unknown.
    pub fn is_known(&self, labels: &[f32]) -> bool {
        let mut column = 0;
        self.attributes.iter().all(|attribute| {
            let x = labels[column];
            column += attribute.columns();
            matches!(attribute, Attribute::Numbers { .. }) || x >= 0.0
        })
    }

    /// The labels as a training step tells them, those of a share `dropout` of the examples as unknown. Whatever reads an example's
    /// vector, the encoder or the decoder, for one draw of z or several, must be told the same.
    pub fn dropped(&self, g: &mut Graph, labels: Edge) -> Result<Edge> {
        let dropped = noise(STREAM, Law::Uniform).less(&control(DROPOUT.name));
        let kept = ops::map_to(g, [g.shape(labels).dims()[0], 1], select(&dropped, &constant(0.0), &constant(1.0)), &[])?;
        ops::mul(g, labels, kept)
    }

    /// The vector: (batch, width). labels: (batch, columns + 1), the last column 1 where they are known and 0 where not.
    pub fn vector(&self, g: &mut Graph, p: &mut Params, labels: Edge) -> Result<Edge> {
        let width = self.columns() + 1;
        let known = ops::slice(g, labels, 1, width - 1, width)?;
        let (mut parts, mut column) = (vec![known], 0);
        for (i, attribute) in self.attributes.iter().enumerate() {
            let n = attribute.columns();
            let value = ops::slice(g, labels, 1, column, column + n)?;
            column += n;
            parts.push(match attribute {
                Attribute::Numbers { .. } => ops::mul(g, value, known)?,
                Attribute::Class { classes, embedding } => {
                    let places = ops::map_to(g, [1, *classes], position(), &[])?;
                    let hit = input(0).binary(Binary::Equal, &input(1)) * input(2);
                    let one_hot = ops::map(g, hit, &[value, places, known])?;
                    match embedding {
                        None => one_hot,
                        Some(size) => {
                            let init = Init::Uniform { limit: 1.0 };
                            let table = p.get(g, &format!("condition.{i}"), [*classes, *size], init)?;
                            ops::matmul(g, one_hot, table, false, false)?
                        }
                    }
                }
            });
        }
        ops::concat(g, &parts, 1)
    }
}

impl Attribute {
    fn read(fields: &Fields) -> Result<Attribute> {
        match (fields.optional_integer(&CLASSES)?, fields.optional_integer(&SIZE)?) {
            (Some(classes), None) => Ok(Attribute::Class { classes, embedding: fields.optional_integer(&EMBEDDING)? }),
            (None, Some(size)) if fields.get("embedding").is_none() => Ok(Attribute::Numbers { size }),
            (None, Some(_)) => Err(Error::option(fields.at("embedding"), "an embedding of numbers", "classes, for an embedding")),
            (Some(_), Some(_)) => Err(Error::option(fields.at("size"), "both classes and size", "one of the two")),
            (None, None) => Err(Error::option(fields.at("classes"), "nothing", "classes, or the size of a list of numbers")),
        }
    }

    fn columns(&self) -> usize {
        match self {
            Attribute::Class { .. } => 1,
            Attribute::Numbers { size } => *size,
        }
    }
}
