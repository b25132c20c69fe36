//! z = mean + exp(logvar/2)·eps, eps ~ N(0, I) (Kingma & Welling 2014, Eq. 10; Rezende et al. 2014, Eq. 9).
//! mean, logvar, z: any one shape. eps is a pure function of (seed, stream, step, element), so the backward pass derives it
//! again and nothing is stored.

use crate::error::{Error, Result};
use crate::expr::{Env, Law, Program, Scalar, input, noise};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View, Vjp};
use crate::ops::{Example, map};
use crate::shape::Meta;

#[derive(Debug)]
pub struct Reparameterize {
    pub stream: u32,
}

/// A draw from N(mean, exp(logvar)) through which gradients pass.
pub fn reparameterize(g: &mut Graph, mean: Edge, logvar: Edge, stream: u32) -> Result<Edge> {
    g.add_op(Reparameterize { stream }, &[mean, logvar])
}

impl Reparameterize {
    fn deviation(&self) -> Scalar {
        (input(1) * 0.5).exp() * noise(self.stream, Law::Normal)
    }
}

impl Op for Reparameterize {
    fn name(&self) -> &'static str {
        "reparameterize"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        if inputs[0].shape != inputs[1].shape {
            return Err(Error::shape("reparameterize", format!("mean is {}, logvar is {}", inputs[0].shape, inputs[1].shape)));
        }
        Ok(vec![inputs[0].clone()])
    }

    /// ∂z/∂mean = 1, ∂z/∂logvar = ½·exp(logvar/2)·eps
    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None, None]) };
        let dlogvar = map(g, self.deviation() * 0.5 * input(0), &[dy, at.inputs[1]])?;
        Ok(vec![Some(dy), Some(dlogvar)])
    }

    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let program = Program::lower(&[input(0) + self.deviation()]);
        let value = |i: usize| program.eval(env, i as u32, 0.0, &[inputs[0].data[i], inputs[1].data[i]])[0];
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, _: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let operand = |input| Operand { input, view: View::identity(&domain) };
        Launch::Map(MapLaunch {
            operands: vec![operand(0), operand(1)],
            roots: vec![input(0) + self.deviation()],
            domain,
            is_update: false,
        })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |stream, shape: &[usize]| Example::new(Reparameterize { stream }, &[shape, shape]);
    vec![example(0, &[1]), example(1, &[7, 3]), example(2, &[130, 20])]
}
