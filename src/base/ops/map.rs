//! y[i] = expr(x₀[i], x₁[i], …) over the broadcast of all inputs: every elementwise function is this one operation.

use crate::error::{Error, Result};
use crate::expr::{Binary, Env, Law, Program, Scalar, Term, Unary, constant, control, core, input, noise, position, select};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View, Vjp, coordinates, is_differentiable};
use crate::ops::{Draw, Example, reduce};
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct Map {
    pub expr: Scalar,
    /// At least this shape: where an expression has noise or no inputs.
    pub at_least: Option<Shape>,
    /// Gradients end here.
    pub is_barrier: bool,
}

/// `expr` over the broadcast of `inputs`.
pub fn map(g: &mut Graph, expr: Scalar, inputs: &[Edge]) -> Result<Edge> {
    g.add_op(Map { expr, at_least: None, is_barrier: false }, inputs)
}

/// `expr` over `shape`, to which the inputs are broadcast.
pub fn map_to(g: &mut Graph, shape: impl Into<Shape>, expr: Scalar, inputs: &[Edge]) -> Result<Edge> {
    g.add_op(Map { expr, at_least: Some(shape.into()), is_barrier: false }, inputs)
}

pub fn fill(g: &mut Graph, shape: impl Into<Shape>, value: f64) -> Result<Edge> {
    map_to(g, shape, constant(value), &[])
}

pub fn add(g: &mut Graph, a: Edge, b: Edge) -> Result<Edge> {
    map(g, input(0) + input(1), &[a, b])
}

pub fn sub(g: &mut Graph, a: Edge, b: Edge) -> Result<Edge> {
    map(g, input(0) - input(1), &[a, b])
}

pub fn mul(g: &mut Graph, a: Edge, b: Edge) -> Result<Edge> {
    map(g, input(0) * input(1), &[a, b])
}

pub fn neg(g: &mut Graph, x: Edge) -> Result<Edge> {
    map(g, -input(0), &[x])
}

pub fn scale(g: &mut Graph, x: Edge, factor: f64) -> Result<Edge> {
    map(g, input(0) * factor, &[x])
}

/// y = x, with no gradient.
pub fn stop_gradient(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(Map { expr: input(0), at_least: None, is_barrier: true }, &[x])
}

/// `x` summed over the axes along which `shape` was broadcast to it: the gradient of broadcasting.
pub fn unbroadcast(g: &mut Graph, x: Edge, shape: &Shape) -> Result<Edge> {
    let from = g.shape(x).clone();
    let lead = from.rank() - shape.rank();
    let axes: Vec<usize> = (0..from.rank()).filter(|&d| d < lead || (shape.dims()[d - lead] == 1 && from.dims()[d] > 1)).collect();
    let summed = if axes.is_empty() { x } else { reduce::sum(g, x, &axes)? };
    if g.shape(summed) == shape { Ok(summed) } else { crate::ops::reshape(g, summed, shape.clone()) }
}

/// The expression over only those inputs that it reads: a derivative often reads fewer than its function.
fn without_unused(expr: &Scalar, inputs: &[Edge]) -> (Scalar, Vec<Edge>) {
    let mut used = Vec::new();
    let expr = expr.substitute(&mut |leaf| match leaf {
        Term::Input(k) => {
            let at = used.iter().position(|e| *e == inputs[*k]).unwrap_or(used.len());
            if at == used.len() {
                used.push(inputs[*k]);
            }
            input(at)
        }
        _ => core(),
    });
    (expr, used)
}

impl Op for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let mut shape = self.at_least.clone().unwrap_or(Shape::from([]));
        for meta in inputs {
            let clash = || Error::shape("map", format!("{} does not broadcast to {shape}", meta.shape));
            shape = shape.broadcast(&meta.shape).ok_or_else(clash)?;
        }
        if self.at_least.as_ref().is_some_and(|least| *least != shape) {
            return Err(Error::shape("map", format!("inputs of shape {shape} exceed the shape that was asked for")));
        }
        Ok(vec![Meta::f32(shape)])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0].filter(|_| !self.is_barrier) else { return Ok(vec![None; at.inputs.len()]) };
        let n = at.inputs.len();
        let mut gradients = Vec::with_capacity(n);
        for (k, x) in at.inputs.iter().enumerate() {
            let slope = is_differentiable(g.meta(*x)).then(|| self.expr.derivative(k)).flatten();
            gradients.push(match slope {
                None => None,
                Some(slope) => {
                    let domain = g.shape(at.outputs[0]).clone();
                    let operands: Vec<Edge> = at.inputs.iter().copied().chain([dy, at.outputs[0]]).collect();
                    // Where the slope is a function of the value, the value is there already: nothing is computed or kept twice.
                    let slope =
                        if matches!(self.expr.term(), Term::Input(_)) { slope } else { slope.replace(&self.expr, &input(n + 1)) };
                    let (expr, operands) = without_unused(&(slope * input(n)), &operands);
                    let is_dy = matches!(expr.term(), Term::Input(0)) && *g.shape(dy) == domain;
                    let dx = if is_dy { dy } else { map_to(g, domain, expr, &operands)? };
                    let shape = g.shape(*x).clone();
                    Some(unbroadcast(g, dx, &shape)?)
                }
            });
        }
        Ok(gradients)
    }

    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let domain = &outputs[0].shape;
        let program = Program::lower(std::slice::from_ref(&self.expr));
        let views: Vec<View> = inputs.iter().map(|x| View::broadcast(&x.shape, domain)).collect();
        let value = |i: usize| {
            let at = coordinates(domain, i);
            let operands: Vec<f64> = views.iter().zip(inputs).map(|(v, x)| v.at(&at).map_or(0.0, |k| x.data[k])).collect();
            program.eval(env, i as u32, 0.0, &operands)[0]
        };
        vec![Array::from_fn(domain.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let operand = |(input, meta): (usize, &&Meta)| Operand { input, view: View::broadcast(&meta.shape, &domain) };
        Launch::Map(MapLaunch {
            operands: inputs.iter().enumerate().map(operand).collect(),
            roots: vec![self.expr.clone()],
            domain,
            is_update: false,
        })
    }
}

/// The nonlinearities by the names users give them.
pub fn activation(name: &str) -> Option<Scalar> {
    let x = input(0);
    let zero = constant(0.0);
    Some(match name {
        "relu" => x.unary(Unary::Relu),
        "leaky_relu" => select(&x, &x, &(&x * 0.01)),
        "elu" => select(&x, &x, &(x.min(&zero).exp() - 1.0)),
        "silu" => &x * x.sigmoid(),
        // Hendrycks & Gimpel 2016, the exact form: x·Φ(x)
        "gelu" => &x * 0.5 * ((&x * std::f64::consts::FRAC_1_SQRT_2).unary(Unary::Erf) + 1.0),
        "sigmoid" => x.sigmoid(),
        "tanh" => x.unary(Unary::Tanh),
        "softplus" => x.softplus(),
        "linear" => x,
        _ => return None,
    })
}

pub const ACTIVATIONS: &[&str] = &["relu", "leaky_relu", "elu", "silu", "gelu", "sigmoid", "tanh", "softplus", "linear"];

pub fn examples() -> Vec<Example> {
    let example = |expr: Scalar, shapes: &[&[usize]]| {
        let has_gradient = (0..shapes.len()).all(|k| expr.derivative(k).is_some());
        Example { has_gradient, ..Example::new(Map { expr, at_least: None, is_barrier: false }, shapes) }
    };
    let (x, y) = (input(0), input(1));
    let mut list = Vec::new();
    for f in Unary::ALL {
        let draw = match f {
            Unary::Log | Unary::Sqrt => Draw::Range(0.2, 3.0),
            Unary::Floor => Draw::Range(0.1, 0.9),
            _ => Draw::AwayFromZero(0.05, 3.0),
        };
        list.push(example(x.unary(*f), &[&[1]]).draw(0, draw));
        list.push(example(x.unary(*f), &[&[7, 13]]).draw(0, draw));
    }
    for f in Binary::ALL {
        let positive = Draw::Range(0.3, 2.0);
        let draw = if *f == Binary::Pow || *f == Binary::Div { positive } else { Draw::Range(-2.0, 2.0) };
        list.push(example(x.binary(*f, &y), &[&[5, 3], &[5, 3]]).draw(0, draw).draw(1, positive));
        list.push(example(x.binary(*f, &y), &[&[4, 1, 3], &[2, 1]]).draw(0, draw).draw(1, positive));
    }
    for name in ACTIVATIONS {
        let expr = activation(name).expect("the list and the table name the same functions");
        list.push(example(expr, &[&[3, 101]]).draw(0, Draw::AwayFromZero(0.05, 3.0)));
    }
    list.push(example(x.square(), &[&[300, 3]]));
    list.push(example(select(&x, &y, &(&y * 3.0)), &[&[6], &[6]]).draw(0, Draw::AwayFromZero(0.1, 2.0)));
    list.push(example(&x * control("beta") + position(), &[&[2, 5]]));
    list.push(example(&x * noise(3, Law::Normal) + noise(4, Law::Uniform), &[&[33, 5]]));
    list.push(example(&x + &y, &[&[], &[3, 2]]));
    list
}
