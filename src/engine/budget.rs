//! A limit on memory: what is taken is counted before it is allocated.

use super::{Error, Result};

/// Bytes that may still be taken out of a fixed limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    limit: u64,
    used: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Budget { limit, used: 0 }
    }

    /// Counts `bytes` for `what`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if they go over the limit; nothing is counted then.
    pub fn take(&mut self, what: &'static str, bytes: u64) -> Result<()> {
        let needed = self.used.saturating_add(bytes);
        if needed > self.limit {
            return Err(self.exceeded(what, needed));
        }
        self.used = needed;
        Ok(())
    }

    /// Gives back what is freed.
    pub fn give_back(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Bytes left.
    pub fn left(&self) -> u64 {
        self.limit - self.used
    }

    /// Bytes taken so far.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The error for a need of `bytes` in all; also for an allocation that the system refuses.
    pub fn exceeded(&self, what: &'static str, bytes: u64) -> Error {
        // Rounded up, so that the need never reads as equal to the limit.
        Error::OutOfMemory { what, needed: (bytes >> 20) + 1, limit: self.limit >> 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_refuses_what_goes_over_it_and_keeps_its_count() {
        let mut budget = Budget::new(3 << 20);
        assert_eq!(budget.take("a scan", 2 << 20), Ok(()));
        assert_eq!(budget.take("a scan", 2 << 20), Err(Error::OutOfMemory { what: "a scan", needed: 5, limit: 3 }));
        assert_eq!(budget.left(), 1 << 20);
        budget.give_back(2 << 20);
        assert_eq!(budget.used(), 0);
    }
}
