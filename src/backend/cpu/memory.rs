//! The buffers: typed vectors, found by role where plans share them.

use reparam_base::error::{Error, Result, fits};
use reparam_base::plan::{Buffer, Role};
use reparam_base::shape::DType;
use reparam_base::sorted::Sorted;

#[derive(Debug)]
pub enum Data {
    F32(Vec<f32>),
    U8(Vec<u8>),
    U32(Vec<u32>),
}

impl Data {
    pub fn zeros(dtype: DType, size: usize) -> Result<Data> {
        let width = if dtype == DType::U8 { 1 } else { 4 };
        fits(size as u64 * width)?;
        Ok(match dtype {
            DType::F32 => Data::F32(vec![0.0; size]),
            DType::F16 => unreachable!("a plan of halves is refused"),
            DType::U8 => Data::U8(vec![0; size]),
            DType::U32 => Data::U32(vec![0; size]),
        })
    }

    fn decode(dtype: DType, bytes: &[u8]) -> Result<Data> {
        fits(bytes.len() as u64)?;
        Ok(match dtype {
            DType::F32 => Data::F32(bytemuck::pod_collect_to_vec(bytes)),
            DType::F16 => unreachable!("a plan of halves is refused"),
            DType::U8 => Data::U8(bytes.to_vec()),
            DType::U32 => Data::U32(bytemuck::pod_collect_to_vec(bytes)),
        })
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Data::F32(v) => bytemuck::cast_slice(v),
            Data::U8(v) => v,
            Data::U32(v) => bytemuck::cast_slice(v),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::U8(v) => v.len(),
            Data::U32(v) => v.len(),
        }
    }

    fn dtype(&self) -> DType {
        match self {
            Data::F32(_) => DType::F32,
            Data::U8(_) => DType::U8,
            Data::U32(_) => DType::U32,
        }
    }
}

/// Buffers by number. A number stays valid when its buffer is replaced or freed.
#[derive(Debug, Default)]
pub struct Memory {
    cells: Vec<Option<Data>>,
    unused: Vec<usize>,
    shared: Sorted<Role, Shared>,
}

#[derive(Debug)]
struct Shared {
    cell: usize,
    /// What plans take it for; unknown while the host wrote it before any plan was built: a state is held as f32 until then, the rest as u8.
    dtype: Option<DType>,
}

impl Memory {
    /// A zeroed buffer of its own for a plan's slot or output, or the shared buffer of that role.
    pub fn bind(&mut self, buffer: &Buffer) -> Result<usize> {
        if matches!(buffer.role, Role::Slot | Role::Output) {
            return Ok(self.insert(Data::zeros(buffer.dtype, buffer.size)?));
        }
        let cell = self.share(&buffer.role);
        let shared = self.shared.get_mut(&buffer.role).expect("it was shared on the line above");
        match (shared.dtype, &mut self.cells[cell]) {
            (Some(dtype), Some(_)) if dtype != buffer.dtype => {
                let message = format!("{:?} is {} in one plan, {} in another", buffer.role, dtype.name(), buffer.dtype.name());
                return Err(Error::internal(message));
            }
            (Some(_), Some(_)) => {}
            (None, Some(data)) if data.dtype() == buffer.dtype => {}
            (None, Some(data)) => *data = Data::decode(buffer.dtype, data.bytes())?,
            (_, empty @ None) => *empty = Some(Data::zeros(buffer.dtype, buffer.size)?),
        }
        shared.dtype = Some(buffer.dtype);
        self.check(cell, buffer)?;
        Ok(cell)
    }

    /// Whether the buffer still is what a plan was built for.
    pub fn check(&self, cell: usize, buffer: &Buffer) -> Result<()> {
        let (role, dtype, size) = (&buffer.role, buffer.dtype, buffer.size);
        match &self.cells[cell] {
            Some(data) if data.dtype() == dtype && data.len() >= size => Ok(()),
            Some(data) => {
                let (got, elements) = (data.dtype().name(), data.len());
                Err(Error::internal(format!("{role:?} holds {elements} {got}, the plan wants {size} {}", dtype.name())))
            }
            None => Err(Error::internal(format!("{role:?} was freed, the plan wants {size} {}", dtype.name()))),
        }
    }

    /// Creates or replaces a shared buffer.
    pub fn write(&mut self, role: &Role, bytes: &[u8]) -> Result<()> {
        let cell = self.share(role);
        let dtype = self.shared[role].dtype.unwrap_or(if matches!(role, Role::State(_)) { DType::F32 } else { DType::U8 });
        let words_of_old = self.cells[cell].as_mut().filter(|data| data.bytes().len() == bytes.len());
        match words_of_old {
            Some(Data::F32(v)) => bytemuck::cast_slice_mut(v).copy_from_slice(bytes),
            Some(Data::U8(v)) => v.copy_from_slice(bytes),
            Some(Data::U32(v)) => bytemuck::cast_slice_mut(v).copy_from_slice(bytes),
            None => self.cells[cell] = Some(Data::decode(dtype, bytes)?),
        }
        Ok(())
    }

    /// Creates a state, or replaces it, from values that become its own.
    pub fn put(&mut self, role: &Role, values: Vec<f32>) {
        let cell = self.share(role);
        self.cells[cell] = Some(Data::F32(values));
    }

    pub fn free_shared(&mut self, role: &Role) {
        if let Some(shared) = self.shared.get_mut(role) {
            shared.dtype = None;
            self.cells[shared.cell] = None;
        }
    }

    /// Frees a buffer that one plan owned.
    pub fn free_owned(&mut self, cell: usize) {
        self.cells[cell] = None;
        self.unused.push(cell);
    }

    pub fn find(&self, role: &Role) -> Option<&Data> {
        self.shared.get(role).and_then(|shared| self.cells[shared.cell].as_ref())
    }

    pub fn find_mut(&mut self, role: &Role) -> Option<&mut Data> {
        self.shared.get(role).and_then(|shared| self.cells[shared.cell].as_mut())
    }

    pub fn data(&self, cell: usize) -> &Data {
        self.cells[cell].as_ref().expect("a run checks its buffers before it starts")
    }

    pub fn data_mut(&mut self, cell: usize) -> &mut Data {
        self.cells[cell].as_mut().expect("a run checks its buffers before it starts")
    }

    pub fn f32(&self, cell: usize) -> &[f32] {
        match self.data(cell) {
            Data::F32(v) => v,
            Data::U8(_) | Data::U32(_) => unreachable!("only f32 operands are borrowed"),
        }
    }

    /// Takes an f32 buffer out, to be written while others are read. It must be put back.
    pub fn take(&mut self, cell: usize) -> Vec<f32> {
        match self.data_mut(cell) {
            Data::F32(v) => std::mem::take(v),
            Data::U8(_) | Data::U32(_) => unreachable!("only f32 buffers are taken"),
        }
    }

    pub fn put_back(&mut self, cell: usize, data: Vec<f32>) {
        *self.data_mut(cell) = Data::F32(data);
    }

    /// How many buffers there are, and their bytes.
    pub fn live(&self) -> (usize, u64) {
        self.cells.iter().flatten().fold((0, 0), |(n, bytes), data| (n + 1, bytes + data.bytes().len() as u64))
    }

    fn share(&mut self, role: &Role) -> usize {
        if let Some(shared) = self.shared.get(role) {
            return shared.cell;
        }
        self.cells.push(None);
        let cell = self.cells.len() - 1;
        self.shared.insert(role.clone(), Shared { cell, dtype: None });
        cell
    }

    fn insert(&mut self, data: Data) -> usize {
        match self.unused.pop() {
            Some(cell) => {
                self.cells[cell] = Some(data);
                cell
            }
            None => {
                self.cells.push(Some(data));
                self.cells.len() - 1
            }
        }
    }
}
