//! A graph as text, for people and for snapshots.

use std::fmt;

use super::{Edge, Graph};

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = |e: &Edge| if e.output == 0 { format!("%{}", e.node) } else { format!("%{}.{}", e.node, e.output) };
        for (id, node) in self.nodes.iter().enumerate() {
            let shapes: Vec<String> = node.outputs.iter().map(|m| format!("{} {}", m.dtype.name(), m.shape)).collect();
            let inputs: Vec<String> = node.inputs.iter().map(edge).collect();
            let label = self.source(Edge { node: id, output: 0 }).map(|s| format!(" {}", s.label())).unwrap_or_default();
            writeln!(f, "%{id} = {}{label}({}) : {}", node.op.name(), inputs.join(", "), shapes.join(", "))?;
        }
        for (state, next) in &self.updates {
            writeln!(f, "update {} <- {}", edge(state), edge(next))?;
        }
        for (name, e) in &self.outputs {
            writeln!(f, "output {name} = {}", edge(e))?;
        }
        Ok(())
    }
}
