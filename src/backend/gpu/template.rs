//! The files of `shaders/` and the few lines starting with `#` that are filled in before a device sees them:
//!
//! - `#import x` is the text of `shaders/x.wgsl`, once a module;
//! - `#hook fn load_a(i: u32) -> f32` marks a function that the plan's expressions become;
//! - `#for r in N` … `#end` repeats lines with `$r` = 0, 1, … so that what they name stays in registers on every compiler;
//! - `#if N` … `#else` … `#end` keeps lines where N is not 0 (`!N`: where it is).
//!
//! N is a number or a constant of the kernel, in whose name `$r` may stand as well.

use std::collections::HashSet;

use crate::error::{Error, Result};

/// The first N bytes of a text without its lines of comments, and how many there are. Comments are for readers of the files: no page need load
/// them.
const fn without_comments<const N: usize>(text: &str) -> ([u8; N], usize) {
    let bytes = text.as_bytes();
    let (mut kept, mut len, mut at) = ([0; N], 0, 0);
    while at < bytes.len() {
        let mut first = at;
        while bytes[first] == b' ' {
            first += 1;
        }
        let is_comment = first + 1 < bytes.len() && bytes[first] == b'/' && bytes[first + 1] == b'/';
        let mut is_over = false;
        while !is_over {
            if !is_comment {
                if len < N {
                    kept[len] = bytes[at];
                }
                len += 1;
            }
            is_over = bytes[at] == b'\n';
            at += 1;
        }
    }
    (kept, len)
}

macro_rules! shaders {
    ($($name:literal)*) => {
        /// Name and text of every file, comments left out.
        pub const SHADERS: &[(&str, &str)] = &[$(($name, {
            const TEXT: &str = include_str!(concat!("../../../shaders/", $name, ".wgsl"));
            const CODE: [u8; without_comments::<0>(TEXT).1] = without_comments(TEXT).0;
            match std::str::from_utf8(&CODE) {
                Ok(code) => code,
                Err(_) => panic!("whole lines of text are text"),
            }
        })),*];
    };
}

shaders! {
    "argmin"
    "conv2d"
    "conv2d_dw"
    "conv_transpose2d"
    "gemm"
    "gemm_store"
    "gemm_tile"
    "group_norm"
    "group_norm_dx"
    "half"
    "logsumexp"
    "map"
    "matmul"
    "moments"
    "nearest"
    "random"
    "reduce"
    "reparameterize"
    "scalar"
    "scatter_add"
    "softmax"
    "totals"
    "tree"
}

pub fn file(name: &str) -> Option<&'static str> {
    SHADERS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// A file with its directives carried out: `constant` gives the value of a name, `hook` the functions that stand for a hook's name.
pub fn expand(name: &str, constant: &dyn Fn(&str) -> Option<u32>, hook: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut expansion = Expansion { constant, hook, imported: HashSet::new(), out: String::new() };
    expansion.import(name)?;
    Ok(expansion.out)
}

struct Expansion<'a> {
    constant: &'a dyn Fn(&str) -> Option<u32>,
    hook: &'a dyn Fn(&str) -> Option<String>,
    imported: HashSet<String>,
    out: String,
}

impl Expansion<'_> {
    fn import(&mut self, name: &str) -> Result<()> {
        if !self.imported.insert(name.to_string()) {
            return Ok(());
        }
        let text = file(name).ok_or_else(|| Error::internal(format!("no shader is called {name}")))?;
        let lines: Vec<&str> = text.lines().collect();
        self.lines(&lines, &mut Vec::new())
    }

    /// `scope` holds the loop variables around these lines.
    fn lines(&mut self, lines: &[&str], scope: &mut Vec<(String, u32)>) -> Result<()> {
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            at += 1;
            let trimmed = line.trim_start();
            let words: Vec<&str> = trimmed.split_whitespace().collect();
            match words.first().copied() {
                Some("#import") => self.import(word(&words, 1, line)?)?,
                Some("#hook") => {
                    let name = within(scope, word(&words, 2, line)?.split('(').next().unwrap_or_default());
                    let text = (self.hook)(&name).ok_or_else(|| Error::internal(format!("nothing fills in the hook {name}")))?;
                    self.out.push_str(&text);
                }
                Some("#for") => {
                    let (variable, count) = (word(&words, 1, line)?, self.value(word(&words, 3, line)?, scope)?);
                    let (body, _, end) = block(&lines[at..], line)?;
                    for i in 0..count {
                        scope.push((variable.to_string(), i));
                        self.lines(body, scope)?;
                        scope.pop();
                    }
                    at += end;
                }
                Some("#if") => {
                    let condition = word(&words, 1, line)?;
                    let holds = match condition.strip_prefix('!') {
                        Some(name) => self.value(name, scope)? == 0,
                        None => self.value(condition, scope)? != 0,
                    };
                    let (then, otherwise, end) = block(&lines[at..], line)?;
                    self.lines(if holds { then } else { otherwise }, scope)?;
                    at += end;
                }
                Some(_) => {
                    self.out.push_str(&within(scope, line));
                    self.out.push('\n');
                }
                None => {}
            }
        }
        Ok(())
    }

    fn value(&self, word: &str, scope: &[(String, u32)]) -> Result<u32> {
        let word = within(scope, word);
        let number = word.parse().ok().or_else(|| (self.constant)(&word));
        number.ok_or_else(|| Error::internal(format!("a shader asks for {word}, which is not set")))
    }
}

/// A text with the numbers of the loops around it in the place of their variables.
fn within(scope: &[(String, u32)], text: &str) -> String {
    scope.iter().fold(text.to_string(), |text, (variable, value)| text.replace(&format!("${variable}"), &value.to_string()))
}

fn word<'a>(words: &[&'a str], at: usize, line: &str) -> Result<&'a str> {
    words.get(at).copied().ok_or_else(|| Error::internal(format!("a shader's directive is cut short: {line}")))
}

/// The lines of a block up to its `#else` and to its `#end`, and how many lines it takes with its `#end`.
fn block<'a, 'l>(lines: &'l [&'a str], opening: &str) -> Result<(&'l [&'a str], &'l [&'a str], usize)> {
    let (mut depth, mut split) = (0, None);
    for (i, line) in lines.iter().enumerate() {
        match line.split_whitespace().next() {
            Some("#for" | "#if") => depth += 1,
            Some("#else") if depth == 0 => split = Some(i),
            Some("#end") if depth == 0 => {
                let otherwise = split.map_or(&lines[i..i], |s| &lines[s + 1..i]);
                return Ok((&lines[..split.unwrap_or(i)], otherwise, i + 1));
            }
            Some("#end") => depth -= 1,
            _ => {}
        }
    }
    Err(Error::internal(format!("a shader's block has no #end: {opening}")))
}
