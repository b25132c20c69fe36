//! How a device computes an operation, as data. The plan fuses and schedules launches without knowing whose they are.

use crate::expr::Scalar;
use crate::graph::View;
use crate::shape::Shape;

#[derive(Clone, Debug)]
pub enum Launch {
    /// A leaf.
    Source,
    /// The elements of input 0 from `offset` on, under another shape: no work.
    Alias {
        offset: usize,
    },
    /// Input k stands at `spans[k]` of the output; what lies between is zero. No work where an input can be computed in its place.
    Pack {
        spans: Vec<Span>,
    },
    Map(MapLaunch),
    /// A map of one input whose outputs are the two halves of its rows. No work where a core's store can have both (`HALVES`).
    Halves(MapLaunch),
    Core(Core),
}

/// Where the elements of a part stand in a whole: element i at start + i / run · stride + i mod run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: usize,
    pub run: usize,
    pub stride: usize,
}

impl Span {
    /// `size` neighbours.
    pub fn flat(start: usize, size: usize) -> Span {
        Span { start, run: size, stride: size }
    }
}

/// A core that names this switch can give its store the two halves of a row of its output together; the plan turns it on.
pub const HALVES: &str = "HALVES";

/// Expressions over the elements of a domain, which is the shape of every output.
#[derive(Clone, Debug)]
pub struct MapLaunch {
    pub domain: Shape,
    pub operands: Vec<Operand>,
    /// One for each output.
    pub roots: Vec<Scalar>,
    /// Its outputs are the next values of states: it runs last and may write in place.
    pub is_update: bool,
}

#[derive(Clone, Debug)]
pub struct Operand {
    /// Which input of the node.
    pub input: usize,
    pub view: View,
}

/// A computation with a shader (and a fast CPU kernel) of its own. It gives one value for each element of the domain, which the store
/// expression then turns into outputs.
#[derive(Clone, Debug)]
pub struct Core {
    /// The file in `shaders/`, without its ending; the CPU kernel has the same name.
    pub shader: &'static str,
    /// Sizes and switches, baked into the shader as constants.
    pub consts: Vec<(&'static str, u32)>,
    /// The inputs in the order of the shader's load functions.
    pub inputs: Vec<CoreInput>,
    /// The shape of the output.
    pub domain: Shape,
    /// What is done with the value at every element, `core()` being the value; nothing leaves it as it is.
    pub store: Option<(Vec<Operand>, Scalar)>,
    /// It is an update: the result is the step's row, of this stride, of a buffer with a row for every step of a submit. Its shader takes
    /// another update, a map, beside it.
    pub row: Option<usize>,
    /// Units of work along x, y and z; the shader's family says how many a workgroup takes.
    pub items: [u32; 3],
}

#[derive(Clone, Debug)]
pub struct CoreInput {
    /// The name of its load function in the shader: `load_{name}(index)`.
    pub name: &'static str,
    /// Which input of the node.
    pub input: usize,
    pub is_read_once: bool,
    /// The kernel reads it in runs of this many neighbours and asks once a run where it starts, so rows may be looked up at no cost.
    pub run: Option<usize>,
}

impl Core {
    /// Whether the store has two values for each element of its domain, which is half as wide as the output: those of a row's halves.
    pub fn is_halved(&self) -> bool {
        self.consts.contains(&(HALVES, 1))
    }

    /// A size or switch by name.
    pub fn get(&self, name: &str) -> usize {
        self.consts.iter().find(|(n, _)| *n == name).map(|(_, v)| *v as usize).expect("a core names the sizes its kernel reads")
    }
}

impl CoreInput {
    pub fn new(name: &'static str, input: usize) -> CoreInput {
        CoreInput { name, input, is_read_once: false, run: None }
    }

    /// The kernel loads every element exactly once, so work may be fused into the load at no cost.
    pub fn read_once(name: &'static str, input: usize) -> CoreInput {
        CoreInput { name, input, is_read_once: true, run: None }
    }

    /// The kernel reads runs of `run` neighbours.
    pub fn in_runs(name: &'static str, input: usize, run: usize) -> CoreInput {
        CoreInput { name, input, is_read_once: false, run: Some(run) }
    }
}
