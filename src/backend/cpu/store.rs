//! A store: a tape over a kernel's values, and where its roots are written.

use super::memory::{Data, Memory};
use super::tape::Tape;
use super::update::Update;
use crate::error::{Error, Result};
use crate::expr::{Env, LANES, Program};
use crate::ops::adam::Adam;
use crate::plan::{Stage, Target};
use crate::shape::DType;

#[derive(Debug)]
pub struct Store {
    pub tape: Tape,
    sinks: Vec<Sink>,
    /// It writes the kernel's values as they are.
    is_plain: bool,
    /// It is a step of Adam.
    update: Option<Update>,
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
        let update = Adam::of(&stage.program).and_then(|adam| Update::new(adam, &tape.operands, memory));
        Ok(Store { tape, sinks: targets.iter().map(sink).collect(), is_plain, update })
    }

    pub fn prepare(&mut self, env: &Env, memory: &Memory) -> Result<()> {
        for sink in &mut self.sinks {
            sink.now = sink.base + sink.row * env.row as usize;
            let (end, size) = (sink.now + self.tape.size, memory.data(sink.cell).len());
            if end > size {
                return Err(Error::internal(format!("a target of row {} ends at element {end}, its buffer at {size}", env.row)));
            }
        }
        self.tape.prepare(env, memory)?;
        if let Some(update) = &mut self.update {
            update.prepare(env, &self.tape.operands, memory);
        }
        Ok(())
    }

    /// Runs at all elements of a kernel that has no core.
    pub fn run(&mut self, env: &Env, memory: &mut Memory) {
        for start in (0..self.tape.size).step_by(LANES) {
            let n = LANES.min(self.tape.size - start);
            if let Some(update) = &mut self.update {
                update.step(&self.tape.operands, memory, start, n);
                self.sinks.iter().zip(&update.next).for_each(|(sink, values)| sink.put(memory, start, values));
            } else {
                self.chunk(env, memory, start, n, &[]);
            }
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
