//! Option objects, read with their paths: what is missing, unknown, of the wrong kind or out of range gives one error that names
//! where it stands, what was given and what was wanted. A parameter's range and default stand once, in its `Parameter`, which the
//! catalogue shows to pages as well.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Integer,
    Number,
    /// A list of integers.
    Integers,
    /// An integer for all layers, or a list with one for each.
    PerLayer,
    Choice(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    Required,
    /// Left out, it has no value.
    Absent,
    Number(f64),
    List(&'static [usize]),
    Text(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    pub min: f64,
    pub max: f64,
    /// May be changed on a running model.
    pub is_live: bool,
}

impl Parameter {
    pub const fn integer(name: &'static str, default: Default, min: usize, max: usize) -> Parameter {
        Parameter { name, kind: Kind::Integer, default, min: min as f64, max: max as f64, is_live: false }
    }

    pub const fn number(name: &'static str, default: Default, min: f64, max: f64) -> Parameter {
        Parameter { name, kind: Kind::Number, default, min, max, is_live: false }
    }

    pub const fn choice(name: &'static str, default: &'static str, words: &'static [&'static str]) -> Parameter {
        Parameter { name, kind: Kind::Choice(words), default: Default::Text(default), min: 0.0, max: 0.0, is_live: false }
    }

    pub const fn of_kind(mut self, kind: Kind) -> Parameter {
        self.kind = kind;
        self
    }

    pub const fn live(mut self) -> Parameter {
        self.is_live = true;
        self
    }

    /// The largest place in the list of a choice, 0 for others.
    pub fn choices(&self) -> usize {
        match self.kind {
            Kind::Choice(words) => words.len() - 1,
            Kind::Integer | Kind::Number | Kind::Integers | Kind::PerLayer => 0,
        }
    }

    fn expected(&self) -> String {
        let Parameter { min, max, .. } = self;
        match self.kind {
            Kind::Integer => format!("an integer from {min} to {max}"),
            Kind::Number => format!("a number from {min} to {max}"),
            Kind::Integers => format!("a list of integers from {min} to {max}"),
            Kind::PerLayer => format!("an integer from {min} to {max}, or a list with one for each layer"),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }

    pub fn to_json(&self) -> Value {
        let default = match self.default {
            Default::Required | Default::Absent => Value::Null,
            Default::Number(x) => number(x),
            Default::List(list) => json!(list),
            Default::Text(word) => json!(word),
        };
        match self.kind {
            Kind::Choice(words) => {
                json!({ "name": self.name, "type": "choice", "default": default, "choices": words, "live": self.is_live })
            }
            Kind::Integer | Kind::Number | Kind::Integers | Kind::PerLayer => {
                let kind = match self.kind {
                    Kind::Integer => "integer",
                    Kind::Number => "number",
                    _ => "integers",
                };
                json!({ "name": self.name, "type": kind, "default": default, "min": number(self.min), "max": number(self.max), "live": self.is_live })
            }
        }
    }
}

/// Whole numbers without a point.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < 9e15 { json!(x as i64) } else { json!(x) }
}

/// One option object.
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The object at `path` (empty for the outermost), which may have these keys only.
    pub fn read(path: &str, value: &'a Value, known: &[&str]) -> Result<Fields<'a>> {
        let fields = Fields::open(path, value)?;
        let map = fields.map;
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(unknown) => {
                let near = known.iter().min_by_key(|k| distance(k, unknown)).filter(|k| distance(k, unknown) <= 2);
                let hint = near.map(|k| format!(" (did you mean {k}?)")).unwrap_or_default();
                Err(Error::option(
                    fields.at(unknown),
                    show(&map[unknown]),
                    format!("no such option; known here: {}{hint}", known.join(", ")),
                ))
            }
            None => Ok(fields),
        }
    }

    /// The object at `path`, whose other keys are read elsewhere.
    pub fn open(path: &str, value: &'a Value) -> Result<Fields<'a>> {
        let named = if path.is_empty() { "options" } else { path };
        let map = value.as_object().ok_or_else(|| Error::option(named, show(value), "an object"))?;
        Ok(Fields { path: path.to_string(), map })
    }

    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key; null and undefined count as left out.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    pub fn required(&self, key: &str, expected: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| Error::option(self.at(key), "nothing", expected))
    }

    /// The `kind` of an object that must have one of these; to be read before its other keys are known.
    pub fn kind<'b>(path: &str, value: &Value, kinds: &[&'b str]) -> Result<&'b str> {
        let expected = || format!("one of {}", kinds.join(", "));
        let object = value.as_object().ok_or_else(|| Error::option(path, show(value), "an object with a kind"))?;
        let given = object.get("kind").ok_or_else(|| Error::option(format!("{path}.kind"), "nothing", expected()))?;
        kinds
            .iter()
            .find(|k| given.as_str() == Some(k))
            .copied()
            .ok_or_else(|| Error::option(format!("{path}.kind"), show(given), expected()))
    }

    pub fn number(&self, p: &Parameter) -> Result<f64> {
        self.optional_number(p)?.ok_or_else(|| Error::option(self.at(p.name), "nothing", p.expected()))
    }

    pub fn optional_number(&self, p: &Parameter) -> Result<Option<f64>> {
        let Some(value) = self.get(p.name) else {
            return Ok(match p.default {
                Default::Number(x) => Some(x),
                Default::Required | Default::Absent | Default::List(_) | Default::Text(_) => None,
            });
        };
        self.checked(&self.at(p.name), value, p).map(Some)
    }

    pub fn integer(&self, p: &Parameter) -> Result<usize> {
        self.number(p).map(|x| x as usize)
    }

    pub fn optional_integer(&self, p: &Parameter) -> Result<Option<usize>> {
        self.optional_number(p).map(|x| x.map(|x| x as usize))
    }

    pub fn integers(&self, p: &Parameter) -> Result<Vec<usize>> {
        let path = self.at(p.name);
        let Some(value) = self.get(p.name) else {
            return match p.default {
                Default::List(list) => Ok(list.to_vec()),
                Default::Required | Default::Absent | Default::Number(_) | Default::Text(_) => {
                    Err(Error::option(path, "nothing", p.expected()))
                }
            };
        };
        let list = value.as_array().ok_or_else(|| Error::option(&*path, show(value), p.expected()))?;
        list.iter()
            .enumerate()
            .map(|(i, v)| self.checked(&format!("{path}[{i}]"), v, &Parameter { kind: Kind::Integer, ..*p }).map(|x| x as usize))
            .collect()
    }

    /// One integer for each of `layers` layers.
    pub fn per_layer(&self, p: &Parameter, layers: usize) -> Result<Vec<usize>> {
        match self.get(p.name) {
            Some(Value::Array(list)) if list.len() != layers => Err(Error::option(
                self.at(p.name),
                format!("{} numbers", list.len()),
                format!("one number, or {layers}: one for each layer"),
            )),
            Some(Value::Array(_)) => self.integers(&Parameter { kind: Kind::Integers, ..*p }),
            _ => self.integer(&Parameter { kind: Kind::Integer, ..*p }).map(|x| vec![x; layers]),
        }
    }

    pub fn choice(&self, p: &Parameter) -> Result<&'static str> {
        let (Kind::Choice(words), Default::Text(default)) = (p.kind, p.default) else {
            return Err(Error::internal(format!("{} is not a choice", p.name)));
        };
        let Some(value) = self.get(p.name) else { return Ok(default) };
        words
            .iter()
            .find(|w| value.as_str() == Some(w))
            .copied()
            .ok_or_else(|| Error::option(self.at(p.name), show(value), p.expected()))
    }

    /// A choice of true and false, as words or as themselves.
    pub fn flag(&self, p: &Parameter) -> Result<bool> {
        match self.get(p.name) {
            Some(Value::Bool(flag)) => Ok(*flag),
            _ => self.choice(p).map(|word| word == "true"),
        }
    }

    /// A number, or a choice by its place in the list.
    pub fn value(&self, p: &Parameter) -> Result<f64> {
        let Kind::Choice(words) = p.kind else { return self.number(p) };
        let word = self.choice(p)?;
        Ok(words.iter().position(|w| *w == word).unwrap_or(0) as f64)
    }

    fn checked(&self, path: &str, value: &Value, p: &Parameter) -> Result<f64> {
        let x = value.as_f64().filter(|x| x.is_finite() && *x >= p.min && *x <= p.max);
        let whole = p.kind != Kind::Integer || x.is_some_and(|x| x.fract() == 0.0);
        x.filter(|_| whole).ok_or_else(|| Error::option(path, show(value), p.expected()))
    }
}

/// Something of a registry that options choose by its kind.
pub trait Kinded {
    fn kind(&self) -> &'static str;
    fn parameters(&self) -> &'static [Parameter];

    /// As the catalogue shows it.
    fn to_json(&self) -> Value {
        let parameters: Vec<Value> = self.parameters().iter().map(Parameter::to_json).collect();
        json!({ "kind": self.kind(), "parameters": parameters })
    }
}

/// Which of a registry's entries, (kind, parameters) each, an object chooses, and its options' values in the order of the parameters.
pub fn read_kind(path: &str, value: &Value, entries: &[(&str, &[Parameter])]) -> Result<(usize, Vec<f64>)> {
    let kinds: Vec<&str> = entries.iter().map(|(kind, _)| *kind).collect();
    let kind = Fields::kind(path, value, &kinds)?;
    let place = kinds.iter().position(|k| *k == kind).unwrap_or(0);
    let parameters = entries[place].1;
    let known: Vec<&str> = ["kind"].into_iter().chain(parameters.iter().map(|p| p.name)).collect();
    let fields = Fields::read(path, value, &known)?;
    let values = parameters.iter().map(|p| fields.value(p)).collect::<Result<_>>()?;
    Ok((place, values))
}

/// One of a registry, with its options' values in the order of its parameters; a choice counts by its place in the list.
pub struct Chosen<T: ?Sized + 'static> {
    pub of: &'static T,
    pub values: Vec<f64>,
}

impl<T: ?Sized> Clone for Chosen<T> {
    fn clone(&self) -> Self {
        Chosen { of: self.of, values: self.values.clone() }
    }
}

impl<T: Kinded + ?Sized> Chosen<T> {
    pub fn read(path: &str, value: &Value, registry: &'static [&'static T]) -> Result<Chosen<T>> {
        let entries: Vec<_> = registry.iter().map(|entry| (entry.kind(), entry.parameters())).collect();
        let (place, values) = read_kind(path, value, &entries)?;
        Ok(Chosen { of: registry[place], values })
    }

    /// The live parameters and their values: controls of the same names.
    pub fn controls(&self) -> Vec<(&'static str, f64)> {
        let parameters = self.of.parameters().iter();
        parameters.zip(&self.values).filter(|(p, _)| p.is_live).map(|(p, v)| (p.name, *v)).collect()
    }
}

/// A given value as an error shows it, cut where it is long.
pub fn show(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(60).collect::<String>()) }
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Parameter = Parameter::integer("size", Default::Required, 1, 512);

    fn message(value: Value) -> String {
        let fields = Fields::read("latent", &value, &["kind", "size"]);
        fields.and_then(|f| f.integer(&SIZE)).expect_err("the value is bad").to_string()
    }

    #[test]
    fn every_bad_value_names_its_path_and_what_was_wanted() {
        assert_eq!(message(json!({})), "option latent.size: got nothing, expected an integer from 1 to 512");
        assert_eq!(message(json!({ "size": 1.5 })), "option latent.size: got 1.5, expected an integer from 1 to 512");
        assert_eq!(message(json!({ "size": "20" })), "option latent.size: got \"20\", expected an integer from 1 to 512");
        assert_eq!(message(json!({ "size": 0 })), "option latent.size: got 0, expected an integer from 1 to 512");
        assert!(message(json!({ "sizes": 3 })).contains("did you mean size?"));
        assert_eq!(message(json!(3)), "option latent: got 3, expected an object");
    }

    #[test]
    fn a_list_names_the_element_that_is_wrong() {
        let p = Parameter::integer("hidden", Default::List(&[400]), 1, 4096).of_kind(Kind::Integers);
        let value = json!({ "hidden": [400, -1] });
        let fields = Fields::read("encoder", &value, &["hidden"]).expect("the keys are known");
        assert_eq!(
            fields.integers(&p).expect_err("-1 is no size").to_string(),
            "option encoder.hidden[1]: got -1, expected an integer from 1 to 4096"
        );
    }
}
