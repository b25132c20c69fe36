//! Short names for what the core imports: wasm-bindgen's tell of what they are, and every page loads them twice, with the core and with its
//! glue. And the core without what the linker left in it for other tools.

use std::fs;
use std::path::Path;

use walrus::ModuleConfig;

use crate::Result;

/// Renames the imports of `core` and their definitions in `glue`, the module that wasm-bindgen made for it.
pub fn shorten(core: &Path, glue: &Path) -> Result<()> {
    let mut module = ModuleConfig::new().parse_file(core)?;
    let mut text = fs::read_to_string(glue)?;
    let mut modules: Vec<String> = Vec::new();
    for (k, import) in module.imports.iter_mut().enumerate() {
        let short = format!("{k:x}");
        let short = format!("i{short}");
        text = once(&text, &format!("        {}: ", import.name), &format!("        {short}: "))?;
        import.name = short;
        if !modules.contains(&import.module) {
            modules.push(import.module.clone());
        }
        import.module = "i".into();
    }
    let [name] = &modules[..] else { return Err(format!("the core imports from {modules:?}, expected one module").into()) };
    text = once(&text, &format!("{name:?}: import0"), "\"i\": import0")?;
    fs::write(glue, text)?;
    let is_link = |name: &str| name == "linking" || name.starts_with("reloc.");
    let links: Vec<_> = module.customs.iter().filter(|(_, custom)| is_link(custom.name())).map(|(id, _)| id).collect();
    for id in links {
        module.customs.delete(id);
    }
    Ok(module.emit_wasm_file(core)?)
}

fn once(text: &str, from: &str, to: &str) -> Result<String> {
    match text.matches(from).count() {
        1 => Ok(text.replace(from, to)),
        n => Err(format!("the glue has {from:?} {n} times, expected once").into()),
    }
}
