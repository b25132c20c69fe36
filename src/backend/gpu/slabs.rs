//! Gradients of weights are long sums, of a convolution over every pixel of a batch, and few of them: cut into slabs, each with workgroups of
//! its own, they keep a large device busy. A map behind them adds the slabs up, in their order.

use std::rc::Rc;

use super::config::Config;
use super::products;
use crate::expr::{Binary, Instr, Program};
use crate::graph::View;
use crate::plan::{Bound, Buffer, Kernel, Place, Plan, Role, Stage, Target};
use crate::shape::{DType, Meta, Shape};

/// The constant of a core: how many slabs there are.
pub const SLABS: &str = "SLABS";

/// The plan as a device replays it, which is the plan itself where nothing is cut.
pub fn spread(plan: Rc<Plan>, config: Config) -> Rc<Plan> {
    let counts: Vec<u32> = plan.kernels.iter().map(|kernel| products::slabs(kernel, config)).collect();
    let sizes = plan.kernels.iter().zip(&counts).filter(|(_, n)| **n > 1);
    let Some(size) = sizes.map(|(kernel, n)| kernel.store.domain.size() * *n as usize).max() else { return plan };
    let mut spread = (*plan).clone();
    // One kernel's slabs are added up before the next one's are written.
    let buffer = spread.buffers.len();
    spread.buffers.push(Buffer { role: Role::Slot, dtype: DType::F32, size });
    let cut = |(kernel, n): (Kernel, u32)| if n > 1 { cut(kernel, n, buffer).into() } else { vec![kernel] };
    spread.kernels = spread.kernels.into_iter().zip(counts).flat_map(cut).collect();
    Rc::new(spread)
}

/// A product whose sums are cut, and the map that adds them up and does what the product did with them.
fn cut(mut kernel: Kernel, slabs: u32, buffer: usize) -> [Kernel; 2] {
    let domain = kernel.store.domain.clone();
    let place = |shape: Shape| Place { buffer, offset: 0, meta: Meta::f32(shape) };
    let whole = Shape::from([domain.size() * slabs as usize]);
    let mut store = Stage { domain: whole.clone(), operands: Vec::new(), program: Program::core() };
    std::mem::swap(&mut store, &mut kernel.store);
    let target = Target { place: place(whole), row: None, span: None };
    let outputs = std::mem::replace(&mut kernel.outputs, vec![target]);
    if let Some(call) = &mut kernel.core {
        call.core.consts.push((SLABS, slabs));
    }
    let first = store.operands.len() as u32;
    store.program = summed(&store.program, first, slabs);
    store.operands.extend((0..slabs as usize).map(|slab| {
        let view = View { offset: slab * domain.size(), ..View::identity(&domain) };
        Bound { place: place(domain.clone()), view }
    }));
    let label = format!("{} (slabs)", kernel.label);
    [kernel, Kernel { core: None, store, outputs, beside: None, label }]
}

/// The program with the sum of the operands from `first` on in place of the core's value.
fn summed(program: &Program, first: u32, count: u32) -> Program {
    let mut instrs = Vec::new();
    let mut places: Vec<u32> = Vec::new();
    for instr in &program.instrs {
        if let Instr::Core(_) = instr {
            instrs.push(Instr::Input(first));
            for k in 1..count {
                let sum = instrs.len() as u32 - 1;
                instrs.extend([Instr::Input(first + k), Instr::Binary(Binary::Add, sum, sum + 1)]);
            }
        } else {
            instrs.push(instr.with_arguments(|i| places[i as usize]));
        }
        places.push(instrs.len() as u32 - 1);
    }
    let roots = program.roots.iter().map(|root| places[*root as usize]).collect();
    Program { instrs, roots }
}
