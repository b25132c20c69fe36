//! Graphs whose maps are computed inside other kernels, by a backend and by the oracle.

use reparam::autodiff::gradients;
use reparam::backend::Backend;
use reparam::error::Result;
use reparam::expr::input;
use reparam::graph::{Array, Edge, Graph, Source};
use reparam::ops::adam::Adam;
use reparam::ops::{self, map};
use reparam::plan::Plan;
use reparam::rng;
use reparam::shape::{DType, Meta};

use super::{Named, by_backend, by_oracle, env};

/// A graph, and how many dispatches it takes.
type Case = (String, Graph, usize);

fn leaf(g: &mut Graph, name: &str, shape: &[usize]) -> Edge {
    g.input(name, Meta::f32(shape))
}

/// The mean square of y, and its gradients.
fn learn(g: &mut Graph, y: Edge, wrt: &[Edge]) -> Result<()> {
    let square = map(g, input(0).square(), &[y])?;
    let axes: Vec<usize> = (0..g.shape(square).rank()).collect();
    let loss = ops::mean(g, square, &axes)?;
    for (k, dx) in gradients(g, loss, wrt)?.into_iter().enumerate() {
        g.output(&format!("d{k}"), dx);
    }
    Ok(())
}

/// A draw from N(mean, exp(logvar)), both halves of a dense layer's value: one kernel.
fn draw(rows: usize, inner: usize, n: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let [x, w, b] = [("x", vec![rows, inner]), ("w", vec![inner, 2 * n]), ("b", vec![2 * n])].map(|(k, s)| leaf(&mut g, k, &s));
    let head = ops::affine(&mut g, x, w, b)?;
    let (mean, logvar) = ops::halves(&mut g, head)?;
    let logvar = map(&mut g, input(0).clamp(-1.5, 1.0), &[logvar])?;
    let z = ops::reparameterize(&mut g, mean, logvar, 3)?;
    g.output("z", z);
    g.output("logvar", logvar);
    Ok(g)
}

/// The same with the gradients of all three: the head's is stored in halves too.
fn draw_gradient(rows: usize, inner: usize, n: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let [x, w, b, v] = [("x", vec![rows, inner]), ("w", vec![inner, 2 * n]), ("b", vec![2 * n]), ("v", vec![n, 6])]
        .map(|(k, s)| leaf(&mut g, k, &s));
    let head = ops::affine(&mut g, x, w, b)?;
    let (mean, logvar) = ops::halves(&mut g, head)?;
    let z = ops::reparameterize(&mut g, mean, logvar, 3)?;
    let y = ops::matmul(&mut g, z, v, false, false)?;
    learn(&mut g, y, &[x, w, b])?;
    Ok(g)
}

/// Bytes of rows that an index chooses.
fn chosen(g: &mut Graph, shape: &[usize], batch: usize, dtype: DType) -> Result<Edge> {
    let data = g.input("data", Meta { shape: [&[9], shape].concat().into(), dtype });
    let order = g.input("order", Meta::u32([3, batch]));
    let index = ops::step_row::step_row(g, order)?;
    let x = ops::gather(g, data, index)?;
    ops::scale(g, x, 1.0 / 255.0)
}

/// An autoencoder of one dense layer on chosen rows, which are read in a load, in a store and in a gradient's load.
fn dense(cols: usize, batch: usize, dtype: DType) -> Result<Graph> {
    let mut g = Graph::new();
    let x = chosen(&mut g, &[cols], batch, dtype)?;
    let [w, b] = [("w", vec![cols, cols]), ("b", vec![cols])].map(|(k, s)| leaf(&mut g, k, &s));
    let y = ops::affine(&mut g, x, w, b)?;
    let difference = ops::sub(&mut g, y, x)?;
    learn(&mut g, difference, &[w, b])?;
    Ok(g)
}

/// A convolution of chosen images and the gradients of its weights and bias; likewise back up.
fn conv(side: usize, channels: usize, out: usize, stride: usize, dtype: DType) -> Result<Graph> {
    let mut g = Graph::new();
    let x = chosen(&mut g, &[side, side, channels], 4, dtype)?;
    let shapes = [("w", vec![3, 3, channels, out]), ("b", vec![out]), ("v", vec![3, 3, out, channels]), ("c", vec![channels])];
    let [w, b, v, c] = shapes.map(|(k, s)| leaf(&mut g, k, &s));
    let y = ops::conv2d(&mut g, x, w, Some(b), stride, 1)?;
    let z = ops::conv_transpose2d(&mut g, y, v, Some(c), stride, 1, (side, side))?;
    let difference = ops::sub(&mut g, z, x)?;
    learn(&mut g, difference, &[w, b, v, c])?;
    Ok(g)
}

/// A clipped step of Adam in the dispatch of the metrics.
fn update(size: usize, parts: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let gradient = leaf(&mut g, "gradient", &[size]);
    let squares = map(&mut g, input(0).square(), &[gradient])?;
    let total = ops::reduce::sum_parts(&mut g, squares, parts)?;
    let states = ["w", "m", "v"].map(|name| g.state(name, [size]));
    let adam = Adam { is_clipped: true, ..Adam::PLAIN };
    let next = adam.step(&mut g, &[&states[..], &[gradient, total]].concat())?;
    states.into_iter().zip(next).try_for_each(|(state, next)| g.update(state, next))?;
    let values = leaf(&mut g, "values", &[70, 3]);
    let ring = g.leaf(Source::Scratch("ring".into()), Meta::f32([2, 1]));
    let written = ops::totals::write_totals(&mut g, ring, &[values], 0.5)?;
    g.update(ring, written)?;
    Ok(g)
}

fn cases() -> Result<Vec<Case>> {
    let mut list = Vec::new();
    for (rows, inner, n) in [(1, 3, 1), (5, 8, 2), (9, 7, 3), (33, 130, 4), (6, 5, 9), (40, 12, 20)] {
        list.push((format!("draw {rows} {inner} {n}"), draw(rows, inner, n)?, 1));
        list.push((format!("gradient of a draw {rows} {inner} {n}"), draw_gradient(rows, inner, n)?, 5));
    }
    for (cols, batch, dtype) in [(1, 1, DType::U8), (12, 5, DType::U8), (7, 6, DType::U8), (70, 33, DType::U8), (12, 5, DType::F32)]
    {
        list.push((format!("dense {cols} {batch} {dtype:?}"), dense(cols, batch, dtype)?, 2));
    }
    for (side, channels, out, stride) in [(5, 1, 4, 1), (6, 1, 8, 2), (7, 3, 5, 2), (6, 4, 8, 1), (5, 10, 3, 2), (8, 8, 16, 2)] {
        for dtype in [DType::U8, DType::F32] {
            list.push((format!("conv {side} {channels} {out} {stride} {dtype:?}"), conv(side, channels, out, stride, dtype)?, 5));
        }
    }
    for (size, parts) in [(64, 64), (1030, 10), (5000, 500)] {
        list.push((format!("update {size} {parts}"), update(size, parts)?, 2));
    }
    Ok(list)
}

fn value(source: &Source, meta: &Meta) -> Array {
    let unit = |i: usize| f64::from(rng::unit(rng::word([23, 5], source.label().len() as u32, 0, i as u32)));
    Array::from_fn(meta.shape.clone(), |i| match (source.label(), meta.dtype) {
        ("order", _) => (unit(i) * 9.0).floor(),
        ("data", _) => (unit(i) * 256.0).floor(),
        ("v", _) if meta.shape.rank() == 1 => unit(i),
        _ => f64::from((unit(i) - 0.5) as f32),
    })
}

/// The number of values compared.
pub async fn check(backend: &mut Backend) -> usize {
    let mut compared = 0;
    for (name, g, dispatches) in cases().expect("the graphs are sound") {
        let plan = Plan::compile(&g).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(plan.kernels.len() <= dispatches, "{name}: wants {dispatches} dispatches\n{plan}");
        let leaves: Named =
            g.sources().iter().map(|(edge, source)| (source.label().to_string(), value(source, g.meta(*edge)))).collect();
        let want = by_oracle(&g, &env(), &leaves);
        let got = by_backend(backend, &g, &env(), &leaves).await;
        for (key, want) in &want {
            let size = want.data.iter().fold(1.0f64, |m, x| m.max(x.abs()));
            for (i, (got, want)) in got[key].data.iter().zip(&want.data).enumerate() {
                // As for single operations: rounding of 6e-8, in sums of up to 1,000 products of values near 1.
                assert!((got - want).abs() <= 2e-5 * size, "{name}: {key}[{i}] is {got}, wants {want}\n{plan}");
                compared += 1;
            }
        }
    }
    compared
}
