//! Stages before their operands have places: what a kernel reads and computes, and how a map is computed where it is read.

use crate::expr::{Instr, Program, Scalar, Term, core_at, input};
use crate::graph::{Dim, Edge, View};
use crate::shape::Shape;
use crate::sorted::order;

/// An operand before it has a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub edge: Edge,
    pub view: View,
}

/// A stage before its operands have places.
#[derive(Clone, Debug)]
pub struct Stage {
    pub domain: Shape,
    pub reads: Vec<Read>,
    pub roots: Vec<Scalar>,
}

/// A map that is computed where it is read.
#[derive(Clone)]
pub struct Lazy {
    pub stage: Stage,
    pub is_pure_view: bool,
}

pub fn is_positional(stage: &Stage) -> bool {
    Program::lower(&stage.roots).is_positional()
}

/// Rows longer than this many instructions are not computed wherever they are read.
const SHORT: usize = 4;

/// The length of a row, where a stage is rows of a table that an index chooses, each element a short function of the table's.
pub fn chosen_rows(stage: &Stage) -> Option<usize> {
    let [one, other] = &stage.reads[..] else { return None };
    let (at, table, index) = if other.view.index.is_some() { (1, other, one) } else { (0, one, other) };
    let program = Program::lower(&stage.roots);
    let reads_table = |instr: &Instr| !matches!(instr, Instr::Input(k) if *k != at);
    let is_short = program.instrs.len() <= SHORT && program.roots.len() == 1 && program.instrs.iter().all(reads_table);
    let (row, lead) = (stage.domain.row(), *stage.domain.dims().first()?);
    let whole = View { dims: table.view.dims.clone(), offset: 0, row: None, index: None, sum: None };
    let straight = whole.reshaped(&stage.domain, &Shape::from([lead, row]))?.dims == [Dim::new(lead, 0), Dim::new(row, 1)];
    let chosen = index.view.index.is_none() && index.view.dims[1..].iter().all(|dim| dim.stride == 0);
    (table.view.index.is_some() && table.view.row.is_none() && straight && chosen && is_short && !program.is_positional())
        .then_some(row)
}

/// The place of a read in a list, added if it is new.
pub fn push(reads: &mut Vec<Read>, read: Read) -> usize {
    reads.iter().position(|r| *r == read).unwrap_or_else(|| {
        reads.push(read);
        reads.len() - 1
    })
}

/// Adds reads that may look each other up; their new numbers.
pub fn place_reads(into: &mut Vec<Read>, reads: &[Read]) -> Vec<usize> {
    let mut numbers: Vec<Option<usize>> = vec![None; reads.len()];
    for k in order(reads.len(), |k| reads[k].view.index.is_some()) {
        let mut read = reads[k].clone();
        if let Some(index) = &mut read.view.index {
            index.operand = numbers[index.operand].expect("an index is itself read without lookup");
        }
        numbers[k] = Some(push(into, read));
    }
    numbers.into_iter().map(|n| n.expect("every read was placed")).collect()
}

pub fn renumber(root: &Scalar, numbers: &[usize]) -> Scalar {
    root.substitute(&mut |leaf| match leaf {
        Term::Input(k) => input(numbers[*k]),
        other => Scalar::from(other.clone()),
    })
}

/// A store over rows as one over `domain`, their halves: it has the values of both, and two roots for its one.
pub fn halved(stage: &Stage, domain: &Shape) -> Option<Stage> {
    let (&[rows, cols], &[lead, n], [root]) = (stage.domain.dims(), domain.dims(), &stage.roots[..]) else { return None };
    let mut halved = Stage { domain: domain.clone(), reads: Vec::new(), roots: Vec::new() };
    for half in 0..2 {
        let read = |r: &Read| {
            let last = r.view.dims[1];
            let is_plain = last.low == 0 && last.high >= cols && last.divisor == 1 && r.view.index.is_none();
            let dims = vec![r.view.dims[0], Dim::new(n, last.stride)];
            is_plain.then(|| Read {
                edge: r.edge,
                view: View { dims, offset: r.view.offset + half * n * last.stride, ..r.view.clone() },
            })
        };
        let reads = stage.reads.iter().map(read).collect::<Option<Vec<_>>>()?;
        let numbers = place_reads(&mut halved.reads, &reads);
        halved.roots.push(root.substitute(&mut |leaf| match leaf {
            Term::Input(k) => input(numbers[*k]),
            _ => core_at(half),
        }));
    }
    (rows == lead && cols == 2 * n).then_some(halved)
}

/// A lazy map as seen through `view` over `domain`: its reads over that domain, and its value.
pub fn inline(lazy: &Lazy, view: &View, domain: &Shape) -> Option<(Vec<Read>, Scalar)> {
    let (stage, root) = (&lazy.stage, &lazy.stage.roots[0]);
    if view.index.is_some() || view.row.is_some() || view.sum.is_some() {
        return None;
    }
    if view.is_identity(domain) && view.offset == 0 && domain.size() == stage.domain.size() {
        let read = |r: &Read| Some(Read { edge: r.edge, view: r.view.reshaped(&stage.domain, domain)? });
        return Some((stage.reads.iter().map(read).collect::<Option<Vec<_>>>()?, root.clone()));
    }
    if is_positional(stage) || !(lazy.is_pure_view || view.is_total(domain)) {
        return None;
    }
    // Its own reads run straight over its elements, so the outer view is theirs.
    let compose = |r: &Read| {
        let straight = View { row: None, offset: 0, ..r.view.clone() };
        let is_straight = r.view.index.is_none() && straight.is_identity(&stage.domain);
        is_straight
            .then(|| Read { edge: r.edge, view: View { offset: view.offset + r.view.offset, row: r.view.row, ..view.clone() } })
    };
    Some((stage.reads.iter().map(compose).collect::<Option<Vec<_>>>()?, root.clone()))
}

pub fn drop_unused_reads(stage: &mut Stage) {
    let program = Program::lower(&stage.roots);
    let mut used: Vec<bool> = vec![false; stage.reads.len()];
    for instr in &program.instrs {
        if let Instr::Input(k) = instr {
            used[*k as usize] = true;
        }
    }
    for k in 0..stage.reads.len() {
        if let Some(index) = stage.reads[k].view.index.filter(|_| used[k]) {
            used[index.operand] = true;
        }
    }
    let numbers = kept_numbers(&used);
    let mut flags = used.iter();
    stage.reads.retain(|_| *flags.next().expect("a flag a read"));
    for read in &mut stage.reads {
        if let Some(index) = &mut read.view.index {
            index.operand = numbers[index.operand];
        }
    }
    stage.roots = stage.roots.iter().map(|root| renumber(root, &numbers)).collect();
}

/// The new number of each element of a list that keeps only those marked; meaningless for the others.
pub fn kept_numbers(marked: &[bool]) -> Vec<usize> {
    let mut next = 0;
    let number = |is_kept: &bool| {
        next += usize::from(*is_kept);
        next.saturating_sub(1)
    };
    marked.iter().map(number).collect()
}
