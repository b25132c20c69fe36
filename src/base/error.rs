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
