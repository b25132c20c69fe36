//! A user's data set, checked against the model before anything is allocated.

use crate::error::{Error, Result};
use crate::shape::{DType, Meta, Shape};
use crate::vae::Model;

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
}

/// Row numbers are exact as single-precision numbers up to here.
const MAX_ROWS: usize = 1 << 24;

impl<'a> Data<'a> {
    /// `what` is its name in errors, such as `data` or `validation`.
    pub fn check(what: &str, values: Values<'a>, shape: &[usize], model: &Model) -> Result<Data<'a>> {
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
            Values::U8(v) => v.iter().position(|x| !support.holds_byte(*x)).map(|i| (i, format!("the byte {}", v[i]))),
            Values::F32(v) => v.iter().position(|x| !support.holds(*x)).map(|i| (i, v[i].to_string())),
        };
        if let Some((i, got)) = fault {
            return Err(Error::data(format!("{what}.values[{i}]"), got, support.wanted()));
        }
        Ok(Data { values, shape })
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
    pub fn bytes(&self, start: usize, end: usize) -> Vec<u8> {
        let event = self.shape.size() / self.rows();
        let (from, to) = (start * event, end.min(self.rows()) * event);
        let mut bytes = match self.values {
            Values::U8(v) => v[from..to].to_vec(),
            Values::F32(v) => bytemuck::cast_slice(&v[from..to]).to_vec(),
        };
        bytes.resize(self.dtype().bytes((end - start) * event), 0);
        bytes
    }
}
