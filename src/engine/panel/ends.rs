//! Where a series ends, and so where its forecast begins.

use super::super::config::{Missing, Options, SeriesEnd};

/// A series whose newest steps are missing goes on when this many of its longest gaps before are longer.
const LONGEST_GAPS: i64 = 2;
/// Gaps that make missing steps a habit of a series.
const FEWEST_GAPS: usize = 3;

/// A row of a series: its step, and whether the target is known there.
pub type Row = (i64, bool);

/// Where a series ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub last: i64,
    /// Last step at which the rule for missing steps holds; behind it nothing is known.
    pub filled: i64,
    /// Whether that is behind its own last value.
    pub extended: bool,
}

/// The end of a series by its rows in time order, `None` when nothing is known of it; `newest` is the last step at which
/// any series is known.
///
/// By default a series ends at its own last value, as one that is reported some days late does. But it goes on, unknown, as
/// far as it has rows until `newest` when these are more than a season; and to `newest` where missing steps are zeros and a
/// gap as long as its newest one is nothing unusual for it: a product that is not sold every day is forecast from today.
pub fn end(
    rows: impl DoubleEndedIterator<Item = Row> + Clone,
    newest: Option<i64>,
    season: usize,
    options: &Options,
) -> Option<End> {
    let own = rows.clone().rev().find(|(_, known)| *known).map(|(step, _)| step)?;
    let newest = newest.unwrap_or(own).max(own);
    let end = |last: i64, filled: i64| Some(End { last, filled, extended: last > own });
    match options.series_end {
        SeriesEnd::Own => return end(own, own),
        SeriesEnd::Common => return end(newest, newest),
        SeriesEnd::Auto => {}
    }
    let told = rows.clone().rev().find(|(step, _)| *step <= newest).map_or(own, |(step, _)| step.max(own));
    let told = if told - own > season as i64 { told } else { own };
    let known = || rows.clone().filter(|(_, known)| *known).map(|(step, _)| step);
    let gaps = || known().zip(known().skip(1)).map(|(before, after)| after - before).filter(|gap| *gap > 1);
    let usual = options.missing() == Missing::Zero
        && gaps().count() >= FEWEST_GAPS
        && newest - told <= LONGEST_GAPS * gaps().max().unwrap_or(0);
    if usual { end(newest, newest) } else { end(told, own) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(rows: &[Row], newest: i64) -> Option<i64> {
        end(rows.iter().copied(), Some(newest), 1, &Options::default()).map(|end| end.last)
    }

    #[test]
    fn a_series_ends_at_its_last_value() {
        assert_eq!(end_of(&[(1, true), (2, true), (3, true)], 100), Some(3));
        assert_eq!(end_of(&[(1, false)], 100), None);
    }

    #[test]
    fn rows_without_a_value_carry_it_to_today() {
        let rows = [(1, true), (2, false), (3, false)];
        assert_eq!(
            end(rows.into_iter(), Some(3), 1, &Options::default()),
            Some(End { last: 3, filled: 1, extended: true })
        );
        // One step late is no more than a season of one; planned rows behind today say nothing.
        assert_eq!(end_of(&[(1, true), (2, false), (9, false)], 2), Some(1));
    }

    #[test]
    fn a_product_sold_now_and_then_goes_on() {
        let rows = [(1, true), (3, true), (8, true), (12, true)];
        assert_eq!(end_of(&rows, 20), Some(20));
        assert_eq!(end_of(&rows[1..], 20), Some(12));
        assert_eq!(end_of(&rows, 60), Some(12));
        let masked = Options { missing: Some(Missing::Mask), ..Options::default() };
        assert_eq!(end(rows.into_iter(), Some(20), 1, &masked), Some(End { last: 12, filled: 12, extended: false }));
    }
}
