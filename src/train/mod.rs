//! Training and use of a model on a backend: the only room that sees both.

mod checkpoint;
mod clusters;
mod cursor;
mod data;
mod evaluation;
mod inference;
mod kernels;
mod options;
mod prior;
mod programs;
mod run;
mod session;
mod shares;
mod snapshot;
mod states;

pub use data::{Data, Values};
pub use inference::{Rows, check};
pub use kernels::Tune;
pub use options::{Optimizer, TrainOptions};
pub use prior::{Drawn, PriorAdvance, PriorEvent, PriorFigures};
pub use programs::{Resident, decoding, encoding, evaluation, training};
pub use run::{Advance, Event, Figures};
pub use session::{Clock, Session};
pub use shares::{Crew, Helper, MAX_CORES, Pending, Step, Task};
