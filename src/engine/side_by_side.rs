//! Long jobs on several threads, whose progress is told on the caller's own: only that one may call PostgreSQL.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, scope};
use std::time::Duration;

use super::error::{Error, Result};
use super::network::block_signals;

/// How often the caller looks where the jobs are.
const BEAT: Duration = Duration::from_millis(10);

/// The number of a job and what became of it.
type Done<R> = (usize, std::thread::Result<Result<R>>);

/// Raises the flag when the caller leaves, by unwinding too.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does the jobs on so many threads; `job` is told its number and calls back with its share and loss, `progress` is
/// called with the sum of all shares and the last loss. What `progress` or a job unwinds with ends all jobs.
///
/// # Errors
/// The first that a job has, or [`Error::Numeric`] when the system starts no thread.
pub(super) fn side_by_side<R: Send>(
    jobs: Range<usize>,
    workers: usize,
    job: impl Fn(usize, &mut dyn FnMut(f32, f32)) -> Result<R> + Sync,
    progress: &mut dyn FnMut(f32, f32),
) -> Result<Vec<R>> {
    let (first, count) = (jobs.start, jobs.len());
    if workers < 2 {
        let one = |index| job(index, &mut |share, loss| progress((index - first) as f32 + share, loss));
        return jobs.map(one).collect();
    }
    let (next, left) = (AtomicUsize::new(first), AtomicBool::new(false));
    let number = || AtomicU32::new(0);
    let (shares, last) = ((0..count).map(|_| number()).collect::<Vec<_>>(), number());
    let work = |sender: Sender<Done<R>>| {
        block_signals();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= jobs.end {
                return;
            }
            let mut tell = |share: f32, loss: f32| {
                if left.load(Ordering::Relaxed) {
                    // Nobody waits for the job: it ends by unwinding, without a message.
                    resume_unwind(Box::new("left"));
                }
                shares[index - first].store(share.to_bits(), Ordering::Relaxed);
                last.store(loss.to_bits(), Ordering::Relaxed);
            };
            let done = catch_unwind(AssertUnwindSafe(|| job(index, &mut tell)));
            if sender.send((index, done)).is_err() {
                return;
            }
        }
    };
    scope(|scope| {
        let leaving = Leaving(&left);
        let (sender, receiver) = channel();
        for _ in 0..workers.min(count) {
            let (work, sender) = (&work, sender.clone());
            let spawned = Builder::new().spawn_scoped(scope, move || work(sender));
            spawned.map_err(|error| Error::Numeric(error.to_string()))?;
        }
        drop(sender);
        let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
        let told = |number: &AtomicU32| f32::from_bits(number.load(Ordering::Relaxed));
        loop {
            match receiver.recv_timeout(BEAT) {
                Ok((index, done)) => {
                    results[index - first] = Some(done.unwrap_or_else(|panic| resume_unwind(panic))?);
                    shares[index - first].store(1f32.to_bits(), Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Every worker has ended.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress(shares.iter().map(told).sum(), told(&last));
        }
        drop(leaving);
        Ok(results.into_iter().flatten().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_shares_add_up() {
        for workers in [1, 2, 7] {
            let mut most = 0.0f32;
            let double = |index: usize, tell: &mut dyn FnMut(f32, f32)| {
                tell(0.5, 1.0);
                Ok(2 * index)
            };
            let all = side_by_side(3..8, workers, double, &mut |share, _| most = most.max(share));
            assert_eq!(all, Ok(vec![6, 8, 10, 12, 14]));
            assert!((4.5..=5.0).contains(&most), "{most}");
        }
    }

    #[test]
    fn the_first_error_is_told() {
        let fails = |index: usize, _: &mut dyn FnMut(f32, f32)| match index {
            1 => Err(Error::Diverged { epoch: 1 }),
            _ => Ok(index),
        };
        assert_eq!(side_by_side(0..4, 2, fails, &mut |_, _| ()), Err(Error::Diverged { epoch: 1 }));
    }

    #[test]
    fn an_error_ends_jobs_that_would_never_end() {
        let fails = |index: usize, tell: &mut dyn FnMut(f32, f32)| -> Result<()> {
            if index == 0 {
                return Err(Error::Diverged { epoch: 1 });
            }
            loop {
                tell(0.1, 0.0);
            }
        };
        assert_eq!(side_by_side(0..2, 2, fails, &mut |_, _| ()), Err(Error::Diverged { epoch: 1 }));
    }

    #[test]
    fn a_caller_that_unwinds_ends_jobs_that_would_never_end() {
        let endless = |_: usize, tell: &mut dyn FnMut(f32, f32)| -> Result<()> {
            loop {
                tell(0.1, 0.0);
            }
        };
        let told = catch_unwind(AssertUnwindSafe(|| {
            side_by_side(0..2, 2, endless, &mut |share, _| assert!(share < 0.1, "enough"))
        }));
        assert!(told.is_err());
    }
}
