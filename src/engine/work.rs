//! How a long computation runs: on how many threads, and what is done in between.

use super::error::Result;
use super::network::Team;

/// Threads, and a callback that is called every few milliseconds on the caller's own.
pub struct Work<'a> {
    pub threads: usize,
    pub pause: &'a mut dyn FnMut(),
}

impl Work<'_> {
    /// Runs `job` on blocks of the items and joins what it makes, in order.
    ///
    /// # Errors
    /// The first that a job has, or that threads cannot be started.
    pub(super) fn on<T: Sync, R: Send>(
        &mut self,
        items: &[T],
        block: usize,
        job: impl Fn(&[T]) -> Result<Vec<R>> + Sync,
    ) -> Result<Vec<R>> {
        let threads = self.threads.min(items.len().div_ceil(block)).max(1);
        let mut team = Team::new(threads)?;
        let mut all = Vec::with_capacity(items.len());
        for wave in items.chunks(block * threads) {
            (self.pause)();
            let mut blocks: Vec<(&[T], Result<Vec<R>>)> =
                wave.chunks(block).map(|block| (block, Ok(Vec::new()))).collect();
            team.each(&mut blocks, |_, (block, made)| *made = job(block));
            for (_, made) in blocks {
                all.extend(made?);
            }
        }
        Ok(all)
    }
}
