//! A user's data set, checked against the model before anything is allocated.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::{Error, Result, fits, reserved};
use crate::fields::{Fields, show};
use crate::shape::{DType, Meta, Shape};
use crate::train::programs::Resident;
use crate::vae::Model;
use crate::vae::condition::Condition;
use crate::vae::prior::MAX_CLASSES;

/// Bytes 0…255 stand for 0…1.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    U8(&'a [u8]),
    F32(&'a [f32]),
}

/// (n, example…)
#[derive(Clone, Debug)]
pub struct Data<'a> {
    pub values: Values<'a>,
    pub shape: Shape,
    /// What a conditional model is told of each example: (n, columns), the last one 1 where the others are known and 0 where not.
    labels: Option<Labels>,
    /// What a model without a condition was given, unread.
    given: Option<&'a [f32]>,
}

#[derive(Clone, Debug)]
struct Labels {
    values: Vec<f32>,
    columns: usize,
}

/// Row numbers are exact as single-precision numbers up to here.
const MAX_ROWS: usize = 1 << 24;

impl<'a> Data<'a> {
    /// `what` is its name in errors, such as `data` or `validation`. `labels`: a conditional model's, (n, columns) in one row; without them
    /// nothing is known of any example.
    pub fn check(what: &str, values: Values<'a>, shape: &[usize], labels: Option<&'a [f32]>, model: &Model) -> Result<Data<'a>> {
        let shape = Shape::from(shape);
        let event = model.options.input.shape();
        let wanted = || format!("n×{event}");
        let fits = shape.rank() == event.rank() + 1 && shape.dims()[1..] == *event.dims();
        if !fits || shape.dims()[0] == 0 {
            return Err(Error::data(format!("{what}.shape"), shape, format!("{} with n at least 1", wanted())));
        }
        if shape.dims()[0] > MAX_ROWS {
            return Err(Error::data(format!("{what}.shape"), shape, format!("at most {MAX_ROWS} examples")));
        }
        let len = match values {
            Values::U8(v) => v.len(),
            Values::F32(v) => v.len(),
        };
        if len != shape.size() {
            return Err(Error::data(
                format!("{what}.values"),
                format!("{len} values"),
                format!("{} for the shape {shape}", shape.size()),
            ));
        }
        let support = model.options.likelihood.support();
        let fault = match values {
            Values::U8(_) if (0..=u8::MAX).all(|x| support.holds_byte(x)) => None,
            Values::U8(v) => v.iter().position(|x| !support.holds_byte(*x)).map(|i| (i, format!("the byte {}", v[i]))),
            Values::F32(v) => v.iter().position(|x| !support.holds(*x)).map(|i| (i, v[i].to_string())),
        };
        if let Some((i, got)) = fault {
            return Err(Error::data(format!("{what}.values[{i}]"), got, support.wanted()));
        }
        let given = labels;
        let labels = match &model.options.condition {
            None => {
                let n = shape.dims()[0];
                if let Some(labels) = labels.filter(|l| l.len() != n) {
                    return Err(Error::data(
                        format!("{what}.labels"),
                        format!("{} labels", labels.len()),
                        format!("{n}: one for each example"),
                    ));
                }
                None
            }
            Some(condition) => {
                let n = shape.dims()[0];
                let values = known(condition, &format!("{what}.labels"), labels, n)?;
                Some(Labels { values, columns: condition.columns() + 1 })
            }
        };
        let given = given.filter(|_| model.options.condition.is_none());
        Ok(Data { values, shape, labels, given })
    }

    /// Whether it says something of some example.
    pub fn is_labelled(&self) -> bool {
        self.labels.as_ref().is_none_or(|l| l.values.chunks(l.columns).any(|row| row[l.columns - 1] > 0.0))
    }

    /// Whether labels say something of some example, be they the model's or not.
    pub fn has_labels(&self) -> bool {
        match &self.labels {
            Some(_) => self.is_labelled(),
            None => self.given.is_some_and(|given| given.iter().any(|x| *x >= 0.0)),
        }
    }

    /// How many classes the labels of a model without a condition are of, where any are known.
    pub fn classes(&self, what: &str) -> Result<Option<usize>> {
        let given = self.given.unwrap_or_default();
        let fits = |x: f32| x.fract() == 0.0 && x >= -1.0 && x < MAX_CLASSES as f32;
        if let Some(i) = given.iter().position(|x| !fits(*x)) {
            let expected = format!("a class from 0 to {}, or -1 where it is not known", MAX_CLASSES - 1);
            return Err(Error::data(format!("{what}.labels[{i}]"), given[i], expected));
        }
        let top = given.iter().copied().fold(-1.0f32, f32::max);
        Ok((top >= 0.0).then(|| (top as usize + 1).max(2)))
    }

    /// The labels of all rows for a prior's condition, which is the model's where that has one: (n, columns + 1).
    pub fn labels_of(&self, what: &str, condition: &Condition) -> Result<Vec<f32>> {
        match &self.labels {
            Some(labels) => Ok(labels.values.clone()),
            None => known(condition, &format!("{what}.labels"), self.given, self.rows()),
        }
    }

    /// What a plan is built from that reads it whole.
    pub fn resident(&self) -> Resident {
        Resident { data: self.meta(), labels: self.labels.as_ref().map(|l| l.columns) }
    }

    /// The labels of rows `start..end`, zero where the rows end before `end`.
    pub fn label_rows(&self, start: usize, end: usize) -> Option<Vec<f32>> {
        let Labels { values, columns } = self.labels.as_ref()?;
        let mut rows = values[start * columns..end.min(self.rows()) * columns].to_vec();
        rows.resize((end - start) * columns, 0.0);
        Some(rows)
    }

    pub fn rows(&self) -> usize {
        self.shape.dims()[0]
    }

    pub fn meta(&self) -> Meta {
        Meta { shape: self.shape.clone(), dtype: self.dtype() }
    }

    pub fn dtype(&self) -> DType {
        match self.values {
            Values::U8(_) => DType::U8,
            Values::F32(_) => DType::F32,
        }
    }

    /// Rows `start..end` as a buffer's bytes, whole words, zero where the rows end before `end`.
    pub fn bytes(&self, start: usize, end: usize) -> Cow<'a, [u8]> {
        let event = self.shape.size() / self.rows();
        let (from, to) = (start * event, end.min(self.rows()) * event);
        let bytes = match self.values {
            Values::U8(v) => &v[from..to],
            Values::F32(v) => bytemuck::cast_slice(&v[from..to]),
        };
        let wanted = self.dtype().bytes((end - start) * event);
        if bytes.len() == wanted {
            return bytes.into();
        }
        let mut padded = Vec::with_capacity(wanted);
        padded.extend_from_slice(bytes);
        padded.resize(wanted, 0);
        padded.into()
    }
}

/// Labels with a last column of whether they are known: (n, columns + 1).
fn known(condition: &Condition, path: &str, labels: Option<&[f32]>, n: usize) -> Result<Vec<f32>> {
    let columns = condition.columns();
    let mut rows = reserved(n as u64 * (columns as u64 + 1))?;
    let Some(labels) = labels else {
        rows.resize(n * (columns + 1), 0.0);
        return Ok(rows);
    };
    if labels.len() != n * columns {
        let expected = format!("{}: {columns} for each of {n} examples", n * columns);
        return Err(Error::data(path, format!("{} numbers", labels.len()), expected));
    }
    for (i, row) in labels.chunks(columns).enumerate() {
        if let Some((k, expected)) = condition.fault(row) {
            return Err(Error::data(format!("{path}[{}]", i * columns + k), row[k], expected));
        }
        rows.extend_from_slice(row);
        rows.push(f32::from(u8::from(condition.is_known(row))));
    }
    Ok(rows)
}

/// The option `labels` of n rows: one list of numbers for all of them or for each, or a number where one says it all; nothing is known
/// without it. None where the model is not conditional.
pub fn given_labels(fields: &Fields, n: usize, condition: Option<&Condition>) -> Result<Option<Vec<f32>>> {
    let path = fields.at("labels");
    let given = fields.get("labels");
    let Some(condition) = condition else {
        return match given {
            Some(value) => Err(Error::option(path, show(value), "a conditional model: this one was made without a condition")),
            None => Ok(None),
        };
    };
    let columns = condition.columns();
    let Some(value) = given else { return known(condition, &path, None, n).map(Some) };
    let list = match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let number = |(i, v): (usize, &Value)| {
        let x = v.as_f64().ok_or_else(|| Error::option(format!("{path}[{i}]"), show(v), "a number"))?;
        Ok(x as f32)
    };
    let mut labels: Vec<f32> = list.iter().enumerate().map(number).collect::<Result<_>>()?;
    if labels.len() == columns {
        fits(n as u64 * columns as u64 * size_of::<f32>() as u64)?;
        labels = labels.repeat(n);
    }
    known(condition, &path, Some(&labels), n).map(Some)
}
