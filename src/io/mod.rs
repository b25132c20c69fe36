//! Bytes in, checked arrays out. A hostile file gives an error, never a panic.

pub mod safetensors;
