//! Where samples come from: every origin of every series, by number.

use super::panel::Panel;

/// For every series the first origin and how many follow.
pub(super) struct Origins {
    /// (series, first step, samples before it)
    pub starts: Vec<(usize, usize, usize)>,
    pub count: usize,
}

impl Origins {
    /// Windows need their whole horizon known; steps begin behind the least history. The newest `held` are left out.
    pub fn of(panel: &Panel, least: usize, targets: usize, held: usize) -> Origins {
        let mut origins = Origins { starts: Vec::new(), count: 0 };
        for (series, described) in panel.series.iter().enumerate() {
            let end = (described.len + 1).saturating_sub(targets + held);
            if end > least {
                origins.starts.push((series, least, origins.count));
                origins.count += end - least;
            }
        }
        origins
    }

    pub fn at(&self, index: usize) -> (usize, usize) {
        let position = self.starts.partition_point(|(_, _, before)| *before <= index) - 1;
        let (series, first, before) = self.starts[position];
        (series, first + index - before)
    }

    /// The newest `held` origins of every series, all behind those that [`Origins::of`] leaves.
    pub fn newest(panel: &Panel, least: usize, targets: usize, held: usize) -> Origins {
        let mut origins = Origins { starts: Vec::new(), count: 0 };
        for (series, described) in panel.series.iter().enumerate() {
            let end = (described.len + 1).saturating_sub(targets);
            // A window that begins where training windows end shares no target with them.
            let first = (described.len + 1).saturating_sub(held).max(least).min(end.saturating_sub(1));
            if end > first && first >= least {
                origins.starts.push((series, first, origins.count));
                origins.count += end - first;
            }
        }
        origins
    }
}
