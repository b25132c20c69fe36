//! y[i…, j…] = table[index[i…], j…], and its gradient, which adds rows up where indices repeat.
//! table: (rows, …) of any type, index: (…) u32; an index past the end reads the last row.

use crate::error::{Error, Result};
use crate::expr::{Env, input};
use crate::graph::{Array, Core, CoreInput, Dim, Edge, Graph, Index, Launch, MapLaunch, Op, Operand, View, Vjp, is_differentiable};
use crate::ops::{Example, reshape};
use crate::shape::{DType, Meta};

#[derive(Debug)]
pub struct Gather;

/// y: (rows, cols), row r the sum of dy's rows whose index is r. index: (count), dy: (count, cols).
#[derive(Debug)]
pub struct ScatterAdd {
    pub rows: usize,
}

pub fn gather(g: &mut Graph, table: Edge, index: Edge) -> Result<Edge> {
    g.add_op(Gather, &[table, index])
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let (table, index) = (inputs[0], inputs[1]);
        if table.shape.rank() == 0 || table.shape.size() == 0 || index.dtype != DType::U32 {
            let (t, i, kind) = (&table.shape, &index.shape, index.dtype.name());
            return Err(Error::shape("gather", format!("table {t}, index {i} of {kind}: wants rows, and an index of u32")));
        }
        Ok(vec![Meta::f32([index.shape.dims(), &table.shape.dims()[1..]].concat())])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0].filter(|_| is_differentiable(g.meta(at.inputs[0]))) else { return Ok(vec![None, None]) };
        let table = g.shape(at.inputs[0]).clone();
        let (rows, count) = (table.dims()[0], g.shape(at.inputs[1]).size());
        let index = reshape(g, at.inputs[1], [count])?;
        let dy = reshape(g, dy, [count, table.size() / rows])?;
        let dtable = g.add_op(ScatterAdd { rows }, &[index, dy])?;
        Ok(vec![Some(reshape(g, dtable, table)?), None])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let rows = inputs[0].shape.dims()[0];
        let cols = inputs[0].shape.size() / rows;
        let value = |i: usize| inputs[0].data[(inputs[1].data[i / cols] as usize).min(rows - 1) * cols + i % cols];
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (table, index, domain) = (&inputs[0].shape, &inputs[1].shape, outputs[0].shape.clone());
        let lead = index.rank();
        let (of_table, of_index) = (table.strides(), index.strides());
        let dims = |stride: &dyn Fn(usize) -> usize| (0..domain.rank()).map(|d| Dim::new(domain.dims()[d], stride(d))).collect();
        let row = View {
            dims: dims(&|d| if d < lead { 0 } else { of_table[d - lead + 1] }),
            offset: 0,
            row: None,
            index: Some(Index { operand: 1, stride: of_table[0], len: table.dims()[0] }),
            sum: None,
        };
        let at = View { dims: dims(&|d| if d < lead { of_index[d] } else { 0 }), offset: 0, row: None, index: None, sum: None };
        let operands = vec![Operand { input: 0, view: row }, Operand { input: 1, view: at }];
        Launch::Map(MapLaunch { domain, operands, roots: vec![input(0)], is_update: false })
    }
}

impl Op for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match (inputs[0].shape.dims(), inputs[1].shape.dims()) {
            (&[n], &[m, cols]) if n == m => Ok(vec![Meta::f32([self.rows, cols])]),
            _ => Err(Error::shape(
                "scatter_add",
                format!("index {}, dy {}: wants (count) and (count, cols)", inputs[0].shape, inputs[1].shape),
            )),
        }
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let cols = outputs[0].shape.dims()[1];
        let mut y = Array::zeros(outputs[0].shape.clone());
        for (i, dy) in inputs[1].data.chunks(cols).enumerate() {
            let row = (inputs[0].data[i] as usize).min(self.rows - 1);
            for (sum, d) in y.data[row * cols..].iter_mut().zip(dy) {
                *sum += d;
            }
        }
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let cols = outputs[0].shape.dims()[1];
        Launch::Core(Core {
            shader: "scatter_add",
            consts: vec![("ROWS", self.rows as u32), ("COLS", cols as u32), ("COUNT", inputs[0].shape.size() as u32)],
            inputs: vec![CoreInput::new("index", 0), CoreInput::new("dy", 1)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [cols as u32, self.rows as u32, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let rows = |table: &[usize], index: &[usize]| Example::new(Gather, &[table, index]).index(1, DType::U32, table[0]);
    let bytes = |table: &[usize], index: &[usize]| {
        let example = rows(table, index).index(0, DType::U8, 256);
        Example { has_gradient: false, ..example }
    };
    let scatter = |n: usize, count: usize, cols: usize| {
        Example::new(ScatterAdd { rows: n }, &[&[count], &[count, cols]]).index(0, DType::U32, n).without_gradient()
    };
    vec![
        rows(&[1], &[1]),
        rows(&[5, 3], &[7]),
        rows(&[9, 2, 5], &[4, 3]),
        bytes(&[6, 7], &[70]),
        bytes(&[3, 4, 4, 1], &[5]),
        scatter(1, 1, 1),
        scatter(5, 90, 3),
    ]
}
