//! How a long computation runs: on how many threads, and what is done in between.

use super::error::Result;
use super::side_by_side::side_by_side;

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
        let blocks: Vec<&[T]> = items.chunks(block).collect();
        let threads = self.threads.min(blocks.len());
        let job = |index: usize, tell: &mut dyn FnMut(f32, f32)| {
            tell(0.0, 0.0);
            job(blocks[index])
        };
        let made = side_by_side(0..blocks.len(), threads, job, &mut |_, _| (self.pause)())?;
        Ok(made.into_iter().flatten().collect())
    }
}
