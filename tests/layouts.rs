//! Which layout a kernel gets, read off its text: results do not tell, as every layout computes the same.
#![cfg(not(target_arch = "wasm32"))]

use std::rc::Rc;

use reparam::autodiff::gradients;
use reparam::backend::gpu::{Config, Family, Products, module, spread};
use reparam::error::Result;
use reparam::expr::{Scalar, Unary, input};
use reparam::graph::{Edge, Graph};
use reparam::ops::{self, adam::Adam, map::map};
use reparam::plan::Plan;
use reparam::shape::Meta;

fn config(family: Family, products: &str) -> Config {
    Config { family, products: Products::from_name(products).expect("it is one of the choices"), quads: false }
}

/// The text of a graph's one kernel.
fn text(g: &Graph, family: Family, products: &str) -> String {
    let plan = Plan::compile(g).expect("it has a plan");
    let [kernel] = &plan.kernels[..] else { panic!("there is more than one kernel: {plan}") };
    module(&plan, kernel, config(family, products)).expect("it has a shader").wgsl
}

fn product([m, n, k]: [usize; 3]) -> Graph {
    let mut g = Graph::new();
    let (a, b) = (g.input("a", Meta::f32([m, k])), g.input("b", Meta::f32([k, n])));
    let y = ops::matmul(&mut g, a, b, false, false).expect("the shapes fit");
    g.output("y", y);
    g
}

fn is_set(text: &str, constant: &str, value: u32) -> bool {
    text.contains(&format!("const {constant}: u32 = {value}u;"))
}

#[test]
fn large_products_have_sixteen_rows_and_columns_a_thread_where_the_layout_says_so() {
    for (sizes, products, quads) in [
        ([391, 402, 427], "reg-16x16", 4),
        ([391, 402, 427], "reg-8x8", 2),
        ([391, 402, 426], "reg-16x16", 2),
        ([128, 784, 400], "reg-16x16", 2),
    ] {
        let text = text(&product(sizes), Family::Software, products);
        assert!(is_set(&text, "ROW_QUADS", quads) && is_set(&text, "QUADS", quads), "{sizes:?} {products}:\n{text}");
    }
}

#[test]
fn four_threads_side_by_side_read_for_each_other_where_the_device_has_quads() {
    let of = |sizes, products, quads| {
        let plan = Plan::compile(&product(sizes)).expect("it has a plan");
        let config = Config { quads, ..config(Family::Software, products) };
        module(&plan, &plan.kernels[0], config).expect("it has a shader").wgsl
    };
    for (sizes, products, shared, tile) in [
        ([128, 784, 400], "reg-16x16", 1, [4, 2]),
        ([128, 16, 4096], "reg-16x16", 1, [4, 1]),
        ([128, 784, 400], "reg-8x8", 1, [2, 2]),
        ([128, 20, 40], "reg-16x16", 1, [2, 1]),
        ([128, 8, 400], "reg-16x16", 0, [2, 1]),
        ([1, 784, 400], "reg-16x16", 0, [1, 1]),
    ] {
        let text = of(sizes, products, true);
        let [rows, cols] = tile;
        assert!(
            is_set(&text, "SHARED", shared) && text.contains("quadBroadcast") == (shared == 1),
            "{sizes:?} {products}:\n{text}"
        );
        assert!(is_set(&text, "ROW_QUADS", rows) && is_set(&text, "QUADS", cols), "{sizes:?} {products}:\n{text}");
        assert!(!of(sizes, products, false).contains("quadBroadcast"), "{sizes:?} {products}");
    }
}

/// A convolution of images of 32 × 32, batch × channels, to half the size, and what is made of it.
fn convolution([batch, ci, co]: [usize; 3], activation: impl Fn(Scalar) -> Scalar) -> Graph {
    let mut g = Graph::new();
    let (x, w) = (g.input("x", Meta::f32([batch, 32, 32, ci])), g.input("w", Meta::f32([4, 4, ci, co])));
    let y = ops::conv2d(&mut g, x, w, None, 2, 1).and_then(|y| map(&mut g, activation(input(0)), &[y])).expect("the shapes fit");
    g.output("y", y);
    g
}

#[test]
fn of_few_channels_a_quarter_of_the_work_is_large() {
    for (sizes, quads) in [([16, 32, 32], 4), ([8, 32, 32], 2), ([128, 1, 32], 4), ([64, 1, 32], 2)] {
        let text = text(&convolution(sizes, |y| y), Family::Software, "reg-16x16");
        assert!(is_set(&text, "ROW_QUADS", quads) && is_set(&text, "QUADS", quads), "{sizes:?}:\n{text}");
    }
}

#[test]
fn what_stands_in_fours_is_stored_in_fours() {
    let text = |n| text(&product([64, n, 64]), Family::Software, "reg-16x16");
    for (n, unit) in [(64, 4), (68, 4), (66, 1), (1, 1)] {
        assert!(is_set(&text(n), "UNIT", unit), "{n} columns:\n{}", text(n));
    }
    for (activation, unit) in [(Unary::Relu, 4), (Unary::Sigmoid, 1)] {
        let text = self::text(&convolution([2, 8, 8], |y| y.unary(activation)), Family::Software, "reg-16x16");
        assert!(is_set(&text, "UNIT", unit), "{text}");
    }
    for (n, unit) in [(300, 4), (130, 1)] {
        let mut g = Graph::new();
        let states = ["w", "m", "v"].map(|name| g.state(name, [n]));
        let gradient = g.input("g", Meta::f32([n]));
        let next = Adam::PLAIN.step(&mut g, &[&states[..], &[gradient]].concat()).expect("the shapes fit");
        states.into_iter().zip(next).for_each(|(state, next)| g.update(state, next).expect("the shapes fit"));
        let wgsl = self::text(&g, Family::Software, "reg-16x16");
        assert!(is_set(&wgsl, "UNIT", unit), "{n} parameters:\n{wgsl}");
        let written = if unit == 4 { "read_write> b1: array<vec4<f32>, 75>" } else { "read_write> b1: array<f32, 130>" };
        assert!(wgsl.contains(written), "{n} parameters:\n{wgsl}");
    }
}

/// The gradient of the weights of a layer whose output is multiplied by y.
fn gradient(x: &[usize], w: &[usize], y: &[usize], layer: impl Fn(&mut Graph, Edge, Edge) -> Result<Edge>) -> Result<Graph> {
    let mut g = Graph::new();
    let (x, w) = (g.input("x", Meta::f32(x)), g.state("w", w));
    let axes: Vec<usize> = (0..y.len()).collect();
    let y = g.input("y", Meta::f32(y));
    let output = layer(&mut g, x, w)?;
    let products = ops::mul(&mut g, output, y)?;
    let loss = ops::reduce::sum(&mut g, products, &axes)?;
    let gradient = gradients(&mut g, loss, &[w])?[0];
    g.output("gradient", gradient);
    Ok(g)
}

#[test]
fn long_sums_are_cut_on_hardware_alone() {
    let conv = |batch| {
        let y = [batch, 28, 28, 8];
        gradient(&y, &[3, 3, 8, 8], &y, |g, x, w| ops::conv2d(g, x, w, None, 1, 1))
    };
    let dense = |batch| gradient(&[batch, 40], &[40, 30], &[batch, 30], |g, x, w| ops::matmul(g, x, w, false, false));
    for (graph, slabs) in [(conv(32), 16), (dense(1024), 4), (dense(128), 1)] {
        let plan = Rc::new(Plan::compile(&graph.expect("the shapes fit")).expect("it has a plan"));
        let on = |family, products| spread(plan.clone(), config(family, products));
        assert!(Rc::ptr_eq(&on(Family::Software, "reg-16x16"), &plan), "{plan}");
        for products in ["reg-8x4", "tile-4x4x8"] {
            let spread = on(Family::Hardware, products);
            let consts = spread.kernels.iter().filter_map(|kernel| kernel.core.as_ref()).flat_map(|call| &call.core.consts);
            let found: Vec<u32> = consts.filter(|(name, _)| *name == "SLABS").map(|(_, slabs)| *slabs).collect();
            assert_eq!(found, [slabs].into_iter().filter(|slabs| *slabs > 1).collect::<Vec<_>>(), "{products}:\n{spread}");
            assert_eq!(spread.kernels.len(), plan.kernels.len() + found.len(), "{products}:\n{spread}");
        }
    }
}
