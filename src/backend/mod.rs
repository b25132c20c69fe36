//! The two replayers of a plan. They differ in nothing that a caller could see but speed and the last bits of a float.

pub mod gpu;

use std::rc::Rc;

pub use reparam_cpu as cpu;

use crate::error::Result;
use crate::expr::Env;
use crate::plan::{Plan, Role};
use crate::shape::DType;

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// WebGPU on a real adapter, the CPU on a software adapter or none: there it is the faster of the two.
    Auto,
    WebGpu,
    Cpu,
}

impl Choice {
    pub const NAMES: &[&str] = &["auto", "webgpu", "cpu"];

    pub fn from_name(name: &str) -> Choice {
        match name {
            "webgpu" => Choice::WebGpu,
            "cpu" => Choice::Cpu,
            _ => Choice::Auto,
        }
    }
}

pub enum Backend {
    Cpu(cpu::Cpu),
    Gpu(gpu::Gpu),
}

#[derive(Clone, Copy, Debug)]
enum Id {
    Cpu(cpu::PlanId),
    Gpu(gpu::PlanId),
}

/// A plan as a backend holds it.
#[derive(Clone, Debug)]
pub struct Built {
    pub plan: Rc<Plan>,
    id: Id,
}

/// Which backend runs, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    pub backend: &'static str,
    pub adapter: String,
    pub reason: String,
    /// What plans can store activations as: F16 where that was asked for and the adapter offers it.
    pub activations: DType,
}

impl Backend {
    pub async fn create(choice: Choice) -> Result<(Backend, Info)> {
        Backend::create_storing(choice, DType::F32).await
    }

    /// For plans whose activations are stored as this, where the backend can.
    pub async fn create_storing(choice: Choice, activations: DType) -> Result<(Backend, Info)> {
        let cpu = |reason: String| {
            let info = Info { backend: "cpu", adapter: cpu::Cpu::adapter().into(), reason, activations: DType::F32 };
            Ok((Backend::Cpu(cpu::Cpu::new()), info))
        };
        if choice == Choice::Cpu {
            return cpu("the CPU was asked for".into());
        }
        match gpu::Gpu::storing(activations).await {
            Err(error) if choice == Choice::WebGpu => Err(error),
            Err(error) => cpu(error.to_string()),
            Ok(gpu) if choice == Choice::Auto && gpu.info().is_software => {
                cpu(format!("the only WebGPU adapter, {}, is software, which is slower than this", gpu.info().name))
            }
            Ok(gpu) => {
                let reason =
                    if choice == Choice::Auto { "WebGPU with a real adapter is available" } else { "WebGPU was asked for" };
                let (adapter, activations) = (gpu.info().name.clone(), gpu.activations());
                let info = Info { backend: "webgpu", adapter, reason: reason.into(), activations };
                Ok((Backend::Gpu(gpu), info))
            }
        }
    }

    pub async fn build(&mut self, plan: Plan) -> Result<Built> {
        let plan = Rc::new(plan);
        let id = match self {
            Backend::Cpu(cpu) => Id::Cpu(cpu.build(plan.clone())?),
            Backend::Gpu(gpu) => Id::Gpu(gpu.build(plan.clone()).await?),
        };
        Ok(Built { plan, id })
    }

    /// A plan as it is replayed, which may have more kernels than it was built from.
    pub fn replayed(&self, built: &Built) -> Rc<Plan> {
        match (self, built.id) {
            (Backend::Gpu(gpu), Id::Gpu(id)) => gpu.replayed(id).unwrap_or(&built.plan).clone(),
            (Backend::Cpu(_) | Backend::Gpu(_), _) => built.plan.clone(),
        }
    }

    pub fn drop_plan(&mut self, built: &Built) {
        match (self, built.id) {
            (Backend::Cpu(cpu), Id::Cpu(id)) => cpu.drop_plan(id),
            (Backend::Gpu(gpu), Id::Gpu(id)) => gpu.drop_plan(id),
            (Backend::Cpu(_), Id::Gpu(_)) | (Backend::Gpu(_), Id::Cpu(_)) => unreachable!("a plan stays with its backend"),
        }
    }

    /// Creates or overwrites a named buffer.
    pub fn write(&mut self, role: &Role, bytes: &[u8]) -> Result<()> {
        match self {
            Backend::Cpu(cpu) => cpu.write(role, bytes),
            Backend::Gpu(gpu) => gpu.write(role, bytes),
        }
    }

    /// Creates or overwrites a state.
    pub fn put_state(&mut self, name: &str, values: Vec<f32>) -> Result<()> {
        match self {
            Backend::Cpu(cpu) => {
                cpu.put_state(name, values);
                Ok(())
            }
            Backend::Gpu(gpu) => gpu.write(&Role::State(name.into()), bytemuck::cast_slice(&values)),
        }
    }

    pub fn free(&mut self, role: &Role) {
        match self {
            Backend::Cpu(cpu) => cpu.free(role),
            Backend::Gpu(gpu) => gpu.free(role),
        }
    }

    /// Runs one step for each environment, in order.
    pub fn run(&mut self, built: &Built, steps: &[Env]) -> Result<()> {
        match (self, built.id) {
            (Backend::Cpu(cpu), Id::Cpu(id)) => cpu.run(id, steps),
            (Backend::Gpu(gpu), Id::Gpu(id)) => gpu.run(id, steps),
            (Backend::Cpu(_), Id::Gpu(_)) | (Backend::Gpu(_), Id::Cpu(_)) => unreachable!("a plan stays with its backend"),
        }
    }

    /// A named buffer's bytes.
    pub async fn read(&self, role: &Role) -> Result<Vec<u8>> {
        match self {
            Backend::Cpu(cpu) => cpu.read_role(role),
            Backend::Gpu(gpu) => gpu.read(role).await,
        }
    }

    /// Appends the first `n` floats of one of a plan's outputs.
    pub async fn append_output(&self, built: &Built, name: &str, n: usize, values: &mut Vec<f32>) -> Result<()> {
        if let (Backend::Cpu(cpu), Id::Cpu(id)) = (self, built.id) {
            values.extend_from_slice(&cpu.output(id, name)?[..n]);
            return Ok(());
        }
        let bytes = self.read_output(built, name).await?;
        values.extend(bytes.as_chunks().0[..n].iter().map(|word| f32::from_le_bytes(*word)));
        Ok(())
    }

    /// The bytes of one of a plan's outputs.
    pub async fn read_output(&self, built: &Built, name: &str) -> Result<Vec<u8>> {
        match (self, built.id) {
            (Backend::Cpu(cpu), Id::Cpu(id)) => cpu.read_output(id, name),
            (Backend::Gpu(gpu), Id::Gpu(id)) => gpu.read_output(id, name).await,
            (Backend::Cpu(_), Id::Gpu(_)) | (Backend::Gpu(_), Id::Cpu(_)) => unreachable!("a plan stays with its backend"),
        }
    }

    /// The device whose kernels are laid out in one way or another.
    pub fn gpu(&self) -> Option<&gpu::Gpu> {
        match self {
            Backend::Cpu(_) => None,
            Backend::Gpu(gpu) => Some(gpu),
        }
    }

    pub fn gpu_mut(&mut self) -> Option<&mut gpu::Gpu> {
        match self {
            Backend::Cpu(_) => None,
            Backend::Gpu(gpu) => Some(gpu),
        }
    }

    /// The memory of a backend that has it here.
    pub fn cpu(&self) -> Option<&cpu::Cpu> {
        match self {
            Backend::Cpu(cpu) => Some(cpu),
            Backend::Gpu(_) => None,
        }
    }

    pub fn cpu_mut(&mut self) -> Option<&mut cpu::Cpu> {
        match self {
            Backend::Cpu(cpu) => Some(cpu),
            Backend::Gpu(_) => None,
        }
    }

    /// Takes the fastest layout of kernels for a plan built here; whether it is another than before.
    pub async fn tune(&mut self, built: &Built, clock: fn() -> f64) -> Result<bool> {
        match (self, built.id) {
            (Backend::Gpu(gpu), Id::Gpu(id)) => {
                let before = gpu.config();
                gpu.tune(id, clock).await?;
                Ok(gpu.config() != before)
            }
            (Backend::Cpu(_), Id::Cpu(_)) => Ok(false),
            (Backend::Cpu(_), Id::Gpu(_)) | (Backend::Gpu(_), Id::Cpu(_)) => unreachable!("a plan stays with its backend"),
        }
    }

    /// How many buffers are alive, and their bytes.
    pub fn live_buffers(&self) -> (usize, u64) {
        match self {
            Backend::Cpu(cpu) => cpu.live_buffers(),
            Backend::Gpu(gpu) => gpu.live_buffers(),
        }
    }
}
