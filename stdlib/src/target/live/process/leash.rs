//! Holds a command's process group, so that it can be ended from any thread at any moment.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// What the command is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on.
    #[default]
    Run,
    /// End by itself: it has got TERM.
    Terminate,
    /// It has got KILL.
    Kill,
}

/// A command's process group, from its start until the leader is reaped.
#[derive(Debug, Default)]
pub(super) struct Leash(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The leader; set while its number cannot have gone to another process, since it is not reaped yet.
    group: Option<Pid>,
    order: Order,
}

impl Leash {
    /// Orders the whole group to end; also one that has not started yet. A weaker order after a stronger one is void.
    pub(super) fn order(&self, order: Order) {
        let mut state = self.lock();
        if order > state.order {
            state.order = order;
            state.signal();
        }
    }

    /// The order in force.
    pub(super) fn ordered(&self) -> Order {
        self.lock().order
    }

    /// Takes a group that has just started under the leash.
    pub(super) fn hold(&self, group: Pid) {
        let mut state = self.lock();
        state.group = Some(group);
        state.signal();
    }

    /// Sends the order in force again, for processes that were forked while the group got it.
    pub(super) fn repeat(&self) {
        self.lock().signal();
    }

    /// Lets go of the group and reaps its leader, as one: no signal can go to a number that is free again.
    pub(super) fn release<T>(&self, reap: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        state.group = None;
        reap()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn signal(&self) {
        let signal = match self.order {
            Order::Run => return,
            Order::Terminate => Signal::TERM,
            Order::Kill => Signal::KILL,
        };
        if let Some(group) = self.group {
            // Fails when all of them have ended already.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Kills what is on the leash when dropped.
pub(super) struct Guard(pub(super) std::sync::Arc<Leash>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.order(Order::Kill);
    }
}
