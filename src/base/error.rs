//! The one error of the crate. Every message gives both sides: what was given and what was wanted.

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// An option is missing, unknown, of the wrong kind or out of range. `path` is like `encoder.hidden[1]`.
    Option { path: String, got: String, expected: String },
    /// Shapes that do not fit together, found while a graph is built.
    Shape { op: &'static str, message: String },
    /// A data set, label or latent that does not fit the model. `path` is like `data.shape`.
    Data { path: String, got: String, expected: String },
    /// Bytes that are not the file they should be.
    File { got: String, expected: String },
    /// A value that is not finite where training needs it to be; the model is what it was at step `back_at`.
    NonFinite { what: String, step: u64, back_at: u64 },
    /// WebGPU was asked for and there is no usable adapter or device.
    WebGpuUnavailable { reason: String },
    /// The device went away; work since the last read-back did not happen.
    DeviceLost { reason: String },
    /// More memory than the device or the address space offers.
    OutOfMemory { bytes: u64, limit: u64 },
    /// A second command while one is still running.
    Busy { what: &'static str },
    /// The model was disposed of.
    Disposed,
    /// A fault of this library.
    Internal { message: String },
}

impl Error {
    pub fn option(path: impl Into<String>, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Error::Option { path: path.into(), got: got.to_string(), expected: expected.into() }
    }

    pub fn data(path: impl Into<String>, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Error::Data { path: path.into(), got: got.to_string(), expected: expected.into() }
    }

    pub fn shape(op: &'static str, message: impl Into<String>) -> Self {
        Error::Shape { op, message: message.into() }
    }

    pub fn file(got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Error::File { got: got.to_string(), expected: expected.into() }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Error::Internal { message: message.into() }
    }

    /// The stable name that JavaScript sees.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Option { .. } => "invalid-option",
            Error::Shape { .. } => "invalid-option",
            Error::Data { .. } => "invalid-data",
            Error::File { .. } => "invalid-file",
            Error::NonFinite { .. } => "non-finite",
            Error::WebGpuUnavailable { .. } => "webgpu-unavailable",
            Error::DeviceLost { .. } => "device-lost",
            Error::OutOfMemory { .. } => "out-of-memory",
            Error::Busy { .. } => "busy",
            Error::Disposed => "disposed",
            Error::Internal { .. } => "internal",
        }
    }
}

/// The most that one value may take: what WebAssembly's 32-bit address space can hold in one piece. It is the same wherever the code runs, so
/// that what is refused in a page is refused in a test.
pub const LARGEST: u64 = i32::MAX as u64;

/// Refuses what there is no memory for, before any of it is taken.
pub fn fits(bytes: u64) -> Result<()> {
    reserved::<u8>(bytes).map(|room| drop(std::hint::black_box(room))) // else it would be compiled to nothing
}

/// Refuses an array of more elements than 32 bits count: WebAssembly would take it for a smaller one.
pub fn countable(elements: f64) -> Result<()> {
    let bytes = (elements * size_of::<f32>() as f64) as u64;
    if elements > f64::from(u32::MAX) { Err(Error::OutOfMemory { bytes, limit: LARGEST }) } else { Ok(()) }
}

/// An empty vector with room for so many values; an error where there is no such room, and nothing has changed.
pub fn reserved<T>(n: u64) -> Result<Vec<T>> {
    /// What takes as much as this leaves as much as that for all that comes with it.
    const LARGE: u64 = 1 << 28;
    const REST: usize = 1 << 25;
    let bytes = n.saturating_mul(size_of::<T>() as u64);
    let refused = || Error::OutOfMemory { bytes, limit: available() };
    if bytes > LARGEST {
        return Err(refused());
    }
    let mut room = Vec::new();
    room.try_reserve_exact(n as usize).map_err(|_| refused())?;
    if bytes >= LARGE {
        let mut rest: Vec<u8> = Vec::new();
        rest.try_reserve_exact(REST).map_err(|_| refused())?;
        std::hint::black_box(&rest);
    }
    Ok(room)
}

/// What one value can have of the memory that is not taken yet.
fn available() -> u64 {
    #[cfg(target_arch = "wasm32")]
    {
        const PAGE: u64 = 1 << 16;
        let taken = core::arch::wasm32::memory_size(0) as u64 * PAGE;
        LARGEST.min((1 << 32) - taken)
    }
    #[cfg(not(target_arch = "wasm32"))]
    LARGEST
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Option { path, got, expected } => write!(f, "option {path}: got {got}, expected {expected}"),
            Error::Shape { op, message } => write!(f, "{op}: {message}"),
            Error::Data { path, got, expected } => write!(f, "{path}: got {got}, expected {expected}"),
            Error::File { got, expected } => write!(f, "file: got {got}, expected {expected}"),
            Error::NonFinite { what, step, back_at } => {
                write!(
                    f,
                    "{what} is not finite at step {step}; the model is back at step {back_at}: try a lower learning rate or clipNorm"
                )
            }
            Error::WebGpuUnavailable { reason } => write!(f, "WebGPU is not available: {reason}"),
            Error::DeviceLost { reason } => write!(f, "the GPU device was lost: {reason}"),
            Error::OutOfMemory { bytes, limit } => write!(f, "out of memory: {bytes} bytes wanted, {limit} available"),
            Error::Busy { what } => write!(f, "busy: {what}"),
            Error::Disposed => write!(f, "the model was disposed of"),
            Error::Internal { message } => write!(f, "internal error: {message}"),
        }
    }
}

impl std::error::Error for Error {}
