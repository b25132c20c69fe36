//! Plans of one kernel, for the tests of this room.

use std::rc::Rc;

use super::gemm::Height;
use super::{Cpu, PlanId};
use reparam_base::error::Result;
use reparam_base::expr::{Env, Program, Scalar, constant, core, input};
use reparam_base::graph::{Array, Core, CoreInput, Launch, Op, View};
use reparam_base::plan::{Bound, Buffer, CoreCall, Kernel, Place, Plan, Role, Stage, Target};
use reparam_base::rng;
use reparam_base::shape::{DType, Meta, Shape};

/// Numbers in (−1, 1), always the same for the same stream.
pub fn values(n: usize, stream: u32) -> Vec<f32> {
    (0..n as u32).map(|i| rng::symmetric(rng::word([1, 2], stream, 0, i))).collect()
}

#[derive(Default)]
pub struct Trial {
    pub plan: Plan,
    /// Of the blocks of products.
    pub height: Height,
    inputs: Vec<(Role, Vec<u8>)>,
}

impl Trial {
    pub fn new() -> Self {
        Trial::default()
    }

    pub fn buffer(&mut self, role: Role, dtype: DType, size: usize) -> usize {
        self.plan.buffers.push(Buffer { role, dtype, size });
        self.plan.buffers.len() - 1
    }

    fn input(&mut self, dtype: DType, size: usize, bytes: &[u8]) -> usize {
        let role = Role::Input(format!("input {}", self.inputs.len()));
        self.inputs.push((role.clone(), bytes.to_vec()));
        self.buffer(role, dtype, size)
    }

    pub fn f32(&mut self, data: &[f32]) -> usize {
        self.input(DType::F32, data.len(), bytemuck::cast_slice(data))
    }

    pub fn u8(&mut self, data: &[u8]) -> usize {
        self.input(DType::U8, data.len(), data)
    }

    pub fn u32(&mut self, data: &[u32]) -> usize {
        self.input(DType::U32, data.len(), bytemuck::cast_slice(data))
    }

    pub fn place(&self, buffer: usize) -> Place {
        let Buffer { dtype, size, .. } = self.plan.buffers[buffer];
        Place { buffer, offset: 0, meta: Meta { shape: Shape::from([size]), dtype } }
    }

    pub fn bound(&self, buffer: usize, view: View) -> Bound {
        Bound { place: self.place(buffer), view }
    }

    pub fn map(&mut self, domain: impl Into<Shape>, operands: Vec<Bound>, roots: &[Scalar], outputs: Vec<Target>) {
        let store = Stage { domain: domain.into(), operands, program: Program::lower(roots) };
        self.plan.kernels.push(Kernel { core: None, store, outputs, beside: None, label: "map".into() });
    }

    pub fn core(&mut self, call: CoreCall, store: Stage, outputs: Vec<Target>) {
        self.plan.kernels.push(Kernel { core: Some(call), store, outputs, beside: None, label: "core".into() });
    }

    pub fn start(self) -> (Cpu, PlanId, Rc<Plan>) {
        let mut cpu = Cpu::with(self.height);
        for (role, bytes) in &self.inputs {
            cpu.write(role, bytes).expect("inputs can be written");
        }
        let plan = Rc::new(self.plan);
        let id = cpu.build(plan.clone()).expect("the plan is sound");
        (cpu, id, plan)
    }

    /// The values of these buffers after one step.
    pub fn run(self, env: Env, outputs: &[usize]) -> Vec<Vec<f32>> {
        let places: Vec<Place> = outputs.iter().map(|o| self.place(*o)).collect();
        let (mut cpu, id, _) = self.start();
        cpu.run(id, &[env]).expect("the plan runs");
        let read = |place: &Place| -> Vec<f32> {
            let bytes = cpu.read(id, place).expect("the output is there");
            match place.meta.dtype {
                DType::F32 => bytemuck::pod_collect_to_vec(&bytes),
                DType::U32 => bytemuck::pod_collect_to_vec::<u8, u32>(&bytes).into_iter().map(|x| x as f32).collect(),
                DType::U8 => bytes.into_iter().map(f32::from).collect(),
                DType::F16 => unreachable!("a plan of halves is refused"),
            }
        };
        places.iter().map(read).collect()
    }
}

pub fn target(place: Place) -> Target {
    Target { place, row: None, span: None }
}

/// Stands where a plan has the oracle of a core; here the tests bring their own.
#[derive(Debug)]
pub struct Oracle(pub fn(&[&Array]) -> Vec<f64>);

impl Op for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        vec![Array::new(outputs[0].shape.clone(), (self.0)(inputs))]
    }

    fn launch(&self, _: &[&Meta], _: &[Meta]) -> Launch {
        Launch::Source
    }
}

pub fn call(shader: &'static str, consts: &[(&'static str, u32)], loads: Vec<Stage>, size: usize, op: Oracle) -> CoreCall {
    let inputs = (0..loads.len()).map(|input| CoreInput::new("x", input)).collect();
    CoreCall {
        core: Core {
            shader,
            consts: consts.to_vec(),
            inputs,
            domain: Shape::from([size]),
            store: None,
            row: None,
            items: [1, 1, 1],
        },
        inputs: loads.iter().map(|stage| Meta::f32(stage.domain.clone())).collect(),
        loads,
        op: Rc::new(op),
        outputs: vec![Meta::f32([size])],
    }
}

/// Runs a core with loads and store that are identities, then with expressions in their place, each with blocks of four and of six rows,
/// and compares all with plain loops in double precision. Up to 800 terms are summed in one register: the error is below 800 · 2⁻²⁴ = 5e-5
/// of the sum of absolute values (which the loops give for absolute inputs), and as a rule a tenth of that.
pub fn check_core(
    shader: &'static str,
    consts: &[(&'static str, u32)],
    inputs: &[&[f32]],
    size: usize,
    plain: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    for (height, fused) in [(Height::Four, false), (Height::Four, true), (Height::Six, false), (Height::Six, true)] {
        let mut trial = Trial { height, ..Trial::new() };
        let load = if fused { input(0) * 0.5 + 0.25 } else { input(0) };
        let buffers: Vec<usize> = inputs.iter().map(|x| trial.f32(x)).collect();
        let stage = |&buffer: &usize| {
            let domain = trial.place(buffer).meta.shape;
            let operands = vec![trial.bound(buffer, View::identity(&domain))];
            Stage { operands, program: Program::lower(std::slice::from_ref(&load)), domain }
        };
        let loads: Vec<Stage> = buffers.iter().map(stage).collect();
        let addend = trial.f32(&values(size, 99));
        let output = trial.buffer(Role::Output, DType::F32, size);
        let domain = Shape::from([size]);
        let store = if fused {
            let operands = vec![trial.bound(addend, View::identity(&domain))];
            Stage { operands, program: Program::lower(&[core() * 2.0 + input(0) + constant(1.0)]), domain }
        } else {
            Stage { operands: Vec::new(), program: Program::core(), domain }
        };
        let place = trial.place(output);
        trial.core(
            call(shader, consts, loads, size, Oracle(|_| unreachable!("{}", "there is a kernel"))),
            store,
            vec![target(place)],
        );
        let got = trial.run(Env::default(), &[output]).remove(0);

        let loaded =
            |x: &&[f32]| -> Vec<f64> { x.iter().map(|x| f64::from(*x)).map(|x| if fused { x * 0.5 + 0.25 } else { x }).collect() };
        let loaded: Vec<Vec<f64>> = inputs.iter().map(loaded).collect();
        let absolute: Vec<Vec<f64>> = loaded.iter().map(|x| x.iter().map(|x| x.abs()).collect()).collect();
        let (want, bound) = (plain(&loaded), plain(&absolute));
        let addend = values(size, 99);
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let want = if fused { want * 2.0 + f64::from(addend[i]) + 1.0 } else { *want };
            let error = (f64::from(*got) - want).abs();
            assert!(
                error <= 4e-6 * (bound[i].abs() + 2.0),
                "{shader} {consts:?} {height:?} fused {fused}: [{i}] = {got} wants {want}"
            );
        }
    }
}
