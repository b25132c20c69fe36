//! Device memory that is given back: wgpu's web backend frees nothing when a buffer is dropped, so its owner destroys it.

use std::cell::Cell;
use std::rc::Rc;

/// What is alive on the device.
#[derive(Debug, Default)]
pub struct Ledger {
    count: Cell<usize>,
    bytes: Cell<u64>,
}

impl Ledger {
    pub fn total(&self) -> (usize, u64) {
        (self.count.get(), self.bytes.get())
    }
}

/// A buffer that is destroyed when it goes out of scope. Work already submitted still sees it.
#[derive(Debug)]
pub struct Memory {
    pub buffer: wgpu::Buffer,
    pub bytes: u64,
    ledger: Rc<Ledger>,
}

impl Memory {
    pub fn new(device: &wgpu::Device, ledger: &Rc<Ledger>, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Memory {
        let buffer =
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false });
        ledger.count.set(ledger.count.get() + 1);
        ledger.bytes.set(ledger.bytes.get() + bytes);
        Memory { buffer, bytes, ledger: ledger.clone() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.buffer.destroy();
        self.ledger.count.set(self.ledger.count.get() - 1);
        self.ledger.bytes.set(self.ledger.bytes.get() - self.bytes);
    }
}
