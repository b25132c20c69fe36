//! What a run can go back to: its states at the last step known to be good, on the host.

use crate::error::Result;
use crate::plan::Role;
use crate::train::cursor::Position;
use crate::train::session::Session;

/// How often a run takes a snapshot.
const EVERY_MS: f64 = 10_000.0;

/// The last good snapshot, and the memory of the next: a long run takes no more than its beginning, which only touches what it writes.
pub struct Snapshots {
    good: Snapshot,
    next: Snapshot,
    taken_ms: f64,
}

struct Snapshot {
    step: u64,
    position: Position,
    states: Vec<(&'static str, Vec<f32>)>,
}

impl Snapshots {
    /// The first one.
    pub async fn begin(session: &Session, names: &[&'static str], step: u64, position: Position) -> Result<Snapshots> {
        let (mut states, mut room) = (Vec::new(), Vec::new());
        for name in names {
            let values = session.read_state(name).await?;
            room.push((*name, Vec::with_capacity(values.len())));
            states.push((*name, values));
        }
        let [good, next] = [states, room].map(|states| Snapshot { step, position, states });
        Ok(Snapshots { good, next, taken_ms: session.now_ms() })
    }

    /// Takes another where the last is old; one that is not finite is passed over.
    pub async fn renew(&mut self, session: &Session, step: u64, position: Position) -> Result<()> {
        if session.now_ms() - self.taken_ms <= EVERY_MS {
            return Ok(());
        }
        (self.next.step, self.next.position) = (step, position);
        let mut is_finite = true;
        for (name, values) in &mut self.next.states {
            let bytes = session.backend.read(&Role::State((*name).into())).await?;
            values.resize(bytes.len() / size_of::<f32>(), 0.0);
            bytemuck::cast_slice_mut(values).copy_from_slice(&bytes);
            is_finite &= values.iter().all(|x| x.is_finite());
        }
        if is_finite {
            std::mem::swap(&mut self.good, &mut self.next);
            self.taken_ms = session.now_ms();
        }
        Ok(())
    }

    /// Puts the last good states back; their step and position.
    pub fn restore(&self, session: &mut Session) -> Result<(u64, Position)> {
        for (name, values) in &self.good.states {
            session.backend.write(&Role::State((*name).into()), bytemuck::cast_slice(values))?;
        }
        Ok((self.good.step, self.good.position))
    }
}
