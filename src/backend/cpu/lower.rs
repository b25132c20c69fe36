//! A program made ready for chunks of lanes: which of its values change from element to element, where each is found, and which
//! register it takes. Divisions by what does not change become products, a product that one sum takes is computed with it, and softplus and
//! sigmoid of one value, a Bernoulli's loss and its gradient, are computed together.

use super::access::Access;
use super::memory::Memory;
use reparam_base::expr::{Binary, Instr, Program, Unary};
use reparam_base::sorted::{distinct, order};

#[derive(Debug)]
pub struct Lowered {
    pub program: Program,
    pub ways: Vec<Way>,
    /// The register of each instruction.
    pub slots: Vec<usize>,
    pub n_slots: usize,
}

/// How an instruction gets its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// The same for all elements of a step: its register is filled once.
    Fixed,
    /// Operand k, read where it stands; through the register when fewer than `LANES` elements are left.
    Slice(usize),
    /// The kernel's value k, likewise.
    Core(usize),
    /// Operand k, which repeats: from its prepared period.
    Periodic(usize),
    /// A product, computed by the sum or difference that takes it.
    Product,
    /// The sigmoid of what the instruction before is the softplus of, computed with it.
    Beside,
    Computed,
}

/// Longer periods are copied as they come.
const LONGEST_PERIOD: usize = 2048;

impl Lowered {
    pub fn new(program: &Program, operands: &[Access], memory: &Memory) -> Lowered {
        let program = with_reciprocals(&with_pairs(program), operands);
        let mut ways: Vec<Way> = Vec::with_capacity(program.instrs.len());
        for (i, instr) in program.instrs.iter().enumerate() {
            let is_root = program.roots.contains(&(i as u32));
            let way = match instr {
                _ if is_fixed(instr, operands, &|j| ways[j as usize] == Way::Fixed) => Way::Fixed,
                // A root is copied to its target while no buffer is borrowed.
                Instr::Input(k) if operands[*k as usize].is_slice(memory) && !is_root => Way::Slice(*k as usize),
                Instr::Input(k) if operands[*k as usize].period().is_some_and(|p| p <= LONGEST_PERIOD) && !is_root => {
                    Way::Periodic(*k as usize)
                }
                Instr::Core(k) => Way::Core(*k as usize),
                _ => Way::Computed,
            };
            ways.push(way);
        }
        join_products(&program, &mut ways);
        for (way, pair) in ways.iter_mut().skip(1).zip(program.instrs.windows(2)) {
            if *way == Way::Computed && is_pair(&pair[0], &pair[1]) {
                *way = Way::Beside;
            }
        }
        let (slots, n_slots) = allocate(&program, &ways);
        Lowered { program, ways, slots, n_slots }
    }

    /// Whether the next instruction is computed with this one.
    pub fn has_beside(&self, i: usize) -> bool {
        self.ways.get(i + 1) == Some(&Way::Beside)
    }

    /// The two factors of a product.
    pub fn factors(&self, i: u32) -> Option<(u32, u32)> {
        match self.program.instrs[i as usize] {
            Instr::Binary(_, a, b) if self.ways[i as usize] == Way::Product => Some((a, b)),
            _ => None,
        }
    }
}

/// Whether an instruction has one value for all elements of a step.
fn is_fixed(instr: &Instr, operands: &[Access], is_fixed: &dyn Fn(u32) -> bool) -> bool {
    match *instr {
        Instr::Const(_) | Instr::Control(_) => true,
        Instr::Noise { .. } | Instr::Position | Instr::Core(_) => false,
        Instr::Input(k) => operands[k as usize].is_scalar(),
        Instr::Unary(..) | Instr::Binary(..) | Instr::Select(..) => arguments(instr).into_iter().all(is_fixed),
    }
}

fn is_pair(a: &Instr, b: &Instr) -> bool {
    matches!((a, b), (Instr::Unary(Unary::Softplus, x), Instr::Unary(Unary::Sigmoid, y)) if x == y)
}

/// Puts the sigmoid of a value right behind its softplus.
fn with_pairs(program: &Program) -> Program {
    let instrs = &program.instrs;
    let place = |i: usize| {
        let other = instrs.iter().position(|other| is_pair(other, &instrs[i]) || is_pair(&instrs[i], other));
        (other.map_or(i, |other| other.min(i)), matches!(instrs[i], Instr::Unary(Unary::Sigmoid, _)))
    };
    let order = order(instrs.len(), place);
    let mut moved = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, from)| moved[*from] = to as u32);
    let at = |j: u32| moved[j as usize];
    Program {
        instrs: order.iter().map(|i| instrs[*i].with_arguments(at)).collect(),
        roots: program.roots.iter().map(|root| at(*root)).collect(),
    }
}

/// x / y with a fixed y is x · (1 / y): a division of lanes takes as long as four products.
fn with_reciprocals(program: &Program, operands: &[Access]) -> Program {
    let mut instrs: Vec<Instr> = Vec::new();
    let mut fixed: Vec<bool> = Vec::new();
    let mut moved: Vec<u32> = Vec::new();
    for instr in &program.instrs {
        let next = match instr.with_arguments(|j| moved[j as usize]) {
            Instr::Binary(Binary::Div, a, b) if fixed[b as usize] && !fixed[a as usize] => {
                let one = instrs.len() as u32;
                instrs.extend([Instr::Const(1.0f64.to_bits()), Instr::Binary(Binary::Div, one, b)]);
                fixed.extend([true, true]);
                Instr::Binary(Binary::Mul, a, one + 1)
            }
            next => next,
        };
        moved.push(instrs.len() as u32);
        fixed.push(is_fixed(&next, operands, &|j| fixed[j as usize]));
        instrs.push(next);
    }
    Program { instrs, roots: program.roots.iter().map(|root| moved[*root as usize]).collect() }
}

fn join_products(program: &Program, ways: &mut [Way]) {
    let mut uses = vec![0; ways.len()];
    program.instrs.iter().flat_map(arguments).chain(program.roots.iter().copied()).for_each(|j| uses[j as usize] += 1);
    for (i, instr) in program.instrs.iter().enumerate() {
        let &Instr::Binary(Binary::Add | Binary::Sub, a, b) = instr else { continue };
        let is_product = |j: &u32| matches!(program.instrs[*j as usize], Instr::Binary(Binary::Mul, ..));
        let is_free = |j: &u32| ways[*j as usize] == Way::Computed && uses[*j as usize] == 1;
        let product = [a, b].into_iter().find(|j| is_product(j) && is_free(j));
        if let Some(j) = product.filter(|_| ways[i] == Way::Computed) {
            ways[j as usize] = Way::Product;
        }
    }
}

fn arguments(instr: &Instr) -> Vec<u32> {
    match *instr {
        Instr::Unary(_, x) => vec![x],
        Instr::Binary(_, a, b) => vec![a, b],
        Instr::Select(c, a, b) => vec![c, a, b],
        Instr::Input(_) | Instr::Core(_) | Instr::Const(_) | Instr::Control(_) | Instr::Noise { .. } | Instr::Position => {
            Vec::new()
        }
    }
}

/// A register for each instruction, taken over from values that are not used any more; and how many that are.
fn allocate(program: &Program, ways: &[Way]) -> (Vec<usize>, usize) {
    // What an instruction reads, a product's factors in its place.
    let read = |i: usize| -> Vec<u32> {
        let through = |j: u32| if ways[j as usize] == Way::Product { arguments(&program.instrs[j as usize]) } else { vec![j] };
        distinct(arguments(&program.instrs[i]).into_iter().flat_map(through))
    };
    let mut last_use = vec![0; ways.len()];
    for i in (0..ways.len()).filter(|i| ways[*i] != Way::Product) {
        read(i).into_iter().for_each(|j| last_use[j as usize] = i);
    }
    // Results, and values that outlive a chunk.
    let lasting = (0..ways.len()).filter(|i| ways[*i] == Way::Fixed || program.roots.contains(&(*i as u32)));
    lasting.for_each(|i| last_use[i] = usize::MAX);
    let (mut slots, mut free, mut n_slots) = (Vec::new(), Vec::new(), 0);
    for (i, way) in ways.iter().enumerate() {
        if matches!(way, Way::Periodic(_) | Way::Product) {
            slots.push(usize::MAX);
            continue;
        }
        let ended = read(i).into_iter().filter(|j| last_use[*j as usize] == i);
        free.extend(ended.map(|j| slots[j as usize]).filter(|slot| *slot != usize::MAX));
        // What is filled once a step has a register that nothing else ever had.
        let reused = if *way == Way::Fixed { None } else { free.pop() };
        slots.push(reused.unwrap_or(n_slots));
        n_slots += usize::from(reused.is_none());
    }
    (slots, n_slots)
}
