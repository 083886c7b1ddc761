//! The tree over the series of a panel: what adds up to what.

use std::collections::{BTreeSet, HashMap};
use std::iter::successors;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::config::Roles;
use super::error::{Error, Result};
use super::options::nearest;
use super::panel::{Panel, Static, show_key};
use super::table::Value;

/// What adds up: columns from the top down, below the total of everything and above the series themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    pub levels: Vec<String>,
    /// What had the smaller errors in the backtest when `None`; in a trained model it is known.
    pub method: Option<Reconciliation>,
}

/// How forecasts of all levels become ones that add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconciliation {
    /// The smallest total error variance, by a shrunk covariance of past errors.
    Mint,
    /// Aggregates are sums of the series' own forecasts.
    BottomUp,
}

impl Hierarchy {
    /// Checks that there are series to add up and that every level is one of their columns.
    ///
    /// # Errors
    /// [`Error::UnknownLevel`] with the nearest column, [`Error::InvalidArgument`] where there is one series only.
    pub fn check(&self, roles: &Roles) -> Result<()> {
        if roles.series.is_empty() {
            let allowed = "one or more columns when options name a hierarchy".into();
            return Err(Error::InvalidArgument { name: "series_columns", value: "empty".into(), allowed });
        }
        let known: Vec<&str> = roles.series.iter().chain(&roles.statics).map(String::as_str).collect();
        match self.levels.iter().find(|level| !known.contains(&level.as_str())) {
            None => Ok(()),
            Some(column) => Err(Error::UnknownLevel {
                column: column.clone(),
                nearest: nearest(column, &known).map(String::from),
                allowed: known.join(", "),
            }),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Node {
    key: Vec<Value>,
    /// `None` for the total alone.
    parent: Option<usize>,
}

/// Nodes of a hierarchy: aggregates sorted by key, so that a parent comes before its children, then the series of the
/// panel in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    levels: Vec<String>,
    series_columns: Vec<String>,
    nodes: Vec<Node>,
    aggregates: usize,
}

/// A column of the hierarchy, a value for each series.
struct Level<'a> {
    name: &'a str,
    values: Vec<&'a Value>,
    is_key: bool,
    /// For each key column whether its value decides this one's.
    decided_by: Vec<bool>,
}

impl Level<'_> {
    /// Whether the column may have any value with any of the other's: both are key columns, or no one of these decides both.
    fn crosses(&self, other: &Level) -> bool {
        let deciders = || self.decided_by.iter().zip(&other.decided_by);
        self.is_key && other.is_key
            || self.decided_by.contains(&true)
                && other.decided_by.contains(&true)
                && deciders().all(|(own, others)| !(*own && *others))
    }
}

impl Tree {
    /// The tree of a panel. A node is a prefix of the levels with the values that some series have there.
    ///
    /// Columns must nest where one key column decides both, as a sku decides its category and its department. Else they
    /// are crossed, as stores and categories are: every pair that occurs is a node. Key columns are always crossed.
    ///
    /// # Errors
    /// [`Error::NoTree`], [`Error::NullLevel`] for a static covariate without a value.
    pub fn new(panel: &Panel, roles: &Roles, hierarchy: &Hierarchy) -> Result<Tree> {
        let mut levels =
            hierarchy.levels.iter().map(|name| level(panel, roles, name)).collect::<Result<Vec<Level>>>()?;
        check_nesting(&levels)?;
        // A prefix with all key columns in it is the series themselves.
        let is_key = |upto: &usize| roles.series.iter().all(|key| levels[..*upto].iter().any(|l| l.name == key));
        if let Some(bottom) = (1..=levels.len()).find(is_key) {
            levels.truncate(bottom - 1);
        }
        let paths: Vec<Vec<&Value>> =
            (0..panel.series.len()).map(|series| levels.iter().map(|level| level.values[series]).collect()).collect();
        let mut keys: BTreeSet<Vec<&Value>> = BTreeSet::from([Vec::new()]);
        for path in &paths {
            for prefix in (1..=path.len()).map(|end| &path[..end]) {
                if !keys.contains(prefix) {
                    keys.insert(prefix.to_vec());
                }
            }
        }
        let keys: Vec<Vec<&Value>> = keys.into_iter().collect();
        let find = |key: &[&Value]| keys.binary_search_by(|other| other.as_slice().cmp(key)).ok();
        let parent = |key: &[&Value]| key.split_last().and_then(|(_, rest)| find(rest));
        let aggregate =
            |key: &Vec<&Value>| Node { key: key.iter().map(|value| (*value).clone()).collect(), parent: parent(key) };
        let mut nodes: Vec<Node> = keys.iter().map(aggregate).collect();
        nodes.extend(panel.series.iter().zip(&paths).map(|(s, path)| Node { key: s.key.clone(), parent: find(path) }));
        Ok(Tree {
            levels: levels.iter().map(|level| level.name.to_string()).collect(),
            series_columns: roles.series.clone(),
            nodes,
            aggregates: keys.len(),
        })
    }

    /// The series alone, which add up to nothing.
    pub fn bare(panel: &Panel, roles: &Roles) -> Tree {
        let nodes = panel.series.iter().map(|series| Node { key: series.key.clone(), parent: None }).collect();
        Tree { levels: Vec::new(), series_columns: roles.series.clone(), nodes, aggregates: 0 }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node; the total is always one.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of nodes that are sums of others: the nodes before the series.
    pub fn aggregates(&self) -> usize {
        self.aggregates
    }

    /// The node that a node is summed into.
    pub fn parent(&self, node: usize) -> Option<usize> {
        self.nodes[node].parent
    }

    /// Level and key of every node, which name it in any tree of the same hierarchy.
    pub fn names(&self) -> impl Iterator<Item = (usize, &[Value])> {
        self.nodes.iter().enumerate().map(|(node, Node { key, .. })| (self.level(node), key.as_slice()))
    }

    /// 0 is the total, then one for each column; the last one is the series'.
    pub fn level(&self, node: usize) -> usize {
        if node < self.aggregates { self.nodes[node].key.len() } else { self.levels.len() + 1 }
    }

    /// The columns that name a node.
    pub fn columns(&self, node: usize) -> &[String] {
        if node < self.aggregates { &self.levels[..self.nodes[node].key.len()] } else { &self.series_columns }
    }

    /// A node as users read it: `{}` for the total, `{"region": "north"}`, the key of a series.
    pub fn key(&self, node: usize) -> Json {
        let named = self.columns(node).iter().zip(&self.nodes[node].key);
        Json::Object(named.map(|(name, value)| (name.clone(), json!(value))).collect::<Map<String, Json>>())
    }

    /// The value of a column in a node's key or in those above it.
    pub fn value(&self, node: usize, column: &str) -> Option<&Value> {
        let own = self.columns(node).iter().position(|name| name == column).map(|at| &self.nodes[node].key[at]);
        own.or_else(|| self.value(self.parent(node)?, column))
    }

    /// Rows `[trained, columns]` of another tree's nodes, brought into the order of this one's; NaN where it has no such node.
    pub fn align<'a>(
        &self,
        trained: impl Iterator<Item = (usize, &'a [Value])>,
        rows: &[f32],
        columns: usize,
    ) -> Vec<f32> {
        let rows: HashMap<(usize, &[Value]), &[f32]> = trained.zip(rows.chunks_exact(columns.max(1))).collect();
        let mut aligned = vec![f32::NAN; self.len() * columns];
        for (name, target) in self.names().zip(aligned.chunks_exact_mut(columns.max(1))) {
            if let Some(row) = rows.get(&name) {
                target.copy_from_slice(row);
            }
        }
        aligned
    }

    /// The aggregates that a series is part of.
    pub(super) fn above(&self, series: usize) -> impl Iterator<Item = usize> {
        successors(self.parent(self.aggregates + series), |node| self.parent(*node))
    }
}

fn level<'a>(panel: &'a Panel, roles: &Roles, name: &'a str) -> Result<Level<'a>> {
    let key = |position: usize| panel.series.iter().map(move |series| &series.key[position]);
    let own = roles.series.iter().position(|column| column == name);
    let values: Vec<&Value> = match own {
        Some(position) => key(position).collect(),
        None => static_values(panel, roles, name)?.iter().collect(),
    };
    let decides = |position: usize| {
        let decided: HashMap<&Value, &Value> = key(position).zip(values.iter().copied()).collect();
        key(position).zip(&values).all(|(key, value)| decided[key] == *value)
    };
    let decided_by = (0..roles.series.len()).map(decides).collect();
    Ok(Level { name, values, is_key: own.is_some(), decided_by })
}

fn static_values<'a>(panel: &'a Panel, roles: &Roles, name: &str) -> Result<&'a [Value]> {
    let values = panel.statics.iter().find_map(|column| match column {
        Static::Categories(known, values) if known == name => Some(values),
        _ => None,
    });
    let values = values.ok_or_else(|| Error::Damaged { reason: format!("column \"{name}\" is no category") })?;
    match values.iter().position(|value| *value == Value::Null) {
        None => Ok(values),
        Some(series) => {
            let series = show_key(&roles.series, &panel.series[series].key);
            Err(Error::NullLevel { column: name.into(), series })
        }
    }
}

/// Checks that no value lies under two others of a column that it must nest in.
fn check_nesting(levels: &[Level]) -> Result<()> {
    for (depth, level) in levels.iter().enumerate() {
        for above in levels[..depth].iter().rev().filter(|above| !level.crosses(above)) {
            let mut parents: HashMap<&Value, &Value> = HashMap::new();
            for (value, parent) in level.values.iter().zip(&above.values) {
                let first = *parents.entry(value).or_insert(parent);
                if first != *parent {
                    let statics = [above, level].into_iter().filter(|level| !level.is_key).map(|level| level.name);
                    return Err(Error::NoTree {
                        child: format!("{} {value}", level.name),
                        first: format!("{} {first}", above.name),
                        second: format!("{} {parent}", above.name),
                        statics: statics.collect::<Vec<_>>().join(" and "),
                    });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "hierarchy_tests.rs"]
pub(super) mod tests;
