//! The wasm-bindgen command and its test runner, at the version that Cargo.lock pins, and the cutting of the core in parts.

mod order;
mod shorten;
mod split;

use std::path::Path;
use std::{env, process};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() {
    let mut args: Vec<_> = env::args_os().collect();
    let verb = if args.len() > 1 { args.remove(1) } else { "".into() };
    let done = match (verb.to_str(), &args[1..]) {
        (Some("bindgen"), _) => wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args).map_err(|error| format!("{error:?}")),
        (Some("test"), _) => {
            wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(args).map_err(|error| format!("{error:?}"))
        }
        (Some("instrument"), [core, to]) => split::instrument(Path::new(core), Path::new(to)).map_err(|error| error.to_string()),
        (Some("split"), [core, linked, homes, parts @ ..]) if !parts.is_empty() => {
            let parts: Vec<&Path> = parts.iter().map(Path::new).collect();
            split::split(Path::new(core), Path::new(linked), Path::new(homes), &parts).map_err(|error| error.to_string())
        }
        (Some("order"), [core, to]) => order::order(Path::new(core), Path::new(to)).map_err(|error| error.to_string()),
        (Some("shorten"), [core, glue]) => shorten::shorten(Path::new(core), Path::new(glue)).map_err(|error| error.to_string()),
        _ => {
            eprintln!(
                "usage: tools bindgen ARGS... | test ARGS... | shorten CORE GLUE | instrument CORE TO | split CORE LINKED HOMES FIRST PART... | \
                 order CORE TO"
            );
            process::exit(2);
        }
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        process::exit(1);
    }
}
