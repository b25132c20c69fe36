//! The map of `src/lib.rs` holds: a room imports only from floors below its own, and each outside world has one room that names it.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The crate of floors 0 to 4: its rooms stand on one map with the others.
const BASE: &str = "base/";

/// (file below `src`, its code without comments, strings and characters)
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is read") {
            let path = entry.expect("the folder is read").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(ROOT).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let name = |path: &Path| {
        let name = path.strip_prefix(&root).expect("it is below src").to_string_lossy().replace('\\', "/");
        name.strip_prefix(BASE).map_or(name.clone(), str::to_string)
    };
    paths.iter().map(|path| (name(path), code(&fs::read_to_string(path).expect("the file is text")))).collect()
}

/// The text with comments, strings and character literals blanked, so that what is left is named by the compiler too.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, word: &str| word.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let (mut out, mut at) = (String::new(), 0);
    while at < chars.len() {
        let after_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < chars.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if chars[at] == 'r' && !after_name && chars.get(at + 1 + hashes) == Some(&'"') {
            let end: String = ['"'].into_iter().chain("#".repeat(hashes).chars()).collect();
            at += hashes + 2;
            while at < chars.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if chars[at] == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if chars[at] == '\'' && chars.get(at + 1) == Some(&'\\') {
            at += 3;
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if chars[at] == '\'' && chars.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.push(' ');
    }
    out
}

/// Names and the signs between them.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_name = false;
    for c in code.chars() {
        let is_name = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if is_name && in_name => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.to_string()),
        }
        in_name = is_name;
    }
    tokens
}

/// What `first::` leads to, as paths of names, with the branches of braces written out: `crate::{a::b, c}` gives `a::b` and `c`.
fn paths(code: &str, first: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let is = |at: usize, sign: &str| tokens.get(at).is_some_and(|t| t == sign);
    let is_name = |at: usize| tokens.get(at).is_some_and(|t| t.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let mut found = Vec::new();
    for start in (0..tokens.len()).filter(|&i| tokens[i] == first && is(i + 1, ":") && is(i + 2, ":")) {
        // The path up to each open brace, and the path being read.
        let (mut stack, mut path, mut at): (Vec<Vec<String>>, Vec<String>, usize) = (Vec::new(), Vec::new(), start + 3);
        loop {
            if is_name(at) {
                path.push(tokens[at].clone());
                at += 1;
            } else if is(at, "*") {
                path.push("*".into());
                at += 1;
            } else if is(at, "{") {
                stack.push(path.clone());
                at += 1;
                continue;
            }
            if is(at, ":") && is(at + 1, ":") && (is_name(at + 2) || is(at + 2, "{") || is(at + 2, "*")) {
                at += 2;
                continue;
            }
            found.push(path.clone());
            // What stands behind a path: its new name, the next branch, the end of a brace.
            if is(at, "as") {
                at += 2;
            }
            while is(at, "}") && !stack.is_empty() {
                stack.pop();
                at += 1;
            }
            match stack.last() {
                Some(outer) if is(at, ",") => {
                    path.clone_from(outer);
                    at += 1;
                    // A comma may stand before the end of a brace.
                    while is(at, "}") && !stack.is_empty() {
                        stack.pop();
                        at += 1;
                    }
                    if stack.is_empty() {
                        break;
                    }
                }
                _ => break,
            }
        }
    }
    found
}

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().expect("a path has a first part")
}

/// The floors as the documentation of `src/lib.rs` lists them; `io` stands beside them.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).expect("src/lib.rs is there");
    let mut floors = BTreeMap::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = row.split(" | ");
        let (Some(floor), Some(rooms)) = (cells.next().and_then(|f| f.parse().ok()), cells.next()) else { continue };
        let rooms = rooms.trim_end_matches(" |").split(':').next().unwrap_or(rooms);
        floors.extend(rooms.split('`').skip(1).step_by(2).map(|room| (room.to_string(), floor)));
    }
    floors
}

const BESIDE: &str = "io";
/// What the room beside the floors may know, and from which floor on it may be known.
const BESIDE_KNOWS: [&str; 3] = ["error", "shape", "sorted"];
const BESIDE_KNOWN_FROM: u32 = 7;

/// What is wrong with `file` naming `crate::path`.
fn fault(floors: &BTreeMap<String, u32>, file: &str, path: &[String]) -> Option<String> {
    let (here, there) = (room(file), path.first().map_or("", String::as_str));
    let fault = |why: String| Some(format!("{file} names crate::{}: {why}", path.join("::")));
    if here == there || here == "lib" {
        return None;
    }
    if here == BESIDE {
        return if BESIDE_KNOWS.contains(&there) { None } else { fault(format!("io knows only {}", BESIDE_KNOWS.join(" and "))) };
    }
    let Some(floor) = floors.get(here) else { return fault(format!("{here} stands on no floor of src/lib.rs")) };
    if there == BESIDE {
        return if *floor >= BESIDE_KNOWN_FROM { None } else { fault(format!("io is for floor {BESIDE_KNOWN_FROM} and above")) };
    }
    let Some(below) = floors.get(there) else { return fault(format!("{there} stands on no floor of src/lib.rs")) };
    // Floor 0 is one room of small things: they may know each other.
    let is_ground = *floor == 0 && *below == 0;
    if below < floor || is_ground { None } else { fault(format!("{here} is on floor {floor}, {there} on {below}")) }
}

#[test]
fn a_room_imports_only_from_the_floors_below_its_own() {
    let floors = floors();
    let mut faults = Vec::new();
    let mut seen = 0;
    for (file, code) in sources() {
        for path in ["crate", "reparam_base"].iter().flat_map(|root| paths(&code, root)) {
            seen += 1;
            faults.extend(fault(&floors, &file, &path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(seen > 300, "only {seen} paths were found");
}

#[test]
fn every_module_stands_on_a_floor() {
    let floors = floors();
    let on_floors: BTreeSet<&str> = floors.keys().map(String::as_str).chain([BESIDE]).collect();
    let files = sources();
    let rooms: BTreeSet<&str> = files.iter().map(|(file, _)| room(file)).filter(|room| *room != "lib").collect();
    assert_eq!(rooms, on_floors, "left: the modules of src, right: the map of src/lib.rs");
    assert_eq!(floors.values().collect::<BTreeSet<_>>().len(), 9, "{floors:?}");
}

/// `super` from a room's outermost module would be a way around the map.
#[test]
fn super_stays_within_a_room() {
    for (file, code) in sources() {
        let depth = file.matches('/').count() + usize::from(!file.ends_with("mod.rs") && file != "lib.rs");
        let has_inner_module = code.contains("mod tests {") || code.contains("mod platform {");
        for path in paths(&code, "super") {
            let climbs = 1 + path.iter().take_while(|name| *name == "super").count();
            assert!(climbs < depth + usize::from(has_inner_module), "{file} climbs out of its room: super::{}", path.join("::"));
        }
    }
}

#[test]
fn autodiff_names_no_operation_but_the_sum_of_two_gradients_and_its_seed() {
    let (_, code) = sources().into_iter().find(|(file, _)| room(file) == "autodiff").expect("there is autodiff");
    let named: BTreeSet<String> = paths(&code, "ops").into_iter().map(|path| path.join("::")).collect();
    assert_eq!(named, BTreeSet::from(["add".to_string(), "fill".to_string()]));
    assert!(
        paths(&code, "crate").iter().all(|path| path[0] != "ops" || path.len() == 1),
        "ops is imported whole, and named where it is used"
    );
}

#[test]
fn plan_knows_no_operation() {
    for (file, code) in sources().iter().filter(|(file, _)| room(file) == "plan") {
        assert!(paths(code, "crate").iter().all(|path| path[0] != "ops"), "{file}");
    }
}

#[test]
fn the_two_backends_do_not_know_each_other() {
    for (file, code) in sources() {
        for (here, there) in [("cpu", "gpu"), ("gpu", "cpu")] {
            if file.starts_with(&format!("backend/{here}/")) {
                assert!(!tokens(&code).iter().any(|t| t == there), "{file} names {there}");
            }
        }
    }
}

#[test]
fn each_outside_world_is_named_in_one_room() {
    let worlds: [(&[&str], &[&str]); 3] = [
        (&["wgpu"], &["backend/gpu/"]),
        (&["wasm_bindgen", "wasm_bindgen_futures", "js_sys", "web_sys", "serde_wasm_bindgen"], &["api/", "backend/gpu/"]),
        (&["safetensors"], &["io/", "train/checkpoint.rs"]),
    ];
    for (names, places) in worlds {
        let mut users = BTreeSet::new();
        for (file, code) in sources() {
            let named: Vec<String> = tokens(&code).into_iter().filter(|t| names.contains(&t.as_str())).collect();
            assert!(named.is_empty() || places.iter().any(|p| file.starts_with(p)), "{file} names {}", named.join(", "));
            users.extend(named.first().map(|_| file));
        }
        assert!(!users.is_empty(), "nobody names {names:?}: is the list of this test out of date?");
    }
}

#[test]
fn unsafe_stands_in_at_most_one_file() {
    let files = sources();
    let unsafe_files: Vec<&str> =
        files.iter().filter(|(_, code)| tokens(code).iter().any(|t| t == "unsafe")).map(|(f, _)| &**f).collect();
    assert!(unsafe_files.len() <= 1, "{unsafe_files:?}");
}

#[test]
fn every_shader_file_is_in_the_list_of_the_gpu() {
    let folder = fs::read_dir(Path::new(ROOT).join("shaders")).expect("there are shaders");
    let files: BTreeSet<String> =
        folder.map(|f| f.expect("the folder is read").file_name().to_string_lossy().into_owned()).collect();
    let listed: BTreeSet<String> = reparam::backend::gpu::SHADERS.iter().map(|(name, _)| format!("{name}.wgsl")).collect();
    assert_eq!(files, listed);
    assert_eq!(listed.len(), reparam::backend::gpu::SHADERS.len(), "a shader is listed twice");
}

/// The reader of this file finds what is forbidden, however it is written.
#[test]
fn a_forbidden_import_is_found() {
    let floors =
        BTreeMap::from([("ops".to_string(), 3), ("plan".to_string(), 4), ("autodiff".to_string(), 4), ("error".to_string(), 0)]);
    let faults = |file: &str, text: &str| -> Vec<String> {
        let code = code(text);
        paths(&code, "crate")
            .iter()
            .filter_map(|path| fault(&floors, file, path))
            .map(|f| f.split(':').collect())
            .collect::<Vec<String>>()
    };
    assert_eq!(faults("ops/map.rs", "use crate::error::Result;\nfn f() -> crate::error::Error {}").len(), 0);
    assert_eq!(faults("ops/map.rs", "use crate::plan::Plan;").len(), 1);
    assert_eq!(faults("ops/map.rs", "use crate::{error::{Error, Result,}, plan::{self, Plan}};").len(), 2);
    assert_eq!(faults("ops/map.rs", "use crate::{\n    error as e,\n    plan as p,\n};").len(), 1);
    assert_eq!(faults("ops.rs", "fn f() { crate::plan::Plan::compile(g) }").len(), 1);
    assert_eq!(faults("autodiff.rs", "use crate::plan::*;").len(), 1);
    assert_eq!(faults("plan/text.rs", "use crate::nowhere::X;").len(), 1);
    assert_eq!(faults("io/mod.rs", "use crate::ops::X;\nuse crate::error::Error;").len(), 1);
    assert_eq!(
        faults(
            "ops/map.rs",
            "// crate::plan::X\n/* crate::plan */ \"crate::plan::X\" r#\"crate::plan::\"X\"# '\"' 'a' crate::error::E"
        )
        .len(),
        0
    );
    assert_eq!(paths("use crate::{a::{b, c::d}, e};", "crate"), [vec!["a", "b"], vec!["a", "c", "d"], vec!["e"]]);
}
