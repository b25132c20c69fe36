//! A dense array of doubles: what the oracle computes with.

use crate::shape::Shape;

#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Shape,
    pub data: Vec<f64>,
}

impl Array {
    pub fn new(shape: impl Into<Shape>, data: Vec<f64>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.size(), data.len(), "an array of shape {shape} with {} values", data.len());
        Array { shape, data }
    }

    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = vec![0.0; shape.size()];
        Array { shape, data }
    }

    pub fn from_fn(shape: impl Into<Shape>, f: impl FnMut(usize) -> f64) -> Self {
        let shape = shape.into();
        let data = (0..shape.size()).map(f).collect();
        Array { shape, data }
    }
}
