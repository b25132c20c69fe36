//! The reference and the fallback: replays a plan on one thread. Plain loops over slices, written so that the compiler turns them
//! into vector instructions (wasm simd128 or the host's). Knows neither JavaScript nor which operations exist: a core is found by its
//! shader's name, and one that has no kernel here is computed by its oracle.

mod access;
mod convolution;
mod gemm;
mod lower;
mod matmul;
mod memory;
mod nearest;
mod norm;
mod reduce;
mod register;
mod softmax;
mod store;
mod table;
mod tape;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;
mod update;

use std::rc::Rc;

use reparam_base::error::{Error, Result};
use reparam_base::expr::Env;
use reparam_base::graph::{Array, Core};
use reparam_base::plan::{Kernel, Place, Plan, Role};
use reparam_base::shape::DType;

use memory::{Data, Memory};
use store::Store;
use tape::Tape;

/// Computes one core.
type Run = fn(&mut Job);

/// The kernels by the names of their shaders.
const KERNELS: &[(&str, Run)] = &[
    ("matmul", matmul::matmul),
    ("conv2d", convolution::conv2d),
    ("conv_transpose2d", convolution::conv_transpose2d),
    ("conv2d_dw", convolution::conv2d_dw),
    ("reduce", reduce::reduce),
    ("totals", reduce::totals),
    ("softmax", softmax::softmax),
    ("logsumexp", softmax::logsumexp),
    ("group_norm", norm::group_norm),
    ("group_norm_dx", norm::group_norm_dx),
    ("scatter_add", table::scatter_add),
    ("argmin", table::argmin),
    ("nearest", nearest::nearest),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId(usize);

#[derive(Default)]
pub struct Cpu {
    memory: Memory,
    plans: Vec<Option<Replay>>,
    work: Work,
}

/// A plan with its buffers.
struct Replay {
    plan: Rc<Plan>,
    /// The buffers' numbers in memory.
    cells: Vec<usize>,
    kernels: Vec<Ready>,
}

/// A kernel whose stages are ready.
struct Ready {
    run: Option<Run>,
    loads: Vec<Tape>,
    store: Store,
    beside: Option<Store>,
}

/// Scratch memory, shared by all kernels so that it stays in the caches.
#[derive(Default)]
struct Work {
    /// Of blocks whose operands are packed.
    height: gemm::Height,
    /// What loads compute.
    a: Vec<f32>,
    b: Vec<f32>,
    panels: Vec<f32>,
    image: Vec<f32>,
    rows: Vec<f32>,
    tile: Vec<f32>,
    from: Vec<usize>,
    to: Vec<usize>,
    terms: gemm::sparse::Terms,
}

/// One run of a core.
struct Job<'a> {
    core: &'a Core,
    env: &'a Env,
    memory: &'a mut Memory,
    loads: &'a mut [Tape],
    store: &'a mut Store,
    work: &'a mut Work,
}

impl Job<'_> {
    fn sizes<const N: usize>(&self, names: [&str; N]) -> [usize; N] {
        names.map(|name| self.core.get(name))
    }
}

impl Cpu {
    pub fn new() -> Cpu {
        if cfg!(target_arch = "wasm32") {
            gemm::warm_up();
        }
        Cpu::with(gemm::Height::fastest())
    }

    fn with(height: gemm::Height) -> Cpu {
        Cpu { work: Work { height, ..Work::default() }, ..Cpu::default() }
    }

    /// What it computes with, as far as results depend on it.
    pub fn adapter() -> &'static str {
        if gemm::rounds_once() { "WebAssembly SIMD, fused multiply-add" } else { "WebAssembly SIMD" }
    }

    /// Makes a plan ready to run: its own buffers are created, and those it shares by name where they do not exist, all zero.
    pub fn build(&mut self, plan: Rc<Plan>) -> Result<PlanId> {
        if plan.has_halves() {
            return Err(Error::internal("the CPU stores no activations in half precision"));
        }
        let mut cells = Vec::with_capacity(plan.buffers.len());
        match self.ready(&plan, &mut cells) {
            Ok(kernels) => {
                self.plans.push(Some(Replay { plan, cells, kernels }));
                Ok(PlanId(self.plans.len() - 1))
            }
            Err(error) => {
                self.release(&plan, &cells);
                Err(error)
            }
        }
    }

    fn ready(&mut self, plan: &Plan, cells: &mut Vec<usize>) -> Result<Vec<Ready>> {
        for buffer in &plan.buffers {
            cells.push(self.memory.bind(buffer)?);
        }
        plan.kernels.iter().map(|kernel| Ready::new(kernel, cells, &self.memory)).collect()
    }

    /// Frees what belongs to the plan alone.
    pub fn drop_plan(&mut self, id: PlanId) {
        if let Some(replay) = self.plans[id.0].take() {
            self.release(&replay.plan, &replay.cells);
        }
    }

    fn release(&mut self, plan: &Plan, cells: &[usize]) {
        for (buffer, cell) in plan.buffers.iter().zip(cells) {
            if matches!(buffer.role, Role::Slot | Role::Output) {
                self.memory.free_owned(*cell);
            }
        }
    }

    /// Creates or replaces the named buffer.
    pub fn write(&mut self, role: &Role, bytes: &[u8]) -> Result<()> {
        match role {
            Role::Input(_) | Role::State(_) | Role::Scratch(_) => self.memory.write(role, bytes),
            Role::Slot | Role::Output => Err(Error::internal(format!("the host cannot write a {role:?}"))),
        }
    }

    /// Creates or replaces a state, without a copy.
    pub fn put_state(&mut self, name: &str, values: Vec<f32>) {
        self.memory.put(&Role::State(name.into()), values);
    }

    pub fn free(&mut self, role: &Role) {
        self.memory.free_shared(role);
    }

    /// Runs the plan once for each of the steps.
    pub fn run(&mut self, id: PlanId, steps: &[Env]) -> Result<()> {
        let replay = self.plans[id.0].as_mut().ok_or_else(|| Error::internal("the plan was dropped"))?;
        for (buffer, cell) in replay.plan.buffers.iter().zip(&replay.cells) {
            self.memory.check(*cell, buffer)?;
        }
        for env in steps {
            for (kernel, ready) in replay.plan.kernels.iter().zip(&mut replay.kernels) {
                ready.step(kernel, env, &mut self.memory, &mut self.work)?;
            }
        }
        Ok(())
    }

    /// One of a plan's outputs of floats, where it stands.
    pub fn output(&self, id: PlanId, name: &str) -> Result<&[f32]> {
        let replay = self.plans[id.0].as_ref().ok_or_else(|| Error::internal("the plan was dropped"))?;
        let place = replay.plan.output(name).ok_or_else(|| Error::internal(format!("the plan has no output {name}")))?;
        self.memory.check(replay.cells[place.buffer], &replay.plan.buffers[place.buffer])?;
        match self.memory.data(replay.cells[place.buffer]) {
            Data::F32(values) => Ok(&values[place.offset..][..place.meta.shape.size()]),
            Data::U8(_) | Data::U32(_) => Err(Error::internal(format!("the output {name} is not of floats"))),
        }
    }

    /// The bytes of a value of a plan.
    pub fn read(&self, id: PlanId, place: &Place) -> Result<Vec<u8>> {
        let replay = self.plans[id.0].as_ref().ok_or_else(|| Error::internal("the plan was dropped"))?;
        let buffer = &replay.plan.buffers[place.buffer];
        self.memory.check(replay.cells[place.buffer], buffer)?;
        let width = match buffer.dtype {
            DType::F32 | DType::U32 => 4,
            DType::F16 => 2,
            DType::U8 => 1,
        };
        let bytes = self.memory.data(replay.cells[place.buffer]).bytes();
        Ok(bytes[place.offset * width..][..place.meta.shape.size() * width].to_vec())
    }

    /// The bytes of one of a plan's outputs.
    pub fn read_output(&self, id: PlanId, name: &str) -> Result<Vec<u8>> {
        let replay = self.plans[id.0].as_ref().ok_or_else(|| Error::internal("the plan was dropped"))?;
        let place = replay.plan.output(name).ok_or_else(|| Error::internal(format!("the plan has no output {name}")))?;
        self.read(id, place)
    }

    /// The bytes of a shared buffer.
    pub fn read_role(&self, role: &Role) -> Result<Vec<u8>> {
        let data = self.memory.find(role).ok_or_else(|| Error::internal(format!("there is no {role:?}")))?;
        Ok(data.bytes().to_vec())
    }

    /// A shared buffer of floats, where it stands.
    pub fn floats(&self, role: &Role) -> Result<&[f32]> {
        match self.memory.find(role) {
            Some(Data::F32(values)) => Ok(values),
            _ => Err(Error::internal(format!("there is no {role:?} of floats"))),
        }
    }

    pub fn floats_mut(&mut self, role: &Role) -> Result<&mut [f32]> {
        match self.memory.find_mut(role) {
            Some(Data::F32(values)) => Ok(values),
            _ => Err(Error::internal(format!("there is no {role:?} of floats"))),
        }
    }

    /// How many buffers there are, and their bytes.
    pub fn live_buffers(&self) -> (usize, u64) {
        self.memory.live()
    }
}

impl Ready {
    fn new(kernel: &Kernel, cells: &[usize], memory: &Memory) -> Result<Ready> {
        let store = Store::new(&kernel.store, &kernel.outputs, cells, memory)?;
        let beside = kernel.beside.as_ref().map(|b| Store::new(&b.store, &b.outputs, cells, memory)).transpose()?;
        let Some(call) = &kernel.core else {
            return Ok(Ready { run: None, loads: Vec::new(), store, beside });
        };
        let store = if call.core.is_halved() { store.halved(&kernel.store) } else { store };
        let loads = call.loads.iter().map(|stage| Tape::new(stage, cells, memory)).collect::<Result<Vec<Tape>>>()?;
        let run = KERNELS.iter().find(|(name, _)| *name == call.core.shader).map(|(_, run)| *run);
        Ok(Ready { run, loads, store, beside })
    }

    fn step(&mut self, kernel: &Kernel, env: &Env, memory: &mut Memory, work: &mut Work) -> Result<()> {
        self.loads.iter_mut().try_for_each(|load| load.prepare(env, memory))?;
        self.store.prepare(env, memory)?;
        match (&kernel.core, self.run) {
            (None, _) => self.store.run(env, memory),
            (Some(call), Some(run)) => {
                run(&mut Job { core: &call.core, env, memory, loads: &mut self.loads, store: &mut self.store, work });
            }
            (Some(call), None) => {
                let mut inputs: Vec<Array> = call.inputs.iter().map(|meta| Array::zeros(meta.shape.clone())).collect();
                for (input, load) in call.core.inputs.iter().zip(&mut self.loads) {
                    let values = tape::room(&mut work.a, load.size);
                    load.read(env, memory, 0, values);
                    inputs[input.input].data = values.iter().map(|x| f64::from(*x)).collect();
                }
                let inputs: Vec<&Array> = inputs.iter().collect();
                let outputs = call.op.eval(env, &inputs, &call.outputs);
                let values: Vec<f32> = outputs[0].data.iter().map(|x| *x as f32).collect();
                self.store.write(env, memory, 0, &values);
            }
        }
        if let Some(beside) = &mut self.beside {
            beside.prepare(env, memory)?;
            beside.run(env, memory);
        }
        Ok(())
    }
}
