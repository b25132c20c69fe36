//! The operations, a file each, and their registry.

pub mod adam;
pub mod affine;
pub mod argmin;
pub mod concat;
pub mod conv2d;
pub mod gather;
pub mod group_norm;
pub mod halves;
pub mod index;
pub mod logsumexp;
pub mod map;
pub mod matmul;
pub mod nearest;
pub mod pack;
pub mod rearrange;
pub mod reduce;
pub mod reparameterize;
pub mod reshape;
pub mod slice;
pub mod softmax;
pub mod step_row;
pub mod totals;
pub mod transpose;
pub mod upsample;

mod example;

pub use affine::affine;
pub use concat::concat;
pub use conv2d::{conv_transpose2d, conv2d};
pub use example::{Draw, Example};
pub use gather::gather;
pub use group_norm::group_norm;
pub use halves::halves;
pub use index::index;
pub use logsumexp::logsumexp;
pub use map::{add, fill, map, map_to, mul, neg, scale, stop_gradient, sub};
pub use matmul::matmul;
pub use nearest::nearest;
pub use reduce::{max, mean, sum};
pub use reparameterize::reparameterize;
pub use reshape::reshape;
pub use slice::slice;
pub use softmax::softmax;
pub use transpose::transpose;
pub use upsample::upsample;

/// Every operation, with the sizes at which all the registry-wide tests run it.
pub fn registry() -> Vec<(&'static str, Vec<Example>)> {
    macro_rules! entries {
        ($($module:ident)*) => { vec![$((stringify!($module), $module::examples())),*] };
    }
    entries![map matmul affine halves conv2d reduce softmax logsumexp group_norm gather index argmin nearest reshape transpose slice concat upsample reparameterize
        step_row pack adam totals]
}
