//! What the linker knew of a core that was linked with `--emit-relocs`: which of the numbers in code and in constants are addresses of
//! constants or places in the table of functions, and of which. Code and constants come by no others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use walrus::ir::{Const, Load, LoadSimd, Store, Value, Visitor, dfs_in_order};
use walrus::{FunctionId, FunctionKind, Module};
use wasmparser::{BinaryReader, DataKind, Linking, LinkingSectionReader, Name, NameSectionReader, Operator, Parser, Payload};
use wasmparser::{RelocSectionReader, RelocationEntry, RelocationType, SymbolInfo, TypeRef};

use super::Result;

/// A constant or variable, by the linker's number.
pub type Symbol = usize;

#[derive(Default)]
pub struct Links {
    /// The addresses of the bytes of each symbol; none where it is no constant.
    pub bytes: Vec<Range<u32>>,
    /// The addresses of what is never written to.
    pub constants: Vec<Range<u32>>,
    /// Of each function by its name: the addresses in its code and the symbols that they are of.
    of_code: HashMap<String, HashMap<u32, BTreeSet<Symbol>>>,
    slots_of_code: HashMap<String, BTreeSet<u32>>,
    /// The symbols and slots that a symbol names.
    of_symbol: HashMap<Symbol, BTreeSet<Symbol>>,
    slots_of_symbol: HashMap<Symbol, BTreeSet<u32>>,
    slots: BTreeSet<u32>,
}

/// What functions can come by.
pub struct Uses {
    pub symbols: HashSet<Symbol>,
    /// Of the table of functions.
    pub slots: HashSet<u32>,
}

impl Links {
    pub fn read(linked: &Path) -> Result<Links> {
        let bytes = fs::read(linked)?;
        let mut file = Linked { bytes: &bytes, ..Linked::default() };
        for payload in Parser::new(0).parse_all(&bytes) {
            file.take(payload?)?;
        }
        file.links()
    }

    /// Whether the linker filled this slot of the table of functions: others are wasm-bindgen's.
    pub fn is_slot(&self, slot: u32) -> bool {
        self.slots.contains(&slot)
    }

    /// The symbols and slots that functions name, and those that these name.
    pub fn uses<'a>(&self, module: &Module, functions: impl IntoIterator<Item = &'a FunctionId>) -> Uses {
        let mut reached: Vec<Symbol> = Vec::new();
        let mut slots = HashSet::new();
        for id in functions {
            let function = module.funcs.get(*id);
            let FunctionKind::Local(code) = &function.kind else { continue };
            let mut numbers = Numbers::default();
            dfs_in_order(&mut numbers, code, code.entry_block());
            let name = function.name.as_deref().unwrap_or_default();
            match (self.of_code.get(name), self.slots_of_code.get(name)) {
                (Some(known), Some(known_slots)) => {
                    reached.extend(numbers.0.iter().filter_map(|number| known.get(number)).flatten());
                    slots.extend(numbers.0.iter().filter(|number| known_slots.contains(number)));
                }
                // The linker did not see it: whatever could be an address is taken for one.
                _ => {
                    let names = |bytes: &Range<u32>| numbers.0.iter().any(|number| bytes.contains(number));
                    reached.extend(self.bytes.iter().enumerate().filter(|(_, bytes)| names(bytes)).map(|(symbol, _)| symbol));
                    slots.extend(&numbers.0);
                }
            }
        }
        let mut symbols = HashSet::new();
        while let Some(symbol) = reached.pop() {
            if symbols.insert(symbol) {
                reached.extend(self.of_symbol.get(&symbol).into_iter().flatten());
                slots.extend(self.slots_of_symbol.get(&symbol).into_iter().flatten());
            }
        }
        Uses { symbols, slots }
    }
}

/// The numbers in code that could be addresses or slots.
#[derive(Default)]
struct Numbers(HashSet<u32>);

impl Visitor<'_> for Numbers {
    fn visit_const(&mut self, constant: &Const) {
        if let Value::I32(value) = constant.value {
            self.0.insert(value as u32);
        }
    }

    fn visit_load(&mut self, load: &Load) {
        self.0.insert(load.arg.offset as u32);
    }

    fn visit_load_simd(&mut self, load: &LoadSimd) {
        self.0.insert(load.arg.offset as u32);
    }

    fn visit_store(&mut self, store: &Store) {
        self.0.insert(store.arg.offset as u32);
    }
}

/// The sections of a linked file; ranges are places in it.
#[derive(Default)]
struct Linked<'a> {
    bytes: &'a [u8],
    n_sections: u32,
    n_imported: u32,
    names: HashMap<u32, &'a str>,
    /// The section of code, by its number, where it begins, and the functions in it.
    code: (u32, usize, Vec<Range<usize>>),
    /// That of data, and the address of each piece beside it.
    data: (u32, usize, Vec<(u32, Range<usize>)>),
    data_names: HashMap<u32, &'a str>,
    /// Piece of data, offset and size of those symbols that are of data.
    symbols: Vec<Option<(u32, u32, u32)>>,
    relocations: Vec<(u32, Vec<RelocationEntry>)>,
}

impl<'a> Linked<'a> {
    fn take(&mut self, payload: Payload<'a>) -> Result<()> {
        let section = self.n_sections;
        let is_section = !matches!(payload, Payload::CodeSectionEntry(_) | Payload::Version { .. } | Payload::End(_));
        self.n_sections += u32::from(is_section);
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.n_imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionStart { range, .. } => (self.code.0, self.code.1) = (section, range.start),
            Payload::CodeSectionEntry(body) => self.code.2.push(body.range()),
            Payload::DataSection(data) => {
                (self.data.0, self.data.1) = (section, data.range().start);
                for piece in data {
                    let piece = piece?;
                    let end = piece.range.end;
                    let DataKind::Active { offset_expr, .. } = piece.kind else { return Err("the core has passive data".into()) };
                    let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                        return Err("the core has data whose address is not a number".into());
                    };
                    self.data.2.push((value as u32, end - piece.data.len()..end));
                }
            }
            Payload::CustomSection(custom) => {
                let reader = BinaryReader::new(custom.data(), custom.data_offset());
                match custom.name() {
                    "linking" => self.take_symbols(reader)?,
                    "name" => self.take_names(reader)?,
                    name if name.starts_with("reloc.") => {
                        let reader = RelocSectionReader::new(reader)?;
                        let entries = reader.entries().into_iter().collect::<std::result::Result<_, _>>()?;
                        self.relocations.push((reader.section_index(), entries));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_symbols(&mut self, reader: BinaryReader<'a>) -> Result<()> {
        for subsection in LinkingSectionReader::new(reader)?.subsections() {
            let Linking::SymbolTable(symbols) = subsection? else { continue };
            for symbol in symbols {
                self.symbols.push(match symbol? {
                    SymbolInfo::Data { symbol: Some(data), .. } => Some((data.index, data.offset, data.size)),
                    _ => None,
                });
            }
        }
        Ok(())
    }

    fn take_names(&mut self, reader: BinaryReader<'a>) -> Result<()> {
        for subsection in NameSectionReader::new(reader) {
            let (names, naming) = match subsection? {
                Name::Function(names) => (&mut self.names, names),
                Name::Data(names) => (&mut self.data_names, names),
                _ => continue,
            };
            for name in naming {
                let name = name?;
                names.insert(name.index, name.name);
            }
        }
        Ok(())
    }

    fn links(self) -> Result<Links> {
        if self.relocations.is_empty() || self.symbols.is_empty() {
            return Err("the core was linked without --emit-relocs".into());
        }
        let pieces = &self.data.2;
        let bytes_of = |symbol: &Option<(u32, u32, u32)>| {
            let (piece, offset, size) = (*symbol)?;
            let from = pieces.get(piece as usize)?.0 + offset;
            Some(from..from + size)
        };
        let mut links =
            Links { bytes: self.symbols.iter().map(|symbol| bytes_of(symbol).unwrap_or_default()).collect(), ..Links::default() };
        let is_constant = |k: usize| self.data_names.get(&(k as u32)).is_some_and(|name| name.starts_with(".rodata"));
        let constants = pieces.iter().enumerate().filter(|(k, _)| is_constant(*k));
        links.constants = constants.map(|(_, (from, bytes))| *from..*from + bytes.len() as u32).collect();
        for name in self.names.values() {
            links.of_code.entry((*name).to_owned()).or_default();
            links.slots_of_code.entry((*name).to_owned()).or_default();
        }
        for (section, entries) in &self.relocations {
            for entry in entries {
                if *section == self.code.0 {
                    self.take_of_code(entry, &mut links)?;
                } else if *section == self.data.0 {
                    self.take_of_data(entry, &mut links)?;
                }
            }
        }
        Ok(links)
    }

    fn take_of_code(&self, entry: &RelocationEntry, links: &mut Links) -> Result<()> {
        use RelocationType::{
            FunctionIndexLeb, GlobalIndexLeb, MemoryAddrLeb, MemoryAddrSleb, TableIndexSleb, TableNumberLeb, TypeIndexLeb,
        };
        let at = self.code.1 + entry.offset as usize;
        let k = self.code.2.partition_point(|body| body.end <= at) as u32;
        let name = *self.names.get(&(self.n_imported + k)).ok_or("the core has a function without a name")?;
        let mut reader = BinaryReader::new(&self.bytes[at..], at);
        let value = match entry.ty {
            MemoryAddrLeb => reader.read_var_u32()?,
            MemoryAddrSleb | TableIndexSleb => reader.read_var_i32()? as u32,
            FunctionIndexLeb | GlobalIndexLeb | TableNumberLeb | TypeIndexLeb => return Ok(()),
            other => return Err(format!("{name}: a relocation {other:?}").into()),
        };
        if entry.ty == TableIndexSleb {
            links.slots_of_code.entry(name.to_owned()).or_default().insert(value);
            links.slots.insert(value);
            return Ok(());
        }
        let symbol = entry.index as usize;
        self.is_at(symbol, entry, value, links)?;
        links.of_code.entry(name.to_owned()).or_default().entry(value).or_default().insert(symbol);
        Ok(())
    }

    fn take_of_data(&self, entry: &RelocationEntry, links: &mut Links) -> Result<()> {
        let at = self.data.1 + entry.offset as usize;
        let (from, bytes) = self.data.2.iter().find(|(_, bytes)| bytes.contains(&at)).ok_or("a relocation outside of the data")?;
        let address = from + (at - bytes.start) as u32;
        let value = BinaryReader::new(&self.bytes[at..], at).read_u32()?;
        let owners: Vec<Symbol> =
            links.bytes.iter().enumerate().filter(|(_, bytes)| bytes.contains(&address)).map(|(k, _)| k).collect();
        if owners.is_empty() {
            return Err(format!("an address at {address:#x}, in no symbol").into());
        }
        let symbol = entry.index as usize;
        match entry.ty {
            RelocationType::TableIndexI32 => {
                links.slots.insert(value);
                for owner in owners {
                    links.slots_of_symbol.entry(owner).or_default().insert(value);
                }
            }
            RelocationType::MemoryAddrI32 => {
                self.is_at(symbol, entry, value, links)?;
                for owner in owners {
                    links.of_symbol.entry(owner).or_default().insert(symbol);
                }
            }
            other => return Err(format!("a relocation {other:?} at {address:#x}").into()),
        }
        Ok(())
    }

    /// That a relocation says what stands in the file.
    fn is_at(&self, symbol: Symbol, entry: &RelocationEntry, value: u32, links: &Links) -> Result<()> {
        let bytes = links.bytes.get(symbol).ok_or("a relocation of no symbol")?;
        let expected = i64::from(bytes.start) + entry.addend;
        if !bytes.is_empty() && expected != i64::from(value) {
            return Err(format!("symbol {symbol} is at {expected:#x} by its relocation, and at {value:#x} in the file").into());
        }
        Ok(())
    }
}
