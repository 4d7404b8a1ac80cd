//! Links: listeners that come and go with the listeners of another signal.

/// What is left to do once no lock is held: lists and listeners to drop, and those to tell, are user code.
#[derive(Default)]
pub(crate) struct Later(Vec<Box<dyn FnOnce() + Send>>);

impl Later {
    pub(crate) fn push(&mut self, rest: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(rest));
    }

    pub(crate) fn finish(self) {
        for rest in self.0 {
            rest();
        }
    }
}

/// Sees that listeners have come or gone: the signal itself is a listener of others while it has some.
pub(crate) trait Audience: Send + Sync {
    /// Called after each change, when no lock of the registry is held.
    fn settle(&self, later: &mut Later);
}
