//! A stage made ready to run: its program over `LANES` elements at a time, straight from the operands' buffers where it can be.
//! What does not change from element to element is computed once a step.

use super::access::Access;
use super::lower::{Lowered, Way};
use super::memory::Memory;
use reparam_base::error::Result;
use reparam_base::expr::{Binary, Env, Instr, LANES, Lanes, fast};
use reparam_base::plan::Stage;

/// The kernel's values for a chunk of elements; the second only where it gives two for each.
pub type Cores<'a> = [&'a [f32]; 2];

#[derive(Debug)]
pub struct Tape {
    /// The number of elements of the domain.
    pub size: usize,
    pub operands: Vec<Access>,
    code: Lowered,
    /// Its only root is its first operand.
    is_identity: bool,
    /// As few as can be, so that they stay in the L1 cache.
    #[allow(clippy::vec_box)] // they change places with `next`
    registers: Vec<Box<Lanes>>,
    /// What is being computed, before it becomes a register: its arguments may end where it begins.
    next: Box<Lanes>,
    /// The same of what is computed with it.
    beside: Box<Lanes>,
    /// For each operand that repeats: one period, and on until `LANES` elements follow any place in it.
    periods: Vec<Vec<f32>>,
}

impl Tape {
    pub fn new(stage: &Stage, cells: &[usize], memory: &Memory) -> Result<Tape> {
        let operands: Vec<Access> =
            (0..stage.operands.len()).map(|k| Access::new(&stage.domain, &stage.operands, k, cells)).collect();
        let code = Lowered::new(&stage.program, &operands, memory);
        let registers = vec![Box::new([0.0; LANES]); code.n_slots];
        let [next, beside] = [(); 2].map(|()| Box::new([0.0; LANES]));
        let periods = vec![Vec::new(); operands.len()];
        let is_identity = stage.program.is_identity();
        let mut tape = Tape { size: stage.domain.size(), operands, code, is_identity, registers, next, beside, periods };
        tape.operands.iter_mut().try_for_each(|operand| operand.seek(0, memory))?;
        Ok(tape)
    }

    /// Starts a step: moves row-indexed operands, and computes what is the same for all elements.
    pub fn prepare(&mut self, env: &Env, memory: &Memory) -> Result<()> {
        self.operands.iter_mut().try_for_each(|operand| operand.seek(env.row, memory))?;
        let mut values = vec![0.0f64; self.code.ways.len()];
        for way in &self.code.ways {
            if let Way::Periodic(k) = *way {
                let operand = &self.operands[k];
                let n = operand.period().expect("it repeats") + LANES;
                operand.fill(&self.operands, memory, 0, room(&mut self.periods[k], n));
            }
        }
        for (i, instr) in self.code.program.instrs.iter().enumerate() {
            if self.code.ways[i] != Way::Fixed {
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
                Instr::Noise { .. } | Instr::Position | Instr::Core(_) => unreachable!("these differ from element to element"),
            };
            self.registers[self.code.slots[i]].fill(values[i] as f32);
        }
        Ok(())
    }

    /// The `n ≤ LANES` elements from `start` on; `core` holds the kernel's values for them.
    #[inline(never)] // it is large, and called for many elements at a time
    pub fn step(&mut self, env: &Env, memory: &Memory, start: usize, n: usize, core: Cores) {
        let is_full = n == LANES;
        let Tape { operands, code, registers, next, beside, periods, .. } = self;
        for (i, instr) in code.program.instrs.iter().enumerate() {
            match code.ways[i] {
                Way::Fixed | Way::Periodic(_) | Way::Product | Way::Beside => continue,
                Way::Slice(_) | Way::Core(_) if is_full => continue,
                Way::Slice(_) | Way::Core(_) | Way::Computed => {}
            }
            let source = Source { code, operands, periods, registers, memory, start, core, is_full };
            match instr {
                Instr::Input(k) => operands[*k as usize].fill(operands, memory, start, &mut next[..n]),
                Instr::Core(k) => next[..n].copy_from_slice(core[*k as usize]),
                Instr::Noise { stream, law } => env.draws(*stream, *law, start as u32, next),
                Instr::Position => {
                    for (j, y) in next.iter_mut().enumerate() {
                        *y = (start + j) as f32;
                    }
                }
                Instr::Unary(_, x) if code.has_beside(i) => {
                    softplus_and_sigmoid(source.get(*x), next, beside);
                }
                Instr::Unary(f, x) => f.f32_lanes(source.get(*x), &mut next[..]),
                Instr::Binary(f, a, b) => match (code.factors(*a), code.factors(*b)) {
                    (None, None) => f.f32_lanes(source.get(*a), source.get(*b), &mut next[..]),
                    (Some((p, q)), _) if *f == Binary::Add => add_product(source.get(*b), source.get(p), source.get(q), next),
                    (Some((p, q)), _) => product_minus(source.get(p), source.get(q), source.get(*b), next),
                    (_, Some((p, q))) if *f == Binary::Add => add_product(source.get(*a), source.get(p), source.get(q), next),
                    (_, Some((p, q))) => minus_product(source.get(*a), source.get(p), source.get(q), next),
                },
                Instr::Select(c, a, b) => select(source.get(*c), source.get(*a), source.get(*b), next),
                Instr::Const(_) | Instr::Control(_) => unreachable!("constants are fixed"),
            }
            std::mem::swap(&mut registers[code.slots[i]], next);
            if code.has_beside(i) {
                std::mem::swap(&mut registers[code.slots[i + 1]], beside);
            }
        }
    }

    /// The values of root r that `step` left.
    pub fn root<'a>(&'a self, r: usize, n: usize, core: Cores<'a>) -> &'a [f32] {
        let at = self.code.program.roots[r] as usize;
        match self.code.ways[at] {
            Way::Core(k) if n == LANES => core[k],
            Way::Fixed | Way::Slice(_) | Way::Core(_) | Way::Computed | Way::Periodic(_) | Way::Product | Way::Beside => {
                &self.registers[self.code.slots[at]][..n]
            }
        }
    }

    /// The first root at the elements from `start` on.
    pub fn read(&mut self, env: &Env, memory: &Memory, start: usize, out: &mut [f32]) {
        if self.is_identity {
            return self.operands[0].fill(&self.operands, memory, start, out);
        }
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let (start, n) = (start + i * LANES, out.len());
            self.step(env, memory, start, n, [&[]; 2]);
            out.copy_from_slice(self.root(0, n, [&[]; 2]));
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
        self.is_identity && self.operands[0].is_slice(memory)
    }
}

/// Where the arguments of an instruction are found.
struct Source<'a> {
    code: &'a Lowered,
    operands: &'a [Access],
    periods: &'a [Vec<f32>],
    registers: &'a [Box<Lanes>],
    memory: &'a Memory,
    start: usize,
    core: Cores<'a>,
    is_full: bool,
}

impl<'a> Source<'a> {
    #[inline(always)]
    fn get(&self, i: u32) -> &'a Lanes {
        let lanes = match self.code.ways[i as usize] {
            Way::Slice(k) if self.is_full => self.operands[k].slice(self.memory, self.start),
            Way::Core(k) if self.is_full => self.core[k],
            Way::Periodic(k) => {
                let period = &self.periods[k];
                &period[self.start % (period.len() - LANES)..]
            }
            Way::Fixed | Way::Slice(_) | Way::Core(_) | Way::Computed | Way::Product | Way::Beside => {
                &self.registers[self.code.slots[i as usize]][..]
            }
        };
        lanes.first_chunk().expect("there are LANES elements in each of them")
    }
}

/// `n` elements of scratch, with whatever values it held.
pub fn room<T: Clone + Default>(scratch: &mut Vec<T>, n: usize) -> &mut [T] {
    if scratch.len() < n {
        scratch.resize(n, T::default());
    }
    &mut scratch[..n]
}

// Products are rounded before they are added, as they would be on their own.

#[inline(never)] // alone in a function, its terms are read once
fn softplus_and_sigmoid(x: &Lanes, softplus: &mut Lanes, sigmoid: &mut Lanes) {
    fast::softplus_and_sigmoid(x, softplus, sigmoid);
}

fn add_product(c: &Lanes, p: &Lanes, q: &Lanes, y: &mut Lanes) {
    for (((y, c), p), q) in y.iter_mut().zip(c).zip(p).zip(q) {
        *y = *c + *p * *q;
    }
}

fn minus_product(c: &Lanes, p: &Lanes, q: &Lanes, y: &mut Lanes) {
    for (((y, c), p), q) in y.iter_mut().zip(c).zip(p).zip(q) {
        *y = *c - *p * *q;
    }
}

fn product_minus(p: &Lanes, q: &Lanes, c: &Lanes, y: &mut Lanes) {
    for (((y, p), q), c) in y.iter_mut().zip(p).zip(q).zip(c) {
        *y = *p * *q - *c;
    }
}

fn select(c: &Lanes, a: &Lanes, b: &Lanes, y: &mut Lanes) {
    for (((y, c), a), b) in y.iter_mut().zip(c).zip(a).zip(b) {
        *y = if *c > 0.0 { *a } else { *b };
    }
}
