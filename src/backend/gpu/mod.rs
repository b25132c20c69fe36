//! WebGPU: builds plans into pipelines, buffers and bind groups once, and replays them. The only room that names wgpu.
//! It sees plans and knows neither models nor operations.

mod binding;
mod codegen;
mod config;
mod cores;
mod device;
mod memory;
mod products;
mod slabs;
mod stage;
mod template;
mod tune;

use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use binding::{Binding, PARAMS_WORDS};
use futures_channel::oneshot;
use memory::{Ledger, Memory};

pub use codegen::{Module, module};
pub use config::{Config, Family, Products};
pub use device::AdapterInfo;
pub use slabs::spread;
pub use template::SHADERS;

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::plan::{Plan, Role};
use crate::shape::DType;

/// Bytes of the params block of a step; also the largest alignment a device may ask of a dynamic offset.
const PARAMS_BYTES: u64 = 4 * PARAMS_WORDS as u64;
/// Steps whose params are on the device at once; a longer run is submitted in several parts.
const STEPS: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId(usize);

pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: AdapterInfo,
    has_halves: bool,
    config: Config,
    faults: device::Faults,
    ledger: Rc<Ledger>,
    params: Memory,
    /// Inputs, states and scratch, which plans share by name.
    shared: HashMap<Role, Shared>,
    /// Counts the times a shared buffer was replaced, so that plans know when to bind again.
    generation: u64,
    pipelines: HashMap<String, Rc<Pipeline>>,
    bind_layouts: HashMap<Vec<bool>, wgpu::BindGroupLayout>,
    plans: HashMap<PlanId, Built>,
    next: usize,
}

struct Shared {
    memory: Memory,
    /// The bytes that it holds; the memory is at least as large.
    len: u64,
}

struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

struct Built {
    plan: Rc<Plan>,
    /// Slots and outputs; `None` for what is shared.
    own: Vec<Option<Memory>>,
    dispatches: Vec<Dispatch>,
    generation: u64,
}

struct Dispatch {
    pipeline: Rc<Pipeline>,
    bindings: Vec<Binding>,
    group: wgpu::BindGroup,
    groups: [u32; 3],
}

impl Dispatch {
    /// With the params of a step.
    fn encode(&self, pass: &mut wgpu::ComputePass, step: u32) {
        let [x, y, z] = self.groups;
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[step * PARAMS_BYTES as u32]);
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Gpu {
    pub async fn new() -> Result<Gpu> {
        Gpu::storing(DType::F32).await
    }

    /// For plans whose activations are stored as this, where the adapter offers it.
    pub async fn storing(activations: DType) -> Result<Gpu> {
        let device::Opened { device, queue, info, faults, has_halves } = device::open(activations == DType::F16).await?;
        let ledger = Rc::new(Ledger::default());
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let params = Memory::new(&device, &ledger, "params", PARAMS_BYTES * STEPS as u64, usage);
        let config = Config::of(&info);
        Ok(Gpu {
            device,
            queue,
            info,
            has_halves,
            config,
            faults,
            ledger,
            params,
            shared: HashMap::new(),
            generation: 0,
            pipelines: HashMap::new(),
            bind_layouts: HashMap::new(),
            plans: HashMap::new(),
            next: 0,
        })
    }

    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// What plans can store activations as, of what was asked for.
    pub fn activations(&self) -> DType {
        if self.has_halves { DType::F16 } else { DType::F32 }
    }

    pub fn config(&self) -> Config {
        self.config
    }

    /// How the kernels of the plans built from now on are laid out; by itself it follows from the adapter.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Number and bytes of the buffers alive.
    pub fn live_buffers(&self) -> (usize, u64) {
        self.ledger.total()
    }

    /// Compiles a plan's kernels and makes its buffers; shared buffers that do not exist yet are zero.
    pub async fn build(&mut self, plan: Rc<Plan>) -> Result<PlanId> {
        self.faults.check()?;
        let memory_scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation_scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let plan = slabs::spread(plan, self.config);
        let built = self.prepare(plan.clone());
        let (invalid, exhausted) = (validation_scope.pop(), memory_scope.pop());
        let (invalid, exhausted) = (invalid.await, exhausted.await);
        self.faults.check()?;
        if exhausted.is_some() {
            return Err(Error::OutOfMemory { bytes: plan.bytes() as u64, limit: self.device.limits().max_buffer_size });
        }
        if let Some(error) = invalid {
            return Err(Error::internal(format!("the device refuses a kernel: {error}")));
        }
        let built = built?;
        let id = PlanId(self.next);
        self.next += 1;
        self.plans.insert(id, built);
        Ok(id)
    }

    fn prepare(&mut self, plan: Rc<Plan>) -> Result<Built> {
        let mut own = Vec::with_capacity(plan.buffers.len());
        for buffer in &plan.buffers {
            let bytes = buffer.dtype.bytes(buffer.size) as u64;
            own.push(match &buffer.role {
                Role::Slot => Some(self.allocate("slot", bytes)?),
                Role::Output => Some(self.allocate("output", bytes)?),
                role @ (Role::Input(_) | Role::State(_) | Role::Scratch(_)) => {
                    self.grow(role, bytes)?;
                    None
                }
            });
        }
        let mut dispatches = Vec::with_capacity(plan.kernels.len());
        for kernel in &plan.kernels {
            let module = codegen::module(&plan, kernel, self.config)?;
            dispatches.push(self.dispatch(&plan, &own, module)?);
        }
        Ok(Built { plan, own, dispatches, generation: self.generation })
    }

    fn dispatch(&mut self, plan: &Plan, own: &[Option<Memory>], module: Module) -> Result<Dispatch> {
        let pipeline = self.pipeline(&module);
        let group = self.bind(plan, own, &pipeline, &module.bindings)?;
        Ok(Dispatch { pipeline, bindings: module.bindings, group, groups: module.groups })
    }

    /// The plan as it is replayed: large sums may be cut into several kernels.
    pub fn replayed(&self, id: PlanId) -> Option<&Rc<Plan>> {
        self.plans.get(&id).map(|built| &built.plan)
    }

    /// Destroys a plan's own buffers; those it shares stay.
    pub fn drop_plan(&mut self, id: PlanId) {
        self.plans.remove(&id);
    }

    /// Sets the contents of an input, a state or scratch, which is made if it does not exist. A size that differs replaces the buffer;
    /// it stays large enough for the plans that use it, and what the bytes do not reach is zero.
    pub fn write(&mut self, role: &Role, bytes: &[u8]) -> Result<()> {
        self.faults.check()?;
        let len = bytes.len() as u64;
        let wanted = round_up(self.need(role).max(len));
        if self.shared.get(role).is_none_or(|shared| shared.memory.bytes != wanted) {
            let memory = self.allocate(label(role)?, wanted)?;
            self.shared.insert(role.clone(), Shared { memory, len });
            self.generation += 1;
        }
        let Some(Shared { memory, len: held }) = self.shared.get_mut(role) else {
            return Err(Error::internal("a buffer that was just made is gone"));
        };
        *held = len;
        let whole = bytes.len() / 4 * 4;
        self.queue.write_buffer(&memory.buffer, 0, &bytes[..whole]);
        if whole < bytes.len() {
            let mut word = [0; 4];
            word[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
            self.queue.write_buffer(&memory.buffer, whole as u64, &word);
        }
        Ok(())
    }

    /// Destroys a shared buffer. A plan that uses it fails until it is written again.
    pub fn free(&mut self, role: &Role) {
        if self.shared.remove(role).is_some() {
            self.generation += 1;
        }
    }

    /// Submits the plan once for every step. It does not wait; `finished` and `read` do.
    pub fn run(&mut self, id: PlanId, steps: &[Env]) -> Result<()> {
        self.faults.check()?;
        self.rebind(id)?;
        let built = self.plans.get(&id).ok_or_else(|| Error::internal("the plan was dropped"))?;
        for part in steps.chunks(STEPS) {
            let blocks: Vec<u32> = part.iter().flat_map(|env| params(&built.plan, env)).collect();
            self.queue.write_buffer(&self.params.buffer, 0, bytemuck::cast_slice(&blocks));
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for step in 0..part.len() as u32 {
                for dispatch in &built.dispatches {
                    dispatch.encode(&mut pass, step);
                }
            }
            drop(pass);
            self.queue.submit([encoder.finish()]);
        }
        Ok(())
    }

    /// The bytes of an input, a state or scratch, once all submitted work is done.
    pub fn read(&self, role: &Role) -> impl Future<Output = Result<Vec<u8>>> + 'static + use<> {
        self.download(self.find(role).map(|shared| (&shared.memory, 0, shared.len)))
    }

    /// Some bytes of an input, a state or scratch; `start` is a multiple of 4.
    pub fn read_range(&self, role: &Role, start: u64, len: u64) -> impl Future<Output = Result<Vec<u8>>> + 'static + use<> {
        self.download(self.find(role).map(|shared| (&shared.memory, start, len)))
    }

    /// The bytes of an output of a plan, once all submitted work is done.
    pub fn read_output(&self, id: PlanId, name: &str) -> impl Future<Output = Result<Vec<u8>>> + 'static + use<> {
        self.download(self.output(id, name))
    }

    /// Resolves when all submitted work is done: a read-back, as nothing else tells a lost device from an idle one.
    pub fn finished(&self) -> impl Future<Output = Result<()>> + 'static + use<> {
        let done = self.download(Ok((&self.params, 0, 4)));
        async move { done.await.map(|_| ()) }
    }

    fn find(&self, role: &Role) -> Result<&Shared> {
        self.shared.get(role).ok_or_else(|| Error::internal(format!("there is no {role:?} on the device")))
    }

    fn output(&self, id: PlanId, name: &str) -> Result<(&Memory, u64, u64)> {
        let built = self.plans.get(&id).ok_or_else(|| Error::internal("the plan was dropped"))?;
        let place = built.plan.output(name).ok_or_else(|| Error::internal(format!("the plan has no output {name}")))?;
        let memory = self.memory(&built.plan, &built.own, place.buffer)?;
        let dtype = place.meta.dtype;
        Ok((memory, dtype.bytes(place.offset) as u64, dtype.bytes(place.meta.shape.size()) as u64))
    }

    fn download(&self, from: Result<(&Memory, u64, u64)>) -> impl Future<Output = Result<Vec<u8>>> + 'static + use<> {
        let started = from.and_then(|(memory, start, len)| Ok((self.stage(memory, start, len.next_multiple_of(4))?, len)));
        let (faults, _device) = (self.faults.clone(), self.device.clone());
        async move {
            let ((staging, mapped), len) = started?;
            // On the web the browser's event loop does this.
            #[cfg(not(target_arch = "wasm32"))]
            if let Err(error) = _device.poll(wgpu::PollType::wait_indefinitely()) {
                faults.check()?;
                return Err(Error::internal(format!("waiting for the device: {error}")));
            }
            let outcome = mapped.await;
            faults.check()?;
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Error::DeviceLost { reason: "its memory cannot be read back".to_string() }),
            }
            let view = staging.buffer.get_mapped_range(..).map_err(|error| Error::internal(format!("reading back: {error}")))?;
            let bytes = view[..len as usize].to_vec();
            drop(view);
            staging.buffer.unmap();
            Ok(bytes)
        }
    }

    fn stage(&self, memory: &Memory, start: u64, len: u64) -> Result<(Memory, oneshot::Receiver<Mapped>)> {
        self.faults.check()?;
        if len == 0 || !start.is_multiple_of(4) || start + len > memory.bytes {
            return Err(Error::internal(format!(
                "bytes {start} to {} of a buffer of {} cannot be read",
                start + len,
                memory.bytes
            )));
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = Memory::new(&self.device, &self.ledger, "staging", len, usage);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&memory.buffer, start, &staging.buffer, 0, len);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = oneshot::channel();
        staging.buffer.map_async(wgpu::MapMode::Read, .., move |outcome| {
            // The receiver is gone if nobody waits any more.
            let _ = sender.send(outcome);
        });
        Ok((staging, receiver))
    }

    fn allocate(&self, label: &str, bytes: u64) -> Result<Memory> {
        let limits = self.device.limits();
        let limit = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        if bytes > limit {
            return Err(Error::OutOfMemory { bytes, limit });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        Ok(Memory::new(&self.device, &self.ledger, label, round_up(bytes), usage))
    }

    /// The bytes that the plans built so far need of a shared buffer.
    fn need(&self, role: &Role) -> u64 {
        let buffers = self.plans.values().flat_map(|built| &built.plan.buffers);
        buffers.filter(|b| b.role == *role).map(|b| b.dtype.bytes(b.size) as u64).max().unwrap_or(0)
    }

    /// Makes sure that a shared buffer has a size, keeping what it holds.
    fn grow(&mut self, role: &Role, bytes: u64) -> Result<()> {
        if self.shared.get(role).is_some_and(|shared| shared.memory.bytes >= round_up(bytes)) {
            return Ok(());
        }
        let memory = self.allocate(label(role)?, bytes)?;
        if let Some(old) = self.shared.get(role) {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(&old.memory.buffer, 0, &memory.buffer, 0, old.memory.bytes);
            self.queue.submit([encoder.finish()]);
            self.generation += 1;
        }
        self.shared.insert(role.clone(), Shared { memory, len: bytes });
        Ok(())
    }

    fn memory<'a>(&'a self, plan: &Plan, own: &'a [Option<Memory>], buffer: usize) -> Result<&'a Memory> {
        let role = &plan.buffers[buffer].role;
        let shared = || self.shared.get(role).map(|shared| &shared.memory);
        own[buffer].as_ref().or_else(shared).ok_or_else(|| Error::internal(format!("{role:?} was freed")))
    }

    fn rebind(&mut self, id: PlanId) -> Result<()> {
        let generation = self.generation;
        let Some(mut built) = self.plans.remove(&id) else { return Err(Error::internal("the plan was dropped")) };
        let mut outcome = Ok(());
        if built.generation != generation {
            for dispatch in &mut built.dispatches {
                match self.bind(&built.plan, &built.own, &dispatch.pipeline, &dispatch.bindings) {
                    Ok(group) => dispatch.group = group,
                    Err(error) => outcome = Err(error),
                }
            }
            if outcome.is_ok() {
                built.generation = generation;
            }
        }
        self.plans.insert(id, built);
        outcome
    }

    fn bind(&self, plan: &Plan, own: &[Option<Memory>], pipeline: &Pipeline, bindings: &[Binding]) -> Result<wgpu::BindGroup> {
        let block = wgpu::BufferBinding { buffer: &self.params.buffer, offset: 0, size: wgpu::BufferSize::new(PARAMS_BYTES) };
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(block) }];
        for (i, binding) in bindings.iter().enumerate() {
            let memory = self.memory(plan, own, binding.buffer)?;
            entries.push(wgpu::BindGroupEntry { binding: i as u32 + 1, resource: memory.buffer.as_entire_binding() });
        }
        Ok(self.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &pipeline.layout, entries: &entries }))
    }

    /// The pipeline of a module, made once for every text.
    fn pipeline(&mut self, module: &Module) -> Rc<Pipeline> {
        if let Some(pipeline) = self.pipelines.get(&module.wgsl) {
            return pipeline.clone();
        }
        let layout = self.bind_layout(&module.bindings);
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let source = wgpu::ShaderSource::Wgsl(module.wgsl.as_str().into());
        let shader = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(module.label), source });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(module.label),
            layout: Some(&pipeline_layout),
            module: &shader,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions { zero_initialize_workgroup_memory: false, ..Default::default() },
            cache: None,
        });
        let pipeline = Rc::new(Pipeline { pipeline, layout });
        self.pipelines.insert(module.wgsl.clone(), pipeline.clone());
        pipeline
    }

    fn bind_layout(&mut self, bindings: &[Binding]) -> wgpu::BindGroupLayout {
        let pattern: Vec<bool> = bindings.iter().map(|binding| binding.is_written).collect();
        if let Some(layout) = self.bind_layouts.get(&pattern) {
            return layout.clone();
        }
        let entry = |binding: usize, ty, has_dynamic_offset, size| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: size },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, true, wgpu::BufferSize::new(PARAMS_BYTES))];
        for (i, is_written) in pattern.iter().enumerate() {
            entries.push(entry(i + 1, wgpu::BufferBindingType::Storage { read_only: !is_written }, false, None));
        }
        let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        self.bind_layouts.insert(pattern, layout.clone());
        layout
    }
}

type Mapped = std::result::Result<(), wgpu::BufferAsyncError>;

impl Drop for Gpu {
    fn drop(&mut self) {
        self.plans.clear();
        self.shared.clear();
        self.device.destroy();
    }
}

/// Whole vectors, so that a buffer can be declared as an array of them.
fn round_up(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(16)
}

fn label(role: &Role) -> Result<&str> {
    match role {
        Role::Input(name) | Role::State(name) | Role::Scratch(name) => Ok(name),
        Role::Slot | Role::Output => Err(Error::internal("slots and outputs belong to a plan")),
    }
}

/// The block of a step: seed, noise counter, row, then the plan's controls.
fn params(plan: &Plan, env: &Env) -> [u32; PARAMS_WORDS] {
    let mut block = [0; PARAMS_WORDS];
    block[..4].copy_from_slice(&[env.seed[0], env.seed[1], env.step, env.row]);
    for (word, name) in block[4..].iter_mut().zip(&plan.controls) {
        *word = (env.control(name) as f32).to_bits();
    }
    block
}
