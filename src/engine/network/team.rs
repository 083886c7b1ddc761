//! A few worker threads that share the parts of a step; every signal is blocked in them, none calls PostgreSQL.
//!
//! A step takes a millisecond and meets twice, so workers look for the next parts for a while before they sleep: waking
//! a thread takes ten to thirty microseconds.

#![allow(unsafe_code)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, yield_now};

use super::super::error::{Error, Result};

/// Looks for parts before a worker sleeps, some fifty microseconds.
const LOOKS: usize = 2000;

/// Runs jobs on this thread and on workers that end with the team.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// A job is published by its number of parts and taken by counting it down; it stays until no part is open.
#[derive(Default)]
struct Shared {
    /// Parts that nobody has taken.
    free: AtomicUsize,
    /// Parts that are not done.
    open: AtomicUsize,
    job: UnsafeCell<Option<&'static (dyn Fn(usize) + Sync)>>,
    ended: AtomicBool,
    sleepers: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is written by `Team::each` alone, which has the team to itself and has waited until no part is open; it
// is read by who has taken a part and not finished it, after the release of `free` that published it.
unsafe impl Sync for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes a part and does it; `false` when there is none.
    fn help(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        let Ok(free) = self.free.fetch_update(Ordering::Acquire, Ordering::Relaxed, one_less) else { return false };
        // SAFETY: a part is taken and open, so the job is there and nobody writes it.
        let job = unsafe { *self.job.get() };
        let done = catch_unwind(AssertUnwindSafe(|| job.map(|job| job(free - 1))));
        if let Err(panic) = done {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        self.open.fetch_sub(1, Ordering::Release);
        true
    }

    fn work(&self) {
        block_signals();
        while !self.ended.load(Ordering::Acquire) {
            if !(0..LOOKS).any(|_| self.look()) {
                let mut guard = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
                self.sleepers.fetch_add(1, Ordering::SeqCst);
                while self.free.load(Ordering::SeqCst) == 0 && !self.ended.load(Ordering::SeqCst) {
                    guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
                }
                self.sleepers.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// Helps if there is something to do, else waits for the blink of an eye.
    fn look(&self) -> bool {
        let found = self.free.load(Ordering::Relaxed) > 0 && self.help();
        if !found {
            std::hint::spin_loop();
        }
        found
    }

    fn wake_all(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.asleep.lock());
            self.wake.notify_all();
        }
    }
}

impl Team {
    /// One thread is the caller's own; more are started here.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the system starts no thread.
    pub fn new(threads: usize) -> Result<Team> {
        let mut team = Team { shared: Arc::default(), workers: Vec::new() };
        for _ in 1..threads {
            let shared = Arc::clone(&team.shared);
            let worker =
                Builder::new().spawn(move || shared.work()).map_err(|error| Error::Numeric(error.to_string()))?;
            team.workers.push(worker);
        }
        Ok(team)
    }

    /// Calls `job` on every item, in any order.
    ///
    /// # Panics
    /// With what a job panics with, after all others have ended.
    pub fn each<T: Send>(&mut self, items: &mut [T], job: impl Fn(usize, &mut T) + Sync) {
        if self.workers.is_empty() || items.len() < 2 {
            return items.iter_mut().enumerate().for_each(|(index, item)| job(index, item));
        }
        let (count, items) = (items.len(), Items(items.as_mut_ptr()));
        // SAFETY: every index below `count` is taken once, so no two calls have the same item; the slice is borrowed
        // until all calls have ended.
        let part = move |index: usize| job(index, unsafe { &mut *items.at(index) });
        let part: &(dyn Fn(usize) + Sync) = &part;
        let shared = &*self.shared;
        // SAFETY: the reference is used by parts alone, and below all are waited for before it ends.
        unsafe { *shared.job.get() = Some(std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static _>(part)) };
        shared.open.store(count, Ordering::Relaxed);
        shared.free.store(count, Ordering::SeqCst);
        shared.wake_all();
        while shared.help() {}
        let mut waited = 0;
        while shared.open.load(Ordering::Acquire) > 0 {
            waited += 1;
            if waited < LOOKS { std::hint::spin_loop() } else { yield_now() }
        }
        if let Some(panic) = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.wake_all();
        for worker in self.workers.drain(..) {
            // Panics of parts were caught and told; a worker has no others.
            let _ = worker.join();
        }
    }
}

/// The start of a slice whose items several threads change, each its own.
struct Items<T>(*mut T);

// SAFETY: items are Send, and `Team::each` gives every one to a single call.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    fn at(&self, index: usize) -> *mut T {
        // SAFETY: `Team::each` asks for indices inside the slice alone.
        unsafe { self.0.add(index) }
    }
}

/// A signal handler of the server must never run on a worker.
pub(in super::super) fn block_signals() {
    // SAFETY: the set is initialised by sigfillset before it is read; the call changes this thread's mask alone.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_met_once_however_often_and_by_however_many() {
        for threads in [1, 2, 5] {
            let mut team = Team::new(threads).unwrap();
            for round in 0..200 {
                let mut items = vec![0; round % 7];
                team.each(&mut items, |index, item| *item += index + 1);
                assert_eq!(items, (1..=round % 7).collect::<Vec<_>>());
                if round % 50 == 0 {
                    // Long enough for the workers to sleep.
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_goes_on() {
        let mut team = Team::new(3).unwrap();
        let mut items = [0; 8];
        let told = catch_unwind(AssertUnwindSafe(|| {
            team.each(&mut items, |index, item| {
                assert_ne!(index, 3, "third");
                *item = 1;
            });
        }));
        assert!(told.is_err());
        assert_eq!(items, [1, 1, 1, 0, 1, 1, 1, 1]);
        team.each(&mut items, |_, item| *item = 2);
        assert_eq!(items, [2; 8]);
    }
}
