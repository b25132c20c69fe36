//! What a run can go back to: its states at the last step known to be good, on the host.

use crate::error::{Result, reserved};
use crate::plan::Role;
use crate::train::cursor::Position;
use crate::train::session::Session;
use crate::train::states::{State, states};

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
    /// Only room where they are those that the model was made with, which are a function of its seed.
    states: Vec<(&'static str, Vec<f32>)>,
    is_fresh: bool,
}

impl Snapshots {
    /// The first one.
    pub async fn begin(session: &Session, names: &[&'static str], step: u64, position: Position) -> Result<Snapshots> {
        let (mut states, mut room) = (Vec::new(), Vec::new());
        for name in names {
            let values = session.read_state(name).await?;
            room.push((*name, reserved(values.len() as u64)?));
            states.push((*name, values));
        }
        let [good, next] = [states, room].map(|states| Snapshot { step, position, states, is_fresh: false });
        Ok(Snapshots { good, next, taken_ms: session.now_ms() })
    }

    /// The first one of a model that is as it was made: nothing is copied.
    pub fn fresh(session: &Session, position: Position) -> Result<Snapshots> {
        let room = |state: State<'_>| Ok((state.name, reserved::<f32>(state.size() as u64)?));
        let room = || states(&session.model).into_iter().map(room).collect::<Result<_>>();
        let [good, next] = [room()?, room()?].map(|states| Snapshot { step: session.step, position, states, is_fresh: true });
        Ok(Snapshots { good, next, taken_ms: session.now_ms() })
    }

    /// Takes another where the last is old; one that is not finite is passed over.
    pub async fn renew(&mut self, session: &Session, step: u64, position: Position) -> Result<()> {
        if session.now_ms() - self.taken_ms <= EVERY_MS {
            return Ok(());
        }
        (self.next.step, self.next.position, self.next.is_fresh) = (step, position, false);
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
        if self.good.is_fresh {
            session.begin_states()?;
            return Ok((self.good.step, self.good.position));
        }
        for (name, values) in &self.good.states {
            session.backend.write(&Role::State((*name).into()), bytemuck::cast_slice(values))?;
        }
        Ok((self.good.step, self.good.position))
    }
}
