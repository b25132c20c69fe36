//! A store: a tape over a kernel's values, and where its roots are written.

use super::memory::{Data, Memory};
use super::tape::{Cores, Tape};
use super::update::Update;
use reparam_base::error::{Error, Result};
use reparam_base::expr::{Env, LANES, Program};
use reparam_base::graph::Span;
use reparam_base::ops::adam::Adam;
use reparam_base::plan::{Stage, Target};
use reparam_base::shape::DType;

#[derive(Debug)]
pub struct Store {
    pub tape: Tape,
    sinks: Vec<Sink>,
    /// It writes the kernel's values as they are.
    is_plain: bool,
    /// It is a step of Adam.
    update: Option<Update>,
    /// The kernel's rows are twice as wide as those of the domain, of this many columns: an element has a value of each half.
    half: Option<usize>,
    /// The two halves of what is written.
    apart: [Vec<f32>; 2],
}

#[derive(Debug)]
struct Sink {
    cell: usize,
    base: usize,
    row: usize,
    span: Option<Span>,
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
            Sink { cell, base, row: t.row.unwrap_or(0), span: t.span, now: base }
        };
        let is_plain = stage.program == Program::core() && targets[0].place.meta.dtype == DType::F32;
        let sinks: Vec<Sink> = targets.iter().map(sink).collect();
        let places: Vec<(usize, usize)> =
            sinks.iter().filter(|s| s.row == 0 && s.span.is_none()).map(|s| (s.cell, s.base)).collect();
        let update = Adam::of(&stage.program).and_then(|adam| Update::new(adam, &tape.operands, &places, memory));
        Ok(Store { tape, sinks, is_plain, update, half: None, apart: Default::default() })
    }

    /// Of a kernel whose rows are given in halves.
    pub fn halved(self, stage: &Stage) -> Store {
        Store { half: stage.domain.dims().last().copied(), is_plain: false, ..self }
    }

    pub fn prepare(&mut self, env: &Env, memory: &Memory) -> Result<()> {
        for sink in &mut self.sinks {
            sink.now = sink.base + sink.row * env.row as usize;
            let (end, size) = (sink.now + sink.reach(self.tape.size), memory.data(sink.cell).len());
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
        if let Some(update) = &self.update {
            return update.run(&self.tape.operands, memory, self.tape.size);
        }
        for start in (0..self.tape.size).step_by(LANES) {
            let n = LANES.min(self.tape.size - start);
            self.chunk(env, memory, start, n, [&[]; 2]);
        }
    }

    /// Where the kernel's values are written as they are: the buffer and the element of the first, if it is not one of those.
    pub fn as_is(&self, apart_from: &[Tape]) -> Option<(usize, usize)> {
        let Sink { cell, now, span, .. } = self.sinks.first().filter(|_| self.is_plain)?;
        let is_read = apart_from.iter().flat_map(|load| &load.operands).any(|operand| operand.cell() == *cell);
        (span.is_none() && !is_read).then_some((*cell, *now))
    }

    /// Runs at the elements from `start` on, whose values from the kernel are `core`.
    pub fn write(&mut self, env: &Env, memory: &mut Memory, start: usize, core: &[f32]) {
        if self.is_plain {
            return self.sinks[0].put(memory, start, core);
        }
        let Some(half) = self.half else {
            for (i, core) in core.chunks(LANES).enumerate() {
                self.chunk(env, memory, start + i * LANES, core.len(), [core, &[]]);
            }
            return;
        };
        let [mut first, mut second] = std::mem::take(&mut self.apart);
        first.clear();
        second.clear();
        for row in core.chunks_exact(2 * half) {
            first.extend_from_slice(&row[..half]);
            second.extend_from_slice(&row[half..]);
        }
        for (i, (a, b)) in first.chunks(LANES).zip(second.chunks(LANES)).enumerate() {
            self.chunk(env, memory, start / 2 + i * LANES, a.len(), [a, b]);
        }
        self.apart = [first, second];
    }

    fn chunk(&mut self, env: &Env, memory: &mut Memory, start: usize, n: usize, core: Cores) {
        self.tape.step(env, memory, start, n, core);
        for (r, sink) in self.sinks.iter().enumerate() {
            sink.put(memory, start, self.tape.root(r, n, core));
        }
    }
}

impl Sink {
    /// One past the last of `size` elements, from where the first stands.
    fn reach(&self, size: usize) -> usize {
        let last = size.saturating_sub(1);
        self.span.map_or(size, |span| last / span.run * span.stride + last % span.run + 1)
    }

    fn put(&self, memory: &mut Memory, start: usize, values: &[f32]) {
        let Some(span) = self.span else { return self.put_run(memory, start, values) };
        let (mut start, mut values) = (start, values);
        while !values.is_empty() {
            let (run, rest) = values.split_at((span.run - start % span.run).min(values.len()));
            self.put_run(memory, start / span.run * span.stride + start % span.run, run);
            (start, values) = (start + run.len(), rest);
        }
    }

    /// Neighbours, the first of them `at` elements behind the domain's first.
    fn put_run(&self, memory: &mut Memory, at: usize, values: &[f32]) {
        let range = self.now + at..self.now + at + values.len();
        match memory.data_mut(self.cell) {
            Data::F32(v) => v[range].copy_from_slice(values),
            Data::U32(v) => v[range].iter_mut().zip(values).for_each(|(y, x)| *y = *x as u32),
            Data::U8(v) => v[range].iter_mut().zip(values).for_each(|(y, x)| *y = *x as u8),
        }
    }
}
