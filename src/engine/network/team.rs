//! A few worker threads that share the chunks of a step; every signal is blocked in them, none calls PostgreSQL.

#![allow(unsafe_code)]

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::super::error::{Error, Result};

/// Runs jobs on this thread, or on a pool that ends with the team.
#[derive(Debug)]
pub struct Team {
    pool: Option<ThreadPool>,
}

impl Team {
    /// One thread is the caller's own; more are started here.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the system starts no thread.
    pub fn new(threads: usize) -> Result<Team> {
        if threads <= 1 {
            return Ok(Team { pool: None });
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .start_handler(|_| block_signals())
            .build()
            .map_err(|error| Error::Numeric(error.to_string()))?;
        Ok(Team { pool: Some(pool) })
    }

    /// Calls `job` on every item, in any order.
    pub fn each<T: Send>(&self, items: &mut [T], job: impl Fn(usize, &mut T) + Sync) {
        match &self.pool {
            Some(pool) if items.len() > 1 => pool.scope(|scope| {
                let job = &job;
                for (index, item) in items.iter_mut().enumerate() {
                    scope.spawn(move |_| job(index, item));
                }
            }),
            _ => items.iter_mut().enumerate().for_each(|(index, item)| job(index, item)),
        }
    }
}

/// A signal handler of the server must never run on a worker.
fn block_signals() {
    // SAFETY: the set is initialised by sigfillset before it is read; the call changes this thread's mask alone.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}
