//! All that can be forecast: the series of a panel and, in a hierarchy, the sums over them.

use super::config::{Options, Roles};
use super::error::Result;
use super::hierarchy::Tree;
use super::panel::Panel;

/// A panel with the tree over its series; without a hierarchy the series are all nodes.
pub struct Nodes {
    pub panel: Panel,
    /// Series of the aggregates, in the order of their nodes.
    pub sums: Panel,
    pub tree: Tree,
}

impl Nodes {
    /// Sums up what `options.hierarchy` names; `most_memory` is in bytes.
    ///
    /// # Errors
    /// Those of [`Tree::new`] and [`Tree::aggregate`].
    pub fn new(panel: Panel, roles: &Roles, options: &Options, most_memory: Option<u64>) -> Result<Nodes> {
        let Some(hierarchy) = &options.hierarchy else {
            return Ok(Nodes { sums: panel.without_series(), tree: Tree::bare(&panel, roles), panel });
        };
        let tree = Tree::new(&panel, roles, hierarchy)?;
        Ok(Nodes { sums: tree.aggregate(&panel, most_memory)?, tree, panel })
    }

    /// The panel of a node, and its index there.
    fn place(&self, node: usize) -> (&Panel, usize) {
        match node.checked_sub(self.tree.aggregates()) {
            Some(series) => (&self.panel, series),
            None => (&self.sums, node),
        }
    }

    /// Known values of a node, oldest first.
    pub fn history(&self, node: usize) -> &[f32] {
        let (panel, series) = self.place(node);
        panel.history(series)
    }

    /// Number of the first step behind a node's origin.
    pub fn end(&self, node: usize) -> i64 {
        let (panel, series) = self.place(node);
        panel.series[series].end()
    }
}
