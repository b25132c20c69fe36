//! The wasm-bindgen command and its test runner, at the version that Cargo.lock pins.

use std::{env, process};

fn main() {
    let mut args: Vec<_> = env::args_os().collect();
    let verb = if args.len() > 1 { args.remove(1) } else { "".into() };
    let done = match verb.to_str() {
        Some("bindgen") => wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args),
        Some("test") => wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(args),
        _ => {
            eprintln!("usage: tools bindgen|test ARGS...");
            process::exit(2);
        }
    };
    if let Err(error) = done {
        eprintln!("error: {error:?}");
        process::exit(1);
    }
}
