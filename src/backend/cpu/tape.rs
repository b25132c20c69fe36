//! A stage made ready to run: its program over `LANES` elements at a time, straight from the operands' buffers where it can be.
//! What does not change from element to element is computed once a step.

use super::access::Access;
use super::memory::{Data, Memory};
use crate::error::{Error, Result};
use crate::expr::{Env, Instr, LANES, Lanes, Program};
use crate::plan::{Stage, Target};
use crate::shape::DType;

#[derive(Debug)]
pub struct Tape {
    /// The number of elements of the domain.
    pub size: usize,
    operands: Vec<Access>,
    program: Program,
    ways: Vec<Way>,
    /// The register of each instruction.
    slots: Vec<usize>,
    /// As few as can be, so that they stay in the L1 cache.
    #[allow(clippy::vec_box)] // boxed, so that a register is swapped with `next` and not copied
    registers: Vec<Box<Lanes>>,
    /// What is being computed, before it becomes a register: its arguments may end where it begins.
    next: Box<Lanes>,
    /// For each operand that repeats: one period, and on until `LANES` elements follow any place in it.
    periods: Vec<Vec<f32>>,
}

/// Longer periods are copied as they come.
const LONGEST_PERIOD: usize = 2048;

/// How an instruction gets its value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// The same for all elements of a step: its register is filled once.
    Fixed,
    /// Operand k, read where it stands; through the register when fewer than `LANES` elements are left.
    Slice(usize),
    /// Operand k, which repeats: from its prepared period.
    Periodic(usize),
    /// The kernel's value, likewise.
    Core,
    Computed,
}

impl Tape {
    pub fn new(stage: &Stage, cells: &[usize], memory: &Memory) -> Result<Tape> {
        let operands: Vec<Access> =
            (0..stage.operands.len()).map(|k| Access::new(&stage.domain, &stage.operands, k, cells)).collect();
        let program = stage.program.clone();
        let mut ways: Vec<Way> = Vec::with_capacity(program.instrs.len());
        for (i, instr) in program.instrs.iter().enumerate() {
            let is_fixed = |j: &u32| ways[*j as usize] == Way::Fixed;
            let is_root = program.roots.contains(&(i as u32));
            let fixed = match instr {
                Instr::Const(_) | Instr::Control(_) => true,
                Instr::Noise { .. } | Instr::Position | Instr::Core => false,
                Instr::Input(k) => operands[*k as usize].is_scalar(),
                Instr::Unary(_, x) => is_fixed(x),
                Instr::Binary(_, a, b) => is_fixed(a) && is_fixed(b),
                Instr::Select(c, a, b) => is_fixed(c) && is_fixed(a) && is_fixed(b),
            };
            ways.push(match instr {
                _ if fixed => Way::Fixed,
                // A root is copied to its target while no buffer is borrowed.
                Instr::Input(k) if operands[*k as usize].is_slice(memory) && !is_root => Way::Slice(*k as usize),
                Instr::Input(k) if operands[*k as usize].period().is_some_and(|p| p <= LONGEST_PERIOD) && !is_root => {
                    Way::Periodic(*k as usize)
                }
                Instr::Core => Way::Core,
                _ => Way::Computed,
            });
        }
        let slots = allocate(&program, &ways);
        let registers = vec![Box::new([0.0; LANES]); slots.iter().map(|slot| slot + 1).max().unwrap_or(0)];
        let periods = vec![Vec::new(); operands.len()];
        let mut tape =
            Tape { size: stage.domain.size(), operands, program, ways, slots, registers, next: Box::new([0.0; LANES]), periods };
        tape.operands.iter_mut().try_for_each(|operand| operand.seek(0, memory))?;
        Ok(tape)
    }

    /// Starts a step: moves row-indexed operands, and computes what is the same for all elements.
    pub fn prepare(&mut self, env: &Env, memory: &Memory) -> Result<()> {
        self.operands.iter_mut().try_for_each(|operand| operand.seek(env.row, memory))?;
        let mut values = vec![0.0f64; self.ways.len()];
        for way in &self.ways {
            if let Way::Periodic(k) = *way {
                let operand = &self.operands[k];
                let n = operand.period().expect("it repeats") + LANES;
                operand.fill(&self.operands, memory, 0, room(&mut self.periods[k], n));
            }
        }
        for (i, instr) in self.program.instrs.iter().enumerate() {
            if self.ways[i] != Way::Fixed {
                continue;
            }
            let at = |j: &u32| values[*j as usize];
            values[i] = match instr {
                Instr::Const(bits) => f64::from_bits(*bits),
                Instr::Control(name) => env.control(name),
                Instr::Input(k) => {
                    let mut value = [0.0];
                    self.operands[*k as usize].fill(&self.operands, memory, 0, &mut value);
                    f64::from(value[0])
                }
                Instr::Unary(f, x) => f.f64(at(x)),
                Instr::Binary(f, a, b) => f.f64(at(a), at(b)),
                Instr::Select(c, a, b) => {
                    if at(c) > 0.0 {
                        at(a)
                    } else {
                        at(b)
                    }
                }
                Instr::Noise { .. } | Instr::Position | Instr::Core => unreachable!("these differ from element to element"),
            };
            self.registers[self.slots[i]].fill(values[i] as f32);
        }
        Ok(())
    }

    /// The `n ≤ LANES` elements from `start` on; `core` holds the kernel's values for them.
    fn step(&mut self, env: &Env, memory: &Memory, start: usize, n: usize, core: &[f32]) {
        let is_full = n == LANES;
        let Tape { operands, program, ways, slots, registers, next, periods, .. } = self;
        for (i, instr) in program.instrs.iter().enumerate() {
            match ways[i] {
                Way::Fixed | Way::Periodic(_) => continue,
                Way::Slice(_) | Way::Core if is_full => continue,
                Way::Slice(_) | Way::Core | Way::Computed => {}
            }
            let source = Source { ways, slots, operands, periods, registers, memory, start, core, is_full };
            match instr {
                Instr::Input(k) => operands[*k as usize].fill(operands, memory, start, &mut next[..n]),
                Instr::Core => next[..n].copy_from_slice(core),
                Instr::Noise { stream, law } => env.draws(*stream, *law, start as u32, next),
                Instr::Position => {
                    for (j, y) in next.iter_mut().enumerate() {
                        *y = (start + j) as f32;
                    }
                }
                Instr::Unary(f, x) => f.f32_lanes(source.get(*x), &mut next[..]),
                Instr::Binary(f, a, b) => f.f32_lanes(source.get(*a), source.get(*b), &mut next[..]),
                Instr::Select(c, a, b) => select(source.get(*c), source.get(*a), source.get(*b), next),
                Instr::Const(_) | Instr::Control(_) => unreachable!("constants are fixed"),
            }
            std::mem::swap(&mut registers[slots[i]], next);
        }
    }

    /// The values of root r that `step` left.
    fn root<'a>(&'a self, r: usize, n: usize, core: &'a [f32]) -> &'a [f32] {
        let at = self.program.roots[r] as usize;
        match self.ways[at] {
            Way::Core if n == LANES => core,
            Way::Fixed | Way::Slice(_) | Way::Core | Way::Computed | Way::Periodic(_) => &self.registers[self.slots[at]][..n],
        }
    }

    /// The first root at the elements from `start` on.
    pub fn read(&mut self, env: &Env, memory: &Memory, start: usize, out: &mut [f32]) {
        if self.program.is_identity() {
            return self.operands[0].fill(&self.operands, memory, start, out);
        }
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let (start, n) = (start + i * LANES, out.len());
            self.step(env, memory, start, n, &[]);
            out.copy_from_slice(self.root(0, n, &[]));
        }
    }

    /// The same, without a copy where the elements stand in a buffer as they are.
    pub fn slice<'a>(&mut self, env: &Env, memory: &'a Memory, start: usize, n: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        self.fetch(env, memory, start, n, scratch);
        self.fetched(memory, start, n, scratch)
    }

    /// The first half of `slice`: fills the scratch if it is needed.
    pub fn fetch(&mut self, env: &Env, memory: &Memory, start: usize, n: usize, scratch: &mut Vec<f32>) {
        if !self.is_slice(memory) {
            self.read(env, memory, start, room(scratch, n));
        }
    }

    /// The second half: what was fetched.
    pub fn fetched<'a>(&self, memory: &'a Memory, start: usize, n: usize, scratch: &'a [f32]) -> &'a [f32] {
        if self.is_slice(memory) { &self.operands[0].slice(memory, start)[..n] } else { &scratch[..n] }
    }

    fn is_slice(&self, memory: &Memory) -> bool {
        self.program.is_identity() && self.operands[0].is_slice(memory)
    }
}

/// Where the arguments of an instruction are found.
struct Source<'a> {
    ways: &'a [Way],
    slots: &'a [usize],
    operands: &'a [Access],
    periods: &'a [Vec<f32>],
    registers: &'a [Box<Lanes>],
    memory: &'a Memory,
    start: usize,
    core: &'a [f32],
    is_full: bool,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn get(&self, i: u32) -> &'a Lanes {
        let lanes = match self.ways[i as usize] {
            Way::Slice(k) if self.is_full => self.operands[k].slice(self.memory, self.start),
            Way::Core if self.is_full => self.core,
            Way::Periodic(k) => {
                let period = &self.periods[k];
                &period[self.start % (period.len() - LANES)..]
            }
            Way::Fixed | Way::Slice(_) | Way::Core | Way::Computed => &self.registers[self.slots[i as usize]][..],
        };
        lanes.first_chunk().expect("there are LANES elements in each of them")
    }
}

/// A register for each instruction, taken over from values that are not used any more.
fn allocate(program: &Program, ways: &[Way]) -> Vec<usize> {
    let arguments = |instr: &Instr| -> Vec<u32> {
        match *instr {
            Instr::Unary(_, x) => vec![x],
            Instr::Binary(_, a, b) => vec![a, b],
            Instr::Select(c, a, b) => vec![c, a, b],
            Instr::Input(_) | Instr::Core | Instr::Const(_) | Instr::Control(_) | Instr::Noise { .. } | Instr::Position => {
                Vec::new()
            }
        }
    };
    let mut last_use = vec![0; program.instrs.len()];
    for (i, instr) in program.instrs.iter().enumerate() {
        arguments(instr).into_iter().for_each(|j| last_use[j as usize] = i);
    }
    // Results, and values that outlive a chunk.
    let lasting = (0..ways.len()).filter(|i| ways[*i] == Way::Fixed || program.roots.contains(&(*i as u32)));
    lasting.for_each(|i| last_use[i] = usize::MAX);
    let (mut slots, mut free, mut n_slots) = (Vec::new(), Vec::new(), 0);
    for (i, instr) in program.instrs.iter().enumerate() {
        let mut ended = arguments(instr);
        ended.sort_unstable();
        ended.dedup();
        free.extend(ended.into_iter().filter(|j| last_use[*j as usize] == i).map(|j| slots[j as usize]));
        // What is filled once a step has a register that nothing else ever had.
        let reused = if ways[i] == Way::Fixed { None } else { free.pop() };
        slots.push(reused.unwrap_or(n_slots));
        n_slots += usize::from(reused.is_none());
    }
    slots
}

/// `n` elements of scratch, with whatever values it held.
pub fn room(scratch: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if scratch.len() < n {
        scratch.resize(n, 0.0);
    }
    &mut scratch[..n]
}

fn select(c: &Lanes, a: &Lanes, b: &Lanes, y: &mut Lanes) {
    for (((y, c), a), b) in y.iter_mut().zip(c).zip(a).zip(b) {
        *y = if *c > 0.0 { *a } else { *b };
    }
}

/// A store: a tape and where its roots are written.
#[derive(Debug)]
pub struct Store {
    pub tape: Tape,
    sinks: Vec<Sink>,
    /// It writes the kernel's values as they are.
    is_plain: bool,
}

#[derive(Debug)]
struct Sink {
    cell: usize,
    base: usize,
    row: usize,
    /// Where the domain's first element is written in this step.
    now: usize,
}

impl Store {
    pub fn new(stage: &Stage, targets: &[Target], cells: &[usize], memory: &Memory) -> Result<Store> {
        let tape = Tape::new(stage, cells, memory)?;
        if targets.len() != stage.program.roots.len() {
            return Err(Error::internal(format!("{} roots for {} targets", stage.program.roots.len(), targets.len())));
        }
        let sink = |t: &Target| {
            let (cell, base) = (cells[t.place.buffer], t.place.offset);
            Sink { cell, base, row: t.row.unwrap_or(0), now: base }
        };
        let is_plain = stage.program == Program::core() && targets[0].place.meta.dtype == DType::F32;
        Ok(Store { tape, sinks: targets.iter().map(sink).collect(), is_plain })
    }

    pub fn prepare(&mut self, env: &Env, memory: &Memory) -> Result<()> {
        for sink in &mut self.sinks {
            sink.now = sink.base + sink.row * env.row as usize;
            let (end, size) = (sink.now + self.tape.size, memory.data(sink.cell).len());
            if end > size {
                return Err(Error::internal(format!("a target of row {} ends at element {end}, its buffer at {size}", env.row)));
            }
        }
        self.tape.prepare(env, memory)
    }

    /// Runs at all elements of a kernel that has no core.
    pub fn run(&mut self, env: &Env, memory: &mut Memory) {
        for start in (0..self.tape.size).step_by(LANES) {
            let n = LANES.min(self.tape.size - start);
            self.chunk(env, memory, start, n, &[]);
        }
    }

    /// Runs at the elements from `start` on, whose values from the kernel are `core`.
    pub fn write(&mut self, env: &Env, memory: &mut Memory, start: usize, core: &[f32]) {
        if self.is_plain {
            return self.sinks[0].put(memory, start, core);
        }
        for (i, core) in core.chunks(LANES).enumerate() {
            self.chunk(env, memory, start + i * LANES, core.len(), core);
        }
    }

    fn chunk(&mut self, env: &Env, memory: &mut Memory, start: usize, n: usize, core: &[f32]) {
        self.tape.step(env, memory, start, n, core);
        for (r, sink) in self.sinks.iter().enumerate() {
            sink.put(memory, start, self.tape.root(r, n, core));
        }
    }
}

impl Sink {
    fn put(&self, memory: &mut Memory, start: usize, values: &[f32]) {
        let range = self.now + start..self.now + start + values.len();
        match memory.data_mut(self.cell) {
            Data::F32(v) => v[range].copy_from_slice(values),
            Data::U32(v) => v[range].iter_mut().zip(values).for_each(|(y, x)| *y = *x as u32),
            Data::U8(v) => v[range].iter_mut().zip(values).for_each(|(y, x)| *y = *x as u8),
        }
    }
}
